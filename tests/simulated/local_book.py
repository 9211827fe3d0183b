"""A client's book of a simulated market, kept by the exchange's rules, and the real one in the same words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from market.symbol import Symbol
from simulated.control import VenueControl

Sides = dict[str, dict[str, str]]
Levels = Callable[[Any], Iterable[tuple[str, str]]]


def pairs(levels: Any) -> Iterable[tuple[str, str]]:
    """Price and amount of levels that are told as arrays."""
    return ((price, amount) for price, amount in levels)


def named(levels: Any) -> Iterable[tuple[str, str]]:
    """Price and amount of levels that are told as objects."""
    return ((level["p"], str(level["s"])) for level in levels)


def local_book(snapshot: Any, read: Levels = pairs) -> Sides:
    return {"b": dict(read(snapshot["bids"])), "a": dict(read(snapshot["asks"]))}


def apply(book: Sides, push: Any, read: Levels = pairs) -> None:
    for side in ("b", "a"):
        for price, amount in read(push.get(side, [])):
            if amount == "0":
                book[side].pop(price, None)
            else:
                book[side][price] = amount


def true_book(control: VenueControl, symbol: Symbol, depth: int | None = None, unit: Decimal = Decimal(1)) -> Sides:
    """Amounts are in units of `unit`."""
    book = control.engine.books[symbol]
    return {
        side: {_plain(price): _plain(quantity / unit) for price, quantity in book_side.levels(depth)}
        for side, book_side in (("b", book.bids), ("a", book.asks))
    }


def best_of(book: Sides, depth: int) -> Sides:
    return {
        side: dict(sorted(levels.items(), key=lambda level: Decimal(level[0]), reverse=side == "b")[:depth])
        for side, levels in book.items()
    }


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"
