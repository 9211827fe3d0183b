"""What an exchange's refusal means to us: every code of every exchange is put into one of these classes."""

from __future__ import annotations

import enum


class ErrorKind(enum.Enum):
    """The class of an exchange's error. `retryable` says nothing of whether a request took effect."""

    RETRYABLE = "retryable"
    RATE_LIMITED = "rate_limited"
    AUTHENTICATION = "authentication"
    CLOCK_SKEW = "clock_skew"
    INSUFFICIENT_BALANCE = "insufficient_balance"
    INVALID_PARAMETERS = "invalid_parameters"
    WOULD_TAKE = "would_take"  # a post-only order that would have crossed
    WOULD_NOT_FILL = "would_not_fill"  # a fill-or-kill order that could not be filled whole
    ORDER_NOT_FOUND = "order_not_found"
    ALREADY_CLOSED = "already_closed"
    MAINTENANCE = "maintenance"
    UNKNOWN = "unknown"


class ExchangeError(Exception):
    """The exchange answered a request with a refusal.

    `code` and `message` are the exchange's own words. It never carries the request, its headers or its signature.
    """

    def __init__(self, kind: ErrorKind, *, code: str, message: str, http_status: int) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.kind = kind
        self.code = code
        self.message = message
        self.http_status = http_status

    @property
    def is_passing(self) -> bool:
        """Whether the same request may be accepted later: the refusal is about the moment, not about what was asked."""
        return self.kind in (ErrorKind.RETRYABLE, ErrorKind.RATE_LIMITED, ErrorKind.CLOCK_SKEW, ErrorKind.MAINTENANCE)

    @property
    def fate_is_unknown(self) -> bool:
        """Whether a request so answered may have taken effect: the server failed while handling it."""
        return self.http_status >= 500 or self.kind is ErrorKind.RETRYABLE
