"""Gate.io's signatures: HMAC-SHA512 over a text that both sides write down. The same for spot and futures.

Reference: https://www.gate.com/docs/developers/apiv4/ "APIv4 signed request requirements", and
https://www.gate.com/docs/developers/apiv4/ws/en/ "Authentication".
"""

from __future__ import annotations

import hashlib
import hmac


def rest_signature(secret: str, *, method: str, path: str, query: str, body: bytes, timestamp_seconds: int) -> str:
    """The SIGN header of a REST request. `path` has the ``/api/v4`` prefix; `query` is as sent, without the question mark."""
    body_hash = hashlib.sha512(body).hexdigest()
    return _signature(secret, f"{method}\n{path}\n{query}\n{body_hash}\n{timestamp_seconds}")


def channel_signature(secret: str, *, channel: str, event: str, timestamp_seconds: int) -> str:
    """The SIGN of one websocket message to a private channel."""
    return _signature(secret, f"channel={channel}&event={event}&time={timestamp_seconds}")


def login_signature(secret: str, *, channel: str, timestamp_seconds: int) -> str:
    """The signature of a login to the order API, whose `req_param` is left out ("Websocket API", "Client API Request")."""
    return _signature(secret, f"api\n{channel}\n\n{timestamp_seconds}")


def _signature(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha512).hexdigest()
