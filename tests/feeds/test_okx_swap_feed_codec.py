from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal

import pytest
from captures import SAMPLES, capture_path, read_lines
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.feeds.book_sync import BookState, BookSynchroniser, ExpectPush, FetchSnapshot, Publish
from actors.feeds.codec import BookDeltaDecoded, ConnectionClosing, Decoded, FeedCodec, Frame, ProtocolError, SubscriptionConfirmed
from actors.feeds.okx.checksum import book_checksum
from actors.feeds.okx.swap import OkxSwapFeedCodec
from market.book import OrderBook
from market.events import FundingRateChanged, LiquidationHappened, MarkPriceChanged, Side, TickerChanged, TradeHappened
from market.instrument import Instrument, TradingStatus
from market.symbol import Symbol

BTC_USDT = Symbol("BTC", "USDT")
FRAMES = (SAMPLES / "okx_swap_frames.jsonl").read_text().splitlines()
INSTRUMENTS = (SAMPLES / "okx_swap_instruments.json").read_bytes()
ORDER_BOOK = (SAMPLES / "okx_swap_order_book.json").read_bytes()


def new_codec(instruments: bytes = INSTRUMENTS) -> OkxSwapFeedCodec:
    made = OkxSwapFeedCodec()
    made.decode_instruments(instruments)
    return made


CODEC: FeedCodec = new_codec()  # pyright checks that it is one


def decode(index: int) -> Sequence[Decoded]:
    return tuple(CODEC.decode_frame(FRAMES[index], 12.5))


def delta(frame: Frame) -> BookDeltaDecoded:
    (decoded,) = CODEC.decode_frame(frame, 12.5)
    assert isinstance(decoded, BookDeltaDecoded)
    return decoded


def changed(index: int = 0, **changes: str) -> bytes:
    """The list of instruments, one of which is changed."""
    document = json.loads(INSTRUMENTS)
    document["data"][index] |= changes
    return json.dumps(document).encode()


# Instruments


def test_linear_contracts_are_listed_in_base_units_and_inverse_ones_and_those_settled_elsewhere_are_not() -> None:
    bitcoin, ether = OkxSwapFeedCodec().decode_instruments(INSTRUMENTS)
    assert bitcoin == Instrument(
        exchange="okx_swap",
        symbol=BTC_USDT,
        price_tick=Decimal("0.1"),
        quantity_step=Decimal("0.0001"),
        quantity_min=Decimal("0.0002"),
        notional_min=Decimal(0),
        quantity_max=Decimal(1_000_000),
        notional_max=Decimal(20_000_000),
        contract_size=Decimal("0.01"),
        leverage_max=Decimal(100),
        status=TradingStatus.TRADABLE,
    )
    assert (ether.symbol, ether.contract_size, ether.quantity_min) == (Symbol("ETH", "EUR"), Decimal("0.1"), Decimal("0.1"))
    assert (ether.quantity_max, ether.leverage_max, ether.status) == (None, None, TradingStatus.CLOSED)
    assert ether.notional_max is None, "a limit in dollars says nothing about a number of euros"
    for field, value in (("ctType", "inverse"), ("settleCcy", "USDC"), ("ctValCcy", "USD")):
        (alone,) = OkxSwapFeedCodec().decode_instruments(changed(**{field: value}))
        assert alone.symbol == ether.symbol, f"of another kind by its {field} alone"


@pytest.mark.parametrize("rule", ["NaN", "-1", "0", "Infinity", "x", "1e99", ""])
@pytest.mark.parametrize("field", ["ctVal", "ctMult", "lotSz", "tickSz"])
def test_impossible_rule_of_a_contract_that_is_traded_is_against_the_protocol_and_of_another_one_its_own_trouble(
    field: str, rule: str
) -> None:
    if rule or field.startswith("ct"):  # without a tick or a lot it is a placeholder
        with pytest.raises(ProtocolError):
            new_codec(changed(**{field: rule}))
    listed = OkxSwapFeedCodec().decode_instruments(changed(1, **{field: rule}))
    assert [one.symbol for one in listed] == [BTC_USDT]


def test_answer_that_cannot_be_read_leaves_what_was_learned() -> None:
    codec = new_codec()
    for body in (b"", b'{"code":"0","data":[5]}', changed(ctVal="0")):
        with pytest.raises(ProtocolError):
            codec.decode_instruments(body)
    assert len(codec.decode_frame(FRAMES[2], 0.0)) == 1


# Books


def test_quantities_of_a_book_are_the_floats_next_to_the_exact_base_units() -> None:
    snapshot = delta(FRAMES[2])
    assert snapshot.bids == [(60000.1, 0.25), (60000.0, 0.0001), (59999.0, 123456.7899)]
    assert snapshot.asks == [(60000.3, 1.5007), (60001.0, 0.03)]
    assert (snapshot.is_full, snapshot.last_sequence, snapshot.checksum) == (True, 10, None)
    update = delta(FRAMES[3])
    assert (update.bids, update.asks) == ([(59999.0, 0.0)], [(60000.3, 1.4999)])
    assert (update.first_sequence, update.last_sequence, update.previous_sequence) == (11, 15, 10)
    assert {type(number) for level in (*snapshot.bids, *update.asks) for number in level} == {float}
    assert delta(FRAMES[3].replace('"prevSeqId":10,', "")).first_sequence == 15, "what links to nothing bridges nothing"


@given(st.integers(0, 10**11), st.sampled_from(["0.01", "0.1", "1", "10", "100000", "0.001"]))
def test_quantity_of_any_book_is_the_float_next_to_the_exact_one(lots: int, size: str) -> None:
    codec = new_codec(changed(ctVal=size))
    contracts = lots * Decimal("0.01")
    (decoded,) = codec.decode_frame(FRAMES[2].replace('"25"', f'"{contracts}"'), 0.0)
    assert isinstance(decoded, BookDeltaDecoded)
    assert decoded.bids[0][1] == float(contracts * Decimal(size))


def test_book_of_a_contract_that_was_not_listed_is_against_the_protocol() -> None:
    for codec, frame, symbol in (
        (OkxSwapFeedCodec(), FRAMES[2], BTC_USDT),
        (CODEC, FRAMES[2].replace("BTC-USDT-SWAP", "BTC-USD-SWAP"), Symbol("BTC", "USD")),
        (CODEC, FRAMES[2].replace("BTC-USDT-SWAP", "BTC-USDT"), None),
    ):
        with pytest.raises(ProtocolError) as raised:
            codec.decode_frame(frame, 0.0)
        assert (raised.value.symbol, raised.value.affects_books) == (symbol, True)


def test_pushed_book_is_kept_by_its_links_and_rest_shows_the_same_one() -> None:
    synchroniser = BookSynchroniser(BTC_USDT, CODEC.sequence_rule)
    synchroniser.open()
    assert synchroniser.confirm() == (ExpectPush(1, 0),)
    assert synchroniser.apply_delta(delta(FRAMES[2])) == (Publish(),)
    assert synchroniser.apply_delta(delta(FRAMES[3])) == (Publish(),)
    asked = CODEC.decode_snapshot(BTC_USDT, ORDER_BOOK)
    bids, asks = synchroniser.book.top(9)
    assert (asked.sequence, asked.bids, asked.asks) == (synchroniser.book.sequence, [*bids], [*asks])


def test_book_is_built_upon_rest_s_answer_where_the_exchange_pushes_none() -> None:
    synchroniser = BookSynchroniser(BTC_USDT, CODEC.sequence_rule)
    synchroniser.open()
    assert synchroniser.confirm() == (ExpectPush(1, 0),)
    for index in (3, 4):
        assert synchroniser.apply_delta(delta(FRAMES[index])) == ()
    assert synchroniser.fail_snapshot(1, 0) == (FetchSnapshot(1, 1),)
    assert synchroniser.apply_snapshot(CODEC.decode_snapshot(BTC_USDT, ORDER_BOOK), 1) == (Publish(),)
    assert (synchroniser.state, synchroniser.book.sequence) == (BookState.SYNCHRONISED, 21)
    assert synchroniser.book.top(2)[0] == ((60000.2, 0.075), (60000.1, 0.25))


# Other channels


def test_trade_and_ticker_are_in_base_units() -> None:
    assert decode(5) == (TradeHappened("okx_swap", BTC_USDT, "930639474", Side.SELL, 60000.3, 0.1206, 1790000003331, 12.5),)
    assert decode(6) == (TickerChanged("okx_swap", BTC_USDT, 60000.5, 60000.1, 60000.6, 120.5, 120.5 * 60000.5, 12.5),)


def test_mark_price_and_funding_rate_are_exact() -> None:
    assert decode(7) == (MarkPriceChanged("okx_swap", BTC_USDT, Decimal("60000.25"), 12.5),)
    assert decode(8) == (FundingRateChanged("okx_swap", BTC_USDT, Decimal("-0.0000875391284828"), 1790006400000, 12.5),)


def test_contract_that_is_not_trading_yet_has_neither() -> None:
    for index, number in ((7, '"60000.25"'), (8, '"-0.0000875391284828"'), (8, '"1790006400000"')):
        assert CODEC.decode_frame(FRAMES[index].replace(number, '""'), 0.0) == []


def test_liquidations_of_contracts_that_are_listed_are_told_with_the_side_of_their_order() -> None:
    assert decode(9) == (
        LiquidationHappened("okx_swap", BTC_USDT, Side.SELL, 59000.5, 7.68, 12.5),
        LiquidationHappened("okx_swap", BTC_USDT, Side.BUY, 61000.0, 0.0003, 12.5),
    )
    assert CODEC.decode_frame(FRAMES[9].replace("BTC-USDT-SWAP", "ODD"), 0.0) == []


def test_answers_and_notices_are_those_of_every_market() -> None:
    assert decode(0) == (SubscriptionConfirmed("books", 1),)
    assert decode(1) == (SubscriptionConfirmed("liquidation-orders", 6),)
    assert decode(10) == (ConnectionClosing("The connection will soon be closed for a service upgrade. Please reconnect."),)


@pytest.mark.parametrize(
    ("index", "written", "instead"),
    [
        (5, '"12.06"', '"x"'),
        (6, '"60000.5"', '"nan"'),
        (7, '"60000.25"', '"NaN"'),
        (7, '"60000.25"', '"0"'),
        (7, '"60000.25"', '"1e40"'),
        (7, '"60000.25"', "5"),
        (8, '"-0.0000875391284828"', '"Infinity"'),
        (8, '"1790006400000"', '"soon"'),
        (9, '"sell","sz":"768"', '"both","sz":"768"'),
        (9, '"sz":"768"', '"sz":"-768"'),
    ],
)
def test_frame_against_the_protocol_that_is_about_no_book_leaves_the_books_alone(index: int, written: str, instead: str) -> None:
    assert written in FRAMES[index]
    with pytest.raises(ProtocolError) as raised:
        CODEC.decode_frame(FRAMES[index].replace(written, instead), 0.0)
    assert not raised.value.affects_books


# Requests


def test_five_channels_are_subscribed_per_symbol_and_liquidations_once_for_all() -> None:
    subscriptions = CODEC.subscribe_frames([BTC_USDT, Symbol("ETH", "USDT")], 1790000000999, 5)
    assert [(one.request_id, one.channel, one.book_symbols) for one in subscriptions[:5]] == [
        (5, "books", (BTC_USDT,)),
        (6, "trades", ()),
        (7, "tickers", ()),
        (8, "mark-price", ()),
        (9, "funding-rate", ()),
    ]
    assert json.loads(subscriptions[4].frame) == {
        "id": "9", "op": "subscribe", "args": [{"channel": "funding-rate", "instId": "BTC-USDT-SWAP"}],
    }  # fmt: skip
    assert (len(subscriptions), subscriptions[10].request_id) == (11, 15)
    assert json.loads(subscriptions[10].frame)["args"] == [{"channel": "liquidation-orders", "instType": "SWAP"}]
    assert CODEC.instruments_request().request.query == "instType=SWAP"
    assert CODEC.snapshot_request(BTC_USDT).request.query == "instId=BTC-USDT-SWAP&sz=400"


# Hostile input

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


field_names = st.sampled_from(
    ["asks", "bids", "seqId", "ts", "px", "sz", "markPx", "fundingRate", "fundingTime", "instId", "details", "bkPx"]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(field_names, values, max_size=5),
    max_leaves=12,
)


@given(st.sampled_from(["books", "trades", "tickers", "mark-price", "funding-rate", "liquidation-orders", ""]), json_values)
def test_well_formed_pushes_with_any_data_give_events_or_protocol_errors(channel: str, data: object) -> None:
    arg = {"channel": channel, "instId": "BTC-USDT-SWAP"}
    assert_events_or_protocol_error(json.dumps({"arg": arg, "action": "update", "data": data}))
    assert_events_or_protocol_error(json.dumps({"arg": arg, "action": "snapshot", "data": [data]}))


@given(st.sampled_from([INSTRUMENTS, ORDER_BOOK]), st.data())
def test_any_rest_body_gives_a_result_or_a_protocol_error(body: bytes, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(body)))
    mutated = body[:cut] + data.draw(NOISE) + body[cut + data.draw(st.integers(0, 3)) :]
    codec = new_codec()
    with suppress(ProtocolError):
        codec.decode_instruments(mutated)
    with suppress(ProtocolError):
        codec.decode_snapshot(BTC_USDT, mutated)


# Captures


def test_swap_book_of_the_2022_capture_is_rebuilt_with_every_checksum_though_its_quantities_are_in_base_units() -> None:
    """The contract is an inverse one: it is listed here as if it were linear, because what is tried is the unit of a book."""
    uni = Symbol("UNI", "USD")
    listing = {"instId": "UNI-USD-SWAP", "ctVal": "10", "ctMult": "1", "ctValCcy": "UNI", "ctType": "linear", "settleCcy": "USD"}
    rules = {"tickSz": "0.001", "lotSz": "1", "minSz": "1", "state": "live"}
    codec = new_codec(json.dumps({"code": "0", "data": [listing | rules]}).encode())
    book = BookSynchroniser(uni, codec.sequence_rule, checksum_agrees=codec.checksum_agrees)
    book.open()
    sequence = 0
    for record in read_lines(capture_path("okx/cf_okx_20220513_BTC-USDT_UNI-USD-SWAP.jsonl.gz")):
        if record["k"] != "ws_in" or "UNI-USD-SWAP" not in record["raw"] or '"checksum"' not in record["raw"]:
            continue
        sequence += 1  # books were not numbered then: they are here, in the order of their coming
        previous = -1 if '"snapshot"' in record["raw"] else sequence - 1
        raw = record["raw"].replace('"checksum"', f'"prevSeqId":{previous},"seqId":{sequence},"checksum"')
        (message,) = codec.decode_frame(raw, record["t"])
        assert isinstance(message, BookDeltaDecoded)
        assert message.checksum is not None
        assert book.apply_delta(message) == (Publish(),)
        if sequence == 1:
            assert book.book.top(1) == (((5.14, 2510.0),), ((5.148, 600.0),))
    assert sequence > 50
    assert book.generation == 1


def test_swaps_of_the_2022_capture_are_listed_when_they_are_linear_and_settled_in_their_quote() -> None:
    listed: dict[Symbol, Instrument] = {}
    names: list[str] = []
    for record in read_lines(capture_path("okx/cf_okx_20220513.instruments.jsonl.gz")):
        if record["k"] == "http" and "instType=SWAP" in record["url"]:
            names = [one["instId"] for one in json.loads(record["raw"])["data"]]
            listed = {one.symbol: one for one in OkxSwapFeedCodec().decode_instruments(record["raw"].encode())}
    assert len(listed) == sum(name.endswith("-USDT-SWAP") for name in names)
    assert len(listed) > 50
    bitcoin = listed[BTC_USDT]
    assert (bitcoin.contract_size, bitcoin.quantity_step, bitcoin.price_tick) == (Decimal("0.01"), Decimal("0.01"), Decimal("0.1"))
    assert all(one.quantity_step == one.contract_size for one in listed.values()), "of 2022: whole contracts"
