"""Somebody else who orders through the program's accounts: what no strategy does yet, amendments and batches, is done at random.

A hand has one symbol of one account. It looks at nothing but the account's ledger, as a cycle would, and has two slots with
one order at a time each: in the first it trades, and sells again what it has bought, in the second it bids far below. It is impatient:
what it has just asked for it may call off in the next moment, before anybody knows what became of it. In haste (a fault has it
so) it does that nearly always, waits for nothing, and orders what ends at once as often as what rests.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal

import trio

from actors.cycle.slots import slot_of
from assembly.parts import AccountParts
from market.events import Side
from market.exact import exact_sum
from orders.commands import AccountCommand, AmendOrder, AmendOrders, CancelOrder, CancelOrders, PlaceOrder, PlaceOrders
from orders.identity import ClientOrderIds
from orders.life_cycle import OrderState
from orders.order import ZERO, Order
from orders.request import OrderRequest, OrderType, TimeInForce
from soak.options import HAND_QUOTE_QUANTITY
from soak.worlds.place import Place
from soak.worlds.world import World

COMMAND_LIFETIME_SECONDS = 2.0
SLOTS = ("hand", "far")  # every owner marks its orders: one without a mark has lost it with the journal's end
PAUSES_SECONDS = (0.05, 0.5, 2.0, 6.0)
HASTY_PAUSES_SECONDS = (0.05, 0.1, 0.3)
SECOND_THOUGHTS_SECONDS = (0.0, 0.0, 0.002, 0.05, 0.3)
ORDER_SHARE = Decimal("0.35")  # of what it may have at once, so that both slots and what is held find room
RESTING = (OrderState.OPEN, OrderState.PARTIALLY_FILLED)
TIMES_IN_FORCE = (
    *(TimeInForce.GOOD_TILL_CANCELLED,) * 5,
    *(TimeInForce.POST_ONLY,) * 3,
    TimeInForce.IMMEDIATE_OR_CANCEL,
    TimeInForce.FILL_OR_KILL,
)
HASTY_TIMES_IN_FORCE = tuple(TimeInForce)
THROUGH_THE_MARKET = -0.002  # a post-only order at such a price is refused, or ended at once


class Hand:
    """For one run of the program. Its place's cycle is its own name in client order ids."""

    def __init__(self, world: World, place: Place, rng: random.Random) -> None:
        self._world = world
        self._venue = place.venue(world)
        self._symbol = place.symbol
        self._owner = place.cycle
        self._rng = rng
        self._asked_for: dict[str, PlaceOrder] = {}
        now_milliseconds = world.program_clock.milliseconds()
        self._ids = ClientOrderIds(installation="mm", owner=place.cycle, run_started_milliseconds=now_milliseconds)

    async def act(self) -> None:
        """Until the run has ended."""
        world, runtime = self._world, self._world.runtime
        assert runtime is not None
        account = runtime.tree.accounts[self._venue.account]
        while world.runtime is runtime and world.is_running:
            await trio.sleep(self._rng.choice(HASTY_PAUSES_SECONDS if self._is_in_haste else PAUSES_SECONDS))
            for command in self._decide(account):
                self._send(account, command)
            if self._rng.random() < (0.7 if self._is_in_haste else 0.2):
                await trio.sleep(self._rng.choice(SECOND_THOUGHTS_SECONDS))
                for command in self._call_off(account):
                    self._send(account, command)

    @property
    def _is_in_haste(self) -> bool:
        return self._world.hands_in_haste > 0

    def _send(self, account: AccountParts, command: AccountCommand) -> None:
        if account.gate.closed_reason is None:
            with suppress(trio.WouldBlock):  # the account does not keep up: it will be asked later
                account.commands_sender.send_nowait(command)

    def _decide(self, account: AccountParts) -> Sequence[AccountCommand]:
        live = {slot_of(order): order for order in account.ledger.live_orders() if order.request.owner == self._owner}
        free = [slot for slot in SLOTS if slot not in live and not self._awaits_reading(account, slot)]
        placements = [placement for slot in free if (placement := self._place(account, slot)) is not None]
        cancelled = [order for order in live.values() if order.state in RESTING and self._rng.random() < 0.3]
        kept = [order for order in live.values() if order.state in RESTING and order not in cancelled]
        amended = [order for order in kept if account.codec.capabilities.amend and self._rng.random() < 0.5]
        amendments = [self._amend(account, order) for order in amended]
        names = [order.client_order_id for order in cancelled]
        if self._rng.random() < 0.5:
            return [*map(CancelOrder, names), *amendments, *placements]
        batches: list[AccountCommand] = [CancelOrders(tuple(names))] if names else []
        batches += [AmendOrders(tuple(amendments))] if amendments else []
        return [*batches, PlaceOrders(tuple(placements))] if placements else batches

    def _call_off(self, account: AccountParts) -> Sequence[AccountCommand]:
        """Cancellations of what nothing is known of yet."""
        orders = account.ledger.live_orders()
        hasty = [order.client_order_id for order in orders if order.request.owner == self._owner and order.state not in RESTING]
        return [CancelOrder(name) for name in hasty]

    def _awaits_reading(self, account: AccountParts, slot: str) -> bool:
        """Whether a placement is still on its way to the account."""
        asked = self._asked_for.get(slot)
        return asked is not None and account.ledger.order(asked.request.client_order_id) is None and trio.current_time() < asked.expires_at

    def _price(self, side: Side, slot: str, *, distance: float | None = None) -> Decimal | None:
        """So far from the best; if that is not said, mostly so near that it may trade, sometimes far."""
        control = self._venue.control
        best = control.best_bid(self._symbol) if side is Side.BUY else control.best_ask(self._symbol)
        if best is None:
            return None
        distances = (-0.0001, 0.0, 0.0001, 0.002, 0.02) if slot == SLOTS[0] else (0.005, 0.02)
        away = Decimal(str(self._rng.choice(distances) if distance is None else distance))
        return control.engine.instruments[self._symbol].round_price_down(best * (1 - away if side is Side.BUY else 1 + away))

    def _place(self, account: AccountParts, slot: str) -> PlaceOrder | None:
        rules = account.rules.get(self._symbol)
        if rules is None:
            return None
        held = rules.round_quantity_down(self._held())
        side = Side.SELL if held >= rules.quantity_min else Side.BUY
        lasting = self._rng.choice(HASTY_TIMES_IN_FORCE if self._is_in_haste else TIMES_IN_FORCE)
        goes_through = self._is_in_haste and lasting is TimeInForce.POST_ONLY and self._rng.random() < 0.5
        price = self._price(side, slot, distance=THROUGH_THE_MARKET if goes_through else None)
        if price is None or (side is Side.SELL and slot != SLOTS[0]):
            return None
        quantity = held if side is Side.SELL else rules.round_quantity_down(HAND_QUOTE_QUANTITY * ORDER_SHARE / price)
        if quantity < rules.quantity_min or quantity * price < rules.notional_min:
            return None
        request = OrderRequest(
            client_order_id=self._ids.next_id(),
            owner=self._owner,
            symbol=self._symbol,
            side=side,
            type=OrderType.LIMIT,
            time_in_force=lasting if lasting in account.codec.capabilities.time_in_force else TimeInForce.GOOD_TILL_CANCELLED,
            quantity=quantity,
            price=price,
            tag=slot,
            reduce_only=side is Side.SELL and self._venue.trades_contracts,
        )
        command = PlaceOrder(request=request, expires_at=trio.current_time() + COMMAND_LIFETIME_SECONDS)
        self._asked_for[slot] = command
        return command

    def _held(self) -> Decimal:
        """What it has bought and not sold; of contracts there is one position for all, which somebody else may have closed."""
        held = self._venue.holdings(self._owner, self._symbol)
        if not self._venue.trades_contracts:
            return held
        position = self._venue.control.positions().get(self._symbol)
        spoken_for = exact_sum(
            order.remaining_quantity for order in self._venue.open_orders() if order.symbol == self._symbol and order.side is Side.SELL
        )
        return min(held, ZERO if position is None else position.quantity - spoken_for)

    def _amend(self, account: AccountParts, order: Order) -> AmendOrder:
        price, quantity = self._price(order.request.side, slot_of(order)), None
        if order.request.side is Side.BUY and order.request.quantity is not None and self._rng.random() < 0.3:
            rules = account.rules[self._symbol]
            quantity = rules.round_quantity_down(order.request.quantity * Decimal(str(self._rng.choice((0.6, 1.5)))))
            if price is None or quantity <= order.filled_quantity or quantity * price < rules.notional_min * 2:
                quantity = None
        return AmendOrder(client_order_id=order.client_order_id, price=price, quantity=quantity)
