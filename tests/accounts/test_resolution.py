"""Finding out what became of an order: who is asked, what is believed, and when an order's absence is."""

from __future__ import annotations

import pytest
import trio
from scripted_account import Books, ScriptedSession, refusal, said, sell, trade

from actors.accounts.resolution import (
    ABSENCE_GRACE_MILLISECONDS,
    ABSENCE_GRACE_WITHOUT_EXPIRY_MILLISECONDS,
    SEARCH_FAR_BACK_MILLISECONDS,
    SEARCH_MARGIN_MILLISECONDS,
    UNSENT_PATIENCE_SECONDS,
    fetch_missing_fills,
    resolve,
)
from orders.errors import ErrorKind, ExchangeError
from orders.events import ImpossibleTransition
from orders.life_cycle import OrderInput, OrderState
from orders.order import Order
from orders.reports import ReportedStatus

ID = "mm-btc-000000001"
OTHER_ID = "mm-btc-000000002"
SENT_AT = 1_000_000
EXPIRES_AT = SENT_AT + 3_000
BELIEVED_AT = EXPIRES_AT + ABSENCE_GRACE_MILLISECONDS
TEN_MINUTES = 600_000


@pytest.fixture
def books() -> Books:
    return Books()


@pytest.fixture
def exchange() -> ScriptedSession:
    """An exchange that knows of nothing, and its time is long past any expiry."""
    exchange = ScriptedSession()
    exchange.clock_offset_milliseconds = exchange.known_offset_milliseconds = BELIEVED_AT + 1
    return exchange


def sent_order(books: Books, *, acknowledged: bool, expires_at_milliseconds: int | None = EXPIRES_AT) -> Order:
    """An order that has left; of one that is acknowledged the exchange has given its id."""
    books.send(sell(ID), sent_at_milliseconds=SENT_AT, expires_at_milliseconds=expires_at_milliseconds)
    if acknowledged:
        books.hear(said(ID, "77"))
    return books.order(ID)


async def ask(books: Books, exchange: ScriptedSession) -> OrderState:
    books.bookkeeper.publish(await resolve(books.order(ID), session=exchange.session, ledger=books.ledger))
    return books.order(ID).state


# What has left, and what has not


async def test_order_that_has_left_since_it_was_looked_at_is_asked_about_and_not_taken_for_never_sent(
    autojump_clock, books, exchange
) -> None:
    books.intend(sell(ID))
    (looked_at,) = books.ledger.live_orders()
    books.ledger.record_sent(ID, sent_at_milliseconds=SENT_AT, expires_at_milliseconds=EXPIRES_AT)
    exchange.listed.append(said(ID, "77"))
    await resolve(looked_at, session=exchange.session, ledger=books.ledger)
    assert books.order(ID).state is OrderState.OPEN


async def test_order_that_has_not_left_may_yet_and_is_ended_without_asking_once_nobody_can_be_about_to_send_it(
    autojump_clock, books, exchange
) -> None:
    books.intend(sell(ID))
    await trio.sleep(UNSENT_PATIENCE_SECONDS - 0.1)
    assert await ask(books, exchange) is OrderState.PENDING_NEW
    await trio.sleep(0.1)
    assert await ask(books, exchange) is OrderState.REJECTED
    assert not exchange.calls


# Where it is searched


async def test_order_that_a_query_finds_is_as_the_query_says_and_no_list_is_asked_for(autojump_clock, books, exchange) -> None:
    sent_order(books, acknowledged=False)
    exchange.known["77"] = said(ID, "77", ReportedStatus.CANCELLED)
    assert await ask(books, exchange) is OrderState.CANCELLED
    assert not exchange.asked("open_orders")


@pytest.mark.parametrize("kind", [ErrorKind.ORDER_NOT_FOUND, ErrorKind.ALREADY_CLOSED], ids=lambda kind: kind.value)
@pytest.mark.parametrize("acknowledged", [True, False], ids=["acknowledged", "unacknowledged"])
async def test_order_that_a_query_does_not_find_is_found_in_the_list_of_open_orders(
    autojump_clock, books, exchange, kind, acknowledged
) -> None:
    sent_order(books, acknowledged=acknowledged)
    exchange.listed += [said(OTHER_ID, "76"), said(ID, "77")]
    exchange.failures["query_order"] = [refusal(kind)]
    assert await ask(books, exchange) is OrderState.OPEN
    assert books.order(ID).exchange_order_id == "77"


@pytest.mark.parametrize("acknowledged", [True, False], ids=["acknowledged", "unacknowledged"])
async def test_order_that_a_query_does_not_find_is_found_in_the_list_of_finished_orders(
    autojump_clock, books, exchange, acknowledged
) -> None:
    sent_order(books, acknowledged=acknowledged)
    exchange.finished += [said(OTHER_ID, "76", ReportedStatus.CANCELLED), said(ID, "77", ReportedStatus.EXPIRED)]
    assert await ask(books, exchange) is OrderState.EXPIRED


async def test_finished_orders_are_searched_from_before_the_sending_for_clocks_that_disagree(autojump_clock, books, exchange) -> None:
    sent_order(books, acknowledged=False)
    await ask(books, exchange)
    assert exchange.asked("finished_orders") == [SENT_AT - SEARCH_MARGIN_MILLISECONDS]


async def test_order_sent_while_our_clock_was_an_hour_ahead_is_searched_a_day_back_and_its_absence_believed_after_half_a_minute(
    autojump_clock, books, exchange
) -> None:
    sent_order(books, acknowledged=False)
    exchange.clock_offset_milliseconds = now_milliseconds = SENT_AT - 3_600_000
    assert await ask(books, exchange) is OrderState.PENDING_NEW
    assert exchange.asked("finished_orders") == [now_milliseconds - SEARCH_FAR_BACK_MILLISECONDS - SEARCH_MARGIN_MILLISECONDS]
    await trio.sleep(ABSENCE_GRACE_WITHOUT_EXPIRY_MILLISECONDS / 1000)
    assert await ask(books, exchange) is OrderState.PENDING_NEW
    await trio.sleep(0.001)
    assert await ask(books, exchange) is OrderState.REJECTED


async def test_other_refusals_of_a_query_say_nothing_of_the_order(autojump_clock, books, exchange) -> None:
    sent_order(books, acknowledged=False)
    exchange.failures["query_order"] = [refusal(ErrorKind.RATE_LIMITED)]
    with pytest.raises(ExchangeError):
        await ask(books, exchange)
    assert books.order(ID).state is OrderState.PENDING_NEW


# When its absence is believed


@pytest.mark.parametrize(("acknowledged", "end"), [(False, OrderState.REJECTED), (True, OrderState.CANCELLED)])
async def test_absence_is_believed_only_after_the_expiry_and_a_grace(autojump_clock, books, exchange, acknowledged, end) -> None:
    before = sent_order(books, acknowledged=acknowledged).state
    exchange.clock_offset_milliseconds = BELIEVED_AT
    assert await ask(books, exchange) is before
    await trio.sleep(0.001)
    assert await ask(books, exchange) is end


@pytest.mark.parametrize(("acknowledged", "end"), [(False, OrderState.REJECTED), (True, OrderState.CANCELLED)])
async def test_absence_of_an_order_without_expiry_is_believed_after_a_longer_grace(
    autojump_clock, books, exchange, acknowledged, end
) -> None:
    before = sent_order(books, acknowledged=acknowledged, expires_at_milliseconds=None).state
    exchange.clock_offset_milliseconds = SENT_AT + ABSENCE_GRACE_WITHOUT_EXPIRY_MILLISECONDS
    assert await ask(books, exchange) is before
    await trio.sleep(0.001)
    assert await ask(books, exchange) is end


@pytest.mark.parametrize("acknowledged", [True, False], ids=["acknowledged", "unacknowledged"])
async def test_absence_is_judged_by_the_exchanges_clock_asked_anew(autojump_clock, books, exchange, acknowledged) -> None:
    before = sent_order(books, acknowledged=acknowledged).state
    exchange.clock_offset_milliseconds = BELIEVED_AT - 1_000
    exchange.known_offset_milliseconds = BELIEVED_AT + TEN_MINUTES
    assert await ask(books, exchange) is before


async def test_absence_is_believed_at_once_where_our_idea_of_the_clock_lags(autojump_clock, books, exchange) -> None:
    sent_order(books, acknowledged=False)
    exchange.known_offset_milliseconds = SENT_AT
    assert await ask(books, exchange) is OrderState.REJECTED


async def test_absence_is_judged_by_the_time_of_asking_and_not_by_that_of_a_late_answer(autojump_clock, books, exchange) -> None:
    async def take_long(method: str) -> None:
        await trio.sleep(5 if method in ("open_orders", "finished_orders") else 0)

    before = sent_order(books, acknowledged=False).state
    exchange.clock_offset_milliseconds = BELIEVED_AT - 1_000
    exchange.before = take_long
    assert await ask(books, exchange) is before


async def test_order_never_accepted_is_refused_for_now_so_that_it_may_be_tried_anew(autojump_clock, books, exchange) -> None:
    sent_order(books, acknowledged=False)
    await ask(books, exchange)
    assert books.order(ID).refused_for_now


@pytest.mark.parametrize("asked_last", ["finished_orders", "fills"])
async def test_nothing_is_concluded_from_lists_that_are_older_than_what_was_heard_meanwhile(
    autojump_clock, books, exchange, asked_last
) -> None:
    """An early end of an order that is live would free its place, and a second one would be put there."""

    async def stream_is_quicker(method: str) -> None:
        if method == asked_last:
            books.hear(said(ID, "77", filled="0.4"))
            books.bookkeeper.happened(ID, OrderInput.CANCEL_ASKED)

    sent_order(books, acknowledged=asked_last == "fills")
    exchange.before = stream_is_quicker
    assert await ask(books, exchange) is OrderState.PENDING_CANCEL
    assert not books.seen(ImpossibleTransition)


# What an acknowledged order did before it vanished


async def test_fills_of_an_order_that_has_vanished_are_fetched_before_its_end_is_concluded(autojump_clock, books, exchange) -> None:
    sent_order(books, acknowledged=True)
    exchange.trades.append(trade(ID, "77", quantity="0.4"))
    assert await ask(books, exchange) is OrderState.CANCELLED
    assert [fill.trade_id for fill in books.order(ID).fills] == ["t1"]
    assert books.order(ID).is_settled


async def test_order_that_has_vanished_with_all_of_it_traded_is_filled(autojump_clock, books, exchange) -> None:
    sent_order(books, acknowledged=True)
    exchange.trades.append(trade(ID, "77"))
    assert await ask(books, exchange) is OrderState.FILLED
    assert not books.seen(ImpossibleTransition)


async def test_fills_are_asked_for_by_the_exchanges_id_and_not_at_all_without_one(autojump_clock, books, exchange) -> None:
    order = sent_order(books, acknowledged=False)
    assert await fetch_missing_fills(order, session=exchange.session, ledger=books.ledger) == []
    books.hear(said(ID, "77", filled="1"))
    await fetch_missing_fills(books.order(ID), session=exchange.session, ledger=books.ledger)
    assert exchange.asked("fills") == ["77"]


# What a conclusion of ours is worth


@pytest.mark.parametrize("acknowledged", [True, False], ids=["acknowledged", "unacknowledged"])
async def test_order_concluded_to_have_ended_is_live_again_when_the_exchange_lists_it(
    autojump_clock, books, exchange, acknowledged
) -> None:
    sent_order(books, acknowledged=acknowledged)
    assert (await ask(books, exchange)).is_terminal
    books.hear(said(ID, "77"))
    assert books.order(ID).state is OrderState.OPEN
    assert books.ledger.live_orders() == [books.order(ID)]
    assert not books.seen(ImpossibleTransition)


async def test_order_found_open_after_all_is_concluded_anew_when_that_word_was_an_old_one(autojump_clock, books, exchange) -> None:
    sent_order(books, acknowledged=True)
    await ask(books, exchange)
    books.hear(said(ID, "77"))
    assert await ask(books, exchange) is OrderState.CANCELLED


async def test_order_cancelled_by_the_exchanges_word_stays_so_whatever_is_listed_later(autojump_clock, books, exchange) -> None:
    sent_order(books, acknowledged=True)
    await ask(books, exchange)
    books.hear(said(ID, "77", ReportedStatus.CANCELLED))
    books.hear(said(ID, "77"))
    assert books.order(ID).state is OrderState.CANCELLED
    books.bookkeeper.happened(ID, OrderInput.CANCEL_ASKED)
    assert books.order(ID).state is OrderState.CANCELLED
