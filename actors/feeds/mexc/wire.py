"""The messages of MEXC spot's public side: only the fields that are used, checked as they are decoded.

References as in `actors.feeds.mexc.spot`. Pushes are protobuf (`exchanges/mexc_spot_push.proto`), everything else is JSON. Decimal
numbers are text in both.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Protocol

import msgspec
from google.protobuf.message import DecodeError

from actors.feeds.codec import ProtocolError
from actors.feeds.reading import UNREADABLE
from exchanges.mexc_spot_push_pb2 import Push
from market.events import Level
from market.symbol import Symbol

# The bounds keep NaN, infinity and negative numbers out of books.
_Price = Annotated[float, msgspec.Meta(gt=0.0, lt=1e18)]
_Quantity = Annotated[float, msgspec.Meta(ge=0.0, lt=1e30)]
_Levels = list[tuple[_Price, _Quantity]]
_Sequence = Annotated[int, msgspec.Meta(ge=0)]
_Decimals = Annotated[int, msgspec.Meta(ge=0, le=40)]


class Control(msgspec.Struct):
    """The answer to a request on the websocket. `code` is 0 for refusals, too: only the text tells."""

    id: int = 0
    code: int = 0
    msg: str = ""


class Request(msgspec.Struct, omit_defaults=True):
    method: str
    params: list[str] = []
    id: int = 0


class Snapshot(msgspec.Struct):
    sequence: _Sequence = msgspec.field(name="lastUpdateId")
    bids: _Levels
    asks: _Levels
    timestamp: int = 0  # not documented, and not always there


class Pair(msgspec.Struct, rename="camel"):
    """An entry of exchangeInfo. `base_size_precision` is, despite its name, the least quantity, and may be 0."""

    symbol: str
    base_asset: str
    quote_asset: str
    quote_precision: _Decimals
    base_asset_precision: _Decimals
    base_size_precision: Decimal = Decimal(0)
    quote_amount_precision: Decimal = Decimal(0)  # the least notional of limit orders
    quote_amount_precision_market: Decimal = Decimal(0)
    max_quote_amount: Decimal | None = None
    max_quote_amount_market: Decimal | None = None
    status: str | int = ""
    trade_side_type: int = 1


class Pairs(msgspec.Struct):
    symbols: list[Pair]


class Refusal(msgspec.Struct):
    code: int = 0
    msg: str = ""


CONTROLS = msgspec.json.Decoder(Control, strict=False)
SNAPSHOTS = msgspec.json.Decoder(Snapshot, strict=False)
PAIRS = msgspec.json.Decoder(Pairs, strict=False)
REFUSALS = msgspec.json.Decoder(Refusal, strict=False)


class LevelMessage(Protocol):
    """Anything with a price and a quantity in text."""

    @property
    def price(self) -> str: ...

    @property
    def quantity(self) -> str: ...


def read_push(data: bytes) -> Push:
    """
    Raises:
        ProtocolError: `data` is not one protobuf message.
    """
    try:
        return Push.FromString(data)
    except DecodeError as error:
        raise ProtocolError(f"a binary frame that is no protobuf message: {error}") from error


def read_levels(messages: Iterable[LevelMessage], what: str, *, symbol: Symbol | None, affects_books: bool = True) -> list[Level]:
    """
    Raises:
        ProtocolError: one of them has an impossible price or quantity.
    """
    try:
        return msgspec.convert([(message.price, message.quantity) for message in messages], _Levels, strict=False)
    except UNREADABLE as error:
        raise ProtocolError(f"{what} with an impossible level: {error}", symbol=symbol, affects_books=affects_books) from error


def read_version(text: str, *, symbol: Symbol) -> int:
    """A book's version, which is a number in text.

    Raises:
        ProtocolError: it is none.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise ProtocolError(f"a book update whose version is {text[:40]!r}", symbol=symbol)
    return int(text)
