"""The standing desk: what may be traded now. Tells the owners, and has the exchange end what must not stay."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import trio

from actors.accounts.batch_desk import BatchDesk
from actors.accounts.bookkeeper import Bookkeeper
from actors.accounts.events import QuotesPulled
from actors.accounts.order_desk import OrderDesk
from actors.accounts.order_entry import OrderEntry
from actors.accounts.permission import orders_to_pull
from actors.accounts.timing import AccountTiming
from actors.accounts.trading_states import TradingStates
from market.symbol import Symbol
from orders.order import Order, Transport
from orders.states import Standing, TradingState


class StandingDesk:
    """One account's, over `symbols`."""

    def __init__(
        self,
        *,
        bookkeeper: Bookkeeper,
        states: TradingStates,
        symbols: tuple[Symbol, ...],
        timing: AccountTiming,
        entry: OrderEntry,
        desk: OrderDesk,
        batches: BatchDesk,
    ) -> None:
        self._books = bookkeeper
        self._states = states
        self._symbols = symbols
        self._timing = timing
        self._entry = entry
        self._desk = desk
        self._batches = batches

    def tell(self) -> None:
        """Tell every owner where it stands."""
        self._books.tell_standings(self._standing, self._symbols)

    async def keep_telling(self) -> None:
        """With each change of a state: at once, whatever cancellations are waited for, or the owners place into refusals."""
        while True:
            changed = self._states.changed
            self.tell()
            await changed.wait()

    async def keep_pulling(self) -> None:
        """With each change of a state cancel what must not stay, over the stream where it is open."""
        while True:
            changed, ledger = self._states.changed, self._books.ledger
            pulled = orders_to_pull(ledger, self._standing)
            if pulled:
                await self._pull(pulled)
            # While something is forbidden, fills and late answers may show more that must not stay.
            live = ledger.live_orders()
            is_free = all(self._standing(order.request.owner, order.request.symbol).state is TradingState.RUN for order in live)
            with trio.move_on_after(inf if is_free else self._timing.watchdog_seconds):
                await changed.wait()

    async def _pull(self, orders: Sequence[Order]) -> None:
        """Ask for the end of these orders, and say so."""
        first, client_order_ids = orders[0].request, tuple(order.client_order_id for order in orders)
        way = self._entry.way(first.symbol)
        self._books.report(QuotesPulled(self._books.account, client_order_ids, way, self._standing(first.owner, first.symbol).words))
        if way is Transport.REST:
            await self._batches.cancel(orders)
            return
        async with trio.open_nursery() as nursery:
            for order in orders:
                nursery.start_soon(self._desk.cancel, order)

    def _standing(self, owner: str, symbol: Symbol) -> Standing:
        return self._states.standing(account=self._books.account, owner=owner, symbol=symbol)
