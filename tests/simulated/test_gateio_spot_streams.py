from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
import trio
from gate_world import BTC, SETTINGS, GateSocket, gate_world
from local_book import Sides, apply, best_of, local_book, true_book
from trio.testing import MockClock


@pytest.mark.parametrize(("interval", "limit"), [("100ms", 100), ("20ms", 20)])
async def test_snapshot_and_updates_keep_a_local_book_equal_to_the_real_one(autojump_clock: MockClock, interval: str, limit: int) -> None:
    """With more levels than the stream's depth, so that levels come into reach which no snapshot held."""
    market = msgspec.structs.replace(SETTINGS.markets[0], maker_levels=40, maker_rate_per_second=60.0, taker_rate_per_second=8.0)
    async with gate_world(msgspec.structs.replace(SETTINGS, markets=(market,)), flow=True) as world, world.websocket() as socket:
        await socket.subscribe("spot.order_book_update", ["BTC_USDT", interval])
        first = (await socket.next("spot.order_book_update", "update"))["result"]
        snapshot = (await world.public("/spot/order_book", currency_pair="BTC_USDT", with_id="true", limit=str(limit)))[1]
        book, last_id = local_book(snapshot), snapshot["id"]
        assert first["U"] <= last_id + 1
        compared = 0
        for _ in range(200):
            push = (await socket.next("spot.order_book_update", "update"))["result"]
            if push["u"] <= last_id:
                continue
            assert push["U"] <= last_id + 1 if last_id == snapshot["id"] else push["U"] == last_id + 1
            apply(book, push)
            last_id = push["u"]
            if last_id == world.control.engine.books[BTC].update_id:
                assert best_of(book, limit) == true_book(world.control, BTC, limit)
                compared += 1
        assert compared > 50


async def test_level_that_comes_within_reach_untouched_is_told_again(autojump_clock: MockClock) -> None:
    market = msgspec.structs.replace(SETTINGS.markets[0], maker_levels=30)
    async with gate_world(msgspec.structs.replace(SETTINGS, markets=(market,))) as world, world.websocket() as socket:
        world.control.deposit("USDT", Decimal(10_000_000))
        await socket.subscribe("spot.order_book_update", ["BTC_USDT", "20ms"])
        snapshot = (await world.public("/spot/order_book", currency_pair="BTC_USDT", with_id="true", limit="20"))[1]
        await world.place(price=snapshot["asks"][3][0], amount="10", time_in_force="ioc")
        book = local_book(snapshot)
        apply(book, (await socket.next("spot.order_book_update", "update"))["result"])
        assert best_of(book, 20) == true_book(world.control, BTC, 20)


async def test_depth_stream_has_no_gap_when_another_client_joins_between_two_pushes(autojump_clock: MockClock) -> None:
    async with gate_world() as world, world.websocket() as socket, world.websocket() as late:
        await socket.subscribe("spot.obu", ["ob.BTC_USDT.400"])
        last_id = (await socket.next("spot.obu", "update"))["result"]["u"]
        world.control.move_market(BTC, Decimal(61_000))
        await late.subscribe("spot.obu", ["ob.BTC_USDT.400"])
        whole = (await late.next("spot.obu", "update"))["result"]
        assert whole["full"]
        push = (await socket.next("spot.obu", "update"))["result"]
        assert (push["U"], push["u"]) == (last_id + 1, whole["u"])
        world.control.move_market(BTC, Decimal(60_000))
        assert [(await client.next("spot.obu", "update"))["result"]["U"] for client in (socket, late)] == [whole["u"] + 1] * 2


async def test_depth_stream_starts_whole_and_goes_on_without_a_gap(autojump_clock: MockClock) -> None:
    async with gate_world(flow=True) as world, world.websocket() as socket, world.websocket() as late:
        await socket.subscribe("spot.obu", ["ob.BTC_USDT.50"])
        book: Sides = {}
        last_id = 0
        for count in range(100):
            if count == 50:
                await late.subscribe("spot.obu", ["ob.BTC_USDT.50"])
                whole = (await late.next("spot.obu", "update"))["result"]
                following = (await late.next("spot.obu", "update"))["result"]
                assert (whole["full"], following["U"]) == (True, whole["u"] + 1)
            push = (await socket.next("spot.obu", "update"))["result"]
            assert push.get("full", False) == (count == 0)
            if count == 0:
                book = {"b": dict(push["b"]), "a": dict(push["a"])}
            else:
                assert push["U"] == last_id + 1
                apply(book, push)
            last_id = push["u"]
        world.control.freeze_flow()
        while last_id < world.control.engine.books[BTC].update_id:
            push = (await socket.next("spot.obu", "update"))["result"]
            apply(book, push)
            last_id = push["u"]
        assert book == true_book(world.control, BTC)
        twice = await socket.subscribe("spot.obu", ["ob.BTC_USDT.50"])
        assert twice["error"] == {"code": 2, "message": "Alert sub ob.BTC_USDT.50"}


async def test_whole_depth_may_come_before_its_acknowledgement(autojump_clock: MockClock) -> None:
    async with gate_world(msgspec.structs.replace(SETTINGS, obu_full_before_acknowledgement=True)) as world, world.websocket() as socket:
        await socket.send({"time": 1, "channel": "spot.obu", "event": "subscribe", "payload": ["ob.BTC_USDT.400"]})
        assert [(await socket.next())["event"] for _ in range(2)] == ["update", "subscribe"]


async def test_full_books_tickers_best_prices_candles_and_trades_are_pushed(autojump_clock: MockClock) -> None:
    async with gate_world() as world, world.websocket() as socket:
        for channel, payload in (
            ("spot.order_book", ["BTC_USDT", "5", "100ms"]),
            ("spot.book_ticker", ["BTC_USDT"]),
            ("spot.tickers", ["BTC_USDT"]),
            ("spot.candlesticks", ["1m", "BTC_USDT"]),
            ("spot.trades", ["BTC_USDT"]),
        ):
            assert (await socket.subscribe(channel, payload))["result"] == {"status": "success"}
        order = (await world.spend("100"))[1]
        trade = (await socket.next("spot.trades", "update"))["result"]
        assert (trade["amount"], trade["side"], trade["create_time"]) == (order["filled_amount"], "buy", int(order["create_time"]))
        assert isinstance(trade["id"], int)
        book = (await socket.next("spot.order_book", "update"))["result"]
        assert (len(book["bids"]), book["l"], book["s"]) == (5, "5", "BTC_USDT")
        best = (await socket.next("spot.book_ticker", "update"))["result"]
        assert [best["b"], best["B"]] == book["bids"][0]
        assert (await socket.next("spot.tickers", "update"))["result"]["last"]
        candle = (await socket.next("spot.candlesticks", "update"))["result"]
        assert (candle["n"], candle["a"], candle["w"]) == ("1m_BTC_USDT", order["filled_amount"], False)


async def test_unsubscribed_channel_falls_silent(autojump_clock: MockClock) -> None:
    async with gate_world() as world, world.websocket() as socket:
        await socket.subscribe("spot.trades", ["BTC_USDT"])
        await socket.subscribe("spot.trades", ["BTC_USDT"], event="unsubscribe")
        await world.spend("100")
        with trio.move_on_after(5) as silence:
            await socket.connection.get_message()
        assert silence.cancelled_caught


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{not json", 1),
        ({"channel": "spot.trades", "event": "watch", "payload": []}, 1),
        ({"channel": "spot.trades", "event": "subscribe", "payload": ["BTC_USDT", "NO_SUCH"]}, 2),
        ({"channel": "spot.order_book_update", "event": "subscribe", "payload": ["BTC_USDT", "1000ms"]}, 2),
        ({"channel": "spot.obu", "event": "subscribe", "payload": ["ob.BTC_USDT.7"]}, 2),
        ({"channel": "spot.weather", "event": "subscribe", "payload": []}, 2),
        ({"channel": "spot.orders", "event": "subscribe", "payload": ["!all"]}, 4),
        ({"time": 1, "channel": "spot.orders", "event": "subscribe", "payload": ["!all"], "auth": {"KEY": "x", "SIGN": "y"}}, 4),
    ],
)
async def test_request_that_cannot_be_served_is_answered_with_its_code(autojump_clock: MockClock, message: Any, code: int) -> None:
    async with gate_world() as world, world.websocket() as socket:
        await socket.send(message)
        answer = await socket.next()
        assert (answer["error"]["code"], answer["result"]) == (code, {"status": "fail"})


async def test_application_ping_is_answered(autojump_clock: MockClock) -> None:
    async with gate_world() as world, world.websocket() as socket:
        await socket.send({"time": 1, "channel": "spot.ping"})
        assert (await socket.next())["channel"] == "spot.pong"


async def test_private_channels_tell_the_life_of_an_order(autojump_clock: MockClock) -> None:
    async with gate_world() as world, world.websocket() as socket:
        for channel, payload in (("spot.orders", ["!all"]), ("spot.usertrades", ["BTC_USDT"]), ("spot.balances", None)):
            assert (await socket.subscribe_private(channel, payload))["result"] == {"status": "success"}
        order = (await world.place(text="t-1", amount="0.01"))[1]
        world.control.fill_order(int(order["id"]), Decimal("0.004"))
        await world.call("DELETE", "/spot/orders/t-1", "currency_pair=BTC_USDT")

        told = [(await socket.next("spot.orders", "update"))["result"][0] for _ in range(3)]
        assert [(push["event"], push["finish_as"], push["left"], push["text"]) for push in told] == [
            ("put", "open", "0.01", "t-1"),
            ("update", "open", "0.006", "t-1"),
            ("finish", "cancelled", "0.006", "t-1"),
        ]
        fill = (await socket.next("spot.usertrades", "update"))["result"][0]
        assert (fill["order_id"], fill["amount"], fill["role"], fill["fee"], fill["fee_currency"]) == (
            order["id"], "0.004", "maker", "0.000008", "BTC",
        )  # fmt: skip
        balances = [(await socket.next("spot.balances", "update"))["result"][0] for _ in range(4)]
        assert [(push["currency"], push["change_type"], push["available"], push["freeze"]) for push in balances] == [
            ("USDT", "order-create", "9500", "500"),
            ("USDT", "order-match", "9500", "300"),
            ("BTC", "order-match", "0.103992", "0"),
            ("USDT", "order-update", "9800", "0"),
        ]


async def test_light_private_channels_leave_fees_out(autojump_clock: MockClock) -> None:
    async with gate_world() as world, world.websocket() as socket:
        await socket.subscribe_private("spot.orders_v2", ["BTC_USDT"])
        await socket.subscribe_private("spot.usertrades_v2", ["BTC_USDT"])
        await world.spend("100")
        assert "fee" not in (await socket.next("spot.usertrades_v2", "update"))["result"][0]
        assert "fee" not in (await socket.next("spot.orders_v2", "update"))["result"][0]


async def test_deposits_and_withdrawals_reach_the_balance_channel(autojump_clock: MockClock) -> None:
    async with gate_world() as world, world.websocket() as socket:
        await socket.subscribe_private("spot.balances")
        world.control.deposit("USDT", Decimal(5))
        world.control.withdraw("USDT", Decimal(2))
        pushes = [(await socket.next("spot.balances", "update"))["result"][0] for _ in range(2)]
        assert [(push["change_type"], push["change"], push["total"]) for push in pushes] == [
            ("deposit", "5", "10005"),
            ("withdraw", "-2", "10003"),
        ]


async def test_order_is_placed_amended_queried_and_cancelled_over_the_websocket(autojump_clock: MockClock) -> None:
    async with gate_world() as world, world.websocket() as socket:
        login = await socket.login()
        assert (login["header"]["status"], login["data"]["result"]["uid"]) == ("200", "10000001")
        order = {"text": "t-ws", "currency_pair": "BTC_USDT", "type": "limit", "side": "buy", "amount": "0.001", "price": "50000"}
        ack = await socket.api("spot.order_place", order, "r1")
        result = await socket.next("spot.order_place")
        assert (ack["ack"], ack["request_id"], ack["data"]["result"]["req_param"]) == (True, "r1", order)
        assert ("ack" in result, result["data"]["result"]["status"]) == (False, "open")
        known = {"order_id": result["data"]["result"]["id"], "currency_pair": "BTC_USDT"}
        assert (await result_of(socket, "spot.order_amend", {**known, "price": "50001"}))["price"] == "50001"
        assert (await result_of(socket, "spot.order_status", known))["price"] == "50001"
        assert len(await result_of(socket, "spot.order_list", {"currency_pair": "BTC_USDT", "status": "open"})) == 1
        assert (await result_of(socket, "spot.order_cancel", known))["finish_as"] == "cancelled"
        failed = await socket.api("spot.order_cancel", known)
        assert (failed["header"]["status"], failed["data"]["errs"]["label"]) == ("400", "ORDER_CANCELLED")


async def result_of(socket: GateSocket, channel: str, parameters: Any) -> Any:
    """The result of an order request that is no placement: it comes without an acknowledgement before it."""
    answer = await socket.api(channel, parameters)
    assert "ack" not in answer
    return answer["data"]["result"]


async def test_order_request_without_login_or_after_its_expiry_is_refused(autojump_clock: MockClock) -> None:
    async with gate_world() as world, world.websocket() as socket:
        order = {"text": "t-ws", "currency_pair": "BTC_USDT", "side": "buy", "amount": "0.001", "price": "50000"}
        assert (await socket.api("spot.order_place", order))["data"]["errs"]["label"] == "INVALID_KEY"
        await socket.login()
        expired = {"x-gate-exptime": str(world.wall.milliseconds() - 1)}
        assert (await socket.api("spot.order_place", order, req_header=expired))["data"]["errs"]["label"] == "REQUEST_EXPIRED"
        assert world.control.orders() == ()


async def deaf_client() -> trio.SocketStream:
    """A client that has subscribed to a wide stream and never reads."""
    stream = await trio.open_tcp_stream("gate.sim", 80)
    await stream.send_all(
        b"GET /ws/v4/ HTTP/1.1\r\nHost: gate.sim\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    await stream.receive_some(1000)
    subscription = msgspec.json.encode({"channel": "spot.order_book", "event": "subscribe", "payload": ["BTC_USDT", "100", "100ms"]})
    await stream.send_all(bytes([0x81, 0x80 | len(subscription), 0, 0, 0, 0]) + subscription)
    return stream


async def test_client_that_does_not_read_is_disconnected(autojump_clock: MockClock) -> None:
    settings = msgspec.structs.replace(SETTINGS, outgoing_messages_max=50)
    async with gate_world(settings, flow=True) as world:
        stream = await deaf_client()
        await trio.sleep(1)
        assert len(world.server.connections) == 1
        await trio.sleep(120)
        assert len(world.server.connections) == 0
        await stream.aclose()


async def test_client_that_does_not_read_does_not_hold_up_the_end_of_the_server(autojump_clock: MockClock) -> None:
    settings = msgspec.structs.replace(SETTINGS, outgoing_messages_max=100_000)
    async with trio.open_nursery() as nursery:
        async with gate_world(settings, flow=True):
            stream = await deaf_client()
            await trio.sleep(120)  # by now every buffer is full and a send is stuck
            stopped_at = trio.current_time()

            async def let_go_in_the_end() -> None:
                await trio.sleep(60)
                await stream.aclose()

            nursery.start_soon(let_go_in_the_end)
        assert trio.current_time() - stopped_at < 1
        nursery.cancel_scope.cancel()


async def test_planned_shutdown_is_announced_to_every_client(autojump_clock: MockClock) -> None:
    async with gate_world() as world, world.websocket() as socket:
        await socket.subscribe("spot.trades", ["BTC_USDT"])
        world.control.announce_shutdown()
        assert (await socket.next("spot.system", "update"))["result"]["type"] == "upgrade"
