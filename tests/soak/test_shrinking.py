"""Shrinking: from a failing world to a small one that fails in the same way, and the plan that replays it."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence

import pytest
from overlay import hunt, run_command
from plants import invariant_of, plant_named

from soak.campaign.arguments import parse_arguments
from soak.campaign.report import SoakStatus
from soak.campaign.seeds import options_of
from soak.campaign.shrinking import Small, shrink, way_of_failing
from soak.options import Options
from soak.outcome import Outcome, Verdict
from soak.plan import PlannedSpell, format_plan, parse_plan
from soak.run import run_options

SPELLS = 5
STRIKES = tuple((spell, strike, kind) for spell in range(SPELLS) for strike, kind in enumerate(("drop", "drop", "kill", "stall")))


def drawn(seed: int = 3) -> Options:
    """A world with several cycles at several exchanges."""
    return options_of(seed, parse_arguments(["--seed", str(seed)]))


def wide() -> Options:
    return next(options for options in map(drawn, range(1, 100)) if len(options.exchanges) == 3 and len(options.cycles) == 4)


def failing_when(is_bad: Callable[[Options, set[tuple[int, int]]], bool], *, at: str = "one") -> Callable[[Options], Outcome]:
    """A run of a world in which every strike of the plan comes; it breaks if `is_bad`, with the same words always."""

    def run(options: Options) -> Outcome:
        numbers = range(SPELLS) if options.plan is None else [spell.number for spell in options.plan]
        left = (
            STRIKES
            if options.plan is None
            else [s for s in STRIKES for spell in options.plan if spell.number == s[0] and s[1] in spell.strikes]
        )
        outcome = Outcome(seed=options.seed, spells=len(numbers), struck=list(left))
        if is_bad(options, {(spell, strike) for spell, strike, _ in left}):
            told = f"at {len(left)}.5 s: mm-{at}-4emintw4kr is open at {options.exchanges[0]} and cancelled here (seed 3); the last events:"
            outcome.verdict, outcome.told = Verdict.VIOLATION, told
        return outcome

    return run


def always(options: Options, struck: set[tuple[int, int]]) -> bool:
    return True


def never(options: Options, struck: set[tuple[int, int]]) -> bool:
    return False


def smallest(options: Options, run: Callable[[Options], Outcome]) -> Small:
    *_, last = shrink(options, run=run, is_over=lambda: False)
    return last


@pytest.mark.parametrize("text", ["none", "0:", "3:0+2,5:", "0:1,1:0+11"])
def test_plan_is_written_as_it_is_read(text: str) -> None:
    assert format_plan(parse_plan(text)) == text


@pytest.mark.parametrize("text", ["", "3", "3:a", "3:0+", "3:0;5:", "-1:0"])
def test_plan_that_is_none_is_refused_with_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match="write NUMBER:STRIKE"):
        parse_plan(text)


def test_world_shrinks_to_the_two_strikes_and_the_one_cycle_that_break_it() -> None:
    options = wide()
    needed = {(1, 2), (3, 0)}
    small = smallest(options, failing_when(lambda _, struck: needed <= struck))
    assert small.options.plan == (PlannedSpell(1, (2,)), PlannedSpell(3, (0,)))
    assert len(small.options.cycles) == len(small.options.exchanges) == 1
    assert small.attempts < 60


def test_cycle_without_which_nothing_breaks_is_kept() -> None:
    options = wide()
    name = options.cycle_names[-1]
    small = smallest(options, failing_when(lambda narrowed, _: name in narrowed.cycle_names))
    assert small.options.cycle_names == (name,)
    assert small.options.exchanges == (options.cycles[-1].place.exchange,)
    assert small.options.plan == ()


def test_smaller_world_that_fails_in_another_way_is_not_taken_for_it() -> None:
    whole = failing_when(lambda _, struck: len(struck) == len(STRIKES))

    def run(options: Options) -> Outcome:
        outcome = whole(options)
        if outcome.verdict is Verdict.FINE:
            outcome.verdict, outcome.told = Verdict.VIOLATION, "at 3.0 s: two orders of one are open at once"
        return outcome

    assert sum(len(spell.strikes) for spell in smallest(drawn(), run).options.plan or ()) == len(STRIKES)


@pytest.mark.parametrize("at_once", [2, 3, 16])
def test_several_at_once_shrink_to_the_same_world_in_the_same_steps(at_once: int) -> None:
    options = wide()
    run = failing_when(lambda _, struck: (1, 2) in struck and len(struck) > 2)

    def run_each(batch: Sequence[Options]) -> Generator[Outcome]:
        assert len(batch) <= at_once
        yield from map(run, batch)

    one_by_one = list(shrink(options, run=run, is_over=lambda: False))
    together = list(shrink(options, run=run, is_over=lambda: False, run_each=run_each, at_once=at_once))
    assert [small.options for small in together] == [small.options for small in one_by_one]


def test_shrinking_ends_when_its_time_is_over_with_the_smallest_so_far() -> None:
    runs = 0

    def is_over() -> bool:
        return runs >= 3

    def run(options: Options) -> Outcome:
        nonlocal runs
        runs += 1
        return failing_when(always)(options)

    *_, last = shrink(wide(), run=run, is_over=is_over)
    assert runs == last.attempts == 3


def test_world_that_does_not_fail_gives_nothing_to_shrink() -> None:
    assert list(shrink(drawn(), run=failing_when(never), is_over=lambda: False)) == []


def test_same_failure_of_other_orders_at_other_times_and_exchanges_is_the_same_way_of_failing() -> None:
    options = wide()
    first, second = (failing_when(always, at=name)(options) for name in ("one", "two"))
    second.told = second.told.replace("20.5", "118.0391").replace(options.exchanges[0], options.exchanges[1])
    assert way_of_failing(first) == way_of_failing(second) == "violation: is open at EXCHANGE and cancelled here"


def test_planned_world_lives_only_the_spells_and_strikes_of_its_plan() -> None:
    options = options_of(3, parse_arguments(["--seed", "3", "--exchanges", "gateio_spot", "--plan", "0:1"]))
    outcome = run_options(options)
    assert outcome.verdict is Verdict.FINE, outcome.told
    assert outcome.spells == 1
    assert outcome.struck == [(0, 1, options.sure_kind)]


def test_planted_bug_shrinks_to_few_strikes_and_the_printed_command_fails_in_the_same_way() -> None:
    plant = plant_named("crashed_cycles_orders_left")
    found = hunt(plant)
    ran = run_command(plant, "--seed", str(found.seed), *plant.world_arguments, "--shrink", "--shrink-seconds", "60")
    assert ran.returncode == SoakStatus.VIOLATION, ran.stdout + ran.stderr
    replay = next(line for line in ran.stdout.splitlines() if line.startswith("replay: bin/mm-soak "))
    words = replay.removeprefix("replay: bin/mm-soak ").split()
    assert sum(len(spell.strikes) for spell in parse_plan(words[words.index("--plan") + 1])) <= 2
    again = run_command(plant, *[word for word in words if word != "--trace"], "--json")
    assert again.returncode == SoakStatus.VIOLATION, again.stderr
    (world,) = json.loads(again.stdout)["worlds"]
    assert invariant_of(world["told"].splitlines()[0]) == invariant_of(found.first_line)
