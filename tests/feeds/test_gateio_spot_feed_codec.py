from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from captures import SAMPLES, capture_path, read_lines
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.feeds.book_sync import BookState, BookSynchroniser, FetchSnapshot, Publish
from actors.feeds.codec import (
    BookDeltaDecoded,
    ConnectionClosing,
    Decoded,
    FeedCodec,
    Frame,
    Pong,
    ProtocolError,
    RefusalKind,
    RequestRefused,
    SubscriptionConfirmed,
    SubscriptionRefused,
)
from actors.feeds.gateio.spot import GateioSpotFeedCodec
from market.book import OrderBook
from market.events import Level, Side, TickerChanged, TradeHappened
from market.instrument import Instrument, TradingStatus, decimal_from_book
from market.symbol import Symbol
from network.http import HttpResponse

CODEC: FeedCodec = GateioSpotFeedCodec()
BTC_USDT = Symbol("BTC", "USDT")
FRAMES = (SAMPLES / "gateio_spot_frames.jsonl").read_text().splitlines()
CURRENCY_PAIRS = (SAMPLES / "gateio_spot_currency_pairs.json").read_bytes()
ORDER_BOOK = (SAMPLES / "gateio_spot_order_book.json").read_bytes()


def decode(index: int) -> Sequence[Decoded]:
    return CODEC.decode_frame(FRAMES[index], 12.5)


# Frames


def test_subscription_answers_are_told_apart() -> None:
    assert decode(0) == (SubscriptionConfirmed("spot.order_book_update", 1),)
    assert decode(1) == (SubscriptionConfirmed("spot.trades", None),)
    assert decode(2) == (SubscriptionRefused("spot.tickers", 7, "unknown currency pair NOPE_USDT (code 2)"),)
    assert decode(3) == (SubscriptionRefused("spot.tickers", 8, "status 'fail'"),)


def test_book_update_carries_levels_and_sequence_range() -> None:
    assert decode(4) == (
        BookDeltaDecoded(
            symbol=BTC_USDT,
            bids=[(60000.1, 0.25), (59999.0, 0.0)],
            asks=[(60000.3, 1.5)],
            first_sequence=5001,
            last_sequence=5004,
            exchange_time_milliseconds=1790000001099,
        ),
    )


def test_full_push_is_marked_and_needs_no_first_number() -> None:
    (delta,) = decode(6)
    assert isinstance(delta, BookDeltaDecoded)
    assert (delta.is_full, delta.first_sequence, delta.last_sequence) == (True, 6000, 6000)


def test_trade_keeps_the_takers_side_and_drops_fractions_of_a_millisecond() -> None:
    assert decode(7) == (
        TradeHappened("gateio_spot", BTC_USDT, "5541729598", Side.BUY, 60000.3, 0.015, 1790000003331, 12.5),
    )  # fmt: skip


def test_ticker_of_a_pair_without_prices_says_nothing() -> None:
    assert decode(8) == (TickerChanged("gateio_spot", BTC_USDT, 60000.3, 60000.1, 60000.4, 1200.5, 72030600.15, 12.5),)
    assert decode(9) == ()


def test_pong_and_both_shapes_of_the_upgrade_notice() -> None:
    assert decode(10) == (Pong(),)
    notice = ConnectionClosing("The connection will soon be closed for a service upgrade. Please reconnect.")
    assert decode(11) == decode(12) == (notice,)


def test_channels_that_nobody_asked_for_and_ended_subscriptions_say_nothing() -> None:
    assert decode(13) == decode(14) == ()


BAD_FRAMES: list[tuple[Frame, Symbol | None, bool]] = [
    ("", None, True),
    ("not json", None, True),
    (b"\xff\xfe\x00", None, True),
    ("\ud800", None, True),
    ("[" * 20_000, None, True),
    ("{}", None, True),
    ('{"channel":5}', None, True),
    (FRAMES[4].replace('"60000.1"', '"NaN"'), BTC_USDT, True),
    (FRAMES[4].replace('"60000.1"', '"-1"'), BTC_USDT, True),
    (FRAMES[4].replace('"60000.1"', '"0"'), BTC_USDT, True),
    (FRAMES[4].replace('"0.25"', '"-0.25"'), BTC_USDT, True),
    (FRAMES[4].replace('"0.25"', '"inf"'), BTC_USDT, True),
    (FRAMES[4].replace('["60000.1","0.25"]', '["60000.1"]'), BTC_USDT, True),
    (FRAMES[4].replace('"U":5001', '"U":5005'), BTC_USDT, True),
    (FRAMES[4].replace('"U":5001,', ""), BTC_USDT, True),
    (FRAMES[4].replace('"u":5004', '"u":-1'), BTC_USDT, True),
    (FRAMES[4].replace('"s":"BTC_USDT",', ""), None, True),
    (FRAMES[4].replace('"BTC_USDT"', '"BTCUSDT"'), None, True),
    (FRAMES[7].replace('"0.015"', '"x"'), None, False),
    (FRAMES[7].replace('"buy"', '"both"'), None, False),
    (FRAMES[7].replace('"1790000003331.25"', '"1e400"'), None, False),
    (FRAMES[8].replace('"last":"60000.3"', '"last":"nan"'), None, False),
]


@pytest.mark.parametrize(("frame", "symbol", "affects_books"), BAD_FRAMES)
def test_frame_against_the_protocol_names_what_it_may_have_spoilt(frame: Frame, symbol: Symbol | None, affects_books: bool) -> None:
    with pytest.raises(ProtocolError) as raised:
        CODEC.decode_frame(frame, 0.0)
    assert (raised.value.symbol, raised.value.affects_books) == (symbol, affects_books)


NOISE = st.one_of(st.binary(max_size=6), st.sampled_from([b"1e999", b'"', b"null", b"{", b"]", b"-", b"\\ud800"]))


@given(st.sampled_from(FRAMES), st.data())
@settings(max_examples=400, deadline=None)
def test_mutated_frames_give_events_or_protocol_errors(frame: str, data: st.DataObject) -> None:
    raw = bytearray(frame.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(raw)))
        end = min(len(raw), start + data.draw(st.integers(0, 12)))
        raw[start:end] = data.draw(NOISE)
    assert_events_or_protocol_error(bytes(raw))
    assert_events_or_protocol_error(bytes(raw).decode("utf-8", "surrogateescape"))


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300)))
def test_random_frames_give_events_or_protocol_errors(frame: Frame) -> None:
    assert_events_or_protocol_error(frame)


field_names = st.sampled_from(["s", "U", "u", "b", "a", "t", "full", "status", "type"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(field_names, values, max_size=5),
    max_leaves=12,
)


@given(
    st.sampled_from(["spot.order_book_update", "spot.trades", "spot.tickers", "spot.system", "spot.pong", ""]),
    st.sampled_from(["update", "subscribe", "unsubscribe", ""]),
    json_values,
)
def test_well_formed_frames_with_any_result_give_events_or_protocol_errors(channel: str, event: str, result: object) -> None:
    assert_events_or_protocol_error(json.dumps({"channel": channel, "event": event, "result": result}))


def assert_events_or_protocol_error(frame: Frame) -> None:
    book = OrderBook()
    with suppress(ProtocolError):
        for message in CODEC.decode_frame(frame, 0.0):
            if isinstance(message, BookDeltaDecoded):  # whatever was decoded, a book accepts
                book.apply(message.bids, message.asks, message.last_sequence)


@given(st.sampled_from([CURRENCY_PAIRS, ORDER_BOOK]), st.data())
def test_any_rest_body_gives_a_result_or_a_protocol_error(body: bytes, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(body)))
    mutated = body[:cut] + data.draw(NOISE) + body[cut + data.draw(st.integers(0, 3)) :]
    with suppress(ProtocolError):
        CODEC.decode_instruments(mutated)
    with suppress(ProtocolError):
        CODEC.decode_snapshot(BTC_USDT, mutated)


# Requests


def test_subscribing_takes_one_frame_per_book_and_one_for_all_trades_and_tickers() -> None:
    subscriptions = CODEC.subscribe_frames([BTC_USDT, Symbol("ETH", "USDT")], 1790000000999, 5)
    assert [json.loads(subscription.frame) for subscription in subscriptions] == [
        {"time": 1790000000, "id": 5, "channel": "spot.order_book_update", "event": "subscribe", "payload": ["BTC_USDT", "100ms"]},
        {"time": 1790000000, "id": 6, "channel": "spot.order_book_update", "event": "subscribe", "payload": ["ETH_USDT", "100ms"]},
        {"time": 1790000000, "id": 7, "channel": "spot.trades", "event": "subscribe", "payload": ["BTC_USDT", "ETH_USDT"]},
        {"time": 1790000000, "id": 8, "channel": "spot.tickers", "event": "subscribe", "payload": ["BTC_USDT", "ETH_USDT"]},
    ]
    assert [(subscription.request_id, subscription.book_symbols) for subscription in subscriptions] == [
        (5, (BTC_USDT,)),
        (6, (Symbol("ETH", "USDT"),)),
        (7, ()),
        (8, ()),
    ]


def test_unsubscribing_ends_books_only_and_ping_is_bare() -> None:
    assert [json.loads(frame) for frame in CODEC.unsubscribe_frames([BTC_USDT], 1790000000999, 3)] == [
        {"time": 1790000000, "id": 3, "channel": "spot.order_book_update", "event": "unsubscribe", "payload": ["BTC_USDT", "100ms"]}
    ]
    assert json.loads(CODEC.ping_frame(1790000001000) or "") == {"time": 1790000001, "channel": "spot.ping"}


def test_every_request_is_counted_in_a_group_whose_limit_is_known() -> None:
    for request in (CODEC.instruments_request(), CODEC.snapshot_request(BTC_USDT)):
        limit = CODEC.rate_limits[request.group]
        assert limit.capacity <= 200
        assert limit.period_seconds == 10.0
    snapshot = CODEC.snapshot_request(BTC_USDT).request
    assert (snapshot.method, snapshot.path) == ("GET", "/api/v4/spot/order_book")
    assert parse_qs(snapshot.query) == {"currency_pair": ["BTC_USDT"], "limit": ["100"], "with_id": ["true"]}
    assert CODEC.rest_url("live") == "https://api.gateio.ws"
    assert CODEC.websocket_url("testnet").startswith("wss://ws-testnet.")


# REST answers


def test_instruments_are_read_with_ticks_steps_limits_and_status() -> None:
    instruments = {instrument.symbol.base: instrument for instrument in CODEC.decode_instruments(CURRENCY_PAIRS)}
    assert instruments["BTC"] == Instrument(
        exchange="gateio_spot",
        symbol=BTC_USDT,
        price_tick=Decimal("0.1"),
        quantity_step=Decimal("0.000001"),
        quantity_min=Decimal("0.0001"),
        notional_min=Decimal(3),
        quantity_max=None,
        notional_max=Decimal(5000000),
        status=TradingStatus.TRADABLE,
    )
    assert instruments["OLD"].quantity_min == Decimal("0.001")  # none is stated: one step
    assert instruments["OUT"].notional_min == 0
    statuses = [instruments[base].status for base in ("OLD", "OUT", "IN", "ODD")]
    assert statuses == [TradingStatus.CLOSED, TradingStatus.SELL_ONLY, TradingStatus.BUY_ONLY, TradingStatus.CLOSED]


@pytest.mark.parametrize("limit", ["NaN", "-1", "Infinity"])
def test_impossible_instrument_limit_is_against_the_protocol(limit: str) -> None:
    with pytest.raises(ProtocolError, match="impossible limit"):
        CODEC.decode_instruments(CURRENCY_PAIRS.replace(b'"0.0001"', f'"{limit}"'.encode()))


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, b'{"label":"INVALID_CURRENCY_PAIR","message":"Invalid currency pair NOPE_USDT"}', RefusalKind.UNKNOWN_SYMBOL),
        (400, b'{"label":"INVALID_PARAM_VALUE","message":"limit"}', RefusalKind.INVALID_PARAMETERS),
        (429, b'{"label":"TOO_MANY_REQUESTS","message":"slow down"}', RefusalKind.RATE_LIMITED),
        (500, b'{"label":"INTERNAL","message":"oops"}', RefusalKind.RETRYABLE),
        (502, b"<html>bad gateway</html>", RefusalKind.RETRYABLE),
        (403, b"[" * 20_000, RefusalKind.UNKNOWN),
        (418, b"", RefusalKind.RATE_LIMITED),
        (400, b'{"label":"NEW_LABEL","message":"?"}', RefusalKind.UNKNOWN),
    ],
)
def test_refused_requests_are_classified(status: int, body: bytes, kind: RefusalKind) -> None:
    with pytest.raises(RequestRefused) as raised:
        CODEC.check_response(HttpResponse(status=status, headers={}, body=body))
    assert (raised.value.kind, raised.value.status) == (kind, status)
    CODEC.check_response(HttpResponse(status=200, headers={}, body=body))


# Books


def test_hand_written_samples_make_the_book_they_should() -> None:
    synchroniser = BookSynchroniser(BTC_USDT, CODEC.sequence_rule)
    synchroniser.open()
    assert synchroniser.confirm() == (FetchSnapshot(1, 1),)
    for index in (4, 5):
        (delta,) = decode(index)
        assert isinstance(delta, BookDeltaDecoded)
        synchroniser.apply_delta(delta)
    assert synchroniser.apply_snapshot(CODEC.decode_snapshot(BTC_USDT, ORDER_BOOK), 1) == (Publish(),)
    assert synchroniser.book.sequence == 5005
    assert synchroniser.book.top(5) == (((60000.1, 0.25), (60000.0, 1.25)), ((60000.3, 1.5), (60001.0, 2.0)))


def top10_hash(book: OrderBook) -> str:
    def text(levels: tuple[Level, ...]) -> str:
        return "|".join(f"{plain(price)}:{plain(quantity)}" for price, quantity in levels)

    def plain(value: float) -> str:
        return format(decimal_from_book(value).normalize(), "f")

    bids, asks = book.top(10)
    return hashlib.sha256(f"{text(bids)}#{text(asks)}".encode()).hexdigest()[:16]


def test_books_of_the_2021_capture_are_rebuilt_to_the_expected_ones() -> None:
    expected: dict[str, Any] = json.loads(capture_path("expected_books.json").read_text())["gateio_spot/cf_gateio_20210422"]
    books = {pair: BookSynchroniser(CODEC.identity.from_wire(pair), CODEC.sequence_rule) for pair in expected}
    seen: dict[str, dict[int, tuple[Any, ...]]] = {pair: {} for pair in expected}
    snapshots: dict[str, tuple[int, OrderBook]] = {}
    for book in books.values():
        book.open()
    for record in read_lines(capture_path("gateio_spot/cf_gateio_20210422.jsonl.gz")):
        if record["k"] == "http":
            pair = parse_qs(urlsplit(record["url"]).query)["currency_pair"][0]
            book = books[pair]
            snapshot = CODEC.decode_snapshot(book.symbol, record["raw"].encode())
            alone = OrderBook()
            alone.replace(snapshot.bids, snapshot.asks, snapshot.sequence)
            snapshots[pair] = (snapshot.sequence, alone)
            assert Publish() in book.apply_snapshot(snapshot, book.generation)
        elif record["k"] == "ws_in":
            for message in CODEC.decode_frame(record["raw"], record["t"]):
                if isinstance(message, SubscriptionConfirmed) and message.channel == "spot.order_book_update":
                    next(book for book in books.values() if book.state is BookState.BUFFERING).confirm()
                if isinstance(message, BookDeltaDecoded):
                    pair = CODEC.identity.to_wire(message.symbol)
                    assert books[pair].apply_delta(message) in ((), (Publish(),))
                    book = books[pair].book
                    if books[pair].state is BookState.SYNCHRONISED:
                        seen[pair][book.sequence] = state_of(book)
    for pair, facts in expected.items():
        book = books[pair].book
        assert books[pair].generation == 1, f"{pair} has no gap"
        assert snapshots[pair][0] == facts["snapshot_id"]
        if facts["applied"] == 0:
            assert state_of(book) == state_of(snapshots[pair][1]), f"{pair}: every diff is older, the book is the snapshot"
        for checkpoint in facts.get("checkpoints", []):
            best = tuple(float(price) for price in checkpoint["best"])
            wanted = (best, checkpoint["n_bids"], checkpoint["n_asks"], checkpoint["top10"])
            if checkpoint["u"] in seen[pair]:
                assert seen[pair][checkpoint["u"]] == wanted
            else:  # passed while the buffer was joined with the snapshot: only the final book is to be seen
                assert checkpoint["u"] < min(seen[pair])
    assert sum(checkpoint["u"] in seen[pair] for pair, facts in expected.items() for checkpoint in facts.get("checkpoints", [])) >= 24


def state_of(book: OrderBook) -> tuple[Any, ...]:
    return (book.best_bid, book.best_ask), book.bid_levels, book.ask_levels, top10_hash(book)


def test_every_frame_of_the_2021_capture_is_understood() -> None:
    counts: dict[str, int] = {}
    for record in read_lines(capture_path("gateio_spot/cf_gateio_20210422.jsonl.gz")):
        if record["k"] == "ws_in":
            for message in CODEC.decode_frame(record["raw"], 0.0):
                counts[type(message).__name__] = counts.get(type(message).__name__, 0) + 1
    assert counts == {"SubscriptionConfirmed": 22, "BookDeltaDecoded": 172, "TickerChanged": 22, "TradeHappened": 9}


def test_instruments_of_the_2021_capture_are_read() -> None:
    (record,) = read_lines(capture_path("gateio_spot/cf_gateio_20210422.instruments.jsonl.gz"))
    instruments = {instrument.symbol: instrument for instrument in CODEC.decode_instruments(record["raw"].encode())}
    assert len(instruments) == len(json.loads(record["raw"]))
    aleph = instruments[Symbol("ALEPH", "USDT")]
    assert (aleph.price_tick, aleph.quantity_step, aleph.notional_min) == (Decimal("0.0001"), Decimal("0.001"), Decimal(1))


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("v4_20230428_samples.jsonl", [["TradeHappened"], [], [], ["BookDeltaDecoded"]]),
        ("v4_obu_20250801_samples.jsonl", [["SubscriptionConfirmed"], [], []]),  # a channel that is not used yet
    ],
)
def test_newer_sample_frames_are_understood(name: str, kinds: list[list[str]]) -> None:
    frames = [msgspec.json.encode(frame) for frame in read_lines(capture_path(f"gateio_spot/{name}"))]
    assert [[type(message).__name__ for message in CODEC.decode_frame(frame, 0.0)] for frame in frames] == kinds
