"""The simulated OKX swap exchange, checked by a client that no one here wrote: ccxt, sync and pro."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import ccxt
import ccxt.pro
import pytest
from ccxt_client import connected
from serving_process import serving, state

PAIR = "BTC/USDT:USDT"
SWAP = "BTC-USDT-SWAP"
CONTRACT = 0.01


@pytest.fixture(scope="module")
def facts() -> Generator[dict[str, Any]]:
    with serving("--exchange", "okx_swap", "--seed", "7") as announced:
        yield announced


@pytest.fixture(scope="module")
def client(facts: dict[str, Any]) -> Any:
    client = connected(facts)
    client.load_markets()
    return client


@pytest.fixture
def flat(client: Any) -> Generator[Any]:
    """A client whose account has no position and no order, before and after."""
    yield client
    for order in client.fetch_open_orders(PAIR):
        client.cancel_order(order["id"], PAIR)
    for position in client.fetch_positions():
        client.close_position(PAIR, params={"mgnMode": position["marginMode"]})


def far_below(client: Any) -> float:
    return round(client.fetch_order_book(PAIR)["bids"][0][0] * 0.9, 1)


def test_ccxt_loads_markets_with_contracts_ticks_and_steps(client: Any) -> None:
    market = client.market(PAIR)
    assert set(client.markets) == {"BTC/USDT:USDT", "ETH/USDT:USDT"}
    assert (market["id"], market["swap"], market["linear"], market["settle"]) == (SWAP, True, True, "USDT")
    assert (market["contractSize"], market["precision"]) == (0.01, {"amount": 0.01, "price": 0.1})
    assert (market["limits"]["amount"]["min"], market["limits"]["leverage"]["max"], market["active"]) == (0.01, 100, True)
    other = client.market("ETH/USDT:USDT")
    assert (other["contractSize"], other["precision"]) == (0.1, {"amount": 0.01, "price": 0.01})
    assert client.fetch_trading_fee(PAIR)["taker"] == 0.002


def test_ccxt_reads_book_trades_ticker_candles_and_time(flat: Any) -> None:
    book = flat.fetch_order_book(PAIR, 20)
    assert book["bids"][0][0] < book["asks"][0][0]
    assert flat.fetch_ticker(PAIR)["bid"] < flat.fetch_ticker(PAIR)["ask"]
    assert set(flat.fetch_tickers()) >= {PAIR}
    assert abs(flat.fetch_time() - time.time() * 1000) < 5_000
    flat.create_order(PAIR, "market", "sell", 0.5)
    assert flat.fetch_trades(PAIR, limit=10)[-1]["price"] > 0
    assert flat.fetch_ohlcv(PAIR, "1m")[-1][4] > 0


def test_ccxt_reads_mark_price_and_funding_rate(client: Any) -> None:
    middle = client.fetch_ticker(PAIR)["bid"]
    assert client.fetch_mark_price(PAIR)["markPrice"] == pytest.approx(middle, rel=0.001)
    funding = client.fetch_funding_rate(PAIR)
    assert (funding["fundingRate"], funding["interval"]) == (0.0001, "8h")
    assert funding["fundingTimestamp"] > client.fetch_time()
    assert client.fetch_funding_rate_history(PAIR) == []


def test_ccxt_follows_a_market_order_from_fills_to_position_to_balance(flat: Any) -> None:
    before = flat.fetch_balance()["USDT"]["total"]
    order = flat.fetch_order(flat.create_order(PAIR, "market", "buy", 2)["id"], PAIR)
    fills = flat.fetch_my_trades(PAIR, params={"ordId": order["id"]})
    assert (order["status"], order["filled"]) == ("closed", 2)
    cost = sum(fill["price"] * fill["amount"] * CONTRACT for fill in fills)
    (position,) = flat.fetch_positions()
    assert (position["side"], position["contracts"], position["contractSize"]) == ("long", 2, CONTRACT)
    assert (position["leverage"], position["marginMode"], position["hedged"]) == (10, "cross", False)
    assert position["entryPrice"] == pytest.approx(cost / 2 / CONTRACT)
    assert position["initialMargin"] == pytest.approx(cost / 10)
    assert position["liquidationPrice"] is None or position["liquidationPrice"] < position["entryPrice"]
    fees = sum(fill["fee"]["cost"] for fill in fills)
    assert fees == pytest.approx(cost * 0.002)
    assert {fill["fee"]["currency"] for fill in fills} == {"USDT"}
    after = flat.fetch_balance()["USDT"]
    assert after["total"] == pytest.approx(before - fees, abs=2), "and what the position has gained by now"
    assert after["used"] == pytest.approx(cost / 10, rel=0.01)


def test_ccxt_places_queries_amends_and_cancels_a_limit_order(flat: Any, facts: dict[str, Any]) -> None:
    price = far_below(flat)
    order = flat.create_order(PAIR, "limit", "buy", 1, price, {"clientOrderId": "ccxt1"})
    found = flat.fetch_order(order["id"], PAIR)
    assert (found["clientOrderId"], found["amount"], found["price"], found["info"]["tdMode"]) == ("ccxt1", 1, price, "cross")
    assert [one["id"] for one in flat.fetch_open_orders(PAIR)] == [order["id"]]
    flat.edit_order(order["id"], PAIR, "limit", "buy", 2, price - 10)
    found = flat.fetch_order(order["id"], PAIR)
    assert (found["amount"], found["price"]) == (2, price - 10)
    flat.cancel_order(order["id"], PAIR)
    assert flat.fetch_order(order["id"], PAIR)["status"] == "canceled"
    assert order["id"] in [one["id"] for one in flat.fetch_canceled_orders(PAIR)]
    assert state(facts)["accounts"]["main"]["open_orders"] == []


def test_ccxt_places_and_cancels_in_batches_and_learns_the_fate_of_each_order(flat: Any) -> None:
    price = far_below(flat)
    wanted = [{"symbol": PAIR, "type": "limit", "side": "buy", "amount": amount, "price": price} for amount in (1, 10_000, 2)]
    placed = flat.create_orders(wanted)
    assert [bool(order["id"]) for order in placed] == [True, False, True]
    assert placed[1]["info"]["sCode"] == "51008"
    ids = [order["id"] for order in placed if order["id"]]
    assert {order["id"] for order in flat.fetch_open_orders(PAIR)} == set(ids)
    flat.cancel_orders(ids, PAIR)
    assert flat.fetch_open_orders(PAIR) == []


def test_ccxt_arms_the_dead_mans_switch(client: Any) -> None:
    (armed,) = client.cancel_all_orders_after(10_000, {"tag": "nobody"})["data"]
    assert (int(armed["triggerTime"]) - int(armed["ts"]), armed["tag"]) == (10, "nobody")


def test_post_only_order_that_would_take_is_accepted_and_then_cancelled(flat: Any) -> None:
    ask = flat.fetch_order_book(PAIR)["asks"][0][0]
    order = flat.create_order(PAIR, "limit", "buy", 1, ask + 10, {"postOnly": True})
    found = flat.fetch_order(order["id"], PAIR)
    assert (found["status"], found["filled"], found["info"]["cancelSource"]) == ("canceled", 0, "31")


def test_ccxt_reduces_and_closes_a_position(flat: Any) -> None:
    flat.create_order(PAIR, "market", "sell", 3)
    reducing = flat.create_order(PAIR, "market", "buy", 1, None, {"reduceOnly": True})
    assert flat.fetch_order(reducing["id"], PAIR)["reduceOnly"] is True
    (position,) = flat.fetch_positions()
    assert (position["side"], position["contracts"]) == ("short", 2)
    assert flat.fetch_position(PAIR)["contracts"] == 2
    with pytest.raises(ccxt.ExchangeError, match="51170"):
        flat.create_order(PAIR, "market", "sell", 1, None, {"reduceOnly": True})
    flat.close_position(PAIR, params={"mgnMode": "cross"})
    assert flat.fetch_positions() == []
    with pytest.raises(ccxt.ExchangeError, match="51169"):
        flat.create_order(PAIR, "market", "sell", 1, None, {"reduceOnly": True})
    ledger = flat.fetch_ledger("USDT")
    assert sum(entry["amount"] for entry in ledger if entry["type"] == "trade") < 0, "fees at least"


def test_ccxt_chooses_leverage_within_bounds(flat: Any) -> None:
    assert flat.set_leverage(20, PAIR, {"mgnMode": "cross"})["data"][0]["lever"] == "20"
    told = flat.fetch_leverage(PAIR, {"mgnMode": "cross"})
    assert (told["longLeverage"], told["shortLeverage"], told["marginMode"]) == (20, 20, "cross")
    with pytest.raises(ccxt.ExchangeError, match="59102"):
        flat.set_leverage(101, PAIR, {"mgnMode": "cross"})
    flat.set_leverage(10, PAIR, {"mgnMode": "cross"})


def test_ccxt_reads_and_sets_the_position_mode(flat: Any) -> None:
    assert flat.fetch_position_mode()["hedged"] is False
    order = flat.create_order(PAIR, "limit", "buy", 1, far_below(flat))
    with pytest.raises(ccxt.ExchangeError, match="59000"):
        flat.set_position_mode(True)
    flat.cancel_order(order["id"], PAIR)
    flat.set_position_mode(True)
    assert flat.fetch_position_mode()["hedged"] is True
    flat.set_position_mode(False)


def test_ccxt_trades_in_isolated_margin(flat: Any) -> None:
    flat.create_order(PAIR, "market", "buy", 1, None, {"tdMode": "isolated"})
    (position,) = flat.fetch_positions()
    assert (position["marginMode"], position["contracts"]) == ("isolated", 1)
    assert position["collateral"] == pytest.approx(position["entryPrice"] * CONTRACT / 10 + position["unrealizedPnl"], rel=0.01)
    assert position["liquidationPrice"] < position["entryPrice"]


def test_ccxt_raises_its_own_error_for_every_refusal(client: Any, facts: dict[str, Any]) -> None:
    bid = client.fetch_order_book(PAIR)["bids"][0][0]
    order = {"instId": SWAP, "tdMode": "cross", "side": "buy", "ordType": "limit"}
    with pytest.raises(ccxt.InsufficientFunds):
        client.create_order(PAIR, "limit", "buy", 10_000, bid)
    with pytest.raises(ccxt.InvalidOrder):
        client.private_post_trade_order({**order, "px": "1", "sz": "0.001"})
    with pytest.raises(ccxt.BadRequest):
        client.private_post_trade_order({**order, "px": "5.123", "sz": "1"})
    with pytest.raises(ccxt.BadRequest):
        client.private_post_trade_order({**order, "px": "5", "sz": "1", "posSide": "long"})
    with pytest.raises(ccxt.OrderNotFound):
        client.fetch_order("123", PAIR)
    with pytest.raises(ccxt.OrderNotFound):
        client.cancel_order("123", PAIR)
    with pytest.raises(ccxt.BadSymbol):
        client.public_get_market_ticker({"instId": "BTC-USDT"})
    with pytest.raises(ccxt.ExchangeError, match="51023"):
        client.close_position(PAIR, params={"mgnMode": "cross"})
    with pytest.raises(ccxt.AuthenticationError):
        connected(facts, markets=client.markets, secret="wrong").private_get_account_positions()


def test_ccxt_pro_watches_the_market(facts: dict[str, Any]) -> None:
    asyncio.run(asyncio.wait_for(with_client(facts, watch_market), timeout=20))


def test_ccxt_pro_watches_an_account_trade(facts: dict[str, Any]) -> None:
    asyncio.run(asyncio.wait_for(with_client(facts, watch_account), timeout=30))


def test_ccxt_pro_trades_over_the_websocket(facts: dict[str, Any]) -> None:
    asyncio.run(asyncio.wait_for(with_client(facts, trade_over_the_websocket), timeout=20))
    assert state(facts)["accounts"]["main"]["open_orders"] == []


async def with_client(facts: dict[str, Any], story: Callable[[Any], Awaitable[None]]) -> None:
    client = connected(facts, ccxt.pro)
    try:
        await client.load_markets()
        await story(client)
    finally:
        await client.close()


async def watch_market(client: Any) -> None:
    for _ in range(3):  # the snapshot, then changes
        book = await client.watch_order_book(PAIR)
        assert book["bids"][0][0] < book["asks"][0][0]
    assert (await client.watch_ticker(PAIR))["bid"] > 0
    assert (await client.watch_bids_asks([PAIR]))[PAIR]["ask"] > 0
    assert (await client.watch_mark_price(PAIR))["markPrice"] > 0
    assert (await client.watch_funding_rate(PAIR))["fundingRate"] == 0.0001


async def watch_account(client: Any) -> None:
    assert (await client.watch_balance())["USDT"]["free"] > 0
    watched = (client.watch_orders(PAIR), client.watch_my_trades(PAIR), client.watch_trades(PAIR), client.watch_positions([PAIR]))
    streams = [asyncio.ensure_future(watch) for watch in watched]
    bought: list[str] = []
    while not all(stream.done() for stream in streams):  # ccxt does not say when a subscription has been accepted
        bought.append((await client.create_order(PAIR, "market", "buy", 0.1))["id"])
        await asyncio.wait(streams, timeout=1)
    orders, fills, public, positions = [await stream for stream in streams]
    assert orders[-1]["id"] in bought
    assert fills[-1]["order"] in bought
    assert fills[-1]["amount"] == 0.1
    assert public[-1]["amount"] > 0
    assert (positions[-1]["symbol"], positions[-1]["side"], positions[-1]["marginMode"]) == (PAIR, "long", "cross")
    assert (await client.watch_ohlcv(PAIR, "1m"))[-1][4] > 0
    closing = asyncio.ensure_future(until_closed(client))
    await client.close_position(PAIR, params={"mgnMode": "cross"})
    await closing


async def until_closed(client: Any) -> None:
    while True:
        if any(position["contracts"] == 0 for position in await client.watch_positions([PAIR])):
            return


async def trade_over_the_websocket(client: Any) -> None:
    price = round((await client.fetch_order_book(PAIR))["bids"][0][0] * 0.9, 1)
    placed = await client.create_order_ws(PAIR, "limit", "buy", 1, price)
    assert (await client.fetch_open_orders(PAIR))[0]["id"] == placed["id"]
    await client.edit_order_ws(placed["id"], PAIR, "limit", "buy", 2)
    assert (await client.fetch_order(placed["id"], PAIR))["amount"] == 2
    await client.cancel_order_ws(placed["id"], PAIR)
    ids = [(await client.create_order_ws(PAIR, "limit", "buy", 1, price))["id"] for _ in range(2)]
    await client.cancel_orders_ws(ids, PAIR)
    with pytest.raises(ccxt.ExchangeError, match="51008"):
        await client.create_order_ws(PAIR, "limit", "buy", 10_000, price)
