"""Commands of a quoting cycle say which message of the market they answer, and nothing else is taken for one."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import trio
from msgspec.structs import replace
from quoting_desk import ACCOUNT, Desk
from quoting_samples import BTC_USDT

from orders.commands import AmendOrders, CancelOrders, PlaceOrders
from orders.states import Standing, StandingChanged, TradingState

LONG_TICK_SECONDS = 1000.0


def causes(desk: Desk) -> Sequence[float | None]:
    """Of every order of every command so far."""
    found: list[float | None] = []
    for _, command in desk.account.received:
        match command:
            case PlaceOrders(orders) | AmendOrders(orders):
                found += [order.caused_at for order in orders]
            case CancelOrders(_, caused_at):
                found.append(caused_at)
            case _:
                pass
    return found


def deciding() -> Desk:
    return Desk(tick_seconds=LONG_TICK_SECONDS, react_to_move_fraction=Decimal("0.01"))


def tell_change(desk: Desk, middle: float) -> float:
    """The next change of the book that is known; when it arrived."""
    known = desk.memory.book
    assert known is not None
    now = trio.current_time()
    top = ((round(middle - 0.1, 1), 1.0),), ((round(middle + 0.1, 1), 1.0),)
    desk.tell(replace(known, bids=top[0], asks=top[1], sequence=known.sequence + 1, received_at=now))
    return now


async def test_orders_of_a_tick_answer_no_message(autojump_clock: object) -> None:
    desk = deciding()
    async with desk.open():
        await trio.sleep(5.0)
        assert causes(desk)
        assert set(causes(desk)) == {None}


async def test_orders_after_a_move_answer_the_message_that_moved_it_and_not_the_ones_before_or_after(autojump_clock: object) -> None:
    desk = deciding()
    async with desk.open():
        await trio.sleep(5.0)
        before = len(causes(desk))
        tell_change(desk, 100.5)  # too little to decide on
        await trio.sleep(0.5)
        assert len(causes(desk)) == before
        at = tell_change(desk, 102.0)
        await trio.sleep(0.5)
        assert len(causes(desk)) > before
        assert causes(desk)[before] == at
        assert set(causes(desk)[before:]) <= {at, None}, "what waited for the exchange's word answers that"
        before = len(causes(desk))
        desk.tell(StandingChanged(ACCOUNT, BTC_USDT, Standing(TradingState.PAUSED, "cycle:btc", "by hand")))
        await trio.sleep(0.5)
        assert causes(desk)[before:] == [None], "a person has asked for that, and a message is answered once"


async def test_orders_after_a_book_that_was_only_proven_anew_answer_no_message(autojump_clock: object) -> None:
    desk = deciding()
    async with desk.open():
        await trio.sleep(5.0)
        before = len(causes(desk))
        known = desk.memory.book
        assert known is not None
        desk.tell(
            replace(known, bids=((109.9, 1.0),), asks=((110.1, 1.0),), generation=known.generation + 1, received_at=trio.current_time())
        )
        await trio.sleep(0.5)
        assert len(causes(desk)) > before
        assert set(causes(desk)[before:]) == {None}
