"""Whether what runs goes by the settings that were accepted: by those of the start, with every change that was told of, and no other."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation

import trio

from actors.accounts.limits import RATE_SECONDS
from actors.cycle.quoting.terms import REACT_TO_MOVE_FRACTION, QuotingTerms
from actors.cycle.slots import slot_of
from assembly.limiting import limits_as_written
from assembly.presenter.report import RuntimeStopping
from assembly.reloading.difference import NONE, flat, in_words
from assembly.reloading.events import SettingChanged, SettingsRefused
from assembly.settings import CycleSettings, Settings
from assembly.tree import Tree
from orders.commands import FLATTEN
from orders.events import OrderSubmitted
from soak.checks.ending import TIME_IS_OVER
from soak.worlds.venue import Venue
from soak.worlds.world import World

LOOK_SECONDS = 5.0
RUN_FOR = "runtime.run_for_seconds"
RUN_FOR_SLACK_SECONDS = 1.0


class SettingsInForce:
    """Those of one world's program, which has not started yet. `say` takes what is wrong. Only of worlds with a settings file."""

    def __init__(self, world: World, say: Callable[[str], None]) -> None:
        self._world = world
        self._say = say
        self._accepted: dict[str, str] = {}
        self._largest: dict[str, Decimal] = {}  # position limit of each account in this world
        self._submitted: dict[str, tuple[str, float]] = {}  # account and when, of the last second, by id
        self._doubtful: dict[str, tuple[str, str]] = {}  # account and what is wrong, by id
        self._look_at = 0.0
        self._run_began_at = self._run_for_since = 0.0

    def run_begins(self) -> None:
        """Another run of the program begins: with what its file says, whatever was set before."""
        file = self._world.settings_file
        self._accepted = {} if file is None else {key: in_words(value) for key, value in flat(file.settings(file.table())).items()}
        self._run_began_at = self._run_for_since = trio.current_time()
        self._submitted.clear()
        self._doubtful.clear()
        self._note_position_limits()

    def see(self, event: object) -> None:
        """Something that the program says."""
        match event:
            case SettingChanged():
                if not _is_same(self._accepted.get(event.key), event.before):
                    self._say(f"{event.key} was {self._accepted.get(event.key)}, and is told to have been {event.before}")
                self._accepted[event.key] = event.after
                if event.key == RUN_FOR:
                    self._run_for_since = trio.current_time()
                self._note_position_limits()
                self._look_at = 0.0
            case RuntimeStopping():
                self._judge_stop(event)
            case SettingsRefused():
                self._look_at = 0.0  # it must have left everything as it was
            case OrderSubmitted() if self._accepted:
                self._check(event)
            case _:
                pass

    def look(self) -> None:
        """Compare what runs with what was accepted; often enough."""
        misjudged, self._world.settings_misjudged = self._world.settings_misjudged, []
        for text in misjudged:
            self._say(text)
        self._judge_doubtful()
        self._look_at_time()
        if self._world.settings_file is None or not self._world.is_running or trio.current_time() < self._look_at:
            return
        self._look_at = trio.current_time() + LOOK_SECONDS
        runtime = self._world.runtime
        if runtime is None or runtime.settings_desk is None:
            return
        settings = runtime.settings_desk.settings
        running = {key: in_words(value) for key, value in flat(settings).items()}
        for key in sorted(running.keys() | self._accepted.keys()):
            if not _is_same(running.get(key), self._accepted.get(key)):
                self._say(f"{key} is {running.get(key)}, and {self._accepted.get(key)} was accepted")
        self._compare(runtime.tree, settings)

    def accepted(self, key: str) -> str | None:
        """The value in force of a key, in words; None in a world without a settings file."""
        return self._accepted.get(key)

    def position_max(self, venue: Venue, otherwise: Decimal) -> Decimal:
        """The largest limit that was accepted for an account: what it has bought may be of a time when that one held."""
        return self._largest.get(venue.account, otherwise)

    def _note_position_limits(self) -> None:
        for venue in self._world.venues.values() if self._accepted else ():
            limit = Decimal(self._accepted[f"accounts.{venue.account}.limits.max_position_notional"])
            self._largest[venue.account] = max(limit, self._largest.get(venue.account, limit))

    def _compare(self, tree: Tree, settings: Settings) -> None:
        """What actors are given, and ask for, is what was accepted: that of these settings."""
        for name, cycle in tree.cycles.items():
            terms = (cycle.terms.quote_quantity, cycle.terms.tick_seconds, cycle.terms.rounds_max)
            expected = tuple(self._accepted[f"cycles.{name}.{key}"] for key in ("quantity", "tick_seconds", "cycles"))
            if tuple(in_words(value) for value in terms) != expected:
                self._say(f"cycle {name} goes by {terms}, and {expected} was accepted")
            limits, lost = settings.cycles[name].limits, tree.limits.drawdown(name)
            if lost is not None and lost[1] != limits.drawdown_max:
                self._say(f"cycle {name} goes by a drawdown of {lost[1]}, and {limits.drawdown_max} was accepted")
            if isinstance(cycle.terms, QuotingTerms):
                self._compare_quoting(name, cycle.terms, settings.cycles[name])
        for name in tree.accounts:
            policies, account = tree.accounts[name].policies, settings.accounts[name]
            if (policies.foreign_orders, policies.unexplained_balances) != (account.foreign_orders, account.unexplained_balances):
                self._say(f"account {name} goes by {policies}, and {account} was accepted")
            if tree.limits.own(name) != limits_as_written(settings.accounts[name].limits):
                self._say(f"account {name} keeps to {tree.limits.own(name)}, and {settings.accounts[name].limits} was accepted")
        if tree.limits.program != limits_as_written(settings.limits):
            self._say(f"the program keeps to {tree.limits.program}, and {settings.limits} was accepted")

    def _compare_quoting(self, name: str, terms: QuotingTerms, settings: CycleSettings) -> None:
        limits, move, fills = settings.limits, settings.react_to_move_fraction, settings.react_to_fills
        goes_by = (terms.limits.net_buy_max, terms.limits.net_sell_max, terms.limits.inventory_max)
        if goes_by != (limits.net_buy_max, limits.net_sell_max, limits.inventory_max):
            self._say(f"cycle {name} goes by {terms.limits}, and {limits} was accepted")
        reacts = (REACT_TO_MOVE_FRACTION if move is None else move, fills is not False)
        if (terms.react_to_move_fraction, terms.reacts_to_fills) != reacts:
            self._say(f"cycle {name} goes by {terms.react_to_move_fraction, terms.reacts_to_fills}, and {reacts} was accepted")

    # The run

    def _look_at_time(self) -> None:
        """It has not gone on for longer than it was to."""
        run_for, now = self._accepted.get(RUN_FOR, NONE), trio.current_time()
        if run_for == NONE or not self._world.is_running or self._world.runtime_is_stopping():
            return
        over_at = max(self._run_began_at + float(run_for), self._run_for_since)
        if now > over_at + RUN_FOR_SLACK_SECONDS:
            self._say(f"it goes on {now - self._run_began_at:.1f} s after its start, and run_for_seconds of {run_for} was accepted")

    def _judge_stop(self, event: RuntimeStopping) -> None:
        run_for = self._accepted.get(RUN_FOR, NONE)
        lasted_seconds = trio.current_time() - self._run_began_at
        if event.reason.endswith(TIME_IS_OVER) and (run_for == NONE or lasted_seconds < float(run_for)):
            self._say(f"it stops after {lasted_seconds:.1f} s as {event.reason}, and run_for_seconds of {run_for} was accepted")

    # Orders

    def _check(self, event: OrderSubmitted) -> None:
        """An order has been written down. What would be wrong if it is let through, which is decided in this very step."""
        runtime, order, account = self._world.runtime, event.order, event.account
        if runtime is None or slot_of(order) == FLATTEN:
            return
        wrong: list[str] = []
        most, worth = self._limit(account, "max_order_notional"), order.request.quote_quantity or order.request.notional
        if most is not None and worth is not None and worth > most:
            wrong.append(f"is worth {worth}, and max_order_notional of {account} is {most}")
        now, name = trio.current_time(), order.client_order_id
        self._submitted[name] = account, now
        self._submitted = {
            known: (whose, at)
            for known, (whose, at) in self._submitted.items()
            if at > now - RATE_SECONDS and (known == name or not self._is_refused(whose, known))
        }
        live = {whose: len(parts.ledger.live_orders()) for whose, parts in runtime.tree.accounts.items()}
        for scope in (account, ""):
            of = f"of {scope}" if scope else "of the program"
            most, count = self._limit(scope, "max_open_orders"), live[scope] if scope else sum(live.values())
            if most is not None and count > most:
                wrong.append(f"is the {count}th live order, and max_open_orders {of} is {most}")
            most, count = self._limit(scope, "max_orders_per_second"), sum(scope in ("", whose) for whose, _ in self._submitted.values())
            if most is not None and count > most:
                wrong.append(f"is the {count}th order in a second, and max_orders_per_second {of} is {most}")
        if wrong:
            self._doubtful[name] = account, "; ".join(wrong)

    def _judge_doubtful(self) -> None:
        """Those that should not have been let through and were."""
        doubtful, self._doubtful = self._doubtful, {}
        for name, (account, wrong) in doubtful.items():
            if not self._is_refused(account, name):
                self._say(f"{name} {wrong}")

    def _is_refused(self, account: str, name: str) -> bool:
        """Whether it ended before it left, or is not known any more."""
        runtime = self._world.runtime
        order = None if runtime is None else runtime.tree.accounts[account].ledger.order(name)
        return order is None or (order.is_terminal and not order.sent)

    def _limit(self, account: str, key: str) -> Decimal | None:
        value = self._accepted[f"accounts.{account}.limits.{key}" if account else f"limits.{key}"]
        return None if value == NONE else Decimal(value)


def _is_same(one: str | None, other: str | None) -> bool:
    """In words: a number that is set to itself, written in another way, has not changed."""
    if one is None or other is None or one == other:
        return one == other
    try:
        return Decimal(one) == Decimal(other)
    except InvalidOperation:
        return False
