"""From a failing world to a small one that fails in the same way: fewer cycles and exchanges, spells, kinds of faults and strikes.

Theory of operation. Everything in a world is drawn from its seed, whether it then happens or not: a strike that is left out changes
nothing of what the others are. So a part of a world is a plan (`soak.plan`) and some of its cycles, and each attempt is a whole
run of one. What still fails in the same way is kept and reduced further, the largest reductions first, until none succeeds.
Several are tried at once where there are several cores, and looked at in the same order, so that the result is the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from itertools import islice

import msgspec
from msgspec.structs import replace

from assembly.registry import EXCHANGES
from soak.options import CYCLE_NAMES, Options
from soak.outcome import Outcome, Verdict
from soak.plan import Plan, PlannedSpell, strikes_in
from soak.worlds.world import ACCOUNT

Run = Callable[[Options], Outcome]
RunEach = Callable[[Sequence[Options]], Generator[Outcome]]

# What one and the same failure says in different words: ids, amounts and times, states of the order on the way, whose and where.
_PASSING = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|[a-z0-9]+-[a-z0-9]+-[a-z0-9]+|-?\b\d[\d.]*")


class Small(msgspec.Struct, frozen=True, kw_only=True):
    """A world that fails, and how: the smallest found. `attempts` counts the runs that it took."""

    options: Options
    outcome: Outcome
    attempts: int = 0

    @property
    def size(self) -> str:
        options, plan = self.options, self.options.plan or ()
        kinds = ", ".join(sorted({kind for _, _, kind in self.outcome.struck})) or "none"
        counts = f"{strikes_in(plan)} strike(s) in {len(plan)} spell(s), {len(options.cycles)} cycle(s) at {', '.join(options.exchanges)}"
        return f"{counts}; {self.outcome.virtual_seconds:.1f} virtual seconds; faults: {kinds}"


def way_of_failing(outcome: Outcome) -> str:
    """Two failures with the same words here are taken for the same: what was broken, without whose, when, where and how much."""
    line = outcome.first_line.partition("(seed ")[0]
    while (shorter := _PASSING.sub("", line)) != line:
        line = shorter
    for name in EXCHANGES:
        line = re.sub(rf"\b{name}\b", "EXCHANGE", line)
    line = re.sub(rf"\b(?:{'|'.join(CYCLE_NAMES)})\b", "CYCLE", line)
    line = re.sub(rf"\b(?:{ACCOUNT}|at\d)\b", "ACCOUNT", line)
    said = " ".join(line.split()).removeprefix("at s").lstrip(": ")
    return f"{outcome.verdict.value}: {re.split('[:;]', said)[0].strip()}"  # what follows is why


def shrink(
    options: Options, *, run: Run, is_over: Callable[[], bool], run_each: RunEach | None = None, at_once: int = 1
) -> Generator[Small]:
    """The world of `options` if it fails, then ever smaller ones that fail in the same way, until `is_over` or none is smaller.

    `run` gives the same outcome for the same options; `run_each` those of `at_once` worlds, in their order, of which the first that fails
    so is taken. Closed or interrupted in the middle, the last one given is the best so far.
    """

    def one_by_one(batch: Sequence[Options]) -> Generator[Outcome]:
        yield from map(run, batch)

    each = run_each or one_by_one
    outcome = run(options)
    if outcome.verdict is Verdict.FINE:
        return
    way = way_of_failing(outcome)
    # The same spells up to the failure, without the strikes for which the moment never came: it is the same world.
    best = Small(options=replace(options, plan=_what_struck(options, outcome)), outcome=outcome, attempts=1)
    yield best
    attempts, tried = 1, {_identity(best.options)}
    while True:
        untried = (smaller for smaller in _smaller(best) if _identity(smaller) not in tried)
        found: Small | None = None
        while found is None and (batch := list(islice(untried, at_once))):
            if is_over():
                return
            with closing(each(batch)) as outcomes:
                for smaller, outcome in zip(batch, outcomes, strict=False):
                    tried.add(_identity(smaller))
                    attempts += 1
                    if way_of_failing(outcome) == way:
                        found = Small(options=replace(smaller, plan=_what_struck(smaller, outcome)), outcome=outcome, attempts=attempts)
                        break
        if found is None:
            return
        best = found
        yield best


def _identity(options: Options) -> tuple[Plan | None, tuple[str, ...]]:
    return options.plan, options.cycle_names


def _what_struck(options: Options, outcome: Outcome) -> Plan:
    """The spells up to the failure, with the strikes that came in them."""
    numbers = range(outcome.spells) if options.plan is None else [spell.number for spell in options.plan[: outcome.spells]]
    return tuple(
        PlannedSpell(number, tuple(sorted(strike for spell, strike, _ in outcome.struck if spell == number))) for number in numbers
    )


def _smaller(best: Small) -> Iterator[Options]:
    """What a world may be reduced to in one step, the largest steps first."""
    options, plan = best.options, best.options.plan or ()
    for exchange in options.exchanges if len(options.exchanges) > 1 else ():
        yield options.with_cycles([cycle.place.cycle for cycle in options.cycles if cycle.place.exchange == exchange])
    for cycle in options.cycles if len(options.cycles) > 1 else ():
        yield options.with_cycles([cycle.place.cycle])
    if plan:
        middle = len(plan) // 2
        for fewer in ((), plan[-1:], plan[middle:], plan[:middle], *(plan[:number] + plan[number + 1 :] for number in range(len(plan)))):
            yield replace(options, plan=fewer)
    kinds = {(spell, strike): kind for spell, strike, kind in best.outcome.struck}
    for kind in sorted(set(kinds.values())):
        yield replace(options, plan=_without(plan, {at for at, other in kinds.items() if other == kind}))
    for at in sorted(kinds):
        yield replace(options, plan=_without(plan, {at}))
    for cycle in options.cycles if len(options.cycles) > 1 else ():
        yield options.with_cycles([other.place.cycle for other in options.cycles if other is not cycle])


def _without(plan: Plan, left_out: set[tuple[int, int]]) -> Plan:
    return tuple(
        PlannedSpell(spell.number, tuple(strike for strike in spell.strikes if (spell.number, strike) not in left_out)) for spell in plan
    )
