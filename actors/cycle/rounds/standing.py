"""What is left of a controller's decision in a trading state: pure. The account forbids the rest below it, in any case."""

from __future__ import annotations

from msgspec.structs import replace

from actors.cycle.rounds.controller import Decision, DesiredOrder, RoundView
from market.events import Side
from orders.order import ZERO
from orders.states import Standing, TradingState


def permitted(decision: Decision, standing: Standing, view: RoundView) -> Decision:
    """The decision without what `standing` forbids: paused or halted nothing is wanted, reduce-only what reduces.

    What runs its course by itself (`hold`) goes on, and a round with nothing live may end.
    """
    if standing.state is TradingState.RUN or decision.hold:
        return decision
    desired = tuple(order for order in decision.desired if standing.state is TradingState.REDUCE_ONLY and _reduces(order, view))
    if desired == decision.desired:
        return decision
    return replace(decision, desired=desired, phase=f"{decision.phase}; {standing.words}")


def _reduces(order: DesiredOrder, view: RoundView) -> bool:
    if not view.instrument.is_contract:
        return order.side is Side.SELL
    if order.reduce_only:
        return True
    position = view.position if view.position is not None else ZERO
    return position > 0 if order.side is Side.SELL else position < 0
