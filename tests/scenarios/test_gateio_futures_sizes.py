"""Gate.io cuts sizes to whole contracts for whoever does not ask for decimals in the request that opens a websocket."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from msgspec.structs import replace
from world import World, run_world

from actors.accounts.gateio.futures import GateioFuturesAccountCodec
from actors.feeds.codec import Decoded, Frame
from actors.feeds.gateio.futures import GateioFuturesFeedCodec
from assembly.registry import EXCHANGES
from orders.reports import PrivateReport


def sizes_of(channel: str, result: Any) -> Iterator[object]:
    """The sizes in what a channel pushes."""
    if channel == "futures.order_book_update":
        yield from (level["s"] for level in (*result["b"], *result["a"]))
    elif channel in ("futures.orders", "futures.usertrades", "futures.positions", "futures.trades"):
        yield from (item["size"] for item in result)


def test_public_and_private_stream_ask_for_sizes_with_decimals(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: dict[str, list[object]] = {}

    def look(frame: str | bytes) -> None:
        pushed = json.loads(frame)
        if pushed.get("event") == "update":
            sizes.setdefault(pushed["channel"], []).extend(sizes_of(pushed["channel"], pushed["result"]))

    class Feed(GateioFuturesFeedCodec):
        def decode_frame(self, frame: Frame, received_at: float) -> Sequence[Decoded]:
            look(frame)
            return super().decode_frame(frame, received_at)

    class Account(GateioFuturesAccountCodec):
        def decode_frame(self, frame: str | bytes) -> list[PrivateReport]:
            look(frame)
            return super().decode_frame(frame)

    entry = replace(EXCHANGES["gateio_futures"], feed_codec=Feed, account_codec=Account)
    monkeypatch.setitem(EXCHANGES, "gateio_futures", entry)

    async def story(world: World) -> None:
        await world.start(cycles=1)
        await world.end(within_seconds=600)

    run_world(story, seed=1, exchange_name="gateio_futures")
    for channel in ("futures.order_book_update", "futures.orders", "futures.usertrades", "futures.positions"):
        assert sizes[channel], f"nothing was pushed on {channel}"
        assert {type(size) for size in sizes[channel]} == {str}
