"""Reading what an exchange sent: its rubbish becomes one typed error, and its amounts are amounts."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from decimal import Decimal

import msgspec

from actors.accounts.codec import ProtocolError

EXCERPT_LENGTH_MAX = 120
MAGNITUDE_MAX = 40  # powers of ten; no real amount comes near, and arithmetic beyond it could run out of digits
UNREADABLE = (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError)


@contextmanager
def reading(exchange: str, what: str, data: bytes | str) -> Generator[None]:
    """Whatever goes wrong inside is the exchange's fault: `data` is not the `what` that it should be.

    Raises:
        ProtocolError: in place of the decoder's errors, with the beginning of `data`: leave it empty where it holds a secret.
    """
    try:
        yield
    except UNREADABLE as error:
        reason, excerpt = str(error)[:EXCERPT_LENGTH_MAX], data[:EXCERPT_LENGTH_MAX]
        raise ProtocolError(f"{exchange} sent {what} that cannot be read ({reason}): {excerpt!r}") from error


def finite(value: Decimal) -> Decimal:
    """
    Raises:
        ValueError: `value` is no amount that anybody could hold or owe.
    """
    if not value.is_finite() or not -MAGNITUDE_MAX <= value.adjusted() <= MAGNITUDE_MAX:
        raise ValueError(f"{value} is no amount")
    return value


def amount(value: Decimal) -> Decimal:
    """
    Raises:
        ValueError: `value` is no amount, or negative.
    """
    if finite(value) < 0:
        raise ValueError(f"{value} is negative")
    return value
