"""Reading what an exchange sent: its rubbish becomes one typed error, and its amounts are amounts."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from decimal import Decimal

import msgspec

from actors.accounts.codec import ProtocolError
from orders.order import ZERO
from orders.reports import OrderReport, ReportedStatus
from orders.request import OrderRequest

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


def accepted(request: OrderRequest, exchange_order_id: str, exchange_time_milliseconds: int = 0) -> OrderReport:
    """As an answer is read that says no more than that it took the placement in: an open order without fills."""
    return OrderReport(
        exchange_order_id=exchange_order_id,
        client_order_id=request.client_order_id,
        symbol=request.symbol,
        side=request.side,
        status=ReportedStatus.OPEN,
        filled_quantity=ZERO,
        filled_quote=ZERO,
        price=request.price,
        quantity=request.quantity,
        exchange_time_milliseconds=exchange_time_milliseconds,
    )
