"""Who is answered: requests that name this page by a name of its own, and that no other page has made. And whose token is right.

Theory of operation. A browser lets any page that somebody has open send requests to this machine. Two facts of a request tell those
apart, and no page can forge them. `Host` names whom the browser believes to ask: a name that is none of ours was made to resolve to
this machine (DNS rebinding). `Origin` and `Sec-Fetch-Site` name the page that asks: another than this one may at most lead here by a
link. A program that is no browser sends neither, and none is wanted of it: it is on this machine, or has the token.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, cast
from urllib.parse import urlsplit

import trio

from assembly.page.credential import PageToken
from assembly.page.place import PagePlace

WRONG_TOKEN_SECONDS = 1.0
"""So long nobody else's token is judged after a wrong one, which is told no sooner."""
TOKENS_WAITING_MAX = 8
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_SAME = (b"same-origin", b"none")  # this page, or the person

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Guard:
    """An ASGI application before another one: whoever is not to be answered does not reach it. Headers that bind a browser go with
    every answer."""

    def __init__(self, inner: Application, place: PagePlace) -> None:
        self._inner = inner
        self._place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_http = scope["type"] == "http"

        async def send_bound(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            await send(message)

        refusal = self._refusal(scope)
        if refusal is None:
            await self._inner(scope, receive, send_bound if is_http else send)
        elif is_http:
            body = refusal.encode()
            headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
            await send_bound({"type": "http.response.start", "status": 403, "headers": headers})
            await send_bound({"type": "http.response.body", "body": body})
        else:
            await receive()  # that it would like to connect
            await send({"type": "websocket.close", "code": 1008})

    def _refusal(self, scope: Scope) -> str | None:
        headers = dict(cast("list[tuple[bytes, bytes]]", scope["headers"]))
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if not self._place.answers_to(_name(host)):
            return "the page is not known by this name: add it to page.hosts if it is one of this machine's"
        origin = headers.get(b"origin")
        if origin is not None and _place_of(origin) != host:
            return "another page has asked for this, and is not answered"
        if headers.get(b"sec-fetch-site", b"none") not in _SAME and not _is_link(scope, headers):
            return "another page has asked for this, and is not answered"
        return None


class TooManyTokens(Exception):
    """So many wait to be judged that no more are taken."""


class TokenDesk:
    """Judges one token after the other, slowly where they are wrong: guessing gets one a second, whoever takes part."""

    def __init__(self, token: PageToken) -> None:
        self._token = token
        self._turn = trio.Lock()
        self._waiting = 0

    async def admits(self, authorization: bytes) -> bool:
        """Whether the header `Authorization` has the right token.

        Raises:
            TooManyTokens: it was not looked at.
        """
        if self._waiting >= TOKENS_WAITING_MAX:
            raise TooManyTokens
        self._waiting += 1
        try:
            async with self._turn:
                kind, _, offered = authorization.partition(b" ")
                if kind.lower() == b"bearer" and self._token.matches(offered.strip()):
                    return True
                await trio.sleep(WRONG_TOKEN_SECONDS)
                return False
        finally:
            self._waiting -= 1


def _name(host: str) -> str:
    """Without the port: who is asked for by a right name is asked at a port that leads here, through whatever tunnel."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name.removesuffix(".")


def _place_of(origin: bytes) -> str | None:
    try:
        found = urlsplit(origin.decode("latin-1").lower())
    except ValueError:
        return None
    return found.netloc if found.scheme in ("http", "https") else None


def _is_link(scope: Scope, headers: dict[bytes, bytes]) -> bool:
    """Whether somebody has followed a link to the page, which changes nothing and shows the other page nothing."""
    is_reading = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
    return is_reading and headers.get(b"sec-fetch-mode") == b"navigate" and headers.get(b"sec-fetch-dest") == b"document"
