"""What outlives every incarnation of a cycle, and the actor that is made of it at each start."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from actors.channels.bounded import BoundedSender
from actors.channels.latest import LatestReceiver, LatestSender, open_latest
from actors.cycle.inbox import CycleInput, inbox_key
from actors.cycle.quoting.actor import Market, QuotingActor
from actors.cycle.quoting.memory import QuotingMemory
from actors.cycle.quoting.terms import REACT_TO_MOVE_FRACTION, QuotingTerms
from actors.cycle.rounds.actor import CycleActor
from actors.cycle.rounds.memory import CycleMemory
from actors.cycle.terms import CycleTerms, StrategyLimits, TermsChanged
from actors.journal.recovery import CycleRecovery
from assembly.registry import STRATEGIES
from assembly.settings import CycleSettings, Settings
from assembly.strategies import StrategyEntry, StrategyKind
from market.clock import WallClock
from market.symbol import Symbol
from orders.commands import AccountCommand
from orders.identity import ClientOrderIds
from orders.recording import Recorder

INBOX_KEYS_MAX = 20_000


class CycleParts:
    """One cycle: what it goes by, what it remembers, its inbox, and its order ids.

    `exchange` is where it trades, `reference` the market that a quoting strategy is shown besides. `quoting` is what such a one
    remembers; one that trades in rounds remembers in `memory`.
    """

    def __init__(
        self,
        name: str,
        settings: CycleSettings,
        *,
        terms: CycleTerms[Any],
        exchange: str,
        reference: tuple[str, Symbol] | None = None,
        installation: str,
        wall_clock: WallClock,
        recovered: CycleRecovery | None,
    ) -> None:
        self.name = name
        self.settings = settings
        self.terms = terms
        """What the next incarnation begins with. `change` tells the living one."""
        self.exchange = exchange
        self.reference = None if reference is None else Market(*reference)
        self.memory = CycleMemory()
        self.quoting: QuotingMemory | None = None
        if isinstance(terms, QuotingTerms):
            self.quoting = QuotingMemory()
            self.memory.round_number = 0
        elif recovered is not None and recovered.symbol == settings.symbol:
            _remember(self.memory, recovered)
        self.ids = ClientOrderIds(installation=installation, owner=name, run_started_milliseconds=wall_clock.milliseconds())
        ends: tuple[LatestSender[CycleInput], LatestReceiver[CycleInput]] = open_latest(inbox_key, INBOX_KEYS_MAX)
        self.inbox_sender, self.inbox = ends

    def symbols_at(self, exchange: str) -> frozenset[Symbol]:
        """What it must hear of from the feed of an exchange."""
        own = {self.settings.symbol} if exchange == self.exchange else set[Symbol]()
        shown = {self.reference.symbol} if self.reference is not None and exchange == self.reference.exchange else set[Symbol]()
        return frozenset(own | shown)

    def change(self, settings: CycleSettings, terms: CycleTerms[Any]) -> None:
        """Go by other settings, of the same account and symbol: the living incarnation from its next decision on, and every later one."""
        self.settings, self.terms = settings, terms
        self.inbox_sender.send_nowait(TermsChanged(terms))

    def make_actor(
        self,
        *,
        may_amend: bool,
        commands: BoundedSender[AccountCommand],
        wall_clock: WallClock,
        recorder: Recorder,
        report: Any,
    ) -> CycleActor | QuotingActor:
        """An incarnation, for one start."""
        if self.quoting is not None and isinstance(self.terms, QuotingTerms):
            return QuotingActor(
                name=self.name,
                account=self.settings.account,
                market=Market(self.exchange, self.settings.symbol),
                reference=self.reference,
                terms=self.terms,
                may_amend=may_amend,
                memory=self.quoting,
                ids=self.ids,
                inbox=self.inbox,
                commands=commands,
                report=report,
            )
        return CycleActor(
            name=self.name,
            account=self.settings.account,
            symbol=self.settings.symbol,
            terms=self.terms,
            memory=self.memory,
            ids=self.ids,
            inbox=self.inbox,
            commands=commands,
            wall_clock=wall_clock,
            recorder=recorder,
            report=report,
        )


def strategy_of(settings: Settings, cycle: str) -> StrategyEntry:
    """The strategy of a cycle: the program's, or its user's own."""
    name = settings.cycles[cycle].strategy
    return settings.own_strategies.get(name) or STRATEGIES[name]


def cycle_terms(settings: Settings, name: str) -> CycleTerms[Any]:
    """What a cycle goes by. Raises whatever a strategy raises that cannot be made from its parameters."""
    cycle, entry = settings.cycles[name], strategy_of(settings, name)
    terms: CycleTerms[Any] = CycleTerms(
        strategy=entry.make(msgspec.convert(cycle.parameters, entry.parameters, from_attributes=True)),
        quote_quantity=cycle.quantity,
        rounds_max=cycle.cycles,
        tick_seconds=cycle.tick_seconds,
        book_age_seconds_max=settings.exchanges[settings.exchange_of(name)].book_max_age_seconds,
        limits=StrategyLimits(
            net_buy_max=cycle.limits.net_buy_max,
            net_sell_max=cycle.limits.net_sell_max,
            inventory_max=cycle.limits.inventory_max,
            drawdown_max=cycle.limits.drawdown_max,
        ),
    )
    if entry.kind is StrategyKind.ROUNDS:
        return terms
    reference = settings.reference_of(name)
    reference_exchange = settings.exchange_of(name) if reference is None else reference[0]
    return QuotingTerms(
        **msgspec.structs.asdict(terms),
        react_to_move_fraction=REACT_TO_MOVE_FRACTION if cycle.react_to_move_fraction is None else cycle.react_to_move_fraction,
        reacts_to_fills=cycle.react_to_fills is not False,
        reference_age_seconds_max=settings.exchanges[reference_exchange].book_max_age_seconds,
    )


def _remember(memory: CycleMemory, recovered: CycleRecovery) -> None:
    """Go on where the last run stopped: with its round, if it was in the middle of one, and with what it had left over."""
    memory.carried_quantity = recovered.carried_quantity
    round_in_progress = recovered.in_progress
    if round_in_progress is not None:
        memory.round_number = recovered.round_number
        # What was paid for positions is counted anew with each run; before it, it is in the balances all the same.
        memory.before = replace(round_in_progress.before, funding={})
        memory.started_at_milliseconds = round_in_progress.started_at_milliseconds
        for order in round_in_progress.orders:
            memory.keep_order(order)
