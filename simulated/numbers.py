"""Numbers as most exchanges write them: decimal strings without exponent and without trailing zeros."""

from __future__ import annotations

import re
from decimal import Context, Decimal

_DECIMAL = re.compile(r"\d{1,20}(\.\d{0,20})?|\.\d{1,20}")
_AVERAGE = Context(prec=20)


def plain(value: Decimal) -> str:
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def average(total: Decimal, quantity: Decimal) -> Decimal:
    """`total` per unit, to 20 digits; zero for nothing."""
    return _AVERAGE.divide(total, quantity) if quantity else Decimal(0)


def decimal_of(text: str) -> Decimal | None:
    """The plain, non-negative decimal that `text` spells; None if it spells none (a sign, an exponent, 40 digits)."""
    return Decimal(text) if _DECIMAL.fullmatch(text) else None


def whole_number_of(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None
