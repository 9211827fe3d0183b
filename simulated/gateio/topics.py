"""The public push topics that look the same on every exchange of Gate.io's, but for how they describe a thing."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from market.events import Side
from market.symbol import Symbol
from simulated.engine.events import EngineEvent, TradeMade
from simulated.engine.order import ZERO
from simulated.faults import Faults
from simulated.gateio import messages
from simulated.gateio.public_channels import OBU_INTERVALS_SECONDS
from simulated.numbers import plain
from simulated.session import Session
from simulated.tape import Candle, PublicTrade
from simulated.topics import BatchedTopic
from simulated.venue import Venue

Amount = Callable[[Decimal], Any]
"""How a quantity in base units is written."""


class GateTopic(BatchedTopic):
    """A topic of one channel, framed as Gate.io frames it."""

    def __init__(self, venue: Venue, channel: str, symbol: Symbol, interval_seconds: float) -> None:
        super().__init__(venue, symbol, interval_seconds)
        self.channel = channel

    @property
    def market(self) -> str:
        return self._state.wire(self.symbol)

    def encode(self, result: Any) -> str:
        return messages.update(self.channel, result, self._state.now())


class BookDepth(GateTopic):
    """obu: the whole book of so many levels first, then what changed in it."""

    def __init__(self, venue: Venue, channel: str, symbol: Symbol, depth: str, amount: Amount, faults: Faults) -> None:
        super().__init__(venue, channel, symbol, OBU_INTERVALS_SECONDS[depth])
        self._name = f"ob.{self.market}.{depth}"
        self._depth = int(depth)
        self._amount = amount
        self._faults = faults
        self._last_update_id = self.book.update_id
        self._sent = self._view()

    def joined(self, session: Session) -> None:
        # Everybody else is brought up to this moment first, so that one chain of ids serves all.
        self.sessions.pop(session, None)
        self.flush()
        self.sessions[session] = None
        self._last_update_id = self.book.update_id
        self._sent = self._view()
        bids, asks = ([[price, amount] for price, amount in self._sent[side].items()] for side in Side)
        frame = {"t": self._state.now(), "full": True, "s": self._name, "u": self._last_update_id, "b": bids, "a": asks}
        session.push(messages.update(self.channel, frame, self._state.now()))

    def flush(self) -> None:
        if self.book.update_id > self._last_update_id:
            result = self.result()
            if not self._faults.take_withheld_update(self.symbol):
                self.push(result)

    def result(self) -> Any:
        view = self._view()
        changes: dict[Side, list[list[str]]] = {}
        for side in Side:
            gone = [[price, "0"] for price in self._sent[side] if price not in view[side]]
            new = [[price, amount] for price, amount in view[side].items() if self._sent[side].get(price) != amount]
            changes[side] = gone + new
        first_update_id = self._last_update_id + 1
        self._last_update_id = self.book.update_id
        self._sent = view
        return {
            "t": self._state.now(),
            "s": self._name,
            "U": first_update_id,
            "u": self._last_update_id,
            "b": changes[Side.BUY],
            "a": changes[Side.SELL],
        }

    def _view(self) -> dict[Side, dict[str, str]]:
        sides = {side: self.book.side(side).levels(self._depth) for side in Side}
        return {side: {plain(price): self._amount(quantity) for price, quantity in levels} for side, levels in sides.items()}


class BookTicker(GateTopic):
    """book_ticker: the best bid and ask when they have changed."""

    def __init__(self, venue: Venue, channel: str, symbol: Symbol, amount: Amount) -> None:
        super().__init__(venue, channel, symbol, 0.01)
        self._amount = amount
        self._sent: tuple[Any, ...] = ()

    def joined(self, session: Session) -> None:
        self._sent = ()
        self.mark()

    def result(self) -> Any:
        top = (*self._best(Side.BUY), *self._best(Side.SELL))
        if top == self._sent:
            return None
        self._sent = top
        return {
            "t": self._state.now(),
            "u": self.book.update_id,
            "s": self.market,
            "b": top[0],
            "B": top[1],
            "a": top[2],
            "A": top[3],
        }

    def _best(self, side: Side) -> tuple[str, Any]:
        """Price and amount; an empty text where the side is empty."""
        levels = self.book.side(side).levels(1)
        return (plain(levels[0][0]), self._amount(levels[0][1])) if levels else ("", self._amount(ZERO))


class Tickers(GateTopic):
    """tickers: the day's figures, once a second while anything changes."""

    def __init__(self, venue: Venue, channel: str, symbol: Symbol, describe: Callable[[], Any]) -> None:
        super().__init__(venue, channel, symbol, 1.0)
        self._describe = describe

    def joined(self, session: Session) -> None:
        self.mark()

    def result(self) -> Any:
        return self._describe()


class Candlesticks(GateTopic):
    """candlesticks: the running candle, every two seconds while there are trades."""

    hears = (TradeMade,)

    def __init__(self, venue: Venue, channel: str, symbol: Symbol, interval: str, describe: Callable[[Candle], Any]) -> None:
        super().__init__(venue, channel, symbol, 2.0)
        self._interval = interval
        self._describe = describe

    def joined(self, session: Session) -> None:
        self.mark()

    def notice(self, event: EngineEvent) -> None:
        if isinstance(event, TradeMade) and event.trade.symbol == self.symbol:
            self.mark()

    def result(self) -> Any:
        candle = self._state.tapes[self.symbol].last_candle(self._interval)
        return None if candle is None else self._describe(candle)


class Trades(GateTopic):
    """trades: each trade as it happens, from the taker's side."""

    hears = (TradeMade,)

    def __init__(self, venue: Venue, channel: str, symbol: Symbol, describe: Callable[[PublicTrade], Any]) -> None:
        super().__init__(venue, channel, symbol, 0.0)
        self._describe = describe

    def notice(self, event: EngineEvent) -> None:
        if isinstance(event, TradeMade) and event.trade.symbol == self.symbol:
            self.push(self._describe(self._state.tapes[self.symbol].trades[-1]))
