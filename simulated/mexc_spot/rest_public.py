"""Public REST endpoints: the market."""

from __future__ import annotations

from typing import Any

from market.symbol import Symbol
from simulated.faults import Operation
from simulated.mexc_spot import encoding
from simulated.mexc_spot.encoding import Json
from simulated.mexc_spot.errors import illegal
from simulated.mexc_spot.rest_call import Endpoint, RestCall
from simulated.mexc_spot.venue import MexcVenue
from simulated.numbers import whole_number_of
from simulated.tape import INTERVAL_SECONDS
from simulated.venue import levels, text_of

_BOOK_LIMIT_MAX = 5_000
_TRADES_LIMIT_MAX = 1_000
_CANDLE_LIMIT_MAX = 500
# Months are left out: the tape has none of that length.
_INTERVALS = {"1m": "1m", "5m": "5m", "15m": "15m", "30m": "30m", "60m": "1h", "4h": "4h", "1d": "1d", "1W": "7d"}


class PublicRest:
    """Answers about time, symbols, books, tickers, trades and candles."""

    def __init__(self, venue: MexcVenue) -> None:
        self._venue = venue

    def endpoints(self) -> list[Endpoint]:
        table = {
            "/ping": (1, self.ping),
            "/time": (1, self.time),
            "/defaultSymbols": (1, self.default_symbols),
            "/symbol/offline": (10, self.offline_symbols),
            "/exchangeInfo": (25, self.exchange_info),
            "/depth": (3, self.depth),
            "/trades": (5, self.trades),
            "/aggTrades": (1, self.aggregated_trades),
            "/klines": (1, self.candles),
            "/avgPrice": (1, self.average_price),
            "/ticker/24hr": (25, self.day_tickers),
            "/ticker/price": (10, self.prices),
            "/ticker/bookTicker": (10, self.book_tickers),
        }
        return [
            Endpoint(method="GET", path=path, handler=handler, operation=Operation.MARKET_DATA, weight=weight)
            for path, (weight, handler) in table.items()
        ]

    def ping(self, call: RestCall) -> Json:
        return {}

    def time(self, call: RestCall) -> Json:
        return {"serverTime": self._venue.now()}

    def default_symbols(self, call: RestCall) -> Json:
        return {"code": 200, "data": list(self._venue.symbols), "msg": None}

    def offline_symbols(self, call: RestCall) -> Json:
        return {"code": 200, "data": [], "msg": None}

    def exchange_info(self, call: RestCall) -> Json:
        account = self._venue.settings.accounts[0]
        symbols = [encoding.exchange_symbol(self._venue.engine.instruments[symbol], account) for symbol in self._chosen(call)]
        return {"timezone": "CST", "serverTime": self._venue.now(), "rateLimits": [], "exchangeFilters": [], "symbols": symbols}

    def depth(self, call: RestCall) -> Json:
        book = self._venue.snapshots.of(self._symbol(call))
        limit = self._limit(call, 100, _BOOK_LIMIT_MAX)
        return {
            "lastUpdateId": book.update_id,
            "bids": levels(book.bids.levels(limit)),
            "asks": levels(book.asks.levels(limit)),
            "timestamp": self._venue.now(),
        }

    def trades(self, call: RestCall) -> list[Json]:
        tape = self._venue.tapes[self._symbol(call)]
        recent = list(tape.trades)[-self._limit(call, 500, _TRADES_LIMIT_MAX) :]
        return [encoding.public_trade(trade) for trade in reversed(recent)]

    def aggregated_trades(self, call: RestCall) -> list[Json]:
        tape = self._venue.tapes[self._symbol(call)]
        recent = list(tape.trades)[-self._limit(call, 500, _TRADES_LIMIT_MAX) :]
        return [encoding.aggregated_trade(trade) for trade in reversed(recent)]

    def candles(self, call: RestCall) -> list[list[Any]]:
        symbol, interval = self._symbol(call), _INTERVALS.get(text_of(call.fields, "interval") or "")
        if interval is None:
            raise illegal("interval")
        limit = self._limit(call, _CANDLE_LIMIT_MAX, _CANDLE_LIMIT_MAX)
        return [encoding.candle(candle, INTERVAL_SECONDS[interval]) for candle in self._venue.tapes[symbol].candles(interval)[-limit:]]

    def average_price(self, call: RestCall) -> Json:
        return {"mins": 5, "price": self._day(self._symbol(call))["lastPrice"]}

    def day_tickers(self, call: RestCall) -> Json | list[Json]:
        return self._each(call, [self._day(symbol) for symbol in self._chosen(call)])

    def prices(self, call: RestCall) -> Json | list[Json]:
        days = [self._day(symbol) for symbol in self._chosen(call)]
        return self._each(call, [{"symbol": day["symbol"], "price": day["lastPrice"]} for day in days])

    def book_tickers(self, call: RestCall) -> Json | list[Json]:
        return self._each(call, [self._best(symbol) for symbol in self._chosen(call)])

    def _day(self, symbol: Symbol) -> Json:
        return encoding.day_ticker(symbol, self._venue.tapes[symbol], self._best(symbol), self._venue.now())

    def _best(self, symbol: Symbol) -> Json:
        book = self._venue.engine.books[symbol]
        bids, asks = levels(book.bids.levels(1)), levels(book.asks.levels(1))
        bid, ask = bids[0] if bids else [None, None], asks[0] if asks else [None, None]
        return {"symbol": encoding.wire(symbol), "bidPrice": bid[0], "bidQty": bid[1], "askPrice": ask[0], "askQty": ask[1]}

    def _symbol(self, call: RestCall) -> Symbol:
        return self._venue.symbol(text_of(call.fields, "symbol"))

    def _chosen(self, call: RestCall) -> list[Symbol]:
        """The symbols that are named, or all."""
        names = text_of(call.fields, "symbols") or text_of(call.fields, "symbol")
        return list(self._venue.engine.instruments) if names is None else [self._venue.symbol(name) for name in names.split(",")]

    @staticmethod
    def _each(call: RestCall, items: list[Json]) -> Json | list[Json]:
        """An object for one symbol, a list otherwise."""
        return items[0] if text_of(call.fields, "symbol") else items

    @staticmethod
    def _limit(call: RestCall, default: int, limit_max: int) -> int:
        text = text_of(call.fields, "limit")
        number = default if text is None else whole_number_of(text)
        if not number:
            raise illegal("limit")
        return min(number, limit_max)
