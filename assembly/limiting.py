"""The limits of a run: each account's own, and the program's over all of them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import inf

import msgspec

from actors.accounts.daily_loss import DailyLoss
from actors.accounts.drawdown import Drawdown
from actors.accounts.limited import LimitedAccount
from actors.accounts.limits import AccountLimits, Limits, ScopeLimits
from actors.accounts.prices import open_prices
from actors.accounts.trading_states import TradingStates
from assembly.settings import GlobalLimitSettings, LimitSettings, Settings
from market.clock import WallClock
from market.events import BookChanged
from orders.ledger import AccountLedger
from orders.losses import DayBaseline
from orders.recording import Recorder
from orders.states import GLOBAL, account_scope


class RunLimits:
    """What holds for the orders of each account. `recovered` are the baselines of daily losses and the peaks of profits that earlier
    runs left."""

    def __init__(
        self,
        settings: Settings,
        accounts: Mapping[str, LimitedAccount],
        *,
        states: TradingStates,
        wall_clock: WallClock,
        recorder: Recorder,
        recovered: Sequence[DayBaseline],
    ) -> None:
        def limits_of_scope(scope: str, limited: Limits, within: Sequence[LimitedAccount]) -> ScopeLimits:
            loss = DailyLoss(
                scope,
                within,
                loss_max=limited.max_daily_loss,
                state=limited.on_daily_loss.state,
                states=states,
                wall_clock=wall_clock,
                recorder=recorder,
                recovered=recovered,
            )
            return ScopeLimits(scope, limited, within, loss=loss)

        self._program = limits_of_scope(GLOBAL, limits_as_written(settings.limits), list(accounts.values()))
        self._own = {
            name: limits_of_scope(account_scope(name), limits_as_written(settings.accounts[name].limits), [account])
            for name, account in accounts.items()
        }
        self._drawdowns = {
            name: Drawdown(
                name,
                cycle.symbol,
                accounts[cycle.account],
                drawdown_max=cycle.limits.drawdown_max,
                state=cycle.limits.on_drawdown.state,
                states=states,
                wall_clock=wall_clock,
                recorder=recorder,
                recovered=recovered,
            )
            for name, cycle in settings.cycles.items()
        }
        self.of_account = {
            name: AccountLimits(
                account,
                (self._own[name], self._program),
                [self._drawdowns[cycle] for cycle, its in settings.cycles.items() if its.account == name],
            )
            for name, account in accounts.items()
        }

    def own(self, account: str) -> Limits:
        """An account's own, as they hold now."""
        return self._own[account].limits

    @property
    def program(self) -> Limits:
        """The whole program's, as they hold now."""
        return self._program.limits

    def drawdown(self, cycle: str) -> tuple[Decimal, Decimal] | None:
        """How much of its highest profit a cycle has lost again, and how much it may; None where nothing limits that."""
        return self._drawdowns[cycle].lost

    def change(self, settings: Settings) -> None:
        """Hold those of these settings instead, from the next order on."""
        self._program.change(limits_as_written(settings.limits))
        for name, own in self._own.items():
            own.change(limits_as_written(settings.accounts[name].limits))
        for cycle, drawdown in self._drawdowns.items():
            limits = settings.cycles[cycle].limits
            drawdown.change(drawdown_max=limits.drawdown_max, state=limits.on_drawdown.state)


def limits_on_book(settings: Settings, ledger: AccountLedger, book: BookChanged) -> AccountLimits:
    """What would hold for the first order of an account on this book, were no other account there. Losses are not looked at."""
    sender, prices = open_prices(1, book_age_seconds_max=inf)
    sender.send_nowait(book)
    account = LimitedAccount(ledger, prices, (book.symbol,))
    written = {account_scope(ledger.account): settings.accounts[ledger.account].limits, GLOBAL: settings.limits}
    return AccountLimits(account, [ScopeLimits(scope, limits_as_written(limits), [account]) for scope, limits in written.items()])


def limits_as_written(settings: LimitSettings | GlobalLimitSettings) -> Limits:
    return Limits(**msgspec.structs.asdict(settings))
