"""A copy of the program with a bug in it, and the hunt for that bug in processes that import the copy."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
from plants import Change, Plant

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("actors", "assembly", "exchanges", "market", "measuring", "network", "orders", "simulated", "soak", "supervision")
HUNT = Path(__file__).parent / "hunt.py"


class PlantDoesNotApply(Exception):
    """The program's text is not what a plant replaces: the code has moved on, and the plant must follow it."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What the hunt came to: the first seed whose world was not fine, or none in so many `worlds`."""

    worlds: int
    seed: int | None = None
    verdict: str = ""
    told: str = ""
    options: list[str] = []
    virtual_hours: float = 0.0
    """In all worlds until it was found."""
    real_seconds: float = 0.0

    @property
    def first_line(self) -> str:
        return self.told.splitlines()[0] if self.told else ""


def changed(text: str, change: Change) -> str:
    """Raises: PlantDoesNotApply: the text to replace is not there exactly once."""
    times = text.count(change.old)
    if times != 1:
        raise PlantDoesNotApply(f"{change.file} has this text {times} times, not once; write the plant anew:\n{change.old}")
    return text.replace(change.old, change.new)


@contextmanager
def planted(changes: Sequence[Change]) -> Generator[Path]:
    """A folder with a copy of the program in which these changes were made; it is gone after the block.

    Raises:
        PlantDoesNotApply: one of them does not fit.
    """
    with tempfile.TemporaryDirectory(prefix="mm-planted-") as name:
        folder = Path(name)
        for package in PACKAGES:
            shutil.copytree(ROOT / package, folder / package)
        shutil.copy2(ROOT / "pyproject.toml", folder)  # it says which version this is
        for change in changes:
            path = folder / change.file
            path.write_text(changed(path.read_text(), change))
        yield folder


def environ_of(folder: Path) -> dict[str, str]:
    """The environment of a process that imports the program in `folder`."""
    return {**os.environ, "PYTHONPATH": str(folder)}


def hunt(plant: Plant, *, seeds_max: int | None = None) -> Found:
    """Run worlds of the program with this bug, until one is not fine."""
    seeds = seeds_max or plant.seeds_max
    with planted(plant.changes) as folder:
        command = [sys.executable, str(HUNT), str(seeds), plant.kind, *plant.world_arguments]
        ran = subprocess.run(command, cwd=folder, env=environ_of(folder), stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(ran.stdout, type=Found)


def run_command(plant: Plant, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`bin/mm-soak` with these arguments, of the program with this bug."""
    with planted(plant.changes) as folder:
        command = [sys.executable, "-m", "soak.command", *arguments]
        return subprocess.run(command, cwd=folder, env=environ_of(folder), capture_output=True, text=True, check=False)
