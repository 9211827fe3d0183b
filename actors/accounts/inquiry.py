"""The inquiry desk: asks the exchange about every order that has gone too long without its word."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from actors.accounts.bookkeeper import Bookkeeper
from actors.accounts.codec import ProtocolError
from actors.accounts.events import AccountTrouble
from actors.accounts.resolution import fetch_missing_fills, resolve
from actors.accounts.session import AccountSession
from actors.accounts.timing import AccountTiming
from network.errors import NetworkError
from orders.errors import ExchangeError
from orders.life_cycle import OrderState
from orders.order import Order

# What asking the exchange may raise; each is tried again.
ASKING_ERRORS = (NetworkError, ExchangeError, ProtocolError)
PAUSE_SECONDS_MAX = 5.0


class InquiryDesk:
    """Watches the ledger: unknown orders are asked about at once, then with growing pauses, for as long as it takes."""

    def __init__(
        self,
        *,
        bookkeeper: Bookkeeper,
        session: AccountSession,
        timing: AccountTiming,
        is_in_flight: Callable[[str], bool],
        is_listening: Callable[[], bool],
        cancel: Callable[[Order], Awaitable[None]],
        doubt_funds: Callable[[], None],
    ) -> None:
        self._books = bookkeeper
        self._session = session
        self._timing = timing
        self._is_in_flight = is_in_flight
        self._is_listening = is_listening
        self._cancel = cancel
        self._doubt_funds = doubt_funds
        self._found = trio.Event()
        self._to_ask: list[Order] = []
        self._is_busy = True  # with what was found due; until it watches there is nobody to ask
        self._to_ask_now: set[str] = set()
        self._pauses: dict[str, tuple[float, float]] = {}  # client order id: (not before, the pause that led to it)

    def ask_now(self, client_order_id: str) -> None:
        """Ask about an order without waiting for patience to run out."""
        self._to_ask_now.add(client_order_id)
        self.look()

    def look(self, progress: Callable[[], None] = lambda: None) -> None:
        """Look for orders that are due, unless those found before are still being asked about; else `progress` is called.

        To be called every `watchdog_seconds`: most become due by time alone.
        """
        if self._is_busy:
            return
        progress()
        self._to_ask = self._due()
        if self._to_ask:
            self._is_busy = True
            self._found.set()

    async def watch(self, progress: Callable[[], None]) -> None:
        """Ask about what is found until cancelled; `progress` is called before each."""
        self._is_busy = False
        while True:
            await self._found.wait()
            self._found = trio.Event()
            for order in self._to_ask:
                progress()  # each may wait for the exchange through several retries
                try:
                    await self._ask_about(order)
                except ASKING_ERRORS as error:
                    doing = f"asking about order {order.client_order_id}"
                    self._books.report(AccountTrouble(self._books.account, doing, str(error)))
            self._is_busy = False
            self.look()

    async def resolve(self, order: Order) -> None:
        """Ask about one order and take the answer. Raises `ASKING_ERRORS`."""
        self._books.publish(await resolve(order, session=self._session, ledger=self._books.ledger))

    async def fetch_fills(self, order: Order) -> None:
        """Ask for the fills of one order. Raises `ASKING_ERRORS`."""
        self._books.publish(await fetch_missing_fills(order, session=self._session, ledger=self._books.ledger))

    async def _ask_about(self, order: Order) -> None:
        if order.is_terminal:
            await self.fetch_fills(order)
            return
        await self.resolve(order)
        known = self._books.ledger.order(order.client_order_id)
        if known is not None and known.is_terminal:
            self._doubt_funds()  # nobody has told us of its end, so that what it gave back may not have been told either
        if known is not None and known.cancel_wanted and not known.is_terminal and known.state is not OrderState.UNKNOWN:
            await self._cancel(known)

    def _due(self) -> list[Order]:
        """The orders to ask about now, each with its next time put off."""
        now = trio.current_time()
        ledger = self._books.ledger
        watched = {order.client_order_id: order for order in (*ledger.live_orders(), *ledger.unsettled_orders())}
        self._to_ask_now.intersection_update(watched)
        for client_order_id in [known for known in self._pauses if known not in watched]:
            del self._pauses[client_order_id]
        due: list[Order] = []
        for client_order_id, order in watched.items():
            awaits_answer = self._is_in_flight(client_order_id) and order.exchange_order_id is None
            if awaits_answer or now - order.changed_at < self._patience_seconds(order):
                continue
            not_before, pause_seconds = self._pauses.get(client_order_id, (now, self._timing.watchdog_seconds / 2))
            if now >= not_before:
                pause_seconds = min(pause_seconds * 2, PAUSE_SECONDS_MAX)
                self._pauses[client_order_id] = (now + pause_seconds, pause_seconds)
                self._to_ask_now.discard(client_order_id)
                due.append(order)
        return due

    def _patience_seconds(self, order: Order) -> float:
        """How long an order in this state may go without a word before it is asked about."""
        cancel_is_due = order.cancel_wanted and order.state is not OrderState.PENDING_CANCEL
        if order.client_order_id in self._to_ask_now or order.state is OrderState.UNKNOWN:
            return 0.0
        if order.is_terminal:
            return self._timing.fills_patience_seconds
        if cancel_is_due:
            return 0.0
        if order.state in (OrderState.PENDING_NEW, OrderState.PENDING_CANCEL, OrderState.PENDING_AMEND) or not order.request.may_rest:
            return self._timing.cancel_patience_seconds
        return float("inf") if self._is_listening() else self._timing.poll_seconds
