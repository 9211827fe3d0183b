"""The batch desk over a real session, rate limiter and codec: what goes together, and what an answer means to each order of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal

import pytest
import trio
import trio.testing
from msgspec.structs import replace
from scripted_account import answered, order_answer, said, sell
from test_order_desk import Desk

from actors.accounts.batch_desk import BatchDesk, in_batches
from actors.accounts.events import AccountTrouble, OrderRefused
from market.symbol import Symbol
from network.errors import RequestNotSent, ResponseLost
from network.http import HttpResponse
from orders.commands import AmendOrder, PlaceOrder
from orders.events import ImpossibleTransition
from orders.life_cycle import OrderState
from orders.order import Order, Transport
from orders.reports import ReportedStatus

IDS = tuple(f"mm-btc-{number:09}" for number in range(1, 8))


def batch(*items: dict[str, object]) -> HttpResponse:
    return HttpResponse(status=200, headers={}, body=json.dumps(items).encode())


def ok(client_order_id: str, *, exchange_order_id: str = "", price: str = "100") -> dict[str, object]:
    """An order as a batch's answer shows it."""
    shown = json.loads(order_answer(client_order_id, exchange_order_id=exchange_order_id or f"7{client_order_id[-1]}", price=price).body)
    return {**shown, "succeeded": True, "label": "", "message": ""}


def no(label: str, **ids: str) -> dict[str, object]:
    return {**ids, "succeeded": False, "label": label, "message": "scripted"}


class Batches(Desk):
    """A batch desk with everything around it; batches of placements have one place a second."""

    def __init__(self, **capabilities: object) -> None:
        super().__init__()
        self.session.codec.capabilities = replace(self.session.codec.capabilities, **capabilities)  # type: ignore[misc]
        self.batches = BatchDesk(desk=self.desk, bookkeeper=self.books.bookkeeper, session=self.session)

    def accepted(self, *client_order_ids: str) -> list[PlaceOrder]:
        commands = [self.command(client_order_id) for client_order_id in client_order_ids]
        for command in commands:
            assert self.desk.accept(command)
        return commands

    async def place(self, *client_order_ids: str, answers: Sequence[HttpResponse | Exception]) -> list[Order]:  # type: ignore[override]
        self.http.answers = list(answers)
        await self.batches.place(self.accepted(*client_order_ids))
        return self.orders(*client_order_ids)

    def resting(self, *client_order_ids: str) -> list[Order]:  # type: ignore[override]
        for client_order_id in client_order_ids:
            self.books.send(sell(client_order_id))
            self.books.hear(said(client_order_id, f"7{client_order_id[-1]}"))
        return self.orders(*client_order_ids)

    def orders(self, *client_order_ids: str) -> list[Order]:
        return [self.books.order(client_order_id) for client_order_id in client_order_ids]

    def states(self, *client_order_ids: str) -> list[OrderState]:
        return [order.state for order in self.orders(*client_order_ids)]

    @property
    def paths(self) -> list[str]:
        return [request.path.rsplit("/", 1)[-1] for _, request in self.http.sent]

    @property
    def in_flight(self) -> list[str]:
        return [client_order_id for client_order_id in IDS if self.desk.is_in_flight(client_order_id)]


# Placing


async def test_placements_go_together_and_each_is_open_by_its_own_part_of_the_answer(autojump_clock) -> None:
    desk = Batches()
    orders = await desk.place(*IDS[:3], answers=[batch(*(ok(name) for name in IDS[:3]))])
    assert desk.paths == ["batch_orders"]
    assert [(order.state, order.exchange_order_id, order.transport) for order in orders] == [
        (OrderState.OPEN, f"7{name[-1]}", Transport.REST) for name in IDS[:3]
    ]
    assert not desk.in_flight
    assert not desk.asked_about


async def test_batch_whose_orders_have_different_fates_is_heeded_per_order(autojump_clock) -> None:
    desk = Batches()
    taken, refused, failed, left_out = IDS[:4]
    answer = batch(no("SERVER_ERROR", text=f"t-{failed}"), ok(taken), no("BALANCE_NOT_ENOUGH", text=f"t-{refused}"))
    orders = await desk.place(taken, refused, failed, left_out, answers=[answer])
    assert [order.state for order in orders] == [OrderState.OPEN, OrderState.REJECTED, OrderState.UNKNOWN, OrderState.UNKNOWN]
    assert "BALANCE_NOT_ENOUGH" in orders[1].reason
    assert not orders[1].refused_for_now
    assert desk.asked_about == [failed, left_out]


async def test_batch_that_was_merely_received_is_open_by_the_ids_that_the_answer_has(autojump_clock) -> None:
    desk = Batches()
    received = {"id": "71", "text": f"t-{IDS[0]}", "succeeded": True}
    nameless = {"text": f"t-{IDS[1]}", "succeeded": True}
    orders = await desk.place(*IDS[:2], answers=[batch(received, nameless)])
    assert (orders[0].state, orders[0].exchange_order_id) == (OrderState.OPEN, "71")
    assert orders[1].state is OrderState.UNKNOWN
    assert desk.asked_about == [IDS[1]]


@pytest.mark.parametrize(
    "answer",
    [
        ResponseLost("no answer"),
        answered(502),
        answered(500, label="SERVER_ERROR"),
        HttpResponse(status=200, headers={}, body=b"<html>"),
        batch(),
    ],
)
async def test_batch_whose_answer_is_lost_leaves_every_order_unknown_asked_about_and_not_sent_again(autojump_clock, answer) -> None:
    desk = Batches()
    orders = await desk.place(*IDS[:3], answers=[answer])
    assert [order.state for order in orders] == [OrderState.UNKNOWN] * 3
    assert desk.asked_about == list(IDS[:3])
    assert len(desk.http.sent) == 1
    assert not desk.in_flight


@pytest.mark.parametrize(
    ("answer", "for_now"),
    [(answered(400, label="TOO_MANY_CURRENCY_PAIRS"), False), (answered(429, label="TOO_MANY_REQUESTS"), True)],
)
async def test_batch_that_is_refused_as_a_whole_ends_each_of_its_orders(autojump_clock, answer, for_now) -> None:
    desk = Batches()
    orders = await desk.place(*IDS[:2], answers=[answer])
    assert [(order.state, order.refused_for_now) for order in orders] == [(OrderState.REJECTED, for_now)] * 2
    assert not desk.asked_about


async def test_batch_that_certainly_did_not_leave_ends_each_of_its_orders_for_now(autojump_clock) -> None:
    desk = Batches()
    orders = await desk.place(*IDS[:2], answers=[RequestNotSent("no connection")])
    assert [(order.state, order.refused_for_now) for order in orders] == [(OrderState.REJECTED, True)] * 2


def sent_together(desk: Batches) -> list[list[str]]:
    """The ids of each request's orders, however many it has."""
    bodies = [json.loads(request.body) for _, request in desk.http.sent]
    return sorted([order["text"].removeprefix("t-") for order in (body if isinstance(body, list) else [body])] for body in bodies)


async def test_more_placements_than_a_batch_holds_go_in_as_few_requests_as_they_fit_in(autojump_clock) -> None:
    desk = Batches(place_batch_max=3)
    commands = [replace(command, expires_at=100.0) for command in desk.accepted(*IDS)]
    desk.http.answers = [ResponseLost("no matter")] * 3
    await desk.batches.place(commands)
    assert sent_together(desk) == [list(IDS[:3]), list(IDS[3:6]), [IDS[6]]]
    assert sorted(desk.paths) == ["batch_orders", "batch_orders", "orders"], "what is left alone goes singly"


async def test_placements_go_singly_where_the_exchange_has_no_batches(autojump_clock) -> None:
    desk = Batches(place_batch_max=1)
    commands = [replace(command, expires_at=100.0) for command in desk.accepted(*IDS[:2])]
    desk.http.answers = [ResponseLost("no matter")] * 2
    await desk.batches.place(commands)
    assert desk.paths == ["orders", "orders"]
    assert sent_together(desk) == [[IDS[0]], [IDS[1]]]


async def test_order_cancelled_or_stale_in_the_moment_of_leaving_is_held_back_and_the_others_go(autojump_clock) -> None:
    desk = Batches()
    await desk.use_up_the_rate_limit()
    cancelled, stale, *rest = IDS[:4]
    commands = desk.accepted(cancelled, stale, *rest)
    commands[1] = replace(commands[1], expires_at=trio.current_time() + 0.5)
    desk.http.answers = [batch(*(ok(name) for name in rest))]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.batches.place, commands)
        await trio.testing.wait_all_tasks_blocked()
        await desk.desk.cancel(desk.books.order(cancelled))
    assert [order["text"] for order in json.loads(desk.http.sent[-1][1].body)] == [f"t-{name}" for name in rest]
    assert [(order.state, order.sent) for order in desk.orders(cancelled, stale)] == [(OrderState.REJECTED, False)] * 2
    assert desk.states(*rest) == [OrderState.OPEN] * 2
    assert not desk.asked_about


async def test_order_that_was_held_back_is_refused_once_also_when_the_answer_about_the_others_is_lost(autojump_clock) -> None:
    desk = Batches()
    stale, *rest = commands = desk.accepted(*IDS[:3])
    commands[0] = replace(stale, expires_at=-1.0)
    desk.http.answers = [ResponseLost("no answer")]
    await desk.batches.place(commands)
    assert desk.states(*IDS[:3]) == [OrderState.REJECTED, OrderState.UNKNOWN, OrderState.UNKNOWN]
    assert len(desk.books.seen(OrderRefused)) == 1
    assert desk.asked_about == [command.request.client_order_id for command in rest]


async def test_batch_whose_gate_closes_before_it_leaves_does_not_leave(autojump_clock) -> None:
    desk = Batches()
    await desk.use_up_the_rate_limit()
    commands = desk.accepted(*IDS[:2])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.batches.place, commands)
        await trio.testing.wait_all_tasks_blocked()
        desk.gate.close("Ctrl-C")
    assert len(desk.http.sent) == 1
    assert [(order.state, order.sent, order.refused_for_now) for order in desk.orders(*IDS[:2])] == [(OrderState.REJECTED, False, True)] * 2


async def test_batch_cancelled_in_the_middle_leaves_its_orders_pending_and_no_longer_in_flight(autojump_clock) -> None:
    desk = Batches()
    desk.http.answer_delay_seconds = 100
    with trio.move_on_after(1):
        await desk.place(*IDS[:2], answers=[batch()])
    assert [(order.state, order.sent) for order in desk.orders(*IDS[:2])] == [(OrderState.PENDING_NEW, True)] * 2
    assert not desk.in_flight


async def test_order_that_the_stream_told_filled_before_the_answer_was_lost_stays_filled(autojump_clock) -> None:
    desk = Batches()
    desk.http.answer_delay_seconds = 1
    commands = desk.accepted(*IDS[:2])
    desk.http.answers = [answered(400, label="INVALID_PARAM_VALUE")]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.batches.place, commands)
        await trio.sleep(0.5)
        desk.books.hear(said(IDS[0], "71", ReportedStatus.FILLED, filled="1"))
    assert desk.states(*IDS[:2]) == [OrderState.FILLED, OrderState.REJECTED]
    assert not desk.books.seen(ImpossibleTransition)


# Cancelling


async def test_cancellations_go_together_and_each_part_of_the_answer_is_heeded(autojump_clock) -> None:
    desk = Batches()
    cancelled, received, gone, refused, left_out = orders = desk.resting(*IDS[:5])
    shown = {**ok(cancelled.client_order_id), "status": "cancelled", "finish_as": "cancelled"}
    desk.http.answers = [
        batch(
            shown,
            {"id": received.exchange_order_id, "text": f"t-{received.client_order_id}", "succeeded": True},
            no("ORDER_NOT_FOUND", id=str(gone.exchange_order_id), text=""),
            no("TRADE_RESTRICTED", id="", text=f"t-{refused.client_order_id}"),
        )
    ]
    await desk.batches.cancel(orders)
    assert desk.paths == ["cancel_batch_orders"]
    assert [item["id"] for item in json.loads(desk.http.sent[0][1].body)] == [order.exchange_order_id for order in orders]
    assert desk.states(*IDS[:5]) == [
        OrderState.CANCELLED,
        OrderState.PENDING_CANCEL,
        OrderState.PENDING_CANCEL,
        OrderState.PENDING_CANCEL,
        OrderState.UNKNOWN,
    ]
    assert desk.asked_about == [gone.client_order_id, refused.client_order_id, left_out.client_order_id]
    assert len(desk.books.seen(AccountTrouble)) == 1


async def test_cancellations_whose_answer_is_lost_leave_their_orders_unknown_and_asked_about(autojump_clock) -> None:
    desk = Batches()
    desk.http.answers = [ResponseLost("no answer")]
    await desk.batches.cancel(desk.resting(*IDS[:2]))
    assert [(order.state, order.cancel_wanted) for order in desk.orders(*IDS[:2])] == [(OrderState.UNKNOWN, True)] * 2
    assert desk.asked_about == list(IDS[:2])


async def test_cancellations_of_what_has_not_left_or_has_ended_are_not_sent(autojump_clock) -> None:
    desk = Batches()
    (ended,) = desk.resting(IDS[0])
    desk.books.hear(said(IDS[0], "71", ReportedStatus.CANCELLED))
    desk.books.intend(sell(IDS[1]))
    await desk.batches.cancel([ended, desk.books.order(IDS[1])])
    assert not desk.http.sent
    assert desk.books.order(IDS[1]).cancel_wanted


async def test_order_without_an_exchange_id_is_cancelled_by_its_own(autojump_clock) -> None:
    desk = Batches()
    desk.books.send(sell(IDS[0]))
    desk.http.answers = [batch()]
    await desk.batches.cancel([desk.books.order(IDS[0]), *desk.resting(IDS[1])])
    assert [item["id"] for item in json.loads(desk.http.sent[0][1].body)] == [f"t-{IDS[0]}", "72"]


async def test_cancellations_go_singly_where_the_exchange_has_no_batches(autojump_clock) -> None:
    desk = Batches(cancel_batch_max=1)
    desk.http.answers = [ResponseLost("no matter")] * 2
    await desk.batches.cancel(desk.resting(*IDS[:2]))
    assert sorted(desk.paths) == ["71", "72"]


# Amending


def amendments(*client_order_ids: str, **changes: Decimal) -> list[AmendOrder]:
    return [AmendOrder(client_order_id=name, **(changes or {"price": Decimal(101)})) for name in client_order_ids]


async def test_amendments_go_together_and_each_part_of_the_answer_is_heeded(autojump_clock) -> None:
    desk = Batches()
    desk.resting(*IDS[:4])
    desk.books.intend(sell(IDS[4]))
    amended, received, refused, left_out, _not_open = IDS[:5]
    desk.http.answers = [
        batch(
            ok(amended, price="101"),
            {"order_id": "72", "succeeded": True},
            no("INVALID_PARAM_VALUE", order_id="73"),
        )
    ]
    await desk.batches.amend(amendments(*IDS[:5]))
    assert desk.paths == ["amend_batch_orders"]
    assert desk.states(amended, received, refused, left_out) == [OrderState.OPEN, OrderState.OPEN, OrderState.OPEN, OrderState.UNKNOWN]
    assert [order.request.price for order in desk.orders(amended, received, refused)] == [Decimal(101), Decimal(101), Decimal(100)]
    assert [event.client_order_id for event in desk.books.seen(OrderRefused)] == [IDS[4], refused]  # type: ignore[attr-defined]
    assert desk.asked_about == [refused, left_out]


async def test_amendments_whose_answer_is_lost_leave_their_orders_unknown_and_asked_about(autojump_clock) -> None:
    desk = Batches()
    desk.resting(*IDS[:2])
    desk.http.answers = [ResponseLost("no answer")]
    await desk.batches.amend(amendments(*IDS[:2]))
    assert desk.states(*IDS[:2]) == [OrderState.UNKNOWN] * 2
    assert desk.asked_about == list(IDS[:2])


async def test_amendments_that_may_not_leave_are_refused_and_nothing_is_sent(autojump_clock) -> None:
    desk = Batches()
    desk.resting(*IDS[:2])
    desk.gate.close("Ctrl-C")
    await desk.batches.amend(amendments(*IDS[:2]))
    assert not desk.http.sent
    assert len(desk.books.seen(OrderRefused)) == 2


async def test_amendments_of_price_and_quantity_go_singly_where_a_batch_cannot_change_both(autojump_clock) -> None:
    desk = Batches()
    desk.resting(*IDS[:3])
    desk.http.answers = [ResponseLost("no matter")] * 2
    both = amendments(IDS[2], price=Decimal(101), quantity=Decimal(2))
    await desk.batches.amend([*amendments(*IDS[:2]), *both])
    assert sorted(desk.paths) == ["73", "amend_batch_orders"]


# Which go together


def test_batches_hold_what_they_may_in_the_order_given() -> None:
    assert in_batches([1, 2, 3, 4, 5], 2) == [[1, 2], [3, 4], [5]]
    assert in_batches([], 2) == []


def test_batches_hold_no_more_symbols_than_they_may_and_are_as_few_as_can_be() -> None:
    a, b, c = (Symbol(base, "USDT") for base in "ABC")
    items = [(a, 1), (b, 1), (c, 1), (a, 2), (b, 2), (c, 2)]

    def batches(size_max: int, symbols_max: int) -> list[Sequence[tuple[Symbol, int]]]:
        return in_batches(items, size_max, symbol_of=lambda item: item[0], symbols_max=symbols_max)

    assert batches(10, 3) == [[(a, 1), (a, 2), (b, 1), (b, 2), (c, 1), (c, 2)]]
    assert batches(10, 2) == [[(a, 1), (a, 2), (b, 1), (b, 2)], [(c, 1), (c, 2)]]
    assert batches(10, 1) == [[(a, 1), (a, 2)], [(b, 1), (b, 2)], [(c, 1), (c, 2)]]
    assert batches(3, 2) == [[(a, 1), (a, 2), (b, 1)], [(b, 2), (c, 1), (c, 2)]]
