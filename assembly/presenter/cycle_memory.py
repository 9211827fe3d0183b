"""The reconciled cycles of a run, and how its quoting cycles stood last, remembered for its end even where the output dropped them."""

from __future__ import annotations

from decimal import Decimal

from actors.cycle.quoting.risk import RiskMeasured
from orders.reconciliation import ZERO, CycleReconciled

RECONCILIATIONS_KEPT_MAX = 1000

Event = tuple[int, object]


class CycleMemory:
    """The newest reconciliations, the number and the profit of all of them, and which have not been told yet."""

    def __init__(self) -> None:
        self.count = 0
        self.profit_by_cycle: dict[str, tuple[Decimal, str]] = {}
        """What all rounds of a cycle earned, and in what asset."""
        self.risks: dict[str, RiskMeasured] = {}
        """How each quoting cycle stood last."""
        self._kept: dict[tuple[str, int], CycleReconciled] = {}
        self._untold: dict[tuple[str, int], Event] = {}

    @property
    def reconciliations(self) -> list[CycleReconciled]:
        """Oldest first."""
        return list(self._kept.values())

    @property
    def untold(self) -> list[Event]:
        return list(self._untold.values())

    def remember(self, time_milliseconds: int, event: CycleReconciled) -> None:
        identity = (event.cycle, event.number)
        self.count += 1
        profit, _ = self.profit_by_cycle.get(event.cycle, (ZERO, ""))
        self.profit_by_cycle[event.cycle] = (profit + event.profit_quote, event.symbol.quote)
        self._kept[identity] = event
        self._untold[identity] = (time_milliseconds, event)
        for memory in (self._kept, self._untold):
            if len(memory) > RECONCILIATIONS_KEPT_MAX:
                del memory[next(iter(memory))]

    def mark_told(self, event: CycleReconciled) -> None:
        self._untold.pop((event.cycle, event.number), None)
