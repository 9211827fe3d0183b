"""The drawdown of a cycle: how much of the highest profit that it ever had is lost again, and what follows from too much of that.

Theory of operation. What a cycle's trades add up to (`orders.tally`) has earned something at the middle of the book that the
account itself hears of; the highest that it ever was is written down, and the difference is the drawdown. It begins at nothing:
a loss from the start is a drawdown too. Beyond the limit the cycle is moved into the state that the settings name, once; a person who
lets it run again has accepted the loss, and counting begins anew from there. What a cycle of contracts was paid or has paid as
funding is the account's, and no part of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from msgspec.structs import replace

from actors.accounts.limited import LimitedAccount
from actors.accounts.trading_states import TradingStates
from market.clock import WallClock
from market.instrument import format_decimal
from market.symbol import Symbol
from orders.losses import DayBaseline, day_of, shown
from orders.order import ZERO
from orders.recording import Recorder
from orders.states import TradingState, cycle_scope

# A rise by less than this share of the limit is not written down: a restart may then know of a peak that was so much lower.
WRITTEN_SHARE = Decimal("0.01")


class Drawdown:
    """The drawdown of one cycle in one symbol; `drawdown_max` in quote units (None: whatever it is). `recovered` are peaks that earlier
    runs left."""

    def __init__(
        self,
        cycle: str,
        symbol: Symbol,
        account: LimitedAccount,
        *,
        drawdown_max: Decimal | None,
        state: TradingState,
        states: TradingStates,
        wall_clock: WallClock,
        recorder: Recorder,
        recovered: Iterable[DayBaseline] = (),
    ) -> None:
        self._cycle = cycle
        self._scope = cycle_scope(cycle)
        self._symbol = symbol
        self._account = account
        self._drawdown_max = drawdown_max
        self._state = state
        self._states = states
        self._wall_clock = wall_clock
        self._recorder = recorder
        mine = (self._scope, account.name, str(symbol))
        found = [known for known in recovered if (known.scope, known.account, known.asset) == mine]
        self._written = found[-1] if found else None
        self._peak = self._written.value if self._written is not None else ZERO

    def change(self, *, drawdown_max: Decimal | None, state: TradingState) -> None:
        """Allow so much from now on. A peak from before counts, as far as there was a limit to watch it for."""
        self._drawdown_max, self._state = drawdown_max, state

    @property
    def lost(self) -> tuple[Decimal, Decimal] | None:
        """How much of the highest profit is lost again now, and how much may be; None without a limit, or before a middle was known."""
        most, middle = self._drawdown_max, self._account.middle(self._symbol)
        if most is None or middle is None:
            return None
        return max(ZERO, self._peak - self._account.ledger.tally(self._cycle, self._symbol).profit(middle)), most

    def look(self) -> None:
        """Compare with the limit, at the last middle known; not before one was, nor before the account has compared itself."""
        most, middle = self._drawdown_max, self._account.middle(self._symbol)
        if most is None or middle is None or not self._account.has_compared:
            return
        profit = self._account.ledger.tally(self._cycle, self._symbol).profit(middle)
        is_struck = self._written is not None and self._written.is_struck
        if is_struck:
            if self._scope not in self._states.declared():
                self._keep(profit, is_struck=False)  # a person has let it run again
            return
        self._peak = max(self._peak, profit)
        if self._peak - (self._written.value if self._written is not None else ZERO) > most * WRITTEN_SHARE:
            self._keep(self._peak, is_struck=False)
        if self._peak - profit > most:
            self._strike(
                f"lost {shown(self._peak - profit)} {self._symbol.quote} of the highest profit of {shown(self._peak)}, "
                f"drawdown_max is {format_decimal(most)}"
            )

    def _strike(self, reason: str) -> None:
        self._states.tighten(self._scope, self._state, reason)
        declared = self._states.declared().get(self._scope)
        # Somebody else may have stopped it before: who lifts that has not been told of the loss.
        if declared is not None and declared.reason == reason:
            self._keep(self._peak, is_struck=True)

    def _keep(self, peak: Decimal, *, is_struck: bool) -> None:
        written = DayBaseline(
            scope=self._scope,
            account=self._account.name,
            asset=str(self._symbol),
            day=day_of(self._wall_clock.milliseconds()),
            value=peak,
            is_struck=is_struck,
        )
        if self._written is not None and replace(self._written, day=written.day) == written:
            return
        self._peak, self._written = peak, written
        self._recorder.keep(written)
