"""Public websocket channels: which topic a payload means."""

from __future__ import annotations

import contextlib

from market.symbol import Symbol
from simulated.faults import Faults
from simulated.gateio.errors import GateError
from simulated.gateio.public_channels import PublicChannels
from simulated.gateio.session import GateSession
from simulated.gateio.topics import BookTicker, Candlesticks, Trades
from simulated.gateio_futures import encoding
from simulated.gateio_futures.sizes import SizeStyle
from simulated.gateio_futures.topics import BookDepth, BookUpdates, FullBook, Liquidations, Tickers
from simulated.gateio_futures.venue import GateFuturesVenue
from simulated.tape import INTERVAL_SECONDS, Candle
from simulated.topics import Topic, TopicKey

_UPDATE_LEVELS = {"100ms": ("100", "50", "20"), "20ms": ("20",)}
_FULL_DEPTHS = ("100", "50", "20", "10", "5", "1")
_PER_CONTRACT = ("futures.trades", "futures.tickers", "futures.book_ticker")
_ALL = "!all"
_DECIMAL, _WHOLE = "decimal", "whole"


class FuturesPublicChannels(PublicChannels):
    """The channels of the futures market. A topic's key ends with the style of sizes that its subscribers want."""

    channels = (
        *_PER_CONTRACT,
        "futures.order_book_update",
        "futures.order_book",
        "futures.obu",
        "futures.candlesticks",
        "futures.public_liquidates",
    )

    def __init__(self, venue: GateFuturesVenue, faults: Faults) -> None:
        super().__init__(venue, faults)
        self._futures = venue

    def keys_of(self, session: GateSession, channel: str, payload: list[str]) -> list[TopicKey]:
        style = _DECIMAL if session.wants_decimal_sizes else _WHOLE
        if channel == "futures.obu":
            return [key for name in payload for key in self._depth_keys(channel, name)]
        return [(*key, style) for key in self._keys(channel, payload)]

    def make(self, key: TopicKey) -> Topic:
        venue, channel, style = self._futures, key[0], SizeStyle(is_decimal=key[-1] != _WHOLE)
        if channel == "futures.public_liquidates":
            return Liquidations(venue, channel, None if key[1] == _ALL else venue.symbols[key[1]], style)
        symbol = venue.symbols[key[1]]
        instrument = venue.instrument(symbol)
        match channel:
            case "futures.trades":
                return Trades(venue, channel, symbol, lambda trade: [encoding.public_trade_push(symbol, trade, instrument, style)])
            case "futures.tickers":
                return Tickers(venue, channel, symbol)
            case "futures.book_ticker":
                return BookTicker(venue, channel, symbol, lambda quantity: style.write(instrument, quantity))
            case "futures.order_book_update":
                return BookUpdates(venue, symbol, int(key[2][:-2]) / 1000, int(key[3]), style, self._faults)
            case "futures.order_book":
                return FullBook(venue, channel, symbol, int(key[2]), style)
            case "futures.candlesticks":
                return self._candlesticks(channel, symbol, key[2], style)
            case _:
                exact = SizeStyle(is_decimal=True)
                return BookDepth(venue, channel, symbol, key[2], lambda quantity: exact.write(instrument, quantity), self._faults)

    def market(self, name: str) -> str:
        if name not in self._venue.symbols:
            raise GateError("CONTRACT_NOT_FOUND", f"unknown currency pair {name}")
        return name

    def _keys(self, channel: str, payload: list[str]) -> list[TopicKey]:
        if channel in _PER_CONTRACT or channel == "futures.public_liquidates":
            if not payload:
                raise GateError("INVALID_PARAM_VALUE", "payload must name contracts")
            names = [_ALL] if channel == "futures.public_liquidates" and _ALL in payload else [self.market(name) for name in payload]
            return [(channel, name) for name in names]
        match channel, payload:
            case "futures.order_book_update", [contract, ("100ms" | "20ms") as interval]:
                return [(channel, self.market(contract), interval, _UPDATE_LEVELS[interval][0])]
            case "futures.order_book_update", [contract, ("100ms" | "20ms") as interval, level]:
                if level not in _UPDATE_LEVELS[interval]:
                    raise GateError("INVALID_PARAM_VALUE", f"provided level not supported: {level}")
                return [(channel, self.market(contract), interval, level)]
            case "futures.order_book", [contract, depth, "0"] if depth in _FULL_DEPTHS:
                return [(channel, self.market(contract), depth)]
            case "futures.candlesticks", [interval, contract] if interval in INTERVAL_SECONDS:
                return [(channel, self.market(contract), interval)]
            case _:
                raise GateError("INVALID_PARAM_VALUE", f"invalid argument: {channel} {payload}")

    def _depth_keys(self, channel: str, name: str) -> list[TopicKey]:
        """None for what is not served: Gate.io accepts such a subscription and stays silent (seen live in 2026)."""
        with contextlib.suppress(GateError):
            return [self.obu_key(channel, name)]
        return []

    def _candlesticks(self, channel: str, symbol: Symbol, interval: str, style: SizeStyle) -> Topic:
        venue, instrument = self._futures, self._futures.instrument(symbol)

        def describe(candle: Candle) -> list[encoding.Json]:
            is_closed = candle.start_seconds + INTERVAL_SECONDS[interval] <= venue.now() // 1000
            return [encoding.candle_push(symbol, interval, candle, instrument, style, is_closed=is_closed)]

        return Candlesticks(venue, channel, symbol, interval, describe)
