"""`ExchangeLimits`: what an exchange that asks to stop holds back, for how long, and who is told."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from network_helpers import HOST, WS_URL, simulated_exchange
from starlette.websockets import WebSocket as ServerSocket

from network.breaker import CircuitBreaker
from network.errors import BreakerOpen, ConnectionFailed
from network.http import HttpResponse
from network.limits import HOLD_SECONDS_MAX, WEBSOCKETS, ExchangeLimits, Hold
from network.rate_limit import RateLimit, RateLimiter


class Limits(ExchangeLimits):
    """With two groups, and a list of what was told."""

    def __init__(self, **options: Any) -> None:
        self.told: list[Hold] = []
        limiter = RateLimiter({"orders": RateLimit(5, 1.0, 2), "queries": RateLimit(5, 1.0)})
        super().__init__(limiter, CircuitBreaker("gateio_spot"), on_hold=self.told.append, **options)

    def answered(self, status: int, group: str = "orders", **headers: str) -> None:
        self.note(HttpResponse(status=status, headers={name.replace("_", "-"): text for name, text in headers.items()}, body=b""), group)

    def left_seconds(self, group: str | None) -> float:
        return self.held_until(group) - trio.current_time()


async def test_each_hold_is_told_once_with_its_group_its_end_and_its_reason(autojump_clock: trio.abc.Clock) -> None:
    limits = Limits()
    limits.answered(429, retry_after="7")
    limits.answered(429, retry_after="7")
    limits.answered(418, retry_after="60")
    now = trio.current_time()
    assert limits.told == [
        Hold(group="orders", until_monotonic=now + 7, reason="too many requests, held for 7 s (status 429)"),
        Hold(group=None, until_monotonic=now + 60, reason="banned for 60 s (status 418)"),
    ]


async def test_hold_is_never_shortened_and_a_longer_one_takes_its_place(autojump_clock: trio.abc.Clock) -> None:
    limits = Limits()
    for seconds in (60, 5, 90):
        limits.answered(418, retry_after=str(seconds))
        limits.answered(429, retry_after=str(seconds))
    assert [(hold.group, hold.until_monotonic - trio.current_time()) for hold in limits.told] == [
        (None, 60),
        ("orders", 60),
        (None, 90),
        ("orders", 90),
    ]
    started = trio.current_time()
    with pytest.raises(BreakerOpen) as refused:
        await limits.acquire("queries", urgent=True)
    assert refused.value.retry_at_monotonic == started + 90
    await limits.limiter.acquire("orders", urgent=True)
    assert trio.current_time() - started == 90


async def test_group_that_is_refused_as_soon_as_its_hold_is_over_is_held_twice_as_long_each_time(autojump_clock: trio.abc.Clock) -> None:
    limits = Limits()
    held: list[float] = []
    for _ in range(10):
        limits.answered(429)
        limits.answered(429)  # of the same burst: it says nothing new
        held.append(limits.left_seconds("orders"))
        await trio.sleep(held[-1])
    assert held == [1, 1, 2, 4, 8, 10, 10, 10, 10, 10]
    limits.answered(429, "queries")
    assert limits.left_seconds("queries") == 1, "each group by itself"
    limits.answered(200)
    limits.answered(429)
    assert limits.left_seconds("orders") == 1, "an answer that was no refusal ends the series"


async def test_exchange_that_asks_for_too_little_again_and_again_is_not_asked_that_often(autojump_clock: trio.abc.Clock) -> None:
    limits = Limits(penalty_seconds=lambda response: 0.1)
    refusals, started = 0, trio.current_time()
    while trio.current_time() - started < 60:
        limits.answered(429)
        refusals += 1
        await limits.acquire("orders")
    assert refusals <= 10


async def test_ban_that_is_followed_by_another_is_longer_where_the_exchange_does_not_say(autojump_clock: trio.abc.Clock) -> None:
    limits = Limits()
    held: list[float] = []
    for _ in range(8):
        limits.answered(418)
        held.append(limits.left_seconds(None))
        await trio.sleep(held[-1])
    assert held == [120, 120, 240, 480, 960, 1920, 3600, 3600]


async def test_nothing_holds_for_longer_than_any_exchange_bans(autojump_clock: trio.abc.Clock) -> None:
    limits = Limits()
    limits.answered(429, retry_after="999999999")
    assert limits.left_seconds("orders") == HOLD_SECONDS_MAX
    assert "999999999 s were asked for" in limits.told[0].reason


async def test_403_is_a_ban_only_where_it_says_that_requests_were_too_many(autojump_clock: trio.abc.Clock) -> None:
    limits = Limits()
    limits.answered(403)
    assert limits.told == []
    firewalled = Limits(is_rate_limited=lambda response: response.status in (429, 403))
    firewalled.answered(403)
    assert [(hold.group, hold.reason) for hold in firewalled.told] == [(None, "banned for 120 s (status 403)")]


async def test_group_that_there_is_not_cannot_be_held(autojump_clock: trio.abc.Clock) -> None:
    limits = Limits()
    with pytest.raises(ValueError, match="wallets"):
        limits.hold("wallets", trio.current_time() + 5, "")
    assert limits.told == []


# Websockets


async def test_websocket_is_not_opened_during_a_ban_nor_while_no_new_ones_are_wanted(autojump_clock: trio.abc.Clock) -> None:
    async with simulated_exchange(latency_seconds=(0, 0)) as (network, _):
        network.fail_dns(HOST)  # whoever tried would be told so
        for group, why in ((None, "is not asked"), (WEBSOCKETS, "wants no new connections for 30 s")):
            limits = Limits()
            limits.hold(group, trio.current_time() + 30, "asked to")
            with pytest.raises(ConnectionFailed, match=why):
                async with limits.open_websocket(WS_URL):
                    pass
            await trio.sleep(30)
            with pytest.raises(ConnectionFailed, match="no connection"):
                async with limits.open_websocket(WS_URL):
                    pass


async def test_open_breaker_does_not_keep_a_stream_from_being_opened_again(autojump_clock: trio.abc.Clock) -> None:
    async with simulated_exchange(latency_seconds=(0, 0)) as (network, _):
        network.fail_dns(HOST)
        limits = Limits()
        while not limits.breaker.reason:
            with limits.breaker.admit() as permit:
                permit.failed("REST is down")
        with pytest.raises(ConnectionFailed, match="no connection"):
            async with limits.open_websocket(WS_URL):
                pass


@pytest.mark.parametrize(("status", "held"), [(429, WEBSOCKETS), (418, None), (503, "")])
async def test_websocket_that_is_refused_for_the_rate_is_not_asked_for_again_at_once(
    autojump_clock: trio.abc.Clock, status: int, held: str | None
) -> None:
    async def refuse(socket: ServerSocket) -> None:
        await socket.send({"type": "websocket.http.response.start", "status": status, "headers": []})
        await socket.send({"type": "websocket.http.response.body", "body": b"no"})

    limits = Limits()
    async with simulated_exchange() as (_, exchange):
        exchange.on_websocket = refuse
        with pytest.raises(ConnectionFailed, match=str(status)):
            async with limits.open_websocket(WS_URL):
                pytest.fail("opened")
    assert [hold.group for hold in limits.told] == ([] if held == "" else [held])


async def test_websocket_within_the_limits_is_an_open_one(autojump_clock: trio.abc.Clock) -> None:
    limits = Limits()
    async with simulated_exchange(), limits.open_websocket(WS_URL) as websocket:
        await websocket.send("hello")
        assert await websocket.receive() == "hello"
