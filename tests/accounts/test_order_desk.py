"""The order desk over a real session, rate limiter and codec: what leaves, what is held back, and what an answer means."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from math import inf

import pytest
import trio
import trio.testing
from limited_account import Market
from msgspec.structs import replace
from scripted_account import BTC, Books, ScriptedHttp, answered, order_answer, real_session, said, sell

from actors.accounts.codec import PreparedRequest
from actors.accounts.events import AccountTrouble, OrderRefused
from actors.accounts.gate import OrderGate
from actors.accounts.gateio.order_entry import EXPIRY_HEADER
from actors.accounts.limits import Limits, OnBreach
from actors.accounts.order_desk import OrderDesk
from actors.accounts.order_entry import OrderEntry
from actors.accounts.stream_requests import StreamRequests
from actors.accounts.timing import AccountTiming
from actors.accounts.trading_states import TradingStates
from market.clock import VirtualWallClock
from market.events import Side
from market.instrument import Instrument
from network.errors import NetworkError, RequestNotSent, ResponseLost
from network.http import HttpResponse
from orders.commands import AmendOrder, PlaceOrder
from orders.errors import ErrorKind, ExchangeError
from orders.events import OrderSubmitted
from orders.life_cycle import OrderInput, OrderState
from orders.order import Order
from orders.reports import BalanceReport, ReportedStatus
from orders.states import TradingState

ID = "mm-btc-000000001"
FIRST_ID = "mm-btc-000000000"
FRESH_SECONDS = 2.0
RULES = Instrument(
    exchange="gateio_spot",
    symbol=BTC,
    price_tick=Decimal("0.1"),
    quantity_step=Decimal("0.001"),
    quantity_min=Decimal("0.001"),
    notional_min=Decimal(3),
)

LOST = [
    pytest.param(ResponseLost("no answer"), id="no answer"),
    pytest.param(NetworkError("broken"), id="broken connection"),
    pytest.param(answered(502), id="502 without a label"),
    pytest.param(answered(500, label="SERVER_ERROR", message="?"), id="500"),
    pytest.param(answered(503, label="TRADE_RESTRICTED", message="?"), id="5xx that reads like a refusal"),
    pytest.param(answered(400, label="INTERNAL", message="?"), id="server error under another status"),
    pytest.param(HttpResponse(status=200, headers={}, body=b"<html>"), id="unreadable"),
]


class Desk:
    """An order desk with everything around it. Placements have one place a second, and the book is always fresh."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.books = Books()
        self.books.bookkeeper.take(BalanceReport(asset="BTC", total=Decimal(10), available=Decimal(10)))
        self.http = ScriptedHttp()
        self.gate = OrderGate()
        self.trading_states = TradingStates(on_change=lambda event: None)
        self.wall_clock = VirtualWallClock(epoch_milliseconds=0)
        self.session = real_session(self.http, wall_clock=self.wall_clock, orders_per_second=1)
        self.requests = StreamRequests()
        self.asked_about: list[str] = []
        self.doubts_of_funds = 0
        self.market = Market(self.books.ledger, (BTC,))
        self.market.quote(99.9, 100.1, received_at=inf)
        self.desk = OrderDesk(
            bookkeeper=self.books.bookkeeper,
            entry=OrderEntry(session=self.session, requests=self.requests),
            gate=self.gate,
            states=self.trading_states,
            limits=self.market.limits(limits),
            timing=AccountTiming(order_expiry_seconds=3.0),
            rules={BTC: RULES},
            ask_now=self.asked_about.append,
            doubt_funds=self._doubt_funds,
        )

    def _doubt_funds(self) -> None:
        self.doubts_of_funds += 1

    def command(self, client_order_id: str = ID) -> PlaceOrder:
        return PlaceOrder(request=sell(client_order_id), expires_at=trio.current_time() + FRESH_SECONDS)

    async def place(self, answer: HttpResponse | Exception | None = None) -> Order:
        """Accept and place one order, to which this is the answer."""
        if answer is not None:
            self.http.answers.append(answer)
        command = self.command()
        assert self.desk.accept(command)
        await self.desk.place(command)
        return self.books.order(ID)

    @asynccontextmanager
    async def waiting_for_the_rate_limit(self) -> AsyncIterator[None]:
        """Inside: an accepted placement waits for its place in the rate limit, which it gets before the block is left."""
        await self.use_up_the_rate_limit()
        command = self.command()
        assert self.desk.accept(command)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.desk.place, command)
            await trio.testing.wait_all_tasks_blocked()
            assert self.desk.is_in_flight(ID)
            assert not self.books.order(ID).sent
            yield

    async def use_up_the_rate_limit(self) -> None:
        self.http.answers.append(order_answer(FIRST_ID))
        first = self.command(FIRST_ID)
        assert self.desk.accept(first)
        await self.desk.place(first)

    @property
    def placements_sent(self) -> int:
        """Those of `ID` that really left."""
        return sum(ID.encode() in request.body for _, request in self.http.sent)

    def resting(self) -> Order:
        self.books.send(sell(ID))
        self.books.hear(said(ID, "77"))
        return self.books.order(ID)


# Accepting


async def test_accepted_order_is_written_down_and_in_flight_before_anything_leaves(autojump_clock) -> None:
    desk = Desk()
    assert desk.desk.accept(desk.command())
    assert desk.books.order(ID).state is OrderState.PENDING_NEW
    assert desk.books.seen(OrderSubmitted)
    assert desk.desk.is_in_flight(ID)
    assert not desk.http.sent


async def test_command_that_is_stale_when_it_is_read_is_refused_for_now(autojump_clock) -> None:
    desk = Desk()
    command = desk.command()
    await trio.sleep(FRESH_SECONDS + 0.001)
    assert not desk.desk.accept(command)
    order = desk.books.order(ID)
    assert (order.state, order.refused_for_now) == (OrderState.REJECTED, True)
    assert "stale" in order.reason
    assert not desk.desk.is_in_flight(ID)


async def test_command_in_the_last_moment_of_its_freshness_is_accepted(autojump_clock) -> None:
    desk = Desk()
    command = desk.command()
    await trio.sleep(FRESH_SECONDS)
    assert desk.desk.accept(command)


async def test_command_that_meets_a_closed_gate_is_refused_with_its_reason(autojump_clock) -> None:
    desk = Desk()
    desk.gate.close("Ctrl-C")
    assert not desk.desk.accept(desk.command())
    assert desk.books.order(ID).state is OrderState.REJECTED
    assert "Ctrl-C" in desk.books.order(ID).reason


async def test_order_against_the_rules_is_refused_for_good_and_told(autojump_clock) -> None:
    desk = Desk()
    assert not desk.desk.accept(replace(desk.command(), request=sell(ID, quantity="0.0001")))
    order = desk.books.order(ID)
    assert (order.state, order.refused_for_now) == (OrderState.REJECTED, False)
    assert desk.books.seen(OrderRefused)


# Leaving: the last look, after the wait for the rate limit


async def test_placement_waits_for_the_rate_limit_and_leaves_while_all_is_well(autojump_clock) -> None:
    desk = Desk()
    async with desk.waiting_for_the_rate_limit():
        desk.http.answers.append(order_answer(ID, exchange_order_id="78"))
    assert desk.placements_sent == 1
    assert desk.books.order(ID).state is OrderState.OPEN


async def test_gate_closed_while_a_placement_waits_for_the_rate_limit_holds_it_back(autojump_clock) -> None:
    desk = Desk()
    async with desk.waiting_for_the_rate_limit():
        desk.gate.close("Ctrl-C")
    assert desk.placements_sent == 0
    order = desk.books.order(ID)
    assert (order.state, order.sent, order.refused_for_now) == (OrderState.REJECTED, False, True)
    assert "Ctrl-C" in order.reason
    assert not desk.asked_about


async def test_order_cancelled_while_it_waits_for_the_rate_limit_is_held_back(autojump_clock) -> None:
    desk = Desk()
    async with desk.waiting_for_the_rate_limit():
        await desk.desk.cancel(desk.books.order(ID))
        assert desk.books.order(ID).state is OrderState.PENDING_CANCEL
    assert desk.placements_sent == 0
    assert len(desk.http.sent) == 1, "there is nothing to cancel at the exchange"
    assert desk.books.order(ID).state is OrderState.REJECTED


async def test_order_ended_while_it_waits_for_the_rate_limit_is_held_back(autojump_clock) -> None:
    desk = Desk()
    async with desk.waiting_for_the_rate_limit():
        desk.books.hear(said(ID, "78", ReportedStatus.REJECTED))
    assert desk.placements_sent == 0


async def test_placement_that_grows_stale_in_the_rate_limit_is_held_back(autojump_clock) -> None:
    desk = Desk()
    await desk.use_up_the_rate_limit()
    command = replace(desk.command(), expires_at=trio.current_time() + 0.5)
    assert desk.desk.accept(command)
    await desk.desk.place(command)
    assert desk.placements_sent == 0
    order = desk.books.order(ID)
    assert (order.state, order.sent, order.refused_for_now) == (OrderState.REJECTED, False, True)


async def test_leaving_is_noted_with_the_exchanges_time_and_the_expiry_that_is_sent(autojump_clock) -> None:
    desk = Desk()
    await trio.sleep(7)
    order = await desk.place(order_answer(ID))
    assert order.sent
    assert (order.sent_at_milliseconds, order.expires_at_milliseconds) == (7_000, 10_000)
    ((_, request),) = desk.http.sent
    assert dict(request.headers)[EXPIRY_HEADER] == "10000"


# What an answer means


async def test_accepted_placement_is_open_and_no_longer_in_flight(autojump_clock) -> None:
    desk = Desk()
    order = await desk.place(order_answer(ID))
    assert (order.state, order.exchange_order_id) == (OrderState.OPEN, "77")
    assert not desk.desk.is_in_flight(ID)
    assert not desk.asked_about


@pytest.mark.parametrize("answer", LOST)
async def test_placement_whose_answer_is_lost_is_unknown_asked_about_and_not_sent_again(autojump_clock, answer) -> None:
    desk = Desk()
    order = await desk.place(answer)
    assert order.state is OrderState.UNKNOWN
    assert desk.asked_about == [ID]
    assert desk.placements_sent == 1
    assert not desk.desk.is_in_flight(ID)


class NothingLearned:
    """What an exchange must tell before orders can be written for it, and has not told yet."""

    is_complete = False

    def request(self) -> PreparedRequest:
        return PreparedRequest(method="GET", path="/instruments", group="public", is_public=True)

    def learn(self, request: PreparedRequest, body: bytes) -> None:
        raise AssertionError("nothing was answered")


async def test_placement_that_fails_before_it_could_leave_has_ended_whatever_the_failure(autojump_clock, monkeypatch) -> None:
    desk = Desk()
    monkeypatch.setattr(desk.session.codec, "catalogue", NothingLearned())
    order = await desk.place(ResponseLost("no answer about the instruments"))
    assert (order.state, order.sent, order.refused_for_now) == (OrderState.REJECTED, False, True)
    assert not desk.asked_about
    assert desk.placements_sent == 0


async def test_placement_that_certainly_did_not_leave_has_ended_and_nobody_is_asked(autojump_clock) -> None:
    desk = Desk()
    order = await desk.place(RequestNotSent("no connection"))
    assert (order.state, order.refused_for_now) == (OrderState.REJECTED, True)
    assert not desk.asked_about
    assert not desk.desk.is_in_flight(ID)


@pytest.mark.parametrize(("status", "label", "for_now"), [(400, "BALANCE_NOT_ENOUGH", False), (429, "TOO_MANY_REQUESTS", True)])
async def test_placement_that_the_exchange_refuses_has_ended(autojump_clock, status, label, for_now) -> None:
    desk = Desk()
    order = await desk.place(answered(status, label=label, message="no"))
    assert (order.state, order.refused_for_now) == (OrderState.REJECTED, for_now)
    assert label in order.reason
    assert desk.doubts_of_funds == (label == "BALANCE_NOT_ENOUGH")
    assert not desk.asked_about
    assert not desk.desk.is_in_flight(ID)


async def test_refusal_for_want_of_funds_puts_in_doubt_what_is_known_of_them(autojump_clock) -> None:
    desk = Desk()
    desk.books.bookkeeper.take(BalanceReport(asset="BTC", total=Decimal("0.5"), available=Decimal("0.5")))
    assert not desk.desk.accept(desk.command())
    assert "insufficient balance" in desk.books.order(ID).reason
    assert desk.doubts_of_funds == 1


async def test_refusal_of_a_placement_that_the_exchange_has_told_of_ends_nothing_and_has_it_asked_about(autojump_clock) -> None:
    desk = Desk()
    desk.resting()
    desk.books.bookkeeper.happened(ID, OrderInput.CANCEL_ASKED)
    desk.desk.placing_failed(
        ID, ExchangeError(ErrorKind.INSUFFICIENT_BALANCE, code="BALANCE_NOT_ENOUGH", message="the first has it", http_status=400)
    )
    assert desk.books.order(ID).state is OrderState.UNKNOWN
    assert desk.asked_about == [ID]


async def test_placement_cancelled_in_the_middle_stays_pending_and_is_no_longer_in_flight(autojump_clock) -> None:
    desk = Desk()
    desk.http.answer_delay_seconds = 100
    with trio.move_on_after(1):
        await desk.place(order_answer(ID))
    order = desk.books.order(ID)
    assert (order.state, order.sent) == (OrderState.PENDING_NEW, True)
    assert not desk.desk.is_in_flight(ID)


async def test_placement_refused_for_its_time_has_the_clock_measured_so_that_the_next_one_carries_the_right_time(autojump_clock) -> None:
    desk = Desk()
    desk.http.answers = [answered(403, label="REQUEST_EXPIRED", message="?"), answered(200, server_time=600_000), order_answer(FIRST_ID)]
    order = await desk.place()
    assert (order.state, order.refused_for_now) == (OrderState.REJECTED, True)
    assert desk.session.exchange_time_milliseconds() == 600_000
    second = desk.command(FIRST_ID)
    assert desk.desk.accept(second)
    await desk.desk.place(second)
    assert desk.books.order(FIRST_ID).sent_at_milliseconds == 601_000


# Cancelling


async def test_cancellation_that_is_confirmed_ends_the_order(autojump_clock) -> None:
    desk = Desk()
    desk.http.answers.append(order_answer(ID, status="cancelled"))
    await desk.desk.cancel(desk.resting())
    assert desk.books.order(ID).state is OrderState.CANCELLED


@pytest.mark.parametrize("answer", [answer for answer in LOST if isinstance(answer.values[0], NetworkError)])
async def test_cancellation_whose_answer_is_lost_leaves_the_order_unknown_and_asked_about(autojump_clock, answer) -> None:
    desk = Desk()
    desk.http.answers.append(answer)
    await desk.desk.cancel(desk.resting())
    assert desk.books.order(ID).state is OrderState.UNKNOWN
    assert desk.books.order(ID).cancel_wanted
    assert desk.asked_about == [ID]


async def test_cancellation_that_did_not_leave_is_told_and_the_order_asked_about(autojump_clock) -> None:
    desk = Desk()
    desk.http.answers.append(RequestNotSent("no connection"))
    await desk.desk.cancel(desk.resting())
    assert desk.books.order(ID).state is OrderState.PENDING_CANCEL
    assert desk.books.seen(AccountTrouble)
    assert desk.asked_about == [ID]


@pytest.mark.parametrize(("label", "is_trouble"), [("ORDER_NOT_FOUND", False), ("ORDER_CLOSED", False), ("TRADE_RESTRICTED", True)])
async def test_refused_cancellation_does_not_end_the_order_but_has_it_asked_about(autojump_clock, label, is_trouble) -> None:
    desk = Desk()
    desk.http.answers.append(answered(400, label=label, message="?"))
    await desk.desk.cancel(desk.resting())
    assert desk.books.order(ID).state is OrderState.PENDING_CANCEL
    assert bool(desk.books.seen(AccountTrouble)) is is_trouble
    assert desk.asked_about == [ID]


async def test_cancellation_refused_for_its_time_goes_once_more_with_the_right_time(autojump_clock) -> None:
    desk = Desk()
    desk.http.answers = [
        answered(403, label="REQUEST_EXPIRED", message="?"),
        answered(200, server_time=600_000),
        order_answer(ID, status="cancelled"),
    ]
    await desk.desk.cancel(desk.resting())
    assert desk.books.order(ID).state is OrderState.CANCELLED
    assert dict(desk.http.sent[-1][1].headers)["Timestamp"] == "600"


# Amending


async def amend(desk: Desk, answer: HttpResponse | Exception) -> Order:
    desk.resting()
    desk.http.answers.append(answer)
    await desk.desk.amend(AmendOrder(client_order_id=ID, price=Decimal(101)))
    return desk.books.order(ID)


async def test_amendment_that_is_confirmed_changes_the_request(autojump_clock) -> None:
    order = await amend(Desk(), order_answer(ID, price="101"))
    assert (order.state, order.request.price) == (OrderState.OPEN, Decimal(101))


@pytest.mark.parametrize("answer", LOST)
async def test_amendment_whose_answer_is_lost_leaves_the_order_unknown_and_asked_about(autojump_clock, answer) -> None:
    desk = Desk()
    order = await amend(desk, answer)
    assert order.state is OrderState.UNKNOWN
    assert desk.asked_about == [ID]


@pytest.mark.parametrize("answer", [RequestNotSent("no connection"), answered(400, label="INVALID_PARAM_VALUE", message="?")])
async def test_amendment_that_is_refused_or_did_not_leave_changes_nothing_and_is_told(autojump_clock, answer) -> None:
    desk = Desk()
    order = await amend(desk, answer)
    assert (order.state, order.request.price) == (OrderState.OPEN, Decimal(100))
    assert desk.books.seen(OrderRefused)


async def test_amendment_behind_a_closed_gate_is_refused(autojump_clock) -> None:
    desk = Desk()
    desk.gate.close("Ctrl-C")
    order = await amend(desk, order_answer(ID))
    assert not desk.http.sent
    assert order.state is OrderState.OPEN
    assert desk.books.seen(OrderRefused)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"price": Decimal("94")}, "price 94 is more than 5% below the best bid 99.9 (max_price_deviation)"),
        ({"price": Decimal("99.95")}, "price 99.95 is not on a tick of 0.1"),
        ({"quantity": Decimal("10.001")}, "insufficient balance: 9.001 BTC needed, 9 available"),
        ({"quantity": Decimal(-1)}, "quantities and prices are positive"),
    ],
)
async def test_amendment_to_what_could_not_be_placed_is_refused_and_does_not_leave(autojump_clock, changes, reason: str) -> None:
    desk = Desk(Limits(max_price_deviation=Decimal("0.05")))
    desk.resting()
    desk.books.bookkeeper.take(BalanceReport(asset="BTC", total=Decimal(10), available=Decimal(9)))
    await desk.desk.amend(AmendOrder(client_order_id=ID, **changes))
    assert desk.books.seen(OrderRefused) == [OrderRefused("main", ID, reason)]
    assert not desk.http.sent
    assert desk.books.order(ID).state is OrderState.OPEN


async def test_amendment_on_its_way_counts_as_large_as_it_may_become(autojump_clock) -> None:
    desk = Desk()
    desk.resting()
    desk.desk.accept_amendment(AmendOrder(client_order_id=ID, quantity=Decimal(3)))
    assert desk.books.order(ID).largest_request.quantity == 3


# Limits


async def test_order_beyond_a_limit_ends_unsent_and_moves_the_account_into_the_state_that_the_settings_name(autojump_clock) -> None:
    desk = Desk(Limits(max_order_notional=Decimal(50), on_breach=OnBreach.REDUCE_ONLY))
    assert not desk.desk.accept(desk.command())
    reason = "notional 100 is above max_order_notional 50"
    assert (desk.books.order(ID).state, desk.books.order(ID).reason) == (OrderState.REJECTED, reason)
    entered = desk.trading_states.declared()["account:main"]
    assert (entered.state, entered.reason) == (TradingState.REDUCE_ONLY, reason)


async def test_refused_amendment_moves_the_account_into_the_state_that_the_settings_name_too(autojump_clock) -> None:
    desk = Desk(Limits(max_order_notional=Decimal(150), on_breach=OnBreach.HALT))
    desk.resting()
    await desk.desk.amend(AmendOrder(client_order_id=ID, quantity=Decimal(2)))
    assert desk.trading_states.declared()["account:main"].state is TradingState.HALTED


async def test_placements_and_amendments_of_one_second_are_counted_together_and_what_is_refused_is_not(autojump_clock) -> None:
    desk = Desk(Limits(max_orders_per_second=2))
    desk.resting()
    assert desk.desk.accept_amendment(AmendOrder(client_order_id=ID, price=Decimal(101))) is not None
    assert desk.desk.accept(desk.command("mm-btc-000000002"))
    for number in (3, 4):
        assert not desk.desk.accept(desk.command(f"mm-btc-00000000{number}"))
        assert desk.books.order(f"mm-btc-00000000{number}").refused_for_now
    await trio.sleep(1)
    assert desk.desk.accept(desk.command("mm-btc-000000005"))


async def test_order_without_a_price_to_check_it_by_is_refused_for_now(autojump_clock) -> None:
    desk = Desk()
    desk.market.lose("the feed has stopped")
    buy = replace(desk.command(), request=replace(sell(ID), side=Side.BUY))
    assert not desk.desk.accept(buy)
    order = desk.books.order(ID)
    assert order.refused_for_now
    assert order.reason == "there is no price to check it by: the book of BTC/USDT is lost (the feed has stopped)"


@pytest.mark.parametrize(
    ("bid", "reason"),
    [(110.0, "price 100 is more than 5% below the best bid 110.0 (max_price_deviation)"), (None, "no price to check it by")],
    ids=["gone away", "gone"],
)
async def test_order_whose_price_is_gone_while_it_waited_for_the_rate_limit_does_not_leave(autojump_clock, bid, reason: str) -> None:
    desk = Desk(Limits(max_price_deviation=Decimal("0.05")))
    await desk.use_up_the_rate_limit()
    command = desk.command()
    if bid is None:  # of assets a sell would leave all the same
        desk.books.bookkeeper.take(BalanceReport(asset="USDT", total=Decimal(1_000), available=Decimal(1_000)))
        command = replace(command, request=replace(command.request, side=Side.BUY))
    assert desk.desk.accept(command)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.desk.place, command)
        await trio.testing.wait_all_tasks_blocked()
        if bid is None:
            desk.market.lose()
        else:
            desk.market.quote(bid, bid + 1, received_at=inf)
    order = desk.books.order(ID)
    assert desk.placements_sent == 0
    assert order.refused_for_now
    assert reason in order.reason
