"""What an account knows besides its ledger that outlives its actor's incarnations, and in parts its run."""

from __future__ import annotations

from collections.abc import Mapping

from actors.accounts.readiness import Readiness
from market.symbol import Symbol
from orders.agreement import BalanceAgreement
from orders.events import CountingBegan
from orders.identity import given_at_milliseconds
from orders.recording import Recorder

# Trades are asked for anew from so long before the last question: one may be listed late.
FILLS_OVERLAP_MILLISECONDS = 10_000


class AccountMemory:
    """One account's. Times are the exchange's.

    `trades_known_until_milliseconds` is until when every trade is known (None: there was no run before). `counting` says by symbol
    since when trades were counted by earlier runs. `goes_on`: there was a run before, and its rounds are gone on with.
    `began_at_milliseconds` is when this run began, by its own wall clock, and not before the ids of the last run.
    """

    def __init__(
        self,
        account: str,
        *,
        agreement: BalanceAgreement,
        readiness: Readiness,
        began_at_milliseconds: int,
        trades_known_until_milliseconds: int | None,
        counting: Mapping[Symbol, int],
        recorder: Recorder,
    ) -> None:
        self.agreement = agreement
        self.readiness = readiness
        self._began_at_milliseconds = began_at_milliseconds
        self._has_met_another_program = False
        self.trades_known_until_milliseconds = trades_known_until_milliseconds
        self.goes_on = trades_known_until_milliseconds is not None
        self._account = account
        self._counting = dict(counting)
        self._recorder = recorder

    def counting_since(self, symbol: Symbol, *, now_milliseconds: int) -> int:
        """From when on every trade in a symbol counts, whosever. It begins a little before the first question, and is kept for ever.

        A trade before it is in the balances that were found first, so that counting it later would make a difference of it.
        """
        since = self._counting.get(symbol)
        if since is None:
            began, known_until = now_milliseconds, self.trades_known_until_milliseconds
            if known_until is not None and not self.agreement.has_begun:
                began = known_until  # of a journal that kept no baselines yet
            since = self._counting[symbol] = began - FILLS_OVERLAP_MILLISECONDS
            self._recorder.keep(CountingBegan(self._account, symbol, since))
        return since

    def is_of_another_program(self, client_order_id: str) -> bool:
        """Whether an order of this installation that nobody here knows shows, for the first time, that another program uses its name.

        By the time in its id: what a run left that this one followed is older than it.
        """
        if self._has_met_another_program or self.is_of_an_earlier_run(client_order_id):
            return False
        self._has_met_another_program = True
        return True

    def is_of_an_earlier_run(self, client_order_id: str) -> bool:
        """Whether an id of this installation was given before this run began, by the time in it; one without a time was."""
        given_at = given_at_milliseconds(client_order_id)
        return given_at is None or given_at < self._began_at_milliseconds
