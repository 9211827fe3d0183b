"""`mm-soak` interrupted, and while it runs: one Ctrl-C ends it with the report of what was done, and what is wrong is told at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from soak.campaign.report import SoakStatus

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_SECONDS = 60.0
# Told of on standard error: every seed that is done.
TELLING_SEEDS = """
import sys
from soak import command
command._show_failure = lambda console, arguments, outcome: print(outcome.seed, file=sys.stderr, flush=True)
sys.exit(command.main(sys.argv[1:]))
"""
# The first world is not fine, and the second takes until somebody writes a line.
WAITING_AFTER_A_VIOLATION = """
import sys
from soak import command
from soak.outcome import Outcome, Verdict

def run_seeds(arguments, tell):
    yield Outcome(seed=1, verdict=Verdict.VIOLATION, told="at 3.0000 s: it is broken")
    sys.stdin.readline()
    yield Outcome(seed=2)

command.run_seeds = run_seeds
sys.exit(command.main(sys.argv[1:]))
"""


@contextmanager
def soaking(code: str, *arguments: str, folder: Path) -> Generator[subprocess.Popen[str]]:
    """As in a terminal: a process group of its own, all of which hears Ctrl-C."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def worlds_running(group: int) -> list[str]:
    """Command lines of processes of this group that run worlds."""
    found: list[str] = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(process.name)) == group:
                found.append((process / "cmdline").read_text())
        except OSError:
            continue  # it has just ended
    return [line for line in found if "soak.command" in line]


@pytest.mark.parametrize(("jobs", "repeat"), [("1", "0.5"), ("2", "0")])
def test_campaign_that_is_interrupted_reports_the_seeds_that_are_done_and_leaves_nothing_behind(
    jobs: str, repeat: str, tmp_path: Path
) -> None:
    arguments = ("--seeds", "1:500", "--hours", "0.003", "--faults", "none", "--jobs", jobs, "--repeat", repeat, "--json")
    with soaking(TELLING_SEEDS, *arguments, folder=tmp_path) as process:
        assert process.stderr is not None
        done = int(process.stderr.readline())
        os.killpg(process.pid, signal.SIGINT)
        told, errors = process.communicate(timeout=TIMEOUT_SECONDS)
        assert process.returncode == SoakStatus.INTERRUPTED
        assert "Traceback" not in errors
        report = json.loads(told)
        assert done in [world["seed"] for world in report["worlds"]]
        assert report["seeds"] < 20
        assert report["status_words"] == "interrupted; until then: every world was fine"
        assert not worlds_running(process.pid)
        assert not list(tmp_path.iterdir())


def test_single_world_that_is_interrupted_ends_without_a_traceback(tmp_path: Path) -> None:
    arguments = ("--seed", "4", "--hours", "10", "--faults", "none", "--trace")
    with soaking(TELLING_SEEDS, *arguments, folder=tmp_path) as process:
        assert process.stdout is not None
        for _ in range(50):
            process.stdout.readline()
        os.killpg(process.pid, signal.SIGINT)
        told, errors = process.communicate(timeout=TIMEOUT_SECONDS)
        assert process.returncode == SoakStatus.INTERRUPTED
        assert errors == ""
        assert told.endswith("exit status 130: interrupted; until then: every world was fine\n")


@pytest.mark.parametrize("as_json", [False, True])
def test_violation_is_told_with_its_replay_command_while_the_other_worlds_still_run(as_json: bool, tmp_path: Path) -> None:
    arguments = ("--seeds", "1:2", "--jobs", "1", *(["--json"] if as_json else []))
    with soaking(WAITING_AFTER_A_VIOLATION, *arguments, folder=tmp_path) as process:
        assert process.stderr is not None
        told = [process.stderr.readline() for _ in range(3)]
        assert "at 3.0000 s: it is broken\n" in told
        assert "replay: bin/mm-soak --seed 1 --hours 1 --faults all --trace\n" in told
        process.communicate("go on\n", timeout=TIMEOUT_SECONDS)
        assert process.returncode == SoakStatus.VIOLATION
