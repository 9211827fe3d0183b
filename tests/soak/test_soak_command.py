"""`mm-soak`'s command line: what it takes, what it refuses and in which words, what its report and exit status say."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from orders.life_cycle import TRANSITIONS
from soak import command
from soak.campaign.arguments import parse_arguments
from soak.campaign.report import Report, SoakStatus
from soak.campaign.tables import print_report
from soak.checks.losses import ALL as LOSSES
from soak.command import main
from soak.faults.kinds import KINDS
from soak.faults.strike import Group
from soak.outcome import Outcome, Verdict
from soak.transitions import ALL, REACHABLE, SELDOM, UNREACHABLE

ROOT = Path(__file__).resolve().parents[2]


def soak(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "soak.command", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (["--seeds", "5:1"], "'5:1' is empty: the first seed comes first"),
        (["--seeds", "5"], "'5' is no range of seeds: write FIRST:LAST, or --seed for one"),
        (["--seed", "-3"], "'-3' is no seed"),
        (["--seed", "x"], "'x' is no seed: a whole number from 0 to"),
        (["--seed", "1", "--seeds", "1:2"], "not allowed with argument"),
        (["--hours", "0"], "'0' is no time"),
        (["--hours", "soon"], "'soon' is no time: a number of hours above 0"),
        (["--faults", "network,gremlins"], "there are no faults 'gremlins': choose from network, exchange"),
        (["--exchanges", "mtgox"], "there is no exchange 'mtgox': choose from gateio_futures"),
        (["--jobs", "0"], "'0' is not a whole number above 0"),
        (["--jobs", "999999999999999999999"], "are too many processes at a time: 1000 at most"),
        (["--repeat", "2"], "'2' is no share: a number from 0 to 1"),
        (["--repeat", "1e-320"], "'1e-320' is no share: a number from 0 to 1, and not between 0 and 0.000001"),
        (["--trace"], "--trace tells the story of one world: name it with --seed"),
        (["--trace", "--json", "--seed", "1"], "choose one"),
        (["--shrink"], "--shrink, --plan and --cycles are about one world: name it with --seed"),
        (["--seeds", "1:2", "--plan", "0:"], "name it with --seed"),
        (["--seed", "1", "--shrink", "--json"], "--shrink tells its own story"),
        (["--seed", "1", "--shrink", "--shrink-seconds", "0"], "'0' is no time: a number of seconds above 0"),
        (["--seed", "1", "--plan", "3"], "'3' is no spell: write NUMBER:STRIKE+STRIKE as in 3:0+2"),
    ],
)
def test_argument_that_makes_no_sense_is_refused_with_the_reason(
    argv: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_arguments(argv)
    assert ended.value.code == SoakStatus.USAGE
    assert complaint in " ".join(capsys.readouterr().err.split())


def test_replay_command_names_what_draws_the_same_world() -> None:
    arguments = parse_arguments(["--seeds", "1:9", "--hours", "0.5", "--faults", "crash,network", "--exchanges", "okx_swap"])
    command = arguments.replay(7)
    assert command == "bin/mm-soak --seed 7 --hours 0.5 --faults network,crash --exchanges okx_swap --trace"
    again = parse_arguments(command.split()[1:])
    assert (again.groups, again.exchanges, again.hours) == (arguments.groups, arguments.exchanges, arguments.hours)


@pytest.mark.parametrize("hours", ["1", "0.5", "0.123456789", "1234.5678", "1e-07"])
def test_replay_command_names_the_hours_to_the_last_digit(hours: str) -> None:
    command = parse_arguments(["--hours", hours]).replay(7)
    assert f"--hours {hours} " in command
    assert parse_arguments(command.split()[1:]).hours == float(hours)


def test_replay_command_of_a_shrunk_world_names_its_cycles_and_its_plan() -> None:
    arguments = parse_arguments(["--seed", "7", "--cycles", "two,one", "--plan", "3:0+2,5:"])
    command = arguments.replay(7)
    assert command == "bin/mm-soak --seed 7 --hours 1 --faults all --cycles two,one --plan 3:0+2,5: --trace"
    again = parse_arguments(command.split()[1:])
    assert (again.cycles, again.plan) == (arguments.cycles, arguments.plan)


def test_cycle_that_a_world_does_not_have_is_refused_with_those_it_has(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seed", "1", "--cycles", "nine"]) == SoakStatus.USAGE
    assert "this world has the cycles one" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("verdicts", "hashes", "status"),
    [
        ([Verdict.FINE], ("a",), SoakStatus.FINE),
        ([Verdict.FINE, Verdict.NOT_CONVERGED], (), SoakStatus.NOT_CONVERGED),
        ([Verdict.NOT_CONVERGED, Verdict.VIOLATION], (), SoakStatus.VIOLATION),
        ([Verdict.VIOLATION, Verdict.HARNESS_CRASHED], (), SoakStatus.HARNESS_CRASHED),
        ([Verdict.FINE], ("a", "b"), SoakStatus.NOT_REPEATED),
    ],
)
def test_exit_status_tells_violation_crash_and_non_convergence_apart(
    verdicts: list[Verdict], hashes: tuple[str, ...], status: SoakStatus
) -> None:
    outcomes = [
        Outcome(seed=seed, verdict=verdict, trace_hash="a", is_repeated=bool(hashes), other_hashes=hashes)
        for seed, verdict in enumerate(verdicts)
    ]
    assert Report(parse_arguments([]), outcomes, real_seconds=1.0).status is status


def test_fault_that_never_struck_fails_the_report_of_enough_seeds() -> None:
    missing, *others = KINDS
    outcomes = [Outcome(seed=seed, strikes=dict.fromkeys(others, 1), effects=dict.fromkeys(others, 1)) for seed in range(3)]
    report = Report(parse_arguments(["--enough", "3"]), outcomes, real_seconds=1.0)
    assert report.status is SoakStatus.FAULT_NEVER_STRUCK
    assert report.never_struck == (missing,)
    assert f"faults that never struck: {missing}" in printed(report)
    assert Report(parse_arguments(["--enough", "4"]), outcomes, real_seconds=1.0).status is SoakStatus.FINE


def test_fault_that_never_takes_effect_fails_the_report_of_enough_hours_however_often_it_struck() -> None:
    missing = next(iter(KINDS))
    report = whole_campaign(without=missing)
    assert report.status is SoakStatus.FAULT_NEVER_STRUCK
    assert report.never_took_effect == (missing,)
    assert not report.never_struck
    assert f"faults that never took effect: {missing} (struck 6 times)" in printed(report)
    assert whole_campaign(without=missing, hours=2.9).status is SoakStatus.FINE


def test_report_tells_how_often_a_fault_struck_and_how_often_it_took_effect() -> None:
    outcomes = [Outcome(seed=seed, strikes={"ban": 1_000, "stall": 7}, effects={"ban": 991}) for seed in range(2)]
    report = Report(parse_arguments([]), outcomes, real_seconds=1.0)
    told = json.loads(report.as_json())
    assert told["faults_by_kind"] == {"ban": 2_000, "stall": 14}
    assert told["effects_by_kind"] == {"ban": 1_982}
    assert "stall" in told["faults_that_never_took_effect"]
    assert "stall" not in told["faults_that_never_struck"]
    row = next(line for line in printed(report).splitlines() if "ban" in line)
    assert row.split() == ["ban", "2,000", "1,982", "stall", "14", "0"]


def whole_campaign(*, without: str = "", hours: float = 3.0) -> Report:
    """Three worlds in which all struck and took effect, and all transitions were reached, but for the one that is named."""
    transitions = {name: 1 for name in REACHABLE if name != without}
    struck = dict.fromkeys(KINDS, 2)
    effects = {kind: 1 for kind in KINDS if kind != without}
    losses = {name: 1 for name in LOSSES if name != without}
    outcomes = [
        Outcome(seed=seed, strikes=struck, effects=effects, transitions=transitions, losses_struck=losses, virtual_seconds=hours * 1200)
        for seed in range(3)
    ]
    return Report(parse_arguments(["--enough", "3"]), outcomes, real_seconds=1.0)


def test_order_transition_that_was_never_reached_fails_the_report_of_enough_hours() -> None:
    report = whole_campaign(without="unknown said_filled")
    assert report.status is SoakStatus.TRANSITION_NEVER_REACHED
    assert report.never_reached == ("unknown said_filled",)
    assert "order transitions never reached: unknown said_filled" in printed(report)
    assert whole_campaign().status is SoakStatus.FINE
    assert whole_campaign(without="unknown said_filled", hours=2.9).status is SoakStatus.FINE


def test_limit_of_losses_that_never_struck_fails_the_report_of_enough_hours() -> None:
    report = whole_campaign(without="drawdown_max reduce_only")
    assert report.status is SoakStatus.FAULT_NEVER_STRUCK
    assert report.losses_never_struck == ("drawdown_max reduce_only",)
    assert "limits of losses that never struck: drawdown_max reduce_only" in printed(report)
    assert whole_campaign(without="drawdown_max reduce_only", hours=2.9).status is SoakStatus.FINE


def test_transitions_called_unreachable_are_of_the_table_and_have_a_reason_and_one_that_is_reached_is_told() -> None:
    assert {*UNREACHABLE, *SELDOM} <= set(TRANSITIONS)
    assert not UNREACHABLE.keys() & SELDOM.keys()
    assert all((*UNREACHABLE.values(), *SELDOM.values()))
    report = whole_campaign()
    report = Report(report.arguments, [*report.outcomes, Outcome(seed=9, transitions={"filled said_open": 1})], real_seconds=1.0)
    assert "called unreachable, and reached (mend soak/transitions.py): filled said_open" in printed(report)
    report = Report(report.arguments, [Outcome(seed=9, transitions={"unknown amend_ended": 1})], real_seconds=1.0)
    assert "called unreachable" not in printed(report)


def printed(report: Report, *, width: int = 80) -> str:
    console = Console(width=width, file=io.StringIO())
    print_report(console, report)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_report_fits_a_terminal_of_eighty_columns_and_ends_with_every_failure_and_the_status_in_words() -> None:
    whole = whole_campaign()
    bad = Outcome(
        seed=7, verdict=Verdict.VIOLATION, told="at 3.0000 s: it is broken (seed 7); the last events:\n  …", transitions={ALL[0]: 123_456}
    )
    text = printed(Report(whole.arguments, [*whole.outcomes, bad], real_seconds=1.0))
    assert max(map(len, text.splitlines())) <= 80
    assert "said_partially_filled" in text
    assert "123k" in text
    assert text.endswith(
        "seed 7, violation: at 3.0000 s: it is broken\n"
        "  replay: bin/mm-soak --seed 7 --hours 1 --faults all --trace\n"
        "exit status 1: something that must always be true was not\n"
    )


@pytest.mark.parametrize("width", [20, 40, 60, 79, 80])
def test_no_figure_is_cut_off_in_a_narrow_terminal(width: int) -> None:
    whole = whole_campaign()
    outcomes = [*whole.outcomes, Outcome(seed=7, orders=123_456_789, strikes={"stall": 98_759}, transitions={REACHABLE[0]: 4_318})]
    text = printed(Report(whole.arguments, outcomes, real_seconds=1.0), width=width)
    assert "…" not in text
    assert "123,456,789" in text
    assert "98,765" in text
    assert "4,321" in text or "4321" in text


def test_json_report_is_one_object_with_figures_and_each_seed_s_trace_hash() -> None:
    ran = soak("--seed", "4", "--hours", "0.005", "--faults", "none", "--json", "--repeat", "0")
    assert ran.returncode == 0, ran.stderr
    report = json.loads(ran.stdout)
    assert report["seeds"] == 1
    assert report["virtual_hours"] > 0
    (world,) = report["worlds"]
    assert (world["seed"], world["verdict"], len(world["trace_hash"])) == (4, "fine", 64)
    assert world["replay"] == "bin/mm-soak --seed 4 --hours 0.005 --faults none --trace"


def test_trace_tells_the_story_of_a_world() -> None:
    ran = soak("--seed", "4", "--hours", "0.005", "--faults", "none", "--trace")
    assert ran.returncode == 0, ran.stderr
    assert "order_placed" in ran.stdout
    assert "cycle_reconciled" in ran.stdout


def test_help_says_what_each_exit_status_means() -> None:
    text = soak("--help").stdout
    for status in SoakStatus:
        assert f"\n  {status.value}  " in text, status
    for group in Group:
        assert group.value in text


QUICK = ("--seed", "3", "--hours", "0.01", "--faults", "none")


@pytest.mark.parametrize("arguments", [("--trace",), ()])
def test_whoever_reads_the_output_no_further_ends_it_quietly_and_not_as_a_violation(arguments: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as nobody:
        ran = subprocess.run(
            [sys.executable, "-m", "soak.command", *QUICK, *arguments],
            cwd=ROOT,
            stdout=nobody,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (ran.returncode, ran.stderr) == (SoakStatus.NOBODY_READS, "")


@pytest.mark.parametrize("arguments", [("--trace",), ("--json",)])
def test_output_on_a_full_disk_is_a_crash_of_the_simulator_that_says_so(arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "soak.command", *QUICK, *arguments],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ran.returncode == SoakStatus.HARNESS_CRASHED
    assert ran.stderr == "mm-soak: the simulator crashed, for what it found cannot be written: [Errno 28] No space left on device\n"


def test_what_nobody_has_thought_of_is_a_crash_of_the_simulator_and_no_violation(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise OverflowError("too much")

    monkeypatch.setattr(command, "print_report", fail)
    assert main(QUICK) == SoakStatus.HARNESS_CRASHED
    told = capsys.readouterr().err
    assert "OverflowError: too much" in told
    assert told.endswith("mm-soak: the simulator itself crashed\n")


def test_journal_that_the_real_disk_has_no_room_for_is_a_crash_of_the_simulator_that_says_so() -> None:
    limited = ("sh", "-c", 'ulimit -f 256 && exec "$@"', "sh", sys.executable, "-m", "soak.command", *QUICK, "--json")
    ran = subprocess.run(limited, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == SoakStatus.HARNESS_CRASHED
    (world,) = json.loads(ran.stdout)["worlds"]
    assert world["verdict"] == "harness crashed"
    assert world["told"].startswith("the disk that the simulator runs on failed: the journal journal.db cannot be written: disk I/O error")
