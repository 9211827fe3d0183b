"""The tree of actors: who supervises whom, who starts after whom, who is cleaned up how.

root                  rest_for_one
├─ journal              what happens, written down before it is acted on; only where something outlives the run
├─ notifiers          who tells a webhook; without it the run goes on
├─ pages              the page's server; without it the run goes on
├─ controls           the control socket's server, and who looks at the settings file; without them the run goes on
├─ exchanges          the simulated exchanges that this program embeds
├─ feeds              one per exchange
├─ accounts           one per credential; cleaned up by closing: every order of ours cancelled and confirmed
└─ cycles             one per cycle; cleaned up by having the account close what the cycle owns
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from actors.accounts.timing import AccountTiming
from actors.accounts.trading_states import BoardEvent, TradingStates
from actors.cycle.terms import CycleTerms
from assembly.acting import named
from assembly.children import CHILD_STOP_DEADLINE_SECONDS, Children, Fail
from assembly.cycle_parts import CycleParts, cycle_terms
from assembly.journaling import RunJournal
from assembly.limiting import RunLimits
from assembly.parts import AccountParts, Report, random_source
from assembly.rate_budgets import RateBudgets
from assembly.settings import Settings
from market.clock import WallClock
from network.breaker import BreakerChanged, BreakerState
from orders.recording import NoRecorder, Recorder
from orders.states import StateEntered, TradingState, account_scope
from supervision.child import Child, ChildContext, Restart
from supervision.intensity import Intensity
from supervision.policy import AutoShutdown, Strategy, WhenStartFails
from supervision.supervisor import Supervisor

EXCHANGE_SILENT = "the exchange does not answer"


class Tree:
    """Everything of one run: its parts and its supervisors.

    `controls`, `notifiers` and `pages` are actors by name that nothing waits for, and without which trading goes on. `fail` is called when
    an actor meets what no restart can mend: with a status of USAGE the whole program is to stop, otherwise only what met it has ended.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        wall_clock: WallClock,
        seed: int | str,
        timing: AccountTiming,
        journal: RunJournal | None,
        report: Report,
        fail: Fail,
        controls: Mapping[str, Callable[[ChildContext], Awaitable[None]]] | None = None,
        notifiers: Mapping[str, Callable[[ChildContext], Awaitable[None]]] | None = None,
        pages: Mapping[str, Callable[[ChildContext], Awaitable[None]]] | None = None,
    ) -> None:
        self._control_actors = controls or {}
        self.settings = settings
        self._notifiers = notifiers or {}
        self._pages = pages or {}
        self._wall_clock = wall_clock
        self._seed = seed
        self._timing = timing
        self._journal = journal
        self._recorder: Recorder = NoRecorder() if journal is None else journal.recorder
        self._report = report
        self._fail = fail
        self.states = TradingStates(on_change=self._state_changed, recovered=None if journal is None else journal.states())
        references = {name: settings.reference_of(name) for name in settings.cycles}
        used_exchanges = dict.fromkeys(
            (*map(settings.exchange_of, settings.cycles), *(found[0] for found in references.values() if found is not None))
        )
        used_accounts = dict.fromkeys(cycle.account for cycle in settings.cycles.values())
        self.budgets = RateBudgets(
            {name: settings.exchanges[name] for name in used_exchanges},
            wall_clock=wall_clock,
            journal=journal,
            recorder=self._recorder,
            report=self._report_exchange,
        )
        self.exchanges = self.budgets.exchanges
        self.cycles = {
            name: CycleParts(
                name,
                cycle,
                terms=cycle_terms(settings, name),
                exchange=settings.exchange_of(name),
                reference=references[name],
                installation=settings.runtime.installation,
                wall_clock=wall_clock,
                recovered=None if journal is None else journal.of_cycle(name, account=cycle.account),
            )
            for name, cycle in settings.cycles.items()
        }
        self.accounts = {name: self._account_parts(name) for name in used_accounts}
        self.limits = RunLimits(
            settings,
            {name: parts.limited for name, parts in self.accounts.items()},
            states=self.states,
            wall_clock=wall_clock,
            recorder=self._recorder,
            recovered=() if journal is None else journal.baselines(),
        )
        self.root = self._root()

    # Other settings

    def terms_of(self, settings: Settings) -> dict[str, CycleTerms[Any]]:
        """What each cycle would go by. Raises whatever a strategy raises that cannot be made from its parameters."""
        return {name: cycle_terms(settings, name) for name in self.cycles}

    def change(self, settings: Settings, terms: Mapping[str, CycleTerms[Any]]) -> None:
        """Go by other settings of the same exchanges, accounts, cycles and symbols, all of them in this one step; `terms` are theirs."""
        self.settings = settings
        for name, exchange in self.exchanges.items():
            exchange.change(settings.exchanges[name])
        for name, account in self.accounts.items():
            account.change(settings.accounts[name])
        self.limits.change(settings)
        for name, cycle in self.cycles.items():
            if cycle.settings != settings.cycles[name] or replace(cycle.terms, strategy=None) != replace(terms[name], strategy=None):
                cycle.change(settings.cycles[name], terms[name])

    def _account_parts(self, name: str) -> AccountParts:
        account = self.settings.accounts[name]
        return AccountParts(
            name,
            account,
            exchange=self.exchanges[account.exchange],
            credential=self.settings.credentials[name],
            installation=self.settings.runtime.installation,
            inboxes={cycle.name: cycle.inbox_sender for cycle in self.cycles.values() if cycle.settings.account == name},
            symbols=tuple(dict.fromkeys(cycle.settings.symbol for cycle in self.cycles.values() if cycle.settings.account == name)),
            wall_clock=self._wall_clock,
            rng=self._rng(f"session:{name}"),
            recorder=self._recorder,
            recovered=None if self._journal is None else self._journal.of_account(name),
            adopted_installations=self.settings.runtime.adopted_installations,
            # A clock may have been set back, or have lost its time in the power loss that ended the last run.
            began_at_milliseconds=max(
                self._wall_clock.milliseconds(), 0 if self._journal is None else self._journal.ids_given_until_milliseconds
            ),
            known_until_milliseconds=None if self._journal is None else self._journal.known_until_milliseconds,
            ready_patience_seconds=self._timing.ready_patience_seconds,
            report=self._report,
        )

    # What may be traded

    def _state_changed(self, event: BoardEvent) -> None:
        if isinstance(event, StateEntered):
            self._recorder.keep(event)
        self._report(event)

    def _report_exchange(self, event: object) -> None:
        """What an exchange's limits tell. While it does not answer nothing may rest there: quotes are pulled by the way still open."""
        self._report(event)
        if not isinstance(event, BreakerChanged):
            return
        for name, account in self.settings.accounts.items():
            if account.exchange != event.exchange:
                continue
            if event.after is BreakerState.OPEN:
                self.states.restrain(account_scope(name), EXCHANGE_SILENT, TradingState.PAUSED, f"{event.exchange}: {event.reason}")
            elif event.after is BreakerState.CLOSED:
                self.states.lift(account_scope(name), EXCHANGE_SILENT)

    def _rng(self, name: str) -> random.Random:
        return random_source(self._seed, name)

    # Supervisors

    def _root(self) -> Supervisor:
        children = Children(
            accounts=self.accounts,
            cycles=self.cycles,
            limits=self.limits,
            states=self.states,
            stop_deadline_seconds=lambda: self.settings.runtime.stop_deadline_seconds,
            wall_clock=self._wall_clock,
            seed=self._seed,
            timing=self._timing,
            recorder=self._recorder,
            report=self._report,
            fail=self._fail,
        )
        embedded = [children.exchange(parts) for parts in self.exchanges.values() if parts.settings.is_embedded]
        feeds = [children.feed(parts) for parts in self.exchanges.values()]
        accounts = [children.account(parts) for parts in self.accounts.values()]
        cycles = [children.cycle(parts) for parts in self.cycles.values()]
        groups = [
            *([named(children.journal(self._journal))] if self._journal is not None else []),
            *([self._aside("notifiers", self._notifiers)] if self._notifiers else []),
            *([self._aside("pages", self._pages)] if self._pages else []),
            *([self._controls()] if self._control_actors else []),
            *([self._group("exchanges", embedded, Intensity(restarts_max=0)).as_child()] if embedded else []),
            self._group("feeds", feeds, Intensity()).as_child(),
            self._group("accounts", accounts, Intensity()).as_child(),
            self._group("cycles", cycles, Intensity(), AutoShutdown.ALL_SIGNIFICANT).as_child(restart=Restart.TRANSIENT, significant=True),
        ]
        # A group that gave up is not tried again: whatever it is, it did not get better by restarting its members.
        return Supervisor(
            "root",
            groups,
            strategy=Strategy.REST_FOR_ONE,
            intensity=Intensity(restarts_max=0),
            auto_shutdown=AutoShutdown.ANY_SIGNIFICANT,
            report=self._report,
            rng=self._rng("root"),
        )

    def _group(
        self, name: str, children: Sequence[Child], intensity: Intensity, auto_shutdown: AutoShutdown = AutoShutdown.NEVER
    ) -> Supervisor:
        return Supervisor(
            name,
            [named(child) for child in children],
            strategy=Strategy.ONE_FOR_ONE,
            intensity=intensity,
            auto_shutdown=auto_shutdown,
            when_start_fails=WhenStartFails.RETRY,
            start_concurrently=True,
            report=self._report,
            rng=self._rng(name),
        )

    def _controls(self) -> Child:
        """Before all that takes long to start, so that it can be spoken to meanwhile, and stopped after it. Behind the journal, which
        remembers what is said even during a stop. Nothing waits for it, and a run that cannot be spoken to any more goes on: signals
        still reach it."""
        return self._aside("controls", self._control_actors)

    def _aside(self, name: str, actors: Mapping[str, Callable[[ChildContext], Awaitable[None]]]) -> Child:
        """A group that nothing waits for, and that may give up without the run ending."""
        children = [Child(each, run, stop_deadline_seconds=CHILD_STOP_DEADLINE_SECONDS) for each, run in actors.items()]
        group = self._group(name, children, Intensity())

        async def run(context: ChildContext) -> None:
            context.started()
            await group.run(context)

        return replace(group.as_child(restart=Restart.TEMPORARY), start=run)
