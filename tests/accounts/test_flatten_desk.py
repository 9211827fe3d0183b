"""Who may flatten and when, and that an owner is paused no longer than it takes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, cast

import pytest
import trio
from scripted_account import BTC, Books, ScriptedSession, sell
from trio.testing import MockClock

from actors.accounts.events import OwnerFlattened
from actors.accounts.flatten_desk import FLATTENING, FlattenDesk
from actors.accounts.gate import OrderGate
from actors.accounts.trading_states import TradingStates
from actors.channels.reply import Reply
from market.instrument import Instrument
from orders.commands import Flattened, FlattenOwner
from orders.states import TradingState, cycle_scope

RULES = Instrument(
    exchange="scripted",
    symbol=BTC,
    price_tick=Decimal("0.1"),
    quantity_step=Decimal("0.01"),
    quantity_min=Decimal("0.01"),
    notional_min=Decimal(1),
)


class World:
    """A desk whose exchange says what a test lets it."""

    def __init__(self) -> None:
        self.books = Books()
        self.session = ScriptedSession()
        self.gate = OrderGate()
        self.states = TradingStates(on_change=lambda event: None)
        self.desk = FlattenDesk(
            session=self.session.session,
            bookkeeper=self.books.bookkeeper,
            gate=self.gate,
            states=self.states,
            rules={BTC: RULES},
            middle=lambda symbol: Decimal(100),
            is_in_flight=lambda client_order_id: False,
        )

    @property
    def standing(self) -> TradingState:
        return self.states.standing(account="main", owner="btc", symbol=BTC).state


def command(*, expires_at: float = 100.0) -> tuple[FlattenOwner, Reply[Flattened]]:
    reply = Reply[Flattened]()
    fields: dict[str, Any] = {"owner": "btc", "symbol": BTC, "client_order_ids": ("mm-btc-a",), "since_start": False}
    return FlattenOwner(**fields, expires_at=expires_at, answer=reply), reply


async def test_owner_is_paused_while_its_orders_end_and_no_longer(autojump_clock: MockClock) -> None:
    world = World()
    world.books.send(sell("mm-btc-1"))
    seen: list[TradingState] = []

    async def note(method: str) -> None:
        seen.append(world.standing)

    world.session.before = note
    asked, reply = command()
    await world.desk.carry_out(asked)
    assert set(seen) == {TradingState.PAUSED}
    assert world.standing is TradingState.RUN
    assert (await reply.wait()).is_flat
    assert world.books.ledger.live_orders() == []
    (told,) = world.books.seen(OwnerFlattened)
    assert cast("OwnerFlattened", told).flattened == await reply.wait()


async def test_behind_a_closed_gate_nothing_is_sold_and_the_answer_says_why(autojump_clock: MockClock) -> None:
    world = World()
    world.gate.close("SIGINT")
    asked, reply = command()
    await world.desk.carry_out(asked)
    assert (await reply.wait()).why_left == "the gate is closed: SIGINT"
    assert world.session.calls == []


async def test_command_that_waited_too_long_for_the_account_is_refused(autojump_clock: MockClock) -> None:
    world = World()
    asked, reply = command(expires_at=trio.current_time() + 1)
    await trio.sleep(2)
    await world.desk.carry_out(asked)
    answer = await reply.wait()
    assert (answer.why_left, answer.is_flat) == ("the account was not ready in time", False)
    assert world.session.calls == []


async def test_second_one_waits_for_the_first(autojump_clock: MockClock) -> None:
    world = World()
    under_way = most = 0

    async def note(method: str) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await trio.sleep(1)
        under_way -= 1

    world.session.before = note
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(world.desk.carry_out, command()[0])
    assert most == 1
    assert len(world.books.seen(OwnerFlattened)) == 3


@pytest.mark.parametrize("how", ["cancelled", "failed"])
async def test_owner_is_not_left_paused_by_flattening_that_does_not_end(autojump_clock: MockClock, how: str) -> None:
    world = World()

    async def hang(method: str) -> None:
        assert world.states.restraints()[0].cause == FLATTENING
        assert world.states.restraints()[0].scope == cycle_scope("btc")
        if how == "failed":
            raise RuntimeError(how)
        await trio.sleep_forever()

    world.session.before = hang
    asked, reply = command()
    with trio.move_on_after(5):
        if how == "failed":
            with pytest.raises(RuntimeError):
                await world.desk.carry_out(asked)
        else:
            await world.desk.carry_out(asked)
    assert world.standing is TradingState.RUN
    assert not reply.is_answered
