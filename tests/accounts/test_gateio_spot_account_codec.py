from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from damaged_answers import ODD_VALUES, mutated, read_or_refuse
from hypothesis import given
from hypothesis import strategies as st

from actors.accounts.codec import AccountCodec, PreparedRequest, ProtocolError
from actors.accounts.credential import Credential
from actors.accounts.gateio.signature import channel_signature, rest_signature
from actors.accounts.gateio.spot import GateioSpotAccountCodec
from exchanges.gateio_spot import GATEIO_SPOT
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

SAMPLES = Path(__file__).parent / "samples" / "gateio_spot"
FRAMES = (SAMPLES / "frames.jsonl").read_text().splitlines()
ALL_FRAMES = [*FRAMES, *(SAMPLES / "api_frames.jsonl").read_text().splitlines()]
CREDENTIAL = Credential(key="made-up-gate-key", secret="made-up-gate-secret-0123456789abcdef")
NOW_SECONDS = 1_790_000_000
NOW = NOW_SECONDS * 1000 + 999  # signatures take whole seconds
BTC, ETH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")

codec: AccountCodec = GateioSpotAccountCodec()  # pyright checks that it is one


def sample(name: str) -> bytes:
    return (SAMPLES / f"{name}.json").read_bytes()


def request(**changes: object) -> OrderRequest:
    fields: dict[str, object] = {
        "client_order_id": "bot-0001",
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


def order_body(**changes: object) -> bytes:
    fields = json.loads(sample("order")) | changes
    return json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()


def response(status: int, body: bytes | dict[str, str] = b"", **headers: str) -> HttpResponse:
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpResponse(status=status, headers={name.replace("_", "-"): value for name, value in headers.items()}, body=body)


# Signatures, against worked examples and the exchange's own

B1 = (
    b'{"text":"t-bot-0001","currency_pair":"BTC_USDT","type":"limit","account":"spot","side":"buy",'
    b'"amount":"0.001","price":"50000.5","time_in_force":"poc"}'
)
WORKED_EXAMPLES = [
    (
        PreparedRequest(method="GET", path="/api/v4/spot/open_orders", query="page=1&limit=100", group="private"),
        "921d275b21ef5d877189b62d7a0c1bf2e81ad7995d9c2e26c5512c77747e44bb3a1810dbea09df3f16cf2513fc07d1364e7c5ecaa8725c7026f17cacf380c467",
    ),
    (
        PreparedRequest(method="POST", path="/api/v4/spot/orders", body=B1, group="orders"),
        "1082e09196d45e55e5f89cb07f9aa64896ff534018860cac4c61a64089588566a08954277986ddec6ae354a13502518f9406d8243e756f5432477cc2e3402d54",
    ),
    (
        PreparedRequest(method="DELETE", path="/api/v4/spot/orders/123456789", query="currency_pair=BTC_USDT", group="cancels"),
        "6fecff22f2e58e680daf387f29103a3cf965da4aa313229a4c06bde350e0e2717e2067156aab9c85085a7a8a2ebc31449efc2a007fd775bb356be6b8d37cc8a1",
    ),
]


@pytest.mark.parametrize(("prepared", "signature"), WORKED_EXAMPLES)
def test_rest_signature_equals_the_worked_example(prepared, signature) -> None:
    sent = codec.sign(prepared, CREDENTIAL, timestamp_milliseconds=NOW)
    assert (sent.method, sent.path, sent.query, sent.body) == (prepared.method, prepared.path, prepared.query, prepared.body)
    assert dict(sent.headers) == {
        "Content-Type": "application/json",
        "KEY": "made-up-gate-key",
        "Timestamp": str(NOW_SECONDS),
        "SIGN": signature,
    }


@pytest.mark.parametrize(
    ("method", "query", "body", "signature"),
    [
        (
            "GET",
            "contract=BTC_USD&status=finished&limit=50",
            b"",
            "55f84ea195d6fe57ce62464daaa7c3c02fa9d1dde954e4c898289c9a2407a3d6fb3faf24deff16790d726b66ac9f74526668b13bd01029199cc4fcc522418b8a",
        ),
        (
            "POST",
            "",
            b'{"contract":"BTC_USD","type":"limit","size":100,"price":6800,"time_in_force":"gtc"}',
            "eae42da914a590ddf727473aff25fc87d50b64783941061f47a3fdb92742541fc4c2c14017581b4199a1418d54471c269c03a38d788d802e2c306c37636389f0",
        ),
    ],
)
def test_rest_signature_equals_the_exchanges_own_futures_example(method, query, body, signature) -> None:
    path = "/api/v4/futures/orders"
    assert rest_signature("secret", method=method, path=path, query=query, body=body, timestamp_seconds=1541993715) == signature


def test_hash_of_the_worked_body_is_as_given() -> None:
    assert hashlib.sha512(B1).hexdigest().startswith("628e5fd1d75394292406f8603ad913b5")


SUBSCRIBE_SIGNATURE = (
    "c15476ea0293f15d69f38a87587a8c98d8a553c7254f6a206bddefe1e53cb3856abc82cf77a8088ab029b2ac7416817557f34cbaf50d4c205bbf0f3d820c177b"
)


def test_channel_signature_equals_the_worked_example() -> None:
    made = channel_signature(CREDENTIAL.secret, channel="spot.orders", event="subscribe", timestamp_seconds=NOW_SECONDS)
    assert made == SUBSCRIBE_SIGNATURE


def test_subscriptions_cover_every_private_channel_and_each_is_signed_for_itself() -> None:
    *frames, login = [json.loads(frame) for frame in codec.subscribe_frames(CREDENTIAL, timestamp_milliseconds=NOW)]
    assert {frame["channel"] for frame in frames} == {"spot.orders", "spot.usertrades", "spot.balances"}
    assert {frame["channel"] for frame in (*frames, login)} == codec.private_channels
    assert frames[0] == {
        "time": NOW_SECONDS,
        "id": 1,
        "channel": "spot.orders",
        "event": "subscribe",
        "payload": ["!all"],
        "auth": {"method": "api_key", "KEY": "made-up-gate-key", "SIGN": SUBSCRIBE_SIGNATURE},
    }
    assert [frame.get("payload") for frame in frames] == [["!all"], ["!all"], None]
    assert len({frame["auth"]["SIGN"] for frame in frames}) == 3
    assert "payload" not in frames[2]


def test_ping_is_the_exchanges_own() -> None:
    assert json.loads(codec.ping_frame(timestamp_milliseconds=NOW)) == {"time": NOW_SECONDS, "channel": "spot.ping"}
    assert 5 <= codec.ping_interval_seconds <= 20


def test_neither_key_nor_secret_is_in_the_text_of_anything_made() -> None:
    sent = codec.sign(WORKED_EXAMPLES[0][0], CREDENTIAL, timestamp_milliseconds=NOW)
    for text in (repr(sent), str(sent), repr(CREDENTIAL), str(CREDENTIAL), repr(codec)):
        assert "made-up" not in text
    for part in (sent.path, sent.query, *(value for _, value in sent.headers)):
        assert CREDENTIAL.secret not in part


# What the exchange is, and where


def test_codec_says_where_the_exchange_is() -> None:
    assert codec.identity is GATEIO_SPOT
    assert codec.rest_url("live") == "https://api.gateio.ws"
    assert codec.rest_url("testnet") == "https://api-testnet.gateapi.io"
    assert codec.websocket_url("live") == "wss://api.gateio.ws/ws/v4/"
    assert codec.websocket_url("testnet") == "wss://ws-testnet.gate.com/v4/ws/spot"
    assert not codec.needs_passphrase


def test_every_request_counts_against_a_limit_that_stays_under_the_exchanges() -> None:
    published = {"orders": 10, "cancels": 200, "private": 20, "public": 20}  # a second
    assert {name: limit.capacity / limit.period_seconds < published[name] for name, limit in codec.rate_limits.items()} == dict.fromkeys(
        published, True
    )
    order = Order(request=request())
    report = codec.decode_order(sample("order"))
    groups = {
        codec.place(request(), expires_at_milliseconds=None).group: "orders",
        codec.amend(order, price=Decimal(1), quantity=None).group: "orders",
        codec.cancel(order).group: "cancels",
        codec.cancel_all(BTC).group: "cancels",
        codec.cancel_batch([report]).group: "cancels",
        codec.query_order(order).group: "private",
        codec.query_balances().group: "private",
        codec.server_time().group: "public",
    }
    assert all(made == expected for made, expected in groups.items())


def test_capabilities_name_what_the_codec_can_carry_out() -> None:
    capabilities = codec.capabilities
    assert capabilities.time_in_force == frozenset(TimeInForce)
    assert (capabilities.market_buy_by_quote, capabilities.market_buy_by_base) == (True, False)
    assert (capabilities.place_batch_max, capabilities.cancel_batch_max) == (10, 20)
    assert capabilities.amend
    assert capabilities.cancel_all
    assert capabilities.order_expiry


# Placing


def test_post_only_limit_buy_is_the_worked_body() -> None:
    prepared = codec.place(request(), expires_at_milliseconds=None)
    assert (prepared.method, prepared.path, prepared.query, prepared.headers) == ("POST", "/api/v4/spot/orders", "", ())
    assert prepared.body == B1


@pytest.mark.parametrize(
    ("time_in_force", "word"),
    [
        (TimeInForce.GOOD_TILL_CANCELLED, "gtc"),
        (TimeInForce.IMMEDIATE_OR_CANCEL, "ioc"),
        (TimeInForce.FILL_OR_KILL, "fok"),
        (TimeInForce.POST_ONLY, "poc"),
    ],
)
def test_time_in_force_of_a_limit_order_is_spelled(time_in_force, word) -> None:
    body = json.loads(codec.place(request(time_in_force=time_in_force), expires_at_milliseconds=None).body)
    assert body["time_in_force"] == word


def test_market_buy_states_its_amount_in_quote_units() -> None:
    body = json.loads(codec.place(market(Side.BUY, quantity=None, quote_quantity=Decimal("1E+2")), expires_at_milliseconds=None).body)
    assert body == {
        "text": "t-bot-0001",
        "currency_pair": "BTC_USDT",
        "type": "market",
        "account": "spot",
        "side": "buy",
        "amount": "100",
        "time_in_force": "ioc",
    }


def test_market_buy_in_base_units_is_our_mistake() -> None:
    with pytest.raises(ValueError, match="by quote quantity only"):
        codec.place(market(Side.BUY), expires_at_milliseconds=None)


def test_market_sell_states_its_amount_in_base_units() -> None:
    body = json.loads(codec.place(market(Side.SELL), expires_at_milliseconds=None).body)
    assert (body["amount"], body["side"], "price" in body) == ("0.001", "sell", False)


@pytest.mark.parametrize(
    ("time_in_force", "word"),
    [
        (TimeInForce.GOOD_TILL_CANCELLED, "ioc"),
        (TimeInForce.IMMEDIATE_OR_CANCEL, "ioc"),
        (TimeInForce.FILL_OR_KILL, "fok"),
    ],
)
def test_market_order_never_rests(time_in_force, word) -> None:
    asked = request(side=Side.SELL, type=OrderType.MARKET, price=None, time_in_force=time_in_force)
    assert json.loads(codec.place(asked, expires_at_milliseconds=None).body)["time_in_force"] == word


def test_expiry_goes_into_a_header_that_is_sent() -> None:
    prepared = codec.place(request(), expires_at_milliseconds=1_790_000_003_500)
    assert prepared.headers == (("x-gate-exptime", "1790000003500"),)
    assert ("x-gate-exptime", "1790000003500") in codec.sign(prepared, CREDENTIAL, timestamp_milliseconds=NOW).headers


@given(st.decimals(min_value="1e-12", max_value="1e12", places=12).filter(bool))
def test_numbers_on_the_wire_have_no_exponent_and_mean_the_same(number) -> None:
    body = json.loads(codec.place(request(quantity=number, price=number), expires_at_milliseconds=None).body)
    for text in (body["amount"], body["price"]):
        assert set(text) <= set("0123456789.")
        assert Decimal(text) == number


@given(st.from_regex(r"[a-z0-9-]{1,28}", fullmatch=True))
def test_client_order_id_comes_back_as_it_was_given(client_order_id) -> None:
    text = json.loads(codec.place(request(client_order_id=client_order_id), expires_at_milliseconds=None).body)["text"]
    assert text == f"t-{client_order_id}"
    assert codec.decode_order(order_body(text=text)).client_order_id == client_order_id


@pytest.mark.parametrize("text", ["web", "apiv4", "-", "", "T-1", None, ...])
def test_order_that_no_client_named_has_no_client_order_id(text) -> None:
    assert codec.decode_order(order_body(text=text)).client_order_id is None


def test_batch_of_placements_is_a_list_of_orders() -> None:
    requests = [request(client_order_id=f"bot-{number}") for number in range(10)]
    prepared = codec.place_batch(requests, expires_at_milliseconds=5)
    assert (prepared.method, prepared.path, prepared.headers) == ("POST", "/api/v4/spot/batch_orders", (("x-gate-exptime", "5"),))
    assert [order["text"] for order in json.loads(prepared.body)] == [f"t-bot-{number}" for number in range(10)]


@pytest.mark.parametrize("size", [0, 11])
def test_batch_of_placements_beyond_the_exchanges_size_is_refused(size) -> None:
    with pytest.raises(ValueError, match="1 to 10"):
        codec.place_batch([request()] * size, expires_at_milliseconds=None)


# Cancelling, amending, asking


@pytest.mark.parametrize(("exchange_order_id", "wire_id"), [("552200147", "552200147"), (None, "t-bot-0001")])
def test_order_is_named_by_the_exchanges_id_where_known(exchange_order_id, wire_id) -> None:
    order = Order(request=request(), exchange_order_id=exchange_order_id)
    for prepared, method in (
        (codec.cancel(order), "DELETE"),
        (codec.query_order(order), "GET"),
        (codec.amend(order, price=Decimal(1), quantity=None), "PATCH"),
    ):
        assert prepared.method == method
        assert (prepared.path, prepared.query) == (f"/api/v4/spot/orders/{wire_id}", "currency_pair=BTC_USDT&account=spot")


def test_reported_order_is_cancelled_by_the_exchanges_id() -> None:
    prepared = codec.cancel_reported(codec.decode_order(sample("order")))
    assert (prepared.method, prepared.path) == ("DELETE", "/api/v4/spot/orders/552200147")


def test_cancelling_all_names_the_pair() -> None:
    prepared = codec.cancel_all(BTC)
    assert (prepared.method, prepared.path, prepared.query) == ("DELETE", "/api/v4/spot/orders", "currency_pair=BTC_USDT&account=spot")


def test_batch_of_cancellations_is_a_list_of_ids() -> None:
    prepared = codec.cancel_batch(codec.decode_orders(sample("open_orders")))
    assert (prepared.method, prepared.path) == ("POST", "/api/v4/spot/cancel_batch_orders")
    assert json.loads(prepared.body) == [
        {"currency_pair": "BTC_USDT", "id": "552200147", "account": "spot"},
        {"currency_pair": "BTC_USDT", "id": "552200148", "account": "spot"},
        {"currency_pair": "ETH_USDT", "id": "552200160", "account": "spot"},
    ]


@pytest.mark.parametrize("size", [0, 21])
def test_batch_of_cancellations_beyond_the_exchanges_size_is_refused(size) -> None:
    with pytest.raises(ValueError, match="1 to 20"):
        codec.cancel_batch([codec.decode_order(sample("order"))] * size)


@pytest.mark.parametrize(
    ("price", "quantity", "fields"),
    [
        (Decimal("50001.0"), None, {"price": "50001.0"}),
        (None, Decimal("0.002"), {"amount": "0.002"}),
        (Decimal(50001), Decimal("0.002"), {"amount": "0.002", "price": "50001"}),
    ],
)
def test_amendment_states_only_what_changes(price, quantity, fields) -> None:
    assert json.loads(codec.amend(Order(request=request()), price=price, quantity=quantity).body) == fields


def test_amendment_of_nothing_is_our_mistake() -> None:
    with pytest.raises(ValueError, match="price, the quantity, or both"):
        codec.amend(Order(request=request()), price=None, quantity=None)


def test_lists_are_asked_for_with_their_page() -> None:
    everywhere = codec.query_open_orders()
    assert (everywhere.path, everywhere.query) == ("/api/v4/spot/open_orders", "page=1&limit=100&account=spot")
    one_pair = codec.query_open_orders(BTC)
    assert (one_pair.path, one_pair.query) == (
        "/api/v4/spot/orders",
        "currency_pair=BTC_USDT&status=open&page=1&limit=100&account=spot",
    )
    finished = codec.query_finished_orders(BTC, since_milliseconds=NOW)
    assert (finished.path, finished.query) == (
        "/api/v4/spot/orders",
        f"currency_pair=BTC_USDT&status=finished&page=1&limit=100&account=spot&from={NOW_SECONDS}",
    )
    fills = codec.query_fills(BTC, exchange_order_id="77", since_milliseconds=NOW)
    assert (fills.path, fills.query) == (
        "/api/v4/spot/my_trades",
        f"currency_pair=BTC_USDT&page=1&limit=1000&account=spot&order_id=77&from={NOW_SECONDS}",
    )
    assert codec.query_balances().path == "/api/v4/spot/accounts"
    assert codec.server_time().path == "/api/v4/spot/time"


def test_page_that_is_not_full_is_the_last() -> None:
    assert codec.next_page(codec.query_open_orders(), sample("open_orders")) is None
    assert codec.next_page(codec.query_finished_orders(BTC, since_milliseconds=0), sample("finished_orders")) is None
    assert codec.next_page(codec.query_fills(BTC), sample("my_trades")) is None
    assert codec.next_page(codec.query_open_orders(), b"[]") is None


def test_full_page_is_followed_by_the_next() -> None:
    order = json.loads(sample("order"))
    full = json.dumps([order] * 100).encode()
    second = codec.next_page(codec.query_open_orders(BTC), full)
    assert second is not None
    assert second.query == "currency_pair=BTC_USDT&status=open&page=2&limit=100&account=spot"
    third = codec.next_page(second, full)
    assert third is not None
    assert "page=3" in third.query
    assert codec.next_page(codec.query_fills(BTC), full) is None  # a page of trades holds a thousand


def test_open_orders_of_all_pairs_are_paged_while_any_pair_fills_its_page() -> None:
    order = json.loads(sample("order"))
    few = {"currency_pair": "ETH_USDT", "total": 3, "orders": [order] * 3}
    full = {"currency_pair": "BTC_USDT", "total": 100, "orders": [order] * 100}
    second = codec.next_page(codec.query_open_orders(), json.dumps([few, full]).encode())
    assert second is not None
    assert second.query == "page=2&limit=100&account=spot"
    assert codec.next_page(codec.query_open_orders(), json.dumps([few] * 40).encode()) is None


def test_request_without_pages_has_no_next() -> None:
    assert codec.next_page(codec.query_balances(), b"garbage") is None


# Orders as the exchange tells them


def test_open_order_partly_filled_is_read() -> None:
    assert codec.decode_order(sample("order")) == OrderReport(
        exchange_order_id="552200147",
        client_order_id="mm-btc-tlokbk0a1",
        symbol=BTC,
        side=Side.SELL,
        status=ReportedStatus.OPEN,
        filled_quantity=Decimal("0.0005"),
        filled_quote=Decimal("31.9942"),
        price=Decimal("63988.4"),
        quantity=Decimal("0.00157"),
        exchange_time_milliseconds=1790000013077,
    )


def test_market_buy_whose_left_over_quote_buys_nothing_more_is_filled() -> None:
    report = codec.decode_order(sample("market_buy"))
    assert (report.status, report.filled_quantity, report.filled_quote) == (
        ReportedStatus.FILLED,
        Decimal("0.001562"),
        Decimal("99.957848"),
    )
    assert (report.quantity, report.price) == (None, None)


NOTHING_FILLED = {"left": "0.00157", "filled_amount": "0", "filled_total": "0"}
PARTLY_FILLED = {"left": "0.00107", "filled_amount": "0.0005", "filled_total": "31.9942"}
ALL_FILLED = {"left": "0", "filled_amount": "0.00157", "filled_total": "100.461788"}
MARKET_BUY = {"type": "market", "side": "buy", "amount": "100", "price": "0"}

STANDINGS = [
    ("open", "open", NOTHING_FILLED, ReportedStatus.OPEN, ""),
    ("open", "open", PARTLY_FILLED, ReportedStatus.OPEN, ""),
    ("closed", "filled", ALL_FILLED, ReportedStatus.FILLED, ""),
    ("closed", None, ALL_FILLED, ReportedStatus.FILLED, ""),
    ("closed", "ioc", ALL_FILLED, ReportedStatus.FILLED, ""),
    ("cancelled", "ioc", ALL_FILLED, ReportedStatus.FILLED, ""),
    ("closed", "ioc", PARTLY_FILLED, ReportedStatus.EXPIRED, "ioc"),
    ("cancelled", "ioc", PARTLY_FILLED, ReportedStatus.EXPIRED, "ioc"),
    ("cancelled", "ioc", NOTHING_FILLED, ReportedStatus.EXPIRED, "ioc"),
    ("cancelled", "fok", NOTHING_FILLED, ReportedStatus.EXPIRED, "fok"),
    ("cancelled", "poc", NOTHING_FILLED, ReportedStatus.REJECTED, "post-only, and it would have taken (poc)"),
    ("cancelled", "cancelled", PARTLY_FILLED, ReportedStatus.CANCELLED, ""),
    ("cancelled", "stp", PARTLY_FILLED, ReportedStatus.CANCELLED, "stp"),
    ("cancelled", "liquidate_cancelled", NOTHING_FILLED, ReportedStatus.CANCELLED, "liquidate_cancelled"),
    ("cancelled", "small", PARTLY_FILLED, ReportedStatus.CANCELLED, "small"),
    ("cancelled", "depth_not_enough", NOTHING_FILLED, ReportedStatus.CANCELLED, "depth_not_enough"),
    ("cancelled", "trader_not_enough", NOTHING_FILLED, ReportedStatus.CANCELLED, "trader_not_enough"),
    ("cancelled", "price_protect_cancelled", NOTHING_FILLED, ReportedStatus.CANCELLED, "price_protect_cancelled"),
    ("cancelled", "unified_check_failed", NOTHING_FILLED, ReportedStatus.CANCELLED, "unified_check_failed"),
    ("cancelled", "a_word_of_next_year", NOTHING_FILLED, ReportedStatus.CANCELLED, "a_word_of_next_year"),
    # A market buy's `left` is in quote units: nothing left means filled, whatever its amount says of the base.
    ("closed", "ioc", MARKET_BUY | {"left": "0", "filled_amount": "0.0015", "filled_total": "100"}, ReportedStatus.FILLED, ""),
    ("closed", "ioc", MARKET_BUY | {"left": "40", "filled_amount": "0.0009", "filled_total": "60"}, ReportedStatus.EXPIRED, "ioc"),
    ("cancelled", "ioc", MARKET_BUY | {"left": "100", "filled_amount": "0", "filled_total": "0"}, ReportedStatus.EXPIRED, "ioc"),
]


@pytest.mark.parametrize(("status", "finish_as", "amounts", "expected", "reason"), STANDINGS)
def test_standing_of_an_order_over_rest_is_read_from_its_finish_and_amounts(status, finish_as, amounts, expected, reason) -> None:
    report = codec.decode_order(order_body(status=status, finish_as=finish_as, **amounts))
    assert (report.status, report.reason, report.filled_quantity) == (expected, reason, Decimal(amounts["filled_amount"]))


@pytest.mark.parametrize(("status", "finish_as", "amounts", "expected", "reason"), STANDINGS)
def test_standing_of_an_order_on_the_stream_is_the_same(status, finish_as, amounts, expected, reason) -> None:
    events = ["put", "update"] if status == "open" else ["finish"]
    for event in events:
        fields = json.loads(order_body(status=..., event=event, finish_as=finish_as, **amounts))
        frame = json.dumps({"channel": "spot.orders", "event": "update", "result": [fields]})
        (report,) = codec.decode_frame(frame)
        assert isinstance(report, OrderReport)
        assert (report.status, report.reason, report.filled_quantity) == (expected, reason, Decimal(amounts["filled_amount"]))


def test_filled_quantity_that_an_older_server_does_not_say_is_what_is_not_left() -> None:
    report = codec.decode_order(order_body(filled_amount=..., amount="3", left="0.75"))
    assert report.filled_quantity == Decimal("2.25")


def test_filled_quantity_of_a_market_buy_is_never_guessed_from_quote_units() -> None:
    with pytest.raises(ProtocolError, match="filled_amount"):
        codec.decode_order(order_body(**MARKET_BUY, filled_amount=..., left="40"))


@pytest.mark.parametrize("price", ["0", "", None, ...])
def test_market_order_has_no_price(price) -> None:
    assert codec.decode_order(order_body(type="market", price=price)).price is None


def test_open_orders_are_read_from_every_pair() -> None:
    reports = codec.decode_orders(sample("open_orders"))
    assert [(report.symbol, report.client_order_id) for report in reports] == [
        (BTC, "mm-btc-tlokbk0a1"),
        (BTC, None),
        (ETH, "mm-eth-tlokbk0a1"),
    ]


def test_finished_orders_are_read_from_a_flat_list() -> None:
    reports = codec.decode_orders(sample("finished_orders"))
    assert [(report.status, report.filled_quantity) for report in reports] == [
        (ReportedStatus.FILLED, Decimal("0.001562")),
        (ReportedStatus.CANCELLED, Decimal("0.002")),
    ]


def test_cancelling_all_reports_what_was_cancelled_and_leaves_out_the_rest() -> None:
    (report,) = codec.decode_orders(sample("cancel_all"))
    assert (report.exchange_order_id, report.status) == ("552200147", ReportedStatus.CANCELLED)


def test_no_orders_are_no_reports() -> None:
    assert codec.decode_orders(b"[]") == []
    assert codec.decode_orders(b'[{"currency_pair":"BTC_USDT","total":0,"orders":null}]') == []


def test_batch_of_placements_is_answered_per_order() -> None:
    placed, (client_order_id, refusal) = codec.decode_batch(sample("place_batch"))
    assert isinstance(placed, OrderReport)
    assert (placed.client_order_id, placed.status) == ("mm-btc-tlokbk0a3", ReportedStatus.OPEN)
    assert (client_order_id, refusal.kind, refusal.fate_is_unknown) == ("mm-btc-tlokbk0a4", ErrorKind.INSUFFICIENT_BALANCE, False)


# Fills, balances, time


def test_fills_are_read_with_the_fee_where_it_was_taken() -> None:
    assert codec.decode_fills(sample("my_trades")) == [
        FillReport(
            trade_id="9910042",
            exchange_order_id="552200150",
            client_order_id="mm-btc-tlokbk0a2",
            symbol=BTC,
            side=Side.BUY,
            price=Decimal("63993.5"),
            quantity=Decimal("0.001562"),
            fee=Decimal("0.000003124"),
            fee_asset="BTC",
            maker=False,
            exchange_time_milliseconds=1790000020112,
        ),
        FillReport(
            trade_id="9910041",
            exchange_order_id="552200147",
            client_order_id="mm-btc-tlokbk0a1",
            symbol=BTC,
            side=Side.SELL,
            price=Decimal("63988.4"),
            quantity=Decimal("0.0005"),
            fee=Decimal("0.00731"),
            fee_asset="GT",
            maker=True,
            exchange_time_milliseconds=1790000013077,
        ),
        FillReport(
            trade_id="9910040",
            exchange_order_id="552200101",
            client_order_id=None,
            symbol=ETH,
            side=Side.BUY,
            price=Decimal(3050),
            quantity=Decimal("0.25"),
            fee=Decimal("0.31"),
            fee_asset="POINT",
            maker=True,
            exchange_time_milliseconds=1790000001000,
        ),
    ]


@pytest.mark.parametrize(("side", "asset"), [("buy", "BTC"), ("sell", "USDT")])
def test_fill_without_a_fee_is_free_in_the_asset_it_would_have_been_taken_from(side, asset) -> None:
    fields = json.loads(sample("my_trades"))[0] | {"side": side, "fee": "0"}
    del fields["fee_currency"]
    (fill,) = codec.decode_fills(json.dumps([fields]).encode())
    assert (fill.fee, fill.fee_asset) == (0, asset)


def test_rebate_is_a_negative_fee() -> None:
    fields = json.loads(sample("my_trades"))[0] | {"fee": "-0.01", "fee_currency": "USDT"}
    assert codec.decode_fills(json.dumps([fields]).encode())[0].fee == Decimal("-0.01")


def test_balance_total_is_what_is_available_and_what_is_locked_to_the_last_digit() -> None:
    assert codec.decode_balances(sample("accounts")) == [
        BalanceReport(asset="USDT", total=Decimal("9131.623456789012345678"), available=Decimal("9031.123456789012345678")),
        BalanceReport(asset="BTC", total=Decimal("0.50157"), available=Decimal("0.50157")),
    ]


def test_balance_with_more_digits_than_decimal_keeps_by_default_is_not_rounded() -> None:
    body = b'[{"currency":"PEPE","available":"123456789012345678901.123456789012","locked":"0.000000000001"}]'
    assert codec.decode_balances(body)[0].total == Decimal("123456789012345678901.123456789013")


def test_servers_time_is_read_in_milliseconds() -> None:
    assert codec.decode_server_time(b'{"server_time":1790000000123}') == 1790000000123


# The stream


EXPECTED_OF_FRAMES = [
    [StreamConfirmed("spot.orders")],
    [StreamRefused("spot.usertrades", "4", "authentication failed")],
    [
        OrderReport(
            exchange_order_id="552200147",
            client_order_id="mm-btc-tlokbk0a1",
            symbol=BTC,
            side=Side.SELL,
            status=ReportedStatus.OPEN,
            filled_quantity=Decimal(0),
            filled_quote=Decimal(0),
            price=Decimal("63988.4"),
            quantity=Decimal("0.00157"),
            exchange_time_milliseconds=1790000012401,
        )
    ],
    [
        FillReport(
            trade_id="9910041",
            exchange_order_id="552200147",
            client_order_id="mm-btc-tlokbk0a1",
            symbol=BTC,
            side=Side.SELL,
            price=Decimal("63988.4"),
            quantity=Decimal("0.0005"),
            fee=Decimal("0.0639884"),
            fee_asset="USDT",
            maker=True,
            exchange_time_milliseconds=1790000013077,
        )
    ],
    [
        BalanceReport(
            asset="USDT",
            total=Decimal("9131.62345678901234567"),
            available=Decimal("9031.12345678901234567"),
            exchange_time_milliseconds=1790000013079,
        )
    ],
    [StreamPong()],
    [StreamClosing("The connection will soon be closed for a service upgrade. Please reconnect.")],
    [StreamClosing("The connection will soon be closed for a service upgrade. Please reconnect.")],
    [],
    [],
]


@pytest.mark.parametrize(("frame", "expected"), [*zip(FRAMES, EXPECTED_OF_FRAMES, strict=True)])
def test_frame_of_the_stream_is_read(frame, expected) -> None:
    assert codec.decode_frame(frame) == expected
    assert codec.decode_frame(frame.encode()) == expected


def test_subscription_that_failed_without_an_error_object_is_refused() -> None:
    frame = '{"channel":"spot.orders","event":"subscribe","error":null,"result":{"status":"fail"}}'
    assert codec.decode_frame(frame) == [StreamRefused("spot.orders", "", "fail")]


def test_same_trade_has_the_same_id_over_rest_and_on_the_stream() -> None:
    (streamed,) = codec.decode_frame(FRAMES[3])
    fetched = codec.decode_fills(sample("my_trades"))[1]
    assert isinstance(streamed, FillReport)
    assert (streamed.trade_id, streamed.exchange_order_id) == (fetched.trade_id, fetched.exchange_order_id)


# Refusals


def test_refusal_is_read_with_its_label_and_words() -> None:
    error = codec.error(response(400, {"label": "BALANCE_NOT_ENOUGH", "message": "not enough USDT"}))
    assert error is not None
    assert (error.kind, str(error)) == (ErrorKind.INSUFFICIENT_BALANCE, "BALANCE_NOT_ENOUGH: not enough USDT")
    assert codec.error(response(200, b"<html>")) is None


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [
        (str(NOW_SECONDS + 7), 7.0),
        (str(NOW_SECONDS + 3600), 60.0),
        (str(NOW_SECONDS - 5), 0.1),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1e3", None),
        ("٣", None),
        (str((NOW_SECONDS + 7) * 1000), None),  # milliseconds belong to the websocket's header
        ("9" * 400, None),
    ],
)
def test_penalty_lasts_until_the_window_begins_anew_within_bounds(reset, seconds) -> None:
    answer = response(429, {"label": "TOO_MANY_REQUESTS"}, x_gate_ratelimit_reset_timestamp=reset)
    assert codec.penalty_seconds(answer, now_milliseconds=NOW_SECONDS * 1000) == seconds


def test_penalty_needs_the_header_and_a_refusal_for_the_rate() -> None:
    reset = str(NOW_SECONDS + 7)
    assert codec.penalty_seconds(response(429), now_milliseconds=NOW) is None
    assert codec.penalty_seconds(response(200, x_gate_ratelimit_reset_timestamp=reset), now_milliseconds=NOW) is None
    assert codec.penalty_seconds(response(400, x_gate_ratelimit_reset_timestamp=reset), now_milliseconds=NOW) is None
    too_fast = response(400, {"label": "TOO_FAST"}, x_gate_ratelimit_reset_timestamp=reset)
    assert codec.penalty_seconds(too_fast, now_milliseconds=NOW) is not None


# Hostile input

DECODERS = {
    "order": codec.decode_order,
    "market_buy": codec.decode_order,
    "open_orders": codec.decode_orders,
    "finished_orders": codec.decode_orders,
    "cancel_all": codec.decode_orders,
    "place_batch": codec.decode_batch,
    "cancel_batch": codec.decode_batch,
    "amend_batch": codec.decode_batch,
    "my_trades": codec.decode_fills,
    "accounts": codec.decode_balances,
}


@given(st.sampled_from(sorted(DECODERS)), st.lists(st.integers(0, 60), min_size=1, max_size=5), ODD_VALUES)
def test_answer_with_one_odd_value_gives_reports_or_a_protocol_error(name, path, value) -> None:
    read_or_refuse(DECODERS[name], json.dumps(mutated(json.loads(sample(name)), path, value)).encode())


@given(st.sampled_from(ALL_FRAMES), st.lists(st.integers(0, 60), min_size=1, max_size=5), ODD_VALUES)
def test_frame_with_one_odd_value_gives_reports_or_a_protocol_error(frame, path, value) -> None:
    read_or_refuse(codec.decode_frame, json.dumps(mutated(json.loads(frame), path, value)))


@given(st.sampled_from(ALL_FRAMES), st.integers(0, 600), st.binary(max_size=4))
def test_frame_damaged_anywhere_gives_reports_or_a_protocol_error(frame, position, damage) -> None:
    data = frame.encode()
    read_or_refuse(codec.decode_frame, data[:position] + damage + data[position + len(damage) :])


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_random_frame_gives_reports_or_a_protocol_error(data) -> None:
    read_or_refuse(codec.decode_frame, data)


@given(st.sampled_from(sorted(DECODERS)), st.binary(max_size=60))
def test_random_answer_gives_reports_or_a_protocol_error(name, data) -> None:
    read_or_refuse(DECODERS[name], data)


@given(st.binary(max_size=40))
def test_random_answer_about_the_time_or_a_page_gives_a_value_or_a_protocol_error(data) -> None:
    read_or_refuse(codec.decode_server_time, data)
    read_or_refuse(lambda body: codec.next_page(codec.query_open_orders(), body), data)


def test_deeply_nested_answer_is_a_protocol_error() -> None:
    for data in (b"[" * 100_000, b'[{"of no use":' + b"[" * 100_000):
        with pytest.raises(ProtocolError):
            codec.decode_orders(data)


@pytest.mark.parametrize("number", ["NaN", "sNaN", "Infinity", "-Infinity", "1e41", "1e-41"])
@pytest.mark.parametrize(
    ("name", "field"),
    [
        *(("order", field) for field in ("amount", "left", "filled_amount", "filled_total", "price")),
        *(("my_trades", field) for field in ("amount", "price", "fee")),
        *(("accounts", field) for field in ("available", "locked")),
    ],
)
def test_number_that_no_amount_can_be_is_a_protocol_error(name, field, number) -> None:
    document = json.loads(sample(name))
    (document if isinstance(document, dict) else document[0])[field] = number
    with pytest.raises(ProtocolError):
        DECODERS[name](json.dumps(document).encode())


def test_protocol_error_shows_a_short_excerpt() -> None:
    with pytest.raises(ProtocolError, match="an order that cannot be read") as raised:
        codec.decode_order(b"<html>" + b"x" * 10_000)
    assert "<html>" in str(raised.value)
    assert len(str(raised.value)) < 400
    with pytest.raises(ProtocolError) as raised_by_number:
        codec.decode_order(order_body(amount="9" * 10_000))
    assert len(str(raised_by_number.value)) < 400
    assert isinstance(raised.value.__cause__, msgspec.DecodeError)
