"""The comparison desk: brings an account into agreement with the exchange over REST, and says whether it is.

Compared are orders, the fate of those that are not listed, fills since the last known one, balances, and of contracts positions
and payments. Orders and fills are taken as the exchange tells them. Balances agree when fills explain them, or when what they do
not explain has been named and left to the account's policy; a cycle that has its balances captured waits for that, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

import trio

from actors.accounts.balance_desk import BalanceDesk
from actors.accounts.bookkeeper import Bookkeeper
from actors.accounts.events import AccountReconciled, AccountTrouble
from actors.accounts.funds_desk import FundsDesk
from actors.accounts.inquiry import ASKING_ERRORS, InquiryDesk
from actors.accounts.memory import FILLS_OVERLAP_MILLISECONDS, AccountMemory
from actors.accounts.position_desk import PositionDesk
from actors.accounts.session import AccountSession
from actors.accounts.timing import AccountTiming
from market.symbol import Symbol
from orders.agreement import BALANCES_LAG_SECONDS
from orders.commands import BalanceCapture, CaptureBalances
from orders.errors import ErrorKind, ExchangeError

RETRY_PAUSE_SECONDS = 0.25
RETRY_PAUSE_SECONDS_MAX = 5.0
BALANCES_LOOK_SECONDS = 1.0  # between looks at balances that nothing explains yet


class ComparisonDesk:
    """One account's. `is_in_flight` says that a placement is being sent and its answer awaited."""

    def __init__(
        self,
        *,
        session: AccountSession,
        bookkeeper: Bookkeeper,
        inquiry: InquiryDesk,
        positions: PositionDesk,
        funds: FundsDesk,
        balances: BalanceDesk,
        memory: AccountMemory,
        symbols: tuple[Symbol, ...],
        timing: AccountTiming,
        is_in_flight: Callable[[str], bool],
    ) -> None:
        self._session = session
        self._books = bookkeeper
        self._ledger = bookkeeper.ledger
        self._name = bookkeeper.account
        self._report = bookkeeper.report
        self._inquiry = inquiry
        self._positions = positions
        self._funds = funds
        self._balances = balances
        self._memory = memory
        self._readiness = memory.readiness
        self._symbols = symbols
        self._timing = timing
        self._is_in_flight = is_in_flight
        self._is_settled = False
        self._was_refused = False
        self._capture_pause_seconds = timing.watchdog_seconds

    @property
    def agrees_in_all(self) -> bool:
        """Whether the newest comparison left nothing open, down to the last balance."""
        return self._is_settled and self._balances.has_compared_all

    async def _compare(self, why: str) -> None:
        """Compare orders, fates, fills and balances with the exchange, and take its word. Raises `ASKING_ERRORS`."""
        self._is_settled = False
        changes_before = self._ledger.fill_changes()
        # First: whatever trade is in them is learned by what is asked next, or there was none.
        balances = await self._session.balances()
        self._funds.take(balances)
        listed = await self._session.open_orders()
        for report in listed:
            self._books.take(report)
        listed_ids = {report.client_order_id for report in listed}
        for order in self._ledger.live_orders():
            if order.client_order_id not in listed_ids and not self._is_in_flight(order.client_order_id):
                await self._inquiry.resolve(order)
        for order in self._ledger.orders_missing_fills():
            await self._inquiry.fetch_fills(order)
        await self._fetch_fills_since()
        await self._positions.compare()
        self._look_at_balances(self._positions.totals(balances), changes_before)
        if not self._balances.doubts():
            self._report(AccountReconciled(self._name, len(self._ledger.live_orders()), why))

    def _look_at_balances(self, totals: Mapping[str, Decimal] | None, changes_before: Mapping[str, Decimal]) -> bool:
        """Have totals compared, if they are of a settled moment; whether they are."""
        self._is_settled = totals is not None and self._balances.is_settled(changes_before)
        if totals is not None and self._is_settled:
            self._balances.look(totals, now_milliseconds=self._session.exchange_time_milliseconds())
        return self._is_settled

    def _disagreement(self) -> str | None:
        """What does not agree with the exchange after a comparison that it answered, in words; None if everything does."""
        if not self._is_settled:
            return "fills and positions that have settled"
        doubts = self._balances.doubts()
        return f"balances that fills explain: {doubts}" if doubts else None

    async def _fetch_fills_since(self) -> None:
        """Every trade since we last knew them all, whosever: those of an earlier run's orders, and what a broken stream did not tell."""
        asked_at_milliseconds = self._session.exchange_time_milliseconds()
        known_until = self._memory.trades_known_until_milliseconds
        for symbol in self._symbols:
            counting_since = self._memory.counting_since(symbol, now_milliseconds=asked_at_milliseconds)
            # From the very first on: a trade that a later question finds must not be older than the balances compared with.
            since = counting_since if known_until is None else max(counting_since, known_until - FILLS_OVERLAP_MILLISECONDS)
            for fill in await self._session.fills(symbol, since_milliseconds=since):
                # What others traded before we began to count is in the balances that we began with.
                if self._ledger.order_of(fill) is not None or not 0 < fill.exchange_time_milliseconds < counting_since:
                    self._books.take(fill)
        self._memory.trades_known_until_milliseconds = asked_at_milliseconds

    async def try_once(self, why: str) -> bool:
        """Compare everything; False if the exchange did not answer.

        Raises:
            ExchangeError: it refuses the credential, and did so the last time.
        """
        try:
            await self._compare(why)
        except ASKING_ERRORS as error:
            is_refused = isinstance(error, ExchangeError) and error.kind is ErrorKind.AUTHENTICATION
            if is_refused and self._was_refused:
                raise
            # A single refusal may be a request spoilt on its way; a credential that is no good is refused again.
            self._was_refused = is_refused
            self._report(AccountTrouble(self._name, "comparing with the exchange", str(error)))
            self._readiness.say(f"the exchange's answer to a comparison: {error}")
            return False
        self._was_refused = False
        return True

    async def until_answered(self, why: str) -> None:
        """Compare, again and again with growing pauses until the exchange has answered everything. Raises as `try_once`."""
        self._readiness.say("a comparison with the exchange")
        pause_seconds = RETRY_PAUSE_SECONDS
        while not await self.try_once(why):
            await trio.sleep(pause_seconds)
            pause_seconds = min(pause_seconds * 2, RETRY_PAUSE_SECONDS_MAX)

    async def until_agreed(self, why: str) -> None:
        """As `until_answered`, and until nothing is left in doubt: what balances say beyond fills was explained, or named."""
        while True:
            await self.until_answered(why)
            disagreement = self._disagreement()
            if disagreement is None:
                return
            self._readiness.say(disagreement)
            await trio.sleep(BALANCES_LOOK_SECONDS if self._balances.doubts() else RETRY_PAUSE_SECONDS)

    async def periodically(self) -> None:
        """Compare from time to time until cancelled. Raises as `try_once`."""
        while True:
            # A difference is looked at again as soon as no lag can explain it any more.
            pause_seconds = self._timing.reconcile_seconds
            await trio.sleep(min(pause_seconds, BALANCES_LAG_SECONDS) if self._balances.doubts() else pause_seconds)
            await self.try_once("periodic")

    async def capture(self, command: CaptureBalances) -> None:
        """Fetch balances at a moment when the fills we know are all there are, so that the two can be compared."""
        with trio.move_on_after(self._timing.capture_patience_seconds):
            while True:
                try:
                    capture = await self._settled_balances()
                except ASKING_ERRORS as error:
                    self._report(AccountTrouble(self._name, "fetching balances", str(error)))
                    # Kept from one command to the next: whoever asked asks again.
                    self._capture_pause_seconds = min(self._capture_pause_seconds * 2, RETRY_PAUSE_SECONDS_MAX)
                    await trio.sleep(self._capture_pause_seconds)
                    continue
                self._capture_pause_seconds = self._timing.watchdog_seconds
                if capture is not None:
                    command.answer.answer(capture)
                    return
                await trio.sleep(BALANCES_LOOK_SECONDS if self._balances.doubts() else self._timing.watchdog_seconds)
        seconds = self._timing.capture_patience_seconds
        command.answer.fail(TimeoutError(f"account {self._name} had no settled view of its balances within {seconds:g} s"))

    async def _settled_balances(self) -> BalanceCapture | None:
        """Balances between two equal views of all fills; None if another owner's fill came in between, or while one is in doubt."""
        before = self._ledger.fill_changes()
        balances = await self._session.balances()
        for order in self._ledger.live_orders():
            if order.sent:
                await self._inquiry.resolve(order)
        for order in self._ledger.orders_missing_fills():
            await self._inquiry.fetch_fills(order)
        totals = await self._positions.settled_totals(balances)
        await self._positions.fetch_funding()
        if totals is None or not self._look_at_balances(totals, before):
            return None
        if self._balances.doubts():
            await self._fetch_fills_since()  # somebody else's trade, perhaps, of which the stream did not tell
            return None
        self._funds.take(balances)
        return BalanceCapture(
            totals=totals,
            available={balance.asset: balance.available for balance in balances},
            fill_changes=before,
            leverages=self._positions.leverages(),
            funding=self._positions.funding(),
            unexplained=self._balances.unexplained(),
        )
