"""Public REST endpoints: the contracts and their market."""

from __future__ import annotations

from typing import Any

from market.symbol import Symbol
from simulated.gateio.order_fields import Json, seconds_bound
from simulated.gateio.rest_call import Endpoint, RestCall, public_endpoint
from simulated.gateio.session import SIZE_HEADER
from simulated.gateio_futures import contract_encoding, encoding
from simulated.gateio_futures.errors import invalid_parameter
from simulated.gateio_futures.sizes import SizeStyle, seconds
from simulated.gateio_futures.venue import SETTLE, GateFuturesVenue
from simulated.tape import INTERVAL_SECONDS
from simulated.venue import text_of

FUTURES_PREFIX = f"/futures/{SETTLE}"
_BOOK_LIMIT_MAX = 300
_CANDLE_LIMIT_MAX = 2_000
_FUNDING_WINDOW_SECONDS = 30 * 86_400
_FUNDING_SECONDS_MAX = 180 * 86_400


class FuturesPublicRest:
    """Answers about contracts, books, tickers, trades, candles and funding."""

    def __init__(self, venue: GateFuturesVenue) -> None:
        self._venue = venue

    def endpoints(self) -> list[Endpoint]:
        table = {
            "/contracts": self.contracts,
            "/contracts/{contract}": self.contract,
            "/order_book": self.order_book,
            "/tickers": self.tickers,
            "/trades": self.trades,
            "/candlesticks": self.candlesticks,
            "/funding_rate": self.funding_rate,
        }
        return [
            *(public_endpoint(FUTURES_PREFIX + path, handler) for path, handler in table.items()),
            public_endpoint("/futures/btc/contracts", self.nothing),
        ]

    def nothing(self, call: RestCall) -> list[Any]:
        """Contracts settled in coins are not offered here; clients that ask for them get none."""
        return []

    def contracts(self, call: RestCall) -> list[Json]:
        found = [contract_encoding.contract(self._venue, symbol, style_of(call)) for symbol in self._venue.symbols.values()]
        return call.window(found, call.whole_number("offset", 0, 0, 1 << 30), call.limit(1_000, 1_000))

    def contract(self, call: RestCall) -> Json:
        return contract_encoding.contract(self._venue, self._venue.symbol(call.path["contract"]), style_of(call))

    def order_book(self, call: RestCall) -> Json:
        symbol = self._symbol(call)
        if (text_of(call.query, "interval") or "0") != "0":
            raise invalid_parameter("interval", call.query["interval"])  # nothing is merged here
        limit = call.limit(10, _BOOK_LIMIT_MAX)
        book, instrument, style = self._venue.snapshots.of(symbol), self._venue.instrument(symbol), style_of(call)
        answer: Json = {
            "current": seconds(self._venue.now()),
            "update": seconds(book.updated_at_milliseconds),
            "asks": encoding.levels(book.asks.levels(limit), instrument, style),
            "bids": encoding.levels(book.bids.levels(limit), instrument, style),
        }
        return {"id": book.update_id, **answer} if text_of(call.query, "with_id") == "true" else answer

    def tickers(self, call: RestCall) -> list[Json]:
        contract = text_of(call.query, "contract")
        symbols = list(self._venue.symbols.values()) if contract is None else [self._venue.symbol(contract)]
        return [contract_encoding.ticker(self._venue, symbol) for symbol in symbols]

    def trades(self, call: RestCall) -> list[Json]:
        symbol = self._symbol(call)
        since, until = seconds_bound(call.query, "from", 0), seconds_bound(call.query, "to", 1 << 40)
        last_id = call.whole_number("last_id", 0, 0, 1 << 60)
        trades = [trade for trade in self._venue.tapes[symbol].trades if since <= trade.at_milliseconds // 1000 <= until]
        if last_id:
            trades = [trade for trade in trades if trade.id < last_id]
        trades.reverse()
        page = call.window(trades, call.whole_number("offset", 0, 0, 1 << 30), call.limit(100, 1_000))
        instrument, style = self._venue.instrument(symbol), style_of(call)
        return [encoding.public_trade(symbol, trade, instrument, style) for trade in page]

    def candlesticks(self, call: RestCall) -> list[Json]:
        symbol = self._symbol(call)
        interval = text_of(call.query, "interval") or "5m"
        if interval not in INTERVAL_SECONDS:
            raise invalid_parameter("interval", interval)
        has_range = "from" in call.query or "to" in call.query
        if has_range and "limit" in call.query:
            raise invalid_parameter("limit", call.query["limit"])  # conflicts with from and to
        since, until = seconds_bound(call.query, "from", 0), seconds_bound(call.query, "to", 1 << 40)
        candles = [candle for candle in self._venue.tapes[symbol].candles(interval) if since <= candle.start_seconds <= until]
        limit = _CANDLE_LIMIT_MAX if has_range else call.limit(100, _CANDLE_LIMIT_MAX)
        instrument, style = self._venue.instrument(symbol), style_of(call)
        return [encoding.candle(candle, instrument, style) for candle in candles[-limit:]]

    def funding_rate(self, call: RestCall) -> list[Json]:
        """The window is 30 days long unless both of its ends are given, and goes back 180 days at the most."""
        symbol = self._symbol(call)
        now_seconds = self._venue.now() // 1000
        limit = call.limit(100, 1_000)
        since = seconds_bound(call.query, "from", now_seconds - _FUNDING_WINDOW_SECONDS)
        if since < now_seconds - _FUNDING_SECONDS_MAX:
            raise invalid_parameter("from", str(since))
        until = seconds_bound(call.query, "to", min(now_seconds, since + _FUNDING_WINDOW_SECONDS))
        return contract_encoding.funding_history(self._venue, symbol, since, until)[:limit]

    def _symbol(self, call: RestCall) -> Symbol:
        return self._venue.symbol(text_of(call.query, "contract"))


def style_of(call: RestCall) -> SizeStyle:
    return SizeStyle(is_decimal=call.headers.get(SIZE_HEADER) == "1")
