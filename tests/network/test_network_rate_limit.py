"""Token buckets: never more than the limit, urgent first, first come first served, and nothing lost to a cancellation."""

from __future__ import annotations

from math import inf

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from network.rate_limit import RateLimit, RateLimiter

GROUP = "orders"


def limiter(capacity: int = 4, period_seconds: float = 1.0, reserve: int = 1) -> RateLimiter:
    return RateLimiter({GROUP: RateLimit(capacity, period_seconds, reserve), "public": RateLimit(100, 1.0)})


async def test_normal_requests_leave_the_reserve_to_urgent_ones(autojump_clock: trio.abc.Clock) -> None:
    limits = limiter(capacity=4, reserve=1)
    assert [limits.try_acquire_nowait(GROUP) for _ in range(4)] == [True, True, True, False]
    assert limits.try_acquire_nowait(GROUP, urgent=True)
    assert not limits.try_acquire_nowait(GROUP, urgent=True)
    assert limits.try_acquire_nowait("public")


async def test_token_returns_one_period_after_it_was_taken(autojump_clock: trio.abc.Clock) -> None:
    limits = limiter(capacity=2, reserve=0, period_seconds=10)
    await limits.acquire(GROUP)
    await trio.sleep(4)
    await limits.acquire(GROUP)
    started = trio.current_time()
    await limits.acquire(GROUP)
    assert trio.current_time() - started == pytest.approx(6)
    await limits.acquire(GROUP)
    assert trio.current_time() - started == pytest.approx(10)


async def test_waiting_requests_are_served_urgent_first_then_in_order(autojump_clock: trio.abc.Clock) -> None:
    limits = limiter(capacity=1, reserve=0)
    served: list[str] = []

    async def want(name: str, urgent: bool) -> None:
        await limits.acquire(GROUP, urgent=urgent)
        served.append(name)

    await limits.acquire(GROUP)
    async with trio.open_nursery() as nursery:
        for name, urgent in (("a", False), ("b", False), ("x", True), ("c", False), ("y", True)):
            nursery.start_soon(want, name, urgent)
            await wait_all_tasks_blocked()
    assert served == ["x", "y", "a", "b", "c"]


async def test_small_request_does_not_overtake_a_large_one_that_waits(autojump_clock: trio.abc.Clock) -> None:
    limits = limiter(capacity=4, reserve=0)
    assert limits.try_acquire_nowait(GROUP, 2)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(limits.acquire, GROUP, 4)
        await wait_all_tasks_blocked()
        assert not limits.try_acquire_nowait(GROUP, 1)


async def test_cancelled_acquire_takes_nothing_and_frees_its_place(autojump_clock: trio.abc.Clock) -> None:
    limits = limiter(capacity=3, reserve=0)
    with trio.CancelScope() as scope:
        scope.cancel()
        await limits.acquire(GROUP)
    assert limits.statistics()[GROUP].granted == 0

    await limits.acquire(GROUP, 2)
    async with trio.open_nursery() as nursery:

        async def large() -> None:
            with trio.move_on_after(0.3):
                await limits.acquire(GROUP, 3)

        nursery.start_soon(large)
        await wait_all_tasks_blocked()
        started = trio.current_time()
        await limits.acquire(GROUP, 1)  # waits behind the large one, and no longer than that one does
        assert trio.current_time() - started == pytest.approx(0.3)
    statistics = limits.statistics()[GROUP]
    assert (statistics.granted, statistics.available, statistics.waiting) == (3, 0, 0)


async def test_penalty_holds_even_urgent_requests_until_it_ends_and_is_never_shortened(autojump_clock: trio.abc.Clock) -> None:
    limits = limiter()
    started = trio.current_time()
    limits.penalise(GROUP, started + 30)
    limits.penalise(None, started + 5)
    assert not limits.try_acquire_nowait(GROUP, urgent=True)
    await limits.acquire("public")
    assert trio.current_time() - started == pytest.approx(5)
    await limits.acquire(GROUP, urgent=True)
    assert trio.current_time() - started == pytest.approx(30)
    assert limits.statistics()[GROUP].penalised_until_monotonic == started + 30
    assert limits.statistics()[GROUP].waited_seconds == pytest.approx(25)


async def test_penalty_reaches_who_is_already_waiting(autojump_clock: trio.abc.Clock) -> None:
    limits = limiter(capacity=1, reserve=0)
    await limits.acquire(GROUP)
    started = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(limits.acquire, GROUP)
        await wait_all_tasks_blocked()
        assert limits.statistics()[GROUP].waiting == 1
        limits.penalise(GROUP, started + 7)
    assert trio.current_time() - started == pytest.approx(7)


async def test_impossible_requests_are_refused_with_what_would_be_possible() -> None:
    with pytest.raises(ValueError, match="at most 3"):
        await limiter().acquire(GROUP, 4)
    await limiter().acquire(GROUP, 4, urgent=True)
    with pytest.raises(ValueError, match="there are orders, public"):
        await limiter().acquire("typo")
    with pytest.raises(ValueError, match="capacity > reserve"):
        RateLimit(1, 1.0, 1)


requests = st.lists(
    st.tuples(
        st.floats(0, 2),  # when, after the one before
        st.integers(1, 3),  # weight
        st.booleans(),  # urgent
        st.one_of(st.none(), st.floats(0, 3)),  # cancelled after
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=60)
@given(requests, st.integers(4, 8), st.integers(0, 1), st.sampled_from([0.5, 1.0, 3.0]))
def test_no_window_ever_holds_more_than_the_capacity_and_urgent_never_starves(
    wanted: list[tuple[float, int, bool, float | None]], capacity: int, reserve: int, period_seconds: float
) -> None:
    grants: list[tuple[float, int, bool, float]] = []

    async def run() -> None:
        limits = RateLimiter({GROUP: RateLimit(capacity, period_seconds, reserve)})

        async def want(weight: int, urgent: bool, cancel_after: float | None) -> None:
            asked = trio.current_time()
            with trio.move_on_after(inf if cancel_after is None else cancel_after):
                await limits.acquire(GROUP, weight, urgent=urgent)
                grants.append((trio.current_time(), weight, urgent, asked))

        async with trio.open_nursery() as nursery:
            for pause, weight, urgent, cancel_after in wanted:
                await trio.sleep(pause)
                nursery.start_soon(want, weight, urgent, cancel_after)
        assert limits.statistics()[GROUP].granted == sum(weight for _, weight, _, _ in grants)
        assert limits.statistics()[GROUP].waiting == 0

    trio.run(run, clock=MockClock(autojump_threshold=0))
    for start, *_ in grants:
        inside = [grant for grant in grants if start <= grant[0] < start + period_seconds]
        assert sum(weight for _, weight, _, _ in inside) <= capacity
    for granted_at, _, urgent, asked in grants:
        if not urgent:
            continue
        overtaken_by = [g for g in grants if not g[2] and asked < g[0] < granted_at]
        assert overtaken_by == [], "a normal request was served while an urgent one waited"
