"""The simulated MEXC spot exchange, its REST side: signatures, windows, refusals, limits, and the life of orders."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from mexc_world import BTC, MAIN, READER, mexc_world
from trio.testing import MockClock

from simulated.faults import Operation


async def test_signature_over_query_and_body_is_verified(autojump_clock: MockClock) -> None:
    async with mexc_world() as world:
        assert (await world.call("GET", "/account"))[0] == 200
        wrong = msgspec.structs.replace(MAIN, api_secret="another-secret")
        assert await world.call("GET", "/account", account=wrong) == (
            400, {"code": 700002, "msg": "Signature for this request is not valid."},
        )  # fmt: skip
        stranger = msgspec.structs.replace(MAIN, api_key="nobody")
        assert (await world.call("GET", "/account", account=stranger))[1]["code"] == 10072
        status, order = await world.call("POST", "/order", symbol="BTCUSDT", body="side=BUY&type=LIMIT&quantity=0.001&price=50000")
        assert (status, order["origQty"]) == (200, "0.001"), "signed one after the other, with nothing between"


@pytest.mark.parametrize(
    ("age_milliseconds", "window", "code"),
    [(4_990, None, None), (5_100, None, 700003), (-900, None, None), (-1_100, None, 700003), (150, 100, 700003), (0, 60_001, 700005)],
)
async def test_request_outside_of_its_window_is_refused(
    autojump_clock: MockClock, age_milliseconds: int, window: int | None, code: int | None
) -> None:
    async with mexc_world() as world:
        fields = {} if window is None else {"recvWindow": window}
        answer = (await world.call("GET", "/account", age_milliseconds=age_milliseconds, **fields))[1]
        assert answer.get("code") == code


async def test_order_held_up_beyond_its_window_is_not_taken_in(autojump_clock: MockClock) -> None:
    async with mexc_world() as world:
        world.control.delay_requests(Operation.PLACE, 4.0, 1)
        assert (await world.place(recvWindow=3_000))[1]["code"] == 700003
        assert world.control.orders() == ()


async def test_request_that_lacks_what_it_needs_is_refused_by_name(autojump_clock: MockClock) -> None:
    async with mexc_world() as world:
        assert (await world.call("POST", "/order", headers={"Content-Type": "text/plain"}))[1]["code"] == 700013
        assert (await world.call("GET", "/account", headers={"X-MEXC-APIKEY": ""}))[1] == {"code": 400, "msg": "api key required"}
        answer = (await world.http.get("/api/v3/account", headers={"X-MEXC-APIKEY": MAIN.api_key})).json()
        assert (answer["code"], "'timestamp'" in answer["msg"]) == (700004, True)
        assert (await world.call("GET", "/order", symbol="BTCUSDT"))[1]["code"] == 700004
        assert (await world.call("POST", "/order", account=READER, symbol="BTCUSDT"))[1]["code"] == 700007


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"symbol": "NOSUCH"}, -1121),
        ({"side": "HOLD"}, 700008),
        ({"type": "STOP"}, 30041),
        ({"quantity": "many"}, 700008),
        ({"quantity": None}, 700004),
        ({"quantity": "0"}, 10102),
        ({"quantity": "0.0000001"}, 10096),
        ({"price": "50000.55"}, 10096),
        ({"quantity": "0.00001"}, 30002),
        ({"quantity": "5"}, 30004),
        ({"newClientOrderId": "not a name"}, 700008),
    ],
)
async def test_order_against_the_rules_is_refused_with_its_code(autojump_clock: MockClock, fields: dict[str, Any], code: int) -> None:
    async with mexc_world() as world:
        status, answer = await world.place(**fields)
        assert (status, answer["code"]) == (400, code)
        assert world.control.orders() == ()


async def test_resting_order_is_found_listed_and_cancelled(autojump_clock: MockClock) -> None:
    async with mexc_world() as world:
        placed = (await world.place(newClientOrderId="mine"))[1]
        assert set(placed) == {"symbol", "orderId", "orderListId", "price", "origQty", "type", "side", "stpMode", "transactTime"}
        by_id = {"symbol": "BTCUSDT", "orderId": placed["orderId"]}
        by_name = {"symbol": "BTCUSDT", "origClientOrderId": "mine"}
        found = (await world.call("GET", "/order", **by_id))[1]
        assert (found["status"], found["clientOrderId"], found["executedQty"]) == ("NEW", "mine", "0")
        assert (await world.call("GET", "/openOrders"))[1] == (await world.call("GET", "/openOrders", symbol="BTCUSDT"))[1] == [found]
        cancelled = (await world.call("DELETE", "/order", **by_name))[1]
        assert (cancelled["status"], cancelled["origClientOrderId"]) == ("CANCELED", "mine")
        assert (await world.call("GET", "/order", **by_name))[1]["status"] == "CANCELED", "also found by name when it has ended"
        assert (await world.call("DELETE", "/order", **by_id))[1]["code"] == -2011
        assert (await world.call("GET", "/order", symbol="BTCUSDT", orderId="C02__1"))[1]["code"] == -2013
        assert [order["status"] for order in (await world.call("GET", "/allOrders", symbol="BTCUSDT"))[1]] == ["CANCELED"]


async def test_filled_in_part_and_cancelled_is_a_state_of_its_own(autojump_clock: MockClock) -> None:
    async with mexc_world() as world:
        placed = (await world.place(quantity="0.01"))[1]
        number = int(placed["orderId"].removeprefix("C02__"))
        by_id = {"symbol": "BTCUSDT", "orderId": placed["orderId"]}
        world.control.fill_order(number, Decimal("0.004"))
        assert (await world.call("GET", "/order", **by_id))[1]["status"] == "PARTIALLY_FILLED"
        assert (await world.call("DELETE", "/order", **by_id))[1]["status"] == "PARTIALLY_CANCELED"
        (fill,) = (await world.call("GET", "/myTrades", **by_id))[1]
        assert (fill["qty"], fill["commission"], fill["commissionAsset"], fill["isMaker"], fill["isBuyer"]) == (
            "0.004", "0.000008", "BTC", True, True,
        )  # fmt: skip


async def test_order_that_may_not_rest_and_cannot_be_filled_is_taken_in_and_ended(autojump_clock: MockClock) -> None:
    async with mexc_world() as world:
        for kind, price in (("LIMIT_MAKER", "70000"), ("FILL_OR_KILL", "50000"), ("IMMEDIATE_OR_CANCEL", "50000")):
            status, placed = await world.place(type=kind, price=price)
            found = (await world.call("GET", "/order", symbol="BTCUSDT", orderId=placed["orderId"]))[1]
            assert (status, found["status"], found["type"]) == (200, "CANCELED", kind)


async def test_market_buy_spends_no_more_than_told_and_gives_the_rest_back(autojump_clock: MockClock) -> None:
    async with mexc_world() as world:
        placed = (await world.buy("100"))[1]
        found = (await world.call("GET", "/order", symbol="BTCUSDT", orderId=placed["orderId"]))[1]
        assert found["status"] == "PARTIALLY_CANCELED"
        assert Decimal(99) < Decimal(found["cummulativeQuoteQty"]) < 100
        balances = {balance["asset"]: balance for balance in (await world.call("GET", "/account"))[1]["balances"]}
        assert Decimal(balances["USDT"]["free"]) == 10_000 - Decimal(found["cummulativeQuoteQty"])
        assert balances["USDT"]["locked"] == "0"


async def test_batch_answers_each_order_and_all_are_cancelled_at_once(autojump_clock: MockClock) -> None:
    async with mexc_world() as world:
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": "0.001", "price": "50000"}
        batch = [{**order, "newClientOrderId": "a"}, {**order, "newClientOrderId": "b", "quantity": "0.00001"}]
        sound, refused = (await world.call("POST", "/batchOrders", batchOrders=json.dumps(batch)))[1]
        assert (sound["newClientOrderId"], "orderId" in sound, refused["newClientOrderId"], refused["code"]) == ("a", True, "b", 30002)
        assert [gone["origClientOrderId"] for gone in (await world.call("DELETE", "/openOrders", symbol="BTCUSDT"))[1]] == ["a"]
        assert world.control.open_orders() == ()


async def test_public_answers_are_about_the_same_book(autojump_clock: MockClock) -> None:
    async with mexc_world() as world:
        depth = (await world.public("/depth", symbol="BTCUSDT", limit="5"))[1]
        best = (await world.public("/ticker/bookTicker", symbol="BTCUSDT"))[1]
        assert len(depth["bids"]) == 5
        assert depth["bids"][0] == [best["bidPrice"], best["bidQty"]]
        assert depth["lastUpdateId"] == world.control.engine.books[BTC].update_id
        await world.buy("100")
        assert (await world.public("/trades", symbol="BTCUSDT"))[1][0]["isBuyerMaker"] is False
        assert (await world.public("/klines", symbol="BTCUSDT", interval="60m"))[1][0][4] == (
            await world.public("/ticker/24hr", symbol="BTCUSDT")
        )[1]["lastPrice"]
        assert (await world.public("/defaultSymbols"))[1]["data"] == ["BTCUSDT"]
        assert (await world.public("/nothing"))[0] == 404


async def test_weight_beyond_the_budget_of_an_endpoint_is_refused_with_the_time_to_wait(autojump_clock: MockClock) -> None:
    async with mexc_world() as world:
        statuses = [(await world.public("/exchangeInfo"))[0] for _ in range(21)]
        assert statuses == [200] * 20 + [429], "each weighs 25 of 500"
        response = await world.http.get("/api/v3/exchangeInfo")
        assert (response.json()["code"], response.headers["Retry-After"]) == (429, "1")
        assert (await world.public("/depth", symbol="BTCUSDT"))[0] == 200, "each endpoint has a budget of its own"


async def test_placing_and_cancelling_share_twelve_a_second(autojump_clock: MockClock) -> None:
    async with mexc_world() as world:
        statuses = [(await world.place())[0] for _ in range(12)]
        statuses.append((await world.call("DELETE", "/openOrders", symbol="BTCUSDT"))[0])
        assert statuses == [200] * 12 + [429]


async def test_bad_days_are_answered_as_mexc_answers_them(autojump_clock: MockClock) -> None:
    async with mexc_world() as world:
        world.control.fail_after_accepting(Operation.PLACE)
        assert (await world.place())[0] == 502
        assert len(world.control.open_orders()) == 1
        world.control.start_maintenance()
        assert (await world.public("/time"))[1]["code"] == 503
        world.control.end_maintenance()
        world.control.hide_new_orders(5.0)
        assert (await world.call("GET", "/openOrders"))[1] == []


async def test_user_has_sixty_listen_keys_at_most_and_a_new_one_once_one_is_closed(autojump_clock: MockClock) -> None:
    async with mexc_world() as world:
        keys = [await world.listen_key() for _ in range(60)]
        assert (await world.call("POST", "/userDataStream"))[1]["code"] == 730708
        assert (await world.call("GET", "/userDataStream"))[1] == {"listenKey": keys}
        assert (await world.call("POST", "/userDataStream", account=READER))[0] == 200
        await world.call("DELETE", "/userDataStream", listenKey=keys[0])
        assert (await world.call("POST", "/userDataStream"))[0] == 200


async def test_listen_keys_are_made_listed_kept_and_closed_by_their_owner(autojump_clock: MockClock) -> None:
    async with mexc_world() as world:
        key = await world.listen_key()
        assert (await world.call("GET", "/userDataStream"))[1] == {"listenKey": [key]}
        assert (await world.call("PUT", "/userDataStream", listenKey=key))[1] == {"listenKey": key}
        assert (await world.call("PUT", "/userDataStream", listenKey=key, account=READER))[1]["code"] == 730708
        assert (await world.call("DELETE", "/userDataStream", listenKey=key))[1] == {"listenKey": key}
        assert (await world.call("GET", "/userDataStream"))[1] == {"listenKey": []}
        assert (await world.call("DELETE", "/userDataStream", listenKey=key))[1]["code"] == 730708
