"""A cycle's memory of one round that lasts very long."""

from __future__ import annotations

from decimal import Decimal

from actors.cycle.rounds.memory import ROUND_ORDERS_KEPT_MAX, CycleMemory
from market.events import Side
from market.symbol import Symbol
from orders.life_cycle import OrderState
from orders.order import Order
from orders.request import OrderRequest, OrderType, TimeInForce


def sell(number: int, state: OrderState, filled: str = "0") -> Order:
    request = OrderRequest(
        client_order_id=f"mm-btc-{number:09}",
        owner="btc",
        symbol=Symbol("BTC", "USDT"),
        side=Side.SELL,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.POST_ONLY,
        quantity=Decimal(1),
        price=Decimal(100),
        tag="1:sell",
    )
    return Order(request=request, state=state, filled_quantity=Decimal(filled))


def test_round_whose_sell_is_replaced_for_days_forgets_only_the_oldest_that_ended_without_a_fill() -> None:
    memory = CycleMemory()
    partly = sell(0, OrderState.CANCELLED, filled="0.5")
    live = sell(1, OrderState.OPEN)
    memory.keep_order(partly)
    memory.keep_order(live)
    for number in range(2, 100_000):
        memory.keep_order(sell(number, OrderState.CANCELLED))
        assert len(memory.orders) <= ROUND_ORDERS_KEPT_MAX + 1
    kept = memory.round_orders()
    assert kept[:2] == (partly, live)
    assert kept[-1].client_order_id == "mm-btc-000099999"
