"""The simulated OKX over websockets: paths, logins, books, and what a private client is told."""

from __future__ import annotations

import zlib
from decimal import Decimal
from itertools import zip_longest
from typing import Any

import msgspec
import pytest
import trio
import trio_websocket
from okx_world import BTC, MAIN, READER, SETTINGS, OkxSocket, okx_world
from trio.testing import MockClock

INSTRUMENT = {"instId": "BTC-USDT"}
ORDERS = {"instType": "SPOT"}
Levels = dict[str, str]


class LocalBook:
    """A book kept by the documented rules, written here a third time."""

    def __init__(self) -> None:
        self.bids: Levels = {}
        self.asks: Levels = {}
        self.sequence = -1

    def take(self, push: Any) -> None:
        (data,) = push["data"]
        if push["action"] == "snapshot":
            assert data["prevSeqId"] == -1
            self.bids, self.asks = {}, {}
        else:
            assert data["prevSeqId"] == self.sequence
        for side, levels in ((self.bids, data["bids"]), (self.asks, data["asks"])):
            for price, quantity, *_ in levels:
                if quantity == "0":
                    side.pop(price, None)
                else:
                    side[price] = quantity
        self.sequence = data["seqId"]

    def sides(self) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        return sorted(self.bids.items(), key=lambda level: -Decimal(level[0])), sorted(
            self.asks.items(), key=lambda level: Decimal(level[0])
        )

    def checksum(self) -> int:
        bids, asks = self.sides()
        parts = [":".join(level) for pair in zip_longest(bids[:25], asks[:25]) for level in pair if level is not None]
        value = zlib.crc32(":".join(parts).encode())
        return value - 2**32 if value >= 2**31 else value


async def private(socket: OkxSocket) -> None:
    await socket.login()
    await socket.next(event="login")


async def test_book_is_pushed_whole_and_then_by_linked_changes(autojump_clock: MockClock) -> None:
    async with okx_world(flow=True) as world, world.websocket() as socket:
        acknowledged = await socket.subscribe("books", **INSTRUMENT)
        assert (acknowledged["id"], acknowledged["arg"]) == ("7", {"channel": "books", **INSTRUMENT})
        book = LocalBook()
        for _ in range(50):
            push = await socket.next(channel="books")
            book.take(push)
            assert push["data"][0]["checksum"] == 0
        world.control.freeze_flow()
        with trio.move_on_after(1):
            while True:
                book.take(await socket.next(channel="books"))
        bids, asks = book.sides()
        engine = world.control.engine.books[BTC]
        assert [Decimal(price) for price, _ in bids] == [*engine.bids.prices()]
        assert [Decimal(quantity) for _, quantity in asks] == [quantity for _, quantity in engine.asks.levels()]


async def test_books_bear_real_checksums_when_that_is_wanted(autojump_clock: MockClock) -> None:
    async with okx_world(msgspec.structs.replace(SETTINGS, book_checksums=True), flow=True) as world, world.websocket() as socket:
        await socket.subscribe("books", **INSTRUMENT)
        book = LocalBook()
        for _ in range(30):
            push = await socket.next(channel="books")
            book.take(push)
            assert push["data"][0]["checksum"] == book.checksum() != 0


async def test_late_subscriber_gets_a_book_that_links_to_the_changes_for_all(autojump_clock: MockClock) -> None:
    async with okx_world(flow=True) as world, world.websocket() as first, world.websocket() as second:
        one, other = LocalBook(), LocalBook()
        await first.subscribe("books", **INSTRUMENT)
        for _ in range(5):
            one.take(await first.next(channel="books"))
        await second.subscribe("books", **INSTRUMENT)
        for _ in range(10):
            other.take(await second.next(channel="books"))
        while one.sequence < other.sequence:
            one.take(await first.next(channel="books"))
        assert one.sides() == other.sides()


async def test_change_there_and_back_is_not_pushed_and_a_quiet_minute_has_a_heartbeat(autojump_clock: MockClock) -> None:
    async with okx_world() as world, world.websocket() as socket:
        await socket.subscribe("books", **INSTRUMENT)
        book = LocalBook()
        book.take(await socket.next(channel="books"))
        placed = await world.place()
        await world.post("/trade/cancel-order", {"instId": "BTC-USDT", "ordId": placed["ordId"]})
        (rest,) = (await world.public("/market/books", instId="BTC-USDT"))["data"]
        assert rest["seqId"] > book.sequence
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ping_for_ever, socket)
            heartbeat = await next_push(socket)
            nursery.cancel_scope.cancel()
        (data,) = heartbeat["data"]
        assert (data["bids"], data["asks"], data["prevSeqId"], data["seqId"]) == ([], [], book.sequence, book.sequence)


async def ping_for_ever(socket: OkxSocket) -> None:
    while True:
        await socket.send("ping")
        await trio.sleep(20)


async def next_push(socket: OkxSocket) -> Any:
    while True:
        message = await socket.connection.get_message()
        if message != "pong":
            return msgspec.json.decode(message)


async def test_faults_show_as_gaps_and_crossed_books(autojump_clock: MockClock) -> None:
    async with okx_world(flow=True) as world, world.websocket() as socket:
        await socket.subscribe("books", **INSTRUMENT)
        book = LocalBook()
        book.take(await socket.next(channel="books"))
        world.control.inject_crossed_update(BTC)
        while not book.asks or Decimal(book.sides()[0][0][0]) < Decimal(book.sides()[1][0][0]):
            book.take(await socket.next(channel="books"))
        world.control.withhold_book_updates(BTC)
        pushes = [(await socket.next(channel="books"))["data"][0] for _ in range(5)]
        links = [book.sequence, *(push["seqId"] for push in pushes)]
        assert [push["prevSeqId"] == last for push, last in zip(pushes, links, strict=False)].count(False) == 1


async def test_trades_tickers_and_small_books_are_pushed(autojump_clock: MockClock) -> None:
    async with okx_world(flow=True) as world, world.websocket() as socket, world.websocket("business") as business:
        for channel in ("trades", "tickers", "books5", "bbo-tbt"):
            await socket.subscribe(channel, **INSTRUMENT)
        await business.subscribe("candle1m", **INSTRUMENT)
        await business.subscribe("trades-all", **INSTRUMENT)
        assert len((await socket.next(channel="books5"))["data"][0]["bids"]) == 5
        assert len((await socket.next(channel="bbo-tbt"))["data"][0]["asks"]) == 1
        assert Decimal((await socket.next(channel="tickers"))["data"][0]["bidPx"]) > 0
        (trade,) = (await socket.next(channel="trades"))["data"]
        assert (await business.next(channel="trades-all"))["data"][0]["tradeId"] == trade["tradeId"]
        assert len((await business.next(channel="candle1m"))["data"][0]) == 9


async def test_channels_have_their_paths_and_private_ones_need_a_login(autojump_clock: MockClock) -> None:
    async with okx_world() as world, world.websocket() as public, world.websocket("private") as socket:
        for wrong in ({"channel": "orders", **ORDERS}, {"channel": "books", "instId": "NO-SUCH"}, {"channel": "candle1m", **INSTRUMENT}):
            await public.send({"id": "9", "op": "subscribe", "args": [wrong]})
            refused = await public.next(event="error")
            assert (refused["code"], refused["id"]) == ("60018", "9")
        await socket.send({"op": "subscribe", "args": [{"channel": "orders", **ORDERS}]})
        assert (await socket.next(event="error"))["code"] == "60011"
        await socket.send("nonsense")
        assert (await socket.next(event="error"))["code"] == "60012"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"apiKey": "nobody"}, "60005"),
        ({"passphrase": "wrong"}, "60024"),
        ({"sign": "d3Jvbmc="}, "60007"),
        ({"timestamp": "1"}, "60006"),
        ({"timestamp": "x"}, "60004"),
    ],
)
async def test_login_is_refused_for_what_is_wrong_with_it(autojump_clock: MockClock, changes, code) -> None:
    async with okx_world() as world, world.websocket("private") as socket:
        await socket.login(**changes)
        assert (await socket.next(event="error"))["code"] == code
        await socket.login()
        assert (await socket.next(event="login"))["code"] == "0"
        await socket.login()
        assert (await socket.next(event="error"))["code"] == "60031"


async def test_order_channel_tells_of_each_step_with_its_fill(autojump_clock: MockClock) -> None:
    async with okx_world() as world, world.websocket("private") as socket:
        await private(socket)
        await socket.subscribe("orders", **ORDERS)
        placed = await world.place(clOrdId="abc", side="sell", px="60500", ordType="limit")
        pushed = (await socket.next(channel="orders"))["data"][0]
        assert (pushed["state"], pushed["tradeId"], pushed["clOrdId"], pushed["amendResult"]) == ("live", "", "abc", "")
        world.control.fill_order(int(placed["ordId"]), Decimal("0.0004"))
        pushed = (await socket.next(channel="orders"))["data"][0]
        assert (pushed["state"], pushed["fillSz"], pushed["accFillSz"], pushed["execType"]) == ("partially_filled", "0.0004", "0.0004", "M")
        assert Decimal(pushed["fillFee"]) == -Decimal("0.0004") * 60500 * MAIN.maker_fee
        await world.post("/trade/amend-order", {"instId": "BTC-USDT", "ordId": placed["ordId"], "newSz": "0.002", "reqId": "r"})
        pushed = (await socket.next(channel="orders"))["data"][0]
        assert (pushed["sz"], pushed["amendResult"], pushed["reqId"], pushed["tradeId"]) == ("0.002", "0", "r", "")
        world.control.fill_order(int(placed["ordId"]))
        pushed = (await socket.next(channel="orders"))["data"][0]
        assert (pushed["state"], pushed["fillSz"], pushed["accFillSz"]) == ("filled", "0.0016", "0.002")


@pytest.mark.parametrize(
    ("fields", "states"),
    [
        ({"ordType": "market", "px": None, "sz": "9900"}, ["live", "partially_filled", "filled"]),
        ({"ordType": "ioc", "px": "best ask", "sz": "0.16"}, ["live", "partially_filled", "canceled"]),
        ({"ordType": "fok", "px": "50000"}, ["live", "canceled"]),
        ({"ordType": "post_only", "px": "61000"}, ["live", "canceled"]),
    ],
)
async def test_immediate_orders_are_told_from_live_to_their_end_and_every_fill_once(autojump_clock: MockClock, fields, states) -> None:
    async with okx_world() as world, world.websocket("private") as socket:
        await private(socket)
        await socket.subscribe("orders", **ORDERS)
        best_ask = str(world.control.best_ask(BTC))
        placed = await world.place(**{name: best_ask if value == "best ask" else value for name, value in fields.items()})
        assert placed["sCode"] == "0"
        pushed: list[Any] = []
        while not pushed or pushed[-1]["state"] not in ("filled", "canceled"):
            pushed.append((await socket.next(channel="orders"))["data"][0])
        seen = [one["state"] for one in pushed]
        assert list(dict.fromkeys(seen)) == states
        fills = [one for one in pushed if one["tradeId"]]
        assert [one["tradeId"] for one in fills] == [str(trade.id) for trade in world.control.trades()]
        assert sum(Decimal(one["fillSz"]) for one in fills) == Decimal(pushed[-1]["accFillSz"])


async def test_account_channel_begins_with_a_snapshot_and_goes_on_with_changes_and_regularly(autojump_clock: MockClock) -> None:
    async with okx_world() as world, world.websocket("private") as socket:
        await private(socket)
        await socket.subscribe("account")
        snapshot = await socket.next(channel="account")
        assert (snapshot["eventType"], snapshot["lastPage"]) == ("snapshot", True)
        assert {one["ccy"]: one["cashBal"] for one in snapshot["data"][0]["details"]} == {"USDT": "10000", "BTC": "0.1"}
        await world.place()
        change = await socket.next(channel="account")
        (detail,) = change["data"][0]["details"]
        assert (change["eventType"], detail["ccy"], detail["availBal"], detail["frozenBal"]) == ("event_update", "USDT", "9950", "50")
        assert (await socket.next(channel="account"))["eventType"] == "snapshot", "five seconds later"


async def test_one_account_hears_nothing_of_another(autojump_clock: MockClock) -> None:
    async with okx_world() as world, world.websocket("private") as socket:
        await socket.login(READER)
        await socket.next(event="login")
        await socket.subscribe("orders", **ORDERS)
        await world.place()
        with trio.move_on_after(3) as scope:
            await socket.next(channel="orders")
        assert scope.cancelled_caught


async def test_orders_over_the_websocket_go_by_the_instruments_code(autojump_clock: MockClock) -> None:
    async with okx_world() as world, world.websocket("private") as socket:
        await socket.send({"id": "1", "op": "order", "args": [{}]})
        assert (await socket.next(event="error"))["code"] == "60011"
        await private(socket)
        (listed,) = (await world.public("/public/instruments", instType="SPOT"))["data"]
        order = {"tdMode": "cash", "side": "buy", "ordType": "limit", "sz": "0.001", "px": "50000", "clOrdId": "w1"}
        for about, code in (({"instIdCode": listed["instIdCode"]}, "0"), ({"instId": "BTC-USDT"}, "1"), ({"instIdCode": 1}, "1")):
            await socket.send({"id": "2", "op": "order", "args": [{**order, **about}]})
            assert (await socket.next(op="order"))["code"] == code
        await socket.send({"id": "2", "op": "order", "args": [{**order, "instId": "BTC-USDT"}]})
        (refused,) = (await socket.next(op="order"))["data"]
        assert (refused["sCode"], refused["sMsg"]) == ("50014", "Parameter instIdCode can not be empty.")
        expired = str(world.wall.milliseconds() - 1)
        await socket.send({"id": "3", "op": "order", "expTime": expired, "args": [{**order, "instIdCode": listed["instIdCode"]}]})
        assert (await socket.next(op="order"))["code"] == "50036"
        await socket.send({"id": "4", "op": "cancel-order", "args": [{"instIdCode": listed["instIdCode"], "clOrdId": "w1"}]})
        answer = await socket.next(op="cancel-order")
        assert (answer["id"], answer["code"], world.control.open_orders()) == ("4", "0", ())


async def test_batches_over_the_websocket_count_their_orders_and_share_the_limit_of_rest(autojump_clock: MockClock) -> None:
    async with okx_world() as world, world.websocket("private") as socket:
        await private(socket)
        (listed,) = (await world.public("/public/instruments", instType="SPOT"))["data"]
        order = {"tdMode": "cash", "side": "buy", "ordType": "limit", "sz": "0.00001", "px": "50000"}
        by_rest = [(await world.post("/trade/batch-orders", [{**order, "instId": "BTC-USDT"}] * 20))["code"] for _ in range(10)]
        for number in range(6):
            batch = [{**order, "instIdCode": listed["instIdCode"]}] * 20
            await socket.send({"id": str(number), "op": "batch-orders", "args": batch})
        by_stream = [(await socket.next(op="batch-orders"))["code"] for _ in range(6)]
        assert (by_rest, by_stream) == (["0"] * 10, ["0"] * 5 + ["60014"]), "300 orders in 2 s, however they come"


async def test_connection_without_pushes_is_closed_unless_it_pings(autojump_clock: MockClock) -> None:
    async with okx_world() as world, world.websocket("private") as socket:
        for _ in range(3):
            await trio.sleep(20)
            await socket.send("ping")
            assert await socket.connection.get_message() == "pong"
        with pytest.raises(trio_websocket.ConnectionClosed) as closed, trio.fail_after(40):
            await socket.connection.get_message()
        assert closed.value.reason is not None
        assert closed.value.reason.code == 4004


async def test_upgrade_is_announced_to_all(autojump_clock: MockClock) -> None:
    async with okx_world() as world, world.websocket() as public, world.websocket("private") as socket:
        world.control.announce_shutdown()
        for one in (public, socket):
            assert (await one.next(event="notice"))["code"] == "64008"
