from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from urllib.parse import parse_qs

import pytest
from captures import SAMPLES, capture_path, read_lines
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.feeds.book_sync import BookState, BookSynchroniser, ExpectPush, LossKind, Lost, Publish, Resubscribe
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
from actors.feeds.okx.checksum import book_checksum
from actors.feeds.okx.spot import OkxSpotFeedCodec
from market.book import OrderBook
from market.events import Level, Side, TickerChanged, TradeHappened
from market.instrument import Instrument, TradingStatus
from market.symbol import Symbol
from network.http import HttpResponse

CODEC: FeedCodec = OkxSpotFeedCodec()
BTC_USDT, ETH_USDT = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")
FRAMES = (SAMPLES / "okx_spot_frames.jsonl").read_text().splitlines()
INSTRUMENTS = (SAMPLES / "okx_spot_instruments.json").read_bytes()
ORDER_BOOK = (SAMPLES / "okx_spot_order_book.json").read_bytes()


def decode(index: int) -> Sequence[Decoded]:
    return tuple(CODEC.decode_frame(FRAMES[index], 12.5))


def delta(frame: Frame) -> BookDeltaDecoded:
    (decoded,) = CODEC.decode_frame(frame, 12.5)
    assert isinstance(decoded, BookDeltaDecoded)
    return decoded


# Frames


def test_answers_to_subscriptions_are_told_apart() -> None:
    assert decode(0) == (SubscriptionConfirmed("books", 1),)
    assert decode(1) == (SubscriptionConfirmed("trades", None),)
    (refused,) = decode(2)
    assert isinstance(refused, SubscriptionRefused)
    assert (refused.request_id, "doesn't exist" in refused.message, "60018" in refused.message) == (7, True, True)


def test_snapshot_and_update_carry_levels_and_linked_numbers_and_a_checksum_of_zero_is_none() -> None:
    assert decode(4) == (
        BookDeltaDecoded(
            symbol=BTC_USDT,
            bids=[(60000.1, 0.25), (60000.0, 1.25), (59999.0, 3.0)],
            asks=[(60000.3, 1.5), (60001.0, 2.0)],
            first_sequence=10,
            last_sequence=10,
            previous_sequence=-1,
            checksum=None,
            exchange_time_milliseconds=1790000001099,
            is_full=True,
        ),
    )
    update = delta(FRAMES[5])
    assert (update.previous_sequence, update.last_sequence, update.is_full, update.bids) == (10, 15, False, [(59999.0, 0.0)])


def test_levels_of_a_message_without_checksum_are_plain_floats() -> None:
    assert {type(number) for level in (*delta(FRAMES[4]).bids, *delta(FRAMES[4]).asks) for number in level} == {float}


def test_trade_keeps_the_takers_side() -> None:
    assert decode(11) == (TradeHappened("okx_spot", BTC_USDT, "130639474", Side.BUY, 60000.3, 0.12060306, 1790000003331, 12.5),)


def test_ticker_without_prices_says_nothing() -> None:
    assert decode(12) == (TickerChanged("okx_spot", BTC_USDT, 60000.3, 60000.1, 60000.4, 1200.5, 72030600.15, 12.5),)
    assert decode(13) == ()


@pytest.mark.parametrize("frame", ["pong", b"pong"])
def test_pong_is_bare_text(frame: Frame) -> None:
    assert tuple(CODEC.decode_frame(frame, 0.0)) == (Pong(),)


def test_upgrade_notice_ends_the_connection_and_other_notices_say_nothing() -> None:
    assert decode(14) == (ConnectionClosing("The connection will soon be closed for a service upgrade. Please reconnect."),)
    assert decode(3) == decode(15) == decode(16) == ()


BAD_FRAMES: list[tuple[Frame, Symbol | None, bool]] = [
    ("", None, True),
    ("not json", None, True),
    (b"\xff\xfe\x00", None, True),
    ("\ud800", None, True),
    ("[" * 20_000, None, True),
    ("{}", None, True),
    ('{"arg":5}', None, True),
    (FRAMES[4].replace('"60000.1"', '"NaN"'), BTC_USDT, True),
    (FRAMES[4].replace('"60000.1"', '"-1"'), BTC_USDT, True),
    (FRAMES[4].replace('"60000.1"', '"0"'), BTC_USDT, True),
    (FRAMES[4].replace('"0.25"', '"-0.25"'), BTC_USDT, True),
    (FRAMES[4].replace('"0.25"', '"inf"'), BTC_USDT, True),
    (FRAMES[4].replace('["60000.1","0.25","0","1"]', '["60000.1"]'), BTC_USDT, True),
    (FRAMES[4].replace('"seqId":10', '"seqId":-1'), BTC_USDT, True),
    (FRAMES[4].replace(',"seqId":10', ""), BTC_USDT, True),
    (FRAMES[4].replace('"snapshot"', '"partial"'), BTC_USDT, True),
    (FRAMES[4].replace('"BTC-USDT"', '"BTCUSDT"'), None, True),
    (FRAMES[9].replace('"0.00000001"', "0.00000001"), BTC_USDT, True),
    (FRAMES[11].replace('"0.12060306"', '"x"'), None, False),
    (FRAMES[11].replace('"buy"', '"both"'), None, False),
    (FRAMES[11].replace('"1790000003331"', '"1e400"'), None, False),
    (FRAMES[12].replace('"last":"60000.3"', '"last":"nan"'), None, False),
]


@pytest.mark.parametrize(("frame", "symbol", "affects_books"), BAD_FRAMES)
def test_frame_against_the_protocol_names_what_it_may_have_spoilt(frame: Frame, symbol: Symbol | None, affects_books: bool) -> None:
    with pytest.raises(ProtocolError) as raised:
        CODEC.decode_frame(frame, 0.0)
    assert (raised.value.symbol, raised.value.affects_books) == (symbol, affects_books)


NOISE = st.one_of(st.binary(max_size=6), st.sampled_from([b"1e999", b'"', b"null", b"{", b"]", b"-", b"\\ud800"]))


def assert_events_or_protocol_error(frame: Frame) -> None:
    book = OrderBook()
    with suppress(ProtocolError):
        for message in CODEC.decode_frame(frame, 0.0):
            if isinstance(message, BookDeltaDecoded):  # whatever was decoded, a book accepts
                book.apply(message.bids, message.asks, message.last_sequence)
                book_checksum(book)


@given(st.sampled_from(FRAMES), st.data())
@settings(max_examples=300, deadline=None)
def test_mutated_frames_give_events_or_protocol_errors(frame: str, data: st.DataObject) -> None:
    raw = bytearray(frame.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(raw)))
        end = min(len(raw), start + data.draw(st.integers(0, 12)))
        raw[start:end] = data.draw(NOISE)
    assert_events_or_protocol_error(bytes(raw))
    assert_events_or_protocol_error(bytes(raw).decode("utf-8", "surrogateescape"))


field_names = st.sampled_from(["asks", "bids", "seqId", "prevSeqId", "ts", "checksum", "px", "sz", "last"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(field_names, values, max_size=5),
    max_leaves=12,
)


@given(st.sampled_from(["books", "trades", "tickers", "status", ""]), st.sampled_from(["snapshot", "update", ""]), json_values)
def test_well_formed_pushes_with_any_data_give_events_or_protocol_errors(channel: str, action: str, data: object) -> None:
    arg = {"channel": channel, "instId": "BTC-USDT"}
    assert_events_or_protocol_error(json.dumps({"arg": arg, "action": action, "data": data}))
    assert_events_or_protocol_error(json.dumps({"event": action, "arg": arg, "code": data, "id": data}))


@given(st.sampled_from([INSTRUMENTS, ORDER_BOOK]), st.data())
def test_any_rest_body_gives_a_result_or_a_protocol_error(body: bytes, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(body)))
    mutated = body[:cut] + data.draw(NOISE) + body[cut + data.draw(st.integers(0, 3)) :]
    with suppress(ProtocolError):
        CODEC.decode_instruments(mutated)
    with suppress(ProtocolError):
        CODEC.decode_snapshot(BTC_USDT, mutated)


# Requests


def test_subscribing_takes_one_frame_per_channel_and_symbol_because_each_is_answered_by_itself() -> None:
    subscriptions = CODEC.subscribe_frames([BTC_USDT, ETH_USDT], 1790000000999, 5)
    assert [json.loads(subscription.frame) for subscription in subscriptions] == [
        {"id": str(number), "op": "subscribe", "args": [{"channel": channel, "instId": instrument}]}
        for number, (instrument, channel) in enumerate(
            [(instrument, channel) for instrument in ("BTC-USDT", "ETH-USDT") for channel in ("books", "trades", "tickers")], 5
        )
    ]
    assert [(one.request_id, one.channel, one.book_symbols) for one in subscriptions] == [
        (5, "books", (BTC_USDT,)),
        (6, "trades", ()),
        (7, "tickers", ()),
        (8, "books", (ETH_USDT,)),
        (9, "trades", ()),
        (10, "tickers", ()),
    ]


def test_unsubscribing_ends_books_only_and_ping_is_bare_text() -> None:
    assert [json.loads(frame) for frame in CODEC.unsubscribe_frames([BTC_USDT], 1790000000999, 3)] == [
        {"id": "3", "op": "unsubscribe", "args": [{"channel": "books", "instId": "BTC-USDT"}]}
    ]
    assert CODEC.ping_frame(1790000001000) == "ping"


def test_requests_ask_for_spot_instruments_and_the_whole_pushed_depth() -> None:
    instruments, snapshot = CODEC.instruments_request(), CODEC.snapshot_request(BTC_USDT)
    assert (instruments.request.path, instruments.request.query) == ("/api/v5/public/instruments", "instType=SPOT")
    assert snapshot.request.path == "/api/v5/market/books"
    assert parse_qs(snapshot.request.query) == {"instId": ["BTC-USDT"], "sz": ["400"]}
    assert (CODEC.rate_limits[instruments.group].capacity, CODEC.rate_limits[snapshot.group].capacity) == (18, 36)
    assert CODEC.websocket_url("testnet") == "wss://wspap.okx.com/ws/v5/public"


# REST answers


def test_instruments_are_read_with_tick_step_minimum_and_status_and_placeholders_are_skipped() -> None:
    bitcoin, ether = CODEC.decode_instruments(INSTRUMENTS)
    assert bitcoin == Instrument(
        exchange="okx_spot",
        symbol=BTC_USDT,
        price_tick=Decimal("0.1"),
        quantity_step=Decimal("0.00000001"),
        quantity_min=Decimal("0.00001"),
        notional_min=Decimal(0),
        quantity_max=Decimal(9999999999),
        status=TradingStatus.TRADABLE,
    )
    assert (ether.symbol, ether.status, ether.quantity_max) == (Symbol("ETH", "USDC"), TradingStatus.CLOSED, None)


@pytest.mark.parametrize("rule", ["NaN", "-1", "0", "Infinity", "x", "1e99"])
def test_impossible_rule_of_an_instrument_is_against_the_protocol(rule: str) -> None:
    with pytest.raises(ProtocolError):
        CODEC.decode_instruments(INSTRUMENTS.replace(b'"0.00001"', f'"{rule}"'.encode()))


def test_snapshot_is_numbered_where_the_exchange_numbers_it() -> None:
    snapshot = CODEC.decode_snapshot(BTC_USDT, ORDER_BOOK)
    assert (snapshot.sequence, snapshot.bids, snapshot.asks[0]) == (15, [(60000.1, 0.25), (60000.0, 1.25)], (60000.3, 1.5))
    assert CODEC.decode_snapshot(BTC_USDT, ORDER_BOOK.replace(b',"seqId":15', b"")).sequence == 0
    with pytest.raises(ProtocolError):
        CODEC.decode_snapshot(BTC_USDT, b'{"code":"0","msg":"","data":[]}')


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b'{"code":"51001","msg":"Instrument ID does not exist","data":[]}', RefusalKind.UNKNOWN_SYMBOL),
        (400, b'{"code":"51000","msg":"Parameter sz error","data":[]}', RefusalKind.INVALID_PARAMETERS),
        (200, b'{"code":"50011","msg":"Too Many Requests","data":[]}', RefusalKind.RATE_LIMITED),
        (429, b'{"code":"50013","msg":"Systems are busy","data":[]}', RefusalKind.RETRYABLE),
        (503, b'{"code":"50001","msg":"Service temporarily unavailable","data":[]}', RefusalKind.MAINTENANCE),
        (429, b"", RefusalKind.RATE_LIMITED),
        (418, b"", RefusalKind.RATE_LIMITED),
        (502, b"<html>bad gateway</html>", RefusalKind.RETRYABLE),
        (403, b"[" * 20_000, RefusalKind.UNKNOWN),
        (200, b'{"code":"59999","msg":"?","data":[]}', RefusalKind.UNKNOWN),
    ],
)
def test_refused_requests_are_classified_by_their_code_whatever_the_status(status: int, body: bytes, kind: RefusalKind) -> None:
    with pytest.raises(RequestRefused) as raised:
        CODEC.check_response(HttpResponse(status=status, headers={}, body=body))
    assert (raised.value.kind, raised.value.status) == (kind, status)
    CODEC.check_response(HttpResponse(status=200, headers={}, body=ORDER_BOOK))


# Books


def opened() -> BookSynchroniser:
    synchroniser = BookSynchroniser(BTC_USDT, CODEC.sequence_rule, checksum_agrees=CODEC.checksum_agrees)
    synchroniser.open()
    assert synchroniser.confirm() == (ExpectPush(1, 0),)
    return synchroniser


def test_documented_sequence_of_snapshot_update_heartbeat_and_reset_makes_one_book() -> None:
    synchroniser = opened()
    for index in range(4, 9):
        assert synchroniser.apply_delta(delta(FRAMES[index])) == (Publish(),)
    assert synchroniser.generation == 1
    assert synchroniser.book.sequence == 5
    assert synchroniser.book.top(5) == (((60000.1, 0.25), (60000.0, 1.25)), ((60000.3, 1.5), (60001.0, 2.0)))


def test_update_that_does_not_link_is_a_gap_even_if_its_number_is_low() -> None:
    for missed in (5, 7):
        synchroniser = opened()
        for index in range(4, missed):
            synchroniser.apply_delta(delta(FRAMES[index]))
        lost, resubscribe = synchroniser.apply_delta(delta(FRAMES[missed + 1]))
        assert isinstance(lost, Lost)
        assert (lost.kind, resubscribe) == (LossKind.GAP, Resubscribe(2, 1))


def test_checksum_is_that_of_the_levels_as_they_were_written() -> None:
    synchroniser = opened()
    assert synchroniser.apply_delta(delta(FRAMES[9])) == (Publish(),)
    assert synchroniser.apply_delta(delta(FRAMES[10])) == (Publish(),)
    other = opened()
    other.apply_delta(delta(FRAMES[9]))
    lost, _ = other.apply_delta(delta(FRAMES[10].replace('"59999","1"', '"59999","1.0"')))
    assert isinstance(lost, Lost)
    assert lost.kind is LossKind.CHECKSUM


def levels(text: str) -> tuple[list[Level], list[Level]]:
    parts = [float(part) for part in text.split(":")]
    return [(parts[i], parts[i + 1]) for i in range(0, len(parts), 4)], [(parts[i], parts[i + 1]) for i in range(2, len(parts), 4)]


def test_checksum_equals_the_known_ones_also_where_only_floats_are_known() -> None:
    book = OrderBook()
    book.replace([(3366.1, 7.0), (3366.0, 6.0)], [(3366.8, 9.0), (3368.0, 8.0)], 1)
    assert book_checksum(book) == -1881014294
    book.replace([(3366.1, 7.0)], [(3366.8, 9.0), (3368.0, 8.0), (3372.0, 8.0)], 1)
    assert book_checksum(book) == 831078360
    real = (
        "5.14:251:5.148:60:5.139:25:5.149:192:5.138:202:5.151:48:5.136:231:5.152:25:5.135:5:5.153:491:5.134:63:5.154:1988:5.133:338:"
        "5.155:156:5.132:439:5.156:73:5.131:397:5.157:5:5.13:1729:5.158:164:5.128:738:5.159:288:5.126:16:5.16:122:5.124:12745:5.161:109:"
        "5.123:57:5.162:16:5.122:1785:5.163:2613:5.121:412:5.166:11851:5.12:115:5.169:500:5.119:1069:5.17:64:5.117:35:5.175:163:"
        "5.114:45:5.178:419:5.113:3485:5.182:614:5.106:75:5.183:160:5.105:3391:5.187:396:5.103:53:5.189:3686:5.102:160:5.19:3058"
    )
    bids, asks = levels(real)
    book.replace([*bids, (5.101, 55.0)], asks, 1)
    assert book_checksum(book) == 555605283
    book.apply([(5.14, 427.0), (5.138, 26.0), (5.117, 0.0)], [(5.158, 129.0), (5.233, 240.0)], 2)
    assert book_checksum(book) == 1361161687


def test_books_of_the_2022_capture_are_rebuilt_with_every_checksum() -> None:
    books: dict[Symbol, BookSynchroniser] = {}
    checked = trades = tickers = 0
    sequence = 0
    for record in read_lines(capture_path("okx/cf_okx_20220513_BTC-USDT_UNI-USD-SWAP.jsonl.gz")):
        if record["k"] != "ws_in":
            continue
        raw = record["raw"]
        if '"checksum"' in raw:  # books were not numbered then: they are here, in the order of their coming
            sequence += 1
            previous = -1 if '"snapshot"' in raw else last_of(books, raw)
            raw = raw.replace('"checksum"', f'"prevSeqId":{previous},"seqId":{sequence},"checksum"')
        for message in CODEC.decode_frame(raw, record["t"]):
            if isinstance(message, BookDeltaDecoded):
                if message.symbol not in books:
                    book = BookSynchroniser(message.symbol, CODEC.sequence_rule, checksum_agrees=CODEC.checksum_agrees)
                    book.open()
                    books[message.symbol] = book
                assert message.checksum is not None
                assert books[message.symbol].apply_delta(message) == (Publish(),)
                checked += 1
            trades += isinstance(message, TradeHappened)
            tickers += isinstance(message, TickerChanged)
    assert checked == 191
    assert trades > 0
    assert tickers > 0
    for book in books.values():
        assert (book.state, book.generation, book.book.is_crossed) == (BookState.SYNCHRONISED, 1, False)


def last_of(books: dict[Symbol, BookSynchroniser], raw: str) -> int:
    symbol = CODEC.identity.from_wire(json.loads(raw)["arg"]["instId"])
    return books[symbol].book.sequence


def test_instruments_of_the_2022_capture_are_read() -> None:
    found = 0
    for record in read_lines(capture_path("okx/cf_okx_20220513.instruments.jsonl.gz")):
        if record["k"] == "http" and "instType=SPOT" in record["url"]:
            instruments = {one.symbol: one for one in CODEC.decode_instruments(record["raw"].encode())}
            assert instruments[BTC_USDT].price_tick == Decimal("0.1")
            found += len(instruments)
    assert found > 100


def test_frames_of_the_2021_samples_are_read_but_for_books_which_were_not_numbered_then() -> None:
    kinds: list[str] = []
    for record in read_lines(capture_path("okx/v5_20211223_samples_spot.jsonl")):
        kinds += [type(message).__name__ for message in CODEC.decode_frame(json.dumps(record), 0.0)]
    assert kinds == ["SubscriptionConfirmed", "TradeHappened", "TickerChanged"]
