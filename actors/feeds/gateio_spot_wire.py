"""The messages of Gate.io spot's public side: only the fields that are used, checked as they are decoded.

References as in `actors.feeds.gateio_spot`. Numbers may come as JSON numbers or as strings of decimals.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, TypeVar

import msgspec

from actors.feeds.codec import Frame, ProtocolError
from market.symbol import Symbol

T = TypeVar("T")

# The bounds keep NaN, infinity and negative numbers out of books; the C decoder checks them at no measurable cost.
_Price = Annotated[float, msgspec.Meta(gt=0.0, lt=1e18)]
_Quantity = Annotated[float, msgspec.Meta(ge=0.0, lt=1e30)]
_Level = tuple[_Price, _Quantity]
_Levels = list[_Level]
_Sequence = Annotated[int, msgspec.Meta(ge=0)]
_Milliseconds = Annotated[float, msgspec.Meta(ge=0.0, lt=1e15)]
_Decimals = Annotated[int, msgspec.Meta(ge=0, le=40)]


class Error(msgspec.Struct):
    message: str = ""
    code: int = 0


class Envelope(msgspec.Struct):
    channel: str = ""
    event: str = ""
    id: int | None = None
    error: Error | None = None
    result: msgspec.Raw = msgspec.Raw(b"null")
    type: str = ""  # of the bare upgrade notice
    msg: str = ""


class Book(msgspec.Struct):
    s: str
    last: _Sequence = msgspec.field(name="u")
    first: _Sequence | None = msgspec.field(name="U", default=None)  # only a full push may lack it
    b: _Levels = []
    a: _Levels = []
    t: int = 0
    full: bool = False


class BookSymbol(msgspec.Struct):
    s: str


class Trade(msgspec.Struct):
    id: int | str
    currency_pair: str
    side: Literal["buy", "sell"]
    amount: _Quantity
    price: _Price
    create_time_ms: _Milliseconds


class Ticker(msgspec.Struct):
    currency_pair: str
    last: str
    lowest_ask: str
    highest_bid: str
    base_volume: _Quantity
    quote_volume: _Quantity


class Status(msgspec.Struct):
    status: str = "success"


class Notice(msgspec.Struct):
    type: str = ""
    msg: str = ""


class Snapshot(msgspec.Struct):
    id: _Sequence
    bids: _Levels
    asks: _Levels
    update: int = 0


class CurrencyPair(msgspec.Struct):
    id: str
    precision: _Decimals
    amount_precision: _Decimals
    min_base_amount: Decimal | None = None
    min_quote_amount: Decimal | None = None
    max_base_amount: Decimal | None = None
    max_quote_amount: Decimal | None = None
    trade_status: str = "tradable"


class Refusal(msgspec.Struct):
    label: str = ""
    message: str = ""


class Request(msgspec.Struct, omit_defaults=True):
    time: int
    channel: str
    id: int | None = None
    event: str = ""
    payload: list[str] | None = None


ENVELOPES = msgspec.json.Decoder(Envelope)
BOOKS = msgspec.json.Decoder(Book, strict=False)
BOOK_SYMBOLS = msgspec.json.Decoder(BookSymbol)
TRADES = msgspec.json.Decoder(Trade, strict=False)
TICKERS = msgspec.json.Decoder(Ticker, strict=False)
STATUSES = msgspec.json.Decoder(Status)
NOTICES = msgspec.json.Decoder(Notice)
SNAPSHOTS = msgspec.json.Decoder(Snapshot, strict=False)
CURRENCY_PAIRS = msgspec.json.Decoder(list[CurrencyPair], strict=False)
REFUSALS = msgspec.json.Decoder(Refusal)


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


def ticker_prices(ticker: Ticker) -> tuple[float, float, float] | None:
    """Last, bid and ask. None for a pair that has not traded or has an empty side: Gate.io then leaves them empty.

    Raises:
        ProtocolError: one of them is not a price.
    """
    texts = (ticker.last, ticker.highest_bid, ticker.lowest_ask)
    if not all(texts):
        return None
    try:
        return msgspec.convert(texts, tuple[_Price, _Price, _Price], strict=False)
    except msgspec.ValidationError as error:
        raise ProtocolError(f"a ticker with an impossible price: {error}", affects_books=False) from error
