"""The rate budgets of a run's exchanges, and when these have asked to be left alone.

An exchange counts the requests of an address or a user, whichever of our actors sends them and however often our process was
started anew. So exchanges that count together (`ExchangeEntry.counted_as`) share one limiter, what one of them is asked holds for
all, and it goes into the journal under the name of whoever counts, for the next run to keep to.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from math import ceil, inf

import trio

from actors.journal.entries import HoldPlaced
from actors.journal.recovery import HoldFound
from assembly.journaling import RunJournal, lasting_place
from assembly.parts import ExchangeParts, Report
from assembly.presenter.report import HoldTakenOver
from assembly.registry import EXCHANGES
from assembly.settings import ExchangeSettings
from market.clock import WallClock
from network.limits import HOLD_SECONDS_MAX, WEBSOCKETS, Hold
from network.rate_limit import RateLimit, RateLimiter
from orders.recording import Recorder

# A hold that several answers of one burst tell of, each a moment later, is told to people once.
_TOLD_AGAIN_AFTER_SECONDS = 1.0


class _Budget:
    """What is counted together: the scope of its holds, its limits, and the exchanges that share it."""

    def __init__(self, scope: str, *, is_lasting: bool, limits: dict[str, RateLimit]) -> None:
        self.scope = scope
        self.is_lasting = is_lasting
        self.groups: tuple[str | None, ...] = (None, WEBSOCKETS, *limits)
        self.limiter = RateLimiter(limits)
        self.exchanges: list[ExchangeParts] = []
        self.placed_until: dict[str | None, float] = {}
        self.told_until: dict[str | None, float] = {}

    def scope_of(self, group: str | None) -> str:
        return self.scope if group is None else f"{self.scope}/{group}"


class RateBudgets:
    """All of them; `exchanges` are the run's, by name. What earlier runs were asked for holds once it is taken over."""

    def __init__(
        self,
        settings: Mapping[str, ExchangeSettings],
        *,
        wall_clock: WallClock,
        journal: RunJournal | None,
        recorder: Recorder,
        report: Report,
    ) -> None:
        self._wall_clock = wall_clock
        self._found: Mapping[str, HoldFound] = {} if journal is None else journal.holds
        self._recorder = recorder
        self._report = report
        names_by_scope: dict[str, list[str]] = {}
        for name, one in settings.items():
            # An embedded exchange is there for this run alone, and counts for itself.
            scope = name if one.is_embedded else lasting_place(EXCHANGES[name].counted_as or name, one)
            names_by_scope.setdefault(scope, []).append(name)
        self._budgets: list[_Budget] = []
        self.exchanges: dict[str, ExchangeParts] = {}
        for scope, names in names_by_scope.items():
            limits = {group: limit for name in names for group, limit in EXCHANGES[name].rate_limits.items()}
            budget = _Budget(scope, is_lasting=not settings[names[0]].is_embedded, limits=limits)
            self._budgets.append(budget)
            for name in names:
                parts = ExchangeParts(
                    name,
                    settings[name],
                    wall_clock=wall_clock,
                    report=report,
                    limiter=budget.limiter,
                    on_hold=partial(self._place, budget),
                )
                budget.exchanges.append(parts)
                self.exchanges[name] = parts

    def take_over(self) -> None:
        """Hold what earlier runs were asked not to send yet, and tell people: at the start, before anything is sent."""
        for budget in self._budgets:
            if budget.is_lasting:
                for group in budget.groups:
                    found = self._found.get(budget.scope_of(group))
                    if found is not None:
                        self._take_over(budget, group, found)

    def _take_over(self, budget: _Budget, group: str | None, found: HoldFound) -> None:
        now_milliseconds = self._wall_clock.milliseconds()
        left_seconds = (found.until_milliseconds - now_milliseconds) / 1000
        asked_seconds = (found.until_milliseconds - found.placed_at_milliseconds) / 1000
        seconds, correction = left_seconds, ""
        if left_seconds > asked_seconds:
            seconds, correction = asked_seconds, f"the clock has gone back since then: held for all of the {asked_seconds:g} s"
        if seconds > HOLD_SECONDS_MAX:
            seconds, correction = HOLD_SECONDS_MAX, f"held for no longer than any exchange bans, {HOLD_SECONDS_MAX:g} s"
        if seconds <= 0:
            return
        until_milliseconds = now_milliseconds + ceil(seconds * 1000)
        # It is in the journal and said here: the exchanges' own word of it says nothing more.
        until = budget.placed_until[group] = budget.told_until[group] = trio.current_time() + seconds
        if correction:
            self._recorder.keep(HoldPlaced(found.scope, until_milliseconds, found.reason))
        self._report(HoldTakenOver(found.scope, until_milliseconds, found.reason, correction))
        for parts in budget.exchanges:
            parts.limits.hold(group, until, found.reason)

    def _place(self, budget: _Budget, hold: Hold) -> None:
        """An exchange has asked to stop: that holds for all that count together, now and after a restart."""
        if hold.until_monotonic <= budget.placed_until.get(hold.group, -inf):
            return
        budget.placed_until[hold.group] = hold.until_monotonic
        left_seconds = hold.until_monotonic - trio.current_time()
        until_milliseconds = self._wall_clock.milliseconds() + ceil(left_seconds * 1000)
        placed = HoldPlaced(budget.scope_of(hold.group), until_milliseconds, hold.reason)
        if budget.is_lasting:
            self._recorder.keep(placed)
        told_until = budget.told_until.get(hold.group, -inf)
        if told_until <= trio.current_time() or hold.until_monotonic - told_until >= _TOLD_AGAIN_AFTER_SECONDS:
            budget.told_until[hold.group] = hold.until_monotonic
            self._report(placed)
        for parts in budget.exchanges:
            parts.limits.hold(hold.group, hold.until_monotonic, hold.reason)
