"""Public REST endpoints: the market."""

from __future__ import annotations

from typing import Any

from market.symbol import Symbol
from simulated.gateio.errors import GateError
from simulated.gateio.order_fields import Json, seconds_bound
from simulated.gateio.rest_call import Endpoint, RestCall, public_endpoint
from simulated.gateio_spot import encoding
from simulated.gateio_spot.venue import GateSpotVenue
from simulated.tape import INTERVAL_SECONDS
from simulated.venue import text_of

_BOOK_LIMIT_MAX = 1_000
_CANDLE_LIMIT_MAX = 1_000


class PublicRest:
    """Answers about pairs, books, tickers, trades and candles."""

    def __init__(self, venue: GateSpotVenue) -> None:
        self._venue = venue

    def endpoints(self) -> list[Endpoint]:
        table = {
            "/spot/currency_pairs": self.currency_pairs,
            "/spot/currency_pairs/{pair}": self.currency_pair,
            "/spot/order_book": self.order_book,
            "/spot/tickers": self.tickers,
            "/spot/trades": self.trades,
            "/spot/candlesticks": self.candlesticks,
            "/margin/currency_pairs": self.nothing,
            "/margin/uni/currency_pairs": self.nothing,
        }
        return [public_endpoint(path, handler) for path, handler in table.items()]

    def nothing(self, call: RestCall) -> list[Any]:
        """Margin is not offered here; clients that ask for its pairs get none."""
        return []

    def currency_pairs(self, call: RestCall) -> list[Json]:
        return [self._pair(symbol) for symbol in self._venue.symbols.values()]

    def currency_pair(self, call: RestCall) -> Json:
        return self._pair(self._venue.symbol(call.path["pair"]))

    def _pair(self, symbol: Symbol) -> Json:
        taker_fee = self._venue.settings.accounts[0].taker_fee
        return encoding.currency_pair(self._venue.engine.instruments[symbol], taker_fee)

    def order_book(self, call: RestCall) -> Json:
        symbol = self._venue.symbol(text_of(call.query, "currency_pair"))
        if (text_of(call.query, "interval") or "0") != "0":
            raise GateError("INVALID_PARAM_VALUE", "only interval 0 is offered")
        limit = call.limit(10, _BOOK_LIMIT_MAX)
        book = self._venue.snapshots.of(symbol)
        answer: Json = {
            "current": self._venue.now(),
            "update": book.updated_at_milliseconds,
            "asks": encoding.levels(book.asks.levels(limit)),
            "bids": encoding.levels(book.bids.levels(limit)),
        }
        return {"id": book.update_id, **answer} if text_of(call.query, "with_id") == "true" else answer

    def tickers(self, call: RestCall) -> list[Json]:
        pair = text_of(call.query, "currency_pair")
        if pair is None:
            return [self._ticker(symbol) for symbol in self._venue.symbols.values()]
        symbol = self._venue.symbol(pair)
        book = self._venue.engine.books[symbol]
        bid, ask = encoding.levels(book.bids.levels(1)), encoding.levels(book.asks.levels(1))
        sizes = {"highest_size": bid[0][1] if bid else "", "lowest_size": ask[0][1] if ask else ""}
        return [self._ticker(symbol) | sizes]

    def _ticker(self, symbol: Symbol) -> Json:
        return encoding.ticker_of_book(symbol, self._venue.tapes[symbol], self._venue.engine.books[symbol], self._venue.now())

    def trades(self, call: RestCall) -> list[Json]:
        symbol = self._venue.symbol(text_of(call.query, "currency_pair"))
        since, until = seconds_bound(call.query, "from", 0), seconds_bound(call.query, "to", 1 << 40)
        last_id = call.whole_number("last_id", 0, 0, 1 << 60)
        reverse = text_of(call.query, "reverse") == "true"
        trades = [trade for trade in self._venue.tapes[symbol].trades if since <= trade.at_milliseconds // 1000 <= until]
        if last_id:
            trades = [trade for trade in trades if (trade.id < last_id if reverse else trade.id > last_id)]
        trades.reverse()
        limit = call.limit(100, 1_000)
        return [encoding.public_trade(symbol, trade) for trade in call.paginate(trades, call.page(), limit)]

    def candlesticks(self, call: RestCall) -> list[list[str]]:
        symbol = self._venue.symbol(text_of(call.query, "currency_pair"))
        interval = text_of(call.query, "interval") or "30m"
        if interval not in INTERVAL_SECONDS:
            raise GateError("INVALID_PARAM_VALUE", f"Invalid interval {interval}")
        has_range = "from" in call.query or "to" in call.query
        if has_range and "limit" in call.query:
            raise GateError("INVALID_PARAM_VALUE", "limit conflicts with from and to")
        since, until = seconds_bound(call.query, "from", 0), seconds_bound(call.query, "to", 1 << 40)
        length, now_seconds = INTERVAL_SECONDS[interval], self._venue.now() // 1000
        candles = [candle for candle in self._venue.tapes[symbol].candles(interval) if since <= candle.start_seconds <= until]
        limit = _CANDLE_LIMIT_MAX if has_range else call.limit(100, _CANDLE_LIMIT_MAX)
        return [encoding.candle(candle, length, now_seconds) for candle in candles[-limit:]]
