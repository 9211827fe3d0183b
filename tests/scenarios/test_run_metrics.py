"""Each metric moves when what it is about happens, by as much as happened, and outlives the actor that it is about."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
import trio
from quoting_world import quoting_settings
from scraping import Scrape, scrape
from test_following_the_market import NO_TAKERS, exchange_id, is_sell, placed_sell
from test_limits_in_force import buy
from world import BTC_USDT, World, run_world, scenario

from actors.accounts.timing import AccountTiming
from actors.cycle.rounds.sell_on_top import SellOnTopParameters
from actors.feeds.reports import BookSynchronised, FeedConnected, FeedDisconnected
from actors.journal.entries import HoldPlaced
from assembly.metrics.collector import METRICS
from assembly.metrics.families import Kind
from assembly.metrics.health import Readiness
from assembly.presenter.report import ExitStatus
from assembly.registry import EXCHANGES
from market.events import BookLost, Side
from network.breaker import BreakerChanged, BreakerState
from orders.commands import PlaceOrder
from orders.events import OrderCancelRequested, OrderEnded, OrderFateUnknown, OrderFilled, OrderPlaced, OrderSubmitted
from orders.life_cycle import OrderState
from orders.order import Transport
from orders.states import TradingState
from simulated.faults import Moment, Operation
from supervision.events import ChildReady, ChildRestarting


def readiness(world: World) -> Readiness:
    assert world.runtime is not None
    answer = world.runtime.health.readiness()
    told = msgspec.json.decode(answer.body, type=Readiness)
    assert answer.is_fine is told.ready
    return told


def state_of(found: Scrape, name: str, **labels: str) -> list[str]:
    """The states in which something is; there must be one."""
    return [has["state"] for sample, has, value in found.samples if sample == name and labels.items() <= has.items() and value == 1]


# All of them


@scenario(seed=901)
async def test_every_metric_that_is_defined_is_told_and_nothing_else(world: World) -> None:
    await world.start(cycles=0)
    await world.wait_for(OrderFilled, is_sell)
    found = scrape(world)
    defined = {metric.name.removesuffix("_total") if metric.kind is Kind.COUNTER else metric.name: metric for metric in METRICS}
    assert set(found.families) == set(defined)
    assert {name: family.type for name, family in found.families.items()} == {name: one.kind.value for name, one in defined.items()}
    for name, has, _ in found.samples:
        metric = (
            defined.get(name.removesuffix("_total")) or defined[name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count")]
        )
        assert set(has) - {"le"} == set(metric.labels), name
    assert world.runtime is not None
    in_steps = Scrape((await world.runtime.make_metrics().scrape()).decode())
    assert [sample[:2] for sample in in_steps.samples] == [sample[:2] for sample in found.samples]
    world.stop()
    await world.end()


@scenario(seed=902, simulation=NO_TAKERS)
async def test_counters_agree_with_what_the_program_has_told(world: World) -> None:
    await world.start(cycles=2)
    for count in (1, 2):
        world.exchange.fill_order(exchange_id(await placed_sell(world, count)))
        await world.wait_for(OrderFilled, is_sell, count=count)
    await trio.sleep(0.5)
    found = scrape(world)
    for event, kind in (("submitted", OrderSubmitted), ("placed", OrderPlaced)):
        assert (
            found.sum("mm_order_events_total", event=event)
            == found.sum("mm_order_events_total", event=event, cycle="btc")
            == len(world.seen(kind))
        )
    for state in (OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED, OrderState.REJECTED):
        assert found.sum("mm_order_events_total", event=state.value) == len(
            world.seen(OrderEnded, lambda event, state=state: event.order.state is state)
        )
    fills = world.seen(OrderFilled)
    for liquidity, is_maker in (("maker", True), ("taker", False)):
        its = [event.fill for event in fills if event.fill.maker is is_maker]
        assert found.sum("mm_fills_total", liquidity=liquidity, symbol="BTC/USDT") == len(its) > 0
        worth = float(sum((fill.quantity * fill.price for fill in its), Decimal(0)))
        assert found.sum("mm_traded_notional_quote_total", liquidity=liquidity) == pytest.approx(worth)
    assert found.sum("mm_order_acknowledgement_seconds_count", transport="websocket") == len(world.seen(OrderPlaced))
    assert found.sum("mm_feed_connections_total") == len(world.seen(FeedConnected)) == 1
    assert found.sum("mm_book_synchronisations_total") == len(world.seen(BookSynchronised)) == 1
    assert found.sum("mm_feed_messages_total", kind="book_delta") > 0
    assert found.sum("mm_feed_frames_total") == found.sum("mm_feed_messages_total"), "here each frame is one message"
    assert found.sum("mm_feed_frame_seconds_count") == (found.sum("mm_feed_frames_total") + 7) // 8
    await world.end()


@pytest.mark.parametrize("exchange_name", list(EXCHANGES))
def test_run_at_each_exchange_can_be_scraped_and_its_limits_and_orders_are_told(exchange_name: str) -> None:
    async def story(world: World) -> None:
        world.launch(quoting_settings(world))
        await world.wait_for(OrderPlaced, count=4)
        found = scrape(world)
        assert found.sum("mm_order_events_total", event="placed", cycle="btc") == len(world.seen(OrderPlaced))
        assert sum(found.values("mm_order_acknowledgement_seconds_count")) == len(world.seen(OrderPlaced))
        groups = set(world.account.exchange.entry.rate_limits)
        for name in ("mm_rate_limit_capacity", "mm_rate_limit_used", "mm_hold_seconds"):
            assert all(found.values(name, exchange=exchange_name, group=group) for group in groups), name
        assert found.sum("mm_rest_requests_total", exchange=exchange_name, outcome="answered") > 0
        assert found.sum("mm_book_usable", exchange=exchange_name) == found.sum("mm_account_ready") == 1
        world.stop()
        await world.end()

    run_world(story, seed=922, exchange_name=exchange_name)


# Latencies


@scenario(seed=903, simulation=NO_TAKERS, both_ways=True)
async def test_time_from_message_to_order_is_of_what_a_message_asked_for_and_not_of_what_a_round_or_an_answer_did(world: World) -> None:
    await world.start()
    await placed_sell(world)
    assert scrape(world).values("mm_message_to_order_seconds_count", request="cancel") == []
    by_message = sum(scrape(world).values("mm_message_to_order_seconds_count", request="place"))
    assert by_message == 0, "the round began and its buy filled: no message of the market asked for either order"
    for count, price in enumerate((59_000, 58_500), start=2):
        world.exchange.move_market(BTC_USDT, Decimal(price))
        await placed_sell(world, count)
    found, transport = scrape(world), "rest" if world.orders_by_rest else "websocket"
    assert (
        found.sum("mm_message_to_order_seconds_count", request="cancel", transport=transport) == len(world.seen(OrderCancelRequested)) > 0
    )
    # A request leaves in the step of its decision but for the turns of tasks, and virtual time stands still for those.
    assert found.sum("mm_message_to_order_seconds_sum", request="cancel") < 0.01
    world.stop()
    await world.end()


@scenario(seed=904, simulation=NO_TAKERS)
async def test_time_from_message_to_order_contains_the_wait_for_a_rate_limit(world: World) -> None:
    await world.start()
    await placed_sell(world)
    assert world.runtime is not None
    limits = world.account.exchange.limits
    limits.hold("cancels", trio.current_time() + 3.0, "the test wants so")
    world.exchange.move_market(BTC_USDT, Decimal(59_000))
    await placed_sell(world, 2)
    assert 1 < scrape(world).sum("mm_message_to_order_seconds_sum", request="cancel") < 4
    world.stop()
    await world.end()


@scenario(seed=905, simulation=NO_TAKERS)
async def test_time_to_the_acknowledgement_of_an_order_whose_answer_was_lost_ends_when_the_exchange_speaks_of_it(world: World) -> None:
    world.exchange.lose_answers(Operation.PLACE)
    world.exchange.drop_private_events(1_000)
    await world.start()
    unknown = (await world.wait_for(OrderFateUnknown)).order
    before = scrape(world)
    assert before.values("mm_order_acknowledgement_seconds_count") == []
    assert before.sum("mm_unknown_orders", account="main", cycle="btc") == 1
    await world.wait_for(OrderPlaced)
    lasted = trio.current_time() - unknown.sent_at
    found = scrape(world)
    assert unknown.transport is Transport.WEBSOCKET
    assert found.sum("mm_order_acknowledgement_seconds_count", transport="websocket") == 1
    assert found.sum("mm_order_acknowledgement_seconds_sum", transport="websocket") == pytest.approx(lasted)
    assert found.sum("mm_order_events_total", event="unknown") == 1
    assert found.sum("mm_unknown_orders") == 0
    world.stop()
    await world.end()


# Orders


@scenario(seed=906, simulation=NO_TAKERS)
async def test_unknown_order_grows_old_until_its_fate_is_learned(world: World) -> None:
    await world.start()
    await placed_sell(world)
    assert scrape(world).sum("mm_unknown_order_age_seconds") == 0
    world.exchange.lose_answers(Operation.CANCEL)
    world.exchange.fail_before_accepting(Operation.QUERY, count=60)
    world.exchange.drop_private_events(1_000)
    world.exchange.move_market(BTC_USDT, Decimal(59_000))
    unknown = await world.wait_for(OrderFateUnknown)
    began = next(at for at, event in world.events if event is unknown)
    await trio.sleep(1.5)
    found = scrape(world)
    assert found.sum("mm_unknown_order_age_seconds", account="main") == pytest.approx(trio.current_time() - began)
    assert found.sum("mm_live_orders", cycle="btc") == 1
    await world.wait_until(lambda: not any(order.state is OrderState.UNKNOWN for order in world.account.ledger.live_orders()))
    assert scrape(world).sum("mm_unknown_order_age_seconds") == 0
    world.stop()
    await world.end()


@scenario(seed=907, simulation=NO_TAKERS)
async def test_rejections_are_told_apart_by_who_refused_and_why(world: World) -> None:
    # The cycle's buy finds its money gone when it arrives, and is tried again an hour later.
    world.exchange.call_at(Operation.PLACE, Moment.ARRIVED, lambda: world.exchange.withdraw("USDT", world.exchange.balances()["USDT"][0]))
    await world.start(parameters=SellOnTopParameters(retry_seconds=3_600))
    await world.wait_for(OrderEnded)
    await world.account.commands_sender.send(PlaceOrder(request=buy(1, "100"), expires_at=trio.current_time() - 1))
    await world.wait_for(OrderEnded, count=2)
    found = scrape(world)
    assert found.sum("mm_order_rejections_total") == found.sum("mm_order_events_total", event="rejected") == 2
    assert found.sum("mm_order_rejections_total", cycle="btc", kind="insufficient_balance") == 1
    assert found.sum("mm_order_rejections_total", cycle="other", kind="not_sent") == 1
    assert found.sum("mm_order_events_total", event="placed") == 0
    assert found.sum("mm_order_acknowledgement_seconds_count") == 1, "a refusal is a word, too; what never left gets none"
    world.stop()
    await world.ended()


# Books


@scenario(seed=908)
async def test_gap_is_counted_as_such_and_the_book_is_unusable_until_it_is_whole_again(world: World) -> None:
    usable: list[float] = []
    await world.start(cycles=0)
    await world.wait_for(OrderFilled, is_sell)
    before = scrape(world)
    assert before.sum("mm_book_losses_total", reason="gap") == 0
    assert before.sum("mm_book_usable", exchange="gateio_spot", symbol="BTC/USDT") == 1
    assert before.sum("mm_book_age_seconds") < 5

    def look(event: object) -> None:
        if isinstance(event, BookLost):
            usable.append(scrape(world).sum("mm_book_usable"))

    world.observers.append(look)
    world.exchange.withhold_book_updates(BTC_USDT)
    await world.wait_for(BookSynchronised, count=2)
    world.observers.remove(look)
    found = scrape(world)
    assert usable == [0]
    assert found.sum("mm_book_losses_total", reason="gap", symbol="BTC/USDT") == found.sum("mm_book_losses_total") == 1
    assert found.sum("mm_book_synchronisations_total", symbol="BTC/USDT") == 2
    world.stop()
    await world.end()


@scenario(seed=909)
async def test_lost_connections_are_counted_with_the_books_that_went_with_them_and_the_age_grows_meanwhile(world: World) -> None:
    await world.start(cycles=0)
    await world.wait_for(OrderFilled, is_sell)
    world.exchange.disconnect_all()
    await world.wait_for(FeedDisconnected)
    lost = scrape(world)
    assert lost.sum("mm_feed_disconnections_total", exchange="gateio_spot") == 1
    assert lost.sum("mm_book_losses_total", reason="disconnected") == 1
    assert lost.sum("mm_book_usable") == 0
    age = lost.sum("mm_book_age_seconds")
    await trio.sleep(0.1)
    assert scrape(world).sum("mm_book_age_seconds") == pytest.approx(age + 0.1)
    await world.wait_for(FeedConnected, count=2)
    await world.wait_until(lambda: world.account.measures.connections == 2)
    found = scrape(world)
    assert found.sum("mm_feed_connections_total") == 2
    assert found.sum("mm_private_stream_connections_total", account="main") == 2
    assert found.sum("mm_private_stream_disconnections_total", account="main") == 1
    assert found.sum("mm_private_stream_frames_total", account="main") > 2
    world.stop()
    await world.end()


@scenario(seed=910)
async def test_damaged_frame_is_counted(world: World) -> None:
    await world.start(cycles=0)
    await world.wait_for(OrderFilled, is_sell)
    world.exchange.inject_crossed_update(BTC_USDT)
    await world.wait_for(BookSynchronised, count=2)
    assert scrape(world).sum("mm_book_losses_total", reason="crossed") == 1
    world.stop()
    await world.end()


# Actors


@scenario(seed=911)
async def test_counters_of_a_feed_go_on_over_its_restart_which_is_counted(world: World) -> None:
    await world.start(cycles=0)
    await world.wait_for(OrderFilled, is_sell)
    before = scrape(world)
    world.crash_feed()
    await world.wait_for(ChildRestarting, lambda event: event.child == "feed:gateio_spot")
    during = scrape(world)
    assert state_of(during, "mm_actor_state", actor="feed:gateio_spot") == ["restarting"]
    assert during.sum("mm_book_usable") == 0
    age, at = during.sum("mm_book_age_seconds"), trio.current_time()
    assert [(one.actor, one.state) for one in readiness(world).not_ready] == [("feed:gateio_spot", "restarting")]
    await world.wait_for(FeedConnected, count=2)
    grown = trio.current_time() - at
    assert scrape(world).sum("mm_book_age_seconds") == pytest.approx(age + grown), "the last incarnation's book until there is another"
    await world.wait_for(ChildReady, lambda event: event.child == "feed:gateio_spot", count=2)
    after = scrape(world)
    assert state_of(after, "mm_actor_state", actor="feed:gateio_spot") == ["ready"]
    assert after.sum("mm_actor_restarts_total", actor="feed:gateio_spot") == after.sum("mm_actor_restarts_total") == 1
    assert after.sum("mm_feed_messages_total", kind="book_delta") > before.sum("mm_feed_messages_total", kind="book_delta") > 0
    assert after.sum("mm_feed_frames_total") > before.sum("mm_feed_frames_total")
    assert after.sum("mm_feed_connections_total") == 2
    world.stop()
    await world.end()


@scenario(seed=912, simulation=NO_TAKERS)
async def test_counters_of_an_account_go_on_over_its_restart_and_it_is_not_ready_meanwhile(world: World) -> None:
    await world.start()
    await placed_sell(world)
    before = scrape(world)
    assert before.sum("mm_account_ready", account="main") == 1
    world.crash_account()
    await world.wait_for(ChildRestarting, lambda event: event.child == "account:main")
    assert scrape(world).sum("mm_account_ready", account="main") == 0
    waiting = readiness(world)
    assert not waiting.ready
    assert [one.actor for one in waiting.not_ready] == ["account:main"]
    await placed_sell(world, 2)
    after = scrape(world)
    assert after.sum("mm_account_ready", account="main") == 1
    assert readiness(world).ready
    assert after.sum("mm_order_events_total", event="cancelled") == 1, "by the closing, which counts in the same place"
    assert after.sum("mm_order_events_total", event="placed") == before.sum("mm_order_events_total", event="placed") + 1
    assert after.sum("mm_order_acknowledgement_seconds_count") == before.sum("mm_order_acknowledgement_seconds_count") + 1
    world.stop()
    await world.end()


# What may be sent, and what may be traded


@scenario(seed=913, simulation=NO_TAKERS)
async def test_hold_is_counted_once_and_told_for_as_long_as_it_lasts(world: World) -> None:
    await world.start()
    await placed_sell(world)
    assert scrape(world).sum("mm_holds_total") == scrape(world).sum("mm_hold_seconds") == 0
    world.exchange.ban_for(20.0)
    world.exchange.move_market(BTC_USDT, Decimal(59_000))
    await world.wait_for(HoldPlaced, lambda hold: hold.reason.startswith("banned"))
    banned = scrape(world)
    assert banned.sum("mm_holds_total", group="everything") == 1
    assert 10 < banned.sum("mm_hold_seconds", group="everything") <= 21
    assert state_of(banned, "mm_breaker_state", exchange="gateio_spot") == ["open"]
    assert banned.sum("mm_breaker_openings_total") == 1
    await trio.sleep(25)
    free = scrape(world)
    assert free.sum("mm_hold_seconds") == 0
    assert state_of(free, "mm_breaker_state", exchange="gateio_spot") == ["closed"]
    assert free.sum("mm_breaker_openings_total") == 1
    world.stop()
    await world.end()


@scenario(seed=914, simulation=NO_TAKERS)
async def test_requests_that_fail_are_told_apart_and_open_the_breaker_which_pauses_the_account(world: World) -> None:
    await world.start(timing=AccountTiming(reconcile_seconds=2.0, clock_seconds=600.0), dead_mans_switch_seconds=0)
    await placed_sell(world)
    before = scrape(world)
    assert before.sum("mm_rest_requests_total", outcome="server_error") == 0
    assert before.sum("mm_rest_requests_total", outcome="answered") == before.sum("mm_rest_request_seconds_count") > 3
    assert 0 < before.sum("mm_rest_request_seconds_sum") < before.sum("mm_rest_request_seconds_count") * 0.1
    world.exchange.fail_before_accepting(Operation.QUERY, count=10_000)
    await world.wait_for(BreakerChanged, lambda event: event.after is BreakerState.OPEN)
    await trio.sleep(0.1)
    failing = scrape(world)
    assert failing.sum("mm_rest_requests_total", outcome="server_error") >= 5
    assert state_of(failing, "mm_trading_state", scope="account:main") == ["paused"]
    assert state_of(failing, "mm_trading_state", scope="global") == ["run"]
    world.exchange.clear_faults()
    await world.wait_for(BreakerChanged, lambda event: event.after is BreakerState.CLOSED)
    assert state_of(scrape(world), "mm_trading_state", scope="account:main") == ["run"]
    world.stop()
    await world.end()


@scenario(seed=915, simulation=NO_TAKERS)
async def test_use_of_a_rate_limit_rises_with_what_is_sent_and_falls_again(world: World) -> None:
    await world.start()
    await placed_sell(world)
    found = scrape(world)
    assert 0 < found.sum("mm_rate_limit_used", group="private") <= found.sum("mm_rate_limit_capacity", group="private")
    await trio.sleep(30)
    assert scrape(world).sum("mm_rate_limit_used", group="orders") == 0
    world.stop()
    await world.end()


@scenario(seed=916, simulation=NO_TAKERS)
async def test_each_scope_is_in_one_state_and_the_strictest_that_was_said_of_it(world: World) -> None:
    await world.start()
    await placed_sell(world)
    assert world.runtime is not None
    states = world.runtime.tree.states
    states.enter("cycle:btc", TradingState.PAUSED, "lunch")
    states.restrain("cycle:btc", "a doubt", TradingState.HALTED, "who knows")
    states.enter("symbol:main:BTC/USDT", TradingState.REDUCE_ONLY, "careful")
    found = scrape(world)
    scopes = {"global": "run", "account:main": "run", "cycle:btc": "halted", "symbol:main:BTC/USDT": "reduce_only"}
    assert {scope: state_of(found, "mm_trading_state", scope=scope) for scope in scopes} == {
        scope: [state] for scope, state in scopes.items()
    }
    states.lift("cycle:btc", "a doubt")
    assert state_of(scrape(world), "mm_trading_state", scope="cycle:btc") == ["paused"]
    world.stop()
    await world.end()


# Cycles


@scenario(seed=917)
async def test_profit_inventory_and_exposure_are_those_of_the_ledger_at_the_accounts_middle(world: World) -> None:
    settings = quoting_settings(world)
    cycle = msgspec.structs.replace(
        settings.cycles["btc"], limits=msgspec.structs.replace(settings.cycles["btc"].limits, drawdown_max=Decimal(1_000))
    )
    world.launch(msgspec.structs.replace(settings, cycles={"btc": cycle}))
    await world.wait_for(OrderPlaced, count=10)
    order = world.venue.open_orders()[0]
    world.exchange.fill_order(order.id)
    await world.wait_for(OrderFilled)
    await trio.sleep(2)
    found, ledger = scrape(world), world.account.ledger
    tally, middle = ledger.tally("btc", BTC_USDT), world.account.limited.middle(BTC_USDT)
    assert middle is not None
    assert tally.inventory
    labels = {"cycle": "btc", "account": "main", "symbol": "BTC/USDT"}
    assert found.sum("mm_cycle_inventory_base", **labels) == float(tally.inventory)
    assert found.sum("mm_cycle_inventory_quote", **labels) == pytest.approx(float(tally.inventory * middle))
    assert found.sum("mm_cycle_profit_quote", **labels) == pytest.approx(float(tally.profit(middle)))
    assert found.sum("mm_cycle_realised_profit_quote", **labels) == float(tally.traded.realised)
    assert found.sum("mm_cycle_unrealised_profit_quote", **labels) == pytest.approx(float(tally.traded.unrealised(middle)))
    assert found.sum("mm_cycle_drawdown_limit_quote", **labels) == 1_000
    assert found.sum("mm_cycle_drawdown_quote", **labels) >= max(0.0, -float(tally.profit(middle)))
    buys = sum(
        float((one.remaining_quantity or Decimal(0)) * (one.request.price or Decimal(0)))
        for one in ledger.live_orders()
        if one.request.side is Side.BUY
    )
    held = max(0.0, float(tally.inventory * middle))
    assert found.sum("mm_exposure_quote", direction="long") == pytest.approx(buys + held, rel=1e-3)
    assert found.sum("mm_live_orders", cycle="btc") == len(ledger.live_orders())
    world.stop()
    await world.end()


# The program


@scenario(seed=918, simulation=NO_TAKERS)
async def test_queues_and_the_loop_are_told_and_nothing_is_late_in_virtual_time(world: World) -> None:
    await world.start()
    await placed_sell(world)
    before = scrape(world)
    await trio.sleep(10)
    found = scrape(world)
    assert found.sum("mm_run_seconds") == pytest.approx(before.sum("mm_run_seconds") + 10)
    assert found.sum("mm_event_loop_lag_seconds_count") - before.sum("mm_event_loop_lag_seconds_count") == pytest.approx(40, abs=1)
    assert found.sum("mm_event_loop_lag_seconds_sum") == found.sum("mm_event_loop_lag_largest_seconds") == 0
    assert found.sum("mm_journal_entries_total") > before.sum("mm_journal_entries_total") > 5
    assert found.sum("mm_journal_waiting") <= found.sum("mm_journal_capacity")
    assert found.sum("mm_inbox_keys_largest", cycle="btc") > 0
    assert found.sum("mm_run_info", installation="mm") == 1
    assert found.sum("mm_exchange_info", exchange="gateio_spot", mode="simulated") == 1
    world.stop()
    await world.end()


@scenario(seed=919, simulation=NO_TAKERS)
async def test_metrics_can_be_read_while_a_run_stops_and_after_its_end(world: World) -> None:
    await world.start()
    await placed_sell(world)
    assert readiness(world).ready
    world.stop()
    await world.wait_for(OrderCancelRequested)
    stopping = scrape(world)
    assert stopping.sum("mm_run_stopping") == 1
    assert stopping.sum("mm_account_ready") == 0
    told = readiness(world)
    assert told.stopping
    assert not told.ready
    await world.end()
    ended = scrape(world)
    assert ended.sum("mm_live_orders") == 0
    assert ended.sum("mm_order_events_total", event="cancelled") == 1
    assert set(state_of(ended, "mm_actor_state")) == {"stopped"}


@scenario(seed=920, simulation=NO_TAKERS)
async def test_cycle_that_is_done_is_not_waited_for_and_one_that_never_began_is(world: World) -> None:
    await world.start(names=("btc", "other"), cycles=1)
    assert {one.actor for one in readiness(world).not_ready} >= {"account:main", "cycle:btc"}
    sell = await placed_sell(world)
    world.exchange.fill_order(exchange_id(sell))
    await world.wait_until(lambda: bool(readiness(world).ended))
    told = readiness(world)
    assert (len(told.ended), told.ready, told.not_ready) == (1, True, ())
    world.stop()
    await world.end(status=ExitStatus.CLEAN)


@scenario(seed=921)
async def test_exposition_holds_no_secret(world: World) -> None:
    await world.start(cycles=0)
    await world.wait_for(OrderFilled, is_sell)
    text = scrape(world).text
    credential = world.account.credential
    for secret in (credential.key, credential.secret):
        assert secret
        assert secret not in text
    world.stop()
    await world.end()
