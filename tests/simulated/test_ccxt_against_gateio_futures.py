"""The simulated Gate.io futures exchange, checked by a client that no one here wrote: ccxt, sync and pro."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Generator
from typing import Any

import ccxt
import ccxt.pro
import pytest
from ccxt_client import connected
from serving_process import serving, state

PAIR = "BTC/USDT:USDT"
CONTRACT_SIZE = 0.0001
FILL_DEADLINE_SECONDS = 15


@pytest.fixture(scope="module")
def facts() -> Generator[dict[str, Any]]:
    with serving("--exchange", "gateio_futures", "--seed", "7") as announced:
        yield announced


@pytest.fixture(scope="module")
def client(facts: dict[str, Any]) -> Any:
    client = connected(facts)
    client.load_markets()
    return client


@pytest.fixture(autouse=True)
def nothing_left_over(client: Any) -> Generator[None]:
    """No order and no position is handed on from one test to the next."""
    yield
    client.cancel_all_orders(PAIR)
    if client.fetch_positions([PAIR], {"holding": "true"}):
        client.create_order(PAIR, "market", "buy", 0, params={"close": True})


def far_below(client: Any) -> float:
    return round(client.fetch_order_book(PAIR)["bids"][0][0] * 0.9, 1)


def test_ccxt_loads_contracts_with_sizes_ticks_and_leverage(client: Any) -> None:
    market = client.market(PAIR)
    assert set(client.markets) == {"BTC/USDT:USDT", "ETH/USDT:USDT"}
    assert (market["contractSize"], market["linear"], market["settle"], market["active"]) == (CONTRACT_SIZE, True, "USDT", True)
    assert market["precision"] == {"amount": 1.0, "price": 0.1}
    assert market["limits"]["leverage"] == {"min": 1.0, "max": 100.0}
    eth = client.market("ETH/USDT:USDT")
    assert (eth["contractSize"], eth["precision"]["price"]) == (0.01, 0.01)


def test_ccxt_reads_book_trades_ticker_candles_funding_time_and_fees(client: Any) -> None:
    book = client.fetch_order_book(PAIR, 20)
    assert book["bids"][0][0] < book["asks"][0][0]
    assert book["nonce"] > 0
    ticker = client.fetch_ticker(PAIR)
    assert ticker["bid"] < ticker["ask"]
    assert ticker["markPrice"] == pytest.approx(ticker["bid"], rel=0.01)
    assert abs(client.fetch_time() - time.time() * 1000) < 5_000
    client.create_order(PAIR, "market", "buy", 3)
    assert client.fetch_trades(PAIR, limit=10)[-1]["price"] > 0
    assert client.fetch_ohlcv(PAIR, "1m")[-1][4] > 0
    funding = client.fetch_funding_rate(PAIR)
    assert (funding["fundingRate"], funding["interval"]) == (0.0001, "8h")
    assert 0 < funding["fundingTimestamp"] - time.time() * 1000 <= 8 * 3_600_000
    history = client.fetch_funding_rate_history(PAIR, limit=3)
    assert {rate["fundingRate"] for rate in history} == {0.0001}
    assert client.private_futures_get_settle_fee({"settle": "usdt"})["BTC_USDT"]["taker_fee"] == "0.002"


def test_ccxt_follows_a_position_from_market_order_to_fills_to_wallet(client: Any) -> None:
    before = client.fetch_balance()["USDT"]["total"]
    order = client.create_order(PAIR, "market", "sell", 50)
    assert (order["status"], order["filled"], order["side"], order["type"]) == ("closed", 50, "sell", "market")
    position = client.fetch_position(PAIR)
    assert (position["side"], position["contracts"], position["entryPrice"]) == ("short", 50, order["average"])
    assert (position["marginMode"], position["contractSize"]) == ("cross", CONTRACT_SIZE)
    assert [held["contracts"] for held in client.fetch_positions([PAIR])] == [50]
    closing = client.create_order(PAIR, "market", "buy", 50, params={"reduceOnly": True})
    assert closing["reduceOnly"]
    assert client.fetch_position(PAIR)["contracts"] == 0

    fills = [fill for fill in client.fetch_my_trades(PAIR) if fill["order"] in (order["id"], closing["id"])]
    assert {(fill["side"], fill["takerOrMaker"]) for fill in fills} == {("sell", "taker"), ("buy", "taker")}
    assert sum(fill["amount"] for fill in fills) == 100
    gained = 50 * CONTRACT_SIZE * (order["average"] - closing["average"]) - sum(fill["fee"]["cost"] for fill in fills)
    assert client.fetch_balance()["USDT"]["total"] - before == pytest.approx(gained, abs=1e-6)


def test_ccxt_places_queries_amends_and_cancels_a_limit_order(client: Any, facts: dict[str, Any]) -> None:
    price = far_below(client)
    order = client.create_order(PAIR, "limit", "buy", 10, price, {"clientOrderId": "ccxt-1"})
    assert client.fetch_order(order["id"], PAIR)["clientOrderId"] == "t-ccxt-1"
    assert [found["id"] for found in client.fetch_open_orders(PAIR)] == [order["id"]]
    balance = client.fetch_balance()["USDT"]
    assert balance["used"] == pytest.approx(10 * CONTRACT_SIZE * price * (1 / 10 + 0.002), rel=0.01)
    amended = client.edit_order(order["id"], PAIR, "limit", "buy", 20, price - 1)
    assert (amended["amount"], amended["price"]) == (20, round(price - 1, 1))
    assert client.cancel_order(order["id"], PAIR)["status"] == "canceled"
    assert state(facts)["accounts"]["main"]["open_orders"] == []
    assert order["id"] in [found["id"] for found in client.fetch_closed_orders(PAIR)]


def test_ccxt_places_a_batch_of_post_only_orders_and_cancels_by_ids_and_all(client: Any) -> None:
    price = far_below(client)
    batch = [
        {"symbol": PAIR, "type": "limit", "side": "buy", "amount": 1, "price": price - n, "params": {"postOnly": True}} for n in range(3)
    ]
    placed = [order["id"] for order in client.create_orders(batch)]
    assert [order["id"] for order in client.cancel_orders(placed[:1])] == placed[:1]
    assert {order["id"] for order in client.cancel_all_orders(PAIR)} == set(placed[1:])
    assert client.fetch_open_orders(PAIR) == []


def test_ccxt_sets_leverage_of_isolated_and_of_cross_margin(client: Any) -> None:
    client.set_leverage(25, PAIR)
    position = client.fetch_position(PAIR)
    assert (position["leverage"], position["marginMode"]) == (25, "isolated")
    answer = client.set_leverage(7, PAIR, {"marginMode": "cross"})
    assert (answer["leverage"], answer["cross_leverage_limit"]) == ("0", "7")
    assert client.fetch_position(PAIR)["marginMode"] == "cross"


def test_sell_at_the_top_of_the_book_is_filled_within_seconds(client: Any) -> None:
    ask = client.fetch_order_book(PAIR)["asks"][0][0]
    order = client.create_order(PAIR, "limit", "sell", 5, round(ask - 0.1, 1))
    deadline = time.monotonic() + FILL_DEADLINE_SECONDS
    while client.fetch_order(order["id"], PAIR)["status"] == "open":  # ccxt's own rate limiter paces this
        assert time.monotonic() < deadline
        ask = client.fetch_order_book(PAIR)["asks"][0][0]
        if ask < order["price"]:
            with contextlib.suppress(ccxt.ExchangeError):  # filled in the meantime, or at this price already
                order = client.edit_order(order["id"], PAIR, "limit", "sell", 5, ask)


def test_ccxt_raises_its_own_error_for_every_refusal(client: Any, facts: dict[str, Any]) -> None:
    book = client.fetch_order_book(PAIR)
    bid, ask = book["bids"][0][0], book["asks"][0][0]
    with pytest.raises(ccxt.InsufficientFunds):
        client.create_order(PAIR, "limit", "buy", 900_000, bid)
    with pytest.raises(ccxt.OrderImmediatelyFillable):
        client.create_order(PAIR, "limit", "buy", 1, ask + 10, {"postOnly": True})
    with pytest.raises(ccxt.InvalidOrder):
        client.create_order(PAIR, "market", "buy", 1, params={"reduceOnly": True})
    with pytest.raises(ccxt.InvalidOrder):
        client.create_order(PAIR, "limit", "buy", 1, bid * 0.4)
    with pytest.raises(ccxt.OrderNotFound):
        client.fetch_order("123", PAIR)
    with pytest.raises(ccxt.OrderNotFound):
        client.cancel_order("t-nobody", PAIR)
    with pytest.raises(ccxt.BadSymbol):
        client.private_futures_get_settle_positions_contract({"settle": "usdt", "contract": "NO_SUCH"})
    for wrong in ({"apiKey": "nobody"}, {"secret": "wrong"}):
        with pytest.raises(ccxt.AuthenticationError):
            connected(facts, markets=client.markets, **wrong).private_futures_get_settle_accounts({"settle": "usdt"})


def test_ccxt_pro_watches_public_and_private_streams_and_orders_over_the_websocket(facts: dict[str, Any]) -> None:
    asyncio.run(asyncio.wait_for(watch_everything(facts), timeout=30))
    assert state(facts)["accounts"]["main"]["open_orders"] == []


async def watch_everything(facts: dict[str, Any]) -> None:
    client = connected(facts, ccxt.pro)
    try:
        await client.load_markets()
        for _ in range(3):  # the snapshot, then changes
            book = await client.watch_order_book(PAIR)
            assert book["bids"][0][0] < book["asks"][0][0]
        ticker = await client.watch_ticker(PAIR)
        assert ticker["last"] > 0
        assert ticker["markPrice"] > 0
        assert (await client.watch_bids_asks([PAIR]))[PAIR]["bid"] > 0

        bought = [(await client.create_order(PAIR, "market", "buy", 2))["id"]]
        assert [held["contracts"] for held in await client.watch_positions([PAIR])] == [2]  # the snapshot
        watched = (client.watch_balance(), client.watch_orders(PAIR), client.watch_my_trades(PAIR), client.watch_positions([PAIR]))
        streams = [asyncio.ensure_future(watch) for watch in watched]
        public = asyncio.ensure_future(client.watch_trades(PAIR))
        bought += await buy_until_seen(client, streams)
        balance, orders, fills, positions = [await stream for stream in streams]
        assert balance["USDT"]["total"] > 0
        assert orders[-1]["id"] in bought
        assert fills[-1]["order"] in bought
        assert positions[-1]["side"] == "long"
        assert (await public)[-1]["amount"] > 0

        price = round(book["bids"][0][0] * 0.9, 1)
        placed = await client.create_order_ws(PAIR, "limit", "buy", 1, price)
        assert placed["status"] == "open"
        assert (await client.edit_order_ws(placed["id"], PAIR, "limit", "buy", 2, price))["amount"] == 2
        assert [order["id"] for order in await client.fetch_open_orders_ws(PAIR)] == [placed["id"]]
        assert (await client.fetch_order_ws(placed["id"], PAIR))["status"] == "open"
        assert (await client.cancel_order_ws(placed["id"], PAIR))["status"] == "canceled"
        batch = [{"symbol": PAIR, "type": "limit", "side": "buy", "amount": 1, "price": price - n} for n in range(2)]
        assert [order["status"] for order in await client.create_orders_ws(batch)] == ["open", "open"]
        assert len(await client.cancel_all_orders_ws(PAIR)) == 2
    finally:
        await client.close()


async def buy_until_seen(client: Any, streams: list[asyncio.Future[Any]]) -> list[str]:
    """Buy until every private stream has told of it: ccxt does not say when a subscription has been accepted."""
    bought: list[str] = []
    while not all(stream.done() for stream in streams):
        bought.append((await client.create_order(PAIR, "market", "buy", 1))["id"])
        await asyncio.wait(streams, timeout=1)
    return bought
