from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
import trio
from gate_futures_world import BTC, MEMBER, SETTINGS, TRADER, FuturesWorld, futures_world
from trio.testing import MockClock

SIZE = Decimal("0.0001")  # base units a contract


async def test_fills_tell_what_they_closed_and_the_account_book_what_they_brought(autojump_clock: MockClock) -> None:
    async with futures_world() as world:
        opened, turned = (await world.take("10"))[1], (await world.take("-25"))[1]
        fills = (await world.call("GET", "/my_trades", "contract=BTC_USDT"))[1]
        assert [(fill["size"], fill["close_size"], fill["role"]) for fill in fills] == [("-25", "-10", "taker"), ("10", "0", "taker")]
        by_order = (await world.call("GET", "/my_trades", f"order={opened['id']}"))[1]
        assert [fill["order_id"] for fill in by_order] == [opened["id_string"]]
        ranged = (await world.call("GET", "/my_trades_timerange", "contract=BTC_USDT&role=taker&limit=1"))[1]
        assert (ranged[0]["trade_id"], "id" in ranged[0]) == (str(fills[0]["id"]), False)

        book = (await world.call("GET", "/account_book", "contract=BTC_USDT"))[1]
        assert [entry["type"] for entry in book] == ["fee", "pnl", "fee"]
        profit = 10 * SIZE * (Decimal(turned["fill_price"]) - Decimal(opened["fill_price"]))
        fee = 25 * SIZE * Decimal(turned["fill_price"]) * Decimal("0.0005")
        assert [Decimal(entry["change"]) for entry in book[:2]] == [-fee, profit]
        assert Decimal(fills[0]["fee"]) == fee
        assert Decimal(book[0]["balance"]) == world.wallet() == Decimal((await world.call("GET", "/accounts"))[1]["total"])
        assert len((await world.call("GET", "/account_book", "type=pnl"))[1]) == 1
        assert (await world.call("GET", "/account_book", "type=odd"))[1]["label"] == "INVALID_PARAM_VALUE"
        history = (await world.call("GET", "/accounts"))[1]["history"]
        assert (Decimal(history["dnw"]), Decimal(history["pnl"])) == (10_000, profit)


async def test_funding_reaches_the_account_book_and_the_position(autojump_clock: MockClock) -> None:
    async with futures_world() as world:
        await world.take("10")
        before = world.wallet()
        world.control.pay_funding(BTC, Decimal("0.001"))
        paid = 10 * SIZE * 60_000 * Decimal("0.001")
        entry = (await world.call("GET", "/account_book", "type=fund"))[1][0]
        assert (Decimal(entry["change"]), entry["contract"], Decimal(entry["balance"])) == (-paid, "BTC_USDT", before - paid)
        position = (await world.call("GET", "/positions/BTC_USDT"))[1]
        assert Decimal(position["pnl_fund"]) == -paid
        assert Decimal(position["realised_pnl"]) == Decimal(position["pnl_fee"]) - paid


async def test_funding_is_paid_when_it_is_due(autojump_clock: MockClock) -> None:
    async with futures_world() as world:
        await world.take("10")
        due = (await world.public("/contracts/BTC_USDT"))[1]["funding_next_apply"]
        await trio.sleep(due - int(world.seconds()) + 1)
        assert [entry["type"] for entry in (await world.call("GET", "/account_book", "type=fund"))[1]] == ["fund"]
        assert (await world.public("/contracts/BTC_USDT"))[1]["funding_next_apply"] == due + 28_800
        history = (await world.public("/funding_rate", contract="BTC_USDT", limit="2"))[1]
        assert [rate["t"] for rate in history] == [due, due - 28_800]


async def test_leverage_is_set_by_the_query_for_isolated_and_for_cross_margin(autojump_clock: MockClock) -> None:
    async with futures_world() as world:
        path = "/positions/BTC_USDT/leverage"
        isolated = (await world.call("POST", path, "leverage=20"))[1]
        assert (isolated["leverage"], isolated["lever"], isolated["pos_margin_mode"]) == ("20", "20", "isolated")
        await world.take("10")
        held = (await world.call("GET", "/positions/BTC_USDT"))[1]
        assert Decimal(held["margin"]) == Decimal(held["entry_price"]) * 10 * SIZE / 20
        assert 0 < Decimal(held["liq_price"]) < Decimal(held["entry_price"])
        assert (await world.call("POST", path, "leverage=0&cross_leverage_limit=5"))[1]["label"] == "POSITION_HOLDING"
        await world.take("0", close=True)
        crossed = (await world.call("POST", path, "leverage=0&cross_leverage_limit=5"))[1]
        assert (crossed["leverage"], crossed["cross_leverage_limit"], crossed["lever"]) == ("0", "5", "5")
        assert (await world.call("POST", path, "leverage=0"))[1]["cross_leverage_limit"] == "100"
        newer = (await world.call("POST", "/positions/BTC_USDT/set_leverage", "leverage=3&margin_mode=isolated"))[1]
        assert (newer["leverage"], newer["pos_margin_mode"]) == ("3", "isolated")
        switched = (await world.call("POST", "/positions/cross_mode", body={"mode": "CROSS", "contract": "BTC_USDT"}))[1]
        assert (switched["leverage"], switched["cross_leverage_limit"]) == ("0", "3")


@pytest.mark.parametrize(
    ("query", "body", "label"),
    [
        ("leverage=101", None, "LEVERAGE_TOO_HIGH"),
        ("leverage=0.5", None, "LEVERAGE_TOO_LOW"),
        ("leverage=x", None, "INVALID_PARAM_VALUE"),
        ("", {"leverage": "10"}, "MISSING_REQUIRED_PARAM"),
    ],
)
async def test_leverage_out_of_bounds_or_told_by_the_body_is_refused(autojump_clock: MockClock, query: str, body: Any, label: str) -> None:
    async with futures_world() as world:
        assert (await world.call("POST", "/positions/BTC_USDT/leverage", query, body))[1]["label"] == label
        assert world.position().leverage == 10


async def test_positions_are_listed_with_empty_ones_only_unless_they_must_be_held(autojump_clock: MockClock) -> None:
    async with futures_world() as world:
        assert (await world.call("GET", "/positions"))[1] == []
        await world.take("3")
        await world.take("-3")
        assert [position["size"] for position in (await world.call("GET", "/positions"))[1]] == ["0"]
        assert (await world.call("GET", "/positions", "holding=true"))[1] == []
        await world.take("-2")
        assert [position["size"] for position in (await world.call("GET", "/positions", "holding=true"))[1]] == ["-2"]


async def test_position_mode_is_told_by_the_account_and_two_positions_are_not_traded(autojump_clock: MockClock) -> None:
    async with futures_world() as world:
        account = (await world.call("GET", "/accounts"))[1]
        assert (account["in_dual_mode"], account["position_mode"], account["user"], account["margin_mode"]) == (
            False,
            "single",
            10_000_001,
            0,
        )
        assert (await world.call("POST", "/set_position_mode", "position_mode=single"))[1]["label"] == "NO_CHANGE"
        await world.place()
        assert (await world.call("POST", "/set_position_mode", "position_mode=dual"))[1]["label"] == "ORDER_PENDING"
        await world.call("DELETE", "/orders")
        dual = (await world.call("POST", "/set_position_mode", "position_mode=dual"))[1]
        assert (dual["in_dual_mode"], dual["position_mode"]) == (True, "dual")
        assert (await world.place())[1]["label"] == "POSITION_DUAL_MODE"
        assert (await world.call("POST", "/positions/BTC_USDT/leverage", "leverage=2"))[1]["label"] == "POSITION_DUAL_MODE"
        assert not (await world.call("POST", "/dual_mode", "dual_mode=false"))[1]["in_dual_mode"]
        await world.take("1")
        assert (await world.call("POST", "/dual_mode", "dual_mode=true"))[1]["label"] == "POSITION_HOLDING"


async def test_account_set_up_for_two_positions_says_so_and_does_not_trade(autojump_clock: MockClock) -> None:
    hedging = msgspec.structs.replace(TRADER, position_mode="hedge")
    async with futures_world(msgspec.structs.replace(SETTINGS, accounts=(hedging,))) as world:
        assert (await world.call("GET", "/accounts"))[1]["in_dual_mode"]
        assert (await world.place())[1]["label"] == "POSITION_DUAL_MODE"


async def test_liquidated_position_is_closed_by_an_order_that_says_so(autojump_clock: MockClock) -> None:
    async with futures_world() as world:
        await world.call("POST", "/positions/BTC_USDT/leverage", "leverage=50")
        await world.take("100")
        resting = (await world.place(size="1"))[1]
        world.control.set_mark_price(BTC, Decimal(59_000))
        position = (await world.call("GET", "/positions/BTC_USDT"))[1]
        assert (position["size"], position["margin"], position["pnl_pnl"]) == ("0", "0", "0")
        assert Decimal(position["last_close_pnl"]) < 0
        finished = (await world.call("GET", "/orders", "status=finished"))[1]
        assert [(order["is_liq"], order["finish_as"], order["text"]) for order in finished[:2]] == [
            (True, "filled", "liquidation"),
            (False, "liquidated", "api"),
        ]
        assert finished[1]["id"] == resting["id"]


async def test_wallet_and_positions_add_up_however_much_is_traded(autojump_clock: MockClock) -> None:
    async with futures_world(flow=True) as world:
        for number in range(30):
            await trade_at_random(world, number)
        book = (await world.call("GET", "/account_book", "limit=1000"))[1]
        assert sum(Decimal(entry["change"]) for entry in book) == world.wallet() - 10_000
        fills = (await world.call("GET", "/my_trades", "limit=1000"))[1]
        assert sum(Decimal(fill["size"]) for fill in fills) * SIZE == world.position().quantity
        assert sum(Decimal(fill["fee"]) for fill in fills) == -sum(Decimal(entry["change"]) for entry in book if entry["type"] == "fee")


async def trade_at_random(world: FuturesWorld, number: int) -> None:
    size = (number * 7919 % 41 - 20) or 1
    await world.take(str(size))
    await trio.sleep(number % 3)


async def test_positions_and_fills_of_another_account_are_not_seen(autojump_clock: MockClock) -> None:
    async with futures_world() as world:
        await world.take("1")
        assert (await world.call("GET", "/positions", account=MEMBER))[1] == []
        assert (await world.call("GET", "/my_trades", account=MEMBER))[1] == []
        assert (await world.call("GET", "/account_book", account=MEMBER))[1] == []
