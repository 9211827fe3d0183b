"""What is answered to whom the guard lets in: the files, the push of what changes, and actions on the run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import NoReturn

import msgspec
import trio
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from assembly.control.protocol import VERSION as CONTROL_VERSION
from assembly.control.protocol import Answer, Command
from assembly.control.protocol import Request as ControlRequest
from assembly.page.assets import INDEX, Asset
from assembly.page.composition import Composition, PageView
from assembly.page.guard import TokenDesk, TooManyTokens
from assembly.page.protocol import Action, Outcome

PAGES_MAX = 8
ACTIONS_MAX = 4
ACTION_BYTES_MAX = 8_192
ACTION_SECONDS_MAX = 5.0
"""For the whole of it to arrive."""
BUSY, NOT_OURS = 1013, 1008  # codes of closing a websocket
BY = "the page"
_JSON = "application/json"
_COMMANDS = (Command.PAUSE, Command.REDUCE_ONLY, Command.RESUME, Command.HALT, Command.FLATTEN)

CarryOut = Callable[[ControlRequest], Awaitable[Answer]]


class PageApplication:
    """One run's; it outlives the server. Without `tokens` the page is to look at only. `run` names the run that acts.

    `others` are routes for those who are no page.
    """

    def __init__(
        self,
        composition: Composition,
        assets: Mapping[str, Asset],
        *,
        run: str,
        tokens: TokenDesk | None,
        how_to_control: str,
        carry_out: CarryOut,
        redact: Callable[[str], str],
        others: Sequence[BaseRoute] = (),
    ) -> None:
        self._composition = composition
        self._assets = assets
        self._run = run
        self._tokens = tokens
        self._how_to_control = how_to_control
        self._carry_out = carry_out
        self._redact = redact
        self._others = others
        self._acting = 0
        self._defects: list[Exception] = []
        self._has_defect = trio.Event()
        self.pages = 0
        """How many are open."""

    def routes(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/", self._index),
                Route("/static/{name}", self._file),
                Route("/api/control", self._control, methods=["POST"]),
                WebSocketRoute("/push", self._push),
                *self._others,
            ]
        )

    # Files

    async def _index(self, request: Request) -> Response:
        return self._asset(INDEX, request)

    async def _file(self, request: Request) -> Response:
        return self._asset(str(request.path_params["name"]), request)

    def _asset(self, name: str, request: Request) -> Response:
        """Asked for each time, and sent only if it is another one: a page of the last version must not speak to a run of this one."""
        asset = self._assets.get(name)
        if asset is None:
            return Response("there is no such file", status_code=404, media_type="text/plain")
        headers = {"etag": asset.tag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == asset.tag:
            return Response(status_code=304, headers=headers)
        return Response(asset.content, headers=headers, media_type=asset.kind)

    # What changes

    async def _push(self, websocket: WebSocket) -> None:
        await websocket.accept()
        if self.pages >= PAGES_MAX:
            await websocket.close(BUSY, f"{self.pages} pages are open already: close one")
            return
        self.pages += 1
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._hear, websocket, nursery.cancel_scope)
                view = PageView(self._composition)
                while True:
                    push = self._next_push(view)
                    if push is not None:
                        await websocket.send_text(push)
                    await self._composition.wait_next_look()
        finally:
            self.pages -= 1

    def _next_push(self, view: PageView) -> str | None:
        """What cannot be composed is a defect of ours, which is the supervisor's matter and not that of the browser alone."""
        try:
            return view.next()
        except Exception as error:
            self._defects.append(error)
            self._has_defect.set()
            raise

    async def wait_defect(self) -> NoReturn:
        """Raises: Exception: a page could not be told what the run looks like."""
        await self._has_defect.wait()
        self._has_defect = trio.Event()
        defects, self._defects = self._defects, []
        raise defects[0]

    async def _hear(self, websocket: WebSocket, pushing: trio.CancelScope) -> None:
        """A page has nothing to say: until it goes, or says something all the same."""
        message = await websocket.receive()
        if message["type"] != "websocket.disconnect":
            await websocket.close(NOT_OURS, "nothing is heard here: POST /api/control")
        pushing.cancel("the page has gone")

    # Actions

    async def _control(self, request: Request) -> Response:
        if self._tokens is None:
            return _told(403, f"the page of this run is to look at only: {self._how_to_control}")
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _JSON:
            return _told(400, f"an action is sent as {_JSON}")
        try:
            is_admitted = await self._tokens.admits(request.headers.get("authorization", "").encode("latin-1"))
        except TooManyTokens:
            return _told(429, "too many wrong tokens are being sent: try again in a moment, or use bin/mm-ctl")
        if not is_admitted:
            return _told(401, "that is not the token of this run's page", {"www-authenticate": "Bearer"})
        action = await self._read(request)
        if isinstance(action, str):
            return _told(400, action)
        if action.run and action.run != self._run:
            return _told(409, "this is another run than the page was of, and nothing was done: look at it first")
        if action.command is Command.STATUS:
            return Response(msgspec.json.encode(Outcome(done=True, message="that is the token of this run's page")), media_type=_JSON)
        if self._acting >= ACTIONS_MAX:
            return _told(503, f"{self._acting} actions are being carried out: try again in a moment")
        self._acting += 1
        try:
            answer = await self._carry_out(_request(action))
        finally:
            self._acting -= 1
        outcome = Outcome(done=answer.done, message=answer.message, halted=answer.halted, orders=answer.orders, flattened=answer.flattened)
        return Response(self._redact(msgspec.json.encode(outcome).decode()), media_type=_JSON)

    async def _read(self, request: Request) -> Action | str:
        """The action, or why it is none."""
        body = bytearray()
        with trio.move_on_after(ACTION_SECONDS_MAX) as reading:
            try:
                async with aclosing(request.stream()) as pieces:
                    async for piece in pieces:
                        body += piece
                        if len(body) > ACTION_BYTES_MAX:
                            return f"an action has at most {ACTION_BYTES_MAX} bytes"
            except ClientDisconnect:
                return "the rest of the action did not come"
        if reading.cancelled_caught:
            return f"the action was not there after {ACTION_SECONDS_MAX:g} s"
        try:
            action = msgspec.json.decode(bytes(body), type=Action)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return f"that is no action: {error}"
        if action.command not in (*_COMMANDS, Command.STATUS):
            return f"the page does not do that; it does {', '.join(command.value for command in _COMMANDS)}"
        return action


def _request(action: Action) -> ControlRequest:
    reason = " ".join(action.reason.split())
    return ControlRequest(version=CONTROL_VERSION, command=action.command, scope=action.scope, reason=reason, from_halt=action.from_halt)


def _told(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(Outcome(done=False, message=message)), status_code=status, headers=headers, media_type=_JSON)
