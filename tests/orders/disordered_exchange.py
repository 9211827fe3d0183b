"""An exchange as it really is, and its words on their way: each may be delayed, doubled, overtaken by a later one, or lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_UP, Decimal
from typing import TypeVar

from msgspec.structs import replace

from market.events import Side
from market.symbol import Symbol
from orders.order import ZERO
from orders.reports import FillReport, FundingReport, OrderReport, PositionReport, ReportedStatus

SYMBOLS = (Symbol("BTC", "USDT"), Symbol("ETH", "USDT"))
CENT = Decimal("0.01")

T = TypeVar("T")


class Dice:
    """The details of one step, drawn by whoever drives it; as many as it takes, since they begin anew when they are used up."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self._numbers = numbers
        self._used = 0

    def number(self, below: int) -> int:
        self._used += 1
        return self._numbers[(self._used - 1) % len(self._numbers)] % below

    def one_of(self, items: Sequence[T]) -> T:
        return items[self.number(len(items))]

    def cents(self, most: int) -> Decimal:
        return (1 + self.number(most)) * CENT


@dataclass
class ExchangeOrder:
    """An order as it really is. `worded` is how its end is told at times, by exchanges that have two words for it."""

    exchange_order_id: str
    client_order_id: str | None
    symbol: Symbol
    side: Side
    price: Decimal
    quantity: Decimal
    status: ReportedStatus = ReportedStatus.OPEN
    worded: ReportedStatus | None = None
    was_said_to_end_early: bool = False  # before its last fill
    fills: list[FillReport] = field(default_factory=list)
    changed_at: int = 0

    @property
    def filled(self) -> Decimal:
        return sum((fill.quantity for fill in self.fills), ZERO)

    @property
    def is_open(self) -> bool:
        return self.status is ReportedStatus.OPEN

    @property
    def open_quantity(self) -> Decimal:
        """What may still fill."""
        return self.quantity - self.filled if self.is_open else ZERO

    def report(self) -> OrderReport:
        return OrderReport(
            exchange_order_id=self.exchange_order_id,
            client_order_id=self.client_order_id,
            symbol=self.symbol,
            side=self.side,
            status=self.status,
            filled_quantity=self.filled,
            filled_quote=sum((fill.quantity * fill.price for fill in self.fills), ZERO),
            price=self.price,
            quantity=self.quantity,
            exchange_time_milliseconds=self.changed_at,
        )


@dataclass(eq=False)
class Word:
    """What the exchange says, on its way. A report may come twice or never; the loss of an answer is noticed."""

    take: Callable[[], None]
    is_report: bool = True


class DisorderedExchange:
    """Orders, trades, positions and payments of one account; `hear` is given each word when it arrives."""

    def __init__(self, *, fills_name_their_owner: bool, hear: Callable[[object], None]) -> None:
        self.orders: list[ExchangeOrder] = []
        self.payments: list[FundingReport] = []
        self.words: list[Word] = []
        self.time = 0
        self._trades = 0
        self._fills_name_their_owner = fills_name_their_owner
        self._hear = hear

    def order(self, client_order_id: str) -> ExchangeOrder | None:
        return next((order for order in self.orders if order.client_order_id == client_order_id), None)

    def open_orders(self) -> list[ExchangeOrder]:
        return [order for order in self.orders if order.is_open]

    def fills(self) -> list[FillReport]:
        return [fill for order in self.orders for fill in order.fills]

    def position(self, symbol: Symbol) -> PositionReport:
        signed = (fill.quantity if fill.side is Side.BUY else -fill.quantity for fill in self.fills() if fill.symbol == symbol)
        return PositionReport(symbol=symbol, quantity=sum(signed, ZERO), exchange_time_milliseconds=self.time)

    # What happens there

    def accept(self, client_order_id: str | None, symbol: Symbol, side: Side, price: Decimal, quantity: Decimal) -> ExchangeOrder:
        assert client_order_id is None or self.order(client_order_id) is None, "an intent has two orders"
        exchange_order_id = str(sum(order.symbol == symbol for order in self.orders))  # unique in its symbol only
        order = ExchangeOrder(exchange_order_id, client_order_id, symbol, side, price, quantity)
        self.orders.append(order)
        self._touch(order)
        return order

    def trade(self, order: ExchangeOrder, dice: Dice) -> None:
        """Fill some or all of it."""
        left, share = order.open_quantity, 1 + dice.number(5)
        quantity = left if share > 3 else max(CENT, (left * share / 4).quantize(CENT, ROUND_UP))
        self._trades += 1
        fill = FillReport(
            trade_id=f"{self._trades // 2}",  # one of two orders that trade with each other has the same as the other
            exchange_order_id=order.exchange_order_id,
            client_order_id=order.client_order_id if self._fills_name_their_owner else None,
            symbol=order.symbol,
            side=order.side,
            price=dice.cents(20_000),
            quantity=min(quantity, left),
            fee=(dice.number(13) - 3) * Decimal("0.0001"),
            fee_asset=dice.one_of(["BTC", "USDT", "GT"]),
            maker=True,
        )
        if any(other.trade_id == fill.trade_id for other in order.fills):
            fill = replace(fill, trade_id=f"{fill.trade_id}b")
        order.fills.append(fill)
        if order.filled == order.quantity:
            order.status = ReportedStatus.FILLED
        self._touch(order)
        self.say(fill)

    def end(self, order: ExchangeOrder, status: ReportedStatus, *, worded: ReportedStatus | None = None) -> None:
        order.status, order.worded = status, worded
        self._touch(order)

    def amend(self, order: ExchangeOrder, *, price: Decimal, quantity: Decimal) -> None:
        order.quantity, order.price = max(quantity, order.filled), price
        if order.quantity == order.filled:
            order.status = ReportedStatus.CANCELLED
        self._touch(order)

    def pay(self, symbol: Symbol, amount: Decimal) -> FundingReport:
        payment = FundingReport(payment_id=str(len(self.payments) // 2), symbol=symbol, amount=amount, asset=symbol.quote)
        if any((payment.symbol, payment.payment_id) == (other.symbol, other.payment_id) for other in self.payments):
            payment = replace(payment, payment_id=f"{payment.payment_id}b")
        self.payments.append(payment)
        return payment

    def _touch(self, order: ExchangeOrder) -> None:
        self.time += 1
        order.changed_at = self.time

    # How it speaks

    def say(self, report: object) -> None:
        """Send a report as it is now."""
        self.words.append(Word(lambda: self._hear(report)))

    def answer(self, take: Callable[[], None]) -> None:
        self.words.append(Word(take, is_report=False))

    def told_about(self, order: ExchangeOrder, *, reworded: bool) -> OrderReport:
        """What a query is answered with."""
        report = order.report()
        return replace(report, status=order.worded) if reworded and order.worded is not None else report
