"""The frames that OKX sends on a websocket."""

from __future__ import annotations

from typing import Any

import msgspec

_ENCODER = msgspec.json.Encoder()


def push(arg: dict[str, Any], data: list[Any], **more: Any) -> str:
    """Data of the subscription that `arg` names."""
    return text_of({"arg": arg, **more, "data": data})


def acknowledgement(event: str, arg: dict[str, Any], request_id: str | None, connection: str) -> str:
    """The answer to one argument of a subscription, or of its end."""
    return text_of({**_echo(request_id), "event": event, "arg": arg, "connId": connection})


def logged_in(connection: str) -> str:
    return text_of({"event": "login", "code": "0", "msg": "", "connId": connection})


def error(code: str, message: str, request_id: str | None, connection: str) -> str:
    return text_of({**_echo(request_id), "event": "error", "code": code, "msg": message, "connId": connection})


def notice(code: str, message: str, connection: str) -> str:
    return text_of({"event": "notice", "code": code, "msg": message, "connId": connection})


def connection_count(channel: str, count: int, connection: str) -> str:
    return text_of({"event": "channel-conn-count", "channel": channel, "connCount": str(count), "connId": connection})


def text_of(frame: dict[str, Any]) -> str:
    return _ENCODER.encode(frame).decode()


def _echo(request_id: str | None) -> dict[str, str]:
    return {} if request_id is None else {"id": request_id}
