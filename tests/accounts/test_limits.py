"""Each limit of an account and of the program: what it counts, and what it refuses in which words."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from limited_account import BOOK_AGE_SECONDS_MAX, Market, program_limits
from msgspec.structs import replace

from actors.accounts.checks import refusal
from actors.accounts.gateio.spot import GateioSpotAccountCodec
from actors.accounts.limits import AccountLimits, Limits, OnBreach, Refusal, ScopeLimits
from market.events import Side
from market.instrument import Instrument
from market.symbol import Symbol
from orders.capabilities import Capabilities
from orders.ledger import AccountLedger
from orders.life_cycle import OrderInput
from orders.order import Order
from orders.reports import BalanceReport, FillReport, OrderReport, PositionReport, ReportedStatus
from orders.request import OrderRequest, OrderType, TimeInForce
from orders.states import GLOBAL, TradingState, account_scope

BTC, ETH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")
SPOT = GateioSpotAccountCodec().capabilities
CONTRACTS = replace(SPOT, positions=True, market_buy_by_quote=False, market_buy_by_base=True)
RULES = {
    symbol: Instrument(
        exchange="gateio_spot",
        symbol=symbol,
        price_tick=Decimal("0.1"),
        quantity_step=Decimal("0.1"),
        quantity_min=Decimal("0.1"),
        notional_min=Decimal(3),
    )
    for symbol in (BTC, ETH)
}
BID, ASK, MIDDLE = 99.0, 101.0, 100


def account(name: str = "main", *, positions: bool = False) -> Market:
    """One with funds enough, that knows the price of everything."""
    ledger = AccountLedger(account=name, installation="mm", holds_positions=positions)
    for asset in ("USDT", "BTC", "ETH"):
        ledger.apply_balance(BalanceReport(asset=asset, total=Decimal(10**6), available=Decimal(10**6)))
    if ledger.positions is not None:
        ledger.positions.apply_all([PositionReport(symbol=BTC, quantity=Decimal(0))])
    market = Market(ledger, (BTC, ETH))
    market.quote(BID, ASK, received_at=0.0)
    market.quote(BID, ASK, symbol=ETH, received_at=0.0)
    return market


def order(number: int, side: Side = Side.BUY, quantity: str = "1", *, price: str | None = "100", **changes: Any) -> OrderRequest:
    given: dict[str, Any] = {"symbol": BTC, **changes}
    return OrderRequest(
        client_order_id=f"mm-a-{number}",
        owner="a",
        side=side,
        type=OrderType.LIMIT if price is not None else OrderType.MARKET,
        time_in_force=TimeInForce.GOOD_TILL_CANCELLED if price is not None else TimeInForce.IMMEDIATE_OR_CANCEL,
        quantity=Decimal(quantity),
        price=None if price is None else Decimal(price),
        **given,
    )


def refused(
    request: OrderRequest, limits: AccountLimits, *, now: float = 0.0, replaces: Order | None = None, capabilities: Capabilities = SPOT
) -> Refusal:
    found = refusal(request, rules=RULES, capabilities=capabilities, limits=limits, now=now, replaces=replaces)
    return found if found is not None else Refusal(reason="")


def open_order(market: Market, request: OrderRequest) -> Order:
    """It rests in the exchange's book."""
    ledger = market.account.ledger
    ledger.record_intent(request, now=0.0)
    ledger.apply_order_report(said(request), now=0.0)
    found = ledger.order(request.client_order_id)
    assert found is not None
    return found


def said(request: OrderRequest, status: ReportedStatus = ReportedStatus.OPEN, *, filled: str = "0") -> OrderReport:
    return OrderReport(
        exchange_order_id=request.client_order_id.removeprefix("mm-a-"),
        client_order_id=request.client_order_id,
        symbol=request.symbol,
        side=request.side,
        status=status,
        filled_quantity=Decimal(filled),
        filled_quote=Decimal(filled) * 100,
        price=request.price,
        quantity=request.quantity,
    )


def fill(market: Market, side: Side, quantity: str, *, symbol: Symbol = BTC, price: int = MIDDLE, trade_id: str = "t") -> None:
    """Somebody's trade on this account."""
    market.account.ledger.apply_fill(
        FillReport(
            trade_id=trade_id,
            exchange_order_id="99",
            client_order_id=None,
            symbol=symbol,
            side=side,
            price=Decimal(price),
            quantity=Decimal(quantity),
            fee=Decimal(0),
            fee_asset="USDT",
            maker=True,
        ),
        now=0.0,
    )


# The account's own prices


@pytest.mark.parametrize("happens", ["lost", "old", "unknown"])
def test_without_a_price_only_what_makes_a_position_smaller_may_leave(happens: str) -> None:
    market, now = account(), 0.0
    if happens == "lost":
        market.lose()
    elif happens == "old":
        now = BOOK_AGE_SECONDS_MAX + 1
    else:
        market = Market(market.account.ledger, (BTC,))
    found = refused(order(1), market.limits(max_position_notional=Decimal(1_000)), now=now)
    assert found.reason.startswith("there is no price to check it by: the book of BTC/USDT ")
    assert (found.for_now, found.state) == (True, None)
    assert refused(order(1, Side.SELL, price="4"), market.limits(max_price_deviation=Decimal("0.01")), now=now).reason == ""
    assert refused(order(1, Side.SELL, price=None), market.limits(max_order_notional=Decimal(1_000)), now=now).reason == ""


def test_without_a_price_a_contract_s_order_leaves_only_if_it_cannot_make_the_position_larger() -> None:
    market = account(positions=True)
    fill(market, Side.BUY, "2")
    market.lose()
    limits = market.limits(max_position_notional=Decimal(10))
    assert "no price" in refused(order(1, Side.SELL, "2.1"), limits, capabilities=CONTRACTS).reason
    assert refused(order(1, Side.SELL, "2"), limits, capabilities=CONTRACTS).reason == ""
    assert refused(order(1, Side.SELL, "9", reduce_only=True), limits, capabilities=CONTRACTS).reason == ""


@pytest.mark.parametrize(
    ("side", "price", "reason"),
    [
        (Side.BUY, "105.0", ""),
        (Side.BUY, "105.1", "price 105.1 is more than 5% above the best ask 100.0 (max_price_deviation)"),
        (Side.SELL, "93.1", ""),
        (Side.SELL, "93.0", "price 93.0 is more than 5% below the best bid 98.0 (max_price_deviation)"),
        (Side.BUY, "4.0", ""),
        (Side.SELL, "900.0", ""),
    ],
)
def test_collar_is_measured_from_the_best_price_on_the_losing_side(side: Side, price: str, reason: str) -> None:
    market = account()
    market.quote(98.0, 100.0, received_at=0.0)
    found = refused(order(1, side, price=price), market.limits(max_price_deviation=Decimal("0.05")))
    assert found.reason == reason


def test_market_order_is_worth_the_touch() -> None:
    limits = account().limits(max_order_notional=Decimal("100.9"))
    capabilities = replace(SPOT, market_buy_by_base=True)
    assert refused(order(1, price=None), limits, capabilities=capabilities).reason == "notional 101 is above max_order_notional 100.9"
    assert refused(order(1, price=None), account().limits(max_order_notional=Decimal(101)), capabilities=capabilities).reason == ""
    assert refused(order(1, Side.SELL, price=None), limits, capabilities=capabilities).reason == ""


# Orders per second


def test_more_orders_than_may_be_accepted_in_a_second_are_refused_for_now_and_pass_when_it_is_over() -> None:
    limits = account().limits(max_orders_per_second=2)
    for at in (2.0, 2.5):
        assert refused(order(1), limits, now=at).reason == ""
        limits.accepted(now=at)
    found = refused(order(1), limits, now=2.9)
    assert found.reason == "2 orders were accepted in the last second, max_orders_per_second is 2"
    assert found.for_now
    assert refused(order(1), limits, now=3.0).reason == "", "the first is a second old"
    limits.accepted(now=3.0)
    assert refused(order(1), limits, now=3.4).reason != "", "the window slides"
    assert refused(order(1), limits, now=3.5).reason == ""


# Positions


def test_position_limit_holds_over_what_is_held_in_flight_of_unknown_fate_and_not_told_yet() -> None:
    market = account()
    ledger = market.account.ledger
    fill(market, Side.BUY, "1")
    open_order(market, order(1))
    ledger.record_intent(order(2), now=0.0)
    ledger.record_input("mm-a-2", OrderInput.ANSWER_LOST, now=0.0)
    open_order(market, order(3))
    ledger.apply_order_report(said(order(3), ReportedStatus.FILLED, filled="1"), now=0.0)
    limits = market.limits(max_position_notional=Decimal(500))
    assert refused(order(4), limits).reason == ""
    found = refused(order(4, quantity="1.1"), limits)
    assert found.reason == "position would be 510, max_position_notional is 500"
    assert found.for_now
    assert not refused(order(4, quantity="5.1"), limits).for_now, "by itself it is too large at any time"
    assert refused(order(4, Side.SELL, "9"), limits).reason == ""


def test_what_may_still_fill_puts_the_position_limit_at_stake_once_the_price_has_risen() -> None:
    market = account()
    fill(market, Side.BUY, "4")
    open_order(market, order(1))
    limits = market.limits(max_position_notional=Decimal(500))
    assert limits.at_stake(BTC) is None
    market.quote(101.0, 103.0, received_at=0.0)
    assert limits.at_stake(BTC) == "the position could be 508, max_position_notional is 500"
    assert limits.at_stake(ETH) is None
    assert market.limits().at_stake(BTC) is None, "no limit, nothing at stake"


def test_positions_of_all_accounts_put_the_global_limit_at_stake() -> None:
    first, second = account("one"), account("two")
    fill(first, Side.BUY, "3")
    fill(second, Side.BUY, "3")
    program = ScopeLimits(GLOBAL, Limits(max_position_notional=Decimal(500)), [first.account, second.account])
    assert first.limits(program=program).at_stake(BTC) == "the position could be 600, global max_position_notional is 500"


# Changed while it runs


def test_changed_limits_hold_from_the_next_order_on_and_count_what_was_accepted_before() -> None:
    main = account()
    program = program_limits([main], max_orders_per_second=5)
    own = ScopeLimits(account_scope("main"), Limits(max_order_notional=Decimal(50)), [main.account])
    limits = AccountLimits(main.account, [own, program])
    assert refused(order(1), limits).reason == "notional 100 is above max_order_notional 50"
    own.change(Limits(max_order_notional=Decimal(100)))
    assert refused(order(1), limits).reason == ""
    limits.accepted(now=0.0)
    program.change(Limits(max_orders_per_second=1))
    assert refused(order(2), limits).reason == "1 orders were accepted in the last second, global max_orders_per_second is 1"
    own.change(Limits(max_order_notional=Decimal(99)))
    assert refused(order(2), limits).reason == "notional 100 is above max_order_notional 99"


def test_limit_below_what_is_held_lets_nothing_make_it_larger_and_everything_make_it_smaller() -> None:
    main = account()
    fill(main, Side.BUY, "5")
    own = ScopeLimits(account_scope("main"), Limits(max_position_notional=Decimal(1000)), [main.account])
    limits = AccountLimits(main.account, [own])
    assert refused(order(1), limits).reason == ""
    own.change(Limits(max_position_notional=Decimal(300)))
    assert refused(order(1), limits).reason == "position would be 600, max_position_notional is 300"
    assert refused(order(2, Side.SELL), limits).reason == ""


# On breach


@pytest.mark.parametrize(
    ("on_breach", "state"),
    [(OnBreach.REFUSE, None), (OnBreach.REDUCE_ONLY, TradingState.REDUCE_ONLY), (OnBreach.HALT, TradingState.HALTED)],
)
@pytest.mark.parametrize(
    "limit",
    [
        {"max_order_notional": Decimal(10)},
        {"max_position_notional": Decimal(10)},
        {"max_open_orders": 1},
        {"max_orders_per_second": 1},
        {"max_price_deviation": Decimal("0.01")},
    ],
    ids=lambda limit: next(iter(limit)),
)
def test_breach_names_the_state_its_scope_is_moved_into(on_breach: OnBreach, state: TradingState | None, limit: dict[str, Any]) -> None:
    market = account()
    open_order(market, order(1))
    limits = market.limits(Limits(on_breach=on_breach, **limit))
    limits.accepted(now=0.0)
    found = refused(order(2, price="110"), limits)
    assert (found.scope, found.state) == ("account:main", state)
    assert next(iter(limit)) in found.reason


def test_rule_of_the_exchange_and_funds_are_no_breach() -> None:
    market = account()
    limits = market.limits(Limits(on_breach=OnBreach.HALT))
    assert refused(order(1, price="100.05"), limits).state is None
    found = refused(order(1, quantity="100000"), limits)
    assert found.reason.startswith("insufficient balance")
    assert found.state is None


# Over all accounts


def test_global_limits_count_what_all_accounts_have_and_say_so() -> None:
    first, second = account("one"), account("two")
    open_order(first, order(1))
    for limit, reason in (
        ({"max_open_orders": 1}, "1 orders are live, global max_open_orders is 1"),
        ({"max_order_notional": Decimal(99)}, "notional 100 is above global max_order_notional 99"),
        ({"max_price_deviation": Decimal("0.1")}, ""),
        ({"max_position_notional": Decimal(199)}, "position in USDT would be 200, global max_position_notional is 199"),
        ({"max_position_notional": Decimal(200)}, ""),
    ):
        program = program_limits((first, second), on_breach=OnBreach.HALT, **limit)
        found = refused(order(2), second.limits(program=program))
        assert found.reason == reason
        assert found.scope == ("global" if reason else "")
        assert found.state is (TradingState.HALTED if reason else None)


def test_global_order_rate_is_that_of_all_accounts_together() -> None:
    first, second = account("one"), account("two")
    program = program_limits((first, second), max_orders_per_second=2)
    one, two = first.limits(program=program), second.limits(program=program)
    one.accepted(now=0.0)
    two.accepted(now=0.0)
    assert "global max_orders_per_second is 2" in refused(order(1), one).reason
    assert "global max_orders_per_second is 2" in refused(order(1), two).reason


def test_global_position_adds_the_larger_side_of_every_symbol_of_one_quote_at_each_account_s_own_prices() -> None:
    first, second = account("one", positions=True), account("two")
    fill(first, Side.SELL, "3")
    first.quote(199.0, 201.0, received_at=0.0)  # short for 600 there
    open_order(first, order(1, Side.BUY, "1", price="198.0"))  # and not set off against it
    fill(second, Side.BUY, "1", symbol=ETH)  # 100
    program = program_limits((first, second), max_position_notional=Decimal(1_000))
    limits = second.limits(program=program)
    assert refused(order(2, quantity="3"), limits).reason == ""
    assert refused(order(2, quantity="3.1"), limits).reason == "position in USDT would be 1010, global max_position_notional is 1000"
    first.lose()
    assert "would be 1010" in refused(order(2, quantity="3.1"), limits).reason, "at the last price that was known"


def test_global_position_in_one_quote_asset_has_nothing_to_do_with_another() -> None:
    first, second = Market(account("one", positions=True).account.ledger, (Symbol("BTC", "USDC"),)), account("two")
    first.quote(BID, ASK, received_at=0.0)
    fill(first, Side.BUY, "9", symbol=Symbol("BTC", "USDC"))
    limits = second.limits(program=program_limits((first, second), max_position_notional=Decimal(100)))
    assert refused(order(2), limits).reason == ""


def test_global_position_that_cannot_be_valued_refuses_for_now() -> None:
    first, second = account("one"), account("two")
    blind = Market(first.account.ledger, (BTC,))
    fill(first, Side.BUY, "1")
    found = refused(order(2), second.limits(program=program_limits((blind, second), max_position_notional=Decimal(1_000))))
    assert found == Refusal(reason="what account one has of BTC/USDT cannot be valued: its price was never known", for_now=True)


def test_order_that_makes_a_global_position_no_larger_passes_however_large_it_is() -> None:
    first, second = account("one", positions=True), account("two")
    fill(first, Side.BUY, "5")
    limits = first.limits(program=program_limits((first, second), max_position_notional=Decimal(100)))
    assert refused(order(2, Side.SELL, "5"), limits, capabilities=CONTRACTS).reason == ""
    assert "global" in refused(order(2, Side.SELL, "10.1"), limits, capabilities=CONTRACTS).reason
    assert "global" in refused(order(2, Side.BUY, "0.1"), limits, capabilities=CONTRACTS).reason


# Amendments


def amended(existing: Order, **changes: Decimal) -> OrderRequest:
    return replace(existing.request, **changes)


def test_amendment_passes_the_checks_that_a_placement_passes() -> None:
    market = account()
    resting = open_order(market, order(1))
    limits = market.limits(
        max_price_deviation=Decimal("0.05"), max_order_notional=Decimal(300), max_position_notional=Decimal(250), max_open_orders=1
    )
    for changes, reason in (
        ({"quantity": Decimal(2)}, ""),
        ({"price": Decimal("99.9")}, ""),
        ({"price": Decimal("99.95")}, "price 99.95 is not on a tick of 0.1"),
        ({"quantity": Decimal("0.05")}, "quantity 0.05 is not on a step of 0.1"),
        ({"price": Decimal("106.1")}, "price 106.1 is more than 5% above the best ask 101.0 (max_price_deviation)"),
        ({"quantity": Decimal("3.1")}, "notional 310 is above max_order_notional 300"),
        ({"quantity": Decimal("2.6")}, "position would be 260, max_position_notional is 250"),
    ):
        assert refused(amended(resting, **changes), limits, replaces=resting).reason == reason


def test_amendment_counts_with_the_other_orders_and_instead_of_its_own() -> None:
    market = account()
    fill(market, Side.BUY, "1")
    open_order(market, order(2))
    resting = open_order(market, order(1))
    limits = market.limits(max_position_notional=Decimal(400))
    assert refused(amended(resting, quantity=Decimal(2)), limits, replaces=resting).reason == ""
    assert "would be 410" in refused(amended(resting, quantity=Decimal("2.1")), limits, replaces=resting).reason


def test_amendment_that_makes_an_order_smaller_passes_a_position_limit_that_is_exceeded() -> None:
    market = account()
    resting = open_order(market, order(1, quantity="5"))
    limits = market.limits(max_position_notional=Decimal(100))
    assert refused(amended(resting, quantity=Decimal(4)), limits, replaces=resting).reason == ""
    assert "would be 510" in refused(amended(resting, quantity=Decimal("5.1")), limits, replaces=resting).reason


@pytest.mark.parametrize("positions", [False, True], ids=["assets", "contracts"])
def test_amendment_needs_funds_for_what_it_adds(positions: bool) -> None:
    market = account(positions=positions)
    resting = open_order(market, order(1))
    market.account.ledger.apply_balance(BalanceReport(asset="USDT", total=Decimal(200), available=Decimal(100)))
    capabilities = CONTRACTS if positions else SPOT
    assert refused(amended(resting, quantity=Decimal(2)), market.limits(), replaces=resting, capabilities=capabilities).reason == ""
    found = refused(amended(resting, quantity=Decimal("2.1")), market.limits(), replaces=resting, capabilities=capabilities)
    assert found.reason.startswith("insufficient")
    assert "110" in found.reason


def test_amendments_count_as_orders_of_the_last_second() -> None:
    market = account()
    resting = open_order(market, order(1))
    limits = market.limits(max_orders_per_second=1)
    limits.accepted(now=0.0)
    assert "max_orders_per_second" in refused(amended(resting, quantity=Decimal(2)), limits, replaces=resting).reason
