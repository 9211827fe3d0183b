from __future__ import annotations

import pytest
import trio
import trio.testing

from actors.channels.reply import Reply


async def test_reply_gives_the_asker_the_answer_once_it_is_there() -> None:
    reply = Reply[int]()
    answers: list[int] = []

    async def ask() -> None:
        answers.append(await reply.wait())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        assert not reply.is_answered
        assert reply.answer(42)
    assert answers == [42]


async def test_reply_raises_to_the_asker_the_error_it_was_failed_with() -> None:
    reply = Reply[int]()
    assert reply.fail(ConnectionError("gone"))
    with pytest.raises(ConnectionError, match="gone"):
        await reply.wait()


async def test_reply_ignores_and_counts_every_answer_after_the_first() -> None:
    reply = Reply[str]()
    assert reply.answer("first")
    assert not reply.answer("second")
    assert not reply.fail(ValueError("third"))
    assert await reply.wait() == "first"
    assert reply.answers_ignored == 2


async def test_reply_may_be_answered_after_the_asker_was_cancelled_and_asked_again() -> None:
    reply = Reply[str]()
    with trio.move_on_after(0) as scope:
        await reply.wait()
    assert scope.cancelled_caught
    assert reply.answer("late")
    assert await reply.wait() == "late"


def test_reply_repr_tells_its_state_but_not_its_answer() -> None:
    unanswered, answered, failed = Reply[str](), Reply[str](), Reply[str]()
    answered.answer("private")
    failed.fail(ValueError("private"))
    assert [repr(unanswered), repr(answered), repr(failed)] == ["<reply unanswered>", "<reply answered>", "<reply failed>"]


async def test_reply_wait_is_a_checkpoint_even_when_answered() -> None:
    reply = Reply[None]()
    reply.answer(None)
    with trio.testing.assert_checkpoints():
        await reply.wait()
