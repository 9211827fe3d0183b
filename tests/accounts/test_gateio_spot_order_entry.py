"""Gate.io spot's order entry over the websocket, without a connection: what is sent, and what the answers mean."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from actors.accounts.codec import Amendment, OrderReceived, ProtocolError, StreamOrderEntry
from actors.accounts.credential import Credential
from actors.accounts.gateio.signature import login_signature
from actors.accounts.gateio.spot import GateioSpotAccountCodec
from market.events import Side
from market.symbol import Symbol
from orders.errors import ErrorKind
from orders.order import Order
from orders.reports import OrderReport, ReportedStatus, StreamAnswered, StreamClosing, StreamConfirmed, StreamRefused
from orders.request import OrderRequest, OrderType, TimeInForce

SAMPLES = Path(__file__).parent / "samples" / "gateio_spot"
(LOGGED_IN, ACKNOWLEDGED, PLACED, REFUSED, TOO_MANY, FAILED, LABEL_IN_MESSAGE, NOT_LOGGED_IN, TOO_BUSY) = (
    (SAMPLES / "api_frames.jsonl").read_text().splitlines()
)
CREDENTIAL = Credential(key="made-up-gate-key", secret="made-up-gate-secret-0123456789abcdef")
NOW_SECONDS = 1_790_000_000
NOW = NOW_SECONDS * 1000 + 999
SELL = OrderRequest(
    client_order_id="mm-btc-tlokbk0a1",
    owner="btc",
    symbol=Symbol("BTC", "USDT"),
    side=Side.SELL,
    type=OrderType.LIMIT,
    time_in_force=TimeInForce.POST_ONLY,
    quantity=Decimal("0.002"),
    price=Decimal("64010.5"),
)

codec = GateioSpotAccountCodec()
entry: StreamOrderEntry = codec.order_entry  # pyright checks that it is one


def answered(frame: str) -> StreamAnswered:
    (answer,) = codec.decode_frame(frame)
    assert isinstance(answer, StreamAnswered)
    return answer


# What is sent


def test_login_signature_equals_the_worked_example() -> None:
    assert login_signature(CREDENTIAL.secret, channel="spot.login", timestamp_seconds=NOW_SECONDS) == (
        "c449e4c674ab505b9a7ca55f74ae895d09bd93164ed43ad6822aa9ca016f8d4a3fbba2d6a190cd3708b6f750f26be229e70c7741c809c3f1759888d3a52f8e76"
    )


def test_login_is_the_last_of_the_streams_first_frames_and_is_waited_for() -> None:
    login = json.loads(codec.subscribe_frames(CREDENTIAL, timestamp_milliseconds=NOW)[-1])
    assert (login["time"], login["channel"], login["event"]) == (NOW_SECONDS, "spot.login", "api")
    assert login["payload"]["api_key"] == CREDENTIAL.key
    assert login["payload"]["timestamp"] == str(NOW_SECONDS)
    assert login["payload"]["signature"].startswith("c449e4c6")
    assert CREDENTIAL.secret not in json.dumps(login)
    assert "spot.login" in codec.private_channels


def test_codec_says_that_it_has_order_entry_over_the_stream() -> None:
    assert codec.capabilities.websocket_order_entry
    assert entry.carries(SELL.symbol)


def test_placement_has_the_parameters_of_rest_its_expiry_and_the_time_of_sending() -> None:
    frame = entry.place(SELL, request_id="7", timestamp_milliseconds=NOW, expires_at_milliseconds=NOW + 3000)
    assert json.loads(frame) == {
        "time": NOW_SECONDS,
        "channel": "spot.order_place",
        "event": "api",
        "payload": {
            "req_id": "7",
            "req_param": json.loads(codec.place(SELL, expires_at_milliseconds=None).body),
            "req_header": {"x-gate-exptime": str(NOW + 3000)},
        },
    }


def test_placement_without_an_expiry_has_no_header() -> None:
    frame = entry.place(SELL, request_id="7", timestamp_milliseconds=NOW, expires_at_milliseconds=None)
    assert "req_header" not in json.loads(frame)["payload"]


@pytest.mark.parametrize(("exchange_order_id", "wire_id"), [("552200147", "552200147"), (None, "t-mm-btc-tlokbk0a1")])
def test_cancellation_and_amendment_name_the_order_by_the_exchanges_id_where_known(exchange_order_id, wire_id) -> None:
    order = Order(request=SELL, exchange_order_id=exchange_order_id)
    named = {"order_id": wire_id, "currency_pair": "BTC_USDT", "account": "spot"}
    cancel = json.loads(entry.cancel(order, request_id="8", timestamp_milliseconds=NOW))
    assert (cancel["channel"], cancel["payload"]) == ("spot.order_cancel", {"req_id": "8", "req_param": named})
    amend = json.loads(entry.amend(order, price=Decimal(64_000), quantity=None, request_id="9", timestamp_milliseconds=NOW))
    assert (amend["channel"], amend["payload"]) == ("spot.order_amend", {"req_id": "9", "req_param": {**named, "price": "64000"}})


# What the answers mean


def test_login_that_is_taken_is_a_confirmation() -> None:
    assert codec.decode_frame(LOGGED_IN) == [StreamConfirmed("spot.login")]


def test_login_that_is_refused_is_a_refusal_of_the_stream() -> None:
    assert codec.decode_frame(NOT_LOGGED_IN) == [StreamRefused("spot.login", "INVALID_KEY", "Invalid key provided")]


def test_login_that_a_busy_server_did_not_take_says_nothing_of_the_credential() -> None:
    (said,) = codec.decode_frame(TOO_BUSY)
    assert isinstance(said, StreamClosing)


def test_acknowledgement_of_a_placement_says_nothing_yet() -> None:
    assert codec.decode_frame(ACKNOWLEDGED) == []


def test_answer_to_a_placement_is_what_rest_would_have_answered() -> None:
    answer = answered(PLACED)
    assert (answer.request_id, answer.error) == ("1", None)
    report = codec.decode_placed(SELL, answer.body)
    assert (report.exchange_order_id, report.client_order_id, report.status) == ("552200147", SELL.client_order_id, ReportedStatus.OPEN)


@pytest.mark.parametrize(
    ("frame", "request_id", "kind", "fate_is_unknown"),
    [
        (REFUSED, "2", ErrorKind.INSUFFICIENT_BALANCE, False),
        (TOO_MANY, "3", ErrorKind.RATE_LIMITED, False),
        (FAILED, "4", ErrorKind.RETRYABLE, True),
        (LABEL_IN_MESSAGE, "5", ErrorKind.ORDER_NOT_FOUND, False),
        (PLACED.replace('"status":"200"', '"status":"405"', 1), "1", ErrorKind.RETRYABLE, True),  # nobody says why: who knows
        (ACKNOWLEDGED.replace('"status":"200"', '"status":"403"'), "1", ErrorKind.AUTHENTICATION, False),
    ],
)
def test_refusal_is_classified_as_by_rest(frame, request_id, kind, fate_is_unknown) -> None:
    answer = answered(frame)
    assert answer.request_id == request_id
    assert answer.error is not None
    assert (answer.error.kind, answer.error.fate_is_unknown) == (kind, fate_is_unknown)


@pytest.mark.parametrize("status", ['"OK"', '""', "null", "[]", '"²"'])
def test_answer_without_a_readable_status_is_a_protocol_error(status) -> None:
    with pytest.raises(ProtocolError):
        codec.decode_frame(PLACED.replace('"status":"200"', f'"status":{status}', 1))


def test_answer_without_a_result_cannot_be_read_as_an_order() -> None:
    answer = answered('{"request_id":"1","header":{"status":"200","channel":"spot.order_place"},"data":{}}')
    with pytest.raises(ProtocolError):
        codec.decode_placed(SELL, answer.body)


# Batches


def test_batch_of_cancellations_takes_orders_of_ours_by_whichever_id_is_known() -> None:
    reported = OrderReport(
        exchange_order_id="9",
        client_order_id=None,
        symbol=SELL.symbol,
        side=Side.SELL,
        status=ReportedStatus.OPEN,
        filled_quantity=Decimal(0),
        filled_quote=Decimal(0),
    )
    prepared = codec.cancel_batch([Order(request=SELL), Order(request=SELL, exchange_order_id="7"), reported])
    assert [item["id"] for item in json.loads(prepared.body)] == ["t-mm-btc-tlokbk0a1", "7", "9"]


def test_batch_of_amendments_states_what_changes_of_each() -> None:
    order = Order(request=SELL, exchange_order_id="7")
    prepared = codec.amend_batch([Amendment(order=order, price=Decimal(64_000)), Amendment(order=order, quantity=Decimal("0.003"))])
    assert (prepared.method, prepared.path, prepared.group) == ("POST", "/api/v4/spot/amend_batch_orders", "orders")
    named = {"order_id": "7", "currency_pair": "BTC_USDT", "account": "spot"}
    assert json.loads(prepared.body) == [{**named, "price": "64000"}, {**named, "amount": "0.003"}]


def test_batch_of_amendments_refuses_what_the_exchange_cannot_do() -> None:
    order = Order(request=SELL, exchange_order_id="7")
    with pytest.raises(ValueError, match="not both"):
        codec.amend_batch([Amendment(order=order, price=Decimal(1), quantity=Decimal(1))])
    with pytest.raises(ValueError, match="both"):
        codec.amend_batch([Amendment(order=order)])
    for size in (0, 6):
        with pytest.raises(ValueError, match="1 to 5"):
            codec.amend_batch([Amendment(order=order, price=Decimal(1))] * size)
    assert codec.capabilities.amend_batch_max == 5
    assert codec.capabilities.amend_batch_one_change


def test_batch_of_amendments_is_answered_per_order() -> None:
    amended, (exchange_order_id, refusal) = codec.decode_batch((SAMPLES / "amend_batch.json").read_bytes())
    assert isinstance(amended, OrderReport)
    assert (amended.exchange_order_id, amended.price) == ("552200147", Decimal(64_000))
    assert (exchange_order_id, refusal.kind) == ("552200148", ErrorKind.ALREADY_CLOSED)


def test_placements_of_more_symbols_than_a_batch_may_have_are_our_mistake() -> None:
    requests = [
        OrderRequest(**{name: getattr(SELL, name) for name in SELL.__struct_fields__} | {"symbol": Symbol(base, "USDT")})
        for base in "ABCDE"
    ]
    assert codec.capabilities.batch_symbols_max == 4
    codec.place_batch(requests[:4], expires_at_milliseconds=None)
    with pytest.raises(ValueError, match="4 symbols"):
        codec.place_batch(requests, expires_at_milliseconds=None)


def test_cancellations_that_succeeded_are_received_and_the_others_refused() -> None:
    received, *refused = codec.decode_batch((SAMPLES / "cancel_batch.json").read_bytes())
    assert received == OrderReceived(exchange_order_id="552200147", client_order_id="mm-btc-tlokbk0a1")
    assert [(identity, refusal.kind) for identity, refusal in refused] == [
        ("mm-btc-tlokbk0a2", ErrorKind.ORDER_NOT_FOUND),
        ("552200148", ErrorKind.ALREADY_CLOSED),
    ]
