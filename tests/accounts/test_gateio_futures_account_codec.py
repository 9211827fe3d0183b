from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from urllib.parse import parse_qs

import pytest
from damaged_answers import ODD_VALUES, mutated, read_or_refuse
from gateio_futures_codec import BTC, ETH, FRAMES, SIZE_HEADER, TENTH, codec, informed, market, order_body, placed, request, sample
from hypothesis import given
from hypothesis import strategies as st
from test_gateio_spot_account_codec import CREDENTIAL, NOW, NOW_SECONDS, response

from actors.accounts.codec import Amendment, OrderReceived, PreparedRequest, ProtocolError
from actors.accounts.gateio.futures import GateioFuturesAccountCodec
from actors.accounts.gateio.signature import channel_signature, login_signature
from exchanges.gateio_futures import GATEIO_FUTURES
from market.events import Side
from market.symbol import Symbol
from orders.errors import ErrorKind
from orders.order import Order
from orders.reports import (
    FillReport,
    MarginMode,
    OrderReport,
    PositionReport,
    ReportedStatus,
    StreamClosing,
    StreamConfirmed,
    StreamPong,
    StreamRefused,
)
from orders.request import OrderType, TimeInForce

# Signatures, against the worked examples

B2 = b'{"contract":"BTC_USDT","size":"-3","price":"50000.5","tif":"gtc","text":"t-bot-0001","reduce_only":false}'


@pytest.mark.parametrize(
    ("prepared", "signature"),
    [
        (
            PreparedRequest(method="GET", path="/api/v4/futures/usdt/orders", query="contract=BTC_USDT&status=open", group="private"),
            "0070b757792de6987bc8e99edb86a15dd8ca0696073decce208e036f4e07cb4295d4c07e3f52f18d2958d0f84d7363b48b4973c71c3731a14ec4765cfb3d671d",
        ),
        (
            codec.place(request(), expires_at_milliseconds=None),
            "d17f5ac651e5c24a0f21023b2122d816c56c51147290bfbfb0de8b50c12d378f45ef4f7777054bc4e7dfed01f75b38c0cdab023972c71f170a6e02ecc6f356da",
        ),
        (
            PreparedRequest(method="POST", path="/api/v4/futures/usdt/positions/BTC_USDT/leverage", query="leverage=10", group="private"),
            "ca6bd5382f5a494b102d65bfc8c53fb59ea37f87d98e5acec1dfc4752b49569a2a021f1f21e8ab08554da3004066e35efc3701b6581cc4f444ce23826d511e1d",
        ),
    ],
)
def test_rest_signature_equals_the_worked_example(prepared, signature) -> None:
    sent = codec.sign(prepared, CREDENTIAL, timestamp_milliseconds=NOW)
    headers = dict(sent.headers)
    assert (sent.method, sent.path, sent.query, sent.body) == (prepared.method, prepared.path, prepared.query, prepared.body)
    assert (headers["KEY"], headers["Timestamp"], headers["SIGN"]) == ("made-up-gate-key", str(NOW_SECONDS), signature)


def test_worked_body_is_what_a_limit_sell_is() -> None:
    prepared = codec.place(request(), expires_at_milliseconds=None)
    assert (prepared.method, prepared.path, prepared.query, prepared.headers) == ("POST", "/api/v4/futures/usdt/orders", "", (SIZE_HEADER,))
    assert prepared.body == B2
    assert hashlib.sha512(B2).hexdigest().startswith("4efd5bcd22e1f17af59dc3458b7f3c5f")


SUBSCRIBE_SIGNATURE = (
    "53d6a082aba66c82f5267330df5a56bb4ec53504bc82c992d10145bc3c6d7e64e11c09347b05307b121c3b87a69ea20aebc498aa68105ba5fd938e970cceab3e"
)
LOGIN_SIGNATURE = (
    "3d8905ea8d85a5fff1e561ebb729202e2646629d5b78d6776966250eb3eea036a5cc65ee4aa1ea2cc11eb592e67680dd58a899b71c771e1a0038d46fb676fbd8"
)


def test_signatures_of_the_stream_equal_the_worked_examples() -> None:
    secret = CREDENTIAL.secret
    assert channel_signature(secret, channel="futures.orders", event="subscribe", timestamp_seconds=NOW_SECONDS) == SUBSCRIBE_SIGNATURE
    assert login_signature(secret, channel="futures.login", timestamp_seconds=NOW_SECONDS) == LOGIN_SIGNATURE


def test_private_subscriptions_name_the_user_and_all_contracts() -> None:
    *subscriptions, login = [json.loads(frame) for frame in codec.subscribe_frames(CREDENTIAL, timestamp_milliseconds=NOW)]
    assert subscriptions[0] == {
        "time": NOW_SECONDS,
        "id": 1,
        "channel": "futures.orders",
        "event": "subscribe",
        "payload": ["4471002", "!all"],
        "auth": {"method": "api_key", "KEY": "made-up-gate-key", "SIGN": SUBSCRIBE_SIGNATURE},
    }
    assert [frame["channel"] for frame in subscriptions] == ["futures.orders", "futures.usertrades", "futures.positions"]
    assert {tuple(frame["payload"]) for frame in subscriptions} == {("4471002", "!all")}
    assert login["channel"] == "futures.login"
    assert login["payload"]["signature"] == LOGIN_SIGNATURE
    assert codec.private_channels == {"futures.orders", "futures.usertrades", "futures.positions", "futures.login"}


def test_subscribing_needs_the_user_to_be_known() -> None:
    with pytest.raises(ProtocolError, match="user id"):
        GateioFuturesAccountCodec().subscribe_frames(CREDENTIAL, timestamp_milliseconds=NOW)


def test_ping_is_the_exchanges_own() -> None:
    assert json.loads(codec.ping_frame(timestamp_milliseconds=NOW)) == {"time": NOW_SECONDS, "channel": "futures.ping"}


# What the exchange is, and where


def test_codec_says_where_the_exchange_is() -> None:
    assert codec.identity is GATEIO_FUTURES
    assert codec.rest_url("live") == "https://api.gateio.ws"
    assert codec.rest_url("testnet") == "https://api-testnet.gateapi.io"
    assert codec.websocket_url("live") == "wss://fx-ws.gateio.ws/v4/ws/usdt"
    assert codec.websocket_url("testnet") == "wss://ws-testnet.gate.com/v4/ws/futures/usdt"
    assert not codec.needs_passphrase


def test_capabilities_name_what_the_codec_can_carry_out() -> None:
    capabilities = codec.capabilities
    assert capabilities.time_in_force == frozenset(TimeInForce)
    assert (capabilities.market_buy_by_quote, capabilities.market_buy_by_base, capabilities.market_fill_or_kill) == (False, True, False)
    assert (capabilities.place_batch_max, capabilities.cancel_batch_max, capabilities.amend_batch_max) == (10, 20, 10)
    assert capabilities.dead_mans_switch_seconds_min == 5
    assert capabilities.positions
    assert capabilities.amend
    assert capabilities.cancel_all
    assert capabilities.order_expiry
    assert capabilities.websocket_order_entry


def every_request() -> list[PreparedRequest]:
    order, report = Order(request=request(), exchange_order_id="7"), codec.decode_order(sample("order"))
    return [
        codec.place(request(), expires_at_milliseconds=1),
        codec.place_batch([request()], expires_at_milliseconds=None),
        codec.amend(order, price=Decimal(1), quantity=None),
        codec.amend_batch([Amendment(order=order, price=Decimal(1))]),
        codec.cancel(order),
        codec.cancel_reported(report),
        codec.cancel_all(BTC),
        codec.cancel_batch([report]),
        *codec.dead_mans_switch([BTC], timeout_seconds=5),
        codec.query_order(order),
        codec.query_open_orders(),
        codec.query_finished_orders(BTC, since_milliseconds=NOW),
        codec.query_fills(BTC),
        codec.query_balances(),
        codec.positions.query_mode(),
        codec.positions.query_positions(),
        codec.positions.set_leverage(BTC, Decimal(5)),
        codec.positions.query_funding(since_milliseconds=NOW, until_milliseconds=NOW),
        codec.catalogue.request(),
    ]


def test_every_request_asks_for_decimal_sizes_and_counts_against_a_limit_that_stays_under_the_exchanges() -> None:
    published = {"orders": 100, "cancels": 200, "private": 20, "public": 20}  # a second
    assert {name: limit.capacity / limit.period_seconds < published[name] for name, limit in codec.rate_limits.items()} == dict.fromkeys(
        published, True
    )
    for prepared in every_request():
        assert SIZE_HEADER in prepared.headers
        assert prepared.path.startswith("/api/v4/futures/usdt/")
        assert prepared.group in published
    groups = [prepared.group for prepared in every_request()]
    assert groups == ["orders"] * 4 + ["cancels"] * 5 + ["private"] * 9 + ["public"]


def test_orders_of_a_batch_are_counted_singly() -> None:
    orders = [Order(request=request(), exchange_order_id=str(number)) for number in range(4)]
    assert codec.place_batch([request()] * 10, expires_at_milliseconds=None).weight == 10
    assert codec.amend_batch([Amendment(order=order, price=Decimal(1)) for order in orders]).weight == 4


# Placing


@pytest.mark.parametrize(("side", "size"), [(Side.BUY, "3"), (Side.SELL, "-3")])
def test_side_of_an_order_is_the_sign_of_its_size(side, size) -> None:
    assert placed(request(side=side))["size"] == size


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
    assert placed(request(time_in_force=time_in_force))["tif"] == word


@pytest.mark.parametrize("time_in_force", [TimeInForce.GOOD_TILL_CANCELLED, TimeInForce.IMMEDIATE_OR_CANCEL])
def test_market_order_has_the_price_0_and_never_rests(time_in_force) -> None:
    asked = request(side=Side.BUY, type=OrderType.MARKET, price=None, time_in_force=time_in_force, reduce_only=True)
    assert placed(asked) == {
        "contract": "BTC_USDT",
        "size": "3",
        "price": "0",
        "tif": "ioc",
        "text": "t-bot-0001",
        "reduce_only": True,
    }


def test_orders_that_futures_do_not_have_are_our_mistake() -> None:
    with pytest.raises(ValueError, match="base units only"):
        placed(market(Side.BUY, quantity=None, quote_quantity=Decimal(100)))
    with pytest.raises(ValueError, match="no fill-or-kill"):
        placed(request(type=OrderType.MARKET, price=None, time_in_force=TimeInForce.FILL_OR_KILL))


@pytest.mark.parametrize(("symbol", "quantity"), [(BTC, "0.00035"), (BTC, "0.00001"), (ETH, "0.005"), (TENTH, "0.5"), (TENTH, "1.0000001")])
def test_quantity_that_is_not_whole_contracts_is_our_mistake(symbol, quantity) -> None:
    with pytest.raises(ValueError, match="not a whole number of steps"):
        placed(request(symbol=symbol, quantity=Decimal(quantity)))


@given(st.integers(1, 10**12), st.sampled_from([BTC, ETH]), st.sampled_from(Side))
def test_quantity_becomes_contracts_and_the_same_quantity_again(contracts: int, symbol: Symbol, side: Side) -> None:
    quantity = codec.catalogue.size(symbol).to_base_units(Decimal(contracts))
    asked = request(symbol=symbol, side=side, quantity=quantity)
    size = placed(asked)["size"]
    assert size == str(contracts if side is Side.BUY else -contracts)
    for told in (size, int(str(size))):  # as text and as a number
        report = codec.decode_order(order_body(contract=GATEIO_FUTURES.to_wire(symbol), size=told, left=told))
        assert (report.quantity, report.side, report.filled_quantity) == (quantity, side, 0)


@given(st.integers(1, 10**9))
def test_parts_of_a_contract_are_written_and_read_exactly(tenths: int) -> None:
    quantity = Decimal(tenths)  # a tenth of a contract of 10 is 1
    size = placed(request(symbol=TENTH, side=Side.BUY, quantity=quantity))["size"]
    assert isinstance(size, str)
    assert set(size) <= set("0123456789.")
    assert Decimal(size) * 10 == quantity
    assert codec.decode_order(order_body(contract="TENTH_USDT", size=size, left=size)).quantity == quantity


@given(st.decimals(min_value="1e-12", max_value="1e12", places=12).filter(bool))
def test_price_on_the_wire_has_no_exponent_and_means_the_same(price) -> None:
    text = str(placed(request(price=price))["price"])
    assert set(text) <= set("0123456789.")
    assert Decimal(text) == price


def test_expiry_goes_into_a_header_beside_that_of_sizes() -> None:
    prepared = codec.place(request(), expires_at_milliseconds=1_790_000_003_500)
    assert prepared.headers == (SIZE_HEADER, ("x-gate-exptime", "1790000003500"))
    assert set(prepared.headers) <= set(codec.sign(prepared, CREDENTIAL, timestamp_milliseconds=NOW).headers)


def test_batch_of_placements_is_a_list_of_orders() -> None:
    prepared = codec.place_batch([request(client_order_id=f"bot-{number}") for number in range(10)], expires_at_milliseconds=5)
    assert (prepared.method, prepared.path) == ("POST", "/api/v4/futures/usdt/batch_orders")
    assert ("x-gate-exptime", "5") in prepared.headers
    assert [order["text"] for order in json.loads(prepared.body)] == [f"t-bot-{number}" for number in range(10)]


@pytest.mark.parametrize("size", [0, 11])
def test_batch_of_placements_beyond_the_exchanges_size_is_refused(size) -> None:
    with pytest.raises(ValueError, match="1 to 10"):
        codec.place_batch([request()] * size, expires_at_milliseconds=None)


# Cancelling, amending, asking


@pytest.mark.parametrize(("exchange_order_id", "wire_id"), [("533298725911", "533298725911"), (None, "t-bot-0001")])
def test_order_is_named_by_the_exchanges_id_where_known(exchange_order_id, wire_id) -> None:
    order = Order(request=request(), exchange_order_id=exchange_order_id)
    for prepared, method in (
        (codec.cancel(order), "DELETE"),
        (codec.query_order(order), "GET"),
        (codec.amend(order, price=Decimal(1), quantity=None), "PUT"),
    ):
        assert (prepared.method, prepared.path, prepared.query) == (method, f"/api/v4/futures/usdt/orders/{wire_id}", "")


def test_reported_order_is_cancelled_by_the_exchanges_id() -> None:
    prepared = codec.cancel_reported(codec.decode_order(sample("order")))
    assert (prepared.method, prepared.path) == ("DELETE", "/api/v4/futures/usdt/orders/533298725911")


def test_cancelling_all_names_the_contract() -> None:
    prepared = codec.cancel_all(BTC)
    assert (prepared.method, prepared.path, prepared.query) == ("DELETE", "/api/v4/futures/usdt/orders", "contract=BTC_USDT")


def test_batch_of_cancellations_is_a_list_of_ids() -> None:
    prepared = codec.cancel_batch([*codec.decode_orders(sample("open_orders")), Order(request=request())])
    assert (prepared.method, prepared.path) == ("POST", "/api/v4/futures/usdt/batch_cancel_orders")
    assert json.loads(prepared.body) == ["533298725911", "533298725912", "533298725960", "t-bot-0001"]


@pytest.mark.parametrize("size", [0, 21])
def test_batch_of_cancellations_beyond_the_exchanges_size_is_refused(size) -> None:
    with pytest.raises(ValueError, match="1 to 20"):
        codec.cancel_batch([codec.decode_order(sample("order"))] * size)


def test_countdown_is_one_for_each_contract() -> None:
    prepared = codec.dead_mans_switch([BTC, ETH], timeout_seconds=30)
    assert {one.path for one in prepared} == {"/api/v4/futures/usdt/countdown_cancel_all"}
    assert [json.loads(one.body) for one in prepared] == [
        {"timeout": 30, "contract": "BTC_USDT"},
        {"timeout": 30, "contract": "ETH_USDT"},
    ]


@pytest.mark.parametrize(
    ("side", "price", "quantity", "fields"),
    [
        (Side.SELL, Decimal("50001.0"), None, {"price": "50001.0"}),
        (Side.SELL, None, Decimal("0.0005"), {"size": "-5"}),
        (Side.BUY, Decimal(50001), Decimal("0.0005"), {"size": "5", "price": "50001"}),
    ],
)
def test_amendment_states_only_what_changes_and_keeps_the_sign(side, price, quantity, fields) -> None:
    order = Order(request=request(side=side))
    assert json.loads(codec.amend(order, price=price, quantity=quantity).body) == fields


def test_amendment_of_nothing_is_our_mistake() -> None:
    with pytest.raises(ValueError, match="price, the quantity, or both"):
        codec.amend(Order(request=request()), price=None, quantity=None)


def test_batch_of_amendments_names_each_order_by_either_id() -> None:
    known, unknown = Order(request=request(), exchange_order_id="533298725911"), Order(request=request(client_order_id="bot-2"))
    prepared = codec.amend_batch(
        [Amendment(order=known, price=Decimal(7), quantity=Decimal(1)), Amendment(order=unknown, price=Decimal(8))]
    )
    assert (prepared.method, prepared.path) == ("POST", "/api/v4/futures/usdt/batch_amend_orders")
    assert json.loads(prepared.body) == [
        {"order_id": 533298725911, "size": "-10000", "price": "7"},
        {"text": "t-bot-2", "price": "8"},
    ]
    with pytest.raises(ValueError, match="1 to 10"):
        codec.amend_batch([])


def test_lists_are_asked_for_with_their_page() -> None:
    def asked(prepared: PreparedRequest) -> tuple[str, dict[str, list[str]]]:
        assert prepared.method == "GET"
        return prepared.path.removeprefix("/api/v4/futures/usdt"), parse_qs(prepared.query)

    page = {"limit": ["100"], "offset": ["0"]}
    assert asked(codec.query_open_orders()) == ("/orders", {"status": ["open"], **page})
    assert asked(codec.query_open_orders(BTC)) == ("/orders", {"contract": ["BTC_USDT"], "status": ["open"], **page})
    since = {"contract": ["BTC_USDT"], "from": [str(NOW_SECONDS)], **page}
    assert asked(codec.query_finished_orders(BTC, since_milliseconds=NOW)) == ("/orders_timerange", since)
    assert asked(codec.query_fills(BTC)) == ("/my_trades", {"contract": ["BTC_USDT"], **page})
    assert asked(codec.query_fills(BTC, since_milliseconds=NOW)) == ("/my_trades_timerange", since)
    of_one = {"contract": ["BTC_USDT"], "order": ["77"], **page}
    assert asked(codec.query_fills(BTC, exchange_order_id="77", since_milliseconds=NOW)) == ("/my_trades", of_one)
    assert asked(codec.query_balances()) == ("/accounts", {})
    assert codec.server_time().path == "/api/v4/spot/time"


def test_full_page_is_followed_by_the_next_and_another_is_the_last() -> None:
    full = json.dumps([json.loads(sample("order"))] * 100).encode()
    second = codec.next_page(codec.query_open_orders(BTC), full)
    assert second is not None
    assert second.query == "contract=BTC_USDT&status=open&limit=100&offset=100"
    third = codec.next_page(second, full)
    assert third is not None
    assert third.query.endswith("offset=200")
    assert third.headers == (SIZE_HEADER,)
    for asked, name in (
        (codec.query_open_orders(), "open_orders"),
        (codec.query_finished_orders(BTC, since_milliseconds=0), "finished_orders"),
        (codec.query_fills(BTC), "my_trades"),
        (codec.positions.query_funding(since_milliseconds=0, until_milliseconds=NOW), "account_book"),
    ):
        assert codec.next_page(asked, sample(name)) is None
    assert codec.next_page(codec.query_balances(), b"garbage") is None


# Orders as the exchange tells them


def test_open_order_partly_filled_is_read() -> None:
    assert codec.decode_order(sample("order")) == OrderReport(
        exchange_order_id="533298725911",
        client_order_id="mm-btc-tlokbk0a1",
        symbol=BTC,
        side=Side.SELL,
        status=ReportedStatus.OPEN,
        filled_quantity=Decimal("0.0050"),
        filled_quote=Decimal("319.9460"),
        price=Decimal("63988.4"),
        quantity=Decimal("0.0157"),
        exchange_time_milliseconds=1790000013077,
    )


ALL, SOME, NONE = {"left": "0"}, {"left": "-107"}, {"left": "-157"}
STANDINGS = [
    ("open", ..., NONE, ReportedStatus.OPEN, ""),
    ("open", "_new", SOME, ReportedStatus.OPEN, ""),
    ("finished", "filled", ALL, ReportedStatus.FILLED, ""),
    ("finished", "filled", {"left": ...}, ReportedStatus.FILLED, ""),
    ("finished", ..., ALL, ReportedStatus.FILLED, ""),
    ("finished", "ioc", ALL, ReportedStatus.FILLED, ""),
    ("finished", "ioc", SOME, ReportedStatus.EXPIRED, "ioc"),
    ("finished", "ioc", NONE, ReportedStatus.EXPIRED, "ioc"),
    ("finished", "fok", NONE, ReportedStatus.EXPIRED, "fok"),
    ("finished", "poc", NONE, ReportedStatus.REJECTED, "post-only, and it would have taken (poc)"),
    ("finished", "cancelled", SOME, ReportedStatus.CANCELLED, ""),
    *(
        ("finished", word, SOME, ReportedStatus.CANCELLED, word)
        for word in (
            *("stp", "reduce_only", "reduce_out", "position_closed", "liquidated", "liquidate_cancelled"),
            *("auto_deleveraged", "small", "depth_not_enough", "trader_not_enough", "a_word_of_next_year"),
        )
    ),
]


@pytest.mark.parametrize(("status", "finish_as", "left", "expected", "reason"), STANDINGS)
def test_standing_of_an_order_is_read_from_its_finish_and_what_is_left(status, finish_as, left, expected, reason) -> None:
    body = order_body(status=status, finish_as=finish_as, **left)
    over_rest = codec.decode_order(body)
    (pushed,) = codec.decode_frame(json.dumps({"channel": "futures.orders", "event": "update", "result": [json.loads(body)]}))
    filled = {"0": "0.0157", "-107": "0.005", "-157": "0"}[left["left"] if left["left"] is not ... else "0"]
    for report in (over_rest, pushed):
        assert isinstance(report, OrderReport)
        assert (report.status, report.reason, report.filled_quantity) == (expected, reason, Decimal(filled))


def test_order_that_does_not_say_what_is_left_of_it_is_not_guessed_at() -> None:
    for changes in ({"left": ...}, {"left": ..., "status": "finished", "finish_as": "ioc"}):
        with pytest.raises(ProtocolError, match="what is left"):
            codec.decode_order(order_body(**changes))


@pytest.mark.parametrize("changes", [{"status": "resting"}, {"size": "0"}, {"left": "-158"}, {"contract": "BTCUSDT"}, {"price": "-1"}])
def test_order_that_makes_no_sense_is_a_protocol_error(changes) -> None:
    with pytest.raises(ProtocolError, match="an order that cannot be read"):
        codec.decode_order(order_body(**changes))


@pytest.mark.parametrize("text", ["web", "api", "liq-4471002", "auto_deleveraging", "-", "", None, ...])
def test_order_that_no_client_named_has_no_client_order_id(text) -> None:
    assert codec.decode_order(order_body(text=text)).client_order_id is None


@pytest.mark.parametrize("price", ["0", 0, None, ...])
def test_market_order_has_no_price(price) -> None:
    assert codec.decode_order(order_body(price=price)).price is None


@pytest.mark.parametrize(
    ("times", "milliseconds"),
    [
        ({}, 1790000013077),  # seconds over REST
        ({"update_time": 1790000013078}, 1790000013078),  # milliseconds on the stream
        ({"update_time": ..., "finish_time": 1790000014.5}, 1790000014500),
        ({"update_time": ...}, 1790000012401),
        ({"update_time": 0, "create_time": ...}, 0),
    ],
)
def test_time_of_an_order_is_that_of_its_last_change_in_whatever_unit_it_is_told(times, milliseconds) -> None:
    assert codec.decode_order(order_body(**times)).exchange_time_milliseconds == milliseconds


def test_open_orders_are_read_and_one_without_a_size_is_left_out() -> None:
    reports = codec.decode_orders(sample("open_orders"))
    assert [(report.symbol, report.client_order_id, report.side, report.quantity) for report in reports] == [
        (BTC, "mm-btc-tlokbk0a1", Side.SELL, Decimal("0.0157")),
        (BTC, None, Side.BUY, Decimal("0.0003")),
        (ETH, "mm-eth-tlokbk0a1", Side.BUY, Decimal("0.025")),
    ]


def test_finished_orders_are_read_and_a_liquidation_is_nobodys_order() -> None:
    reports = codec.decode_orders(sample("finished_orders"))
    assert [(report.client_order_id, report.status, report.filled_quantity) for report in reports] == [
        ("mm-btc-tlokbk0a0", ReportedStatus.FILLED, Decimal("0.0012")),
        ("mm-btc-tlokbk09z", ReportedStatus.CANCELLED, Decimal("0.0005")),
        (None, ReportedStatus.FILLED, Decimal("0.0040")),
    ]
    assert codec.decode_orders(b"[]") == []


def test_cancelling_all_leaves_out_what_it_failed_to_cancel() -> None:
    orders = json.loads(sample("open_orders"))
    orders[1]["succeeded"] = False
    assert len(codec.decode_orders(json.dumps(orders).encode())) == 2


def test_batch_of_placements_is_answered_per_order() -> None:
    first, (second_id, second), (third_id, third) = codec.decode_batch(sample("place_batch"))
    assert isinstance(first, OrderReport)
    assert (first.client_order_id, first.status, first.quantity) == ("mm-btc-tlokbk0a3", ReportedStatus.OPEN, Decimal("0.001"))
    assert (second_id, second.kind, second.message) == ("mm-btc-tlokbk0a4", ErrorKind.INSUFFICIENT_BALANCE, "available 12.5, needed 60.1")
    assert (third_id, third.kind) == ("", ErrorKind.MAINTENANCE)


def test_batch_of_cancellations_tells_what_was_received_and_what_was_refused() -> None:
    received, (identity, refusal) = codec.decode_batch(sample("cancel_batch"))
    assert received == OrderReceived(exchange_order_id="533298725911")
    assert (identity, refusal.kind, refusal.fate_is_unknown) == ("533298725999", ErrorKind.ORDER_NOT_FOUND, False)


def test_batch_of_amendments_is_answered_per_order() -> None:
    amended, (identity, refusal) = codec.decode_batch(sample("amend_batch"))
    assert isinstance(amended, OrderReport)
    assert (amended.price, amended.status, amended.exchange_time_milliseconds) == (Decimal(63990), ReportedStatus.OPEN, 1790000021500)
    assert (identity, refusal.kind) == ("533298725900", ErrorKind.ALREADY_CLOSED)


# Fills and balances


def test_fills_are_read_with_fees_that_are_negative_when_rebated() -> None:
    assert codec.decode_fills(sample("my_trades")) == [
        FillReport(
            trade_id="60117338",
            exchange_order_id="533298725911",
            client_order_id="mm-btc-tlokbk0a1",
            symbol=BTC,
            side=Side.SELL,
            price=Decimal("63989.2"),
            quantity=Decimal("0.0050"),
            fee=Decimal("-0.0319946"),
            fee_asset="USDT",
            maker=True,
            exchange_time_milliseconds=1790000013077,
        ),
        FillReport(
            trade_id="60117337",
            exchange_order_id="533298725900",
            client_order_id="mm-btc-tlokbk0a0",
            symbol=BTC,
            side=Side.BUY,
            price=Decimal("63990.5"),
            quantity=Decimal("0.0012"),
            fee=Decimal("0.05759145"),
            fee_asset="USDT",
            maker=False,
            exchange_time_milliseconds=1790000001250,
        ),
        FillReport(
            trade_id="60117330",
            exchange_order_id="533298725880",
            client_order_id=None,
            symbol=BTC,
            side=Side.SELL,
            price=Decimal(59000),
            quantity=Decimal("0.0040"),
            fee=Decimal("0.177"),
            fee_asset="POINT",
            maker=False,
            exchange_time_milliseconds=1789999990500,
        ),
    ]


def test_same_trade_is_told_alike_by_both_lists_and_the_stream() -> None:
    first = codec.decode_fills(sample("my_trades"))[0]
    assert codec.decode_fills(sample("my_trades_timerange")) == [first]
    assert codec.decode_frame(FRAMES[4]) == [first]


@pytest.mark.parametrize("changes", [{"id": None}, {"size": "0"}, {"price": "-1"}, {"contract": "SOON_USDT"}])
def test_fill_that_makes_no_sense_is_a_protocol_error(changes) -> None:
    with pytest.raises(ProtocolError):
        informed().decode_fills(json.dumps([json.loads(sample("my_trades"))[0] | changes]).encode())


# The stream

PLACED_ON_STREAM = OrderReport(
    exchange_order_id="533298725911",
    client_order_id="mm-btc-tlokbk0a1",
    symbol=BTC,
    side=Side.SELL,
    status=ReportedStatus.OPEN,
    filled_quantity=Decimal(0),
    filled_quote=Decimal(0),
    price=Decimal("63988.4"),
    quantity=Decimal("0.0157"),
    exchange_time_milliseconds=1790000012401,
)
FILLED_ON_STREAM = OrderReport(
    exchange_order_id="533298725911",
    client_order_id="mm-btc-tlokbk0a1",
    symbol=BTC,
    side=Side.SELL,
    status=ReportedStatus.FILLED,
    filled_quantity=Decimal("0.0157"),
    filled_quote=Decimal("1004.63044"),
    price=Decimal("63988.4"),
    quantity=Decimal("0.0157"),
    exchange_time_milliseconds=1790000013077,
)
UPGRADE = StreamClosing("The connection will soon be closed for a service upgrade. Please reconnect.")
EXPECTED_OF_FRAMES: list[list[object]] = [
    [StreamConfirmed("futures.orders")],
    [StreamRefused("futures.usertrades", "4", "authentication failed")],
    [PLACED_ON_STREAM],
    [FILLED_ON_STREAM],
    [codec.decode_fills(sample("my_trades"))[0]],
    [
        PositionReport(
            symbol=BTC,
            quantity=Decimal("-0.9440"),
            entry_price=Decimal("63985.25"),
            leverage=Decimal(10),
            margin_mode=MarginMode.CROSS,
            exchange_time_milliseconds=1790000013077,
        )
    ],
    [
        PositionReport(
            symbol=ETH,
            quantity=Decimal(0),
            leverage=Decimal(20),
            margin_mode=MarginMode.ISOLATED,
            exchange_time_milliseconds=1790000015077,
        )
    ],
    [],  # what there is without what is available of it: REST tells both
    [StreamPong()],
    [UPGRADE],
    [UPGRADE],
    [],
    [StreamConfirmed("futures.login")],
    [],  # acknowledged: what comes of it follows
]


@pytest.mark.parametrize(("frame", "expected"), [*zip(FRAMES[:14], EXPECTED_OF_FRAMES, strict=True)])
def test_frame_of_the_stream_is_read(frame, expected) -> None:
    assert codec.decode_frame(frame) == expected
    assert codec.decode_frame(frame.encode()) == expected


def test_refusal_over_rest_is_classified() -> None:
    error = codec.error(response(400, {"label": "INSUFFICIENT_AVAILABLE", "message": "no"}))
    assert error is not None
    assert error.kind is ErrorKind.INSUFFICIENT_BALANCE


# Hostile input

DECODERS = {
    "order": codec.decode_order,
    "open_orders": codec.decode_orders,
    "finished_orders": codec.decode_orders,
    "place_batch": codec.decode_batch,
    "cancel_batch": codec.decode_batch,
    "amend_batch": codec.decode_batch,
    "my_trades": codec.decode_fills,
    "my_trades_timerange": codec.decode_fills,
    "account": codec.decode_balances,
    "positions": codec.positions.decode_positions,
    "account_book": codec.positions.decode_funding,
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


@given(st.sampled_from(sorted(DECODERS)), st.binary(max_size=60))
def test_random_answer_gives_reports_or_a_protocol_error(name, data) -> None:
    read_or_refuse(DECODERS[name], data)
    read_or_refuse(codec.positions.decode_mode, data)


@pytest.mark.parametrize("number", ["NaN", "sNaN", "Infinity", "-Infinity", "1e41", "1e-41", "9" * 500])
@pytest.mark.parametrize(
    ("name", "field"),
    [
        *(("order", field) for field in ("size", "left", "price", "fill_price")),
        *(("my_trades", field) for field in ("size", "price", "fee")),
        *(("account", field) for field in ("total", "available")),
        *(("positions", field) for field in ("size", "entry_price", "mark_price", "unrealised_pnl")),
        ("account_book", "change"),
    ],
)
def test_number_that_no_amount_can_be_is_a_protocol_error(name, field, number) -> None:
    document = json.loads(sample(name))
    (document if isinstance(document, dict) else document[0])[field] = number
    with pytest.raises(ProtocolError):
        DECODERS[name](json.dumps(document).encode())
