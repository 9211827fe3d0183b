"""A cycle actor against an account and a market of which every word is the test's."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import cast

import msgspec
import pytest
import trio
from cycle_desk import ACCOUNT, BTC_USDT, RULES, TICK_SECONDS, Desk, ScriptedController
from msgspec.structs import replace

from actors.cycle.rounds.actor import (
    BALANCES_LAG_SECONDS_MAX,
    BALANCES_LOOK_SECONDS,
    CAPTURE_TIMEOUT_SECONDS,
    COMMAND_LIFETIME_SECONDS,
    BalancesDisagree,
    InsufficientFunds,
    QuantityTooSmall,
)
from actors.cycle.rounds.controller import Decision, DesiredOrder, RoundFailed, RoundView
from market.events import Side
from market.instrument import Instrument
from market.symbol import Symbol
from orders.commands import CancelOrder, CaptureBalances, PlaceOrder
from orders.events import AccountLost, AccountReady, OrderChanged
from orders.life_cycle import OrderState
from orders.order import Order
from orders.reconciliation import CycleFinished, CyclePhaseChanged, CycleReconciled, CycleStarted
from orders.request import OrderRequest, OrderType, TimeInForce
from soak.worlds.interference import InjectedCrash, Poison

# The cycle acts on the first look after it was told; a look comes with the news, and this is when two ticks are over.
SOON_SECONDS = 2 * TICK_SECONDS
LONG_SECONDS = 30.0
CONTRACT = replace(RULES, notional_min=Decimal(0), contract_size=Decimal("0.01"))


def desired_sell(quantity: str = "1", price: str = "105") -> DesiredOrder:
    return DesiredOrder(
        slot="sell",
        side=Side.SELL,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.POST_ONLY,
        quantity=Decimal(quantity),
        price=Decimal(price),
    )


def order_of(tag: str, *, client_order_id: str = "mm-btc-000000001", state: OrderState = OrderState.OPEN) -> Order:
    """A sell that this cycle did not place in this run."""
    request = OrderRequest(
        client_order_id=client_order_id,
        owner="btc",
        symbol=BTC_USDT,
        side=Side.SELL,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.POST_ONLY,
        quantity=Decimal(1),
        price=Decimal(105),
        tag=tag,
    )
    return Order(request=request, state=state, sent=True)


# The book


async def test_lost_book_has_the_sell_cancelled_at_once_and_nothing_placed_until_it_is_back(autojump_clock: object) -> None:
    desk = Desk()
    async with desk.open():
        sell = await desk.resting_sell()
        desk.lose_book()
        await trio.sleep(SOON_SECONDS)
        assert [asked.client_order_id for asked in desk.account.seen(CancelOrder)] == [sell.client_order_id]
        await trio.sleep(LONG_SECONDS)
        assert len(desk.account.placements(Side.SELL)) == 1
        desk.tell_book()
        await desk.resting_sell(2)


async def test_book_that_is_too_old_has_the_sell_cancelled_and_nothing_placed_until_a_new_one_comes(autojump_clock: object) -> None:
    desk = Desk(book_age_seconds_max=5)
    async with desk.open():
        sell = await desk.resting_sell()
        desk.tell_book()
        await trio.sleep(4.9)
        assert not desk.account.seen(CancelOrder), "a book that is young enough is used"
        await trio.sleep(0.1 + SOON_SECONDS)
        assert [asked.client_order_id for asked in desk.account.seen(CancelOrder)] == [sell.client_order_id]
        await trio.sleep(LONG_SECONDS)
        assert len(desk.account.placements(Side.SELL)) == 1
        desk.tell_book()
        await desk.resting_sell(2)


async def test_book_that_was_lost_while_no_incarnation_lived_is_not_traded_on(autojump_clock: object) -> None:
    desk = Desk()
    async with desk.open():
        await desk.resting_sell()
        await desk.kill()
        desk.lose_book()
        desk.start()
        await trio.sleep(SOON_SECONDS)
        assert len(desk.account.seen(CancelOrder)) == 1


# Placements of which the account has not spoken


async def test_order_of_which_the_account_has_not_spoken_is_not_placed_a_second_time_whatever_the_news(autojump_clock: object) -> None:
    desk = Desk()
    desk.account.deaf_to.add(PlaceOrder)
    async with desk.open():
        await desk.until(lambda: desk.account.placements())
        for _ in range(18):
            desk.tell_book()
            await trio.sleep(TICK_SECONDS)
        assert len(desk.account.placements()) == 1


async def test_order_of_which_the_account_has_not_spoken_is_not_placed_by_the_next_incarnation_either(autojump_clock: object) -> None:
    desk = Desk()
    desk.account.deaf_to.add(PlaceOrder)
    async with desk.open():
        await desk.until(lambda: desk.account.placements())
        await desk.kill()
        desk.start()
        await trio.sleep(COMMAND_LIFETIME_SECONDS - SOON_SECONDS)
        assert len(desk.account.placements()) == 1


async def test_placement_that_the_account_has_not_read_by_its_expiry_is_made_anew_under_another_id(autojump_clock: object) -> None:
    desk = Desk()
    desk.account.deaf_to.add(PlaceOrder)
    async with desk.open():
        await desk.until(lambda: desk.account.placements())
        lost = desk.account.placements()[0]
        await desk.until(lambda: len(desk.account.placements()) == 2, within_seconds=COMMAND_LIFETIME_SECONDS + SOON_SECONDS)
        again = desk.account.received[-1][0], desk.account.placements()[1]
        assert again[0] > lost.expires_at, "until then it may still be read"
        assert again[1].request.client_order_id != lost.request.client_order_id
        assert msgspec.structs.replace(again[1].request, client_order_id="") == msgspec.structs.replace(lost.request, client_order_id="")


async def test_word_of_the_account_about_a_placement_lets_the_next_decision_be_made_at_once(autojump_clock: object) -> None:
    desk = Desk()
    desk.account.deaf_to.add(PlaceOrder)
    async with desk.open():
        await desk.until(lambda: desk.account.placements())
        await trio.sleep(0.5)
        desk.account.carry_out(desk.account.placements()[0])
        await trio.sleep(SOON_SECONDS)
        assert len(desk.account.placements(Side.SELL)) == 1


async def test_word_about_another_order_of_the_slot_does_not_stand_for_the_one_that_is_awaited(autojump_clock: object) -> None:
    controller = ScriptedController(lambda view: Decision(phase="selling", desired=(desired_sell(),)))
    desk = Desk(controller)
    desk.account.deaf_to.add(PlaceOrder)
    async with desk.open():
        await desk.until(lambda: desk.account.placements())
        views = len(controller.views)
        desk.tell(OrderChanged(ACCOUNT, order_of("1:sell", state=OrderState.CANCELLED)))
        desk.tell(OrderChanged(ACCOUNT, order_of("0:sell", client_order_id="mm-btc-000000002", state=OrderState.CANCELLED)))
        await trio.sleep(1)
        assert len(controller.views) == views, "no decision rests on half a view"


async def test_slots_are_awaited_each_for_itself(autojump_clock: object) -> None:
    both = (desired_sell(), msgspec.structs.replace(desired_sell(price="106"), slot="higher"))
    desk = Desk(ScriptedController(lambda view: Decision(phase="selling", desired=both)))
    desk.account.deaf_to.add(PlaceOrder)
    async with desk.open():
        await desk.until(lambda: len(desk.account.placements()) == 2)
        desk.account.carry_out(desk.account.placements()[0])
        await trio.sleep(1)
        assert len(desk.account.placements()) == 2
        assert [command.request.tag for command in desk.account.placements()] == ["1:sell", "1:higher"]


async def test_command_expires_soon_after_it_was_decided(autojump_clock: object) -> None:
    desk = Desk()
    async with desk.open():
        await desk.until(lambda: desk.account.placements())
        sent_at, command = next(one for one in desk.account.received if isinstance(one[1], PlaceOrder))
        assert isinstance(command, PlaceOrder)
        assert command.expires_at == pytest.approx(sent_at + COMMAND_LIFETIME_SECONDS)


# Other rounds' orders


async def test_order_of_another_round_is_no_part_of_the_view(autojump_clock: object) -> None:
    controller = ScriptedController(lambda view: Decision(phase="looking", hold=True))
    desk = Desk(controller)
    async with desk.open():
        await desk.until(lambda: controller.views)
        for number, tag in enumerate(("0:sell", "2:sell", "11:sell", "sell", "")):
            desk.tell(OrderChanged(ACCOUNT, order_of(tag, client_order_id=f"mm-btc-00000000{number}")))
        desk.tell(OrderChanged(ACCOUNT, order_of("1:sell", client_order_id="mm-btc-000000009")))
        await trio.sleep(SOON_SECONDS)
        assert [order.client_order_id for order in controller.views[-1].orders] == ["mm-btc-000000009"]


async def test_late_word_about_an_order_of_the_last_round_does_not_disturb_the_next(autojump_clock: object) -> None:
    desk = Desk(rounds_max=2)
    async with desk.open():
        first = await desk.resting_sell()
        desk.account.fill(first.client_order_id)
        await desk.resting_sell(2)
        desk.account.say(desk.account.orders[first.client_order_id])
        desk.account.say(desk.account.orders[desk.account.placements(Side.BUY)[0].request.client_order_id])
        await trio.sleep(1)
        assert not desk.account.seen(CancelOrder)
        second = desk.account.placements(Side.SELL)[1].request
        assert second.quantity == Decimal(1)
        assert second.tag == "2:sell"
        desk.account.fill(second.client_order_id)
        assert await desk.ended() is None
        assert [one.bought_quantity for one in desk.seen(CycleReconciled)] == [1, 1]


# The account, ready and lost


async def test_nothing_is_sent_before_the_account_is_ready(autojump_clock: object) -> None:
    desk = Desk()
    async with desk.open():
        desk.lose_account()
        await trio.sleep(LONG_SECONDS)
        assert desk.account.received == []
        desk.tell(AccountReady(ACCOUNT))
        await desk.until(lambda: desk.account.placements())


async def test_account_that_is_lost_has_cancels_sent_and_nothing_placed_until_it_is_ready(autojump_clock: object) -> None:
    desk = Desk()
    async with desk.open():
        sell = await desk.resting_sell()
        desk.lose_account()
        desk.tell_book(99.0)
        await trio.sleep(SOON_SECONDS)
        assert [asked.client_order_id for asked in desk.account.seen(CancelOrder)] == [sell.client_order_id]
        for best_ask in (98.0, 97.0, 96.0):
            desk.tell_book(best_ask)
            await trio.sleep(LONG_SECONDS)
        assert len(desk.account.placements(Side.SELL)) == 1
        desk.tell(AccountReady(ACCOUNT))
        second = await desk.resting_sell(2)
        assert second.request.price == Decimal("95.9")


async def test_account_that_is_lost_in_the_middle_of_a_round_is_not_bought_on(autojump_clock: object) -> None:
    desk = Desk()
    desk.account.deaf_to.add(CaptureBalances)
    async with desk.open():
        await desk.until(lambda: desk.account.seen(CaptureBalances))
        desk.lose_account()
        await trio.sleep(SOON_SECONDS)
        desk.account.carry_out(desk.account.seen(CaptureBalances)[0])
        await trio.sleep(LONG_SECONDS)
        assert not desk.account.placements()
        desk.tell(AccountReady(ACCOUNT))
        await trio.sleep(SOON_SECONDS)
        assert len(desk.account.placements(Side.BUY)) == 1


@pytest.mark.parametrize("last", [AccountReady(ACCOUNT), AccountLost(ACCOUNT, "again")])
async def test_last_word_about_the_account_counts_when_several_came_while_no_incarnation_lived(
    autojump_clock: object, last: AccountReady | AccountLost
) -> None:
    desk = Desk()
    async with desk.open():
        await desk.resting_sell()
        await desk.kill()
        desk.tell(AccountReady(ACCOUNT) if isinstance(last, AccountLost) else AccountLost(ACCOUNT, "once"))
        desk.tell(last)
        desk.tell_book(99.0)
        desk.start()
        await trio.sleep(1)
        assert len(desk.account.placements(Side.SELL)) == (2 if isinstance(last, AccountReady) else 1)


# Before a round


async def test_quantity_below_the_minimum_raises_before_anything_is_asked_of_the_account(autojump_clock: object) -> None:
    desk = Desk(quote_quantity="4.99")
    async with desk.open():
        error = await desk.ended()
        assert isinstance(error, QuantityTooSmall)
        assert "4.99 USDT is below the minimum of 5 USDT for BTC/USDT on gateio_spot" in str(error)
        assert desk.account.received == []


async def test_quantity_of_just_the_minimum_is_bought(autojump_clock: object) -> None:
    desk = Desk(quote_quantity="5")
    async with desk.open():
        await desk.until(lambda: desk.account.placements(Side.BUY))
        assert desk.account.placements()[0].request.quote_quantity == Decimal(5)


async def test_funds_that_do_not_cover_a_round_raise_and_nothing_is_placed(autojump_clock: object) -> None:
    desk = Desk()
    desk.account.held["USDT"] = Decimal("900.01")  # of 1000: what is held by other orders is not there to be spent
    async with desk.open():
        error = await desk.ended()
        assert isinstance(error, InsufficientFunds)
        assert "needs 100 USDT on account main and 99.99 is available" in str(error)
        assert desk.account.placements() == []
        assert desk.seen(CycleStarted) == []


async def test_funds_that_just_cover_a_round_are_enough(autojump_clock: object) -> None:
    desk = Desk()
    desk.account.held["USDT"] = Decimal(900)
    async with desk.open():
        await desk.until(lambda: desk.account.placements(Side.BUY))


async def test_funds_are_looked_at_anew_before_every_round(autojump_clock: object) -> None:
    desk = Desk(rounds_max=0)
    async with desk.open():
        sell = await desk.resting_sell()
        desk.account.fill(sell.client_order_id)
        desk.account.held["USDT"] = Decimal(950)
        assert isinstance(await desk.ended(), InsufficientFunds)
        assert len(desk.account.placements(Side.BUY)) == 1


async def test_funds_for_contracts_count_as_often_as_the_leverage_says(autojump_clock: object) -> None:
    for held, is_enough in (("990", True), ("990.01", False)):
        desk = Desk(instrument=CONTRACT)
        desk.account.held["USDT"] = Decimal(held)
        desk.account.leverages = {BTC_USDT: Decimal(10), Symbol("ETH", "USDT"): Decimal(50)}
        async with desk.open():
            if is_enough:
                await desk.until(lambda desk=desk: desk.account.placements(Side.BUY))
            else:
                error = await desk.ended()
                assert isinstance(error, InsufficientFunds)
                assert re.search(r"needs 100 USDT on account main and 99\.90? is available", str(error))


async def test_quantity_that_buys_no_contract_raises_before_anything_is_asked_of_the_account(autojump_clock: object) -> None:
    desk = Desk(instrument=replace(CONTRACT, quantity_min=Decimal(1), quantity_step=Decimal(1)))
    async with desk.open():
        error = await desk.ended()
        assert isinstance(error, QuantityTooSmall)
        assert "100 USDT is below the minimum of 100.1 USDT for BTC/USDT on gateio_spot" in str(error)
        assert desk.account.received == []


@pytest.mark.parametrize(("before", "reduces_only"), [("0", True), ("1", True), ("-1", False)])
async def test_sell_of_contracts_that_were_bought_can_only_reduce_unless_the_account_was_short_before(
    autojump_clock: object, before: str, reduces_only: bool
) -> None:
    desk = Desk(instrument=CONTRACT)
    desk.account.totals["BTC"] = Decimal(before)
    async with desk.open():
        sell = await desk.resting_sell()
        assert sell.request.reduce_only is reduces_only
        assert not desk.account.placements(Side.BUY)[0].request.reduce_only


@pytest.mark.parametrize(("instrument", "position"), [(RULES, "0"), (CONTRACT, "2")])
async def test_position_before_a_round_is_told_of_contracts_alone(autojump_clock: object, instrument: Instrument, position: str) -> None:
    controller = ScriptedController(lambda view: Decision(phase="looking", hold=True))
    desk = Desk(controller, instrument=instrument)
    desk.account.totals["BTC"] = Decimal(2)
    async with desk.open():
        await desk.until(lambda: controller.views)
        assert controller.views[-1].position_before == Decimal(position)


# Balances


@pytest.mark.parametrize(("before", "agrees"), [("0", False), ("1", True), ("-1", True)])
async def test_rounding_of_an_average_price_is_allowed_for_only_where_a_position_stays_open(
    autojump_clock: object, before: str, agrees: bool
) -> None:
    desk = Desk(instrument=CONTRACT)
    desk.account.totals["BTC"] = Decimal(before)
    async with desk.open():
        sell = await desk.resting_sell()
        desk.account.totals["USDT"] += Decimal("0.00001")
        desk.account.fill(sell.client_order_id)
        error = await desk.ended()
        assert (error is None) is agrees
        assert agrees or isinstance(error, BalancesDisagree)


async def test_rounding_of_the_price_of_a_position_in_another_symbol_is_allowed_for_too(autojump_clock: object) -> None:
    desk = Desk(instrument=CONTRACT)
    desk.account.totals["ETH"], desk.account.held["ETH"] = Decimal(1), Decimal(0)
    async with desk.open():
        sell = await desk.resting_sell()
        desk.account.totals["USDT"] += Decimal("0.00001")
        desk.account.fill(sell.client_order_id)
        assert await desk.ended() is None


async def test_capture_that_is_not_answered_is_asked_for_again_and_the_late_answer_to_the_first_changes_nothing(
    autojump_clock: object,
) -> None:
    desk = Desk()
    desk.account.deaf_to.add(CaptureBalances)
    async with desk.open():
        await desk.until(lambda: desk.account.seen(CaptureBalances))
        await trio.sleep(CAPTURE_TIMEOUT_SECONDS - 1)
        assert len(desk.account.seen(CaptureBalances)) == 1
        await trio.sleep(1 + SOON_SECONDS)
        first, second = desk.account.seen(CaptureBalances)
        desk.account.carry_out(first)
        await trio.sleep(SOON_SECONDS)
        assert not desk.account.placements()
        desk.account.carry_out(second)
        await desk.until(lambda: desk.account.placements(), within_seconds=SOON_SECONDS)


async def test_capture_that_took_the_account_too_long_is_asked_for_again(autojump_clock: object) -> None:
    desk = Desk()
    desk.account.deaf_to.add(CaptureBalances)
    async with desk.open():
        await desk.until(lambda: desk.account.seen(CaptureBalances))
        desk.account.seen(CaptureBalances)[0].answer.fail(TimeoutError("no settled view of its balances"))
        await desk.until(lambda: len(desk.account.seen(CaptureBalances)) == 2, within_seconds=SOON_SECONDS)
        desk.account.carry_out(desk.account.seen(CaptureBalances)[1])
        await desk.until(lambda: desk.account.placements(), within_seconds=SOON_SECONDS)


async def test_news_is_learned_while_a_capture_is_awaited(autojump_clock: object) -> None:
    def decide(view: RoundView) -> Decision:
        assert view.book is not None
        return Decision(phase="selling", desired=(desired_sell(price=str(view.book.best_ask[0])),))

    desk = Desk(ScriptedController(decide))
    desk.account.deaf_to.add(CaptureBalances)
    async with desk.open():
        await desk.until(lambda: desk.account.seen(CaptureBalances))
        desk.tell_book(90.0)
        await trio.sleep(1)
        desk.account.carry_out(desk.account.seen(CaptureBalances)[0])
        await desk.until(lambda: desk.account.placements())
        assert desk.account.placements()[0].request.price == Decimal("90.0")


async def test_balances_are_compared_only_after_every_fill_of_the_round_is_known(autojump_clock: object) -> None:
    finished = ScriptedController(
        lambda view: Decision(phase="over", finished=True) if view.orders else Decision(phase="selling", desired=(desired_sell(),))
    )
    desk = Desk(finished)
    desk.account.totals["BTC"] = Decimal(1)
    async with desk.open():
        # The scripted decision is that of a controller that does not wait for fills: waiting for them is the actor's own.
        desk.account.deaf_to.add(PlaceOrder)
        await desk.until(lambda: desk.account.placements())
        order = Order(request=desk.account.placements()[0].request, state=OrderState.OPEN, sent=True)
        desk.account.orders[order.client_order_id] = order
        desk.account.fill(order.client_order_id, told=False)
        await trio.sleep(LONG_SECONDS)
        assert len(desk.account.seen(CaptureBalances)) == 1, "only the one before the round"
        desk.account.fill_told(order.client_order_id)
        assert await desk.ended() is None
        assert desk.seen(CycleReconciled)[0].sold_quantity == Decimal(1)


async def test_round_that_is_finished_ends_only_when_nothing_of_it_is_live(autojump_clock: object) -> None:
    finished = ScriptedController(
        lambda view: Decision(phase="over", finished=True) if view.orders else Decision(phase="selling", desired=(desired_sell(),))
    )
    desk = Desk(finished)
    desk.account.deaf_to.add(CancelOrder)
    async with desk.open():
        await desk.until(lambda: desk.account.seen(CancelOrder))
        await trio.sleep(LONG_SECONDS)
        assert len(desk.account.seen(CaptureBalances)) == 1
        assert desk.seen(CycleReconciled) == []
        desk.account.carry_out(desk.account.seen(CancelOrder)[0])
        assert await desk.ended() is None
        assert len(desk.seen(CycleReconciled)) == 1


async def test_order_that_could_not_be_cancelled_yet_when_the_round_finished_is_cancelled_once_it_can_be(autojump_clock: object) -> None:
    finished = ScriptedController(
        lambda view: Decision(phase="over", finished=True) if view.orders else Decision(phase="selling", desired=(desired_sell(),))
    )
    desk = Desk(finished)
    desk.account.deaf_to.add(PlaceOrder)
    async with desk.open():
        await desk.until(lambda: desk.account.placements())
        pending = Order(request=desk.account.placements()[0].request, state=OrderState.PENDING_NEW, sent=True)
        desk.account.say(pending)
        await trio.sleep(1)
        assert not desk.account.seen(CancelOrder), "what the exchange has not confirmed cannot be cancelled"
        desk.account.say(msgspec.structs.replace(pending, state=OrderState.OPEN))
        assert await desk.ended() is None
        assert [asked.client_order_id for asked in desk.account.seen(CancelOrder)] == [pending.client_order_id]


@pytest.mark.parametrize(("asset", "amount"), [("BTC", "0.5"), ("USDT", "-7"), ("BTC", "0.000000000000000001")])
async def test_balance_that_changed_by_what_no_fill_explains_ends_the_cycle(autojump_clock: object, asset: str, amount: str) -> None:
    desk = Desk(rounds_max=0)
    async with desk.open():
        sell = await desk.resting_sell()
        desk.account.totals[asset] += Decimal(amount)
        desk.account.fill(sell.client_order_id)
        filled_at = trio.current_time()
        error = await desk.ended()
        assert isinstance(error, BalancesDisagree)
        difference = re.search(r"balances changed by (\S+) (\w+) more than the fills and fees explain", str(error))
        assert difference is not None
        assert (Decimal(difference[1]), difference[2]) == (Decimal(amount), asset)
        assert "look at the account's history" in str(error)
        assert BALANCES_LAG_SECONDS_MAX <= trio.current_time() - filled_at < BALANCES_LAG_SECONDS_MAX + 2 * BALANCES_LOOK_SECONDS
        [reconciled] = desk.seen(CycleReconciled)
        assert not reconciled.agrees
        assert reconciled.differences()[asset] == Decimal(amount)
        assert len(desk.account.placements(Side.BUY)) == 1, "no second round"
        assert desk.memory.rounds_completed == 0


async def test_balances_that_lag_behind_the_fills_are_asked_for_again_and_agree(autojump_clock: object) -> None:
    desk = Desk()
    async with desk.open():
        sell = await desk.resting_sell()
        desk.account.totals["USDT"] -= 100
        desk.account.fill(sell.client_order_id)
        await trio.sleep(BALANCES_LAG_SECONDS_MAX / 2)
        assert desk.seen(CycleReconciled) == []
        desk.account.totals["USDT"] += 100
        assert await desk.ended() is None
        assert [one.agrees for one in desk.seen(CycleReconciled)] == [True]


async def test_reconciliation_holds_the_balances_before_the_round_and_after_it(autojump_clock: object) -> None:
    desk = Desk()
    desk.account.fee_rate = Decimal("0.001")
    async with desk.open():
        sell = await desk.resting_sell()
        desk.account.fill(sell.client_order_id)
        assert await desk.ended() is None
        [reconciled] = desk.seen(CycleReconciled)
        assert reconciled.agrees
        assert reconciled.balances_before == {"BTC": 0, "USDT": 1000}
        assert reconciled.balances_after == desk.account.totals
        assert (reconciled.bought_quantity, reconciled.bought_quote) == (Decimal(1), Decimal(100))
        assert (reconciled.sold_quantity, reconciled.sold_quote) == (Decimal("0.99"), Decimal("99.00"))
        assert reconciled.fees == {"BTC": Decimal("0.001"), "USDT": Decimal("0.099")}
        assert reconciled.left_over_quantity == Decimal("0.009")
        assert reconciled.profit_quote == Decimal("-1.099")


# Rounds


async def test_what_a_round_could_not_sell_is_sold_by_the_next_and_what_is_still_left_is_carried_on(autojump_clock: object) -> None:
    desk = Desk(rounds_max=3)
    desk.account.fee_rate = Decimal("0.006")  # a buy brings 0.994 and the step is 0.01
    async with desk.open():
        quantities: list[Decimal | None] = []
        for count in (1, 2, 3):
            sell = await desk.resting_sell(count)
            quantities.append(sell.request.quantity)
            desk.account.fill(sell.client_order_id)
        assert await desk.ended() is None
        assert quantities == [Decimal("0.99"), Decimal("0.99"), Decimal("1.00")]
        assert [one.left_over_quantity for one in desk.seen(CycleReconciled)] == [Decimal("0.004"), Decimal("0.008"), Decimal("0.002")]


async def test_what_a_round_could_not_sell_is_not_lost_with_the_incarnation(autojump_clock: object) -> None:
    desk = Desk(rounds_max=2)
    desk.account.fee_rate = Decimal("0.005")
    async with desk.open():
        first = await desk.resting_sell()
        desk.account.fill(first.client_order_id)
        await desk.until(lambda: desk.seen(CycleReconciled))
        await desk.kill()
        desk.start()
        second = await desk.resting_sell(2)
        assert second.request.quantity == Decimal("1.00"), "0.005 and 0.995"


async def test_as_many_rounds_are_run_as_were_asked_for(autojump_clock: object) -> None:
    desk = Desk(rounds_max=2)
    async with desk.open():
        for count in (1, 2):
            sell = await desk.resting_sell(count)
            desk.account.fill(sell.client_order_id)
        assert await desk.ended() is None
        assert [one.number for one in desk.seen(CycleReconciled)] == [1, 2]
        assert [one.cycles_completed for one in desk.seen(CycleFinished)] == [2]
        assert len(desk.account.placements(Side.BUY)) == 2


async def test_rounds_asked_for_are_counted_over_all_incarnations(autojump_clock: object) -> None:
    desk = Desk(rounds_max=2)
    async with desk.open():
        first = await desk.resting_sell()
        desk.account.fill(first.client_order_id)
        await desk.resting_sell(2)
        await desk.kill()
        desk.start()
        await trio.sleep(SOON_SECONDS)
        desk.account.fill(desk.account.placements(Side.SELL)[1].request.client_order_id)
        assert await desk.ended() is None
        assert len(desk.account.placements(Side.BUY)) == 2


async def test_no_number_of_rounds_means_until_it_is_stopped(autojump_clock: object) -> None:
    desk = Desk(rounds_max=0)
    async with desk.open():
        for count in range(1, 21):
            sell = await desk.resting_sell(count)
            desk.account.fill(sell.client_order_id)
        await desk.resting_sell(21)
        assert desk.seen(CycleFinished) == []
        assert [one.number for one in desk.seen(CycleStarted)] == list(range(1, 22))


# Incarnations


async def test_round_goes_on_after_a_crash_where_it_stood_and_does_not_buy_again(autojump_clock: object) -> None:
    desk = Desk()
    async with desk.open():
        await desk.resting_sell()
        await desk.kill()
        desk.account.carry_out(CancelOrder(desk.account.placements(Side.SELL)[0].request.client_order_id))  # as its supervisor has it done
        desk.start()
        second = await desk.resting_sell(2)
        desk.account.fill(second.client_order_id)
        assert await desk.ended() is None
        assert len(desk.account.placements(Side.BUY)) == 1
        assert len(desk.seen(CycleStarted)) == 1
        assert len(desk.account.seen(CaptureBalances)) == 2, "one before the round and one after it"
        assert desk.seen(CycleReconciled)[0].balances_before == {"BTC": 0, "USDT": 1000}


async def test_order_whose_fill_came_while_no_incarnation_lived_is_known_to_the_first_decision(autojump_clock: object) -> None:
    desk = Desk()
    async with desk.open():
        sell = await desk.resting_sell()
        await desk.kill()
        desk.account.fill(sell.client_order_id)
        desk.tell_book(99.0)
        commands = len(desk.account.received)
        desk.start()
        assert await desk.ended() is None
        assert [type(command) for _, command in desk.account.received[commands:]] == [CaptureBalances], "it neither cancels nor sells again"


async def test_fill_behind_news_that_an_incarnation_died_of_is_known_to_the_next(autojump_clock: object) -> None:
    desk = Desk()
    async with desk.open():
        sell = await desk.resting_sell()
        desk.tell(OrderChanged(ACCOUNT, cast("Order", Poison())))
        desk.account.fill(sell.client_order_id)
        assert isinstance(await desk.ended(), InjectedCrash)
        desk.start()
        assert await desk.ended() is None, "the round has ended"


async def test_first_view_of_an_incarnation_holds_all_that_was_said_before_it(autojump_clock: object) -> None:
    controller = ScriptedController(lambda view: Decision(phase="looking", hold=True))
    desk = Desk(controller)
    async with desk.open():
        await desk.until(lambda: controller.views)
        await desk.kill()
        controller.views.clear()
        for number in range(100):
            desk.tell(OrderChanged(ACCOUNT, order_of("1:sell", client_order_id=f"mm-btc-0000001{number:02}")))
        desk.tell_book(98.0)
        desk.start()
        await desk.until(lambda: controller.views)
        first = controller.views[0]
        assert len(first.orders) == 100
        assert first.book is not None
        assert first.book.best_ask == (98.0, 5.0)


async def test_view_says_what_time_it_is_and_what_the_round_is_about(autojump_clock: object) -> None:
    controller = ScriptedController(lambda view: Decision(phase="looking", hold=True))
    desk = Desk(controller, quote_quantity="77")
    async with desk.open():
        await desk.until(lambda: controller.views)
        before = len(controller.views)
        await trio.sleep(10)
        view = controller.views[-1]
        assert len(controller.views) - before >= 10 / TICK_SECONDS - 1, "it is asked at least once a tick"
        assert trio.current_time() - view.now <= TICK_SECONDS
        assert (view.quote_quantity, view.instrument) == (Decimal(77), RULES)


async def test_strategy_that_gives_up_ends_the_incarnation_with_its_reason(autojump_clock: object) -> None:
    def give_up(view: RoundView) -> Decision:
        raise RoundFailed("nothing to gain here")

    desk = Desk(ScriptedController(give_up))
    async with desk.open():
        error = await desk.ended()
        assert isinstance(error, RoundFailed)
        assert "nothing to gain" in str(error)
        assert not desk.account.placements()


async def test_each_phase_is_told_once(autojump_clock: object) -> None:
    desk = Desk()
    async with desk.open():
        sell = await desk.resting_sell()
        await trio.sleep(LONG_SECONDS)
        desk.account.fill(sell.client_order_id)
        assert await desk.ended() is None
        told = [one.phase for one in desk.seen(CyclePhaseChanged)]
        assert told == ["waiting for the market and the account", "buying", "selling", "reconciling"]
