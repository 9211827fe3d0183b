"""What came of many worlds: totals, the table for people, the object for programs, and the exit status."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from soak.arguments import Arguments
from soak.campaign import has_repeated
from soak.faults.kinds import kinds_of
from soak.outcome import Outcome, Verdict, all_transitions


class SoakStatus(enum.IntEnum):
    """The process's exit status."""

    FINE = 0
    VIOLATION = 1
    USAGE = 2
    NOT_CONVERGED = 3
    HARNESS_CRASHED = 4
    FAULT_NEVER_STRUCK = 5
    NOT_REPEATED = 6


class Report:
    """Sums up outcomes, in whatever order they came."""

    def __init__(self, arguments: Arguments, outcomes: Sequence[Outcome], *, real_seconds: float) -> None:
        self.arguments = arguments
        self.outcomes = sorted(outcomes, key=lambda outcome: outcome.seed)
        self.real_seconds = real_seconds
        self.strikes = _summed(outcome.strikes for outcome in outcomes)
        self.transitions = _summed(outcome.transitions for outcome in outcomes)
        self.endings = _summed(outcome.endings for outcome in outcomes)
        self.never_struck = tuple(kind for kind in kinds_of(arguments.groups) if kind not in self.strikes)
        self.never_reached = tuple(name for name in all_transitions() if name not in self.transitions)
        self.repeated = [outcome for outcome in self.outcomes if outcome.is_repeated]

    @property
    def status(self) -> SoakStatus:
        verdicts = {outcome.verdict for outcome in self.outcomes}
        if Verdict.HARNESS_CRASHED in verdicts:
            return SoakStatus.HARNESS_CRASHED
        if Verdict.VIOLATION in verdicts:
            return SoakStatus.VIOLATION
        if not all(has_repeated(outcome) for outcome in self.repeated):
            return SoakStatus.NOT_REPEATED
        if Verdict.NOT_CONVERGED in verdicts:
            return SoakStatus.NOT_CONVERGED
        if self.never_struck and len(self.outcomes) >= self.arguments.enough:
            return SoakStatus.FAULT_NEVER_STRUCK
        return SoakStatus.FINE

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
            "transitions_reached": len(self.transitions),
            "transitions_there_are": len(all_transitions()),
        }

    def as_json(self) -> bytes:
        """One object; the worlds by seed, each with its `trace_hash`."""
        told = {
            **self.figures(),
            "status": int(self.status),
            "faults_by_kind": dict(sorted(self.strikes.items())),
            "faults_that_never_struck": self.never_struck,
            "endings": dict(sorted(self.endings.items())),
            "transitions": dict(sorted(self.transitions.items())),
            "transitions_never_reached": self.never_reached,
            "worlds": [{**msgspec.to_builtins(outcome), "replay": self.arguments.replay(outcome.seed)} for outcome in self.outcomes],
        }
        return msgspec.json.encode(told)

    def print(self, console: Console) -> None:
        """The tables, and what must be looked at."""
        table = Table("figure", "value", title="mm-soak")
        table.columns[1].justify = "right"
        for name, value in self.figures().items():
            table.add_row(name.replace("_", " "), f"{value:,}" if isinstance(value, int) else f"{value:,.1f}")
        console.print(table)
        kinds = Table("fault", "struck", title="faults")
        kinds.columns[1].justify = "right"
        for name, number in sorted(self.strikes.items()):
            kinds.add_row(name, f"{number:,}")
        if self.strikes:
            console.print(kinds)
        if self.endings:
            console.print("runs ended: " + "; ".join(f"{name}: {number}" for name, number in sorted(self.endings.items())), soft_wrap=True)
        if self.never_reached and self.transitions:
            console.print(f"order transitions never reached: {', '.join(self.never_reached)}", soft_wrap=True)
        if self.never_struck and self.arguments.groups:
            enough = len(self.outcomes) >= self.arguments.enough
            note = "" if enough else f" (no failure: fewer than {self.arguments.enough} seeds)"
            console.print(f"faults that never struck{note}: {', '.join(self.never_struck)}", soft_wrap=True)
        for outcome in self.repeated:
            if not has_repeated(outcome):
                console.print(f"seed {outcome.seed} did not repeat: {outcome.trace_hash}, elsewhere {outcome.other_hashes}", soft_wrap=True)


def print_failure(console: Console, arguments: Arguments, outcome: Outcome) -> None:
    """What was broken, the last events of the order concerned, the drawn options, and the command that replays it."""
    title = f"seed {outcome.seed}: {outcome.verdict.value} after {outcome.virtual_seconds:.1f} virtual seconds"
    for line in (title, *(f"  {option}" for option in outcome.options), outcome.told, f"replay: {arguments.replay(outcome.seed)}", ""):
        console.print(line, soft_wrap=True, markup=False, highlight=False)


def _summed(counts: Any) -> dict[str, int]:
    total = Counter[str]()
    for one in counts:
        total.update(one)
    return dict(total)
