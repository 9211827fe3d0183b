"""Exposure: by example, and against an exchange that does what it likes and tells of it when it likes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from market.events import Side
from market.symbol import Symbol
from market.touch import Touch
from orders.exposure import Exposure, exposure, notional_to_fill, quantity_to_fill
from orders.ledger import AccountLedger
from orders.life_cycle import OrderInput
from orders.order import Order
from orders.reports import BalanceReport, FillReport, OrderReport, ReportedStatus
from orders.request import OrderRequest, OrderType, TimeInForce

BTC, ETH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")
TOUCH = Touch(Decimal(99), Decimal(101))
PRICE = Decimal(100)


def book(*, positions: bool = False) -> AccountLedger:
    made = AccountLedger(account="main", installation="mm", holds_positions=positions)
    if made.positions is not None:
        made.positions.apply_all([])
    return made


def limit(number: int, side: Side = Side.BUY, quantity: str = "1", **changes: Any) -> OrderRequest:
    given_: dict[str, Any] = {"symbol": BTC, "price": PRICE, **changes}
    return OrderRequest(
        client_order_id=f"mm-a-{number}",
        owner="a",
        side=side,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.GOOD_TILL_CANCELLED,
        quantity=Decimal(quantity),
        **given_,
    )


def market(number: int, side: Side = Side.BUY, **amount: Decimal) -> OrderRequest:
    return OrderRequest(
        client_order_id=f"mm-a-{number}",
        owner="a",
        symbol=BTC,
        side=side,
        type=OrderType.MARKET,
        time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
        quantity=amount.get("quantity"),
        quote_quantity=amount.get("quote_quantity"),
    )


def said(number: int, status: ReportedStatus, *, filled: str = "0", side: Side = Side.BUY, quantity: str | None = None) -> OrderReport:
    return OrderReport(
        exchange_order_id=str(number),
        client_order_id=f"mm-a-{number}",
        symbol=BTC,
        side=side,
        status=status,
        filled_quantity=Decimal(filled),
        filled_quote=Decimal(filled) * PRICE,
        price=PRICE,
        quantity=None if quantity is None else Decimal(quantity),
    )


def trade(number: int, quantity: str, *, side: Side = Side.BUY, trade_id: str = "t1") -> FillReport:
    return FillReport(
        trade_id=trade_id,
        exchange_order_id=str(number),
        client_order_id=f"mm-a-{number}",
        symbol=BTC,
        side=side,
        price=PRICE,
        quantity=Decimal(quantity),
        fee=Decimal(0),
        fee_asset="USDT",
        maker=True,
    )


def found(ledger: AccountLedger, **which: Any) -> Exposure:
    exposed = exposure(ledger, BTC, TOUCH, **which)
    assert exposed is not None
    return exposed


def order(ledger: AccountLedger, number: int) -> Order:
    kept = ledger.order(f"mm-a-{number}")
    assert kept is not None
    return kept


# By example


def test_nothing_held_and_nothing_live_is_no_exposure() -> None:
    assert found(book()) == Exposure()
    assert exposure(book(), BTC, None) == Exposure(), "also without a price"


def test_orders_count_at_their_own_price_market_orders_at_the_touch_and_what_is_held_at_the_middle() -> None:
    ledger = book(positions=True)
    ledger.record_intent(limit(1, price=Decimal(90)), now=0.0)
    ledger.record_intent(market(2, quantity=Decimal(2)), now=0.0)
    ledger.record_intent(market(3, Side.SELL, quantity=Decimal(4)), now=0.0)
    assert ledger.positions is not None
    ledger.positions.count_fill(trade(9, "3"))
    assert found(ledger) == Exposure(held=Decimal(300), buys=Decimal(90 + 202), sells=Decimal(396))
    assert (found(ledger).long, found(ledger).short, found(ledger).largest) == (592, 96, 592)


def test_market_buy_by_quote_quantity_counts_what_is_left_of_it() -> None:
    ledger = book()
    ledger.record_intent(market(1, quote_quantity=Decimal(500)), now=0.0)
    assert found(ledger).long == 500
    ledger.apply_fill(trade(1, "2"), now=1.0)
    assert found(ledger) == Exposure(held=Decimal(200), buys=Decimal(300))
    ledger.apply_order_report(said(1, ReportedStatus.CANCELLED, filled="3"), now=2.0)
    assert notional_to_fill(order(ledger, 1), None) == 100, "it bought for 300, and we know of 200"


def test_order_of_unknown_fate_counts_until_its_end_is_known() -> None:
    ledger = book()
    ledger.record_intent(limit(1), now=0.0)
    ledger.record_sent("mm-a-1", sent_at_milliseconds=1, expires_at_milliseconds=None)
    ledger.record_input("mm-a-1", OrderInput.ANSWER_LOST, now=1.0)
    assert found(ledger).long == 100
    ledger.record_input("mm-a-1", OrderInput.SAID_NEVER_ACCEPTED, now=9.0)
    assert found(ledger).long == 0


def test_order_whose_cancellation_was_asked_for_counts_until_its_end_and_its_unknown_fill_beyond() -> None:
    ledger = book()
    ledger.record_intent(limit(1), now=0.0)
    ledger.apply_order_report(said(1, ReportedStatus.OPEN), now=1.0)
    ledger.record_input("mm-a-1", OrderInput.CANCEL_ASKED, now=2.0)
    assert found(ledger).long == 100
    ledger.apply_order_report(said(1, ReportedStatus.CANCELLED, filled="0.4"), now=3.0)
    assert found(ledger) == Exposure(buys=Decimal(40)), "it has bought, and the fill is not known yet"
    ledger.apply_fill(trade(1, "0.4"), now=4.0)
    assert found(ledger) == Exposure(held=Decimal(40))


def test_amendment_counts_from_the_moment_it_leaves_and_one_that_was_lost_to_the_end() -> None:
    ledger = book()
    ledger.record_intent(limit(1), now=0.0)
    ledger.apply_order_report(said(1, ReportedStatus.OPEN), now=1.0)
    ledger.record_amendment("mm-a-1", price=Decimal(110), quantity=Decimal(3), now=2.0)
    assert found(ledger).long == 330
    ledger.record_input("mm-a-1", OrderInput.ANSWER_LOST, now=3.0)
    ledger.apply_order_report(said(1, ReportedStatus.OPEN, quantity="1"), now=4.0)
    assert found(ledger).long == 330, "it may still be on its way"
    ledger.record_amendment("mm-a-1", price=None, quantity=Decimal(2), now=5.0)
    assert found(ledger).long == 330
    ledger.record_input("mm-a-1", OrderInput.AMEND_ENDED, now=6.0)
    assert found(ledger).long == 330, "the one that was lost may still be on its way"


def test_amendment_that_makes_an_order_smaller_counts_only_once_a_report_shows_it() -> None:
    ledger = book()
    ledger.record_intent(limit(1), now=0.0)
    ledger.apply_order_report(said(1, ReportedStatus.OPEN), now=1.0)
    ledger.record_amendment("mm-a-1", price=Decimal(90), quantity=Decimal("0.5"), now=2.0)
    assert found(ledger).long == 100
    ledger.record_amended("mm-a-1", price=Decimal(90), quantity=Decimal("0.5"), now=3.0)
    assert found(ledger).long == 90, "it may have filled more before"
    ledger.apply_order_report(replace(said(1, ReportedStatus.OPEN, quantity="0.5"), price=Decimal(90)), now=4.0)
    assert found(ledger).long == 45


def test_refused_amendment_counts_no_more() -> None:
    ledger = book()
    ledger.record_intent(limit(1), now=0.0)
    ledger.apply_order_report(said(1, ReportedStatus.OPEN), now=1.0)
    ledger.record_amendment("mm-a-1", price=Decimal(110), quantity=Decimal(3), now=2.0)
    ledger.record_input("mm-a-1", OrderInput.AMEND_ENDED, now=3.0)
    assert found(ledger).long == 100


def short_by_one() -> AccountLedger:
    ledger = book(positions=True)
    ledger.record_intent(limit(1, side=Side.SELL), now=0.0)
    ledger.apply_order_report(said(1, ReportedStatus.FILLED, filled="1", side=Side.SELL), now=1.0)
    ledger.apply_fill(trade(1, "1", side=Side.SELL), now=1.0)
    return ledger


def test_reduce_only_order_that_may_have_closed_a_position_leaves_other_orders_no_more_room() -> None:
    """The position that it closes is still counted whole: other orders would seem to have that much more room."""
    ledger = short_by_one()
    ledger.record_intent(limit(2, quantity="3", reduce_only=True), now=2.0)
    assert found(ledger) == Exposure(held=Decimal(-100), buys=Decimal(100)), "it can close the position and no more"
    ledger.record_intent(limit(3), now=2.0)
    assert (found(ledger).long, found(ledger).short) == (100, 100)
    assert found(ledger, besides="mm-a-2").long == 0


def test_what_a_reduce_only_order_has_filled_counts_once_until_its_trades_are_told() -> None:
    ledger = short_by_one()
    ledger.record_intent(limit(2, quantity="0.5", reduce_only=True), now=2.0)
    ledger.record_intent(limit(3), now=2.0)
    assert found(ledger) == Exposure(held=Decimal(-100), buys=Decimal(150))
    ledger.apply_order_report(said(2, ReportedStatus.OPEN, filled="0.25"), now=3.0)
    assert found(ledger) == Exposure(held=Decimal(-100), buys=Decimal(150))
    ledger.apply_order_report(said(2, ReportedStatus.FILLED, filled="0.5"), now=4.0)
    assert found(ledger) == Exposure(held=Decimal(-100), buys=Decimal(150))
    ledger.apply_fill(trade(2, "0.5"), now=5.0)
    assert found(ledger) == Exposure(held=Decimal(-50), buys=Decimal(100))


def test_funds_of_an_amendment_on_its_way_are_not_spent_twice() -> None:
    ledger = book()
    ledger.apply_balance(BalanceReport(asset="USDT", total=Decimal(1_000), available=Decimal(900)))
    ledger.record_intent(limit(1), now=0.0)
    ledger.apply_order_report(said(1, ReportedStatus.OPEN), now=1.0)
    assert ledger.spendable("USDT") == 900
    ledger.record_amendment("mm-a-1", price=None, quantity=Decimal(3), now=2.0)
    assert ledger.spendable("USDT") == 700


def test_order_besides_which_is_asked_is_left_out() -> None:
    ledger = book()
    ledger.record_intent(limit(1), now=0.0)
    ledger.record_intent(limit(2, quantity="2"), now=0.0)
    assert found(ledger, besides="mm-a-2").long == 100


def test_other_symbols_and_reduce_only_orders_without_a_position_do_not_count_and_sells_of_assets_neither() -> None:
    contracts, assets = book(positions=True), book()
    contracts.record_intent(limit(1, symbol=ETH), now=0.0)
    contracts.record_intent(limit(2, reduce_only=True), now=0.0)
    assert found(contracts) == Exposure()
    assets.record_intent(limit(1, Side.SELL), now=0.0)
    assets.record_intent(limit(2, symbol=Symbol("BTC", "USDC")), now=0.0)
    assert found(assets) == Exposure(buys=Decimal(100)), "of one base in two quotes there is one exposure"


def test_what_is_held_cannot_be_valued_without_a_price_and_a_market_order_neither() -> None:
    held, ordered = book(positions=True), book()
    assert held.positions is not None
    held.positions.count_fill(trade(9, "1"))
    ordered.record_intent(market(1, quantity=Decimal(1)), now=0.0)
    assert exposure(held, BTC, None) is None
    assert exposure(ordered, BTC, None) is None


# Against an exchange that does what it likes


class Exchange:
    """What is true of each order, beside what the ledger was told of it. Everything trades at `PRICE`."""

    def __init__(self, *, positions: bool) -> None:
        self.ledger = book(positions=positions)
        self.requests: list[OrderRequest] = []
        self.may_be_live: list[bool] = []
        self.quantity: list[Decimal] = []
        self.amendment: list[Decimal | None] = []
        """Under way, and perhaps carried out."""
        self.fills: list[list[FillReport]] = []
        self.told: list[int] = []

    def place(self, side: Side, quantity: int, *, by_quote: bool) -> None:
        number = len(self.requests)
        request = limit(number, side, str(quantity))
        if by_quote:
            request = market(number, Side.BUY, quote_quantity=quantity * PRICE)
        self.ledger.record_intent(request, now=0.0)
        self.ledger.record_sent(request.client_order_id, sent_at_milliseconds=1, expires_at_milliseconds=None)
        self.requests.append(request)
        self.may_be_live.append(True)
        self.quantity.append(Decimal(quantity))
        self.amendment.append(None)
        self.fills.append([])
        self.told.append(0)

    def filled(self, number: int) -> Decimal:
        return sum((fill.quantity for fill in self.fills[number]), Decimal(0))

    def most(self, number: int) -> Decimal:
        """What may yet trade of an order: by its quantity, or by that of the amendment under way."""
        if not self.may_be_live[number]:
            return Decimal(0)
        return max(Decimal(0), max(self.quantity[number], self.amendment[number] or Decimal(0)) - self.filled(number))

    def do(self, what: str, number: int, amount: int) -> None:
        known, request = order(self.ledger, number), self.requests[number]
        match what:
            case "trade" if self.most(number) > 0:
                if self.amendment[number] is not None and self.quantity[number] == self.filled(number):
                    self.quantity[number] = max(self.quantity[number], self.amendment[number] or Decimal(0))
                traded = min(Decimal(amount), self.quantity[number] - self.filled(number))
                if traded > 0:
                    trade_id = f"{number}-{len(self.fills[number])}"
                    self.fills[number].append(trade(number, str(traded), side=request.side, trade_id=trade_id))
            case "end":
                self.may_be_live[number] = False
            case "tell fill" if self.told[number] < len(self.fills[number]):
                self.ledger.apply_fill(self.fills[number][self.told[number]], now=1.0)
                self.told[number] += 1
            case "tell order":
                status = ReportedStatus.OPEN if self.may_be_live[number] else ReportedStatus.CANCELLED
                report = said(number, status, filled=str(self.filled(number)), side=request.side)
                if request.quantity is not None:
                    report = replace(report, quantity=self.quantity[number])
                self.ledger.apply_order_report(report, now=1.0)
            case "lose" if not known.is_terminal:
                self.ledger.record_input(known.client_order_id, OrderInput.ANSWER_LOST, now=1.0)
            case "cancel":
                self.ledger.record_input(known.client_order_id, OrderInput.CANCEL_ASKED, now=1.0)
            case "amend" if request.quantity is not None and self.amendment[number] is None and known.state.value == "open":
                if amount > known.filled_quantity:
                    self.amendment[number] = Decimal(amount)
                    self.ledger.record_amendment(known.client_order_id, price=None, quantity=Decimal(amount), now=1.0)
            case "amend carried out" if self.amendment[number] is not None and self.may_be_live[number]:
                self.quantity[number] = max(self.amendment[number] or Decimal(0), self.filled(number))
                self.amendment[number] = None
                self.ledger.record_amended(known.client_order_id, price=None, quantity=self.quantity[number] or None, now=1.0)
            case "amend refused" if self.amendment[number] is not None and self.quantity[number] >= self.filled(number):
                self.amendment[number] = None
                self.ledger.record_input(known.client_order_id, OrderInput.AMEND_ENDED, now=1.0)
            case _:
                pass

    def worst(self, side: Side) -> Decimal:
        """The largest position towards `side` if all that may still trade on that side does, and nothing else."""
        position = Decimal(0)
        for number, request in enumerate(self.requests):
            position += self.filled(number) if request.side is side else -self.filled(number)
            if request.side is side:
                position += self.most(number)
        return position * PRICE


WHAT = ("trade", "end", "tell fill", "tell order", "lose", "cancel", "amend", "amend carried out", "amend refused")
STEPS = st.lists(
    st.tuples(st.sampled_from(WHAT), st.integers(0, 3), st.integers(1, 6)), min_size=12, max_size=40
)  # short ones shrink, but find little
PLACED = st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 5), st.booleans()), min_size=1, max_size=3)


@pytest.mark.parametrize("positions", [False, True], ids=["assets", "contracts"])
def test_exposure_is_never_less_than_what_the_exchange_can_make_of_it(positions: bool) -> None:
    @settings(max_examples=150, deadline=None)
    @given(PLACED, STEPS)
    def check(placed: list[tuple[Side, int, bool]], steps: list[tuple[str, int, int]]) -> None:
        exchange = Exchange(positions=positions)
        for side, quantity, by_quote in placed:
            exchange.place(side, quantity, by_quote=by_quote and side is Side.BUY and not positions)
        for what, number, amount in steps:
            exchange.do(what, number % len(placed), amount)
            exposed = exposure(exchange.ledger, BTC, Touch(PRICE, PRICE))
            assert exposed is not None
            assert exposed.long >= exchange.worst(Side.BUY)
            if positions:
                assert exposed.short >= exchange.worst(Side.SELL)

    check()


def test_quantity_to_fill_of_an_order_that_has_ended_is_what_its_fills_lack() -> None:
    ledger = book()
    ledger.record_intent(limit(1, quantity="5"), now=0.0)
    ledger.apply_fill(trade(1, "1"), now=1.0)
    assert quantity_to_fill(order(ledger, 1)) == 4
    ledger.apply_order_report(said(1, ReportedStatus.CANCELLED, filled="3"), now=2.0)
    assert quantity_to_fill(order(ledger, 1)) == 2
