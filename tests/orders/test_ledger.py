from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from market.events import Side
from market.symbol import Symbol
from orders import ledger as ledger_module
from orders.events import (
    BalanceChanged,
    ForeignFillSeen,
    ForeignOrderSeen,
    ImpossibleTransition,
    LeftoverOrderFound,
    OrderCancelRequested,
    OrderChanged,
    OrderEnded,
    OrderFateUnknown,
    OrderFilled,
    OrderPlaced,
    OrderSubmitted,
)
from orders.ledger import AccountLedger
from orders.life_cycle import OrderInput, OrderState
from orders.reports import BalanceReport, FillReport, OrderReport, ReportedStatus
from orders.request import OrderRequest, OrderType, TimeInForce
from orders.reservations import reservation

BTC = Symbol("BTC", "USDT")
ETH = Symbol("ETH", "USDT")
ID = "mm-btc-0001"

SELL = OrderRequest(
    client_order_id=ID,
    owner="btc",
    symbol=BTC,
    side=Side.SELL,
    type=OrderType.LIMIT,
    time_in_force=TimeInForce.GOOD_TILL_CANCELLED,
    quantity=Decimal(3),
    price=Decimal(100),
)
BUY = replace(SELL, side=Side.BUY)
BUY_BY_QUOTE = replace(
    BUY,
    type=OrderType.MARKET,
    time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
    quantity=None,
    price=None,
    quote_quantity=Decimal(50),
)
REPORT = OrderReport(
    exchange_order_id="77",
    client_order_id=ID,
    symbol=BTC,
    side=Side.SELL,
    status=ReportedStatus.OPEN,
    filled_quantity=Decimal(0),
    filled_quote=Decimal(0),
    price=Decimal(100),
    quantity=Decimal(3),
    exchange_time_milliseconds=1000,
)
FILL = FillReport(
    trade_id="t1",
    exchange_order_id="77",
    client_order_id=ID,
    symbol=BTC,
    side=Side.SELL,
    price=Decimal(100),
    quantity=Decimal(1),
    fee=Decimal("0.2"),
    fee_asset="USDT",
    maker=True,
)


def said(status: ReportedStatus, filled: int = 0, **changes: object) -> OrderReport:
    return replace(REPORT, status=status, filled_quantity=Decimal(filled), filled_quote=Decimal(filled * 100), **changes)


def kinds(events: list[object]) -> list[type]:
    return [type(event) for event in events]


@pytest.fixture
def ledger() -> AccountLedger:
    """An empty ledger."""
    return AccountLedger(account="main", installation="mm")


@pytest.fixture
def sent(ledger) -> AccountLedger:
    """A ledger whose only order was just sent."""
    ledger.record_intent(SELL, now=1.0)
    ledger.record_sent(ID, sent_at_milliseconds=1000, expires_at_milliseconds=4000)
    return ledger


@pytest.fixture
def resting(sent) -> AccountLedger:
    """A ledger whose only order is open."""
    sent.apply_order_report(REPORT, now=2.0)
    return sent


# Intents


def test_intent_is_live_before_anything_left(ledger) -> None:
    events = ledger.record_intent(SELL, now=1.5)
    assert kinds(events) == [OrderChanged, OrderSubmitted]
    order = ledger.order(ID)
    assert (order.state, order.sent, order.created_at, order.changed_at) == (OrderState.PENDING_NEW, False, 1.5, 1.5)
    assert ledger.live_orders() == [order]


def test_client_order_id_used_before_is_refused(sent) -> None:
    with pytest.raises(ValueError, match="used before"):
        sent.record_intent(SELL, now=2.0)


def test_client_order_id_of_another_installation_is_refused(ledger) -> None:
    with pytest.raises(ValueError, match="not of installation mm"):
        ledger.record_intent(replace(SELL, client_order_id="mm2-btc-1"), now=1.0)


def test_sending_is_recorded_with_its_expiry(sent) -> None:
    order = sent.order(ID)
    assert (order.sent, order.sent_at_milliseconds, order.expires_at_milliseconds) == (True, 1000, 4000)


def test_orders_are_told_by_owner(sent) -> None:
    sent.record_intent(replace(SELL, client_order_id="mm-eth-1", owner="eth"), now=1.0)
    assert [order.client_order_id for order in sent.orders()] == [ID, "mm-eth-1"]
    assert [order.client_order_id for order in sent.orders("eth")] == ["mm-eth-1"]
    assert [order.client_order_id for order in sent.live_orders("btc")] == [ID]


def test_own_orders_are_told_by_prefix(ledger) -> None:
    assert ledger.is_ours("mm-btc-1")
    assert ledger.is_ours("mm-btc-1", owner="btc")
    assert not ledger.is_ours("mm-btc2-1", owner="btc")
    assert not ledger.is_ours("mm2-btc-1")
    assert not ledger.is_ours(None)


# The exchange's reports


def test_first_report_tells_that_the_order_was_placed_once(sent) -> None:
    assert kinds(sent.apply_order_report(REPORT, now=2.0)) == [OrderChanged, OrderPlaced]
    assert sent.apply_order_report(REPORT, now=3.0) == []
    order = sent.order(ID)
    assert (order.state, order.exchange_order_id, order.changed_at) == (OrderState.OPEN, "77", 2.0)


def test_report_without_our_id_is_found_by_the_exchanges(resting) -> None:
    resting.apply_order_report(said(ReportedStatus.CANCELLED, client_order_id=None), now=3.0)
    assert resting.order(ID).state is OrderState.CANCELLED


def test_exchange_id_of_another_symbol_is_another_order(resting) -> None:
    events = resting.apply_order_report(said(ReportedStatus.CANCELLED, client_order_id=None, symbol=ETH), now=3.0)
    assert kinds(events) == [ForeignOrderSeen]
    assert resting.order(ID).state is OrderState.OPEN


def test_filled_figures_never_shrink(resting) -> None:
    resting.apply_order_report(said(ReportedStatus.OPEN, 2), now=3.0)
    resting.apply_order_report(said(ReportedStatus.OPEN, 1), now=4.0)
    order = resting.order(ID)
    assert (order.state, order.filled_quantity, order.filled_quote) == (OrderState.PARTIALLY_FILLED, 2, 200)
    assert order.remaining_quantity == 1
    assert order.average_price == 100


def test_open_after_the_end_changes_nothing(resting) -> None:
    assert kinds(resting.apply_order_report(said(ReportedStatus.CANCELLED), now=3.0)) == [OrderChanged, OrderEnded]
    assert resting.apply_order_report(REPORT, now=4.0) == []
    assert resting.live_orders() == []


def test_report_of_a_rejection_ends_an_order_that_was_open(resting) -> None:
    events = resting.apply_order_report(said(ReportedStatus.REJECTED, reason="would take"), now=3.0)
    assert kinds(events) == [OrderChanged, OrderEnded]
    assert (resting.order(ID).state, resting.order(ID).reason) == (OrderState.EXPIRED, "would take")


def test_report_of_a_rejection_is_final_against_an_older_open(sent) -> None:
    assert kinds(sent.apply_order_report(said(ReportedStatus.REJECTED), now=2.0)) == [OrderChanged, OrderEnded]
    assert sent.apply_order_report(REPORT, now=3.0) == []
    assert sent.order(ID).state is OrderState.REJECTED


def test_rejection_that_we_concluded_is_undone_by_the_exchanges_word(sent) -> None:
    sent.record_input(ID, OrderInput.ANSWER_LOST, now=2.0)
    sent.record_input(ID, OrderInput.SAID_NEVER_ACCEPTED, now=3.0)
    assert sent.live_orders() == []
    assert kinds(sent.apply_order_report(REPORT, now=4.0)) == [OrderChanged, OrderPlaced]
    assert [order.state for order in sent.live_orders()] == [OrderState.OPEN]


def test_end_that_we_concluded_is_undone_by_the_exchanges_word(resting) -> None:
    resting.apply_fill(FILL, now=2.5)
    resting.record_input(ID, OrderInput.SAID_FORGOTTEN, now=3.0, reason="listed nowhere")
    assert (resting.order(ID).state, resting.live_orders()) == (OrderState.CANCELLED, [])
    events = resting.apply_order_report(said(ReportedStatus.OPEN), now=4.0)
    assert kinds(events) == [OrderChanged]
    assert (resting.order(ID).state, resting.order(ID).reason) == (OrderState.PARTIALLY_FILLED, "")
    assert resting.live_orders() == [resting.order(ID)]
    resting.apply_order_report(said(ReportedStatus.CANCELLED, 1), now=5.0)
    resting.apply_order_report(said(ReportedStatus.OPEN), now=6.0)
    assert resting.order(ID).state is OrderState.CANCELLED, "the second end is the exchange's own word"


def test_fill_that_completes_an_order_we_concluded_to_have_ended_is_final_against_an_older_open(resting) -> None:
    resting.record_input(ID, OrderInput.SAID_FORGOTTEN, now=3.0)
    resting.apply_fill(replace(FILL, quantity=Decimal(3)), now=4.0)
    assert kinds(resting.apply_order_report(said(ReportedStatus.OPEN), now=5.0)) in ([], [OrderChanged])
    assert resting.order(ID).state is OrderState.FILLED


def test_end_said_by_the_exchange_is_no_conclusion_of_ours(resting) -> None:
    resting.apply_order_report(said(ReportedStatus.CANCELLED), now=3.0)
    resting.record_input(ID, OrderInput.SAID_FORGOTTEN, now=4.0)
    resting.apply_order_report(said(ReportedStatus.OPEN), now=5.0)
    assert resting.order(ID).state is OrderState.CANCELLED


def test_impossible_word_is_reported_and_changes_no_state(resting) -> None:
    resting.apply_order_report(said(ReportedStatus.FILLED, 3), now=3.0)
    events = resting.apply_order_report(said(ReportedStatus.CANCELLED), now=4.0)
    assert kinds(events) == [OrderChanged, ImpossibleTransition]
    assert events[1].happened is OrderInput.SAID_CANCELLED
    assert resting.order(ID).state is OrderState.FILLED


def test_fill_told_by_an_impossible_word_is_kept(resting) -> None:
    resting.apply_order_report(said(ReportedStatus.CANCELLED), now=3.0)
    events = resting.record_input(ID, OrderInput.SAID_NEVER_ACCEPTED, now=4.0)
    assert kinds(events) == [OrderChanged, ImpossibleTransition]
    resting.apply_fill(FILL, now=5.0)
    assert resting.order(ID).filled_quantity == 1


# Our own doings


def test_lost_answer_makes_the_order_unknown_and_keeps_it_live(sent) -> None:
    assert kinds(sent.record_input(ID, OrderInput.ANSWER_LOST, now=2.0, reason="time-out")) == [OrderChanged, OrderFateUnknown]
    assert [(order.state, order.reason) for order in sent.live_orders()] == [(OrderState.UNKNOWN, "time-out")]


def test_cancel_is_asked_once_and_remembered(resting) -> None:
    assert kinds(resting.record_input(ID, OrderInput.CANCEL_ASKED, now=3.0)) == [OrderChanged, OrderCancelRequested]
    assert resting.record_input(ID, OrderInput.CANCEL_ASKED, now=4.0) == []
    assert resting.order(ID).cancel_wanted


def test_cancelling_an_ended_order_does_nothing_but_remember(resting) -> None:
    resting.apply_order_report(said(ReportedStatus.CANCELLED), now=3.0)
    assert kinds(resting.record_input(ID, OrderInput.CANCEL_ASKED, now=4.0)) == [OrderChanged]
    assert resting.order(ID).state is OrderState.CANCELLED


def test_order_cancelled_before_it_left_can_end_unsent(ledger) -> None:
    ledger.record_intent(SELL, now=1.0)
    ledger.record_input(ID, OrderInput.CANCEL_ASKED, now=2.0)
    assert kinds(ledger.record_input(ID, OrderInput.NEVER_SENT, now=3.0)) == [OrderChanged, OrderEnded]
    assert ledger.live_orders() == []


def test_order_that_the_exchange_spoke_of_was_sent_whatever_we_think(resting) -> None:
    resting.record_input(ID, OrderInput.CANCEL_ASKED, now=3.0)
    assert kinds(resting.record_input(ID, OrderInput.NEVER_SENT, now=4.0)) == [OrderChanged, ImpossibleTransition]
    assert [order.state for order in resting.live_orders()] == [OrderState.PENDING_CANCEL]


def test_input_about_an_order_never_recorded_is_a_key_error(ledger) -> None:
    with pytest.raises(KeyError):
        ledger.record_input(ID, OrderInput.CANCEL_ASKED, now=1.0)


# Amendments


def test_confirmed_amendment_changes_the_request(resting) -> None:
    resting.record_input(ID, OrderInput.AMEND_ASKED, now=3.0)
    resting.record_amended(ID, price=Decimal(101), quantity=None, now=4.0)
    order = resting.order(ID)
    assert (order.state, order.request.price, order.request.quantity) == (OrderState.OPEN, 101, 3)


def test_partly_filled_order_is_still_so_after_an_amendment(resting) -> None:
    resting.apply_fill(FILL, now=3.0)
    resting.record_input(ID, OrderInput.AMEND_ASKED, now=4.0)
    resting.record_input(ID, OrderInput.AMEND_ENDED, now=5.0)
    assert resting.order(ID).state is OrderState.PARTIALLY_FILLED


def test_amendment_whose_answer_was_lost_is_learned_from_the_exchange(resting) -> None:
    resting.record_input(ID, OrderInput.AMEND_ASKED, now=3.0)
    resting.record_input(ID, OrderInput.ANSWER_LOST, now=4.0)
    resting.apply_order_report(said(ReportedStatus.OPEN, quantity=Decimal(9), exchange_time_milliseconds=2000), now=5.0)
    assert resting.order(ID).request.quantity == 9
    resting.apply_order_report(REPORT, now=6.0)  # an older one
    assert resting.order(ID).request.quantity == 9


def test_amendment_under_way_holds_the_most_that_it_may_have_made_of_the_order(resting) -> None:
    resting.record_amendment(ID, price=Decimal(90), quantity=Decimal(5), now=3.0)
    assert resting.order(ID).largest_request == replace(resting.order(ID).request, quantity=Decimal(5))


def test_refused_amendment_holds_nothing_any_more(resting) -> None:
    resting.record_amendment(ID, price=None, quantity=Decimal(5), now=3.0)
    resting.record_input(ID, OrderInput.AMEND_ENDED, now=4.0)
    assert resting.order(ID).largest_request.quantity == 3


def test_amendment_that_may_still_arrive_is_held_beside_a_later_one_that_was_refused(resting) -> None:
    resting.record_amendment(ID, price=None, quantity=Decimal(5), now=3.0)
    resting.record_input(ID, OrderInput.ANSWER_LOST, now=4.0)
    resting.apply_order_report(said(ReportedStatus.OPEN, exchange_time_milliseconds=2000), now=5.0)
    resting.record_amendment(ID, price=None, quantity=Decimal(4), now=6.0)
    resting.record_input(ID, OrderInput.AMEND_ENDED, now=7.0)
    assert resting.order(ID).largest_request.quantity == 5


def test_confirmed_amendment_is_held_against_an_older_report_until_a_newer_one_shows_it(resting) -> None:
    resting.record_amendment(ID, price=None, quantity=Decimal(5), now=3.0)
    resting.record_amended(ID, price=None, quantity=Decimal(5), now=4.0)
    resting.apply_order_report(said(ReportedStatus.OPEN, exchange_time_milliseconds=2000), now=5.0)
    assert (resting.order(ID).request.quantity, resting.order(ID).largest_request.quantity) == (3, 5)
    resting.apply_order_report(said(ReportedStatus.OPEN, quantity=Decimal(5), exchange_time_milliseconds=3000), now=6.0)
    assert resting.order(ID).unseen_amendments == ()


def test_order_amended_to_less_may_have_filled_more_before_until_a_report_shows_it(resting) -> None:
    resting.record_amendment(ID, price=None, quantity=Decimal(1), now=3.0)
    resting.record_amended(ID, price=None, quantity=Decimal(1), now=4.0)
    assert (resting.order(ID).request.quantity, resting.order(ID).largest_request.quantity) == (1, 3)
    resting.apply_order_report(said(ReportedStatus.OPEN, quantity=Decimal(1), exchange_time_milliseconds=2000), now=5.0)
    assert resting.order(ID).largest_request.quantity == 1


def test_order_that_the_exchange_has_spoken_of_was_not_never_accepted(resting) -> None:
    """It was unknown for a lost cancellation: it can have ended, but not have never been."""
    resting.record_input(ID, OrderInput.ANSWER_LOST, now=3.0)
    assert kinds(resting.record_input(ID, OrderInput.SAID_NEVER_ACCEPTED, now=4.0)) == [OrderChanged, ImpossibleTransition]
    assert resting.order(ID).state is OrderState.UNKNOWN


def test_fills_up_to_the_old_quantity_do_not_end_an_order_that_was_amended(resting) -> None:
    resting.record_input(ID, OrderInput.AMEND_ASKED, now=3.0)
    resting.apply_fill(replace(FILL, quantity=Decimal(3)), now=4.0)
    assert [order.state for order in resting.live_orders()] == [OrderState.PENDING_AMEND]
    resting.apply_order_report(said(ReportedStatus.FILLED, 3), now=5.0)
    assert resting.live_orders() == []


def test_amendment_refused_by_the_life_cycle_leaves_no_trace(sent) -> None:
    assert kinds(sent.record_input(ID, OrderInput.AMEND_ASKED, now=2.0)) == [OrderChanged, ImpossibleTransition]
    assert not sent.order(ID).amended


# Fills


def test_fill_is_told_once_and_counted_once(resting) -> None:
    events = resting.apply_fill(FILL, now=3.0)
    assert kinds(events) == [OrderChanged, OrderFilled]
    assert events[1].fill is FILL
    assert resting.apply_fill(FILL, now=4.0) == []
    assert resting.fill_changes() == {"BTC": Decimal(-1), "USDT": Decimal("99.8")}
    assert resting.order(ID).asset_changes() == resting.fill_changes()


def test_fill_before_any_report_places_the_order(sent) -> None:
    assert kinds(sent.apply_fill(FILL, now=2.0)) == [OrderChanged, OrderPlaced, OrderFilled]
    assert sent.order(ID).exchange_order_id == "77"
    assert kinds(sent.apply_order_report(said(ReportedStatus.OPEN, 1), now=3.0)) == [OrderChanged]


def test_fills_of_the_whole_quantity_end_the_order(resting) -> None:
    resting.apply_fill(FILL, now=3.0)
    events = resting.apply_fill(replace(FILL, trade_id="t2", quantity=Decimal(2)), now=4.0)
    assert kinds(events) == [OrderChanged, OrderFilled, OrderEnded]
    assert resting.order(ID).is_settled


def test_ended_order_is_unsettled_until_its_fills_are_known(resting) -> None:
    resting.apply_order_report(said(ReportedStatus.CANCELLED, 1), now=3.0)
    assert resting.unsettled_orders() == [resting.order(ID)]
    resting.apply_fill(FILL, now=4.0)
    assert resting.unsettled_orders() == []
    assert (resting.order(ID).state, resting.order(ID).is_settled) == (OrderState.CANCELLED, True)


def test_rebate_adds_to_the_balance(ledger) -> None:
    ledger.record_intent(BUY, now=1.0)
    ledger.apply_fill(replace(FILL, side=Side.BUY, fee=Decimal("-0.01"), fee_asset="GT"), now=2.0)
    assert ledger.fill_changes() == {"BTC": Decimal(1), "USDT": Decimal(-100), "GT": Decimal("0.01")}


def test_fill_with_more_digits_than_decimal_keeps_by_default_is_counted_exactly(resting) -> None:
    quantity, price = Decimal("0.12345678901234567890123"), Decimal("98765.4321098765")
    resting.apply_fill(replace(FILL, quantity=quantity, price=price, fee=Decimal(0)), now=3.0)
    resting.apply_fill(replace(FILL, trade_id="t2", quantity=Decimal(1_000_000_000), price=Decimal(1), fee=Decimal(0)), now=4.0)
    assert resting.fill_changes()["BTC"] == Decimal("-1000000000.12345678901234567890123")
    # 12345678901234567890123 * 987654321098765 = 12193263112482852756438049840750647095, written with 23 + 10 decimals
    product = 12345678901234567890123 * 987654321098765
    assert resting.fill_changes()["USDT"] == Decimal(f"{product + 10**9 * 10**33}E-33")


# Strangers and earlier runs


def test_foreign_order_and_fill_are_told_once(ledger) -> None:
    order, fill = replace(REPORT, client_order_id=None), replace(FILL, client_order_id=None)
    assert ledger.apply_order_report(order, now=1.0) == [ForeignOrderSeen("main", order)]
    assert ledger.apply_order_report(order, now=2.0) == []
    assert ledger.apply_fill(fill, now=3.0) == [ForeignFillSeen("main", fill)]
    assert ledger.apply_fill(fill, now=4.0) == []
    assert ledger.live_orders() == []
    assert ledger.fill_changes() == {"BTC": Decimal(-1), "USDT": Decimal("99.8")}


def test_fill_without_our_id_that_came_before_the_order_is_not_counted_twice(sent) -> None:
    fill = replace(FILL, client_order_id=None)
    assert kinds(sent.apply_fill(fill, now=2.0)) == [ForeignFillSeen]
    sent.apply_order_report(said(ReportedStatus.OPEN, 1), now=3.0)
    assert not sent.order(ID).fills_are_complete
    assert kinds(sent.apply_fill(fill, now=4.0)) == [OrderChanged, OrderFilled]
    assert sent.order(ID).fills_are_complete
    assert sent.fill_changes() == {"BTC": Decimal(-1), "USDT": Decimal("99.8")}


def test_both_fills_of_a_trade_with_ourselves_are_counted(resting) -> None:
    other_id = "mm-btc-0002"
    resting.record_intent(replace(BUY, client_order_id=other_id), now=3.0)
    resting.apply_fill(FILL, now=4.0)
    resting.apply_fill(replace(FILL, side=Side.BUY, client_order_id=other_id, exchange_order_id="78"), now=5.0)
    assert resting.fill_changes() == {"BTC": Decimal(0), "USDT": Decimal("-0.4")}


def test_open_order_of_an_earlier_run_is_taken_in(ledger) -> None:
    events = ledger.apply_order_report(said(ReportedStatus.OPEN, 1), now=1.0)
    assert kinds(events) == [LeftoverOrderFound, OrderChanged, OrderPlaced]
    order = ledger.order(ID)
    assert (order.state, order.request.owner, order.request.quantity, order.request.price) == (OrderState.PARTIALLY_FILLED, "btc", 3, 100)
    assert ledger.live_orders("btc") == [order]


def test_ended_order_of_an_earlier_run_concerns_nobody(ledger) -> None:
    assert ledger.apply_order_report(said(ReportedStatus.CANCELLED), now=1.0) == []
    assert list(ledger.orders()) == []


# Memory


def test_oldest_ended_orders_are_forgotten_and_their_fills_not_counted_again(ledger, monkeypatch) -> None:
    monkeypatch.setattr(ledger_module, "ENDED_ORDERS_KEPT_MAX", 2)
    reports = []
    for number in range(4):
        client_order_id, exchange_order_id = f"mm-btc-{number}", f"{number}"
        ledger.record_intent(replace(SELL, client_order_id=client_order_id), now=1.0)
        fill = replace(FILL, client_order_id=client_order_id, exchange_order_id=exchange_order_id, trade_id=f"t{number}")
        ended = said(ReportedStatus.CANCELLED, 1, client_order_id=client_order_id, exchange_order_id=exchange_order_id)
        ledger.apply_fill(fill, now=2.0)
        ledger.apply_order_report(ended, now=3.0)
        reports.append((fill, ended))
    assert [order.client_order_id for order in ledger.orders()] == ["mm-btc-2", "mm-btc-3"]
    changes = ledger.fill_changes()
    for fill, ended in reports:
        assert ledger.apply_fill(fill, now=4.0) == []
        assert ledger.apply_order_report(ended, now=5.0) == []
    assert ledger.fill_changes() == changes == {"BTC": Decimal(-4), "USDT": Decimal("399.2")}


def test_nothing_grows_with_the_number_of_forgotten_orders(ledger, monkeypatch) -> None:
    monkeypatch.setattr(ledger_module, "ENDED_ORDERS_KEPT_MAX", 3)
    monkeypatch.setattr(ledger_module, "FOREIGN_IDS_KEPT_MAX", 4)
    for number in range(50):
        client_order_id = f"mm-btc-{number:04}"
        ledger.record_intent(replace(SELL, client_order_id=client_order_id, quantity=Decimal(1)), now=1.0)
        ids = {"client_order_id": client_order_id, "exchange_order_id": str(number)}
        if number % 4 == 1:  # of the others some have no fills, and of some the fills are not known
            ledger.apply_fill(replace(FILL, trade_id=str(number), **ids), now=2.0)
        ledger.apply_order_report(said(ReportedStatus.CANCELLED, number % 2, **ids), now=3.0)
    sizes = {name: len(kept) for name, kept in vars(ledger).items() if isinstance(kept, dict)}
    assert len(sizes) >= 7
    assert max(sizes.values()) <= 4, sizes


def test_live_orders_are_never_forgotten(ledger, monkeypatch) -> None:
    monkeypatch.setattr(ledger_module, "ENDED_ORDERS_KEPT_MAX", 1)
    for number in range(5):
        ledger.record_intent(replace(SELL, client_order_id=f"mm-btc-{number}"), now=1.0)
    assert len(ledger.live_orders()) == 5


# Balances


def balance(available: int, milliseconds: int = 0, asset: str = "BTC") -> BalanceReport:
    return BalanceReport(asset=asset, total=Decimal(10), available=Decimal(available), exchange_time_milliseconds=milliseconds)


def test_balance_is_told_when_it_changes(ledger) -> None:
    assert ledger.apply_balance(balance(10, 100)) == [BalanceChanged("main", "BTC", Decimal(10), Decimal(10))]
    assert ledger.apply_balance(balance(10, 200)) == []
    assert kinds(ledger.apply_balance(balance(7, 300))) == [BalanceChanged]
    assert ledger.balance("BTC").available == 7
    assert set(ledger.balances()) == {"BTC"}


def test_older_balance_is_ignored_even_after_one_without_a_time(ledger) -> None:
    ledger.apply_balance(balance(10, 300))
    assert ledger.apply_balance(balance(9, 200)) == []
    ledger.apply_balance(balance(8))  # fetched over REST, which tells no time
    assert ledger.apply_balance(balance(9, 200)) == []
    assert ledger.balance("BTC").available == 8
    assert kinds(ledger.apply_balance(balance(7, 300))) == [BalanceChanged]


def test_order_on_its_way_is_kept_out_of_what_can_be_spent(sent) -> None:
    sent.apply_balance(balance(10))
    assert sent.spendable("BTC") == 7
    assert sent.spendable("USDT") == 0
    sent.record_input(ID, OrderInput.CANCEL_ASKED, now=2.0)  # the placement may still arrive first
    assert sent.spendable("BTC") == 7
    sent.record_input(ID, OrderInput.ANSWER_LOST, now=3.0)
    assert sent.spendable("BTC") == 7
    sent.apply_order_report(REPORT, now=4.0)
    assert sent.spendable("BTC") == 7, "no balance has counted it yet"
    sent.apply_balance(BalanceReport(asset="BTC", total=Decimal(10), available=Decimal(7)))
    assert sent.spendable("BTC") == 7


@pytest.mark.parametrize(
    ("request_made", "asset", "amount"),
    [(SELL, "BTC", 3), (BUY, "USDT", 300), (BUY_BY_QUOTE, "USDT", 50), (replace(SELL, price=Decimal(7)), "BTC", 3)],
)
def test_reservation_is_what_an_order_may_take(ledger, request_made, asset, amount) -> None:
    ledger.record_intent(request_made, now=1.0)
    assert reservation(ledger.order(ID)) == (asset, amount)


def test_reservation_shrinks_with_what_was_filled(resting) -> None:
    resting.apply_fill(FILL, now=3.0)
    assert reservation(resting.order(ID)) == ("BTC", 2)


def test_amount_paid_is_that_of_the_fills_once_all_are_known_whatever_a_rounded_average_says(sent) -> None:
    rounded = replace(REPORT, status=ReportedStatus.FILLED, filled_quantity=Decimal(3), filled_quote=Decimal("300.0000001"))
    sent.apply_order_report(rounded, now=2.0)
    assert sent.order(ID).filled_quote == Decimal("300.0000001"), "nothing better is known yet"
    for number in range(3):
        sent.apply_fill(replace(FILL, trade_id=f"t{number}"), now=3.0)
    assert sent.order(ID).filled_quote == 300
    sent.apply_order_report(rounded, now=4.0)
    assert sent.order(ID).filled_quote == 300
