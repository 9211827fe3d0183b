"""The simulated Gate.io spot exchange, checked by a client that no one here wrote: ccxt, sync and pro."""

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

PAIR = "BTC/USDT"
FILL_DEADLINE_SECONDS = 15


@pytest.fixture(scope="module")
def facts() -> Generator[dict[str, Any]]:
    with serving("--seed", "7") as announced:
        yield announced


@pytest.fixture(scope="module")
def client(facts: dict[str, Any]) -> Any:
    client = connected(facts)
    client.load_markets()
    return client


def far_below(client: Any) -> float:
    return round(client.fetch_order_book(PAIR)["bids"][0][0] * 0.9, 1)


def test_ccxt_loads_markets_with_ticks_steps_and_minimums(client: Any) -> None:
    market = client.market(PAIR)
    assert set(client.markets) == {"BTC/USDT", "ETH/USDT"}
    assert market["precision"] == {"amount": 1e-6, "price": 0.1}
    assert (market["limits"]["cost"]["min"], market["taker"], market["active"]) == (3.0, 0.002, True)


def test_ccxt_reads_book_trades_ticker_candles_time_and_fees(client: Any) -> None:
    book = client.fetch_order_book(PAIR, 20)
    assert book["bids"][0][0] < book["asks"][0][0]
    assert book["nonce"] > 0
    ticker = client.fetch_ticker(PAIR)
    assert ticker["bid"] < ticker["ask"]
    assert abs(client.fetch_time() - time.time() * 1000) < 5_000
    client.create_order(PAIR, "market", "buy", 0.001, ticker["ask"])
    trades = client.fetch_trades(PAIR, limit=10)
    assert trades[-1]["price"] > 0
    assert client.fetch_ohlcv(PAIR, "1m")[-1][4] > 0
    assert client.fetch_trading_fee(PAIR)["maker"] == 0.002


def test_ccxt_follows_a_market_buy_from_order_to_fills_to_balance(client: Any) -> None:
    before = client.fetch_balance()
    order = client.create_market_buy_order_with_cost(PAIR, 100)
    fills = client.fetch_my_trades(PAIR, params={"order_id": order["id"]})
    after = client.fetch_balance()
    assert order["status"] == "closed"
    spent = sum(fill["cost"] for fill in fills)
    assert spent == pytest.approx(float(order["info"]["filled_total"])) == pytest.approx(before["USDT"]["total"] - after["USDT"]["total"])
    received = sum(fill["amount"] - fill["fee"]["cost"] for fill in fills)
    assert after["BTC"]["total"] - before["BTC"]["total"] == pytest.approx(received)


def test_ccxt_places_queries_amends_and_cancels_a_limit_order(client: Any, facts: dict[str, Any]) -> None:
    price = far_below(client)
    order = client.create_order(PAIR, "limit", "buy", 0.01, price, {"clientOrderId": "ccxt-1"})
    assert client.fetch_order(order["id"], PAIR)["clientOrderId"] == "t-ccxt-1"
    assert [found["id"] for found in client.fetch_open_orders(PAIR)] == [order["id"]]
    assert client.fetch_balance()["USDT"]["used"] == pytest.approx(0.01 * price)
    amended = client.edit_order(order["id"], PAIR, "limit", "buy", 0.02, price)
    assert amended["amount"] == 0.02
    assert client.cancel_order(order["id"], PAIR)["status"] == "canceled"
    assert state(facts)["accounts"]["main"]["open_orders"] == []


def test_ccxt_places_post_only_orders_and_cancels_all_of_them(client: Any) -> None:
    price = far_below(client)
    placed = [client.create_order(PAIR, "limit", "buy", 0.001, price - n, {"postOnly": True}) for n in range(3)]
    cancelled = client.cancel_all_orders(PAIR)
    assert {order["id"] for order in cancelled} == {order["id"] for order in placed}
    assert client.fetch_open_orders(PAIR) == []


def test_sell_at_the_top_of_the_book_is_filled_within_seconds(client: Any) -> None:
    ask = client.fetch_order_book(PAIR)["asks"][0][0]
    order = client.create_order(PAIR, "limit", "sell", 0.0005, round(ask - 0.1, 1))
    deadline = time.monotonic() + FILL_DEADLINE_SECONDS
    while client.fetch_order(order["id"], PAIR)["status"] == "open":  # ccxt's own rate limiter paces this
        assert time.monotonic() < deadline
        ask = client.fetch_order_book(PAIR)["asks"][0][0]
        if ask < order["price"]:
            with contextlib.suppress(ccxt.InvalidOrder):  # filled in the meantime, or at this price already
                client.edit_order(order["id"], PAIR, "limit", "sell", 0.0005, ask)


def test_ccxt_raises_its_own_error_for_every_refusal(client: Any, facts: dict[str, Any]) -> None:
    pair = "ETH/USDT"  # placements are limited per market, and the other tests may have used up this second's of theirs
    book = client.fetch_order_book(pair)
    bid, ask = book["bids"][0][0], book["asks"][0][0]
    with pytest.raises(ccxt.InsufficientFunds):
        client.create_order(pair, "limit", "buy", 1_000, bid)
    with pytest.raises(ccxt.BadRequest, match="too small"):
        client.create_order(pair, "limit", "buy", 0.0001, round(bid * 0.9, 2))
    with pytest.raises(ccxt.InvalidOrder):
        client.private_spot_post_orders({"currency_pair": "ETH_USDT", "side": "buy", "amount": "0.01", "price": "2500.123"})
    with pytest.raises(ccxt.OrderImmediatelyFillable):
        client.create_order(pair, "limit", "buy", 0.01, round(ask * 1.01, 2), {"postOnly": True})
    with pytest.raises(ccxt.OrderNotFound):
        client.fetch_order("123", PAIR)
    with pytest.raises(ccxt.OrderNotFound):
        client.cancel_order("t-nobody", PAIR)
    with pytest.raises(ccxt.BadSymbol):
        client.private_spot_get_orders({"currency_pair": "NO_SUCH", "status": "open"})
    for wrong in ({"apiKey": "nobody"}, {"secret": "wrong"}):
        with pytest.raises(ccxt.AuthenticationError):
            connected(facts, markets=client.markets, **wrong).private_spot_get_accounts()


def test_ccxt_pro_watches_public_and_private_streams_and_orders_over_the_websocket(facts: dict[str, Any]) -> None:
    asyncio.run(asyncio.wait_for(watch_everything(facts), timeout=20))
    assert state(facts)["accounts"]["main"]["open_orders"] == []


async def watch_everything(facts: dict[str, Any]) -> None:
    client = connected(facts, ccxt.pro)
    try:
        await client.load_markets()
        for _ in range(3):  # the snapshot, then changes
            book = await client.watch_order_book(PAIR)
            assert book["bids"][0][0] < book["asks"][0][0]
        assert (await client.watch_ticker(PAIR))["last"] > 0
        assert (await client.watch_bids_asks([PAIR]))[PAIR]["bid"] > 0

        watched = (client.watch_balance(), client.watch_orders(PAIR), client.watch_my_trades(PAIR))
        streams = [asyncio.ensure_future(watch) for watch in watched]
        public = asyncio.ensure_future(client.watch_trades(PAIR))
        bought = await buy_until_seen(client, streams)
        balance, orders, fills = [await stream for stream in streams]
        assert balance["USDT"]["free"] > 0
        assert orders[-1]["id"] in bought
        assert fills[-1]["order"] in bought
        assert (await public)[-1]["amount"] > 0

        price = round(book["bids"][0][0] * 0.9, 1)
        placed = await client.create_order_ws(PAIR, "limit", "buy", 0.001, price)
        assert placed["status"] == "open"
        assert (await client.cancel_order_ws(placed["id"], PAIR))["status"] == "canceled"
    finally:
        await client.close()


async def buy_until_seen(client: Any, streams: list[asyncio.Future[Any]]) -> list[str]:
    """Buy until every private stream has told of it: ccxt does not say when a subscription has been accepted."""
    bought: list[str] = []
    while not all(stream.done() for stream in streams):
        bought.append((await client.create_market_buy_order_with_cost(PAIR, 10))["id"])
        await asyncio.wait(streams, timeout=1)
    return bought
