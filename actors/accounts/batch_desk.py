"""The batch desk: several placements, cancellations or amendments at once, in as few requests as the exchange allows.

Batches are accepted one by one, by the order desk, which also says what an answer means to each order: a batch is a way to
send, and the exchange treats its orders as independent of each other. They go over REST, each order of a batch's answer is
heeded by itself, and what the answer leaves out is asked about. Where the exchange has no batches, or of what one order is
left, they go singly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

import trio

from actors.accounts.bookkeeper import Bookkeeper
from actors.accounts.codec import Amendment, BatchAnswer, OrderReceived
from actors.accounts.gate import GateClosed
from actors.accounts.order_desk import OPERATION_ERRORS, OrderDesk
from actors.accounts.reading import accepted
from actors.accounts.session import AccountSession
from market.symbol import Symbol
from orders.commands import AmendOrder, PlaceOrder
from orders.errors import ExchangeError
from orders.life_cycle import OrderInput
from orders.order import Order, Transport
from orders.recording import NotRecorded
from orders.reports import OrderReport
from orders.request import OrderRequest

NOT_SAID = "the exchange's answer says nothing about it"

T = TypeVar("T")
Said = OrderReport | OrderReceived | ExchangeError | None


class BatchDesk:
    """Carries out batches of commands of one account."""

    def __init__(self, *, desk: OrderDesk, bookkeeper: Bookkeeper, session: AccountSession) -> None:
        self._desk = desk
        self._books = bookkeeper
        self._session = session

    async def place(self, commands: Sequence[PlaceOrder]) -> None:
        """Send placements that the order desk has accepted, once their intents outlive us."""
        capabilities = self._session.codec.capabilities
        batches = in_batches(
            commands,
            capabilities.place_batch_max,
            symbol_of=lambda command: command.request.symbol,
            symbols_max=capabilities.batch_symbols_max,
        )
        async with trio.open_nursery() as nursery:
            for batch in batches:
                if len(batch) == 1:
                    nursery.start_soon(self._desk.place, batch[0])
                else:
                    nursery.start_soon(self._place_together, batch)

    async def cancel(self, orders: Sequence[Order], caused_at: float | None = None) -> None:
        """Ask for the end of several orders; `caused_at` as that of `CancelOrders`."""
        async with trio.open_nursery() as nursery:
            for batch in in_batches(orders, self._session.codec.capabilities.cancel_batch_max):
                if len(batch) == 1:
                    nursery.start_soon(self._desk.cancel, batch[0], caused_at)
                else:
                    nursery.start_soon(self._cancel_together, batch, caused_at)

    async def amend(self, commands: Sequence[AmendOrder]) -> None:
        """Change several open orders in place, where the exchange can."""
        capabilities = self._session.codec.capabilities
        apart = [one for one in commands if capabilities.amend_batch_one_change and one.price is not None and one.quantity is not None]
        together = [one for one in commands if one not in apart]
        async with trio.open_nursery() as nursery:
            for batch in (*in_batches(together, capabilities.amend_batch_max), *in_batches(apart, 1)):
                if len(batch) == 1:
                    nursery.start_soon(self._desk.amend, batch[0])
                else:
                    nursery.start_soon(self._amend_together, batch)

    # Placing

    async def _place_together(self, commands: Sequence[PlaceOrder]) -> None:
        """Cancelled in the middle, the orders stay pending: closing finds out."""
        requests = {command.request.client_order_id: command.request for command in commands}
        departed: list[OrderRequest] = []

        def leaving() -> tuple[Sequence[OrderRequest], int | None]:
            expires_at_milliseconds = None
            for command in commands:
                try:
                    expires_at_milliseconds = self._desk.leave(command, Transport.REST)
                except GateClosed as error:
                    self._desk.placing_failed(command.request.client_order_id, error)
                else:
                    departed.append(command.request)
            if not departed:
                raise GateClosed("none of the batch was left to send")
            return departed, expires_at_milliseconds

        try:
            await self._books.recorder.written()
            answers = await self._session.place_batch(list(requests.values()), leaving=leaving)
        except NotRecorded as error:
            for client_order_id in requests:
                self._desk.placing_failed(client_order_id, GateClosed(str(error)))
        except OPERATION_ERRORS as error:
            for client_order_id in requests:
                if not self._has_ended(client_order_id):  # as those have that were held back
                    self._desk.placing_failed(client_order_id, error)
        else:
            for client_order_id, said in self._by_order(answers, [request.client_order_id for request in departed]):
                match said:
                    case OrderReport():
                        self._books.take(said)
                    case OrderReceived() if said.exchange_order_id:
                        self._books.take(accepted(requests[client_order_id], said.exchange_order_id, said.exchange_time_milliseconds))
                    case ExchangeError():
                        self._desk.placing_failed(client_order_id, said)
                    case _:
                        self._desk.lose_answer(client_order_id, NOT_SAID)
        finally:
            for client_order_id in requests:
                self._desk.landed(client_order_id)

    def _has_ended(self, client_order_id: str) -> bool:
        order = self._books.ledger.order(client_order_id)
        return order is None or order.is_terminal

    # Cancelling

    async def _cancel_together(self, orders: Sequence[Order], caused_at: float | None) -> None:
        for order in orders:
            self._books.happened(order.client_order_id, OrderInput.CANCEL_ASKED)
        # They may have left, been acknowledged or ended since the caller looked.
        now = [self._books.ledger.order(order.client_order_id) or order for order in orders]
        asked = [order for order in now if order.sent and not order.is_terminal]
        if not asked:
            return  # what has not left is held back in the moment of leaving
        client_order_ids = [order.client_order_id for order in asked]
        try:
            leaving = partial(self._desk.cancellation(caused_at, orders=len(asked)), Transport.REST)
            answers = await self._session.cancel_batch(asked, leaving=leaving)
        except OPERATION_ERRORS as error:
            for client_order_id in client_order_ids:
                self._desk.cancelling_failed(client_order_id, error)
            return
        for client_order_id, said in self._by_order(answers, client_order_ids):
            match said:
                case OrderReport():
                    self._books.take(said)
                case OrderReceived():
                    pass  # the stream tells its end, or whoever watches for too long a silence asks
                case ExchangeError():
                    self._desk.cancelling_failed(client_order_id, said)
                case None:
                    self._desk.lose_answer(client_order_id, NOT_SAID)

    # Amending

    def _leave_amended(self, commands: Iterable[AmendOrder]) -> None:
        """Whoever is to be held back holds the others back, too: they were decided together."""
        for command in commands:
            self._desk.leave_amended(command, Transport.REST)

    async def _amend_together(self, commands: Sequence[AmendOrder]) -> None:
        asked: dict[str, AmendOrder] = {}
        amendments: list[Amendment] = []
        for command in commands:
            order = self._desk.accept_amendment(command)
            if order is not None:
                asked[command.client_order_id] = command
                amendments.append(Amendment(order=order, price=command.price, quantity=command.quantity))
        if not asked:
            return
        try:
            answers = await self._session.amend_batch(amendments, leaving=partial(self._leave_amended, asked.values()))
        except OPERATION_ERRORS as error:
            for client_order_id in asked:
                self._desk.amending_failed(client_order_id, error)
            return
        for client_order_id, said in self._by_order(answers, list(asked)):
            match said:
                case OrderReport():
                    self._desk.amended(asked[client_order_id], said)
                case OrderReceived():
                    self._desk.amended(asked[client_order_id], None)
                case ExchangeError():
                    self._desk.amending_failed(client_order_id, said)
                case None:
                    self._desk.lose_answer(client_order_id, NOT_SAID)

    # Answers

    def _by_order(self, answers: Sequence[BatchAnswer], asked: Sequence[str]) -> list[tuple[str, Said]]:
        """What an answer says of each order that was asked about, by our id; None where it says nothing."""
        own_ids = {client_order_id: client_order_id for client_order_id in asked}
        for client_order_id in asked:
            order = self._books.ledger.order(client_order_id)
            if order is not None and order.exchange_order_id is not None:
                own_ids[order.exchange_order_id] = client_order_id
        said_of: dict[str, Said] = dict.fromkeys(asked)
        for answer in answers:
            if isinstance(answer, tuple):
                wire_id, said = answer
                own_id = own_ids.get(wire_id)
            else:
                said = answer
                own_id = own_ids.get(answer.client_order_id or "") or own_ids.get(answer.exchange_order_id)
            if own_id is not None:
                said_of[own_id] = said
        return [*said_of.items()]


def in_batches(
    items: Sequence[T], size_max: int, *, symbol_of: Callable[[T], Symbol] | None = None, symbols_max: int = 1
) -> list[Sequence[T]]:
    """`items` in their order, in batches of at most `size_max` and of at most `symbols_max` different symbols."""
    batches: list[list[T]] = []
    symbols: set[Symbol] = set()
    ordered = items
    if symbol_of is not None:
        # One symbol after the other, each with its items in order: so the fewest batches are broken off by their symbols.
        first_seen = dict.fromkeys(symbol_of(item) for item in items)
        ordered = [item for symbol in first_seen for item in items if symbol_of(item) == symbol]
    for item in ordered:
        symbol = None if symbol_of is None else symbol_of(item)
        is_full = not batches or len(batches[-1]) >= size_max
        if is_full or (symbol is not None and symbol not in symbols and len(symbols) >= symbols_max):
            batches.append([])
            symbols = set()
        batches[-1].append(item)
        if symbol is not None:
            symbols.add(symbol)
    return [*batches]
