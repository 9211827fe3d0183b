"""Orders whose fate stays unknown: what they may become is kept within bounds, and a person is told.

The inquiry desk asks about them for as long as it takes. This desk looks at how long that has been: a symbol with an order
whose fate has been unknown for longer than patience allows, or with which a limit could be broken, may only reduce until the
exchange has spoken. Time is counted from the desk's own first look: it begins anew with each start of the account.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from actors.accounts.bookkeeper import Bookkeeper
from actors.accounts.events import OrderFateLearned, OrderStillUnknown
from actors.accounts.timing import AccountTiming
from actors.accounts.trading_states import TradingStates
from market.symbol import Symbol
from orders.life_cycle import OrderState
from orders.order import Order
from orders.states import TradingState, symbol_scope

FATE_UNKNOWN = "an order's fate is unknown"
TELLING_PAUSE_SECONDS_MAX = 600.0


class UnknownOrders:
    """One account's. `limit_at_stake` says why a symbol could break a limit by all that may still fill; None if it could not."""

    def __init__(
        self,
        *,
        bookkeeper: Bookkeeper,
        states: TradingStates,
        timing: AccountTiming,
        limit_at_stake: Callable[[Symbol], str | None],
    ) -> None:
        self._books = bookkeeper
        self._states = states
        self._timing = timing
        self._limit_at_stake = limit_at_stake
        self._since: dict[str, float] = {}
        self._tellings: dict[str, tuple[float, float]] = {}  # client order id: (not before, the pause that follows)

    def look(self) -> None:
        """Restrain and free symbols, and tell what lasts. To be called at once when a fate has become unknown, or known, and every
        `watchdog_seconds`: patience runs out by itself."""
        unknown = [order for order in self._books.ledger.live_orders() if order.state is OrderState.UNKNOWN]
        self._tell_what_is_known({order.client_order_id for order in unknown})
        restrained: dict[str, str] = {}
        for order in unknown:
            reason = self._why_restrained(order)
            if reason is not None:
                restrained.setdefault(symbol_scope(self._books.account, order.request.symbol), reason)
        for scope, reason in restrained.items():
            self._states.restrain(scope, FATE_UNKNOWN, TradingState.REDUCE_ONLY, reason)
        # Asked of the board, and not remembered here: an earlier incarnation may have placed it.
        for placed in self._states.restraints():
            ours = placed.cause == FATE_UNKNOWN and placed.scope.startswith(f"symbol:{self._books.account}:")
            if ours and placed.scope not in restrained:
                self._states.lift(placed.scope, FATE_UNKNOWN)

    def _why_restrained(self, order: Order) -> str | None:
        now, patience_seconds = trio.current_time(), self._timing.unknown_patience_seconds
        client_order_id = order.client_order_id
        since = self._since.setdefault(client_order_id, now)
        if now - since < patience_seconds:
            at_stake = self._limit_at_stake(order.request.symbol)
            return None if at_stake is None else f"nobody knows what became of order {client_order_id}: {at_stake}"
        not_before, pause_seconds = self._tellings.get(client_order_id, (now, patience_seconds))
        if now >= not_before:
            pause_seconds = min(pause_seconds * 2, TELLING_PAUSE_SECONDS_MAX)
            self._tellings[client_order_id] = (now + pause_seconds, pause_seconds)
            self._books.report(
                OrderStillUnknown(
                    account=self._books.account,
                    symbol=order.request.symbol,
                    client_order_id=client_order_id,
                    asked=_asked(order),
                    seconds=round(now - since, 3),
                    reason=order.reason,
                )
            )
        return f"nobody has known for {patience_seconds:g} s what became of order {client_order_id}"

    def _tell_what_is_known(self, unknown: set[str]) -> None:
        for client_order_id in [each for each in self._since if each not in unknown]:
            since = self._since.pop(client_order_id)
            order = self._books.ledger.order(client_order_id)
            if self._tellings.pop(client_order_id, None) is None or order is None:
                continue
            self._books.report(
                OrderFateLearned(
                    account=self._books.account,
                    symbol=order.request.symbol,
                    client_order_id=client_order_id,
                    state=order.state,
                    seconds=round(trio.current_time() - since, 3),
                )
            )


def _asked(order: Order) -> str:
    """What was asked of the exchange last, whose answer is missing."""
    if order.cancel_wanted:
        return "cancel"
    return "amend" if order.amended else "place"
