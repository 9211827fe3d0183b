"""The answer to one command: a one-shot channel that travels inside the command."""

from __future__ import annotations

from typing import Generic, TypeVar

import trio

T = TypeVar("T")


class Reply(Generic[T]):
    """Where the answer to a command goes. The asker makes it, sends it along, and waits; the actor answers once.

    Answering never blocks and never raises, whether or not the asker still waits. Only the first answer counts; later
    ones change nothing and are counted in `answers_ignored`, which is zero unless an actor has a bug. An actor that
    dies before it answers leaves the reply unanswered, so an asker waits with a deadline of its own.
    """

    __slots__ = ("_answered", "_error", "_value", "answers_ignored")

    def __init__(self) -> None:
        self.answers_ignored = 0
        self._answered = trio.Event()
        self._value: T
        self._error: Exception | None = None

    def __repr__(self) -> str:
        state = "unanswered" if not self.is_answered else "failed" if self._error is not None else "answered"
        return f"<reply {state}>"

    @property
    def is_answered(self) -> bool:
        """Whether an answer or a failure is there, so that `wait` returns or raises without waiting."""
        return self._answered.is_set()

    def answer(self, value: T) -> bool:
        """Give the answer; true if it is the one that counts."""
        if not self._is_first():
            return False
        self._value = value
        self._answered.set()
        return True

    def fail(self, error: Exception) -> bool:
        """Give an error instead of an answer; `wait` raises it. True if it is the one that counts."""
        if not self._is_first():
            return False
        self._error = error
        self._answered.set()
        return True

    async def wait(self) -> T:
        """The answer, once it is there. A cancelled call changes nothing and may be made again.

        Raises:
            Exception: the one given to `fail`.
        """
        await self._answered.wait()
        if self._error is not None:
            raise self._error
        return self._value

    def _is_first(self) -> bool:
        if self._answered.is_set():
            self.answers_ignored += 1
            return False
        return True
