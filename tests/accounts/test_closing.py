"""Closing: whose orders are cancelled, in what portions, what is confirmed, and when it is over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing
from scripted_account import BTC, Books, ScriptedSession, refusal, said, sell, trade

from actors.accounts.closing import AccountCloser, close_orders
from actors.accounts.codec import ProtocolError
from actors.accounts.dead_mans_switch import DeadMansSwitch
from actors.accounts.gate import OrderGate
from actors.accounts.session import AccountSession
from network.errors import NetworkError
from orders.errors import ErrorKind
from orders.events import LeftoverOrderFound
from orders.life_cycle import OrderInput, OrderState
from orders.reports import ReportedStatus

ID = "mm-btc-000000001"
LATE_ID = "mm-btc-000000009"
OTHER_OWNERS_ID = "mm-eth-000000001"
FAR_FUTURE = 10**9


class Closing:
    """A ledger, an exchange, and what closing tells."""

    def __init__(self, *, cancel_batch_max: int = 1) -> None:
        self.books = Books()
        self.exchange = ScriptedSession(cancel_batch_max=cancel_batch_max)
        self.progress: list[str] = []
        self.in_flight: set[str] = set()

    async def close(self, owner: str | None = None) -> None:
        """As the caller does, who sets the deadline."""
        with trio.fail_after(60):
            await close_orders(
                session=self.exchange.session,
                ledger=self.books.ledger,
                publish=self.books.bookkeeper.publish,
                progress=self.progress.append,
                owner=owner,
                in_flight=self.in_flight.__contains__,
            )

    def resting(self, client_order_id: str = ID, exchange_order_id: str = "77", *, owner: str = "btc") -> None:
        self.books.send(sell(client_order_id, owner=owner), expires_at_milliseconds=FAR_FUTURE)
        report = said(client_order_id, exchange_order_id)
        self.books.hear(report)
        self.exchange.listed.append(report)

    def poison(self, client_order_id: str, exchange_order_id: str, method: str) -> None:
        """From now on every such request that is about this order fails."""
        if method == "query_order":  # it is live and no longer listed
            self.exchange.listed = self.exchange.listed[1:]
        elif method == "fills":  # it has ended, and nobody can say at what price
            self.exchange.listed = self.exchange.listed[1:]
            self.books.hear(said(client_order_id, exchange_order_id, ReportedStatus.FILLED, filled="1"))

        def fail(called: str, what: object) -> None:
            about = what if isinstance(what, list) else [what]
            # What makes a batch fail makes the single request fail as well.
            if called.startswith(method) and (exchange_order_id in about or client_order_id in about):
                raise ProtocolError("rubbish")

        self.exchange.refuse = fail

    @property
    def cancelled(self) -> list[object]:
        return self.exchange.asked("cancel_reported")

    @property
    def listed_ids(self) -> list[str]:
        return [report.exchange_order_id for report in self.exchange.listed]


# What is cancelled


async def test_resting_order_is_cancelled_and_confirmed(autojump_clock) -> None:
    closing = Closing()
    closing.resting()
    await closing.close()
    assert closing.books.order(ID).state is OrderState.CANCELLED
    assert not closing.exchange.listed


async def test_order_of_an_earlier_run_that_only_the_exchange_knows_is_cancelled(autojump_clock) -> None:
    closing = Closing()
    closing.exchange.listed.append(said("mm-old-000000001", "70"))
    await closing.close()
    assert closing.books.seen(LeftoverOrderFound)
    assert not closing.exchange.listed
    assert not closing.books.ledger.live_orders()


async def test_orders_of_strangers_and_of_other_installations_are_not_touched(autojump_clock) -> None:
    closing = Closing()
    closing.resting()
    closing.exchange.listed += [said(None, "1"), said("mm2-btc-000000001", "2"), said("web", "3")]
    await closing.close()
    assert closing.cancelled == ["77"]
    assert closing.listed_ids == ["1", "2", "3"]


async def test_closing_one_owner_leaves_the_orders_of_others_alone_whatever_their_state(autojump_clock) -> None:
    closing = Closing()
    closing.resting()
    closing.resting(OTHER_OWNERS_ID, "78", owner="eth")
    closing.books.intend(sell("mm-eth-000000002", owner="eth"))
    closing.books.send(sell("mm-eth-000000003", owner="eth"))
    await closing.close("btc")
    assert closing.cancelled == ["77"]
    assert closing.books.order(OTHER_OWNERS_ID).state is OrderState.OPEN
    assert len(closing.books.ledger.live_orders("eth")) == 3


async def test_closing_one_owner_waits_for_no_fills_of_others(autojump_clock) -> None:
    closing = Closing()
    closing.resting(OTHER_OWNERS_ID, "78", owner="eth")
    closing.books.hear(said(OTHER_OWNERS_ID, "78", ReportedStatus.FILLED, filled="1"))
    await closing.close("btc")
    assert not closing.exchange.asked("fills")


async def test_orders_are_cancelled_in_batches_no_larger_than_the_exchange_allows(autojump_clock) -> None:
    closing = Closing(cancel_batch_max=20)
    for number in range(45):
        closing.resting(f"mm-btc-{number:09}", str(number))
    await closing.close()
    batches = [batch for batch in closing.exchange.asked("cancel_batch") if isinstance(batch, list)]
    assert sorted(len(batch) for batch in batches) == [5, 20, 20]
    assert sorted(int(number) for batch in batches for number in batch) == list(range(45))
    assert not closing.books.ledger.live_orders()


async def test_orders_are_cancelled_one_by_one_where_the_exchange_has_no_batches(autojump_clock) -> None:
    closing = Closing(cancel_batch_max=1)
    closing.resting()
    closing.resting("mm-btc-000000002", "78")
    await closing.close()
    assert sorted(map(str, closing.cancelled)) == ["77", "78"]
    assert not closing.exchange.asked("cancel_batch")


@pytest.mark.parametrize("batch_max", [1, 2])
@pytest.mark.parametrize("method", ["cancel_", "query_order", "fills"])
async def test_order_that_fails_every_time_holds_up_no_other(autojump_clock, method, batch_max) -> None:
    closing = Closing(cancel_batch_max=batch_max)
    ids = [f"mm-btc-{number:09}" for number in range(5)]
    for number, client_order_id in enumerate(ids):
        closing.resting(client_order_id, str(number))
    closing.poison(ids[0], "0", method)
    with trio.move_on_after(30):
        await closing.close()
    left = {order.client_order_id for order in (*closing.books.ledger.live_orders(), *closing.books.ledger.unsettled_orders())}
    assert left == {ids[0]}
    assert sum("rubbish" in text for text in closing.progress) > 3


# What has not left


async def test_order_that_never_left_ends_without_the_exchange(autojump_clock) -> None:
    closing = Closing()
    closing.books.intend(sell(ID))
    await closing.close()
    order = closing.books.order(ID)
    assert (order.state, order.cancel_wanted) == (OrderState.REJECTED, False)
    assert not closing.exchange.asked("query_order")


async def test_placement_about_to_leave_is_held_back_and_waited_for_instead_of_declared_ended(autojump_clock) -> None:
    closing = Closing()
    closing.books.intend(sell(ID))
    closing.in_flight.add(ID)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(closing.close, "btc")
        await trio.sleep(5)
        order = closing.books.order(ID)
        assert (order.state, order.cancel_wanted) == (OrderState.PENDING_CANCEL, True)
        assert not closing.exchange.asked("query_order"), "who sends it will hear of its fate itself"
        # The desk looks in the moment of leaving, and holds it back.
        closing.in_flight.discard(ID)
        closing.books.bookkeeper.happened(ID, OrderInput.NEVER_SENT)
    assert trio.current_time() < 7


async def test_placement_under_way_is_waited_for_and_cancelled_when_it_has_arrived(autojump_clock) -> None:
    closing = Closing()
    closing.books.send(sell(ID), expires_at_milliseconds=FAR_FUTURE)
    closing.in_flight.add(ID)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(closing.close, "btc")
        await trio.sleep(5)
        assert closing.books.order(ID).state is OrderState.PENDING_NEW
        closing.exchange.listed.append(said(ID, "77"))
        closing.in_flight.discard(ID)
    assert closing.books.order(ID).state is OrderState.CANCELLED


# When it is over


async def test_last_look_finds_the_order_that_arrived_while_the_others_were_cancelled(autojump_clock) -> None:
    closing = Closing()
    closing.resting()

    async def arrive_late(method: str) -> None:
        await trio.lowlevel.checkpoint()
        if method == "cancel_reported" and len(closing.cancelled) == 1:
            closing.exchange.listed.append(said(LATE_ID, "79"))

    closing.exchange.before = arrive_late
    await closing.close()
    assert closing.cancelled == ["77", "79"]
    assert not closing.exchange.listed


async def test_exchange_that_lists_nothing_of_ours_is_asked_once(autojump_clock) -> None:
    closing = Closing()
    closing.exchange.listed.append(said(None, "1"))
    await closing.close()
    assert len(closing.exchange.calls) == 1


async def test_order_that_is_not_listed_is_asked_about_until_its_fate_is_known(autojump_clock) -> None:
    closing = Closing()
    closing.books.send(sell(ID), expires_at_milliseconds=4_000)
    await closing.close()
    assert closing.books.order(ID).state is OrderState.REJECTED
    assert trio.current_time() > 4, "its absence was not believed before"
    assert len(closing.exchange.asked("query_order")) > 2


async def test_fills_of_ended_orders_are_waited_for(autojump_clock) -> None:
    closing = Closing()
    closing.resting()
    closing.exchange.listed.clear()
    closing.books.hear(said(ID, "77", ReportedStatus.CANCELLED, filled="0.5"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(closing.close)
        await trio.sleep(5)
        assert nursery.child_tasks
        closing.exchange.trades.append(trade(ID, "77", quantity="0.5"))
    assert closing.books.order(ID).is_settled


async def test_cancellation_refused_because_the_order_has_ended_is_no_trouble(autojump_clock) -> None:
    closing = Closing()
    closing.resting()

    async def fill_first(method: str) -> None:
        await trio.lowlevel.checkpoint()
        if method == "cancel_reported":
            closing.exchange.listed.clear()
            closing.exchange.known["77"] = said(ID, "77", ReportedStatus.FILLED, filled="1")
            closing.exchange.trades.append(trade(ID, "77"))

    closing.exchange.before = fill_first
    closing.exchange.failures["cancel_reported"] = [refusal(ErrorKind.ORDER_NOT_FOUND)]
    await closing.close()
    assert closing.books.order(ID).state is OrderState.FILLED
    assert closing.books.order(ID).is_settled
    assert not any("trying again" in text for text in closing.progress)


FAILURES = [NetworkError("broken"), ProtocolError("rubbish"), refusal(ErrorKind.RETRYABLE), refusal(ErrorKind.AUTHENTICATION)]


@pytest.mark.parametrize("method", ["open_orders", "cancel_reported"])
@pytest.mark.parametrize("failure", FAILURES, ids=lambda error: str(error) or type(error).__name__)
async def test_round_that_fails_is_told_and_followed_by_another(autojump_clock, method, failure) -> None:
    closing = Closing()
    closing.resting()
    closing.exchange.failures[method] = [failure, failure]
    await closing.close()
    assert closing.books.order(ID).state is OrderState.CANCELLED
    assert sum(str(failure) in text for text in closing.progress) == 2


async def test_rounds_follow_one_another_with_growing_pauses(autojump_clock) -> None:
    closing = Closing()
    closing.exchange.failures["open_orders"] = [NetworkError("broken")] * 8
    await closing.close()
    assert closing.exchange.times("open_orders") == pytest.approx([0, 0.1, 0.3, 0.7, 1.5, 2.5, 3.5, 4.5, 5.5])


# The closer: one account, whoever wants it closed


class Closer(Closing):
    """An `AccountCloser` that counts the sessions it opens, and a switch that is armed."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = OrderGate()
        self.sessions_opened = 0
        self.switch = DeadMansSwitch(
            account="main",
            capabilities=self.exchange.codec.capabilities,
            symbols=[BTC],
            timeout_seconds=30,
            report=self.books.told.append,
        )
        self.closer = AccountCloser(open_session=self._open_session, bookkeeper=self.books.bookkeeper, gate=self.gate, switch=self.switch)

    @asynccontextmanager
    async def _open_session(self) -> AsyncIterator[AccountSession]:
        self.sessions_opened += 1
        yield self.exchange.session

    async def arm(self) -> None:
        await self.switch.arm(self.exchange.session)

    @property
    def disarmed(self) -> bool:
        return not self.switch.may_be_armed


async def test_account_that_never_had_an_order_is_closed_without_asking(autojump_clock) -> None:
    closer = Closer()
    await closer.closer.close()
    assert not closer.sessions_opened


async def test_account_is_closed_over_a_session_of_its_own_and_its_standing_is_told(autojump_clock) -> None:
    closer = Closer()
    closer.resting()
    closer.exchange.failures["open_orders"] = [NetworkError("broken")]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(closer.closer.close)
        await trio.testing.wait_all_tasks_blocked()
        assert "closing main" in closer.closer.standing
    assert closer.closer.standing == ""
    assert closer.sessions_opened == 1
    assert not closer.exchange.listed


async def test_account_closed_behind_a_closed_gate_is_closed_for_good(autojump_clock) -> None:
    closer = Closer()
    closer.resting()
    closer.gate.close("Ctrl-C")
    await closer.closer.close()
    await closer.closer.close()
    assert closer.sessions_opened == 1


async def test_account_closed_before_an_open_gate_is_closed_anew_each_time(autojump_clock) -> None:
    closer = Closer()
    closer.resting()
    await closer.closer.close()
    closer.resting(LATE_ID, "79")
    await closer.closer.close()
    assert closer.cancelled == ["77", "79"]


async def test_gate_that_closes_only_during_the_closing_does_not_make_it_one_for_good(autojump_clock) -> None:
    """A placement may have left after the last look and before the gate was closed."""
    closer = Closer()
    closer.resting()

    async def close_gate(method: str) -> None:
        await trio.lowlevel.checkpoint()
        closer.gate.close("Ctrl-C")

    closer.exchange.before = close_gate
    await closer.closer.close()
    closer.resting(LATE_ID, "79")
    await closer.closer.close()
    assert closer.cancelled == ["77", "79"]


async def test_closing_that_was_cut_off_behind_a_closed_gate_is_tried_again(autojump_clock) -> None:
    closer = Closer()
    closer.resting()
    closer.gate.close("Ctrl-C")
    closer.exchange.failures["open_orders"] = [NetworkError("broken")] * 10
    with trio.move_on_after(1):
        await closer.closer.close()
    closer.exchange.failures.clear()
    await closer.closer.close()
    assert not closer.exchange.listed


async def test_account_that_was_given_up_is_not_tried_again(autojump_clock) -> None:
    closer = Closer()
    closer.resting()
    closer.closer.give_up()
    await closer.closer.close()
    assert not closer.sessions_opened
    assert closer.books.ledger.live_orders()


async def test_end_behind_a_closed_gate_disarms_the_switch_once_nothing_is_live(autojump_clock) -> None:
    closer = Closer()
    closer.resting()
    await closer.arm()
    closer.gate.close("Ctrl-C")
    await closer.closer.end()
    assert closer.disarmed
    assert [method for _, method, _ in closer.exchange.calls][-1] == "set_dead_mans_switch", "after the orders"
    assert not closer.exchange.listed


async def test_end_of_one_incarnation_before_an_open_gate_leaves_the_switch_armed(autojump_clock) -> None:
    closer = Closer()
    closer.resting()
    await closer.arm()
    await closer.closer.end()
    assert not closer.exchange.listed
    assert not closer.disarmed


async def test_end_leaves_the_switch_armed_while_an_order_may_be_live(autojump_clock) -> None:
    closer = Closer()
    closer.resting()
    await closer.arm()
    closer.gate.close("Ctrl-C")
    closer.closer.give_up()
    await closer.closer.end()
    assert not closer.disarmed


async def test_end_opens_no_session_where_no_switch_was_ever_armed(autojump_clock) -> None:
    closer = Closer()
    closer.gate.close("Ctrl-C")
    await closer.closer.end()
    assert not closer.sessions_opened


async def test_end_keeps_the_deadline_of_the_stop(autojump_clock) -> None:
    closer = Closer()
    await closer.arm()
    closer.gate.close("Ctrl-C")
    closer.closer.end_before(trio.current_time() + 0.5)

    async def hang(method: str) -> None:
        await trio.sleep(100)

    closer.exchange.before = hang
    await closer.closer.end()
    assert trio.current_time() == pytest.approx(0.5)
    assert not closer.disarmed


async def test_deadline_that_a_stop_sets_holds_for_an_end_that_began_before(autojump_clock) -> None:
    closer = Closer()
    closer.resting()
    closer.exchange.failures["open_orders"] = [NetworkError("broken")] * 1_000
    async with trio.open_nursery() as nursery:
        nursery.start_soon(closer.closer.end)
        await trio.sleep(1)
        closer.closer.end_before(trio.current_time() + 0.5)
    assert trio.current_time() == pytest.approx(1.5)
    assert closer.books.ledger.live_orders(), "the ledger says what is left"
