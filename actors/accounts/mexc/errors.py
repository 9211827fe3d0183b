"""MEXC's refusals, classified.

Codes: https://www.mexc.com/api-docs/spot-v3/, "Error Code"; an answer is refused by its HTTP status, by its code, or by both.
"""

from __future__ import annotations

import msgspec

from network.limits import BANNED, TOO_MANY_REQUESTS
from orders.errors import ErrorKind, ExchangeError

KIND_BY_CODE: dict[int, ErrorKind] = {
    # The server failed on the way: the request may have taken effect.
    500: ErrorKind.RETRYABLE,
    501: ErrorKind.RETRYABLE,
    503: ErrorKind.RETRYABLE,
    504: ErrorKind.RETRYABLE,
    20002: ErrorKind.RETRYABLE,
    603: ErrorKind.RETRYABLE,  # a repeated request: what it repeats may have taken effect
    429: ErrorKind.RATE_LIMITED,
    510: ErrorKind.RATE_LIMITED,
    400: ErrorKind.AUTHENTICATION,  # "api key required"
    401: ErrorKind.AUTHENTICATION,
    402: ErrorKind.AUTHENTICATION,  # the key has expired: keys without an address list live 90 days
    403: ErrorKind.AUTHENTICATION,
    602: ErrorKind.AUTHENTICATION,
    10072: ErrorKind.AUTHENTICATION,
    700001: ErrorKind.AUTHENTICATION,
    700002: ErrorKind.AUTHENTICATION,
    700006: ErrorKind.AUTHENTICATION,  # the address is not on the key's list
    700007: ErrorKind.AUTHENTICATION,
    70011: ErrorKind.AUTHENTICATION,
    # The request came after timestamp + recvWindow, or the clocks disagree. It was checked before anything else and refused:
    # an order so answered does not exist.
    700003: ErrorKind.CLOCK_SKEW,
    10073: ErrorKind.CLOCK_SKEW,
    10101: ErrorKind.INSUFFICIENT_BALANCE,
    30004: ErrorKind.INSUFFICIENT_BALANCE,
    30005: ErrorKind.INSUFFICIENT_BALANCE,
    26: ErrorKind.INVALID_PARAMETERS,
    33333: ErrorKind.INVALID_PARAMETERS,
    44444: ErrorKind.INVALID_PARAMETERS,
    10095: ErrorKind.INVALID_PARAMETERS,
    10096: ErrorKind.INVALID_PARAMETERS,
    10097: ErrorKind.INVALID_PARAMETERS,
    10098: ErrorKind.INVALID_PARAMETERS,  # risk control; nothing that asking again would change
    10102: ErrorKind.INVALID_PARAMETERS,
    60005: ErrorKind.INVALID_PARAMETERS,
    700004: ErrorKind.INVALID_PARAMETERS,
    700005: ErrorKind.INVALID_PARAMETERS,
    700008: ErrorKind.INVALID_PARAMETERS,
    700013: ErrorKind.INVALID_PARAMETERS,
    730001: ErrorKind.INVALID_PARAMETERS,
    730002: ErrorKind.INVALID_PARAMETERS,
    730708: ErrorKind.INVALID_PARAMETERS,  # the listen key, not the credential: a new one is asked for
    -1128: ErrorKind.INVALID_PARAMETERS,
    30002: ErrorKind.INVALID_PARAMETERS,
    30003: ErrorKind.INVALID_PARAMETERS,
    30010: ErrorKind.INVALID_PARAMETERS,
    30026: ErrorKind.INVALID_PARAMETERS,
    30027: ErrorKind.INVALID_PARAMETERS,
    30028: ErrorKind.INVALID_PARAMETERS,
    30029: ErrorKind.INVALID_PARAMETERS,  # too many open orders, not requests: waiting does not help
    30032: ErrorKind.INVALID_PARAMETERS,
    30087: ErrorKind.INVALID_PARAMETERS,
    10007: ErrorKind.INVALID_PARAMETERS,
    -1121: ErrorKind.INVALID_PARAMETERS,
    30014: ErrorKind.INVALID_PARAMETERS,
    30021: ErrorKind.INVALID_PARAMETERS,
    30041: ErrorKind.INVALID_PARAMETERS,
    30025: ErrorKind.WOULD_NOT_FILL,  # nobody on the other side
    -2011: ErrorKind.ORDER_NOT_FOUND,
    -2013: ErrorKind.ORDER_NOT_FOUND,
    22222: ErrorKind.ORDER_NOT_FOUND,
    604: ErrorKind.MAINTENANCE,
    801: ErrorKind.MAINTENANCE,
    11444: ErrorKind.MAINTENANCE,
    30000: ErrorKind.MAINTENANCE,
    30001: ErrorKind.MAINTENANCE,
    30016: ErrorKind.MAINTENANCE,
    30018: ErrorKind.MAINTENANCE,
    30019: ErrorKind.MAINTENANCE,
    30020: ErrorKind.MAINTENANCE,
}
_SUCCESSES = (0, 200)  # some accepted answers carry a code, too

MESSAGE_LENGTH_MAX = 300


class _Refusal(msgspec.Struct):
    code: int | None = None
    msg: str | None = None


_REFUSALS = msgspec.json.Decoder(_Refusal, strict=False)


def refusal_in(status: int, body: bytes) -> ExchangeError | None:
    """The refusal that an answer holds, None if the request was accepted. Never raises.

    A body that is not MEXC's (a firewall's page, nothing at all) is classified by the status alone.
    """
    try:
        refusal = _REFUSALS.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        refusal = _Refusal()  # a list, say, or what the codec will find to be unreadable
    if 200 <= status < 300 and (refusal.code is None or refusal.code in _SUCCESSES):
        return None
    return coded_refusal(refusal.code, refusal.msg or "", http_status=status)


def coded_refusal(code: int | None, message: str, *, http_status: int) -> ExchangeError:
    """A refusal by its code; where that is unknown or missing, by the status."""
    kind = _kind_by_status(http_status, coded=code is not None)
    if kind is ErrorKind.UNKNOWN and code is not None:
        kind = KIND_BY_CODE.get(code, ErrorKind.UNKNOWN)
    if kind is ErrorKind.UNKNOWN and "too many requests" in message.lower():
        kind = ErrorKind.RATE_LIMITED
    named = f"HTTP {http_status}" if code is None else str(code)
    return ExchangeError(kind, code=named, message=message[:MESSAGE_LENGTH_MAX], http_status=http_status)


def _kind_by_status(status: int, *, coded: bool) -> ErrorKind:
    """What the status says whatever the code; `UNKNOWN` where it is for the code to say."""
    # 403 without a code is the firewall's word for a ban.
    if status in (TOO_MANY_REQUESTS, BANNED) or (status == 403 and not coded):
        return ErrorKind.RATE_LIMITED
    if status >= 500:
        return ErrorKind.RETRYABLE  # "do not treat this as a failure: the execution status is UNKNOWN"
    if status == 401 and not coded:
        return ErrorKind.AUTHENTICATION
    return ErrorKind.UNKNOWN
