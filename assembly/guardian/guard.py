"""The runtime's side of its guardian: starts it, tells it every second that the runtime lives, and says goodbye at the end.

A guardian that dies is replaced, at growing intervals, and a person is told; trading goes on meanwhile. A runtime whose event
loop hangs gives no sign of life, which is right: it cannot cancel either.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
import trio
from loguru import logger

from assembly.guardian.events import GuardianLost, GuardianWatching
from assembly.guardian.plan import Plan
from assembly.guardian.records import take_records
from assembly.presenter.report import Notice
from market.clock import WallClock

WATCHER = "assembly.guardian.watch"
ROOT = Path(__file__).resolve().parents[2]
BEAT_SECONDS = 1.0
START_SECONDS_MAX = 5.0
LEAVE_SECONDS_MAX = 0.2
# Pauses before each further guardian, when one after the other dies; then the last for ever. One that lived for a while has
# nothing to do with the next.
RESTART_PAUSES_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0, 60.0)
QUIET_SECONDS = 60.0
FOLLOW_SECONDS = 2.0


class Guard:
    """Keeps a guardian for `plan`; for one without accounts it keeps none, and only tells what earlier ones did.

    `report` takes events; it never blocks. `silence_seconds` is how long a silence the guardian bears, 0 for any.
    """

    def __init__(self, plan: Plan, *, silence_seconds: float, wall_clock: WallClock, report: Callable[[object], None]) -> None:
        self._plan = plan
        self._silence_seconds = silence_seconds
        self._wall_clock = wall_clock
        self._report = report
        self._channel: socket.socket | None = None
        self._process: trio.Process | None = None
        self._is_known = trio.Event()
        self._under_way: frozenset[str] = frozenset()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled; `started` once the first guardian watches, or it is known that none does.

        Cancelled, it leaves the guardian as it is, which takes the end of this process for a death unless `say_goodbye` comes first.
        """
        await self._tell_records()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._follow_records)
            if self._plan.accounts:
                nursery.start_soon(self._keep)
                with trio.move_on_after(START_SECONDS_MAX):
                    await self._is_known.wait()
            task_status.started()

    async def say_goodbye(self) -> None:
        """The run has ended, and no order of ours may be live: the guardian leaves by itself. Call it after `run`.

        It takes the milliseconds in which a guardian leaves, so that it is seen out and no zombie; one that hangs is not waited for.
        """
        if self._channel is None or self._process is None:
            return
        with self._channel, suppress(OSError):  # it has died, or hangs: then it finds nothing to do
            self._channel.send(b"bye\n")
        with trio.move_on_after(LEAVE_SECONDS_MAX):
            await self._process.wait()

    async def _keep(self) -> None:
        losses = 0
        while True:
            began_at = trio.current_time()
            try:
                process, reason = await self._watch_with_one()
            except OSError as error:
                process, reason = None, f"it cannot be started: {error.strerror}"
            losses = 1 if trio.current_time() > began_at + QUIET_SECONDS else losses + 1
            pause_seconds = RESTART_PAUSES_SECONDS[min(losses, len(RESTART_PAUSES_SECONDS)) - 1]
            self._report(GuardianLost(process=process, reason=reason, again_in_seconds=pause_seconds))
            if losses == len(RESTART_PAUSES_SECONDS):
                text = "NO GUARDIAN can be kept: should this program be killed, nobody but the exchange cancels what it has open"
                self._report(Notice(text))
                logger.error("{}", text)
            self._is_known.set()
            await trio.sleep(pause_seconds)

    async def _watch_with_one(self) -> tuple[int, str]:
        """Until it is gone: its process id, and how it went.

        Raises:
            OSError: it cannot be started.
        """
        ours, theirs = socket.socketpair()
        try:
            process = await self._start(theirs)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        ours.setblocking(False)
        self._channel, self._process = ours, process
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._beat, ours, nursery.cancel_scope)
            await self._listen(ours, process.pid)
            nursery.cancel_scope.cancel("the guardian has closed its end")
        self._channel = self._process = None
        ours.close()
        process.kill()  # one that hangs, since it did not listen; for one that is dead this does nothing
        return process.pid, _how_it_went(await process.wait())

    async def _start(self, channel: socket.socket) -> trio.Process:
        # What it is told here is for whoever looks at the list of processes, too.
        told = ["--of", str(self._plan.runtime_process), "--channel", str(channel.fileno()), "--silence", f"{self._silence_seconds:g}"]
        return await trio.lowlevel.open_process(
            [sys.executable, "-m", WATCHER, *told],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=(channel.fileno(),),
            start_new_session=True,  # Ctrl-C and the end of a terminal are for the runtime
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))},
        )

    async def _beat(self, channel: socket.socket, scope: trio.CancelScope) -> None:
        try:
            channel.sendall(b"plan %s\n" % msgspec.json.encode(self._plan))
            while True:
                channel.send(b"alive %d\n" % self._wall_clock.milliseconds())
                await trio.sleep(BEAT_SECONDS)
        except OSError:  # it is gone, or has not read for minutes
            scope.cancel("the guardian does not listen")

    async def _listen(self, channel: socket.socket, process: int) -> None:
        unread = b""
        while True:
            await trio.lowlevel.wait_readable(channel)
            try:
                data = channel.recv(4096)
            except OSError:
                return
            if not data:
                return
            *lines, unread = (unread + data).split(b"\n")
            for line in lines:
                await self._hear(line, process)

    async def _hear(self, line: bytes, process: int) -> None:
        if line == b"watching":
            self._report(GuardianWatching(process=process, accounts=tuple(account.name for account in self._plan.accounts)))
            self._is_known.set()
        elif line == b"acted":
            await self._tell_records()

    async def _tell_records(self) -> None:
        """What is over once, and what is under way once as well before that."""
        taken = await trio.to_thread.run_sync(take_records, Path(self._plan.folder), self._plan.installation)
        begun = [event for name, events in taken.under_way.items() if name not in self._under_way for event in events]
        self._under_way = frozenset(taken.under_way)
        for event in (*taken.over, *begun, *map(Notice, taken.troubles)):
            self._report(event)

    async def _follow_records(self) -> None:
        """Of what a guardian of an earlier run is still doing, how it ends."""
        while self._under_way:
            await trio.sleep(FOLLOW_SECONDS)
            await self._tell_records()


def _how_it_went(status: int) -> str:
    if status >= 0:
        return f"it ended with status {status}"
    return f"it was ended by {signal.Signals(-status).name}"
