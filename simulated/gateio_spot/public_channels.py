"""Public websocket channels: which topic a payload means."""

from __future__ import annotations

from simulated.gateio.errors import GateError
from simulated.gateio.public_channels import PublicChannels
from simulated.gateio.session import GateSession
from simulated.gateio.topics import BookDepth, BookTicker, Candlesticks, Tickers, Trades
from simulated.gateio_spot import encoding
from simulated.gateio_spot.topics import BookUpdates, FullBook
from simulated.numbers import plain
from simulated.tape import INTERVAL_SECONDS
from simulated.topics import Topic, TopicKey

_UPDATE_DEPTHS = {"100ms": 100, "20ms": 20}
_FULL_DEPTHS = ("5", "10", "20", "50", "100")
_PER_PAIR = ("spot.trades", "spot.tickers", "spot.book_ticker")


class SpotPublicChannels(PublicChannels):
    """The channels of the spot market."""

    channels = (*_PER_PAIR, "spot.order_book_update", "spot.order_book", "spot.obu", "spot.candlesticks")

    def keys_of(self, session: GateSession, channel: str, payload: list[str]) -> list[TopicKey]:
        if channel in _PER_PAIR:
            if not payload:
                raise GateError("INVALID_PARAM_VALUE", "payload must name currency pairs")
            return [(channel, self.market(pair)) for pair in payload]
        match channel, payload:
            case "spot.order_book_update", [pair, ("100ms" | "20ms") as interval]:
                return [(channel, self.market(pair), interval)]
            case "spot.order_book", [pair, depth, ("100ms" | "1000ms") as interval] if depth in _FULL_DEPTHS:
                return [(channel, self.market(pair), depth, interval)]
            case "spot.candlesticks", [interval, pair] if interval in INTERVAL_SECONDS:
                return [(channel, self.market(pair), interval)]
            case "spot.obu", [*names] if names:
                return [self.obu_key(channel, name) for name in names]
            case _:
                raise GateError("INVALID_PARAM_VALUE", f"invalid argument: {channel} {payload}")

    def make(self, key: TopicKey) -> Topic:
        venue, channel, symbol = self._venue, key[0], self._venue.symbols[key[1]]
        tape = venue.tapes[symbol]
        match channel:
            case "spot.trades":
                return Trades(venue, channel, symbol, lambda trade: encoding.public_trade_push(symbol, trade))
            case "spot.tickers":
                book = venue.engine.books[symbol]
                return Tickers(venue, channel, symbol, lambda: encoding.ticker_of_book(symbol, tape, book, venue.now()))
            case "spot.book_ticker":
                return BookTicker(venue, channel, symbol, plain)
            case "spot.order_book_update":
                return BookUpdates(venue, symbol, int(key[2][:-2]) / 1000, _UPDATE_DEPTHS[key[2]], self._faults)
            case "spot.order_book":
                return FullBook(venue, channel, symbol, int(key[3][:-2]) / 1000, int(key[2]))
            case "spot.candlesticks":
                length = INTERVAL_SECONDS[key[2]]
                return Candlesticks(
                    venue,
                    channel,
                    symbol,
                    key[2],
                    lambda candle: encoding.candle_push(symbol, key[2], candle, length, venue.now() // 1000),
                )
            case _:
                return BookDepth(venue, channel, symbol, key[2], plain, self._faults)

    def market(self, name: str) -> str:
        if name not in self._venue.symbols:
            raise GateError("INVALID_CURRENCY_PAIR", f"unknown currency pair {name}")
        return name
