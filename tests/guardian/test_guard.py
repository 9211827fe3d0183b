"""The runtime's side: real guardian processes, that are killed, frozen, or cannot be started."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from assembly.guardian import guard as guard_module
from assembly.guardian.events import GuardianActed, GuardianLost, GuardianWatching
from assembly.guardian.guard import Guard
from assembly.guardian.plan import Cause, GuardedAccount, Plan
from assembly.guardian.records import AccountRecord, Record, write_record
from assembly.presenter.report import Notice
from market.clock import SystemWallClock

PATIENCE_SECONDS = 30.0
ACCOUNT = GuardedAccount(name="main", exchange="mexc_spot", rest_url="http://127.0.0.1:9", is_testnet=False, credential_variables=())


class Heard:
    """A guard in a nursery, and the events that it reports."""

    def __init__(self, folder: Path, *accounts: GuardedAccount) -> None:
        plan = Plan(installation="mm", runtime_process=os.getpid(), accounts=accounts, folder=str(folder), log_file=None)
        self.events: list[object] = []
        self.guard = Guard(plan, silence_seconds=0, wall_clock=SystemWallClock(), report=self._report)
        self._news = trio.Event()

    def _report(self, event: object) -> None:
        self.events.append(event)
        self._news.set()
        self._news = trio.Event()

    async def wait(self, condition: Callable[[list[object]], bool]) -> None:
        with trio.fail_after(PATIENCE_SECONDS):
            while not condition(self.events):
                await self._news.wait()

    def of(self, kind: type) -> list[object]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def process(self) -> int:
        watching = self.of(GuardianWatching)[-1]
        assert isinstance(watching, GuardianWatching)
        return watching.process


@asynccontextmanager
async def guarding(heard: Heard) -> AsyncGenerator[None]:
    """As a run of the program, whose guardian leaves after it."""
    async with trio.open_nursery() as nursery:
        await nursery.start(heard.guard.run)
        yield
        nursery.cancel_scope.cancel()
    await heard.guard.say_goodbye()
    with pytest.raises(ProcessLookupError):
        os.kill(heard.process, 0)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard_module, "LEAVE_SECONDS_MAX", PATIENCE_SECONDS)  # the machine may be busy


async def test_guard_is_ready_when_its_guardian_watches_which_leaves_after_the_goodbye(tmp_path: Path) -> None:
    heard = Heard(tmp_path / "records", ACCOUNT)
    async with guarding(heard):
        assert heard.events == [GuardianWatching(process=heard.process, accounts=("main",))]
        assert os.getsid(heard.process) == heard.process, "Ctrl-C does not reach it"
    assert not os.path.exists(tmp_path / "records")  # noqa: ASYNC240 - there is nobody to wait for


async def test_guard_without_accounts_starts_nothing_and_tells_what_was_done_before(tmp_path: Path, nursery: trio.Nursery) -> None:
    record = Record(
        installation="mm",
        runtime_process=1,
        process=1,
        cause=Cause.SILENT,
        began_at="2026-01-01T00:00:00.000Z",
        accounts={"main": AccountRecord(exchange="mexc_spot")},
        ended_at="2026-01-01T00:00:05.000Z",
    )
    write_record(record, tmp_path)
    (tmp_path / "mm-rubbish.json").touch()
    heard = Heard(tmp_path)
    await nursery.start(heard.guard.run)
    await heard.guard.say_goodbye()
    assert [type(event) for event in heard.events] == [GuardianActed, Notice]


async def test_guardian_that_is_killed_is_replaced(tmp_path: Path) -> None:
    heard = Heard(tmp_path, ACCOUNT)
    async with guarding(heard):
        first = heard.process
        os.kill(first, signal.SIGKILL)
        await heard.wait(lambda events: len(heard.of(GuardianWatching)) == 2)
        assert heard.events[1] == GuardianLost(process=first, reason="it was ended by SIGKILL", again_in_seconds=0.5)
        assert heard.process != first


async def test_guardian_that_does_not_listen_any_more_is_ended_and_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard_module, "BEAT_SECONDS", 0.0001)  # it takes hundreds of unread signs of life
    heard = Heard(tmp_path, ACCOUNT)
    async with guarding(heard):
        first = heard.process
        os.kill(first, signal.SIGSTOP)
        await heard.wait(lambda events: len(heard.of(GuardianWatching)) == 2)
        with pytest.raises(ProcessLookupError):
            os.kill(first, 0)


async def test_guardian_that_cannot_be_kept_is_told_loudly_once_and_tried_on(
    tmp_path: Path, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard_module, "WATCHER", "assembly.guardian.nothing_of_the_kind")
    monkeypatch.setattr(guard_module, "RESTART_PAUSES_SECONDS", (0.01, 0.02, 0.03))
    heard = Heard(tmp_path, ACCOUNT)
    began_at = time.monotonic()
    await nursery.start(heard.guard.run)
    assert heard.of(GuardianLost), "the run begins as soon as it is known, and waits for no further attempt"
    await heard.wait(lambda events: len(heard.of(GuardianLost)) == 5)
    lost = [event for event in heard.events if isinstance(event, GuardianLost)]
    assert [event.again_in_seconds for event in lost] == [0.01, 0.02, 0.03, 0.03, 0.03]
    assert {event.reason for event in lost} == {"it ended with status 1"}
    (notice,) = heard.of(Notice)
    assert heard.events.index(notice) == 3
    assert "NO GUARDIAN" in str(notice)
    assert time.monotonic() - began_at < PATIENCE_SECONDS
    nursery.cancel_scope.cancel()
    await heard.guard.say_goodbye()


async def test_system_that_starts_no_process_is_told_as_well(
    tmp_path: Path, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard_module.sys, "executable", str(tmp_path / "no python"))
    heard = Heard(tmp_path, ACCOUNT)
    await nursery.start(heard.guard.run)
    (lost,) = heard.of(GuardianLost)
    assert isinstance(lost, GuardianLost)
    assert lost.process is None
    assert "cannot be started: No such file or directory" in lost.reason
    nursery.cancel_scope.cancel()
