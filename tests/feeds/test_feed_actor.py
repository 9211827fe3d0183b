"""The feed actor over a real HTTP client and websocket, a simulated network and a virtual clock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from types import MappingProxyType

import pytest
import trio
from scripted_gate import BTC_USDT, ETH_USDT, HOST, Inbox, World, json_response, open_world
from trio.testing import MockClock

from actors.channels.latest import open_latest
from actors.feeds.actor import UnknownSymbol
from actors.feeds.book_sync import LossKind
from actors.feeds.codec import Continuity, Decoded, Frame, PingReceived, SequenceRule, SnapshotSource
from actors.feeds.gateio.spot import GateioSpotFeedCodec
from actors.feeds.publisher import FeedSubscriber
from actors.feeds.reports import (
    BadFrameReceived,
    BookDiscarded,
    BookSynchronised,
    ChannelRefused,
    FeedConnected,
    FeedDisconnected,
    InstrumentsFailed,
    InstrumentsLoaded,
    SnapshotFailed,
    SubscriberGone,
)
from actors.feeds.settings import FeedSettings
from market.events import BookChanged, BookLost, InstrumentListed, MarketEvent, Side, TickerChanged, TradeHappened
from market.instrument import TradingStatus
from market.symbol import Symbol
from network.rate_limit import RateLimit


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world() as world:
        yield world


async def start_synchronised(world: World, *symbols: Symbol, **options: object) -> None:
    world.start(*symbols, **options)
    await world.context.is_started.wait()


# Starting


async def test_feed_lists_instruments_then_publishes_whole_books_and_then_says_started(autojump_clock: MockClock, world: World) -> None:
    world.start(BTC_USDT, ETH_USDT)
    await world.inbox.wait(BookChanged, ETH_USDT)
    await world.context.is_started.wait()
    assert [type(event) for event in world.inbox.events] == [InstrumentListed, InstrumentListed, BookChanged, BookChanged]
    listed = world.inbox.events[0]
    assert isinstance(listed, InstrumentListed)
    assert (listed.instrument.symbol, listed.instrument.price_tick) == (BTC_USDT, Decimal("0.01"))
    book = await world.inbox.wait(BookChanged, BTC_USDT)
    assert (book.bids, book.asks, book.sequence) == (((99.0, 1.0), (98.0, 2.0)), ((101.0, 1.0), (102.0, 2.0)), 1000)
    assert [type(report) for report in world.reports] == [InstrumentsLoaded, FeedConnected, BookSynchronised, BookSynchronised]


async def test_feed_publishes_every_delta_with_the_time_it_was_read(autojump_clock: MockClock, world: World) -> None:
    await start_synchronised(world)
    await trio.sleep(1)
    sequence = await world.gate.change("BTC_USDT", bids={"99.5": "3"}, asks={"101": "0"})
    book = await world.inbox.wait(BookChanged, sequence=sequence)
    assert (book.best_bid, book.best_ask) == ((99.5, 3.0), (102.0, 2.0))
    assert trio.current_time() - book.received_at < 0.1


async def test_feed_carries_as_many_levels_as_asked(autojump_clock: MockClock, world: World) -> None:
    await start_synchronised(world, depth_levels=1)
    book = await world.inbox.wait(BookChanged)
    assert (book.bids, book.asks) == (((99.0, 1.0),), ((101.0, 1.0),))


async def test_feed_refuses_a_symbol_that_is_not_listed_and_names_near_ones(autojump_clock: MockClock, world: World) -> None:
    with pytest.raises(UnknownSymbol, match=r"gateio_spot does not list BTC/USDX; did you mean BTC/USD[TC] or BTC/USD[TC]") as raised:
        await world.run_feed(Symbol("BTC", "USDX"))
    assert raised.value.near[0] in ("BTC/USDT", "BTC/USDC")
    assert not world.gate.subscribed


async def test_feed_tries_several_times_to_load_instruments_then_fails(autojump_clock: MockClock, world: World) -> None:
    world.gate.listed[0] = "not a pair"
    with pytest.raises(Exception, match="not a pair"):
        await world.run_feed(BTC_USDT, instruments_attempts_max=3)
    assert world.gate.requests["currency_pairs"] == 3
    assert len(world.reported(InstrumentsFailed)) == 2


async def test_feed_waits_for_the_second_book_while_the_first_is_published(autojump_clock: MockClock, world: World) -> None:
    world.gate.snapshot_answers["ETH_USDT"] = lambda: json_response({"label": "INTERNAL", "message": "oops"}, 500)
    world.start(BTC_USDT, ETH_USDT)
    await world.inbox.wait(BookChanged, BTC_USDT)
    await trio.sleep(60)
    assert not world.context.is_started.is_set()
    assert world.inbox.is_usable(BTC_USDT)
    assert not world.inbox.about(ETH_USDT)
    attempts = world.gate.requests["ETH_USDT"]
    assert 4 <= attempts <= 20, "tried again and again, with a growing back-off"
    assert "INTERNAL: oops" in world.reported(SnapshotFailed)[-1].reason
    del world.gate.snapshot_answers["ETH_USDT"]
    await world.context.is_started.wait()
    assert world.inbox.is_usable(ETH_USDT)


async def test_slow_snapshot_is_joined_with_the_deltas_that_came_meanwhile(autojump_clock: MockClock, world: World) -> None:
    world.gate.rest_delay_seconds = 3.0
    world.start()
    await world.gate.bell.wait_until(lambda: world.gate.requests["BTC_USDT"])
    await trio.sleep(1)
    for quantity in ("3", "4", "5"):
        sequence = await world.gate.change("BTC_USDT", bids={"99": quantity})
    assert not world.inbox.about(BTC_USDT)
    await world.context.is_started.wait()
    (book,) = world.inbox.about(BTC_USDT)
    assert (book.sequence, book.best_bid) == (sequence, (99.0, 5.0))


async def test_snapshot_older_than_the_deltas_is_fetched_again(autojump_clock: MockClock, world: World) -> None:
    old = world.gate.books["BTC_USDT"].snapshot()
    world.gate.rest_delay_seconds = 0.5
    world.gate.snapshot_answers["BTC_USDT"] = lambda: json_response(old)
    world.gate.books["BTC_USDT"].sequence = 1005
    world.start()
    await world.gate.bell.wait_until(lambda: world.gate.requests["BTC_USDT"])
    sequence = await world.gate.change("BTC_USDT", bids={"99": "7"})
    failed = await world.wait_report(SnapshotFailed)
    assert "gap: the book is at 1000, the next delta is 1006" in failed.reason
    assert not world.inbox.about(BTC_USDT)
    del world.gate.snapshot_answers["BTC_USDT"]
    book = await world.inbox.wait(BookChanged)
    assert (book.sequence, book.best_bid) == (sequence, (99.0, 7.0))


async def test_snapshot_that_the_rate_limiter_does_not_let_through_is_reported_and_asked_for_later(
    autojump_clock: MockClock, world: World
) -> None:
    class RationedCodec(GateioSpotFeedCodec):
        rate_limits = MappingProxyType({"currency_pairs": RateLimit(10, 1.0), "order_book": RateLimit(1, 40.0)})

    world.start(BTC_USDT, ETH_USDT, codec=RationedCodec(), max_age_seconds=1000.0)
    failed = await world.wait_report(SnapshotFailed)
    assert "no leave" in failed.reason
    await world.context.is_started.wait()
    assert trio.current_time() > 40


# Broken books


async def test_gap_loses_the_book_and_a_new_generation_follows(autojump_clock: MockClock, world: World) -> None:
    await start_synchronised(world, BTC_USDT, ETH_USDT)
    before = world.inbox.about(BTC_USDT)[-1]
    await world.gate.change("BTC_USDT", bids={"99": "9"}, lose=True)
    sequence = await world.gate.change("BTC_USDT", asks={"101": "4"})
    lost = await world.inbox.wait(BookLost)
    assert "gap" in lost.reason
    book = await world.inbox.wait(BookChanged, sequence=sequence)
    assert (book.best_bid, book.best_ask) == ((99.0, 9.0), (101.0, 4.0))
    assert book.generation > before.generation
    assert [type(event) for event in world.inbox.about(BTC_USDT)] == [BookChanged, BookLost, BookChanged]
    assert [type(event) for event in world.inbox.about(ETH_USDT)] == [BookChanged], "the other book is not touched"
    assert [report.kind for report in world.reported(BookDiscarded)] == [LossKind.GAP]


async def test_crossed_book_is_lost_and_fetched_again(autojump_clock: MockClock, world: World) -> None:
    await start_synchronised(world)
    crossing = {"s": "BTC_USDT", "U": 1001, "u": 1001, "b": [["101", "1"]], "a": []}
    await world.gate.push({"channel": "spot.order_book_update", "event": "update", "result": crossing})
    lost = await world.inbox.wait(BookLost)
    assert "crossed" in lost.reason
    world.gate.books["BTC_USDT"].sequence = 1001
    await world.inbox.wait(BookChanged, sequence=1001)
    assert all(event.best_bid < event.best_ask for event in world.inbox.about(BTC_USDT, (BookChanged,)))


async def test_book_with_an_empty_side_is_lost_until_it_fills(autojump_clock: MockClock, world: World) -> None:
    await start_synchronised(world)
    await world.gate.change("BTC_USDT", asks={"101": "0", "102": "0"})
    lost = await world.inbox.wait(BookLost)
    assert "no ask" in lost.reason
    sequence = await world.gate.change("BTC_USDT", asks={"103": "1"})
    await world.inbox.wait(BookChanged, sequence=sequence)
    assert not world.reported(BookDiscarded)


async def test_book_that_does_not_stay_whole_condemns_the_connection(autojump_clock: MockClock, world: World) -> None:
    await start_synchronised(world, resyncs_max=3)
    for count in range(4):
        since = len(world.inbox.events)
        await world.gate.change("BTC_USDT", lose=True)
        await world.gate.change("BTC_USDT", bids={"99": str(count + 2)})
        await world.inbox.wait(BookLost, since=since)
        await world.inbox.wait(BookChanged, since=since)
    (disconnected,) = world.reported(FeedDisconnected)
    assert "does not stay whole" in disconnected.reason


# Connections


async def test_lost_connection_loses_every_book_at_once_and_all_are_rebuilt_on_the_next(autojump_clock: MockClock, world: World) -> None:
    await start_synchronised(world, BTC_USDT, ETH_USDT)
    await trio.sleep(1)
    since = len(world.inbox.events)
    dropped_at = trio.current_time()
    world.gate.drop_connections()
    for symbol in (BTC_USDT, ETH_USDT):
        lost = await world.inbox.wait(BookLost, symbol, since)
        assert lost.received_at - dropped_at < 0.1
    sequence = await world.gate.change("BTC_USDT", bids={"99": "6"}, lose=True)
    await world.inbox.wait(BookChanged, BTC_USDT, since, sequence=sequence)
    await world.inbox.wait(BookChanged, ETH_USDT, since)
    assert trio.current_time() - dropped_at < 5
    (disconnected,) = world.reported(FeedDisconnected)
    assert 0 < disconnected.retry_seconds <= 0.25
    assert len(world.reported(FeedConnected)) == 2
    assert len(world.gate.subscribed) == 8


async def test_feed_keeps_trying_with_a_growing_delay_while_the_exchange_is_away(autojump_clock: MockClock, world: World) -> None:
    await start_synchronised(world)
    with world.network.refuse(HOST):
        world.gate.drop_connections()
        await trio.sleep(120)
        assert not world.inbox.is_usable(BTC_USDT)
        delays = [report.retry_seconds for report in world.reported(FeedDisconnected)]
        assert len(delays) >= 6
        assert delays[0] <= 0.25
        assert 10 <= delays[-1] <= 20
    await world.inbox.wait(BookChanged, since=len(world.inbox.events))
    gaps = [later - earlier for earlier, later in zip(world.context.progressed_at, world.context.progressed_at[1:], strict=False)]
    assert max(gaps) < 5, "the feed shows signs of life whatever the exchange does"


async def test_silent_network_loses_the_book_within_its_age(autojump_clock: MockClock, world: World) -> None:
    await start_synchronised(world)
    await trio.sleep(1)
    with world.network.partition(HOST):
        since = len(world.inbox.events)
        book = world.inbox.about(BTC_USDT)[-1]
        lost = await world.inbox.wait(BookLost, since=since)
        assert lost.received_at - book.received_at <= 5.01
        assert lost.reason.startswith("stale")
        await trio.sleep(30)
        assert not world.inbox.is_usable(BTC_USDT)
    await world.inbox.wait(BookChanged, since=len(world.inbox.events))


async def test_exchange_that_answers_no_ping_is_left(autojump_clock: MockClock, world: World) -> None:
    await start_synchronised(world)
    world.gate.answers_pings = False
    since = len(world.inbox.events)
    lost = await world.inbox.wait(BookLost, since=since)
    assert lost.reason == "no pong in 5 s"
    world.gate.answers_pings = True
    await world.inbox.wait(BookChanged, since=len(world.inbox.events))


@pytest.mark.parametrize("wrapped", [True, False])
async def test_upgrade_notice_ends_the_connection_in_good_order(autojump_clock: MockClock, world: World, wrapped: bool) -> None:
    await start_synchronised(world)
    notice = {"type": "upgrade", "msg": "closing soon"}
    since = len(world.inbox.events)
    await world.gate.push({"channel": "spot.system", "event": "update", "result": notice} if wrapped else notice)
    lost = await world.inbox.wait(BookLost, since=since)
    assert "closing soon" in lost.reason
    await world.inbox.wait(BookChanged, since=since)
    assert world.gate.open_websockets == 1


async def test_refused_subscription_is_asked_for_again_and_the_other_book_does_not_wait(autojump_clock: MockClock, world: World) -> None:
    world.gate.refusals["ETH_USDT"] = 3
    world.start(BTC_USDT, ETH_USDT)
    await world.inbox.wait(BookChanged, BTC_USDT)
    assert not world.context.is_started.is_set()
    await world.context.is_started.wait()
    refused = world.reported(ChannelRefused)
    assert [(report.symbols, report.message) for report in refused] == [((ETH_USDT,), "unknown currency pair ETH_USDT (code 2)")] * 3
    assert not world.reported(FeedDisconnected)


async def test_subscription_that_is_never_answered_condemns_the_connection(autojump_clock: MockClock, world: World) -> None:
    world.gate.ignored_channels = {"spot.trades"}
    world.start()
    disconnected = await world.wait_report(FeedDisconnected)
    assert "no answer to the subscription of spot.trades" in disconnected.reason


# Frames against the protocol


async def test_unreadable_book_update_loses_that_book_only(autojump_clock: MockClock, world: World) -> None:
    await start_synchronised(world, BTC_USDT, ETH_USDT)
    await world.gate.push('{"channel":"spot.order_book_update","event":"update","result":{"s":"BTC_USDT","U":1,"u":2,"b":[["x","1"]]}}')
    await world.inbox.wait(BookLost, BTC_USDT)
    await world.inbox.wait(BookChanged, BTC_USDT, since=len(world.inbox.events))
    assert [type(event) for event in world.inbox.about(ETH_USDT)] == [BookChanged]
    (bad,) = world.reported(BadFrameReceived)
    assert bad.symbol == BTC_USDT
    assert bad.excerpt.startswith('{"channel"')


async def test_unreadable_frame_loses_every_book_and_repeated_ones_the_connection(autojump_clock: MockClock, world: World) -> None:
    await start_synchronised(world, BTC_USDT, ETH_USDT)
    for _ in range(2):
        since = len(world.inbox.events)
        await world.gate.push("\x00garbage")
        for symbol in (BTC_USDT, ETH_USDT):
            await world.inbox.wait(BookLost, symbol, since)
            await world.inbox.wait(BookChanged, symbol, since)
    assert not world.reported(FeedDisconnected)
    await world.gate.push("\x00garbage")
    await world.inbox.wait(BookLost, since=len(world.inbox.events))
    await world.inbox.wait(BookChanged, since=len(world.inbox.events))
    assert "too many frames against the protocol" in world.reported(FeedDisconnected)[0].reason


async def test_unreadable_trade_is_reported_and_costs_no_book(autojump_clock: MockClock, world: World) -> None:
    await start_synchronised(world)
    await world.gate.push('{"channel":"spot.trades","event":"update","result":{}}')
    sequence = await world.gate.change("BTC_USDT", bids={"99": "2"})
    await world.inbox.wait(BookChanged, sequence=sequence)
    assert len(world.reported(BadFrameReceived)) == 1
    assert not world.inbox.about(BTC_USDT, (BookLost,))


# Freshness


async def test_quiet_book_is_proven_by_rest_and_never_lost(autojump_clock: MockClock, world: World) -> None:
    await start_synchronised(world)
    requests = world.gate.requests["BTC_USDT"]
    for _ in range(600):
        await trio.sleep(0.1)
        age = trio.current_time() - world.inbox.about(BTC_USDT)[-1].received_at
        assert age < 2.7, "readers see a fresh time though nothing changes"
    assert not world.inbox.about(BTC_USDT, (BookLost,))
    assert len({event.sequence for event in world.inbox.about(BTC_USDT)}) == 1
    assert 20 <= world.gate.requests["BTC_USDT"] - requests <= 30


async def test_quiet_book_is_proven_by_the_very_same_levels_under_another_number(autojump_clock: MockClock, world: World) -> None:
    await start_synchronised(world)
    levels = world.gate.books["BTC_USDT"].snapshot()
    for number in (levels["id"] + 7, 0):  # changes there and back count, but are not pushed; or REST is not numbered
        world.gate.snapshot_answers["BTC_USDT"] = lambda number=number: json_response(levels | {"id": number})
        await trio.sleep(20)
    assert not world.inbox.about(BTC_USDT, (BookLost,))
    assert trio.current_time() - world.inbox.about(BTC_USDT)[-1].received_at < 2.7


async def test_busy_book_needs_no_proof_by_rest(autojump_clock: MockClock, world: World) -> None:
    await start_synchronised(world)
    requests = world.gate.requests["BTC_USDT"]
    for count in range(100):
        await trio.sleep(1)
        await world.gate.change("BTC_USDT", bids={"99": str(1 + count % 3)})
    assert world.gate.requests["BTC_USDT"] == requests


async def test_age_that_is_changed_while_the_feed_runs_is_that_of_its_books_from_then_on(autojump_clock: MockClock, world: World) -> None:
    settings = FeedSettings(max_age_seconds=1000.0)
    await start_synchronised(world, settings=settings)
    world.gate.snapshot_answers["BTC_USDT"] = lambda: json_response({"label": "INTERNAL", "message": "oops"}, 500)
    settings.max_age_seconds = 5.0
    lost = await world.inbox.wait(BookLost)
    assert lost.reason == "stale: nothing has proven it for 125 s", "it looks that often by the old age"
    world.gate.snapshot_answers.clear()
    await world.inbox.wait(BookChanged)


async def test_quiet_book_that_nothing_proves_is_stale_at_its_age_until_fresh_data(autojump_clock: MockClock, world: World) -> None:
    await start_synchronised(world)
    book = world.inbox.about(BTC_USDT)[-1]
    world.gate.snapshot_answers["BTC_USDT"] = lambda: json_response({"label": "INTERNAL", "message": "oops"}, 500)
    lost = await world.inbox.wait(BookLost)
    assert lost.reason == "stale: nothing has proven it for 5 s"
    assert lost.received_at == pytest.approx(book.received_at + 5.0)
    await trio.sleep(20)
    assert not world.inbox.is_usable(BTC_USDT)
    del world.gate.snapshot_answers["BTC_USDT"]
    await world.inbox.wait(BookChanged, since=len(world.inbox.events))
    assert not world.reported(FeedDisconnected)


async def test_dead_subscription_is_noticed_and_ends_the_connection_when_it_repeats(autojump_clock: MockClock, world: World) -> None:
    await start_synchronised(world, BTC_USDT, ETH_USDT)
    world.gate.muted.add("BTC_USDT")
    await world.gate.change("BTC_USDT", bids={"99": "8"})
    lost = await world.inbox.wait(BookLost, BTC_USDT)
    assert "the exchange is at 1001, the stream has stayed at 1000" in lost.reason
    assert lost.received_at - world.inbox.about(BTC_USDT)[0].received_at < 5
    await world.inbox.wait(BookChanged, BTC_USDT, sequence=1001)
    assert not world.reported(FeedDisconnected)
    await world.gate.change("BTC_USDT", bids={"99": "7"})
    disconnected = await world.wait_report(FeedDisconnected)
    assert "the stream of BTC/USDT is silent" in disconnected.reason


async def test_quiet_book_whose_levels_are_not_the_exchanges_under_the_same_number_is_fetched_anew(
    autojump_clock: MockClock, world: World
) -> None:
    await start_synchronised(world)
    theirs = world.gate.books["BTC_USDT"]
    theirs.bids["99"] = "4"  # without a number of its own: a change that the stream has told wrongly
    lost = await world.inbox.wait(BookLost)
    assert lost.reason == "wrong: the exchange's levels at 1000 are not ours"
    book = await world.inbox.wait(BookChanged, since=len(world.inbox.events))
    assert (book.sequence, book.best_bid) == (1000, (99.0, 4.0))
    await trio.sleep(20)
    assert [report.kind for report in world.reported(BookDiscarded)] == [LossKind.WRONG]


async def test_quiet_book_that_differs_only_below_what_is_published_is_kept(autojump_clock: MockClock, world: World) -> None:
    await start_synchronised(world, depth_levels=1)
    world.gate.books["BTC_USDT"].bids["98"] = "4"
    await trio.sleep(20)
    assert not world.inbox.about(BTC_USDT, (BookLost,))


async def test_slow_proof_of_a_quiet_book_is_dated_from_when_it_was_asked_for(autojump_clock: MockClock, world: World) -> None:
    await start_synchronised(world)
    world.gate.rest_delay_seconds = 2.0
    await trio.sleep(30)
    assert not world.inbox.about(BTC_USDT, (BookLost,))
    first, second = world.inbox.about(BTC_USDT)[1:3]
    assert second.received_at - first.received_at == pytest.approx(2.5, abs=0.1), "from request to request"
    world.gate.rest_delay_seconds = 4.9  # the proof arrives, but too old to keep the book fresh
    await world.inbox.wait(BookLost)


async def test_rest_answer_that_trails_behind_the_stream_costs_no_book(autojump_clock: MockClock, world: World) -> None:
    await start_synchronised(world)
    old = world.gate.books["BTC_USDT"].snapshot()
    sequence = await world.gate.change("BTC_USDT", bids={"99": "8"})
    await world.inbox.wait(BookChanged, sequence=sequence)
    world.gate.snapshot_answers["BTC_USDT"] = lambda: json_response(old)
    await trio.sleep(4)
    del world.gate.snapshot_answers["BTC_USDT"]
    await trio.sleep(10)
    assert not world.inbox.about(BTC_USDT, (BookLost,))


# Ending


async def test_cancelled_feed_leaves_every_book_lost(autojump_clock: MockClock, world: World) -> None:
    await start_synchronised(world, BTC_USDT, ETH_USDT)
    await world.stop()
    for symbol in (BTC_USDT, ETH_USDT):
        assert not world.inbox.is_usable(symbol)
    assert world.inbox.about(BTC_USDT)[-1].reason == "the feed has stopped"


async def test_stopping_feed_loses_its_books_before_it_says_goodbye_to_the_exchange(autojump_clock: MockClock, world: World) -> None:
    await start_synchronised(world)
    with world.network.partition(HOST):  # the goodbye is never answered
        world.feed_scope.cancel()
        cancelled_at = trio.current_time()
        lost = await world.inbox.wait(BookLost)
        assert lost.received_at == cancelled_at
        await world.feed_ended.wait()
        assert trio.current_time() > cancelled_at


async def test_crashed_feed_leaves_every_book_lost(autojump_clock: MockClock, world: World) -> None:
    class BrokenCodec(GateioSpotFeedCodec):
        def ping_frame(self, now_milliseconds: int) -> str:
            raise ZeroDivisionError("a defect of ours")

    with pytest.raises(BaseExceptionGroup) as raised:
        await world.run_feed(BTC_USDT, codec=BrokenCodec())
    assert raised.group_contains(ZeroDivisionError)
    assert world.inbox.about(BTC_USDT, (BookChanged,))
    assert not world.inbox.is_usable(BTC_USDT)


# Other exchanges


async def test_exchange_that_pushes_its_books_is_subscribed_to_again_when_one_breaks(autojump_clock: MockClock, world: World) -> None:
    class PushingCodec(GateioSpotFeedCodec):
        sequence_rule = SequenceRule(SnapshotSource.STREAM, Continuity.CONTIGUOUS)

    whole = {"channel": "spot.order_book_update", "event": "update"}
    whole["result"] = {"s": "BTC_USDT", "u": 1000, "full": True, "b": [["99", "1"]], "a": [["101", "1"]]}  # type: ignore[assignment]
    world.start(codec=PushingCodec(), max_age_seconds=1000.0)
    await world.gate.bell.wait_until(lambda: world.gate.subscribed)
    await trio.sleep(1)
    await world.gate.push(whole)
    await world.context.is_started.wait()
    assert not world.gate.requests["BTC_USDT"], "nothing was asked by REST"
    await world.gate.change("BTC_USDT", lose=True)
    await world.gate.change("BTC_USDT", bids={"99": "3"})
    await world.inbox.wait(BookLost)
    await world.gate.bell.wait_until(lambda: world.gate.subscribed.count("spot.order_book_update BTC_USDT") == 2)
    # The push does not come: after the time that a subscription has, it is asked for once more.
    await world.gate.bell.wait_until(lambda: world.gate.subscribed.count("spot.order_book_update BTC_USDT") == 3)
    await world.gate.push(whole)
    await world.inbox.wait(BookChanged, since=len(world.inbox.events))
    assert not world.reported(FeedDisconnected)


async def test_exchange_that_no_longer_pushes_its_books_is_asked_for_them_by_rest(autojump_clock: MockClock, world: World) -> None:
    class DoubtfulCodec(GateioSpotFeedCodec):
        sequence_rule = SequenceRule(SnapshotSource.STREAM_OR_REST, Continuity.CONTIGUOUS)

    world.start(codec=DoubtfulCodec(), max_age_seconds=1000.0)
    await world.gate.bell.wait_until(lambda: world.gate.subscribed)
    await trio.sleep(1)
    assert not world.gate.requests["BTC_USDT"], "the push is waited for"
    await world.gate.change("BTC_USDT", bids={"99": "3"})
    await world.context.is_started.wait()
    assert world.gate.requests["BTC_USDT"] == 1
    assert world.inbox.is_usable(BTC_USDT)
    assert not world.reported(FeedDisconnected)


async def test_ping_of_the_exchange_is_answered_as_it_asks(autojump_clock: MockClock, world: World) -> None:
    class PingedCodec(GateioSpotFeedCodec):
        def decode_frame(self, frame: Frame, received_at: float) -> Sequence[Decoded]:
            if frame == "ping":
                return (PingReceived('{"channel":"answer to a ping","payload":["7"]}'),)
            return super().decode_frame(frame, received_at)

    await start_synchronised(world, codec=PingedCodec())
    await world.gate.push("ping")
    await world.gate.bell.wait_until(lambda: "answer to a ping 7" in world.gate.subscribed)


async def test_connection_that_the_exchange_would_end_is_renewed_before(autojump_clock: MockClock, world: World) -> None:
    class ShortLivedCodec(GateioSpotFeedCodec):
        connection_seconds_max = 360.0

    await start_synchronised(world, codec=ShortLivedCodec())
    connected_at, since = trio.current_time(), len(world.inbox.events)
    lost = await world.inbox.wait(BookLost, since=since)
    assert lost.reason == "renewed after 0.1 h, before the exchange ends it"
    assert 359 < trio.current_time() - connected_at < 361
    await world.inbox.wait(BookChanged, since=len(world.inbox.events))
    assert trio.current_time() - connected_at < 362
    assert world.gate.open_websockets == 1


# Subscribers


def trade(pair: str) -> dict[str, object]:
    result = {"id": 7, "create_time_ms": "1790000000001.5", "side": "sell", "currency_pair": pair, "amount": "0.5", "price": "99"}
    return {"channel": "spot.trades", "event": "update", "result": result}


async def test_trades_go_only_to_those_who_want_them_and_tickers_to_all(autojump_clock: MockClock, world: World) -> None:
    tape = Inbox()
    subscribers = [
        FeedSubscriber(name="cycle", sender=world.inbox),
        FeedSubscriber(name="tape", sender=tape, wants_trades=True, symbols=frozenset([BTC_USDT])),
    ]
    await start_synchronised(world, BTC_USDT, ETH_USDT, subscribers=subscribers)
    await world.gate.push(trade("BTC_USDT"))
    await world.gate.push(trade("ETH_USDT"))
    await world.gate.push(trade("OTHER_USDT"))
    ticker = {"currency_pair": "BTC_USDT", "last": "100", "lowest_ask": "101", "highest_bid": "99", "base_volume": "1", "quote_volume": "2"}
    await world.gate.push({"channel": "spot.tickers", "event": "update", "result": ticker})
    for inbox in (tape, world.inbox):
        assert (await inbox.wait(TickerChanged)).last == 100.0
    (happened,) = tape.about(BTC_USDT, (TradeHappened,))
    assert (happened.trade_id, happened.side, happened.price, happened.quantity) == ("7", Side.SELL, 99.0, 0.5)
    assert not tape.about(ETH_USDT, (TradeHappened, BookChanged))
    assert not world.inbox.about(BTC_USDT, (TradeHappened,))


async def test_late_subscriber_is_told_how_things_stand(autojump_clock: MockClock, world: World) -> None:
    await start_synchronised(world, BTC_USDT, ETH_USDT)
    late = Inbox()
    await world.subscriptions.send(FeedSubscriber(name="late", sender=late, symbols=frozenset([BTC_USDT])))
    await late.wait(BookChanged)
    assert [type(event) for event in late.events] == [InstrumentListed, BookChanged]
    sequence = await world.gate.change("BTC_USDT", bids={"99": "2"})
    await late.wait(BookChanged, sequence=sequence)


async def test_subscriber_that_comes_again_replaces_itself(autojump_clock: MockClock, world: World) -> None:
    await start_synchronised(world)
    again = Inbox()
    await world.subscriptions.send(FeedSubscriber(name="cycle", sender=again))
    await again.wait(BookChanged)
    count = len(world.inbox.events)
    sequence = await world.gate.change("BTC_USDT", bids={"99": "2"})
    await again.wait(BookChanged, sequence=sequence)
    assert len(world.inbox.events) == count


async def test_subscriber_that_is_gone_harms_nobody(autojump_clock: MockClock, world: World) -> None:
    sender, receiver = open_latest(book_key, keys_max=4)
    subscribers = [FeedSubscriber(name="gone", sender=sender), FeedSubscriber(name="cycle", sender=world.inbox)]
    await start_synchronised(world, subscribers=subscribers)
    assert [type(receiver.receive_nowait()) for _ in range(receiver.statistics().pending)] == [InstrumentListed, BookChanged]
    receiver.close()
    sequence = await world.gate.change("BTC_USDT", bids={"99": "2"})
    await world.inbox.wait(BookChanged, sequence=sequence)
    assert world.reported(SubscriberGone) == [SubscriberGone("gateio_spot", "gone")]


async def test_latest_inbox_holds_the_last_word_on_a_book(autojump_clock: MockClock, world: World) -> None:
    sender, receiver = open_latest(book_key, keys_max=4)
    await start_synchronised(world, subscribers=[FeedSubscriber(name="cycle", sender=sender)])
    await world.gate.change("BTC_USDT", bids={"99": "2"})
    await trio.sleep(0.1)
    await world.stop()
    assert [type(receiver.receive_nowait()) for _ in range(receiver.statistics().pending)] == [InstrumentListed, BookLost]


def book_key(event: MarketEvent) -> tuple[str, object]:
    if isinstance(event, InstrumentListed):
        return "instrument", event.instrument.symbol
    return "book" if isinstance(event, BookChanged | BookLost) else type(event).__name__, event.symbol


# Instruments


async def test_instruments_are_loaded_again_every_hour_and_a_missing_one_is_closed(autojump_clock: MockClock, world: World) -> None:
    await start_synchronised(world, BTC_USDT, ETH_USDT, max_age_seconds=1000.0)
    world.gate.listed.remove("ETH_USDT")
    since = len(world.inbox.events)
    await trio.sleep(3601)
    listed = [event.instrument for event in world.inbox.events[since:] if isinstance(event, InstrumentListed)]
    assert [(instrument.symbol, instrument.status) for instrument in listed] == [
        (BTC_USDT, TradingStatus.TRADABLE),
        (ETH_USDT, TradingStatus.CLOSED),
    ]


async def test_instruments_that_cannot_be_loaded_again_stay_in_force(autojump_clock: MockClock, world: World) -> None:
    await start_synchronised(world, max_age_seconds=1000.0)
    world.gate.listed[0] = "not a pair"
    await trio.sleep(3602)
    assert world.reported(InstrumentsFailed)
    assert len([event for event in world.inbox.events if isinstance(event, InstrumentListed)]) == 1
    world.gate.listed[0] = "BTC_USDT"
    await trio.sleep(30)
    assert len([event for event in world.inbox.events if isinstance(event, InstrumentListed)]) == 2
