"""The actors as children of their supervisors: what an incarnation is made of, how long it may take, and who cleans up after it."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import trio

from actors.accounts.actor import AccountActor
from actors.accounts.position_desk import AccountNotTradable
from actors.accounts.timing import AccountTiming
from actors.accounts.trading_states import TradingStates
from actors.channels.reply import Reply
from actors.cycle.quoting.contract import StrategyFailed
from actors.cycle.rounds.actor import BalancesDisagree, InsufficientFunds, QuantityTooSmall
from actors.cycle.rounds.controller import RoundFailed
from actors.feeds.actor import UnknownSymbol, run_feed
from actors.feeds.publisher import FeedSubscriber
from actors.journal.actor import JournalActor
from assembly.cycle_parts import CycleParts
from assembly.journaling import RunJournal
from assembly.limiting import RunLimits
from assembly.parts import AccountParts, ExchangeParts, FactsForAccount, Report, Reporting, random_source
from assembly.presenter.report import ExitStatus
from market.clock import WallClock
from network.backoff import Backoff as NetworkBackoff
from network.rest import RestClient
from orders.commands import CloseOwner
from orders.errors import ErrorKind, ExchangeError
from orders.order import Order
from orders.reconciliation import CycleFinished
from orders.recording import Recorder
from simulated.registry import make_exchange
from supervision.child import Child, ChildContext, CleanupCause, DeathKind, Restart
from supervision.errors import leaf_errors

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

Fail = Callable[[ExitStatus, str], None]


class OrdersLeft(Exception):
    """A cleanup could not confirm the end of every order."""


class Children:
    """Makes them, of what outlives every incarnation.

    `fail` is called when an actor meets what no restart can mend: with a status of USAGE the whole program is to stop, otherwise only
    what met it has ended. `stop_deadline_seconds` is asked for at each cleanup.
    """

    def __init__(
        self,
        *,
        accounts: Mapping[str, AccountParts],
        cycles: Mapping[str, CycleParts],
        limits: RunLimits,
        states: TradingStates,
        stop_deadline_seconds: Callable[[], float],
        wall_clock: WallClock,
        seed: int | str,
        timing: AccountTiming,
        recorder: Recorder,
        report: Report,
        fail: Fail,
    ) -> None:
        self._accounts = accounts
        self._cycles = cycles
        self._limits = limits
        self._states = states
        self._stop_deadline_seconds = stop_deadline_seconds
        self._wall_clock = wall_clock
        self._seed = seed
        self._timing = timing
        self._recorder = recorder
        self._report = report
        self._fail = fail

    def journal(self, journal: RunJournal) -> Child:
        """Significant: what cannot be written down must not happen. The root is stopped with it, every account closed."""

        async def run(context: ChildContext) -> None:
            await JournalActor(store=journal.store, queue=journal.queue, report=self._report).run(context)

        return Child("journal", run, stop_deadline_seconds=JOURNAL_STOP_DEADLINE_SECONDS, liveness_timeout_seconds=JOURNAL_LIVENESS_SECONDS)

    def exchange(self, parts: ExchangeParts) -> Child:
        simulated = make_exchange(parts.name, parts.settings.simulation, clock=self._wall_clock, rng=self._rng(f"exchange:{parts.name}"))

        async def run(context: ChildContext) -> None:
            async with trio.open_nursery() as nursery:
                await nursery.start(parts.serve, simulated)
                context.started()

        return Child(f"exchange:{parts.name}", run, stop_deadline_seconds=CHILD_STOP_DEADLINE_SECONDS)

    def feed(self, parts: ExchangeParts) -> Child:
        symbols_by_cycle = {cycle.name: symbols for cycle in self._cycles.values() if (symbols := cycle.symbols_at(parts.name))}
        subscribers = [
            *(
                FeedSubscriber(
                    name=f"cycle:{name}",
                    sender=self._cycles[name].inbox_sender,
                    symbols=symbols,
                    wants_trades=self._cycles[name].quoting is not None and self._cycles[name].exchange == parts.name,
                )
                for name, symbols in symbols_by_cycle.items()
            ),
            *(
                FeedSubscriber(
                    name=f"account:{account.name}",
                    sender=FactsForAccount(books=account.books_sender, instruments=account.instruments_sender),
                )
                for account in self._accounts.values()
                if account.exchange is parts
            ),
            FeedSubscriber(name="report", sender=Reporting(self._report)),
        ]

        is_traded_on = any(account.exchange is parts for account in self._accounts.values())

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
                    measures=parts.feed_measures,
                    context=context,
                    report=self._report,
                )

        return Child(
            f"feed:{parts.name}",
            self._failing_for_good(run),
            stop_deadline_seconds=CHILD_STOP_DEADLINE_SECONDS,
            liveness_timeout_seconds=FEED_LIVENESS_SECONDS,
        )

    def account(self, parts: AccountParts) -> Child:
        async def run(context: ChildContext) -> None:
            async with parts.open_session() as session:
                actor = AccountActor(
                    session=session,
                    credential=parts.credential,
                    websocket_url=parts.exchange.private_websocket_url,
                    ledger=parts.ledger,
                    gate=parts.gate,
                    states=self._states,
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
                    limits=self._limits.of_account[parts.name],
                    measures=parts.measures,
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

    def cycle(self, parts: CycleParts) -> Child:
        settings = parts.settings
        account = self._accounts[settings.account]

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
                with trio.move_on_after(self._stop_deadline_seconds() / 2):
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

    def _rng(self, name: str) -> random.Random:
        return random_source(self._seed, name)


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
