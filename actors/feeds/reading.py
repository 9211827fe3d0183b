"""Reading what exchanges send to everybody."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from actors.feeds.codec import Frame, ProtocolError
from market.symbol import Symbol

T = TypeVar("T")

UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)
"""All that msgspec raises on hostile input: also text that is not Unicode (a ValueError), and nesting beyond its limit."""


def decode(
    decoder: msgspec.json.Decoder[T], data: Frame | msgspec.Raw, what: str, *, symbol: Symbol | None = None, affects_books: bool = True
) -> T:
    """Decode `data`, which is `what` in an error's text.

    Raises:
        ProtocolError: it is not that, with `symbol` and `affects_books` as given.
    """
    try:
        return decoder.decode(data)
    except UNREADABLE as error:
        raise ProtocolError(f"{what} that cannot be read: {error}", symbol=symbol, affects_books=affects_books) from error
