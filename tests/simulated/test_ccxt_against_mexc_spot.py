"""The simulated MEXC spot exchange, checked by a client that no one here wrote: ccxt, sync and pro (which reads protobuf)."""

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
    with serving("--exchange", "mexc_spot", "--seed", "7") as announced:
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
    assert (market["limits"]["cost"]["min"], market["limits"]["amount"]["min"], market["taker"]) == (3.0, 1e-5, 0.002)
    assert market["active"]


def test_ccxt_reads_book_trades_tickers_candles_time_and_fees(client: Any) -> None:
    book = client.fetch_order_book(PAIR, 20)
    assert book["bids"][0][0] < book["asks"][0][0]
    assert book["nonce"] > 0
    assert abs(client.fetch_time() - time.time() * 1000) < 5_000
    client.create_market_buy_order_with_cost(PAIR, 20)
    assert client.fetch_trades(PAIR, limit=10)[-1]["price"] > 0
    ticker = client.fetch_ticker(PAIR)
    assert 0 < ticker["bid"] < ticker["ask"]
    assert ticker["last"] > 0
    best = client.fetch_bids_asks()[PAIR]  # for one symbol ccxt does not send its name
    assert best["bid"] < best["ask"]
    assert client.fetch_ohlcv(PAIR, "1m")[-1][4] > 0
    assert client.fetch_trading_fee(PAIR)["maker"] == 0.002
    assert set(client.fetch_currencies()) == {"BTC", "ETH", "USDT"}
    assert client.fetch_status()["status"] == "ok"


def test_ccxt_follows_a_market_buy_from_order_to_fills_to_balance(client: Any) -> None:
    before = client.fetch_balance()
    placed = client.create_market_buy_order_with_cost(PAIR, 100)
    order = client.fetch_order(placed["id"], PAIR)
    fills = client.fetch_my_trades(PAIR, params={"orderId": placed["id"]})
    after = client.fetch_balance()
    assert order["info"]["status"] in ("FILLED", "PARTIALLY_CANCELED"), "what buys nothing more is given back"
    spent = sum(fill["cost"] for fill in fills)
    assert spent == pytest.approx(float(order["info"]["cummulativeQuoteQty"]))
    assert spent == pytest.approx(before["USDT"]["total"] - after["USDT"]["total"])
    received = sum(fill["amount"] - fill["fee"]["cost"] for fill in fills)
    assert after["BTC"]["total"] - before["BTC"]["total"] == pytest.approx(received)


def test_ccxt_places_queries_and_cancels_a_limit_order(client: Any, facts: dict[str, Any]) -> None:
    price = far_below(client)
    order = client.create_order(PAIR, "limit", "buy", 0.01, price, {"clientOrderId": "ccxt-1"})
    assert order["id"].startswith("C02__")
    known = client.fetch_order(order["id"], PAIR)
    assert (known["clientOrderId"], known["status"], known["price"], known["amount"]) == ("ccxt-1", "open", price, 0.01)
    assert client.fetch_order("", PAIR, {"clientOrderId": "ccxt-1"})["id"] == order["id"]
    assert [found["id"] for found in client.fetch_open_orders(PAIR)] == [order["id"]]
    assert client.fetch_balance()["USDT"]["used"] == pytest.approx(0.01 * price)
    assert client.cancel_order(order["id"], PAIR)["status"] == "canceled"
    assert client.fetch_order(order["id"], PAIR)["status"] == "canceled"
    assert order["id"] in {found["id"] for found in client.fetch_orders(PAIR)}
    assert state(facts)["accounts"]["main"]["open_orders"] == []


def test_ccxt_places_post_only_and_batched_orders_and_cancels_all_of_them(client: Any) -> None:
    price = far_below(client)
    placed = [client.create_order(PAIR, "limit", "buy", 0.001, price - n, {"postOnly": True})["id"] for n in range(2)]
    batch = [{"symbol": PAIR, "type": "limit", "side": "buy", "amount": 0.001, "price": price - n} for n in (3, 4)]
    placed += [order["id"] for order in client.create_orders(batch)]
    assert {order["id"] for order in client.cancel_all_orders(PAIR)} == set(placed)
    assert client.fetch_open_orders(PAIR) == []


def test_post_only_order_that_would_take_is_taken_in_and_cancelled(client: Any) -> None:
    ask = client.fetch_order_book(PAIR)["asks"][0][0]
    order = client.create_order(PAIR, "limit", "buy", 0.001, ask + 10, {"postOnly": True})
    known = client.fetch_order(order["id"], PAIR)
    assert (known["status"], known["filled"]) == ("canceled", 0)


def test_ccxt_raises_its_own_error_for_every_refusal(client: Any, facts: dict[str, Any]) -> None:
    bid = client.fetch_order_book(PAIR)["bids"][0][0]
    with pytest.raises(ccxt.InsufficientFunds):
        client.create_order(PAIR, "limit", "buy", 100, bid)
    with pytest.raises(ccxt.InvalidOrder, match="30002"):
        client.create_order(PAIR, "limit", "buy", 0.00002, far_below(client))
    with pytest.raises(ccxt.ExchangeError, match="-2013"):
        client.fetch_order("C02__123", PAIR)
    with pytest.raises(ccxt.BadRequest, match="-2011"):
        client.cancel_order("C02__123", PAIR)
    with pytest.raises(ccxt.BadSymbol):
        client.spotPublicGetDepth({"symbol": "NOSUCH"})
    with pytest.raises(ccxt.BadRequest, match="700008"):
        client.create_order(PAIR, "limit", "buy", 0.001, far_below(client), {"clientOrderId": "not a name"})
    for wrong, expected in (({"apiKey": "nobody"}, "10072"), ({"secret": "wrong"}, "700002")):
        with pytest.raises(ccxt.ExchangeError, match=expected):
            connected(facts, markets=client.markets, **wrong).spotPrivateGetAccount()


def test_request_that_comes_after_its_window_is_refused(client: Any, facts: dict[str, Any]) -> None:
    def six_seconds_ago() -> int:  # ccxt's window is of five
        return int(time.time() * 1000) - 6_000

    late = connected(facts, markets=client.markets, nonce=six_seconds_ago)
    with pytest.raises(ccxt.InvalidNonce, match="700003"):
        late.spotPrivateGetAccount()


def test_ccxt_pro_watches_public_and_private_streams(client: Any, facts: dict[str, Any]) -> None:
    asyncio.run(asyncio.wait_for(watch_everything(facts, client.markets), timeout=25))
    assert state(facts)["accounts"]["main"]["open_orders"] == []


async def watch_everything(facts: dict[str, Any], markets: Any) -> None:
    client = connected(facts, ccxt.pro)
    client.options["watchOrderBook"] = {"snapshotDelay": 2}  # ccxt waits for 25 changes before it asks for a snapshot
    try:
        client.set_markets(markets)
        for _ in range(3):  # the snapshot, then changes
            book = await client.watch_order_book(PAIR)
            assert book["bids"][0][0] < book["asks"][0][0]
        ticker = await client.watch_ticker(PAIR)
        assert 0 < ticker["bid"] < ticker["ask"]

        watched = (client.watch_balance(), client.watch_orders(PAIR), client.watch_my_trades(PAIR), client.watch_ohlcv(PAIR, "1m"))
        streams = [asyncio.ensure_future(watch) for watch in watched]
        public = asyncio.ensure_future(client.watch_trades(PAIR))
        bought = await buy_until_seen(client, streams)
        balance, orders, fills, candles = [await stream for stream in streams]
        assert balance["USDT"]["free"] > 0
        assert orders[-1]["id"] in bought
        assert fills[-1]["order"] in bought
        assert candles[-1][4] > 0
        assert (await public)[-1]["amount"] > 0
    finally:
        await client.close()


async def buy_until_seen(client: Any, streams: list[asyncio.Future[Any]]) -> list[str]:
    """Buy until every private stream has told of it: ccxt does not say when a subscription has been accepted."""
    bought: list[str] = []
    while not all(stream.done() for stream in streams):
        bought.append((await client.create_market_buy_order_with_cost(PAIR, 10))["id"])
        await asyncio.wait(streams, timeout=1)
    return bought
