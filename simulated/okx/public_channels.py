"""Public websocket channels: which topic an argument means, and on which path it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from market.symbol import Symbol
from simulated.engine.events import OF_MARKETS
from simulated.faults import Faults
from simulated.okx import encoding
from simulated.okx.errors import OkxError
from simulated.okx.topics import Books, Candles, FullBook, Tickers, Trades
from simulated.okx.venue import OkxVenue
from simulated.session import Session
from simulated.topics import Topic, TopicBoard, TopicKey


class PublicChannel(msgspec.Struct, frozen=True):
    """A channel of one path. `make` is given the channel's name and what it is to be about, which the argument tells as `parameter`."""

    path: str
    make: Callable[[str, str], Topic]
    parameter: str = "instId"


class PublicChannels:
    """Who is subscribed to what. `more` are the channels that only some markets have."""

    def __init__(self, venue: OkxVenue, faults: Faults, more: Mapping[str, PublicChannel]) -> None:
        self._channels = {**_channels(venue, faults), **more}
        self._subjects = {"instId": [*venue.symbols], "instType": [venue.instrument_type]}
        self._board = TopicBoard(lambda key: self._channels[key[0]].make(*key))
        self.run = self._board.run
        self.unsubscribe = self._board.unsubscribe
        venue.engine.subscribe(self._board.notice, OF_MARKETS)

    def key_of(self, arg: dict[str, Any], path: str) -> TopicKey:
        """The topic that an argument means. Raises: OkxError: there is none such on this path."""
        channel = self._channels.get(str(arg.get("channel", "")))
        subject = "" if channel is None else str(arg.get(channel.parameter, ""))
        if channel is None or channel.path != path or subject not in self._subjects[channel.parameter]:
            raise no_such_channel(arg)
        return (str(arg["channel"]), subject)

    def subscribe(self, session: Session, key: TopicKey) -> Topic:
        (topic,) = self._board.subscribe(session, [key])
        return topic

    def push_crossed(self, symbol: Symbol) -> None:
        """Every book topic of `symbol` tells of a bid above the best ask."""
        for topic in self._board.topics():
            if isinstance(topic, Books) and topic.symbol == symbol:
                topic.push_crossed()


def _channels(venue: OkxVenue, faults: Faults) -> dict[str, PublicChannel]:
    symbols = venue.symbols
    return {
        "books": PublicChannel("public", lambda channel, name: Books(venue, symbols[name], faults)),
        "books5": PublicChannel("public", lambda channel, name: FullBook(venue, channel, symbols[name], 5, 0.1)),
        "bbo-tbt": PublicChannel("public", lambda channel, name: FullBook(venue, channel, symbols[name], 1, 0.01)),
        "tickers": PublicChannel("public", lambda channel, name: Tickers(venue, symbols[name])),
        "trades": PublicChannel("public", lambda channel, name: Trades(venue, channel, symbols[name])),
        "trades-all": PublicChannel("business", lambda channel, name: Trades(venue, channel, symbols[name])),
        **{
            f"candle{bar}": PublicChannel("business", lambda channel, name: Candles(venue, channel, symbols[name])) for bar in encoding.BARS
        },
    }


def no_such_channel(arg: dict[str, Any]) -> OkxError:
    named = ",".join(f"{name}:{value}" for name, value in arg.items())
    return OkxError("60018", f"Wrong URL or {named} doesn't exist. Please use the correct URL, channel and parameters.")
