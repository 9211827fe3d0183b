"""Recorded markets read from files, as neutral steps in time order.

Two kinds are understood: a capture of Gate.io's own frames (one JSON object per line with `t` in seconds and `k`: `http`
bodies of book snapshots and `ws_in` frames), and a plain series of trades (CSV with a header, or JSON rows) of
milliseconds, side, price and amount. Both may be gzipped.
"""

from __future__ import annotations

import csv
import gzip
import io
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from market.events import Side
from market.symbol import Symbol, parse_symbol
from simulated.settings import MarketSettings

Level = tuple[Side, Decimal, Decimal]


class RecordingError(ValueError):
    """The file is no recording; the message says where and why."""


class BookRecorded(msgspec.Struct, frozen=True):
    """The whole book of a market."""

    at_milliseconds: int
    symbol: Symbol
    levels: tuple[Level, ...]


class LevelsRecorded(msgspec.Struct, frozen=True):
    """Levels that changed; quantity zero takes a level away. Removals come first."""

    at_milliseconds: int
    symbol: Symbol
    levels: tuple[Level, ...]


class TradeRecorded(msgspec.Struct, frozen=True):
    at_milliseconds: int
    symbol: Symbol
    side: Side
    price: Decimal
    quantity: Decimal


Step = BookRecorded | LevelsRecorded | TradeRecorded


class Recording(msgspec.Struct, frozen=True):
    """Steps sorted by time. `has_books` is False for a series of trades: its book is built around the price."""

    steps: tuple[Step, ...]
    has_books: bool

    def markets(self) -> tuple[MarketSettings, ...]:
        """Settings for every market in the recording, with the finest tick and step that occur in it."""
        markets: dict[Symbol, tuple[int, int, Decimal]] = {}
        for step in self.steps:
            numbers = [(step.price, step.quantity)] if isinstance(step, TradeRecorded) else [level[1:] for level in step.levels]
            price_decimals, quantity_decimals, first_price = markets.get(step.symbol, (0, 0, numbers[0][0] if numbers else Decimal(1)))
            for price, quantity in numbers:
                price_decimals = max(price_decimals, _decimals(price))
                quantity_decimals = max(quantity_decimals, _decimals(quantity))
            markets[step.symbol] = (price_decimals, quantity_decimals, first_price)
        return tuple(
            MarketSettings(
                symbol=f"{symbol.base}_{symbol.quote}",
                price_decimals=price_decimals,
                quantity_decimals=quantity_decimals,
                quantity_min=Decimal(1).scaleb(-quantity_decimals),
                notional_min=Decimal(0),
                start_price=first_price,
            )
            for symbol, (price_decimals, quantity_decimals, first_price) in markets.items()
        )


def load_recording(path: Path, symbol: Symbol | None = None) -> Recording:
    """Read a recording; `symbol` names the market of a plain series.

    Raises:
        RecordingError: the file cannot be read as a recording.
    """
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise RecordingError(f"{path} cannot be read: {error}") from error
    kind = path.name.removesuffix(".gz").rpartition(".")[2]
    try:
        if kind == "jsonl":
            return _capture(text)
        if symbol is None:
            raise RecordingError(f"{path} is a plain series: name its market, as in --symbols BTC_USDT")
        if kind == "csv":
            return _series([row for row in csv.DictReader(io.StringIO(text))], symbol)  # noqa: C416 - a list of the reader's dicts
        if kind == "json":
            return _series(msgspec.json.decode(text), symbol)
    except (msgspec.MsgspecError, KeyError, IndexError, TypeError, InvalidOperation, ValueError) as error:
        if isinstance(error, RecordingError):
            raise
        raise RecordingError(f"{path} is not a recording: {type(error).__name__} {error}") from error
    raise RecordingError(f"{path} is none of .jsonl, .csv and .json (each may end in .gz)")


def _series(rows: list[Any], symbol: Symbol) -> Recording:
    steps = [_trade_row(row, symbol) for row in rows]
    steps.sort(key=lambda step: step.at_milliseconds)
    if not steps:
        raise RecordingError("the series is empty")
    return Recording(tuple(steps), has_books=False)


def _trade_row(row: Any, symbol: Symbol) -> TradeRecorded:
    """A mapping with `ms`, `side`, `price` and `amount`, or a row in that order.

    A row of seven is ms, id, kind, side, price, amount, cost.
    """
    if isinstance(row, dict):
        fields: dict[str, Any] = row  # type: ignore[assignment]
        at, side, price, amount = fields["ms"], fields["side"], fields["price"], fields["amount"]
    elif len(row) == 7:
        at, _, _, side, price, amount, _ = row
    else:
        at, side, price, amount = row
    return TradeRecorded(int(at), symbol, Side(side), _number(price), _number(amount))


def _capture(text: str) -> Recording:
    steps: list[Step] = []
    snapshot_ids: dict[Symbol, int] = {}
    updates: list[tuple[Symbol, int, LevelsRecorded]] = []
    for line in text.splitlines():
        record: dict[str, Any] = msgspec.json.decode(line)
        at = round(float(record["t"]) * 1000)
        if record["k"] == "http" and "/spot/order_book" in record["url"]:
            body = msgspec.json.decode(record["raw"])
            symbol = parse_symbol(parse_qs(urlsplit(str(record["url"])).query)["currency_pair"][0])
            snapshot_ids.setdefault(symbol, body["id"])
            steps.append(BookRecorded(at, symbol, _levels(body["bids"], body["asks"])))
        elif record["k"] == "ws_in":
            frame = msgspec.json.decode(record["raw"])
            result = frame.get("result")
            if frame.get("event") == "update" and frame["channel"] == "spot.order_book_update":
                symbol = parse_symbol(result["s"])
                updates.append((symbol, result["u"], LevelsRecorded(at, symbol, _levels(result["b"], result["a"]))))
            elif frame.get("event") == "update" and frame["channel"] == "spot.trades":
                price, amount = _number(result["price"]), _number(result["amount"])
                steps.append(TradeRecorded(at, parse_symbol(result["currency_pair"]), Side(result["side"]), price, amount))
    # What the snapshot already holds is dropped; trades in a market whose book was never recorded lead nowhere.
    steps += [step for symbol, last_id, step in updates if symbol in snapshot_ids and last_id > snapshot_ids[symbol]]
    steps = [step for step in steps if step.symbol in snapshot_ids]
    steps.sort(key=lambda step: step.at_milliseconds)
    if not steps:
        raise RecordingError("the capture holds no book snapshot")
    return Recording(tuple(steps), has_books=True)


def _levels(bids: list[list[str]], asks: list[list[str]]) -> tuple[Level, ...]:
    levels = [(Side.BUY, _number(price), _number(quantity)) for price, quantity in bids]
    levels += [(Side.SELL, _number(price), _number(quantity)) for price, quantity in asks]
    levels.sort(key=lambda level: bool(level[2]))  # removals first, so that the new levels do not meet stale ones
    return tuple(levels)


def _number(value: Any) -> Decimal:
    number = Decimal(value if isinstance(value, str) else repr(value))
    if not number.is_finite() or number < 0:
        raise RecordingError(f"{value!r} is no price or amount")
    return Decimal(format(number.normalize(), "f"))


def _decimals(number: Decimal) -> int:
    return max(0, -int(number.as_tuple().exponent))
