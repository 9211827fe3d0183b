"""Which of Gate.io's exchanges is meant."""

from __future__ import annotations

import msgspec


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """What differs in the protocol by name or number alone.

    `name` begins every websocket channel. `rate_limit_code` is told with a 429 (documentation of the order APIs, "Explanation
    of rate limit-related error codes"). Answers to placements say that they are no acknowledgement where `denies_acknowledgement`.
    """

    name: str
    rate_limit_code: int
    denies_acknowledgement: bool


SPOT = Product(name="spot", rate_limit_code=211, denies_acknowledgement=False)
FUTURES = Product(name="futures", rate_limit_code=311, denies_acknowledgement=True)
