"""The checksum that OKX used to send with its books, over the levels exactly as they were written.

A book holds floats, and a float does not tell ``7`` from ``7.0`` nor the last of twenty digits. So where a message bears a
checksum, its levels are floats that remember their text: they compare, hash and sort as floats, and go through `OrderBook`
as such. Where it bears none, which is always since 2026-06, plain floats are used and nothing of this costs anything.

Reference: docs, "Order book channel", "Checksum"; the changelog of 2026-05-21 fixes the value to 0, which means none.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from itertools import zip_longest

from market.book import OrderBook
from market.events import Level
from market.instrument import decimal_from_book, format_decimal

LEVELS_PER_SIDE = 25


class WrittenNumber(float):
    """A float with the text that it was read from."""

    __slots__ = ("text",)
    text: str

    @classmethod
    def read(cls, text: str) -> WrittenNumber:
        """
        Raises:
            ValueError: `text` spells no number.
        """
        return cls.spelled(float(text), text)

    @classmethod
    def spelled(cls, value: float, text: str) -> WrittenNumber:
        """`value`, which the exchange spells `text`: of contracts, in another unit."""
        number = cls(value)
        number.text = text
        return number


def book_checksum(book: OrderBook) -> int:
    """The signed CRC-32 of the best levels of `book`, bids and asks by turns."""
    bids, asks = book.top(LEVELS_PER_SIDE)
    parts: list[str] = []
    for pair in zip_longest(bids, asks):
        parts += [_text(number) for level in _present(pair) for number in level]
    value = zlib.crc32(":".join(parts).encode())
    return value - (1 << 32) if value >= 1 << 31 else value


def _present(pair: Iterable[Level | None]) -> Iterable[Level]:
    return (level for level in pair if level is not None)


def _text(number: float) -> str:
    """As OKX writes numbers, without an exponent and without zeros at the end, where the very text is not known."""
    if isinstance(number, WrittenNumber):
        return number.text
    text = format_decimal(decimal_from_book(number))
    return text.rstrip("0").rstrip(".") if "." in text else text
