"""The page of a real run: what it shows, and that nobody who looks at it can hold anything up."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
import trio
from msgspec.structs import replace
from page_client import ADDRESS, page_opened, start_with_page
from quoting_world import FIVE_LEVELS, STILL, quoting_settings
from test_following_the_market import NO_TAKERS, exchange_id, placed_sell
from trio_websocket import ConnectionClosed
from world import BTC_USDT, HOST, World, run_world, scenario

from actors.cycle.quoting.strategies.parameters import PriceSource
from assembly.page.application import BUSY, NOT_OURS, PAGES_MAX
from assembly.page.events import PageOpened, PageUnavailable
from assembly.page.page import AGAIN_SECONDS
from assembly.page.protocol import HEARTBEAT_SECONDS, PUSH_INTERVAL_SECONDS, Book, Cycle, Orders, Standing
from assembly.page.stream import SEND_SECONDS_MAX
from assembly.settings import ExchangeSettings
from orders.events import AccountReady, OrderFateUnknown, OrderPlaced
from orders.life_cycle import OrderState
from orders.reconciliation import CycleReconciled
from simulated.faults import Operation
from supervision.events import ChildReady, ChildRestarting
from supervision.snapshot import ChildState

MARKET = "gateio_spot BTC/USDT"


def composed(world: World) -> int:
    """How often the run was looked at for pages."""
    assert world.runtime is not None
    assert world.runtime.page is not None
    return world.runtime.page.composition.number


@scenario(seed=701, simulation=NO_TAKERS)
async def test_page_shows_the_run_as_it_is(world: World) -> None:
    await start_with_page(world)
    sell = await placed_sell(world)
    async with page_opened(world) as page:
        assert page.now.program is not None
        assert (page.now.program.exchanges, page.now.program.can_control) == ({"gateio_spot": "simulated"}, True)
        assert page.now.tree is not None
        groups = {group.name: [child.name for child in group.children or ()] for group in page.now.tree.children or ()}
        assert groups["cycles"] == ["cycle:btc"]
        assert groups["pages"] == ["page"]
        book: Book = page.shown["books"][MARKET]
        assert book.standing is Standing.LIVE
        assert len(book.bids) == len(book.asks) == 10
        assert [(quote.side, quote.price, quote.client_order_id) for quote in book.quotes] == [
            ("sell", f"{sell.request.price:f}", sell.client_order_id)
        ]
        orders: Orders = page.shown["orders"]
        assert [(order.client_order_id, order.state) for order in orders.live] == [(sell.client_order_id, "open")]
        assert [order.state for order in orders.ended] == ["filled"]
        assert [(fill.side, fill.maker) for fill in page.shown["fills"]] == [("buy", False)]
        (account,) = page.shown["accounts"]
        assert (account.standing, account.live_orders) == (Standing.LIVE, 1)
        assert {balance.asset for balance in account.balances} == {"BTC", "USDT"}
        cycle: Cycle = page.shown["cycles"][0]
        assert (cycle.name, cycle.strategy, cycle.trades) == ("btc", "sell_on_top", 1)
        latencies = {each.of: each for each in page.shown["latencies"]}
        assert latencies["order_to_ack"].count == 2
        assert latencies["order_to_ack"].p50_seconds is not None
        assert any("order_filled" in line.text and line.actor == "btc" for line in page.lines)
        world.exchange.fill_order(exchange_id(sell))
        await world.wait_for(CycleReconciled)
        await page.watch(1.0)
        assert sell.client_order_id in [order.client_order_id for order in page.shown["orders"].ended if order.state == "filled"]
        assert page.shown["cycles"][0].trades >= 2
    world.stop()
    await world.end()


@scenario(seed=719, simulation=NO_TAKERS)
async def test_account_with_an_order_of_unknown_fate_is_not_shown_as_in_agreement(world: World) -> None:
    await start_with_page(world)
    await placed_sell(world)
    world.exchange.lose_answers(Operation.CANCEL)
    world.exchange.fail_before_accepting(Operation.QUERY, count=60)
    world.exchange.drop_private_events(1_000)
    world.exchange.move_market(BTC_USDT, Decimal(59_000))
    await world.wait_for(OrderFateUnknown)
    async with page_opened(world) as page:
        (account,) = page.shown["accounts"]
        assert (account.standing, account.unknown_orders) == (Standing.STALE, 1)
    await world.wait_until(lambda: not any(order.state is OrderState.UNKNOWN for order in world.account.ledger.live_orders()))
    async with page_opened(world) as page:
        (account,) = page.shown["accounts"]
        assert (account.standing, account.unknown_orders) == (Standing.LIVE, 0)
    world.stop()
    await world.end()


@scenario(seed=702)
async def test_page_that_was_told_of_changes_shows_what_one_shows_that_was_told_all(world: World) -> None:
    await start_with_page(world)
    await world.wait_for(OrderPlaced)
    async with page_opened(world) as early:
        for _ in range(3):
            await early.watch(7.0)
            assert world.runtime is not None
            # From here on nothing more comes: the two are compared in one moment.
            async with page_opened(world) as late:
                while early.now.now_milliseconds < late.now.now_milliseconds:
                    await early.look()
                assert early.now.now_milliseconds == late.now.now_milliseconds
                assert early.shown == late.shown
                assert early.series == late.series
                assert [line.sequence for line in early.lines][-len(late.lines) :] == [line.sequence for line in late.lines]
                assert early.missed == 0
        found = {each.of: each for each in early.shown["latencies"]}
        assert set(found) == {"tick_to_order", "order_to_ack"}
        assert all(sum(each.counts) == each.count > 0 and len(each.counts) == len(each.bounds_seconds) + 1 for each in found.values())
        kept = early.series["middle gateio_spot BTC/USDT"].points
        assert [round(later[0] - before[0], -1) for before, later in pairwise(kept)] == [1000] * (len(kept) - 1)
        assert {key for key in early.series if early.series[key].points[-1][1] is not None} == {
            "profit btc",
            "inventory btc",
            "middle gateio_spot BTC/USDT",
        }
    world.stop()
    await world.end()


@scenario(seed=703, simulation=NO_TAKERS)
async def test_pushes_have_what_changed_and_come_when_nothing_does(world: World) -> None:
    world.exchange.freeze_flow()
    await start_with_page(world)
    await placed_sell(world)
    async with page_opened(world) as page:
        await page.watch(20.0)
        told_at = [push.now_milliseconds / 1000 for push in page.pushes]
        gaps = [later - before for before, later in pairwise(told_at)]
        assert min(gaps) >= PUSH_INTERVAL_SECONDS / 2
        assert max(gaps) <= HEARTBEAT_SECONDS + PUSH_INTERVAL_SECONDS
        assert sum(push.orders is not None for push in page.pushes) == 1
        assert sum(push.fills is not None for push in page.pushes) == 1
        assert sum(push.program is not None for push in page.pushes) == 1
    world.stop()
    await world.end()


@scenario(seed=704, simulation=NO_TAKERS)
async def test_run_is_not_looked_at_while_no_page_is_open_and_once_for_all_that_are(world: World) -> None:
    await start_with_page(world)
    await placed_sell(world)
    assert composed(world) == 0
    async with page_opened(world) as one, page_opened(world) as another, page_opened(world) as third:
        before, began_at = composed(world), trio.current_time()
        async with trio.open_nursery() as nursery:
            for page in (one, another, third):
                nursery.start_soon(page.watch, 10.0)
        assert composed(world) - before <= (trio.current_time() - began_at) / PUSH_INTERVAL_SECONDS + 1
        assert min(len(page.pushes) for page in (one, another, third)) > 10
    await trio.sleep(1.0)
    before = composed(world)
    await trio.sleep(10.0)
    assert composed(world) == before
    world.stop()
    await world.end()


@scenario(seed=705, simulation=NO_TAKERS)
async def test_what_is_stale_or_lost_is_told_as_that(world: World) -> None:
    await start_with_page(world)
    await placed_sell(world)
    async with page_opened(world) as page:
        cut = world.network.partition(HOST)
        await page.watch(25.0)
        book: Book = page.shown["books"][MARKET]
        assert book.standing is Standing.LOST
        assert book.reason
        assert book.bids, "what was known last is still there to be looked at"
        assert page.shown["accounts"][0].standing is Standing.LOST
        assert page.series[f"middle {MARKET}"].points[-1][1] is None
        cut.repair()
        await page.watch(30.0)
        assert page.shown["books"][MARKET].standing is Standing.LIVE
        assert page.shown["accounts"][0].standing is Standing.LIVE
    world.stop()
    await world.end()


@scenario(seed=721, simulation=STILL)
async def test_symbol_of_two_exchanges_is_compared_by_the_books_that_are_live(world: World) -> None:
    dear = replace(STILL, markets=(replace(STILL.markets[0], start_price=Decimal(61_000)),))
    settings = quoting_settings(
        world, reference_exchange="okx_spot", parameters=replace(FIVE_LEVELS, price_source=PriceSource.REFERENCE_MID)
    )
    exchanges = settings.exchanges | {"okx_spot": ExchangeSettings(simulation=dear, taker_fee_fraction=0.002)}
    await start_with_page(world, of=replace(settings, exchanges=exchanges))
    async with page_opened(world) as page:
        await page.watch(10.0)
        (found,) = page.shown["across"]
        books = page.shown["books"]
        bids, asks = books["okx_spot BTC/USDT"].bids, books[MARKET].asks
        assert (found.symbol, found.live_at, found.not_live_at) == ("BTC/USDT", ("gateio_spot", "okx_spot"), ())
        assert (found.bid, found.bid_at, found.ask, found.ask_at) == (bids[0], "okx_spot", asks[0], "gateio_spot")
        assert (found.buy_at, found.sell_at) == ("gateio_spot", "okx_spot")
        all_told = min(sum(quantity for _, quantity in side) for side in (bids, asks))
        assert found.quantity == pytest.approx(all_told), "no level of either side is too dear for what the other pays"
        assert found.profit < found.quantity * (bids[0][0] * 0.998 - asks[0][0] * 1.001)
        cut = world.network.partition(HOST)
        await page.watch(25.0)
        (found,) = page.shown["across"]
        assert (found.live_at, found.not_live_at, found.bid_at, found.profit) == (("okx_spot",), ("gateio_spot",), "okx_spot", None)
        cut.repair()
    world.stop()
    await world.end()


@scenario(seed=723, simulation=STILL)
async def test_our_own_orders_are_not_what_exchanges_are_compared_by(world: World) -> None:
    tick = Decimal("0.00001")
    tight = {
        "bid_spread_fraction": tick,
        "ask_spread_fraction": tick,
        "spread_min_fraction": tick,
        "refresh_tolerance_fraction": Decimal(0),
    }
    settings = quoting_settings(world, reference_exchange="okx_spot", parameters=replace(FIVE_LEVELS, levels=1, **tight))
    exchanges = settings.exchanges | {"okx_spot": ExchangeSettings(simulation=STILL)}
    await start_with_page(world, of=replace(settings, exchanges=exchanges))
    async with page_opened(world) as page:
        await page.watch(10.0)
        own = {float(quote.price) for quote in page.shown["books"][MARKET].quotes}
        book, elsewhere = page.shown["books"][MARKET], page.shown["books"]["okx_spot BTC/USDT"]
        assert own & {book.bids[0][0], book.asks[0][0]}, "one of ours is the best of its side"
        (found,) = page.shown["across"]
        assert found.bid[0] == max(price for price, _ in (*book.bids, *elsewhere.bids) if price not in own)
        assert found.ask[0] == min(price for price, _ in (*book.asks, *elsewhere.asks) if price not in own)
    world.stop()
    await world.end()


@scenario(seed=707)
async def test_reader_that_stops_reading_gets_the_newest_later_and_no_other_page_waits(world: World) -> None:
    await start_with_page(world)
    await world.wait_for(OrderPlaced)
    async with page_opened(world) as slow, page_opened(world) as other:
        await other.watch(SEND_SECONDS_MAX + 5)
        assert len(other.pushes) > 50
        # What lay in the buffers comes first, and behind it the newest: not all that was said meanwhile.
        while slow.now.now_milliseconds < other.now.now_milliseconds:
            await slow.look()
        assert slow.now.number < other.now.number - 10
        while other.now.now_milliseconds < slow.now.now_milliseconds:
            await other.look()
        assert slow.now.now_milliseconds == other.now.now_milliseconds
        assert slow.shown == other.shown
        assert slow.series == other.series
        assert [line.sequence for line in slow.lines] == [line.sequence for line in other.lines]
    world.stop()
    await world.end()


@scenario(seed=708)
async def test_reader_that_never_reads_is_let_go_and_its_place_is_free_again(world: World) -> None:
    await start_with_page(world)
    assert world.runtime is not None
    assert world.runtime.page is not None
    stuck = await trio.open_tcp_stream(ADDRESS, 8321)
    await stuck.send_all(
        b"GET /push HTTP/1.1\r\nHost: localhost:8321\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    await trio.sleep(5.0)
    assert world.runtime.page.application.pages == 1
    await trio.sleep(45.0)
    assert world.runtime.page.application.pages == 0
    await stuck.aclose()
    world.stop()
    await world.end()


@scenario(seed=709, simulation=NO_TAKERS)
async def test_no_more_pages_are_open_than_may_be(world: World) -> None:
    await start_with_page(world)
    async with trio.open_nursery() as nursery:

        async def hold(task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
            async with page_opened(world) as page:
                task_status.started()
                await page.watch(1_000)

        for _ in range(PAGES_MAX):
            await nursery.start(hold)
        with pytest.raises(ConnectionClosed) as refused:
            async with page_opened(world):
                pass
        assert refused.value.reason.code == BUSY
        nursery.cancel_scope.cancel()
    await trio.sleep(1.0)
    async with page_opened(world):
        pass
    world.stop()
    await world.end()


@scenario(seed=710, simulation=NO_TAKERS)
async def test_page_that_says_something_is_closed(world: World) -> None:
    await start_with_page(world)
    async with page_opened(world) as page:
        await page.connection.send_message("pause")
        with pytest.raises(ConnectionClosed) as closed:
            await page.watch(10.0)
        assert closed.value.reason.code == NOT_OURS
    world.stop()
    await world.end()


@scenario(seed=711)
async def test_stop_does_not_wait_for_a_page_that_does_not_read(world: World) -> None:
    await start_with_page(world)
    await world.wait_for(AccountReady)
    async with trio.open_nursery() as nursery:

        async def hold(task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
            async with page_opened(world) as page:
                task_status.started()
                await trio.sleep_until(stop_at + 1)
                with pytest.raises(ConnectionClosed):
                    await page.watch(100)

        stop_at = trio.current_time() + SEND_SECONDS_MAX - 1
        await nursery.start(hold)
        async with page_opened(world) as reading:
            await reading.watch(stop_at - trio.current_time())
            world.stop("enough")
            with pytest.raises(ConnectionClosed):
                await reading.watch(100)
            assert reading.shown["program"].stopping == "enough"
        report = await world.end()
        assert report.seconds < stop_at + 1.0


@scenario(seed=712, simulation=NO_TAKERS)
async def test_page_that_crashed_is_there_again_and_knows_what_was_before(world: World) -> None:
    world.crash_when(lambda event: isinstance(event, PageOpened))
    await start_with_page(world)
    await world.wait_for(ChildReady, lambda event: event.child == "page", count=2)
    await placed_sell(world)
    async with page_opened(world) as page:
        assert world.runtime is not None
        assert world.runtime.page is not None
        failures = iter([ZeroDivisionError("of a test")])

        def fail_once() -> None:
            for failure in failures:
                raise failure

        world.runtime.page.series.add("profit", "nobody", "USDT", fail_once)
        with pytest.raises(ConnectionClosed):
            await page.watch(10.0)
        points = len(page.series["profit btc"].points)
        assert points
    await world.wait_for(ChildReady, lambda event: event.child == "page", count=3)
    async with page_opened(world) as again:
        assert len(again.series["profit btc"].points) >= points
        pages = next(group for group in again.shown["tree"].children if group.name == "pages")
        assert (pages.children[0].state, "ZeroDivisionError" in pages.children[0].last_error) == (ChildState.READY, True)
    assert not world.seen(ChildRestarting, lambda event: event.child != "page")
    world.stop()
    await world.end()


@scenario(seed=713, simulation=NO_TAKERS)
async def test_address_that_is_taken_is_told_of_once_and_taken_when_it_is_free(world: World) -> None:
    world.network.add_host("localhost", ADDRESS)
    (other,) = await trio.open_tcp_listeners(8321, host=ADDRESS)
    await start_with_page(world, wait=False)
    found = await world.wait_for(PageUnavailable)
    assert found.listen == "127.0.0.1:8321"
    assert "in use" in found.reason
    assert "page.listen" in found.reason
    await placed_sell(world)
    await trio.sleep(3 * AGAIN_SECONDS)
    assert len(world.seen(PageUnavailable)) == 1
    await other.aclose()
    await world.wait_for(PageOpened, within_seconds=AGAIN_SECONDS + 1)
    async with page_opened(world) as page:
        assert any("page_unavailable" in line.text for line in page.lines)
    world.stop()
    await world.end()


@scenario(seed=714, simulation=NO_TAKERS)
async def test_run_that_cannot_be_put_into_words_is_a_crash_of_the_page_and_of_nothing_else(world: World) -> None:
    await start_with_page(world)
    await placed_sell(world)
    assert world.runtime is not None
    assert world.runtime.page is not None
    world.runtime.page.note(object())
    async with page_opened(world) as page:
        assert any("object" in line.text for line in page.lines), "what nobody knows is told by its class"
        world.runtime.page.memory.phases["btc"] = object()
        with pytest.raises(ConnectionClosed):
            await page.watch(5.0)
    await world.wait_for(ChildRestarting, lambda event: event.child == "page")
    world.runtime.page.memory.phases["btc"] = "selling"
    await world.wait_for(ChildReady, lambda event: event.child == "page", count=2)
    async with page_opened(world) as again:
        assert again.shown["cycles"][0].phase == "selling"
    assert not world.seen(ChildRestarting, lambda event: event.child != "page")
    world.stop()
    await world.end()


@pytest.mark.parametrize("exchange", ["okx_spot", "okx_swap", "mexc_spot", "gateio_futures"])
def test_books_of_every_exchange_can_be_told(exchange: str) -> None:
    async def look(world: World) -> None:
        world.exchange.freeze_flow()
        await start_with_page(world, leverage=Decimal(5) if world.venue.trades_contracts else None)
        await placed_sell(world)
        async with page_opened(world) as page:
            book: Book = page.shown["books"][f"{exchange} BTC/USDT"]
            assert (book.standing, len(book.bids)) == (Standing.LIVE, 10)
            assert [quote.side for quote in book.quotes] == ["sell"]
        world.stop()
        await world.end()

    run_world(look, seed=715, exchange_name=exchange, simulation=replace(NO_TAKERS, book_checksums=True))
