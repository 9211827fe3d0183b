"""The messages of Gate.io spot's public side that are its own: only the fields that are used, checked as they are decoded.

References as in `actors.feeds.gateio.spot`. What it shares with futures is in `actors.feeds.gateio.wire`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from actors.feeds.codec import ProtocolError
from actors.feeds.gateio.wire import Book, Milliseconds, Price, Quantity, Snapshot

_Level = tuple[Price, Quantity]
_Decimals = Annotated[int, msgspec.Meta(ge=0, le=40)]


class Trade(msgspec.Struct):
    id: int | str
    currency_pair: str
    side: Literal["buy", "sell"]
    amount: Quantity
    price: Price
    create_time_ms: Milliseconds


class Ticker(msgspec.Struct):
    currency_pair: str
    last: str
    lowest_ask: str
    highest_bid: str
    base_volume: Quantity
    quote_volume: Quantity


class CurrencyPair(msgspec.Struct):
    id: str
    precision: _Decimals
    amount_precision: _Decimals
    min_base_amount: Decimal | None = None
    min_quote_amount: Decimal | None = None
    max_base_amount: Decimal | None = None
    max_quote_amount: Decimal | None = None
    trade_status: str = "tradable"


BOOKS = msgspec.json.Decoder(Book[_Level], strict=False)
TRADES = msgspec.json.Decoder(Trade, strict=False)
TICKERS = msgspec.json.Decoder(Ticker, strict=False)
SNAPSHOTS = msgspec.json.Decoder(Snapshot[_Level], strict=False)
CURRENCY_PAIRS = msgspec.json.Decoder(list[CurrencyPair], strict=False)


def ticker_prices(ticker: Ticker) -> tuple[float, float, float] | None:
    """Last, bid and ask. None for a pair that has not traded or has an empty side: Gate.io then leaves them empty.

    Raises:
        ProtocolError: one of them is not a price.
    """
    texts = (ticker.last, ticker.highest_bid, ticker.lowest_ask)
    if not all(texts):
        return None
    try:
        return msgspec.convert(texts, tuple[Price, Price, Price], strict=False)
    except msgspec.ValidationError as error:
        raise ProtocolError(f"a ticker with an impossible price: {error}", affects_books=False) from error
