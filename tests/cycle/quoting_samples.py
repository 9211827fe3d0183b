"""Instruments, quotes and orders for tests of quoting."""

from __future__ import annotations

from decimal import Decimal

from actors.cycle.quoting.contract import Quote
from actors.cycle.quoting.executor import Surroundings, tag_of
from actors.cycle.quoting.funds import Funds
from market.events import Side
from market.instrument import Instrument
from market.symbol import Symbol
from orders.commands import AmendOrder
from orders.life_cycle import OrderState
from orders.order import Order
from orders.request import OrderRequest, OrderType, TimeInForce

BTC_USDT = Symbol("BTC", "USDT")
RULES = Instrument(
    exchange="gateio_spot",
    symbol=BTC_USDT,
    price_tick=Decimal("0.1"),
    quantity_step=Decimal("0.01"),
    quantity_min=Decimal("0.01"),
    notional_min=Decimal(1),
)


def bid(price: str | Decimal, quantity: str | Decimal = "1", level: int = 0) -> Quote:
    return Quote(side=Side.BUY, price=Decimal(price), quantity=Decimal(quantity), level=level)


def ask(price: str | Decimal, quantity: str | Decimal = "1", level: int = 0) -> Quote:
    return Quote(side=Side.SELL, price=Decimal(price), quantity=Decimal(quantity), level=level)


def live(
    slot: str,
    price: str | Decimal,
    quantity: str | Decimal = "1",
    *,
    state: OrderState = OrderState.OPEN,
    filled: str | Decimal = "0",
    cancel_wanted: bool = False,
    number: int = 0,
) -> Order:
    """An order of ours in `slot`, whose first letter is its side."""
    request = OrderRequest(
        client_order_id=f"mm-btc-{slot}{number}",
        owner="btc",
        symbol=BTC_USDT,
        side=Side.BUY if slot.startswith("b") else Side.SELL,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.POST_ONLY,
        quantity=Decimal(quantity),
        price=Decimal(price),
        tag=tag_of(slot),
    )
    return Order(request=request, state=state, sent=True, filled_quantity=Decimal(filled), cancel_wanted=cancel_wanted)


def around(
    *,
    best_bid: str | None = None,
    best_ask: str | None = None,
    funds: Funds = Funds(),  # noqa: B008 - frozen
    may_place: bool = True,
    may_amend: bool = False,
    asked: frozenset[str] = frozenset(),
    amending: dict[str, AmendOrder] | None = None,
    not_amendable: frozenset[str] = frozenset(),
    price_bounds: dict[Side, Decimal] | None = None,
    pausing: frozenset[Side] = frozenset(),
) -> Surroundings:
    return Surroundings(
        instrument=RULES,
        best_bid=None if best_bid is None else Decimal(best_bid),
        best_ask=None if best_ask is None else Decimal(best_ask),
        funds=funds,
        may_place=may_place,
        may_amend=may_amend,
        asked=asked,
        amending=amending or {},
        not_amendable=not_amendable,
        price_bounds=price_bounds or {},
        pausing=pausing,
    )
