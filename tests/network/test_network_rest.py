"""`RestClient` over the simulated network: signed when sent, repeated only where told, within the exchange's limits."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from network_helpers import HOST, URL, Exchange, get, post, simulated_exchange
from starlette.responses import Response

from network.breaker import BreakerState, CircuitBreaker
from network.errors import BreakerOpen, RateLimited, RequestNotSent, ResponseLost, ResponseTooLarge
from network.http import HttpClient, HttpRequest, HttpResponse
from network.limits import ExchangeLimits, retry_after_seconds
from network.rate_limit import RateLimit, RateLimiter
from network.rest import RestClient, RetryPolicy
from network.simulated_network import SimulatedNetwork

RETRY = RetryPolicy(attempts_max=4, total_seconds=30, initial_seconds=0.5, factor=2, seconds_max=5, jitter=0)
LIMITS = {"public": RateLimit(100, 1.0), "orders": RateLimit(2, 1.0, 0), "cancels": RateLimit(5, 1.0, 1)}


class World:
    def __init__(self, network: SimulatedNetwork, exchange: Exchange, http: HttpClient, **options: Any) -> None:
        self.network = network
        self.exchange = exchange
        self.breaker = CircuitBreaker("gateio_spot", failures_max=5, open_seconds=10)
        self.limits = ExchangeLimits(RateLimiter(LIMITS), self.breaker, **options)
        self.rest = RestClient(http, self.limits, rng=random.Random(1))
        self.built_at: list[float] = []

    def build(self, body: bytes = b"x") -> Callable[[], HttpRequest]:
        def build() -> HttpRequest:
            self.built_at.append(trio.current_time())
            return post(body, headers=(("Timestamp", str(len(self.built_at))),))

        return build


@asynccontextmanager
async def world(**options: Any) -> AsyncIterator[World]:
    async with simulated_exchange(latency_seconds=(0, 0)) as (network, exchange), HttpClient(URL, connections_max=2) as http:
        yield World(network, exchange, http, **options)


async def test_request_is_built_when_it_is_sent_after_the_limiters_wait(autojump_clock: trio.abc.Clock) -> None:
    async with world() as w, trio.open_nursery() as nursery:
        started = trio.current_time()
        for n in range(6):
            nursery.start_soon(lambda n=n: w.rest.send(w.build(str(n).encode()), group="orders", timeout_seconds=5))
        await trio.sleep(10)
        assert [at - started for at in w.built_at] == pytest.approx([0, 0, 1, 1, 2, 2])
        assert [at - started for at, *_ in w.exchange.received] == pytest.approx([0, 0, 1, 1, 2, 2], abs=0.01)


async def test_request_is_not_built_while_all_connections_are_busy(autojump_clock: trio.abc.Clock) -> None:
    async with world() as w, trio.open_nursery() as nursery:
        w.exchange.think_seconds = 5
        started = trio.current_time()
        for _ in range(3):
            nursery.start_soon(lambda: w.rest.send(w.build(), group="public", timeout_seconds=20))
        await trio.sleep(20)
        assert [at - started for at in w.built_at] == pytest.approx([0, 0, 5], abs=0.01)


async def test_requests_that_waited_for_hanging_connections_leave_no_faster_than_the_limit_when_these_are_free(
    autojump_clock: trio.abc.Clock,
) -> None:
    async with world() as w, trio.open_nursery() as nursery:
        w.exchange.think_seconds = 5
        started = trio.current_time()
        for _ in range(6):
            nursery.start_soon(lambda: w.rest.send(w.build(), group="orders", timeout_seconds=20))
        await trio.sleep(4.5)
        w.exchange.think_seconds = 0
        await trio.sleep(20)
        assert [at - started for at in w.built_at] == pytest.approx([0, 0, 5, 5, 6, 6], abs=0.01)


async def test_request_that_gives_up_its_second_wait_for_the_limit_leaves_its_connection_to_others(autojump_clock: trio.abc.Clock) -> None:
    async with world() as w, trio.open_nursery() as nursery:
        w.exchange.think_seconds = 5
        for _ in range(6):
            nursery.start_soon(lambda: w.rest.send(w.build(), group="orders", timeout_seconds=20))
        await trio.sleep(4.5)
        w.exchange.think_seconds = 0
        with pytest.raises(RateLimited):
            await w.rest.send(w.build(), group="orders", timeout_seconds=20, wait_seconds_max=0.8)
        await trio.sleep(5)
        await w.rest.send(w.build(), group="orders", timeout_seconds=1, wait_seconds_max=0.1)


async def test_hanging_requests_do_not_hold_up_an_urgent_one(autojump_clock: trio.abc.Clock) -> None:
    async with world() as w, trio.open_nursery() as nursery:
        w.exchange.think_seconds = 5
        for _ in range(10):
            nursery.start_soon(lambda: w.rest.send(w.build(), group="public", timeout_seconds=60))
        await trio.sleep(0.1)
        w.exchange.think_seconds = 0
        started = trio.current_time()
        await w.rest.send(w.build(b"cancel"), group="cancels", urgent=True, timeout_seconds=1)
        assert trio.current_time() - started < 0.1
        nursery.cancel_scope.cancel()


async def test_nothing_runs_between_building_and_sending(autojump_clock: trio.abc.Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world() as w:
        ticks = 0
        seen: list[int] = []

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await trio.lowlevel.checkpoint()

        def build() -> HttpRequest:
            seen.append(ticks)
            return get()

        async def send(self: HttpClient, request: HttpRequest, *, timeout_seconds: float) -> HttpResponse:
            seen.append(ticks)
            return HttpResponse(status=200, headers={}, body=b"")

        monkeypatch.setattr(HttpClient, "send", send)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tick)
            for _ in range(20):
                await w.rest.send(build, group="public", timeout_seconds=1)
            nursery.cancel_scope.cancel()
        assert seen[::2] == seen[1::2]


class GateClosed(Exception):
    """The caller's own reason not to send after all."""


async def test_build_that_refuses_comes_out_unchanged_and_nothing_is_sent(autojump_clock: trio.abc.Clock) -> None:
    def refuse() -> HttpRequest:
        raise GateClosed

    async with world() as w:
        for _ in range(20):  # and no connection or probe is lost by it
            with pytest.raises(GateClosed):
                await w.rest.send(refuse, group="public", retry=RETRY, timeout_seconds=5)
        assert w.exchange.received == []
        assert w.network.statistics().connections_opened == 0
        await w.rest.send(w.build(), group="public", timeout_seconds=5)


@pytest.mark.parametrize("fault", ["answer lost", "500", "429"])
async def test_without_a_policy_nothing_is_sent_twice(autojump_clock: trio.abc.Clock, fault: str) -> None:
    async with world() as w:
        if fault == "answer lost":
            w.network.cut_after(HOST, 0, "from")
            with pytest.raises(ResponseLost):
                await w.rest.send(w.build(), group="orders", timeout_seconds=5)
        else:
            w.exchange.responses.append(Response(b"", int(fault)))
            assert (await w.rest.send(w.build(), group="orders", timeout_seconds=5)).status == int(fault)
        await trio.sleep(60)
        assert len(w.exchange.received) == len(w.built_at) == 1


async def test_with_a_policy_each_kind_of_failure_is_tried_again_signed_anew_with_growing_delays(autojump_clock: trio.abc.Clock) -> None:
    async with world() as w:
        fault = w.network.refuse(HOST)

        def build() -> HttpRequest:
            if len(w.built_at) == 1:
                fault.repair()
                w.network.cut_after(HOST, 0, "from")
            if len(w.built_at) == 2:
                w.exchange.responses.append(Response(b"", 503))
            return w.build()()

        started = trio.current_time()
        response = await w.rest.send(build, group="public", retry=RETRY, timeout_seconds=5)
        assert response.status == 200
        assert [at - started for at in w.built_at] == pytest.approx([0, 0.5, 1.5, 3.5], abs=0.01)
        assert [headers["timestamp"] for headers in w.exchange.headers] == ["2", "3", "4"]


async def test_attempts_are_bounded_and_the_last_outcome_counts(autojump_clock: trio.abc.Clock) -> None:
    async with world() as w:
        w.exchange.responses.extend(Response(str(n).encode(), 502) for n in range(9))
        response = await w.rest.send(w.build(), group="public", retry=RETRY, timeout_seconds=5)
        assert (response.status, response.body) == (502, b"3")
        with w.network.fail_dns(HOST), w.network.refuse(HOST):
            w.network.drop_connections(HOST)
            with pytest.raises(RequestNotSent):
                await w.rest.send(w.build(), group="public", retry=RetryPolicy(attempts_max=1), timeout_seconds=5)


async def test_total_time_of_all_attempts_is_bounded(autojump_clock: trio.abc.Clock) -> None:
    async with world() as w:
        w.exchange.think_seconds = 1000
        policy = RetryPolicy(attempts_max=100, total_seconds=12, initial_seconds=0.5, jitter=0)
        started = trio.current_time()
        with pytest.raises(ResponseLost):
            await w.rest.send(w.build(), group="public", retry=policy, timeout_seconds=5)
        assert 9 < trio.current_time() - started <= 12.001


async def test_client_error_is_an_answer_and_not_tried_again(autojump_clock: trio.abc.Clock) -> None:
    async with world() as w:
        w.exchange.responses.append(Response(b"", 400))
        assert (await w.rest.send(w.build(), group="public", retry=RETRY, timeout_seconds=5)).status == 400
        assert len(w.exchange.received) == 1
        w.exchange.responses.append(Response(b"x" * 17 * 1024 * 1024))
        with pytest.raises(ResponseTooLarge):
            await w.rest.send(w.build(), group="public", retry=RETRY, timeout_seconds=5)
        assert len(w.exchange.received) == 2


async def test_429_with_retry_after_holds_its_group_that_long_then_succeeds(autojump_clock: trio.abc.Clock) -> None:
    async with world() as w:
        w.exchange.responses.append(Response(b"", 429, {"Retry-After": "7"}))
        started = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: w.rest.send(w.build(b"a"), group="orders", retry=RETRY, timeout_seconds=5))
            await trio.sleep(1)
            await w.rest.send(w.build(b"other group"), group="cancels", timeout_seconds=5)
            assert trio.current_time() - started < 2
            await w.rest.send(w.build(b"same group"), group="orders", timeout_seconds=5)
        times = {body: at - started for at, _, _, body in w.exchange.received}
        assert times[b"a"] == pytest.approx(7, abs=0.01)
        assert times[b"same group"] == pytest.approx(7, abs=0.01)
        assert w.breaker.state is BreakerState.CLOSED


async def test_penalty_can_be_read_the_exchanges_own_way(autojump_clock: trio.abc.Clock) -> None:
    def gate(response: HttpResponse) -> float | None:
        header = response.headers.get("x-gate-ratelimit-reset-timestamp")
        return None if header is None else float(header) - 1000

    async with world(penalty_seconds=gate, penalty_seconds_default=2) as w:
        for headers, seconds in (({"X-Gate-RateLimit-Reset-Timestamp": "1004"}, 4), ({}, 2)):
            w.exchange.responses.append(Response(b"", 429, headers))
            started = trio.current_time()
            await w.rest.send(w.build(), group="public", timeout_seconds=5)
            await w.rest.send(w.build(), group="public", timeout_seconds=5)
            assert trio.current_time() - started == pytest.approx(seconds, abs=0.01)


async def test_refusal_for_the_rate_in_the_exchanges_own_words_counts_as_429(autojump_clock: trio.abc.Clock) -> None:
    def too_many(response: HttpResponse) -> bool:
        return b"50011" in response.body

    async with world(is_rate_limited=too_many, penalty_seconds_default=2) as w:
        w.exchange.responses.append(Response(b'{"code":"50011"}', 200))
        started = trio.current_time()
        assert (await w.rest.send(w.build(), group="orders", timeout_seconds=5)).status == 200
        assert (await w.rest.send(w.build(), group="orders", timeout_seconds=5)).status == 200
        assert trio.current_time() - started == pytest.approx(2, abs=0.01), "its group is held"
        w.exchange.responses.append(Response(b'{"code":"50011"}', 200))
        assert (await w.rest.send(w.build(), group="cancels", retry=RETRY, timeout_seconds=5)).body != b'{"code":"50011"}'


async def test_418_opens_the_breaker_for_everything_until_the_ban_ends(autojump_clock: trio.abc.Clock) -> None:
    async with world() as w:
        w.exchange.responses.append(Response(b"", 418, {"Retry-After": "60"}))
        started = trio.current_time()
        assert (await w.rest.send(w.build(), group="orders", timeout_seconds=5)).status == 418
        for urgent in (False, True):
            with pytest.raises(BreakerOpen, match="banned for 60 s") as refused:
                await w.rest.send(w.build(), group="cancels", urgent=urgent, retry=RETRY, timeout_seconds=5)
            assert refused.value.retry_at_monotonic == pytest.approx(started + 60, abs=0.01)
            assert trio.current_time() - started < 0.1  # at once: an open breaker is neither waited for nor tried again
        await trio.sleep(60)
        assert (await w.rest.send(w.build(), group="orders", timeout_seconds=5)).status == 200
        assert len(w.exchange.received) == 2


async def test_exchange_that_fails_repeatedly_is_left_alone_except_for_cancels(autojump_clock: trio.abc.Clock) -> None:
    async with world() as w:
        w.exchange.responses.extend(Response(b"", 500) for _ in range(5))
        for _ in range(5):
            await w.rest.send(w.build(), group="public", timeout_seconds=5)
        with pytest.raises(BreakerOpen, match="answered 500"):
            await w.rest.send(w.build(), group="public", timeout_seconds=5)
        assert (await w.rest.send(w.build(), group="cancels", urgent=True, timeout_seconds=5)).status == 200
        assert w.breaker.state is BreakerState.CLOSED
        assert len(w.exchange.received) == 6


async def test_request_that_goes_another_way_takes_its_place_in_the_same_limits(autojump_clock: trio.abc.Clock) -> None:
    async with world() as w:
        assert w.rest.limits is w.limits
        await w.limits.acquire("orders", 2)
        started = trio.current_time()
        await w.rest.send(w.build(), group="orders", timeout_seconds=5)
        assert w.built_at[0] - started == pytest.approx(1.0)


async def test_request_that_goes_another_way_spends_no_token_while_the_breaker_is_open(autojump_clock: trio.abc.Clock) -> None:
    async with world() as w:
        w.breaker.open_until(trio.current_time() + 5, "banned")
        for urgent in (False, True):
            with pytest.raises(BreakerOpen):
                await w.limits.acquire("orders", urgent=urgent)
        assert w.limits.limiter.statistics()["orders"].granted == 0


async def test_one_request_too_many_said_another_way_holds_its_group_for_the_default_time(autojump_clock: trio.abc.Clock) -> None:
    async with world(penalty_seconds_default=3.0) as w:
        w.limits.slow_down("orders", "429")
        started = trio.current_time()
        await w.limits.acquire("cancels")
        assert trio.current_time() == started
        await w.limits.acquire("orders")
        assert trio.current_time() - started == pytest.approx(3.0)


async def test_wait_for_the_limiter_can_be_bounded(autojump_clock: trio.abc.Clock) -> None:
    async with world() as w:
        for _ in range(2):
            await w.rest.send(w.build(), group="orders", timeout_seconds=5)
        with pytest.raises(RateLimited, match="orders"):
            await w.rest.send(w.build(), group="orders", timeout_seconds=5, wait_seconds_max=0.5)
        assert len(w.built_at) == 2


async def test_cancelled_request_leaves_client_and_limits_usable(autojump_clock: trio.abc.Clock) -> None:
    async with world() as w:
        w.exchange.think_seconds = 10
        for _ in range(5):
            with trio.move_on_after(0.5):
                await w.rest.send(w.build(), group="public", retry=RETRY, timeout_seconds=60)
        w.exchange.think_seconds = 0
        with trio.fail_after(1):
            assert (await w.rest.send(w.build(), group="public", timeout_seconds=5)).status == 200
        assert w.breaker.state is BreakerState.CLOSED


@pytest.mark.parametrize(("headers", "seconds"), [
    ({"retry-after": "12"}, 12.0),
    ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30.0),
    ({"retry-after": "Wed, 21 Oct 2026 07:27:00 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 0.0),
    ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, None),
    ({"retry-after": "soon"}, None),
    ({"retry-after": "-1"}, None),
    ({}, None),
])  # fmt: skip
def test_retry_after_is_read_as_seconds_or_as_a_date_by_the_servers_clock(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(HttpResponse(status=429, headers=headers, body=b"")) == seconds
