"""Orders whose fate stays unknown: when their symbol may only reduce, what a person is told and how often."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import pairwise

import trio
from scripted_account import Books, said, sell
from trio.testing import MockClock

from actors.accounts.events import OrderFateLearned, OrderStillUnknown
from actors.accounts.timing import AccountTiming
from actors.accounts.trading_states import TradingStates
from actors.accounts.unknown_orders import FATE_UNKNOWN, TELLING_PAUSE_SECONDS_MAX, UnknownOrders
from market.symbol import Symbol
from orders.life_cycle import OrderInput, OrderState
from orders.reports import ReportedStatus
from orders.states import TradingState, symbol_scope

ID = "mm-btc-000000001"
OTHER_ID = "mm-btc-000000002"
BTC = Symbol("BTC", "USDT")
SCOPE = symbol_scope("main", BTC)
TIMING = AccountTiming(watchdog_seconds=0.25, unknown_patience_seconds=5.0)


class Desk:
    """The desk of an account; `at_stake` is what the limits say."""

    def __init__(self) -> None:
        self.books = Books()
        self.states = TradingStates(on_change=lambda event: None)
        self.at_stake: str | None = None
        self.desk = self.new_incarnation()

    def new_incarnation(self) -> UnknownOrders:
        return UnknownOrders(
            bookkeeper=self.books.bookkeeper, states=self.states, timing=TIMING, limit_at_stake=lambda symbol: self.at_stake
        )

    @asynccontextmanager
    async def watching(self) -> AsyncGenerator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._have_it_look)
            yield
            nursery.cancel_scope.cancel()

    async def _have_it_look(self) -> None:
        while True:
            self.desk.look()
            await trio.sleep(TIMING.watchdog_seconds)

    def lose(self, client_order_id: str) -> None:
        self.books.send(sell(client_order_id))
        self.books.bookkeeper.happened(client_order_id, OrderInput.ANSWER_LOST, "no answer within 5 s")

    def learn(self, client_order_id: str) -> None:
        self.books.bookkeeper.take(said(client_order_id, f"x{client_order_id}", ReportedStatus.OPEN))

    def state(self) -> TradingState:
        return self.states.standing(account="main", owner="btc", symbol=BTC).state

    def told(self) -> list[OrderStillUnknown]:
        return [event for event in self.books.told if isinstance(event, OrderStillUnknown)]

    def learned(self) -> list[OrderFateLearned]:
        return [event for event in self.books.told if isinstance(event, OrderFateLearned)]


async def test_symbol_may_only_reduce_once_patience_is_over_and_until_the_fate_is_known(autojump_clock: MockClock) -> None:
    desk = Desk()
    async with desk.watching():
        desk.lose(ID)
        await trio.sleep(4.9)
        assert desk.state() is TradingState.RUN
        assert desk.told() == []
        await trio.sleep(0.5)
        assert desk.state() is TradingState.REDUCE_ONLY
        assert ID in desk.states.restraints()[0].reason
        desk.learn(ID)
        await trio.sleep(0.5)
        assert desk.state() is TradingState.RUN
    [learned] = desk.learned()
    assert (learned.client_order_id, learned.state) == (ID, OrderState.OPEN)


async def test_person_is_told_with_growing_pauses_what_was_asked_and_for_how_long(autojump_clock: MockClock) -> None:
    desk = Desk()
    async with desk.watching():
        desk.lose(ID)
        await trio.sleep(3600)
    told = desk.told()
    assert (told[0].client_order_id, told[0].asked, told[0].reason) == (ID, "place", "no answer within 5 s")
    assert 5.0 <= told[0].seconds < 5.5
    pauses = [after.seconds - before.seconds for before, after in pairwise(told)]
    assert [round(pause) for pause in pauses[:4]] == [10, 20, 40, 80]
    assert max(pauses) <= TELLING_PAUSE_SECONDS_MAX + 0.5
    assert len(told) < 15


async def test_order_whose_fate_is_soon_known_is_told_of_to_nobody(autojump_clock: MockClock) -> None:
    desk = Desk()
    async with desk.watching():
        desk.lose(ID)
        await trio.sleep(4)
        desk.learn(ID)
        await trio.sleep(60)
    assert desk.told() == []
    assert desk.learned() == []


async def test_lost_answer_to_a_cancellation_is_told_as_such(autojump_clock: MockClock) -> None:
    desk = Desk()
    async with desk.watching():
        desk.books.send(sell(ID))
        desk.learn(ID)
        desk.books.bookkeeper.happened(ID, OrderInput.CANCEL_ASKED)
        desk.books.bookkeeper.happened(ID, OrderInput.ANSWER_LOST)
        await trio.sleep(6)
    assert desk.told()[0].asked == "cancel"


async def test_order_with_which_a_limit_could_be_broken_restrains_its_symbol_at_once() -> None:
    desk = Desk()
    desk.at_stake = "the position could be 600, max_position_notional is 500"
    desk.lose(ID)
    desk.desk.look()
    assert desk.state() is TradingState.REDUCE_ONLY
    assert "could be 600" in desk.states.restraints()[0].reason
    assert desk.told() == []
    desk.at_stake = None
    desk.desk.look()
    assert desk.state() is TradingState.RUN


async def test_symbol_stays_restrained_until_the_last_of_its_orders_is_known(autojump_clock: MockClock) -> None:
    desk = Desk()
    async with desk.watching():
        desk.lose(ID)
        desk.lose(OTHER_ID)
        await trio.sleep(6)
        desk.learn(ID)
        await trio.sleep(1)
        assert desk.state() is TradingState.REDUCE_ONLY
        desk.learn(OTHER_ID)
        await trio.sleep(1)
        assert desk.state() is TradingState.RUN


async def test_restraint_of_an_incarnation_that_died_is_lifted_by_the_next_that_finds_nothing_unknown(
    autojump_clock: trio.testing.MockClock,
) -> None:
    desk = Desk()
    async with desk.watching():
        desk.lose(ID)
        await trio.sleep(6)
    assert [(placed.scope, placed.cause) for placed in desk.states.restraints()] == [(SCOPE, FATE_UNKNOWN)]
    desk.learn(ID)
    desk.states.restrain("symbol:other:BTC/USDT", FATE_UNKNOWN, TradingState.REDUCE_ONLY, "another account's")
    desk.new_incarnation().look()
    assert [placed.scope for placed in desk.states.restraints()] == ["symbol:other:BTC/USDT"]


async def test_order_that_is_unknown_still_when_the_account_starts_again_is_told_of_again(autojump_clock: MockClock) -> None:
    desk = Desk()
    async with desk.watching():
        desk.lose(ID)
        await trio.sleep(6)
    desk.desk = desk.new_incarnation()
    async with desk.watching():
        await trio.sleep(6)
    assert [round(event.seconds) for event in desk.told()] == [5, 5]
