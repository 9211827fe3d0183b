"""Hostile input for account codecs: they give reports with possible numbers, or a `ProtocolError`."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from actors.accounts.codec import ProtocolError
from orders.reports import PositionReport

MAY_BE_NEGATIVE = ("fee", "total", "available", "amount", "unrealised_pnl")
NUMBERS = [None, True, -1, 0, 2**70, 1.5, "", "NaN", "sNaN", "Infinity", "-Infinity", "-1", "1e999999", "1e-999999", "9" * 500]
ODD_VALUES = st.sampled_from([*NUMBERS, "t-", "Z", "x", [], {}])


def mutated(document: object, path: list[int], value: object) -> object:
    """`document` with `value` at the place that `path` leads to."""
    if not path or not isinstance(document, dict | list) or not document:
        return value
    keys = list(document) if isinstance(document, dict) else list(range(len(document)))
    key: Any = keys[path[0] % len(keys)]
    copy = document.copy()
    copy[key] = mutated(document[key], path[1:], value)
    return copy


def read_or_refuse(decode: Callable[[Any], object], data: bytes | str) -> None:
    """Reports with possible numbers, or a `ProtocolError`."""
    try:
        reports = decode(data)
    except ProtocolError:
        return
    for one in reports if isinstance(reports, list) else [reports]:
        for name in getattr(one, "__struct_fields__", ()):
            value = getattr(one, name)
            if isinstance(value, Decimal):
                assert value.is_finite()
                assert value >= 0 or name in MAY_BE_NEGATIVE or (name == "quantity" and isinstance(one, PositionReport))
