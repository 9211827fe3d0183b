"""What became of each attempt at a request, and how long answers took: counted under the limits that all connections share."""

from __future__ import annotations

import pytest
import trio
from network_helpers import HOST
from starlette.responses import Response
from test_network_rest import RETRY, World, world

from network.errors import BreakerOpen, RateLimited, RequestNotSent, ResponseLost
from network.measures import RequestOutcome


def outcomes(w: World, group: str = "public") -> dict[RequestOutcome, int]:
    return {outcome: count for (found, outcome), count in w.limits.measures.outcomes.items() if found == group}


async def test_each_attempt_is_counted_by_what_was_answered(autojump_clock: trio.abc.Clock) -> None:
    async with world() as w:
        for status in (200, 404, 429, 503):
            w.exchange.responses.append(Response(b"", status))
        for _ in range(4):
            await w.rest.send(w.build(), group="public", timeout_seconds=5)
        assert outcomes(w) == {
            RequestOutcome.ANSWERED: 1,
            RequestOutcome.REFUSED: 1,
            RequestOutcome.RATE_LIMITED: 1,
            RequestOutcome.SERVER_ERROR: 1,
        }
        assert w.limits.measures.answer_seconds.of("public").snapshot().count == 4


async def test_answer_takes_as_long_as_the_exchange_thinks_and_not_as_the_limiter_waits(autojump_clock: trio.abc.Clock) -> None:
    async with world() as w:
        w.exchange.think_seconds = 0.3
        w.limits.hold("orders", trio.current_time() + 7, "a test")
        await w.rest.send(w.build(), group="orders", timeout_seconds=5)
        snapshot = w.limits.measures.answer_seconds.of("orders").snapshot()
        assert snapshot.count == 1
        assert snapshot.total == pytest.approx(0.3, abs=0.01)


async def test_repetitions_are_attempts_of_their_own(autojump_clock: trio.abc.Clock) -> None:
    async with world() as w:
        w.exchange.responses.extend(Response(b"", 502) for _ in range(2))
        await w.rest.send(w.build(), group="public", retry=RETRY, timeout_seconds=5)
        assert outcomes(w) == {RequestOutcome.SERVER_ERROR: 2, RequestOutcome.ANSWERED: 1}


async def test_what_did_not_come_to_an_answer_is_told_apart_and_has_no_time(autojump_clock: trio.abc.Clock) -> None:
    async with world() as w:
        with w.network.refuse(HOST), pytest.raises(RequestNotSent):
            await w.rest.send(w.build(), group="public", timeout_seconds=5)
        w.exchange.think_seconds = 1000
        with pytest.raises(ResponseLost):
            await w.rest.send(w.build(), group="public", timeout_seconds=5)
        w.limits.hold("public", trio.current_time() + 60, "a test")
        with pytest.raises(RateLimited):
            await w.rest.send(w.build(), group="public", timeout_seconds=5, wait_seconds_max=1)
        w.breaker.open_until(trio.current_time() + 60, "a test")
        with pytest.raises(BreakerOpen):
            await w.rest.send(w.build(), group="public", timeout_seconds=5)
        assert outcomes(w) == {
            RequestOutcome.NOT_SENT: 1,
            RequestOutcome.LOST: 1,
            RequestOutcome.NO_LEAVE: 1,
            RequestOutcome.BREAKER_OPEN: 1,
        }
        assert w.limits.measures.answer_seconds.snapshots() == {}


async def test_request_that_is_held_back_as_it_is_built_is_none(autojump_clock: trio.abc.Clock) -> None:
    def refuse() -> object:
        raise KeyError("not now")

    async with world() as w:
        with pytest.raises(KeyError):
            await w.rest.send(refuse, group="public", timeout_seconds=5)  # type: ignore[arg-type]
        assert outcomes(w) == {}


async def test_hold_that_is_only_made_longer_is_the_same_hold_and_one_after_its_end_is_another(autojump_clock: trio.abc.Clock) -> None:
    async with world() as w:
        now = trio.current_time()
        w.limits.hold("orders", now + 2, "a test")
        w.limits.hold("orders", now + 5, "longer")
        w.limits.hold("orders", now + 1, "shorter")
        assert dict(w.limits.measures.holds) == {"orders": 1}
        await trio.sleep(6)
        w.limits.hold("orders", trio.current_time() + 1, "again")
        w.limits.hold(None, trio.current_time() + 1, "a ban")
        assert dict(w.limits.measures.holds) == {"orders": 2, None: 1}


async def test_each_opening_of_the_breaker_is_counted_once(autojump_clock: trio.abc.Clock) -> None:
    async with world() as w:
        w.breaker.open_until(trio.current_time() + 5, "a ban")
        w.breaker.open_until(trio.current_time() + 9, "a longer one")
        assert w.breaker.openings == 1
        await trio.sleep(10)
        await w.rest.send(w.build(), group="public", timeout_seconds=5)
        w.breaker.open_until(trio.current_time() + 5, "another")
        assert w.breaker.openings == 2
