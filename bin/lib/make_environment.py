"""Makes one Python environment from a lock file: `make_environment.py KIND ENVIRONMENT LOCK ROOT`, run by environment.sh.

Uses the standard library alone and prints to standard error alone. An environment counts only once its file `complete` is
there, which is written last: whatever an interrupted start left behind is removed and made again. Only one process makes
environments of a kind at a time. Exit status: 0 made, 1 the installation failed, 2 this machine or checkout does not allow it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from types import FrameType
from typing import IO, NoReturn

ENVIRONMENTS_KEPT = 2
"""This one and the one before: a runtime that started before an update may still be running on it."""

PIP_OPTIONS = ["--require-hashes", "--only-binary", ":all:", "--no-deps", "--no-input", "--disable-pip-version-check", "--no-color"]
"""The lock names every package with its hash, so nothing is resolved and nothing is built or run to be installed."""


class SetupError(Exception):
    """The environment cannot be made. The text says why and what to do; `status` is the exit status it deserves."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


def main(kind: str, environment: Path, lock: Path, root: Path) -> None:
    """Makes `environment` unless another process does so first. Raises: SetupError."""
    with alone(kind, environment.parent) as handle:
        if not is_complete(environment):
            make(kind, environment, lock, root, handle)
            remove_old(kind, environment, root)
        point(environment.parent / kind, environment)


@contextlib.contextmanager
def alone(kind: str, folder: Path) -> Generator[IO[str], None, None]:
    """Holds the right to make environments of this kind. The kernel takes it back when its last holder dies, however it dies."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / f"{kind}.held").open("a")
    except OSError as error:
        advice = "Make that folder writable, or name another one: MM_ENVIRONMENTS=/some/folder"
        raise SetupError(f"cannot write to {folder}: {error.strerror}. {advice}", 2) from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Another start is setting up the {kind} environment; waiting for it.")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle


def is_complete(environment: Path) -> bool:
    return (environment / "complete").is_file() and os.access(environment / "bin" / "python", os.X_OK)


def make(kind: str, environment: Path, lock: Path, root: Path, handle: IO[str]) -> None:
    """Builds the environment in its place and marks it complete."""
    began = time.monotonic()
    python = Path(sys.executable).resolve()  # so that an upgrade of Python, which replaces what the link names, is noticed
    say(f"Setting up the {kind} environment (first use, or its lock changed) with Python {sys.version.split()[0]}, {python}")
    say(f"  in {environment}")
    log = environment.parent / f"{kind}.log"
    try:
        log.unlink(missing_ok=True)
        if environment.exists():
            shutil.rmtree(environment)
        run([str(python), "-I", "-m", "venv", str(environment)], log, handle, "cannot create the environment", 2)
        pip = [str(environment / "bin" / "python"), "-I", "-m", "pip"]
        run([*pip, "install", *PIP_OPTIONS, "-r", str(lock)], log, handle, f"cannot install from {lock}", 1)
        run([*pip, "check"], log, handle, f"{lock} does not fit together", 1)
        marker = environment / "complete.new"
        marker.write_text(json.dumps({"root": str(root), "lock": str(lock), "python": sys.version}) + "\n")
        marker.replace(environment / "complete")
    except OSError as error:
        raise SetupError(f"cannot write {environment}: {error}", 2) from error
    say(f"The {kind} environment is ready after {time.monotonic() - began:.0f} s.")


def run(command: list[str], log: Path, handle: IO[str], failure: str, status: int) -> None:
    """Runs a step, shows its progress, and adds its output to `log`. Raises: SetupError when it fails."""
    environ = {name: value for name, value in os.environ.items() if not re.fullmatch("PYTHON.*|PIP_(USER|TARGET|PREFIX)", name)}
    # The step holds the lock as well: if this process is killed, nobody else begins before the orphaned step has ended.
    with (
        log.open("a") as record,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            env=environ, pass_fds=[handle.fileno()],
        ) as process,
    ):  # fmt: skip
        progress = Progress()
        lines: list[str] = []
        try:
            assert process.stdout is not None  # noqa: S101 (it is a pipe: asked for above)
            for line in process.stdout:
                record.write(line)
                lines.append(line.rstrip())
                progress.show(line)
        except BaseException:
            process.terminate()
            raise
        finally:
            progress.end()
    if process.returncode:
        what_pip_said = "\n".join(f"    {line}" for line in lines[-15:])
        advice = (
            "Look at the network, a proxy, pip's own configuration, and whether wheels exist for this Python (for 3.11 to 3.14 they do)."
        )
        raise SetupError(f"{failure}:\n{what_pip_said}\n  The whole output is in {log}. {advice} The next start begins anew.", status)


class Progress:
    """Shows what pip does: one changing line on a terminal, one line per package elsewhere."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._packages = 0

    def show(self, line: str) -> None:
        """Takes a line of pip's output."""
        # From an index pip says "Collecting trio==0.35.0 (from …)", from a folder "Processing /folder/trio-0.35.0-py3-….whl (from …)".
        if package := re.match(r"(?:Collecting|Processing) (?:[^(]*/)?([\w.-]+?)(?:==|-)(\d[\w.]*)", line):
            self._packages += 1
            self._write(f"  {self._packages:3d}  {package[1]} {package[2]}")
        elif line.startswith("Installing collected packages"):
            self._write(f"  installing {self._packages} packages")

    def _write(self, text: str) -> None:
        if self._terminal:
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()
        else:
            say(text)

    def end(self) -> None:
        """Clears the changing line."""
        if self._terminal and self._packages:
            sys.stderr.write("\r\x1b[K")


def point(link: Path, environment: Path) -> None:
    """Makes `.environments/KIND` name the environment, for editors and type checkers, which want a fixed path."""
    fresh = link.with_name(f"{link.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(environment.name)
    fresh.replace(link)


def remove_old(kind: str, environment: Path, root: Path) -> None:
    """Removes environments of this kind that this checkout no longer needs."""
    folder = environment.parent
    kept: list[tuple[float, Path]] = []
    for other in folder.glob(f"{kind}-*"):
        marker = other / "complete"
        try:
            owner = json.loads(marker.read_text())["root"]
            made = marker.stat().st_mtime
        except (OSError, ValueError, KeyError):
            owner, made = None, 0.0  # left behind by an interrupted start
        if owner == str(root):
            kept.append((made, other))
        elif folder.parent == root:  # the folder is this checkout's own: what else is in it came along in a move or never got whole
            shutil.rmtree(other, ignore_errors=True)
    for _, other in sorted(kept, reverse=True)[ENVIRONMENTS_KEPT:]:
        if other != environment:
            shutil.rmtree(other, ignore_errors=True)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def stop(number: int, _frame: FrameType | None) -> NoReturn:
    """Ends on SIGTERM the way Ctrl-C does, so that pip is told to stop too."""
    sys.exit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    try:
        main(sys.argv[1], *map(Path, sys.argv[2:5]))
    except SetupError as error:
        say(f"Setting up failed: {error}")
        sys.exit(error.status)
    except KeyboardInterrupt:
        say("Setting up was interrupted. The next start begins anew.")
        sys.exit(130)
