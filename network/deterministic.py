"""Runs that repeat bit for bit: one seed decides the scheduler, the websocket masks and, with `SimulatedNetwork`, the wire."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Generator, MutableSequence, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import trio
import trio._core as trio_core
import trio._core._run as trio_scheduler
import wsproto.frame_protocol
import wsproto.utilities

from network.jumping_clock import JumpingClock

Result = TypeVar("Result")


def run_deterministically(
    async_fn: Callable[..., Awaitable[Result]],
    *args: Any,
    seed: int,
    clock: trio.abc.Clock | None = None,
    watch_steps: Callable[[Sequence[trio.lowlevel.Task]], None] | None = None,
) -> Result:
    """`trio.run` under a virtual clock that jumps whenever every task waits, with all the randomness underneath drawn from `seed`.

    The program's own randomness is its own: pass it a seeded `random.Random`. `clock` replaces the jumping one. `watch_steps` is
    given the tasks of each step of the scheduler, before they run; what it raises ends the run as it stands. What was changed in the
    libraries is put back afterwards. Threads, real sockets and TLS (its keys are random) are not repeatable.
    """
    jumping = JumpingClock() if clock is None else clock
    with _seeded_scheduler(seed, watch_steps), _seeded_websockets(seed), _timed_by(jumping):
        return trio.run(async_fn, *args, clock=jumping)


@contextmanager
def _timed_by(clock: trio.abc.Clock) -> Generator[None]:
    """What Trio asks of a clock some thousand times a virtual second, the clock that jumps does itself, without detours.

    It sleeps without a cancel scope, it tells the time without asking who runs, and before each jump Trio looks, through two
    layers of Python, whether it is a `MockClock`: of the very class that it looks for it is seen at once.
    """
    if not isinstance(clock, JumpingClock):
        yield
        return
    own: list[tuple[Any, str, object]] = [
        (trio, "sleep", clock.sleep),
        (trio, "sleep_until", clock.sleep_until),
        (trio, "current_time", clock.current_time),
        (trio_core, "MockClock", JumpingClock),
    ]
    replaced = [(module, name, getattr(module, name)) for module, name, _ in own]
    for module, name, value in own:
        setattr(module, name, value)
    try:
        yield
    finally:
        for module, name, value in replaced:
            setattr(module, name, value)


@contextmanager
def _seeded_scheduler(seed: int, watch_steps: Callable[[Sequence[trio.lowlevel.Task]], None] | None) -> Generator[None]:
    """Trio shuffles the tasks of each step on purpose, with an unseeded generator of its own.

    Hypothesis needs it repeatable too, and these two private names are how Trio serves it (`_hypothesis_plugin_setup` in
    trio/_core/_run.py): with the flag, the tasks of a step are sorted before they are shuffled.
    """
    scheduler: Any = trio_scheduler  # the flag is declared Final, for users other than the test plugins
    flag = scheduler._ALLOW_DETERMINISTIC_SCHEDULING
    unseeded = scheduler._r
    scheduler._ALLOW_DETERMINISTIC_SCHEDULING = True
    scheduler._r = _Shuffler(seed) if watch_steps is None else _WatchedShuffler(seed, watch_steps)
    try:
        yield
    finally:
        scheduler._ALLOW_DETERMINISTIC_SCHEDULING = flag
        scheduler._r = unseeded


class _Shuffler(random.Random):
    """Most steps of a simulation have one task, and there is nothing to be drawn for it."""

    def shuffle(self, x: MutableSequence[Any]) -> None:
        if len(x) > 1:
            super().shuffle(x)


class _WatchedShuffler(_Shuffler):
    """It is asked at each step, and an instrument of Trio's, which would be too, costs seven calls of every task."""

    def __init__(self, seed: int, watch_steps: Callable[[Sequence[trio.lowlevel.Task]], None]) -> None:
        super().__init__(seed)
        self._watch_steps = watch_steps

    def shuffle(self, x: MutableSequence[Any]) -> None:
        self._watch_steps(x)
        super().shuffle(x)


@contextmanager
def _seeded_websockets(seed: int) -> Generator[None]:
    """A client masks every websocket frame with four bytes from `os.urandom`, as RFC 6455 asks (section 5.3), and a handshake has a nonce.

    In simulation no proxy is there to be fooled, and the bytes on the wire should repeat: wsproto gets a seeded source for the time of
    the run.
    """
    modules: list[Any] = [wsproto.frame_protocol, wsproto.utilities]
    real = [module.os for module in modules]
    entropy = _SeededEntropy(seed)
    for module in modules:
        module.os = entropy
    try:
        yield
    finally:
        for module, os_module in zip(modules, real, strict=True):
            module.os = os_module


class _SeededEntropy:
    """Stands in for the one function of `os` that wsproto uses."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)  # noqa: S311 - repeatable is the purpose

    def urandom(self, size: int) -> bytes:
        return self._rng.randbytes(size)
