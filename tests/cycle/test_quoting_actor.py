"""The quoting actor: when it decides, what it does not let wait, and what a death does not lose."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import cast

import pytest
import trio
from msgspec.structs import replace
from quoting_desk import ACCOUNT, EXCHANGE, OWN_MARKET, Desk, ScriptedStrategy
from quoting_samples import BTC_USDT, RULES, ask, bid
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.cycle.quoting.actor import COMMAND_LIFETIME_SECONDS, COMMANDS_UNREAD_MAX, Market
from actors.cycle.quoting.contract import QuotingView, StrategyFailed, Wanted
from actors.cycle.quoting.memory import ENDED_ORDERS_KEPT_MAX
from actors.cycle.terms import StrategyLimits
from market.events import InstrumentListed, Side, TradeHappened
from orders.commands import AmendOrders, CancelOrders, PlaceOrders
from orders.events import AccountLost, AccountReady, BalanceChanged, OrderChanged
from orders.life_cycle import OrderState
from orders.order import Order
from orders.positions import PositionAccount
from orders.quoting import QuotingStarted, TicksSkipped
from orders.reconciliation import CyclePhaseChanged
from orders.states import Standing, StandingChanged, TradingState
from orders.tally import Tally, TallyChanged
from soak.worlds.interference import InjectedCrash, Poison

LONG_TICK_SECONDS = 1000.0


# Ticks


async def test_decisions_are_made_on_a_fixed_grid_of_ticks(autojump_clock: object) -> None:
    desk = Desk(tick_seconds=0.25)
    async with desk.open():
        await wait_all_tasks_blocked()
        began_at = desk.strategy.decided_at[0]
        await trio.sleep(10.1)
    at_ticks = [at - began_at for at in desk.strategy.decided_at]
    assert [at for at in at_ticks if at] == pytest.approx([0.25 * number for number in range(1, 41)])
    assert not desk.seen(TicksSkipped)


async def test_ticks_that_are_late_are_skipped_counted_and_told_once_a_minute(autojump_clock: MockClock) -> None:
    desk = Desk(tick_seconds=1.0)
    async with desk.open():
        await trio.sleep(3.5)
        decided = len(desk.strategy.views)
        autojump_clock.jump(4.0)  # as if the whole program had been busy
        await trio.sleep(2.0)
        assert desk.memory.ticks_skipped == 3
        late, *others = desk.strategy.decided_at[decided:]
        assert late == pytest.approx(7.5)
        assert others == pytest.approx([8.0, 9.0]), "back on the grid"
        [told] = desk.seen(TicksSkipped)
        assert told.skipped == 3
        autojump_clock.jump(4.0)
        await trio.sleep(2.0)
        assert len(desk.seen(TicksSkipped)) == 1
        await trio.sleep(60.0)
        autojump_clock.jump(4.0)
        await trio.sleep(2.0)
        assert [event.skipped for event in desk.seen(TicksSkipped)] == [3, desk.memory.ticks_skipped]


async def test_quotes_are_placed_in_one_command_and_then_nothing_more_is_sent(autojump_clock: object) -> None:
    desk = Desk(ScriptedStrategy(bid("99.9"), bid("99.8", level=1), ask("100.1"), ask("100.2", level=1)))
    async with desk.open():
        await trio.sleep(10.0)
    assert [type(command) for _, command in desk.account.received] == [PlaceOrders]
    assert (desk.resting(Side.BUY), desk.resting(Side.SELL)) == (["99.9", "99.8"], ["100.1", "100.2"])
    assert [event.phase for event in desk.seen(CyclePhaseChanged)] == ["quoting"]
    assert len(desk.seen(QuotingStarted)) == 1


# What cannot wait


async def decides_again(desk: Desk, within_seconds: float = 0.1) -> bool:
    before = len(desk.strategy.views)
    await trio.sleep(within_seconds)
    return len(desk.strategy.views) > before


@pytest.fixture
def patient() -> Desk:
    """Whose next tick is far away."""
    return Desk(tick_seconds=LONG_TICK_SECONDS)


async def test_fill_of_ours_is_answered_at_once_and_shown_to_the_strategy(patient: Desk, autojump_clock: object) -> None:
    async with patient.open():
        await trio.sleep(5.0)
        [order] = [order for order in patient.account.live() if order.request.side is Side.BUY]
        patient.account.fill(order)
        assert await decides_again(patient)
        fill = patient.strategy.views[-1].last_fills[Side.BUY]
        assert (fill.price, fill.quantity, fill.at) == (Decimal("99.9"), Decimal(1), pytest.approx(5.0))
        assert patient.resting(Side.BUY) == ["99.9"], "the level is filled up again"


async def test_partial_fill_is_not_answered_where_the_terms_say_so(autojump_clock: object) -> None:
    desk = Desk(tick_seconds=LONG_TICK_SECONDS, reacts_to_fills=False)
    async with desk.open():
        await trio.sleep(5.0)
        order = desk.account.live()[0]
        desk.account.say(replace(order, state=OrderState.PARTIALLY_FILLED, filled_quantity=Decimal("0.5")))
        assert not await decides_again(desk)


async def test_book_that_is_lost_has_all_quotes_pulled_at_once(patient: Desk, autojump_clock: object) -> None:
    async with patient.open():
        await trio.sleep(5.0)
        patient.lose_book()
        await trio.sleep(0.01)
        assert patient.account.live() == []
        assert patient.strategy.views[-1].book is None
        patient.tell_book()
        await trio.sleep(0.01)
        assert len(patient.account.live()) == 2


async def test_book_that_nobody_proves_any_more_has_all_quotes_pulled_the_moment_it_is_too_old(autojump_clock: object) -> None:
    desk = Desk(tick_seconds=LONG_TICK_SECONDS, book_age_seconds_max=5.0)
    async with desk.open():
        await trio.sleep(4.9)
        assert len(desk.account.live()) == 2
        await trio.sleep(0.2)
        assert desk.account.live() == []


async def test_middle_that_moves_further_than_the_threshold_is_followed_at_once_and_less_waits_for_the_tick(autojump_clock: object) -> None:
    desk = Desk(tick_seconds=LONG_TICK_SECONDS, react_to_move_fraction=Decimal("0.01"))
    async with desk.open():
        await trio.sleep(5.0)
        desk.tell_book(100.9)
        assert not await decides_again(desk)
        desk.tell_book(101.2)
        assert await decides_again(desk)
        desk.tell_book(101.9)
        assert not await decides_again(desk), "counted from the last decision"


async def test_threshold_of_zero_is_never(autojump_clock: object) -> None:
    desk = Desk(tick_seconds=LONG_TICK_SECONDS, react_to_move_fraction=Decimal(0))
    async with desk.open():
        await trio.sleep(5.0)
        desk.tell_book(200.0)
        assert not await decides_again(desk)


async def test_pause_pulls_at_once_and_reduce_only_leaves_what_sells(patient: Desk, autojump_clock: object) -> None:
    async with patient.open():
        holding = Tally(traded=PositionAccount(quantity=Decimal(2)))
        patient.tell(TallyChanged(ACCOUNT, "btc", BTC_USDT, holding))
        await trio.sleep(5.0)
        patient.tell(StandingChanged(ACCOUNT, BTC_USDT, Standing(TradingState.PAUSED, "cycle:btc", "by hand")))
        await trio.sleep(0.01)
        assert patient.account.live() == []
        patient.tell(StandingChanged(ACCOUNT, BTC_USDT, Standing(TradingState.REDUCE_ONLY, "cycle:btc", "by hand")))
        await trio.sleep(0.01)
        assert (patient.resting(Side.BUY), patient.resting(Side.SELL)) == ([], ["100.1"])
        patient.tell(StandingChanged(ACCOUNT, BTC_USDT, Standing()))
        await trio.sleep(0.01)
        assert len(patient.account.live()) == 2
    assert any("cycle:btc is paused: by hand" in event.phase for event in patient.seen(CyclePhaseChanged))


async def test_nothing_is_placed_while_the_account_is_lost_and_at_once_when_it_is_ready(patient: Desk, autojump_clock: object) -> None:
    patient.tell(AccountLost(ACCOUNT, "not yet"))
    async with patient.open():
        await trio.sleep(1.0)
        patient.tell(AccountLost(ACCOUNT, "its stream is lost"))
        patient.strategy.wanted = Wanted(quotes=(bid("99.5"),))
        await trio.sleep(0.01)
        assert patient.resting(Side.BUY) == [], "what is wrong is cancelled"
        patient.tell(AccountReady(ACCOUNT))
        await trio.sleep(0.01)
        assert patient.resting(Side.BUY) == ["99.5"]


async def test_order_that_ended_unasked_is_replaced_before_the_next_tick(patient: Desk, autojump_clock: object) -> None:
    async with patient.open():
        await trio.sleep(5.0)
        order = patient.account.live()[0]
        patient.account.say(replace(order, state=OrderState.CANCELLED))
        await trio.sleep(0.6)
        assert not await decides_again(patient, 0.1), "its side pauses first"
        patient.tell_book(101.0)
        await trio.sleep(0.1)
        assert len(patient.account.live()) == 2


async def test_replacement_follows_the_end_of_what_it_replaces_without_waiting_for_a_tick(patient: Desk, autojump_clock: object) -> None:
    async with patient.open():
        await trio.sleep(5.0)
        patient.strategy.wanted = Wanted(quotes=(bid("99.5"), ask("100.1")))
        patient.tell_book(100.5)
        await trio.sleep(0.1)
        assert patient.resting(Side.BUY) == ["99.5"]
    assert [type(command) for _, command in patient.account.received] == [PlaceOrders, CancelOrders, PlaceOrders]


# Commands on their way


@pytest.mark.parametrize("tick_seconds", [LONG_TICK_SECONDS, 0.1])
async def test_no_decision_is_made_while_an_order_is_on_its_way_to_the_account(tick_seconds: float, autojump_clock: object) -> None:
    desk = Desk(tick_seconds=tick_seconds)
    desk.account.deaf_to = {PlaceOrders}
    async with desk.open():
        await trio.sleep(1.0)
        assert len(desk.strategy.views) == 1
        desk.tell_book(150.0)
        await trio.sleep(0.5)
        assert len(desk.strategy.views) == 1
        desk.account.deaf_to = set()
        await trio.sleep(COMMAND_LIFETIME_SECONDS)
        assert len(desk.account.live()) == 2, "an account that never spoke of it has not read it: they are placed anew"


async def test_account_that_reads_nothing_is_not_asked_over_and_over(autojump_clock: object) -> None:
    desk = Desk(commands_capacity=64)
    async with desk.open():
        await trio.sleep(5.0)
        desk.account.at_work = trio.Event()
        desk.tell(AccountLost(ACCOUNT, "it is being restarted"))
        desk.strategy.wanted = Wanted()
        await trio.sleep(1000.0)
        assert desk.commands_pending <= COMMANDS_UNREAD_MAX
        assert desk.strategy.views[-1].now == pytest.approx(trio.current_time(), abs=1.0), "it goes on deciding"
        desk.account.at_work.set()
        await trio.sleep(5.0)
        assert desk.account.live() == []


async def test_amendment_that_the_account_says_nothing_of_is_given_up_for_a_replacement(autojump_clock: object) -> None:
    desk = Desk(may_amend=True)
    async with desk.open():
        await trio.sleep(5.0)
        desk.account.deaf_to = {AmendOrders}
        desk.strategy.wanted = Wanted(quotes=(bid("99.5"), ask("100.1")))
        await trio.sleep(10.0)
        assert desk.resting(Side.BUY) == ["99.5"]
    assert len(desk.account.seen(AmendOrders)) == 1


async def test_room_that_an_amendment_takes_is_not_given_out_again_before_the_account_has_read_it(autojump_clock: object) -> None:
    desk = Desk(ScriptedStrategy(bid("99.9")), tick_seconds=0.5, may_amend=True, limits=StrategyLimits(net_buy_max=Decimal("2.5")))
    async with desk.open():
        await trio.sleep(5.0)
        desk.account.at_work = trio.Event()
        desk.strategy.wanted = Wanted(quotes=(bid("99.9", "2.5"),))
        await trio.sleep(0.6)  # that is sent, and not read
        desk.strategy.wanted = Wanted(quotes=(bid("99.9"), bid("99.8", level=1)))
        await trio.sleep(0.6)
        desk.account.at_work.set()
        await trio.sleep(0.1)
        may_buy = sum(order.request.quantity or 0 for order in desk.account.live())
        assert may_buy <= Decimal("2.5"), "whatever the exchange fills, net_buy_max holds"
        await trio.sleep(5.0)
        assert desk.resting(Side.BUY) == ["99.9", "99.8"], "what did not fit then is placed once the rest is known"


async def test_amendment_that_is_refused_is_not_tried_again(autojump_clock: object) -> None:
    desk = Desk(may_amend=True)
    async with desk.open():
        await trio.sleep(5.0)
        desk.account.refuses_amendments = True
        desk.strategy.wanted = Wanted(quotes=(bid("99.5"), ask("100.1")))
        await trio.sleep(1.5)
        [order] = [order for order in desk.account.live() if order.state is OrderState.PENDING_AMEND]
        desk.account.say(replace(order, state=OrderState.OPEN))
        await trio.sleep(3.0)
        assert desk.resting(Side.BUY) == ["99.5"]
    assert len(desk.account.seen(AmendOrders)) == 1


# Refusals


async def test_post_only_order_that_is_refused_is_not_sent_at_its_price_again_until_the_book_has_moved(autojump_clock: object) -> None:
    desk = Desk(tick_seconds=0.1)
    desk.account.refuses = lambda request: request.side is Side.BUY and request.price == Decimal("99.9")
    async with desk.open():
        await trio.sleep(5.0)
        assert desk.resting(Side.BUY) == ["99.8"], "priced anew, one tick further away"
        desk.account.refuses = lambda request: False
        desk.tell_book(100.2)
        await trio.sleep(1.0)
        assert desk.resting(Side.BUY) == ["99.9"]


async def test_pauses_double_while_a_side_is_refused_over_and_over(autojump_clock: object) -> None:
    desk = Desk(ScriptedStrategy(bid("99.9")), tick_seconds=0.1)
    desk.account.refuses = lambda request: True
    async with desk.open():
        await trio.sleep(60.0)
    at = [at for at, command in desk.account.received if isinstance(command, PlaceOrders)]
    pauses = [later - earlier for earlier, later in pairwise(at)]
    assert pauses == pytest.approx([0.5, 1.0, 2.0, 4.0, 8.0, 16.0], abs=0.11)
    assert len({placement.request.price for placement in desk.account.placements()}) == len(at), "each further away"


# Views


async def test_view_has_what_was_told_last_of_everything(autojump_clock: object) -> None:
    reference = Market("okx_spot", BTC_USDT)
    desk = Desk(ScriptedStrategy(history_seconds=60.0), reference=reference)
    async with desk.open():
        desk.tell_book(101.0, exchange="okx_spot")
        desk.tell(BalanceChanged(ACCOUNT, "USDT", Decimal(500), Decimal(300)))
        desk.tell(BalanceChanged(ACCOUNT, "BTC", Decimal(2), Decimal(1)))
        for number in range(3):
            desk.tell(TradeHappened(EXCHANGE, BTC_USDT, str(number), Side.BUY, 100.0 + number, 1.0, 0, trio.current_time()))
        await trio.sleep(1.5)
        view = desk.strategy.views[-1]
        assert view.reference_book is not None
        assert view.reference_book.exchange == "okx_spot"
        assert (view.quote_total, view.quote_available, view.base_total, view.base_available) == (500, 300, 2, 1)
        assert view.last_trade is not None
        assert (view.last_trade.price, [trade.price for trade in view.history.trades]) == (102.0, [100.0, 101.0, 102.0])
        assert [order.request.side for order in view.orders] == [Side.BUY, Side.SELL]
        await trio.sleep(100.0)
        assert 59 <= len(view.history.mids) <= 61, "no further back than was asked for"
        assert view.history.trades == []


async def test_view_has_orders_that_ended_for_as_long_as_the_book_may_still_show_them(autojump_clock: object) -> None:
    desk = Desk(tick_seconds=LONG_TICK_SECONDS)
    async with desk.open():
        await trio.sleep(1.0)
        order = desk.account.live()[0]
        desk.account.fill(order)
        assert await decides_again(desk)
        assert [ended.client_order_id for ended in desk.strategy.views[-1].ended_orders] == [order.client_order_id]
        await trio.sleep(1.0)
        desk.tell_book(101.0)
        assert await decides_again(desk)
        [later] = {ended.client_order_id for ended in desk.strategy.views[-1].ended_orders}
        assert later != order.client_order_id, "that book was made without it, and shows what was cancelled just now"


async def test_reference_book_that_is_too_old_is_none(autojump_clock: object) -> None:
    desk = Desk(reference=Market("okx_spot", BTC_USDT), reference_age_seconds_max=5.0)
    async with desk.open():
        desk.tell_book(101.0, exchange="okx_spot")
        await trio.sleep(4.5)
        assert desk.strategy.views[-1].reference_book is not None
        await trio.sleep(2.0)
        assert desk.strategy.views[-1].reference_book is None
        assert desk.strategy.views[-1].book is not None


async def test_limits_cut_what_is_wanted(autojump_clock: object) -> None:
    strategy = ScriptedStrategy(*(bid(Decimal("99.9") - n, level=n) for n in range(4)), ask("100.1"))
    desk = Desk(strategy, limits=StrategyLimits(net_buy_max=Decimal(2)))
    async with desk.open():
        await trio.sleep(3.0)
        assert (desk.resting(Side.BUY), desk.resting(Side.SELL)) == (["99.9", "98.9"], ["100.1"])
    assert "bids cut by net_buy_max" in desk.seen(CyclePhaseChanged)[-1].phase


# Lives


async def test_new_terms_hold_from_the_next_decision_on_which_comes_at_once(patient: Desk, autojump_clock: object) -> None:
    async with patient.open():
        await trio.sleep(5.0)
        patient.change_terms(strategy=ScriptedStrategy(bid("99.0")), tick_seconds=0.5)
        await trio.sleep(0.1)
        assert (patient.resting(Side.BUY), patient.resting(Side.SELL)) == (["99.0"], [])


async def test_next_incarnation_goes_on_with_what_is_live_and_asks_for_nothing_twice(autojump_clock: object) -> None:
    desk = Desk()
    async with desk.open():
        await trio.sleep(5.5)
        await desk.kill()
        assert len(desk.memory.live_orders()) == 2
        desk.start()
        await trio.sleep(5.0)
    assert len(desk.account.received) == 1
    assert len(desk.seen(QuotingStarted)) == 2


async def test_fill_that_came_while_nobody_lived_is_known_to_the_next_incarnation(autojump_clock: object) -> None:
    desk = Desk()
    async with desk.open():
        await trio.sleep(5.5)
        await desk.kill()
        desk.account.fill(desk.account.live()[0])
        desk.start()
        await trio.sleep(0.1)
        assert set(desk.strategy.views[-1].last_fills) == {Side.BUY}
        assert len(desk.account.live()) == 2


async def test_fill_behind_news_that_an_incarnation_died_of_is_known_to_the_next(autojump_clock: object) -> None:
    desk = Desk()
    async with desk.open():
        await trio.sleep(5.5)
        desk.tell(OrderChanged(ACCOUNT, cast("Order", Poison())))
        desk.account.fill(desk.account.live()[0])
        await trio.sleep(0.1)
        assert isinstance(desk.error, InjectedCrash)
        desk.start()
        await trio.sleep(0.1)
        assert set(desk.strategy.views[-1].last_fills) == {Side.BUY}


async def test_only_the_newest_of_the_ended_orders_are_remembered(autojump_clock: object) -> None:
    desk = Desk(ScriptedStrategy(bid("99.9")), tick_seconds=0.1)
    async with desk.open():
        for number in range(ENDED_ORDERS_KEPT_MAX + 20):
            desk.strategy.wanted = Wanted(quotes=(bid(Decimal("99.9") - number % 2),))
            await trio.sleep(0.2)
        assert len(desk.account.orders) > ENDED_ORDERS_KEPT_MAX + 10
        assert len(desk.memory.orders) == ENDED_ORDERS_KEPT_MAX + 1


async def test_strategy_that_gives_up_ends_the_cycle(autojump_clock: object) -> None:
    class GivesUp(ScriptedStrategy):
        def decide(self, view: QuotingView) -> Wanted:
            raise StrategyFailed("there is no market to make")

    desk = Desk(GivesUp())
    async with desk.open():
        await trio.sleep(0.1)
    assert isinstance(desk.error, StrategyFailed)


async def test_books_and_rules_of_other_markets_are_not_taken_for_its_own(autojump_clock: object) -> None:
    desk = Desk()
    async with desk.open():
        await trio.sleep(0.5)
        desk.tell_book(500.0, exchange="mexc_spot")
        desk.tell(InstrumentListed(replace(RULES, exchange="mexc_spot")))
        await trio.sleep(2.0)
        book = desk.strategy.views[-1].book
        assert book is not None
        assert desk.strategy.views[-1].instrument.exchange == EXCHANGE
        assert Market(book.exchange, book.symbol) == OWN_MARKET


async def test_phase_says_what_funds_do_not_cover_and_nothing_is_sent_for_it(autojump_clock: object) -> None:
    desk = Desk(ScriptedStrategy(bid("99.9"), ask("100.1")))
    async with desk.open():
        await trio.sleep(1.0)
        desk.tell(BalanceChanged(ACCOUNT, "USDT", Decimal(0), Decimal(0)))
        desk.strategy.wanted = Wanted(quotes=(bid("99.9"), bid("99.8", level=1), ask("100.1")))
        await trio.sleep(5.0)
    assert desk.seen(CyclePhaseChanged)[-1].phase == "quoting; too little USDT for all bids"
    assert len(desk.account.placements()) == 2


async def test_cycle_that_bought_as_much_as_it_may_and_lost_a_fee_of_it_sells_the_rest(autojump_clock: object) -> None:
    """Found by simulation (seed 295): less than an order's worth was left, and it quoted nothing ever again."""
    desk = Desk(ScriptedStrategy(bid("99.9"), ask("100.1")), tick_seconds=0.2, limits=StrategyLimits(net_buy_max=Decimal(1)))
    async with desk.open():
        held = Tally(traded=PositionAccount(quantity=Decimal(1)), base_fees=Decimal("0.002"))
        desk.tell(TallyChanged(ACCOUNT, "btc", BTC_USDT, held))
        desk.tell(BalanceChanged(ACCOUNT, "BTC", Decimal("0.998"), Decimal("0.998")))
        await trio.sleep(0.1)
        desk.tell(BalanceChanged(ACCOUNT, "BTC", Decimal("0.998"), Decimal("0.008")))
        await trio.sleep(60.0)
    phase = "quoting; bids cut by net_buy_max; too little BTC for all asks"
    assert desk.seen(CyclePhaseChanged)[-1].phase == phase
    assert [(order.request.side, order.request.quantity) for order in desk.account.placements()] == [(Side.SELL, Decimal("0.99"))]
    assert desk.resting(Side.SELL) == ["100.1"], "and it stays"


async def test_phase_says_why_a_side_is_refused_over_and_over_until_it_rests(autojump_clock: object) -> None:
    desk = Desk(ScriptedStrategy(bid("99.9")), tick_seconds=0.1)
    desk.account.refuses = lambda request: True
    desk.account.refusal = "20 orders are live, max_open_orders is 20"
    async with desk.open():
        await trio.sleep(1.0)
        assert desk.seen(CyclePhaseChanged)[-1].phase == "quoting", "once or twice is the market's doing"
        await trio.sleep(5.0)
        assert desk.seen(CyclePhaseChanged)[-1].phase == "quoting; bids refused: 20 orders are live, max_open_orders is 20"
        desk.account.refuses = lambda request: False
        await trio.sleep(10.0)
    assert desk.seen(CyclePhaseChanged)[-1].phase == "quoting"
