"""A cycle when nothing goes wrong."""

from __future__ import annotations

from world import World, scenario

from orders.reconciliation import CycleReconciled


@scenario(seed=1)
async def test_three_cycles_buy_sell_and_reconcile_to_the_last_digit(world: World) -> None:
    await world.start(cycles=3)
    await world.end()
    rounds = world.seen(CycleReconciled)
    assert [one.number for one in rounds] == [1, 2, 3]
    for one in rounds:
        assert one.agrees
        assert one.actual_changes == one.expected_changes
        assert one.bought_quantity > 0
        assert one.sold_quantity > 0
