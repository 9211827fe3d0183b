"""Public REST endpoints: the market."""

from __future__ import annotations

from typing import Any

from market.symbol import Symbol
from simulated.faults import Operation
from simulated.okx import encoding
from simulated.okx.encoding import Json
from simulated.okx.errors import parameter_error
from simulated.okx.fields import whole_number
from simulated.okx.rate_limits import PUBLIC_BOOKS, PUBLIC_INSTRUMENTS, PUBLIC_MARKET, PUBLIC_TIME
from simulated.okx.rest_call import Endpoint, RestCall
from simulated.okx.venue import OkxVenue
from simulated.tape import INTERVAL_SECONDS
from simulated.venue import text_of


class PublicRest:
    """Answers about time, instruments, books, tickers, trades and candles."""

    def __init__(self, venue: OkxVenue) -> None:
        self._venue = venue

    def endpoints(self) -> list[Endpoint]:
        table = {
            "/public/time": (self.time, PUBLIC_TIME),
            "/public/instruments": (self.instruments, PUBLIC_INSTRUMENTS),
            "/system/status": (self.nothing, PUBLIC_MARKET),
            "/market/books": (self.books, PUBLIC_BOOKS),
            "/market/ticker": (self.ticker, PUBLIC_MARKET),
            "/market/tickers": (self.tickers, PUBLIC_MARKET),
            "/market/trades": (self.trades, PUBLIC_MARKET),
            "/market/candles": (self.candles, PUBLIC_MARKET),
            "/market/history-candles": (self.candles, PUBLIC_MARKET),
        }
        public = [
            Endpoint(method="GET", path=path, handler=handler, operation=Operation.MARKET_DATA, group=group)
            for path, (handler, group) in table.items()
        ]
        of_accounts = Endpoint(
            method="GET",
            path="/account/instruments",
            handler=self.instruments,
            operation=Operation.MARKET_DATA,
            group=PUBLIC_INSTRUMENTS,
            is_private=True,
        )
        return [*public, of_accounts]

    def time(self, call: RestCall) -> list[Json]:
        return [{"ts": str(self._venue.now())}]

    def nothing(self, call: RestCall) -> list[Any]:
        """No maintenance is planned."""
        return []

    def instruments(self, call: RestCall) -> list[Json]:
        """The same for everybody, and for accounts on another path."""
        kind = text_of(call.query, "instType")
        if kind not in ("SPOT", "SWAP", "FUTURES", "OPTION", "MARGIN"):
            raise parameter_error("instType")
        if kind != self._venue.instrument_type:
            return []
        asked, family = text_of(call.query, "instId"), text_of(call.query, "instFamily")
        symbols = [*self._venue.listings] if asked is None else [self._venue.symbol(asked)]
        return [self._venue.instrument(one) for one in symbols if family in (None, f"{one.base}-{one.quote}")]

    def books(self, call: RestCall) -> list[Json]:
        symbol = self._symbol(call)
        depth = whole_number(call.query, "sz", 1)
        if not 1 <= depth <= 400:
            raise parameter_error("sz")
        book = self._venue.snapshots.of(symbol)
        listing = self._venue.listings[symbol]
        bids, asks = encoding.levels(listing, book.bids, depth), encoding.levels(listing, book.asks, depth)
        return [
            {
                "asks": asks,
                "bids": bids,
                "ts": str(book.updated_at_milliseconds or self._venue.now()),
                "seqId": book.update_id,
            }
        ]

    def ticker(self, call: RestCall) -> list[Json]:
        return [self._venue.ticker(self._symbol(call))]

    def tickers(self, call: RestCall) -> list[Json]:
        if text_of(call.query, "instType") is None:
            raise parameter_error("instType")
        if call.query["instType"] != self._venue.instrument_type:
            return []
        return [self._venue.ticker(symbol) for symbol in self._venue.listings]

    def trades(self, call: RestCall) -> list[Json]:
        symbol = self._symbol(call)
        limit = min(500, whole_number(call.query, "limit", 100))
        listing = self._venue.listings[symbol]
        return [encoding.public_trade(listing, trade) for trade in reversed(self._venue.tapes[symbol].trades)][:limit]

    def candles(self, call: RestCall) -> list[list[str]]:
        symbol = self._symbol(call)
        interval = encoding.BARS.get(text_of(call.query, "bar") or "1m")
        if interval is None:
            raise parameter_error("bar")
        after, before = whole_number(call.query, "after", 1 << 60), whole_number(call.query, "before", -1)
        candles = [one for one in self._venue.tapes[symbol].candles(interval) if before < one.start_seconds * 1000 < after]
        limit = min(300, whole_number(call.query, "limit", 100))
        return [self._venue.candle(symbol, one, INTERVAL_SECONDS[interval]) for one in reversed(candles)][:limit]

    def _symbol(self, call: RestCall) -> Symbol:
        return self._venue.symbol(text_of(call.query, "instId"))
