"""The lock files: complete, exact, hashed, in step with pyproject.toml and with each other."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUNTIME: list[str] = PROJECT["project"]["dependencies"]
WANTED = {
    "runtime": RUNTIME,
    "parquet": [*RUNTIME, *PROJECT["project"]["optional-dependencies"]["parquet"]],
    "development": [*RUNTIME, *PROJECT["project"]["optional-dependencies"]["development"]],
    "locking": PROJECT["dependency-groups"]["locking"],
    "protobuf": PROJECT["dependency-groups"]["protobuf"],
}


def locked(name: str) -> dict[str, tuple[Requirement, int]]:
    """The requirements of a lock file by name, each with the number of its hashes."""
    text = re.sub(r"#.*", "", (ROOT / "requirements" / f"{name}.lock").read_text()).replace("\\\n", " ")
    requirements: dict[str, tuple[Requirement, int]] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        requirement = Requirement(line.partition(" --hash")[0].strip())
        requirements[canonicalize_name(requirement.name)] = (requirement, len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", line)))
    return requirements


@pytest.mark.parametrize("name", WANTED)
def test_lock_names_exact_versions_with_hashes_and_the_command_that_wrote_it(name: str) -> None:
    assert "bin/lock" in (ROOT / "requirements" / f"{name}.lock").read_text().splitlines()[1]
    for requirement, hashes in locked(name).values():
        assert re.fullmatch(r"==[\w.]+", str(requirement.specifier)), requirement
        assert hashes > 0, requirement


@pytest.mark.parametrize("name", WANTED)
def test_lock_satisfies_every_requirement_of_the_project(name: str) -> None:
    for wanted in map(Requirement, WANTED[name]):
        requirement, _ = locked(name)[canonicalize_name(wanted.name)]
        version = str(requirement.specifier).removeprefix("==")
        assert wanted.specifier.contains(version, prereleases=True), f"{wanted} is locked at {version}: run bin/lock"


@pytest.mark.parametrize("what_is_run", ["runtime", "parquet"])
def test_what_is_tested_is_what_is_run(what_is_run: str) -> None:
    development = locked("development")
    for name, (requirement, _) in locked(what_is_run).items():
        assert development[name][0].specifier == requirement.specifier, name


def test_there_is_no_lock_that_nothing_checks() -> None:
    assert {path.name for path in (ROOT / "requirements").iterdir()} == {f"{name}.lock" for name in WANTED}
