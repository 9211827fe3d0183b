"""The journal of one run: what earlier runs left in it, and the way into it for this one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from actors.journal.port import open_journal_port
from actors.journal.prices import PriceSampler
from actors.journal.recovery import AccountRecovery, CycleRecovery, HoldFound
from actors.journal.store import JournalStore
from assembly.presenter.report import RunRecovered
from assembly.recording import JournalRecorder
from assembly.settings import ExchangeMode, ExchangeSettings, Settings
from assembly.version import version
from market.clock import WallClock
from orders.losses import DayBaseline
from orders.states import StateEntered

# Some seconds of the busiest market; a queue that is full for longer means that the disk does not keep up.
QUEUE_ENTRIES_MAX = 10_000
# The last run may have been without the exchange's word for a while before it ended.
OVERLAP_MILLISECONDS = 3_600_000
# The ids of a run are of its first moments: a second's are a quarter of a million.
IDS_SPAN_MILLISECONDS = 1_000


class RunJournal:
    """An open store, read and begun for one run. Whoever opened the store closes it, after `end`."""

    def __init__(
        self,
        store: JournalStore,
        settings: Settings,
        *,
        wall_clock: WallClock,
        redact: Callable[[str], str],
        on_lost: Callable[[str], None],
    ) -> None:
        """
        Raises:
            JournalBroken: it cannot be read or written.
        """
        self.store = store
        self._wall_clock = wall_clock
        installation = settings.runtime.installation
        now_milliseconds = wall_clock.milliseconds()
        places = {
            name: _place(account.exchange, settings.exchanges[account.exchange], now_milliseconds)
            for name, account in settings.accounts.items()
        }
        self._recovery = store.recover(installation=installation, adopted=settings.runtime.adopted_installations, accounts=places)
        store.begin_run(at_milliseconds=now_milliseconds, installation=installation, version=version(), accounts=places)
        prices = PriceSampler(
            {(settings.exchange_of(name), cycle.symbol): places[cycle.account] for name, cycle in settings.cycles.items()},
            {name: account.exchange for name, account in settings.accounts.items()},
        )
        self.port, self.queue = open_journal_port(QUEUE_ENTRIES_MAX, wall_clock=wall_clock, prices=prices)
        self.recorder = JournalRecorder(self.port, redact=redact, on_lost=on_lost, prices=prices)

    def of_account(self, name: str) -> AccountRecovery | None:
        return self._recovery.accounts.get(name)

    def of_cycle(self, name: str, *, account: str) -> CycleRecovery | None:
        """None where the cycle is new, or was another account's."""
        return self._recovery.cycles.get((account, name))

    @property
    def holds(self) -> Mapping[str, HoldFound]:
        """What earlier runs were asked not to send, by scope; over or not."""
        return self._recovery.holds

    @property
    def known_until_milliseconds(self) -> int | None:
        """The wall time until which earlier runs certainly knew every trade; None if there was none."""
        last_run = self._recovery.last_run
        if last_run is None:
            return None
        return (last_run.last_written_at_milliseconds or last_run.began_at_milliseconds) - OVERLAP_MILLISECONDS

    @property
    def ids_given_until_milliseconds(self) -> int:
        """The time until which the ids of earlier runs may be, by their clock, which may have been set since; 0 if there was none."""
        last_run = self._recovery.last_run
        if last_run is None:
            return 0
        return max(last_run.began_at_milliseconds + IDS_SPAN_MILLISECONDS, last_run.last_written_at_milliseconds or 0)

    def states(self) -> dict[str, StateEntered]:
        """The trading states that earlier runs left, by scope."""
        return self._recovery.states

    def state_since_milliseconds(self, scope: str) -> int:
        """When a scope entered the state that earlier runs left it in."""
        return self._recovery.states_since_milliseconds[scope]

    def baselines(self) -> tuple[DayBaseline, ...]:
        """What earlier runs counted daily losses from."""
        return self._recovery.baselines

    def recovered(self) -> RunRecovered | None:
        """What this run goes on with, for people; None if there was no run before it."""
        recovery = self._recovery
        if recovery.last_run is None:
            return None
        may_be_live = [order for account in recovery.accounts.values() for order in account.orders if not order.is_terminal]
        return RunRecovered(
            last_run_began_at_milliseconds=recovery.last_run.began_at_milliseconds,
            last_run_ended=recovery.last_run.ended_how or "died without saying goodbye",
            orders_that_may_be_live=tuple(order.client_order_id for order in may_be_live),
            rounds_in_progress=tuple(name for (_, name), cycle in recovery.cycles.items() if cycle.in_progress is not None),
            orders_elsewhere=tuple(
                f"{left.order.client_order_id} at {left.exchange}, account {left.account}" for left in recovery.elsewhere
            ),
        )

    def rounds_of_others(self) -> tuple[str, ...]:
        """What a renamed installation does not go on with, in words."""
        return tuple(
            f'cycle {left.cycle} of installation "{left.installation}" has a round in progress in {left.symbol}, which this run does '
            f'not go on with: what it had bought stays unsold. A run with installation = "{left.installation}" finishes it'
            for left in self._recovery.rounds_of_others
        )

    def end(self, how: str) -> None:
        """Say goodbye, after the last entry was written.

        Raises:
            JournalBroken: it cannot be written.
        """
        self.store.end_run(at_milliseconds=self._wall_clock.milliseconds(), how=how)


def lasting_place(name: str, settings: ExchangeSettings) -> str:
    """What the journal calls an exchange that is there before and after the run."""
    if settings.mode is ExchangeMode.SIMULATED:
        return f"{name} (simulated at {settings.rest_url})"
    return name if settings.mode is ExchangeMode.LIVE else f"{name} ({settings.mode.value})"


def _place(name: str, settings: ExchangeSettings, now_milliseconds: int) -> str:
    """What the journal calls an exchange. One that is simulated anew with each run has no past."""
    if settings.is_embedded:
        return f"{name} (simulated in the run of {now_milliseconds})"
    return lasting_place(name, settings)
