"""The program and the exchange as processes, the way their users have them: pipes, signals, exit statuses, files.

A test waits for a line of output, for an exit, or for the exchange's own word (`Exchange.state`). Nothing here sleeps but
`take_time_to_decide`: that time has passed is what the program is to see there.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 30.0
"""For whatever must happen at all. Generous: the machine may be busy. What must happen soon has its own bound in its test."""

DECIDED_SECONDS = 1.2
"""A signal that is to force a stop counts only if it does not come in haste after the one before (a key held down)."""

NO_GUARDIAN = "guardian = false"
"""For `settings(runtime=…)`: where it would do in a moment what the test is to see done by somebody else, or not at all."""

OUR_PREFIX = "t-mm-"
_OUR_VARIABLES = ("GATEIO_", "LOG_LEVEL", "NO_COLOR", "PYTHON")

# Nobody takes, and the price stands still: a sell of ours rests until it is cancelled.
QUIET_MARKET = """
[[markets]]
symbol = "BTC_USDT"
taker_rate_per_second = 0.000001
volatility_per_second = 0.0
gap_rate_per_second = 0.0
"""


# Somebody always takes: a sell of ours at the top of the book is filled within a second or two.
LIVELY_MARKET = """
[[markets]]
symbol = "BTC_USDT"
taker_rate_per_second = 20.0
"""


class Output:
    """What a process writes to one pipe, read by a thread as it comes, so that the process never waits for its reader."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._changed = threading.Condition()
        self._data = b""
        self._is_over = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @property
    def text(self) -> str:
        with self._changed:
            return self._data.decode()

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    def wait_for(self, *, matches: Callable[[str], bool], count: int, within_seconds: float) -> str | None:
        """The `count`-th whole line that matches; None if the output ended, or time was over, without it."""
        give_up_at = time.monotonic() + within_seconds
        with self._changed:
            while True:
                whole = self._data[: self._data.rfind(b"\n") + 1].decode().splitlines()
                found = [line for line in whole if matches(line)]
                if len(found) >= count:
                    return found[count - 1]
                left = give_up_at - time.monotonic()
                if self._is_over or left <= 0:
                    return None
                self._changed.wait(left)

    def wait_end(self) -> None:
        """Wait until everybody who could write here has closed it."""
        self._thread.join(PATIENCE_SECONDS)

    def _read(self) -> None:
        while data := os.read(self._pipe.fileno(), 65536):
            with self._changed:
                self._data += data
                self._changed.notify_all()
        with self._changed:
            self._is_over = True
            self._changed.notify_all()


class Process:
    """A child of the test. Leaving its `with` block ends it, however it is."""

    def __init__(
        self,
        module: str,
        *arguments: str | Path,
        environment: Mapping[str, str] | None = None,
        folder: Path = ROOT,
        stdin: int | None = subprocess.DEVNULL,
        stdout: int | IO[bytes] = subprocess.PIPE,
        stderr: int | IO[bytes] = subprocess.PIPE,
        before: Sequence[str] = (),
    ) -> None:
        """`before` is a command that runs the program, such as a shell that closes a descriptor first."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(_OUR_VARIABLES)}
        self.started_at = time.monotonic()
        self.popen = subprocess.Popen(
            [*before, sys.executable, "-m", module, *map(str, arguments)],
            cwd=folder,
            env={**inherited, "PYTHONPATH": str(ROOT), **(environment or {})},
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
        )
        self.out = Output(self.popen.stdout) if self.popen.stdout is not None else None
        self.err = Output(self.popen.stderr) if self.popen.stderr is not None else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.send_signal(signal.SIGCONT)
        self.popen.wait(PATIENCE_SECONDS)
        for output, pipe in ((self.out, self.popen.stdout), (self.err, self.popen.stderr)):
            if output is not None and pipe is not None:
                output.wait_end()
                pipe.close()
        if isinstance(error, Exception):
            error.add_note(self.story())

    def wait_for(self, text: str, *, count: int = 1, within_seconds: float = PATIENCE_SECONDS, stderr: bool = False) -> str:
        """The `count`-th line of standard output (or error) that holds `text`."""
        output = self.err if stderr else self.out
        assert output is not None
        line = output.wait_for(matches=lambda line: text in line, count=count, within_seconds=within_seconds)
        assert line is not None, f"no line with {text!r} (number {count}) came within {within_seconds:g} s\n{self.story()}"
        return line

    def wait_exit(self, within_seconds: float = PATIENCE_SECONDS) -> int:
        """The exit status; what it wrote is complete then."""
        try:
            status = self.popen.wait(within_seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {within_seconds:g} s\n{self.story()}") from None
        for output in (self.out, self.err):
            if output is not None:
                output.wait_end()
        return status

    def wait_catches(self, number: signal.Signals) -> None:
        """Wait until the process has a handler of its own for a signal."""
        while not self._catches(number):
            assert self.popen.poll() is None, self.story()

    def _catches(self, number: signal.Signals) -> bool:
        status = Path(f"/proc/{self.popen.pid}/status").read_text()
        caught = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigCgt:"))
        return bool(caught >> (number - 1) & 1)

    def send(self, number: signal.Signals) -> None:
        self.popen.send_signal(number)

    @property
    def stdout(self) -> str:
        assert self.out is not None
        return self.out.text

    @property
    def stderr(self) -> str:
        assert self.err is not None
        return self.err.text

    def lines_of_stdout(self) -> list[str]:
        return self.stdout.splitlines()

    def story(self) -> str:
        """How the process stands and what it said last, for the text of a failure."""
        parts = [f"{self.popen.args}: exit status {self.popen.poll()}, {time.monotonic() - self.started_at:.1f} s"]
        for name, output in (("stdout", self.out), ("stderr", self.err)):
            if output is not None:
                parts.append(f"-- last of {name}:\n" + "\n".join(output.lines[-40:]))
        return "\n".join(parts)


def take_time_to_decide() -> None:
    """Let as much time pass as a person takes to decide: call it once the answer to the last signal is there."""
    time.sleep(DECIDED_SECONDS)


class Program(Process):
    """`mm-runtime` with these arguments. Leaving its `with` block ends its guardian as well."""

    def __init__(self, *arguments: str | Path, **options: Any) -> None:
        super().__init__("assembly.command", *arguments, **options)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.popen.kill()  # first, so that it starts no other guardian
        self.popen.wait(PATIENCE_SECONDS)
        while guardians := self.guardians():
            for process in guardians:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
        super().__exit__(kind, error, trace)

    def guardians(self) -> list[int]:
        """The process ids of its guardian and of what that has started."""
        return guardians_of(self.popen.pid)

    def events(self) -> list[dict[str, Any]]:
        """Standard output of `--json`."""
        assert self.out is not None
        return [json.loads(line) for line in self.out.lines]


def guardians_of(runtime_process: int) -> list[int]:
    """Those whose command line says that they watch over this process; the watching one first."""
    found: list[tuple[bool, int]] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode().split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
        if any(word.startswith("assembly.guardian.") for word in words) and words[words.index("--of") + 1] == str(runtime_process):
            found.append(("assembly.guardian.sweep" in words, int(path.parent.name)))
    return [process for _, process in sorted(found)]


class Exchange(Process):
    """`mm-sim` on a free port, serving once this is made."""

    def __init__(self, *options: str | Path) -> None:
        super().__init__("simulated.command", "--json", "--port", "0", *options)
        self.facts: dict[str, Any] = json.loads(self.wait_for('"serving"'))

    def state(self, *, history_of: str = "") -> dict[str, Any]:
        """What the exchange itself says of its accounts and markets; of one account with all its orders and trades."""
        url = f"{self.facts['state_url']}?history_of={history_of}"
        with urlopen(url, timeout=PATIENCE_SECONDS) as answer:  # noqa: S310 - a process of this test
            return json.load(answer)

    def our_open_orders(self) -> list[str]:
        """Client ids of the program's orders that are open."""
        found = self.state()["accounts"]["main"]["open_orders"]
        return [order["text"] for order in found if order["text"].startswith(OUR_PREFIX)]

    def orders_ever(self) -> int:
        """How many orders the account has sent that the exchange accepted."""
        return self.state()["accounts"]["main"]["orders"]

    def wait_until(self, condition: Callable[[], bool], *, within_seconds: float = PATIENCE_SECONDS) -> None:
        """Ask again and again until something is so; each asking is a request, which paces this."""
        give_up_at = time.monotonic() + within_seconds
        while not condition():
            assert time.monotonic() < give_up_at, f"it did not become so within {within_seconds:g} s: {self.state()['accounts']}"

    def freeze(self) -> None:
        """It holds all connections and answers nothing, until `thaw`."""
        self.send(signal.SIGSTOP)
        os.waitid(os.P_PID, self.popen.pid, os.WSTOPPED | os.WNOWAIT)

    def thaw(self) -> None:
        self.send(signal.SIGCONT)


def exchange_settings(folder: Path, text: str) -> Path:
    """A file for `mm-sim --config`."""
    path = folder / "sim.toml"
    path.write_text(text)
    return path


def settings(
    folder: Path,
    *,
    exchange: Exchange | None = None,
    cycles: int = 0,
    quantity: str = "100",
    symbol: str = "BTC_USDT",
    stop_deadline_seconds: float = 10,
    runtime: str = "",
    exchange_table: str = "",
    cycle_table: str = "",
) -> Path:
    """A settings file of the program; with `exchange`, it trades on that process instead of embedding its own."""
    urls = ""
    if exchange is not None:
        urls = f'rest_url = "{exchange.facts["rest_url"]}"\nwebsocket_url = "{exchange.facts["websocket_url"]}"'
    path = folder / "program.toml"
    path.write_text(f"""
[runtime]
stop_deadline_seconds = {stop_deadline_seconds}
{runtime}
[exchanges.gateio_spot]
mode = "simulated"
{urls}
{exchange_table}
[accounts.main]
exchange = "gateio_spot"
[cycles.btc]
strategy = "sell_on_top"
account = "main"
symbol = "{symbol}"
quantity = {quantity}
cycles = {cycles}
{cycle_table}
""")
    return path
