"""The balance desk: whether fills and payments explain what the account holds, and what follows where they do not.

Every settled look at the balances is compared (`orders/agreement.py`): when the account compares itself with the exchange,
and when a cycle has its balances captured. A difference that lasts is told and falls under the account's policy; until it is
named or gone, nobody who waits for agreement is told that there is any.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal

import trio

from actors.accounts.policies import AccountPolicies, UnexplainedBalances
from actors.accounts.trading_states import TradingStates
from market.instrument import format_decimal
from market.symbol import Symbol
from orders.agreement import BalanceAgreement, SettledLook
from orders.events import BalanceDiffers
from orders.ledger import AccountLedger
from orders.life_cycle import OrderState
from orders.recording import Recorder
from orders.states import TradingState, account_scope

_STATE_BY_POLICY = {
    UnexplainedBalances.REDUCE_ONLY: TradingState.REDUCE_ONLY,
    UnexplainedBalances.HALT: TradingState.HALTED,
}


class BalanceDesk:
    """One account's. `agreement` outlives it; `report` takes every noteworthy event and never blocks."""

    def __init__(
        self,
        *,
        ledger: AccountLedger,
        agreement: BalanceAgreement,
        symbols: Sequence[Symbol],
        states: TradingStates,
        policies: AccountPolicies,
        recorder: Recorder,
        report: Callable[[object], None],
    ) -> None:
        self._ledger = ledger
        self._agreement = agreement
        self._traded_assets = frozenset(asset for symbol in symbols for asset in (symbol.base, symbol.quote))
        self._states = states
        self._policies = policies
        self._recorder = recorder
        self._report = report
        self.has_compared_all = False
        """Whether the newest look was at every asset, and left none in doubt."""

    def is_settled(self, changes_before: Mapping[str, Decimal]) -> bool:
        """Whether the fills that were known before balances were asked for are all that we know now."""
        return changes_before == self._ledger.fill_changes()

    def look(self, totals: Mapping[str, Decimal], *, now_milliseconds: int) -> None:
        """Compare totals of a settled moment with what is known. `now_milliseconds` is the exchange's time."""
        changed = {asset for asset, change in self._ledger.fill_changes_since_start().items() if change}
        # What these have done may be in the balances, and in no fill that we have heard of.
        unknown = [order for order in self._ledger.live_orders() if order.state is OrderState.UNKNOWN]
        uncertain = frozenset(_assets(order.request.symbol for order in (*unknown, *self._ledger.orders_missing_fills())))
        roundings = {} if self._ledger.positions is None else self._ledger.positions.roundings()
        seen = SettledLook(
            assets=(self._traded_assets | changed) - uncertain,
            traded=frozenset(changed),
            totals=totals,
            fill_changes=self._ledger.fill_changes(),
            roundings=roundings,
        )
        for event in self._agreement.look(seen, now=trio.current_time(), now_milliseconds=now_milliseconds):
            if isinstance(event, BalanceDiffers):
                self._apply_policy(event)
            else:
                self._recorder.keep(event)
        self.has_compared_all = not uncertain and not self.doubts()

    def doubts(self) -> str:
        """Which differences were seen that the next look may explain, in words; empty if none."""
        return ", ".join(_in_words(asset, difference) for asset, difference in self._agreement.in_doubt().items())

    def unexplained(self) -> dict[str, Decimal]:
        """As `BalanceAgreement.unexplained`."""
        return self._agreement.unexplained()

    def _apply_policy(self, event: BalanceDiffers) -> None:
        self._recorder.keep(event)
        self._report(event)
        state = _STATE_BY_POLICY.get(self._policies.unexplained_balances)
        if state is not None:
            # Written down before the new baseline is: whoever dies in between finds the difference once more.
            difference = _in_words(event.asset, event.difference)
            reason = f"{difference} than fills explain: look at the account's history at the exchange, then resume"
            self._states.tighten(account_scope(self._ledger.account), state, reason)


def _assets(symbols: Iterable[Symbol]) -> Iterable[str]:
    return (asset for symbol in symbols for asset in (symbol.base, symbol.quote))


def _in_words(asset: str, difference: Decimal) -> str:
    return f"{format_decimal(abs(difference))} {asset} {'more' if difference > 0 else 'less'}"
