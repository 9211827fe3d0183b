"""Orders over the private stream: the order desk over a real session, rate limiter, breaker and codec, and a scripted stream.

What the desk does whichever way an order goes is in `test_order_desk`; here is what going over the stream adds.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal

import pytest
import trio
import trio.testing
from msgspec.structs import replace
from scripted_account import ScriptedStream, order_answer, refusal, said, sell, trade
from test_order_desk import FIRST_ID, ID, Desk

from actors.accounts.events import OrderRefused
from actors.accounts.session import REQUEST_TIMEOUT_SECONDS
from actors.accounts.stream_requests import DOUBT_AFTER_SECONDS
from network.errors import ConnectionLost, ResponseLost
from network.http import HttpResponse
from orders.commands import AmendOrder
from orders.errors import ErrorKind, ExchangeError
from orders.life_cycle import OrderState
from orders.order import Order, Transport
from orders.reports import ReportedStatus, StreamAnswered

PLACED = order_answer(ID).body
CANCELLED = order_answer(ID, status="cancelled").body


class StreamDesk(Desk):
    """An order desk whose private stream is up. Placements have one place a second, over the stream and REST together."""

    def __init__(self) -> None:
        super().__init__()
        self.stream = ScriptedStream()

    @property
    def channels_sent(self) -> list[str]:
        return [json.loads(frame)["channel"] for frame in self.stream.sent]

    @contextmanager
    def answering(self, *answers: bytes | ExchangeError | None) -> Iterator[None]:
        """Inside, the stream is up and answers each request with the next of these; one that is None is never answered."""
        left = list(answers)

        def answer(frame: str) -> None:
            said = left.pop(0)
            request_id = json.loads(frame)["payload"]["req_id"]
            if isinstance(said, ExchangeError):
                self.requests.hear([StreamAnswered(request_id, error=said)])
            elif said is not None:
                self.requests.hear([StreamAnswered(request_id, said)])

        self.stream.on_sent = answer
        with self.requests.carried_by(self.stream):
            yield

    async def place_over(self, answer: bytes | ExchangeError | None) -> Order:
        with self.answering(answer):
            return await self.place()

    @asynccontextmanager
    async def waiting_for_its_turn(self) -> AsyncIterator[None]:
        """Inside: an accepted placement waits for its place in the rate limit, which it gets before the block is left."""
        await self.place_first()
        command = self.command()
        assert self.desk.accept(command)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.desk.place, command)
            await trio.sleep(0.1)
            assert not self.books.order(ID).sent
            yield

    async def place_first(self) -> None:
        """One placement, which uses up the rate limit."""
        command = self.command(FIRST_ID)
        assert self.desk.accept(command)
        await self.desk.place(command)


# Which way


async def test_placement_goes_over_a_stream_that_is_up_and_nowhere_else(autojump_clock) -> None:
    desk = StreamDesk()
    order = await desk.place_over(PLACED)
    assert (order.state, order.exchange_order_id, order.transport) == (OrderState.OPEN, "77", Transport.WEBSOCKET)
    assert desk.channels_sent == ["spot.order_place"]
    assert not desk.http.sent
    assert not desk.desk.is_in_flight(ID)


async def test_placement_goes_by_rest_while_the_stream_is_down(autojump_clock) -> None:
    desk = StreamDesk()
    order = await desk.place(order_answer(ID))
    assert (order.state, order.transport) == (OrderState.OPEN, Transport.REST)
    assert desk.placements_sent == 1


async def test_placement_goes_by_rest_when_the_streams_end_is_known(autojump_clock) -> None:
    desk = StreamDesk()
    desk.stream.is_open = False
    desk.http.answers.append(order_answer(ID))
    order = await desk.place_over(PLACED)
    assert (order.state, order.transport) == (OrderState.OPEN, Transport.REST)
    assert not desk.stream.sent


@pytest.mark.parametrize("lacking", ["order_entry", "capability"])
async def test_placement_goes_by_rest_where_the_exchange_has_no_order_entry_over_the_stream(autojump_clock, monkeypatch, lacking) -> None:
    desk = StreamDesk()
    codec = desk.session.codec
    if lacking == "order_entry":
        monkeypatch.setattr(codec, "order_entry", None)
    else:
        monkeypatch.setattr(codec, "capabilities", replace(codec.capabilities, websocket_order_entry=False))
    desk.http.answers.append(order_answer(ID))
    order = await desk.place_over(PLACED)
    assert (order.transport, desk.stream.sent) == (Transport.REST, [])


async def test_placement_of_a_symbol_that_the_stream_does_not_carry_goes_by_rest(autojump_clock, monkeypatch) -> None:
    desk = StreamDesk()
    monkeypatch.setattr(type(desk.session.codec.order_entry), "carries", lambda self, symbol: symbol != sell(ID).symbol)
    desk.http.answers.append(order_answer(ID))
    order = await desk.place_over(PLACED)
    assert (order.transport, desk.stream.sent) == (Transport.REST, [])


async def test_placement_goes_by_rest_while_the_stream_is_in_doubt(autojump_clock) -> None:
    desk = StreamDesk()
    desk.resting()
    with desk.answering(None):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(desk.desk.cancel, desk.books.order(ID))
            await trio.sleep(DOUBT_AFTER_SECONDS + 0.1)
            desk.http.answers.append(order_answer(FIRST_ID))
            await desk.place_first()
            nursery.cancel_scope.cancel()
    assert desk.channels_sent == ["spot.order_cancel"]
    assert desk.books.order(FIRST_ID).transport is Transport.REST


# Leaving: as by REST, in the same step as the send


async def test_frame_carries_the_expiry_and_the_time_that_were_noted(autojump_clock) -> None:
    desk = StreamDesk()
    await trio.sleep(7)
    order = await desk.place_over(PLACED)
    assert (order.sent_at_milliseconds, order.expires_at_milliseconds) == (7_000, 10_000)
    (frame,) = (json.loads(sent) for sent in desk.stream.sent)
    assert (frame["time"], frame["payload"]["req_header"]) == (7, {"x-gate-exptime": "10000"})


async def test_gate_closed_while_a_placement_waits_for_the_rate_limit_holds_it_back(autojump_clock) -> None:
    desk = StreamDesk()
    with desk.answering(order_answer(FIRST_ID).body, PLACED):
        async with desk.waiting_for_its_turn():
            desk.gate.close("Ctrl-C")
    assert len(desk.stream.sent) == 1
    assert not desk.http.sent
    order = desk.books.order(ID)
    assert (order.state, order.sent, order.transport) == (OrderState.REJECTED, False, None)


async def test_order_cancelled_while_it_waits_for_the_rate_limit_is_held_back(autojump_clock) -> None:
    desk = StreamDesk()
    with desk.answering(order_answer(FIRST_ID).body, PLACED):
        async with desk.waiting_for_its_turn():
            await desk.desk.cancel(desk.books.order(ID))
    assert desk.channels_sent == ["spot.order_place"]
    assert desk.books.order(ID).state is OrderState.REJECTED


async def test_placement_whose_stream_goes_while_it_waits_for_the_rate_limit_goes_by_rest(autojump_clock) -> None:
    desk = StreamDesk()
    with desk.answering(order_answer(FIRST_ID).body, PLACED):
        async with desk.waiting_for_its_turn():
            desk.stream.is_open = False
            desk.http.answers.append(order_answer(ID))
    order = desk.books.order(ID)
    assert (order.state, order.transport) == (OrderState.OPEN, Transport.REST)
    assert len(desk.stream.sent) == 1


# Limits


async def test_placements_over_the_stream_and_by_rest_share_the_rate_limit(autojump_clock) -> None:
    desk = StreamDesk()
    desk.http.answers.append(order_answer(FIRST_ID))
    await desk.place_first()
    order = await desk.place_over(PLACED)
    assert order.transport is Transport.WEBSOCKET
    assert order.sent_at_milliseconds == 1_000, "the next second's place"


async def test_answer_that_says_too_many_closes_the_group_for_rest_too(autojump_clock) -> None:
    desk = StreamDesk()
    order = await desk.place_over(refusal(ErrorKind.RATE_LIMITED, http_status=429))
    assert (order.state, order.refused_for_now) == (OrderState.REJECTED, True)
    until = desk.session.limits.limiter.statistics()["orders"].penalised_until_monotonic
    assert until > trio.current_time()


async def test_refusals_over_the_stream_hold_longer_each_time_until_a_placement_is_accepted(autojump_clock) -> None:
    held: list[float] = []
    desk = StreamDesk()
    too_many = refusal(ErrorKind.RATE_LIMITED, http_status=429)
    for number, answer in enumerate((too_many, too_many, too_many, PLACED, too_many)):
        desk.stream.sent.clear()
        command = replace(desk.command(f"mm-btc-2{number:08}"), expires_at=trio.current_time() + 100)
        assert desk.desk.accept(command)
        with desk.answering(answer):
            await desk.desk.place(command)
        held.append(round(max(0.0, desk.session.limits.held_until("orders") - trio.current_time()), 3))
    assert held == [1, 1, 2, 0, 1]


async def test_open_breaker_holds_a_placement_back_and_lets_a_cancellation_pass(autojump_clock) -> None:
    desk = StreamDesk()
    open_breaker(desk)
    order = await desk.place_over(PLACED)
    assert (order.state, order.sent, order.refused_for_now) == (OrderState.REJECTED, False, True)
    desk.books.send(sell(FIRST_ID))
    with desk.answering(order_answer(FIRST_ID, status="cancelled").body):
        await desk.desk.cancel(desk.books.order(FIRST_ID))
    assert desk.channels_sent == ["spot.order_cancel"]
    assert desk.books.order(FIRST_ID).state is OrderState.CANCELLED


def open_breaker(desk: Desk) -> None:
    while not desk.session.limits.breaker.reason:
        with desk.session.limits.breaker.admit() as permit:
            permit.failed("scripted")


@pytest.mark.parametrize(
    ("answer", "opens"),
    [
        (refusal(ErrorKind.RETRYABLE, http_status=500), True),
        (refusal(ErrorKind.INSUFFICIENT_BALANCE), False),
        (None, False),
    ],
)
async def test_only_answers_of_a_failing_server_count_against_the_exchange(autojump_clock, answer, opens) -> None:
    desk = StreamDesk()
    failures = 0
    while failures < 10 and not desk.session.limits.breaker.reason:
        desk.stream.sent.clear()
        command = replace(desk.command(f"mm-btc-1{failures:08}"), expires_at=trio.current_time() + 100)
        assert desk.desk.accept(command)
        with desk.answering(answer):
            await desk.desk.place(command)
        failures += 1
    assert bool(desk.session.limits.breaker.reason) is opens


# What an answer means


@pytest.mark.parametrize(("kind", "status", "for_now"), [(ErrorKind.WOULD_TAKE, 400, False), (ErrorKind.MAINTENANCE, 403, True)])
async def test_placement_that_the_exchange_refuses_has_ended(autojump_clock, kind, status, for_now) -> None:
    desk = StreamDesk()
    order = await desk.place_over(refusal(kind, http_status=status))
    assert (order.state, order.refused_for_now) == (OrderState.REJECTED, for_now)
    assert not desk.asked_about
    assert not desk.http.sent


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(None, id="none"),
        pytest.param(refusal(ErrorKind.RETRYABLE, http_status=500), id="500"),
        pytest.param(refusal(ErrorKind.MAINTENANCE, http_status=503), id="5xx that reads like a refusal"),
        pytest.param(b"null", id="unreadable"),
    ],
)
async def test_placement_whose_answer_is_lost_is_unknown_asked_about_and_sent_nowhere_again(autojump_clock, answer) -> None:
    desk = StreamDesk()
    order = await desk.place_over(answer)
    assert order.state is OrderState.UNKNOWN
    assert desk.asked_about == [ID]
    assert (len(desk.stream.sent), len(desk.http.sent)) == (1, 0)
    assert not desk.desk.is_in_flight(ID)


async def test_placement_waits_for_its_answer_as_long_as_by_rest(autojump_clock) -> None:
    desk = StreamDesk()
    await desk.place_over(None)
    assert trio.current_time() == REQUEST_TIMEOUT_SECONDS


async def test_placements_under_way_when_the_stream_is_cut_are_unknown_at_once_and_sent_nowhere_again(autojump_clock) -> None:
    desk = StreamDesk()
    command = desk.command()
    assert desk.desk.accept(command)
    async with trio.open_nursery() as nursery:
        with desk.requests.carried_by(desk.stream):
            nursery.start_soon(desk.desk.place, command)
            await trio.sleep(0.5)
    assert trio.current_time() == 0.5
    assert desk.books.order(ID).state is OrderState.UNKNOWN
    assert desk.asked_about == [ID]
    assert not desk.http.sent


async def test_placement_whose_connection_breaks_while_it_is_sent_is_unknown_and_not_sent_by_rest(autojump_clock) -> None:
    desk = StreamDesk()
    desk.stream.failure = ConnectionLost("gone", code=1006, reason="reset")
    order = await desk.place_over(None)
    assert (order.state, order.sent, order.transport) == (OrderState.UNKNOWN, True, Transport.WEBSOCKET)
    assert not desk.http.sent


async def test_answer_that_comes_after_the_order_was_told_filled_changes_nothing(autojump_clock) -> None:
    desk = StreamDesk()
    command = desk.command()
    assert desk.desk.accept(command)
    with desk.requests.carried_by(desk.stream):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(desk.desk.place, command)
            await trio.testing.wait_all_tasks_blocked()
            desk.books.bookkeeper.take(trade(ID, "77"))
            desk.books.hear(said(ID, "77", ReportedStatus.FILLED, filled="1"))
            for _ in range(2):
                desk.requests.hear([StreamAnswered("1", PLACED)])
    assert desk.books.order(ID).state is OrderState.FILLED
    assert not desk.asked_about


async def test_order_that_the_stream_told_open_loses_nothing_when_its_answer_never_comes(autojump_clock) -> None:
    desk = StreamDesk()
    command = desk.command()
    assert desk.desk.accept(command)
    with desk.answering(None):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(desk.desk.place, command)
            await trio.testing.wait_all_tasks_blocked()
            desk.books.hear(said(ID, "77"))
    assert desk.books.order(ID).state is OrderState.OPEN
    assert not desk.asked_about
    assert not desk.desk.is_in_flight(ID)


async def test_placement_cancelled_in_the_middle_stays_pending(autojump_clock) -> None:
    desk = StreamDesk()
    with trio.move_on_after(1):
        await desk.place_over(None)
    order = desk.books.order(ID)
    assert (order.state, order.sent) == (OrderState.PENDING_NEW, True)
    assert not desk.desk.is_in_flight(ID)


async def test_placement_refused_for_its_time_has_the_clock_measured(autojump_clock) -> None:
    desk = StreamDesk()
    desk.http.answers.append(HttpResponse(status=200, headers={}, body=b'{"server_time":600000}'))
    order = await desk.place_over(refusal(ErrorKind.CLOCK_SKEW, http_status=403))
    assert (order.state, order.refused_for_now) == (OrderState.REJECTED, True)
    assert 600_000 <= desk.session.exchange_time_milliseconds() < 601_000


# Cancelling and amending


async def cancel(desk: StreamDesk, answer: bytes | ExchangeError | None) -> Order:
    with desk.answering(answer):
        await desk.desk.cancel(desk.resting())
    assert desk.channels_sent == ["spot.order_cancel"]
    assert not desk.http.sent
    return desk.books.order(ID)


async def test_cancellation_that_is_confirmed_ends_the_order(autojump_clock) -> None:
    assert (await cancel(StreamDesk(), CANCELLED)).state is OrderState.CANCELLED


async def test_cancellation_whose_answer_is_lost_leaves_the_order_unknown_and_asked_about(autojump_clock) -> None:
    desk = StreamDesk()
    order = await cancel(desk, None)
    assert (order.state, order.cancel_wanted) == (OrderState.UNKNOWN, True)
    assert desk.asked_about == [ID]


@pytest.mark.parametrize("kind", [ErrorKind.ORDER_NOT_FOUND, ErrorKind.ALREADY_CLOSED, ErrorKind.RATE_LIMITED])
async def test_refused_cancellation_does_not_end_the_order_but_has_it_asked_about(autojump_clock, kind) -> None:
    desk = StreamDesk()
    order = await cancel(desk, refusal(kind))
    assert order.state is OrderState.PENDING_CANCEL
    assert desk.asked_about == [ID]


async def test_order_that_left_while_its_cancellation_was_on_its_way_to_the_desk_is_cancelled(autojump_clock) -> None:
    desk = StreamDesk()
    desk.books.intend(sell(ID))
    as_the_owner_saw_it = desk.books.order(ID)
    desk.books.ledger.record_sent(ID, sent_at_milliseconds=0, expires_at_milliseconds=None)
    with desk.answering(CANCELLED):
        await desk.desk.cancel(as_the_owner_saw_it)
    assert desk.books.order(ID).state is OrderState.CANCELLED


async def amend(desk: StreamDesk, answer: bytes | ExchangeError | None) -> Order:
    desk.resting()
    with desk.answering(answer):
        await desk.desk.amend(AmendOrder(client_order_id=ID, price=Decimal(101)))
    assert desk.channels_sent == ["spot.order_amend"]
    assert not desk.http.sent
    return desk.books.order(ID)


async def test_amendment_that_is_confirmed_changes_the_request(autojump_clock) -> None:
    order = await amend(StreamDesk(), order_answer(ID, price="101").body)
    assert (order.state, order.request.price) == (OrderState.OPEN, Decimal(101))


async def test_amendment_that_is_refused_changes_nothing_and_is_told(autojump_clock) -> None:
    desk = StreamDesk()
    order = await amend(desk, refusal(ErrorKind.INVALID_PARAMETERS))
    assert (order.state, order.request.price) == (OrderState.OPEN, Decimal(100))
    assert desk.books.seen(OrderRefused)


async def test_amendment_whose_answer_is_lost_leaves_the_order_unknown_and_asked_about(autojump_clock) -> None:
    desk = StreamDesk()
    assert (await amend(desk, None)).state is OrderState.UNKNOWN
    assert desk.asked_about == [ID]


@pytest.mark.parametrize(
    "operate",
    [
        lambda desk: desk.desk.cancel(desk.resting()),
        lambda desk: desk.resting() and desk.desk.amend(AmendOrder(client_order_id=ID, price=Decimal(101))),
    ],
)
async def test_cancellation_and_amendment_go_by_rest_while_the_stream_is_down(autojump_clock, operate: Callable) -> None:
    desk = StreamDesk()
    desk.http.answers.append(ResponseLost("it went by REST"))
    await operate(desk)
    assert len(desk.http.sent) == 1
    assert not desk.stream.sent
