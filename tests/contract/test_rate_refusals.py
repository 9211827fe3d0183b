"""Each exchange's ways to say that it was asked too much, as the program's limits hear them: what is held, and for how long."""

from __future__ import annotations

import pytest
import trio

from assembly.parts import ExchangeParts
from assembly.settings import ExchangeSettings
from market.clock import VirtualWallClock
from network.http import HttpResponse
from network.limits import Hold

FIREWALL = b"<html><head><title>403 Forbidden</title></head></html>"
GATE_TOO_MANY = b'{"label":"TOO_MANY_REQUESTS","message":"Request Rate limit Exceeded (211)"}'
OKX_ORDER = b'{"code":"1","msg":"","data":[{"clOrdId":"a","ordId":"","sCode":"50011","sMsg":"Rate limit reached."}]}'
IN_THREE_SECONDS = "in three seconds"

GATE = [
    (429, {"x-gate-ratelimit-reset-timestamp": IN_THREE_SECONDS}, GATE_TOO_MANY, ("orders", 3.0)),
    (429, {}, GATE_TOO_MANY, ("orders", 1.0)),
    (400, {}, b'{"label":"TOO_FAST","message":""}', ("orders", 1.0)),
    (429, {"retry-after": "20"}, FIREWALL, ("orders", 20.0)),
    (418, {"retry-after": "60"}, b"", (None, 60.0)),
    (403, {}, b'{"label":"IP_FORBIDDEN","message":""}', None),
    (400, {}, b'{"label":"TOO_MANY_ORDERS","message":""}', None),
]
OKX = [
    (200, {}, b'{"code":"50011","msg":"Too Many Requests","data":[]}', ("orders", 1.0)),
    (429, {}, b'{"code":"50011","msg":"Too Many Requests","data":[]}', ("orders", 1.0)),
    (200, {}, OKX_ORDER, ("orders", 1.0)),
    (200, {}, OKX_ORDER.replace(b"50011", b"50061"), ("orders", 1.0)),
    (429, {}, b'{"code":"50013","msg":"System is busy, please try again later.","data":[]}', ("orders", 1.0)),
    (429, {"retry-after": "20"}, FIREWALL, ("orders", 20.0)),
    (418, {}, b"", (None, 120.0)),
    (403, {}, FIREWALL, None),
    (200, {}, OKX_ORDER.replace(b"50011", b"51008"), None),
]
ANSWERS = {
    "gateio_spot": GATE,
    "gateio_futures": GATE,
    "okx_spot": OKX,
    "okx_swap": OKX,
    "mexc_spot": [
        (429, {"retry-after": "5"}, b'{"code":429,"msg":"Too Many Requests"}', ("orders", 5.0)),
        (200, {}, b'{"code":510,"msg":"Excessive frequency of requests"}', ("orders", 1.0)),
        (400, {}, b'{"code":429,"msg":"Too Many Requests"}', ("orders", 1.0)),
        (418, {"retry-after": "259200"}, b"", (None, 259_200.0)),
        (403, {}, FIREWALL, (None, 120.0)),
        (403, {"retry-after": "600"}, FIREWALL, (None, 600.0)),
        (403, {}, b'{"code":700006,"msg":"ip non white list"}', None),
        (400, {}, b'{"code":30029,"msg":"too many open orders"}', None),
    ],
}
CASES = [(name, *answer) for name, answers in ANSWERS.items() for answer in answers]


@pytest.mark.parametrize(("name", "status", "headers", "body", "held"), CASES)
async def test_exchange_that_says_too_many_is_obeyed(
    name: str, status: int, headers: dict[str, str], body: bytes, held: tuple[str | None, float] | None, autojump_clock: trio.abc.Clock
) -> None:
    """T8, T9"""
    clock, holds = VirtualWallClock(), list[Hold]()
    parts = ExchangeParts(name, ExchangeSettings(), wall_clock=clock, report=lambda event: None, on_hold=holds.append)
    reset = str(clock.milliseconds() // 1000 + 3)
    sent = {key: reset if value == IN_THREE_SECONDS else value for key, value in headers.items()}
    parts.limits.note(HttpResponse(status=status, headers=sent, body=body), "orders")
    found = [(hold.group, round(hold.until_monotonic - trio.current_time(), 3)) for hold in holds]
    assert found == ([] if held is None else [held])
