"""`mm-soak` interrupted, and while it runs: one Ctrl-C or SIGTERM ends it with a report of what was done; violations are told at once."""

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
# Told of on standard error: the seeds under way, now and then.
TELLING_HOW_FAR = """
import sys
from soak import command
command.CampaignProgress.tell = lambda self, seed, virtual_seconds: print(seed, file=sys.stderr, flush=True)
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


def running(group: int) -> list[str]:
    """Command lines of the processes of this group."""
    found: list[str] = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(process.name)) == group:
                found.append((process / "cmdline").read_text())
        except OSError:
            continue  # it has just ended
    return [line for line in found if line]  # those of a process that has ended, and that nobody has asked for, are empty


@pytest.mark.parametrize(
    ("jobs", "repeat", "number", "status"),
    [
        ("1", "0.5", signal.SIGINT, SoakStatus.INTERRUPTED),
        ("2", "0", signal.SIGINT, SoakStatus.INTERRUPTED),
        ("1", "0.5", signal.SIGTERM, SoakStatus.TERMINATED),
    ],
)
def test_campaign_that_is_interrupted_reports_the_seeds_that_are_done_and_leaves_nothing_behind(
    jobs: str, repeat: str, number: signal.Signals, status: SoakStatus, tmp_path: Path
) -> None:
    arguments = ("--seeds", "1:500", "--hours", "0.003", "--faults", "none", "--jobs", jobs, "--repeat", repeat, "--json")
    with soaking(TELLING_SEEDS, *arguments, folder=tmp_path) as process:
        assert process.stderr is not None
        done = int(process.stderr.readline())
        if number is signal.SIGTERM:
            os.kill(process.pid, number)
        else:
            os.killpg(process.pid, number)
        told, errors = process.communicate(timeout=TIMEOUT_SECONDS)
        assert process.returncode == status
        assert "Traceback" not in errors
        report = json.loads(told)
        assert done in [world["seed"] for world in report["worlds"]]
        assert report["seeds"] < 20
        assert report["status_words"] == f"{status.words}; until then: every world was fine"
        assert not [line for line in running(process.pid) if "soak.command" in line]
        assert not list(tmp_path.iterdir())


def test_campaign_that_is_killed_leaves_no_world_and_no_file_behind(tmp_path: Path) -> None:
    arguments = ("--seeds", "3:4", "--hours", "5", "--faults", "none", "--jobs", "2")
    with soaking(TELLING_HOW_FAR, *arguments, folder=tmp_path) as process:
        assert process.stderr is not None
        assert {int(process.stderr.readline()) for _ in range(2)} <= {3, 4}
        process.kill()
        process.communicate(timeout=TIMEOUT_SECONDS)  # each world has the other end of standard error, as long as it lives
        assert not [line for line in running(process.pid) if "multiprocessing" in line]
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, SoakStatus.INTERRUPTED), (signal.SIGTERM, SoakStatus.TERMINATED)])
def test_single_world_that_is_interrupted_ends_without_a_traceback(number: signal.Signals, status: SoakStatus, tmp_path: Path) -> None:
    arguments = ("--seed", "4", "--hours", "10", "--faults", "none", "--trace")
    with soaking(TELLING_SEEDS, *arguments, folder=tmp_path) as process:
        assert process.stdout is not None
        for _ in range(50):
            process.stdout.readline()
        os.killpg(process.pid, number)
        told, errors = process.communicate(timeout=TIMEOUT_SECONDS)
        assert process.returncode == status
        assert errors == ""
        assert told.endswith(f"exit status {status.value}: {status.words}; until then: every world was fine\n")
        assert not list(tmp_path.iterdir())


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
