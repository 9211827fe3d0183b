"""The simulated OKX spot exchange, checked by a client that no one here wrote: ccxt, sync and pro."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from typing import Any

import ccxt
import ccxt.pro
import pytest
from ccxt_client import connected
from serving_process import serving, state

PAIR = "BTC/USDT"


@pytest.fixture(scope="module")
def facts() -> Generator[dict[str, Any]]:
    with serving("--exchange", "okx_spot", "--seed", "7") as announced:
        yield announced


@pytest.fixture(scope="module")
def client(facts: dict[str, Any]) -> Any:
    client = connected(facts)
    client.load_markets()
    return client


def far_below(client: Any) -> float:
    return round(client.fetch_order_book(PAIR)["bids"][0][0] * 0.9, 1)


def test_mm_sim_shows_the_passphrase_and_both_streams(facts: dict[str, Any]) -> None:
    assert facts["api_passphrase"]
    assert facts["websocket_url"].endswith("/ws/v5/public")
    assert facts["private_websocket_url"].endswith("/ws/v5/private")


def test_ccxt_loads_markets_with_ticks_steps_and_minimums(client: Any) -> None:
    market = client.market(PAIR)
    assert set(client.markets) == {"BTC/USDT", "ETH/USDT"}
    assert market["precision"] == {"amount": 1e-6, "price": 0.1}
    assert (market["limits"]["amount"]["min"], market["active"]) == (1e-5, True)
    assert client.fetch_trading_fee(PAIR)["maker"] == 0.002


def test_ccxt_reads_book_trades_ticker_candles_and_time(client: Any) -> None:
    book = client.fetch_order_book(PAIR, 20)
    assert book["bids"][0][0] < book["asks"][0][0]
    ticker = client.fetch_ticker(PAIR)
    assert ticker["bid"] < ticker["ask"]
    assert abs(client.fetch_time() - time.time() * 1000) < 5_000
    client.create_order(PAIR, "market", "sell", 0.001)
    trades = client.fetch_trades(PAIR, limit=10)
    assert trades[-1]["price"] > 0
    assert client.fetch_ohlcv(PAIR, "1m")[-1][4] > 0


def test_ccxt_follows_a_market_buy_from_order_to_fills_to_balance(client: Any) -> None:
    before = client.fetch_balance()
    order = client.fetch_order(client.create_market_buy_order_with_cost(PAIR, 100)["id"], PAIR)
    fills = client.fetch_my_trades(PAIR, params={"ordId": order["id"]})
    after = client.fetch_balance()
    assert order["status"] == "closed"
    spent = sum(fill["cost"] for fill in fills)
    assert 90 < spent <= 100
    assert spent == pytest.approx(before["USDT"]["total"] - after["USDT"]["total"])
    received = sum(fill["amount"] - fill["fee"]["cost"] for fill in fills)
    assert after["BTC"]["total"] - before["BTC"]["total"] == pytest.approx(received)


def test_ccxt_places_queries_amends_and_cancels_a_limit_order(client: Any, facts: dict[str, Any]) -> None:
    price = far_below(client)
    order = client.create_order(PAIR, "limit", "buy", 0.01, price, {"clientOrderId": "ccxt1"})
    assert client.fetch_order(order["id"], PAIR)["clientOrderId"] == "ccxt1"
    assert [found["id"] for found in client.fetch_open_orders(PAIR)] == [order["id"]]
    assert client.fetch_balance()["USDT"]["used"] == pytest.approx(0.01 * price)
    client.edit_order(order["id"], PAIR, "limit", "buy", 0.02, price)
    assert client.fetch_order(order["id"], PAIR)["amount"] == 0.02
    client.cancel_order(order["id"], PAIR)
    assert client.fetch_order(order["id"], PAIR)["status"] == "canceled"
    assert state(facts)["accounts"]["main"]["open_orders"] == []


def test_ccxt_places_and_cancels_in_batches_and_learns_the_fate_of_each_order(client: Any) -> None:
    price = far_below(client)
    wanted = [{"symbol": PAIR, "type": "limit", "side": "buy", "amount": amount, "price": price} for amount in (0.001, 100, 0.002)]
    placed = client.create_orders(wanted)
    assert [bool(order["id"]) for order in placed] == [True, False, True]
    assert placed[1]["info"]["sCode"] == "51008"
    ids = [order["id"] for order in placed if order["id"]]
    assert {order["id"] for order in client.fetch_open_orders(PAIR)} == set(ids)
    client.cancel_orders(ids, PAIR)
    assert client.fetch_open_orders(PAIR) == []


def test_post_only_order_that_would_take_is_accepted_and_then_cancelled(client: Any) -> None:
    ask = client.fetch_order_book(PAIR)["asks"][0][0]
    order = client.create_order(PAIR, "limit", "buy", 0.001, ask + 10, {"postOnly": True})
    found = client.fetch_order(order["id"], PAIR)
    assert (found["status"], found["filled"], found["info"]["cancelSource"]) == ("canceled", 0, "31")


def test_ccxt_raises_its_own_error_for_every_refusal(client: Any, facts: dict[str, Any]) -> None:
    bid = client.fetch_order_book(PAIR)["bids"][0][0]
    order = {"instId": "BTC-USDT", "tdMode": "cash", "side": "buy", "ordType": "limit"}
    with pytest.raises(ccxt.InsufficientFunds):
        client.create_order(PAIR, "limit", "buy", 100, bid)
    with pytest.raises(ccxt.InvalidOrder):
        client.private_post_trade_order({**order, "px": "1", "sz": "0.000001"})
    with pytest.raises(ccxt.BadRequest):
        client.private_post_trade_order({**order, "px": "5.123", "sz": "1"})
    with pytest.raises(ccxt.OrderNotFound):
        client.fetch_order("123", PAIR)
    with pytest.raises(ccxt.OrderNotFound):
        client.cancel_order("123", PAIR)
    with pytest.raises(ccxt.BadSymbol):
        client.public_get_market_ticker({"instId": "NO-SUCH"})
    for wrong in ({"apiKey": "nobody"}, {"secret": "wrong"}, {"password": "wrong"}):
        with pytest.raises(ccxt.AuthenticationError):
            connected(facts, markets=client.markets, **wrong).private_get_account_balance()


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
        assert (await client.watch_balance())["USDT"]["free"] > 0

        watched = (client.watch_orders(PAIR), client.watch_my_trades(PAIR), client.watch_trades(PAIR))
        streams = [asyncio.ensure_future(watch) for watch in watched]
        bought = await buy_until_seen(client, streams)
        orders, fills, public = [await stream for stream in streams]
        assert orders[-1]["id"] in bought
        assert fills[-1]["order"] in bought
        assert public[-1]["amount"] > 0
        assert (await client.watch_ohlcv(PAIR, "1m"))[-1][4] > 0

        placed = await client.create_order_ws(PAIR, "limit", "buy", 0.001, round(book["bids"][0][0] * 0.9, 1))
        assert (await client.fetch_open_orders(PAIR))[0]["id"] == placed["id"]
        await client.edit_order_ws(placed["id"], PAIR, "limit", "buy", 0.002)
        assert (await client.fetch_order(placed["id"], PAIR))["amount"] == 0.002
        await client.cancel_order_ws(placed["id"], PAIR)
    finally:
        await client.close()


async def buy_until_seen(client: Any, streams: list[asyncio.Future[Any]]) -> list[str]:
    """Buy until every stream has told of it: ccxt does not say when a subscription has been accepted."""
    bought: list[str] = []
    while not all(stream.done() for stream in streams):
        bought.append((await client.create_market_buy_order_with_cost(PAIR, 10))["id"])
        await asyncio.wait(streams, timeout=1)
    return bought
