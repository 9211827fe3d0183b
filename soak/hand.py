"""Somebody else who orders through the program's accounts: what no strategy does yet, amendments and batches, is done at random.

A hand has one symbol of one account of assets. It looks at nothing but the account's ledger, as a cycle would, and has one order at a
time; what it has bought it sells again.
"""

from __future__ import annotations

import random
from decimal import Decimal

import trio

from assembly.parts import AccountParts
from market.events import Side
from orders.commands import AccountCommand, AmendOrder, AmendOrders, CancelOrder, CancelOrders, PlaceOrder, PlaceOrders
from orders.identity import ClientOrderIds
from orders.life_cycle import OrderState
from orders.order import Order
from orders.request import OrderRequest, OrderType, TimeInForce
from soak.faults.strike import Place
from soak.options import HAND_QUOTE_QUANTITY
from soak.world import World

COMMAND_LIFETIME_SECONDS = 2.0
TAG = "hand"  # every owner marks its orders: one without a mark has lost it with the journal's end
PAUSES_SECONDS = (0.05, 0.5, 2.0, 6.0)


class Hand:
    """For one run of the program. Its place's cycle is its own name in client order ids."""

    def __init__(self, world: World, place: Place, rng: random.Random) -> None:
        self._world = world
        self._venue = place.venue(world)
        self._symbol = place.symbol
        self._owner = place.cycle
        self._rng = rng
        self._asked_for: PlaceOrder | None = None
        now_milliseconds = world.program_clock.milliseconds()
        self._ids = ClientOrderIds(installation="mm", owner=place.cycle, run_started_milliseconds=now_milliseconds)

    async def act(self) -> None:
        """Until the run has ended."""
        world, runtime = self._world, self._world.runtime
        assert runtime is not None
        account = runtime.tree.accounts[self._venue.account]
        while world.runtime is runtime and world.is_running:
            await trio.sleep(self._rng.choice(PAUSES_SECONDS))
            command = None if account.gate.closed_reason is not None else self._decide(account)
            if command is not None:
                try:
                    account.commands_sender.send_nowait(command)
                except trio.WouldBlock:
                    continue  # the account does not keep up: it will be asked later

    def _decide(self, account: AccountParts) -> AccountCommand | None:
        if self._awaits_reading(account):
            return None
        mine = [order for order in account.ledger.live_orders() if order.request.owner == self._owner]
        if not mine:
            return self._place(account)
        (order,) = mine
        if order.state not in (OrderState.OPEN, OrderState.PARTIALLY_FILLED):
            return None  # its fate is somebody else's business, or on its way
        if self._rng.random() < 0.3:
            name = order.client_order_id
            return CancelOrder(name) if self._rng.random() < 0.5 else CancelOrders((name,))
        return self._amend(account, order) if account.codec.capabilities.amend and self._rng.random() < 0.6 else None

    def _awaits_reading(self, account: AccountParts) -> bool:
        """Whether a placement is still on its way to the account."""
        asked = self._asked_for
        return asked is not None and account.ledger.order(asked.request.client_order_id) is None and trio.current_time() < asked.expires_at

    def _price(self, side: Side) -> Decimal | None:
        """Mostly so near that it may trade, sometimes far."""
        control = self._venue.control
        best = control.best_bid(self._symbol) if side is Side.BUY else control.best_ask(self._symbol)
        if best is None:
            return None
        distance = Decimal(str(self._rng.choice((-0.0001, 0.0, 0.0001, 0.002, 0.02))))
        return control.engine.instruments[self._symbol].round_price_down(best * (1 - distance if side is Side.BUY else 1 + distance))

    def _place(self, account: AccountParts) -> AccountCommand | None:
        rules = account.rules.get(self._symbol)
        if rules is None:
            return None
        held = rules.round_quantity_down(self._venue.holdings(self._owner, self._symbol))
        side = Side.SELL if held >= rules.quantity_min else Side.BUY
        price = self._price(side)
        if price is None:
            return None
        quantity = held if side is Side.SELL else rules.round_quantity_down(HAND_QUOTE_QUANTITY / 2 / price)
        if quantity < rules.quantity_min or quantity * price < rules.notional_min:
            return None
        request = OrderRequest(
            client_order_id=self._ids.next_id(),
            owner=self._owner,
            symbol=self._symbol,
            side=side,
            type=OrderType.LIMIT,
            time_in_force=TimeInForce.GOOD_TILL_CANCELLED,
            quantity=quantity,
            price=price,
            tag=TAG,
        )
        command = PlaceOrder(request=request, expires_at=trio.current_time() + COMMAND_LIFETIME_SECONDS)
        self._asked_for = command
        return command if self._rng.random() < 0.5 else PlaceOrders((command,))

    def _amend(self, account: AccountParts, order: Order) -> AccountCommand | None:
        price, quantity = self._price(order.request.side), None
        if order.request.side is Side.BUY and order.request.quantity is not None and self._rng.random() < 0.3:
            rules = account.rules[self._symbol]
            quantity = rules.round_quantity_down(order.request.quantity * Decimal(str(self._rng.choice((0.6, 1.5)))))
            if price is None or quantity <= order.filled_quantity or quantity * price < rules.notional_min * 2:
                quantity = None
        amendment = AmendOrder(client_order_id=order.client_order_id, price=price, quantity=quantity)
        return amendment if self._rng.random() < 0.5 else AmendOrders((amendment,))
