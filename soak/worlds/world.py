"""The world in which a scenario happens: the real program against a simulated exchange, in virtual time, from one seed.

    async def story(world: World) -> None:
        world.exchange.freeze_flow()
        await world.start(cycles=1)
        sell = await world.wait_for(OrderPlaced, lambda event: event.order.request.side is Side.SELL)
        ...
        report = await world.end()

    run_world(story, seed=3)

Nothing of the program is replaced but what is outside it: the network (in memory, with latency and faults), the clock
(which jumps when everybody waits) and the exchange (a real server speaking the real protocol). Crashes are real
exceptions raised inside the actors by what they are given. `end` checks what must be true of every run: no order of ours
is open at the exchange, and our ledger agrees with it on every order, fill and balance.

A failure names its seed; the same seed gives the same run, bit for bit.
"""

from __future__ import annotations

import hashlib
import random
import signal
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, NoReturn, TypeVar, cast

import trio
from msgspec.structs import replace

from actors.accounts.credential import Credential
from actors.accounts.timing import AccountTiming
from actors.channels.reply import Reply
from actors.cycle.rounds.sell_on_top import SellOnTopParameters
from actors.journal.file import MEMORY
from assembly.control.listening import ControlSocket
from assembly.parts import AccountParts
from assembly.presenter.report import ExitStatus, RunReport
from assembly.runtime import Runtime
from assembly.settings import (
    AccountSettings,
    CycleSettings,
    GlobalLimitSettings,
    LimitSettings,
    RuntimeSettings,
    Settings,
)
from assembly.signal_answers import SignalAnswers
from assembly.signals import ProcessSignals
from market.clock import VirtualWallClock
from market.events import BookChanged
from market.symbol import Symbol
from network.causes import Cause, current_cause
from network.deterministic import run_deterministically
from network.simulated_network import SimulatedNetwork
from network.wire_trace import WireEvent
from orders.commands import CaptureBalances
from orders.events import OrderChanged
from orders.life_cycle import OrderState
from orders.order import Order
from orders.reports import MarginMode
from simulated.control import VenueControl
from simulated.settings import SimulationSettings
from soak.worlds.errors import NotConverged, ProgramCrashed, Violation
from soak.worlds.interference import InjectedCrash, Poison
from soak.worlds.journal import WorldJournal
from soak.worlds.machine import Machine, Process
from soak.worlds.settings_file import WorldSettingsFile
from soak.worlds.telling import Noted, as_traced, with_last_events
from soak.worlds.venue import Venue
from supervision.errors import one_line

BTC_USDT = Symbol("BTC", "USDT")
HOST = "exchange.sim"
ADDRESS = "10.0.0.2"
ACCOUNT = "main"
PATIENCE_SECONDS = 120.0
EPOCH_MILLISECONDS = 1_790_000_000_000  # of a UTC day some ten hours are left

Event = TypeVar("Event")


class World:
    """Simulated exchanges, reachable over one simulated network, and the runs of the program against them, one after the other.

    What is said of "the" exchange and "the" account is about the first one.
    """

    def __init__(
        self,
        seed: int,
        nursery: trio.Nursery,
        *,
        latency_seconds: tuple[float, float],
        exchange_name: str = "gateio_spot",
        other_exchanges: Sequence[str] = (),
        journal: WorldJournal | None = None,
        buffer_bytes: int = 64 * 1024,
        epoch_milliseconds: int = EPOCH_MILLISECONDS,
    ) -> None:
        self.seed = seed
        self.exchange_name = exchange_name
        self.nursery = nursery
        self.rng = random.Random(seed)
        self.wall_clock = VirtualWallClock(epoch_milliseconds)
        """The right time, and the exchanges' but for what their clocks are wrong."""
        self.program_clock = VirtualWallClock(epoch_milliseconds)
        """What the program takes for the time."""
        self.wire_events = 0
        self.wire_checksum = 0
        self.network = SimulatedNetwork(random.Random(f"{seed}:network"), buffer_bytes=buffer_bytes, trace=self._count_wire_event)
        self.machine = Machine(self.network)
        self.venues = {exchange_name: Venue(exchange_name, account=ACCOUNT, host=HOST, address=ADDRESS)}
        for number, name in enumerate(other_exchanges):
            host = f"{name.replace('_', '-')}.sim"
            self.venues[name] = Venue(name, account=f"at{number + 2}", host=host, address=f"10.0.0.{number + 10}")
        for venue in self.venues.values():
            self.network.add_host(venue.host, venue.address)
            self.network.set_latency(venue.host, *latency_seconds)
        self.venue = self.venues[exchange_name]
        self.codec = self.venue.codec
        self.events: list[tuple[float, object]] = []
        self.keeps_events = True
        self.events_kept_max: int | None = None
        """How many of the latest are kept at least; None for all."""
        self.orders_by_rest = False
        """Whether the program does as if the exchange took no orders over its websocket."""
        self.observers: list[Callable[[object], None]] = []
        """Called with every event the program reports, in the moment it does; they must not raise."""
        self.note_observers: list[Callable[[str], None]] = []
        """Called with every note."""
        self.trace = hashlib.sha256()
        self.runtime: Runtime | None = None
        self.report: RunReport | None = None
        self.runtime_task: trio.lowlevel.Task | None = None
        self.process = Process()
        self.settings_file: WorldSettingsFile | None = None
        """What the program looks at for other settings, if it can be given any."""
        self.settings_misjudged: list[str] = []
        """Other settings that were taken over and should not have been, or the other way round."""
        self.forced: RunReport | None = None
        """What the last run stated whose end a third signal forced."""
        self.hands_in_haste = 0
        """As long as it is not 0, hands order and call off in haste."""
        self._signals: ProcessSignals | None = None
        self._happened = trio.lowlevel.ParkingLot()
        self._ended = trio.Event()
        self._crash_on: list[tuple[Callable[[object], bool], Cause]] = []
        self._runtime_scope = trio.CancelScope()
        self.journal = journal or WorldJournal(MEMORY)
        """Of all runs in this world: a restart goes on from it. In memory, and everything else about it as on a disk."""

    def _count_wire_event(self, event: WireEvent) -> None:
        self.wire_events += 1
        self.wire_checksum = zlib.crc32(event.data, self.wire_checksum ^ event.connection)

    # The exchange

    async def open_exchange(self, settings: SimulationSettings) -> None:
        """The first one. Open the others by `venues`."""
        await self.open_venue(self.venue, settings)

    async def open_venue(self, venue: Venue, settings: SimulationSettings) -> None:
        name = "exchange" if venue is self.venue else venue.name
        await venue.open(self.nursery, settings, clock=self.wall_clock, rng=random.Random(f"{self.seed}:{name}"))

    @property
    def exchange(self) -> VenueControl:
        """What is behind the wire: facts and faults."""
        return self.venue.control

    # The program

    def settings(
        self,
        *,
        cycles: int = 1,
        quantity: str = "100",
        symbol: Symbol = BTC_USDT,
        limits: LimitSettings | None = None,
        parameters: SellOnTopParameters | None = None,
        stop_deadline_seconds: float = 10.0,
        run_for_seconds: float | None = None,
        flatten_on_stop: bool = False,
        names: tuple[str, ...] = ("btc",),
        credential: Credential | None = None,
        wrong_secret: bool = False,
        dead_mans_switch_seconds: int = 30,
        private_websocket_url: str | None = None,
        leverage: Decimal | None = None,
        margin_mode: MarginMode = MarginMode.CROSS,
        program_limits: GlobalLimitSettings | None = None,
        other_accounts: Mapping[str, Credential] | None = None,
    ) -> Settings:
        """Settings of a program that trades on this world's exchange.

        The cycles are the main account's, but for those named like one of `other_accounts`, which are that account's.
        """
        others = other_accounts or {}
        return Settings(
            runtime=RuntimeSettings(
                stop_deadline_seconds=stop_deadline_seconds, run_for_seconds=run_for_seconds, flatten_on_stop=flatten_on_stop
            ),
            limits=program_limits or GlobalLimitSettings(),
            exchanges={self.exchange_name: self.venue.settings(private_websocket_url=private_websocket_url)},
            accounts={
                name: AccountSettings(
                    exchange=self.exchange_name,
                    limits=limits or LimitSettings(),
                    dead_mans_switch_seconds=dead_mans_switch_seconds,
                    leverage=leverage,
                    margin_mode=margin_mode,
                )
                for name in ("main", *others)
            },
            cycles={
                name: CycleSettings(
                    strategy="sell_on_top",
                    account=name if name in others else "main",
                    symbol=symbol,
                    quantity=Decimal(quantity),
                    cycles=cycles,
                    parameters=parameters or SellOnTopParameters(),
                )
                for name in names
            },
            credentials={ACCOUNT: credential or self.venue.credential(wrong_secret=wrong_secret), **others},
        )

    def lose_journal(self) -> None:
        """The next run begins with an empty journal, as if somebody had deleted it."""
        self.journal = WorldJournal(MEMORY)

    def fill_journal(self) -> None:
        """From now on its disk is full."""
        self.journal.fill_disk()

    def journal_rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What the journal holds."""
        return self.journal.rows(sql)

    async def start(self, *, timing: AccountTiming | None = None, control: ControlSocket | None = None, **settings: Any) -> None:
        """Start the program with `settings`, and a real control socket if one is given; returns at once.

        A second start in one world is a restart of the process: nothing is kept but the journal.
        """
        self.launch(self.settings(**settings), timing=timing, control=control)

    def launch(self, settings: Settings, *, timing: AccountTiming | None = None, control: ControlSocket | None = None) -> None:
        """As `start`, with whole settings; they are those of the settings file, if there is one."""
        self._ended = trio.Event()
        self._runtime_scope = trio.CancelScope()
        self.report = None
        self.process = Process()
        self.runtime = Runtime(
            settings,
            wall_clock=self.program_clock,
            seed=self.seed,
            report=partial(self._take_event, self.process),
            journal=self.journal,
            timing=timing,
            control=control,
            source=self.settings_file,
            read=None if self.settings_file is None else self.settings_file.read_now(),
        )
        if self.orders_by_rest:
            for account in self.runtime.tree.accounts.values():
                if not account.codec.capabilities.websocket_order_entry:
                    continue
                setattr(account.codec, "capabilities", replace(account.codec.capabilities, websocket_order_entry=False))  # noqa: B010
        self.nursery.start_soon(self._run, self.runtime, self.process, self._runtime_scope, self._ended)

    def open_settings_file(self, settings: Settings) -> WorldSettingsFile:
        """From now on the program can be given other settings, by this file or without it."""
        self.settings_file = WorldSettingsFile(settings)
        return self.settings_file

    async def _run(self, runtime: Runtime, process: Process, scope: trio.CancelScope, ended: trio.Event) -> None:
        process.run_here()
        self.runtime_task = trio.lowlevel.current_task()
        report: RunReport | None = None
        try:
            async with trio.open_nursery() as nursery:
                self._signals = signals = ProcessSignals()
                tell, force = partial(self._take_event, process), partial(self._force_end, runtime, process)
                with SignalAnswers(runtime, nursery, report=tell, force=force).listening(signals), scope:
                    report = await runtime.run()
                nursery.cancel_scope.cancel()
        except Exception as error:
            if not process.is_dead:  # what is left of a killed process may fail as it likes
                raise ProgramCrashed(f"the program raised {one_line(error)} (seed {self.seed})") from error
        if not process.is_dead:
            self._signals = None
            self.report = report
            ended.set()

    def kill(self, *, torn_bytes: int = 0) -> None:
        """As SIGKILL does: nothing is cleaned up, and what is left is what was committed to the journal.

        With `torn_bytes` the machine died with it, and so much of the journal's end was not on the disk yet.
        """
        self.journal = self.journal.left_by_kill(torn_bytes=torn_bytes)
        current_cause().had_effect()
        self.process.kill()
        self._signals = None
        self._crash_on.clear()
        self.report = None
        self._runtime_scope.cancel("killed")
        self._ended.set()

    def stop(self, reason: str = "the scenario stops it") -> None:
        """As the first Ctrl-C does."""
        assert self.runtime is not None
        self.runtime.request_stop(reason)
        current_cause().had_effect()

    def signal(self, number: signal.Signals) -> bool:
        """As the system delivers a signal to the program, if it is there to take one: through its own handler."""
        if self._signals is None:
            return False
        self.note(f"{number.name} sent")
        self._signals.take(number)
        current_cause().had_effect()
        return True

    def _force_end(self, runtime: Runtime, process: Process) -> None:
        """The program has been forced to its end: it states how things stand, and the process is gone."""
        if process is self.process and not process.is_dead:
            self.forced = runtime.statement(forced=True)
            self.note("forced to its end")
            self.kill()

    def runtime_is_stopping(self) -> bool:
        return self.runtime is not None and self.runtime.is_stopping

    def cancel(self) -> None:
        """Cancel the whole program from outside, as structured cancellation would."""
        self._runtime_scope.cancel()
        current_cause().had_effect()

    async def ended(self, *, within_seconds: float = PATIENCE_SECONDS) -> RunReport | None:
        """Wait for the program's end; None if it was cancelled. Checks nothing."""
        with trio.move_on_after(within_seconds) as scope:
            await self._ended.wait()
        if scope.cancelled_caught:
            self.fail(f"the program did not end within {within_seconds:g} s of virtual time")
        return self.report

    @property
    def is_running(self) -> bool:
        """Whether a run has begun and not ended."""
        return self.runtime is not None and not self._ended.is_set()

    async def wait_ended(self) -> None:
        """Wait for the program's end, however long that takes."""
        await self._ended.wait()

    async def end(self, *, within_seconds: float = PATIENCE_SECONDS, status: ExitStatus = ExitStatus.CLEAN) -> RunReport:
        """Wait for the program's end, expect `status`, and check what must be true of every run."""
        report = await self.ended(within_seconds=within_seconds)
        assert report is not None
        assert report.exit_status is status, f"{report.exit_status!r}: {report.reason}"
        await self.settle()
        self.check_books_agree()
        return report

    async def settle(self, seconds: float = 10.0) -> None:
        """Let everything that is still under way arrive: requests delayed by a fault, answers, events."""
        await trio.sleep(seconds)

    # Crashes, inside the unmodified program

    def crash_account(self, name: str = ACCOUNT) -> None:
        """The account actor dies of the next command it reads."""
        assert self.runtime is not None
        self.runtime.tree.accounts[name].commands_sender.send_nowait(CaptureBalances(cast("Reply[Any]", Poison())))

    def crash_cycle(self, name: str = "btc") -> None:
        """The cycle actor dies of the next news it reads."""
        assert self.runtime is not None
        cycle = self.runtime.tree.cycles[name]
        cycle.inbox_sender.send_nowait(OrderChanged(cycle.settings.account, cast("Order", Poison())))

    def crash_feed(self) -> None:
        """The feed actor dies when it next publishes a book."""
        self.crash_when(lambda event: isinstance(event, BookChanged))

    def crash_when(self, matches: Callable[[object], bool]) -> None:
        """Whichever actor next reports such an event dies of reporting it."""
        self._crash_on.append((matches, current_cause()))

    # What happened

    def _take_event(self, process: Process, event: object) -> None:
        if process.is_dead:
            return
        if self.keeps_events:
            self.events.append((trio.current_time(), event))
            if self.events_kept_max is not None and len(self.events) > 2 * self.events_kept_max:
                del self.events[: self.events_kept_max]
        self.trace.update(as_traced(event, trio.current_time()))
        if self._happened:
            self._happened.unpark_all()
        for observe in tuple(self.observers):
            observe(event)
        for crash in self._crash_on:
            matches, cause = crash
            if matches(event):
                self._crash_on.remove(crash)
                cause.had_effect()
                raise InjectedCrash(f"on {type(event).__name__}")

    def note(self, text: str) -> None:
        """Something that happened to the program from outside: part of the story and of the trace."""
        self.events.append((trio.current_time(), Noted(text)))
        self.trace.update(f"{trio.current_time():.9f} {text}".encode())
        for observe in self.note_observers:
            observe(text)

    def seen(self, kind: type[Event], where: Callable[[Event], bool] = lambda event: True) -> list[Event]:
        """All events of a kind so far."""
        return [event for _, event in self.events if isinstance(event, kind) and where(event)]

    async def wait_for(
        self,
        kind: type[Event],
        where: Callable[[Event], bool] = lambda event: True,
        *,
        count: int = 1,
        within_seconds: float = PATIENCE_SECONDS,
    ) -> Event:
        """The `count`-th event of a kind, waiting for it."""
        with trio.move_on_after(within_seconds):
            while len(self.seen(kind, where)) < count:
                await self._happened.park()
        found = self.seen(kind, where)
        if len(found) < count:
            self.fail(f"{kind.__name__} number {count} did not happen within {within_seconds:g} s")
        return found[count - 1]

    async def wait_until(self, condition: Callable[[], bool], *, within_seconds: float = PATIENCE_SECONDS) -> None:
        """Wait for something to be true of the world, looking again every hundredth of a second."""
        give_up_at = trio.current_time() + within_seconds
        while not condition():
            if trio.current_time() > give_up_at:
                self.fail(f"what was waited for did not become true within {within_seconds:g} s")
            await trio.sleep(0.01)  # virtual: the condition may be about the exchange, which tells us nothing

    def fail(self, message: str) -> NoReturn:
        """Raises: Violation: with the last events of the order that the message names, or else of all."""
        raise Violation(with_last_events(f"{message} (seed {self.seed})", self.events))

    def fail_to_converge(self, message: str) -> NoReturn:
        """Raises: NotConverged."""
        raise NotConverged(with_last_events(f"{message} (seed {self.seed})", self.events))

    # What must be true

    @property
    def account(self) -> AccountParts:
        assert self.runtime is not None
        return self.runtime.tree.accounts["main"]

    def our_open_orders(self) -> list[str]:
        """Client ids of our orders that are open at the exchange, whatever we think."""
        return [order.client_id for venue in self.venues.values() for order in venue.open_orders()]

    def check_nothing_is_open(self) -> None:
        if self.our_open_orders():
            self.fail(f"orders of ours are open at the exchange: {self.our_open_orders()}")

    def check_books_agree(self) -> None:
        """No order open, and the ledger equal to the exchange: every order, every fill, every fee, every balance."""
        self.check_nothing_is_open()
        self.exchange.check_invariants()
        ledger = self.account.ledger
        for order in ledger.orders():
            theirs = self.exchange.order_by_client_id(self.codec.wire_client_order_id(order.client_order_id))
            if theirs is None:
                if order.state is not OrderState.REJECTED or order.filled_quantity:
                    self.fail(f"{order.client_order_id} is {order.state.value} here and unknown to the exchange")
                continue
            if not order.is_settled:
                self.fail(f"{order.client_order_id} is not settled: {order}")
            ours = sorted((fill.trade_id, fill.quantity, fill.price, fill.fee) for fill in order.fills)
            real = self.venue.real_fills(theirs.id)
            if ours != real:
                self.fail(f"{order.client_order_id}: fills here {ours}, at the exchange {real}")
        written = (row[0] for row in self.journal_rows("SELECT client_order_id FROM orders WHERE is_settled"))
        known = {self.codec.wire_client_order_id(known) for known in (*(order.client_order_id for order in ledger.orders()), *written)}
        for order in self.exchange.orders():
            if self.venue.is_ours(order.client_id) and order.client_id not in known:
                self.fail(f"the exchange has an order of ours that we do not know: {order}")


def run_world(
    function: Callable[[World], Awaitable[None]],
    *,
    seed: int,
    latency_seconds: tuple[float, float] = (0.001, 0.005),
    simulation: SimulationSettings | None = None,
    instruments: tuple[trio.abc.Instrument, ...] = (),
    exchange_name: str = "gateio_spot",
) -> World:
    """Run a scenario in a world of its own and return the world it left."""

    async def run() -> World:
        for instrument in instruments:
            trio.lowlevel.add_instrument(instrument)
        async with trio.open_nursery() as nursery:
            world = World(seed, nursery, latency_seconds=latency_seconds, exchange_name=exchange_name)
            with world.machine.install():
                await world.open_exchange(simulation or SimulationSettings(seed=seed))
                try:
                    await function(world)
                except Exception as error:
                    error.add_note(f"world seed: {seed}")
                    raise
                nursery.cancel_scope.cancel()
        return world

    return run_deterministically(run, seed=seed)
