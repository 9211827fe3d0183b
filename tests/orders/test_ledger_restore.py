"""A ledger that goes on where the one of an earlier run stopped."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from market.events import Side
from market.symbol import Symbol
from orders.earlier import CountedEarlier
from orders.events import FundingPaid, OrderChanged, OrderEnded, OrderFilled, OrderPlaced
from orders.ledger import AccountLedger
from orders.life_cycle import OrderInput, OrderState
from orders.order import Order
from orders.reports import FillReport, FundingReport, OrderReport, ReportedStatus
from orders.request import OrderRequest, OrderType, TimeInForce

BTC = Symbol("BTC", "USDT")
ID = "mm-btc-0001"
BUY = OrderRequest(
    client_order_id=ID,
    owner="btc",
    symbol=BTC,
    side=Side.BUY,
    type=OrderType.LIMIT,
    time_in_force=TimeInForce.GOOD_TILL_CANCELLED,
    quantity=Decimal(3),
    price=Decimal(100),
)
FILL = FillReport(
    trade_id="t1",
    exchange_order_id="77",
    client_order_id=ID,
    symbol=BTC,
    side=Side.BUY,
    price=Decimal(100),
    quantity=Decimal(1),
    fee=Decimal("0.002"),
    fee_asset="BTC",
    maker=True,
)
UNKNOWN = Order(request=BUY, state=OrderState.UNKNOWN, sent=True)
PARTLY_FILLED = replace(UNKNOWN, exchange_order_id="77", filled_quantity=Decimal(1), filled_quote=Decimal(100), fills=(FILL,))
ENDED = replace(PARTLY_FILLED, state=OrderState.CANCELLED)
OPEN = OrderReport(
    exchange_order_id="77",
    client_order_id=ID,
    symbol=BTC,
    side=Side.BUY,
    status=ReportedStatus.OPEN,
    filled_quantity=Decimal(1),
    filled_quote=Decimal(100),
    price=Decimal(100),
    quantity=Decimal(3),
)
CHANGES_OF_FILL = {"BTC": Decimal("0.998"), "USDT": Decimal(-100)}


@pytest.fixture
def ledger() -> AccountLedger:
    """An empty ledger."""
    return AccountLedger(account="main", installation="mm")


def test_order_of_unknown_fate_is_live_again_with_its_fills_and_what_they_hold(ledger) -> None:
    ledger.restore([PARTLY_FILLED])
    assert ledger.live_orders("btc") == [PARTLY_FILLED]
    assert ledger.fill_changes() == CHANGES_OF_FILL
    assert ledger.holdings("btc") == {BTC: Decimal("0.998")}


def test_order_whose_fills_are_not_all_known_is_unsettled_again(ledger) -> None:
    ledger.restore([replace(ENDED, filled_quantity=Decimal(2))])
    assert [order.client_order_id for order in ledger.unsettled_orders()] == [ID]
    assert ledger.live_orders() == []


def test_settled_order_is_neither_live_nor_unsettled_and_its_holdings_count(ledger) -> None:
    ledger.restore([ENDED])
    assert (ledger.live_orders(), ledger.unsettled_orders(), ledger.order(ID)) == ([], [], ENDED)
    assert ledger.holdings("btc") == {BTC: Decimal("0.998")}


def test_restoring_twice_changes_nothing(ledger) -> None:
    ledger.restore([PARTLY_FILLED])
    ledger.restore([PARTLY_FILLED, replace(PARTLY_FILLED, state=OrderState.OPEN)])
    assert ledger.live_orders() == [PARTLY_FILLED]
    assert ledger.fill_changes() == CHANGES_OF_FILL


def test_order_that_has_moved_on_since_it_was_restored_stays_as_it_is(ledger) -> None:
    ledger.restore([PARTLY_FILLED])
    ledger.apply_order_report(replace(OPEN, status=ReportedStatus.CANCELLED), now=1.0)
    ledger.restore([PARTLY_FILLED])
    assert ledger.order(ID).state is OrderState.CANCELLED


def test_fill_of_a_restored_order_told_again_is_not_counted_again(ledger) -> None:
    ledger.restore([PARTLY_FILLED])
    assert ledger.apply_fill(FILL, now=1.0) == []
    assert ledger.fill_changes() == CHANGES_OF_FILL


def test_fill_that_passed_for_a_strangers_before_its_order_was_restored_is_counted_once(ledger) -> None:
    ledger.apply_fill(replace(FILL, client_order_id=None), now=1.0)
    ledger.restore([PARTLY_FILLED])
    assert ledger.fill_changes() == CHANGES_OF_FILL


def test_restored_order_is_known_by_the_exchanges_id_and_goes_on_by_the_exchanges_word(ledger) -> None:
    ledger.restore([PARTLY_FILLED])
    events = ledger.apply_fill(replace(FILL, trade_id="t2", client_order_id=None, quantity=Decimal(2)), now=1.0)
    assert [type(event) for event in events] == [OrderChanged, OrderFilled, OrderEnded]
    assert ledger.order(ID).state is OrderState.FILLED


def test_restored_intent_of_which_the_exchange_never_heard_ends_by_our_conclusion(ledger) -> None:
    ledger.restore([UNKNOWN])
    ledger.record_input(ID, OrderInput.SAID_NEVER_ACCEPTED, now=1.0)
    assert ledger.order(ID).state is OrderState.REJECTED


def test_restored_intent_that_is_found_open_is_placed(ledger) -> None:
    ledger.restore([UNKNOWN])
    events = ledger.apply_order_report(OPEN, now=1.0)
    assert [type(event) for event in events] == [OrderChanged, OrderPlaced]


def test_id_of_a_restored_order_is_not_given_to_another(ledger) -> None:
    ledger.restore([UNKNOWN])
    with pytest.raises(ValueError, match="used before"):
        ledger.record_intent(BUY, now=1.0)


def test_order_of_another_installation_is_refused_and_nothing_is_restored(ledger) -> None:
    strange = replace(UNKNOWN, request=replace(BUY, client_order_id="xx-btc-0001"))
    with pytest.raises(ValueError, match="xx-btc-0001 are not of installation mm"):
        ledger.restore([UNKNOWN, strange])
    assert list(ledger.orders()) == []


# What earlier runs counted


EARLIER = CountedEarlier(
    fill_changes={"BTC": Decimal("5.998"), "USDT": Decimal(-600)},
    trades=((BTC, "66", "t0"),),
    payments=((BTC, "f1"),),
)


def test_counting_goes_on_from_what_all_earlier_trades_did_of_which_the_orders_fills_are_a_part(ledger) -> None:
    ledger.restore([PARTLY_FILLED], counted=EARLIER)
    assert ledger.fill_changes() == EARLIER.fill_changes
    assert ledger.apply_fill(FILL, now=1.0) == []
    ledger.apply_fill(replace(FILL, trade_id="t2", fee=Decimal(0)), now=1.0)
    assert ledger.fill_changes() == {"BTC": Decimal("6.998"), "USDT": Decimal(-700)}


def test_trade_that_an_earlier_run_counted_and_no_order_has_is_not_counted_again(ledger) -> None:
    ledger.restore([], counted=EARLIER)
    assert ledger.apply_fill(replace(FILL, trade_id="t0", exchange_order_id="66", client_order_id=None), now=1.0) == []
    assert ledger.fill_changes() == EARLIER.fill_changes


def test_what_earlier_runs_counted_comes_before_anything_else_is_counted(ledger) -> None:
    ledger.apply_fill(replace(FILL, client_order_id=None), now=1.0)
    with pytest.raises(ValueError, match="main has counted already"):
        ledger.restore([], counted=EARLIER)


def test_funding_payment_of_an_earlier_run_is_not_counted_again() -> None:
    ledger = AccountLedger(account="main", installation="mm", holds_positions=True)
    ledger.restore([], counted=EARLIER)
    payment = FundingReport(payment_id="f1", symbol=BTC, amount=Decimal(-1), asset="USDT")
    assert ledger.apply_funding(payment) == []
    assert [type(event) for event in ledger.apply_funding(replace(payment, payment_id="f2"))] == [FundingPaid]
    assert ledger.fill_changes()["USDT"] == Decimal(-601)


def test_position_begins_with_the_exchanges_word_and_not_with_restored_fills() -> None:
    ledger = AccountLedger(account="main", installation="mm", holds_positions=True)
    ledger.restore([PARTLY_FILLED])
    assert ledger.positions is not None
    assert ledger.positions.accounts() == {}
