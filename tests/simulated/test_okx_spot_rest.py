"""The simulated OKX over REST: who may ask, what is answered, and what becomes of orders."""

from __future__ import annotations

from decimal import Decimal

import pytest
import trio
from okx_world import BTC, READER, okx_world
from trio.testing import MockClock

from simulated.engine.order import FinishReason
from simulated.faults import Operation


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"OK-ACCESS-KEY": ""}, "50103"),
        ({"OK-ACCESS-PASSPHRASE": ""}, "50104"),
        ({"OK-ACCESS-SIGN": ""}, "50106"),
        ({"OK-ACCESS-TIMESTAMP": ""}, "50107"),
        ({"OK-ACCESS-TIMESTAMP": "2026-09-21"}, "50112"),
        ({"OK-ACCESS-TIMESTAMP": "2026-09-21T14:13:20.0Z"}, "50112"),
        ({"OK-ACCESS-TIMESTAMP": "2026-09-21T13:13:20.000Z"}, "50102"),
        ({"OK-ACCESS-KEY": "nobody"}, "50111"),
        ({"OK-ACCESS-PASSPHRASE": "wrong"}, "50105"),
        ({"OK-ACCESS-SIGN": "d3Jvbmc="}, "50113"),
    ],
)
async def test_request_is_refused_for_what_is_wrong_with_its_signature(autojump_clock: MockClock, headers, code) -> None:
    async with okx_world() as world:
        answer = await world.answer("GET", "/account/balance", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, code)


async def test_query_and_body_are_part_of_the_signature_and_orders_need_permission(autojump_clock: MockClock) -> None:
    async with okx_world() as world:
        details = (await world.get("/account/balance?ccy=BTC,USDT"))["data"][0]["details"]
        assert {one["ccy"]: one["availBal"] for one in details} == {"USDT": "10000", "BTC": "0.1"}
        assert (await world.get("/account/balance", account=READER))["code"] == "0"
        refused = await world.post("/trade/order", {}, account=READER)
        assert refused["code"] == "50120"
        wrong = await world.answer("POST", "/trade/order", {"instId": "BTC-USDT"}, headers={"Content-Type": "text/plain"})
        assert wrong.json()["code"] == "50006"


async def test_placement_is_answered_with_ids_alone_and_the_order_can_be_asked_for(autojump_clock: MockClock) -> None:
    async with okx_world() as world:
        placed = await world.place(clOrdId="abcZ1", tag="mm")
        assert (placed["sCode"], placed["clOrdId"], placed["tag"], "state" in placed) == ("0", "abcZ1", "mm", False)
        for by in (f"ordId={placed['ordId']}", "clOrdId=abcZ1"):
            (order,) = (await world.get(f"/trade/order?instId=BTC-USDT&{by}"))["data"]
            assert (order["state"], order["px"], order["sz"], order["tag"]) == ("live", "50000", "0.001", "mm")
        assert [one["clOrdId"] for one in (await world.get("/trade/orders-pending?instType=SPOT"))["data"]] == ["abcZ1"]
        assert (await world.post("/trade/cancel-order", {"instId": "BTC-USDT", "clOrdId": "abcZ1"}))["data"][0]["sCode"] == "0"
        (order,) = (await world.get("/trade/orders-history?instType=SPOT"))["data"]
        assert (order["state"], order["cancelSource"]) == ("canceled", "1")
        again = await world.post("/trade/cancel-order", {"instId": "BTC-USDT", "clOrdId": "abcZ1"})
        assert (again["code"], again["data"][0]["sCode"]) == ("1", "51400")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"instId": "NO-SUCH"}, "51001"),
        ({"instId": None}, "50014"),
        ({"tdMode": "cross"}, "51010"),
        ({"side": "both"}, "51000"),
        ({"ordType": "gtc"}, "51000"),
        ({"sz": "x"}, "51000"),
        ({"px": "50000.01"}, "51000"),
        ({"sz": "0.0000001"}, "51121"),
        ({"sz": "0.000001"}, "51020"),
        ({"sz": "10"}, "51008"),
        ({"clOrdId": "a-b"}, "51000"),
        ({"clOrdId": "a" * 33}, "51000"),
        ({"tag": "t" * 17}, "51000"),
        ({"side": "sell", "ordType": "market", "tgtCcy": "quote_ccy"}, "51000"),
    ],
)
async def test_order_against_the_rules_is_refused_and_nothing_changes(autojump_clock: MockClock, fields, code) -> None:
    async with okx_world() as world:
        assert (await world.place(**fields))["sCode"] == code
        assert world.control.orders() == ()


async def test_client_id_is_taken_only_while_its_order_is_open(autojump_clock: MockClock) -> None:
    async with okx_world() as world:
        assert (await world.place(clOrdId="same"))["sCode"] == "0"
        assert (await world.place(clOrdId="same"))["sCode"] == "51016"
        await world.post("/trade/cancel-order", {"instId": "BTC-USDT", "clOrdId": "same"})
        assert (await world.place(clOrdId="same"))["sCode"] == "0"


async def test_cancellation_that_is_carried_out_late_is_accepted_at_once_and_the_order_may_still_trade(autojump_clock: MockClock) -> None:
    async with okx_world() as world:
        world.control.carry_out_late(Operation.CANCEL, 2.0, 2)
        for name, filled in (("traded", Decimal("0.0004")), ("whole", None)):
            placed = await world.place(clOrdId=name, sz="0.001")
            answer = await world.post("/trade/cancel-order", {"instId": "BTC-USDT", "clOrdId": name})
            assert answer["data"][0]["sCode"] == "0"
            await trio.sleep(1)
            world.control.fill_order(int(placed["ordId"]), filled)
            await trio.sleep(2)
        first, second = world.control.orders()
        assert (first.finish, first.filled_quantity) == (FinishReason.CANCELLED, Decimal("0.0004"))
        assert second.finish is FinishReason.FILLED


async def test_market_orders_state_their_size_in_either_unit(autojump_clock: MockClock) -> None:
    async with okx_world() as world:
        for fields in (
            {"sz": "100"},  # by default what to spend
            {"sz": "0.001", "tgtCcy": "base_ccy"},
            {"sz": "0.001", "side": "sell"},
        ):
            placed = await world.place(ordType="market", px=None, **fields)
            (order,) = (await world.get(f"/trade/order?instId=BTC-USDT&ordId={placed['ordId']}"))["data"]
            assert order["state"] == "filled"
            filled = Decimal(order["accFillSz"])
            assert (Decimal("0.0016") < filled < Decimal("0.0017")) if fields["sz"] == "100" else filled == Decimal("0.001")
            assert Decimal(order["fee"]) < 0


@pytest.mark.parametrize(
    ("kind", "price", "source", "finish"),
    [("post_only", "70000", "31", FinishReason.POST_ONLY), ("fok", "50000", "13", FinishReason.FILL_OR_KILL)],
)
async def test_order_that_must_not_take_or_must_fill_whole_is_accepted_and_then_ended(
    autojump_clock: MockClock, kind, price, source, finish
) -> None:
    async with okx_world() as world:
        before = world.control.balances()
        placed = await world.place(ordType=kind, px=price)
        assert placed["sCode"] == "0"
        (order,) = (await world.get(f"/trade/order?instId=BTC-USDT&ordId={placed['ordId']}"))["data"]
        assert (order["state"], order["cancelSource"], order["accFillSz"]) == ("canceled", source, "0")
        assert [one.finish for one in world.control.orders()] == [finish]
        assert world.control.balances() == before


async def test_order_past_its_expiry_is_refused_before_anything_else(autojump_clock: MockClock) -> None:
    async with okx_world() as world:
        now = world.wall.milliseconds()
        assert (await world.place(headers={"expTime": str(now - 1)}))["code"] == "50036"
        assert (await world.place(headers={"expTime": str(now + 1_000)}))["sCode"] == "0"
        world.control.delay_requests(Operation.PLACE, 3.0, 1)
        assert (await world.place(headers={"expTime": str(world.wall.milliseconds() + 1_000)}))["code"] == "50036"
        assert len(world.control.open_orders()) == 1


async def test_batches_tell_of_each_order_and_their_code_tells_of_all(autojump_clock: MockClock) -> None:
    async with okx_world() as world:
        good = {"instId": "BTC-USDT", "tdMode": "cash", "side": "buy", "ordType": "limit", "sz": "0.001", "px": "50000"}
        bad = {**good, "sz": "10", "clOrdId": "bad"}
        for batch, code in (([good, good], "0"), ([good, bad], "2"), ([bad, bad], "1")):
            answer = await world.post("/trade/batch-orders", batch)
            assert (answer["code"], [one["sCode"] == "0" for one in answer["data"]]) == (code, [one is good for one in batch])
        ids = [{"instId": "BTC-USDT", "ordId": str(order.id)} for order in world.control.open_orders()]
        answer = await world.post("/trade/cancel-batch-orders", [*ids, {"instId": "BTC-USDT", "ordId": "5"}])
        assert (answer["code"], [one["sCode"] for one in answer["data"]]) == ("2", ["0", "0", "0", "51400"])
        assert (await world.post("/trade/batch-orders", [good] * 21))["code"] == "50016"


async def test_amendment_changes_price_and_total_and_is_refused_when_the_order_is_gone(autojump_clock: MockClock) -> None:
    async with okx_world() as world:
        placed = await world.place()
        about = {"instId": "BTC-USDT", "ordId": placed["ordId"]}
        answer = await world.post("/trade/amend-order", {**about, "newSz": "0.002", "newPx": "49000", "reqId": "r1"})
        assert answer["data"][0]["reqId"] == "r1"
        (order,) = world.control.open_orders()
        assert (order.quantity, order.price) == (Decimal("0.002"), Decimal(49000))
        await world.post("/trade/cancel-order", about)
        assert (await world.post("/trade/amend-order", {**about, "newSz": "0.001"}))["data"][0]["sCode"] == "51503"


async def test_fills_and_orders_are_paged_by_their_ids(autojump_clock: MockClock) -> None:
    async with okx_world() as world:
        for _ in range(3):
            await world.place(ordType="market", px=None, sz="20")
        fills = (await world.get("/trade/fills?instType=SPOT&limit=2"))["data"]
        rest = (await world.get(f"/trade/fills?instType=SPOT&after={fills[-1]['billId']}"))["data"]
        assert len({fill["tradeId"] for fill in (*fills, *rest)}) == len(fills) + len(rest) == len(world.control.trades())
        assert [int(fill["billId"]) for fill in (*fills, *rest)] == sorted((int(fill["billId"]) for fill in (*fills, *rest)), reverse=True)
        orders = (await world.get("/trade/orders-history?instType=SPOT&limit=2"))["data"]
        (oldest,) = (await world.get(f"/trade/orders-history?instType=SPOT&after={orders[-1]['ordId']}"))["data"]
        assert int(oldest["ordId"]) < int(orders[-1]["ordId"])


async def test_limits_are_per_user_and_instrument_and_batches_count_their_orders(autojump_clock: MockClock) -> None:
    async with okx_world() as world:
        codes = [(await world.answer("GET", "/account/config")) for _ in range(6)]
        assert [answer.status_code for answer in codes] == [200] * 5 + [429]
        assert codes[-1].json()["code"] == "50011"
        good = {"instId": "BTC-USDT", "tdMode": "cash", "side": "buy", "ordType": "limit", "sz": "0.00001", "px": "50000"}
        answers = [(await world.post("/trade/batch-orders", [good] * 20))["code"] for _ in range(16)]
        assert answers == ["0"] * 15 + ["50011"]
        assert (await world.place())["sCode"] == "0", "single orders have a limit of their own"


async def test_dead_mans_switch_cancels_what_bears_its_tag(autojump_clock: MockClock) -> None:
    async with okx_world() as world:
        await world.place(clOrdId="ours", tag="mm")
        await world.place(clOrdId="theirs")
        for seconds in ("9", "121", "x"):
            assert (await world.post("/trade/cancel-all-after", {"timeOut": seconds, "tag": "mm"}))["code"] in ("51000", "50011")
            autojump_clock.jump(2)
        armed = await world.post("/trade/cancel-all-after", {"timeOut": "10", "tag": "mm"})
        assert int(armed["data"][0]["triggerTime"]) - int(armed["data"][0]["ts"]) == 10
        autojump_clock.jump(9)
        assert len((await world.get("/trade/orders-pending"))["data"]) == 2
        autojump_clock.jump(2)
        assert [one["clOrdId"] for one in (await world.get("/trade/orders-pending"))["data"]] == ["theirs"]


async def test_public_side_tells_of_instruments_and_the_book_without_a_key(autojump_clock: MockClock) -> None:
    async with okx_world() as world:
        (listed,) = (await world.public("/public/instruments", instType="SPOT"))["data"]
        assert (listed["instId"], listed["tickSz"], listed["lotSz"], listed["minSz"]) == ("BTC-USDT", "0.1", "0.000001", "0.00001")
        (book,) = (await world.public("/market/books", instId="BTC-USDT", sz="5"))["data"]
        assert (len(book["bids"]), len(book["asks"]), book["seqId"]) == (5, 5, world.control.engine.books[BTC].update_id)
        assert (await world.public("/market/books", instId="NO-SUCH"))["code"] == "51001"
        assert (await world.public("/market/books", instId="BTC-USDT", sz="401"))["code"] == "51000"
        assert int((await world.public("/public/time"))["data"][0]["ts"]) == pytest.approx(world.wall.milliseconds(), abs=5)


async def test_bad_days_are_answered_in_the_exchanges_own_words(autojump_clock: MockClock) -> None:
    async with okx_world() as world:
        world.control.start_maintenance()
        answer = await world.answer("GET", "/account/balance")
        assert (answer.status_code, answer.json()["code"]) == (503, "50001")
        world.control.end_maintenance()
        world.control.fail_after_accepting(Operation.PLACE)
        order = {"instId": "BTC-USDT", "tdMode": "cash", "side": "buy", "ordType": "limit", "sz": "0.001", "px": "50000"}
        failed = await world.answer("POST", "/trade/order", order)
        assert (failed.status_code, failed.json()["code"]) == (502, "50026")
        assert len(world.control.open_orders()) == 1
        world.control.garble_answers(Operation.QUERY)
        assert b"<html>" in (await world.answer("GET", "/account/balance")).content
