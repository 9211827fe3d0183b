"""The simulated OKX swap exchange over REST: contracts, positions, margin and funding. What it shares with spot is tested there."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
import trio
from okx_world import BTC, MAIN, READER, SETTINGS, SWAP_ORDER, OkxWorld, swap_world
from trio.testing import MockClock

from simulated.engine.order import FinishReason
from simulated.settings import ContractSettings, MarketSettings

SWAP = "BTC-USDT-SWAP"
CONTRACT = Decimal("0.01")
MARKET = {"ordType": "market", "px": None}


async def order_of(world: OkxWorld, placed: dict[str, Any]) -> dict[str, Any]:
    (order,) = (await world.get(f"/trade/order?instId={SWAP}&ordId={placed['ordId']}"))["data"]
    return order


async def position(world: OkxWorld) -> dict[str, Any]:
    (one,) = (await world.get("/account/positions?instType=SWAP"))["data"]
    return one


async def money(world: OkxWorld) -> dict[str, Decimal]:
    (account,) = (await world.get("/account/balance"))["data"]
    (detail,) = account["details"]
    return {name: Decimal(value or 0) for name, value in detail.items() if name not in ("ccy", "uTime")}


# -- the market ---------------------------------------------------------------------------------------------------------


async def test_instruments_state_their_contracts_to_everybody_and_to_accounts(autojump_clock: MockClock) -> None:
    async with swap_world() as world:
        (listed,) = (await world.public("/public/instruments", instType="SWAP"))["data"]
        facts = ("instId", "ctVal", "ctMult", "ctValCcy", "ctType", "settleCcy", "tickSz", "lotSz", "minSz", "lever", "state", "instFamily")
        told = [listed[name] for name in facts]
        assert told == [SWAP, "0.01", "1", "BTC", "linear", "USDT", "0.1", "0.01", "0.01", "100", "live", "BTC-USDT"]
        assert isinstance(listed["instIdCode"], int)
        assert (await world.get("/account/instruments?instType=SWAP"))["data"] == [listed]
        for other in ({"instType": "SPOT"}, {"instType": "SWAP", "instFamily": "ETH-USDT"}):
            assert (await world.public("/public/instruments", **other))["data"] == []


async def test_sizes_of_book_trades_and_ticker_are_contracts(autojump_clock: MockClock) -> None:
    async with swap_world() as world:
        await world.place(sz="2", **MARKET)
        (book,) = (await world.public("/market/books", instId=SWAP, sz="5"))["data"]
        bids = world.control.engine.books[BTC].bids.levels(5)
        assert [Decimal(size) * CONTRACT for _, size, *_ in book["bids"]] == [quantity for _, quantity in bids]
        (trade,) = (await world.public("/market/trades", instId=SWAP))["data"]
        assert (trade["sz"], world.control.trades()[0].quantity) == ("2", Decimal("0.02"))
        (ticker,) = (await world.public("/market/tickers", instType="SWAP"))["data"]
        assert (ticker["vol24h"], ticker["volCcy24h"], ticker["lastSz"]) == ("2", "0.02", "2")
        (candle,) = (await world.public("/market/candles", instId=SWAP))["data"]
        assert candle[5:8] == ["2", "0.02", str((Decimal(trade["px"]) * 2 * CONTRACT).normalize())]


async def test_mark_price_is_public(autojump_clock: MockClock) -> None:
    async with swap_world() as world:
        (marked,) = (await world.public("/public/mark-price", instType="SWAP", instId=SWAP))["data"]
        assert (marked["instId"], Decimal(marked["markPx"])) == (SWAP, world.control.engine.mark_price(BTC))
        assert (await world.public("/public/mark-price", instType="SWAP", instFamily="ETH-USDT"))["data"] == []
        assert (await world.public("/public/mark-price"))["code"] == "51000"


async def test_funding_rates_are_public_and_those_settled_are_remembered(autojump_clock: MockClock) -> None:
    minutely = ContractSettings(contract_size=CONTRACT, lot=CONTRACT, funding_interval_seconds=60)
    async with swap_world(msgspec.structs.replace(SETTINGS, markets=(MarketSettings(contract=minutely),))) as world:
        (rate,) = (await world.public("/public/funding-rate", instId=SWAP))["data"]
        assert (rate["fundingRate"], rate["method"], rate["settFundingRate"]) == ("0.0001", "current_period", "")
        due = int(rate["fundingTime"])
        assert world.wall.milliseconds() < due == int(rate["nextFundingTime"]) - 60_000
        assert (await world.public("/public/funding-rate-history", instId=SWAP))["data"] == []
        world.control.engine.set_funding_rate(BTC, Decimal("-0.0002"))
        await world.public("/public/funding-rate", instId=SWAP)
        await trio.sleep(120)
        (rate,) = (await world.public("/public/funding-rate", instId="ANY"))["data"]
        assert (rate["settFundingRate"], int(rate["fundingTime"])) == ("-0.0002", due + 120_000)
        past = (await world.public("/public/funding-rate-history", instId=SWAP))["data"]
        assert [(one["realizedRate"], int(one["fundingTime"])) for one in past] == [("-0.0002", due + 60_000), ("-0.0002", due)]
        (oldest,) = (await world.public("/public/funding-rate-history", instId=SWAP, after=str(due + 60_000)))["data"]
        assert oldest == past[-1]


# -- orders -------------------------------------------------------------------------------------------------------------


async def test_order_is_for_contracts_and_tells_of_its_margin(autojump_clock: MockClock) -> None:
    async with swap_world() as world:
        placed = await world.place(clOrdId="abc", tag="mm")
        assert (placed["sCode"], placed["clOrdId"], placed["tag"]) == ("0", "abc", "mm")
        order = await order_of(world, placed)
        facts = ("instType", "instId", "sz", "state", "tdMode", "posSide", "lever", "reduceOnly", "pnl", "feeCcy", "category")
        told = [order[name] for name in facts]
        assert told == ["SWAP", SWAP, "1", "live", "cross", "net", "10", "false", "0", "USDT", "normal"]
        assert [one.quantity for one in world.control.open_orders()] == [CONTRACT]
        assert [one["clOrdId"] for one in (await world.get("/trade/orders-pending?instType=SWAP"))["data"]] == ["abc"]
        assert (await world.get("/trade/orders-pending?instType=SPOT"))["data"] == []
        held = await money(world)
        assert (held["cashBal"], held["eq"]) == (10_000, 10_000)
        assert held["ordFrozen"] >= 500 / Decimal(10), "a tenth of 500, and what the fee may be"
        assert held["frozenBal"] == held["eq"] - held["availEq"] == held["ordFrozen"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"instId": "BTC-USDT"}, "51001"),
        ({"tdMode": "cash"}, "51000"),
        ({"tdMode": None}, "51000"),
        ({"posSide": "long"}, "51000"),
        ({"ordType": "gtc"}, "51000"),
        ({"sz": "0.005"}, "51121"),
        ({"sz": "0"}, "51000"),
        ({"sz": None}, "50014"),
        ({"px": "50000.01"}, "51000"),
        ({"px": None}, "50014"),
        ({"sz": "1000"}, "51008"),
        ({"reduceOnly": True}, "51169"),
        ({"reduceOnly": "yes"}, "51000"),
    ],
)
async def test_order_against_the_rules_is_refused_and_nothing_changes(autojump_clock: MockClock, fields, code) -> None:
    async with swap_world() as world:
        assert (await world.place(**fields))["sCode"] == code
        assert world.control.orders() == ()
        assert (await money(world))["availEq"] == 10_000


@pytest.mark.parametrize("kind", ["market", "optimal_limit_ioc"])
async def test_market_orders_are_for_contracts_on_both_sides(autojump_clock: MockClock, kind) -> None:
    async with swap_world() as world:
        for side, quantity in (("buy", Decimal("0.02")), ("sell", Decimal("0.01"))):
            order = await order_of(world, await world.place(side=side, ordType=kind, px=None, sz=str(quantity / CONTRACT)))
            assert (order["state"], order["ordType"], Decimal(order["accFillSz"])) == ("filled", kind, quantity / CONTRACT)
        assert world.control.positions()[BTC].quantity == Decimal("0.01")


async def test_batches_tell_of_each_order_and_their_code_tells_of_all(autojump_clock: MockClock) -> None:
    async with swap_world() as world:
        bad = {**SWAP_ORDER, "sz": "1000"}
        for batch, code in (([SWAP_ORDER] * 2, "0"), ([SWAP_ORDER, bad], "2"), ([bad] * 2, "1")):
            answer = await world.post("/trade/batch-orders", batch)
            assert (answer["code"], [one["sCode"] for one in answer["data"]]) == (code, ["51008" if one is bad else "0" for one in batch])
        ids = [{"instId": SWAP, "ordId": str(order.id)} for order in world.control.open_orders()]
        changes = [{**ids[0], "newSz": "2"}, {**ids[1], "newPx": "x"}]
        assert [one["sCode"] for one in (await world.post("/trade/amend-batch-orders", changes))["data"]] == ["0", "51000"]
        assert [order.quantity for order in world.control.open_orders()] == [Decimal("0.02"), CONTRACT, CONTRACT]
        answer = await world.post("/trade/cancel-batch-orders", [*ids, {"instId": SWAP, "ordId": "5"}])
        assert (answer["code"], [one["sCode"] for one in answer["data"]]) == ("2", ["0", "0", "0", "51400"])


@pytest.mark.parametrize("size", ["0.4", "0.3"])
async def test_order_amended_to_what_is_filled_already_is_filled(autojump_clock: MockClock, size) -> None:
    async with swap_world() as world:
        placed = await world.place(side="sell", px="60500")
        world.control.fill_order(int(placed["ordId"]), Decimal("0.004"))
        about = {"instId": SWAP, "ordId": placed["ordId"]}
        assert (await world.post("/trade/amend-order", {**about, "newSz": size}))["data"][0]["sCode"] == "0"
        order = await order_of(world, placed)
        assert (order["state"], order["accFillSz"], order["sz"], order["cancelSource"]) == ("filled", "0.4", "0.4", "")
        assert (await world.post("/trade/amend-order", {**about, "newSz": "2"}))["data"][0]["sCode"] == "51503"


@pytest.mark.parametrize(("must_cancel", "left"), [(False, ["live"]), (True, [])])
async def test_order_whose_amendment_fails_is_cancelled_if_that_was_asked_for(autojump_clock: MockClock, must_cancel, left) -> None:
    async with swap_world() as world:
        placed = await world.place()
        change = {"instId": SWAP, "ordId": placed["ordId"], "newSz": "1000", "cxlOnFail": must_cancel}
        assert (await world.post("/trade/amend-order", change))["data"][0]["sCode"] == "51502"
        assert [order["state"] for order in (await world.get("/trade/orders-pending"))["data"]] == left


async def test_dead_mans_switch_cancels_what_bears_its_tag(autojump_clock: MockClock) -> None:
    async with swap_world() as world:
        await world.place(clOrdId="ours", tag="mm")
        await world.place(clOrdId="theirs")
        await world.post("/trade/cancel-all-after", {"timeOut": "10", "tag": "mm"})
        autojump_clock.jump(11)
        assert [one["clOrdId"] for one in (await world.get("/trade/orders-pending"))["data"]] == ["theirs"]


# -- positions ----------------------------------------------------------------------------------------------------------


async def test_fills_make_a_position_that_is_valued_at_the_mark_price(autojump_clock: MockClock) -> None:
    async with swap_world() as world:
        for query in ("", f"?instId={SWAP}"):
            assert (await world.get(f"/account/positions{query}"))["data"] == []
        placed = await world.place(sz="2", **MARKET)
        (trade,) = world.control.trades()
        world.control.set_mark_price(BTC, Decimal(61_000))
        one = await position(world)
        facts = ("instType", "instId", "pos", "posSide", "mgnMode", "lever", "ccy", "margin", "availPos", "tradeId", "markPx", "adl")
        told = [one[name] for name in facts]
        assert told == ["SWAP", SWAP, "2", "net", "cross", "10", "USDT", "", "", str(trade.id), "61000", "1"]
        cost = trade.price * trade.quantity
        assert Decimal(one["avgPx"]) == trade.price
        assert Decimal(one["upl"]) == 61_000 * trade.quantity - cost
        assert Decimal(one["imr"]) == cost / 10
        assert Decimal(one["mmr"]) == 61_000 * trade.quantity * Decimal("0.005")
        assert Decimal(one["notionalUsd"]) == 61_000 * trade.quantity
        assert Decimal(one["fee"]) == -cost * MAIN.taker_fee == Decimal((await order_of(world, placed))["fee"])
        assert Decimal(one["realizedPnl"]) == Decimal(one["fee"])
        held = await money(world)
        assert held["cashBal"] == 10_000 + Decimal(one["fee"])
        assert held["eq"] == held["cashBal"] + Decimal(one["upl"])
        assert held["frozenBal"] == held["eq"] - held["availEq"] == Decimal(one["imr"])
        assert (held["imr"], held["upl"], held["isoEq"]) == (Decimal(one["imr"]), Decimal(one["upl"]), 0)


async def test_position_is_reduced_closed_and_turned_with_its_profit_realised(autojump_clock: MockClock) -> None:
    async with swap_world() as world:
        await world.place(sz="2", **MARKET)
        opened = (await position(world))["avgPx"]
        placed = await world.place(side="sell", sz="1", **MARKET)
        order, left = await order_of(world, placed), await position(world)
        sold = world.control.trades()[-1].price
        assert (left["pos"], left["avgPx"]) == ("1", opened)
        assert Decimal(order["pnl"]) == Decimal(left["pnl"]) == (sold - Decimal(opened)) * CONTRACT
        (fill, *_) = (await world.get("/trade/fills?instType=SWAP"))["data"]
        assert (fill["fillPnl"], fill["fillSz"], fill["feeCcy"], fill["execType"]) == (order["pnl"], "1", "USDT", "T")
        await world.place(side="sell", sz="3", **MARKET)
        turned = await position(world)
        assert (turned["pos"], turned["pnl"], turned["posId"]) == ("-2", "0", left["posId"])
        await world.place(sz="2", **MARKET)
        assert (await world.get("/account/positions"))["data"] == []
        (ended,) = (await world.get(f"/account/positions?instId={SWAP}"))["data"]
        assert (ended["pos"], ended["avgPx"], ended["upl"]) == ("0", "", "")
        realised = sum(trade.notional * (-1 if trade.taker_side.value == "buy" else 1) for trade in world.control.trades())
        fees = sum(trade.taker.fee for trade in world.control.trades())
        assert (await money(world))["cashBal"] == 10_000 + realised - fees


async def test_reduce_only_orders_reduce_and_never_turn_a_position(autojump_clock: MockClock) -> None:
    async with swap_world() as world:
        await world.place(sz="2", **MARKET)
        assert (await world.place(reduceOnly=True))["sCode"] == "51170"
        placed = await world.place(side="sell", sz="5", reduceOnly=True, **MARKET)
        order = await order_of(world, placed)
        assert (order["state"], order["sz"], order["accFillSz"], order["reduceOnly"]) == ("filled", "2", "2", "true")
        assert world.control.positions() == {}
        assert (await world.place(side="sell", reduceOnly="true"))["sCode"] == "51169"


async def test_resting_reduce_only_order_ends_with_the_position(autojump_clock: MockClock) -> None:
    async with swap_world() as world:
        await world.place(sz="2", **MARKET)
        placed = await world.place(side="sell", sz="1", px="61000", reduceOnly=True)
        await world.place(side="sell", sz="2", **MARKET)
        order = await order_of(world, placed)
        assert (order["state"], order["cancelSource"]) == ("canceled", "2")
        assert [one.finish for one in world.control.orders() if str(one.id) == placed["ordId"]] == [FinishReason.REDUCE_ONLY]


async def test_closing_a_position_is_one_command(autojump_clock: MockClock) -> None:
    async with swap_world() as world:
        command = {"instId": SWAP, "mgnMode": "cross"}
        assert (await world.post("/trade/close-position", command))["code"] == "51023"
        await world.place(side="sell", sz="2", **MARKET)
        assert (await world.post("/trade/close-position", command | {"mgnMode": "isolated"}))["code"] == "51023"
        assert (await world.post("/trade/close-position", {"instId": SWAP}))["code"] == "50014"
        resting = await world.place(sz="1", reduceOnly=True)
        refused = await world.answer("POST", "/trade/close-position", command)
        assert (refused.status_code, refused.json()["code"]) == (429, "51115")
        answer = await world.post("/trade/close-position", command | {"autoCxl": True, "clOrdId": "bye"})
        assert answer["data"] == [{"instId": SWAP, "posSide": "", "clOrdId": "bye", "tag": ""}]
        assert (world.control.positions(), world.control.open_orders()) == ({}, ())
        assert (await order_of(world, resting))["cancelSource"] == "1", "cancelled first, so that it could not be filled"


async def test_leverage_is_kept_per_margin_mode_and_within_bounds(autojump_clock: MockClock) -> None:
    async with swap_world() as world:

        async def leverage(mode: str) -> str:
            (told,) = (await world.get(f"/account/leverage-info?instId={SWAP}&mgnMode={mode}"))["data"]
            assert (told["instId"], told["mgnMode"], told["posSide"]) == (SWAP, mode, "net")
            return told["lever"]

        command = {"instId": SWAP, "mgnMode": "cross", "lever": "20"}
        assert (await world.post("/account/set-leverage", command, account=READER))["code"] == "50120"
        answer = await world.post("/account/set-leverage", command)
        assert answer["data"] == [{"lever": "20", "mgnMode": "cross", "instId": SWAP, "posSide": ""}]
        await world.post("/account/set-leverage", command | {"mgnMode": "isolated", "lever": "5"})
        assert (await leverage("cross"), await leverage("isolated")) == ("20", "5")
        assert (await world.post("/account/set-leverage", command | {"lever": "101"}))["code"] == "59102"
        refused = await world.answer("POST", "/account/set-leverage", command | {"lever": "0.5"})
        assert (refused.status_code, refused.json()["code"]) == (400, "59105")
        assert (await world.post("/account/set-leverage", command | {"mgnMode": "both"}))["code"] == "51000"
        await world.place(sz="2", **MARKET)
        one = await position(world)
        assert (one["lever"], Decimal(one["imr"])) == ("20", Decimal(one["avgPx"]) * 2 * CONTRACT / 20)


async def test_order_goes_on_telling_of_the_margin_that_it_was_placed_with(autojump_clock: MockClock) -> None:
    async with swap_world() as world:
        placed = [await world.place(tdMode="isolated", **MARKET), await world.place(side="sell", tdMode="isolated", **MARKET)]
        await world.post("/account/set-leverage", {"instId": SWAP, "mgnMode": "isolated", "lever": "5"})
        placed.append(await world.place(tdMode="isolated", px="49000"))
        await world.post("/trade/cancel-order", {"instId": SWAP, "ordId": placed[-1]["ordId"]})
        placed.append(await world.place(tdMode="cross"))
        orders = [await order_of(world, one) for one in placed]
        assert [(one["tdMode"], one["lever"]) for one in orders] == [*[("isolated", "10")] * 2, ("isolated", "5"), ("cross", "10")]


async def test_orders_and_positions_of_one_account_are_unknown_to_another(autojump_clock: MockClock) -> None:
    async with swap_world() as world:
        placed = await world.place(sz="2", **MARKET)
        assert (await world.get(f"/trade/order?instId={SWAP}&ordId={placed['ordId']}", account=READER))["code"] == "51603"
        for path in ("/account/positions", "/account/bills", "/trade/fills"):
            assert (await world.get(path, account=READER))["data"] == []


async def test_margin_of_an_isolated_position_leaves_the_cash_balance(autojump_clock: MockClock) -> None:
    async with swap_world() as world:
        await world.place(sz="2", tdMode="isolated", **MARKET)
        world.control.set_mark_price(BTC, Decimal(61_000))
        one, held = await position(world), await money(world)
        assert (one["mgnMode"], one["imr"]) == ("isolated", "")
        margin, upl = Decimal(one["margin"]), Decimal(one["upl"])
        assert margin == Decimal(one["avgPx"]) * 2 * CONTRACT / 10
        assert held["cashBal"] == 10_000 + Decimal(one["fee"]) - margin
        assert (held["isoEq"], held["isoUpl"], held["upl"]) == (margin + upl, upl, upl)
        assert held["eq"] == held["cashBal"] + held["isoEq"]
        assert held["availEq"] == held["cashBal"], "the profit of an isolated position backs nothing else"
        assert (await world.place(tdMode="cross"))["sCode"] == "51010", "a limit of this simulation"


async def test_position_mode_is_told_and_changed_only_while_there_is_nothing(autojump_clock: MockClock) -> None:
    async with swap_world() as world:

        async def mode() -> str:
            (config,) = (await world.get("/account/config"))["data"]
            assert (config["acctLv"], config["perm"]) == ("2", "read_only,trade")
            return config["posMode"]

        placed = await world.place()
        hedge = {"posMode": "long_short_mode"}
        assert (await world.post("/account/set-position-mode", hedge))["code"] == "59000"
        await world.post("/trade/cancel-order", {"instId": SWAP, "ordId": placed["ordId"]})
        assert await mode() == "net_mode"
        assert (await world.post("/account/set-position-mode", hedge))["data"] == [hedge]
        assert await mode() == "long_short_mode"
        assert (await world.place())["sCode"] == "51000"
        assert (await world.place(posSide="long"))["sCode"] == "51010", "a limit of this simulation"
        assert (await world.post("/account/set-position-mode", {"posMode": "both"}))["code"] == "51000"
        assert (await world.post("/account/set-position-mode", {"posMode": "net_mode"}))["code"] == "0"
        assert (await world.place(posSide="net"))["sCode"] == "0"


# -- money --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "subtype"), [("buy", "173"), ("sell", "174")])
async def test_funding_is_paid_and_billed(autojump_clock: MockClock, side, subtype) -> None:
    async with swap_world() as world:
        await world.place(side=side, sz="2", **MARKET)
        before = (await money(world))["cashBal"]
        world.control.pay_funding(BTC, Decimal("0.001"))
        mark = world.control.engine.mark_price(BTC)
        amount = mark * 2 * CONTRACT * Decimal("0.001") * (-1 if side == "buy" else 1)
        (bill,) = (await world.get("/account/bills?instType=SWAP&type=8"))["data"]
        assert (bill["subType"], bill["instId"], bill["ccy"], bill["sz"], bill["mgnMode"]) == (subtype, SWAP, "USDT", "2", "cross")
        assert Decimal(bill["pnl"]) == Decimal(bill["balChg"]) == amount
        assert Decimal(bill["px"]) == mark
        assert (await money(world))["cashBal"] == before + amount == Decimal(bill["bal"])
        assert Decimal((await position(world))["fundingFee"]) == amount


async def test_bills_tell_of_every_change_of_the_balance(autojump_clock: MockClock) -> None:
    async with swap_world() as world:
        await world.place(sz="2", **MARKET)
        world.control.deposit("USDT", Decimal(5))
        await world.place(side="sell", sz="2", **MARKET)
        bills = (await world.get("/account/bills"))["data"]
        assert [(bill["type"], bill["subType"]) for bill in bills] == [("2", "2"), ("1", "11"), ("2", "1")]
        assert sum(Decimal(bill["balChg"]) for bill in bills) == (await money(world))["cashBal"] - 10_000
        fills = (await world.get("/trade/fills?instType=SWAP"))["data"]
        trades = [bill for bill in bills if bill["type"] == "2"]
        assert [bill["billId"] for bill in trades] == [fill["billId"] for fill in fills]
        assert [bill["tradeId"] for bill in trades] == [fill["tradeId"] for fill in fills]
        assert [bill["fee"] for bill in trades] == [fill["fee"] for fill in fills]
        assert all(Decimal(bill["fee"]) < 0 for bill in trades), "what is charged is negative"
        assert [Decimal(bill["balChg"]) for bill in trades] == [Decimal(bill["pnl"]) + Decimal(bill["fee"]) for bill in trades]
        (oldest,) = (await world.get(f"/account/bills?after={bills[1]['billId']}"))["data"]
        assert oldest == bills[-1]
        assert len((await world.get("/account/bills-archive?limit=2"))["data"]) == 2
        assert (await world.get("/account/bills?instType=SPOT"))["data"] == []


async def test_liquidation_is_an_order_of_the_exchange_with_fills_of_negative_numbers(autojump_clock: MockClock) -> None:
    async with swap_world() as world:
        await world.post("/account/set-leverage", {"instId": SWAP, "mgnMode": "isolated", "lever": "50"})
        await world.place(sz="2", tdMode="isolated", **MARKET)
        due = Decimal((await position(world))["liqPx"])
        assert 58_000 < due < 60_000
        world.control.set_mark_price(BTC, due - 10)
        assert (await world.get("/account/positions"))["data"] == []
        (order, *_) = (await world.get("/trade/orders-history?instType=SWAP"))["data"]
        assert (order["category"], order["side"], order["clOrdId"], order["accFillSz"]) == ("full_liquidation", "sell", "", "2")
        fills = (await world.get(f"/trade/fills?ordId={order['ordId']}"))["data"]
        assert fills
        assert all(fill["tradeId"].startswith("-") for fill in fills)
        bills = (await world.get("/account/bills?type=5"))["data"]
        assert {(bill["subType"], bill["ordId"]) for bill in bills} == {("107", order["ordId"])}


async def test_fees_are_told_with_the_group_of_the_contracts(autojump_clock: MockClock) -> None:
    async with swap_world() as world:
        (fee,) = (await world.get("/account/trade-fee?instType=SWAP&instFamily=BTC-USDT"))["data"]
        (listed,) = (await world.public("/public/instruments", instType="SWAP"))["data"]
        (group,) = fee["feeGroup"]
        assert (group["groupId"], group["maker"], fee["takerU"]) == (listed["groupId"], "-0.002", "-0.002")
