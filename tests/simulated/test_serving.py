from __future__ import annotations

import random

import httpx
import pytest
import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from trio.testing import MockClock

from network.simulated_network import SimulatedNetwork
from simulated.serving import Connections, serve_app


async def test_defect_of_the_application_ends_the_server_instead_of_looking_like_a_bad_day(autojump_clock: MockClock) -> None:
    async def defective(request: Request) -> Response:
        await trio.lowlevel.checkpoint()
        raise ZeroDivisionError("a defect")

    network = SimulatedNetwork(random.Random(1))
    network.add_host("exchange.sim", "10.1.0.1")
    app = Starlette(routes=[Route("/", defective)])
    with network.install(), pytest.RaisesGroup(ZeroDivisionError, flatten_subgroups=True):
        async with trio.open_nursery() as nursery:

            async def serve(task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
                await serve_app(app, "10.1.0.1", 80, connections=Connections(), ping_interval_seconds=20, task_status=task_status)

            await nursery.start(serve)
            async with httpx.AsyncClient(base_url="http://exchange.sim") as http:
                await http.get("/")
                await trio.sleep(1)
            nursery.cancel_scope.cancel()  # not reached: the server has ended with the defect
