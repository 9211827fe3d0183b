"""A REST request as the handlers see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from simulated.faults import Operation
from simulated.mexc_spot.errors import MexcError
from simulated.mexc_spot.rate_limits import ENDPOINT
from simulated.rate_limits import LimitGroup
from simulated.settings import AccountSettings


class RestCall(msgspec.Struct, frozen=True, kw_only=True):
    """What a request asks for: the parameters of query and body, and who signed it."""

    fields: dict[str, str]
    account: AccountSettings | None

    @property
    def signed_in(self) -> AccountSettings:
        if self.account is None:
            raise MexcError(400, "api key required")
        return self.account


Handler = Callable[[RestCall], Any]
"""Answers a call, without waiting."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One method on one path: who may call it, what it weighs in which limit, and what it does."""

    method: str
    path: str
    handler: Handler
    operation: Operation
    weight: int = 1
    group: LimitGroup = ENDPOINT
    is_private: bool = False
