"""One thing that was looked at, and what was found."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

import msgspec


class CheckStatus(enum.Enum):
    """`SKIP`: it could not be looked at, or the exchange does not tell."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What was found. `data` says it to programs; `milliseconds` is what the exchange took, where it was asked something."""

    status: CheckStatus
    detail: str
    milliseconds: float | None = None
    data: Mapping[str, Any] = {}


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """A finding and what it is about; an `account` of None means the exchange as a whole."""

    exchange: str
    account: str | None
    check: str
    status: CheckStatus
    detail: str
    milliseconds: float | None
    data: Mapping[str, Any]


def ok(detail: str, **data: Any) -> Finding:
    return Finding(status=CheckStatus.OK, detail=detail, data=data)


def warn(detail: str, **data: Any) -> Finding:
    return Finding(status=CheckStatus.WARN, detail=detail, data=data)


def fail(detail: str, **data: Any) -> Finding:
    return Finding(status=CheckStatus.FAIL, detail=detail, data=data)


def skip(detail: str) -> Finding:
    return Finding(status=CheckStatus.SKIP, detail=detail)
