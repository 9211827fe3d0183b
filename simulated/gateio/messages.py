"""The frame around everything Gate.io sends on a websocket."""

from __future__ import annotations

from typing import Any

import msgspec

_ENCODER = msgspec.json.Encoder()

BAD_FORMAT = 1
INVALID_ARGUMENT = 2
SERVER_ERROR = 3
NOT_AUTHORISED = 4


def update(channel: str, result: Any, now_milliseconds: int, *, event: str = "update") -> str:
    """A push; `event` is ``all`` where the whole is told rather than a change."""
    return text_of_frame(
        {
            "time": now_milliseconds // 1000,
            "time_ms": now_milliseconds,
            "channel": channel,
            "event": event,
            "result": result,
        }
    )


def acknowledgement(request: dict[str, Any], client_id: str, now_milliseconds: int) -> str:
    """The answer to a (un)subscription that was accepted."""
    return _answer(request, None, "success", client_id, now_milliseconds)


def rejection(request: dict[str, Any], code: int, message: str, client_id: str, now_milliseconds: int) -> str:
    """The answer to a request that was not."""
    return _answer(request, {"code": code, "message": message}, "fail", client_id, now_milliseconds)


def _answer(request: dict[str, Any], error: dict[str, Any] | None, status: str, client_id: str, now_milliseconds: int) -> str:
    frame: dict[str, Any] = {"time": now_milliseconds // 1000, "time_ms": now_milliseconds, "conn_id": client_id}
    if "id" in request:
        frame["id"] = request["id"]
    frame["channel"] = request.get("channel", "")
    frame["event"] = request.get("event", "")
    if isinstance(request.get("payload"), list):
        frame["payload"] = request["payload"]
    frame["error"] = error
    frame["result"] = {"status": status}
    return text_of_frame(frame)


def text_of_frame(frame: dict[str, Any]) -> str:
    return _ENCODER.encode(frame).decode()
