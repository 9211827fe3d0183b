"""The process that waits: ``python -m assembly.guardian.watch --of PID --channel DESCRIPTOR --silence SECONDS``.

It must cost next to nothing for as long as the runtime lives, so it imports what every Python has loaded anyway, and leaves
the acting to another process (`sweep`), which it starts when there is something to do and again should that one crash.

Theory of operation. The runtime holds the other end of a socket and writes lines into it: ``plan …`` (passed on, not read
here), ``alive MILLISECONDS`` every second, ``bye`` after its last word. Whatever way the runtime dies, its end closes; an end
without ``bye`` starts the sweep at once. So does silence, which the runtime may come back from: then the sweep is stopped and
the watch goes on. Only time in which this process itself ran counts as silence, so that a machine, a container or a virtual
machine that was frozen as a whole finds nobody dead when it thaws.

The latest time that the runtime has told goes with the sweep: orders of a run that began later are somebody else's.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

TICK_SECONDS = 1.0
SWEEP_TICK_SECONDS = 0.1
# They ask the runtime to stop, which this one outlives, or to pause.
IGNORED_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
SWEEPER = "assembly.guardian.sweep"
# How a sweep that did what it could exits (see there); any other way is a crash, and it is started again.
FINAL_STATUSES = (0, 3, 4)
RESTART_PAUSE_SECONDS = 1.0
RESTART_PAUSE_SECONDS_MAX = 30.0
GIVE_UP_SECONDS = 600.0
STANDARD_ERROR = 2

DIED, SILENT = b"died", b"silent"


class Watch:
    """One runtime, and what is to be done about it. `silence_seconds` 0: silence means nothing."""

    def __init__(self, channel: int, *, runtime_process: str, silence_seconds: float) -> None:
        self._channel = channel
        self._runtime_process = runtime_process
        self._silence_seconds = silence_seconds
        self._poll = select.poll()
        self._poll.register(channel, select.POLLIN)
        self._unread = b""
        self._plan = b""
        self._told_last = 0
        self._silent_seconds = 0.0
        self._is_open = True
        self._goodbye_said = False
        self._cause = b""
        self._is_sweep_due = False
        self._sweeper = 0
        self._sweeper_orders = -1
        self._caused_at = 0.0
        self._restart_at = 0.0
        self._restart_pause_seconds = RESTART_PAUSE_SECONDS

    def run(self) -> None:
        """Until the runtime has said goodbye, or has died and all was done about it."""
        os.set_blocking(self._channel, False)
        while self._is_open or self._is_sweep_due or self._sweeper:
            self._wait()
            self._reap()
            if self._goodbye_said:
                self._stop_sweeper()
                return
            self._decide()
            if self._is_sweep_due and not self._sweeper and time.monotonic() >= self._restart_at:
                self._start_sweeper()

    def _wait(self) -> None:
        busy = self._sweeper or self._is_sweep_due
        seconds = SWEEP_TICK_SECONDS if busy else TICK_SECONDS if self._silence_seconds else None
        began_at = time.monotonic()
        readable = self._poll.poll(None if seconds is None else seconds * 1000)
        self._silent_seconds += min(time.monotonic() - began_at, 2 * TICK_SECONDS)
        if readable:
            self._read()

    def _read(self) -> None:
        try:
            data = os.read(self._channel, 65536)
        except BlockingIOError:
            return
        except OSError:  # it died without having read what was told to it
            data = b""
        if not data:
            self._is_open = False
            self._poll.unregister(self._channel)
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            self._hear(line)

    def _hear(self, line: bytes) -> None:
        word, _, rest = line.partition(b" ")
        if word == b"plan":
            self._plan = rest
            self._tell(b"watching")
        elif word == b"alive" and rest.isdigit():
            # Clocks are set back: what was told once stays told.
            self._told_last = max(self._told_last, int(rest))
            self._silent_seconds = 0.0
            if self._cause == SILENT:
                self._cause, self._is_sweep_due = b"", False
                self._stop_sweeper()
        elif word == b"bye":
            self._goodbye_said = True

    def _decide(self) -> None:
        if not self._plan:
            return  # it cannot have sent anything yet
        if not self._is_open and self._cause != DIED:
            self._stop_sweeper()  # one that is under way began before the death, and would not look long enough after it
            self._act(DIED)
        elif not self._cause and 0 < self._silence_seconds <= self._silent_seconds:
            self._act(SILENT)

    def _act(self, cause: bytes) -> None:
        self._cause, self._is_sweep_due = cause, True
        self._caused_at = self._restart_at = time.monotonic()
        self._restart_pause_seconds = RESTART_PAUSE_SECONDS

    def _start_sweeper(self) -> None:
        theirs, ours = os.pipe()
        try:
            arguments = [sys.executable, "-m", SWEEPER, "--of", self._runtime_process]
            actions = [(os.POSIX_SPAWN_DUP2, theirs, 0)]
            self._sweeper = os.posix_spawn(sys.executable, arguments, os.environ, file_actions=actions)
        except OSError as error:
            os.close(ours)
            self._sweep_again(f"cannot be started: {error.strerror}")
            return
        finally:
            os.close(theirs)
        self._is_sweep_due = False
        self._sweeper_orders = ours
        _write(ours, b"%s\n%s %d\n" % (self._plan, self._cause, self._told_last))

    def _stop_sweeper(self) -> None:
        if self._sweeper:
            _write(self._sweeper_orders, b"stop\n")

    def _reap(self) -> None:
        if not self._sweeper:
            return
        found, status = os.waitpid(self._sweeper, os.WNOHANG)
        if not found:
            return
        os.close(self._sweeper_orders)
        self._sweeper = 0
        status = os.waitstatus_to_exitcode(status)
        if status not in FINAL_STATUSES and self._cause and not self._is_sweep_due:
            self._sweep_again(f"died (status {status})")
        self._tell(b"acted")

    def _sweep_again(self, what: str) -> None:
        """After a pause, unless it was tried for too long."""
        now = time.monotonic()
        self._is_sweep_due = now < self._caused_at + GIVE_UP_SECONDS
        self._restart_at = now + self._restart_pause_seconds
        self._restart_pause_seconds = min(self._restart_pause_seconds * 2, RESTART_PAUSE_SECONDS_MAX)
        again = "it is started again" if self._is_sweep_due else "given up: ORDERS MAY BE LIVE, look at the exchange"
        _say(f"guardian of mm-runtime (process {self._runtime_process}): what cancels its orders {what}; {again}")

    def _tell(self, word: bytes) -> None:
        _write(self._channel, word + b"\n")


def _write(descriptor: int, data: bytes) -> bool:
    """False if nobody is there to read it; then there is nothing to be done about that either."""
    try:
        os.write(descriptor, data)
    except OSError:
        return False
    return True


def _say(text: str) -> None:
    """To standard error, if it takes it without waiting: a terminal may be gone or held (Ctrl-S), a pipe full."""
    poll = select.poll()
    poll.register(STANDARD_ERROR, select.POLLOUT)
    if poll.poll(0):
        _write(STANDARD_ERROR, f"{text}\n".encode(errors="replace"))


def main() -> None:
    for number in IGNORED_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    options = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
    channel = int(options["--channel"])
    os.set_inheritable(channel, False)
    Watch(channel, runtime_process=options["--of"], silence_seconds=float(options["--silence"])).run()


if __name__ == "__main__":
    main()
