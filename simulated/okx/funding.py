"""Funding rates, due and past, as everybody sees them."""

from __future__ import annotations

from collections import deque
from decimal import Decimal

from market.symbol import Symbol
from simulated.engine.events import EngineEvent, FundingPaid, MarkPriceMoved
from simulated.okx import swap_encoding
from simulated.okx.encoding import Json
from simulated.okx.swap import OkxSwapVenue

_PAST_MAX = 400


class Funding:
    """Remembers the rates that have been settled: what was due when the next time came."""

    def __init__(self, venue: OkxSwapVenue) -> None:
        self._venue = venue
        engine = venue.engine
        self._due = {symbol: (engine.next_funding_milliseconds(symbol), engine.funding_rate(symbol)) for symbol in venue.listings}
        self._past: dict[Symbol, deque[tuple[int, Decimal]]] = {symbol: deque(maxlen=_PAST_MAX) for symbol in venue.listings}
        engine.subscribe(self._notice, [MarkPriceMoved, FundingPaid])

    def rate(self, symbol: Symbol) -> Json:
        """The rate that is due next."""
        self._look(symbol)
        due, rate = self._due[symbol]
        past = self._past[symbol]
        return swap_encoding.funding_rate(
            self._venue.listings[symbol],
            rate=rate,
            settled=past[-1][1] if past else None,
            due=due,
            interval=self._venue.funding_interval_milliseconds(symbol),
            at_milliseconds=self._venue.now(),
        )

    def history(self, symbol: Symbol, *, after: int, before: int, limit: int) -> list[Json]:
        """Settled rates between two times, newest first."""
        self._look(symbol)
        listing = self._venue.listings[symbol]
        return [
            swap_encoding.past_funding_rate(listing, rate, at) for at, rate in reversed(self._past[symbol]) if before < at < after
        ][:limit]  # fmt: skip

    def _notice(self, event: EngineEvent) -> None:
        if isinstance(event, MarkPriceMoved | FundingPaid):
            self._look(event.symbol)

    def _look(self, symbol: Symbol) -> None:
        engine = self._venue.engine
        due, rate = engine.next_funding_milliseconds(symbol), engine.funding_rate(symbol)
        known_due, known_rate = self._due[symbol]
        for settled_at in range(known_due, due, self._venue.funding_interval_milliseconds(symbol)):
            self._past[symbol].append((settled_at, known_rate))
        self._due[symbol] = (due, rate)
