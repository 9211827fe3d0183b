"""MEXC spot's public codec against the documentation's samples, captures, and frames written byte by byte."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from captures import SAMPLES, capture_path, read_lines
from hypothesis import given
from hypothesis import strategies as st

from actors.feeds.codec import (
    BookDeltaDecoded,
    Pong,
    ProtocolError,
    RefusalKind,
    RequestRefused,
    SubscriptionConfirmed,
    SubscriptionRefused,
)
from actors.feeds.mexc.spot import SUBSCRIPTIONS_MAX, MexcSpotFeedCodec
from exchanges.mexc_spot import MEXC_SPOT
from exchanges.mexc_spot_push_pb2 import BookTicker, Depth, Level, Push, Trade, Trades
from market.events import Side
from market.instrument import TradingStatus
from market.symbol import Symbol
from network.http import HttpResponse

CODEC = MexcSpotFeedCodec()
BTC_USDT = Symbol("BTC", "USDT")
NOW = 1_754_741_322_152
DEPTH_TOPIC = "spot@public.aggre.depth.v3.api.pb@100ms@BTCUSDT"
TRADES_TOPIC = "spot@public.aggre.deals.v3.api.pb@100ms@BTCUSDT"

# Encoded by hand from the documented field numbers; read back with a third party's classes of the same protocol.
DEPTH_FRAME = bytes.fromhex(
    "0a2f73706f74407075626c69632e61676772652e64657074682e76332e6170692e7062403130306d7340425443555344541a074254435553445430a8e3eef58833"
    "ca136c0a0e0a093131373134352e343912013012170a093131373035332e3431120a312e38363833373237311a2773706f74407075626c69632e61676772652e"
    "64657074682e76332e6170692e7062403130306d73220b34333239363336333233362a0b3433323936333633323535"
)


def varint(number: int) -> bytes:
    """Seven bits a byte, lowest first; the top bit says that more follow."""
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*written, number])


def text_field(number: int, value: str | bytes) -> bytes:
    """A field of the wire type 2: its tag, its length, its bytes."""
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def number_field(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def decode(frame: str | bytes) -> list[Any]:
    return list(CODEC.decode_frame(frame, 12.5))


# Books


def test_depth_push_is_a_delta_with_the_versions_it_covers() -> None:
    assert decode(DEPTH_FRAME) == [
        BookDeltaDecoded(
            symbol=BTC_USDT,
            bids=[(117053.41, 1.86837271)],
            asks=[(117145.49, 0.0)],
            first_sequence=43296363236,
            last_sequence=43296363255,
            exchange_time_milliseconds=NOW,
        )
    ]


def test_depth_push_written_byte_by_byte_is_read_by_the_documented_numbers() -> None:
    level = text_field(1, "117053.41") + text_field(2, "1.5")
    gone = text_field(1, "117145.49") + text_field(2, "0")
    depth = text_field(1, gone) + text_field(2, level) + text_field(3, DEPTH_TOPIC) + text_field(4, "7") + text_field(5, "9")
    newer = number_field(6, 1_790_000_000_000)  # lastOrderCreateTime, which we do not define
    frame = text_field(1, DEPTH_TOPIC) + text_field(3, "BTCUSDT") + number_field(6, NOW) + text_field(313, depth + newer)
    (delta,) = decode(frame)
    assert (delta.bids, delta.asks) == ([(117053.41, 1.5)], [(117145.49, 0.0)])
    assert (delta.first_sequence, delta.last_sequence, delta.exchange_time_milliseconds) == (7, 9, NOW)


def test_captures_encoded_anew_are_read_as_what_was_captured() -> None:
    lines = list(read_lines(capture_path("mexc_spot/reencoded_pb_20260623_BTCUSDT.jsonl")))
    depth, ticker, trades = (decode(base64.b64decode(line["b64"])) for line in lines)
    captured = lines[0]["decoded"]["publicAggreDepths"]
    assert depth[0].first_sequence == int(captured["fromVersion"])
    assert depth[0].bids == [(float(level["price"]), float(level["quantity"])) for level in captured["bids"]]
    assert ticker == []
    deals = lines[2]["decoded"]["publicAggreDeals"]["deals"]
    assert [(trade.price, trade.quantity, trade.side) for trade in trades] == [
        (float(deal["price"]), float(deal["quantity"]), Side.BUY if deal["tradeType"] == 1 else Side.SELL) for deal in deals
    ]


def test_snapshot_is_numbered_as_the_pushes_are() -> None:
    book = CODEC.decode_snapshot(BTC_USDT, sample("mexc_spot_depth.json"))
    assert (book.sequence, book.bids[0], book.asks[0]) == (43296363235, (117053.41, 1.2), (117145.49, 0.5))
    assert decode(DEPTH_FRAME)[0].first_sequence == book.sequence + CODEC.sequence_rule.bridge_offset


def test_snapshot_is_asked_for_by_the_spelled_symbol() -> None:
    asked = CODEC.snapshot_request(BTC_USDT)
    assert (asked.request.path, asked.request.query, asked.weight) == ("/api/v3/depth", "symbol=BTCUSDT&limit=1000", 3)


def changed(change: Callable[[Depth], object], **wrapper: Any) -> bytes:
    """A sound depth push, changed."""
    push = Push(channel=DEPTH_TOPIC, symbol="BTCUSDT", send_time=NOW)
    push.depth.CopyFrom(Depth(bids=[Level(price="99", quantity="1")], from_version="7", to_version="9"))
    change(push.depth)
    for name, value in wrapper.items():
        setattr(push, name, value)
    return push.SerializeToString()


@pytest.mark.parametrize("version", ["", "-7", "7.5", "1_0", "٣", "9" * 30])
def test_book_update_without_a_sound_version_costs_that_book(version: str) -> None:
    with pytest.raises(ProtocolError) as raised:
        decode(changed(lambda depth: setattr(depth, "from_version", version)))
    assert (raised.value.symbol, raised.value.affects_books) == (BTC_USDT, True)


def test_book_update_that_runs_backwards_costs_that_book() -> None:
    with pytest.raises(ProtocolError, match="from 10 to 9"):
        decode(changed(lambda depth: setattr(depth, "from_version", "10")))


@pytest.mark.parametrize(
    ("price", "quantity"), [("", "1"), ("0", "1"), ("-1", "1"), ("nan", "1"), ("1e30", "1"), ("1", "-1"), ("1", "inf")]
)
def test_impossible_level_costs_that_book(price: str, quantity: str) -> None:
    with pytest.raises(ProtocolError, match="impossible level") as raised:
        decode(changed(lambda depth: depth.asks.append(Level(price=price, quantity=quantity))))
    assert raised.value.symbol == BTC_USDT


def test_symbol_is_read_from_the_channel_where_the_push_does_not_say_it() -> None:
    assert decode(changed(lambda depth: None, symbol=""))[0].symbol == BTC_USDT
    with pytest.raises(ProtocolError, match="not a symbol"):
        decode(changed(lambda depth: None, symbol="???"))


# Trades and the rest


def test_trades_carry_the_takers_side_and_an_id_of_our_own_where_mexc_gives_none() -> None:
    push = Push(channel=TRADES_TOPIC, symbol="BTCUSDT", send_time=NOW)
    deals = [Trade(price="99.5", quantity="0.25", trade_type=side, time=NOW - side, trade_id=name) for side, name in ((1, ""), (2, "X7"))]
    push.trades.CopyFrom(Trades(deals=deals))
    bought, sold = decode(push.SerializeToString())
    assert (bought.side, bought.price, bought.quantity, bought.trade_id) == (Side.BUY, 99.5, 0.25, f"{NOW}-0")
    assert (sold.side, sold.trade_id, sold.exchange_time_milliseconds, sold.received_at) == (Side.SELL, "X7", NOW - 2, 12.5)


@pytest.mark.parametrize("deal", [Trade(price="99", quantity="1"), Trade(price="x", quantity="1", trade_type=1)])
def test_unreadable_trade_costs_no_book(deal: Trade) -> None:
    push = Push(channel=TRADES_TOPIC, symbol="BTCUSDT")
    push.trades.CopyFrom(Trades(deals=[deal]))
    with pytest.raises(ProtocolError) as raised:
        decode(push.SerializeToString())
    assert not raised.value.affects_books


def test_push_that_nobody_asked_for_says_nothing() -> None:
    ticker = Push(channel="spot@public.aggre.bookTicker.v3.api.pb@100ms@BTCUSDT", symbol="BTCUSDT")
    ticker.book_ticker.CopyFrom(BookTicker(bid_price="1", ask_price="2"))
    assert decode(ticker.SerializeToString()) == []
    assert decode(text_field(1, "spot@public.something.new") + text_field(399, b"what it says")) == []


# Control


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"id":0,"code":0,"msg":"PONG"}', [Pong()]),
        (f'{{"id":3,"code":0,"msg":"{DEPTH_TOPIC}"}}', [SubscriptionConfirmed(DEPTH_TOPIC, 3)]),
        (f'{{"id":0,"code":0,"msg":"{DEPTH_TOPIC}"}}', [SubscriptionConfirmed(DEPTH_TOPIC, None)]),
        ('{"id":1,"code":0,"msg":"something new"}', []),
    ],
)
def test_control_frame_is_told_by_its_text(text: str, said: list[Any]) -> None:
    assert decode(text) == said


def test_refusal_has_code_zero_and_names_the_topic_in_its_text() -> None:
    text = f"Not Subscribed successfully! [{DEPTH_TOPIC}].  Reason： Blocked!"
    (refused,) = decode(json.dumps({"id": 0, "code": 0, "msg": text}))
    assert isinstance(refused, SubscriptionRefused)
    assert (refused.channel, refused.request_id) == (DEPTH_TOPIC, None)
    assert "Blocked!" in refused.message


@pytest.mark.parametrize("frame", ["Invalid listen key", "", "null", "[]", '{"msg":7}', "\ud800", b"", b"\xff\xff", DEPTH_FRAME[:-3]])
def test_rubbish_is_a_protocol_error(frame: str | bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(frame)


@given(st.integers(0, len(DEPTH_FRAME) - 1), st.integers(0, 255), st.integers(0, len(DEPTH_FRAME)))
def test_damaged_frame_is_a_protocol_error_or_a_sound_message(place: int, byte: int, end: int) -> None:
    damaged = bytearray(DEPTH_FRAME)
    damaged[place] = byte
    for frame in (bytes(damaged), bytes(damaged[:end])):
        try:
            said = decode(frame)
        except ProtocolError:
            continue
        for message in said:
            assert isinstance(message, BookDeltaDecoded)
            assert message.first_sequence <= message.last_sequence
            assert all(price > 0 and quantity >= 0 for price, quantity in (*message.bids, *message.asks))


# Subscribing


def sent(frame: str | bytes) -> dict[str, Any]:
    return json.loads(frame)


def test_books_come_first_and_each_topic_has_a_frame_and_a_number_of_its_own() -> None:
    subscriptions = CODEC.subscribe_frames([BTC_USDT, Symbol("ETH", "USDT")], NOW, 5)
    assert [sent(one.frame)["id"] for one in subscriptions] == [one.request_id for one in subscriptions] == [5, 6, 7, 8]
    assert [one.book_symbols for one in subscriptions] == [(BTC_USDT,), (Symbol("ETH", "USDT"),), (), ()]
    assert sent(subscriptions[0].frame) == {"method": "SUBSCRIPTION", "params": [DEPTH_TOPIC], "id": 5}
    assert all([one.channel] == sent(one.frame)["params"] for one in subscriptions), "answers are matched by it"


def test_trades_give_way_to_books_where_subscriptions_run_out() -> None:
    symbols = [Symbol(f"A{number}", "USDT") for number in range(20)]
    subscriptions = CODEC.subscribe_frames(symbols, NOW, 1)
    assert len(subscriptions) == SUBSCRIPTIONS_MAX
    assert [one.book_symbols[0] for one in subscriptions if one.book_symbols] == symbols
    with pytest.raises(ValueError, match="too few for 31"):
        CODEC.subscribe_frames([Symbol(f"A{number}", "USDT") for number in range(31)], NOW, 1)


def test_unsubscription_and_ping_are_frames_of_text() -> None:
    (frame,) = CODEC.unsubscribe_frames([BTC_USDT], NOW, 9)
    assert sent(frame) == {"method": "UNSUBSCRIPTION", "params": [DEPTH_TOPIC], "id": 9}
    assert CODEC.ping_frame(NOW) == '{"method":"PING"}'


# Instruments and refusals


def test_instruments_have_the_exchange_s_ticks_steps_and_limits() -> None:
    btc, odd, old = CODEC.decode_instruments(sample("mexc_spot_exchange_info.json"))
    assert (btc.symbol, btc.price_tick, btc.quantity_step, btc.quantity_min) == (
        BTC_USDT, Decimal("0.01"), Decimal("1e-8"), Decimal("0.000001"),
    )  # fmt: skip
    assert (btc.notional_min, btc.notional_max, btc.quantity_max, btc.status) == (1, 4_000_000, None, TradingStatus.TRADABLE)
    assert (odd.quantity_step, odd.quantity_min, odd.notional_min, odd.notional_max) == (1, 1, Decimal("7.5"), 10_000)
    assert (odd.status, old.status) == (TradingStatus.SELL_ONLY, TradingStatus.CLOSED)


def test_pair_is_spelled_from_its_own_assets_and_one_that_is_not_is_left_out() -> None:
    instruments = CODEC.decode_instruments(sample("mexc_spot_exchange_info.json"))
    assert MEXC_SPOT.from_wire("ODDXYZ") == Symbol("ODD", "XYZ"), "XYZ is no quote that anybody would guess"
    assert "REALNAME" not in {instrument.symbol.base for instrument in instruments}


@pytest.mark.parametrize("number", ['"-1"', '"nan"', '"inf"'])
def test_instrument_with_an_impossible_limit_is_a_protocol_error(number: str) -> None:
    with pytest.raises(ProtocolError, match="impossible limit"):
        CODEC.decode_instruments(sample("mexc_spot_exchange_info.json").replace(b'"0.000001"', number.encode()))


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, b'{"code":-1121,"msg":"Invalid symbol."}', RefusalKind.UNKNOWN_SYMBOL),
        (400, b'{"code":700004,"msg":"Mandatory parameter"}', RefusalKind.INVALID_PARAMETERS),
        (400, b'{"code":123456,"msg":"?"}', RefusalKind.UNKNOWN),
        (429, b"", RefusalKind.RATE_LIMITED),
        (418, b"{}", RefusalKind.RATE_LIMITED),
        (403, b"<html>firewall</html>", RefusalKind.RATE_LIMITED),
        (500, b'{"code":500,"msg":"?"}', RefusalKind.RETRYABLE),
    ],
)
def test_refusal_is_classified_by_status_and_code(status: int, body: bytes, kind: RefusalKind) -> None:
    with pytest.raises(RequestRefused) as raised:
        CODEC.check_response(HttpResponse(status=status, headers={}, body=body))
    assert raised.value.kind is kind


def test_there_is_no_testnet_and_a_connection_is_renewed_within_its_day() -> None:
    with pytest.raises(ValueError, match="no testnet"):
        CODEC.websocket_url("testnet")
    assert CODEC.connection_seconds_max is not None
    assert 3600 < CODEC.connection_seconds_max < 24 * 3600
