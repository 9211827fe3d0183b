"""Amendments, as they leave and as the exchange carries them out: what holds for a placement holds for what an order becomes."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import trio
from msgspec.structs import replace

import actors.accounts.order_desk
from assembly.parts import AccountParts
from orders.commands import AmendOrder
from orders.request import OrderRequest
from orders.states import TradingState
from simulated.engine.order import Order
from soak.checks.reducing import Reducing
from soak.worlds.venue import Venue
from soak.worlds.world import World


@contextmanager
def hearing_of_amendments(hear: Callable[[str, AmendOrder], None]) -> Generator[None]:
    """Tell `hear` of each amendment, with its account, in the moment in which it leaves. Nothing else about them changes."""
    desk: Any = actors.accounts.order_desk.OrderDesk
    leave = desk.leave_amended

    def leave_and_tell(self: Any, command: AmendOrder, *arguments: Any) -> None:
        leave(self, command, *arguments)
        hear(self._books.account, command)

    desk.leave_amended = leave_and_tell
    try:
        yield
    finally:
        desk.leave_amended = leave


class Amendments:
    """Those of one world. `say` takes what is wrong; `hear_amended` is told of each that an exchange has carried out."""

    def __init__(self, world: World, reducing: Reducing, say: Callable[[str], None], hear_amended: Callable[[Venue, Order], None]) -> None:
        self._world = world
        self._reducing = reducing
        self._say = say
        self._hear_amended = hear_amended
        self._terms: dict[tuple[str, int], tuple[Decimal, Decimal]] = {}  # price and quantity of what is open, by exchange and id

    def left(self, account_name: str, command: AmendOrder) -> None:
        """One leaves in this moment: through an open gate, not too late, in a state that lets it."""
        runtime = self._world.runtime
        if runtime is None:
            return
        account, name = runtime.tree.accounts[account_name], command.client_order_id
        if account.gate.closed_reason is not None:
            self._say(f"an amendment of {name} left after the gate of {account_name} had closed")
        if trio.current_time() > command.expires_at:
            self._say(f"an amendment of {name} left {trio.current_time() - command.expires_at:.1f} s after it was to")
        order = account.ledger.order(name)
        if order is None:
            self._say(f"an amendment of {name} left, and no such order is known")
            return
        request = order.request
        state = runtime.tree.states.standing(account=account_name, owner=request.owner, symbol=request.symbol).state
        if not state.may_place:
            self._say(f"an amendment of {name} left while trading was {state.value}")
        elif (
            state is TradingState.REDUCE_ONLY
            and command.quantity is not None
            and self._makes_larger(account_name, account, request, command.quantity)
        ):
            self._say(f"an amendment of {name} left and made the position larger while trading was {state.value}")

    def _makes_larger(self, account_name: str, account: AccountParts, known: OrderRequest, quantity: Decimal) -> bool:
        """Whether so much is more than the exchange has of it, and more than can reduce what is held there."""
        name = known.client_order_id
        for venue in self._world.venues.values():
            for order in venue.open_orders() if venue.account == account_name else ():
                if venue.client_order_id(order.client_id) == name and quantity > max(order.quantity, known.quantity or order.quantity):
                    return self._reducing.makes_larger(venue, account, replace(known, quantity=quantity - order.filled_quantity))
        return False

    def opened(self, venue: Venue, order: Order) -> None:
        """An order of ours rests at the exchange."""
        self._terms[venue.name, order.id] = order.price, order.quantity

    def changed(self, venue: Venue, order: Order) -> None:
        """Something about an order of ours has changed there: it has traded, or was amended."""
        terms, before = (order.price, order.quantity), self._terms.get((venue.name, order.id))
        if before is not None and terms != before:
            self._terms[venue.name, order.id] = terms
            self._hear_amended(venue, order)

    def ended(self, venue: Venue, order: Order) -> None:
        """An order of ours has ended there."""
        self._terms.pop((venue.name, order.id), None)
