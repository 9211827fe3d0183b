"""Whether an account is ready, since when it is not, and what it waits for: told to a person for as long as it lasts."""

from __future__ import annotations

from collections.abc import Callable

import trio

from actors.accounts.events import AccountNotReady

TELLING_PAUSE_SECONDS_MAX = 600.0


class Readiness:
    """One account's; it outlives the account actor's incarnations, so that starts that fail again and again are one wait.

    Not ready for `patience_seconds`, it is told, and again and again with growing pauses.
    """

    def __init__(self, account: str, *, patience_seconds: float, report: Callable[[object], None]) -> None:
        self._account = account
        self._patience_seconds = patience_seconds
        self._report = report
        self._since: float | None = None
        self._waits_for = ""
        self._tell_at = 0.0
        self._pause_seconds = patience_seconds
        self._changed = trio.Event()

    @property
    def waiting(self) -> tuple[float, str] | None:
        """Since when (monotonic seconds) it is not ready, and what it waits for; None if it is, or has not begun."""
        return None if self._since is None else (self._since, self._waits_for)

    def say(self, waits_for: str) -> None:
        """What it waits for, if it is not ready."""
        self._waits_for = waits_for

    def lose(self, waits_for: str) -> None:
        """It is not ready, and waits for this. Said again, only the words are new."""
        self.say(waits_for)
        if self._since is None:
            self._since = trio.current_time()
            self._pause_seconds = self._patience_seconds
            self._tell_at = self._since + self._pause_seconds
            self._changed.set()

    def gain(self) -> None:
        """It is ready."""
        self._since = None

    async def watch(self) -> None:
        """Tell until cancelled."""
        while True:
            if self._since is None:
                self._changed = trio.Event()
                await self._changed.wait()
            else:
                await trio.sleep_until(self._tell_at)
                self._tell_if_due()

    def _tell_if_due(self) -> None:
        """It may have become ready while it was slept, and not ready again."""
        now = trio.current_time()
        if self._since is not None and now >= self._tell_at:
            self._pause_seconds = min(self._pause_seconds * 2, TELLING_PAUSE_SECONDS_MAX)
            self._tell_at = now + self._pause_seconds
            self._report(AccountNotReady(self._account, round(now - self._since, 3), self._waits_for))
