from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from damaged_answers import ODD_VALUES, mutated, read_or_refuse
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from actors.accounts.codec import AccountCodec, Amendment, OrderReceived, PreparedRequest, ProtocolError
from actors.accounts.credential import Credential
from actors.accounts.okx.errors import CODES_BY_KIND, KIND_BY_CODE
from actors.accounts.okx.signature import iso_timestamp, login_signature, rest_signature
from actors.accounts.okx.spot import OkxSpotAccountCodec
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
    StreamAnswered,
    StreamClosing,
    StreamConfirmed,
    StreamPong,
    StreamRefused,
    StreamReply,
)
from orders.request import OrderRequest, OrderType, TimeInForce

SAMPLES = Path(__file__).parent / "samples" / "okx_spot"
FRAMES = (SAMPLES / "frames.jsonl").read_text().splitlines()
CREDENTIAL = Credential(
    key="0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0", secret="MADEUP0SECRET0FOR0DOCS0ONLY00001", passphrase="made-up-Pass1"
)  # fmt: skip
NOW = 1_795_147_506_789
BTC, ETH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")

codec: AccountCodec = OkxSpotAccountCodec()  # pyright checks that it is one


def sample(name: str) -> bytes:
    return (SAMPLES / f"{name}.json").read_bytes()


def request(**changes: object) -> OrderRequest:
    fields: dict[str, object] = {
        "client_order_id": "mm-btc-0001",
        "owner": "btc",
        "symbol": BTC,
        "side": Side.BUY,
        "type": OrderType.LIMIT,
        "time_in_force": TimeInForce.POST_ONLY,
        "quantity": Decimal("0.001"),
        "price": Decimal("50000.5"),
    }
    return OrderRequest(**(fields | changes))


def market(side: Side, **changes: object) -> OrderRequest:
    return request(side=side, type=OrderType.MARKET, time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL, price=None, **changes)


def changed(name: str, **changes: object) -> bytes:
    """A sample whose first entry is changed; `...` takes a field away."""
    document = json.loads(sample(name))
    fields = document["data"][0] | changes
    document["data"][0] = {key: value for key, value in fields.items() if value is not ...}
    return json.dumps(document).encode()


def response(status: int, body: bytes | dict[str, object] = b"") -> HttpResponse:
    return HttpResponse(status=status, headers={}, body=body if isinstance(body, bytes) else json.dumps(body).encode())


def refused(code: str, *items: dict[str, str]) -> dict[str, object]:
    return {"code": code, "msg": "no", "data": list(items)}


# Signatures, against worked examples

WORKED_EXAMPLES = [
    ("GET", "/api/v5/account/balance", "", b"", "a4+MWXMmpvrxS6rsRe6r31QciLCFJ2qZvkNxqnD4iqg="),
    ("GET", "/api/v5/account/balance", "ccy=BTC", b"", "IfP7ppG26Ew7wFcP3j20MCF6bYlS/WFOFgkC/WSJG9g="),
    ("GET", "/api/v5/account/balance", "ccy=BTC,USDT", b"", "84KmJuooyL9dPWXESv/H1yfip1Rxc5NPdWvyUYQHclw="),
    ("GET", "/api/v5/account/balance", "ccy=BTC%2CUSDT", b"", "cfLwh4wqSL81S8hFpK+2+O4IRs9oMFSvU4UIKVHaIew="),
    ("GET", "/api/v5/trade/orders-pending", "instType=SWAP&instId=BTC-USDT-SWAP", b"", "tCk8h87iJSeiNTQuw/ZxDnHFgEgHNzOyfZc5RQ5iVhA="),
    (
        "POST",
        "/api/v5/trade/order",
        "",
        b'{"instId":"BTC-USDT","tdMode":"cash","clOrdId":"b15","side":"buy","ordType":"limit","px":"2.15","sz":"2"}',
        "mUNvuHtmySG+YifS29iX8bUYLrYPFqFYnuMu4IEKvjI=",
    ),
    (
        "POST",
        "/api/v5/trade/cancel-batch-orders",
        "",
        b'[{"instId":"BTC-USDT","clOrdId":"b15"},{"instId":"BTC-USDT","ordId":"590908157585625111"}]',
        "IqxOeI/AncSe50zrdm/7J6P/+swgiLulmqf4PNMilh4=",
    ),
]


@pytest.mark.parametrize(("method", "path", "query", "body", "signature"), WORKED_EXAMPLES)
def test_rest_signature_equals_the_worked_example(method, path, query, body, signature) -> None:
    prepared = PreparedRequest(method=method, path=path, query=query, body=body, group="queries", headers=(("expTime", "1"),))
    sent = codec.sign(prepared, CREDENTIAL, timestamp_milliseconds=NOW)
    assert (sent.method, sent.path, sent.query, sent.body) == (method, path, query, body)
    assert dict(sent.headers) == {
        "Content-Type": "application/json",
        "OK-ACCESS-KEY": CREDENTIAL.key,
        "OK-ACCESS-SIGN": signature,
        "OK-ACCESS-TIMESTAMP": "2026-11-20T04:05:06.789Z",
        "OK-ACCESS-PASSPHRASE": "made-up-Pass1",
        "expTime": "1",
    }


def test_rest_signature_equals_a_public_client_s_example() -> None:
    secret = "chNOOS4KvNXR_Xq4k4c9qsfoKWvnDecLATCRlcBwyKDYnWgO"
    at = "2020-12-08T09:08:57.715Z"
    found = rest_signature(secret, timestamp=at, method="GET", path="/api/v5/account/balance", query="", body=b"")
    assert found == "PJ61e1nb2F2Qd7D8SPiaIcx2gjdELc+o0ygzre9z33k="


def test_timestamp_always_has_three_digits_after_the_second() -> None:
    assert iso_timestamp(1_795_147_506_000) == "2026-11-20T04:05:06.000Z"
    assert iso_timestamp(1_795_147_506_007) == "2026-11-20T04:05:06.007Z"


def test_login_signature_equals_the_worked_example_and_nothing_is_subscribed_before_its_answer() -> None:
    assert login_signature(CREDENTIAL.secret, timestamp_seconds=1795147506) == "aOQFS3cmIV+VCxxwpR+EVZ3BN4TntRDDT8SkNsCGloQ="
    (frame,) = codec.subscribe_frames(CREDENTIAL, timestamp_milliseconds=NOW)
    assert json.loads(frame) == {
        "op": "login",
        "args": [
            {
                "apiKey": CREDENTIAL.key,
                "passphrase": "made-up-Pass1",
                "timestamp": "1795147506",
                "sign": "aOQFS3cmIV+VCxxwpR+EVZ3BN4TntRDDT8SkNsCGloQ=",
            }
        ],
    }


# Requests


def test_limit_order_is_placed_in_cash_with_our_id_in_letters_and_digits_and_its_expiry_in_a_header() -> None:
    prepared = codec.place(request(), expires_at_milliseconds=1_790_000_003_000)
    assert (prepared.method, prepared.path, prepared.group) == ("POST", "/api/v5/trade/order", "orders")
    assert prepared.headers == (("expTime", "1790000003000"),)
    assert json.loads(prepared.body) == {
        "instId": "BTC-USDT",
        "tdMode": "cash",
        "clOrdId": "mmZbtcZ0001",
        "tag": "mmruntime",
        "side": "buy",
        "ordType": "post_only",
        "sz": "0.001",
        "px": "50000.5",
    }
    assert codec.place(request(), expires_at_milliseconds=None).headers == ()


@pytest.mark.parametrize(
    ("order", "fields"),
    [
        (request(time_in_force=TimeInForce.GOOD_TILL_CANCELLED), {"ordType": "limit"}),
        (request(time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL), {"ordType": "ioc"}),
        (request(time_in_force=TimeInForce.FILL_OR_KILL), {"ordType": "fok"}),
        (market(Side.BUY, quantity=None, quote_quantity=Decimal("100.50")), {"sz": "100.50", "tgtCcy": "quote_ccy", "banAmend": True}),
        (market(Side.BUY), {"sz": "0.001", "tgtCcy": "base_ccy", "banAmend": True}),
        (market(Side.SELL, quantity=Decimal("1E-7")), {"sz": "0.0000001", "tgtCcy": "base_ccy", "ordType": "market"}),
    ],
)
def test_order_type_and_unit_of_the_size_are_as_asked_for(order, fields) -> None:
    body = json.loads(codec.place(order, expires_at_milliseconds=None).body)
    assert fields.items() <= body.items()
    assert ("px" in body) is (order.type is OrderType.LIMIT)


def test_fill_or_kill_market_order_cannot_be_written() -> None:
    assert not codec.capabilities.market_fill_or_kill
    with pytest.raises(ValueError, match="no fill-or-kill market orders"):
        codec.place(replace(market(Side.SELL), time_in_force=TimeInForce.FILL_OR_KILL), expires_at_milliseconds=None)


def placed(exchange_order_id: str | None = "77") -> Order:
    return Order(request=request(), exchange_order_id=exchange_order_id, sent=True)


def report(number: int = 77) -> OrderReport:
    return replace(codec.decode_order(sample("order")), exchange_order_id=str(number))


def test_order_is_named_by_the_exchanges_id_where_known_and_by_ours_otherwise() -> None:
    assert json.loads(codec.cancel(placed()).body) == {"instId": "BTC-USDT", "ordId": "77"}
    assert json.loads(codec.cancel(placed(None)).body) == {"instId": "BTC-USDT", "clOrdId": "mmZbtcZ0001"}
    assert json.loads(codec.cancel_reported(report()).body) == {"instId": "BTC-USDT", "ordId": "77"}
    assert parse_qs(codec.query_order(placed(None)).query) == {"instId": ["BTC-USDT"], "clOrdId": ["mmZbtcZ0001"]}


def test_amendment_states_the_new_total_and_the_new_price() -> None:
    prepared = codec.amend(placed(), price=Decimal("50001"), quantity=Decimal("0.002"))
    assert json.loads(prepared.body) == {"instId": "BTC-USDT", "ordId": "77", "newSz": "0.002", "newPx": "50001"}
    assert (prepared.path, prepared.group) == ("/api/v5/trade/amend-order", "amends")
    with pytest.raises(ValueError, match="the price, the quantity, or both"):
        codec.amend(placed(), price=None, quantity=None)


def test_batches_hold_up_to_twenty_orders_and_count_as_so_many() -> None:
    cancels = codec.cancel_batch([report(number) for number in range(20)])
    assert (cancels.path, cancels.weight, len(json.loads(cancels.body))) == ("/api/v5/trade/cancel-batch-orders", 20, 20)
    mixed = json.loads(codec.cancel_batch([placed(None), report()]).body)
    assert mixed == [{"instId": "BTC-USDT", "clOrdId": "mmZbtcZ0001"}, {"instId": "BTC-USDT", "ordId": "77"}]
    changes = codec.amend_batch([Amendment(order=placed(), price=Decimal(50_001)), Amendment(order=placed(None), quantity=Decimal(1))])
    assert (changes.path, changes.weight, changes.group) == ("/api/v5/trade/amend-batch-orders", 2, "amend_batches")
    assert json.loads(changes.body) == [
        {"instId": "BTC-USDT", "ordId": "77", "newPx": "50001"},
        {"instId": "BTC-USDT", "clOrdId": "mmZbtcZ0001", "newSz": "1"},
    ]
    places = codec.place_batch([request()] * 3, expires_at_milliseconds=5)
    assert (places.path, places.weight, places.headers) == ("/api/v5/trade/batch-orders", 3, (("expTime", "5"),))
    for size in (0, 21):
        with pytest.raises(ValueError, match="1 to 20"):
            codec.cancel_batch([report()] * size)
        with pytest.raises(ValueError, match="1 to 20"):
            codec.amend_batch([Amendment(order=placed(), price=Decimal(1))] * size)


def test_there_is_no_cancelling_of_all_orders() -> None:
    assert not codec.capabilities.cancel_all
    with pytest.raises(ValueError, match="no cancelling of all"):
        codec.cancel_all(BTC)


def test_dead_mans_switch_is_one_for_our_tag_and_within_the_exchanges_bounds() -> None:
    assert [json.loads(one.body) for one in codec.dead_mans_switch([BTC, ETH], timeout_seconds=600)] == [
        {"timeOut": "120", "tag": "mmruntime"}
    ]
    (off,) = codec.dead_mans_switch([BTC], timeout_seconds=0)
    assert (off.path, json.loads(off.body)["timeOut"]) == ("/api/v5/trade/cancel-all-after", "0")


def test_queries_are_of_spot_and_paged_by_the_last_id() -> None:
    assert parse_qs(codec.query_open_orders().query) == {"instType": ["SPOT"], "limit": ["100"]}
    finished = codec.query_finished_orders(BTC, since_milliseconds=1_790_000_000_123)
    assert parse_qs(finished.query) == {
        "instType": ["SPOT"],
        "instId": ["BTC-USDT"],
        "begin": ["1790000000123"],
        "end": ["9999999999999"],
        "limit": ["100"],
    }
    fills = codec.query_fills(BTC, exchange_order_id="77")
    assert parse_qs(fills.query) == {"instType": ["SPOT"], "instId": ["BTC-USDT"], "ordId": ["77"], "limit": ["100"]}
    assert codec.next_page(fills, sample("fills")) is None

    def full(name: str) -> bytes:
        item = json.loads(sample(name))["data"][-1]
        return json.dumps({"code": "0", "msg": "", "data": [item] * 100}).encode()

    following = codec.next_page(fills, full("fills"))
    assert following is not None
    assert parse_qs(following.query)["after"] == ["680800019754098688"], "fills go by billId"
    following = codec.next_page(finished, full("orders"))
    assert following is not None
    assert parse_qs(following.query)["after"] == ["680800019749904389"]
    assert codec.next_page(codec.query_balances(), sample("balance")) is None


@given(st.from_regex(r"[a-z0-9-]{1,28}", fullmatch=True), st.from_regex(r"[a-z0-9-]{1,28}", fullmatch=True))
def test_client_order_ids_are_told_one_to_one_in_letters_and_digits_and_come_back(one, other) -> None:
    wire = codec.wire_client_order_id(one)
    assert wire.isalnum()
    assert (wire == codec.wire_client_order_id(other)) is (one == other)
    assert codec.decode_order(changed("order", clOrdId=wire)).client_order_id == one


# Answers


def test_answer_to_a_placement_gives_an_open_order_as_it_was_asked_for() -> None:
    asked = request(client_order_id="mm-btc-tlokbk0a1")
    assert codec.decode_placed(asked, sample("placed")) == OrderReport(
        exchange_order_id="680800019749904384",
        client_order_id="mm-btc-tlokbk0a1",
        symbol=BTC,
        side=Side.BUY,
        status=ReportedStatus.OPEN,
        filled_quantity=Decimal(0),
        filled_quote=Decimal(0),
        price=Decimal("50000.5"),
        quantity=Decimal("0.001"),
        exchange_time_milliseconds=1790000012401,
    )
    assert codec.decode_changed(sample("placed")) is None
    for body in (changed("placed", ordId=""), changed("placed", sCode="1"), b'{"code":"0","msg":"","data":[]}'):
        with pytest.raises(ProtocolError):
            codec.decode_placed(asked, body)


def test_order_is_read_with_our_id_and_what_was_filled() -> None:
    assert codec.decode_order(sample("order")) == OrderReport(
        exchange_order_id="680800019749904384",
        client_order_id="mm-btc-tlokbk0a1",
        symbol=BTC,
        side=Side.SELL,
        status=ReportedStatus.OPEN,
        filled_quantity=Decimal("0.0005"),
        filled_quote=Decimal("31.9942"),
        price=Decimal("63988.4"),
        quantity=Decimal("0.00157"),
        exchange_time_milliseconds=1790000013078,
    )


def test_size_of_a_market_buy_is_what_to_spend_unless_it_says_otherwise() -> None:
    bought = codec.decode_order(sample("market_buy"))
    assert (bought.quantity, bought.price, bought.filled_quantity, bought.client_order_id) == (None, None, Decimal("0.00192834"), None)
    assert codec.decode_order(changed("market_buy", tgtCcy="")).quantity is None
    assert codec.decode_order(changed("market_buy", tgtCcy="base_ccy", sz="0.00192834")).quantity == Decimal("0.00192834")
    assert codec.decode_order(changed("market_buy", tgtCcy="", side="sell", sz="0.5")).quantity == Decimal("0.5")


def test_orders_of_strangers_have_no_id_of_ours() -> None:
    ours, theirs = codec.decode_orders(sample("orders"))
    assert (ours.client_order_id, theirs.client_order_id) == ("mm-btc-tlokbk0a4", None)


@pytest.mark.parametrize(
    ("state", "source", "status", "reason"),
    [
        ("live", "", ReportedStatus.OPEN, ""),
        ("partially_filled", "", ReportedStatus.OPEN, ""),
        ("filled", "", ReportedStatus.FILLED, ""),
        ("canceled", "1", ReportedStatus.CANCELLED, ""),
        ("canceled", "", ReportedStatus.CANCELLED, ""),
        ("mmp_canceled", "38", ReportedStatus.CANCELLED, "cancelSource 38"),
        ("canceled", "13", ReportedStatus.EXPIRED, "fill-or-kill, and it could not be filled"),
        ("canceled", "14", ReportedStatus.EXPIRED, "immediate-or-cancel"),
        ("canceled", "20", ReportedStatus.CANCELLED, "by the dead-man's switch"),
        ("canceled", "31", ReportedStatus.REJECTED, "post-only, and it would have taken"),
        ("canceled", "32", ReportedStatus.CANCELLED, "it would have traded with the same account"),
        ("canceled", "9", ReportedStatus.CANCELLED, "cancelSource 9"),
    ],
)
def test_end_of_an_order_is_told_by_who_cancelled_it(state, source, status, reason) -> None:
    order = codec.decode_order(changed("order", state=state, cancelSource=source))
    assert (order.status, order.reason) == (status, reason)


def test_state_that_nobody_knows_is_against_the_protocol() -> None:
    with pytest.raises(ProtocolError, match="no state 'odd' is known"):
        codec.decode_order(changed("order", state="odd"))


def test_batch_tells_of_each_order_whether_it_was_received_or_refused() -> None:
    received, *refusals = codec.decode_batch(sample("batch"))
    assert received == OrderReceived(
        exchange_order_id="680800019749904391", client_order_id="mm-btc-1", exchange_time_milliseconds=1790000012401
    )
    assert [(one[0], one[1].kind, one[1].code) for one in refusals if isinstance(one, tuple)] == [
        ("mm-btc-2", ErrorKind.INSUFFICIENT_BALANCE, "51008"),
        ("680800019749904392", ErrorKind.ALREADY_CLOSED, "51400"),
    ]


def test_batch_of_one_that_failed_is_told_per_order_too() -> None:
    body = json.dumps(refused("1", {"clOrdId": "mmZbtcZ2", "ordId": "", "sCode": "51008", "sMsg": "no"})).encode()
    ((name, error),) = codec.decode_batch(body)
    assert (name, error.kind) == ("mm-btc-2", ErrorKind.INSUFFICIENT_BALANCE)
    ((name, _),) = codec.decode_batch(body.replace(b'"ordId": ""', b'"ordId": "77"'))
    assert name == "mm-btc-2", "our own id where there are two"


def test_fee_that_is_charged_is_negative_there_and_positive_here() -> None:
    made, took = codec.decode_fills(sample("fills"))
    assert made == FillReport(
        trade_id="744876981",
        exchange_order_id="680800019749904384",
        client_order_id="mm-btc-tlokbk0a1",
        symbol=BTC,
        side=Side.SELL,
        price=Decimal("63988.4"),
        quantity=Decimal("0.0005"),
        fee=Decimal("0.0319942"),
        fee_asset="USDT",
        maker=True,
        exchange_time_milliseconds=1790000013077,
    )
    assert (took.fee, took.fee_asset, took.maker) == (Decimal("0.00000192834"), "BTC", False)
    assert codec.decode_fills(changed("fills", fee="0.01"))[0].fee == Decimal("-0.01"), "a rebate"
    no_fee = codec.decode_fills(changed("fills", fee="", feeCcy=""))[0]
    assert (no_fee.fee, no_fee.fee_asset) == (0, "USDT")


def test_balances_are_all_there_is_and_what_is_free_to_the_last_digit() -> None:
    assert codec.decode_balances(sample("balance")) == [
        BalanceReport(
            asset="USDT",
            total=Decimal("9131.623456789012345678"),
            available=Decimal("9031.123456789012345678"),
            exchange_time_milliseconds=1790000013079,
        ),
        BalanceReport(asset="BTC", total=Decimal("0.50157"), available=Decimal("0.50157"), exchange_time_milliseconds=1790000012000),
    ]


def test_servers_time_is_read_in_milliseconds() -> None:
    assert codec.decode_server_time(b'{"code":"0","msg":"","data":[{"ts":"1597026383085"}]}') == 1597026383085


# The stream


def test_subscriptions_are_the_reply_to_the_answer_of_the_login() -> None:
    confirmed, reply = codec.decode_frame(FRAMES[0])
    assert confirmed == StreamConfirmed("login")
    assert isinstance(reply, StreamReply)
    assert json.loads(reply.frame)["args"] == [{"channel": "orders", "instType": "SPOT"}, {"channel": "account"}]
    assert codec.private_channels == {"login", "orders", "account"}
    assert codec.decode_frame(FRAMES[2]) == [StreamConfirmed("orders")]
    assert codec.decode_frame(FRAMES[3]) == [StreamConfirmed("account")]


def test_refused_login_is_a_refusal_and_what_may_pass_ends_the_connection() -> None:
    assert codec.decode_frame(FRAMES[1]) == [StreamRefused("login", "60009", "Login failed.")]
    assert codec.decode_frame(FRAMES[10]) == [StreamClosing("Requests too frequent (code 60014)")]
    assert codec.decode_frame(FRAMES[9]) == [StreamClosing("too many connections have subscribed to orders")]


def test_refusal_never_repeats_what_we_sent() -> None:
    (refusal,) = codec.decode_frame(FRAMES[11])
    assert refusal == StreamRefused("login", "60012", "Invalid request:")
    error = codec.error(response(200, {"code": "60012", "msg": 'Invalid request: {"passphrase":"made-up-Pass1"}', "data": []}))
    assert error is not None
    assert "made-up-Pass1" not in str(error)


def test_order_push_tells_of_the_order_and_first_of_its_fill() -> None:
    (live,) = codec.decode_frame(FRAMES[4])
    assert isinstance(live, OrderReport)
    assert (live.status, live.filled_quantity) == (ReportedStatus.OPEN, 0)
    fill, order = codec.decode_frame(FRAMES[5])
    assert isinstance(fill, FillReport)
    assert isinstance(order, OrderReport)
    assert (fill.trade_id, fill.quantity, fill.fee, fill.fee_asset, fill.maker) == (
        "744876980",
        Decimal("0.0005"),
        Decimal("0.0319942"),
        "USDT",
        True,
    )
    assert (order.filled_quantity, order.client_order_id) == (Decimal("0.0005"), "mm-btc-tlokbk0a1")


def test_end_of_a_market_order_without_a_fill_tells_of_none() -> None:
    frame = json.loads(FRAMES[5])
    frame["data"][0] |= {"state": "filled", "tradeId": "", "fillSz": "0"}
    (order,) = codec.decode_frame(json.dumps(frame))
    assert isinstance(order, OrderReport)
    assert order.status is ReportedStatus.FILLED


def test_balances_pongs_and_notices_of_the_stream_are_read() -> None:
    assert codec.decode_frame(FRAMES[6]) == codec.decode_balances(sample("balance"))
    assert codec.decode_frame("pong") == codec.decode_frame(b"pong") == [StreamPong()]
    assert codec.ping_frame(timestamp_milliseconds=NOW) == "ping"
    assert codec.decode_frame(FRAMES[7]) == [
        StreamClosing("The connection will soon be closed for a service upgrade. Please reconnect.")
    ]  # fmt: skip
    assert codec.decode_frame(FRAMES[8]) == codec.decode_frame(FRAMES[12]) == codec.decode_frame(FRAMES[13]) == []


# Orders over the stream

INSTRUMENTS = (
    b'{"code":"0","msg":"","data":[{"instType":"SPOT","instId":"BTC-USDT","instIdCode":10451,"lotSz":"0.00000001","ctVal":""},'
    b'{"instType":"SPOT","instId":"ETH-USDT","instIdCode":"","lotSz":"0.0001"},{"instType":"SPOT","instId":"","state":"preopen"},'
    b'{"instType":"SPOT","instId":"ODDNAME","instIdCode":7},{"instType":"SPOT","instId":"SOL-USDT"}]}'
)


def learned() -> AccountCodec:
    made = OkxSpotAccountCodec()
    made.catalogue.learn(made.catalogue.request(), INSTRUMENTS)
    return made


def test_catalogue_of_spot_brings_the_stream_s_codes_and_rest_needs_nothing_of_it() -> None:
    assert codec.catalogue is not None
    assert codec.order_entry is not None
    asked = codec.catalogue.request()
    assert (asked.path, asked.query, asked.is_public) == ("/api/v5/public/instruments", "instType=SPOT", True)
    assert asked.group in codec.rate_limits
    assert not codec.catalogue.is_complete
    assert not codec.order_entry.carries(BTC)
    catalogue, entry = learned().catalogue, learned().order_entry
    assert catalogue is not None
    assert entry is not None
    assert catalogue.is_complete
    assert [entry.carries(symbol) for symbol in (BTC, ETH, Symbol("SOL", "USDT"))] == [True, False, False]


def test_spot_operations_over_the_stream_have_the_fields_of_rest_but_the_instrument_s_code() -> None:
    entry = learned().order_entry
    assert entry is not None
    by_rest = json.loads(codec.place(request(), expires_at_milliseconds=None).body)
    del by_rest["instId"]
    place = entry.place(request(), request_id="a1", timestamp_milliseconds=NOW, expires_at_milliseconds=1_790_000_003_000)
    assert json.loads(place) == {"id": "a1", "op": "order", "expTime": "1790000003000", "args": [{"instIdCode": 10451, **by_rest}]}
    cancel = entry.cancel(placed(None), request_id="a2", timestamp_milliseconds=NOW)
    assert json.loads(cancel) == {"id": "a2", "op": "cancel-order", "args": [{"instIdCode": 10451, "clOrdId": "mmZbtcZ0001"}]}
    amend = entry.amend(placed(), price=Decimal(2), quantity=None, request_id="a3", timestamp_milliseconds=NOW)
    assert json.loads(amend) == {"id": "a3", "op": "amend-order", "args": [{"instIdCode": 10451, "ordId": "77", "newPx": "2"}]}
    fok = replace(market(Side.SELL), time_in_force=TimeInForce.FILL_OR_KILL)
    with pytest.raises(ValueError, match="no fill-or-kill market orders"):
        entry.place(fok, request_id="a4", timestamp_milliseconds=NOW, expires_at_milliseconds=None)


def test_answers_over_the_stream_are_told_from_answers_to_subscriptions() -> None:
    frame = '{"id":"a1","op":"order","data":[{"clOrdId":"","ordId":"12345689","sCode":"0","sMsg":""}],"code":"0","msg":""}'
    (answered,) = codec.decode_frame(frame)
    assert answered == StreamAnswered("a1", body=frame.encode())
    assert codec.decode_placed(request(), answered.body).exchange_order_id == "12345689"
    (refusal,) = codec.decode_frame('{"id":"a2","op":"order","data":[],"code":"60013","msg":"Invalid args"}')
    assert isinstance(refusal, StreamAnswered)
    assert refusal.error is not None
    assert (refusal.request_id, refusal.error.kind) == ("a2", ErrorKind.INVALID_PARAMETERS)
    assert codec.decode_frame('{"id":"subscriptions","event":"subscribe","arg":{"channel":"orders"}}') == [StreamConfirmed("orders")]


# Refusals


@pytest.mark.parametrize("code", sorted(KIND_BY_CODE))
def test_refusal_is_classified_by_its_code_wherever_it_stands(code) -> None:
    for body in (refused(code), refused("1", {"sCode": code, "sMsg": "no"})):
        error = codec.error(response(200, body))
        assert error is not None
        assert (error.kind, error.code, error.message) == (KIND_BY_CODE[code], code, "no")
        assert error.fate_is_unknown == (error.kind is ErrorKind.RETRYABLE)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("50004", ErrorKind.RETRYABLE),
        ("51054", ErrorKind.RETRYABLE),
        ("51149", ErrorKind.RETRYABLE),
        ("51412", ErrorKind.RETRYABLE),
        ("51016", ErrorKind.RETRYABLE),
        ("50011", ErrorKind.RATE_LIMITED),
        ("50113", ErrorKind.AUTHENTICATION),
        ("50101", ErrorKind.AUTHENTICATION),
        ("50102", ErrorKind.CLOCK_SKEW),
        ("50036", ErrorKind.CLOCK_SKEW),
        ("51008", ErrorKind.INSUFFICIENT_BALANCE),
        ("51121", ErrorKind.INVALID_PARAMETERS),
        ("51603", ErrorKind.ORDER_NOT_FOUND),
        ("51400", ErrorKind.ALREADY_CLOSED),
        ("50001", ErrorKind.MAINTENANCE),
        ("51511", ErrorKind.WOULD_TAKE),
    ],
)
def test_known_codes_are_of_the_class_that_they_should(code, kind) -> None:
    assert KIND_BY_CODE[code] is kind


def test_no_code_is_in_two_classes() -> None:
    assert sum(len(codes.split()) for codes in CODES_BY_KIND.values()) == len(KIND_BY_CODE)


def test_batch_is_no_refusal_as_a_whole_whatever_became_of_its_orders() -> None:
    fine, broke = {"sCode": "0", "sMsg": ""}, {"sCode": "51008", "sMsg": "no"}
    for code, items in (("0", [fine, fine]), ("2", [fine, broke]), ("1", [broke, broke])):
        assert codec.error(response(200, refused(code, *items))) is None
    assert codec.error(response(200, sample("batch"))) is None
    one = codec.error(response(200, refused("1", broke)))
    assert one is not None
    assert one.code == "51008"


@pytest.mark.parametrize("name", ["order", "orders", "fills", "balance", "placed", "market_buy"])
def test_accepted_answer_is_no_refusal(name) -> None:
    assert codec.error(response(200, sample(name))) is None


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, b"", ErrorKind.RATE_LIMITED),
        (418, b"", ErrorKind.RATE_LIMITED),
        (429, refused("59999"), ErrorKind.RATE_LIMITED),
        (500, b"", ErrorKind.RETRYABLE),
        (502, b"<html><body>Bad Gateway</body></html>", ErrorKind.RETRYABLE),
        (500, refused("51149"), ErrorKind.RETRYABLE),
        (401, b"", ErrorKind.AUTHENTICATION),
        (401, refused("50113"), ErrorKind.AUTHENTICATION),
        (403, b"<html>forbidden</html>", ErrorKind.UNKNOWN),
        (400, refused("50004"), ErrorKind.RETRYABLE),
        (200, refused("59999"), ErrorKind.UNKNOWN),
        (200, refused("1"), ErrorKind.UNKNOWN),
        (404, b"not found", ErrorKind.UNKNOWN),
        (500, refused("0"), ErrorKind.RETRYABLE),
    ],
)
def test_refusal_without_a_code_that_we_know_is_classified_by_its_status(status, body, kind) -> None:
    error = codec.error(response(status, body))
    assert error is not None
    assert error.kind is kind
    assert error.fate_is_unknown == (status >= 500 or kind is ErrorKind.RETRYABLE)


def test_page_that_is_not_the_exchanges_is_left_to_its_reader() -> None:
    assert codec.error(response(200, b"<html>please wait</html>")) is None
    with pytest.raises(ProtocolError, match="OKX sent an order that cannot be read"):
        codec.decode_order(b"<html>please wait</html>")


def test_exchange_does_not_say_for_how_long_to_stop() -> None:
    assert codec.penalty_seconds(response(429, refused("50011")), now_milliseconds=NOW) is None


@given(st.integers(100, 599), st.binary(max_size=80))
def test_refusal_in_garbage_never_raises(status, body) -> None:
    error = codec.error(response(status, body))
    assert error is not None or 200 <= status < 300


@given(st.integers(100, 599), st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner)))
def test_refusal_with_members_of_any_kind_never_raises(status, value) -> None:
    for body in ({"code": value, "msg": value, "data": value}, {"code": "1", "data": [{"sCode": value, "sMsg": value}]}):
        codec.error(response(status, json.dumps(body).encode()))


# Hostile input

DECODERS = {
    "order": codec.decode_order,
    "market_buy": codec.decode_order,
    "orders": codec.decode_orders,
    "placed": lambda body: codec.decode_placed(request(), body),
    "batch": codec.decode_batch,
    "fills": codec.decode_fills,
    "balance": codec.decode_balances,
}


@given(st.sampled_from(sorted(DECODERS)), st.lists(st.integers(0, 60), min_size=1, max_size=5), ODD_VALUES)
def test_answer_with_one_odd_value_gives_reports_or_a_protocol_error(name, path, value) -> None:
    read_or_refuse(DECODERS[name], json.dumps(mutated(json.loads(sample(name)), path, value)).encode())


@given(st.sampled_from(FRAMES), st.lists(st.integers(0, 60), min_size=1, max_size=5), ODD_VALUES)
def test_frame_with_one_odd_value_gives_reports_or_a_protocol_error(frame, path, value) -> None:
    read_or_refuse(codec.decode_frame, json.dumps(mutated(json.loads(frame), path, value)))


@given(st.sampled_from(FRAMES), st.integers(0, 600), st.binary(max_size=4))
def test_frame_damaged_anywhere_gives_reports_or_a_protocol_error(frame, position, damage) -> None:
    data = frame.encode()
    read_or_refuse(codec.decode_frame, data[:position] + damage + data[position + len(damage) :])


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_random_frame_gives_reports_or_a_protocol_error(data) -> None:
    read_or_refuse(codec.decode_frame, data)


@given(st.sampled_from(sorted(DECODERS)), st.binary(max_size=60))
def test_random_answer_gives_reports_or_a_protocol_error(name, data) -> None:
    read_or_refuse(DECODERS[name], data)
    read_or_refuse(codec.decode_server_time, data)
    read_or_refuse(lambda body: codec.next_page(codec.query_open_orders(), body), data)


def test_deeply_nested_answer_is_a_protocol_error() -> None:
    for data in (b"[" * 100_000, b'{"code":"0","data":' + b"[" * 100_000):
        with pytest.raises(ProtocolError):
            codec.decode_orders(data)
        assert codec.error(response(200, data)) is None


@pytest.mark.parametrize("number", ["NaN", "sNaN", "Infinity", "-Infinity", "1e41", "1e-41"])
@pytest.mark.parametrize(
    ("name", "field"),
    [
        *(("order", field) for field in ("sz", "px", "accFillSz", "avgPx")),
        *(("fills", field) for field in ("fillPx", "fillSz", "fee")),
    ],
)
def test_number_that_no_amount_can_be_is_a_protocol_error(name, field, number) -> None:
    with pytest.raises(ProtocolError):
        DECODERS[name](changed(name, **{field: number}))
