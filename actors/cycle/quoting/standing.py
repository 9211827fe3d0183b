"""What is left of a decision without a market, and in a trading state: pure. The account forbids the rest below it, in any case."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from actors.cycle.quoting.contract import Quote, QuotingView, Wanted
from market.events import Side
from orders.order import ZERO
from orders.states import Standing, TradingState


def permitted(wanted: Wanted, standing: Standing, view: QuotingView) -> Wanted:
    """The decision without what `standing` forbids, and nothing at all while there is no book.

    Paused or halted nothing is wanted, reduce-only what brings the inventory towards 0: of assets the sells, of contracts as much on the
    other side of the position as it holds. What is live and not wanted any more is pulled, also where the strategy would hold it.
    """
    if view.book is None:
        return replace(wanted, quotes=(), hold=False)
    if standing.state is TradingState.RUN:
        return wanted
    quotes = _reducing(wanted.quotes, view) if standing.state is TradingState.REDUCE_ONLY else ()
    return replace(wanted, quotes=quotes, hold=False, phase=f"{wanted.phase}; {standing.words}")


def _reducing(quotes: tuple[Quote, ...], view: QuotingView) -> tuple[Quote, ...]:
    if not view.instrument.is_contract:
        return tuple(quote for quote in quotes if quote.side is Side.SELL)
    position = view.position if view.position is not None else ZERO
    left: Decimal = abs(position)
    kept: list[Quote] = []
    for quote in sorted(quotes, key=lambda quote: quote.level):
        if quote.side is (Side.SELL if position > 0 else Side.BUY) and quote.quantity <= left:
            kept.append(quote)
            left -= quote.quantity
    return tuple(kept)
