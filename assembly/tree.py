"""The tree of actors: who supervises whom, who starts after whom, who is cleaned up how.

root                  rest_for_one
├─ journal              what happens, written down before it is acted on; only where something outlives the run
├─ notifiers          who tells a webhook; without it the run goes on
├─ controls           the control socket's server, and who looks at the settings file; without them the run goes on
├─ exchanges          the simulated exchanges that this program embeds
├─ feeds              one per exchange
├─ accounts           one per credential; cleaned up by closing: every order of ours cancelled and confirmed
└─ cycles             one per cycle; cleaned up by having the account close what the cycle owns
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

import trio
from msgspec.structs import replace

from actors.accounts.actor import AccountActor
from actors.accounts.position_desk import AccountNotTradable
from actors.accounts.timing import AccountTiming
from actors.accounts.trading_states import BoardEvent, TradingStates
from actors.channels.reply import Reply
from actors.cycle.quoting.contract import StrategyFailed
from actors.cycle.rounds.actor import BalancesDisagree, InsufficientFunds, QuantityTooSmall
from actors.cycle.rounds.controller import RoundFailed
from actors.cycle.terms import CycleTerms
from actors.feeds.actor import UnknownSymbol, run_feed
from actors.feeds.publisher import FeedSubscriber
from actors.journal.actor import JournalActor
from assembly.cycle_parts import CycleParts, cycle_terms
from assembly.journaling import RunJournal
from assembly.limiting import RunLimits
from assembly.parts import (
    AccountParts,
    ExchangeParts,
    FactsForAccount,
    Report,
    Reporting,
    random_source,
)
from assembly.presenter.report import ExitStatus
from assembly.rate_budgets import RateBudgets
from assembly.settings import Settings
from market.clock import WallClock
from network.backoff import Backoff as NetworkBackoff
from network.breaker import BreakerChanged, BreakerState
from network.rest import RestClient
from orders.commands import CloseOwner
from orders.errors import ErrorKind, ExchangeError
from orders.order import Order
from orders.reconciliation import CycleFinished
from orders.recording import NoRecorder, Recorder
from orders.states import StateEntered, TradingState, account_scope
from simulated.registry import make_exchange
from supervision.child import Child, ChildContext, CleanupCause, DeathKind, Restart
from supervision.errors import leaf_errors
from supervision.intensity import Intensity
from supervision.policy import AutoShutdown, Strategy, WhenStartFails
from supervision.supervisor import Supervisor

# An actor that answers nothing for so long hangs. An account may wait for the exchange through several retries.
FEED_LIVENESS_SECONDS = 30.0
ACCOUNT_LIVENESS_SECONDS = 60.0
# It asks some twenty questions one after the other before it is ready, and each answer may take nearly as long as its time-out.
ACCOUNT_START_DEADLINE_SECONDS = 120.0
CYCLE_LIVENESS_SECONDS = 30.0
JOURNAL_LIVENESS_SECONDS = 30.0
JOURNAL_STOP_DEADLINE_SECONDS = 4.0  # its last writing has two seconds
CHILD_STOP_DEADLINE_SECONDS = 2.0
# A goodbye to an exchange is a courtesy; a stop must not wait long for its answer.
CLOSE_TIMEOUT_SECONDS = 0.5

EXCHANGE_SILENT = "the exchange does not answer"

Fail = Callable[[ExitStatus, str], None]


class OrdersLeft(Exception):
    """A cleanup could not confirm the end of every order."""


class Tree:
    """Everything of one run: its parts and its supervisors.

    `controls` and `notifiers` are actors by name that nothing waits for, and without which trading goes on. `fail` is called when an
    actor meets what no restart can mend: with a status of USAGE the whole program is to stop, otherwise only what met it has ended.
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
    ) -> None:
        self._control_actors = controls or {}
        self.settings = settings
        self._notifiers = notifiers or {}
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

    def _stop_deadline_seconds(self) -> float:
        return self.settings.runtime.stop_deadline_seconds

    def _rng(self, name: str) -> random.Random:
        return random_source(self._seed, name)

    # Supervisors

    def _root(self) -> Supervisor:
        embedded = [self._exchange_child(parts) for parts in self.exchanges.values() if parts.settings.is_embedded]
        feeds = [self._feed_child(parts) for parts in self.exchanges.values()]
        accounts = [self._account_child(parts) for parts in self.accounts.values()]
        cycles = [self._cycle_child(parts) for parts in self.cycles.values()]
        groups = [
            *([self._journal_child(self._journal)] if self._journal is not None else []),
            *([self._aside("notifiers", self._notifiers)] if self._notifiers else []),
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
            children,
            strategy=Strategy.ONE_FOR_ONE,
            intensity=intensity,
            auto_shutdown=auto_shutdown,
            when_start_fails=WhenStartFails.RETRY,
            start_concurrently=True,
            report=self._report,
            rng=self._rng(name),
        )

    # Children

    def _journal_child(self, journal: RunJournal) -> Child:
        """Significant: what cannot be written down must not happen. The root is stopped with it, every account closed."""

        async def run(context: ChildContext) -> None:
            await JournalActor(store=journal.store, queue=journal.queue, report=self._report).run(context)

        return Child("journal", run, stop_deadline_seconds=JOURNAL_STOP_DEADLINE_SECONDS, liveness_timeout_seconds=JOURNAL_LIVENESS_SECONDS)

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

    def _exchange_child(self, parts: ExchangeParts) -> Child:
        simulated = make_exchange(parts.name, parts.settings.simulation, clock=self._wall_clock, rng=self._rng(f"exchange:{parts.name}"))

        async def run(context: ChildContext) -> None:
            async with trio.open_nursery() as nursery:
                await nursery.start(parts.serve, simulated)
                context.started()

        return Child(f"exchange:{parts.name}", run, stop_deadline_seconds=CHILD_STOP_DEADLINE_SECONDS)

    def _feed_child(self, parts: ExchangeParts) -> Child:
        symbols_by_cycle = {cycle.name: symbols for cycle in self.cycles.values() if (symbols := cycle.symbols_at(parts.name))}
        subscribers = [
            *(
                FeedSubscriber(
                    name=f"cycle:{name}",
                    sender=self.cycles[name].inbox_sender,
                    symbols=symbols,
                    wants_trades=self.cycles[name].quoting is not None and self.cycles[name].exchange == parts.name,
                )
                for name, symbols in symbols_by_cycle.items()
            ),
            *(
                FeedSubscriber(
                    name=f"account:{account.name}",
                    sender=FactsForAccount(books=account.books_sender, instruments=account.instruments_sender),
                )
                for account in self.accounts.values()
                if account.exchange is parts
            ),
            FeedSubscriber(name="report", sender=Reporting(self._report)),
        ]

        is_traded_on = any(account.exchange is parts for account in self.accounts.values())

        async def run(context: ChildContext) -> None:
            if not is_traded_on:
                # Nobody's orders wait for an exchange that is only looked at: leftovers elsewhere must be cancelled although it is down.
                context.started()
            async with parts.open_http() as http:
                await run_feed(
                    codec=parts.feed_codec,
                    rest=RestClient(http, parts.limits, rng=self._rng(f"feed:{parts.name}")),
                    open_stream=partial(
                        parts.limits.open_websocket,
                        parts.public_websocket_url,
                        headers=parts.feed_codec.websocket_headers,
                        close_timeout_seconds=CLOSE_TIMEOUT_SECONDS,
                    ),
                    symbols=list(dict.fromkeys(symbol for symbols in symbols_by_cycle.values() for symbol in sorted(symbols, key=str))),
                    subscribers=subscribers,
                    wall_clock=self._wall_clock,
                    rng=self._rng(f"feed:{parts.name}:{context.incarnation}"),
                    settings=parts.feed_settings,
                    context=context,
                    report=self._report,
                )

        return Child(
            f"feed:{parts.name}",
            self._failing_for_good(run),
            stop_deadline_seconds=CHILD_STOP_DEADLINE_SECONDS,
            liveness_timeout_seconds=FEED_LIVENESS_SECONDS,
        )

    def _account_child(self, parts: AccountParts) -> Child:
        async def run(context: ChildContext) -> None:
            async with parts.open_session() as session:
                actor = AccountActor(
                    session=session,
                    credential=parts.credential,
                    websocket_url=parts.exchange.private_websocket_url,
                    ledger=parts.ledger,
                    gate=parts.gate,
                    states=self.states,
                    commands=parts.commands,
                    instruments=parts.instruments,
                    rules=parts.rules,
                    switch=parts.switch,
                    symbols=parts.symbols,
                    leverage=parts.settings.leverage,
                    inboxes=parts.inboxes,
                    recorder=parts.recorder,
                    memory=parts.memory,
                    policies=parts.policies,
                    limits=self.limits.of_account[parts.name],
                    timing=self._timing,
                    backoff=NetworkBackoff(0.25, 2.0, 20.0, 0.5, self._rng(f"account:{parts.name}:{context.incarnation}")),
                    report=self._report,
                )
                await actor.run(context)

        async def clean_up(_: CleanupCause) -> None:
            await parts.closer.end()

        return Child(
            f"account:{parts.name}",
            self._failing_for_good(run),
            start_deadline_seconds=ACCOUNT_START_DEADLINE_SECONDS,
            stop_deadline_seconds=CHILD_STOP_DEADLINE_SECONDS,
            cleanup=clean_up,
            cleanup_deadline_seconds=self._stop_deadline_seconds,
            liveness_timeout_seconds=ACCOUNT_LIVENESS_SECONDS,
        )

    def _cycle_child(self, parts: CycleParts) -> Child:
        settings = parts.settings
        account = self.accounts[settings.account]

        async def run(context: ChildContext) -> None:
            actor = parts.make_actor(
                may_amend=account.codec.capabilities.amend,
                commands=account.commands_sender,
                wall_clock=self._wall_clock,
                recorder=self._recorder,
                report=self._report,
            )
            try:
                await actor.run(context)
            except (InsufficientFunds, RoundFailed, BalancesDisagree, StrategyFailed) as error:
                # No restart mends this. The cycle ends; the others go on, and the exit status says it.
                completed = parts.memory.rounds_completed
                self._report(CycleFinished(account=account.name, cycle=parts.name, cycles_completed=completed, reason=str(error)))
                self._fail(ExitStatus.FAILED, str(error))

        async def clean_up(cause: CleanupCause) -> None:
            if cause.kind is DeathKind.STOPPED:
                return  # the program stops: its accounts are being closed, with all that is in them
            left: tuple[Order, ...] = ()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(cancel_when_account_closes, nursery)
                left = await close_orders_of_cycle()
                nursery.cancel_scope.cancel("the account has answered")
            if left:
                raise OrdersLeft(f"cycle {parts.name}: {', '.join(order.client_order_id for order in left)}")

        async def close_orders_of_cycle() -> tuple[Order, ...]:
            """Those whose end was not confirmed. An account that died meanwhile does not answer: it is asked again."""
            while True:
                reply = Reply[tuple[Order, ...]]()
                await account.commands_sender.send(CloseOwner(parts.name, reply))
                with trio.move_on_after(self.settings.runtime.stop_deadline_seconds / 2):
                    return await reply.wait()

        async def cancel_when_account_closes(nursery: trio.Nursery) -> None:
            await account.gate.wait_closed()
            nursery.cancel_scope.cancel("the program stops, and closes the whole account")

        return Child(
            f"cycle:{parts.name}",
            self._failing_for_good(run),
            restart=Restart.TRANSIENT,
            significant=True,
            stop_deadline_seconds=CHILD_STOP_DEADLINE_SECONDS,
            cleanup=clean_up,
            cleanup_deadline_seconds=self._stop_deadline_seconds,
            liveness_timeout_seconds=CYCLE_LIVENESS_SECONDS,
        )

    def _failing_for_good(self, run: Callable[[ChildContext], Awaitable[None]]) -> Callable[[ChildContext], Awaitable[None]]:
        """`run`, but what only a person can mend stops the program instead of being restarted."""

        async def start(context: ChildContext) -> None:
            try:
                await run(context)
            except (UnknownSymbol, QuantityTooSmall, AccountNotTradable, ExchangeError, ExceptionGroup) as error:
                message = _only_a_person_can_mend(error)
                if message is None:
                    raise
                self._fail(ExitStatus.USAGE, message)
                await trio.sleep_forever()  # until the stop that this has caused

        return start


def credential_refused(error: ExchangeError) -> str:
    """What to tell the person whose key it is."""
    return f"the exchange refuses the credential: {error}; check the key, its secret, its permissions and its IP whitelist"


def _only_a_person_can_mend(error: BaseException) -> str | None:
    """What to tell the person; None if a restart may help."""
    for leaf in leaf_errors(error):
        if isinstance(leaf, UnknownSymbol | QuantityTooSmall | AccountNotTradable):
            return str(leaf)
        if isinstance(leaf, ExchangeError) and leaf.kind is ErrorKind.AUTHENTICATION:
            return credential_refused(leaf)
    return None
