"""Requests over the private stream, alone: answered, lost, given up together, in doubt, and never more than the bound."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from scripted_account import ScriptedStream, refusal, said

from actors.accounts.stream_requests import DOUBT_AFTER_SECONDS, PENDING_MAX, StreamRequests
from network.errors import ConnectionLost, RequestNotSent, ResponseLost
from orders.errors import ErrorKind, ExchangeError
from orders.reports import StreamAnswered, StreamPong

TIMEOUT_SECONDS = 5.0


UNSENT = "unsent"


class Asking:
    """Requests over a scripted stream; what came of each is in `outcomes`, by its id, of one that was not sent by `UNSENT`."""

    def __init__(self) -> None:
        self.requests = StreamRequests()
        self.stream = ScriptedStream()
        self.outcomes: dict[str, bytes | Exception] = {}

    async def ask(self) -> None:
        request_id = UNSENT

        def write(given_id: str) -> str:
            nonlocal request_id
            request_id = given_id
            return f"frame {given_id}"

        try:
            self.outcomes[request_id] = await self.requests.ask(write, timeout_seconds=TIMEOUT_SECONDS)
        except (RequestNotSent, ResponseLost, ExchangeError) as error:
            self.outcomes[request_id] = error

    def answer(self, request_id: str, body: bytes = b"done") -> None:
        self.requests.hear([StreamAnswered(request_id, body)])


def lost(outcome: object, reason: str) -> bool:
    return isinstance(outcome, ResponseLost) and reason in str(outcome)


async def test_request_is_sent_once_and_answered_by_its_id(autojump_clock) -> None:
    asking = Asking()
    with asking.requests.carried_by(asking.stream):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(asking.ask)
            nursery.start_soon(asking.ask)
            await trio.testing.wait_all_tasks_blocked()
            asking.answer("2", b"second")
            asking.answer("1", b"first")
    assert asking.outcomes == {"1": b"first", "2": b"second"}
    assert sorted(asking.stream.sent) == ["frame 1", "frame 2"]


async def test_refusal_is_raised(autojump_clock) -> None:
    asking = Asking()
    with asking.requests.carried_by(asking.stream):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(asking.ask)
            await trio.testing.wait_all_tasks_blocked()
            asking.requests.hear([StreamAnswered("1", error=refusal(ErrorKind.INSUFFICIENT_BALANCE))])
    assert isinstance(asking.outcomes["1"], ExchangeError)


async def test_request_id_is_of_letters_and_digits_and_never_used_again_on_a_later_stream(autojump_clock) -> None:
    asking = Asking()
    ids: list[str] = []
    for _ in range(2):
        with asking.requests.carried_by(asking.stream):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(asking.ask)
                await trio.testing.wait_all_tasks_blocked()
                ids.append(asking.stream.sent[-1].removeprefix("frame "))
                asking.answer(ids[-1])
    assert len(set(ids)) == 2
    assert all(request_id.isalnum() and len(request_id) <= 32 for request_id in ids)


async def test_answer_that_never_comes_is_lost_after_the_time_out(autojump_clock) -> None:
    asking = Asking()
    with asking.requests.carried_by(asking.stream):
        await asking.ask()
        assert trio.current_time() == TIMEOUT_SECONDS
        assert lost(asking.outcomes["1"], "no answer within 5 s")


async def test_answer_that_comes_too_late_or_twice_or_to_nobody_changes_nothing(autojump_clock) -> None:
    asking = Asking()
    with asking.requests.carried_by(asking.stream):
        await asking.ask()
        asking.answer("1")
        asking.answer("1")
        asking.answer("another's")
        asking.answer("")
        assert lost(asking.outcomes["1"], "no answer")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(asking.ask)
            await trio.testing.wait_all_tasks_blocked()
            asking.answer("2", b"once")
            asking.answer("2", b"twice")
    assert asking.outcomes["2"] == b"once"


async def test_requests_that_wait_when_the_stream_dies_are_given_up_together_at_once(autojump_clock) -> None:
    asking = Asking()
    async with trio.open_nursery() as nursery:
        with asking.requests.carried_by(asking.stream):
            for _ in range(3):
                nursery.start_soon(asking.ask)
            await trio.sleep(0.5)
        await trio.testing.wait_all_tasks_blocked()
        assert trio.current_time() == 0.5
        assert len(asking.outcomes) == 3
    assert all(lost(outcome, "the stream was lost") for outcome in asking.outcomes.values())
    assert asking.stream.is_open
    assert not asking.requests.is_usable, "whoever listened to it has gone"


async def test_connection_that_breaks_while_a_request_is_sent_may_have_carried_it(autojump_clock) -> None:
    asking = Asking()
    asking.stream.failure = ConnectionLost("gone", code=1006, reason="reset")
    with asking.requests.carried_by(asking.stream):
        await asking.ask()
    assert lost(asking.outcomes["1"], "may have been received: gone")


async def test_without_a_stream_nothing_is_sent(autojump_clock) -> None:
    asking = Asking()
    assert not asking.requests.is_usable
    await asking.ask()
    assert isinstance(asking.outcomes[UNSENT], RequestNotSent)


async def test_stream_whose_end_is_known_takes_no_request(autojump_clock) -> None:
    asking = Asking()
    with asking.requests.carried_by(asking.stream):
        assert asking.requests.is_usable
        asking.stream.is_open = False
        assert not asking.requests.is_usable
        await asking.ask()
    assert isinstance(asking.outcomes[UNSENT], RequestNotSent)
    assert not asking.stream.sent


async def test_what_writing_raises_comes_out_and_nothing_is_sent_nor_waited_for(autojump_clock) -> None:
    asking = Asking()

    def write(request_id: str) -> str:
        raise LookupError(request_id)

    with asking.requests.carried_by(asking.stream):
        with pytest.raises(LookupError):
            await asking.requests.ask(write, timeout_seconds=TIMEOUT_SECONDS)
        await trio.sleep(10)
        assert asking.requests.is_usable
    assert not asking.stream.sent


async def test_writing_and_sending_are_one_step(autojump_clock) -> None:
    asking = Asking()
    steps: list[str] = []

    class Steps(trio.abc.Instrument):
        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            steps.append("step")

    def write(request_id: str) -> str:
        steps.append("written")
        return request_id

    async def send(frame: str | bytes) -> None:
        steps.append("sent")
        asking.answer("1")
        await trio.lowlevel.checkpoint()

    asking.stream.send = send  # type: ignore[method-assign]
    trio.lowlevel.add_instrument(Steps())
    with asking.requests.carried_by(asking.stream):
        await asking.requests.ask(write, timeout_seconds=TIMEOUT_SECONDS)
    written = steps.index("written")
    assert steps[written : written + 2] == ["written", "sent"]


# The bound


async def test_no_more_requests_than_the_bound_wait_at_a_time(autojump_clock) -> None:
    asking = Asking()
    with asking.requests.carried_by(asking.stream):
        async with trio.open_nursery() as nursery:
            for _ in range(PENDING_MAX):
                assert asking.requests.is_usable
                nursery.start_soon(asking.ask)
                await trio.testing.wait_all_tasks_blocked()
            assert not asking.requests.is_usable
            await asking.ask()
            assert isinstance(asking.outcomes[UNSENT], RequestNotSent)
            asking.answer("1")
            assert asking.requests.is_usable
            nursery.cancel_scope.cancel()


# Doubt


async def test_stream_that_answers_nothing_for_a_while_is_in_doubt_until_it_answers(autojump_clock) -> None:
    asking = Asking()
    with asking.requests.carried_by(asking.stream):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(asking.ask)
            await trio.sleep(DOUBT_AFTER_SECONDS)
            assert asking.requests.is_usable
            await trio.sleep(0.1)
            assert not asking.requests.is_usable
            asking.answer("1")
            assert asking.requests.is_usable


@pytest.mark.parametrize("news", [StreamPong(), StreamAnswered("1", b"late")])
async def test_doubt_outlasts_the_time_out_until_the_exchange_answers_anything(autojump_clock, news) -> None:
    asking = Asking()
    with asking.requests.carried_by(asking.stream):
        await asking.ask()
        await trio.sleep(60)
        assert not asking.requests.is_usable
        asking.requests.hear([news])
        assert asking.requests.is_usable


async def test_one_lost_answer_among_others_that_come_casts_no_doubt(autojump_clock) -> None:
    asking = Asking()
    with asking.requests.carried_by(asking.stream):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(asking.ask)  # never answered
            for number in range(2, 10):
                await trio.sleep(DOUBT_AFTER_SECONDS / 2)
                nursery.start_soon(asking.ask)
                await trio.testing.wait_all_tasks_blocked()
                asking.answer(str(number))
                assert asking.requests.is_usable


async def test_answer_to_one_request_does_not_end_the_wait_for_another(autojump_clock) -> None:
    asking = Asking()
    with asking.requests.carried_by(asking.stream):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(asking.ask)
            nursery.start_soon(asking.ask)
            await trio.sleep(0.5)
            asking.answer("1")
            await trio.sleep(DOUBT_AFTER_SECONDS)
            assert asking.requests.is_usable
            await trio.sleep(0.1)
            assert not asking.requests.is_usable


async def test_what_the_stream_tells_unasked_is_no_answer_and_ends_no_doubt(autojump_clock) -> None:
    asking = Asking()
    with asking.requests.carried_by(asking.stream):
        await asking.ask()
        asking.requests.hear([said("mm-btc-000000001", "77")])
        assert not asking.requests.is_usable


async def test_stream_that_is_idle_is_not_in_doubt(autojump_clock) -> None:
    asking = Asking()
    with asking.requests.carried_by(asking.stream):
        await trio.sleep(100)
        assert asking.requests.is_usable


async def test_new_stream_begins_without_doubt(autojump_clock) -> None:
    asking = Asking()
    with asking.requests.carried_by(asking.stream):
        await asking.ask()
        assert not asking.requests.is_usable
    with asking.requests.carried_by(ScriptedStream()):
        assert asking.requests.is_usable


async def test_request_that_is_cancelled_no_longer_counts(autojump_clock) -> None:
    asking = Asking()
    with asking.requests.carried_by(asking.stream):
        with trio.move_on_after(0.5):
            await asking.ask()
        asking.answer("1")
        assert asking.requests.is_usable
    assert not asking.outcomes


async def test_request_that_was_given_up_casts_no_doubt_on_a_stream_that_answers_again(autojump_clock) -> None:
    asking = Asking()
    with asking.requests.carried_by(asking.stream):
        await asking.ask()
        asking.requests.hear([StreamPong()])
        await trio.sleep(10 * DOUBT_AFTER_SECONDS)
        assert asking.requests.is_usable


async def test_requests_that_were_given_up_leave_room_for_others(autojump_clock) -> None:
    asking = Asking()
    with asking.requests.carried_by(asking.stream):
        async with trio.open_nursery() as nursery:
            for _ in range(PENDING_MAX):
                nursery.start_soon(asking.ask)
        asking.requests.hear([StreamPong()])
        assert asking.requests.is_usable
