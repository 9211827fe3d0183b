"""The order that a cycle's strategy would begin with on a book. Pure: it is made up here, and goes nowhere."""

from __future__ import annotations

from typing import cast

from actors.cycle.quoting.contract import QuotingStrategy, QuotingView
from actors.cycle.quoting.history import KeptHistory
from actors.cycle.rounds.controller import Controller, RoundView
from assembly.settings import CycleSettings
from assembly.strategies import StrategyKind
from market.events import BookChanged, Side
from market.instrument import Instrument
from orders.order import ZERO
from orders.request import OrderRequest, OrderType

NEVER_SENT = "never-sent"


def first_order(
    name: str,
    cycle: CycleSettings,
    strategy: Controller | QuotingStrategy,
    kind: StrategyKind,
    *,
    instrument: Instrument,
    book: BookChanged,
    now: float,
) -> OrderRequest | None:
    """What the cycle's strategy would begin with on this book, of several orders the first bid; None if it would wait."""
    if kind is StrategyKind.QUOTING:
        return _first_quote(name, cycle, cast(QuotingStrategy, strategy), instrument=instrument, book=book, now=now)
    view = RoundView(now=now, instrument=instrument, book=book, orders=(), carried_quantity=ZERO, quote_quantity=cycle.quantity)
    desired = next(iter(cast(Controller, strategy).decide(view).desired), None)
    if desired is None:
        return None
    return OrderRequest(
        client_order_id=NEVER_SENT,
        owner=name,
        symbol=cycle.symbol,
        side=desired.side,
        type=desired.type,
        time_in_force=desired.time_in_force,
        quantity=desired.quantity,
        quote_quantity=desired.quote_quantity,
        price=desired.price,
        reduce_only=desired.reduce_only,
    )


def _first_quote(
    name: str, cycle: CycleSettings, strategy: QuotingStrategy, *, instrument: Instrument, book: BookChanged, now: float
) -> OrderRequest | None:
    view = QuotingView(now=now, instrument=instrument, book=book, history=KeptHistory(), order_quote=cycle.quantity)
    quotes = sorted(strategy.decide(view).quotes, key=lambda quote: (quote.side is not Side.BUY, quote.level))
    if not quotes:
        return None
    return OrderRequest(
        client_order_id=NEVER_SENT,
        owner=name,
        symbol=cycle.symbol,
        side=quotes[0].side,
        type=OrderType.LIMIT,
        time_in_force=quotes[0].time_in_force,
        quantity=quotes[0].quantity,
        price=quotes[0].price,
        reduce_only=quotes[0].reduce_only,
    )
