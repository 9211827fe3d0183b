"""A strategy tried on a simulated exchange, in virtual time: an hour of it takes seconds, and is the same again for the same seed.

    trial = try_strategy(Grid, GridParameters(centre_price=Decimal(60_000)), minutes=30)
    assert trial.fills
    assert abs(trial.tally.inventory) < Decimal("0.1")

It is the whole program that runs, with executor, account, feed and journal; nothing is replaced but network, clock and exchange.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import trio
from msgspec.structs import replace

from actors.cycle.quoting.contract import QuotingStrategy
from actors.cycle.quoting.risk import RiskMeasured, RiskSnapshot
from assembly.presenter.report import ExitStatus
from assembly.settings import CycleSettings, LimitSettings
from assembly.strategies import StrategyEntry, StrategyKind
from market.symbol import Symbol
from orders.events import OrderFilled, OrderSubmitted
from orders.reconciliation import CyclePhaseChanged
from orders.reports import FillReport
from orders.tally import Tally
from simulated.settings import SimulationSettings
from soak.worlds.world import BTC_USDT, World, run_world

_CYCLE = "trial"
_STRATEGY = "trial:Strategy"
_LEVERAGE = Decimal(5)  # where contracts are traded
_OPEN_ORDERS_MAX = 250
_ORDERS_PER_SECOND_MAX = 1_000
_WARM_UP_SECONDS = 60.0


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What a strategy did. `risks` is how it stood, once a second; `phases` what it said that it was doing, newest last."""

    fills: tuple[FillReport, ...]
    tally: Tally
    risks: tuple[RiskSnapshot, ...]
    phases: tuple[str, ...]
    orders_placed: int
    status: ExitStatus
    reason: str


def try_strategy(
    strategy: Callable[[Any], QuotingStrategy],
    parameters: msgspec.Struct,
    *,
    minutes: float = 10.0,
    exchange: str = "gateio_spot",
    symbol: Symbol = BTC_USDT,
    quantity: Decimal = Decimal(50),
    tick_seconds: float = 1.0,
    simulation: SimulationSettings | None = None,
    seed: int = 1,
) -> Trial:
    """Run `strategy` so many virtual minutes from its first word on, stop it, and see that nothing of it is left and every book agrees.

    `simulation` is the market: how it moves, who trades there, what the account holds and pays.

    Raises:
        Exception: something was not as it must be; the message says what, and the seed.
    """
    found: list[Trial] = []

    async def story(world: World) -> None:
        settings = world.settings(
            limits=LimitSettings(max_open_orders=_OPEN_ORDERS_MAX, max_orders_per_second=_ORDERS_PER_SECOND_MAX),
            leverage=_LEVERAGE if world.venue.trades_contracts else None,
        )
        cycle = CycleSettings(
            strategy=_STRATEGY,
            account="main",
            symbol=symbol,
            quantity=quantity,
            cycles=0,
            tick_seconds=tick_seconds,
            parameters=parameters,
        )
        entry = StrategyEntry(parameters=type(parameters), make=strategy, kind=StrategyKind.QUOTING)
        world.launch(replace(settings, cycles={_CYCLE: cycle}, own_strategies={_STRATEGY: entry}))
        await world.wait_for(CyclePhaseChanged, within_seconds=_WARM_UP_SECONDS)
        with trio.move_on_after(minutes * 60):
            await world.wait_ended()
        world.stop("the trial is over")
        report = await world.ended()
        assert report is not None
        await world.settle()
        world.check_books_agree()
        found.append(
            Trial(
                fills=tuple(event.fill for event in world.seen(OrderFilled)),
                tally=world.account.ledger.tally(_CYCLE, symbol),
                risks=tuple(event.risk for event in world.seen(RiskMeasured)),
                phases=tuple(event.phase for event in world.seen(CyclePhaseChanged)),
                orders_placed=len(world.seen(OrderSubmitted)),
                status=report.exit_status,
                reason=report.reason,
            )
        )

    run_world(story, seed=seed, simulation=simulation, exchange_name=exchange)
    return found[0]
