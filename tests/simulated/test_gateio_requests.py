"""What every request to an exchange of Gate.io's goes through, on both of them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest
from gate_futures_world import futures_world
from gate_world import READER, STP_MEMBER, GateWorld, gate_world
from trio.testing import MockClock

from simulated.faults import Operation

World = Callable[[], AbstractAsyncContextManager[GateWorld]]


@pytest.fixture(params=[gate_world, futures_world], ids=["spot", "futures"])
def gate(request: pytest.FixtureRequest) -> World:
    return request.param


@pytest.mark.parametrize(
    ("headers", "status", "label"),
    [
        ({"KEY": "nobody"}, 401, "INVALID_KEY"),
        ({"SIGN": "0" * 128}, 401, "INVALID_SIGNATURE"),
        ({"SIGN": ""}, 401, "MISSING_REQUIRED_HEADER"),
        ({"Timestamp": "1789999939", "KEY": "nobody"}, 403, "REQUEST_EXPIRED"),
        ({"Timestamp": "1790000062"}, 403, "REQUEST_EXPIRED"),
        ({"Timestamp": "soon"}, 403, "REQUEST_EXPIRED"),
    ],
)
async def test_request_that_is_not_signed_right_is_refused(
    autojump_clock: MockClock, gate: World, headers: dict[str, str], status: int, label: str
) -> None:
    async with gate() as world:
        answer = await world.place(headers=headers)
        assert (answer[0], answer[1]["label"]) == (status, label)
        assert world.control.orders() == ()


async def test_time_is_judged_by_the_clock_of_the_exchange(autojump_clock: MockClock, gate: World) -> None:
    async with gate() as world:
        world.control.skew_clock(61_000)
        assert (await world.call("GET", world.account_path))[1]["label"] == "REQUEST_EXPIRED"
        assert (await world.time())[1]["server_time"] - world.wall.milliseconds() > 60_000


async def test_key_that_may_only_read_reads_and_does_nothing_else(autojump_clock: MockClock, gate: World) -> None:
    async with gate() as world:
        assert (await world.call("GET", world.account_path, account=READER))[0] == 200
        status, answer = await world.place(account=READER)
        assert (status, answer["label"]) == (403, "READ_ONLY")


async def test_order_of_another_account_is_not_found(autojump_clock: MockClock, gate: World) -> None:
    async with gate() as world:
        order = (await world.place())[1]
        assert (await world.call("GET", f"{world.orders_path}/{order['id']}", world.order_query, account=STP_MEMBER))[0] == 404


async def test_request_that_arrives_after_its_expiry_is_refused(autojump_clock: MockClock, gate: World) -> None:
    async with gate() as world:
        world.control.delay_requests(Operation.PLACE, 2.0, count=1)
        expiry = {"x-gate-exptime": str(world.wall.milliseconds() + 1_000)}
        assert (await world.place(headers=expiry))[1]["label"] == "REQUEST_EXPIRED"
        assert (await world.place(headers={"x-gate-exptime": str(world.wall.milliseconds() + 1_000)}))[0] == 201


async def test_state_of_the_exchange_is_not_told_to_other_machines(autojump_clock: MockClock, gate: World) -> None:
    async with gate() as world:
        answer = await world.http.get("/sim/state")
        assert (answer.status_code, answer.json()["label"]) == (404, "NOT_FOUND")
