"""What Gate.io futures have beside orders: contracts to be learned, a margin account, positions, leverage and funding."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from damaged_answers import ODD_VALUES, mutated
from gateio_futures_codec import BTC, ETH, TENTH, codec, informed, order_body, request, sample
from hypothesis import given
from hypothesis import strategies as st
from test_gateio_spot_account_codec import NOW, NOW_SECONDS

from actors.accounts.codec import PositionMode, ProtocolError
from actors.accounts.gateio.futures import GateioFuturesAccountCodec
from actors.feeds.gateio.futures import GateioFuturesFeedCodec
from market.symbol import Symbol
from orders.reports import BalanceReport, FundingReport, MarginMode, PositionReport

# The catalogue


def test_catalogue_asks_for_the_contracts_without_a_signature_and_then_for_the_user_with_one() -> None:
    catalogue = GateioFuturesAccountCodec().catalogue
    first = catalogue.request()
    assert (first.method, first.path, first.is_public, catalogue.is_complete) == ("GET", "/api/v4/futures/usdt/contracts", True, False)
    catalogue.learn(first, sample("contracts"))
    second = catalogue.request()
    assert (second.method, second.path, second.is_public, catalogue.is_complete) == ("GET", "/api/v4/futures/usdt/accounts", False, False)
    catalogue.learn(second, sample("account"))
    assert catalogue.is_complete
    assert catalogue.request().path == "/api/v4/futures/usdt/contracts"


def test_catalogue_takes_answers_in_whatever_order_two_sessions_bring_them() -> None:
    catalogue = GateioFuturesAccountCodec().catalogue
    contracts = catalogue.request()
    catalogue.learn(contracts, sample("contracts"))
    account = catalogue.request()
    catalogue.learn(account, sample("account"))
    catalogue.learn(contracts, sample("contracts"))  # the other session's question was on its way
    assert catalogue.is_complete


@pytest.mark.parametrize("body", [b"", b"{}", b'[{"name":"BTC_USDT"}]', b'{"user":""}', b'{"user":"a&b"}'])
def test_catalogue_that_cannot_read_an_answer_knows_what_it_knew(body: bytes) -> None:
    known = informed()
    for prepared in (known.catalogue.request(), codec.query_balances()):
        with pytest.raises(ProtocolError):
            known.catalogue.learn(prepared, body)
    assert known.catalogue.is_complete
    assert known.decode_order(sample("order")).quantity == Decimal("0.0157")


def test_unknown_contract_is_a_protocol_error_until_the_contracts_have_been_learned_anew() -> None:
    known = informed()
    body = order_body(contract="NEW_USDT")
    with pytest.raises(ProtocolError, match="NEW/USDT"):
        known.decode_order(body)
    assert not known.catalogue.is_complete
    prepared = known.catalogue.request()
    assert prepared.path == "/api/v4/futures/usdt/contracts"
    contracts = json.loads(sample("contracts"))
    contracts.append(contracts[0] | {"name": "NEW_USDT"})
    known.catalogue.learn(prepared, json.dumps(contracts).encode())
    assert known.catalogue.is_complete
    assert known.decode_order(body).symbol == Symbol("NEW", "USDT")


def test_placing_an_order_of_an_unknown_contract_is_a_protocol_error() -> None:
    known = informed()
    with pytest.raises(ProtocolError, match="not among the contracts"):
        known.place(request(symbol=Symbol("SOON", "USDT")), expires_at_milliseconds=None)
    assert not known.catalogue.is_complete


def test_contracts_that_may_not_be_traded_any_more_are_still_read() -> None:
    assert codec.decode_order(order_body(contract="GONE_USDT")).quantity == 157


def test_both_sides_agree_what_contracts_are_worth() -> None:
    public = {listed.symbol: listed for listed in GateioFuturesFeedCodec().decode_instruments(with_rules(sample("contracts")))}
    for symbol in (BTC, ETH, TENTH):
        size = codec.catalogue.size(symbol)
        assert public[symbol].contract_size == size.base_units
        assert public[symbol].quantity_step == size.to_base_units(size.step)


def with_rules(body: bytes) -> bytes:
    return json.dumps(
        [contract for contract in json.loads(body) if contract["type"] == "direct" and contract["name"] != "SOON_USDT"]
    ).encode()


def test_leverage_is_limited_by_the_contract() -> None:
    assert codec.positions.leverage_max(BTC) == 125
    for symbol in (TENTH, Symbol("NOPE", "USDT")):
        with pytest.raises(KeyError):
            codec.positions.leverage_max(symbol)


@given(st.sampled_from(["contracts", "account"]), st.lists(st.integers(0, 60), min_size=1, max_size=3), ODD_VALUES)
def test_catalogue_with_one_odd_value_is_learned_or_a_protocol_error(name, path, value) -> None:
    catalogue = informed().catalogue
    prepared = catalogue.request() if name == "contracts" else codec.query_balances()
    try:
        catalogue.learn(prepared, json.dumps(mutated(json.loads(sample(name)), path, value)).encode())
    except ProtocolError:
        assert catalogue.is_complete
        assert catalogue.size(BTC).base_units == Decimal("0.0001")


# Balances


def balance(of: MarginMode, **changes: object) -> BalanceReport:
    known = informed()
    known.positions.margin_mode = of
    (report,) = known.decode_balances(json.dumps(json.loads(sample("account")) | changes).encode())
    return report


@pytest.mark.parametrize("margin_mode", MarginMode)
def test_balance_is_the_wallet_without_open_profit_and_what_is_available_of_it(margin_mode) -> None:
    assert balance(margin_mode) == BalanceReport(asset="USDT", total=Decimal("9707.803567115145"), available=Decimal("9656.591377934145"))


def test_under_the_newer_margin_rules_crossed_orders_have_what_is_available_to_crossed_margin() -> None:
    assert balance(MarginMode.CROSS, enable_evolved_classic=True).available == Decimal("9600.25")
    assert balance(MarginMode.ISOLATED, enable_evolved_classic=True).available == Decimal("9656.591377934145")


@pytest.mark.parametrize("margin_mode", [1, 2, 3])
def test_balance_of_a_unified_account_is_not_taken_for_what_it_trades_with(margin_mode) -> None:
    with pytest.raises(ProtocolError, match="only classic accounts are traded"):
        balance(MarginMode.CROSS, margin_mode=margin_mode)


# Positions


def test_positions_are_read_with_what_only_rest_tells() -> None:
    assert codec.positions.decode_positions(sample("positions")) == [
        PositionReport(
            symbol=BTC,
            quantity=Decimal("-0.9440"),
            entry_price=Decimal("63985.25"),
            mark_price=Decimal("63987.5"),
            liquidation_price=Decimal("71200.1"),
            leverage=Decimal(10),
            margin_mode=MarginMode.CROSS,
            unrealised_pnl=Decimal("-2.124"),
        ),
        PositionReport(
            symbol=ETH,
            quantity=Decimal("0.025"),
            entry_price=Decimal("3000.5"),
            mark_price=Decimal("3001.3"),
            liquidation_price=Decimal("2860.01"),
            leverage=Decimal(20),
            margin_mode=MarginMode.ISOLATED,
            unrealised_pnl=Decimal("0.02"),
        ),
        PositionReport(
            symbol=TENTH,
            quantity=Decimal(0),
            mark_price=Decimal("1.5"),
            leverage=Decimal(5),
            margin_mode=MarginMode.CROSS,
            unrealised_pnl=Decimal(0),
        ),
    ]


@pytest.mark.parametrize(
    ("told", "leverage", "margin_mode"),
    [
        ({"leverage": "20", "cross_leverage_limit": "0"}, 20, MarginMode.ISOLATED),
        ({"leverage": "0", "cross_leverage_limit": "10"}, 10, MarginMode.CROSS),
        ({"leverage": "0", "cross_leverage_limit": "0"}, None, MarginMode.CROSS),
        ({"lever": "7", "pos_margin_mode": "isolated"}, 7, MarginMode.ISOLATED),
        ({"lever": "7", "pos_margin_mode": "cross", "leverage": "0", "cross_leverage_limit": "10"}, 7, MarginMode.CROSS),
        ({}, None, None),
    ],
)
def test_leverage_and_margin_mode_are_read_in_older_and_in_newer_words(told, leverage, margin_mode) -> None:
    (report,) = codec.positions.decode_positions(json.dumps([{"contract": "BTC_USDT", "size": "1", **told}]).encode())
    assert (report.leverage, report.margin_mode) == (leverage, margin_mode)


def test_position_of_hedge_mode_is_refused_and_an_empty_one_left_out() -> None:
    position = json.loads(sample("positions"))[0] | {"mode": "dual_short"}
    with pytest.raises(ProtocolError, match="dual_short position of hedge mode"):
        codec.positions.decode_positions(json.dumps([position]).encode())
    assert codec.positions.decode_positions(json.dumps([position | {"size": "0"}]).encode()) == []


@pytest.mark.parametrize(
    ("changes", "mode"),
    [
        ({}, PositionMode.ONE_WAY),
        ({"position_mode": "dual"}, PositionMode.HEDGE),
        ({"position_mode": "dual_plus"}, PositionMode.HEDGE),
        ({"position_mode": "", "in_dual_mode": True}, PositionMode.HEDGE),
        ({"position_mode": "", "in_dual_mode": False}, PositionMode.ONE_WAY),
    ],
)
def test_position_mode_is_read(changes, mode) -> None:
    assert codec.positions.decode_mode(json.dumps(json.loads(sample("account")) | changes).encode()) is mode


def test_position_mode_that_is_not_known_is_a_protocol_error() -> None:
    for body in (b'{"position_mode":"triple","in_dual_mode":false}', b"{}", b"[]"):
        with pytest.raises(ProtocolError):
            codec.positions.decode_mode(body)


@pytest.mark.parametrize(
    ("margin_mode", "query"), [(MarginMode.ISOLATED, "leverage=10"), (MarginMode.CROSS, "leverage=0&cross_leverage_limit=10")]
)
def test_leverage_is_set_by_a_query_with_an_empty_body(margin_mode, query) -> None:
    known = informed()
    known.positions.margin_mode = margin_mode
    prepared = known.positions.set_leverage(BTC, Decimal("1E+1"))
    assert (prepared.method, prepared.path) == ("POST", "/api/v4/futures/usdt/positions/BTC_USDT/leverage")
    assert (prepared.query, prepared.body) == (query, b"")


def test_positions_and_funding_are_asked_for() -> None:
    asked = codec.positions.query_positions()
    assert (asked.method, asked.path, asked.query) == ("GET", "/api/v4/futures/usdt/positions", "holding=true")
    funding = codec.positions.query_funding(since_milliseconds=NOW, until_milliseconds=NOW + 60_000)
    assert funding.path == "/api/v4/futures/usdt/account_book"
    assert funding.query == f"type=fund&from={NOW_SECONDS}&to={NOW_SECONDS + 60}&limit=100&offset=0"


def test_funding_is_read_and_other_changes_are_not() -> None:
    assert codec.positions.decode_funding(sample("account_book")) == [
        FundingReport(payment_id="8801", symbol=BTC, amount=Decimal("-0.604032"), asset="USDT", exchange_time_milliseconds=1790006400123),
        FundingReport(payment_id="8703", symbol=ETH, amount=Decimal("0.25"), asset="USDT", exchange_time_milliseconds=1789977600000),
    ]
