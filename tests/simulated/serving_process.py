"""`mm-sim` as a process of its own, on a free port."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parents[2]
_STOP_DEADLINE_SECONDS = 10


@contextmanager
def serving(*options: str) -> Generator[dict[str, Any]]:
    """What the process announced about itself. It is stopped by SIGINT on leaving and must exit 0."""
    command = [sys.executable, "-m", "simulated.command", "--json", "--port", "0", *options]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        yield json.loads(line)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=_STOP_DEADLINE_SECONDS)
        assert (process.returncode, errors) == (0, "")
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def state(facts: dict[str, Any]) -> dict[str, Any]:
    """What the exchange itself says about its accounts and markets."""
    with urlopen(facts["state_url"], timeout=5) as answer:  # noqa: S310 - the process of this test
        return json.load(answer)
