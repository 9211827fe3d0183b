"""Bad days of Gate.io's exchanges, each on both: what strikes is shared, what is struck is not."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Any

import httpx
import msgspec
import pytest
import trio
import trio_websocket
from gate_futures_world import futures_world
from gate_world import ADDRESS, BTC, HOST, SETTINGS, GateSocket, GateWorld, gate_world
from trio.testing import MockClock

from market.clock import VirtualWallClock
from market.events import Side
from network.deterministic import run_deterministically
from network.simulated_network import SimulatedNetwork
from simulated.faults import BookError, Moment, Operation, WrongLevel
from simulated.registry import make_exchange

World = Callable[..., AbstractAsyncContextManager[GateWorld]]


@pytest.fixture(params=[gate_world, futures_world], ids=["spot", "futures"])
def gate(request: pytest.FixtureRequest) -> World:
    return request.param


async def test_lost_answer_leaves_the_order_placed_and_the_client_waiting(autojump_clock: MockClock, gate: World) -> None:
    async with gate() as world:
        world.control.lose_answers(Operation.PLACE)
        with pytest.raises(httpx.ReadTimeout):
            await world.place(text="t-lost")
        assert world.control.order_by_client_id("t-lost") is not None
        assert (await world.place(text="t-next"))[0] == 201


async def test_server_error_comes_after_or_instead_of_the_order(autojump_clock: MockClock, gate: World) -> None:
    async with gate() as world:
        world.control.fail_after_accepting(Operation.PLACE, status=502)
        assert (await world.place(text="t-in"))[0] == 502
        world.control.fail_before_accepting(Operation.PLACE, status=503)
        assert (await world.place(text="t-out"))[0] == 503
        assert world.control.order_by_client_id("t-in") is not None
        assert world.control.order_by_client_id("t-out") is None


async def test_fault_strikes_only_its_operation_and_only_so_often(autojump_clock: MockClock, gate: World) -> None:
    async with gate() as world:
        world.control.fail_before_accepting(Operation.CANCEL, count=2)
        assert (await world.place())[0] == 201
        assert [(await world.call("DELETE", world.orders_path))[0] for _ in range(3)] == [503, 503, 200]


async def test_delayed_request_takes_effect_after_the_client_gave_up(autojump_clock: MockClock, gate: World) -> None:
    async with gate() as world:
        world.control.delay_requests(Operation.PLACE, 8.0, count=1)
        with pytest.raises(httpx.ReadTimeout):
            await world.place(text="t-late")
        assert world.control.order_by_client_id("t-late") is None
        await trio.sleep(4)
        assert world.control.order_by_client_id("t-late") is not None


async def test_delayed_answer_arrives_that_much_later(autojump_clock: MockClock, gate: World) -> None:
    async with gate() as world:
        world.control.delay_answers(Operation.ANY, 2.0)
        started = trio.current_time()
        assert (await world.place())[0] == 201
        assert 2.0 <= trio.current_time() - started < 2.1


async def test_rate_limit_and_maintenance_refuse_everything_while_they_last(autojump_clock: MockClock, gate: World) -> None:
    async with gate() as world:
        world.control.rate_limit_for(3)
        assert (await world.time())[0] == 429
        await trio.sleep(3.1)
        assert (await world.time())[0] == 200
        world.control.start_maintenance()
        assert (await world.place())[0] == 503
        with pytest.raises(trio_websocket.HandshakeError):
            async with world.websocket():
                pass
        world.control.end_maintenance()
        assert (await world.place())[0] == 201


async def test_ban_turns_everything_away_says_for_how_long_and_counts_what_came(autojump_clock: MockClock, gate: World) -> None:
    async with gate() as world, world.websocket() as socket:
        world.control.ban_for(60)
        await trio.sleep(10.5)
        response = await world.http.get("/api/v4/spot/time")
        assert (response.status_code, response.headers["retry-after"]) == (418, "50")
        with pytest.raises(trio_websocket.HandshakeError):
            async with world.websocket():
                pass
        assert world.control.came_while_banned == 2
        await trio.sleep(50)
        assert (await world.place())[0] == 201
        await socket.subscribe_private(f"{world.product}.orders", world.orders_payload)
        assert world.control.came_while_banned == 2, "what was open stayed open"


@pytest.mark.parametrize("seconds", [None, 7])
async def test_refusal_for_the_rate_says_when_to_come_back_only_where_it_is_told_to(
    autojump_clock: MockClock, gate: World, seconds: int | None
) -> None:
    async with gate() as world:
        world.control.rate_limit_for(3, retry_after_seconds=seconds)
        response = await world.http.get("/api/v4/spot/time")
        assert (response.status_code, response.headers.get("retry-after")) == (429, None if seconds is None else str(seconds))
        assert world.control.refused_for_rate == 1


async def private_events(world: GateWorld, socket: GateSocket, count: int) -> list[tuple[str, str]]:
    """Place and cancel one order, and tell which events arrive."""
    channel = f"{world.product}.orders"
    await socket.subscribe_private(channel, world.orders_payload)
    await world.place(text="t-1")
    await world.call("DELETE", f"{world.orders_path}/t-1", world.order_query)
    pushes = [(await socket.next(channel, "update"))["result"][0] for _ in range(count)]
    return [(push["text"], world.event_of(push)) for push in pushes]


async def test_private_events_are_duplicated(autojump_clock: MockClock, gate: World) -> None:
    async with gate() as world, world.websocket() as socket:
        world.control.duplicate_private_events(1)
        assert [event for _, event in await private_events(world, socket, 3)] == ["put", "put", "finish"]


async def test_private_events_overtake_one_another(autojump_clock: MockClock, gate: World) -> None:
    async with gate() as world, world.websocket() as socket:
        world.control.reorder_private_events(1)
        assert [event for _, event in await private_events(world, socket, 2)] == ["finish", "put"]


async def test_private_events_are_lost(autojump_clock: MockClock, gate: World) -> None:
    async with gate() as world, world.websocket() as socket:
        world.control.drop_private_events(1)
        assert [event for _, event in await private_events(world, socket, 1)] == ["finish"]


async def test_private_events_are_late(autojump_clock: MockClock, gate: World) -> None:
    async with gate() as world, world.websocket() as socket:
        world.control.delay_private_events(3.0)
        started = trio.current_time()
        await private_events(world, socket, 2)
        assert trio.current_time() - started >= 3.0


async def next_update(world: GateWorld, socket: GateSocket) -> Any:
    return (await socket.next(f"{world.product}.order_book_update", "update"))["result"]


async def test_withheld_update_shows_as_a_gap_in_the_ids(autojump_clock: MockClock, gate: World) -> None:
    async with gate(flow=True) as world, world.websocket() as socket:
        await socket.subscribe(f"{world.product}.order_book_update", world.book_payload)
        before = await next_update(world, socket)
        world.control.withhold_book_updates(BTC)
        after = await next_update(world, socket)
        assert after["U"] > before["u"] + 1
        assert (await next_update(world, socket))["U"] == after["u"] + 1


async def test_crossed_update_has_a_bid_above_the_ask_and_no_gap(autojump_clock: MockClock, gate: World) -> None:
    async with gate(flow=True) as world, world.websocket() as socket:
        await socket.subscribe(f"{world.product}.order_book_update", world.book_payload)
        last = (await next_update(world, socket))["u"]
        ask = world.control.best_ask(BTC)
        world.control.inject_crossed_update(BTC)
        while True:
            push = await next_update(world, socket)
            assert push["U"] == last + 1
            last = push["u"]
            if push["b"] and ask is not None and world.price_of(push["b"][0]) > ask:
                break
        assert (await next_update(world, socket))["U"] == last + 1


async def test_duplicated_update_comes_twice_with_the_same_ids(autojump_clock: MockClock, gate: World) -> None:
    async with gate(flow=True) as world, world.websocket() as socket:
        await socket.subscribe(f"{world.product}.order_book_update", world.book_payload)
        await next_update(world, socket)
        world.control.duplicate_book_updates(BTC)
        first, second, third = [await next_update(world, socket) for _ in range(3)]
        assert second == first
        assert third["U"] == first["u"] + 1


@pytest.mark.parametrize("error", BookError)
async def test_wrong_level_is_told_without_a_gap_and_not_answered_by_rest(autojump_clock: MockClock, gate: World, error: BookError) -> None:
    async with gate(flow=True) as world, world.websocket() as socket:
        await socket.subscribe(f"{world.product}.order_book_update", world.book_payload)
        last = await next_update(world, socket)
        world.control.tell_wrong_level(BTC, WrongLevel(error, Side.BUY, 3))
        told = await next_update(world, socket)
        assert told["U"] == last["u"] + 1
        bids = world.control.engine.books[BTC].bids
        wrong = [level for level in told["b"] if (bids.quantity_at(world.price_of(level)) > 0) is not (quantity_told(level) > 0)]
        assert len(wrong) == (error is not BookError.QUANTITY)
        assert (await next_update(world, socket))["U"] == told["u"] + 1


def quantity_told(level: Any) -> Decimal:
    return Decimal(str(level[1] if isinstance(level, list) else level["s"]))


async def test_frozen_snapshot_stays_behind_the_book_until_it_is_thawed(autojump_clock: MockClock, gate: World) -> None:
    async with gate(flow=True) as world:
        is_spot = world.product == "spot"
        path = "/spot/order_book" if is_spot else "/order_book"
        query = {"with_id": "true", "currency_pair" if is_spot else "contract": "BTC_USDT"}
        world.control.freeze_snapshots(BTC)
        before = (await world.public(path, **query))[1]
        await trio.sleep(5)
        frozen = (await world.public(path, **query))[1]
        assert (frozen["id"], frozen["bids"], frozen["asks"]) == (before["id"], before["bids"], before["asks"])
        world.control.thaw_snapshots(BTC)
        assert (await world.public(path, **query))[1]["id"] > before["id"]


@pytest.mark.parametrize(("answers_first", "status"), [(True, 201), (False, 400)])
async def test_request_that_comes_twice_is_refused_the_second_time_and_answered_as_planned(
    autojump_clock: MockClock, gate: World, answers_first: bool, status: int
) -> None:
    async with gate() as world:
        world.control.repeat_requests(Operation.PLACE, answers_first=answers_first)
        answered, body = await world.place(text="t-twice")
        assert answered == status
        assert answers_first or body["label"] == "INVALID_CLIENT_ORDER_ID"
        assert [order.client_id for order in world.control.orders()] == ["t-twice"]


async def test_call_is_made_when_such_a_request_arrives_and_when_it_is_done_so_often_as_was_asked(
    autojump_clock: MockClock, gate: World
) -> None:
    async with gate() as world:
        seen: list[tuple[str, int]] = []
        for moment in Moment:
            world.control.call_at(Operation.PLACE, moment, lambda name=moment.name: seen.append((name, len(world.control.orders()))))
        for _ in range(2):
            assert (await world.place())[0] == 201
        assert seen == [("ARRIVED", 0), ("DONE", 1)]


async def test_client_id_of_an_order_that_has_just_finished_is_taken_for_as_long_as_is_set(autojump_clock: MockClock, gate: World) -> None:
    async with gate(msgspec.structs.replace(SETTINGS, client_id_memory_seconds=10.0)) as world:
        assert (await world.place(text="t-one"))[0] == 201
        await world.call("DELETE", world.orders_path)
        assert (await world.place(text="t-one"))[0] == 400
        await trio.sleep(10)
        assert (await world.place(text="t-one"))[0] == 201


async def test_frozen_flow_is_silent_and_goes_on_when_resumed(autojump_clock: MockClock, gate: World) -> None:
    async with gate(flow=True) as world:
        await trio.sleep(1)
        world.control.freeze_flow()
        await trio.sleep(1)
        book = world.control.engine.books[BTC]
        frozen_at = book.update_id
        await trio.sleep(10)
        assert book.update_id == frozen_at
        world.control.resume_flow()
        await trio.sleep(1)
        assert book.update_id > frozen_at


async def test_market_moves_to_a_price_and_an_order_is_filled_exactly(autojump_clock: MockClock, gate: World) -> None:
    async with gate() as world:
        world.control.move_market(BTC, Decimal(65_000))
        assert 64_900 < (world.control.best_bid(BTC) or 0) < 65_000 < (world.control.best_ask(BTC) or 0) < 65_100
        order = (await world.place())[1]
        world.control.fill_order(int(order["id"]), Decimal("0.0003"))
        assert world.control.open_orders()[0].filled_quantity == Decimal("0.0003")
        world.control.cancel_order(int(order["id"]))
        assert world.control.open_orders() == ()


async def read_for_ever(socket: GateSocket) -> None:
    while True:
        await socket.connection.get_message()


@pytest.mark.parametrize("verb", ["disconnect_all", "restart"])
async def test_sockets_end_without_a_close_frame_and_orders_survive(autojump_clock: MockClock, gate: World, verb: str) -> None:
    async with gate(flow=True) as world, world.websocket() as socket:
        await world.place(text="t-1")
        await socket.subscribe(f"{world.product}.trades", ["BTC_USDT"])
        getattr(world.control, verb)()
        with pytest.raises(trio_websocket.ConnectionClosed) as closed:
            await read_for_ever(socket)
        assert closed.value.reason.code == 1006
        assert len(world.control.open_orders()) == 1
        assert (await world.place())[0] == 201


async def test_cleared_faults_strike_no_more(autojump_clock: MockClock, gate: World) -> None:
    async with gate() as world:
        world.control.lose_answers(Operation.ANY, count=100)
        world.control.start_maintenance()
        world.control.rate_limit_for(100)
        world.control.ban_for(100)
        world.control.skew_clock(100_000)
        world.control.clear_faults()
        assert (await world.place())[0] == 201


@pytest.mark.parametrize(
    ("name", "path", "channel"), [("gateio_spot", "/ws/v4", "spot.trades"), ("gateio_futures", "/v4/ws/futures/usdt", "futures.trades")]
)
async def test_server_that_is_cancelled_ends_its_connections_and_may_run_again(
    autojump_clock: MockClock, name: str, path: str, channel: str
) -> None:
    network = SimulatedNetwork(random.Random(1))
    network.add_host(HOST, ADDRESS)
    with network.install():
        server = make_exchange(name, SETTINGS, clock=VirtualWallClock(), rng=random.Random(1))
        for _ in range(2):
            async with trio.open_nursery() as nursery, httpx.AsyncClient(base_url=f"http://{HOST}") as http:
                await nursery.start(server.run, ADDRESS, 80)
                async with trio_websocket.open_websocket(HOST, 80, path, use_ssl=False) as socket:
                    await socket.send_message(f'{{"channel": "{channel}", "event": "subscribe", "payload": ["BTC_USDT"]}}')
                    assert (await http.get("/api/v4/spot/time")).status_code == 200
                    nursery.cancel_scope.cancel()
            assert len(server.connections) == 0  # type: ignore[attr-defined]


async def traced_minute(gate: World) -> list[Any]:
    """Everything a client sees of a lively market with an order in it."""
    seen: list[Any] = []
    async with gate(flow=True, seed=11) as world, world.websocket() as socket:
        await socket.subscribe(f"{world.product}.order_book_update", world.book_payload)
        await socket.subscribe(f"{world.product}.tickers", ["BTC_USDT"])
        await socket.subscribe_private(f"{world.product}.orders", world.orders_payload)
        seen.append(await world.place(price=str(world.control.best_bid(BTC))))
        with trio.move_on_after(20):
            while True:
                seen.append((trio.current_time(), await socket.connection.get_message()))
    return seen


def test_same_seed_gives_the_same_wire_bit_for_bit(gate: World) -> None:
    first, again = (run_deterministically(traced_minute, gate, seed=5) for _ in range(2))
    assert len(first) > 100
    assert first == again
