"""Guardians as processes: markets on which nobody else cancels, and one whose runtime the test plays itself."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from assembly.guardian.plan import GuardedAccount, Plan
from assembly.registry import EXCHANGES
from tests.program.processes import PATIENCE_SECONDS, ROOT, Exchange, Output, guardians_of, settings

_runtime_processes = itertools.count(10_000_000)  # no process has such an id


def settings_at(
    name: str, exchange: Exchange, folder: Path, *, runtime: str = "", dead_mans_switch_seconds: int = 0, cycle_table: str = ""
) -> Path:
    """A settings file for any market of `mm-sim`, without a dead-man's switch unless it is asked for."""
    path = settings(folder, exchange=exchange, runtime=runtime, cycle_table=cycle_table)
    text = path.read_text().replace("gateio_spot", name)
    if "private_websocket_url" in exchange.facts:  # the private stream is elsewhere
        private = f'private_websocket_url = "{exchange.facts["private_websocket_url"]}"\n'
        text = text.replace("websocket_url =", f"{private}websocket_url =", 1)
    path.write_text(text.replace(f'exchange = "{name}"\n', f'exchange = "{name}"\ndead_mans_switch_seconds = {dead_mans_switch_seconds}\n'))
    return path


def open_orders_at(name: str, exchange: Exchange, *, installation: str = "mm") -> Callable[[], list[str]]:
    """Asks which orders of an installation are open, whatever the exchange calls a client order id."""
    prefix = EXCHANGES[name].account_codec().wire_client_order_id(f"{installation}-")

    def ask() -> list[str]:
        found = exchange.state()["accounts"]["main"]["open_orders"]
        return [text for order in found for text in order.values() if isinstance(text, str) and text.startswith(prefix)]

    return ask


def records_in(folder: Path) -> list[dict[str, Any]]:
    """What guardians have written, oldest first, told or not."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json*"))]


def guarded(name: str, exchange: Exchange, *, account: str = "main", credential_variables: tuple[str, ...] = ()) -> GuardedAccount:
    return GuardedAccount(
        name=account, exchange=name, rest_url=exchange.facts["rest_url"], is_testnet=False, credential_variables=credential_variables
    )


class Watched:
    """A guardian whose runtime is the test: `hear` is what the runtime says, leaving the `with` block ends everything."""

    def __init__(
        self,
        folder: Path,
        *accounts: GuardedAccount,
        installation: str = "mm",
        silence_seconds: float = 0,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder / "records"
        self.runtime_process = next(_runtime_processes)
        self.plan = Plan(
            installation=installation, runtime_process=self.runtime_process, accounts=accounts, folder=str(self.folder), log_file=None
        )
        self.channel, theirs = socket.socketpair()
        self.channel.settimeout(PATIENCE_SECONDS)
        with theirs:
            arguments = ["--of", str(self.runtime_process), "--channel", str(theirs.fileno()), "--silence", str(silence_seconds)]
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "assembly.guardian.watch", *arguments],
                pass_fds=(theirs.fileno(),),
                env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        assert self.popen.stderr is not None
        self.err = Output(self.popen.stderr)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.popen.kill()
        self.popen.wait(PATIENCE_SECONDS)
        while sweepers := guardians_of(self.runtime_process):
            for process in sweepers:
                os.kill(process, signal.SIGKILL)
        self.channel.close()
        self.err.wait_end()
        assert self.popen.stderr is not None
        self.popen.stderr.close()
        if isinstance(error, Exception):
            error.add_note(f"the guardian said:\n{self.err.text}")

    def hear(self, line: str) -> None:
        self.channel.sendall(f"{line}\n".encode())

    def hear_plan(self, *, told_last_milliseconds: int) -> None:
        """And a first sign of life; wait until it watches."""
        self.hear(f"alive {told_last_milliseconds}")
        self.hear(f"plan {msgspec.json.encode(self.plan).decode()}")
        assert self.channel.recv(100) == b"watching\n"

    def die(self) -> None:
        """As the runtime, without a word."""
        self.channel.close()

    def sweeper(self) -> int:
        """The process id of what acts, once there is one."""
        while not (found := [process for process in guardians_of(self.runtime_process) if process != self.popen.pid]):
            assert self.popen.poll() is None, self.err.text
        return found[0]

    def wait_said(self, text: str, *, count: int = 1, within_seconds: float = PATIENCE_SECONDS) -> str:
        line = self.err.wait_for(matches=lambda line: text in line, count=count, within_seconds=within_seconds)
        assert line is not None, f"no line with {text!r} (number {count}): {self.err.text}"
        return line

    def wait_exit(self) -> int:
        """The exit status; what it and what it started wrote is complete then."""
        status = self.popen.wait(PATIENCE_SECONDS)
        self.err.wait_end()
        return status

    def wait_record(self, condition: Callable[[dict[str, Any]], object]) -> None:
        """Wait until what is written about the accounts is so."""
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while not condition(self.record()["accounts"]):
            assert time.monotonic() < give_up_at, self.record()

    def record(self) -> dict[str, Any]:
        """The one that there is."""
        (record,) = records_in(self.folder)
        return record
