"""The public push topics that only swaps have."""

from __future__ import annotations

import trio

from market.symbol import Symbol
from simulated.engine.events import EngineEvent, Liquidated, MarkPriceMoved
from simulated.okx import messages, swap_encoding
from simulated.okx.encoding import Json
from simulated.okx.funding import Funding
from simulated.okx.public_channels import PublicChannel
from simulated.okx.swap import OkxSwapVenue
from simulated.okx.topics import OkxTopic
from simulated.session import Session

# "Mark price channel": every 200 ms when the mark price changes, every 10 s when it does not.
_MARK_PRICE_SECONDS = 0.2
_UNCHANGED_MARK_PRICE_SECONDS = 10.0
_FUNDING_RATE_SECONDS = 60.0  # "Funding rate channel": in 30 s to 90 s


def swap_channels(venue: OkxSwapVenue, funding: Funding) -> dict[str, PublicChannel]:
    """By name. Their paths are documented with each."""
    symbols = venue.symbols
    return {
        "mark-price": PublicChannel("public", lambda channel, name: MarkPriceTopic(venue, symbols[name])),
        "funding-rate": PublicChannel("public", lambda channel, name: FundingRateTopic(venue, symbols[name], funding)),
        "liquidation-orders": PublicChannel("public", lambda channel, kind: LiquidationTopic(venue), parameter="instType"),
    }


class MarkPriceTopic(OkxTopic):
    """mark-price: when it moves, and now and then when it does not."""

    hears = (MarkPriceMoved,)

    def __init__(self, venue: OkxSwapVenue, symbol: Symbol) -> None:
        super().__init__(venue, "mark-price", symbol, _MARK_PRICE_SECONDS)
        self._swaps = venue
        self._pushed_at = trio.current_time()

    def joined(self, session: Session) -> None:
        session.push(self.encode(self.result()))

    def notice(self, event: EngineEvent) -> None:
        if isinstance(event, MarkPriceMoved) and event.symbol == self.symbol:
            self.mark()

    def result(self) -> Json:
        self._pushed_at = trio.current_time()
        return swap_encoding.mark_price(self.venue.listings[self.symbol], self._swaps.engine.mark_price(self.symbol), self.venue.now())

    async def run(self) -> None:
        while True:
            await trio.sleep_until(self._pushed_at + _UNCHANGED_MARK_PRICE_SECONDS)
            if trio.current_time() >= self._pushed_at + _UNCHANGED_MARK_PRICE_SECONDS:
                self.flush()


class FundingRateTopic(OkxTopic):
    """funding-rate: at first, and about once a minute. Told by the clock alone."""

    hears = ()

    def __init__(self, venue: OkxSwapVenue, symbol: Symbol, funding: Funding) -> None:
        super().__init__(venue, "funding-rate", symbol, _FUNDING_RATE_SECONDS)
        self._funding = funding

    def joined(self, session: Session) -> None:
        session.push(self.encode(self.result()))

    def result(self) -> Json:
        return self._funding.rate(self.symbol)

    async def run(self) -> None:
        while True:
            await trio.sleep(self.interval_seconds)
            self.flush()


class LiquidationTopic:
    """liquidation-orders: every position of this type of instrument that the exchange closes."""

    hears = (Liquidated,)

    def __init__(self, venue: OkxSwapVenue) -> None:
        self.sessions: dict[Session, None] = {}
        self.interval_seconds = 0.0
        self._venue = venue
        self._arg = {"channel": "liquidation-orders", "instType": venue.instrument_type}

    def joined(self, session: Session) -> None:
        """Only what happens from now on is told."""

    def notice(self, event: EngineEvent) -> None:
        if isinstance(event, Liquidated):
            message = messages.push(self._arg, [swap_encoding.liquidation(self._venue.listings[event.symbol], event)])
            for session in self.sessions:
                session.push(message)

    async def run(self) -> None:
        await trio.sleep_forever()
