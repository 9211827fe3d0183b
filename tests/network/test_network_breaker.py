"""The circuit breaker: when it opens, whom it lets through, and what it reports."""

from __future__ import annotations

import pytest
import trio

from network.breaker import BreakerChanged, BreakerState, CircuitBreaker
from network.errors import BreakerOpen, RequestNotSent


def make() -> tuple[CircuitBreaker, list[BreakerChanged]]:
    changes: list[BreakerChanged] = []
    return CircuitBreaker("gateio_spot", failures_max=3, open_seconds=10, on_change=changes.append), changes


def fail(breaker: CircuitBreaker, times: int = 1, *, urgent: bool = False) -> None:
    for _ in range(times):
        with breaker.admit(urgent=urgent) as permit:
            permit.failed("no answer")


def succeed(breaker: CircuitBreaker, *, urgent: bool = False) -> None:
    with breaker.admit(urgent=urgent) as permit:
        permit.succeeded()


async def test_opens_after_failures_in_a_row_and_not_before(autojump_clock: trio.abc.Clock) -> None:
    breaker, changes = make()
    fail(breaker, 2)
    succeed(breaker)
    fail(breaker, 2)
    assert breaker.state is BreakerState.CLOSED
    fail(breaker)
    assert breaker.state is BreakerState.OPEN
    assert "3 failures in a row, the last: no answer" in breaker.reason
    with pytest.raises(BreakerOpen, match="gateio_spot is not asked for 10 s more") as refused:
        breaker.admit()
    assert refused.value.retry_at_monotonic == trio.current_time() + 10
    assert isinstance(refused.value, RequestNotSent)
    assert [(c.before, c.after) for c in changes] == [(BreakerState.CLOSED, BreakerState.OPEN)]


async def test_half_open_lets_one_probe_through_and_closes_on_its_success(autojump_clock: trio.abc.Clock) -> None:
    breaker, changes = make()
    fail(breaker, 3)
    await trio.sleep(10)
    assert breaker.state is BreakerState.HALF_OPEN
    with breaker.admit() as probe:
        with pytest.raises(BreakerOpen, match="being probed"):
            breaker.admit()
        probe.succeeded()
    assert breaker.state is BreakerState.CLOSED
    assert breaker.reason == ""
    fail(breaker, 2)
    assert breaker.state is BreakerState.CLOSED
    assert [c.after for c in changes] == [BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.CLOSED]


async def test_probe_that_fails_opens_for_another_period(autojump_clock: trio.abc.Clock) -> None:
    breaker, _ = make()
    fail(breaker, 3)
    await trio.sleep(10)
    fail(breaker)
    assert breaker.state is BreakerState.OPEN
    await trio.sleep(9.9)
    with pytest.raises(BreakerOpen):
        breaker.check()
    await trio.sleep(0.1)
    breaker.check()


async def test_probe_without_a_verdict_gives_its_place_to_the_next(autojump_clock: trio.abc.Clock) -> None:
    breaker, _ = make()
    fail(breaker, 3)
    await trio.sleep(10)
    with breaker.admit():
        pass  # cancelled, or not built after all
    succeed(breaker)
    assert breaker.state is BreakerState.CLOSED


async def test_urgent_requests_pass_an_open_breaker_and_their_success_closes_it(autojump_clock: trio.abc.Clock) -> None:
    breaker, _ = make()
    fail(breaker, 3)
    fail(breaker, urgent=True)
    assert breaker.state is BreakerState.OPEN
    succeed(breaker, urgent=True)
    assert breaker.state is BreakerState.CLOSED
    succeed(breaker)


async def test_urgent_success_during_a_probe_leaves_no_probe_behind(autojump_clock: trio.abc.Clock) -> None:
    breaker, _ = make()
    fail(breaker, 3)
    await trio.sleep(10)
    probe = breaker.admit()
    succeed(breaker, urgent=True)
    assert breaker.state is BreakerState.CLOSED
    breaker.check()
    probe.failed("late")
    assert breaker.state is BreakerState.CLOSED


async def test_ban_holds_urgent_requests_too_and_no_late_answer_ends_it(autojump_clock: trio.abc.Clock) -> None:
    breaker, changes = make()
    under_way = breaker.admit()
    breaker.open_until(trio.current_time() + 60, "banned")
    under_way.succeeded()
    for urgent in (False, True):
        with pytest.raises(BreakerOpen, match="banned"):
            breaker.admit(urgent=urgent)
    breaker.open_until(trio.current_time() + 5, "banned again")  # never shortened
    await trio.sleep(59)
    with pytest.raises(BreakerOpen):
        breaker.check(urgent=True)
    await trio.sleep(1)
    succeed(breaker)
    assert breaker.state is BreakerState.CLOSED
    assert [c.after for c in changes] == [BreakerState.OPEN, BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.CLOSED]
    assert [c.open_seconds for c in changes] == [60, 60, 0, 0]


async def test_answers_to_requests_from_before_it_opened_prove_nothing(autojump_clock: trio.abc.Clock) -> None:
    breaker, _ = make()
    early = [breaker.admit() for _ in range(5)]
    for permit in early[:3]:
        permit.failed("no answer")
    assert breaker.state is BreakerState.OPEN
    early[3].succeeded()
    assert breaker.state is BreakerState.OPEN
    await trio.sleep(10)
    with breaker.admit() as probe:
        early[4].failed("late")
        assert breaker.state is BreakerState.HALF_OPEN
        probe.succeeded()
