"""Gate.io futures' order entry over the websocket, without a connection: what is sent, and what the answers mean."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from gateio_futures_codec import BTC, FRAMES, codec, request
from test_gateio_spot_account_codec import NOW, NOW_SECONDS

from orders.errors import ErrorKind
from orders.order import Order
from orders.reports import ReportedStatus, StreamAnswered

B2 = b'{"contract":"BTC_USDT","size":"-3","price":"50000.5","tif":"gtc","text":"t-bot-0001","reduce_only":false}'


def test_orders_over_the_stream_have_the_parameters_of_rests() -> None:
    entry = codec.order_entry
    order = Order(request=request(), exchange_order_id="533298725911")
    assert entry.carries(BTC)
    frame = json.loads(entry.place(request(), request_id="r7", timestamp_milliseconds=NOW, expires_at_milliseconds=NOW + 5))
    assert frame == {
        "time": NOW_SECONDS,
        "channel": "futures.order_place",
        "event": "api",
        "payload": {"req_id": "r7", "req_param": json.loads(B2), "req_header": {"x-gate-exptime": str(NOW + 5)}},
    }
    cancel = json.loads(entry.cancel(order, request_id="r8", timestamp_milliseconds=NOW))
    assert (cancel["channel"], cancel["payload"]) == ("futures.order_cancel", {"req_id": "r8", "req_param": {"order_id": "533298725911"}})
    amend = json.loads(
        entry.amend(Order(request=request()), price=Decimal(7), quantity=Decimal("0.0001"), request_id="r9", timestamp_milliseconds=NOW)
    )
    parameters = {"order_id": "t-bot-0001", "size": "-1", "price": "7"}
    assert (amend["channel"], amend["payload"]) == ("futures.order_amend", {"req_id": "r9", "req_param": parameters})


def answered(index: int) -> StreamAnswered:
    (answer,) = codec.decode_frame(FRAMES[index])
    assert isinstance(answer, StreamAnswered)
    return answer


def test_answer_to_a_placement_over_the_stream_is_an_order_as_rest_tells_it() -> None:
    answer = answered(14)
    report = codec.decode_placed(request(), answer.body)
    assert (answer.request_id, answer.error) == ("r7", None)
    assert (report.client_order_id, report.status) == ("mm-btc-tlokbk0a3", ReportedStatus.FILLED)
    assert (report.filled_quantity, report.filled_quote) == (Decimal("0.001"), Decimal("59.9999"))


@pytest.mark.parametrize(
    ("index", "kind", "status", "fate_is_unknown"),
    [
        (15, ErrorKind.ORDER_NOT_FOUND, 404, False),
        (16, ErrorKind.RETRYABLE, 405, True),
        (17, ErrorKind.RATE_LIMITED, 429, False),
    ],
)
def test_refusal_over_the_stream_is_classified_as_rests(index, kind, status, fate_is_unknown) -> None:
    error = answered(index).error
    assert error is not None
    assert (error.kind, error.http_status, error.fate_is_unknown) == (kind, status, fate_is_unknown)


def test_answer_that_names_an_error_is_a_refusal_whatever_its_status() -> None:
    header = {"status": "200", "channel": "futures.order_place", "event": "api"}
    errors = {"label": "INSUFFICIENT_AVAILABLE", "message": "not enough"}
    for ack in (True, False):
        told = {"request_id": "r7", "ack": ack, "header": header, "data": {"errs": errors}}
        (answer,) = codec.decode_frame(json.dumps(told))
        assert isinstance(answer, StreamAnswered)
        assert answer.error is not None
        assert (answer.request_id, answer.error.kind) == ("r7", ErrorKind.INSUFFICIENT_BALANCE)
