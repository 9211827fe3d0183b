"""The public tape of one market: recent trades, candles of every interval, and the day's figures."""

from __future__ import annotations

import copy
from collections import deque
from decimal import Decimal

import msgspec

from market.events import Side
from simulated.engine.order import ZERO, Trade

INTERVAL_SECONDS: dict[str, int] = {
    "10s": 10, "30s": 30, "1m": 60, "3m": 180, "5m": 300, "15m": 900, "30m": 1800, "1h": 3600, "2h": 7200, "4h": 14400,
    "6h": 21600, "8h": 28800, "12h": 43200, "1d": 86400, "7d": 604800, "30d": 2592000,
}  # fmt: skip
_SHORTEST_SECONDS = 10
_CANDLES_MAX = 1_000
_TRADES_MAX = 1_000
_DAY_MILLISECONDS = 86_400_000


class PublicTrade(msgspec.Struct, frozen=True):
    """A trade as everybody sees it. `sequence` counts the market's own trades from 1."""

    id: int
    sequence: int
    price: Decimal
    quantity: Decimal
    side: Side
    at_milliseconds: int


class Candle(msgspec.Struct):
    start_seconds: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    base_volume: Decimal
    quote_volume: Decimal


class DayFigures(msgspec.Struct, frozen=True):
    """Sums and extremes of the last 24 hours, in steps of five minutes."""

    last: Decimal
    first: Decimal
    high: Decimal
    low: Decimal
    base_volume: Decimal
    quote_volume: Decimal


class Tape:
    """Keeps the last 1,000 trades and up to 1,000 candles of each interval."""

    def __init__(self) -> None:
        self.trades: deque[PublicTrade] = deque(maxlen=_TRADES_MAX)
        self.trade_count = 0
        self._shortest: deque[Candle] = deque(maxlen=_CANDLES_MAX)
        # Of every interval, without the shortest candle that still runs: a trade changes one candle, and not sixteen.
        self._closed: dict[str, deque[Candle]] = {interval: deque(maxlen=_CANDLES_MAX) for interval in INTERVAL_SECONDS}

    def add(self, trade: Trade) -> PublicTrade:
        """Record a trade in time order."""
        self.trade_count += 1
        public = PublicTrade(trade.id, self.trade_count, trade.price, trade.quantity, trade.taker_side, trade.at_milliseconds)
        self.trades.append(public)
        seconds, price = trade.at_milliseconds // 1000, trade.price
        start = seconds - seconds % _SHORTEST_SECONDS
        running = self._shortest[-1] if self._shortest else None
        if running is None or running.start_seconds < start:
            if running is not None:
                for interval, length in INTERVAL_SECONDS.items():
                    _fold(self._closed[interval], running, length)
            running = Candle(start, price, price, price, price, ZERO, ZERO)
            self._shortest.append(running)
        running.close = price
        running.high = max(running.high, price)
        running.low = min(running.low, price)
        running.base_volume += trade.quantity
        running.quote_volume += trade.notional
        return public

    def candles(self, interval: str) -> list[Candle]:
        """Candles with trades in them, oldest first. Raises: KeyError: no such interval."""
        found = self._closed[interval].copy()
        if self._shortest:
            if found:
                found[-1] = copy.copy(found[-1])  # what has closed does not change by being looked at
            _fold(found, self._shortest[-1], INTERVAL_SECONDS[interval])
        return list(found)

    def last_candle(self, interval: str) -> Candle | None:
        candles = self.candles(interval)
        return candles[-1] if candles else None

    def day(self, now_milliseconds: int) -> DayFigures | None:
        """The figures of the last 24 hours; None before the first trade."""
        since = (now_milliseconds - _DAY_MILLISECONDS) // 1000
        kept = self.candles("5m")
        candles = [candle for candle in kept if candle.start_seconds >= since] or kept[-1:]
        if not candles:
            return None
        return DayFigures(
            last=candles[-1].close,
            first=candles[0].open,
            high=max(candle.high for candle in candles),
            low=min(candle.low for candle in candles),
            base_volume=sum((candle.base_volume for candle in candles), ZERO),
            quote_volume=sum((candle.quote_volume for candle in candles), ZERO),
        )


def _fold(candles: deque[Candle], part: Candle, length_seconds: int) -> None:
    """Add a candle of the shortest interval to those of a longer one, or of its own."""
    start = part.start_seconds - part.start_seconds % length_seconds
    if not candles or candles[-1].start_seconds < start:
        candles.append(Candle(start, part.open, part.high, part.low, part.close, part.base_volume, part.quote_volume))
        return
    candle = candles[-1]
    candle.close = part.close
    candle.high = max(candle.high, part.high)
    candle.low = min(candle.low, part.low)
    candle.base_volume += part.base_volume
    candle.quote_volume += part.quote_volume
