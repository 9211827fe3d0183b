"""The log file: its size, a disk that is full, somebody who takes it away, and two programs that write it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import trio

from assembly.output import Pump
from assembly.rotating_file import RotatingFileSink


def contents(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in folder.iterdir()}


async def test_rotating_file_keeps_so_many_files_of_its_size(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "x.log"
    sink = RotatingFileSink(path, bytes_max=10, files_kept=2)
    for number in range(5):
        await sink.write(f"line {number}\n")
    assert contents(path.parent) == {
        "x.log": "line 4\n",
        "x.log.1": "line 3\n",
        "x.log.2": "line 2\n",
    }


async def test_file_that_is_removed_or_moved_away_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "x.log"
    sink = RotatingFileSink(path, bytes_max=1000, files_kept=2)
    await sink.write("one\n")
    path.rename(tmp_path / "as logrotate does")
    await sink.write("two\n")
    path.unlink()
    path.parent.rmdir()
    await sink.write("three\n")
    assert (tmp_path / "as logrotate does").read_text() == "one\n"
    assert path.read_text() == "three\n"


def _on_a_full_disk(path: Path) -> None:
    path.symlink_to("/dev/full")  # every write there fails with ENOSPC


class _Tried(RotatingFileSink):
    """Counts how often it was tried. It writes in threads, so that real time passes in these tests."""

    times = 0

    def write_some(self, data: bytes) -> int:
        self.times += 1
        return super().write_some(data)


async def until(condition: Callable[[], bool]) -> None:
    with trio.fail_after(30):
        while not condition():
            await trio.lowlevel.checkpoint()


def _lines(lines: Sequence[str], dropped: int) -> str:
    return (f"{dropped} dropped\n" if dropped else "") + "".join(lines)


async def test_line_that_a_full_disk_refuses_is_written_once_there_is_room(tmp_path: Path, nursery: trio.Nursery) -> None:
    path = tmp_path / "x.log"
    _on_a_full_disk(path)
    told: list[str] = []
    sink = _Tried(path, bytes_max=1000, files_kept=2)
    regained = partial(told.append, "regained")
    pump = Pump[str](sink, render=_lines, on_lost=told.append, retry_seconds=0.01, on_regained=regained, capacity=3)
    await nursery.start(pump.run)
    pump.put("first\n")
    await until(lambda: sink.times >= 4)
    assert told == ["No space left on device"], "it is said once, however often it is tried"
    for number in range(10):
        pump.put(f"{number}\n")
    path.unlink()
    await until(lambda: path.exists() and path.read_text().endswith("9\n"))
    assert path.read_text() == "first\n7 dropped\n7\n8\n9\n"
    await until(lambda: told == ["No space left on device", "regained"])


async def test_close_does_not_wait_for_a_disk_to_get_room(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    _on_a_full_disk(path)
    told: list[str] = []
    pump = Pump[str](RotatingFileSink(path, bytes_max=1000, files_kept=2), render=_lines, on_lost=told.append, retry_seconds=1000.0)
    async with trio.open_nursery() as nursery:
        await nursery.start(pump.run)
        pump.put("first\n")
        await until(lambda: told == ["No space left on device"])
        nursery.cancel_scope.cancel()
    with trio.fail_after(30):
        assert not await pump.finish(deadline_seconds=0.05)
    assert told == ["No space left on device"]


class _Cramped(RotatingFileSink):
    """Each write gets no further than so many bytes, as where a disk becomes full in the middle of a line."""

    def write_some(self, data: bytes) -> int:
        return super().write_some(data[:4])


async def test_line_that_was_cut_goes_on_where_it_began_and_not_in_the_next_file(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    sink = _Cramped(path, bytes_max=10, files_kept=2)
    await sink.write("a long line\n")
    await sink.write("next\n")
    assert contents(tmp_path) == {"x.log.1": "a long line\n", "x.log": "next\n"}


WRITING_PROGRAM = """
import json, sys, trio
from pathlib import Path
from assembly.rotating_file import RotatingFileSink

async def main():
    sink = RotatingFileSink(Path(sys.argv[1]), bytes_max=20_000, files_kept=1000)
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(400):
        await sink.write("".join(json.dumps({"by": sys.argv[2], "number": 3 * number + part}) + "\\n" for part in range(3)))

trio.run(main)
"""


def test_two_programs_that_write_one_file_lose_and_mix_nothing_while_both_rotate_it(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent)}
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", WRITING_PROGRAM, path, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
        )
        for name in ("one", "two")
    ]
    for program in programs:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
    for program in programs:
        program.communicate("go\n", timeout=60)
        assert program.returncode == 0
    files = sorted(tmp_path.iterdir(), key=lambda file: -int(file.suffix[1:]) if file.suffix != ".log" else 0)
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    for name in ("one", "two"):
        assert [line["number"] for line in lines if line["by"] == name] == list(range(1200))
    assert len(files) > 3
    # One program may write on in a file while the other one renames it.
    assert all(file.stat().st_size < 22_000 for file in files)


async def test_outlet_without_retries_is_not_called_again(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    _on_a_full_disk(path)
    told: list[str] = []
    pump = Pump[str](RotatingFileSink(path, bytes_max=10, files_kept=1), render=_lines, on_lost=told.append)
    pump.put("first\n")
    assert not await pump.finish(deadline_seconds=5)
    pump.put("second\n")
    assert not await pump.finish(deadline_seconds=5)
    assert told == ["No space left on device"]
