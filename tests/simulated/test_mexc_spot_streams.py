"""The simulated MEXC spot exchange, its websocket side: pushes, control frames, and how connections end."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from decimal import Decimal

import msgspec
import pytest
import trio
from mexc_world import BTC, READER, SETTINGS, MexcSocket, MexcWorld, mexc_world
from trio.testing import MockClock

DEPTH = "spot@public.aggre.depth.v3.api.pb@100ms@BTCUSDT"
DEALS = "spot@public.aggre.deals.v3.api.pb@100ms@BTCUSDT"
TICKER = "spot@public.aggre.bookTicker.v3.api.pb@10ms@BTCUSDT"
CANDLES = "spot@public.kline.v3.api.pb@BTCUSDT@Min1"
PRIVATE = ("spot@private.orders.v3.api.pb", "spot@private.deals.v3.api.pb", "spot@private.account.v3.api.pb")


async def test_subscription_is_confirmed_by_its_topics_and_refused_with_code_zero(autojump_clock: MockClock) -> None:
    async with mexc_world() as world, world.websocket() as socket:
        assert await socket.subscribe(DEPTH, DEALS) == {"id": 7, "code": 0, "msg": f"{DEPTH},{DEALS}"}
        for wrong in ("spot@public.miniTicker.v3.api@BTCUSDT@UTC+0", DEPTH.replace("100ms", "1s"), DEPTH.replace("BTC", "NO"), PRIVATE[0]):
            refusal = await socket.subscribe(wrong)
            assert (refusal["code"], refusal["id"]) == (0, 0)
            assert refusal["msg"] == f"Not Subscribed successfully! [{wrong}].  Reason： Blocked!"


async def test_pings_are_answered_in_any_case_and_nonsense_is_called_so(autojump_clock: MockClock) -> None:
    async with mexc_world() as world, world.websocket() as socket:
        for method in ("PING", "ping"):
            await socket.send(method)
            assert (await socket.next())["msg"] == "PONG"
        await socket.connection.send_message("{nonsense")
        assert (await socket.next())["msg"] == "msg format invalid"


async def test_book_follows_from_a_snapshot_by_contiguous_versions(autojump_clock: MockClock) -> None:
    async with mexc_world(flow=True) as world, world.websocket() as socket:
        await socket.subscribe(DEPTH)
        snapshot = (await world.public("/depth", symbol="BTCUSDT", limit="5000"))[1]
        book = {side: {Decimal(price): Decimal(quantity) for price, quantity in snapshot[side]} for side in ("bids", "asks")}
        last = snapshot["lastUpdateId"]
        for _ in range(50):
            depth = await socket.push("depth")
            first, following = int(depth["from_version"]), int(depth["to_version"])
            if following <= last:
                continue
            assert first <= last + 1
            assert first == last + 1 or last == snapshot["lastUpdateId"]
            last = following
            apply(book, depth)
        world.control.freeze_flow()
        while last < world.control.engine.books[BTC].update_id:
            depth = await socket.push("depth")
            last = int(depth["to_version"])
            apply(book, depth)
        real = world.control.engine.books[BTC]
        assert (book["bids"], book["asks"]) == (dict(real.bids.levels()), dict(real.asks.levels()))


def apply(book: dict[str, dict[Decimal, Decimal]], depth: dict[str, list[dict[str, str]]]) -> None:
    for side, levels in book.items():
        for level in depth.get(side, []):
            levels[Decimal(level["price"])] = Decimal(level["quantity"])
            if not levels[Decimal(level["price"])]:
                del levels[Decimal(level["price"])]


async def test_trades_best_prices_and_candles_are_pushed(autojump_clock: MockClock) -> None:
    async with mexc_world() as world, world.websocket() as socket:
        await socket.subscribe(DEALS, TICKER, CANDLES)
        best = await socket.push("book_ticker")
        assert Decimal(best["bid_price"]) < Decimal(best["ask_price"])
        await world.buy("100")
        (deal,) = (await socket.push("trades"))["deals"]
        assert (deal["price"], deal["trade_type"]) == (best["ask_price"], 1)
        candle = await socket.push("candle")
        assert (candle["closing_price"], int(candle["window_end"]) - int(candle["window_start"])) == (deal["price"], 60)


async def test_private_pushes_tell_the_life_of_an_order_to_its_owner_only(autojump_clock: MockClock) -> None:
    async with mexc_world() as world:
        key, other = await world.listen_key(), await world.listen_key(READER)
        async with world.websocket(key) as socket, world.websocket(other) as stranger:
            assert (await socket.subscribe(*PRIVATE))["msg"] == ",".join(PRIVATE)
            await stranger.subscribe(*PRIVATE)
            placed = (await world.place(quantity="0.01", newClientOrderId="mine"))[1]
            world.control.fill_order(int(placed["orderId"].removeprefix("C02__")), Decimal("0.004"))
            await world.call("DELETE", "/order", symbol="BTCUSDT", orderId=placed["orderId"])
            told = [await socket.next() for _ in range(8)]
            orders = [push["private_order"] for push in told if "private_order" in push]
            assert [(order["status"], order["cumulative_quantity"], order.get("last_deal_quantity")) for order in orders] == [
                (1, "0", None),
                (3, "0.004", "0.004"),
                (5, "0.004", "0.004"),
            ]
            assert {(order["id"], order["client_id"], order["order_type"], order["trade_type"]) for order in orders} == {
                (placed["orderId"], "mine", 1, 1)
            }
            (deal,) = [push["private_deal"] for push in told if "private_deal" in push]
            assert (deal["quantity"], deal["fee_amount"], deal["fee_currency"], deal["is_maker"]) == ("0.004", "0.000008", "BTC", True)
            balances = [push["private_balance"] for push in told if "private_balance" in push]
            assert [(one["asset"], one["type"], one["available"], one["frozen"]) for one in balances] == [
                ("USDT", "ENTRUST_PLACE", "9500", "500"),
                ("USDT", "ENTRUST", "9500", "300"),
                ("BTC", "ENTRUST", "0.103992", "0"),
                ("USDT", "ENTRUST_CANCEL", "9800", "0"),
            ]
            with trio.move_on_after(1) as silence:
                await stranger.next()
            assert silence.cancelled_caught


async def test_connection_with_a_key_that_nobody_has_is_told_so_and_closed(autojump_clock: MockClock) -> None:
    async with mexc_world() as world, world.websocket("made-up") as socket:
        assert await socket.next() == "Invalid listen key"
        await socket.lived_until()


async def keep_awake(socket: MexcSocket) -> None:
    while True:
        await trio.sleep(50)
        await socket.send("PING")


async def lifetime(world: MexcWorld, socket: MexcSocket, *topics: str, pings: bool = True) -> float:
    """How long the connection lives after it has subscribed."""
    began_at = trio.current_time()
    if topics:
        await socket.subscribe(*topics)
    with trio.fail_after(25 * 3600):  # virtual: nothing is to live for longer than a day
        async with trio.open_nursery() as nursery:
            if pings:
                nursery.start_soon(keep_awake, socket)
            ended_at = await socket.lived_until()
            nursery.cancel_scope.cancel()
    return ended_at - began_at


async def test_connection_without_a_subscription_is_gone_after_half_a_minute(autojump_clock: MockClock) -> None:
    async with mexc_world() as world, world.websocket() as socket:
        assert await lifetime(world, socket) == pytest.approx(30, abs=0.5)


async def test_silent_connection_is_gone_after_a_minute(autojump_clock: MockClock) -> None:
    async with mexc_world() as world, world.websocket() as socket:
        assert await lifetime(world, socket, DEALS, pings=False) == pytest.approx(60, abs=0.5)


async def test_listen_key_that_is_not_kept_takes_its_connection_with_it_after_an_hour(autojump_clock: MockClock) -> None:
    async with mexc_world() as world:
        key = await world.listen_key()
        async with world.websocket(key) as socket:
            assert await lifetime(world, socket, *PRIVATE) == pytest.approx(3600, abs=0.5)


async def test_listen_key_that_is_kept_lasts_and_one_that_is_closed_takes_its_connection_with_it(autojump_clock: MockClock) -> None:
    async with mexc_world() as world:
        key = await world.listen_key()

        async def keep_then_close() -> None:
            for _ in range(3):
                await trio.sleep(1800)
                await world.call("PUT", "/userDataStream", listenKey=key)
            await world.call("DELETE", "/userDataStream", listenKey=key)

        async with world.websocket(key) as socket, trio.open_nursery() as nursery:
            nursery.start_soon(keep_then_close)
            assert await lifetime(world, socket, *PRIVATE) == pytest.approx(5400, abs=0.5)


async def test_listen_key_opens_five_connections_at_a_time_and_a_sixth_is_told_that_it_is_not_valid(autojump_clock: MockClock) -> None:
    async with mexc_world() as world, AsyncExitStack() as sockets:
        key = await world.listen_key()
        first, *_ = [await sockets.enter_async_context(world.websocket(key)) for _ in range(5)]
        async with world.websocket(key) as sixth:
            assert await sixth.next() == "Invalid listen key"
        await first.connection.aclose()
        async with world.websocket(key) as again:
            assert (await again.subscribe(*PRIVATE))["msg"] == ",".join(PRIVATE)


async def test_connection_lives_for_a_day_at_most(autojump_clock: MockClock) -> None:
    async with mexc_world() as world, world.websocket() as socket:
        assert await lifetime(world, socket, DEALS) == pytest.approx(24 * 3600, abs=0.5)


async def test_connection_holds_thirty_subscriptions(autojump_clock: MockClock) -> None:
    markets = tuple(msgspec.structs.replace(SETTINGS.markets[0], symbol=f"A{number}_USDT") for number in range(31))
    async with mexc_world(msgspec.structs.replace(SETTINGS, markets=markets)) as world, world.websocket() as socket:
        answer = await socket.subscribe(*(DEPTH.replace("BTC", f"A{number}") for number in range(31)))
        assert answer["msg"].startswith("Not Subscribed successfully!")
        assert "A30USDT" in answer["msg"]
        assert len((await socket.next())["msg"].split(",")) == 30


async def test_client_that_floods_is_cut_off(autojump_clock: MockClock) -> None:
    async with mexc_world() as world, world.websocket() as socket:
        for _ in range(101):
            await socket.connection.send_message(json.dumps({"method": "PING"}))
        assert await lifetime(world, socket, pings=False) < 1


async def test_restart_forgets_listen_keys_and_garbled_pushes_are_not_readable(autojump_clock: MockClock) -> None:
    async with mexc_world() as world:
        key = await world.listen_key()
        async with world.websocket(key) as socket:
            await socket.subscribe(*PRIVATE)
            world.control.garble_private_events(1)
            await world.place()
            with pytest.raises(Exception, match=r"parsing|Truncated"):
                await socket.next()
            world.control.restart()
            await socket.lived_until()
        async with world.websocket(key) as socket:
            assert await socket.next() == "Invalid listen key"
