"""The import map of docs and pyproject.toml: who may import whom, and that the import linter enforces it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from itertools import combinations, permutations, product
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONFIGURATION: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
ROOT_PACKAGES: list[str] = CONFIGURATION["root_packages"]

# The map as the design states it. A new package is one line here and its contracts in pyproject.toml.
MAY_IMPORT: dict[str, set[str]] = {
    "market": set(),
    "supervision": set(),
    "measuring": set(),
    "network": {"measuring"},
    "actors.channels": set(),
    "orders": {"market"},
    "exchanges": {"market"},
    "actors.feeds": {"market", "exchanges", "measuring", "network", "actors.channels"},
    "actors.accounts": {"market", "exchanges", "measuring", "network", "actors.channels", "orders"},
    "actors.cycle": {"market", "orders", "actors.channels"},
    "actors.journal": {"market", "orders", "actors.channels"},
    "actors.notifier": {"network"},
    "simulated": {"market", "orders", "exchanges", "network"},
}
COMPOSER = "assembly"  # imports all of them
SIMULATOR = "soak"  # imports all of them and the composer

FORBIDDEN_PAIRS = [
    (importer, imported)
    for importer, allowed in {**MAY_IMPORT, COMPOSER: set(MAY_IMPORT)}.items()
    for imported in [*MAY_IMPORT, COMPOSER, SIMULATOR]
    if imported != importer and imported not in allowed
]


def packages_on_disk() -> set[str]:
    """Every package of the program: the top-level folders, and for `actors`, whose parts are apart, the folders inside."""
    top = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "bench"}
    return (top - {"actors"}) | {f"actors.{path.parent.name}" for path in ROOT.glob("actors/*/__init__.py")}


def is_within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def forbids(contract: dict[str, Any], importer: str, imported: str) -> bool:
    return any(is_within(importer, source) and is_within(imported, target) for source, target in forbidden_pairs_of(contract))


def forbidden_pairs_of(contract: dict[str, Any]) -> list[tuple[str, str]]:
    """Who may not import whom by one contract."""
    match contract["type"]:
        case "forbidden":
            return list(product(contract["source_modules"], contract["forbidden_modules"]))
        case "independence":
            return list(permutations(contract["modules"], 2))
        case "layers":  # from the top; none imports what is above it
            return [(lower, higher) for higher, lower in combinations(contract["layers"], 2)]
        case kind:
            raise AssertionError(f"a contract of a kind that this test does not know: {kind}")


def test_every_package_is_on_the_map_and_known_to_the_linter() -> None:
    assert packages_on_disk() == {*MAY_IMPORT, COMPOSER, SIMULATOR}
    assert set(ROOT_PACKAGES) == {package.partition(".")[0] for package in packages_on_disk()}


@pytest.mark.parametrize(("importer", "imported"), FORBIDDEN_PAIRS)
def test_every_import_off_the_map_is_forbidden_by_a_contract(importer: str, imported: str) -> None:
    assert any(forbids(contract, importer, imported) for contract in CONFIGURATION["contracts"])


def test_no_contract_forbids_an_import_on_the_map() -> None:
    for importer, allowed in MAY_IMPORT.items():
        for imported in allowed:
            assert not any(forbids(contract, importer, imported) for contract in CONFIGURATION["contracts"]), (importer, imported)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A copy of every production package and of the configuration."""
    for package in ROOT_PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    code = "from importlinter.cli import lint_imports_command; lint_imports_command(['--no-logo', '--no-cache'])"
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run([sys.executable, "-c", code], cwd=folder, env=environ, capture_output=True, text=True, check=False)


def test_the_program_keeps_to_the_map(program: Path) -> None:
    linted = lint_imports(program)
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_one_bad_import_of_each_contract_is_caught(program: Path) -> None:
    smuggled: dict[str, str] = {}
    for number, contract in enumerate(CONFIGURATION["contracts"]):
        importer, imported = next(pair for pair in forbidden_pairs_of(contract) if (program / pair[0].replace(".", "/")).is_dir())
        (program / importer.replace(".", "/") / f"smuggler_{number}.py").write_text(f"import {imported}\n")
        smuggled[contract["name"]] = f"{importer}.smuggler_{number} -> {imported}"
    linted = lint_imports(program)
    assert linted.returncode != 0
    for name, edge in smuggled.items():
        assert f"{name} BROKEN" in " ".join(linted.stdout.split()), linted.stdout
        assert edge in linted.stdout, linted.stdout
