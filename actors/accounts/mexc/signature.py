"""MEXC's signature: HMAC-SHA256 over the parameters, which all stand in the query.

Reference: https://www.mexc.com/api-docs/spot-v3/introduction, "SIGNED". What is signed is the query followed by the body, with
nothing between; an empty body avoids the one case in which that surprises.
"""

from __future__ import annotations

import hashlib
import hmac


def signed_query(secret: str, query: str) -> str:
    """`query` with its signature, to be sent byte for byte as it stands."""
    signature = hmac.new(secret.encode(), query.encode(), hashlib.sha256).hexdigest()
    return f"{query}&signature={signature}"
