"""REST requests to one exchange, within its limits: signed when they are sent, repeated only where that is safe."""

from __future__ import annotations

import random
from collections.abc import Callable
from math import inf

import msgspec
import trio

from network.backoff import Backoff
from network.errors import BreakerOpen, NetworkError, RateLimited, RequestNotSent, ResponseLost, ResponseTooLarge
from network.http import HttpClient, HttpRequest, HttpResponse
from network.limits import ExchangeLimits
from network.measures import RequestOutcome


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """For requests that may be carried out twice without harm: queries and cancels.

    At most `attempts_max` sends, with an exponential back-off with jitter between them, and at most `total_seconds` for everything. Give
    none for a request that changes anything else: it is then sent at most once.
    """

    attempts_max: int = 4
    total_seconds: float = 15.0
    initial_seconds: float = 0.2
    factor: float = 2.0
    seconds_max: float = 3.0
    jitter: float = 0.5

    def __post_init__(self) -> None:
        if self.attempts_max < 1:
            raise ValueError(f"a retry policy allows at least one attempt, not {self.attempts_max}")


class _Asked(msgspec.Struct, frozen=True):
    """What `RestClient.send` was asked for, whichever attempt it is."""

    build: Callable[[], HttpRequest]
    group: str
    weight: int
    urgent: bool
    timeout_seconds: float


class RestClient:
    """An `HttpClient` under an exchange's shared limits. Owns neither: whoever opened the client closes it."""

    def __init__(self, http: HttpClient, limits: ExchangeLimits, *, rng: random.Random) -> None:
        self._http = http
        self._limits = limits
        self._rng = rng

    @property
    def limits(self) -> ExchangeLimits:
        """What it shares with every other connection to the exchange."""
        return self._limits

    async def send(
        self,
        build: Callable[[], HttpRequest],
        *,
        group: str,
        weight: int = 1,
        urgent: bool = False,
        retry: RetryPolicy | None = None,
        timeout_seconds: float,
        wait_seconds_max: float = inf,
    ) -> HttpResponse:
        """Wait for the limits, then build the request, send it and return the answer, whatever its status.

        `build` is called when there is leave to send, and the sending begins in the same step, without a checkpoint between: this is
        where a timestamp and a signature belong, and a last look at whether the request is still wanted. What it raises comes out
        unchanged, and nothing has been sent. Each repeat builds anew.

        `timeout_seconds` is for each exchange of bytes; `wait_seconds_max` for the wait before each, for the rate limiter and a free
        connection. `urgent` requests use the limiter's reserve and connections of their own, and pass an open breaker. With a policy,
        `RequestNotSent`, `ResponseLost`, 5xx and what is rate-limited are tried again, and the last outcome is what counts. Cancelled,
        the call says nothing about whether its request arrived.

        Raises:
            RateLimited: no leave in time; nothing was sent.
            BreakerOpen: the circuit breaker is open; never waited for, never tried again.
            RequestNotSent, ResponseLost: as `HttpClient.send`.
        """
        asked = _Asked(build, group, weight, urgent, timeout_seconds)
        if retry is None:
            return await self._attempt(asked, wait_until=trio.current_time() + wait_seconds_max, give_up_at=inf)
        give_up_at = trio.current_time() + retry.total_seconds
        backoff = Backoff(retry.initial_seconds, retry.factor, retry.seconds_max, retry.jitter, self._rng)
        outcome: HttpResponse | RequestNotSent | ResponseLost | None = None
        for attempt in range(1, retry.attempts_max + 1):
            wait_until = min(trio.current_time() + wait_seconds_max, give_up_at)
            try:
                outcome = await self._attempt(asked, wait_until=wait_until, give_up_at=give_up_at)
            except (BreakerOpen, ResponseTooLarge):
                raise
            except RateLimited as error:
                outcome = outcome or error  # what the exchange last said tells more
                break
            except (RequestNotSent, ResponseLost) as error:
                outcome = error
            if isinstance(outcome, HttpResponse) and not (outcome.status >= 500 or self._limits.is_rate_limited(outcome)):
                return outcome
            delay_seconds = backoff.next_delay_seconds()
            if attempt == retry.attempts_max or trio.current_time() + delay_seconds >= give_up_at:
                break
            await trio.sleep(delay_seconds)
        if isinstance(outcome, HttpResponse):
            return outcome
        assert outcome is not None  # noqa: S101 - a policy has at least one attempt
        raise outcome

    async def _attempt(self, asked: _Asked, *, wait_until: float, give_up_at: float) -> HttpResponse:
        """Send it once, and count what became of it."""
        measures = self._limits.measures
        try:
            response, is_too_many, seconds = await self._send_once(asked, wait_until=wait_until, give_up_at=give_up_at)
        except NetworkError as error:
            measures.ended(asked.group, _outcome_of_failure(error))
            raise
        measures.answered(asked.group, _outcome_of(response, is_too_many=is_too_many), seconds)
        return response

    async def _send_once(self, asked: _Asked, *, wait_until: float, give_up_at: float) -> tuple[HttpResponse, bool, float]:
        """The answer, whether it says that the request was one too many, and how long it took."""
        limits = self._limits
        lane = self._http.lane(urgent=asked.urgent)
        await self._wait_for_leave(lane, asked, wait_until)
        try:
            with limits.breaker.admit(urgent=asked.urgent) as permit:
                request = asked.build()
                sent_at = trio.current_time()
                try:
                    response = await self._http.send(request, timeout_seconds=min(asked.timeout_seconds, give_up_at - sent_at))
                except ResponseTooLarge:
                    permit.succeeded()  # it did answer
                    raise
                except (RequestNotSent, ResponseLost) as error:
                    permit.failed(str(error))
                    raise
                seconds = trio.current_time() - sent_at
                if response.status >= 500:
                    permit.failed(f"{request.method} {self._http.host}{request.path} answered {response.status}")
                else:
                    permit.succeeded()
        finally:
            lane.release()
        return response, limits.note(response, asked.group), seconds

    async def _wait_for_leave(self, lane: trio.CapacityLimiter, asked: _Asked, wait_until: float) -> None:
        """Take its places, at once where they are free. Raises: RateLimited, BreakerOpen."""
        await trio.lowlevel.checkpoint_if_cancelled()
        may_leave = trio.current_time() < wait_until and lane.available_tokens
        if may_leave and self._limits.try_acquire_nowait(asked.group, asked.weight, urgent=asked.urgent):
            lane.acquire_nowait()
            return
        with trio.move_on_at(wait_until) as scope:
            await self._take_places(lane, asked)
        if scope.cancelled_caught:
            raise RateLimited(f"{self._http.host}: no leave for a request of {asked.group!r} in time")

    async def _take_places(self, lane: trio.CapacityLimiter, asked: _Asked) -> None:
        """One in the limits, then one on a connection. Cancelled, or refused: none is held."""
        await self._limits.acquire(asked.group, asked.weight, urgent=asked.urgent)
        try:
            lane.acquire_nowait()
        except trio.WouldBlock:
            await lane.acquire()
        else:
            return
        # The place in the limits may be long past: all that waited for connections that hung would leave at once, more than allowed.
        is_allowed = False
        try:
            await self._limits.acquire(asked.group, asked.weight, urgent=asked.urgent)
            is_allowed = True
        finally:
            if not is_allowed:
                lane.release()


def _outcome_of(response: HttpResponse, *, is_too_many: bool) -> RequestOutcome:
    if is_too_many:
        return RequestOutcome.RATE_LIMITED
    if response.status >= 500:
        return RequestOutcome.SERVER_ERROR
    return RequestOutcome.REFUSED if response.status >= 400 else RequestOutcome.ANSWERED


def _outcome_of_failure(error: NetworkError) -> RequestOutcome:
    match error:
        case BreakerOpen():
            return RequestOutcome.BREAKER_OPEN
        case RateLimited():
            return RequestOutcome.NO_LEAVE
        case RequestNotSent():
            return RequestOutcome.NOT_SENT
        case _:
            return RequestOutcome.LOST
