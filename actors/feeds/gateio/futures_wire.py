"""The messages of Gate.io futures' public side that are its own: only the fields that are used, checked as they are decoded.

References as in `actors.feeds.gateio.futures`. What it shares with spot is in `actors.feeds.gateio.wire`. Sizes are numbers
of contracts, signed where they have a side; they are JSON integers unless the header `SIZE_HEADER` asked for decimal strings,
so both are read.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import msgspec

from actors.feeds.gateio.wire import Book, Milliseconds, Price, Quantity, Snapshot

_SignedQuantity = Annotated[float, msgspec.Meta(gt=-1e30, lt=1e30)]
_Seconds = Annotated[int, msgspec.Meta(ge=0, lt=10**12)]


class Level(msgspec.Struct, gc=False):
    price: Price = msgspec.field(name="p")
    size: Quantity = msgspec.field(name="s")


class Trade(msgspec.Struct):
    """`size` is positive when the taker bought. An internal trade did not happen in the book: the insurance fund, deleveraging."""

    id: int | str
    contract: str
    size: _SignedQuantity
    price: Price
    create_time_ms: Milliseconds
    is_internal: bool = False


class Ticker(msgspec.Struct):
    """Prices are empty while there are none. It has no best prices, and older servers do not tell when funding is due."""

    contract: str
    last: str = ""
    mark_price: str = ""
    funding_rate: str = ""
    funding_next_apply: _Seconds = 0
    volume_24h_base: Quantity | None = None
    volume_24h_quote: Quantity | None = None


class Liquidation(msgspec.Struct):
    """`size` is that of the order that liquidates: negative where a long position is sold."""

    contract: str
    size: _SignedQuantity
    price: Price


class Kind(msgspec.Struct):
    """What tells whether a contract is one of those that are read."""

    name: str
    type: str = ""


class Contract(msgspec.Struct):
    """Sizes are numbers of contracts."""

    name: str
    quanto_multiplier: Decimal
    order_price_round: Decimal
    order_size_min: Decimal
    order_size_max: Decimal
    leverage_max: Decimal | None = None
    status: str = "trading"
    in_delisting: bool = False


BOOKS = msgspec.json.Decoder(Book[Level], strict=False)
SNAPSHOTS = msgspec.json.Decoder(Snapshot[Level], strict=False)
TRADES = msgspec.json.Decoder(list[Trade], strict=False)
TICKERS = msgspec.json.Decoder(list[Ticker], strict=False)
LIQUIDATIONS = msgspec.json.Decoder(list[Liquidation], strict=False)
LISTED = msgspec.json.Decoder(list[msgspec.Raw])
KINDS = msgspec.json.Decoder(Kind)
CONTRACTS = msgspec.json.Decoder(Contract, strict=False)
