"""A quoting actor alone with its channels: an account and a market that say what the test wants, when it wants. Time is virtual.

Only what is outside of the actor is replaced. Its inbox, its commands, its memory and its ids are the real ones, and they outlive its
incarnations, as they do in the program.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, TypeVar

import trio
from msgspec.structs import replace
from quoting_samples import BTC_USDT, RULES, ask, bid

from actors.channels.bounded import BoundedReceiver, BoundedSender, open_bounded
from actors.channels.latest import LatestReceiver, LatestSender, open_latest
from actors.cycle.inbox import CycleInput, inbox_key
from actors.cycle.quoting.actor import Market, QuotingActor
from actors.cycle.quoting.contract import QuotingView, Wanted
from actors.cycle.quoting.memory import QuotingMemory
from actors.cycle.quoting.terms import QuotingTerms
from actors.cycle.terms import TermsChanged
from market.events import BookChanged, BookLost, InstrumentListed, Side
from orders.commands import AccountCommand, AmendOrders, CancelOrders, PlaceOrder, PlaceOrders
from orders.events import AccountReady, OrderChanged
from orders.identity import ClientOrderIds
from orders.life_cycle import OrderState
from orders.order import Order
from orders.reports import FillReport
from orders.request import OrderRequest
from orders.tally import Tally, TallyChanged

ACCOUNT, EXCHANGE = "main", "gateio_spot"
PATIENCE_SECONDS = 60.0
OWN_MARKET = Market(EXCHANGE, BTC_USDT)

Event = TypeVar("Event")


class ScriptedAccount:
    """Reads every command and carries it out at once; what is `deaf` to, it reads and says nothing of."""

    def __init__(self, commands: BoundedReceiver[AccountCommand], tell: Callable[[CycleInput], None]) -> None:
        self.received: list[tuple[float, AccountCommand]] = []
        self.deaf_to: set[type[AccountCommand]] = set()
        self.at_work = trio.Event()
        self.at_work.set()
        self.refuses: Callable[[OrderRequest], bool] = lambda request: False
        self.refusal = ""
        self.refuses_amendments = False
        self.orders: dict[str, Order] = {}
        self._commands = commands
        self._tell = tell

    async def run(self) -> None:
        async for command in self._commands:
            await self.at_work.wait()
            self.received.append((trio.current_time(), command))
            if type(command) not in self.deaf_to:
                self.carry_out(command)

    def seen(self, kind: type[Event]) -> list[Event]:
        return [command for _, command in self.received if isinstance(command, kind)]

    def placements(self) -> list[PlaceOrder]:
        return [order for command in self.seen(PlaceOrders) for order in command.orders]

    def live(self) -> list[Order]:
        return [order for order in self.orders.values() if not order.is_terminal]

    def carry_out(self, command: AccountCommand) -> None:
        match command:
            case PlaceOrders(commands):
                for one in commands:
                    refused = self.refuses(one.request)
                    state = OrderState.REJECTED if refused else OrderState.OPEN
                    reason = self.refusal if refused else ""
                    self.say(Order(request=one.request, state=state, sent=True, reason=reason, created_at=trio.current_time()))
            case CancelOrders(client_order_ids):
                for client_order_id in client_order_ids:
                    self.say(replace(self.orders[client_order_id], state=OrderState.CANCELLED, cancel_wanted=True))
            case AmendOrders(commands):
                for one in commands:
                    order = self.orders[one.client_order_id]
                    if self.refuses_amendments:
                        self.say(replace(order, state=OrderState.PENDING_AMEND))
                        continue
                    request = replace(
                        order.request, price=one.price or order.request.price, quantity=one.quantity or order.request.quantity
                    )
                    self.say(replace(order, request=request, amended=True))
            case _:
                raise AssertionError(f"a quoting cycle does not send {command}")

    def fill(self, order: Order) -> None:
        quantity, price = order.remaining_quantity, order.request.price
        assert quantity is not None
        assert price is not None
        fill = FillReport(
            trade_id=order.client_order_id,
            exchange_order_id=order.client_order_id,
            client_order_id=order.client_order_id,
            symbol=BTC_USDT,
            side=order.request.side,
            price=price,
            quantity=quantity,
            fee=Decimal(0),
            fee_asset="USDT",
            maker=True,
        )
        self.say(replace(order, state=OrderState.FILLED, filled_quantity=quantity, filled_quote=quantity * price, fills=(fill,)))

    def say(self, order: Order) -> None:
        order = replace(order, changed_at=trio.current_time())
        self.orders[order.client_order_id] = order
        self._tell(OrderChanged(ACCOUNT, order))


class ScriptedStrategy:
    """Wants what it is told to, and remembers every view. `takes_seconds` is how long a decision lasts, of the trio's clock."""

    def __init__(self, *quotes: Any, history_seconds: float = 0.0) -> None:
        self.wanted = Wanted(quotes=quotes or (bid("99.9"), ask("100.1")))
        self.views: list[QuotingView] = []
        self.history_seconds = history_seconds

    def decide(self, view: QuotingView) -> Wanted:
        self.views.append(view)
        return self.wanted

    @property
    def decided_at(self) -> list[float]:
        return [view.now for view in self.views]


class Desk:
    """What surrounds a quoting cycle, and the incarnations of it."""

    def __init__(
        self,
        strategy: ScriptedStrategy | None = None,
        *,
        tick_seconds: float = 1.0,
        may_amend: bool = False,
        book_age_seconds_max: float = 3600.0,
        reference: Market | None = None,
        commands_capacity: int = 8,
        **terms: Any,
    ) -> None:
        self.strategy = strategy or ScriptedStrategy()
        self.terms = QuotingTerms(
            strategy=self.strategy,
            quote_quantity=Decimal(100),
            rounds_max=0,
            tick_seconds=tick_seconds,
            book_age_seconds_max=book_age_seconds_max,
            **terms,
        )
        self.may_amend = may_amend
        self.reference = reference
        self.memory = QuotingMemory()
        self.reports: list[object] = []
        self.error: Exception | None = None
        self._ids = ClientOrderIds(installation="mm", owner="btc", run_started_milliseconds=1_790_000_000_000)
        ends: tuple[LatestSender[CycleInput], LatestReceiver[CycleInput]] = open_latest(inbox_key, 1000)
        self._inbox_sender, self.inbox = ends
        self._commands_sender: BoundedSender[AccountCommand]
        self._commands_sender, commands = open_bounded[AccountCommand](commands_capacity)
        self.account = ScriptedAccount(commands, self.tell)
        self._nursery: trio.Nursery | None = None
        self._life = trio.CancelScope()
        self._ended = trio.Event()

    @property
    def commands_pending(self) -> int:
        return self._commands_sender.statistics().used

    def tell(self, news: CycleInput) -> None:
        self._inbox_sender.send_nowait(news)

    def tell_book(self, middle: float = 100.0, *, exchange: str = EXCHANGE) -> None:
        """A book two ticks wide, as it is now."""
        best_bid, best_ask = round(middle - 0.1, 1), round(middle + 0.1, 1)
        self.tell(BookChanged(exchange, BTC_USDT, ((best_bid, 5.0),), ((best_ask, 5.0),), 1, 1, 0, trio.current_time()))

    def lose_book(self) -> None:
        self.tell(BookLost(EXCHANGE, BTC_USDT, "it was lost", trio.current_time()))

    def change_terms(self, **changes: Any) -> None:
        self.terms = replace(self.terms, **changes)
        self.tell(TermsChanged(self.terms))

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """The account at work, ready, and a first incarnation of the cycle that was told all it needs, until the end of the block."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self.account.run)
            self.tell(InstrumentListed(RULES))
            self.tell(TallyChanged(ACCOUNT, "btc", BTC_USDT, Tally()))
            self.tell(AccountReady(ACCOUNT))
            self.tell_book()
            self.start()
            yield
            nursery.cancel_scope.cancel("the test is over")

    def start(self) -> None:
        assert self._nursery is not None
        self._life, self._ended, self.error = trio.CancelScope(), trio.Event(), None
        self._nursery.start_soon(self._live)

    async def kill(self) -> None:
        """End the incarnation at whatever it waits for, as its supervisor would, with nothing said to the account."""
        self._life.cancel("killed")
        await self._ended.wait()

    def resting(self, side: Side) -> list[str]:
        """The prices of our live orders on a side, as the account has them."""
        return [f"{order.request.price:f}" for order in self.account.live() if order.request.side is side]

    def seen(self, kind: type[Event]) -> list[Event]:
        return [report for report in self.reports if isinstance(report, kind)]

    async def _live(self) -> None:
        actor = QuotingActor(
            name="btc",
            account=ACCOUNT,
            market=OWN_MARKET,
            reference=self.reference,
            terms=self.terms,
            may_amend=self.may_amend,
            memory=self.memory,
            ids=self._ids,
            inbox=self.inbox,
            commands=self._commands_sender,
            report=self.reports.append,
        )
        with self._life:
            try:
                await actor.run(_Context())
            except Exception as error:  # noqa: BLE001 - a supervisor's part, which the tests ask about
                self.error = error
        self._ended.set()


class _Context:
    def started(self) -> None:
        pass

    def progress(self) -> None:
        pass
