from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
import trio
from gate_futures_world import BTC, MEMBER, SETTINGS, TRADER, futures_world
from trio.testing import MockClock

from simulated.settings import ContractSettings, MarketSettings

SIZE = Decimal("0.0001")  # base units a contract
WORKED_KEY = msgspec.structs.replace(TRADER, api_key="made-up-gate-key", api_secret="made-up-gate-secret-0123456789abcdef")
WORKED_BODY = '{"contract":"BTC_USDT","size":"-3","price":"50000.5","tif":"gtc","text":"t-bot-0001","reduce_only":false}'


@pytest.mark.parametrize(
    ("method", "path", "query", "body", "sign", "status"),
    [
        (
            "GET",
            "/orders",
            "contract=BTC_USDT&status=open",
            "",
            "0070b757792de6987bc8e99edb86a15dd8ca0696073decce208e036f4e07cb4295d4c07e3f52f18d2958d0f84d7363b48b4973c71c3731a14ec4765cfb3d671d",
            200,
        ),
        (
            "POST",
            "/orders",
            "",
            WORKED_BODY,
            "d17f5ac651e5c24a0f21023b2122d816c56c51147290bfbfb0de8b50c12d378f45ef4f7777054bc4e7dfed01f75b38c0cdab023972c71f170a6e02ecc6f356da",
            201,
        ),
        (
            "POST",
            "/positions/BTC_USDT/leverage",
            "leverage=10",
            "",
            "ca6bd5382f5a494b102d65bfc8c53fb59ea37f87d98e5acec1dfc4752b49569a2a021f1f21e8ab08554da3004066e35efc3701b6581cc4f444ce23826d511e1d",
            200,
        ),
    ],
)
async def test_worked_signature_is_accepted_and_no_other(
    autojump_clock: MockClock, method: str, path: str, query: str, body: str, sign: str, status: int
) -> None:
    async with futures_world(msgspec.structs.replace(SETTINGS, accounts=(WORKED_KEY,))) as world:
        assert world.seconds() == "1790000000"
        url = f"/api/v4/futures/usdt{path}{'?' + query if query else ''}"
        headers = {"KEY": "made-up-gate-key", "Timestamp": "1790000000", "SIGN": sign}
        assert (await world.http.request(method, url, content=body, headers=headers)).status_code == status
        refused = await world.http.request(method, url, content=body + " ", headers=headers)
        assert (refused.status_code, refused.json()["label"]) == (401, "INVALID_SIGNATURE")


async def test_contract_tells_its_size_ticks_leverage_prices_and_funding(autojump_clock: MockClock) -> None:
    async with futures_world() as world:
        contract = (await world.public("/contracts/BTC_USDT"))[1]
        assert (await world.public("/contracts"))[1] == [contract]
        assert {
            "quanto_multiplier": "0.0001", "order_price_round": "0.1", "mark_price_round": "0.01", "order_size_min": "1",
            "enable_decimal": False, "leverage_min": "1", "leverage_max": "100", "maintenance_rate": "0.005", "funding_rate": "0.0001",
            "funding_interval": 28800, "mark_price": "60000", "index_price": "60000", "status": "trading", "in_delisting": False,
            "type": "direct", "taker_fee_rate": "0.0005", "orders_limit": 100,
        }.items() <= contract.items()  # fmt: skip
        assert contract["funding_next_apply"] == 1_790_006_400
        assert (await world.public("/contracts/NO_SUCH"))[1]["label"] == "CONTRACT_NOT_FOUND"
        assert (await world.call("GET", "/fee", "contract=BTC_USDT"))[1] == {"BTC_USDT": {"taker_fee": "0.0005", "maker_fee": "0.0002"}}


async def test_contract_of_fractions_says_so_and_trades_them(autojump_clock: MockClock) -> None:
    market = MarketSettings(contract=ContractSettings(contract_size=SIZE, lot=Decimal("0.1")))
    async with futures_world(msgspec.structs.replace(SETTINGS, markets=(market,))) as world:
        contract = (await world.public("/contracts/BTC_USDT"))[1]
        assert (contract["enable_decimal"], contract["order_size_min"]) == (True, "0.1")
        assert (await world.place(size="1.7"))[1]["left"] == "1.7"
        assert (await world.place(size="1.75"))[1]["label"] == "INVALID_PARAM_VALUE"
        world.decimal_sizes = False
        assert [order["left"] for order in (await world.call("GET", "/orders", "status=open"))[1]] == [1]


async def test_sizes_are_decimal_text_for_whoever_asks_for_them_and_whole_numbers_for_others(autojump_clock: MockClock) -> None:
    async with futures_world() as world:
        assert (await world.place(size="-7", price="70000"))[1]["size"] == "-7"
        book = (await world.public("/order_book", contract="BTC_USDT", limit="1"))[1]
        world.decimal_sizes = False
        order = (await world.place(size=-8, price="70000"))[1]
        assert (order["size"], order["left"], order["iceberg"]) == (-8, -8, 0)
        again = (await world.public("/order_book", contract="BTC_USDT", limit="1"))[1]
        assert again["asks"][0] == {"p": book["asks"][0]["p"], "s": int(book["asks"][0]["s"])}


async def test_order_book_carries_its_id_only_on_request_and_obeys_its_limit(autojump_clock: MockClock) -> None:
    async with futures_world() as world:
        book = (await world.public("/order_book", contract="BTC_USDT", with_id="true", limit="3"))[1]
        assert (len(book["bids"]), len(book["asks"]), book["id"]) == (3, 3, world.control.engine.books[BTC].update_id)
        assert set(book["bids"][0]) == {"p", "s"}
        assert int(book["current"]) == 1_790_000_000
        assert "id" not in (await world.public("/order_book", contract="BTC_USDT"))[1]
        assert (await world.public("/order_book", contract="BTC_USDT", limit="0"))[1]["label"] == "INVALID_PARAM_VALUE"
        assert (await world.public("/order_book"))[1]["label"] == "MISSING_REQUIRED_PARAM"
        assert (await world.public("/order_book", contract="NO_SUCH"))[1]["label"] == "CONTRACT_NOT_FOUND"


async def test_trades_ticker_and_candles_tell_of_what_was_traded(autojump_clock: MockClock) -> None:
    async with futures_world() as world:
        order = (await world.take("-5"))[1]
        trade = (await world.public("/trades", contract="BTC_USDT"))[1][0]
        assert (trade["size"], trade["price"], int(trade["create_time_ms"])) == ("-5", order["fill_price"], trade["create_time"])
        ticker = (await world.public("/tickers", contract="BTC_USDT"))[1][0]
        assert (ticker["last"], ticker["volume_24h"], ticker["volume_24h_base"]) == (trade["price"], "5", "0.0005")
        assert (ticker["total_size"], ticker["mark_price"], ticker["funding_rate"]) == ("5", "60000", "0.0001")
        assert Decimal(ticker["highest_bid"]) < Decimal(ticker["lowest_ask"])
        candle = (await world.public("/candlesticks", contract="BTC_USDT", interval="1m"))[1][0]
        assert (candle["v"], candle["c"], candle["sum"]) == ("5", trade["price"], str((Decimal(trade["price"]) * 5 * SIZE).normalize()))


async def test_funding_history_tells_what_was_paid_and_keeps_to_its_window(autojump_clock: MockClock) -> None:
    async with futures_world() as world:
        await world.take("10")
        world.control.pay_funding(BTC, Decimal("-0.0004"))
        history = (await world.public("/funding_rate", contract="BTC_USDT", limit="1000"))[1]
        assert history[0] == {"t": 1_790_000_000, "r": "-0.0004"}
        assert {(rate["t"] % 28_800, rate["r"]) for rate in history[1:]} == {(0, "0.0001")}
        assert len(history) == 1 + 90  # 30 days
        assert (await world.public("/funding_rate", contract="BTC_USDT", limit="1001"))[0] == 400
        assert (await world.public("/funding_rate", **{"contract": "BTC_USDT", "from": "1690000000"}))[0] == 400


async def test_limit_order_lives_through_query_amendment_partial_fill_and_cancel(autojump_clock: MockClock) -> None:
    async with futures_world() as world:
        order = (await world.place(text="t-life", size="100"))[1]
        assert (order["status"], order["left"], order["tif"], order["is_close"]) == ("open", "100", "gtc", False)
        assert "finish_as" not in order
        account = (await world.call("GET", "/accounts"))[1]
        assert (account["total"], account["order_margin"]) == ("10000", "50.25")  # a tenth of 500, and the fee
        assert Decimal(account["available"]) == 10_000 - Decimal("50.25")
        assert (await world.call("GET", "/orders/t-life"))[1]["id"] == order["id"]
        assert [found["id"] for found in (await world.call("GET", "/orders", "status=open&contract=BTC_USDT"))[1]] == [order["id"]]

        path = f"/orders/{order['id']}"
        amended = (await world.call("PUT", path, body={"price": "51000", "size": "90", "amend_text": "up"}))[1]
        assert (amended["price"], amended["size"], amended["amend_text"]) == ("51000", "90", "up")
        world.control.fill_order(order["id"], 40 * SIZE)
        status, cancelled = await world.call("DELETE", path)
        assert (status, cancelled["status"], cancelled["finish_as"]) == (200, "finished", "cancelled")
        assert (cancelled["left"], cancelled["fill_price"]) == ("50", "51000")
        assert [found["id"] for found in (await world.call("GET", "/orders", "status=finished"))[1]] == [order["id"]]
        assert (await world.call("DELETE", path))[1]["label"] == "ORDER_FINISHED"
        position = (await world.call("GET", "/positions/BTC_USDT"))[1]
        assert (position["size"], position["entry_price"], position["unrealised_pnl"]) == ("40", "51000", "36")
        assert (position["leverage"], position["cross_leverage_limit"], position["pos_margin_mode"]) == ("0", "10", "cross")
        assert (position["margin"], position["value"], position["mark_price"], position["pending_orders"]) == ("20.4", "240", "60000", 0)


async def test_price_is_rounded_to_the_tick_and_bounded_by_the_mark_price(autojump_clock: MockClock) -> None:
    async with futures_world() as world:
        assert (await world.place(price="50003.280000"))[1]["price"] == "50003.3"
        assert (await world.place(price="29999"))[1]["label"] == "PRICE_TOO_DEVIATED"
        assert (await world.place(size="-1", price="90001"))[1]["label"] == "PRICE_TOO_DEVIATED"


async def test_size_amended_to_what_is_filled_cancels_and_the_side_cannot_be_changed(autojump_clock: MockClock) -> None:
    async with futures_world() as world:
        order = (await world.place(size="-10", price="70000"))[1]
        path = f"/orders/{order['id']}"
        assert (await world.call("PUT", path, body={"size": "20"}))[1]["label"] == "INVALID_PARAM_VALUE"
        assert (await world.call("PUT", path, body={"size": "-10"}))[1]["label"] == "NO_CHANGE"
        assert (await world.call("PUT", path, body={"amend_text": "x"}))[1]["label"] == "MISSING_REQUIRED_PARAM"
        world.control.fill_order(order["id"], 4 * SIZE)
        amended = (await world.call("PUT", path, body={"size": "-4"}))[1]
        assert (amended["status"], amended["finish_as"], amended["left"]) == ("finished", "cancelled", "-6")


@pytest.mark.parametrize(
    ("fields", "label", "message"),
    [
        ({"size": "900000"}, "INSUFFICIENT_AVAILABLE", "Balance is not enough"),
        ({"size": "0.5"}, "INVALID_PARAM_VALUE", "size"),
        ({"size": "0"}, "INVALID_PARAM_VALUE", "size"),
        ({"size": "ten"}, "INVALID_PARAM_VALUE", "ten"),
        ({"size": None}, "INVALID_PROTOCOL", "#3"),
        ({"price": None}, "INVALID_PROTOCOL", "#4"),
        ({"price": "1e4"}, "INVALID_PARAM_VALUE", "price"),
        ({"contract": "XXX_USDT"}, "CONTRACT_NOT_FOUND", "XXX_USDT"),
        ({"contract": None}, "MISSING_REQUIRED_PARAM", "contract"),
        ({"text": "mine"}, "INVALID_CLIENT_ORDER_ID", "t-"),
        ({"text": "t-" + "x" * 29}, "INVALID_CLIENT_ORDER_ID", "28"),
        ({"tif": "day"}, "INVALID_PARAM_VALUE", "day"),
        ({"price": "0", "tif": "gtc"}, "INVALID_PROTOCOL", "#4"),
        ({"price": "0", "tif": None}, "INVALID_PROTOCOL", "#4"),
        ({"price": "70000", "tif": "poc"}, "ORDER_POC_IMMEDIATE", "immediately"),
        ({"price": "70000", "size": "-10", "tif": "fok"}, "ORDER_FOK", "FOK"),
        ({"reduce_only": True}, "INCREASE_POSITION", "increase"),
        ({"close": True, "size": "0", "price": "0", "tif": "ioc"}, "POSITION_EMPTY", "empty"),
        ({"auto_size": "close_long"}, "INVALID_PARAM_VALUE", "auto_size"),
        ({"iceberg": "1"}, "INVALID_PARAM_VALUE", "iceberg"),
        ({"stp_act": "cn"}, "INVALID_PARAM_VALUE", "stp"),
        ({"action_mode": "LOUD"}, "INVALID_PARAM_VALUE", "LOUD"),
    ],
)
async def test_order_that_breaks_a_rule_is_refused_by_label_and_changes_nothing(
    autojump_clock: MockClock, fields: dict[str, Any], label: str, message: str
) -> None:
    async with futures_world() as world:
        status, answer = await world.place(**fields)
        assert (status, answer["label"]) == (400, label)
        assert message in answer["message"]
        assert world.control.orders() == ()
        assert (await world.call("GET", "/accounts"))[1]["available"] == "10000"


async def test_market_order_without_a_counter_order_is_refused(autojump_clock: MockClock) -> None:
    async with futures_world() as world:
        for order in [*world.control.engine.books[BTC].asks.orders()]:
            world.control.cancel_order(order.id)
        assert (await world.take("1"))[1]["label"] == "CONTRACT_NO_COUNTER"
        assert (await world.take("-1"))[0] == 201


async def test_answer_tells_as_much_as_the_action_mode_asks_for(autojump_clock: MockClock) -> None:
    async with futures_world() as world:
        assert set((await world.place(action_mode="ACK"))[1]) == {"id", "id_string", "text", "amend_text"}
        assert "left" not in (await world.place(action_mode="RESULT"))[1]


async def test_reduce_only_order_reduces_and_ends_when_there_is_nothing_left_to_reduce(autojump_clock: MockClock) -> None:
    async with futures_world() as world:
        await world.take("10")
        assert (await world.place(size="5", reduce_only=True))[1]["label"] == "INCREASE_POSITION"
        resting = (await world.place(size="-10", price="70000", reduce_only=True))[1]
        assert resting["is_reduce_only"]
        assert (await world.take("-6", reduce_only=True))[1]["left"] == "0"
        ended = (await world.call("GET", f"/orders/{resting['id']}"))[1]
        assert (ended["status"], ended["finish_as"]) == ("finished", "reduce_only")
        assert world.position().quantity == 4 * SIZE


async def test_closing_order_of_size_zero_empties_the_position_whatever_its_size(autojump_clock: MockClock) -> None:
    async with futures_world() as world:
        await world.take("-13")
        resting = (await world.place(size=0, close=True, price="50000"))[1]
        assert (resting["size"], resting["is_close"], resting["is_reduce_only"]) == ("13", True, True)
        assert (await world.call("PUT", f"/orders/{resting['id']}", body={"size": "5"}))[1]["label"] == "INVALID_PARAM_VALUE"
        assert (await world.call("DELETE", f"/orders/{resting['id']}"))[0] == 200
        assert (await world.take("1", close=True))[1]["label"] == "INVALID_PARAM_VALUE"
        closed = (await world.take("0", close=True))[1]
        assert (closed["size"], closed["finish_as"]) == ("13", "filled")
        assert not world.position().is_open


async def test_client_id_finds_a_finished_order_for_a_minute(autojump_clock: MockClock) -> None:
    async with futures_world() as world:
        assert (await world.place(text="t-1"))[0] == 201
        assert (await world.place(text="t-1"))[1]["label"] == "INVALID_CLIENT_ORDER_ID"
        await world.call("DELETE", "/orders/t-1")
        assert (await world.call("GET", "/orders/t-1"))[1]["status"] == "finished"
        assert (await world.call("DELETE", "/orders/t-1"))[1]["label"] == "ORDER_FINISHED"
        await trio.sleep(61)
        status, answer = await world.call("GET", "/orders/t-1")
        assert (status, answer["label"]) == (404, "ORDER_NOT_FOUND")
        assert (await world.place(text="t-1"))[0] == 201


async def test_order_cancelled_without_a_fill_is_forgotten_after_ten_minutes(autojump_clock: MockClock) -> None:
    async with futures_world() as world:
        unfilled, filled = (await world.place())[1], (await world.take("1"))[1]
        await world.call("DELETE", f"/orders/{unfilled['id']}")
        await trio.sleep(599)
        assert len((await world.call("GET", "/orders", "status=finished"))[1]) == 2
        await trio.sleep(2)
        assert (await world.call("GET", f"/orders/{unfilled['id']}"))[0] == 404
        assert [order["id"] for order in (await world.call("GET", "/orders", "status=finished"))[1]] == [filled["id"]]


async def test_orders_are_listed_in_pages_and_after_an_id(autojump_clock: MockClock) -> None:
    async with futures_world() as world:
        ids = [(await world.place(price=str(50_000 + n)))[1]["id"] for n in range(5)]
        page = (await world.call("GET", "/orders", "contract=BTC_USDT&status=open&limit=2&offset=1"))[1]
        assert [order["id"] for order in page] == [ids[3], ids[2]]
        assert world.last_headers["x-pagination-total"] == "5"
        rest = (await world.call("GET", "/orders", f"status=open&last_id={ids[2]}"))[1]
        assert [order["id"] for order in rest] == [ids[1], ids[0]]
        assert (await world.call("GET", "/orders", "contract=BTC_USDT"))[1]["label"] == "INVALID_PARAM_VALUE"
        await world.call("DELETE", "/orders")
        ranged = (await world.call("GET", "/orders_timerange", "contract=BTC_USDT&from=1790000000&limit=2"))[1]
        assert [order["id"] for order in ranged] == [ids[4], ids[3]]
        assert (await world.call("GET", "/orders_timerange", "to=1789999999"))[1] == []


async def test_hundred_and_first_open_order_is_refused(autojump_clock: MockClock) -> None:
    async with futures_world(msgspec.structs.replace(SETTINGS, rate_limits=False)) as world:
        for _ in range(100):
            assert (await world.place(size="1"))[0] == 201
        assert (await world.place(size="1"))[1]["label"] == "TOO_MANY_ORDERS"
        assert (await world.take("1"))[0] == 201


async def test_cancel_all_takes_a_side_a_contract_all_but_reducing_ones_or_everything(autojump_clock: MockClock) -> None:
    async with futures_world() as world:
        await world.take("5")
        for size, price in (("1", "50000"), ("1", "50001"), ("-1", "70000")):
            await world.place(size=size, price=price)
        await world.place(size="-5", price="70000", reduce_only=True)
        assert len((await world.call("DELETE", "/orders", "contract=BTC_USDT&side=ask&exclude_reduce_only=true"))[1]) == 1
        assert len((await world.call("DELETE", "/orders", "contract=BTC_USDT&side=bid"))[1]) == 2
        assert (await world.call("DELETE", "/orders", "side=buy"))[1]["label"] == "INVALID_PARAM_VALUE"
        assert len((await world.call("DELETE", "/orders"))[1]) == 1
        assert world.control.open_orders() == ()


async def test_batches_answer_item_by_item(autojump_clock: MockClock) -> None:
    async with futures_world() as world:
        order = {"contract": "BTC_USDT", "size": "1", "price": "50000", "tif": "gtc"}
        batch = [{**order, "text": "t-1"}, {**order, "text": "t-2", "size": "900000"}]
        placed = (await world.call("POST", "/batch_orders", body=batch))[1]
        assert [(item["succeeded"], item.get("label")) for item in placed] == [(True, None), (False, "INSUFFICIENT_AVAILABLE")]
        changes = [{"order_id": placed[0]["id"], "size": "2"}, {"text": "t-1", "price": "50001"}, {"order_id": 9, "size": "2"}]
        amended = (await world.call("POST", "/batch_amend_orders", body=changes))[1]
        assert [(item["succeeded"], item.get("size"), item.get("label")) for item in amended] == [
            (True, "2", None),
            (True, "2", None),
            (False, None, "ORDER_NOT_FOUND"),
        ]
        cancelled = (await world.call("POST", "/batch_cancel_orders", body=[placed[0]["id_string"], "99"]))[1]
        assert cancelled == [
            {"user_id": 10_000_001, "id": placed[0]["id_string"], "succeeded": True, "message": ""},
            {"user_id": 10_000_001, "id": "99", "succeeded": False, "message": "ORDER_NOT_FOUND"},
        ]
        assert (await world.call("POST", "/batch_orders", body=[order]))[1]["label"] == "MISSING_REQUIRED_PARAM"
        for path, many in (("batch_orders", 11), ("batch_amend_orders", 11), ("batch_cancel_orders", 21)):
            body: list[Any] = ["1"] * many if "cancel" in path else [{**order, "text": "t-1"}] * many
            assert (await world.call("POST", f"/{path}", body=body))[1]["label"] == "TOO_MANY_ORDERS"
        assert (await world.call("POST", "/batch_cancel_orders", body={"id": "1"}))[1]["label"] == "INVALID_REQUEST_BODY"


async def test_account_in_a_group_names_its_self_trade_action(autojump_clock: MockClock) -> None:
    async with futures_world() as world:
        resting = (await world.place(account=MEMBER, stp_act="co", size="-1", price="60000"))[1]
        order = (await world.place(account=MEMBER, stp_act="co", size="1", price="60000"))[1]
        cancelled = (await world.call("GET", f"/orders/{resting['id']}", account=MEMBER))[1]
        assert (resting["stp_act"], cancelled["finish_as"], order["status"]) == ("co", "stp", "open")


async def test_hundred_and_first_placement_within_a_second_is_rate_limited_whatever_its_path(autojump_clock: MockClock) -> None:
    async with futures_world() as world:
        await trio.sleep(0.5)
        order = (await world.place())[1]
        path = f"/orders/{order['id']}"
        for number in range(99):
            assert (await world.call("PUT", path, body={"price": str(50_001 + number % 2)}))[0] == 200
        status, answer = await world.place()
        assert (status, answer["label"], "311" in answer["message"]) == (429, "TOO_MANY_REQUESTS", True)
        assert world.last_headers["x-gate-ratelimit-limit"] == "100"
        assert (await world.call("DELETE", path))[0] == 200
        await trio.sleep(1)
        assert (await world.place())[0] == 201


async def test_countdown_cancels_the_orders_of_its_contract_unless_it_is_armed_again_in_time(autojump_clock: MockClock) -> None:
    markets = (MarketSettings(), MarketSettings(symbol="ETH_USDT", price_decimals=2, start_price=Decimal(3_000)))
    async with futures_world(msgspec.structs.replace(SETTINGS, markets=markets)) as world:
        await world.place()
        await world.place(contract="ETH_USDT", price="2900")
        path = "/countdown_cancel_all"
        armed = (await world.call("POST", path, body={"timeout": 5, "contract": "BTC_USDT"}))[1]
        assert int(armed["triggerTime"]) - world.wall.milliseconds() in range(4_990, 5_001)
        await trio.sleep(4)
        await world.call("POST", path, body={"timeout": 5, "contract": "BTC_USDT"})
        await trio.sleep(4)
        assert len(world.control.open_orders()) == 2
        await trio.sleep(1.1)
        assert [order.symbol.base for order in world.control.open_orders()] == ["ETH"]
        await world.call("POST", path, body={"timeout": 5})
        assert (await world.call("POST", path, body={"timeout": 0}))[1] == {"triggerTime": "0"}
        await trio.sleep(6)
        assert len(world.control.open_orders()) == 1
        assert (await world.call("POST", path, body={"timeout": 4}))[1]["label"] == "INVALID_PARAM_VALUE"


async def test_unknown_path_settlement_and_method_are_refused_as_json(autojump_clock: MockClock) -> None:
    async with futures_world() as world:
        assert (await world.public("/nothing"))[1]["label"] == "NOT_FOUND"
        assert (await world.http.get("/api/v4/futures/usd1/contracts")).json()["label"] == "NOT_FOUND"
        assert (await world.http.get("/api/v4/futures/btc/contracts")).json() == []
        assert (await world.http.delete("/api/v4/futures/usdt/tickers")).json()["label"] == "METHOD_NOT_ALLOWED"
        assert (await world.time())[1] == {"server_time": world.wall.milliseconds() - 1}
        assert (await world.http.get("/api/v4/spot/currencies/USDT")).json()["currency"] == "USDT"
