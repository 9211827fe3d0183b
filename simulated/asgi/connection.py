"""A client's connection from the first request to the last, or to the end of the websocket that it became."""

from __future__ import annotations

from collections.abc import MutableMapping
from http import HTTPStatus
from typing import Any

import h11
import trio

from simulated.asgi.http_exchange import Application, HttpExchange, scope_of
from simulated.asgi.websocket_exchange import WebSocketExchange
from simulated.asgi.wire import Wire

IDLE_SECONDS_MAX = 75.0
_HEAD_BYTES_MAX = 64 * 1024


async def serve_connection(
    app: Application,
    stream: trio.SocketStream,
    *,
    state: MutableMapping[str, Any],
    ping_interval_seconds: float,
) -> None:
    """Serve one client until it leaves, is refused, or says nothing between requests for `IDLE_SECONDS_MAX`; closing is the caller's.

    `state` comes with every request, as ``scope["state"]``.

    Raises:
        Exception: whatever `app` raised and did not handle.
    """
    wire = Wire(stream)
    facts = {"scheme": "http", "client": _name(stream.socket.getpeername()), "server": _name(stream.socket.getsockname()), "state": state}
    protocol = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD_BYTES_MAX)
    while True:
        request = await _next_request(wire, protocol)
        if request is None:
            return
        if _asks_for_websocket(request):
            await _serve_websocket(app, wire, protocol, request, facts, ping_interval_seconds)
            return
        exchange = HttpExchange(wire, protocol, request)
        await app(scope_of(request, facts, kind="http"), exchange.receive, exchange.send)
        if not exchange.is_complete:
            raise RuntimeError(f"the application did not answer {request.method.decode()} {request.target.decode()}")
        if exchange.is_left or wire.is_broken or not await _is_over(wire, protocol) or protocol.trailing_data[0]:
            return
        protocol.start_next_cycle()


async def _next_request(wire: Wire, protocol: h11.Connection) -> h11.Request | None:
    """None where none will come: the client has left, was silent, or has sent what is no request and heard so."""
    with trio.move_on_after(IDLE_SECONDS_MAX):
        while True:
            try:
                event = protocol.next_event()
            except h11.RemoteProtocolError as error:
                await _refuse(wire, protocol, error.error_status_hint)
                return None
            if isinstance(event, h11.Request):
                return event
            if event is not h11.NEED_DATA:
                return None
            protocol.receive_data(await wire.receive())
    return None


async def _is_over(wire: Wire, protocol: h11.Connection) -> bool:
    """Whether the request has come to its end as well as the answer. A client that still has body to send is not waited for."""
    try:
        while protocol.their_state is h11.SEND_BODY:
            if protocol.next_event() is h11.NEED_DATA:
                return False
    except h11.RemoteProtocolError:
        return False
    return protocol.our_state is h11.DONE and protocol.their_state is h11.DONE


async def _refuse(wire: Wire, protocol: h11.Connection, status: int) -> None:
    if protocol.our_state in (h11.IDLE, h11.SEND_RESPONSE):
        reason = HTTPStatus(status).phrase.encode()
        headers = [("content-length", str(len(reason))), ("connection", "close")]
        head = protocol.send(h11.Response(status_code=status, headers=headers)) or b""
        await wire.send(head + (protocol.send(h11.Data(data=reason)) or b""))


async def _serve_websocket(
    app: Application,
    wire: Wire,
    protocol: h11.Connection,
    request: h11.Request,
    facts: MutableMapping[str, Any],
    ping_interval_seconds: float,
) -> None:
    exchange = WebSocketExchange(wire, request, protocol.trailing_data[0])
    subprotocols = exchange.read_request()
    if subprotocols is None:
        await _refuse(wire, protocol, HTTPStatus.BAD_REQUEST)
        return
    scope = scope_of(request, {**facts, "scheme": "ws", "subprotocols": subprotocols}, kind="websocket")
    await exchange.run(app, scope, ping_interval_seconds=ping_interval_seconds)


def _asks_for_websocket(request: h11.Request) -> bool:
    return any(name == b"upgrade" and value.lower() == b"websocket" for name, value in request.headers)


def _name(address: Any) -> tuple[str, int]:
    return str(address[0]), int(address[1])
