"""What one minute of the default run costs: start, orders, memory and processor, as a process looked at from outside.

    python bench/run_minute.py [--seconds 60] [--only embedded|apart] [--output lines|json|live]

Twice: with the simulated exchange inside the program (the default run), and with it in a process of its own, which leaves what the
runtime itself costs. The goals are those that the project has set itself for the normal operation of one cycle.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from harness import ROOT, print_machine, print_table, quantile

CLOCK_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
# The environment and the way in of bin/mm-runtime, with another module to become.
BECOME = 'launcher=$0 && . "${launcher%/*}/lib/environment.sh" && become_python runtime "$@"'
SETTLING_SECONDS = 2.0


class Measured:
    """One run's figures."""

    def __init__(self, figures: dict[str, Any], *, started_at: float, rss_max_kib: int, rss_end_kib: int, cpu_share: float) -> None:
        self.counts: dict[str, int] = figures["counts"]
        self.place_seconds: list[float] = figures["place_seconds"]
        self.cancel_seconds: list[float] = figures["cancel_seconds"]
        self.book_seconds = figures["first"]["BookChanged"] - started_at
        self.order_seconds = figures["first"]["OrderSubmitted"] - started_at
        self.rss_max_kib = rss_max_kib
        self.rss_end_kib = rss_end_kib
        self.cpu_share = cpu_share


def run(seconds: float, *, settings: Path, form: str) -> Measured:
    """Run the program on `settings` and look at it until it is stopped by a signal."""
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder, "figures.json")
        terminal, output = os.openpty() if form == "live" else (-1, subprocess.DEVNULL)
        if terminal >= 0:
            threading.Thread(target=read_out, args=(terminal,), daemon=True).start()
        options = {"lines": ["--plain"], "json": ["--json"], "live": []}[form]
        command = ["sh", "-c", BECOME, str(ROOT / "bin" / "mm-runtime"), str(ROOT / "bench" / "observed_run.py"), str(figures)]
        started_at = time.time()
        environment = {**os.environ, "TERM": "xterm"}
        process = subprocess.Popen([*command, str(settings), "--cycles", "0", *options], stdout=output, env=environment)
        try:
            time.sleep(SETTLING_SECONDS)  # the start is not normal operation
            ensure_running(process)
            cpu_from, looked_at = cpu_seconds(process.pid), time.monotonic()
            time.sleep(max(1.0, seconds - SETTLING_SECONDS))
            cpu_share = (cpu_seconds(process.pid) - cpu_from) / (time.monotonic() - looked_at)
            ensure_running(process)
            rss_max_kib, rss_end_kib = memory_kib(process.pid)
            process.send_signal(signal.SIGTERM)
            status = process.wait(timeout=30)
        finally:
            process.kill()
        if status != 0:
            raise SystemExit(f"the program ended with status {status}: no figures")
        found = json.loads(figures.read_text())
    return Measured(found, started_at=started_at, rss_max_kib=rss_max_kib, rss_end_kib=rss_end_kib, cpu_share=cpu_share)


def ensure_running(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        raise SystemExit(f"the program ended by itself with status {process.returncode}: no figures")


def read_out(terminal: int) -> None:
    """Be the person at the terminal until nobody holds its other end."""
    with contextlib.suppress(OSError):
        while os.read(terminal, 65_536):
            pass


def cpu_seconds(pid: int) -> float:
    """Processor time that the process has used, in user and system mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS_PER_SECOND


def memory_kib(pid: int) -> tuple[int, int]:
    """The largest resident set so far, and the present one."""
    found = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(found["VmHWM"].split()[0]), int(found["VmRSS"].split()[0])


def settings_for_apart(folder: Path, serving: dict[str, str]) -> Path:
    """The default settings with the exchange at these addresses."""
    here = f'mode = "simulated"\nrest_url = "{serving["rest_url"]}"\nwebsocket_url = "{serving["websocket_url"]}"\n'
    text = (ROOT / "config.toml").read_text()
    line = next(line for line in text.splitlines(keepends=True) if line.startswith("mode ="))
    path = folder / "apart.toml"
    path.write_text(text.replace(line, here, 1))
    return path


def run_apart(seconds: float, *, form: str) -> Measured:
    exchange = subprocess.Popen([str(ROOT / "bin" / "mm-sim"), "--port", "0", "--json"], stdout=subprocess.PIPE, text=True)
    try:
        assert exchange.stdout is not None
        serving = json.loads(exchange.stdout.readline())
        with tempfile.TemporaryDirectory() as folder:
            return run(seconds, settings=settings_for_apart(Path(folder), serving), form=form)
    finally:
        exchange.terminate()
        exchange.wait()


def milliseconds(seconds: list[float], fraction: float) -> str:
    return f"{1000 * quantile(seconds, fraction):.2f}" if seconds else "-"


def print_figures(runs: dict[str, Measured], seconds: float) -> None:
    def row(name: str, goal: str, figure: Any) -> list[str]:
        return [name, *(figure(one) for one in runs.values()), goal]

    print_table(
        [f"one run of {seconds:g} s", *(f"exchange {name}" for name in runs), "goal"],
        [
            row("process start to first book, ms", "", lambda one: f"{1000 * one.book_seconds:.0f}"),
            row("process start to first order, ms", "10000", lambda one: f"{1000 * one.order_seconds:.0f}"),
            row("order submitted to acknowledged, p50 ms", "", lambda one: milliseconds(one.place_seconds, 0.5)),
            row("order submitted to acknowledged, p99 ms", "", lambda one: milliseconds(one.place_seconds, 0.99)),
            row("cancel asked to order ended, p50 ms", "", lambda one: milliseconds(one.cancel_seconds, 0.5)),
            row("orders placed", "", lambda one: str(len(one.place_seconds))),
            row("orders cancelled", "", lambda one: str(len(one.cancel_seconds))),
            row("rounds reconciled, balances agree", "", lambda one: str(one.counts.get("CycleReconciled", 0))),
            row("book changes published a second", "", lambda one: f"{one.counts['BookChanged'] / seconds:.1f}"),
            row("memory, largest, MB", "about 50", lambda one: f"{one.rss_max_kib * 1024 / 1e6:.1f}"),
            row("memory at the end, MB", "about 50", lambda one: f"{one.rss_end_kib * 1024 / 1e6:.1f}"),
            row("processor, % of a core", "5", lambda one: f"{100 * one.cpu_share:.1f}"),
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long each run takes (default: 60)")
    parser.add_argument("--only", choices=("embedded", "apart"), help="one of the two runs")
    parser.add_argument("--output", choices=("lines", "json", "live"), default="lines", help="what it writes (default: lines)")
    arguments = parser.parse_args()
    form = arguments.output
    print_machine()
    runs: dict[str, Measured] = {}
    if arguments.only != "apart":
        runs["embedded"] = run(arguments.seconds, settings=ROOT / "config.toml", form=form)
    if arguments.only != "embedded":
        runs["apart"] = run_apart(arguments.seconds, form=form)
    print_figures(runs, arguments.seconds)


if __name__ == "__main__":
    main()
