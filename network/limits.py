"""What everything that is sent to one exchange shares: its rate limiter, its breaker, and when it has asked to stop.

An exchange that is asked too much says so (429), and bans whoever goes on (418, or its firewall's 403). Both are *holds*: nothing
of a group of requests, or nothing at all, is sent before a certain time. A hold is never shortened, it holds urgent requests too,
and whatever wants to be sent meanwhile, first or again, waits its turn within the same budget.

An exchange that does not say for how long, or says too little, is asked more and more rarely: a group that is refused again as
soon as its hold is over is held twice as long. So a storm of refusals is a few requests, whoever wants to send how many.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from email.utils import parsedate_to_datetime
from math import inf

import msgspec
import trio

from network.breaker import CircuitBreaker
from network.errors import BreakerOpen, ConnectionFailed
from network.http import HttpResponse
from network.measures import RequestMeasures
from network.rate_limit import RateLimiter
from network.websocket import WebSocket, open_websocket

TOO_MANY_REQUESTS = 429
BANNED = 418
FORBIDDEN = 403
HOLD_SECONDS_MAX = 3 * 86_400.0
"""The longest ban that any exchange documents. What asks for more is a mistake, theirs or of a clock."""
WEBSOCKETS = "websockets"
"""The group of the requests that open websockets. They take no tokens, but may be held."""
_PENALTY_GROWS_TO_SECONDS = 10.0  # a cancel may wait for it
_BAN_GROWS_TO_SECONDS = 3600.0


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing of `group` (None: nothing at all) is sent before this Trio time."""

    group: str | None
    until_monotonic: float
    reason: str


def retry_after_seconds(response: HttpResponse) -> float | None:
    """The `Retry-After` header, as seconds or as a date measured against the answer's own `Date`; None where it says nothing."""
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdecimal():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - parsedate_to_datetime(response.headers.get("date", ""))).total_seconds())
    except (TypeError, ValueError):
        return None


def says_too_many(response: HttpResponse) -> bool:
    """Whether an answer's status says that its request was one too many."""
    return response.status == TOO_MANY_REQUESTS


class ExchangeLimits:
    """What all connections to one exchange share: its rate limiter, its circuit breaker, and how it says to stop, and for how long.

    `is_rate_limited` knows an answer that says to stop, by its status or in the exchange's own words; a 403 of which it says so is a
    ban, as 418 always is. `penalty_seconds` reads for how long; where it finds nothing, `penalty_seconds_default` and
    `ban_seconds_default` hold. `on_hold` gets each hold when it is placed, and each that is longer than the one before: it must
    neither block nor raise.
    """

    def __init__(
        self,
        limiter: RateLimiter,
        breaker: CircuitBreaker,
        *,
        is_rate_limited: Callable[[HttpResponse], bool] = says_too_many,
        penalty_seconds: Callable[[HttpResponse], float | None] = retry_after_seconds,
        penalty_seconds_default: float = 1.0,
        ban_seconds_default: float = 120.0,
        on_hold: Callable[[Hold], None] | None = None,
    ) -> None:
        self.limiter = limiter
        self.breaker = breaker
        self.is_rate_limited = is_rate_limited
        self.measures = RequestMeasures()
        self._penalty_seconds = penalty_seconds
        self._penalty_seconds_default = penalty_seconds_default
        self._ban_seconds_default = ban_seconds_default
        self._on_hold = on_hold
        self._held_until: dict[str | None, float] = {}
        self._strikes: dict[str | None, int] = {}  # how often in a row a group was refused as soon as its hold was over

    async def acquire(self, group: str, weight: int = 1, *, urgent: bool = False) -> None:
        """Wait for leave to send a request of `group`, by whatever way it will go. The breaker has yet to `admit` it then.

        Raises:
            BreakerOpen: it would not be let through; no token is spent on it.
            ValueError: as `RateLimiter.acquire`.
        """
        self.breaker.check(urgent=urgent)
        await self.limiter.acquire(group, weight, urgent=urgent)

    def try_acquire_nowait(self, group: str, weight: int = 1, *, urgent: bool = False) -> bool:
        """As `acquire`, if there is leave now and nobody is overtaken; False, and nothing taken, if not."""
        self.breaker.check(urgent=urgent)
        return self.limiter.try_acquire_nowait(group, weight, urgent=urgent)

    @asynccontextmanager
    async def open_websocket(
        self,
        url: str,
        *,
        headers: tuple[tuple[str, str], ...] = (),
        connect_timeout_seconds: float = 10.0,
        close_timeout_seconds: float = 2.0,
    ) -> AsyncGenerator[WebSocket]:
        """As `network.websocket.open_websocket`, but not during a ban, nor while the exchange wants no new connections.

        Raises:
            ConnectionFailed: on entering; nothing was sent if it is for a hold.
            ConnectionLost: from `receive` and `send`.
        """
        self._check_connecting()
        async with AsyncExitStack() as stack:
            opening = open_websocket(
                url, headers=headers, connect_timeout_seconds=connect_timeout_seconds, close_timeout_seconds=close_timeout_seconds
            )
            try:
                websocket = await stack.enter_async_context(opening)
            except ConnectionFailed as error:
                if error.status is not None:
                    self._note_status(error.status)
                raise
            self.accepted(WEBSOCKETS)
            yield websocket

    def note(self, response: HttpResponse, group: str) -> bool:
        """Heed an answer that says to stop, and whether it does: one request too many holds its group, a ban everything."""
        is_too_many = self.is_rate_limited(response)
        if response.status == BANNED or (response.status == FORBIDDEN and is_too_many):
            self._stop(None, self._penalty_seconds(response), f"status {response.status}")
        elif is_too_many:
            self._stop(group, self._penalty_seconds(response), f"status {response.status}")
        else:
            self.accepted(group)
            return False
        return True

    def slow_down(self, group: str, said: str) -> None:
        """The exchange said, by another way than an answer's status, that a request of `group` was one too many."""
        self._stop(group, None, said)

    def accepted(self, group: str) -> None:
        """A request of `group` was not one too many, whatever else its answer says."""
        self._strikes.pop(group, None)
        self._strikes.pop(None, None)

    def hold(self, group: str | None, until_monotonic: float, reason: str) -> None:
        """Let nothing of `group` (None: nothing at all) leave before this Trio time, urgent or not. Never shortens a hold.

        Raises:
            ValueError: there is no such group.
        """
        if until_monotonic <= self.held_until(group):
            return
        if group != WEBSOCKETS:
            self.limiter.penalise(group, until_monotonic)
        if group is None:
            self.breaker.open_until(until_monotonic, reason)
        if self.held_until(group) <= trio.current_time():  # a longer one of the same is no other
            self.measures.holds[group] += 1
        self._held_until[group] = until_monotonic
        if self._on_hold is not None:
            self._on_hold(Hold(group=group, until_monotonic=until_monotonic, reason=reason))

    def held_until(self, group: str | None) -> float:
        """The Trio time before which nothing of `group` (None: nothing at all) is sent; in the past where it is free."""
        return self._held_until.get(group, -inf)

    def _stop(self, group: str | None, asked_seconds: float | None, said: str) -> None:
        is_ban = group is None
        # What was sent before a hold began is heeded as far as it asks for more, and is no reason to hold for longer by itself.
        seconds = asked_seconds or 0.0
        if self.held_until(group) <= trio.current_time():
            default = self._ban_seconds_default if is_ban else self._penalty_seconds_default
            strikes = self._strikes[group] = self._strikes.get(group, 0) + 1
            grown = default * 2.0 ** (min(strikes, 20) - 2) if strikes > 1 else 0.0
            seconds = max(seconds or default, min(grown, _BAN_GROWS_TO_SECONDS if is_ban else _PENALTY_GROWS_TO_SECONDS))
        if seconds > HOLD_SECONDS_MAX:
            said = f"{said}; {seconds:.0f} s were asked for, which is longer than any exchange bans"
            seconds = HOLD_SECONDS_MAX
        until = trio.current_time() + seconds
        self.hold(group, until, f"{'banned' if is_ban else 'too many requests, held'} for {seconds:g} s ({said})")

    def _note_status(self, status: int) -> None:
        """The opening of a websocket was refused, with no more than a status."""
        if status == BANNED:
            self._stop(None, None, f"status {status} for a websocket")
        elif status == TOO_MANY_REQUESTS:
            self._stop(WEBSOCKETS, None, f"status {status} for a websocket")

    def _check_connecting(self) -> None:
        try:
            self.breaker.check(urgent=True)  # a stream that is lost is wanted back even while REST fails
        except BreakerOpen as error:
            raise ConnectionFailed(str(error)) from error
        seconds = self.held_until(WEBSOCKETS) - trio.current_time()
        if seconds > 0:
            raise ConnectionFailed(f"the exchange wants no new connections for {seconds:.3g} s more")
