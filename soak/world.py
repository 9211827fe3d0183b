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
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any, NoReturn, TypeVar, cast

import msgspec
import trio
from msgspec.structs import replace

from actors.accounts.credential import Credential
from actors.accounts.timing import AccountTiming
from actors.channels.reply import Reply
from actors.cycle.sell_on_top import SellOnTopParameters
from actors.journal.file import MEMORY
from assembly.control.listening import ControlSocket
from assembly.parts import AccountParts
from assembly.presenter.report import ExitStatus, RunReport
from assembly.presenter.vocabulary import tell
from assembly.registry import EXCHANGES
from assembly.runtime import Runtime
from assembly.settings import (
    AccountSettings,
    CycleSettings,
    ExchangeSettings,
    GlobalLimitSettings,
    LimitSettings,
    RuntimeSettings,
    Settings,
)
from market.clock import VirtualWallClock
from market.events import BookChanged
from market.symbol import Symbol
from network.deterministic import run_deterministically
from network.simulated_network import SimulatedNetwork
from orders.commands import CaptureBalances
from orders.events import OrderChanged
from orders.life_cycle import OrderState
from orders.order import Order
from orders.reports import MarginMode
from simulated.control import VenueControl
from simulated.exchange import SimulatedExchange
from simulated.registry import make_exchange
from simulated.settings import SimulationSettings
from soak.journal import WorldJournal

BTC_USDT = Symbol("BTC", "USDT")
HOST = "exchange.sim"
ADDRESS = "10.0.0.2"
PORT = 80
PATIENCE_SECONDS = 120.0

Event = TypeVar("Event")


class InjectedCrash(Exception):
    """What a scenario makes an actor die of."""


class World:
    """One simulated exchange, reachable over one simulated network, and one run of the program against it."""

    def __init__(
        self, seed: int, nursery: trio.Nursery, *, latency_seconds: tuple[float, float], exchange_name: str = "gateio_spot"
    ) -> None:
        self.seed = seed
        self.exchange_name = exchange_name
        self.codec = EXCHANGES[exchange_name].account_codec()
        self.nursery = nursery
        self.rng = random.Random(seed)
        self.wall_clock = VirtualWallClock()
        self.network = SimulatedNetwork(random.Random(f"{seed}:network"))
        self.network.add_host(HOST, ADDRESS)
        self.network.set_latency(HOST, *latency_seconds)
        self.events: list[tuple[float, object]] = []
        self.keeps_events = True
        self.orders_by_rest = False
        """Whether the program does as if the exchange took no orders over its websocket."""
        self.observers: list[Callable[[object], None]] = []
        """Called with every event the program reports, in the moment it does; they must not raise."""
        self.trace = hashlib.sha256()
        self.runtime: Runtime | None = None
        self.report: RunReport | None = None
        self.runtime_task: trio.lowlevel.Task | None = None
        self._server: SimulatedExchange | None = None
        self._happened = trio.Event()
        self._ended = trio.Event()
        self._crash_on: list[Callable[[object], bool]] = []
        self._runtime_scope = trio.CancelScope()
        self.journal = WorldJournal(MEMORY)
        """Of all runs in this world: a restart goes on from it. In memory, and everything else about it as on a disk."""

    # The exchange

    async def open_exchange(self, settings: SimulationSettings) -> None:
        rng = random.Random(f"{self.seed}:exchange")
        self._server = make_exchange(self.exchange_name, settings, clock=self.wall_clock, rng=rng)
        await self.nursery.start(self._server.run, ADDRESS, PORT)

    @property
    def exchange(self) -> VenueControl:
        """What is behind the wire: facts and faults."""
        assert self._server is not None
        return self._server.control

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
        assert self._server is not None
        account, others = self._server.credential, other_accounts or {}
        return Settings(
            runtime=RuntimeSettings(
                stop_deadline_seconds=stop_deadline_seconds, run_for_seconds=run_for_seconds, flatten_on_stop=flatten_on_stop
            ),
            limits=program_limits or GlobalLimitSettings(),
            exchanges={
                self.exchange_name: ExchangeSettings(
                    rest_url=self._server.rest_url(HOST, PORT),
                    websocket_url=self._server.websocket_url(HOST, PORT),
                    private_websocket_url=private_websocket_url or self._server.private_websocket_url(HOST, PORT),
                )
            },
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
            credentials={
                "main": credential
                or Credential(
                    key=account.api_key,
                    secret="a-wrong-secret" if wrong_secret else account.api_secret,
                    passphrase=account.api_passphrase,
                ),
                **others,
            },
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
        self._ended = trio.Event()
        self._runtime_scope = trio.CancelScope()
        self.report = None
        self.runtime = Runtime(
            self.settings(**settings),
            wall_clock=self.wall_clock,
            seed=self.seed,
            report=self._take_event,
            journal=self.journal,
            timing=timing,
            control=control,
        )
        if self.orders_by_rest:
            codec = self.account.codec
            setattr(codec, "capabilities", replace(codec.capabilities, websocket_order_entry=False))  # noqa: B010
        self.nursery.start_soon(self._run, self.runtime)

    async def _run(self, runtime: Runtime) -> None:
        self.runtime_task = trio.lowlevel.current_task()
        with self._runtime_scope:
            self.report = await runtime.run()
        self._ended.set()

    def stop(self, reason: str = "the scenario stops it") -> None:
        """As the first Ctrl-C does."""
        assert self.runtime is not None
        self.runtime.request_stop(reason)

    def runtime_is_stopping(self) -> bool:
        return self.runtime is not None and self.runtime.is_stopping

    def cancel(self) -> None:
        """Cancel the whole program from outside, as structured cancellation would."""
        self._runtime_scope.cancel()

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

    def crash_account(self) -> None:
        """The account actor dies of the next command it reads."""
        self.account.commands_sender.send_nowait(CaptureBalances(cast("Reply[Any]", _Poison())))

    def crash_cycle(self, name: str = "btc") -> None:
        """The cycle actor dies of the next news it reads."""
        assert self.runtime is not None
        self.runtime.tree.cycles[name].inbox_sender.send_nowait(OrderChanged("main", cast("Order", _Poison())))

    def crash_feed(self) -> None:
        """The feed actor dies when it next publishes a book."""
        self.crash_when(lambda event: isinstance(event, BookChanged))

    def crash_when(self, matches: Callable[[object], bool]) -> None:
        """Whichever actor next reports such an event dies of reporting it."""
        self._crash_on.append(matches)

    # What happened

    def _take_event(self, event: object) -> None:
        if self.keeps_events:
            self.events.append((trio.current_time(), event))
        told = tell(event)
        if told is not None:
            self.trace.update(msgspec.json.encode((round(trio.current_time(), 9), told.name, told.fields)))
        self._happened.set()
        self._happened = trio.Event()
        for observe in tuple(self.observers):
            observe(event)
        for matches in self._crash_on:
            if matches(event):
                self._crash_on.remove(matches)
                raise InjectedCrash(f"on {type(event).__name__}")

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
                await self._happened.wait()
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
        last = "\n".join(f"  {time:10.4f} {_in_words(event)}" for time, event in self.events[-40:] if not isinstance(event, BookChanged))
        raise AssertionError(f"{message} (seed {self.seed}); the last events:\n{last}")

    # What must be true

    @property
    def account(self) -> AccountParts:
        assert self.runtime is not None
        return self.runtime.tree.accounts["main"]

    def our_open_orders(self) -> list[str]:
        """Client ids of our orders that are open at the exchange, whatever we think."""
        return [order.client_id for order in self.exchange.open_orders() if self._is_ours(order.client_id)]

    def _is_ours(self, wire_client_order_id: str) -> bool:
        return wire_client_order_id.startswith(self.codec.wire_client_order_id("mm-"))

    def check_nothing_is_open(self) -> None:
        if self.our_open_orders():
            self.fail(f"orders of ours are open at the exchange: {self.our_open_orders()}")

    def check_books_agree(self) -> None:
        """No order open, and the ledger equal to the exchange: every order, every fill, every fee, every balance."""
        self.check_nothing_is_open()
        self.exchange.check_invariants()
        trades = self.exchange.trades()
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
            real = sorted(
                (str(trade.id), trade.quantity, trade.price, party.fee)
                for trade in trades
                for party in (trade.taker, trade.maker)
                if party.order_id == theirs.id
            )
            if ours != real:
                self.fail(f"{order.client_order_id}: fills here {ours}, at the exchange {real}")
        written = (row[0] for row in self.journal_rows("SELECT client_order_id FROM orders WHERE is_settled"))
        known = {self.codec.wire_client_order_id(known) for known in (*(order.client_order_id for order in ledger.orders()), *written)}
        for order in self.exchange.orders():
            if self._is_ours(order.client_id) and order.client_id not in known:
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
            with world.network.install():
                await world.open_exchange(simulation or SimulationSettings(seed=seed))
                try:
                    await function(world)
                except Exception as error:
                    error.add_note(f"world seed: {seed}")
                    raise
                nursery.cancel_scope.cancel()
        return world

    return run_deterministically(run, seed=seed)


class _Poison:
    """Kills whoever looks at it. It is hashable as an order is, so that it travels through an inbox."""

    client_order_id = "poison"

    def answer(self, value: object) -> NoReturn:
        raise InjectedCrash("the answer could not be given")

    def fail(self, error: Exception) -> NoReturn:
        raise InjectedCrash("the failure could not be told")

    @property
    def request(self) -> NoReturn:
        raise InjectedCrash("poisoned news")


def _in_words(event: object) -> str:
    told = tell(event)
    return f"{told.name} {told.fields}" if told is not None else repr(event)
