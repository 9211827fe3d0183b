"""What has been lost, by the exchanges' own trades, against the limits of losses: the drawdown of a cycle, the daily loss of an account
and of the whole program.

A limit must have struck once a loss has been beyond it for some seconds in which the program could know; one that it claims must be
there to the last digit; and what has struck holds, over restarts and kills, until a person lifts it. What may leave in the state that
it leads to is looked at as of every state (`soak/checks/watcher.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import partial
from math import inf

import trio

from assembly.reloading.events import SettingChanged
from assembly.settings import Settings
from market.events import BookChanged, BookLost, Side
from orders.events import AccountLost, AccountReady, OrderFilled, OrderSubmitted
from orders.losses import day_of
from orders.order import ZERO
from orders.states import GLOBAL, StateEntered, TradingState, account_scope, cycle_scope
from simulated.engine.events import EngineEvent, TradeMade
from soak.checks.beliefs import LOSING_RECORDS, STATE_SECONDS_TO_BE_WRITTEN
from soak.checks.ending import Explanations
from soak.checks.loss_reference import LATE_SECONDS, Reference, Worth
from soak.checks.middles import LastMiddles, Middles
from soak.checks.money import Money
from soak.checks.quoting import Traded
from soak.options import Options
from soak.worlds.world import World

FORGOTTEN_SHARE = Decimal("0.01")  # of the limit: a peak that is higher by less is not written down
SAME = Decimal("0.000001")  # in quote units: what the program divides on the way it rounds
PERSONS = ("the plan", "nothing is wrong any more", "by ", "flattened by ")
CLAIM = re.compile(r"lost (?P<lost>\S+) \w+ (?:today|of the highest profit of (?P<peak>\S+)), (?P<limit>(?:global )?\w+) is (?P<most>\S+)")
DRAWDOWN, DAILY_LOSS, GLOBAL_DAILY_LOSS = "drawdown_max", "max_daily_loss", "global max_daily_loss"
ALL: tuple[str, ...] = tuple(
    f"{limit} {state.value}"
    for limit in (DRAWDOWN, DAILY_LOSS, GLOBAL_DAILY_LOSS)
    for state in (TradingState.HALTED, TradingState.REDUCE_ONLY)
)
"""What limits of losses can do, by the names that reports have for it."""


class _Limited:
    """One scope with its limit. `parts` are the accounts, or the cycle, whose losses count together."""

    def __init__(self, scope: str, limit: str, parts: Iterable[str]) -> None:
        self.scope = scope
        self.limit = limit
        self.references = {part: Reference(rises=limit == DRAWDOWN) for part in parts}
        self.most: Decimal | None = None
        self.state = TradingState.HALTED
        self.day = ""
        self.claimed: TradingState | None = None  # the state that it is in for its loss, until a person lifts that
        self.claimed_at = -inf
        self.is_written = True  # what was claimed, for sure
        self.beyond_since = inf

    def __str__(self) -> str:
        return self.limit if self.scope == GLOBAL else f"{self.limit} of {self.scope}"


class Losses:
    """Those of one world, whose program has not started yet. `money` by exchange; `say` takes what is wrong."""

    def __init__(
        self, world: World, options: Options, explanations: Explanations, money: Mapping[str, Money], say: Callable[[str], None]
    ) -> None:
        self.struck: dict[str, int] = {}
        """How often each limit struck, by the names of `ALL`."""
        self._world = world
        self._options = options
        self._explanations = explanations
        self._money = {venue.account: money[name] for name, venue in world.venues.items()}
        self._say = say
        self._loses_records = not LOSING_RECORDS.isdisjoint(options.kinds)
        self._jumps = "jump_own_clock" in options.kinds
        self._cycles = {cycle.place.cycle: cycle.place for cycle in options.cycles}
        self._exchanges = {venue.account: name for name, venue in world.venues.items()}
        self._traded = {name: Traded() for name in self._cycles}
        self._middles = LastMiddles()
        self._ready: set[str] = set()
        self._is_first_run = True
        self._held_up_until = -inf
        self._limited = {
            limited.scope: limited
            for limited in (
                *(_Limited(cycle_scope(name), DRAWDOWN, (name,)) for name in self._cycles),
                *(_Limited(account_scope(account), DAILY_LOSS, (account,)) for account in self._exchanges),
                _Limited(GLOBAL, GLOBAL_DAILY_LOSS, self._exchanges),
            )
        }
        self._in_force: list[_Limited] = []
        self._states: dict[str, TradingState] = {}
        for venue in world.venues.values():
            venue.control.engine.subscribe(partial(self._count_trade, venue.name), [TradeMade])

    def run_begins(self) -> None:
        """Another run of the program begins."""
        world, lost_seconds = self._world, 0.0 if self._world.report is not None else STATE_SECONDS_TO_BE_WRITTEN
        self._ready.clear()
        self._middles.clear()
        self._held_up_until = -inf
        for limited in self._limited.values():
            limited.beyond_since = inf
            if self._loses_records or limited.claimed_at > trio.current_time() - lost_seconds:
                limited.is_written = False
            for reference in limited.references.values():
                reference.forget(seconds=lost_seconds, least=(limited.most or ZERO) * FORGOTTEN_SHARE)
                if self._loses_records and not self._is_first_run:
                    reference.begin_anew(None, is_sure=False)
        file = world.settings_file
        self._go_by(self._options.settings(world) if file is None else file.settings(file.table()))
        self._is_first_run = False

    def held_up(self, seconds: float) -> None:
        """Some of the program's tasks stand still for so long, or have to begin again."""
        self._held_up_until = max(self._held_up_until, trio.current_time() + seconds + LATE_SECONDS)

    def see(self, event: object) -> None:
        """Something that the program says."""
        match event:
            case BookChanged() | BookLost():
                self._middles.see(event)
                self._note()
            case AccountReady():
                self._ready.add(event.account)
            case AccountLost():
                self._ready.discard(event.account)
            case OrderFilled() | OrderSubmitted():
                self._note()
            case StateEntered():
                self._note()
                self._enter(event)
            case SettingChanged():
                runtime = self._world.runtime
                if runtime is not None and runtime.settings_desk is not None:
                    self._go_by(runtime.settings_desk.settings)
            case _:
                pass

    def look(self) -> None:
        """Every loss beyond its limit has struck, and what has struck holds."""
        runtime = self._world.runtime
        if runtime is None or not self._world.is_running or self._world.runtime_is_stopping():
            return
        self._note()
        declared, now = runtime.tree.states.declared(), trio.current_time()
        for limited in self._limited.values():
            entered = declared.get(limited.scope)
            state = TradingState.RUN if entered is None else entered.state
            if limited.claimed is not None and state is not limited.claimed:
                if limited.is_written:
                    self._tell(f"{limited.scope} was {limited.claimed.value} for its losses, and is {state.value}: nobody has lifted it")
                limited.claimed = None
                self._begin_anew(limited, is_sure=False)
            elif now - limited.beyond_since > LATE_SECONDS:
                if state.strictness < limited.state.strictness:
                    self._tell(
                        f"{limited} is {limited.most}, and {self._lost_at_least(limited):.6f} has been lost by the exchange's trades, "
                        f"for {now - limited.beyond_since:.1f} s: it is {state.value}, and not {limited.state.value}"
                    )
                limited.beyond_since = inf

    # What it keeps to

    def _go_by(self, settings: Settings) -> None:
        for limited in self._limited.values():
            name = limited.scope.partition(":")[2]
            if limited.limit == DRAWDOWN:
                of_cycle = settings.cycles[name].limits
                most, state = of_cycle.drawdown_max, of_cycle.on_drawdown.state
            else:
                limits = settings.limits if limited.scope == GLOBAL else settings.accounts[name].limits
                most, state = limits.max_daily_loss, limits.on_daily_loss.state
            if limited.most is None and not self._is_first_run:
                self._begin_anew(limited, is_sure=False)  # what was not limited was not looked at
            limited.most, limited.state, limited.beyond_since = most, state, inf
        self._in_force = [limited for limited in self._limited.values() if limited.most is not None]

    # What is lost

    def _note(self) -> None:
        """How things stand in this moment, for each limit that there is."""
        runtime, now = self._world.runtime, trio.current_time()
        if runtime is None or not self._in_force or not self._world.is_running:
            return
        runs = not self._world.runtime_is_stopping() and now > self._held_up_until
        declared = runtime.tree.states.declared()
        today = day_of(self._world.program_clock.milliseconds())
        for limited in self._in_force:
            if limited.limit != DRAWDOWN and limited.day != today:
                if limited.day:
                    self._begin_anew(limited, is_sure=not self._jumps)
                limited.day = today
            worths = {part: self._worth(limited, part) for part in limited.references}
            looks = runs and limited.claimed is None and None not in worths.values() and self._is_ready(limited)
            for part, worth in worths.items():
                reference = limited.references[part]
                if worth is not None:
                    # Who is struck, and is held back by somebody again as soon as that is lifted, has not begun anew yet.
                    reference.note(worth, looks=looks and (reference.is_settled or limited.scope not in declared))
            is_known = looks and all(worth is not None and worth.knows_all for worth in worths.values())
            if is_known and limited.most is not None and self._lost_at_least(limited) > limited.most:
                limited.beyond_since = min(limited.beyond_since, now)
            else:
                limited.beyond_since = inf

    def _lost_at_least(self, limited: _Limited) -> Decimal:
        worths = {part: self._worth(limited, part) for part in limited.references}
        if not all(reference.is_settled for reference in limited.references.values()):
            return ZERO
        return sum((limited.references[part].low - worth.real[1] for part, worth in worths.items() if worth is not None), ZERO)

    def _is_ready(self, limited: _Limited) -> bool:
        """Whether every account of it is there, so that the program looks for sure; while one is not, it may."""
        accounts = {self._account_of_cycle(part) for part in limited.references} if limited.limit == DRAWDOWN else limited.references.keys()
        return self._ready.issuperset(accounts)

    def _account_of_cycle(self, name: str) -> str:
        return self._cycles[name].venue(self._world).account

    def _worth(self, limited: _Limited, part: str) -> Worth | None:
        """Of a cycle or an account; None if the program cannot know it, which then does not look."""
        return self._worth_of_cycle(part) if limited.limit == DRAWDOWN else self._worth_of_account(part)

    def _worth_of_cycle(self, name: str) -> Worth | None:
        place, runtime = self._cycles[name], self._world.runtime
        middles = self._middles.of(place.exchange, place.symbol)
        if middles is None or runtime is None:
            return None
        account, traded = runtime.tree.accounts[self._account_of_cycle(name)], self._traded[name]
        if not account.limited.has_compared:
            return None
        tally = account.ledger.tally(name, place.symbol)
        cash_known = tally.sold_quote - tally.bought_quote - tally.fees.get(place.symbol.quote, ZERO)
        real = _between(
            traded.inventory, middles, traded.quote[Side.SELL] - traded.quote[Side.BUY] - traded.fees.get(place.symbol.quote, ZERO)
        )
        known = _between(tally.bought_quantity - tally.sold_quantity - tally.base_fees, middles, cash_known)  # by what it has counted
        knows_all = (tally.trades, tally.bought_quote, tally.sold_quote) == (traded.trades, traded.quote[Side.BUY], traded.quote[Side.SELL])
        return Worth(real, known, knows_all)

    def _worth_of_account(self, account: str) -> Worth | None:
        runtime, exchange = self._world.runtime, self._exchanges[account]
        if runtime is None or not runtime.tree.accounts[account].limited.has_compared:
            return None
        real, known = self._money[account].traded, runtime.tree.accounts[account].ledger.fill_changes()
        quote = next(place.symbol.quote for place in self._cycles.values())
        worths = [(changes.get(quote, ZERO), changes.get(quote, ZERO)) for changes in (real, known)]
        for symbol in {place.symbol: None for place in self._cycles.values() if place.exchange == exchange}:
            middles = self._middles.of(exchange, symbol)
            for number, changes in enumerate((real, known)):
                if held := changes.get(symbol.base, ZERO):
                    if middles is None:
                        return None
                    lowest, highest = _between(held, middles)
                    worths[number] = (worths[number][0] + lowest, worths[number][1] + highest)
        knows_all = all(real.get(asset, ZERO) == known.get(asset, ZERO) for asset in {*real, *known})
        return Worth(worths[0], worths[1], knows_all)

    def _count_trade(self, exchange: str, event: EngineEvent) -> None:
        assert isinstance(event, TradeMade)
        trade, venue = event.trade, self._world.venues[exchange]
        for party, side in ((trade.taker, trade.taker_side), (trade.maker, trade.taker_side.opposite)):
            owner = venue.owner(party.client_id) if venue.is_ours(party.client_id) else ""
            if owner in self._traded:
                self._traded[owner].add(event, party, side)

    # What is said of it

    def _enter(self, event: StateEntered) -> None:
        before, self._states[event.scope] = self._states.get(event.scope, TradingState.RUN), event.state
        found, limited = CLAIM.match(event.reason), self._limited.get(event.scope)
        if found is not None and limited is not None:
            self._judge(limited, event, found)
            return
        if event.state.strictness < before.strictness and not event.reason.startswith(PERSONS):
            self._tell(f"{event.scope} was {before.value}, and is {event.state.value} without anybody who lifted it: {event.reason}")
        if limited is None:
            return
        if event.state is TradingState.RUN:
            self._begin_anew(limited, is_sure=limited.claimed is not None and limited.is_written)
            limited.claimed = None
        elif limited.claimed is not None:
            limited.claimed = event.state

    def _judge(self, limited: _Limited, event: StateEntered, found: re.Match[str]) -> None:
        """A limit is said to have struck."""
        name = f"{limited.limit} {event.state.value}"
        self.struck[name] = self.struck.get(name, 0) + 1
        limited.claimed, limited.claimed_at, limited.is_written = event.state, trio.current_time(), True
        lost, most = Decimal(found["lost"]), Decimal(found["most"])
        if (found["limit"], most, event.state) != (limited.limit, limited.most, limited.state) or lost <= most:
            self._tell(f"{event.scope} is {event.state.value}: {event.reason}; {limited} is {limited.most}, for {limited.state.value}")
        worths = {part: self._worth(limited, part) for part in limited.references}
        known = {part: worth.real for part, worth in worths.items() if worth is not None and worth.knows_all}
        if len(known) < len(worths):
            return
        most_lost = sum((limited.references[part].high - low for part, (low, _) in known.items()), ZERO)
        if lost > most_lost + SAME:
            self._tell(f"{event.scope} is said to have {event.reason}; by the exchange's trades it is {most_lost:.8f} at most")
        lowest, highest = sum((low for low, _ in known.values()), ZERO), sum((high for _, high in known.values()), ZERO)
        if found["peak"] is not None and not lowest - SAME <= Decimal(found["peak"]) - lost <= highest + SAME:
            between = f"{lowest:.8f}" if lowest == highest else f"between {lowest:.8f} and {highest:.8f}"
            self._tell(f"{event.scope} is said to have {event.reason}; by the exchange's trades its profit is {between} now")

    def _begin_anew(self, limited: _Limited, *, is_sure: bool) -> None:
        limited.beyond_since = inf
        for part, reference in limited.references.items():
            reference.begin_anew(self._worth(limited, part), is_sure=is_sure)

    def _tell(self, text: str) -> None:
        if self._explanations.explains_disagreement() is None:
            self._say(text)


def _between(held: Decimal, middles: Middles, cash: Decimal = ZERO) -> tuple[Decimal, Decimal]:
    """So much, at least and at most, at what may be the last middle."""
    worths = (held * middles.lowest + cash, held * middles.highest + cash)
    return min(worths), max(worths)
