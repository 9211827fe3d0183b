"""Worlds drawn from a seed: which faults there are, when they strike, how the run ends. What must hold all the while is in `watcher`.

Each seed switches on a random subset of the kinds of faults (runs with few kinds get deeper than runs with all of them),
and lets each strike a few times: at random instants, or at a chosen moment of an order's or a cycle's life. Then every
fault is lifted, and the program must come to a good end within `CONVERGENCE_SECONDS_MAX`.
"""

from __future__ import annotations

import random
from collections import Counter
from decimal import Decimal

import msgspec
import trio

from actors.accounts.events import AccountDisconnected
from actors.cycle.sell_on_top import SellOnTopParameters
from assembly.presenter.report import ExitStatus
from market.events import BookLost
from orders.events import (
    AccountReady,
    ImpossibleTransition,
    OrderCancelRequested,
    OrderEnded,
    OrderFateUnknown,
    OrderFilled,
    OrderPlaced,
    OrderSubmitted,
)
from orders.reconciliation import CycleReconciled, CycleStarted
from simulated.settings import AccountSettings, MarketSettings, SimulationSettings
from soak.private_line import open_private_line
from soak.strikes import KINDS, PRIVATE_LINE_KINDS, Strike
from soak.watcher import Watcher
from soak.world import HOST, World, run_world
from supervision.errors import leaf_errors
from supervision.events import ChildRestarting, CleanupStarted

CONVERGENCE_SECONDS_MAX = 400.0
STOP_DEADLINE_SECONDS = 10.0
STOP_SLACK_SECONDS = 1.0
CANCEL_SLACK_SECONDS = 5.0  # actors, accounts and feeds then stop one after the other, each with its own deadline
# Requests that a fault has held up may still arrive, and must be refused then.
SETTLE_SECONDS = 15.0
CRASHES_MAX = 3  # more in a minute and the supervisor gives up, as it should

MOMENTS: tuple[type, ...] = (
    OrderSubmitted,
    OrderPlaced,
    OrderFilled,
    OrderCancelRequested,
    OrderFateUnknown,
    OrderEnded,
    CycleStarted,
    CycleReconciled,
    AccountReady,
    AccountDisconnected,
    BookLost,
    CleanupStarted,
)
LATENCIES = ((0.001, 0.005), (0.001, 0.005), (0.01, 0.05), (0.05, 0.4), (0.001, 2.0))


class When(msgspec.Struct, frozen=True, kw_only=True):
    """After so many seconds, counted from the start, or from the `number`-th event of a kind."""

    seconds: float
    moment: type | None = None
    number: int = 1

    def __str__(self) -> str:
        since = f" after {self.moment.__name__} {self.number}" if self.moment is not None else ""
        return f"{self.seconds:.3f} s{since}"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One world: what happens in it and how long its faults last."""

    seed: int
    names: tuple[str, ...]
    cycles: int
    parameters: SellOnTopParameters
    flatten_on_stop: bool
    latency_seconds: tuple[float, float]
    simulation: SimulationSettings
    faults_seconds: float
    strikes: tuple[tuple[When, Strike], ...]
    ending: tuple[When, str] | None
    has_private_line: bool
    orders_by_rest: bool

    def __str__(self) -> str:
        ending = f"{self.ending[1]} at {self.ending[0]}" if self.ending else "the cycles end by themselves"
        account = self.simulation.accounts[0]
        lines = [
            f"seed {self.seed}: cycles {', '.join(self.names)}, {self.cycles} rounds each, latency {self.latency_seconds} s, "
            f"faults for {self.faults_seconds:.1f} s, flatten on stop {self.flatten_on_stop}, balances {dict(account.balances)}, "
            f"private line {self.has_private_line}, orders by REST {self.orders_by_rest}",
            *(f"  {when}: {strike}" for when, strike in self.strikes),
            f"  {ending}",
        ]
        return "\n".join(lines)


class Outcome(msgspec.Struct, kw_only=True):
    """What came of one plan."""

    seed: int
    ending: str
    virtual_seconds: float = 0.0
    orders: int = 0
    fills: int = 0
    rounds: int = 0
    impossible: int = 0
    unknown: int = 0
    restarts: int = 0
    status: str = ""
    strikes: Counter[str] = msgspec.field(default_factory=Counter[str])
    trace: str = ""
    violation: str = ""


def draw_plan(seed: int) -> Plan:
    """The plan of a seed; the same in every process."""
    rng = random.Random(f"{seed}:plan")
    faults_seconds = rng.choice((15.0, 30.0, 60.0, 90.0))
    kinds = rng.sample(sorted(KINDS), k=rng.choice((1, 2, 3, 4, 6, 8, 12)))
    strikes: list[tuple[When, Strike]] = []
    crashes = 0
    for kind in kinds:
        for _ in range(rng.choice((1, 1, 2, 3))):
            if kind.startswith("crash"):
                crashes += 1
                if crashes > CRASHES_MAX:
                    continue
            strikes.append((_draw_when(rng, faults_seconds), KINDS[kind](rng)))
    ending = None
    if rng.random() < 0.5:
        ending = (_draw_when(rng, faults_seconds * rng.choice((0.3, 1.0, 1.5))), rng.choice(("stop", "stop", "cancel")))
    # From a source of their own, so that they do not change what else is drawn.
    line_rng = random.Random(f"{seed}:private line")
    has_private_line = line_rng.random() < 0.5
    if has_private_line:
        for kind in line_rng.sample(sorted(PRIVATE_LINE_KINDS), k=line_rng.choice((1, 2, 3))):
            strikes.append((_draw_when(line_rng, faults_seconds), PRIVATE_LINE_KINDS[kind](line_rng)))
    balances = {"USDT": Decimal(10_000), "BTC": rng.choice((Decimal(0), Decimal("0.1")))}
    market = MarketSettings(
        taker_rate_per_second=rng.choice((0.1, 0.5, 2.0)),
        volatility_per_second=rng.choice((0.0, 0.00004, 0.0004)),
    )
    return Plan(
        seed=seed,
        names=rng.choice((("btc",), ("btc",), ("one", "two"))),
        cycles=rng.choice((0, 1, 2, 3)) if ending else rng.choice((1, 2, 3)),
        parameters=SellOnTopParameters(reprice_interval_seconds=rng.choice((0.0, 0.2, 1.0, 5.0))),
        flatten_on_stop=rng.random() < 0.3,
        latency_seconds=rng.choice(LATENCIES),
        simulation=SimulationSettings(
            seed=seed,
            markets=(market,),
            accounts=(AccountSettings(balances=balances),),
            text_lookup_after_finish_seconds=rng.choice((0.0, 0.0, 1800.0)),
            unfilled_order_memory_seconds=rng.choice((5.0, 60.0, 600.0)),
        ),
        faults_seconds=faults_seconds,
        strikes=tuple(strikes),
        ending=ending,
        has_private_line=has_private_line,
        orders_by_rest=line_rng.random() < 0.2,
    )


def _draw_when(rng: random.Random, seconds_max: float) -> When:
    if rng.random() < 0.5:
        return When(seconds=rng.uniform(0, seconds_max))
    seconds = rng.choice((0.0, rng.uniform(0, 0.02), rng.uniform(0, 1.0)))
    return When(seconds=seconds, moment=rng.choice(MOMENTS), number=rng.choice((1, 1, 2, 3, 5)))


def run_seed(seed: int) -> Outcome:
    """Run the world of a seed from its beginning to its end. Never raises: what is wrong is in `violation`."""
    plan = draw_plan(seed)
    outcome = Outcome(seed=seed, ending=plan.ending[1] if plan.ending else "itself")

    async def live(world: World) -> None:
        try:
            await _live(world, plan, outcome)
        finally:
            outcome.virtual_seconds = trio.current_time()
            outcome.orders = len(world.exchange.orders())
            outcome.fills = len(world.exchange.trades())
            outcome.rounds = len(world.seen(CycleReconciled))
            outcome.impossible = len(world.seen(ImpossibleTransition))
            outcome.unknown = len(world.seen(OrderFateUnknown))
            outcome.restarts = len(world.seen(ChildRestarting))
            outcome.trace = world.trace.hexdigest()

    try:
        run_world(live, seed=seed, latency_seconds=plan.latency_seconds, simulation=plan.simulation)
    except Exception as error:  # noqa: BLE001  whatever goes wrong in a world is what this looks for
        outcome.violation = _in_one_text(error)
    return outcome


async def _live(world: World, plan: Plan, outcome: Outcome) -> None:
    watcher = Watcher(world)
    world.orders_by_rest = plan.orders_by_rest
    await world.start(
        private_websocket_url=await open_private_line(world) if plan.has_private_line else None,
        cycles=plan.cycles,
        names=plan.names,
        parameters=plan.parameters,
        flatten_on_stop=plan.flatten_on_stop,
        stop_deadline_seconds=STOP_DEADLINE_SECONDS,
    )
    async with trio.open_nursery() as watching:
        watching.start_soon(watcher.watch)
        async with trio.open_nursery() as nursery:
            for when, strike in plan.strikes:
                nursery.start_soon(_strike, world, when, strike, outcome)
            if plan.ending is not None:
                watching.start_soon(_end, world, *plan.ending, watcher)
            with trio.move_on_after(plan.faults_seconds):
                await world.wait_ended()
            nursery.cancel_scope.cancel()
        world.network.repair()
        world.network.set_latency(HOST, 0.001, 0.005)
        world.exchange.clear_faults()
        with trio.move_on_after(CONVERGENCE_SECONDS_MAX) as patience:
            if plan.ending is not None and plan.cycles == 0:
                with trio.move_on_after(plan.faults_seconds):  # its moment may never come
                    await world.wait_ended()
                if world.is_running and not watcher.stopped_at:
                    watcher.stopping()
                    world.stop("the world's time is over")
            with trio.move_on_after(CONVERGENCE_SECONDS_MAX / 2):
                await world.wait_ended()
            if world.is_running:
                _fill_rests(world)
                await world.wait_ended()
        if patience.cancelled_caught:
            world.fail(f"no end within {CONVERGENCE_SECONDS_MAX:g} s of the last fault")
        await world.settle(SETTLE_SECONDS)
        watcher.check()
        watching.cancel_scope.cancel()
    outcome.status = str(world.report.exit_status.value) if world.report is not None else "none"
    watcher.check_end(rounds=plan.cycles * len(plan.names))
    if world.report is not None and world.report.exit_status is ExitStatus.MAY_BE_LIVE:
        await _next_run_sweeps(world)


def _fill_rests(world: World) -> None:
    """A rest that is too small to be placed anew stays where it is; the market, which need not ever, comes to it now."""
    for order in world.exchange.open_orders():
        if order.filled_quantity and order.remaining_quantity * order.price < world.exchange.engine.instruments[order.symbol].notional_min:
            world.exchange.fill_order(order.id)


async def _strike(world: World, when: When, strike: Strike, outcome: Outcome) -> None:
    await _wait(world, when)
    undo = strike.begin(world)
    if undo is None:
        return  # there was nothing to strike at
    outcome.strikes[strike.kind] += 1
    try:
        await trio.sleep(strike.seconds)
    finally:
        undo()


async def _end(world: World, when: When, how: str, watcher: Watcher) -> None:
    await _wait(world, when)
    if not world.is_running:
        return
    watcher.stopping()
    if how == "stop":
        world.stop("the plan says so")
    else:
        world.cancel()
    slack_seconds = STOP_SLACK_SECONDS if how == "stop" else CANCEL_SLACK_SECONDS
    with trio.move_on_after(STOP_DEADLINE_SECONDS + slack_seconds) as patience:
        await world.wait_ended()
    if patience.cancelled_caught:
        world.fail(f"{how}: not ended {slack_seconds:g} s after the stop deadline")


async def _wait(world: World, when: When) -> None:
    if when.moment is not None:
        come, left = trio.Event(), when.number

        def count(event: object) -> None:
            nonlocal left
            if type(event) is when.moment:
                left -= 1
                if not left:
                    come.set()

        world.observers.append(count)
        await come.wait()
        world.observers.remove(count)
    await trio.sleep(when.seconds)


async def _next_run_sweeps(world: World) -> None:
    """After an end that could not confirm everything, the next start does before it trades."""
    started = len(world.seen(AccountReady))
    await world.start(cycles=0)
    await world.wait_for(AccountReady, count=started + 1)
    world.check_nothing_is_open()
    world.stop()
    report = await world.ended()
    if report is None or report.exit_status is not ExitStatus.CLEAN:
        world.fail(f"the next run could not end cleanly: {report and report.reason}")
    world.check_nothing_is_open()


def _in_one_text(error: BaseException) -> str:
    return "; ".join(f"{type(leaf).__name__}: {leaf}" for leaf in leaf_errors(error))
