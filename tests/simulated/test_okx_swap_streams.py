"""The simulated OKX swap exchange over websockets: marks, funding, liquidations, positions. What it shares with spot is tested there."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
import trio
from okx_world import BTC, READER, SWAP_ORDER, OkxSocket, OkxWorld, swap_world
from trio.testing import MockClock

SWAP = "BTC-USDT-SWAP"
INSTRUMENT = {"instId": SWAP}
SWAPS = {"instType": "SWAP"}
MARKET = {"ordType": "market", "px": None}
CONTRACT = Decimal("0.01")


@asynccontextmanager
async def private(world: OkxWorld, *channels: str, **arg: str) -> AsyncGenerator[OkxSocket]:
    """A connection that is logged in and subscribed, with what it was told at first unread."""
    async with world.websocket("private") as socket:
        await socket.login()
        await socket.next(event="login")
        for channel in channels:
            await socket.subscribe(channel, **({} if channel in ("account", "balance_and_position") else SWAPS), **arg)
        yield socket


async def told(socket: OkxSocket, channel: str) -> Any:
    """The one object of the next push."""
    (data,) = (await socket.next(channel=channel))["data"]
    return data


async def silence(socket: OkxSocket, channel: str, seconds: float) -> bool:
    with trio.move_on_after(seconds) as scope:
        await socket.next(channel=channel)
    return scope.cancelled_caught


# -- public -------------------------------------------------------------------------------------------------------------


async def test_books_and_trades_are_pushed_in_contracts(autojump_clock: MockClock) -> None:
    async with swap_world() as world, world.websocket() as socket:
        for channel in ("books", "bbo-tbt", "trades"):
            await socket.subscribe(channel, **INSTRUMENT)
        book = world.control.engine.books[BTC]
        snapshot = await told(socket, "books")
        assert [Decimal(size) * CONTRACT for _, size, *_ in snapshot["bids"]] == [quantity for _, quantity in book.bids.levels()]
        await world.place(sz="2", **MARKET)
        trade, update = await told(socket, "trades"), await told(socket, "books")
        assert (trade["sz"], trade["side"], update["prevSeqId"]) == ("2", "buy", snapshot["seqId"])
        (changed,) = update["asks"]
        assert Decimal(changed[1]) * CONTRACT == book.asks.levels(1)[0][1]


async def test_mark_price_is_pushed_at_first_when_it_moves_and_now_and_then(autojump_clock: MockClock) -> None:
    async with swap_world() as world, world.websocket() as socket:
        await socket.subscribe("mark-price", **INSTRUMENT)
        first = await told(socket, "mark-price")
        assert (first["instType"], first["instId"], Decimal(first["markPx"])) == ("SWAP", SWAP, world.control.engine.mark_price(BTC))
        await trio.sleep_until(math.ceil(trio.current_time()))
        for price in ("60001.5", "60002"):
            await trio.sleep(0.05)
            world.control.set_mark_price(BTC, Decimal(price))
        assert (await told(socket, "mark-price"))["markPx"] == "60002", "within 200 ms only the last counts"
        at = trio.current_time()
        assert (await told(socket, "mark-price"))["markPx"] == "60002"
        assert trio.current_time() - at == pytest.approx(10, abs=0.1)


async def test_lively_market_moves_the_mark_price(autojump_clock: MockClock) -> None:
    async with swap_world(flow=True) as world, world.websocket() as socket:
        await socket.subscribe("mark-price", **INSTRUMENT)
        prices = {(await told(socket, "mark-price"))["markPx"] for _ in range(20)}
        assert len(prices) > 10
        assert trio.current_time() < 10


async def test_funding_rate_is_pushed_at_first_and_about_once_a_minute(autojump_clock: MockClock) -> None:
    async with swap_world() as world, world.websocket() as socket:
        await socket.subscribe("funding-rate", **INSTRUMENT)
        first = await told(socket, "funding-rate")
        assert (first["fundingRate"], first["instId"]) == ("0.0001", SWAP)
        world.control.engine.set_funding_rate(BTC, Decimal("-0.0003"))
        at = trio.current_time()
        with trio.move_on_after(90):
            while True:
                await socket.send("ping")
                await trio.sleep(20)
                message = await socket.connection.get_message()
                if message != "pong":
                    break
        assert "-0.0003" in message
        assert 30 <= trio.current_time() - at <= 90


async def test_liquidations_are_pushed_by_the_type_of_instrument(autojump_clock: MockClock) -> None:
    async with swap_world() as world, world.websocket() as socket, world.websocket("business") as business:
        for wrong, where in ((INSTRUMENT, socket), ({"instType": "SPOT"}, socket), ({"instType": SWAP}, socket), (SWAPS, business)):
            await where.send({"op": "subscribe", "args": [{"channel": "liquidation-orders", **wrong}]})
            assert (await where.next(event="error"))["code"] == "60018"
        await socket.subscribe("liquidation-orders", **SWAPS)
        await world.place(sz="2", tdMode="isolated", **MARKET)
        world.control.set_mark_price(BTC, Decimal(50_000))
        liquidation = await told(socket, "liquidation-orders")
        (detail,) = liquidation["details"]
        assert (liquidation["instId"], liquidation["instFamily"], liquidation["instType"]) == (SWAP, "BTC-USDT", "SWAP")
        assert (detail["side"], detail["posSide"], detail["sz"]) == ("sell", "net", "2")
        assert Decimal(detail["bkPx"]) > 50_000


# -- orders -------------------------------------------------------------------------------------------------------------


async def test_order_channel_tells_of_fills_with_what_they_realised(autojump_clock: MockClock) -> None:
    async with swap_world() as world, private(world, "orders") as socket:
        await world.place(sz="1", **MARKET)
        bought = [await told(socket, "orders") for _ in range(2)]
        assert [one["state"] for one in bought] == ["live", "filled"]
        assert (bought[1]["fillSz"], bought[1]["fillPnl"], bought[1]["fillFeeCcy"], bought[1]["tdMode"]) == ("1", "0", "USDT", "cross")
        placed = await world.place(side="sell", sz="1", px="60500", reduceOnly=True)
        assert (await told(socket, "orders"))["reduceOnly"] == "true"
        world.control.fill_order(int(placed["ordId"]), Decimal("0.004"))
        part = await told(socket, "orders")
        gained = (60_500 - Decimal(bought[1]["fillPx"])) * Decimal("0.004")
        assert (part["state"], part["fillSz"], part["accFillSz"], part["execType"]) == ("partially_filled", "0.4", "0.4", "M")
        assert Decimal(part["fillPnl"]) == Decimal(part["pnl"]) == gained
        assert Decimal(part["fillMarkPx"]) == world.control.engine.mark_price(BTC)


async def test_amendments_are_told_with_their_result(autojump_clock: MockClock) -> None:
    async with swap_world() as world, private(world, "orders") as socket:
        placed = await world.place(side="sell", px="60500")
        world.control.fill_order(int(placed["ordId"]), Decimal("0.004"))
        about = {"instId": SWAP, "ordId": placed["ordId"]}
        await world.post("/trade/amend-order", {**about, "newSz": "2", "reqId": "up"})
        await world.post("/trade/amend-order", {**about, "newSz": "100000", "reqId": "wrong"})
        await world.post("/trade/amend-order", {**about, "newSz": "0.1", "reqId": "down"})
        pushed = [await told(socket, "orders") for _ in range(4)]
        assert [(one["state"], one["sz"], one["amendResult"], one["reqId"], one["tradeId"] != "") for one in pushed] == [
            ("live", "1", "", "", False),
            ("partially_filled", "1", "", "", True),
            ("partially_filled", "2", "0", "up", False),
            ("filled", "0.4", "0", "down", False),
        ]


async def test_orders_over_the_websocket_go_by_the_instruments_code(autojump_clock: MockClock) -> None:
    async with swap_world() as world, private(world) as socket:
        (listed,) = (await world.public("/public/instruments", instType="SWAP"))["data"]
        order = {name: value for name, value in SWAP_ORDER.items() if name != "instId"}
        about = {"instIdCode": listed["instIdCode"]}

        async def ask(op: str, *args: Any, **more: str) -> Any:
            await socket.send({"id": "1", "op": op, "args": [*args], **more})
            return await socket.next(op=op)

        for wrong, code in ((INSTRUMENT, "50014"), ({"instIdCode": "x"}, "50014"), ({"instIdCode": 1}, "51001")):
            answer = await ask("order", {**order, **wrong})
            assert (answer["code"], answer["data"][0]["sCode"]) == ("1", code)
        assert (await ask("order", {**order, **INSTRUMENT}))["data"][0]["sMsg"] == "Parameter instIdCode can not be empty."
        answer = await ask("order", {**order, **about, "clOrdId": "a"})
        assert (answer["id"], answer["code"], answer["data"][0]["clOrdId"], "inTime" in answer) == ("1", "0", "a", True)
        answer = await ask("batch-orders", {**order, **about, "clOrdId": "b"}, {**order, **about, "sz": "1000"}, order)
        assert (answer["code"], [one["sCode"] for one in answer["data"]]) == ("2", ["0", "51008", "50014"])
        assert (await ask("amend-order", {**about, "clOrdId": "a", "newSz": "3"}))["code"] == "0"
        answer = await ask("batch-amend-orders", {**about, "clOrdId": "b", "newPx": "49000"}, {**about, "clOrdId": "c", "newSz": "1"})
        assert [one["sCode"] for one in answer["data"]] == ["0", "51503"]
        assert [(one.quantity, one.price) for one in world.control.open_orders()] == [(3 * CONTRACT, 50_000), (CONTRACT, 49_000)]
        expired = str(world.wall.milliseconds() - 1)
        assert (await ask("amend-order", {**about, "clOrdId": "a", "newSz": "4"}, expTime=expired))["code"] == "50036"
        assert (await ask("cancel-order", {**about, "clOrdId": "a"}))["code"] == "0"
        assert (await ask("batch-cancel-orders", {**about, "clOrdId": "b"}, {**about, "clOrdId": "c"}))["code"] == "2"
        assert world.control.open_orders() == ()


# -- positions and money ------------------------------------------------------------------------------------------------


async def test_positions_begin_with_a_snapshot_and_each_change_is_told_to_the_last(autojump_clock: MockClock) -> None:
    async with swap_world() as world:
        async with private(world, "positions") as socket:
            snapshot = await socket.next(channel="positions")
            assert (snapshot["eventType"], snapshot["lastPage"], snapshot["data"]) == ("snapshot", True, [])
            assert snapshot["arg"] == {"channel": "positions", **SWAPS, "uid": "10000001"}
            await world.place(sz="2", **MARKET)
            push = await socket.next(channel="positions")
            (opened,) = push["data"]
            assert (push["eventType"], "curPage" in push, opened["pos"], opened["lever"]) == ("event_update", False, "2", "10")
            assert opened["tradeId"] == str(world.control.trades()[-1].id)
            await world.place(side="sell", sz="5", **MARKET)
            assert (await told(socket, "positions"))["pos"] == "-3"
            await world.place(sz="3", **MARKET)
            closed = await told(socket, "positions")
            assert (closed["pos"], closed["avgPx"], closed["posId"]) == ("0", "", opened["posId"])
        await world.place(sz="2", **MARKET)
        async with private(world, "positions", instId=SWAP) as socket:
            assert (await told(socket, "positions"))["pos"] == "2"


async def test_changes_of_a_position_within_50_ms_are_told_together(autojump_clock: MockClock) -> None:
    async with swap_world() as world, private(world, "positions", extraParams='{"updateInterval": "0"}') as socket:
        await socket.next(channel="positions")
        placed = await world.place(side="sell", px="60500", sz="3")
        for quantity in ("0.01", "0.02"):
            await trio.sleep(0.02)
            world.control.fill_order(int(placed["ordId"]), Decimal(quantity))
        assert (await told(socket, "positions"))["pos"] == "-3"
        assert await silence(socket, "positions", 20)


@pytest.mark.parametrize(("chosen", "seconds"), [(None, 5), ("2000", 2), ("3000", 3), ("4000", 4), ("7000", 5)])
async def test_positions_are_told_regularly_as_the_client_chooses(autojump_clock: MockClock, chosen, seconds) -> None:
    extra = {} if chosen is None else {"extraParams": f'{{"updateInterval": "{chosen}"}}'}
    async with swap_world() as world:
        await world.place(sz="2", **MARKET)
        async with private(world, "positions", **extra) as socket:
            await told(socket, "positions")
            await told(socket, "positions")
            at = trio.current_time()
            world.control.set_mark_price(BTC, Decimal(61_000))
            push = await socket.next(channel="positions")
            assert (push["eventType"], push["data"][0]["markPx"]) == ("snapshot", "61000")
            assert trio.current_time() - at == pytest.approx(seconds, abs=0.1)


async def test_subscription_about_something_else_hears_nothing_of_a_position(autojump_clock: MockClock) -> None:
    async with swap_world() as world, private(world) as socket:
        quiet = {"extraParams": '{"updateInterval": "0"}'}
        await world.place(sz="2", **MARKET)
        await socket.subscribe("positions", instType="FUTURES", **quiet)
        assert (await socket.next(channel="positions"))["data"] == []
        await world.place(sz="2", **MARKET)
        assert await silence(socket, "positions", 3)
        await socket.subscribe("positions", instType="SWAP", instFamily="BTC-USDT", **quiet)
        assert (await told(socket, "positions"))["pos"] == "4"
        await socket.send({"op": "subscribe", "args": [{"channel": "positions", "instType": "SWAP", "instFamily": "NO-SUCH"}]})
        assert (await socket.next(event="error"))["code"] == "60018"


async def test_balance_and_position_tells_at_once_what_a_fill_has_changed(autojump_clock: MockClock) -> None:
    async with swap_world() as world, private(world, "balance_and_position") as socket:
        snapshot = await told(socket, "balance_and_position")
        assert (snapshot["eventType"], snapshot["posData"]) == ("snapshot", [])
        assert [(one["ccy"], one["cashBal"]) for one in snapshot["balData"]] == [("USDT", "10000")]
        await world.place(sz="2", **MARKET)
        (trade,) = world.control.trades()
        change = await told(socket, "balance_and_position")
        (one,), (balance,) = change["posData"], change["balData"]
        assert (change["eventType"], one["pos"], one["mgnMode"]) == ("filled", "2", "cross")
        assert Decimal(balance["cashBal"]) == 10_000 - trade.taker.fee
        assert Decimal(one["avgPx"]) == trade.price
        assert change["trades"] == [{"instId": SWAP, "tradeId": str(trade.id)}]


async def test_balance_and_position_names_what_has_changed_them(autojump_clock: MockClock) -> None:
    async with swap_world() as world:
        await world.place(sz="2", **MARKET)
        async with private(world, "balance_and_position") as socket:
            (held,) = (await told(socket, "balance_and_position"))["posData"]
            assert held["pos"] == "2"
            world.control.pay_funding(BTC, Decimal("0.001"))
            paid = await told(socket, "balance_and_position")
            assert (paid["eventType"], len(paid["posData"])) == ("funding_fee", 1)
            assert paid["balData"][0]["cashBal"] == str(sum(world.control.balances()["USDT"]).normalize())
            await world.post("/account/set-leverage", {**INSTRUMENT, "mgnMode": "cross", "lever": "20"})
            assert (await told(socket, "balance_and_position"))["eventType"] == "set_leverage"
            world.control.deposit("USDT", Decimal(7))
            assert (await told(socket, "balance_and_position"))["eventType"] == "transferred"


async def test_account_channel_tells_of_margin_in_its_parts(autojump_clock: MockClock) -> None:
    async with swap_world() as world, private(world, "account", extraParams='{"updateInterval":"0"}') as socket:
        (detail,) = (await told(socket, "account"))["details"]
        assert (detail["cashBal"], detail["availEq"], detail["imr"], detail["upl"]) == ("10000", "10000", "", "0")
        await world.place(sz="2", **MARKET)
        (detail,) = (await told(socket, "account"))["details"]
        assert await silence(socket, "account", 1), "all that the fill has changed is told once"
        (asked,) = (await world.get("/account/balance"))["data"][0]["details"]
        assert {**detail, "uTime": ""} == {**asked, "uTime": ""}
        one = world.control.positions()[BTC]
        assert Decimal(detail["imr"]) == one.margin == one.cost / 10
        assert Decimal(detail["availEq"]) == Decimal(detail["eq"]) - one.margin


async def test_liquidation_is_told_on_every_channel(autojump_clock: MockClock) -> None:
    async with swap_world() as world:
        await world.place(sz="2", tdMode="isolated", **MARKET)
        resting = await world.place(side="sell", px="61000", tdMode="isolated")
        async with private(world, "orders", "positions", "balance_and_position") as socket:
            for channel in ("positions", "balance_and_position"):
                await socket.next(channel=channel)
            world.control.set_mark_price(BTC, Decimal(50_000))
            pushed = [await told(socket, "orders") for _ in range(3)]
            assert [(one["ordId"] == resting["ordId"], one["state"]) for one in pushed] == [
                (True, "canceled"),
                (False, "live"),
                (False, "filled"),
            ]
            assert pushed[0]["cancelSource"] == "3"
            assert {one["category"] for one in pushed[1:]} == {"full_liquidation"}
            assert pushed[-1]["tradeId"].startswith("-")
            assert (await told(socket, "positions"))["pos"] == "0"
            events: list[str] = []
            while "liquidation" not in events:
                events.append((await told(socket, "balance_and_position"))["eventType"])


async def test_every_fill_of_a_liquidation_is_told_also_what_the_book_did_not_take(autojump_clock: MockClock) -> None:
    async with swap_world() as world:
        await world.post("/account/set-leverage", {**INSTRUMENT, "mgnMode": "cross", "lever": "100"})
        placed = await world.place(sz="300", px="59900")
        world.control.fill_order(int(placed["ordId"]))
        async with private(world, "orders") as socket:
            world.control.set_mark_price(BTC, Decimal(56_000))
            pushed = [await told(socket, "orders")]
            while pushed[-1]["state"] != "filled":
                pushed.append(await told(socket, "orders"))
        assert [one["tradeId"] for one in pushed[1:]] == [f"-{trade.id}" for trade in world.control.trades()[1:]]
        filled = [Decimal(one["accFillSz"]) for one in pushed]
        assert [after - before for before, after in pairwise(filled)] == [Decimal(one["fillSz"]) for one in pushed[1:]]
        assert filled[-1] == 300


async def test_one_account_hears_nothing_of_another(autojump_clock: MockClock) -> None:
    async with swap_world() as world, world.websocket("private") as socket:
        await socket.login(READER)
        await socket.next(event="login")
        await socket.subscribe("positions", **SWAPS, extraParams='{"updateInterval":"0"}')
        await socket.next(channel="positions")
        await world.place(sz="2", **MARKET)
        assert await silence(socket, "positions", 3)


async def test_lost_and_doubled_private_events_are_lost_and_doubled(autojump_clock: MockClock) -> None:
    async with swap_world() as world, private(world, "positions", extraParams='{"updateInterval":"0"}') as socket:
        await socket.next(channel="positions")
        world.control.drop_private_events(1)
        await world.place(sz="2", **MARKET)
        assert await silence(socket, "positions", 3)
        world.control.duplicate_private_events(1)
        await world.place(sz="1", **MARKET)
        assert [(await told(socket, "positions"))["pos"] for _ in range(2)] == ["3", "3"]
