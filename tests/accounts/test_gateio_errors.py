"""Gate.io's refusals, of spot and futures."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.accounts.gateio.errors import KIND_BY_LABEL, refusal_in, refusal_of_one
from orders.errors import ErrorKind

LABELS = {
    ErrorKind.RETRYABLE: (
        "INTERNAL SERVER_ERROR INTERNAL_SERVER_ERROR TOO_BUSY ORDER_PENDING INVALID_CLIENT_ORDER_ID ORDER_EXISTS DUPLICATE_REQUEST"
    ),
    ErrorKind.RATE_LIMITED: "TOO_MANY_REQUESTS TOO_FAST",
    ErrorKind.AUTHENTICATION: (
        "INVALID_CREDENTIALS INVALID_KEY IP_FORBIDDEN READ_ONLY INVALID_SIGNATURE MISSING_REQUIRED_HEADER "
        "ACCOUNT_LOCKED FORBIDDEN SUB_ACCOUNT_LOCKED USER_NOT_FOUND"
    ),
    ErrorKind.CLOCK_SKEW: "REQUEST_EXPIRED",
    ErrorKind.INSUFFICIENT_BALANCE: (
        "BALANCE_NOT_ENOUGH QUANTITY_NOT_ENOUGH MARGIN_BALANCE_NOT_ENOUGH INSUFFICIENT_AVAILABLE INITIAL_MARGIN_TOO_LOW "
        "RISK_LIMIT_EXCEEDED LIQUIDATE_IMMEDIATELY"
    ),
    ErrorKind.INVALID_PARAMETERS: (
        "INVALID_PARAM_VALUE INVALID_ARGUMENT BAD_REQUEST MISSING_REQUIRED_PARAM INVALID_REQUEST_BODY INVALID_PRECISION "
        "AMOUNT_TOO_LITTLE AMOUNT_TOO_MUCH INVALID_CURRENCY INVALID_CURRENCY_PAIR "
        "PRICE_THRESHOLD_EXCEEDED TOO_MANY_CURRENCY_PAIRS MIXED_ACCOUNT_TYPE NO_CHANGE TOO_MANY_ORDERS CONTRACT_NOT_FOUND "
        "SIZE_TOO_LARGE SIZE_TOO_SMALL ERR_QUOTA_LOWER_LIMIT PRICE_TOO_DEVIATED PRICE_OVER_LIQUIDATION PRICE_OVER_BANKRUPT "
        "LEVERAGE_TOO_HIGH LEVERAGE_TOO_LOW RISK_LIMIT_NOT_MULTIPLE RISK_LIMIT_TOO_HIGH RISK_LIMIT_TOO_LOW RISK_LIMIT_TOO_lOW "
        "AUTO_TRIGGER_PRICE_LESS_LAST AUTO_TRIGGER_PRICE_GREATE_LAST AMEND_WITH_STOP POSITION_CROSS_MARGIN POSITION_DUAL_MODE "
        "POSITION_NOT_FOUND POSITION_EMPTY POSITION_HOLDING INCREASE_POSITION REDUCE_EXCEEDED"
    ),
    ErrorKind.WOULD_TAKE: "POC_FILL_IMMEDIATELY ORDER_POC_IMMEDIATE",
    ErrorKind.WOULD_NOT_FILL: "FOK_NOT_FILL ORDER_FOK CONTRACT_NO_COUNTER",
    ErrorKind.MAINTENANCE: "TRADE_RESTRICTED CONTRACT_IN_DELISTING POSITION_IN_CLOSE POSITION_IN_LIQUIDATION",
    ErrorKind.ORDER_NOT_FOUND: "ORDER_NOT_FOUND ORDER_NOT_OWNED CLIENT_ID_NOT_FOUND",
    ErrorKind.ALREADY_CLOSED: "ORDER_CLOSED ORDER_CANCELLED ORDER_FINISHED CANCEL_FAIL",
}
KIND_AND_LABEL = [(kind, label) for kind, labels in LABELS.items() for label in labels.split()]


def body(words: bytes | dict[str, str]) -> bytes:
    return words if isinstance(words, bytes) else json.dumps(words).encode()


@pytest.mark.parametrize(("kind", "label"), KIND_AND_LABEL)
def test_refusal_is_classified_by_its_label(kind, label) -> None:
    error = refusal_in(400, body({"label": label, "message": "no"}))
    assert error is not None
    assert (error.kind, error.code, error.message, error.http_status) == (kind, label, "no", 400)
    assert error.fate_is_unknown == (kind is ErrorKind.RETRYABLE)


def test_every_label_of_the_table_is_expected_here() -> None:
    assert {label for _, label in KIND_AND_LABEL} == set(KIND_BY_LABEL)


@pytest.mark.parametrize(
    ("status", "words", "kind"),
    [
        (429, b"", ErrorKind.RATE_LIMITED),
        (418, b"", ErrorKind.RATE_LIMITED),
        (429, {"label": "NEW_LABEL", "message": ""}, ErrorKind.RATE_LIMITED),
        (500, b"", ErrorKind.RETRYABLE),
        (502, b"<html><body>Bad Gateway</body></html>", ErrorKind.RETRYABLE),
        (503, {"label": "NEW_LABEL", "message": ""}, ErrorKind.RETRYABLE),
        (401, b"", ErrorKind.AUTHENTICATION),
        (403, b"<html>forbidden</html>", ErrorKind.AUTHENTICATION),
        (403, {"label": "NEW_LABEL", "message": ""}, ErrorKind.UNKNOWN),
        (403, {"label": "REQUEST_EXPIRED", "message": ""}, ErrorKind.CLOCK_SKEW),
        (400, {"label": "NEW_LABEL", "message": ""}, ErrorKind.UNKNOWN),
        (400, b"", ErrorKind.RETRYABLE),
        (404, b"not found", ErrorKind.RETRYABLE),
        (302, b"", ErrorKind.RETRYABLE),
    ],
)
def test_refusal_without_a_label_that_we_know_is_classified_by_its_status(status, words, kind) -> None:
    error = refusal_in(status, body(words))
    assert error is not None
    assert error.kind is kind
    # What has no label of Gate.io's own may come from something in between that has passed the request on.
    assert error.fate_is_unknown == (kind is ErrorKind.RETRYABLE)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_accepted_answer_is_no_refusal_whatever_it_holds(status) -> None:
    assert refusal_in(status, b"<html>") is None


def test_refusal_may_say_its_reason_as_detail() -> None:
    error = refusal_in(400, body({"label": "INVALID_PARAM_VALUE", "detail": "Your order size is too small"}))
    assert str(error) == "INVALID_PARAM_VALUE: Your order size is too small"


@pytest.mark.parametrize(
    ("label", "message", "kind", "text"),
    [
        ("BALANCE_NOT_ENOUGH", "no", ErrorKind.INSUFFICIENT_BALANCE, "BALANCE_NOT_ENOUGH: no"),
        ("", "ORDER_NOT_FOUND", ErrorKind.ORDER_NOT_FOUND, "ORDER_NOT_FOUND"),
        ("", "something went wrong", ErrorKind.RETRYABLE, "HTTP 200: something went wrong"),  # nobody knows: it is asked about
    ],
)
def test_refusal_of_one_order_among_several_may_have_its_label_for_a_message(label, message, kind, text) -> None:
    error = refusal_of_one(label, message)
    assert (error.kind, str(error)) == (kind, text)


@given(st.integers(100, 599), st.binary(max_size=80))
def test_refusal_in_garbage_never_raises(status, words) -> None:
    assert (refusal_in(status, words) is None) == (200 <= status < 300)


@given(st.integers(300, 599), st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner)))
def test_refusal_with_members_of_any_kind_never_raises(status, value) -> None:
    assert refusal_in(status, json.dumps({"label": value, "message": value}).encode()) is not None
