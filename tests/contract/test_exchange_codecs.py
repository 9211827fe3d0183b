"""What every registered exchange's codecs must do, whatever their protocol. A new exchange is tested by being registered.

Each test names the rows of the requirements that it is about.
"""

from __future__ import annotations

import contextlib
from decimal import Decimal

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from learned import learned_codecs
from trio.testing import MockClock

from actors.accounts.codec import AccountCodec, Amendment, PreparedRequest
from actors.accounts.codec import ProtocolError as AccountProtocolError
from actors.accounts.credential import Credential
from actors.feeds.codec import ProtocolError as FeedProtocolError
from assembly.registry import EXCHANGES
from market.events import Side
from market.symbol import Symbol
from network.http import HttpRequest, HttpResponse
from network.rate_limit import RateLimiter
from orders.errors import ErrorKind
from orders.identity import ClientOrderIds
from orders.order import Order
from orders.reports import OrderReport, ReportedStatus
from orders.request import OrderRequest, OrderType, TimeInForce

every_exchange = pytest.mark.parametrize("name", sorted(EXCHANGES))
BTC_USDT = Symbol("BTC", "USDT")
NOW_MILLISECONDS = 1_790_000_000_000
CREDENTIAL = Credential(key="contract-key-0123456789", secret="contract-secret-0123456789abcdef", passphrase="contract-passphrase")
NOISE = st.one_of(st.binary(max_size=300), st.text(max_size=300))


def request(**changes: object) -> OrderRequest:
    given: dict[str, object] = {
        "client_order_id": "mm-btc-tlpwu8001",
        "owner": "btc",
        "symbol": BTC_USDT,
        "side": Side.SELL,
        "type": OrderType.LIMIT,
        "time_in_force": TimeInForce.GOOD_TILL_CANCELLED,
        "quantity": Decimal("0.001"),
        "price": Decimal(60_000),
        **changes,
    }
    return OrderRequest(**given)  # type: ignore[arg-type]


def order(exchange_order_id: str | None = "123456789") -> Order:
    return Order(request=request(), exchange_order_id=exchange_order_id, sent=True)


def report() -> OrderReport:
    return OrderReport(
        exchange_order_id="123456789",
        client_order_id="mm-btc-tlpwu8001",
        symbol=BTC_USDT,
        side=Side.SELL,
        status=ReportedStatus.OPEN,
        filled_quantity=Decimal(0),
        filled_quote=Decimal(0),
    )


def prepared_requests(codec: AccountCodec) -> list[PreparedRequest]:
    """Every request that the codec prepares."""
    return [
        codec.server_time(),
        codec.place(request(), expires_at_milliseconds=None),
        codec.cancel(order()),
        codec.cancel(order(None)),
        codec.cancel_reported(report()),
        codec.query_order(order()),
        codec.query_order(order(None)),
        codec.query_open_orders(),
        codec.query_open_orders(BTC_USDT),
        codec.query_finished_orders(BTC_USDT, since_milliseconds=NOW_MILLISECONDS),
        codec.query_fills(BTC_USDT, exchange_order_id="123456789"),
        codec.query_fills(BTC_USDT, since_milliseconds=NOW_MILLISECONDS),
        codec.query_balances(),
        *([codec.key_inquiry.request()] if codec.key_inquiry is not None else []),
        *position_requests(codec),
    ]


def batch_requests(codec: AccountCodec) -> list[PreparedRequest]:
    """What places or amends several orders at once."""
    capabilities = codec.capabilities
    return [
        *([codec.place_batch([request(), request()], expires_at_milliseconds=None)] if capabilities.place_batch_max > 1 else []),
        *([codec.amend(order(), price=Decimal(2), quantity=None)] if capabilities.amend else []),
        *([codec.amend_batch([Amendment(order=order(), price=Decimal(2), quantity=None)] * 2)] if capabilities.amend_batch_max > 1 else []),
    ]


def position_requests(codec: AccountCodec) -> list[PreparedRequest]:
    positions = codec.positions
    if positions is None:
        return []
    return [
        positions.query_mode(),
        positions.query_positions(),
        positions.set_leverage(BTC_USDT, Decimal(2)),
        positions.query_funding(since_milliseconds=NOW_MILLISECONDS, until_milliseconds=NOW_MILLISECONDS),
        codec.place(request(reduce_only=True), expires_at_milliseconds=None),
    ]


@every_exchange
def test_exchange_has_one_name_in_every_domain(name: str) -> None:
    """X11"""
    entry = EXCHANGES[name]
    assert {entry.identity.name, entry.feed_codec().identity.name, entry.account_codec().identity.name} == {name}


@every_exchange
def test_symbol_survives_the_exchange_s_spelling(name: str) -> None:
    """X8"""
    identity = EXCHANGES[name].identity
    for symbol in (BTC_USDT, Symbol("ETH", "BTC"), Symbol("PEPE1000", "USDC")):
        assert identity.from_wire(identity.to_wire(symbol)) == symbol


@every_exchange
def test_addresses_of_live_and_testnet_are_encrypted_and_of_one_exchange(name: str) -> None:
    """X1-X7"""
    feed, account = EXCHANGES[name].feed_codec(), EXCHANGES[name].account_codec()
    modes = ("live", "testnet") if EXCHANGES[name].has_testnet else ("live",)
    for mode in modes:
        assert feed.rest_url(mode).startswith("https://")
        assert feed.rest_url(mode) == account.rest_url(mode)
        assert feed.websocket_url(mode).startswith("wss://")
        assert account.websocket_url(mode).startswith("wss://")
    addresses = {(account.rest_url(mode), account.websocket_url(mode)) for mode in modes}
    assert len(addresses) == len(modes), "a testnet is not the live exchange"


@every_exchange
def test_every_request_counts_against_a_limit_that_exists(name: str) -> None:
    """T8"""
    feed, account = learned_codecs(name)
    groups = set(feed.rate_limits) | set(account.rate_limits)
    assert {prepared.group for prepared in prepared_requests(account)} <= groups
    assert {feed.instruments_request().group, feed.snapshot_request(BTC_USDT).group} <= groups


@every_exchange
def test_cancel_finds_its_place_however_much_is_placed_amended_and_asked(name: str) -> None:
    """T8"""
    _, codec = learned_codecs(name)
    others = [one for one in prepared_requests(codec) if one.method != "DELETE" and "cancel" not in one.path]
    cancels = [codec.cancel(order()), codec.cancel_reported(report())]
    if codec.capabilities.cancel_batch_max > 1:
        cancels.append(codec.cancel_batch([order(), order()]))

    async def exhaust() -> list[str]:
        limits = RateLimiter(EXCHANGES[name].rate_limits)
        for prepared in (*others, *batch_requests(codec)):
            while limits.try_acquire_nowait(prepared.group, prepared.weight):
                pass
        return [one.group for one in cancels if not limits.try_acquire_nowait(one.group, one.weight, urgent=True)]

    assert trio.run(exhaust, clock=MockClock()) == []


@every_exchange
def test_signed_request_names_the_key_and_never_holds_the_secret(name: str) -> None:
    """R3, R6"""
    _, codec = learned_codecs(name)
    for prepared in prepared_requests(codec)[1:]:
        signed: HttpRequest = codec.sign(prepared, CREDENTIAL, timestamp_milliseconds=NOW_MILLISECONDS)
        wire = f"{signed.path}?{signed.query} {signed.headers} {signed.body!r}"
        assert CREDENTIAL.key in wire
        assert CREDENTIAL.secret not in wire
        assert CREDENTIAL.key not in repr(signed)


@every_exchange
def test_signature_is_about_time_and_content(name: str) -> None:
    """X1-X7"""
    _, codec = learned_codecs(name)
    one, other = codec.query_balances(), codec.place(request(), expires_at_milliseconds=None)
    signed = [
        codec.sign(prepared, CREDENTIAL, timestamp_milliseconds=at)
        for prepared, at in ((one, NOW_MILLISECONDS), (one, NOW_MILLISECONDS + 5_000), (other, NOW_MILLISECONDS))
    ]
    assert len({(str(found.headers), found.query) for found in signed}) == 3
    assert signed[0] == codec.sign(one, CREDENTIAL, timestamp_milliseconds=NOW_MILLISECONDS)


@every_exchange
def test_client_order_ids_fit_and_stay_apart(name: str) -> None:
    """T7"""
    codec = EXCHANGES[name].account_codec()
    ids = ClientOrderIds(installation="abcdef", owner="abcdefghij", run_started_milliseconds=1_790_000_000_000)
    wire = [codec.wire_client_order_id(ids.next_id()) for _ in range(1_000)]
    assert len(set(wire)) == 1_000
    ours = codec.wire_client_order_id("abcdef-")
    assert all(text.startswith(ours) for text in wire)
    assert not codec.wire_client_order_id("abcdeg-x-1").startswith(ours)
    assert ids.next_id().__len__() <= codec.capabilities.client_order_id_length_max


@every_exchange
def test_capabilities_are_stated_and_make_sense(name: str) -> None:
    """X10"""
    codec = EXCHANGES[name].account_codec()
    capabilities = codec.capabilities
    assert {TimeInForce.GOOD_TILL_CANCELLED, TimeInForce.POST_ONLY} <= capabilities.time_in_force
    assert min(capabilities.place_batch_max, capabilities.cancel_batch_max, capabilities.amend_batch_max) >= 1
    assert capabilities.market_buy_by_base or capabilities.market_buy_by_quote
    assert capabilities.positions is (codec.positions is not None)
    assert capabilities.websocket_order_entry is (codec.order_entry is not None)
    if capabilities.positions:
        assert not capabilities.market_buy_by_quote, "contracts are counted"


@every_exchange
@pytest.mark.parametrize(
    ("status", "kinds"),
    [
        (500, {ErrorKind.RETRYABLE}),
        (502, {ErrorKind.RETRYABLE}),
        (503, {ErrorKind.RETRYABLE, ErrorKind.MAINTENANCE}),
        (429, {ErrorKind.RATE_LIMITED}),
    ],
)
def test_failed_answer_without_the_exchange_s_own_words_is_classified_by_its_status(name: str, status: int, kinds: set[ErrorKind]) -> None:
    """X9"""
    error = EXCHANGES[name].account_codec().error(HttpResponse(status=status, headers={}, body=b"<html>bad gateway</html>"))
    assert error is not None
    assert error.kind in kinds
    assert error.fate_is_unknown is (status >= 500)


@every_exchange
@given(noise=NOISE)
def test_noise_on_the_public_stream_is_a_protocol_error_or_says_nothing(name: str, noise: bytes | str) -> None:
    """D1, X1-X7"""
    codec = EXCHANGES[name].feed_codec()
    with contextlib.suppress(FeedProtocolError):
        codec.decode_frame(noise, received_at=1.0)


@every_exchange
@given(noise=NOISE)
def test_noise_on_the_private_side_is_a_protocol_error_or_says_nothing(name: str, noise: bytes | str) -> None:
    """T5, X1-X7"""
    codec = EXCHANGES[name].account_codec()
    body = noise.encode() if isinstance(noise, str) else noise
    codec.error(HttpResponse(status=400, headers={}, body=body))
    for decode in (codec.decode_order, codec.decode_orders, codec.decode_fills, codec.decode_balances, codec.decode_batch):
        with contextlib.suppress(AccountProtocolError):
            decode(body)
    with contextlib.suppress(AccountProtocolError):
        codec.decode_frame(noise)
    decoders = [asked.decode for asked in (codec.key_inquiry, codec.stream_keys) if asked is not None]
    decoders += [] if codec.stream_keys is None else [codec.stream_keys.decode_valid]
    for decode in decoders:
        with contextlib.suppress(AccountProtocolError):
            decode(body)


@every_exchange
def test_clock_window_is_stated_and_accepts_clocks_that_agree(name: str) -> None:
    """X12"""
    window = EXCHANGES[name].account_codec().clock_window
    assert window.accepts(0)
    assert window.accepts(window.behind_milliseconds)
    assert not window.accepts(window.behind_milliseconds + 1)
    assert window.accepts(-window.ahead_milliseconds)
    assert not window.accepts(-window.ahead_milliseconds - 1)
