"""The journal as the actors see it (`orders.recording.Recorder`), and as everything else that happens is told to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from typing import cast

import trio

from actors.cycle.quoting.risk import RiskMeasured
from actors.journal.entries import EventTold
from actors.journal.errors import JournalBroken
from actors.journal.port import JournalPort
from actors.journal.prices import PriceSampler
from actors.journal.records import has_table
from assembly.presenter.vocabulary import tell
from market import events as market_events
from orders.events import OrderFilled
from orders.reconciliation import CycleReconciled
from orders.recording import NotRecorded

# What the market does is for recordings; a journal is about what we did.
_NOT_TOLD = (
    market_events.BookChanged,
    market_events.TradeHappened,
    market_events.TickerChanged,
    market_events.MarkPriceChanged,
    market_events.LiquidationHappened,
    CycleReconciled,  # the cycle itself has it written
)


RISK_INTERVAL_SECONDS = 10.0


class JournalRecorder:
    """Implements `orders.recording.Recorder` on a journal's port.

    `on_lost` is called once, with the reason, when an entry could be neither written nor kept waiting: what the journal says
    is no longer all that happened, and trading must end. `redact` takes secrets out of what exchanges said. `prices` hears of every
    book, and has the prices of each fill's moment written with it.
    """

    def __init__(
        self,
        port: JournalPort,
        *,
        redact: Callable[[str], str],
        on_lost: Callable[[str], None],
        prices: PriceSampler | None = None,
    ) -> None:
        self._prices = prices
        self._port = port
        self._redact = redact
        self._on_lost = on_lost
        self.has_lost = False
        self._risk_written_at: dict[str, float] = {}

    def keep(self, *events: object) -> None:
        try:
            self._port.record_nowait(*events, *self._prices_of_fills(events))
        except (trio.WouldBlock, JournalBroken) as error:
            if not self.has_lost:
                self.has_lost = True
                self._on_lost(str(error) or "the journal does not keep up with what happens")

    async def written(self) -> None:
        if self.has_lost:
            raise NotRecorded("the journal has lost something")
        try:
            await self._port.record_and_wait()
        except JournalBroken as error:
            raise NotRecorded(str(error)) from error

    def note(self, event: object) -> None:
        """Tell of an event that no restart needs, in words. It may be dropped when much happens, and is counted then."""
        if self._prices is not None and isinstance(event, market_events.BookChanged | market_events.BookLost):
            self._prices.note(event)
        if has_table(type(event)) or isinstance(event, _NOT_TOLD):
            return  # written where it happens
        if isinstance(event, RiskMeasured) and not self._risk_is_due(event.cycle):
            return
        told = tell(event)
        if told is not None:
            self._port.note(EventTold(told.name, cast("dict[str, object]", self._clean(told.fields)), str(told.fields.get("actor", ""))))

    def _prices_of_fills(self, events: tuple[object, ...]) -> list[object]:
        if self._prices is None:
            return []
        markets = dict.fromkeys((event.account, event.fill.symbol) for event in events if isinstance(event, OrderFilled))
        return [sampled for market in markets if (sampled := self._prices.at_fill(*market)) is not None]

    def _risk_is_due(self, cycle: str) -> bool:
        """What is measured all the time is written from time to time."""
        now = trio.current_time()
        if now - self._risk_written_at.get(cycle, -inf) < RISK_INTERVAL_SECONDS:
            return False
        self._risk_written_at[cycle] = now
        return True

    def _clean(self, value: object) -> object:
        match value:
            case str():
                return self._redact(value)
            case Mapping():
                return {key: self._clean(item) for key, item in cast("Mapping[str, object]", value).items()}
            case list() | tuple():
                return [self._clean(item) for item in cast("list[object]", value)]
            case _:
                return value
