"""OKX's signatures: HMAC-SHA256 in Base64 over a text that both sides write down. The same for every product.

Reference: https://www.okx.com/docs-v5/en/ "REST Authentication", and "WebSocket", "Login".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime

_LOGIN = "GET/users/self/verify"


def iso_timestamp(milliseconds: int) -> str:
    """OK-ACCESS-TIMESTAMP: UTC with exactly three digits after the second."""
    seconds, fraction = divmod(milliseconds, 1000)
    return f"{datetime.fromtimestamp(seconds, tz=UTC):%Y-%m-%dT%H:%M:%S}.{fraction:03}Z"


def rest_signature(secret: str, *, timestamp: str, method: str, path: str, query: str, body: bytes) -> str:
    """OK-ACCESS-SIGN of a REST request. `path` begins with ``/api/v5``; `query` is as sent, without the question mark."""
    target = f"{path}?{query}" if query else path
    return _signature(secret, f"{timestamp}{method}{target}".encode() + body)


def login_signature(secret: str, *, timestamp_seconds: int) -> str:
    """The sign of a websocket login."""
    return _signature(secret, f"{timestamp_seconds}{_LOGIN}".encode())


def _signature(secret: str, text: bytes) -> str:
    return base64.b64encode(hmac.new(secret.encode(), text, hashlib.sha256).digest()).decode()
