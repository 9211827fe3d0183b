"""What is left of a decision without a market, and in a trading state: pure. The account forbids the rest below it, in any case."""

from __future__ import annotations

from msgspec.structs import replace

from actors.cycle.quoting.contract import QuotingView, Wanted
from actors.cycle.quoting.limits import Room, SideRoom, clipped
from orders.order import ZERO
from orders.states import Standing, TradingState


def permitted(wanted: Wanted, standing: Standing, view: QuotingView) -> Wanted:
    """The decision without what `standing` forbids, and nothing at all while there is no book.

    Paused or halted nothing is wanted, reduce-only what brings the cycle's own inventory towards 0, cut to that: of assets a sell of
    what it has bought, of contracts as much on the other side as the account's position allows too. What is live and not wanted any
    more is pulled, also where the strategy would hold it.
    """
    if view.book is None:
        return replace(wanted, quotes=(), hold=False)
    if standing.state is TradingState.RUN:
        return wanted
    if standing.state is not TradingState.REDUCE_ONLY:
        return replace(wanted, quotes=(), hold=False, phase=standing.words)
    left = replace(wanted, hold=False, phase=f"{wanted.phase}; {standing.words}")
    return clipped(left, _room_to_reduce(view), view.instrument)


def _room_to_reduce(view: QuotingView) -> Room:
    inventory = view.tally.inventory
    long, short = max(ZERO, inventory), max(ZERO, -inventory)
    if view.instrument.is_contract:
        position = view.position if view.position is not None else ZERO
        long, short = min(long, max(ZERO, position)), min(short, max(ZERO, -position))
    else:
        short = ZERO  # the account buys no asset then
    return Room(buy=SideRoom(short, "reduce_only"), sell=SideRoom(long, "reduce_only"))
