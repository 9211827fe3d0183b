"""Every pain that docs/pains.md says is answered names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| (\d+) \| .* \| (.*) \|$", re.MULTILINE)
ROWS = ROW.findall((ROOT / "docs/pains.md").read_text(encoding="utf-8"))
# Those of orders, stops and restarts; the others are about feeds, simulation, back-testing and installation.
ANSWERED = (*range(1, 14), *range(19, 25), *range(27, 30))


def written_tests() -> set[str]:
    defined = re.compile(r"^\s*(?:async )?def (test_\w+)\(", re.MULTILINE)
    return {name for path in (ROOT / "tests").rglob("test_*.py") for name in defined.findall(path.read_text(encoding="utf-8"))}


def test_every_pain_of_orders_stops_and_restarts_has_a_row() -> None:
    assert [int(number) for number, _ in ROWS] == list(ANSWERED)


@pytest.mark.parametrize(("number", "tests"), ROWS)
def test_tests_that_a_row_names_exist(number: str, tests: str) -> None:
    named = re.findall(r"`(test_\w+)`", tests)
    assert named
    assert sorted(set(named) - written_tests()) == []
