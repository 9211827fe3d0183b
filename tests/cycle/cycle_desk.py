"""A cycle actor alone with its channels: an account and a market that say what the test wants, when it wants. Time is virtual."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import trio
from incarnations import ACCOUNT, BTC_USDT, EXCHANGE, PATIENCE_SECONDS, AccountAtWork, Incarnations
from msgspec.structs import replace

from actors.channels.bounded import BoundedReceiver
from actors.cycle.inbox import CycleInput
from actors.cycle.rounds.actor import CycleActor
from actors.cycle.rounds.controller import Controller, Decision, RoundView
from actors.cycle.rounds.memory import CycleMemory
from actors.cycle.rounds.sell_on_top import SellOnTop, SellOnTopParameters
from actors.cycle.terms import CycleTerms, TermsChanged
from market.clock import VirtualWallClock
from market.events import InstrumentListed, Side
from market.instrument import Instrument
from market.symbol import Symbol
from orders.commands import AccountCommand, BalanceCapture, CancelOrder, CaptureBalances, PlaceOrder
from orders.events import AccountLost, AccountReady
from orders.life_cycle import OrderState
from orders.order import ZERO, Order, add_fill
from orders.recording import NoRecorder
from orders.reports import FillReport
from orders.request import OrderType

TICK_SECONDS = 0.1
RULES = Instrument(
    exchange=EXCHANGE,
    symbol=BTC_USDT,
    price_tick=Decimal("0.1"),
    quantity_step=Decimal("0.01"),
    quantity_min=Decimal("0.01"),
    notional_min=Decimal(5),
)


class ScriptedAccount(AccountAtWork):
    """Reads every command. Fills a market buy at 100, opens a limit order, cancels, tells balances; keeps silent where it shall.

    `leverages` are those of contracts. `deaf_to` are kinds of commands that it reads and says nothing of. Balances change by the
    fills; what the test changes besides is what a hand did.
    """

    def __init__(self, commands: BoundedReceiver[AccountCommand], tell: Callable[[CycleInput], None]) -> None:
        super().__init__(commands, tell)
        self.fee_rate = ZERO
        self.totals = {"USDT": Decimal(1000), "BTC": ZERO}
        self.held = {"USDT": ZERO, "BTC": ZERO}
        self.fill_changes: dict[str, Decimal] = {}
        self.leverages: dict[Symbol, Decimal] = {}

    def placements(self, side: Side | None = None) -> list[PlaceOrder]:
        return [command for command in self.seen(PlaceOrder) if side in (None, command.request.side)]

    def carry_out(self, command: AccountCommand) -> None:
        match command:
            case PlaceOrder(request=request):
                self.say(Order(request=request, state=OrderState.OPEN, sent=True, created_at=trio.current_time()))
                if request.quote_quantity is not None:
                    self.fill(request.client_order_id, request.quote_quantity / 100)
                elif request.type is OrderType.MARKET:
                    self.fill(request.client_order_id)
            case CancelOrder(client_order_id):
                order = self.orders[client_order_id]
                if not order.is_terminal:
                    self.say(replace(order, state=OrderState.CANCELLED, cancel_wanted=True))
            case CaptureBalances(answer):
                answer.answer(self.capture())
            case _:
                raise AssertionError(f"a cycle does not send {command}")

    def capture(self) -> BalanceCapture:
        available = {asset: total - self.held[asset] for asset, total in self.totals.items()}
        return BalanceCapture(
            totals=dict(self.totals), available=available, fill_changes=dict(self.fill_changes), leverages=dict(self.leverages)
        )  # fmt: skip

    def fill(self, client_order_id: str, quantity: Decimal | None = None, *, told: bool = True) -> None:
        """Fill an order; a fee of `fee_rate` is paid in what is gained. Untold, the fill itself comes with the next `fill_told`."""
        order = self.orders[client_order_id]
        amount = quantity or order.remaining_quantity
        assert amount is not None
        price = order.request.price or Decimal(100)
        is_buy = order.request.side is Side.BUY
        fill = FillReport(
            trade_id=f"{client_order_id}/{len(order.fills)}",
            exchange_order_id=client_order_id,
            client_order_id=client_order_id,
            symbol=BTC_USDT,
            side=order.request.side,
            price=price,
            quantity=amount,
            fee=(amount if is_buy else amount * price) * self.fee_rate,
            fee_asset="BTC" if is_buy else "USDT",
            maker=not is_buy,
        )
        add_fill(self.fill_changes, fill)
        changes: dict[str, Decimal] = {}
        add_fill(changes, fill)
        for asset, change in changes.items():
            self.totals[asset] += change
        filled = order.filled_quantity + amount
        ended = order.request.type is OrderType.MARKET or filled == order.request.quantity
        state = OrderState.FILLED if ended else OrderState.PARTIALLY_FILLED
        whole = replace(order, state=state, filled_quantity=filled, filled_quote=order.filled_quote + amount * price)
        if told:
            self.say(replace(whole, fills=(*order.fills, fill)))
        else:
            self.say(whole)
            self.orders[client_order_id] = replace(whole, fills=(*order.fills, fill))

    def fill_told(self, client_order_id: str) -> None:
        self.say(self.orders[client_order_id])


class Desk(Incarnations[ScriptedAccount]):
    """What surrounds a cycle, and the incarnations of the cycle on it."""

    def __init__(
        self,
        controller: Controller | None = None,
        *,
        rounds_max: int = 1,
        quote_quantity: str = "100",
        book_age_seconds_max: float = 3600.0,
        instrument: Instrument = RULES,
    ) -> None:
        super().__init__(ScriptedAccount)
        self.controller = controller or SellOnTop(SellOnTopParameters(reprice_interval_seconds=0))
        self.rounds_max = rounds_max
        self.quote_quantity = Decimal(quote_quantity)
        self.book_age_seconds_max = book_age_seconds_max
        self.tick_seconds = TICK_SECONDS
        self.instrument = instrument
        self.memory = CycleMemory()

    # News

    def terms(self) -> CycleTerms[Controller]:
        return CycleTerms(
            strategy=self.controller,
            quote_quantity=self.quote_quantity,
            rounds_max=self.rounds_max,
            tick_seconds=self.tick_seconds,
            book_age_seconds_max=self.book_age_seconds_max,
        )

    def change_terms(self) -> None:
        """The cycle is told of the terms as they are now; so is every later incarnation."""
        self.tell(TermsChanged(self.terms()))

    def tell_book(self, best_ask: float = 100.1) -> None:
        """A book as it is now, two ticks wide, without anything of ours in it."""
        best_bid = round(best_ask - 0.2, 1)
        self.tell_top(best_bid, best_ask)

    def lose_account(self) -> None:
        self.tell(AccountLost(ACCOUNT, "its stream is lost"))

    # The cycle

    def tell_first(self) -> None:
        self.tell(InstrumentListed(self.instrument))
        self.tell(AccountReady(ACCOUNT))
        self.tell_book()

    async def until(self, condition: Callable[[], object], within_seconds: float = PATIENCE_SECONDS) -> None:
        """Wait, in virtual time, until something is so."""
        give_up_at = trio.current_time() + within_seconds
        while not condition():
            said = f"it has sent {self.account.received}, and raised {self.error!r}"
            assert trio.current_time() < give_up_at, f"not within {within_seconds:g} s; {said}"
            await trio.sleep(0.01)

    async def resting_sell(self, count: int = 1) -> Order:
        """The `count`-th sell, once it is open."""
        await self.until(lambda: len(self.account.placements(Side.SELL)) >= count)
        order_id = self.account.placements(Side.SELL)[count - 1].request.client_order_id
        await self.until(lambda: order_id in self.account.orders)
        await trio.sleep(TICK_SECONDS)  # the cycle has heard of it, too
        return self.account.orders[order_id]

    def actor(self) -> CycleActor:
        return CycleActor(
            name="btc",
            account=ACCOUNT,
            symbol=BTC_USDT,
            terms=self.terms(),
            memory=self.memory,
            ids=self.ids,
            inbox=self.inbox,
            commands=self.commands_sender,
            wall_clock=VirtualWallClock(),
            recorder=NoRecorder(),
            report=self.reports.append,
        )


class ScriptedController:
    """Decides by a function, and remembers every view."""

    def __init__(self, decide: Callable[[RoundView], Decision]) -> None:
        self.views: list[RoundView] = []
        self._decide = decide

    def decide(self, view: RoundView) -> Decision:
        self.views.append(view)
        return self._decide(view)
