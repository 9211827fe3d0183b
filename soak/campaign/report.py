"""What came of many worlds: totals, the object for programs, and the exit status. For people: `soak/campaign/tables.py`."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from soak.campaign.arguments import Arguments
from soak.campaign.seeds import has_repeated
from soak.checks.losses import ALL as LOSSES
from soak.faults.kinds import kinds_of
from soak.faults.strike import Group
from soak.outcome import Outcome, Verdict
from soak.transitions import REACHABLE, SELDOM, UNREACHABLE, name_of


class SoakStatus(enum.IntEnum):
    """The process's exit status."""

    FINE = 0
    VIOLATION = 1
    USAGE = 2
    NOT_CONVERGED = 3
    HARNESS_CRASHED = 4
    FAULT_NEVER_STRUCK = 5
    NOT_REPEATED = 6
    TRANSITION_NEVER_REACHED = 7
    INTERRUPTED = 130
    NOBODY_READS = 141
    TERMINATED = 143

    @property
    def words(self) -> str:
        return _WORDS[self]


_WORDS = {
    SoakStatus.FINE: "every world was fine",
    SoakStatus.VIOLATION: "something that must always be true was not",
    SoakStatus.USAGE: "bad arguments",
    SoakStatus.NOT_CONVERGED: "something did not come right in time after the last fault",
    SoakStatus.HARNESS_CRASHED: "the simulator itself crashed",
    SoakStatus.FAULT_NEVER_STRUCK: "a kind of fault never took effect, or a limit of losses never struck",
    SoakStatus.NOT_REPEATED: "a seed did not repeat",
    SoakStatus.TRANSITION_NEVER_REACHED: "an order never made a move that it can make",
    SoakStatus.INTERRUPTED: "interrupted",
    SoakStatus.NOBODY_READS: "nobody reads what it prints",
    SoakStatus.TERMINATED: "ended by SIGTERM",
}


class Report:
    """Sums up outcomes, in whatever order they came. Where somebody interrupted it they are not those of all seeds."""

    def __init__(
        self, arguments: Arguments, outcomes: Sequence[Outcome], *, real_seconds: float, interrupted_as: SoakStatus | None = None
    ) -> None:
        self.arguments = arguments
        self.interrupted_as = interrupted_as
        self.outcomes = sorted(outcomes, key=lambda outcome: outcome.seed)
        self.real_seconds = real_seconds
        self.strikes = _summed(outcome.strikes for outcome in outcomes)
        self.effects = _summed(outcome.effects for outcome in outcomes)
        self.transitions = _summed(outcome.transitions for outcome in outcomes)
        self.losses_struck = _summed(outcome.losses_struck for outcome in outcomes)
        self.endings = _summed(outcome.endings for outcome in outcomes)
        self.never_struck = tuple(kind for kind in kinds_of(arguments.groups) if kind not in self.strikes)
        self.never_took_effect = tuple(kind for kind in kinds_of(arguments.groups) if kind not in self.effects)
        """Those that never struck, and those that struck only where there was nothing for them to do."""
        self.losses_never_struck = tuple(name for name in LOSSES if name not in self.losses_struck)
        self.never_reached = tuple(name for name in REACHABLE if name not in self.transitions)
        self.reached_all_the_same = tuple(name for name in (name_of(*cell) for cell in UNREACHABLE) if name in self.transitions)
        self.repeated = [outcome for outcome in self.outcomes if outcome.is_repeated]

    @property
    def status(self) -> SoakStatus:
        return self._found if self.interrupted_as is None else self.interrupted_as

    @property
    def status_words(self) -> str:
        return self._found.words if self.interrupted_as is None else f"{self.interrupted_as.words}; until then: {self._found.words}"

    @property
    def _found(self) -> SoakStatus:
        verdicts = {outcome.verdict for outcome in self.outcomes}
        if Verdict.HARNESS_CRASHED in verdicts:
            return SoakStatus.HARNESS_CRASHED
        if Verdict.VIOLATION in verdicts:
            return SoakStatus.VIOLATION
        if not all(has_repeated(outcome) for outcome in self.repeated):
            return SoakStatus.NOT_REPEATED
        if Verdict.NOT_CONVERGED in verdicts:
            return SoakStatus.NOT_CONVERGED
        if self.never_struck and self.is_enough:
            return SoakStatus.FAULT_NEVER_STRUCK
        if self.never_took_effect and self.is_enough_for_effects:
            return SoakStatus.FAULT_NEVER_STRUCK
        if self.losses_never_struck and self.is_enough_for_transitions:
            return SoakStatus.FAULT_NEVER_STRUCK
        if self.never_reached and self.is_enough_for_transitions:
            return SoakStatus.TRANSITION_NEVER_REACHED
        return SoakStatus.FINE

    @property
    def failures(self) -> list[Outcome]:
        """Worlds that were not fine, by seed."""
        return [outcome for outcome in self.outcomes if outcome.verdict is not Verdict.FINE]

    @property
    def is_enough(self) -> bool:
        """Whether every kind of fault must have struck."""
        return len(self.outcomes) >= self.arguments.enough

    @property
    def is_enough_for_effects(self) -> bool:
        """Whether every kind must have taken effect, seldom ones too: an hour for each of the seeds that are enough, at all exchanges."""
        hours = sum(outcome.virtual_seconds for outcome in self.outcomes) / 3600
        return self.is_enough and not self.arguments.exchanges and hours >= self.arguments.enough

    @property
    def is_enough_for_transitions(self) -> bool:
        """Seldom moves take as many hours, and every fault."""
        return self.is_enough_for_effects and self.arguments.groups == tuple(Group)

    def figures(self) -> dict[str, Any]:
        """The totals."""
        virtual_seconds = sum(outcome.virtual_seconds for outcome in self.outcomes)
        seconds = max(self.real_seconds, 1e-9)
        return {
            "seeds": len(self.outcomes),
            "violations": sum(outcome.verdict is Verdict.VIOLATION for outcome in self.outcomes),
            "not_converged": sum(outcome.verdict is Verdict.NOT_CONVERGED for outcome in self.outcomes),
            "harness_crashed": sum(outcome.verdict is Verdict.HARNESS_CRASHED for outcome in self.outcomes),
            "virtual_hours": round(virtual_seconds / 3600, 3),
            "real_seconds": round(self.real_seconds, 1),
            "times_real_time": round(virtual_seconds / seconds, 1),
            "wire_events": sum(outcome.wire_events for outcome in self.outcomes),
            "wire_events_per_second": round(sum(outcome.wire_events for outcome in self.outcomes) / seconds),
            "program_events": sum(outcome.program_events for outcome in self.outcomes),
            "orders": sum(outcome.orders for outcome in self.outcomes),
            "fills": sum(outcome.fills for outcome in self.outcomes),
            "rounds_reconciled": sum(outcome.rounds for outcome in self.outcomes),
            "orders_of_unknown_fate": sum(outcome.unknown_fates for outcome in self.outcomes),
            "impossible_transitions_told": sum(outcome.impossible_transitions for outcome in self.outcomes),
            "restarts_of_actors": sum(outcome.restarts_of_actors for outcome in self.outcomes),
            "runs_of_the_program": sum(outcome.runs for outcome in self.outcomes),
            "convergences": sum(outcome.convergences for outcome in self.outcomes),
            "convergence_seconds_max": round(max((outcome.convergence_seconds_max for outcome in self.outcomes), default=0.0), 2),
            "seeds_repeated": len(self.repeated),
            "seeds_that_did_not_repeat": sum(not has_repeated(outcome) for outcome in self.repeated),
            "faults": sum(self.strikes.values()),
            "kinds_of_faults_struck": len(self.strikes),
            "faults_that_took_effect": sum(self.effects.values()),
            "kinds_of_faults_that_took_effect": len(self.effects),
            "transitions_reached": sum(name in self.transitions for name in REACHABLE),
            "transitions_reachable": len(REACHABLE),
        }

    def as_json(self) -> bytes:
        """One object; the worlds by seed, each with its `trace_hash`."""
        told = {
            **self.figures(),
            "status": int(self.status),
            "status_words": self.status_words,
            "faults_by_kind": dict(sorted(self.strikes.items())),
            "effects_by_kind": dict(sorted(self.effects.items())),
            "faults_that_never_struck": self.never_struck,
            "faults_that_never_took_effect": self.never_took_effect,
            "losses_struck": dict(sorted(self.losses_struck.items())),
            "losses_that_never_struck": self.losses_never_struck,
            "endings": dict(sorted(self.endings.items())),
            "transitions": dict(sorted(self.transitions.items())),
            "transitions_never_reached": self.never_reached,
            "transitions_reached_all_the_same": self.reached_all_the_same,
            "transitions_seldom": {name_of(*cell): reason for cell, reason in SELDOM.items()},
            "transitions_unreachable": {name_of(*cell): reason for cell, reason in UNREACHABLE.items()},
            "worlds": [{**msgspec.to_builtins(outcome), "replay": self.arguments.replay(outcome.seed)} for outcome in self.outcomes],
        }
        return msgspec.json.encode(told)


def _summed(counts: Any) -> dict[str, int]:
    total = Counter[str]()
    for one in counts:
        total.update(one)
    return dict(total)
