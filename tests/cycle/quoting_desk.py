"""A quoting actor alone with its channels: an account and a market that say what the test wants, when it wants. Time is virtual."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import trio
from incarnations import ACCOUNT, BTC_USDT, EXCHANGE, AccountAtWork, Incarnations
from msgspec.structs import replace
from quoting_samples import RULES, ask, bid

from actors.channels.bounded import BoundedReceiver
from actors.cycle.inbox import CycleInput
from actors.cycle.quoting.actor import Market, QuotingActor
from actors.cycle.quoting.contract import QuotingView, Wanted
from actors.cycle.quoting.memory import QuotingMemory
from actors.cycle.quoting.terms import QuotingTerms
from actors.cycle.terms import TermsChanged
from market.events import InstrumentListed, Side
from orders.commands import AccountCommand, AmendOrders, CancelOrders, PlaceOrder, PlaceOrders
from orders.events import AccountReady
from orders.life_cycle import OrderState
from orders.order import Order
from orders.reports import FillReport
from orders.request import OrderRequest
from orders.tally import Tally, TallyChanged

OWN_MARKET = Market(EXCHANGE, BTC_USDT)


class ScriptedAccount(AccountAtWork):
    """Reads every command and carries it out at once; what is `deaf` to, it reads and says nothing of."""

    def __init__(self, commands: BoundedReceiver[AccountCommand], tell: Callable[[CycleInput], None]) -> None:
        super().__init__(commands, tell)
        self.refuses: Callable[[OrderRequest], bool] = lambda request: False
        self.refusal = ""
        self.refuses_amendments = False

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


class Desk(Incarnations[ScriptedAccount]):
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
        super().__init__(ScriptedAccount, capacity=commands_capacity)
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

    @property
    def commands_pending(self) -> int:
        return self.commands_sender.statistics().used

    def tell_book(self, middle: float = 100.0, *, exchange: str = EXCHANGE) -> None:
        """A book two ticks wide, as it is now."""
        best_bid, best_ask = round(middle - 0.1, 1), round(middle + 0.1, 1)
        self.tell_top(best_bid, best_ask, exchange=exchange)

    def change_terms(self, **changes: Any) -> None:
        self.terms = replace(self.terms, **changes)
        self.tell(TermsChanged(self.terms))

    def tell_first(self) -> None:
        self.tell(InstrumentListed(RULES))
        self.tell(TallyChanged(ACCOUNT, "btc", BTC_USDT, Tally()))
        self.tell(AccountReady(ACCOUNT))
        self.tell_book()

    def resting(self, side: Side) -> list[str]:
        """The prices of our live orders on a side, as the account has them."""
        return [f"{order.request.price:f}" for order in self.account.live() if order.request.side is side]

    def actor(self) -> QuotingActor:
        return QuotingActor(
            name="btc",
            account=ACCOUNT,
            market=OWN_MARKET,
            reference=self.reference,
            terms=self.terms,
            may_amend=self.may_amend,
            memory=self.memory,
            ids=self.ids,
            inbox=self.inbox,
            commands=self.commands_sender,
            report=self.reports.append,
        )
