"""Worlds in processes of their own: what they tell, and what becomes of the others when one dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import pytest

from soak.campaign.arguments import parse_arguments
from soak.campaign.processes import Job, Tell, running_each
from soak.campaign.seeds import options_of, run_in_order, run_seeds
from soak.outcome import Outcome, Verdict

ROOT = Path(__file__).resolve().parents[2]


def fine(seed: int, tell: Tell) -> Outcome:
    tell(60.0)
    return Outcome(seed=seed, virtual_seconds=100.0)


def killed(seed: int, tell: Tell) -> Outcome:
    signal.raise_signal(signal.SIGKILL)
    return Outcome(seed=seed)


def exited(seed: int, tell: Tell) -> Outcome:
    raise SystemExit(3)


def endless(folder: Path, tell: Tell) -> Outcome:
    """Leaves a file named by its process, another where its files go, and does not end by itself."""
    Path(tempfile.mkdtemp(), "of a world").touch()
    (folder / str(os.getpid())).touch()
    tell(0.0)
    while True:
        signal.pause()


def outcomes_of(*jobs: Job, at_once: int = 2) -> list[Outcome]:
    with running_each(jobs, at_once=at_once, tell=lambda seed, virtual_seconds: None) as ended:
        return [outcome for _, outcome in sorted(ended, key=lambda each: each[0])]


@pytest.mark.parametrize(("work", "how"), [(killed, "was killed by SIGKILL"), (exited, "ended with status 3")])
def test_world_whose_process_dies_is_a_crash_of_the_harness_that_says_how_and_the_others_go_on(
    work: Callable[[int, Tell], Outcome], how: str
) -> None:
    jobs = [Job(seed, partial(work if seed == 2 else fine, seed)) for seed in range(1, 6)]
    first, second, *others = outcomes_of(*jobs)
    assert (second.seed, second.verdict) == (2, Verdict.HARNESS_CRASHED)
    assert how in second.told
    assert [(outcome.seed, outcome.verdict) for outcome in (first, *others)] == [(seed, Verdict.FINE) for seed in (1, 3, 4, 5)]


def test_worlds_whose_fork_server_dies_are_crashes_of_the_harness_that_say_so_and_the_others_go_on(tmp_path: Path) -> None:
    jobs = [Job(1, partial(endless, tmp_path)), Job(2, partial(fine, 2))]

    def tell(seed: int, virtual_seconds: float) -> None:
        if seed == 1:
            server: Any = forkserver._forkserver
            os.kill(server._forkserver_pid, signal.SIGKILL)

    with running_each(jobs, at_once=1, tell=tell) as ended:
        (_, first), (_, second) = ended
    assert (first.seed, first.verdict) == (1, Verdict.HARNESS_CRASHED)
    assert "the process that this world was forked from has died" in first.told
    assert second.verdict is Verdict.FINE
    (note,) = tmp_path.iterdir()
    process = Path("/proc", note.name, "cmdline")
    assert not process.exists() or not process.read_text()  # or it has ended, and nobody has asked for how


def test_how_far_worlds_are_is_told_with_their_seeds() -> None:
    told: list[tuple[int, float]] = []
    with running_each([Job(seed, partial(fine, seed)) for seed in (7, 8)], at_once=1, tell=lambda *one: told.append(one)) as ended:
        assert [number for number, _ in ended] == [0, 1]
    assert told == [(7, 60.0), (8, 60.0)]


@pytest.mark.parametrize("seeds", ["4:4", "4:5"])
def test_campaign_tells_how_far_its_worlds_are_in_one_process_and_in_several(seeds: str) -> None:
    told: list[tuple[int, float]] = []
    arguments = parse_arguments(["--seeds", seeds, "--hours", "0.03", "--faults", "none", "--repeat", "0", "--jobs", "2"])
    outcomes = list(run_seeds(arguments, tell=lambda *one: told.append(one)))
    assert all(outcome.verdict is Verdict.FINE for outcome in outcomes)
    of_seed = [seconds for seed, seconds in told if seed == 4]
    assert of_seed[0] == pytest.approx(60.0, abs=10.0)
    assert of_seed == sorted(of_seed)


def test_worlds_that_end_in_another_order_are_given_in_theirs() -> None:
    arguments = parse_arguments(["--seeds", "1:4", "--hours", "0.01", "--faults", "none"])
    worlds = [options_of(seed, arguments) for seed in (3, 1, 4, 2)]
    assert [outcome.seed for outcome in run_in_order(3, worlds)] == [3, 1, 4, 2]


def test_leaving_ends_worlds_under_way_and_takes_their_files_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, notes = tmp_path / "files", tmp_path / "notes"
    files.mkdir()
    notes.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(files))
    jobs = [Job(1, partial(fine, 1)), Job(2, partial(endless, notes)), Job(3, partial(endless, notes))]
    told: list[int] = []

    def tell(seed: int, virtual_seconds: float) -> None:
        told.append(seed)
        if told.count(2) and told.count(3):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), running_each(jobs, at_once=2, tell=tell) as ended:
        list(ended)
    numbers = [int(note.name) for note in notes.iterdir()]
    assert len(numbers) == 2
    assert not [number for number in numbers if Path(f"/proc/{number}").exists()]
    assert not list(files.iterdir())


def test_campaign_in_which_nothing_is_wrong_says_nothing_on_standard_error() -> None:
    arguments = ("--seeds", "1:2", "--hours", "0.003", "--faults", "none", "--jobs", "2", "--json")
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, "-m", "soak.command", *arguments], cwd=ROOT, env=environ, capture_output=True, text=True, check=True
    )
    assert ran.stderr == ""
