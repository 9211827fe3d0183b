"""Faults of the program itself and of its machine: crashes, hangs, kills, clocks, disks, load; and what its operator does."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from functools import partial

import trio

from assembly.control.protocol import VERSION, Command, Request
from assembly.runtime import Runtime
from assembly.signals import PAUSE_SIGNAL, RESUME_SIGNAL, STOP_SIGNALS
from network.causes import current_cause
from orders.states import GLOBAL, TradingState, account_scope, cycle_scope, symbol_scope
from soak.faults.strike import Draw, Group, Kind, Strike, Undo, for_a_while, nothing, once
from soak.worlds.interference import Hang, actors_of, can_hang, crash, journal_of, tasks_of
from soak.worlds.place import Place
from soak.worlds.world import World

LIVENESS_SECONDS_MAX = 60.0
BY = "the plan"
TORN_BYTES = (1, 100, 1_000, 4_000, 30_000)
JUMP_MILLISECONDS_STAYING = 20_000

# Crashes


def _crash_account(world: World, place: Place) -> None:
    world.crash_account(place.venue(world).account)


def _when_running(draw: Draw) -> Draw:
    """Only while the program runs: between two runs there is nothing to strike at."""

    def draw_for_running(rng: random.Random) -> Strike:
        strike = draw(rng)

        def begin(world: World, place: Place) -> Undo | None:
            return strike.begin(world, place) if world.is_running else None

        return Strike(text=strike.text, begin=begin, seconds=strike.seconds, ends_the_run=strike.ends_the_run)

    return draw_for_running


def _some_task(
    world: World, actor_share: float, task_share: float, fits: Callable[[trio.lowlevel.Task], bool] = lambda task: True
) -> trio.lowlevel.Task | None:
    if world.runtime_task is None:
        return None
    actors = actors_of(world.runtime_task)
    tasks = [task for task in tasks_of(actors[int(actor_share * len(actors))]) if fits(task)] if actors else []
    return tasks[int(task_share * len(tasks))] if tasks else None


def _crash_at_checkpoint(rng: random.Random) -> Strike:
    actor_share, task_share = rng.random(), rng.random()

    def begin(world: World, place: Place) -> Undo | None:
        task = _some_task(world, actor_share, task_share)
        if task is None:
            return None
        crash(task)
        return nothing

    return Strike(text=f"{actor_share:.3f}, {task_share:.3f}", begin=begin)


def _hang(seconds: tuple[float, float]) -> Draw:
    def draw(rng: random.Random) -> Strike:
        actor_share, task_share = rng.random(), rng.choice((0.0, rng.random()))

        def begin(world: World, place: Place) -> Undo | None:
            task = _some_task(world, actor_share, task_share, can_hang)
            return None if task is None else Hang(task).end

        return Strike(text=f"{actor_share:.3f}, {task_share:.3f}", begin=begin, seconds=rng.uniform(*seconds))

    return draw


def _kill_unwritten(rng: random.Random) -> Strike:
    """The journal's task stands still, and before it goes on the process is killed: what was to be written is lost."""
    seconds = rng.choice((rng.uniform(0.0, 0.1), rng.uniform(0.1, 6.0)))

    def begin(world: World, place: Place) -> Undo | None:
        journal = None if world.runtime_task is None else journal_of(world.runtime_task)
        if journal is None or not can_hang(journal):
            return None
        process, hang, cause = world.process, Hang(journal), current_cause()

        def kill() -> None:
            if world.process is process and world.is_running:
                with cause.at_work():
                    world.kill()
            else:
                hang.end()

        return kill

    return Strike(text="", begin=begin, seconds=seconds, ends_the_run=True)


def _torn_journal(rng: random.Random) -> Strike:
    torn_bytes = rng.choice(TORN_BYTES)

    def begin(world: World, place: Place) -> Undo:
        world.kill(torn_bytes=torn_bytes)
        return nothing

    return Strike(text=f"{torn_bytes} bytes", begin=begin, ends_the_run=True)


def _disk_full(rng: random.Random) -> Strike:
    def begin(world: World, place: Place) -> Undo:
        world.journal.fill_disk()
        return lambda: world.journal.free_disk()  # of the journal that there is then

    return Strike(text="", begin=begin, seconds=for_a_while(rng), ends_the_run=True)


# Clocks


def _skew_exchange_clock(rng: random.Random) -> Strike:
    milliseconds = rng.choice((-90_000, -20_000, -2_500, -400, 400, 2_500, 20_000, 90_000))

    def begin(world: World, place: Place) -> Undo:
        control = place.venue(world).control
        control.skew_clock(milliseconds)
        return partial(control.skew_clock, 0)

    return Strike(text=f"{milliseconds:+} ms", begin=begin, seconds=for_a_while(rng))


def _jump_own_clock(rng: random.Random) -> Strike:
    """The machine's time is set, and set right again later; one of 20 seconds stays, as where it was wrong until then."""
    milliseconds = rng.choice((-3_600_000, -20_000, -900, 900, 20_000, 3_600_000))

    def begin(world: World, place: Place) -> Undo:
        world.program_clock.skew_milliseconds += milliseconds
        current_cause().had_effect()

        def undo() -> None:
            if abs(milliseconds) != JUMP_MILLISECONDS_STAYING:
                world.program_clock.skew_milliseconds -= milliseconds

        return undo

    return Strike(text=f"{milliseconds:+} ms", begin=begin, seconds=for_a_while(rng))


# Load


def _burst(rng: random.Random) -> Strike:
    """The market moves hundreds of times within an instant, each time through its whole book."""
    moves = rng.choice((20, 100, 300))

    def begin(world: World, place: Place) -> Undo | None:
        control = place.venue(world).control
        ask, tick = control.best_ask(place.symbol), control.engine.instruments[place.symbol].price_tick
        if ask is None:
            return None
        for number in range(moves):
            control.move_market(place.symbol, ask + tick * Decimal(number % 7 - 3))
        return nothing

    return Strike(text=f"{moves} moves", begin=begin)


# The operator


def _scope(world: World, place: Place, which: int) -> str:
    account, symbol = place.venue(world).account, place.symbol
    return (GLOBAL, account_scope(account), cycle_scope(place.cycle), symbol_scope(account, symbol))[which]


def _trading_state(rng: random.Random) -> Strike:
    state = rng.choice((TradingState.PAUSED, TradingState.REDUCE_ONLY, TradingState.HALTED))
    which = rng.randrange(4)

    def begin(world: World, place: Place) -> Undo | None:
        if world.runtime is None:
            return None
        scope = _scope(world, place, which)
        world.runtime.tree.states.enter(scope, state, "the plan says so")
        current_cause().had_effect()

        def resume() -> None:
            if world.is_running and world.runtime is not None:  # another run may have taken the state over
                world.runtime.tree.states.enter(scope, TradingState.RUN, "the plan says so")

        return resume

    return Strike(text=f"{state.value} {('global', 'account', 'cycle', 'symbol')[which]}", begin=begin, seconds=for_a_while(rng))


def _flatten(rng: random.Random) -> Strike:
    """Everything that cycles hold is sold, as `mm-ctl flatten` has it, and they only reduce until somebody lets them go on."""
    which = rng.choice((0, 1, 2, 2, 3))

    def begin(world: World, place: Place) -> Undo | None:
        if world.runtime is None:
            return None
        request = Request(version=VERSION, command=Command.FLATTEN, scope=_scope(world, place, which))
        world.nursery.start_soon(_carry_out, world, world.runtime, request)

        def resume() -> None:
            if world.is_running and world.runtime is not None:
                for scope, entered in world.runtime.tree.states.declared().items():
                    if entered.reason.startswith(f"flattened by {BY}"):
                        world.runtime.tree.states.enter(scope, TradingState.RUN, "the plan says so")

        return resume

    return Strike(text=("global", "account", "cycle", "symbol")[which], begin=begin, seconds=for_a_while(rng))


async def _carry_out(world: World, runtime: Runtime, request: Request) -> None:
    answer = await runtime.desk.carry_out(request, by=BY)
    if answer.done:
        current_cause().had_effect()
    if runtime is world.runtime:
        world.note(f"flatten {request.scope}: {answer.message}")


# The process


def _kill(world: World, place: Place) -> Undo:
    world.kill()
    return nothing


def _stop(world: World, place: Place) -> Undo:
    world.stop("the plan says so")
    return nothing


def _cancel(world: World, place: Place) -> Undo:
    world.cancel()
    return nothing


# Signals, by the way of the program's own handler


def _signal_to_stop(rng: random.Random) -> Strike:
    number = rng.choice(STOP_SIGNALS)

    def begin(world: World, place: Place) -> Undo | None:
        return nothing if world.signal(number) else None

    return Strike(text=number.name, begin=begin, ends_the_run=True)


def _signals_to_force(rng: random.Random) -> Strike:
    """The exchanges hang, and whoever waits for the stop loses patience."""
    number, hangs = rng.choice(STOP_SIGNALS[:2]), rng.random() < 0.7
    pauses_seconds = [rng.choice((0.0, 0.3, 1.1, 3.0)), *(rng.choice((0.05, 1.1, 1.1, 2.5)) for _ in range(rng.choice((0, 1, 1, 2))))]

    async def send(world: World, runtime: object) -> None:
        for seconds in pauses_seconds:
            await trio.sleep(seconds)
            if world.runtime is not runtime or not world.signal(number):
                return

    def begin(world: World, place: Place) -> Undo | None:
        if not world.signal(number):
            return None
        stalls = [world.network.stall(venue.host) for venue in world.venues.values()] if hangs else []
        world.nursery.start_soon(send, world, world.runtime)

        def undo() -> None:
            for stall in stalls:
                stall.repair()

        return undo

    pauses = ", ".join(f"{seconds:g} s" for seconds in pauses_seconds)
    return Strike(text=f"{number.name} again after {pauses}{', exchanges hang' if hangs else ''}", begin=begin, ends_the_run=True)


def _signal_to_pause(rng: random.Random) -> Strike:
    def begin(world: World, place: Place) -> Undo | None:
        return partial(world.signal, RESUME_SIGNAL) if world.signal(PAUSE_SIGNAL) else None

    return Strike(text="", begin=begin, seconds=for_a_while(rng))


PROGRAM: tuple[Kind, ...] = (
    Kind(name="crash_account", group=Group.CRASH, draw=_when_running(once(_crash_account))),
    Kind(name="crash_cycle", group=Group.CRASH, draw=_when_running(once(lambda world, place: world.crash_cycle(place.cycle)))),
    Kind(name="crash_feed", group=Group.CRASH, draw=_when_running(once(lambda world, place: world.crash_feed()))),
    Kind(name="crash_at_checkpoint", group=Group.CRASH, draw=_when_running(_crash_at_checkpoint)),
    Kind(name="hang", group=Group.CRASH, draw=_when_running(_hang((LIVENESS_SECONDS_MAX, 2 * LIVENESS_SECONDS_MAX)))),
    Kind(
        name="kill",
        group=Group.CRASH,
        draw=_when_running(lambda rng: Strike(text="", begin=_kill, ends_the_run=True)),
    ),
    Kind(name="kill_unwritten", group=Group.CRASH, draw=_when_running(_kill_unwritten)),
    Kind(name="skew_exchange_clock", group=Group.CLOCK, draw=_skew_exchange_clock),
    Kind(name="jump_own_clock", group=Group.CLOCK, draw=_jump_own_clock),
    Kind(name="disk_full", group=Group.DISK, draw=_when_running(_disk_full)),
    Kind(name="torn_journal", group=Group.DISK, draw=_when_running(_torn_journal)),
    Kind(name="slow_consumer", group=Group.LOAD, draw=_when_running(_hang((0.5, 20.0)))),
    Kind(name="burst", group=Group.LOAD, draw=_burst),
    Kind(name="trading_state", group=Group.OPERATOR, draw=_when_running(_trading_state)),
    Kind(name="flatten", group=Group.OPERATOR, draw=_when_running(_flatten)),
    Kind(name="stop", group=Group.OPERATOR, draw=_when_running(lambda rng: Strike(text="", begin=_stop, ends_the_run=True))),
    Kind(name="signal_to_stop", group=Group.OPERATOR, draw=_signal_to_stop),
    Kind(name="signals_to_force", group=Group.OPERATOR, draw=_signals_to_force),
    Kind(name="signal_to_pause", group=Group.OPERATOR, draw=_signal_to_pause),
    Kind(name="cancel", group=Group.OPERATOR, draw=_when_running(lambda rng: Strike(text="", begin=_cancel, ends_the_run=True))),
)
