from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
import trio
from gate_futures_world import BTC, MEMBER, SETTINGS, TRADER, futures_world
from gate_world import GateSocket, signed
from local_book import Sides, apply, best_of, local_book, named, true_book
from trio.testing import MockClock

from simulated.faults import Operation
from simulated.settings import MarketSettings

SIZE = Decimal("0.0001")  # base units a contract
USER = "10000001"
WORKED_SECRET = "made-up-gate-secret-0123456789abcdef"
WORKED_KEY = msgspec.structs.replace(TRADER, api_key="made-up-gate-key", api_secret=WORKED_SECRET)


@pytest.mark.parametrize(("interval", "level"), [("100ms", "100"), ("100ms", "50"), ("100ms", "20"), ("20ms", "20")])
async def test_snapshot_and_updates_keep_a_local_book_equal_to_the_real_one(autojump_clock: MockClock, interval: str, level: str) -> None:
    """With more levels than the stream's depth, so that levels come into reach which no snapshot held."""
    market = msgspec.structs.replace(SETTINGS.markets[0], maker_levels=40, maker_rate_per_second=60.0, taker_rate_per_second=8.0)
    async with futures_world(msgspec.structs.replace(SETTINGS, markets=(market,)), flow=True) as world, world.websocket() as socket:
        await socket.subscribe("futures.order_book_update", ["BTC_USDT", interval, level])
        first = (await socket.next("futures.order_book_update", "update"))["result"]
        snapshot = (await world.public("/order_book", contract="BTC_USDT", with_id="true", limit=level))[1]
        book, last_id = local_book(snapshot, named), snapshot["id"]
        assert (first["U"] <= last_id + 1, first["l"], first["s"]) == (True, level, "BTC_USDT")
        compared = 0
        for _ in range(150):
            push = (await socket.next("futures.order_book_update", "update"))["result"]
            if push["u"] <= last_id:
                continue
            assert push["U"] <= last_id + 1 if last_id == snapshot["id"] else push["U"] == last_id + 1
            apply(book, push, named)
            last_id = push["u"]
            if last_id == world.control.engine.books[BTC].update_id:
                assert best_of(book, int(level)) == true_book(world.control, BTC, int(level), unit=SIZE)
                compared += 1
        assert compared > 30


async def test_depth_stream_starts_whole_and_goes_on_without_a_gap_and_without_empty_sides(autojump_clock: MockClock) -> None:
    async with futures_world(flow=True) as world, world.websocket() as socket:
        await socket.subscribe("futures.obu", ["ob.BTC_USDT.50"])
        push = (await socket.next("futures.obu", "update"))["result"]
        assert (push["full"], push["s"]) == (True, "ob.BTC_USDT.50")
        book: Sides = {"b": dict(push["b"]), "a": dict(push["a"])}
        last_id, one_sided = push["u"], 0
        for _ in range(100):
            push = (await socket.next("futures.obu", "update"))["result"]
            assert push["U"] == last_id + 1
            assert [] not in push.values()
            one_sided += ("a" in push) is not ("b" in push)
            apply(book, push)
            last_id = push["u"]
        assert one_sided
        world.control.freeze_flow()
        while last_id < world.control.engine.books[BTC].update_id:
            push = (await socket.next("futures.obu", "update"))["result"]
            apply(book, push)
            last_id = push["u"]
        assert book == true_book(world.control, BTC, unit=SIZE)
        twice = await socket.subscribe("futures.obu", ["ob.BTC_USDT.50"])
        assert twice["error"] == {"code": 2, "message": "Alert sub ob.BTC_USDT.50"}


@pytest.mark.parametrize("name", ["ob.NO_SUCH.50", "ob.BTC_USDT.20", "nonsense"])
async def test_depth_stream_that_is_not_served_is_accepted_and_stays_silent(autojump_clock: MockClock, name: str) -> None:
    async with futures_world(flow=True) as world, world.websocket() as socket:
        assert (await socket.subscribe("futures.obu", [name]))["result"] == {"status": "success"}
        with trio.move_on_after(5) as silence:
            await socket.next()
        assert silence.cancelled_caught


async def test_full_books_tickers_best_prices_candles_and_trades_are_pushed(autojump_clock: MockClock) -> None:
    async with futures_world() as world, world.websocket() as socket:
        for channel, payload in (
            ("futures.order_book", ["BTC_USDT", "5", "0"]),
            ("futures.book_ticker", ["BTC_USDT"]),
            ("futures.tickers", ["BTC_USDT"]),
            ("futures.candlesticks", ["1m", "BTC_USDT"]),
            ("futures.trades", ["BTC_USDT"]),
        ):
            assert (await socket.subscribe(channel, payload))["result"] == {"status": "success"}
        order = (await world.take("-4"))[1]
        trade = (await socket.next("futures.trades", "update"))["result"][0]
        assert (trade["size"], trade["price"], trade["contract"]) == ("-4", order["fill_price"], "BTC_USDT")
        assert trade["create_time_ms"] // 1000 == trade["create_time"] == 1_790_000_000
        book = (await socket.next("futures.order_book", "all"))["result"]
        assert (len(book["bids"]), book["l"], book["contract"]) == (5, "5", "BTC_USDT")
        best = (await socket.next("futures.book_ticker", "update"))["result"]
        assert {"p": best["b"], "s": best["B"]} == book["bids"][0]
        ticker = (await socket.next("futures.tickers", "update"))["result"][0]
        assert {
            "contract": "BTC_USDT", "mark_price": "60000", "index_price": "60000", "funding_rate": "0.0001", "funding_interval": 28800,
            "funding_next_apply": 1_790_006_400, "last": order["fill_price"], "total_size": "4",
        }.items() <= ticker.items()  # fmt: skip
        candle = (await socket.next("futures.candlesticks", "update"))["result"][0]
        assert (candle["n"], candle["v"], candle["w"]) == ("1m_BTC_USDT", "4", False)


async def test_ticker_follows_the_mark_price_although_nothing_is_traded(autojump_clock: MockClock) -> None:
    async with futures_world() as world, world.websocket() as socket:
        await socket.subscribe("futures.tickers", ["BTC_USDT"])
        await socket.next("futures.tickers", "update")
        world.control.set_mark_price(BTC, Decimal("60123.45"))
        assert (await socket.next("futures.tickers", "update"))["result"][0]["mark_price"] == "60123.45"


async def test_each_client_gets_sizes_in_the_style_of_its_handshake(autojump_clock: MockClock) -> None:
    async with futures_world() as world, world.websocket() as asked:
        world.decimal_sizes = False
        async with world.websocket() as other:
            for socket in (asked, other):
                await socket.subscribe("futures.trades", ["BTC_USDT"])
                await socket.subscribe("futures.order_book_update", ["BTC_USDT", "100ms"])
                await socket.subscribe_private("futures.orders", [USER, "!all"])
                await socket.subscribe_private("futures.positions", [USER, "!all"])
            await world.take("4")
            for socket, size in ((asked, "4"), (other, 4)):
                assert (await socket.next("futures.trades", "update"))["result"][0]["size"] == size
                assert (await socket.next("futures.orders", "update"))["result"][0]["left"] == size
                assert (await socket.next("futures.positions", "update"))["result"][0]["size"] == size
                level = (await socket.next("futures.order_book_update", "update"))["result"]["a"][0]
                assert isinstance(level["s"], type(size))


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{not json", 1),
        ({"channel": "futures.trades", "event": "watch", "payload": []}, 1),
        ({"channel": "futures.trades", "event": "subscribe", "payload": ["BTC_USDT", "NO_SUCH"]}, 2),
        ({"channel": "futures.trades", "event": "subscribe", "payload": []}, 2),
        ({"channel": "futures.order_book_update", "event": "subscribe", "payload": ["BTC_USDT", "1000ms", "100"]}, 2),
        ({"channel": "futures.order_book_update", "event": "subscribe", "payload": ["BTC_USDT", "100ms", "10"]}, 2),
        ({"channel": "futures.order_book_update", "event": "subscribe", "payload": ["BTC_USDT", "20ms", "100"]}, 2),
        ({"channel": "futures.weather", "event": "subscribe", "payload": []}, 2),
        ({"channel": "spot.trades", "event": "subscribe", "payload": ["BTC_USDT"]}, 2),
        ({"channel": "futures.orders", "event": "subscribe", "payload": [USER, "!all"]}, 4),
        ({"time": 1, "channel": "futures.orders", "event": "subscribe", "payload": [USER, "!all"], "auth": {"KEY": "x", "SIGN": "y"}}, 4),
    ],
)
async def test_request_that_cannot_be_served_is_answered_with_its_code(autojump_clock: MockClock, message: Any, code: int) -> None:
    async with futures_world() as world, world.websocket() as socket:
        await socket.send(message)
        answer = await socket.next()
        assert (answer["error"]["code"], answer["result"]) == (code, {"status": "fail"})


@pytest.mark.parametrize(
    ("channel", "payload"),
    [
        ("futures.orders", ["999", "!all"]),
        ("futures.orders", ["BTC_USDT"]),
        ("futures.orders", [USER]),
        ("futures.usertrades", [USER, "NO_SUCH"]),
        ("futures.balances", []),
    ],
)
async def test_private_subscription_needs_the_user_id_and_contracts(autojump_clock: MockClock, channel: str, payload: list[str]) -> None:
    async with futures_world() as world, world.websocket() as socket:
        assert (await socket.subscribe_private(channel, payload))["error"]["code"] == 2


async def test_user_id_of_a_subscription_to_positions_is_a_placeholder(autojump_clock: MockClock) -> None:
    async with futures_world() as world, world.websocket() as socket:
        assert (await socket.subscribe_private("futures.positions", ["0", "BTC_USDT"]))["result"] == {"status": "success"}


async def test_worked_signatures_of_subscription_and_login_are_accepted(autojump_clock: MockClock) -> None:
    subscription = (
        "53d6a082aba66c82f5267330df5a56bb4ec53504bc82c992d10145bc3c6d7e64e11c09347b05307b121c3b87a69ea20aebc498aa68105ba5fd938e970cceab3e"
    )
    login = (
        "3d8905ea8d85a5fff1e561ebb729202e2646629d5b78d6776966250eb3eea036a5cc65ee4aa1ea2cc11eb592e67680dd58a899b71c771e1a0038d46fb676fbd8"
    )
    async with futures_world(msgspec.structs.replace(SETTINGS, accounts=(WORKED_KEY,))) as world, world.websocket() as socket:
        auth = {"method": "api_key", "KEY": "made-up-gate-key", "SIGN": subscription}
        answer = await socket.subscribe("futures.orders", [USER, "!all"], time=1_790_000_000, auth=auth)
        assert answer["result"] == {"status": "success"}
        payload = {"req_id": "r1", "api_key": "made-up-gate-key", "signature": login, "timestamp": "1790000000"}
        await socket.send({"time": 1_790_000_000, "channel": "futures.login", "event": "api", "payload": payload})
        assert (await socket.next("futures.login"))["data"]["result"]["uid"] == USER


async def test_application_ping_is_answered_and_an_upgrade_is_announced(autojump_clock: MockClock) -> None:
    async with futures_world() as world, world.websocket() as socket:
        await socket.send({"time": 1, "channel": "futures.ping"})
        assert (await socket.next())["channel"] == "futures.pong"
        world.control.announce_shutdown()
        notice = await socket.next("futures.system", "update")
        assert notice["result"]["type"] == "upgrade"


async def subscribe_all(socket: GateSocket) -> None:
    for channel in ("orders", "usertrades", "positions", "position_closes", "liquidates", "auto_deleverages"):
        assert (await socket.subscribe_private(f"futures.{channel}", [USER, "!all"]))["result"] == {"status": "success"}
    assert (await socket.subscribe_private("futures.balances", [USER]))["result"] == {"status": "success"}


async def pushes(socket: GateSocket, channel: str, count: int) -> list[Any]:
    return [(await socket.next(f"futures.{channel}", "update"))["result"][0] for _ in range(count)]


async def test_private_channels_tell_the_life_of_an_order_and_of_its_position(autojump_clock: MockClock) -> None:
    async with futures_world() as world, world.websocket() as socket:
        await subscribe_all(socket)
        order = (await world.place(text="t-1", size="100"))[1]
        world.control.fill_order(order["id"], 40 * SIZE)
        await world.call("PUT", "/orders/t-1", body={"price": "50001"})
        await world.call("DELETE", "/orders/t-1")

        told = await pushes(socket, "orders", 4)
        assert [(push["finish_as"], push["left"], push["status"], push["update_id"]) for push in told] == [
            ("_new", "100", "open", 1),
            ("_update", "60", "open", 2),
            ("_update", "60", "open", 3),
            ("cancelled", "60", "finished", 4),
        ]
        assert {(push["id"], push["text"], push["user"], push["size"]) for push in told} == {(order["id"], "t-1", USER, "100")}
        assert [push["fill_price"] for push in told] == ["0", "50000", "50000", "50000"]
        assert isinstance(told[0]["mkfr"], float)

        fee = 40 * SIZE * 50_000 * Decimal("0.0002")
        (fill,) = await pushes(socket, "usertrades", 1)
        assert (fill["order_id"], fill["size"], fill["role"], Decimal(str(fill["fee"]))) == (order["id_string"], "40", "maker", fee)
        (position,) = await pushes(socket, "positions", 1)
        assert (position["size"], position["entry_price"], position["leverage"], position["cross_leverage_limit"]) == ("40", 50_000, 0, 10)
        assert (position["mode"], position["pos_margin_mode"], Decimal(str(position["realised_pnl"]))) == ("single", "cross", -fee)
        assert "mark_price" not in position
        (balance,) = await pushes(socket, "balances", 1)
        assert (balance["type"], balance["currency"], Decimal(str(balance["change"]))) == ("fee", "usdt", -fee)
        assert Decimal(str(balance["balance"])) == world.wallet()


async def test_turned_position_tells_what_its_end_brought(autojump_clock: MockClock) -> None:
    async with futures_world() as world:
        await world.take("10")  # before anybody listens
        async with world.websocket() as socket:
            await subscribe_all(socket)
            await world.take("-30")
            (closed,) = await pushes(socket, "position_closes", 1)
            (position,) = await pushes(socket, "positions", 1)
            assert (closed["side"], closed["contract"], closed["pnl"]) == ("long", "BTC_USDT", position["last_close_pnl"])
            assert closed["time_ms"] == position["time_ms"]
            assert (position["size"], position["history_pnl"] < 0) == ("-20", True)
            kinds = [push["type"] for push in await pushes(socket, "balances", 2)]
            assert kinds == ["pnl", "fee"]
            (fill,) = await pushes(socket, "usertrades", 1)
            assert (fill["size"], fill["close_size"]) == ("-30", "-10")


async def test_funding_and_transfers_reach_the_balance_channel(autojump_clock: MockClock) -> None:
    async with futures_world() as world, world.websocket() as socket:
        await world.take("-10")
        await subscribe_all(socket)
        world.control.pay_funding(BTC, Decimal("0.001"))
        world.control.deposit("USDT", Decimal(5))
        world.control.withdraw("USDT", Decimal(2))
        told = await pushes(socket, "balances", 3)
        assert [(push["type"], push["change"], push["text"]) for push in told] == [
            ("fund", 0.06, "BTC_USDT"), ("dnw", 5, "-"), ("dnw", -2, "-"),
        ]  # fmt: skip
        (position,) = await pushes(socket, "positions", 1)
        assert position["size"] == "-10"


async def test_liquidation_is_told_to_its_account_and_to_everybody(autojump_clock: MockClock) -> None:
    async with futures_world() as world, world.websocket() as socket, world.websocket() as stranger:
        await world.call("POST", "/positions/BTC_USDT/leverage", "leverage=50")
        opened = (await world.take("100"))[1]
        await subscribe_all(socket)
        await stranger.subscribe("futures.public_liquidates", ["BTC_USDT"])
        await socket.subscribe("futures.public_liquidates", ["!all"])
        world.control.set_mark_price(BTC, Decimal(59_000))
        (mine,) = await pushes(socket, "liquidates", 1)
        assert (mine["size"], mine["entry_price"], mine["mark_price"], mine["user"]) == ("100", float(opened["fill_price"]), 59_000, USER)
        closing = (await pushes(socket, "orders", 2))[-1]
        assert (closing["id"], closing["is_liq"], closing["finish_as"], closing["size"]) == (mine["order_id"], True, "filled", "-100")
        for client in (socket, stranger):
            public = (await client.next("futures.public_liquidates", "update"))["result"][0]
            assert (public["size"], public["contract"], Decimal(public["price"])) == ("-100", "BTC_USDT", Decimal(str(mine["order_price"])))
        assert world.position().quantity == 0


async def test_nobody_hears_of_another_account(autojump_clock: MockClock) -> None:
    async with futures_world() as world, world.websocket() as socket:
        await subscribe_all(socket)
        await world.take("3", account=MEMBER)
        with trio.move_on_after(5) as silence:
            await socket.connection.get_message()
        assert silence.cancelled_caught


async def test_subscription_to_one_contract_tells_of_no_other(autojump_clock: MockClock) -> None:
    eth = MarketSettings(symbol="ETH_USDT", price_decimals=2, start_price=Decimal(3_000))
    async with futures_world(msgspec.structs.replace(SETTINGS, markets=(*SETTINGS.markets, eth))) as world, world.websocket() as socket:
        await socket.subscribe_private("futures.orders", [USER, "ETH_USDT"])
        await world.place()
        await world.place(contract="ETH_USDT", price="2900")
        assert (await pushes(socket, "orders", 1))[0]["contract"] == "ETH_USDT"


ORDER = {"contract": "BTC_USDT", "size": "10", "price": "50000.280000", "tif": "gtc", "text": "t-ws"}


async def result_of(socket: GateSocket, channel: str, parameters: Any) -> Any:
    """The result of an order request that is no placement: it comes without an acknowledgement before it."""
    answer = await socket.api(channel, parameters)
    assert "ack" not in answer
    return answer["data"]["result"]


async def placed_over(socket: GateSocket, channel: str, parameters: Any, **payload: Any) -> Any:
    """The answer to a placement, after its acknowledgement."""
    echo = await socket.api(channel, parameters, **payload)
    assert (echo["ack"], echo["data"]["result"]["req_param"]) == (True, parameters)
    answer = await socket.next(channel)
    assert (answer["ack"], answer["request_id"]) == (False, echo["request_id"])
    return answer


async def test_order_is_placed_amended_queried_and_cancelled_over_the_websocket(autojump_clock: MockClock) -> None:
    async with futures_world() as world, world.websocket() as socket:
        assert (await socket.login())["data"]["result"] == {"api_key": TRADER.api_key, "uid": USER}
        answer = await placed_over(socket, "futures.order_place", ORDER)
        order = answer["data"]["result"]
        assert (order["status"], order["price"], order["size"]) == ("open", "50000.3", "10")
        assert (answer["header"]["x_gate_ratelimit_limit"], answer["header"]["x_gate_ratelimit_requests_remain"]) == (100, 99)
        known = {"order_id": order["id_string"]}
        assert (await result_of(socket, "futures.order_amend", {**known, "size": "12"}))["size"] == "12"
        assert (await result_of(socket, "futures.order_status", {"order_id": "t-ws"}))["id"] == order["id"]
        assert len(await result_of(socket, "futures.order_list", {"contract": "BTC_USDT", "status": "open"})) == 1
        assert await result_of(socket, "futures.order_list", {"status": "open", "offset": 1}) == []
        assert (await result_of(socket, "futures.order_cancel", known))["finish_as"] == "cancelled"
        failed = await socket.api("futures.order_cancel", known)
        assert (failed["header"]["status"], failed["data"]["errs"]["label"]) == ("400", "ORDER_FINISHED")


async def test_batches_go_over_the_websocket(autojump_clock: MockClock) -> None:
    async with futures_world() as world, world.websocket() as socket:
        await socket.login()
        batch = [{**ORDER, "text": "t-1"}, {**ORDER, "text": "t-2", "size": "900000"}, {**ORDER, "text": "t-3"}]
        placed = (await placed_over(socket, "futures.order_batch_place", batch))["data"]["result"]
        assert [(item["succeeded"], item.get("label")) for item in placed] == [
            (True, None), (False, "INSUFFICIENT_AVAILABLE"), (True, None),
        ]  # fmt: skip
        cancelled = await result_of(socket, "futures.order_cancel_ids", [placed[0]["id_string"], "99"])
        assert [(item["id"], item["succeeded"]) for item in cancelled] == [(placed[0]["id_string"], True), ("99", False)]
        assert len(await result_of(socket, "futures.order_cancel_cp", {"contract": "BTC_USDT", "side": "bid"})) == 1
        assert world.control.open_orders() == ()


async def test_placement_that_is_refused_is_acknowledged_first(autojump_clock: MockClock) -> None:
    async with futures_world() as world, world.websocket() as socket:
        await socket.login()
        refused = await placed_over(socket, "futures.order_place", {**ORDER, "price": "70000", "tif": "poc"})
        assert (refused["header"]["status"], refused["data"]["errs"]["label"]) == ("400", "ORDER_POC_IMMEDIATE")


async def test_order_request_without_login_or_after_its_expiry_is_refused_without_acknowledgement(autojump_clock: MockClock) -> None:
    async with futures_world() as world, world.websocket() as socket:
        assert (await socket.api("futures.order_place", ORDER))["data"]["errs"]["label"] == "INVALID_KEY"
        await socket.login()
        expired = {"x-gate-exptime": str(world.wall.milliseconds() - 1)}
        refused = await socket.api("futures.order_place", ORDER, req_header=expired)
        assert ("ack" in refused, refused["data"]["errs"]["label"]) == (False, "REQUEST_EXPIRED")
        assert world.control.orders() == ()


async def test_hundred_and_first_order_request_within_a_second_is_refused(autojump_clock: MockClock) -> None:
    async with futures_world() as world, world.websocket() as socket:
        await socket.login()
        await trio.sleep(1 - trio.current_time() % 1)
        for _ in range(100):
            assert (await socket.api("futures.order_cancel", {"order_id": "1"}))["header"]["status"] == "404"
        refused = await socket.api("futures.order_place", ORDER)
        assert (refused["header"]["status"], refused["data"]["errs"]["label"]) == ("429", "TOO_MANY_REQUESTS")
        assert refused["data"]["errs"]["message"] == "Request Rate limit Exceeded (311)"


async def test_order_requests_have_their_bad_days_too(autojump_clock: MockClock) -> None:
    async with futures_world() as world, world.websocket() as socket:
        await socket.login()
        world.control.fail_after_accepting(Operation.PLACE, status=502)
        assert (await socket.api("futures.order_place", ORDER))["header"]["status"] == "502"
        assert world.control.order_by_client_id("t-ws") is not None
        world.control.lose_answers(Operation.CANCEL)
        with trio.move_on_after(5) as silence:
            await socket.api("futures.order_cancel", {"order_id": "t-ws"})
        assert (silence.cancelled_caught, world.control.open_orders()) == (True, ())
        assert (await placed_over(socket, "futures.order_place", {**ORDER, "text": "t-next"}))["header"]["status"] == "200"


async def test_login_with_a_wrong_signature_is_refused(autojump_clock: MockClock) -> None:
    async with futures_world() as world, world.websocket() as socket:
        wrong = signed("wrong", f"api\nfutures.login\n\n{world.seconds()}")
        payload = {"req_id": "l", "api_key": TRADER.api_key, "signature": wrong, "timestamp": world.seconds()}
        await socket.send({"time": 1, "channel": "futures.login", "event": "api", "payload": payload})
        refused = await socket.next("futures.login")
        assert (refused["header"]["status"], refused["data"]["errs"]["label"]) == ("401", "INVALID_SIGNATURE")


async def test_state_of_the_exchange_tells_positions_and_mark_prices(autojump_clock: MockClock) -> None:
    async with futures_world() as world:
        await world.take("-3")
        state = world.server.venue.state()  # type: ignore[attr-defined]
        assert state["markets"]["BTC_USDT"]["mark_price"] == "60000"
        assert state["accounts"]["main"]["positions"][0] | {"cost": ""} == {
            "market": "BTC_USDT", "symbol": "BTC/USDT", "quantity": "-0.0003", "cost": "", "leverage": "10", "margin_mode": "cross",
        }  # fmt: skip
