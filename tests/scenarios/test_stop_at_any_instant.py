"""A stop at every step of a whole cycle: nothing is left open, and the ledger is the exchange's, every time.

An instrument of Trio counts the steps that the program's own tasks make (not the exchange's) and stops the program in the
middle of the n-th, for every n. One step is the code between two checkpoints, so that this visits every await point.
"""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal

import pytest
import trio
from test_following_the_market import NO_TAKERS, exchange_id, is_sell
from world import BTC_USDT, World, run_world

from assembly.presenter.report import ExitStatus
from orders.events import OrderCancelRequested, OrderPlaced
from orders.order import Transport
from orders.reconciliation import CycleReconciled, CycleStarted
from simulated.engine.order import OrderRefused

SEED = 72
PARTS = 16


class StopAtStep(trio.abc.Instrument):
    """Calls `act` when the program has made `step` steps since `begin`; counts on, so that a run also tells how many there are."""

    def __init__(self, step: int, how: str) -> None:
        self.step = step
        self.how = how
        self.steps = 0
        self.world: World | None = None
        self._is_ours: dict[trio.lowlevel.Task, bool] = {}

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        world = self.world
        if world is None or world.runtime_task is None or not self._belongs_to(task, world.runtime_task):
            return
        self.steps += 1
        if self.steps == self.step:
            if self.how == "stop":
                world.stop(f"at step {self.step}")
            else:
                world.cancel()

    def task_exited(self, task: trio.lowlevel.Task) -> None:
        self._is_ours.pop(task, None)

    def _belongs_to(self, task: trio.lowlevel.Task, root: trio.lowlevel.Task) -> bool:
        found = self._is_ours.get(task)
        if found is None:
            parent = task.parent_nursery.parent_task if task.parent_nursery is not None else None
            found = task is root or (parent is not None and self._belongs_to(parent, root))
            self._is_ours[task] = found
        return found


async def start_steered(world: World, way: str) -> None:
    """Start one cycle. The market moves away from its first sell, and comes to the second."""
    sells = 0

    def steer(event: object) -> None:
        nonlocal sells
        if not isinstance(event, OrderPlaced) or not is_sell(event):
            return
        sells += 1
        if sells == 1:
            world.exchange.move_market(BTC_USDT, Decimal(59_000))
        else:
            with suppress(OrderRefused):  # it may have been cancelled already
                world.exchange.fill_order(exchange_id(event.order))

    world.observers.append(steer)
    world.orders_by_rest = way == "rest"
    await world.start(cycles=1)


def run_and_stop_at(step: int, how: str, way: str) -> StopAtStep:
    instrument = StopAtStep(step, how)

    async def one_cycle(world: World) -> None:
        instrument.world = world
        await start_steered(world, way)
        report = await world.ended()
        instrument.world = None
        if report is not None and report.exit_status is not ExitStatus.CLEAN:
            world.fail(f"stopped at step {step}: {report.exit_status!r} {report.reason}")
        await world.settle()
        world.check_books_agree()

    run_world(one_cycle, seed=SEED, simulation=NO_TAKERS, instruments=(instrument,))
    return instrument


def steps_of_a_whole_cycle(way: str) -> int:
    async def whole(world: World) -> None:
        counter.world = world
        await start_steered(world, way)
        await world.end()
        reached = [len(world.seen(kind)) for kind in (CycleStarted, OrderCancelRequested, CycleReconciled)]
        assert reached == [1, 1, 1], "the run without a stop goes through a whole cycle, with a replacement"
        assert {order.transport for order in world.account.ledger.orders()} == {Transport(way)}

    counter = StopAtStep(-1, "stop")
    run_world(whole, seed=SEED, simulation=NO_TAKERS, instruments=(counter,))
    return counter.steps


# By REST at every fourth step: what differs is little, and the runs are many.
@pytest.mark.parametrize(
    ("way", "part"), [*(("websocket", part) for part in range(PARTS)), *(("rest", part) for part in range(0, PARTS, 4))]
)
@pytest.mark.parametrize("how", ["stop", "cancel"])
def test_stop_at_every_step_of_a_cycle_leaves_nothing_open_and_a_ledger_that_agrees(part: int, how: str, way: str) -> None:
    steps = steps_of_a_whole_cycle(way)
    for step in range(1 + part, steps + 1, PARTS):
        try:
            run_and_stop_at(step, how, way)
        except Exception as error:
            error.add_note(f"{how} at step {step} of {steps}, orders by {way}, seed {SEED}")
            raise
