from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from damaged_answers import ODD_VALUES, mutated, read_or_refuse
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from test_okx_spot_account_codec import CREDENTIAL, NOW, refused, response

from actors.accounts.codec import AccountCodec, Amendment, PositionMode, ProtocolError
from actors.accounts.okx.swap import OkxSwapAccountCodec
from market.events import Side
from market.symbol import Symbol
from orders.errors import ErrorKind
from orders.order import Order
from orders.reports import (
    BalanceReport,
    FillReport,
    FundingReport,
    MarginMode,
    OrderReport,
    PositionReport,
    ReportedStatus,
    StreamAnswered,
    StreamConfirmed,
    StreamRefused,
    StreamReply,
)
from orders.request import OrderRequest, OrderType, TimeInForce

SAMPLES = Path(__file__).parent / "samples" / "okx_swap"
FRAMES = (SAMPLES / "frames.jsonl").read_text().splitlines()
BTC, PEPE, ETH_USDC = Symbol("BTC", "USDT"), Symbol("PEPE", "USDT"), Symbol("ETH", "USDC")


def sample(name: str) -> bytes:
    return (SAMPLES / f"{name}.json").read_bytes()


def new_codec(margin_mode: MarginMode = MarginMode.CROSS, instruments: bytes | None = None) -> OkxSwapAccountCodec:
    made = OkxSwapAccountCodec()
    made.positions.margin_mode = margin_mode
    made.catalogue.learn(made.catalogue.request(), sample("instruments") if instruments is None else instruments)
    return made


CODEC: AccountCodec = new_codec()  # pyright checks that it is one


def request(**changes: object) -> OrderRequest:
    fields: dict[str, object] = {
        "client_order_id": "mm-btc-0001",
        "owner": "btc",
        "symbol": BTC,
        "side": Side.BUY,
        "type": OrderType.LIMIT,
        "time_in_force": TimeInForce.POST_ONLY,
        "quantity": Decimal("0.125"),
        "price": Decimal("50000.5"),
    }
    return OrderRequest(**(fields | changes))


def placed(exchange_order_id: str | None = "77") -> Order:
    return Order(request=request(), exchange_order_id=exchange_order_id, sent=True)


def changed(name: str, index: int = 0, **changes: object) -> bytes:
    """A sample one of whose entries is changed."""
    document = json.loads(sample(name))
    document["data"][index] |= changes
    return json.dumps(document).encode()


def body_of(order: OrderRequest, codec: AccountCodec = CODEC) -> dict[str, object]:
    body = json.loads(codec.place(order, expires_at_milliseconds=None).body)
    assert isinstance(body, dict)
    return body


# The catalogue


def test_catalogue_is_asked_for_without_a_signature_and_complete_once_learned() -> None:
    codec = OkxSwapAccountCodec()
    asked = codec.catalogue.request()
    assert (asked.path, asked.query, asked.is_public) == ("/api/v5/public/instruments", "instType=SWAP", True)
    assert asked.group in codec.rate_limits
    assert not codec.catalogue.is_complete
    codec.catalogue.learn(asked, sample("instruments"))
    assert codec.catalogue.is_complete


def test_catalogue_that_cannot_be_read_changes_nothing() -> None:
    codec = new_codec()
    for body in (b"", b"<html>", b'{"code":"0","data":{}}', b'{"code":"0","msg":"","data":[{"instId":5}]}'):
        with pytest.raises(ProtocolError):
            codec.catalogue.learn(codec.catalogue.request(), body)
    assert codec.catalogue.is_complete
    assert body_of(request(), codec)["sz"] == "12.50"


@pytest.mark.parametrize("number", ["NaN", "0", "-1", "1e999", "x", ""])
@pytest.mark.parametrize("field", ["ctVal", "ctMult", "lotSz"])
def test_contract_with_an_impossible_number_is_unknown_and_the_others_are_learned(field: str, number: str) -> None:
    codec = new_codec(instruments=changed("instruments", **{field: number}))
    with pytest.raises(ProtocolError, match="BTC/USDT is not among the contracts"):
        codec.place(request(), expires_at_milliseconds=None)
    assert body_of(request(symbol=PEPE, quantity=Decimal(20_000_000)), codec)["sz"] == "2.0"


def test_unknown_contract_is_a_protocol_error_and_has_the_catalogue_learned_anew() -> None:
    for meet in (
        lambda codec: codec.place(request(symbol=Symbol("NEW", "USDT")), expires_at_milliseconds=None),
        lambda codec: codec.decode_order(changed("order", instId="LATER-USDT-SWAP")),
        lambda codec: codec.decode_frame(FRAMES[8].replace("BTC-USDT-SWAP", "LATER-USDT-SWAP")),
    ):
        codec = new_codec()
        with pytest.raises(ProtocolError, match="not among the contracts"):
            meet(codec)
        assert not codec.catalogue.is_complete
        codec.catalogue.learn(codec.catalogue.request(), sample("instruments"))
        assert codec.catalogue.is_complete


def test_inverse_contracts_and_those_settled_in_another_asset_are_left_out_wherever_they_come_up() -> None:
    ours, market_buy = CODEC.decode_orders(sample("orders"))
    assert (ours.exchange_order_id, market_buy.exchange_order_id) == ("780800019749904391", "780800019749904389")
    assert CODEC.decode_frame(FRAMES[5].replace("BTC-USDT-SWAP", "ODD-EUR-SWAP")) == []
    assert CODEC.catalogue is not None
    assert CODEC.catalogue.is_complete, "they are known"
    for field, value in (("ctType", "inverse"), ("settleCcy", "USDC"), ("ctValCcy", "USD")):
        codec = new_codec(instruments=changed("instruments", **{field: value}))
        assert codec.decode_frame(FRAMES[5]) == [], f"of another kind by its {field} alone"


# Orders


def test_limit_order_states_contracts_margin_mode_and_a_tag_of_its_own_and_no_position_side() -> None:
    prepared = CODEC.place(request(), expires_at_milliseconds=1_790_000_003_000)
    assert (prepared.path, prepared.group, prepared.headers) == ("/api/v5/trade/order", "orders", (("expTime", "1790000003000"),))
    assert json.loads(prepared.body) == {
        "instId": "BTC-USDT-SWAP",
        "tdMode": "cross",
        "clOrdId": "mmZbtcZ0001",
        "tag": "mmruntimeswap",
        "side": "buy",
        "ordType": "post_only",
        "sz": "12.50",
        "px": "50000.5",
    }
    (switch,) = CODEC.dead_mans_switch([BTC], timeout_seconds=30)
    assert json.loads(switch.body) == {"timeOut": "30", "tag": "mmruntimeswap"}


def test_margin_mode_of_the_account_goes_with_its_orders_and_its_leverage() -> None:
    codec = new_codec(MarginMode.ISOLATED)
    assert body_of(request(), codec)["tdMode"] == "isolated"
    assert json.loads(codec.positions.set_leverage(BTC, Decimal(5)).body)["mgnMode"] == "isolated"


@pytest.mark.parametrize(
    ("order", "fields"),
    [
        (request(time_in_force=TimeInForce.GOOD_TILL_CANCELLED), {"ordType": "limit"}),
        (request(time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL), {"ordType": "ioc"}),
        (request(time_in_force=TimeInForce.FILL_OR_KILL), {"ordType": "fok"}),
        (request(reduce_only=True), {"reduceOnly": True}),
        (
            request(type=OrderType.MARKET, time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL, price=None, reduce_only=True),
            {"ordType": "optimal_limit_ioc", "sz": "12.50", "reduceOnly": True},
        ),
    ],
)
def test_order_type_and_reduce_only_are_as_asked_for(order: OrderRequest, fields: dict[str, object]) -> None:
    body = body_of(order)
    assert fields.items() <= body.items()
    assert ("px" in body) is (order.type is OrderType.LIMIT)
    assert "reduceOnly" in body or not order.reduce_only
    assert "tgtCcy" not in body


def test_quantity_that_is_not_on_a_whole_step_cannot_be_written() -> None:
    off_step = request(quantity=Decimal("0.00015"))  # of steps of 0.01 contracts of 0.01 bitcoin
    for write in (
        lambda: CODEC.place(off_step, expires_at_milliseconds=None),
        lambda: CODEC.place_batch([request(), off_step], expires_at_milliseconds=None),
        lambda: CODEC.amend(placed(), price=None, quantity=Decimal("0.00015")),
    ):
        with pytest.raises(ValueError, match="not a whole number of steps"):
            write()


def test_quantity_in_quote_units_cannot_be_written() -> None:
    assert not CODEC.capabilities.market_buy_by_quote
    by_quote = request(
        type=OrderType.MARKET, time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL, price=None, quantity=None, quote_quantity=Decimal(100)
    )
    with pytest.raises(ValueError, match="in base units"):
        CODEC.place(by_quote, expires_at_milliseconds=None)


@given(st.integers(1, 10**14), st.sampled_from([(BTC, "0.0001"), (PEPE, "1000000"), (ETH_USDC, "0.1")]))
def test_quantity_is_written_in_contracts_and_read_back_without_loss(steps: int, market: tuple[Symbol, str]) -> None:
    symbol, step = market
    quantity = steps * Decimal(step)
    size = body_of(request(symbol=symbol, quantity=quantity))["sz"]
    assert isinstance(size, str)
    assert set(size) <= set("0123456789."), "plain notation"
    told = changed("order", instId=CODEC.identity.to_wire(symbol), sz=size, accFillSz=size)
    report = CODEC.decode_order(told)
    assert (report.quantity, report.filled_quantity) == (quantity, quantity)
    assert report.filled_quote == quantity * Decimal("64000.4")


def test_amendment_states_the_new_total_in_contracts() -> None:
    prepared = CODEC.amend(placed(None), price=Decimal(50_001), quantity=Decimal("0.25"))
    assert json.loads(prepared.body) == {"instId": "BTC-USDT-SWAP", "clOrdId": "mmZbtcZ0001", "newSz": "25.00", "newPx": "50001"}
    batch = CODEC.amend_batch([Amendment(order=placed(), quantity=Decimal("0.0001"))])
    assert json.loads(batch.body) == [{"instId": "BTC-USDT-SWAP", "ordId": "77", "newSz": "0.01"}]


def test_queries_are_of_swaps() -> None:
    assert parse_qs(CODEC.query_open_orders().query) == {"instType": ["SWAP"], "limit": ["100"]}
    assert parse_qs(CODEC.query_fills(BTC, exchange_order_id="77").query)["instId"] == ["BTC-USDT-SWAP"]


def test_order_is_read_in_base_units() -> None:
    assert CODEC.decode_order(sample("order")) == OrderReport(
        exchange_order_id="780800019749904384",
        client_order_id="mm-btc-tlokbk0a1",
        symbol=BTC,
        side=Side.SELL,
        status=ReportedStatus.OPEN,
        filled_quantity=Decimal("0.0075"),
        filled_quote=Decimal("480.003"),
        price=Decimal("64000.1"),
        quantity=Decimal("0.125"),
        exchange_time_milliseconds=1790000013078,
    )
    asked = request()
    assert CODEC.decode_placed(asked, sample("placed")).quantity == asked.quantity


def test_market_buy_of_contracts_has_a_quantity_and_no_price() -> None:
    _, market_buy = CODEC.decode_orders(sample("orders"))
    assert (market_buy.quantity, market_buy.price, market_buy.status) == (Decimal("0.0003"), None, ReportedStatus.FILLED)
    _, optimal = CODEC.decode_orders(changed("orders", 2, ordType="optimal_limit_ioc", px="70000"))
    assert (optimal.quantity, optimal.price) == (Decimal("0.0003"), None)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("22", "reduce-only, and there was no more to reduce"),
        ("23", "reduce-only, and there was no more to reduce"),
        ("17", "its position had been closed"),
        ("3", "by risk control, the margin being short"),
    ],
)
def test_end_by_what_became_of_the_position_is_told(source: str, reason: str) -> None:
    order = CODEC.decode_order(changed("order", state="canceled", cancelSource=source))
    assert (order.status, order.reason) == (ReportedStatus.CANCELLED, reason)


def test_fills_are_read_in_base_units_and_those_of_a_liquidation_as_somebody_elses() -> None:
    ours, liquidation = CODEC.decode_fills(sample("fills"))
    assert ours == FillReport(
        trade_id="644876981",
        exchange_order_id="780800019749904384",
        client_order_id="mm-btc-tlokbk0a1",
        symbol=BTC,
        side=Side.SELL,
        price=Decimal("64000.4"),
        quantity=Decimal("0.0075"),
        fee=Decimal("0.2400015"),
        fee_asset="USDT",
        maker=False,
        exchange_time_milliseconds=1790000013077,
    )
    assert (liquidation.trade_id, liquidation.client_order_id, liquidation.quantity) == ("-31", None, Decimal("0.02"))
    without_asset = CODEC.decode_fills(changed("fills", feeCcy="", side="buy"))[0]
    assert without_asset.fee_asset == "USDT", "contracts are charged in what they are settled in"


# Balances, positions, funding


def test_balance_is_the_wallet_without_unrealised_profit_and_with_isolated_margins() -> None:
    usdt, btc = CODEC.decode_balances(sample("balance"))
    assert usdt == BalanceReport(
        asset="USDT",
        total=Decimal("9181.623456789012345678"),  # 50 are set aside; eq less upl and the isolated profit is the same
        available=Decimal("8990.25"),
        exchange_time_milliseconds=1790000013079,
    )
    assert (btc.total, btc.available) == (Decimal("0.5"), Decimal("0.5"))


def test_positions_are_signed_base_units_and_those_of_the_other_margin_mode_are_left_out() -> None:
    bitcoin, closed = CODEC.positions.decode_positions(sample("positions")) if CODEC.positions is not None else ()
    assert bitcoin == PositionReport(
        symbol=BTC,
        quantity=Decimal("-0.015"),
        entry_price=Decimal("63950.123"),
        mark_price=Decimal("64001.2"),
        liquidation_price=Decimal("95000.5"),
        leverage=Decimal(3),
        margin_mode=MarginMode.CROSS,
        unrealised_pnl=Decimal("-0.766155"),
        exchange_time_milliseconds=1790000013078,
    )
    assert (closed.symbol, closed.quantity, closed.entry_price, closed.unrealised_pnl) == (PEPE, 0, None, None)
    stale, *_ = new_codec().positions.decode_positions(changed("positions", pos="0"))
    assert (stale.quantity, stale.entry_price, stale.liquidation_price) == (0, None, None), "prices of what is no more mean nothing"
    (isolated,) = new_codec(MarginMode.ISOLATED).positions.decode_positions(sample("positions"))
    assert (isolated.quantity, isolated.margin_mode, isolated.leverage) == (Decimal("0.02"), MarginMode.ISOLATED, 10)


@given(st.integers(-(10**12), 10**12))
def test_position_is_read_to_the_last_step(steps: int) -> None:
    contracts = steps * Decimal("0.01")
    codec = new_codec()
    (position, *_) = codec.positions.decode_positions(changed("positions", pos=format(contracts, "f")))
    assert position.quantity == contracts * Decimal("0.01")


def test_liquidation_price_that_no_market_can_reach_is_none() -> None:
    for text in ("", "0", "-12.5"):
        position = new_codec().positions.decode_positions(changed("positions", liqPx=text))[0]
        assert position.liquidation_price is None


def test_position_of_hedge_mode_is_refused() -> None:
    codec = new_codec()
    with pytest.raises(ProtocolError, match="long position of hedge mode"):
        codec.positions.decode_positions(changed("positions", posSide="long"))


def test_position_mode_is_read_from_the_account_s_configuration() -> None:
    positions = new_codec().positions
    assert positions.query_mode().path == "/api/v5/account/config"
    assert positions.decode_mode(sample("configuration")) is PositionMode.ONE_WAY
    assert positions.decode_mode(changed("configuration", posMode="long_short_mode")) is PositionMode.HEDGE
    with pytest.raises(ProtocolError, match="no position mode 'odd'"):
        positions.decode_mode(changed("configuration", posMode="odd"))


def test_leverage_is_set_per_contract_and_its_maximum_is_what_the_catalogue_says() -> None:
    positions = new_codec().positions
    prepared = positions.set_leverage(BTC, Decimal("3.0"))
    assert (prepared.method, prepared.path) == ("POST", "/api/v5/account/set-leverage")
    assert json.loads(prepared.body) == {"instId": "BTC-USDT-SWAP", "lever": "3.0", "mgnMode": "cross"}
    assert (positions.leverage_max(BTC), positions.leverage_max(PEPE)) == (100, 50)
    for unknown in (ETH_USDC, Symbol("NEW", "USDT"), Symbol("BTC", "USD")):
        with pytest.raises(KeyError):
            positions.leverage_max(unknown)


def test_funding_is_negative_when_paid_and_of_our_contracts_alone() -> None:
    codec = new_codec()
    asked = codec.positions.query_funding(since_milliseconds=1_790_000_000_000, until_milliseconds=1_790_000_060_000)
    assert asked.path == "/api/v5/account/bills"
    assert parse_qs(asked.query) == {
        "instType": ["SWAP"], "type": ["8"], "begin": ["1790000000000"], "end": ["1790000060000"], "limit": ["100"],
    }  # fmt: skip
    assert codec.positions.decode_funding(sample("bills")) == [
        FundingReport(
            payment_id="880800019754098690", symbol=BTC, amount=Decimal("-0.32"), asset="USDT", exchange_time_milliseconds=1790006400123
        ),
        FundingReport(
            payment_id="880800019754098689", symbol=PEPE, amount=Decimal("0.125"), asset="USDT", exchange_time_milliseconds=1790006400122
        ),
    ]
    assert codec.positions.decode_funding(changed("bills", subType="1"))[0].symbol == PEPE, "a trade is no funding"
    assert codec.next_page(asked, sample("bills")) is None
    full = json.dumps({"code": "0", "msg": "", "data": [json.loads(sample("bills"))["data"][-1]] * 100}).encode()
    following = codec.next_page(asked, full)
    assert following is not None
    assert parse_qs(following.query)["after"] == ["880800019754098688"], "bills go by billId"
    with pytest.raises(ProtocolError, match="last entry has no id"):
        codec.next_page(asked, full.replace(b'"billId"', b'"id"'))


def test_funding_that_an_isolated_margin_bore_is_what_the_profit_says_because_the_balance_did_not_change() -> None:
    """ "Get bills details": of subType 173, "You may refer to pnl for the fee payment"."""
    first = new_codec().positions.decode_funding(changed("bills", subType="173", pnl="-0.32", balChg="0"))[0]
    assert first.amount == Decimal("-0.32")
    without = new_codec().positions.decode_funding(changed("bills", subType="174", pnl="", balChg="0.2"))[0]
    assert without.amount == Decimal("0.2")


def test_every_limit_is_below_what_okx_publishes() -> None:
    published_per_second = {
        **dict.fromkeys(("orders", "amends", "cancels", "queries"), 60 / 2),
        **dict.fromkeys(("order_batches", "amend_batches", "cancel_batches"), 300 / 2),
        "history": 40 / 2,
        "balances": 10 / 2,
        "switch": 1.0,
        "public_time": 10 / 2,
        "public_instruments": 20 / 2,
        "positions": 10 / 2,
        "leverage": 20 / 2,
        "bills": 5.0,
    }
    limits = {name: limit.capacity / limit.period_seconds for name, limit in CODEC.rate_limits.items()}
    assert limits.keys() == published_per_second.keys()
    assert {name: per_second for name, per_second in limits.items() if per_second > published_per_second[name]} == {}


def test_every_request_of_positions_counts_against_a_limit_that_exists() -> None:
    positions = new_codec().positions
    asked = (
        positions.query_mode(),
        positions.query_positions(),
        positions.set_leverage(BTC, Decimal(2)),
        positions.query_funding(since_milliseconds=0, until_milliseconds=0),
    )
    assert {prepared.group for prepared in asked} <= set(CODEC.rate_limits)


# The stream


def test_all_four_channels_are_subscribed_after_the_login_and_waited_for() -> None:
    (frame,) = CODEC.subscribe_frames(CREDENTIAL, timestamp_milliseconds=NOW)
    assert json.loads(frame)["op"] == "login"
    confirmed, reply = CODEC.decode_frame(FRAMES[0])
    assert confirmed == StreamConfirmed("login")
    assert isinstance(reply, StreamReply)
    assert json.loads(reply.frame)["args"] == [
        {"channel": "orders", "instType": "SWAP"},
        {"channel": "account"},
        {"channel": "positions", "instType": "SWAP"},
        {"channel": "balance_and_position"},
    ]
    answers = [report for line in FRAMES[:5] for report in CODEC.decode_frame(line)]
    assert {one.channel for one in answers if isinstance(one, StreamConfirmed)} == CODEC.private_channels


def test_order_push_tells_of_the_fill_first_in_base_units() -> None:
    fill, order = CODEC.decode_frame(FRAMES[5])
    assert isinstance(fill, FillReport)
    assert isinstance(order, OrderReport)
    assert (fill.quantity, fill.fee, order.filled_quantity) == (Decimal("0.0075"), Decimal("0.2400015"), Decimal("0.0075"))


def test_order_of_a_liquidation_tells_of_no_fill_because_it_has_no_trade_id_there() -> None:
    (order,) = CODEC.decode_frame(FRAMES[6])
    assert isinstance(order, OrderReport)
    assert (order.client_order_id, order.status, order.filled_quantity) == (None, ReportedStatus.FILLED, Decimal("0.02"))
    fill, _ = CODEC.decode_frame(FRAMES[6].replace('"tradeId":"0"', '"tradeId":"-31"'))
    assert isinstance(fill, FillReport)
    assert (fill.trade_id, fill.client_order_id) == ("-31", None)


def test_balances_and_positions_of_the_stream_are_those_of_rest() -> None:
    codec = new_codec()
    assert codec.decode_frame(FRAMES[7]) == codec.decode_balances(sample("balance"))
    assert codec.decode_frame(FRAMES[8]) == codec.positions.decode_positions(sample("positions"))[:1]


def test_change_of_a_position_is_told_twice_with_the_same_quantity_price_and_time() -> None:
    (early,), (late,) = CODEC.decode_frame(FRAMES[9]), CODEC.decode_frame(FRAMES[8])
    assert isinstance(early, PositionReport)
    assert isinstance(late, PositionReport)
    assert early == replace(late, mark_price=None, liquidation_price=None, leverage=None, unrealised_pnl=None)
    assert CODEC.decode_frame(FRAMES[10]) == [], "what is free is not told there"


# Orders over the stream


def test_operations_over_the_stream_name_the_instrument_by_its_code_alone() -> None:
    entry = CODEC.order_entry
    assert entry is not None
    assert CODEC.capabilities.websocket_order_entry
    place = entry.place(request(), request_id="7a", timestamp_milliseconds=NOW, expires_at_milliseconds=1_790_000_003_000)
    by_rest = body_of(request())
    del by_rest["instId"]
    assert json.loads(place) == {"id": "7a", "op": "order", "expTime": "1790000003000", "args": [{"instIdCode": 10459, **by_rest}]}
    assert "expTime" not in json.loads(
        entry.place(request(), request_id="7a", timestamp_milliseconds=NOW, expires_at_milliseconds=None)
    )  # fmt: skip
    cancel = entry.cancel(placed(None), request_id="7b", timestamp_milliseconds=NOW)
    assert json.loads(cancel) == {"id": "7b", "op": "cancel-order", "args": [{"instIdCode": 10459, "clOrdId": "mmZbtcZ0001"}]}
    amend = entry.amend(placed(), price=Decimal(2), quantity=Decimal("0.25"), request_id="7c", timestamp_milliseconds=NOW)
    assert json.loads(amend) == {
        "id": "7c", "op": "amend-order", "args": [{"instIdCode": 10459, "ordId": "77", "newSz": "25.00", "newPx": "2"}],
    }  # fmt: skip


def test_contract_without_a_code_that_can_be_read_goes_over_rest() -> None:
    entry = CODEC.order_entry
    assert entry is not None
    assert [entry.carries(symbol) for symbol in (BTC, PEPE, ETH_USDC, Symbol("LATER", "USDT"))] == [True, False, False, False]
    with pytest.raises(ValueError, match="has not told its code"):
        entry.cancel(Order(request=request(symbol=PEPE), sent=True), request_id="1", timestamp_milliseconds=NOW)
    for code in (True, -1, "10459", 10459.5, [], {}):
        other = new_codec(instruments=changed("instruments", instIdCode=code))
        assert not other.order_entry.carries(BTC)


def test_answer_to_an_operation_is_read_like_rest_s() -> None:
    (answered,) = CODEC.decode_frame(FRAMES[11])
    assert isinstance(answered, StreamAnswered)
    assert (answered.request_id, answered.error) == ("7a", None)
    assert CODEC.decode_placed(request(), answered.body).exchange_order_id == "780800019749904384"
    assert CODEC.decode_changed(answered.body) is None
    (as_bytes,) = CODEC.decode_frame(FRAMES[11].encode())
    assert as_bytes == answered


@pytest.mark.parametrize(
    ("index", "request_id", "kind"),
    [
        (12, "7b", ErrorKind.INSUFFICIENT_BALANCE),
        (13, "7c", ErrorKind.INVALID_PARAMETERS),
        (14, "7d", ErrorKind.RATE_LIMITED),
        (15, "7e", ErrorKind.AUTHENTICATION),
    ],
)
def test_refusal_of_an_operation_is_classified_and_is_no_end_of_the_stream(index: int, request_id: str, kind: ErrorKind) -> None:
    (answered,) = CODEC.decode_frame(FRAMES[index])
    assert isinstance(answered, StreamAnswered)
    assert answered.error is not None
    assert (answered.request_id, answered.error.kind, answered.body) == (request_id, kind, b"")
    assert not answered.error.fate_is_unknown


def test_refusal_of_the_subscriptions_is_about_them() -> None:
    assert CODEC.decode_frame('{"id":"subscriptions","event":"error","code":"60018","msg":"no","connId":"a"}') == [
        StreamRefused("login", "60018", "no")
    ]


def test_exchange_that_does_not_know_its_own_codes_gets_orders_over_rest_from_then_on() -> None:
    codec = new_codec()
    assert codec.order_entry.carries(BTC)
    (answered,) = codec.decode_frame(FRAMES[16])
    assert isinstance(answered, StreamAnswered)
    assert not codec.order_entry.carries(BTC)
    codec.catalogue.learn(codec.catalogue.request(), sample("instruments"))
    assert codec.order_entry.carries(BTC)


# Refusals


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("51004", ErrorKind.INVALID_PARAMETERS),
        ("51169", ErrorKind.INVALID_PARAMETERS),
        ("59102", ErrorKind.INVALID_PARAMETERS),
        ("59108", ErrorKind.INSUFFICIENT_BALANCE),
        ("50020", ErrorKind.MAINTENANCE),
        ("51030", ErrorKind.MAINTENANCE),
    ],
)
def test_refusals_that_only_contracts_have_are_classified(code: str, kind: ErrorKind) -> None:
    error = CODEC.error(response(200, refused(code)))
    assert error is not None
    assert error.kind is kind


# Hostile input

DECODERS = {
    "order": CODEC.decode_order,
    "orders": CODEC.decode_orders,
    "fills": CODEC.decode_fills,
    "balance": CODEC.decode_balances,
    "placed": CODEC.decode_batch,
    "positions": new_codec().positions.decode_positions,
    "bills": new_codec().positions.decode_funding,
    "configuration": new_codec().positions.decode_mode,
    "instruments": lambda body: new_codec(instruments=body),
}


@given(st.sampled_from(sorted(DECODERS)), st.lists(st.integers(0, 60), min_size=1, max_size=5), ODD_VALUES)
def test_answer_with_one_odd_value_gives_reports_or_a_protocol_error(name: str, path: list[int], value: object) -> None:
    read_or_refuse(DECODERS[name], json.dumps(mutated(json.loads(sample(name)), path, value)).encode())


@given(st.sampled_from(FRAMES), st.lists(st.integers(0, 60), min_size=1, max_size=6), ODD_VALUES)
def test_frame_with_one_odd_value_gives_reports_or_a_protocol_error(frame: str, path: list[int], value: object) -> None:
    read_or_refuse(CODEC.decode_frame, json.dumps(mutated(json.loads(frame), path, value)))


@given(st.sampled_from(FRAMES), st.integers(0, 900), st.binary(max_size=4))
def test_frame_damaged_anywhere_gives_reports_or_a_protocol_error(frame: str, position: int, damage: bytes) -> None:
    data = frame.encode()
    read_or_refuse(CODEC.decode_frame, data[:position] + damage + data[position + len(damage) :])


@given(st.sampled_from(sorted(DECODERS)), st.binary(max_size=60))
def test_random_answer_gives_reports_or_a_protocol_error(name: str, data: bytes) -> None:
    read_or_refuse(DECODERS[name], data)
