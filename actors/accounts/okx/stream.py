"""OKX's private websocket apart from what it pushes: log in, subscribe, notices, and answers to order operations.

References are to headings of https://www.okx.com/docs-v5/en/ "Overview", "WebSocket".
"""

from __future__ import annotations

import msgspec

from actors.accounts.credential import Credential
from actors.accounts.okx import wire
from actors.accounts.okx.errors import refusal_in, without_echo
from actors.accounts.okx.signature import login_signature
from orders.reports import PrivateReport, StreamAnswered, StreamClosing, StreamConfirmed, StreamRefused, StreamReply

WEBSOCKET_URLS = {  # "Production Trading Services", "Demo Trading Services"; the old port 8443 is closed
    "live": "wss://ws.okx.com/ws/v5/private",
    "testnet": "wss://wspap.okx.com/ws/v5/private",
}
LOGIN = "login"  # "Login": before it is answered, private subscriptions are refused
PING, PONG = "ping", "pong"  # "Connect": bare text, no JSON
PING_INTERVAL_SECONDS = 10.0  # "Connect": well within the 30 s after which a silent connection is closed
SUBSCRIPTIONS_ID = "subscriptions"  # "Subscribe", `id`; those of order operations are others

_UPGRADE_NOTICE = "64008"  # "Notification": the connection will be closed for a service upgrade, in a minute
# A clock that was wrong, an overloaded server: connecting again may help, so that these do not condemn the credential.
_PASSING_ERRORS = ("60004", "60006", "60014", "60023", "63999", "64007")


def login_frame(credential: Credential, *, timestamp_milliseconds: int) -> str:
    timestamp_seconds = timestamp_milliseconds // 1000
    login = {
        "apiKey": credential.key,
        "passphrase": credential.passphrase,
        "timestamp": str(timestamp_seconds),
        "sign": login_signature(credential.secret, timestamp_seconds=timestamp_seconds),
    }
    return msgspec.json.encode({"op": LOGIN, "args": [login]}).decode()


def subscribe_frame(channels: list[dict[str, str]]) -> str:
    return msgspec.json.encode({"id": SUBSCRIPTIONS_ID, "op": "subscribe", "args": channels}).decode()


def is_answer(frame: wire.Frame) -> bool:
    """Whether it answers an order operation: also as an error that says no more than which request it is about."""
    return bool(frame.id) and frame.id != SUBSCRIPTIONS_ID and (frame.event == "error" if frame.event else bool(frame.op))


def answer(read: wire.Frame, frame: str | bytes) -> StreamAnswered:
    """What became of an order operation ("WS / Place order"). The frame has the members of REST's answer, and some more."""
    body = frame.encode() if isinstance(frame, str) else frame
    error = refusal_in(200, body)
    return StreamAnswered(request_id=read.id or "", body=b"" if error is not None else body, error=error)


def control(frame: wire.Frame, subscriptions: str) -> list[PrivateReport]:
    """What a frame says about the connection itself. `subscriptions` is what follows a login."""
    channel = frame.channel if frame.arg is None else frame.arg.channel
    message = without_echo(frame.msg)
    match frame.event:
        case "login":
            if frame.code not in ("", "0"):
                return [StreamRefused(LOGIN, frame.code, message)]
            return [StreamConfirmed(LOGIN), StreamReply(subscriptions)]
        case "subscribe":
            return [StreamConfirmed(channel)]
        case "error" if frame.code in _PASSING_ERRORS:
            return [StreamClosing(f"{message} (code {frame.code})")]
        case "error":
            return [StreamRefused(channel or LOGIN, frame.code, message)]
        case "notice" if frame.code == _UPGRADE_NOTICE:
            return [StreamClosing(message or "the exchange is upgrading its service")]
        case "channel-conn-count-error":
            return [StreamClosing(f"too many connections have subscribed to {channel}")]
        case _:
            return []
