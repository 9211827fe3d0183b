"""`kill -9` of a real process that writes: whatever was acknowledged is there, and the next process goes on."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from journal_samples import ACCOUNTS, INSTALLATION, rows, rows_of_file

from actors.journal.store import DIED, JournalStore

ROOT = Path(__file__).parents[2]
KILLS = 200
PATIENCE_SECONDS = 60.0


class Writer:
    """The process that writes, killed and begun anew."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def life(self, path: Path, name: str, *, acknowledged_min: int, seconds: float) -> list[str]:
        """Let it write, kill it so long after it was born and after so many were acknowledged; returns those that were."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{path} {name}\n")
        self._process.stdin.flush()
        pid = int(self._line().removeprefix("child "))
        give_up_at = time.monotonic() + seconds
        acknowledged = [self._acknowledged() for _ in range(acknowledged_min)]
        while time.monotonic() < give_up_at:
            pass  # finer than any sleep
        os.kill(pid, signal.SIGKILL)
        while (line := self._line()) != "dead":
            acknowledged.append(line.removeprefix("ack "))
        return acknowledged

    def _acknowledged(self) -> str:
        line = self._line()
        assert line.startswith("ack "), line
        return line.removeprefix("ack ")

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process that writes has ended"
        return line.rstrip("\n")


@contextmanager
def open_writer() -> Generator[Writer]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{Path(__file__).parent}"}
    script = Path(__file__).with_name("writing_process.py")
    with subprocess.Popen(
        [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            yield Writer(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(PATIENCE_SECONDS)


def test_every_acknowledged_intent_is_there_after_200_kills_at_random_instants_of_one_journal(tmp_path: Path) -> None:
    path, rng = tmp_path / "journal.db", random.Random(20260201)
    acknowledged: list[str] = []
    with open_writer() as writer:
        for number in range(KILLS):
            # A quarter of them while the journal is being opened or the first intent written.
            at_least = 0 if number % 4 == 0 else rng.randrange(1, 60)
            acknowledged += writer.life(path, f"k{number}", acknowledged_min=at_least, seconds=rng.uniform(0, 0.01))
            if number % 20 == 19:
                there = {row[0] for row in rows_of_file(path, "SELECT client_order_id FROM orders")}
                assert [each for each in acknowledged if each not in there] == []
    assert len(acknowledged) > KILLS
    with JournalStore(path) as store:
        there = {row["client_order_id"]: row for row in rows(store, "SELECT * FROM orders")}
        assert set(acknowledged) <= set(there)
        assert len(there) <= len(acknowledged) + KILLS, "of each life one may be there that nobody heard of"
        ends = rows(store, "SELECT ended_how, count(*) AS count FROM runs GROUP BY ended_how ORDER BY ended_how")
        assert [row["ended_how"] for row in ends] == [None, DIED]
        assert rows(store, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
        half_written = """
        SELECT * FROM orders WHERE (state = 'partially_filled') != EXISTS (SELECT * FROM fills WHERE order_id = orders.id)
        OR NOT EXISTS (SELECT * FROM order_events WHERE order_id = orders.id)
        """
        assert rows(store, half_written) == []
        recovered = store.recover(installation=INSTALLATION, accounts=ACCOUNTS).accounts["main"].orders
        assert {order.client_order_id for order in recovered} == set(there), "none of them had ended"
        assert all(order.sent for order in recovered)


def test_journal_whose_making_was_killed_at_a_random_instant_can_be_opened(tmp_path: Path) -> None:
    rng = random.Random(7)
    with open_writer() as writer:
        for number in range(60):
            path = tmp_path / f"{number}.db"
            acknowledged = writer.life(path, "born", acknowledged_min=0, seconds=rng.uniform(0, 0.03))
            with JournalStore(path) as store:
                there = [row["client_order_id"] for row in rows(store, "SELECT client_order_id FROM orders ORDER BY id")]
                assert there[: len(acknowledged)] == acknowledged
