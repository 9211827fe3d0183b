"""A scope's loss of the day, with what is held marked to market, and what follows when it is more than the limit.

Theory of operation. What fills and funding have made of an account's assets has a worth (`orders.losses.worth`); what it was
worth when the UTC day began, or when this was first looked at that day, is written down as the day's baseline, and the loss
is the difference. A restart within the day goes on from the baseline that it finds. Beyond the limit the scope is moved into
the state that the settings name, once; a person who lets it run again has accepted the loss, and counting begins anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from msgspec.structs import replace

from actors.accounts.limited import LimitedAccount
from actors.accounts.trading_states import TradingStates
from market.clock import WallClock
from market.instrument import format_decimal
from orders.losses import NO_DAY, DayBaseline, day_of, shown
from orders.order import ZERO
from orders.recording import Recorder
from orders.states import GLOBAL, TradingState

_Key = tuple[str, str]


class DailyLoss:
    """The loss of one scope, by quote asset; each may be as much as `loss_max` (None: whatever it is). `recovered` are baselines that
    earlier runs left."""

    def __init__(
        self,
        scope: str,
        accounts: Sequence[LimitedAccount],
        *,
        loss_max: Decimal | None,
        state: TradingState,
        states: TradingStates,
        wall_clock: WallClock,
        recorder: Recorder,
        recovered: Iterable[DayBaseline] = (),
    ) -> None:
        self._scope = scope
        self._accounts = accounts
        self._loss_max = loss_max
        self._state = state
        self._states = states
        self._wall_clock = wall_clock
        self._recorder = recorder
        self._baselines = {(found.account, found.asset): found for found in recovered if found.scope == scope}

    def change(self, *, loss_max: Decimal | None, state: TradingState) -> None:
        """Allow so much from now on. What was lost today counts, as far as there was a limit to count it for."""
        self._loss_max, self._state = loss_max, state

    def look(self) -> None:
        """Compare with the limit. Not while something cannot be valued; accounts that have not compared themselves yet are left out."""
        loss_max = self._loss_max
        if loss_max is None:
            return
        values: dict[_Key, Decimal] = {}
        for account in self._accounts:
            if not account.has_compared:
                continue
            worth = account.worth()
            if worth is None:
                return
            values |= {(account.name, asset): value for asset, value in worth.items()}
        is_struck = any(baseline.is_struck for baseline in self._baselines.values())
        if is_struck and self._scope not in self._states.declared():
            self._accept(values)
            return
        today = self._day()
        new = {key: value for key, value in values.items() if key not in self._baselines or self._baselines[key].day != today}
        self._keep(self._begun(new, day=today, is_struck=is_struck))
        if not is_struck:
            self._judge(values, loss_max)

    def _accept(self, values: dict[_Key, Decimal]) -> None:
        """A person has let the scope run again: whatever was lost until now is not held against it any more.

        What an account has lost that has not compared itself yet is not known: for it the next look begins anew.
        """
        self._keep([replace(baseline, day=NO_DAY, is_struck=False) for key, baseline in self._baselines.items() if key not in values])
        self._keep(self._begun(values, day=self._day(), is_struck=False))

    def _judge(self, values: dict[_Key, Decimal], loss_max: Decimal) -> None:
        losses: dict[str, Decimal] = {}
        for key, value in values.items():
            losses[key[1]] = losses.get(key[1], ZERO) + self._baselines[key].value - value
        for asset, loss in losses.items():
            if loss > loss_max:
                self._strike(f"lost {shown(loss)} {asset} today, {self._limit} is {format_decimal(loss_max)}")
                return

    def _strike(self, reason: str) -> None:
        self._states.tighten(self._scope, self._state, reason)
        declared = self._states.declared().get(self._scope)
        # Somebody else may have stopped it before: who lifts that has not been told of the loss.
        if declared is not None and declared.reason == reason:
            self._keep([replace(baseline, is_struck=True) for baseline in self._baselines.values()])

    def _begun(self, values: dict[_Key, Decimal], *, day: str, is_struck: bool) -> list[DayBaseline]:
        return [
            DayBaseline(scope=self._scope, account=account, asset=asset, day=day, value=value, is_struck=is_struck)
            for (account, asset), value in values.items()
        ]

    def _keep(self, baselines: Sequence[DayBaseline]) -> None:
        if baselines:
            self._baselines |= {(baseline.account, baseline.asset): baseline for baseline in baselines}
            self._recorder.keep(*baselines)

    @property
    def _limit(self) -> str:
        return "global max_daily_loss" if self._scope == GLOBAL else "max_daily_loss"

    def _day(self) -> str:
        return day_of(self._wall_clock.milliseconds())
