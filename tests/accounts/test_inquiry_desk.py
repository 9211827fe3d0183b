"""The inquiry desk: which orders are asked about, how soon, how often, and what follows from the answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
import trio
import trio.testing
from scripted_account import Books, ScriptedSession, refusal, said, sell, trade

from actors.accounts.codec import ProtocolError
from actors.accounts.events import AccountTrouble
from actors.accounts.inquiry import PAUSE_SECONDS_MAX, InquiryDesk
from actors.accounts.timing import AccountTiming
from network.errors import NetworkError
from orders.errors import ErrorKind
from orders.life_cycle import OrderInput, OrderState
from orders.order import Order
from orders.reports import ReportedStatus

ID = "mm-btc-000000001"
OTHER_ID = "mm-btc-000000002"
TIMING = AccountTiming(watchdog_seconds=0.25, cancel_patience_seconds=2.0, fills_patience_seconds=1.0, poll_seconds=4.0)


class Desk:
    """An inquiry desk with everything around it. Cancellations are written down in `cancelled`."""

    def __init__(self) -> None:
        self.books = Books()
        self.exchange = ScriptedSession()
        self.in_flight: set[str] = set()
        self.is_listening = True
        self.cancelled: list[tuple[float, str]] = []
        self.looks = 0
        self.doubts_of_funds = 0
        self.desk = InquiryDesk(
            bookkeeper=self.books.bookkeeper,
            session=self.exchange.session,
            timing=TIMING,
            is_in_flight=self.in_flight.__contains__,
            is_listening=lambda: self.is_listening,
            cancel=self._cancel,
            doubt_funds=self._doubt_funds,
        )

    def _doubt_funds(self) -> None:
        self.doubts_of_funds += 1

    async def _cancel(self, order: Order) -> None:
        await trio.lowlevel.checkpoint()
        self.cancelled.append((trio.current_time(), order.client_order_id))
        self.books.bookkeeper.happened(order.client_order_id, OrderInput.CANCEL_ASKED)

    def _look(self) -> None:
        self.looks += 1

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.desk.watch, self._look)
            nursery.start_soon(self._have_it_look)
            yield
            nursery.cancel_scope.cancel()

    async def _have_it_look(self) -> None:
        while True:
            await trio.sleep(TIMING.watchdog_seconds)
            self.desk.look(self._look)

    async def watch(self, seconds: float) -> None:
        async with self.watching():
            await trio.sleep(seconds)

    def resting(self, client_order_id: str = ID, exchange_order_id: str = "77") -> None:
        self.books.send(sell(client_order_id))
        report = said(client_order_id, exchange_order_id)
        self.books.hear(report)
        self.exchange.listed.append(report)

    def unknown(self, client_order_id: str = ID) -> None:
        """It has left, and its answer was lost."""
        self.books.send(sell(client_order_id), expires_at_milliseconds=10**9)
        self.books.bookkeeper.happened(client_order_id, OrderInput.ANSWER_LOST)

    def first_asked(self, client_order_id: str = ID) -> float | None:
        return next((when for when, _, what in self.exchange.calls if what == client_order_id), None)


# How soon


async def test_unknown_order_is_asked_about_at_the_next_look(autojump_clock) -> None:
    desk = Desk()
    desk.unknown()
    await desk.watch(0.3)
    assert desk.first_asked() == pytest.approx(TIMING.watchdog_seconds)


async def test_order_that_is_to_be_asked_about_now_does_not_wait_for_the_next_look(autojump_clock) -> None:
    desk = Desk()
    desk.resting()
    async with desk.watching():
        await trio.sleep(0.1)
        desk.desk.ask_now(ID)
        await trio.testing.wait_all_tasks_blocked()
        assert desk.first_asked() == pytest.approx(0.1)


@pytest.mark.parametrize("happened", [OrderInput.CANCEL_ASKED, OrderInput.AMEND_ASKED], ids=lambda happened: happened.value)
async def test_order_with_a_change_pending_is_asked_about_when_patience_is_over(autojump_clock, happened) -> None:
    desk = Desk()
    desk.resting()
    desk.books.bookkeeper.happened(ID, happened)
    await desk.watch(3)
    assert desk.first_asked() == pytest.approx(TIMING.cancel_patience_seconds)


async def test_placement_without_an_answer_is_asked_about_when_patience_is_over(autojump_clock) -> None:
    desk = Desk()
    desk.books.send(sell(ID), expires_at_milliseconds=10**9)
    await desk.watch(3)
    assert desk.first_asked() == pytest.approx(TIMING.cancel_patience_seconds)


async def test_placement_that_is_being_sent_is_not_asked_about(autojump_clock) -> None:
    desk = Desk()
    desk.books.send(sell(ID))
    desk.in_flight.add(ID)
    await desk.watch(60)
    assert not desk.exchange.calls


async def test_resting_order_is_left_to_the_stream_while_it_is_heard(autojump_clock) -> None:
    desk = Desk()
    desk.resting()
    await desk.watch(600)
    assert not desk.exchange.calls


async def test_resting_order_is_asked_about_over_rest_while_the_stream_is_broken(autojump_clock) -> None:
    desk = Desk()
    desk.resting()
    desk.is_listening = False
    await desk.watch(5)
    assert desk.first_asked() == pytest.approx(TIMING.poll_seconds)


# How often


async def test_order_that_stays_unknown_is_asked_about_with_growing_pauses_for_as_long_as_it_takes(autojump_clock) -> None:
    desk = Desk()
    desk.unknown()
    await desk.watch(120)
    times = desk.exchange.times("query_order")
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert pauses[:4] == pytest.approx([0.25, 0.5, 1.0, 2.0])
    assert pauses[5:] == pytest.approx([PAUSE_SECONDS_MAX] * len(pauses[5:]))
    assert times[-1] > 110


async def test_order_that_is_to_be_asked_about_now_follows_the_one_being_asked_about_and_nothing_shows_life_while_that_hangs(
    autojump_clock,
) -> None:
    desk = Desk()
    desk.unknown()
    desk.resting(OTHER_ID, "78")
    hangs_seconds = [3.0]

    async def hang(_: str) -> None:
        if hangs_seconds:
            await trio.sleep(hangs_seconds.pop())

    desk.exchange.before = hang
    async with desk.watching():
        await trio.sleep(1)
        looks = desk.looks
        desk.desk.ask_now(OTHER_ID)
        await trio.sleep(1)
        assert desk.looks == looks
        assert desk.first_asked(OTHER_ID) is None
        await trio.sleep(1.3)
        assert desk.first_asked(OTHER_ID) == pytest.approx(TIMING.watchdog_seconds + 3.0)
        assert desk.looks > looks


async def test_each_look_is_a_sign_of_life(autojump_clock) -> None:
    desk = Desk()
    await desk.watch(10.1)
    assert desk.looks >= 40


# What follows


async def test_answer_about_an_unknown_order_is_taken_and_no_more_is_asked(autojump_clock) -> None:
    desk = Desk()
    desk.unknown()
    desk.exchange.listed.append(said(ID, "77"))
    await desk.watch(60)
    assert desk.books.order(ID).state is OrderState.OPEN
    assert len(desk.exchange.times("query_order")) == 1
    assert desk.doubts_of_funds == 0


async def test_wanted_cancellation_is_repeated_when_the_order_turns_out_to_be_open(autojump_clock) -> None:
    desk = Desk()
    desk.resting()
    desk.books.bookkeeper.happened(ID, OrderInput.CANCEL_ASKED)
    desk.books.bookkeeper.happened(ID, OrderInput.ANSWER_LOST)
    await desk.watch(1)
    assert [client_order_id for _, client_order_id in desk.cancelled] == [ID]


async def test_cancellation_that_the_exchange_does_not_carry_out_is_repeated_for_as_long_as_it_takes(autojump_clock) -> None:
    desk = Desk()
    desk.resting()
    desk.books.bookkeeper.happened(ID, OrderInput.CANCEL_ASKED)
    await desk.watch(60)
    assert len(desk.cancelled) >= 5


async def test_cancellation_is_not_repeated_when_the_order_turns_out_to_have_ended(autojump_clock) -> None:
    desk = Desk()
    desk.resting()
    desk.books.bookkeeper.happened(ID, OrderInput.CANCEL_ASKED)
    desk.books.bookkeeper.happened(ID, OrderInput.ANSWER_LOST)
    desk.exchange.listed = [said(ID, "77", ReportedStatus.CANCELLED)]
    await desk.watch(60)
    assert not desk.cancelled
    assert desk.doubts_of_funds == 1, "what it gave back may not have been told either"


async def test_order_nobody_wants_cancelled_is_not_cancelled_when_it_turns_out_to_be_open(autojump_clock) -> None:
    desk = Desk()
    desk.unknown()
    desk.exchange.listed.append(said(ID, "77"))
    await desk.watch(60)
    assert not desk.cancelled


async def test_fills_of_an_ended_order_are_fetched_when_the_stream_does_not_tell_them(autojump_clock) -> None:
    desk = Desk()
    desk.resting()
    desk.books.hear(said(ID, "77", ReportedStatus.FILLED, filled="1"))
    desk.exchange.trades.append(trade(ID, "77"))
    await desk.watch(60)
    assert desk.books.order(ID).is_settled
    assert desk.exchange.times("fills") == [pytest.approx(TIMING.fills_patience_seconds)]


async def test_fills_that_the_exchange_does_not_list_yet_are_asked_for_again(autojump_clock) -> None:
    desk = Desk()
    desk.resting()
    desk.books.hear(said(ID, "77", ReportedStatus.CANCELLED, filled="0.5"))
    async with desk.watching():
        await trio.sleep(10)
        desk.exchange.trades.append(trade(ID, "77", quantity="0.5"))
        await trio.sleep(10)
    assert desk.books.order(ID).is_settled


@pytest.mark.parametrize(
    "failure", [NetworkError("broken"), ProtocolError("rubbish"), refusal(ErrorKind.AUTHENTICATION)], ids=lambda error: type(error).__name__
)
async def test_order_whose_inquiry_fails_keeps_no_other_from_being_asked_about_and_is_tried_again(autojump_clock, failure) -> None:
    desk = Desk()
    desk.unknown()
    desk.unknown(OTHER_ID)
    desk.exchange.listed += [said(ID, "77"), said(OTHER_ID, "78")]
    desk.exchange.failures["query_order"] = [failure]
    await desk.watch(0.3)
    assert desk.books.order(ID).state is OrderState.UNKNOWN
    assert desk.books.order(OTHER_ID).state is OrderState.OPEN
    assert desk.books.seen(AccountTrouble)
    await desk.watch(1)
    assert desk.books.order(ID).state is OrderState.OPEN


async def test_order_that_fails_every_time_does_not_starve_one_that_becomes_unknown_later(autojump_clock) -> None:
    desk = Desk()
    desk.unknown()
    desk.exchange.failures["query_order"] = [NetworkError("broken")] * 20
    async with desk.watching():
        await trio.sleep(30)
        desk.exchange.failures.clear()
        desk.unknown(OTHER_ID)
        desk.exchange.listed.append(said(OTHER_ID, "78"))
        await trio.sleep(0.3)
        assert desk.books.order(OTHER_ID).state is OrderState.OPEN
