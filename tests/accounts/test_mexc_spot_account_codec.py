"""MEXC spot's private codec against the documentation's samples, worked signatures, and frames written byte by byte."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.accounts.codec import OrderReceived, PreparedRequest, ProtocolError
from actors.accounts.credential import Credential
from actors.accounts.mexc.errors import KIND_BY_CODE
from actors.accounts.mexc.signature import signed_query
from actors.accounts.mexc.spot import CHANNELS, MexcSpotAccountCodec
from exchanges.mexc_spot_push_pb2 import Balance, Deal, Push
from exchanges.mexc_spot_push_pb2 import Order as PushedOrder
from market.events import Side
from market.symbol import Symbol
from network.http import HttpResponse
from orders.errors import ErrorKind
from orders.order import Order
from orders.reports import (
    BalanceReport,
    FillReport,
    OrderReport,
    ReportedStatus,
    StreamClosing,
    StreamConfirmed,
    StreamPong,
    StreamRefused,
)
from orders.request import OrderRequest, OrderType, TimeInForce

CODEC = MexcSpotAccountCodec()
SAMPLES = Path(__file__).with_name("samples") / "mexc_spot"
BTC_USDT = Symbol("BTC", "USDT")
NOW = 1_790_000_000_000
SECRET = "made-up-mexc-secret-0123456789abcdef"
CREDENTIAL = Credential(key="made-up-key", secret=SECRET)

# Encoded by hand from the documented field numbers; read back with a third party's classes of the same protocol.
ORDER_FRAME = bytes.fromhex(
    "0a1d73706f7440707269766174652e6f72646572732e76332e6170692e70621a07425443555344543085d8c1a28c3482135f0a064330325f5f311208626f742d"
    "303030311a0735303030302e352205302e3030312a0735302e30303035320735303030302e35380140015201305a01306205302e3030316a05302e3030317207"
    "35302e303030357802800180d8c1a28c34"
)


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def request(**changes: Any) -> OrderRequest:
    given_fields: dict[str, Any] = {
        "client_order_id": "bot-0001",
        "owner": "btc",
        "symbol": BTC_USDT,
        "side": Side.BUY,
        "type": OrderType.LIMIT,
        "time_in_force": TimeInForce.GOOD_TILL_CANCELLED,
        "quantity": Decimal("0.001"),
        "price": Decimal("50000.5"),
        **changes,
    }
    return OrderRequest(**given_fields)


MARKET_BUY = request(
    type=OrderType.MARKET, time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL, quantity=None, quote_quantity=Decimal("25.5"), price=None
)


def order(exchange_order_id: str | None = "C02__1") -> Order:
    return Order(request=request(), exchange_order_id=exchange_order_id, sent=True)


def query_of(prepared: PreparedRequest) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(prepared.query).items()}


# Signatures


@pytest.mark.parametrize(
    ("secret", "query", "signature"),
    [
        (
            SECRET,
            "symbol=BTCUSDT&side=BUY&type=MARKET&quoteOrderQty=25.5&recvWindow=5000&timestamp=1790000000000",
            "199cc434847a61a47d0a2e65f939c32e9ea8c7555d2b52734df82281ffd7fb04",
        ),
        (
            SECRET,
            "symbol=BTCUSDT&side=BUY&type=MARKET&quoteOrderQty=25.5&timestamp=1790000000000&recvWindow=5000",
            "646d9dbcdacbdba9acbef5765f22516b913be7244611456c06755404a82f502f",
        ),
        (SECRET, "timestamp=1790000000000", "9f0e3446d601704c3d9683baf750691189bf1e028afb4653633e753b69abf14d"),
        (
            SECRET,
            "batchOrders=%5B%7B%22symbol%22%3A%22BTCUSDT%22%2C%22side%22%3A%22BUY%22%2C%22type%22%3A%22LIMIT%22%2C%22quantity%22%3A%220.001"
            "%22%2C%22price%22%3A%2250000%22%7D%5D&timestamp=1790000000000",
            "ce9d6c8558121bbb4a408f7f834bef0acecfb696c9c7a3f4e303b7ce414eb70e",
        ),
        (  # the documentation's own, with its own secret
            "45d0b3c26f2644f19bfb98b07741b2f5",
            "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=11&recvWindow=5000&timestamp=1644489390087",
            "fd3e4e8543c5188531eb7279d68ae7d26a573d0fc5ab0d18eb692451654d837a",
        ),
    ],
)
def test_signature_equals_the_worked_example(secret: str, query: str, signature: str) -> None:
    assert signed_query(secret, query) == f"{query}&signature={signature}"


def test_limit_order_is_signed_as_in_the_worked_example() -> None:
    prepared = CODEC.place(request(), expires_at_milliseconds=None)
    signed = CODEC.sign(prepared, CREDENTIAL, timestamp_milliseconds=NOW)
    assert signed.query == (
        "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=0.001&price=50000.5&newClientOrderId=bot-0001&recvWindow=5000&timestamp=1790000000000"
        "&signature=dbf62117a024a633ec1cfe24807b754301a08ce035d6905d62ff914634493671"
    )
    assert (signed.method, signed.path, signed.body) == ("POST", "/api/v3/order", b"")
    assert dict(signed.headers) == {"X-MEXC-APIKEY": "made-up-key", "Content-Type": "application/json"}
    assert SECRET not in f"{signed!r}{signed.query}{signed.headers}"


@pytest.mark.parametrize(("expires_after", "window"), [(3_000, 3_000), (0, 1), (-50, 1), (90_000, 60_000)])
def test_expiry_becomes_the_window_in_which_the_order_must_arrive(expires_after: int, window: int) -> None:
    prepared = CODEC.place(request(), expires_at_milliseconds=NOW + expires_after)
    signed = CODEC.sign(prepared, CREDENTIAL, timestamp_milliseconds=NOW)
    assert f"&recvWindow={window}&timestamp={NOW}&" in signed.query
    assert CODEC.capabilities.order_expiry


def test_request_without_parameters_is_signed_over_its_time() -> None:
    signed = CODEC.sign(CODEC.query_balances(), CREDENTIAL, timestamp_milliseconds=NOW)
    assert signed.query.startswith(f"recvWindow=5000&timestamp={NOW}&signature=")


# Requests


@pytest.mark.parametrize(
    ("time_in_force", "name"),
    [
        (TimeInForce.GOOD_TILL_CANCELLED, "LIMIT"),
        (TimeInForce.POST_ONLY, "LIMIT_MAKER"),
        (TimeInForce.IMMEDIATE_OR_CANCEL, "IMMEDIATE_OR_CANCEL"),
        (TimeInForce.FILL_OR_KILL, "FILL_OR_KILL"),
    ],
)
def test_time_in_force_is_part_of_the_type(time_in_force: TimeInForce, name: str) -> None:
    assert query_of(CODEC.place(request(time_in_force=time_in_force), expires_at_milliseconds=None))["type"] == name


def test_market_buy_states_what_to_spend_and_market_sell_what_to_sell() -> None:
    assert query_of(CODEC.place(MARKET_BUY, expires_at_milliseconds=None)) == {
        "symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quoteOrderQty": "25.5", "newClientOrderId": "bot-0001",
    }  # fmt: skip
    sell = request(type=OrderType.MARKET, time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL, price=None, side=Side.SELL)
    assert query_of(CODEC.place(sell, expires_at_milliseconds=None))["quantity"] == "0.001"


def test_market_orders_that_mexc_does_not_have_are_refused_before_they_are_sent() -> None:
    for impossible in (
        request(type=OrderType.MARKET, time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL, price=None),
        request(type=OrderType.MARKET, time_in_force=TimeInForce.FILL_OR_KILL, price=None, side=Side.SELL),
    ):
        with pytest.raises(ValueError, match="MEXC"):
            CODEC.place(impossible, expires_at_milliseconds=None)


def test_batch_is_one_list_about_one_symbol() -> None:
    prepared = CODEC.place_batch([request(), request(client_order_id="bot-0002")], expires_at_milliseconds=NOW)
    assert [one["newClientOrderId"] for one in json.loads(query_of(prepared)["batchOrders"])] == ["bot-0001", "bot-0002"]
    assert prepared.expires_at_milliseconds == NOW
    for wrong in ([], [request()] * 21, [request(), request(symbol=Symbol("ETH", "USDT"))]):
        with pytest.raises(ValueError, match="batch"):
            CODEC.place_batch(wrong, expires_at_milliseconds=None)


def test_order_is_named_by_the_exchange_s_id_where_known_and_by_ours_otherwise() -> None:
    for prepare, method in ((CODEC.cancel, "DELETE"), (CODEC.query_order, "GET")):
        by_theirs, by_ours = prepare(order()), prepare(order(None))
        assert (by_theirs.method, by_theirs.path) == (method, "/api/v3/order")
        assert query_of(by_theirs) == {"symbol": "BTCUSDT", "orderId": "C02__1"}
        assert query_of(by_ours) == {"symbol": "BTCUSDT", "origClientOrderId": "bot-0001"}


def test_open_orders_of_all_symbols_need_no_symbol() -> None:
    assert CODEC.query_open_orders().query == ""
    assert query_of(CODEC.query_open_orders(BTC_USDT)) == {"symbol": "BTCUSDT"}


def test_what_mexc_cannot_do_is_said_by_capabilities_and_refused() -> None:
    assert (CODEC.capabilities.amend, CODEC.capabilities.cancel_batch_max) == (False, 1)
    assert CODEC.capabilities.dead_mans_switch_seconds_min is None
    assert CODEC.dead_mans_switch([BTC_USDT], timeout_seconds=30) == []
    with pytest.raises(ValueError, match="amend"):
        CODEC.amend(order(), price=Decimal(1), quantity=None)
    with pytest.raises(ValueError, match="batches"):
        CODEC.cancel_batch([])


def page(count: int, first: int, step: int) -> bytes:
    return json.dumps([{"time": first + step * number} for number in range(count)]).encode()


@pytest.mark.parametrize(("step", "bound"), [(-1, "endTime"), (1, "startTime")])
def test_full_page_is_followed_by_one_from_its_last_entry_on_whichever_way_the_list_runs(step: int, bound: str) -> None:
    prepared = CODEC.query_fills(BTC_USDT, exchange_order_id="C02__1", since_milliseconds=NOW - 5_000)
    following = CODEC.next_page(prepared, page(100, NOW, step))
    assert following is not None
    assert query_of(following) == query_of(prepared) | {bound: str(NOW + 99 * step)}
    assert CODEC.next_page(following, page(99, NOW, step)) is None


def test_page_that_leads_nowhere_is_the_last() -> None:
    prepared = CODEC.query_fills(BTC_USDT)
    assert CODEC.next_page(prepared, page(100, NOW, 0)) is None, "all in one millisecond"
    following = CODEC.next_page(prepared, page(100, NOW, -1))
    assert following is not None
    assert CODEC.next_page(following, page(100, NOW, -1)) is None, "the same page again"
    assert CODEC.next_page(CODEC.query_open_orders(), page(500, NOW, 1)) is None


# Answers


def test_placing_is_answered_with_an_id_and_counts_as_open() -> None:
    report = CODEC.decode_placed(request(), sample("placed.json"))
    assert (report.exchange_order_id, report.client_order_id) == ("06a480e69e604477bfb48dddd5f0b750", "bot-0001")
    assert (report.status, report.filled_quantity, report.exchange_time_milliseconds) == (ReportedStatus.OPEN, 0, 0)


def test_order_is_read_with_its_cumulative_fills() -> None:
    assert CODEC.decode_order(sample("order.json")) == OrderReport(
        exchange_order_id="C02__505979017439002624115",
        client_order_id="mm-btc-1",
        symbol=BTC_USDT,
        side=Side.BUY,
        status=ReportedStatus.OPEN,
        filled_quantity=Decimal("0.4"),
        filled_quote=Decimal("20000.2"),
        price=Decimal("50000.5"),
        quantity=Decimal("1.0"),
        exchange_time_milliseconds=1499827319600,
    )


def test_market_buy_that_gave_money_back_has_expired_with_fills() -> None:
    report = CODEC.decode_order(sample("market_buy.json"))
    assert (report.status, report.filled_quantity, report.price, report.client_order_id) == (
        ReportedStatus.EXPIRED, Decimal("0.001"), None, None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("status", "order_type", "meant"),
    [
        ("NEW", "LIMIT", ReportedStatus.OPEN),
        ("PARTIALLY_FILLED", "LIMIT_MAKER", ReportedStatus.OPEN),
        ("FILLED", "MARKET", ReportedStatus.FILLED),
        ("CANCELED", "LIMIT", ReportedStatus.CANCELLED),
        ("PARTIALLY_CANCELED", "LIMIT", ReportedStatus.CANCELLED),
        ("CANCELED", "FILL_OR_KILL", ReportedStatus.EXPIRED),
        ("PARTIALLY_CANCELED", "IMMEDIATE_OR_CANCEL", ReportedStatus.EXPIRED),
    ],
)
def test_every_state_has_its_meaning(status: str, order_type: str, meant: ReportedStatus) -> None:
    body = json.loads(sample("order.json")) | {"status": status, "type": order_type}
    assert CODEC.decode_order(json.dumps(body).encode()).status is meant


def test_state_that_nobody_knows_is_a_protocol_error() -> None:
    with pytest.raises(ProtocolError, match="NIRVANA"):
        CODEC.decode_order(sample("order.json").replace(b"PARTIALLY_FILLED", b"NIRVANA"))


def test_cancellation_is_only_taken_note_of_because_its_answer_may_be_older_than_the_end() -> None:
    assert CODEC.decode_changed(sample("cancelled.json")) is None
    with pytest.raises(ProtocolError):
        CODEC.decode_changed(b"<html>please wait</html>")


def test_list_of_cancelled_orders_has_our_ids_and_not_those_of_the_cancellations() -> None:
    (report,) = CODEC.decode_orders(b"[" + sample("cancelled.json") + b"]")
    assert (report.client_order_id, report.exchange_order_id, report.symbol) == ("mm-btc-2", "4", Symbol("LTC", "BTC"))


def test_batch_tells_per_order_its_ids_or_its_refusal() -> None:
    received, (client_order_id, error) = CODEC.decode_batch(sample("batch.json"))
    assert received == OrderReceived(exchange_order_id="1196315350023612316", client_order_id="mm-btc-1")
    assert (client_order_id, error.kind) == ("mm-btc-2", ErrorKind.INVALID_PARAMETERS)


def test_there_are_no_batches_of_cancellations_nor_amendments() -> None:
    assert (CODEC.capabilities.cancel_batch_max, CODEC.capabilities.amend_batch_max) == (1, 1)
    with pytest.raises(ValueError, match="no batches"):
        CODEC.cancel_batch([])
    with pytest.raises(ValueError, match="cannot amend"):
        CODEC.amend_batch([])


def test_fills_and_balances_are_read() -> None:
    assert CODEC.decode_fills(sample("my_trades.json")) == [
        FillReport(
            trade_id="fad2af9e942049b6adbda1a271f990c6",
            exchange_order_id="bb41e5663e124046bd9497a3f5692f39",
            client_order_id=None,
            symbol=BTC_USDT,
            side=Side.BUY,
            price=Decimal("4.00000100"),
            quantity=Decimal("12.00000000"),
            fee=Decimal("10.10000000"),
            fee_asset="BNB",
            maker=False,
            exchange_time_milliseconds=1499865549590,
        )
    ]
    assert CODEC.decode_balances(sample("account.json")) == [
        BalanceReport(asset="NBNTEST", total=Decimal(1111111), available=Decimal(1111078)),
        BalanceReport(asset="USDT", total=Decimal("21.94210356004384"), available=Decimal("21.94210356004384")),
    ]
    assert CODEC.decode_server_time(b'{"serverTime":1645539742000}') == 1645539742000


# Refusals


def refused(status: int, body: str = "", **headers: str) -> Any:
    return CODEC.error(HttpResponse(status=status, headers=headers, body=body.encode()))


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, '{"code":700002,"msg":"Signature for this request is not valid."}', ErrorKind.AUTHENTICATION),
        (400, '{"code":"10072","msg":"invalid access key"}', ErrorKind.AUTHENTICATION),
        (403, '{"code":403,"msg":"access denied"}', ErrorKind.AUTHENTICATION),
        (403, "<html>firewall</html>", ErrorKind.RATE_LIMITED),
        (418, '{"code":700003}', ErrorKind.RATE_LIMITED),
        (400, '{"code":700003,"msg":"outside of the recvWindow"}', ErrorKind.CLOCK_SKEW),
        (400, '{"code":30004,"msg":"Insufficient position"}', ErrorKind.INSUFFICIENT_BALANCE),
        (400, '{"code":30002,"msg":"too small"}', ErrorKind.INVALID_PARAMETERS),
        (400, '{"code":-2011,"msg":"Unknown order sent."}', ErrorKind.ORDER_NOT_FOUND),
        (400, '{"code":-2013,"msg":"Order does not exist."}', ErrorKind.ORDER_NOT_FOUND),
        (400, '{"code":30016,"msg":"Trading disabled"}', ErrorKind.MAINTENANCE),
        (400, '{"code":777777,"msg":"Too Many Requests, slow down"}', ErrorKind.RATE_LIMITED),
        (400, '{"code":777777,"msg":"?"}', ErrorKind.UNKNOWN),
        (503, '{"code":30004,"msg":"?"}', ErrorKind.RETRYABLE),
        (400, '{"code":500,"msg":"Internal error"}', ErrorKind.RETRYABLE),
        (200, '{"code":30004,"msg":"Insufficient position"}', ErrorKind.INSUFFICIENT_BALANCE),
    ],
)
def test_refusal_is_classified(status: int, body: str, kind: ErrorKind) -> None:
    error = refused(status, body)
    assert error.kind is kind
    assert error.fate_is_unknown is (status >= 500 or kind is ErrorKind.RETRYABLE)


@pytest.mark.parametrize("body", ["{}", "[]", '{"code":0,"msg":"success"}', '{"code":200,"data":[],"msg":null}', '{"orderId":"1"}'])
def test_accepted_answer_is_no_refusal(body: str) -> None:
    assert refused(200, body) is None


def test_no_code_means_that_an_order_may_exist_but_those_of_a_failing_server() -> None:
    for code, kind in KIND_BY_CODE.items():
        assert refused(400, f'{{"code":{code}}}').fate_is_unknown is (kind is ErrorKind.RETRYABLE), code


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("0", 0.1), ("999999999", 3 * 86_400.0), ("soon", None), ("", None)])
def test_penalty_is_what_the_answer_says_within_reason(header: str, seconds: float | None) -> None:
    response = HttpResponse(status=429, headers={"retry-after": header}, body=b"")
    assert CODEC.penalty_seconds(response, now_milliseconds=NOW) == seconds


def test_answer_that_is_no_rate_limit_has_no_penalty() -> None:
    assert CODEC.penalty_seconds(HttpResponse(status=500, headers={"retry-after": "7"}, body=b""), now_milliseconds=NOW) is None


# Private stream


def test_listen_key_is_created_kept_given_back_and_put_into_the_address() -> None:
    keys = CODEC.stream_keys
    assert (keys.request().method, keys.request().path, keys.request().query) == ("POST", "/api/v3/userDataStream", "")
    assert keys.decode(b'{"listenKey":"pqia91ma19"}') == "pqia91ma19"
    assert (keys.query_valid().method, keys.query_valid().path, keys.query_valid().query) == ("GET", "/api/v3/userDataStream", "")
    assert keys.decode_valid(b'{"listenKey":["pqia91ma19","c285bc363c"]}') == ["pqia91ma19", "c285bc363c"]
    assert keys.decode_valid(b'{"listenKey":[]}') == []
    for prepared, method in ((keys.keep("pqia91ma19"), "PUT"), (keys.end("pqia91ma19"), "DELETE")):
        assert (prepared.method, prepared.path, prepared.query) == (method, "/api/v3/userDataStream", "listenKey=pqia91ma19")
    assert keys.url("wss://wbs-api.mexc.com/ws", "p/q") == "wss://wbs-api.mexc.com/ws?listenKey=p%2Fq"
    assert keys.renewal_seconds == 1800


@pytest.mark.parametrize("body", [b'{"listenKey":["secret-key"]}', b'{"listenKey":""}', b"secret-key", b'{"listenkey":"secret-key"}'])
def test_listen_key_that_cannot_be_read_is_not_shown(body: bytes) -> None:
    with pytest.raises(ProtocolError) as raised:
        CODEC.stream_keys.decode(body)
    assert "secret-key" not in f"{raised.value}{raised.value.__cause__}"


@pytest.mark.parametrize(
    "body", [b'{"listenKey":"secret-key"}', b'{"listenKey":["secret-key",""]}', b'["secret-key"]', b'{"listenKey":["secret-key"']
)
def test_list_of_listen_keys_that_cannot_be_read_is_not_shown(body: bytes) -> None:
    with pytest.raises(ProtocolError) as raised:
        CODEC.stream_keys.decode_valid(body)
    assert "secret-key" not in f"{raised.value}{raised.value.__cause__}"


def test_request_that_carries_a_listen_key_does_not_show_it() -> None:
    keys = CODEC.stream_keys
    for prepared in (keys.keep("secret-key"), keys.end("secret-key")):
        assert "secret-key" not in f"{prepared!r}{prepared.__rich_repr__()}"


def test_each_channel_is_subscribed_by_a_frame_of_its_own() -> None:
    frames = [json.loads(frame) for frame in CODEC.subscribe_frames(CREDENTIAL, timestamp_milliseconds=NOW)]
    assert [frame["params"] for frame in frames] == [[channel] for channel in CHANNELS]
    assert CODEC.private_channels == set(CHANNELS)
    assert json.loads(CODEC.ping_frame(timestamp_milliseconds=NOW)) == {"method": "PING"}


def test_control_frames_are_told_by_their_text() -> None:
    def said(message: str) -> list[Any]:
        return CODEC.decode_frame(json.dumps({"id": 0, "code": 0, "msg": message}))

    assert said("PONG") == [StreamPong()]
    assert said(",".join(CHANNELS)) == [StreamConfirmed(channel) for channel in CHANNELS]
    (refusal,) = said(f"Not Subscribed successfully! [{CHANNELS[0]}].  Reason： Blocked!")
    assert isinstance(refusal, StreamRefused)
    assert refusal.channel == CHANNELS[0]
    assert CODEC.decode_frame("Invalid listen key") == [StreamClosing("Invalid listen key")]


def test_pushed_order_is_read_by_the_documented_numbers() -> None:
    assert CODEC.decode_frame(ORDER_FRAME) == [
        OrderReport(
            exchange_order_id="C02__1",
            client_order_id="bot-0001",
            symbol=BTC_USDT,
            side=Side.BUY,
            status=ReportedStatus.FILLED,
            filled_quantity=Decimal("0.001"),
            filled_quote=Decimal("50.0005"),
            price=Decimal("50000.5"),
            quantity=Decimal("0.001"),
            exchange_time_milliseconds=NOW + 5,
        )
    ]


@pytest.mark.parametrize(
    ("status", "order_type", "meant"),
    [
        (1, 1, ReportedStatus.OPEN),
        (3, 2, ReportedStatus.OPEN),
        (2, 5, ReportedStatus.FILLED),
        (4, 2, ReportedStatus.CANCELLED),
        (5, 1, ReportedStatus.CANCELLED),
        (4, 4, ReportedStatus.EXPIRED),
        (5, 5, ReportedStatus.EXPIRED),
    ],
)
def test_pushed_state_has_the_same_meaning(status: int, order_type: int, meant: ReportedStatus) -> None:
    push = Push.FromString(ORDER_FRAME)
    push.private_order.status, push.private_order.order_type = status, order_type
    (report,) = CODEC.decode_frame(push.SerializeToString())
    assert isinstance(report, OrderReport)
    assert report.status is meant


def test_order_that_its_client_did_not_name_has_no_id_of_ours() -> None:
    push = Push.FromString(ORDER_FRAME)
    for given_id in ("", push.private_order.id):
        push.private_order.client_id = given_id
        (report,) = CODEC.decode_frame(push.SerializeToString())
        assert isinstance(report, OrderReport)
        assert report.client_order_id is None


def field(number: int, value: str | bytes) -> bytes:
    """A field of the wire type 2 whose number and length fit their bytes."""
    data = value.encode() if isinstance(value, str) else value
    tag = number << 3 | 2
    head = bytes([tag]) if tag < 128 else bytes([tag & 127 | 128, tag >> 7])
    length = bytes([len(data)]) if len(data) < 128 else bytes([len(data) & 127 | 128, len(data) >> 7])
    return head + length + data


def test_pushed_fill_written_byte_by_byte_is_read_by_the_documented_numbers() -> None:
    texts = {1: "3.6962", 2: "1", 3: "3.6962", 7: "505979017439002624X1", 8: "mm-btc-1", 9: "C02__1", 10: "0.0004", 11: "MX"}
    deal = b"".join(field(number, text) for number, text in texts.items()) + bytes([4 << 3, 2, 5 << 3, 1, 12 << 3, 42])
    frame = field(1, CHANNELS[1]) + field(3, "BTCUSDT") + field(306, deal)
    assert CODEC.decode_frame(frame) == [
        FillReport(
            trade_id="505979017439002624X1",
            exchange_order_id="C02__1",
            client_order_id="mm-btc-1",
            symbol=BTC_USDT,
            side=Side.SELL,
            price=Decimal("3.6962"),
            quantity=Decimal(1),
            fee=Decimal("0.0004"),
            fee_asset="MX",
            maker=True,
            exchange_time_milliseconds=42,
        )
    ]


def test_pushed_balance_written_byte_by_byte_is_read_by_the_documented_numbers() -> None:
    texts = {1: "USDT", 2: "128f589271cb", 3: "21.9", 4: "10", 5: "0.1", 6: "0", 7: "ENTRUST_PLACE"}
    balance = b"".join(field(number, text) for number, text in texts.items()) + bytes([8 << 3, 42])
    assert CODEC.decode_frame(field(1, CHANNELS[2]) + field(307, balance)) == [
        BalanceReport(asset="USDT", total=Decimal("22.0"), available=Decimal("21.9"), exchange_time_milliseconds=42)
    ]


@pytest.mark.parametrize(
    "body",
    [
        {"private_order": PushedOrder(id="", status=1, trade_type=1)},
        {"private_order": PushedOrder(id="1", status=9, trade_type=1)},
        {"private_order": PushedOrder(id="1", status=1)},
        {"private_order": PushedOrder(id="1", status=1, trade_type=1, cumulative_quantity="-1")},
        {"private_order": PushedOrder(id="1", status=1, trade_type=1, cumulative_quantity="many")},
        {"private_deal": Deal(trade_id="1", order_id="1")},
        {"private_deal": Deal(trade_id="1", trade_type=1)},
        {"private_balance": Balance(asset="", available="1")},
        {"private_balance": Balance(asset="USDT", available="nan")},
    ],
)
def test_push_that_says_nothing_sound_is_a_protocol_error(body: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        CODEC.decode_frame(Push(channel="x", symbol="BTCUSDT", **body).SerializeToString())


def test_push_of_another_channel_says_nothing() -> None:
    assert CODEC.decode_frame(Push(channel="spot@private.something.new", symbol="BTCUSDT").SerializeToString()) == []
    with pytest.raises(ProtocolError, match="no channel"):
        CODEC.decode_frame(b"")


@given(st.integers(0, len(ORDER_FRAME) - 1), st.integers(0, 255), st.integers(0, len(ORDER_FRAME)))
def test_damaged_push_is_a_protocol_error_or_a_sound_report(place: int, byte: int, end: int) -> None:
    damaged = bytearray(ORDER_FRAME)
    damaged[place] = byte
    for frame in (bytes(damaged), bytes(damaged[:end])):
        try:
            reports = CODEC.decode_frame(frame)
        except ProtocolError:
            continue
        for report in reports:
            assert isinstance(report, OrderReport)
            assert report.filled_quantity >= 0
            assert report.exchange_order_id


@given(st.sampled_from(["order.json", "my_trades.json", "account.json", "batch.json"]), st.data())
def test_damaged_answer_is_a_protocol_error_or_readable(name: str, data: st.DataObject) -> None:
    body = bytearray(sample(name))
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    for decode in (CODEC.decode_order, CODEC.decode_orders, CODEC.decode_fills, CODEC.decode_balances, CODEC.decode_batch):
        try:
            decode(bytes(body))
        except ProtocolError:
            continue
