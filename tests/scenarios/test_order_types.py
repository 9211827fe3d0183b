"""Every kind of order and command that an account carries out, over the wire: limit, market, post-only, IOC, FOK, cancel, amend."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import trio
from test_following_the_market import NO_TAKERS, placed_sell
from world import BTC_USDT, World, scenario

from market.events import Side
from orders.commands import AmendOrder, CancelOrder, PlaceOrder
from orders.life_cycle import OrderState
from orders.order import Order
from orders.request import OrderRequest, OrderType, TimeInForce


class Probe:
    """Sends commands to the account as a cycle would, under an owner of its own."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.number = 0

    async def place(self, side: Side, kind: OrderType, time_in_force: TimeInForce, **amounts: Any) -> str:
        self.number += 1
        values: dict[str, Any] = {name: Decimal(amount) for name, amount in amounts.items()}
        request = OrderRequest(
            client_order_id=f"mm-probe-{self.number}",
            owner="probe",
            symbol=BTC_USDT,
            side=side,
            type=kind,
            time_in_force=time_in_force,
            **values,
        )
        command = PlaceOrder(request=request, expires_at=trio.current_time() + 2)
        await self.world.account.commands_sender.send(command)
        return request.client_order_id

    def order(self, client_order_id: str) -> Order:
        found = self.world.account.ledger.order(client_order_id)
        assert found is not None
        return found

    async def wait_for(self, client_order_id: str, *states: OrderState) -> Order:
        ledger = self.world.account.ledger
        await self.world.wait_until(lambda: (order := ledger.order(client_order_id)) is not None and order.state in states)
        return self.order(client_order_id)

    async def wait_until_settled(self, client_order_id: str) -> Order:
        ledger = self.world.account.ledger
        await self.world.wait_until(lambda: (order := ledger.order(client_order_id)) is not None and order.is_settled)
        return self.order(client_order_id)


async def probe_in(world: World) -> Probe:
    """A quiet market, a program that rests on one sell, and a probe."""
    world.exchange.freeze_flow()
    await world.start(cycles=0)
    await placed_sell(world)
    return Probe(world)


def bid(world: World) -> Decimal:
    found = world.exchange.best_bid(BTC_USDT)
    assert found is not None
    return found


LIMIT, MARKET = OrderType.LIMIT, OrderType.MARKET
GTC, IOC = TimeInForce.GOOD_TILL_CANCELLED, TimeInForce.IMMEDIATE_OR_CANCEL
FOK, POST_ONLY = TimeInForce.FILL_OR_KILL, TimeInForce.POST_ONLY


@scenario(seed=91, simulation=NO_TAKERS)
async def test_limit_order_rests_until_it_is_cancelled(world: World) -> None:
    probe = await probe_in(world)
    resting = await probe.place(Side.BUY, LIMIT, GTC, quantity="0.001", price="59000")
    await probe.wait_for(resting, OrderState.OPEN)
    assert world.exchange.balances()["USDT"][1] == Decimal("59.000"), "the exchange holds its value"
    await world.account.commands_sender.send(CancelOrder(resting))
    assert (await probe.wait_until_settled(resting)).state is OrderState.CANCELLED
    world.stop()
    await world.end()


@scenario(seed=92, simulation=NO_TAKERS)
async def test_limit_order_that_crosses_takes_at_once(world: World) -> None:
    probe = await probe_in(world)
    taking = await probe.place(Side.SELL, LIMIT, GTC, quantity="0.001", price=str(bid(world)))
    order = await probe.wait_until_settled(taking)
    assert order.state is OrderState.FILLED
    assert order.filled_quantity == Decimal("0.001")
    assert not order.fills[0].maker
    world.stop()
    await world.end()


@scenario(seed=93, simulation=NO_TAKERS)
async def test_market_sell_by_base_and_market_buy_by_quote_are_filled(world: World) -> None:
    probe = await probe_in(world)
    sold = await probe.wait_until_settled(await probe.place(Side.SELL, MARKET, IOC, quantity="0.002"))
    assert (sold.state, sold.filled_quantity) == (OrderState.FILLED, Decimal("0.002"))
    await world.account.commands_sender.send(CancelOrder(next(iter(world.account.ledger.live_orders())).client_order_id))
    bought = await probe.wait_until_settled(await probe.place(Side.BUY, MARKET, IOC, quote_quantity="50"))
    assert bought.state is OrderState.FILLED
    assert Decimal(49) < bought.filled_quote <= Decimal(50)
    assert bought.fills[0].fee_asset == "BTC"
    world.stop()
    await world.end()


@scenario(seed=94, simulation=NO_TAKERS)
async def test_post_only_order_that_would_take_is_rejected_and_one_that_rests_is_open(world: World) -> None:
    probe = await probe_in(world)
    crossing = await probe.place(Side.SELL, LIMIT, POST_ONLY, quantity="0.001", price=str(bid(world)))
    rejected = await probe.wait_until_settled(crossing)
    assert (rejected.state, rejected.filled_quantity) == (OrderState.REJECTED, Decimal(0))
    assert "POC_FILL_IMMEDIATELY" in rejected.reason
    resting = await probe.place(Side.BUY, LIMIT, POST_ONLY, quantity="0.001", price="59000")
    await probe.wait_for(resting, OrderState.OPEN)
    world.stop()
    await world.end()


@scenario(seed=95, simulation=NO_TAKERS)
async def test_immediate_order_keeps_what_it_got_and_the_rest_expires(world: World) -> None:
    probe = await probe_in(world)
    world.exchange.deposit("BTC", Decimal(5))
    await world.wait_until(lambda: world.account.ledger.spendable("BTC") > 5)
    price = bid(world)
    at_the_bid = world.exchange.engine.books[BTC_USDT].bids.quantity_at(price)
    immediate = await probe.place(Side.SELL, LIMIT, IOC, quantity=str(at_the_bid + Decimal("0.01")), price=str(price))
    order = await probe.wait_until_settled(immediate)
    assert (order.state, order.filled_quantity) == (OrderState.EXPIRED, at_the_bid)
    world.stop()
    await world.end()


@scenario(seed=96, simulation=NO_TAKERS)
async def test_fill_or_kill_order_is_filled_whole_or_not_at_all(world: World) -> None:
    probe = await probe_in(world)
    price = bid(world)
    killed = await probe.wait_until_settled(await probe.place(Side.SELL, LIMIT, FOK, quantity="0.0999", price=str(price + 3)))
    assert (killed.state, killed.filled_quantity) == (OrderState.REJECTED, Decimal(0))
    filled = await probe.wait_until_settled(await probe.place(Side.SELL, LIMIT, FOK, quantity="0.001", price=str(price)))
    assert (filled.state, filled.filled_quantity) == (OrderState.FILLED, Decimal("0.001"))
    world.stop()
    await world.end()


@scenario(seed=97, simulation=NO_TAKERS)
async def test_open_order_is_amended_in_place_and_an_ended_one_is_not(world: World) -> None:
    probe = await probe_in(world)
    resting = await probe.place(Side.BUY, LIMIT, GTC, quantity="0.001", price="59000")
    before = await probe.wait_for(resting, OrderState.OPEN)
    await world.account.commands_sender.send(AmendOrder(client_order_id=resting, price=Decimal("59100.5"), quantity=None))
    await world.wait_until(lambda: probe.order(resting).request.price == Decimal("59100.5"))
    await world.account.commands_sender.send(AmendOrder(client_order_id=resting, price=None, quantity=Decimal("0.0008")))
    await world.wait_until(lambda: probe.order(resting).request.quantity == Decimal("0.0008"))
    theirs = world.exchange.order_by_client_id(f"t-{resting}")
    assert theirs is not None
    assert (theirs.price, theirs.quantity) == (Decimal("59100.5"), Decimal("0.0008"))
    assert probe.order(resting).exchange_order_id == before.exchange_order_id
    await world.account.commands_sender.send(CancelOrder(resting))
    ended = await probe.wait_until_settled(resting)
    await world.account.commands_sender.send(AmendOrder(client_order_id=resting, price=Decimal(59_000), quantity=None))
    await world.settle(2)
    assert probe.order(resting) == ended
    world.stop()
    await world.end()


@scenario(seed=98, simulation=NO_TAKERS)
async def test_cancel_of_an_unknown_or_ended_order_does_nothing(world: World) -> None:
    probe = await probe_in(world)
    sold = await probe.wait_until_settled(await probe.place(Side.SELL, MARKET, IOC, quantity="0.001"))
    await world.account.commands_sender.send(CancelOrder(sold.client_order_id))
    await world.account.commands_sender.send(CancelOrder("mm-nobody-1"))
    await world.settle(2)
    assert probe.order(sold.client_order_id) == sold
    world.stop()
    await world.end()


@scenario(seed=99, simulation=NO_TAKERS)
async def test_stale_command_is_refused_and_never_sent(world: World) -> None:
    probe = await probe_in(world)
    request = OrderRequest(
        client_order_id="mm-probe-1",
        owner="probe",
        symbol=BTC_USDT,
        side=Side.SELL,
        type=MARKET,
        time_in_force=IOC,
        quantity=Decimal("0.001"),
    )
    stale = PlaceOrder(request=request, expires_at=trio.current_time() - 0.1)
    await world.account.commands_sender.send(stale)
    order = await probe.wait_until_settled("mm-probe-1")
    assert order.state is OrderState.REJECTED
    assert not order.sent
    assert "stale" in order.reason
    assert world.exchange.order_by_client_id("t-mm-probe-1") is None
    world.stop()
    await world.end()
