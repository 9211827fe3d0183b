"""Every check of the contract suite says which promises it proves, and `bin/test tests/contract --contract-rows` lists them."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from rows import ELSEWHERE, MARKETS, ROWS, NoRows, listing, rows_of

from assembly.registry import EXCHANGES

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = ROOT / "tests" / "contract"
CHECKS = [
    (f"{path.name}::{node.name}", ast.get_docstring(node))
    for path in sorted(CONTRACT.glob("test_*.py"))
    for node in ast.walk(ast.parse(path.read_text()))
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
]


@pytest.mark.parametrize(("name", "docstring"), CHECKS, ids=[name for name, _ in CHECKS])
def test_contract_test_names_the_rows_that_it_proves(name: str, docstring: str | None) -> None:
    assert rows_of(docstring), name


def test_every_row_is_proven_by_the_suite_or_elsewhere() -> None:
    proven = {row for _, docstring in CHECKS for row in rows_of(docstring)} | set(ELSEWHERE)
    assert proven == set(ROWS)


def test_every_market_has_a_row_and_what_is_proven_elsewhere_is_there() -> None:
    assert set(EXCHANGES) <= {market for markets in MARKETS.values() for market in markets}
    assert all((ROOT / path).exists() for path in ELSEWHERE.values())


@pytest.mark.parametrize(
    ("docstring", "rows"),
    [
        ("D1", ["D1"]),
        ("D1, T4, X2", ["D1", "T4", "X2"]),
        ("X1-X4: in other words, D2", ["X1", "X2", "X3", "X4"]),
        ("X12\n\nAt length.", ["X12"]),
    ],
)
def test_rows_are_read_from_the_beginning_of_a_docstring(docstring: str, rows: list[str]) -> None:
    assert rows_of(docstring) == rows


@pytest.mark.parametrize("docstring", [None, "", "What it does, D1", "D99", "X1-X99", "D1 and T4"])
def test_docstring_without_rows_is_refused(docstring: str | None) -> None:
    with pytest.raises(NoRows):
        rows_of(docstring)


def test_listing_names_check_and_markets_under_each_row() -> None:
    text = listing(
        {"test_book_is_whole": (["D1", "X1"], ["gateio_spot", "okx_spot"]), "test_switch": (["X1", "X4"], ["okx_spot"])},
        ["gateio_spot", "okx_spot"],
    )
    sections = {line.split()[0]: [] for line in text.splitlines() if not line.startswith(" ")}
    row = ""
    for line in text.splitlines():
        if line.startswith(" "):
            sections[row].append(line.strip())
        else:
            row = line.split()[0]
    assert sections["D1"] == ["book is whole  [every market]"]
    assert sections["X1"] == ["book is whole  [gateio_spot]"]
    assert sections["X4"] == ["switch  [okx_spot]"]
    assert sections["X7"] == ["no such market yet"]


def test_command_lists_and_runs_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/contract", "--contract-rows"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no tests ran" in done.stdout
    for row, meaning in ROWS.items():
        assert f"{row}  {meaning}" in done.stdout
    assert "cycles buy sell and reconcile to the last digit  [every market]" in done.stdout
