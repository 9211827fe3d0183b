"""A client that no one here wrote watches the same account while the program trades on it, and sees the same."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import ccxt
import ccxt.pro
from processes import Exchange, Program, settings

PAIR = "BTC/USDT"
PATIENCE_SECONDS = 30.0


def client_of(exchange: Exchange) -> Any:
    """A client made by the very line that `mm-sim` prints, in ccxt's version for streams."""
    names: dict[str, Any] = {"ccxt": type("module", (), {"gate": ccxt.pro.gate})}
    exec(exchange.facts["ccxt"], names)  # noqa: S102 - the line is what a person would paste
    return names["e"]


class Watcher:
    """What the client's streams told, until everything that was waited for has come."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.status_by_client_id: dict[str, str] = {}
        self.fill_sides: set[str] = set()
        self.balances = 0
        self.books = 0

    @property
    def has_seen_a_cycle(self) -> bool:
        return self.fill_sides == {"buy", "sell"} and self.balances > 0 and self.books > 0 and "closed" in self.status_by_client_id.values()

    async def watch_orders(self) -> None:
        while True:
            for order in await self.client.watch_orders(PAIR):
                self.status_by_client_id[order["clientOrderId"]] = order["status"]

    async def watch_fills(self) -> None:
        while True:
            for fill in await self.client.watch_my_trades(PAIR):
                self.fill_sides.add(fill["side"])

    async def watch_balance(self) -> None:
        while True:
            assert (await self.client.watch_balance())["USDT"]["total"] > 0
            self.balances += 1

    async def watch_book(self) -> None:
        while True:
            book = await self.client.watch_order_book(PAIR)
            assert book["bids"][0][0] < book["asks"][0][0]
            self.books += 1
            if self.has_seen_a_cycle:
                return


async def watch_while_the_program_trades(exchange: Exchange, path: Path) -> tuple[Watcher, list[dict[str, Any]]]:
    client = client_of(exchange)
    try:
        await client.load_markets()
        watcher = Watcher(client)
        private = [asyncio.ensure_future(stream()) for stream in (watcher.watch_orders, watcher.watch_fills, watcher.watch_balance)]
        with Program(path, "--json") as program:
            seen = asyncio.ensure_future(watcher.watch_book())
            ended = asyncio.ensure_future(asyncio.to_thread(program.wait_exit))
            await asyncio.wait([seen, ended], timeout=PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            assert seen.done(), program.story()
            assert not ended.done(), program.story()
            program.send(signal.SIGINT)
            assert await ended == 0
            events = program.events()
        for stream in private:
            stream.cancel()
        ends = await asyncio.gather(*private, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ends), ends
    finally:
        await client.close()
    return watcher, events


def test_ccxt_pro_watches_orders_fills_and_balance_of_the_account_that_the_program_trades_on(
    tmp_path: Path, lively_exchange: Exchange
) -> None:
    path = settings(tmp_path, exchange=lively_exchange)
    watcher, events = asyncio.run(watch_while_the_program_trades(lively_exchange, path))
    ours = {f"t-{event['client_order_id']}" for event in events if event["event"] == "order_statement"}
    assert watcher.status_by_client_id
    assert set(watcher.status_by_client_id) <= ours
    assert lively_exchange.our_open_orders() == []
