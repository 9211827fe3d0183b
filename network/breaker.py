"""A circuit breaker per exchange: when it does not answer, stop asking for a while, then ask once.

    closed ──too many failures──> open ──period over──> half_open ──success──> closed
       └──────────ban──────────────┘ ↑                      └──failure, ban──> open

Urgent requests (cancels) pass an open breaker, for an exchange that half works should still be told to cancel; only a ban holds them.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from math import inf
from types import TracebackType

import msgspec
import trio

from network.errors import BreakerOpen


class BreakerState(enum.Enum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class _Event(enum.Enum):
    TOO_MANY_FAILURES = "too many failures"
    BAN = "ban"
    PERIOD_OVER = "period over"
    SUCCESS = "success"
    FAILURE = "failure"


# What is not listed changes nothing.
_TRANSITIONS: dict[tuple[BreakerState, _Event], BreakerState] = {
    (BreakerState.CLOSED, _Event.TOO_MANY_FAILURES): BreakerState.OPEN,
    (BreakerState.CLOSED, _Event.BAN): BreakerState.OPEN,
    (BreakerState.OPEN, _Event.BAN): BreakerState.OPEN,
    (BreakerState.OPEN, _Event.PERIOD_OVER): BreakerState.HALF_OPEN,
    (BreakerState.OPEN, _Event.SUCCESS): BreakerState.CLOSED,
    (BreakerState.HALF_OPEN, _Event.SUCCESS): BreakerState.CLOSED,
    (BreakerState.HALF_OPEN, _Event.FAILURE): BreakerState.OPEN,
    (BreakerState.HALF_OPEN, _Event.BAN): BreakerState.OPEN,
}


class BreakerChanged(msgspec.Struct, frozen=True):
    """The breaker of `exchange` went from one state to another. It stays open for `open_seconds` from now; 0 unless it is open."""

    exchange: str
    before: BreakerState
    after: BreakerState
    reason: str
    open_seconds: float


class CircuitBreaker:
    """Counts consecutive failures of everything sent to one exchange; `on_change` gets each change of state.

    `on_change` is called synchronously from whatever request caused it: it must neither block nor raise.
    """

    def __init__(
        self,
        exchange: str,
        *,
        failures_max: int = 5,
        open_seconds: float = 5.0,
        on_change: Callable[[BreakerChanged], None] | None = None,
    ) -> None:
        self._exchange = exchange
        self._failures_max = failures_max
        self._open_seconds = open_seconds
        self._on_change = on_change
        self._state = BreakerState.CLOSED
        self._reason = ""
        self._failures = 0
        self._open_until = -inf
        self._banned_until = -inf
        self._probe: Permit | None = None
        self.openings = 0
        """How often it has been opened."""

    @property
    def state(self) -> BreakerState:
        """The state now; an open breaker whose period is over reads half open, and says so to `on_change` with the next request."""
        return BreakerState.HALF_OPEN if self._is_period_over() else self._state

    @property
    def reason(self) -> str:
        """Why the breaker is not closed; empty while it is."""
        return self._reason

    def check(self, *, urgent: bool = False) -> None:
        """Find out whether a request would be let through, without being one.

        Raises:
            BreakerOpen: it would not.
        """
        now = trio.current_time()
        is_held = self.state is BreakerState.OPEN or self._probe is not None
        if self._banned_until <= now and (urgent or not is_held):
            return
        retry_at = max(now, self._open_until)
        until = f"is not asked for {retry_at - now:.3g} s more" if retry_at > now else "is being probed"
        raise BreakerOpen(f"{self._exchange} {until}: {self._reason}", retry_at_monotonic=retry_at)

    def admit(self, *, urgent: bool = False) -> Permit:
        """Let one request through: ``with breaker.admit() as permit``, and tell the permit how it went.

        Raises:
            BreakerOpen: not now.
        """
        self.check(urgent=urgent)
        if self._is_period_over():
            self._step(_Event.PERIOD_OVER, self._reason)
        permit = Permit(self, sent_in=self._state)
        if self._state is BreakerState.HALF_OPEN and self._probe is None:
            self._probe = permit
        return permit

    def open_until(self, until_monotonic: float, reason: str) -> None:
        """The exchange has banned us: let nothing through, urgent or not, before this Trio time. Never shortens a ban."""
        self._banned_until = max(self._banned_until, until_monotonic)
        self._open_until = max(self._open_until, self._banned_until)
        self._step(_Event.BAN, reason)

    def settle(self, permit: Permit, failure: str | None) -> None:
        """How a permitted request went; for the permit to call. What was sent before the last change of state proves nothing about it."""
        is_probe = self._probe is permit
        if is_probe:
            self._probe = None
        if permit.sent_in is not self._state:
            return
        if failure is None:
            self._failures = 0
            if self._state is not BreakerState.CLOSED and self._banned_until <= trio.current_time():
                self._step(_Event.SUCCESS, "it answered")
            return
        self._failures += 1
        if self._state is BreakerState.CLOSED and self._failures >= self._failures_max:
            self._open_until = trio.current_time() + self._open_seconds
            self._step(_Event.TOO_MANY_FAILURES, f"{self._failures} failures in a row, the last: {failure}")
        elif self._state is BreakerState.HALF_OPEN and is_probe:
            self._open_until = trio.current_time() + self._open_seconds
            self._step(_Event.FAILURE, f"the probe failed: {failure}")

    def withdraw(self, permit: Permit) -> None:
        """A permitted request never came to an end that says anything; for the permit to call."""
        if self._probe is permit:
            self._probe = None

    def _is_period_over(self) -> bool:
        return self._state is BreakerState.OPEN and self._open_until <= trio.current_time()

    def _step(self, event: _Event, reason: str) -> None:
        before = self._state
        after = self._state = _TRANSITIONS.get((before, event), before)
        self._reason = reason
        if after is BreakerState.OPEN and before is not after:
            self.openings += 1
        if after is not BreakerState.HALF_OPEN:
            self._probe = None
        if after is BreakerState.CLOSED:
            self._reason = ""
            self._failures = 0
            self._open_until = -inf
        if self._on_change is not None and (after is not before or event is _Event.BAN):
            open_seconds = round(self._open_until - trio.current_time(), 3) if after is BreakerState.OPEN else 0.0
            self._on_change(BreakerChanged(self._exchange, before, after, reason, open_seconds))


class Permit:
    """Leave to send one request. Leaving the block without a verdict (not sent after all, cancelled) counts for nothing."""

    def __init__(self, breaker: CircuitBreaker, *, sent_in: BreakerState) -> None:
        self.sent_in = sent_in
        self._breaker = breaker
        self._is_settled = False

    def succeeded(self) -> None:
        """The exchange answered, whatever it said, unless it said that it is broken (5xx)."""
        self._is_settled = True
        self._breaker.settle(self, None)

    def failed(self, reason: str) -> None:
        """The exchange did not answer, or answered 5xx."""
        self._is_settled = True
        self._breaker.settle(self, reason)

    def __enter__(self) -> Permit:
        return self

    def __exit__(self, exc_type: type[BaseException] | None, exc_value: BaseException | None, traceback: TracebackType | None) -> None:
        if not self._is_settled:
            self._breaker.withdraw(self)
