"""The notifier actor: posts what is in the outbox to a webhook, not too often, and tries again for as long as it runs.

Nothing of it may hold up trading: it has an outbox that never fills up, a connection of its own, and no part in the exchanges' limits.
The URL is a secret, for who knows it can write there: nothing that is told names more than its host.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Protocol

import msgspec
import trio

from actors.notifier.bodies import Template, body
from actors.notifier.outbox import Outbox
from network.backoff import Backoff
from network.errors import NetworkError, RequestNotSent
from network.http import HttpClient, HttpRequest, HttpResponse
from network.limits import retry_after_seconds
from network.url import Url

TIMEOUT_SECONDS = 10.0
LAST_POST_SECONDS = 1.0
WAIT_SECONDS_MAX = 3_600.0  # whatever a receiver asks for


class NotificationsFailed(msgspec.Struct, frozen=True):
    """A post was not accepted, and will be tried again; told of the first in a row."""

    host: str
    reason: str
    again_in_seconds: float


class NotificationsResumed(msgspec.Struct, frozen=True):
    """The receiver takes posts again."""

    host: str


class ActorContext(Protocol):
    """What the supervisor gives an actor."""

    def started(self) -> None: ...


class _NotAccepted(Exception):
    """Why a post was not accepted, in words without the URL, and how long the receiver wants to be left alone."""

    def __init__(self, reason: str, retry_after_seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds


class NotifierActor:
    """One incarnation: make a new one for each start, on the same outbox. `report` takes every noteworthy event and never blocks."""

    def __init__(
        self,
        *,
        url: Url,
        template: Template,
        sender: str,
        interval_seconds: float,
        outbox: Outbox,
        backoff: Backoff,
        redact: Callable[[str], str],
        report: Callable[[object], None],
    ) -> None:
        self._url = url
        self._template = template
        self._sender = sender
        self._interval_seconds = interval_seconds
        self._outbox = outbox
        self._backoff = backoff
        self._redact = redact
        self._report = report
        self._is_failing = False

    async def run(self, context: ActorContext) -> None:
        """Run until cancelled; then what waits is posted once more, within `LAST_POST_SECONDS`, and given up if that fails."""
        context.started()
        async with HttpClient(self._url.origin, connections_max=1, connections_urgent_max=1) as http:
            try:
                while True:
                    await self._outbox.wait()
                    await self._pause(await self._try(http))
            finally:
                with trio.move_on_after(LAST_POST_SECONDS, shield=True):
                    await self._post_the_rest(http)

    async def _pause(self, seconds: float) -> None:
        """Between two posts; the end of a run does not wait, unless the receiver is failing."""
        with trio.move_on_after(seconds):
            if self._is_failing:
                await trio.sleep(seconds)
            else:
                await self._outbox.wait_urgent()

    async def _try(self, http: HttpClient) -> float:
        """Post; returns how long to wait before the next one."""
        try:
            await self._post(http)
        except _NotAccepted as error:
            seconds = max(self._interval_seconds, self._backoff.next_delay_seconds(), error.retry_after_seconds)
            if not self._is_failing:
                self._is_failing = True
                self._report(NotificationsFailed(self._url.host, str(error), seconds))
            return seconds
        if self._is_failing:
            self._is_failing = False
            self._report(NotificationsResumed(self._url.host))
        self._backoff.reset()
        return self._interval_seconds

    async def _post_the_rest(self, http: HttpClient) -> None:
        while not self._outbox.is_empty:
            try:
                await self._post(http)
            except _NotAccepted as error:
                self._report(NotificationsFailed(self._url.host, f"{error}; what was left was not told", inf))
                return

    async def _post(self, http: HttpClient) -> None:
        """
        Raises:
            _NotAccepted: what is in the outbox's hand stays there.
        """
        text = self._redact(body(self._template, self._outbox.take(), sender=self._sender).decode())
        request = HttpRequest(
            method="POST",
            path=self._url.path,
            query=self._url.query,
            headers=(("Content-Type", "application/json"),),
            body=text.encode(),
        )
        try:
            response = await http.send(request, timeout_seconds=TIMEOUT_SECONDS)
        except RequestNotSent:  # its words name the path
            raise _NotAccepted("it could not be reached") from None
        except NetworkError:
            raise _NotAccepted("it did not answer") from None
        if not 200 <= response.status < 300:
            raise _NotAccepted(f"it answered with status {response.status}", _asked_to_wait(response))
        self._outbox.delivered()


def _asked_to_wait(response: HttpResponse) -> float:
    return min(retry_after_seconds(response) or 0.0, WAIT_SECONDS_MAX)
