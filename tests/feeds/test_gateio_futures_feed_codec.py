from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from urllib.parse import parse_qs

import pytest
from captures import SAMPLES
from hypothesis import example, given, settings
from hypothesis import strategies as st

from actors.feeds.book_sync import BookSynchroniser, FetchSnapshot, Publish
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
from actors.feeds.gateio.futures import GateioFuturesFeedCodec
from exchanges.gateio_futures import GATEIO_FUTURES
from market.book import OrderBook
from market.events import FundingRateChanged, LiquidationHappened, MarkPriceChanged, Side, TickerChanged, TradeHappened
from market.instrument import Instrument, TradingStatus
from market.symbol import Symbol
from network.http import HttpResponse

BTC, ETH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")
FRAMES = (SAMPLES / "gateio_futures_frames.jsonl").read_text().splitlines()
CONTRACTS = (SAMPLES / "gateio_futures_contracts.json").read_bytes()
ORDER_BOOK = (SAMPLES / "gateio_futures_order_book.json").read_bytes()


def informed() -> FeedCodec:
    """A codec that has been told what contracts are worth."""
    codec: FeedCodec = GateioFuturesFeedCodec()
    codec.decode_instruments(CONTRACTS)
    return codec


CODEC = informed()


def decode(index: int) -> Sequence[Decoded]:
    return list(CODEC.decode_frame(FRAMES[index], 12.5))


# Frames


def test_subscription_answers_are_told_apart() -> None:
    assert decode(0) == [SubscriptionConfirmed("futures.order_book_update", 1)]
    assert decode(1) == [SubscriptionRefused("futures.tickers", 7, "unknown currency pair NOPE_USDT (code 2)")]


def test_book_update_carries_base_units_of_sizes_in_text_and_the_range_of_numbers() -> None:
    assert decode(2) == [
        BookDeltaDecoded(
            symbol=BTC,
            bids=[(60000.1, 0.0003), (59999.0, 0.0)],  # 3 times 0.0001 as floats would be 0.00030000000000000003
            asks=[(60000.3, 1.5)],
            first_sequence=5001,
            last_sequence=5004,
            exchange_time_milliseconds=1790000001099,
        )
    ]


def test_book_update_carries_base_units_of_sizes_in_numbers() -> None:
    (delta,) = decode(3)
    assert isinstance(delta, BookDeltaDecoded)
    assert delta.asks == [(60001.0, 0.0007)]


def test_update_without_levels_still_has_its_range_of_numbers() -> None:
    (delta,) = decode(4)
    assert isinstance(delta, BookDeltaDecoded)
    assert (delta.bids, delta.asks, delta.first_sequence, delta.last_sequence) == ([], [], 5008, 5011)


def test_full_push_is_marked_and_parts_of_contracts_are_read_exactly() -> None:
    (delta,) = decode(5)
    assert isinstance(delta, BookDeltaDecoded)
    assert (delta.is_full, delta.symbol, delta.first_sequence, delta.last_sequence) == (True, ETH, 6000, 6000)
    assert (delta.bids, delta.asks) == ([(3001.25, 51.168)], [(3001.5, 0.003)])


def test_trades_have_the_takers_side_by_their_sign_and_internal_ones_are_no_trades_of_the_market() -> None:
    assert decode(6) == [
        TradeHappened("gateio_futures", BTC, "753221001", Side.SELL, 60000.1, 0.0108, 1790000003331, 12.5),
        TradeHappened("gateio_futures", BTC, "753221002", Side.BUY, 60000.3, 0.0003, 1790000003332, 12.5),
    ]


def test_ticker_tells_mark_price_and_funding_as_well() -> None:
    assert decode(7) == [
        TickerChanged("gateio_futures", BTC, 60000.3, None, None, 51806.0, 3108410000.0, 12.5),
        MarkPriceChanged("gateio_futures", BTC, Decimal("60001.23"), 12.5),
        FundingRateChanged("gateio_futures", BTC, Decimal("-0.000033"), 1790006400000, 12.5),
    ]


def test_ticker_tells_only_what_it_says() -> None:
    # Of ETH no volumes in base units and no time of funding; of OLD nothing at all.
    assert decode(8) == [MarkPriceChanged("gateio_futures", ETH, Decimal("3001.3"), 12.5)]


def test_liquidation_has_the_side_of_the_order_that_liquidates() -> None:
    assert decode(9) == [
        LiquidationHappened("gateio_futures", BTC, Side.SELL, 59990.5, 0.0124, 12.5),
        LiquidationHappened("gateio_futures", ETH, Side.BUY, 3002.5, 0.12, 12.5),
    ]


def test_pong_and_both_shapes_of_the_upgrade_notice() -> None:
    assert decode(10) == [Pong()]
    notice = ConnectionClosing("The connection will soon be closed for a service upgrade. Please reconnect.")
    assert decode(11) == decode(12) == [notice]


def test_channels_that_nobody_asked_for_and_ended_subscriptions_say_nothing() -> None:
    assert decode(13) == decode(14) == []


BAD_FRAMES: list[tuple[Frame, Symbol | None, bool]] = [
    ("", None, True),
    ("{}", None, True),
    (b"\xff\xfe\x00", None, True),
    (FRAMES[2].replace('"s":"3"', '"s":"-3"'), BTC, True),
    (FRAMES[2].replace('"s":"3"', '"s":"NaN"'), BTC, True),
    (FRAMES[2].replace('"60000.1"', '"0"'), BTC, True),
    (FRAMES[2].replace('{"p":"60000.1","s":"3"}', '["60000.1","3"]'), BTC, True),
    (FRAMES[2].replace('"U":5001', '"U":5005'), BTC, True),
    (FRAMES[2].replace('"U":5001,', ""), BTC, True),
    (FRAMES[2].replace('"BTC_USDT"', '"SOON_USDT"'), Symbol("SOON", "USDT"), True),
    (FRAMES[2].replace('"BTC_USDT"', '"BTCUSDT"'), None, True),
    (FRAMES[6].replace('"-108"', '"x"'), None, False),
    (FRAMES[6].replace('"BTC_USDT"', '"SOON_USDT"'), Symbol("SOON", "USDT"), False),
    (FRAMES[7].replace('"last":"60000.3"', '"last":"nan"'), None, False),
    (FRAMES[7].replace('"mark_price":"60001.23"', '"mark_price":"-1"'), None, False),
    (FRAMES[7].replace('"mark_price":"60001.23"', '"mark_price":"1e400"'), None, False),
    (FRAMES[7].replace('"funding_rate":"-0.000033"', '"funding_rate":"high"'), None, False),
    (FRAMES[9].replace('"59990.5"', '"-1"'), None, False),
]


@pytest.mark.parametrize(("frame", "symbol", "affects_books"), BAD_FRAMES)
def test_frame_against_the_protocol_names_what_it_may_have_spoilt(frame: Frame, symbol: Symbol | None, affects_books: bool) -> None:
    with pytest.raises(ProtocolError) as raised:
        CODEC.decode_frame(frame, 0.0)
    assert (raised.value.symbol, raised.value.affects_books) == (symbol, affects_books)


@pytest.mark.parametrize("index", [2, 6, 9])
def test_quantity_is_not_read_before_the_worth_of_the_contract_is_known(index: int) -> None:
    with pytest.raises(ProtocolError, match="no contract that was listed"):
        GateioFuturesFeedCodec().decode_frame(FRAMES[index], 0.0)
    with pytest.raises(ProtocolError, match="no contract that was listed"):
        GateioFuturesFeedCodec().decode_snapshot(BTC, ORDER_BOOK)


NOISE = st.one_of(st.binary(max_size=6), st.sampled_from([b"1e999", b'"', b"null", b"{", b"]", b"-", b"\\ud800", b'"9e99"', b"0.1"]))


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


field_names = st.sampled_from(["s", "p", "U", "u", "b", "a", "t", "full", "contract", "size", "price", "last", "mark_price", "type"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("BTC_USDT"),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(field_names, values, max_size=6),
    max_leaves=12,
)
CHANNELS = [f"futures.{name}" for name in ("order_book_update", "trades", "tickers", "public_liquidates", "system", "pong")]


@given(st.sampled_from([*CHANNELS, ""]), st.sampled_from(["update", "subscribe", "unsubscribe", ""]), json_values)
def test_well_formed_frames_with_any_result_give_events_or_protocol_errors(channel: str, event: str, result: object) -> None:
    assert_events_or_protocol_error(json.dumps({"channel": channel, "event": event, "result": result}))


def assert_events_or_protocol_error(frame: Frame) -> None:
    book = OrderBook()
    with suppress(ProtocolError):
        for message in CODEC.decode_frame(frame, 0.0):
            if isinstance(message, BookDeltaDecoded):  # whatever was decoded, a book accepts
                book.apply(message.bids, message.asks, message.last_sequence)


@given(st.sampled_from([CONTRACTS, ORDER_BOOK]), st.data())
@settings(max_examples=300, deadline=None)
def test_any_rest_body_gives_a_result_or_a_protocol_error(body: bytes, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(body)))
    mutated = body[:cut] + data.draw(NOISE) + body[cut + data.draw(st.integers(0, 3)) :]
    codec = informed()
    with suppress(ProtocolError):
        codec.decode_instruments(mutated)
    with suppress(ProtocolError):
        codec.decode_snapshot(BTC, mutated)


# Requests


def test_subscribing_takes_one_frame_per_book_and_one_for_all_of_each_other_channel() -> None:
    subscriptions = CODEC.subscribe_frames([BTC, ETH], 1790000000999, 5)
    frames = [json.loads(subscription.frame) for subscription in subscriptions]
    assert frames[:2] == [
        {
            "time": 1790000000,
            "id": 5,
            "channel": "futures.order_book_update",
            "event": "subscribe",
            "payload": ["BTC_USDT", "100ms", "100"],
        },
        {
            "time": 1790000000,
            "id": 6,
            "channel": "futures.order_book_update",
            "event": "subscribe",
            "payload": ["ETH_USDT", "100ms", "100"],
        },
    ]
    assert [(frame["id"], frame["channel"], frame["payload"]) for frame in frames[2:]] == [
        (7, "futures.trades", ["BTC_USDT", "ETH_USDT"]),
        (8, "futures.tickers", ["BTC_USDT", "ETH_USDT"]),
        (9, "futures.public_liquidates", ["BTC_USDT", "ETH_USDT"]),
    ]
    assert [subscription.book_symbols for subscription in subscriptions] == [(BTC,), (ETH,), (), (), ()]


def test_unsubscribing_ends_books_only_and_ping_is_bare() -> None:
    assert [json.loads(frame) for frame in CODEC.unsubscribe_frames([BTC], 1790000000999, 3)] == [
        {
            "time": 1790000000,
            "id": 3,
            "channel": "futures.order_book_update",
            "event": "unsubscribe",
            "payload": ["BTC_USDT", "100ms", "100"],
        }
    ]
    assert json.loads(CODEC.ping_frame(1790000001000) or "") == {"time": 1790000001, "channel": "futures.ping"}


def test_every_request_asks_for_decimal_sizes_and_is_counted_in_a_group_whose_limit_is_known() -> None:
    for request in (CODEC.instruments_request(), CODEC.snapshot_request(BTC)):
        assert request.request.headers == (("X-Gate-Size-Decimal", "1"),)
        limit = CODEC.rate_limits[request.group]
        assert limit.capacity <= 200
        assert limit.period_seconds == 10.0
    assert CODEC.instruments_request().request.path == "/api/v4/futures/usdt/contracts"
    snapshot = CODEC.snapshot_request(BTC).request
    assert (snapshot.method, snapshot.path) == ("GET", "/api/v4/futures/usdt/order_book")
    assert parse_qs(snapshot.query) == {"contract": ["BTC_USDT"], "limit": ["100"], "with_id": ["true"]}


def test_codec_says_where_the_exchange_is() -> None:
    assert CODEC.identity is GATEIO_FUTURES
    assert CODEC.rest_url("live") == "https://api.gateio.ws"
    assert CODEC.rest_url("testnet") == "https://api-testnet.gateapi.io"
    assert CODEC.websocket_url("live") == "wss://fx-ws.gateio.ws/v4/ws/usdt"
    assert CODEC.websocket_url("testnet") == "wss://ws-testnet.gate.com/v4/ws/futures/usdt"


# REST answers


def listed(body: bytes = CONTRACTS) -> dict[str, Instrument]:
    return {instrument.symbol.base: instrument for instrument in GateioFuturesFeedCodec().decode_instruments(body)}


def test_contract_is_read_with_its_limits_in_base_units() -> None:
    assert listed()["BTC"] == Instrument(
        exchange="gateio_futures",
        symbol=BTC,
        price_tick=Decimal("0.1"),
        quantity_step=Decimal("0.0001"),
        quantity_min=Decimal("0.0001"),
        quantity_max=Decimal(100),
        notional_min=Decimal(0),
        contract_size=Decimal("0.0001"),
        leverage_max=Decimal(125),
        status=TradingStatus.TRADABLE,
    )


def test_step_is_one_contract_unless_the_smallest_order_is_less() -> None:
    instruments = listed()
    steps = {base: (instruments[base].quantity_step, instruments[base].quantity_min) for base in ("ETH", "TENTH", "OLD")}
    assert steps == {
        "ETH": (Decimal("0.01"), Decimal("0.01")),  # parts may be ordered, but how small nowhere said
        "TENTH": (Decimal(1), Decimal(1)),
        "OLD": (Decimal(1), Decimal(5)),
    }
    assert instruments["TENTH"].quantity_max is None


def test_contracts_are_learned_anew_with_every_list() -> None:
    codec = informed()
    contracts = json.loads(CONTRACTS)
    (bitcoin,) = [contract for contract in contracts if contract["name"] == "BTC_USDT"]
    codec.decode_instruments(json.dumps([bitcoin | {"quanto_multiplier": "0.001"}, bitcoin | {"name": "NEW_USDT"}]).encode())
    (delta,) = codec.decode_frame(FRAMES[2], 12.5)
    assert isinstance(delta, BookDeltaDecoded)
    assert delta.asks == [(60000.3, 15.0)], "what a contract is worth has changed"
    (listed_since,) = codec.decode_frame(FRAMES[2].replace("BTC_USDT", "NEW_USDT"), 12.5)
    assert isinstance(listed_since, BookDeltaDecoded)
    assert listed_since.asks == [(60000.3, 1.5)]


def test_only_linear_contracts_settled_in_usdt_are_listed() -> None:
    # SOON cannot be traded yet and has no rules that make sense; the last three are inverse, or settled in something else.
    assert list(listed()) == ["BTC", "ETH", "TENTH", "OLD", "LEAVING", "HALTED"]


def test_contract_that_does_not_trade_freely_is_closed() -> None:
    closed = {base for base, instrument in listed().items() if instrument.status is TradingStatus.CLOSED}
    assert closed == {"LEAVING", "HALTED"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("quanto_multiplier", "0"),
        ("quanto_multiplier", "-0.0001"),
        ("quanto_multiplier", "1e999999"),
        ("quanto_multiplier", "0." + "1" * 500),
        ("order_price_round", "0"),
        ("order_price_round", "NaN"),
        ("order_size_min", "-1"),
        ("order_size_max", "Infinity"),
        ("leverage_max", "-5"),
    ],
)
def test_impossible_rule_of_a_contract_that_trades_is_against_the_protocol(field: str, value: str) -> None:
    contracts = json.loads(CONTRACTS)
    contracts[0][field] = value
    with pytest.raises(ProtocolError, match="BTC_USDT has impossible rules"):
        listed(json.dumps(contracts).encode())


def test_contracts_that_cannot_be_read_leave_what_was_known_in_force() -> None:
    codec = informed()
    with pytest.raises(ProtocolError):
        codec.decode_instruments(b'[{"name":"BTC_USDT","type":"direct"}]')
    assert codec.decode_snapshot(BTC, ORDER_BOOK).sequence == 5002


@given(st.integers(0, 10**9), st.sampled_from(["BTC", "ETH", "TENTH"]))
@example(3, "BTC")
def test_size_of_a_level_becomes_the_float_of_the_exact_quantity(size: int, base: str) -> None:
    result = {"s": f"{base}_USDT", "U": 1, "u": 1, "b": [{"p": "1", "s": str(size)}], "a": [{"p": "2", "s": size}]}
    frame = json.dumps({"channel": "futures.order_book_update", "event": "update", "result": result})
    (delta,) = CODEC.decode_frame(frame, 0.0)
    assert isinstance(delta, BookDeltaDecoded)
    exact = size * (listed()[base].contract_size or Decimal(0))
    assert [quantity for _, quantity in (*delta.bids, *delta.asks)] == [float(exact)] * 2


def test_refused_request_about_a_contract_that_is_not_is_an_unknown_symbol() -> None:
    body = b'{"label":"CONTRACT_NOT_FOUND","message":"contract NOPE_USDT not found"}'
    with pytest.raises(RequestRefused) as raised:
        CODEC.check_response(HttpResponse(status=400, headers={}, body=body))
    assert raised.value.kind is RefusalKind.UNKNOWN_SYMBOL


# Books


def test_hand_written_samples_make_the_book_they_should() -> None:
    synchroniser = BookSynchroniser(BTC, CODEC.sequence_rule)
    synchroniser.open()
    assert synchroniser.confirm() == (FetchSnapshot(1, 1),)
    for index in (2, 3, 4):
        (delta,) = decode(index)
        assert isinstance(delta, BookDeltaDecoded)
        synchroniser.apply_delta(delta)
    assert synchroniser.apply_snapshot(CODEC.decode_snapshot(BTC, ORDER_BOOK), 1) == (Publish(),)
    assert synchroniser.book.sequence == 5011
    assert synchroniser.book.top(5) == (((60000.1, 0.0003), (60000.0, 1.25)), ((60000.3, 1.5), (60001.0, 0.0007)))


def test_snapshot_tells_its_time_in_milliseconds() -> None:
    assert CODEC.decode_snapshot(BTC, ORDER_BOOK).exchange_time_milliseconds == 1790000001050
