"""Orders given by hand: to the program's account actor, as a cycle would give them, with the program's own cycle out of the way."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import trio

from actors.cycle.rounds.sell_on_top import SellOnTopParameters
from market.events import Side
from orders.commands import ClosePosition, PlaceOrder, PlaceOrders
from orders.events import OrderEnded
from orders.life_cycle import OrderState
from orders.order import Order
from orders.request import OrderRequest, OrderType, TimeInForce
from simulated.faults import Operation

sys.path.insert(0, str(Path(__file__).parent.parent / "scenarios"))
from world import BTC_USDT, World

COMMAND_LIFETIME_SECONDS = 2.0


class Hand:
    """An owner of its own of orders in `BTC_USDT`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._number = 0

    async def order(
        self,
        side: Side,
        quantity: Decimal | None = None,
        *,
        price: Decimal | None = None,
        time_in_force: TimeInForce | None = None,
        quote_quantity: Decimal | None = None,
        reduce_only: bool = False,
    ) -> Order:
        """Place it, at market where no price is given, and wait until it rests or all of it is known."""
        kind, usual = (OrderType.MARKET, TimeInForce.IMMEDIATE_OR_CANCEL), TimeInForce.GOOD_TILL_CANCELLED
        request = OrderRequest(
            client_order_id=self._next_id(),
            owner="hand",
            symbol=BTC_USDT,
            side=side,
            type=kind[0] if price is None else OrderType.LIMIT,
            time_in_force=time_in_force or (kind[1] if price is None else usual),
            quantity=quantity,
            quote_quantity=quote_quantity,
            price=price,
            reduce_only=reduce_only,
        )
        command = PlaceOrder(request=request, expires_at=trio.current_time() + COMMAND_LIFETIME_SECONDS)
        await self._world.account.commands_sender.send(command)
        return await self.known(request.client_order_id)

    async def orders(self, wanted: Sequence[tuple[Side, Decimal, Decimal]]) -> list[Order]:
        """Limit orders by side, quantity and price, as one command; each once it rests or all of it is known."""
        expires_at = trio.current_time() + COMMAND_LIFETIME_SECONDS
        commands = [
            PlaceOrder(
                request=OrderRequest(
                    client_order_id=self._next_id(),
                    owner="hand",
                    symbol=BTC_USDT,
                    side=side,
                    type=OrderType.LIMIT,
                    time_in_force=TimeInForce.GOOD_TILL_CANCELLED,
                    quantity=quantity,
                    price=price,
                ),
                expires_at=expires_at,
            )
            for side, quantity, price in wanted
        ]
        await self._world.account.commands_sender.send(PlaceOrders(tuple(commands)))
        return [await self.known(command.request.client_order_id) for command in commands]

    async def close_position(self) -> str:
        """Give the command; the id of its order, if there is to be one."""
        client_order_id = self._next_id()
        await self._world.account.commands_sender.send(
            ClosePosition(
                client_order_id=client_order_id,
                owner="hand",
                symbol=BTC_USDT,
                expires_at=trio.current_time() + COMMAND_LIFETIME_SECONDS,
            )
        )
        return client_order_id

    async def known(self, client_order_id: str) -> Order:
        """The order, once it rests or all of it is known."""
        ledger = self._world.account.ledger

        def is_known() -> bool:
            order = ledger.order(client_order_id)
            return order is not None and (order.is_settled or order.state is OrderState.OPEN)

        await self._world.wait_until(is_known)
        order = ledger.order(client_order_id)
        assert order is not None
        return order

    async def ended(self, order: Order) -> Order:
        """The order, once all of it is known."""
        ledger = self._world.account.ledger
        await self._world.wait_until(lambda: (now := ledger.order(order.client_order_id)) is not None and now.is_settled)
        return await self.known(order.client_order_id)

    def _next_id(self) -> str:
        self._number += 1
        return f"mm-hand-{self._number}"


async def hand_in(world: World, **settings: object) -> Hand:
    """A frozen market, and a program whose cycle waits for an hour: its first buy has come to nothing."""
    world.exchange.freeze_flow()
    world.exchange.fail_before_accepting(Operation.PLACE)
    await world.start(cycles=0, parameters=SellOnTopParameters(retry_seconds=3_600), **settings)
    await world.wait_for(OrderEnded)
    assert not world.exchange.trades()
    return Hand(world)
