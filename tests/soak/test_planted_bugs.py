"""The simulator finds bugs: each plant is put into a copy of the program, and must be found within the seeds that it states.

A handful is looked for each time; ``bin/test -n auto -m planted tests/soak`` looks for all, and ``python bench/planted_bugs.py``
makes the table in docs/found_by_simulation.md.
"""

from __future__ import annotations

import pytest
from overlay import ROOT, PlantDoesNotApply, changed, hunt
from plants import INVARIANTS, PLANTS, Change, Plant, invariant_of

from soak.outcome import Verdict

QUICK = tuple(plant for plant in PLANTS if plant.is_quick)
SLOW = tuple(plant for plant in PLANTS if not plant.is_quick and not plant.why_not_found)
NAMES = {name for _, name in INVARIANTS}


def name_of(plant: Plant) -> str:
    return plant.name


def check(plant: Plant) -> None:
    found = hunt(plant)
    assert found.seed is not None, f"{plant.name} is not found within {plant.seeds_max} seeds: {found.virtual_hours:.1f} virtual hours"
    assert found.verdict in (Verdict.VIOLATION.value, Verdict.NOT_CONVERGED.value), found.told
    assert invariant_of(found.first_line) in NAMES, found.first_line


@pytest.mark.parametrize("plant", QUICK, ids=name_of)
def test_planted_bug_is_found_within_its_seeds(plant: Plant) -> None:
    check(plant)


@pytest.mark.planted
@pytest.mark.parametrize("plant", SLOW, ids=name_of)
def test_every_other_planted_bug_is_found_within_its_seeds(plant: Plant) -> None:
    check(plant)


@pytest.mark.parametrize("plant", PLANTS, ids=name_of)
def test_plant_still_applies_to_the_program_and_is_python(plant: Plant) -> None:
    texts: dict[str, str] = {}
    for change in plant.changes:
        texts[change.file] = changed(texts.get(change.file) or (ROOT / change.file).read_text(), change)
    for file, text in texts.items():
        assert text != (ROOT / file).read_text()
        compile(text, file, "exec")


@pytest.mark.parametrize("old", ["no such text", "import"])
def test_plant_that_no_longer_applies_says_which_text_is_missing_or_ambiguous(old: str) -> None:
    with pytest.raises(PlantDoesNotApply, match=rf"orders/order.py has this text \d+ times, not once; write the plant anew:\n{old}"):
        changed((ROOT / "orders/order.py").read_text(), Change("orders/order.py", old, "new"))


def test_at_least_ten_plants_are_found_and_each_has_a_name_of_its_own() -> None:
    assert len({plant.name for plant in PLANTS}) == len(PLANTS)
    assert len(QUICK) + len(SLOW) >= 10
