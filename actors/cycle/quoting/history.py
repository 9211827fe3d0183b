"""What the market did lately, as far back as the strategy asks for, within a bound of numbers."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from operator import attrgetter

from actors.cycle.quoting.contract import MidSample
from market.events import TradeHappened

MIDS_KEPT_MAX = 20_000
TRADES_KEPT_MAX = 20_000
# What is over the bound goes in pieces, so that a full history costs little more than one that is not.
PIECE = 1_000


class KeptHistory:
    """The history of one market: samples of the middle, taken at ticks, and public trades, both oldest first.

    What is given out is read at once and not kept: the next tick changes it.
    """

    def __init__(self) -> None:
        self._mids: list[MidSample] = []
        self._trades: list[TradeHappened] = []

    @property
    def mids(self) -> Sequence[MidSample]:
        return self._mids

    @property
    def trades(self) -> Sequence[TradeHappened]:
        return self._trades

    def add_mid(self, at: float, mid: float) -> None:
        self._mids.append(MidSample(at, mid))
        if len(self._mids) >= MIDS_KEPT_MAX + PIECE:
            del self._mids[:PIECE]

    def add_trade(self, trade: TradeHappened) -> None:
        """One that is older than the newest is put in its place: an inbox may hand out what it kept in another order."""
        self._trades.append(trade)
        if len(self._trades) > 1 and trade.received_at < self._trades[-2].received_at:
            self._trades.sort(key=attrgetter("received_at"))
        if len(self._trades) >= TRADES_KEPT_MAX + PIECE:
            del self._trades[:PIECE]

    def forget_before(self, oldest_at: float) -> None:
        """Nothing older is asked for."""
        del self._mids[: bisect_left(self._mids, oldest_at, key=attrgetter("at"))]
        del self._trades[: bisect_left(self._trades, oldest_at, key=attrgetter("received_at"))]
