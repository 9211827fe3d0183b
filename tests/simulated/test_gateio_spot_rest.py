from __future__ import annotations

import hashlib
from decimal import Decimal

import msgspec
import pytest
import trio
from gate_world import BTC, MAIN, SETTINGS, STP_MEMBER, gate_world, signed
from trio.testing import MockClock


async def test_worked_signature_examples_of_the_documentation_are_reproduced(autojump_clock: MockClock) -> None:
    secret = "made-up-gate-secret-0123456789abcdef"
    empty = (
        "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"
    )
    text = f"GET\n/api/v4/spot/open_orders\npage=1&limit=100\n{empty}\n1790000000"
    assert signed(secret, text).startswith("921d275b21ef5d877189b62d7a0c1bf2e81ad7995d9c2e26")


async def test_pairs_time_currencies_and_fees_are_told(autojump_clock: MockClock) -> None:
    async with gate_world() as world:
        assert (await world.public("/spot/time"))[1] == {"server_time": world.wall.milliseconds() - 1}
        pair = (await world.public("/spot/currency_pairs/BTC_USDT"))[1]
        assert (pair["precision"], pair["amount_precision"], pair["min_quote_amount"]) == (1, 6, "3")
        assert (await world.public("/spot/currency_pairs"))[1] == [pair]
        assert {currency["currency"] for currency in (await world.public("/spot/currencies"))[1]} == {"BTC", "USDT"}
        assert (await world.call("GET", "/spot/fee", "currency_pair=BTC_USDT"))[1]["maker_fee"] == "0.002"
        assert (await world.call("GET", "/spot/batch_fee", "currency_pairs=BTC_USDT"))[1]["BTC_USDT"]["taker_fee"] == "0.002"
        assert (await world.call("GET", "/wallet/fee"))[1]["futures_taker_fee"] == "0.0005"
        assert (await world.call("GET", "/account/detail"))[1]["key"] == {"mode": 1}


async def test_order_book_carries_its_id_only_on_request_and_obeys_its_limit(autojump_clock: MockClock) -> None:
    async with gate_world() as world:
        book = (await world.public("/spot/order_book", currency_pair="BTC_USDT", with_id="true", limit="3"))[1]
        assert (len(book["bids"]), len(book["asks"])) == (3, 3)
        assert book["id"] == world.control.engine.books[BTC].update_id
        assert "id" not in (await world.public("/spot/order_book", currency_pair="BTC_USDT"))[1]
        assert (await world.public("/spot/order_book", currency_pair="BTC_USDT", limit="0"))[1]["label"] == "INVALID_PARAM_VALUE"
        assert (await world.public("/spot/order_book"))[1]["label"] == "MISSING_REQUIRED_PARAM"
        assert (await world.public("/spot/order_book", currency_pair="NO_SUCH"))[1]["label"] == "INVALID_CURRENCY_PAIR"


async def test_trades_ticker_and_candles_tell_of_what_was_traded(autojump_clock: MockClock) -> None:
    async with gate_world() as world:
        filled = (await world.spend("100"))[1]
        trade = (await world.public("/spot/trades", currency_pair="BTC_USDT"))[1][0]
        assert (trade["side"], trade["amount"], trade["price"]) == ("buy", filled["filled_amount"], filled["avg_deal_price"])
        ticker = (await world.public("/spot/tickers", currency_pair="BTC_USDT"))[1][0]
        assert (ticker["last"], ticker["base_volume"]) == (trade["price"], trade["amount"])
        candle = (await world.public("/spot/candlesticks", currency_pair="BTC_USDT", interval="1m"))[1][0]
        assert candle[1:] == [filled["filled_total"], *[trade["price"]] * 4, trade["amount"], "false"]


async def test_market_buy_spends_the_quote_amount_and_pays_its_fee_in_base(autojump_clock: MockClock) -> None:
    async with gate_world() as world:
        status, order = await world.spend("100", text="t-buy")
        assert status == 201
        assert (order["status"], order["finish_as"], order["amount"]) == ("closed", "filled", "100")
        spent, bought = Decimal(order["filled_total"]), Decimal(order["filled_amount"])
        assert 100 - spent == Decimal(order["left"])
        assert (order["fee_currency"], Decimal(order["fee"])) == ("BTC", bought * Decimal("0.002"))
        assert world.balance("USDT") == (10_000 - spent, 0)
        assert world.balance("BTC") == (Decimal("0.1") + bought - Decimal(order["fee"]), 0)
        fills = (await world.call("GET", "/spot/my_trades", f"currency_pair=BTC_USDT&order_id={order['id']}"))[1]
        assert sum(Decimal(fill["amount"]) for fill in fills) == bought
        assert {(fill["text"], fill["role"], fill["side"]) for fill in fills} == {("t-buy", "taker", "buy")}


async def test_limit_order_lives_through_query_amendment_partial_fill_and_cancel(autojump_clock: MockClock) -> None:
    async with gate_world() as world:
        order = (await world.place(text="t-life", amount="0.01"))[1]
        assert (order["status"], order["left"], order["time_in_force"]) == ("open", "0.01", "gtc")
        assert world.balance("USDT") == (Decimal(9_500), Decimal(500))
        assert (await world.call("GET", "/spot/orders/t-life", "currency_pair=BTC_USDT"))[1]["id"] == order["id"]
        group = (await world.call("GET", "/spot/open_orders"))[1][0]
        assert (group["currency_pair"], group["total"], group["orders"][0]["id"]) == ("BTC_USDT", 1, order["id"])

        path = f"/spot/orders/{order['id']}"
        amended = (await world.call("PATCH", path, "currency_pair=BTC_USDT", {"price": "51000", "amend_text": "up"}))[1]
        assert (amended["price"], amended["amend_text"]) == ("51000", "up")
        world.control.fill_order(int(order["id"]), Decimal("0.004"))
        status, cancelled = await world.call("DELETE", path, "currency_pair=BTC_USDT")
        assert (status, cancelled["status"], cancelled["finish_as"]) == (200, "cancelled", "cancelled")
        assert (cancelled["left"], cancelled["filled_amount"], cancelled["filled_total"]) == ("0.006", "0.004", "204")
        assert world.balance("USDT") == (Decimal(9_796), Decimal(0))
        finished = (await world.call("GET", "/spot/orders", "currency_pair=BTC_USDT&status=finished"))[1]
        assert [found["id"] for found in finished] == [order["id"]]
        assert (await world.call("DELETE", path, "currency_pair=BTC_USDT"))[1]["label"] == "ORDER_CANCELLED"


@pytest.mark.parametrize(
    ("fields", "label", "message"),
    [
        ({"amount": "100"}, "BALANCE_NOT_ENOUGH", "Not enough balance"),
        ({"amount": "0.00001"}, "INVALID_PARAM_VALUE", "Your order size 0.5 USDT is too small. The minimum is 3 USDT"),
        ({"amount": "0.000001"}, "INVALID_PARAM_VALUE", "The minimum is 0.00001 BTC"),
        ({"price": "50000.05"}, "INVALID_PRECISION", "price"),
        ({"amount": "0.0010001"}, "INVALID_PRECISION", "amount"),
        ({"currency_pair": "XXX_USDT"}, "INVALID_CURRENCY_PAIR", "XXX_USDT"),
        ({"currency_pair": None}, "MISSING_REQUIRED_PARAM", "currency_pair"),
        ({"side": "hold"}, "INVALID_PARAM_VALUE", "side"),
        ({"amount": "1e-3"}, "INVALID_PARAM_VALUE", "amount"),
        ({"amount": "-1"}, "INVALID_PARAM_VALUE", "amount"),
        ({"price": None}, "MISSING_REQUIRED_PARAM", "price"),
        ({"text": "mine"}, "INVALID_CLIENT_ORDER_ID", "t-"),
        ({"text": "t-" + "x" * 29}, "INVALID_CLIENT_ORDER_ID", "28"),
        ({"text": "t-a b"}, "INVALID_CLIENT_ORDER_ID", "t-"),
        ({"type": "market", "price": None, "time_in_force": "gtc"}, "INVALID_PARAM_VALUE", "time_in_force"),
        ({"price": "70000", "time_in_force": "poc"}, "POC_FILL_IMMEDIATELY", "immediately"),
        ({"price": "70000", "amount": "0.1", "side": "sell", "time_in_force": "fok"}, "FOK_NOT_FILL", "completely"),
        ({"stp_act": "cn"}, "INVALID_PARAM_VALUE", "stp"),
        ({"time_in_force": "day"}, "INVALID_PARAM_VALUE", "day"),
    ],
)
async def test_order_that_breaks_a_rule_is_refused_by_label_and_changes_nothing(
    autojump_clock: MockClock, fields: dict[str, str], label: str, message: str
) -> None:
    async with gate_world() as world:
        status, answer = await world.place(**fields)
        assert (status, answer["label"]) == (400, label)
        assert message in answer["message"]
        assert world.control.orders() == ()
        assert world.balance("USDT") == (Decimal(10_000), Decimal(0))


async def test_client_id_of_a_live_order_is_refused_and_is_free_again_afterwards(autojump_clock: MockClock) -> None:
    async with gate_world() as world:
        assert (await world.place(text="t-1"))[0] == 201
        assert (await world.place(text="t-1"))[1]["label"] == "INVALID_CLIENT_ORDER_ID"
        await world.call("DELETE", "/spot/orders/t-1", "currency_pair=BTC_USDT")
        assert (await world.call("GET", "/spot/orders/t-1", "currency_pair=BTC_USDT"))[1]["label"] == "CLIENT_ID_NOT_FOUND"
        assert (await world.place(text="t-1"))[0] == 201


async def test_finished_order_is_found_by_client_id_for_as_long_as_configured(autojump_clock: MockClock) -> None:
    async with gate_world(msgspec.structs.replace(SETTINGS, text_lookup_after_finish_seconds=30)) as world:
        await world.place(text="t-1")
        await world.call("DELETE", "/spot/orders/t-1", "currency_pair=BTC_USDT")
        assert (await world.call("GET", "/spot/orders/t-1", "currency_pair=BTC_USDT"))[1]["status"] == "cancelled"
        await trio.sleep(31)
        assert (await world.call("GET", "/spot/orders/t-1", "currency_pair=BTC_USDT"))[0] == 404


async def test_order_cancelled_without_a_fill_is_forgotten_after_a_minute(autojump_clock: MockClock) -> None:
    async with gate_world() as world:
        order = (await world.place())[1]
        path = f"/spot/orders/{order['id']}"
        await world.call("DELETE", path, "currency_pair=BTC_USDT")
        assert (await world.call("GET", path, "currency_pair=BTC_USDT"))[0] == 200
        await trio.sleep(61)
        status, answer = await world.call("GET", path, "currency_pair=BTC_USDT")
        assert (status, answer["label"]) == (404, "ORDER_NOT_FOUND")


async def test_immediate_or_cancel_left_over_is_closed_with_fills_and_cancelled_without(autojump_clock: MockClock) -> None:
    async with gate_world() as world:
        bid = world.control.engine.books[BTC].bids.levels(1)[0]
        partly = (await world.place(side="sell", price=str(bid[0]), amount="0.1", time_in_force="ioc"))[1]
        if Decimal(partly["left"]):
            assert (partly["status"], partly["finish_as"]) == ("closed", "ioc")
        unfilled = (await world.place(time_in_force="ioc"))[1]
        assert (unfilled["status"], unfilled["finish_as"], unfilled["filled_amount"]) == ("cancelled", "ioc", "0")


async def test_cancel_all_takes_one_side_one_pair_or_everything(autojump_clock: MockClock) -> None:
    async with gate_world() as world:
        for side, price in (("buy", "50000"), ("buy", "50001"), ("sell", "70000")):
            await world.place(side=side, price=price)
        assert len((await world.call("DELETE", "/spot/orders", "currency_pair=BTC_USDT&side=sell"))[1]) == 1
        assert len((await world.call("DELETE", "/spot/orders"))[1]) == 2
        assert world.control.open_orders() == ()


async def test_batches_answer_item_by_item(autojump_clock: MockClock) -> None:
    async with gate_world() as world:
        order = {"currency_pair": "BTC_USDT", "side": "buy", "amount": "0.001", "price": "50000"}
        batch = [{**order, "text": "t-1"}, {**order, "text": "t-2", "amount": "100"}]
        placed = (await world.call("POST", "/spot/batch_orders", body=batch))[1]
        assert [(item["succeeded"], item["label"]) for item in placed] == [(True, ""), (False, "BALANCE_NOT_ENOUGH")]
        changes = [{"order_id": placed[0]["id"], "currency_pair": "BTC_USDT", "amount": "0.002"}]
        assert (await world.call("POST", "/spot/amend_batch_orders", body=changes))[1][0]["amount"] == "0.002"
        cancels = [{"currency_pair": "BTC_USDT", "id": placed[0]["id"]}, {"currency_pair": "BTC_USDT", "id": "99"}]
        cancelled = (await world.call("POST", "/spot/cancel_batch_orders", body=cancels))[1]
        assert [(item["succeeded"], item["label"]) for item in cancelled] == [(True, None), (False, "ORDER_NOT_FOUND")]
        assert (await world.call("POST", "/spot/batch_orders", body=[order]))[1]["label"] == "MISSING_REQUIRED_PARAM"
        assert (await world.call("POST", "/spot/batch_orders", body=[]))[1]["label"] == "TOO_MANY_ORDERS"


async def test_account_in_a_group_names_its_self_trade_action(autojump_clock: MockClock) -> None:
    async with gate_world() as world:
        resting = (await world.place(account=STP_MEMBER, stp_act="co", side="sell", price="60000", amount="0.001"))[1]
        assert resting["stp_act"] == "co"
        order = (await world.place(account=STP_MEMBER, stp_act="co", price="60000", amount="0.001"))[1]
        path = f"/spot/orders/{resting['id']}"
        cancelled = (await world.call("GET", path, "currency_pair=BTC_USDT", account=STP_MEMBER))[1]
        assert (cancelled["status"], cancelled["finish_as"], order["status"]) == ("cancelled", "stp", "open")


async def test_eleventh_order_within_a_second_is_rate_limited_and_the_next_second_is_free(autojump_clock: MockClock) -> None:
    async with gate_world() as world:
        await trio.sleep(0.5)
        answers = [await world.place() for _ in range(11)]
        assert [status for status, _ in answers] == [201] * 10 + [429]
        assert (answers[-1][1]["label"], world.last_headers["x-gate-ratelimit-requests-remain"]) == ("TOO_MANY_REQUESTS", "0")
        assert world.last_headers["x-gate-ratelimit-limit"] == "10"
        assert world.last_headers["x-gate-ratelimit-reset-timestamp"] == str(int(world.seconds()) + 1)
        assert (await world.call("DELETE", "/spot/orders"))[0] == 200
        await trio.sleep(1)
        assert (await world.place())[0] == 201


async def test_countdown_cancels_everything_unless_it_is_armed_again_in_time(autojump_clock: MockClock) -> None:
    async with gate_world() as world:
        await world.place()
        armed = (await world.call("POST", "/spot/countdown_cancel_all", body={"timeout": 5}))[1]
        assert int(armed["triggerTime"]) - world.wall.milliseconds() in range(4_990, 5_001)
        await trio.sleep(4)
        await world.call("POST", "/spot/countdown_cancel_all", body={"timeout": 5, "currency_pair": "BTC_USDT"})
        await world.call("POST", "/spot/countdown_cancel_all", body={"timeout": 0})
        await trio.sleep(4)
        assert len(world.control.open_orders()) == 1
        await trio.sleep(1.1)
        assert world.control.open_orders() == ()
        assert (await world.call("POST", "/spot/countdown_cancel_all", body={"timeout": 4}))[1]["label"] == "INVALID_PARAM_VALUE"


async def test_unknown_path_method_and_body_are_refused_as_json(autojump_clock: MockClock) -> None:
    async with gate_world() as world:
        assert (await world.public("/spot/nothing"))[1]["label"] == "NOT_FOUND"
        assert (await world.http.delete("/api/v4/spot/time")).json()["label"] == "METHOD_NOT_ALLOWED"
        assert (await world.call("POST", "/spot/orders", body=[1]))[1]["label"] == "INVALID_REQUEST_BODY"


async def test_signature_covers_the_query_as_it_reads_not_as_it_is_escaped(autojump_clock: MockClock) -> None:
    async with gate_world() as world:
        timestamp = world.seconds()
        text = f"GET\n/api/v4/spot/batch_fee\ncurrency_pairs=BTC_USDT,BTC_USDT\n{hashlib.sha512(b'').hexdigest()}\n{timestamp}"
        headers = {"KEY": MAIN.api_key, "Timestamp": timestamp, "SIGN": signed(MAIN.api_secret, text)}
        response = await world.http.get("/api/v4/spot/batch_fee?currency_pairs=BTC_USDT%2CBTC_USDT", headers=headers)
        assert response.status_code == 200
