"""The messages of OKX's public side: only the fields that are used, checked as they are decoded. For spot and swap alike.

References as in `actors.feeds.okx.codec`. Numbers are text on the wire and an empty text means "none"; sequence numbers and
checksums are JSON integers. Sizes are in base units on spot and in contracts on swap.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

import msgspec

from actors.feeds.codec import ProtocolError
from actors.feeds.reading import decode
from market.symbol import Symbol

T = TypeVar("T")

# The bounds keep NaN, infinity and negative numbers out of books; the C decoder checks them at no measurable cost.
_Price = Annotated[float, msgspec.Meta(gt=0.0, lt=1e18)]
_Quantity = Annotated[float, msgspec.Meta(ge=0.0, lt=1e30)]
_Sequence = Annotated[int, msgspec.Meta(ge=0)]
_Milliseconds = Annotated[int, msgspec.Meta(ge=0, lt=10**15)]


class Arg(msgspec.Struct):
    """What a subscription, its answer and its pushes are about."""

    channel: str = ""
    instrument: str = msgspec.field(name="instId", default="")


class Envelope(msgspec.Struct):
    """Any frame of JSON. `event` is of the control frames, `arg` of their subject and of pushes."""

    event: str = ""
    arg: Arg | None = None
    action: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")
    id: str | None = None
    code: str = ""
    message: str = msgspec.field(name="msg", default="")


class Level(msgspec.Struct, array_like=True, gc=False):
    """Price, quantity, and more that is not used: an always absent figure and the number of orders."""

    price: _Price
    quantity: _Quantity


class LevelText(msgspec.Struct, array_like=True, gc=False):
    """A level as it was written, which is what checksums are about."""

    price: str
    quantity: str


class Book(msgspec.Struct):
    bids: list[Level]
    asks: list[Level]
    milliseconds: _Milliseconds = msgspec.field(name="ts")
    sequence: _Sequence = msgspec.field(name="seqId")
    previous_sequence: Annotated[int, msgspec.Meta(ge=-1)] = msgspec.field(name="prevSeqId", default=-1)
    checksum: int = 0


class BookTexts(msgspec.Struct):
    bids: list[LevelText]
    asks: list[LevelText]


class Snapshot(msgspec.Struct):
    """REST's book. Its number is missing in documentation before 2026."""

    bids: list[Level]
    asks: list[Level]
    milliseconds: _Milliseconds = msgspec.field(name="ts")
    sequence: _Sequence = msgspec.field(name="seqId", default=0)


class Trade(msgspec.Struct):
    id: str = msgspec.field(name="tradeId")
    price: _Price = msgspec.field(name="px")
    quantity: _Quantity = msgspec.field(name="sz")
    side: Literal["buy", "sell"]
    milliseconds: _Milliseconds = msgspec.field(name="ts")


class Ticker(msgspec.Struct):
    """Volumes of a day. Of spot, `vol24h` is in base units and `volCcy24h` in quote units; of swaps, in contracts and in base units."""

    last: str
    bid: str = msgspec.field(name="bidPx")
    ask: str = msgspec.field(name="askPx")
    size_volume: _Quantity = msgspec.field(name="vol24h")
    currency_volume: _Quantity = msgspec.field(name="volCcy24h")


class MarkPrice(msgspec.Struct):
    """Empty, like the figures of a funding rate, for what is not trading yet."""

    price: str = msgspec.field(name="markPx")


class FundingRate(msgspec.Struct):
    """`rate` applies at `due`, in milliseconds."""

    rate: str = msgspec.field(name="fundingRate")
    due: str = msgspec.field(name="fundingTime")


class Liquidation(msgspec.Struct):
    """`side` is that of the order that closes the position, `price` the one at which the position is bankrupt."""

    side: Literal["buy", "sell"]
    price: _Price = msgspec.field(name="bkPx")
    quantity: _Quantity = msgspec.field(name="sz")


class Liquidations(msgspec.Struct):
    """Of one instrument; `details` are read of those that we follow only."""

    instrument: str = msgspec.field(name="instId")
    details: msgspec.Raw


class Listing(msgspec.Struct):
    """An instrument. Placeholders of what is not open yet have empty fields; those from `ctVal` on are of contracts."""

    instrument: str = msgspec.field(name="instId", default="")
    price_tick: str = msgspec.field(name="tickSz", default="")
    quantity_step: str = msgspec.field(name="lotSz", default="")
    quantity_min: str = msgspec.field(name="minSz", default="")
    limit_quantity_max: str = msgspec.field(name="maxLmtSz", default="")
    limit_dollars_max: str = msgspec.field(name="maxLmtAmt", default="")
    state: str = ""
    contract_value: str = msgspec.field(name="ctVal", default="")
    contract_multiplier: str = msgspec.field(name="ctMult", default="")
    contract_value_asset: str = msgspec.field(name="ctValCcy", default="")
    contract_kind: str = msgspec.field(name="ctType", default="")
    settlement_asset: str = msgspec.field(name="settleCcy", default="")
    leverage_max: str = msgspec.field(name="lever", default="")


class Answer(msgspec.Struct):
    """Around every REST answer. `code` 0 is success, whatever the HTTP status of anything else."""

    code: str
    message: str = msgspec.field(name="msg", default="")
    data: msgspec.Raw = msgspec.Raw(b"null")


class Request(msgspec.Struct):
    id: str
    op: str
    args: list[dict[str, str]]


ENVELOPES = msgspec.json.Decoder(Envelope)
BOOKS = msgspec.json.Decoder(list[Book], strict=False)
BOOK_TEXTS = msgspec.json.Decoder(list[BookTexts])
SNAPSHOTS = msgspec.json.Decoder(list[Snapshot], strict=False)
TRADES = msgspec.json.Decoder(list[Trade], strict=False)
TICKERS = msgspec.json.Decoder(list[Ticker], strict=False)
MARK_PRICES = msgspec.json.Decoder(list[MarkPrice])
FUNDING_RATES = msgspec.json.Decoder(list[FundingRate])
LIQUIDATIONS = msgspec.json.Decoder(list[Liquidations])
LIQUIDATION_DETAILS = msgspec.json.Decoder(list[Liquidation], strict=False)
LISTINGS = msgspec.json.Decoder(list[Listing])
ANSWERS = msgspec.json.Decoder(Answer)


def decode_data(decoder: msgspec.json.Decoder[list[T]], body: bytes, what: str, *, symbol: Symbol | None = None) -> list[T]:
    """The data of a REST answer.

    Raises:
        ProtocolError: it has none of that kind.
    """
    return decode(decoder, decode(ANSWERS, body, what, symbol=symbol).data, what, symbol=symbol)


def ticker_prices(ticker: Ticker) -> tuple[float, float, float] | None:
    """Last, bid and ask. None for an instrument that has not traded or has an empty side: they are then empty.

    Raises:
        ProtocolError: one of them is not a price.
    """
    texts = (ticker.last, ticker.bid, ticker.ask)
    if not all(texts):
        return None
    try:
        return msgspec.convert(texts, tuple[_Price, _Price, _Price], strict=False)
    except msgspec.ValidationError as error:
        raise ProtocolError(f"a ticker with an impossible price: {error}", affects_books=False) from error
