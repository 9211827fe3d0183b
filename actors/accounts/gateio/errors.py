"""Gate.io's refusals, classified. For spot and futures alike: no label means one thing here and another there.

Labels: https://www.gate.com/docs/developers/apiv4/ "Error handling"; those that it lacks were seen in answers.
"""

from __future__ import annotations

import msgspec

from network.limits import BANNED, TOO_MANY_REQUESTS
from orders.errors import ErrorKind, ExchangeError

KIND_BY_LABEL: dict[str, ErrorKind] = {
    # The server failed on the way: the request may have taken effect.
    "INTERNAL": ErrorKind.RETRYABLE,
    "SERVER_ERROR": ErrorKind.RETRYABLE,
    "INTERNAL_SERVER_ERROR": ErrorKind.RETRYABLE,
    "TOO_BUSY": ErrorKind.RETRYABLE,
    # There is an order with our client id: ours, then, however it got there. Of a form that is refused ours never are.
    "INVALID_CLIENT_ORDER_ID": ErrorKind.RETRYABLE,
    "ORDER_EXISTS": ErrorKind.RETRYABLE,
    "DUPLICATE_REQUEST": ErrorKind.RETRYABLE,
    # Leverage is not changed while orders are open: once an earlier run's have been swept, it may be.
    "ORDER_PENDING": ErrorKind.RETRYABLE,
    "TOO_MANY_REQUESTS": ErrorKind.RATE_LIMITED,
    "TOO_FAST": ErrorKind.RATE_LIMITED,
    "INVALID_CREDENTIALS": ErrorKind.AUTHENTICATION,
    "INVALID_KEY": ErrorKind.AUTHENTICATION,
    "IP_FORBIDDEN": ErrorKind.AUTHENTICATION,
    "READ_ONLY": ErrorKind.AUTHENTICATION,
    "INVALID_SIGNATURE": ErrorKind.AUTHENTICATION,
    "MISSING_REQUIRED_HEADER": ErrorKind.AUTHENTICATION,
    "ACCOUNT_LOCKED": ErrorKind.AUTHENTICATION,
    "SUB_ACCOUNT_LOCKED": ErrorKind.AUTHENTICATION,
    "FORBIDDEN": ErrorKind.AUTHENTICATION,
    "USER_NOT_FOUND": ErrorKind.AUTHENTICATION,  # no futures account yet: a first transfer makes it
    # Both for a Timestamp more than 60 s off and for a request past its x-gate-exptime. Either way it was checked
    # before anything else and refused: an order so answered does not exist.
    "REQUEST_EXPIRED": ErrorKind.CLOCK_SKEW,
    "BALANCE_NOT_ENOUGH": ErrorKind.INSUFFICIENT_BALANCE,
    "QUANTITY_NOT_ENOUGH": ErrorKind.INSUFFICIENT_BALANCE,
    "MARGIN_BALANCE_NOT_ENOUGH": ErrorKind.INSUFFICIENT_BALANCE,
    "INSUFFICIENT_AVAILABLE": ErrorKind.INSUFFICIENT_BALANCE,
    "INITIAL_MARGIN_TOO_LOW": ErrorKind.INSUFFICIENT_BALANCE,
    "RISK_LIMIT_EXCEEDED": ErrorKind.INSUFFICIENT_BALANCE,
    "LIQUIDATE_IMMEDIATELY": ErrorKind.INSUFFICIENT_BALANCE,
    "INVALID_PARAM_VALUE": ErrorKind.INVALID_PARAMETERS,
    "INVALID_ARGUMENT": ErrorKind.INVALID_PARAMETERS,
    "BAD_REQUEST": ErrorKind.INVALID_PARAMETERS,
    "MISSING_REQUIRED_PARAM": ErrorKind.INVALID_PARAMETERS,
    "INVALID_REQUEST_BODY": ErrorKind.INVALID_PARAMETERS,
    "INVALID_PRECISION": ErrorKind.INVALID_PARAMETERS,
    "AMOUNT_TOO_LITTLE": ErrorKind.INVALID_PARAMETERS,
    "AMOUNT_TOO_MUCH": ErrorKind.INVALID_PARAMETERS,
    "INVALID_CURRENCY": ErrorKind.INVALID_PARAMETERS,
    "INVALID_CURRENCY_PAIR": ErrorKind.INVALID_PARAMETERS,
    "PRICE_THRESHOLD_EXCEEDED": ErrorKind.INVALID_PARAMETERS,
    "TOO_MANY_CURRENCY_PAIRS": ErrorKind.INVALID_PARAMETERS,
    "MIXED_ACCOUNT_TYPE": ErrorKind.INVALID_PARAMETERS,
    "NO_CHANGE": ErrorKind.INVALID_PARAMETERS,
    "TOO_MANY_ORDERS": ErrorKind.INVALID_PARAMETERS,  # open orders, not requests: waiting does not help
    "CONTRACT_NOT_FOUND": ErrorKind.INVALID_PARAMETERS,
    "SIZE_TOO_LARGE": ErrorKind.INVALID_PARAMETERS,
    "SIZE_TOO_SMALL": ErrorKind.INVALID_PARAMETERS,
    "ERR_QUOTA_LOWER_LIMIT": ErrorKind.INVALID_PARAMETERS,
    "PRICE_TOO_DEVIATED": ErrorKind.INVALID_PARAMETERS,
    "PRICE_OVER_LIQUIDATION": ErrorKind.INVALID_PARAMETERS,
    "PRICE_OVER_BANKRUPT": ErrorKind.INVALID_PARAMETERS,
    "LEVERAGE_TOO_HIGH": ErrorKind.INVALID_PARAMETERS,
    "LEVERAGE_TOO_LOW": ErrorKind.INVALID_PARAMETERS,
    "RISK_LIMIT_NOT_MULTIPLE": ErrorKind.INVALID_PARAMETERS,
    "RISK_LIMIT_TOO_HIGH": ErrorKind.INVALID_PARAMETERS,
    "RISK_LIMIT_TOO_LOW": ErrorKind.INVALID_PARAMETERS,
    "RISK_LIMIT_TOO_lOW": ErrorKind.INVALID_PARAMETERS,  # so the documentation spells it
    "AUTO_TRIGGER_PRICE_LESS_LAST": ErrorKind.INVALID_PARAMETERS,
    "AUTO_TRIGGER_PRICE_GREATE_LAST": ErrorKind.INVALID_PARAMETERS,
    "AMEND_WITH_STOP": ErrorKind.INVALID_PARAMETERS,
    "POSITION_CROSS_MARGIN": ErrorKind.INVALID_PARAMETERS,
    "POSITION_DUAL_MODE": ErrorKind.INVALID_PARAMETERS,
    "POSITION_NOT_FOUND": ErrorKind.INVALID_PARAMETERS,
    "POSITION_EMPTY": ErrorKind.INVALID_PARAMETERS,
    "POSITION_HOLDING": ErrorKind.INVALID_PARAMETERS,
    "INCREASE_POSITION": ErrorKind.INVALID_PARAMETERS,
    "REDUCE_EXCEEDED": ErrorKind.INVALID_PARAMETERS,
    "POC_FILL_IMMEDIATELY": ErrorKind.WOULD_TAKE,
    "ORDER_POC_IMMEDIATE": ErrorKind.WOULD_TAKE,
    "FOK_NOT_FILL": ErrorKind.WOULD_NOT_FILL,
    "ORDER_FOK": ErrorKind.WOULD_NOT_FILL,
    "CONTRACT_NO_COUNTER": ErrorKind.WOULD_NOT_FILL,
    "TRADE_RESTRICTED": ErrorKind.MAINTENANCE,
    "CONTRACT_IN_DELISTING": ErrorKind.MAINTENANCE,
    "POSITION_IN_CLOSE": ErrorKind.MAINTENANCE,
    "POSITION_IN_LIQUIDATION": ErrorKind.MAINTENANCE,
    "ORDER_NOT_FOUND": ErrorKind.ORDER_NOT_FOUND,
    "ORDER_NOT_OWNED": ErrorKind.ORDER_NOT_FOUND,
    "CLIENT_ID_NOT_FOUND": ErrorKind.ORDER_NOT_FOUND,
    "ORDER_CLOSED": ErrorKind.ALREADY_CLOSED,
    "ORDER_CANCELLED": ErrorKind.ALREADY_CLOSED,
    "ORDER_FINISHED": ErrorKind.ALREADY_CLOSED,
    "CANCEL_FAIL": ErrorKind.ALREADY_CLOSED,
}

MESSAGE_LENGTH_MAX = 300


class _Refusal(msgspec.Struct):
    label: str | None = None
    message: str | None = None
    detail: str | None = None


_REFUSALS = msgspec.json.Decoder(_Refusal)


def refusal_in(status: int, body: bytes) -> ExchangeError | None:
    """The refusal that an answer holds, None if its status says that the request was accepted. Never raises.

    A body that is not Gate.io's (a proxy's page, nothing at all) is classified by the status alone.
    """
    if 200 <= status < 300:
        return None
    try:
        refusal = _REFUSALS.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        refusal = _Refusal()
    return labelled_refusal(refusal.label or "", refusal.message or refusal.detail or "", http_status=status)


def labelled_refusal(label: str, message: str, *, http_status: int) -> ExchangeError:
    """A refusal by its label; where that is unknown or missing, by the status."""
    kind = KIND_BY_LABEL.get(label) or _kind_by_status(http_status, labelled=bool(label))
    return ExchangeError(kind, code=label or f"HTTP {http_status}", message=message[:MESSAGE_LENGTH_MAX], http_status=http_status)


def refusal_of_one(label: str, message: str) -> ExchangeError:
    """A refusal of one order among several. A cancellation's states no label, and its message may be one."""
    if not label and message in KIND_BY_LABEL:
        label, message = message, ""
    return labelled_refusal(label, message, http_status=200)


def _kind_by_status(status: int, *, labelled: bool) -> ErrorKind:
    if status in (TOO_MANY_REQUESTS, BANNED):
        return ErrorKind.RATE_LIMITED
    if status >= 500:
        return ErrorKind.RETRYABLE
    # Gate.io answers 403 to more than wrong keys; only without a label of its own does the status decide.
    if status in (401, 403) and not labelled:
        return ErrorKind.AUTHENTICATION
    # A refusal of Gate.io's own has a label. What has none comes from something in between, which may have passed it on.
    return ErrorKind.UNKNOWN if labelled else ErrorKind.RETRYABLE
