"""What the desks of both kinds of cycles are made of: an account that reads commands, and the incarnations of an actor on its channels.

Only what is outside of the actor is replaced. Its inbox, its commands, its memory and its ids are the real ones, and they outlive its
incarnations, as they do in the program. Time is virtual.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Generic, Protocol, TypeVar

import trio
from msgspec.structs import replace

from actors.channels.bounded import BoundedReceiver, BoundedSender, open_bounded
from actors.channels.latest import LatestReceiver, LatestSender, open_latest
from actors.cycle.inbox import CycleInput, inbox_key
from market.events import BookChanged, BookLost
from market.symbol import Symbol
from orders.commands import AccountCommand
from orders.events import OrderChanged
from orders.identity import ClientOrderIds
from orders.order import Order

ACCOUNT, EXCHANGE, BTC_USDT = "main", "gateio_spot", Symbol("BTC", "USDT")
PATIENCE_SECONDS = 60.0

Event = TypeVar("Event")


class AccountAtWork(ABC):
    """Reads every command while it is `at_work`, and carries it out; what is `deaf_to`, it reads and says nothing of."""

    def __init__(self, commands: BoundedReceiver[AccountCommand], tell: Callable[[CycleInput], None]) -> None:
        self.received: list[tuple[float, AccountCommand]] = []
        self.deaf_to: set[type[AccountCommand]] = set()
        self.at_work = trio.Event()
        self.at_work.set()
        self.orders: dict[str, Order] = {}
        self._commands = commands
        self._tell = tell

    @abstractmethod
    def carry_out(self, command: AccountCommand) -> None:
        """Say what became of it."""

    async def run(self) -> None:
        async for command in self._commands:
            await self.at_work.wait()
            self.received.append((trio.current_time(), command))
            if type(command) not in self.deaf_to:
                self.carry_out(command)

    def seen(self, kind: type[Event]) -> list[Event]:
        return [command for _, command in self.received if isinstance(command, kind)]

    def say(self, order: Order) -> None:
        order = replace(order, changed_at=trio.current_time())
        self.orders[order.client_order_id] = order
        self._tell(OrderChanged(ACCOUNT, order))


class Actor(Protocol):
    async def run(self, context: Context, /) -> None: ...


class Context:
    """Of an incarnation that nobody supervises."""

    def started(self) -> None:
        pass

    def progress(self) -> None:
        pass


Account = TypeVar("Account", bound=AccountAtWork)


class Incarnations(ABC, Generic[Account]):
    """One cycle's channels, with an account of a kind at their other end, and its incarnations one after the other."""

    def __init__(
        self, account: Callable[[BoundedReceiver[AccountCommand], Callable[[CycleInput], None]], Account], *, capacity: int = 8
    ) -> None:
        self.reports: list[object] = []
        self.error: Exception | None = None
        """What the last incarnation raised."""
        self.ids = ClientOrderIds(installation="mm", owner="btc", run_started_milliseconds=1_790_000_000_000)
        ends: tuple[LatestSender[CycleInput], LatestReceiver[CycleInput]] = open_latest(inbox_key, 1000)
        self._inbox_sender, self.inbox = ends
        self.commands_sender: BoundedSender[AccountCommand]
        self.commands_sender, commands = open_bounded[AccountCommand](capacity)
        self.account = account(commands, self.tell)
        self._nursery: trio.Nursery | None = None
        self._life = trio.CancelScope()
        self._ended = trio.Event()

    @abstractmethod
    def actor(self) -> Actor:
        """A new incarnation."""

    @abstractmethod
    def tell_first(self) -> None:
        """All that a cycle needs."""

    def tell(self, news: CycleInput) -> None:
        self._inbox_sender.send_nowait(news)

    def tell_top(self, best_bid: float, best_ask: float, *, exchange: str = EXCHANGE) -> None:
        """A book as it is now, without anything of ours in it."""
        self.tell(BookChanged(exchange, BTC_USDT, ((best_bid, 5.0),), ((best_ask, 5.0),), 1, 1, 0, trio.current_time()))

    def lose_book(self) -> None:
        self.tell(BookLost(EXCHANGE, BTC_USDT, "it was lost", trio.current_time()))

    def seen(self, kind: type[Event]) -> list[Event]:
        return [report for report in self.reports if isinstance(report, kind)]

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """The account at work, ready, and a first incarnation of the cycle that was told all it needs, until the end of the block."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self.account.run)
            self.tell_first()
            self.start()
            yield
            nursery.cancel_scope.cancel("the test is over")

    def start(self) -> None:
        """Start an incarnation."""
        assert self._nursery is not None
        self._life, self._ended, self.error = trio.CancelScope(), trio.Event(), None
        self._nursery.start_soon(self._live)

    async def kill(self) -> None:
        """End the incarnation at whatever it waits for, as its supervisor would, with nothing said to the account."""
        self._life.cancel("killed")
        await self._ended.wait()

    async def ended(self) -> Exception | None:
        """Wait for the incarnation to end by itself; what it raised."""
        with trio.fail_after(PATIENCE_SECONDS):
            await self._ended.wait()
        return self.error

    async def _live(self) -> None:
        with self._life:
            try:
                await self.actor().run(Context())
            except Exception as error:  # noqa: BLE001 - a supervisor's part, which the tests ask about
                self.error = error
        self._ended.set()
