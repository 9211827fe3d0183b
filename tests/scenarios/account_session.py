"""The account session of a market, over the wire of the simulated exchange, and what it is asked to place."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import trio
from world import BTC_USDT, World, run_world

from actors.accounts.session import AccountSession, ClockOffset
from assembly.parts import ExchangeParts
from market.events import Side
from network.rest import RestClient, RetryPolicy
from orders.order import Order
from orders.reports import OrderReport
from orders.request import OrderRequest, OrderType, TimeInForce


def request(number: int, **changes: Any) -> OrderRequest:
    fields: dict[str, Any] = {
        "client_order_id": f"test-{number}",
        "owner": "test",
        "symbol": BTC_USDT,
        "side": Side.BUY,
        "type": OrderType.LIMIT,
        "time_in_force": TimeInForce.GOOD_TILL_CANCELLED,
        "quantity": Decimal("0.0025"),
        "price": Decimal(59_000),
    }
    return OrderRequest(**(fields | changes))


def market(number: int, side: Side, quantity: str, *, reduce_only: bool = False) -> OrderRequest:
    return request(
        number,
        side=side,
        type=OrderType.MARKET,
        time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
        quantity=Decimal(quantity),
        price=None,
        reduce_only=reduce_only,
    )


def with_session(name: str, story: Callable[[World, AccountSession], Awaitable[None]]) -> None:
    """Run `story` with a session of the account at that exchange, and no program."""

    async def run(world: World) -> None:
        settings = world.settings()
        parts = ExchangeParts(name, settings.exchanges[name], wall_clock=world.wall_clock, report=lambda _: None)
        await trio.sleep(2)  # the makers have come
        world.exchange.freeze_flow()
        async with parts.open_http() as http:
            session = AccountSession(
                codec=world.codec,
                rest=RestClient(http, parts.limits, rng=random.Random(1)),
                credential=settings.credentials["main"],
                wall_clock=world.wall_clock,
                offset=ClockOffset(),
                retry=RetryPolicy(),
            )
            await session.measure_clock_offset()
            await story(world, session)

    run_world(run, seed=1, exchange_name=name)


async def place(session: AccountSession, asked: OrderRequest) -> OrderReport:
    return await session.place(asked, leaving=lambda: session.exchange_time_milliseconds() + 3_000)


def as_order(asked: OrderRequest, report: OrderReport) -> Order:
    return Order(request=asked, exchange_order_id=report.exchange_order_id, sent=True)
