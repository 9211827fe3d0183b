"""What machines ask a run: `/metrics` for Prometheus, `/healthz` and `/readyz` for who starts and watches processes."""

from __future__ import annotations

from collections.abc import Sequence

import trio
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from assembly.metrics.collector import CONTENT_TYPE, RunMetrics
from assembly.metrics.health import Answer, RunHealth

_NOT_KEPT = {"cache-control": "no-store"}


class Telemetry:
    """One run's. Scrapes are made one after the other, each in small steps: however many ask, trading goes on in between."""

    def __init__(self, metrics: RunMetrics, health: RunHealth) -> None:
        self._metrics = metrics
        self._health = health
        self._turn = trio.Lock()

    def routes(self) -> Sequence[Route]:
        return [Route("/metrics", self._scrape), Route("/healthz", self._alive), Route("/readyz", self._ready)]

    async def _scrape(self, _: Request) -> Response:
        async with self._turn:
            return Response(await self._metrics.scrape(), headers={"content-type": CONTENT_TYPE, **_NOT_KEPT})

    async def _alive(self, _: Request) -> Response:
        return _answered(self._health.health())

    async def _ready(self, _: Request) -> Response:
        return _answered(self._health.readiness())


def _answered(answer: Answer) -> Response:
    return Response(answer.body, status_code=200 if answer.is_fine else 503, headers=_NOT_KEPT, media_type="application/json")
