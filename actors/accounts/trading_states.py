"""The board of trading states: what every scope may do now, who has said so, and who must heed it.

It is shared by all accounts of a run and outlives their actors. Declared states are written down and survive a restart;
restraints last as long as their cause and are found anew. Like the order gate it is asked synchronously, below any strategy:
when an order is accepted and once more in the moment in which it leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import trio

from market.symbol import Symbol
from orders.states import (
    GLOBAL,
    RestraintLifted,
    RestraintPlaced,
    Standing,
    StateEntered,
    TradingState,
    account_scope,
    cycle_scope,
    symbol_scope,
)

BoardEvent = StateEntered | RestraintPlaced | RestraintLifted


class TradingStates:
    """The states of all scopes. `on_change` gets every change synchronously, and neither blocks nor raises.

    `recovered` are the states that earlier runs left.
    """

    def __init__(self, *, on_change: Callable[[BoardEvent], None], recovered: Mapping[str, StateEntered] | None = None) -> None:
        self._on_change = on_change
        self._declared = {scope: entered for scope, entered in (recovered or {}).items() if entered.state is not TradingState.RUN}
        self._restraints: dict[tuple[str, str], RestraintPlaced] = {}
        self._changed = trio.Event()

    @property
    def changed(self) -> trio.Event:
        """Set with the next change; a new one each time."""
        return self._changed

    def declared(self) -> dict[str, StateEntered]:
        """Every scope that was put into another state than `RUN`, by its name."""
        return dict(self._declared)

    def restraints(self) -> list[RestraintPlaced]:
        """Every restraint now, oldest first."""
        return list(self._restraints.values())

    def enter(self, scope: str, state: TradingState, reason: str) -> None:
        """Put a scope into a state, stricter or freer; nothing happens if it is in it."""
        known = self._declared.get(scope)
        if (known.state if known is not None else TradingState.RUN) is state:
            return
        entered = StateEntered(scope, state, reason)
        if state is TradingState.RUN:
            self._declared.pop(scope, None)
        else:
            self._declared[scope] = entered
        self._tell(entered)

    def tighten(self, scope: str, state: TradingState, reason: str) -> None:
        """As `enter`, unless the scope's state is as strict: what the program does by itself frees nothing."""
        known = self._declared.get(scope)
        if known is None or known.state.strictness < state.strictness:
            self.enter(scope, state, reason)

    def restrain(self, scope: str, cause: str, state: TradingState, reason: str) -> None:
        """Keep a scope in a state until `lift`. Said again of the same cause with the same state, it changes nothing."""
        known = self._restraints.get((scope, cause))
        if known is None or known.state is not state:
            placed = RestraintPlaced(scope, cause, state, reason)
            self._restraints[scope, cause] = placed
            self._tell(placed)

    def lift(self, scope: str, cause: str) -> None:
        """The cause is over; nothing happens if it was not there."""
        if self._restraints.pop((scope, cause), None) is not None:
            self._tell(RestraintLifted(scope, cause))

    def standing(self, *, account: str, owner: str, symbol: Symbol) -> Standing:
        """The strictest state that concerns an order of this owner in this symbol; of equals the widest scope's."""
        strictest = Standing()
        for scope in (GLOBAL, account_scope(account), cycle_scope(owner), symbol_scope(account, symbol)):
            declared = self._declared.get(scope)
            restraints = [placed for placed in self._restraints.values() if placed.scope == scope]
            for said in (*([declared] if declared is not None else []), *restraints):
                if said.state.strictness > strictest.state.strictness:
                    strictest = Standing(said.state, said.scope, said.reason)
        return strictest

    def _tell(self, event: BoardEvent) -> None:
        changed, self._changed = self._changed, trio.Event()
        self._on_change(event)
        changed.set()
