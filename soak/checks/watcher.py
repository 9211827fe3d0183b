"""What must be true of a world at every moment, whatever goes wrong in it.

It is checked against the exchanges' own state whenever the program reports anything, whenever an exchange accepts an order of
ours, and five times a second in between if anything was told (every second if not). What is said of orders that are live holds
while the program lives: one that was killed has forgotten what it had not written, until its account is ready again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal

import trio

from actors.accounts.events import OwnerFlattened
from actors.cycle.quoting.risk import RiskMeasured
from actors.cycle.slots import slot_of
from assembly.cycle_parts import INBOX_KEYS_MAX
from assembly.parts import COMMANDS_CAPACITY, AccountParts
from assembly.presenter.report import RuntimeStopping
from market.events import BookChanged, MarkPriceChanged, Side, TickerChanged, TradeHappened
from market.symbol import Symbol
from orders.commands import FLATTEN
from orders.events import AccountReady, OrderSubmitted
from orders.identity import owner_of
from orders.ledger import ENDED_ORDERS_KEPT_MAX
from orders.life_cycle import OrderState
from orders.order import ZERO
from orders.reconciliation import CycleFinished
from simulated.engine.events import EngineEvent, LevelChanged, OrderChange, OrderChanged, TradeMade
from simulated.engine.order import Order
from soak.checks.amendments import Amendments, hearing_of_amendments
from soak.checks.beliefs import Beliefs
from soak.checks.budgets import Budgets
from soak.checks.claims import untrue_claim
from soak.checks.departures import LOOK_SECONDS, Departures
from soak.checks.ending import Explanations
from soak.checks.flattening import Flattening
from soak.checks.losses import Losses
from soak.checks.memory import too_large
from soak.checks.money import Money
from soak.checks.quoting import QuotingFacts
from soak.checks.settings_in_force import SettingsInForce
from soak.checks.terms_in_force import TermsInForce
from soak.faults.kinds import KINDS
from soak.faults.strike import Group
from soak.options import Options
from soak.worlds.venue import Venue
from soak.worlds.world import World
from supervision.events import CleanupFinished

LOOKS_WITHOUT_NEWS_MAX = 5
BOUNDS_LOOK_SECONDS = 5.0
MEMORY_LOOK_SECONDS = 300.0
LATENCY_SECONDS_BUNCHING = 0.06
BUNCHING = (Group.NETWORK, Group.LOAD, Group.CRASH)
BUNCHING_KINDS = ("delay_requests", "slow_order_entry", "repeat_requests", "repeat_placements", "lose_placements", "signals_to_force")
WINDOW_SECONDS_MAX = 10.0  # of the documented limits
# Of one cycle: what it holds may have grown in worth since it was bought, and the touch may move between our look and theirs.
EXPOSURE_SLACK = Decimal("1.1")
SOCKETS_PER_EXCHANGE_MAX = 40
TOLD_AT_ONCE_MAX = 2_000  # besides news of markets

Intent = tuple[str, str]
"""An owner and one of its slots: it has one live order at most."""


class Watcher:
    """Looks at one world, whose program has not started yet."""

    def __init__(self, world: World, options: Options, explanations: Explanations, money: Mapping[str, Money]) -> None:
        self.found: list[str] = []
        """What was wrong, oldest first; `check` raises for the first."""
        self.orders_accepted = 0
        self.trades = 0
        self._world = world
        self._options = options
        self._explanations = explanations
        self._over_limits: dict[str, int] = {}
        self._news = True  # something was told since the last look at all orders
        self._told_at, self._told_at_once = -1.0, 0
        self._is_spinning = trio.Event()
        self._run_began_at = 0.0
        self._runs = 0
        self._hands = {place.cycle for place in options.hands}
        self._wire_bunches = _bunches_requests(options)
        # Base units by holder, by the exchange's trades.
        self._held: dict[str, defaultdict[str, Decimal]] = {name: defaultdict(Decimal) for name in world.venues}
        # Who quotes sells what it never bought; of contracts so does whoever shares a position with it.
        self._may_be_short = {
            name: {
                _holder(venue, cycle.place.symbol, cycle.place.cycle)
                for cycle in options.cycles
                if cycle.quotes and cycle.place.exchange == name
            }
            for name, venue in world.venues.items()
        }
        self._intents: dict[str, Intent] = {}  # of every order that the program has submitted, in whichever run
        self._ready: set[str] = set()
        self._bounds_looked_at = 0.0
        self._memory_looked_at = 0.0
        self._amending: dict[str, set[str]] = defaultdict(set)  # seen at the last look, by exchange
        self._left_open: dict[str, set[str]] = {}  # by an earlier run, by account
        self._beliefs = Beliefs(world, options, self._say)
        self._settings = SettingsInForce(world, self._say)
        self.terms = TermsInForce(world, options, self._say)
        self.flattening = Flattening(world, options, self._settings, self._say)
        self.quoting = QuotingFacts(world, options, explanations, self._say)
        self.losses = Losses(world, options, explanations, money, self._say)
        self._budgets = Budgets(world, options, self._say)
        self._departures = Departures(world, options, self._say)
        self._amendments = Amendments(world, self._departures.reducing, self._say, self._amended)
        world.observers.append(self._see)
        for venue in world.venues.values():
            listener = _EngineListener(self, venue)
            venue.control.engine.subscribe(listener.hear_level, [LevelChanged])
            venue.control.engine.subscribe(listener.hear, [TradeMade, OrderChanged])

    def run_begins(self) -> None:
        """Another run of the program begins."""
        self._runs += 1
        self._run_began_at = trio.current_time()
        self._ready.clear()
        for venue in self._world.venues.values():
            self._left_open[venue.account] = {venue.client_order_id(order.client_id) for order in venue.open_orders()}
        self._beliefs.run_begins()
        self._settings.run_begins()
        self.flattening.run_begins()
        self.losses.run_begins()
        self.quoting.run_begins()
        self._budgets.run_begins()
        self._departures.run_begins()

    async def watch(self) -> None:
        """Look again and again until cancelled; raises `Violation`."""
        looks = 0
        with hearing_of_amendments(self._amendments.left):
            while True:
                await trio.sleep(LOOK_SECONDS)
                looks += 1
                # Whatever moves an order is told, by the program or by the exchange. If something was not, it is seen a second later.
                self.check(of_orders_too=self._news or looks % LOOKS_WITHOUT_NEWS_MAX == 0)

    async def watch_pace(self) -> None:
        """Wait until the program spins, for then no time passes and nobody looks; raises `Violation`."""
        await self._is_spinning.wait()
        self.check()

    def check(self, *, of_orders_too: bool = True) -> None:
        """Raises `Violation` for the first thing that is or was wrong."""
        self._look(of_orders_too=of_orders_too)
        self._settings.look()
        self.losses.look()
        if not self._wire_bunches and self._world.is_running:
            self._budgets.look_at_bans()
        if trio.current_time() - self._bounds_looked_at > BOUNDS_LOOK_SECONDS:
            self._bounds_looked_at = trio.current_time()
            for venue in self._world.venues.values():
                self._look_at_bounds(venue)
            if self._world.is_running:
                self._budgets.look()
        if trio.current_time() - self._memory_looked_at > MEMORY_LOOK_SECONDS:
            self.look_at_memory()
        if self.found:
            self._world.fail(self.found[0])

    def look_at_memory(self) -> None:
        """Nothing that the program holds is larger than it may be."""
        self._memory_looked_at = trio.current_time()
        for text in too_large(self._world):
            self._say(text)

    # What the program says

    def _see(self, event: object) -> None:
        now = trio.current_time()
        self._beliefs.see(event)
        self._settings.see(event)
        self.losses.see(event)
        self.quoting.see(event)
        self.flattening.see(event)
        self._departures.see(event)
        match event:
            case BookChanged() | TickerChanged() | TradeHappened() | MarkPriceChanged() | RiskMeasured():
                return
            case CycleFinished() if event.reason and not self._world.runtime_is_stopping():
                if self._explanations.explains_disagreement() is None:
                    self._say(f"the cycle {event.cycle} gave up: {event.reason}")
            case AccountReady():
                self._look_at_leftovers(event.account)
                self._ready.add(event.account)
            case CleanupFinished(child=child) if child.startswith("cycle:") and not self._world.runtime_is_stopping():
                self._look_at_cleaned_up(child.removeprefix("cycle:"))
            case CleanupFinished(child=child) if child.startswith("account:") and not self._world.runtime_is_stopping():
                self._look_at_closed(child.removeprefix("account:"))
            case OwnerFlattened(account, flattened):
                for venue in self._world.venues.values():
                    if venue.account == account:
                        self.quoting.flattened(venue, flattened)
            case RuntimeStopping():
                self._look()  # at what has left until now
                self._departures.gates_close()
            case OrderSubmitted():
                self._intents[event.order.client_order_id] = event.order.request.owner, slot_of(event.order)
                if slot_of(event.order) == FLATTEN and self._world.runtime is not None:
                    self.quoting.flattening(event.order, self._world.runtime.tree.accounts[event.account].ledger)
            case _:
                pass
        claim = untrue_claim(event, has_lost_records=self._explanations.explains_disagreement() is not None)
        if claim:
            self._say(claim)
        self._look_at_pace(now)
        self._look()
        self._news = True  # what it says may come before what it does

    def _look_at_pace(self, now: float) -> None:
        """Time passes: for who does the same again and again in one instant every clock stands still, ours too."""
        self._told_at_once = self._told_at_once + 1 if now == self._told_at else 1
        self._told_at = now
        if self._told_at_once > TOLD_AT_ONCE_MAX and not self._is_spinning.is_set():
            self._say(f"the program tells of more than {TOLD_AT_ONCE_MAX} things at once, and no time passes")
            self._is_spinning.set()

    # Every look

    def _look(self, *, of_orders_too: bool = True) -> None:
        if not self._world.is_running:
            return
        self._news = self._news and not of_orders_too
        for venue in self._world.venues.values():
            account = self._account(venue)
            if account is None:
                continue
            if of_orders_too and venue.account in self._ready:
                self._look_at_live_orders(venue, account)
                self._beliefs.look_at_exposure(venue, account)
            self._departures.look(venue, account)

    def _account(self, venue: Venue) -> AccountParts | None:
        return None if self._world.runtime is None else self._world.runtime.tree.accounts.get(venue.account)

    def _look_at_live_orders(self, venue: Venue, account: AccountParts) -> None:
        open_sells = defaultdict[str, Decimal](Decimal)
        intents: set[Intent] = set()
        amending_before, self._amending[venue.name] = self._amending[venue.name], set[str]()
        for order in venue.open_orders():
            name = venue.client_order_id(order.client_id)
            known = account.ledger.order(name)
            if known is None:
                self._say(f"{name} is open at {venue.name} and not in the ledger")
            elif known.is_terminal:
                self._say(f"{name} is open at {venue.name} and {known.state.value} here ({known.reason})")
            intent = self._intent(name)
            if intent in intents:
                self._say(f"two orders of {_in_words(intent)} are open at once at {venue.name}, {name} among them")
            intents.add(intent)
            if known is not None and known.state is OrderState.PENDING_AMEND and intent[0] not in self._hands:
                self._amending[venue.name].add(name)
                if name not in amending_before:
                    self._departures.check_book(name, venue, order.symbol, done="amended")
            if order.side is Side.SELL and not self.quoting.is_quoting(intent[0]):
                open_sells[_holder(venue, order.symbol, intent[0])] += order.remaining_quantity
        if self._explanations.explains_disagreement() is not None:
            return
        for holder, held in self._held[venue.name].items():
            if holder in self._may_be_short[venue.name]:
                continue
            if held < open_sells.get(holder, ZERO):
                self._say(f"{holder} has or may yet sell {open_sells[holder] - held} more than it bought at {venue.name}")

    def _look_at_leftovers(self, account: str) -> None:
        """Before a run's first order, what earlier runs have left open has ended."""
        left = self._left_open.pop(account, set[str]())
        for venue in self._world.venues.values():
            if venue.account == account:
                for name in sorted(left & {venue.client_order_id(order.client_id) for order in venue.open_orders()}):
                    self._say(f"{name} of an earlier run is still open at {venue.name}, and {account} is ready")

    def _look_at_cleaned_up(self, cycle: str) -> None:
        """A cycle that has crashed begins again only after its orders have ended."""
        for venue in self._world.venues.values():
            for order in venue.open_orders():
                if venue.owner(order.client_id) == cycle:
                    self._say(f"{venue.client_order_id(order.client_id)} is open at {venue.name} after the crash of {cycle} was cleaned up")

    def _look_at_closed(self, account: str) -> None:
        """An account that has died begins again only after whatever it had open has ended. At a stop a deadline may come first."""
        for venue in self._world.venues.values():
            for order in venue.open_orders() if venue.account == account else ():
                self._say(f"{venue.client_order_id(order.client_id)} is open at {venue.name} after the end of {account} was cleaned up")

    def _look_at_bounds(self, venue: Venue) -> None:
        """Nothing may grow without end: what waits, what is remembered, what is open."""
        runtime = self._world.runtime
        if runtime is None or not self._world.is_running:
            return
        account = runtime.tree.accounts.get(venue.account)
        if account is None:
            return
        commands = account.commands_sender.statistics()
        if commands.used_max > COMMANDS_CAPACITY:
            self._say(f"{commands.used_max} commands wait at {venue.account}")
        remembered = sum(order.is_terminal for order in account.ledger.orders())
        if remembered > ENDED_ORDERS_KEPT_MAX:
            self._say(f"the ledger of {venue.account} remembers {remembered} ended orders")
        for inbox in account.inboxes.values():
            waiting = inbox.statistics().pending
            if waiting > INBOX_KEYS_MAX:
                self._say(f"{waiting} news wait in an inbox of {venue.account}")
        if self._world.process.sockets_open() > SOCKETS_PER_EXCHANGE_MAX * len(self._world.venues):
            self._say(f"the program has {self._world.process.sockets_open()} sockets open")
        self._look_at_request_weight(venue)

    def _look_at_request_weight(self, venue: Venue) -> None:
        """The exchange never has to refuse what is one too many, unless the wire bunched it, or an earlier run had spent it."""
        over = venue.control.requests_over_limits()
        refused, self._over_limits[venue.name] = sum(over.values()) - self._over_limits.get(venue.name, 0), sum(over.values())
        is_after_restart = self._runs > 1 and trio.current_time() - self._run_began_at < WINDOW_SECONDS_MAX + BOUNDS_LOOK_SECONDS
        if refused and not self._wire_bunches and not is_after_restart:
            self._say(f"more was asked of {venue.name} than its documented limits allow: {over}")

    # What the exchange says

    def hear_news(self) -> None:
        """Something of orders or trades, which calls for a look."""
        self._news = True

    def level_changed(self, venue: Venue, event: LevelChanged) -> None:
        self._beliefs.level_changed(venue, event)

    def trade_made(self, venue: Venue, event: TradeMade) -> None:
        trade = event.trade
        self.quoting.trade_made(venue, event)
        for party, side in ((trade.taker, trade.taker_side), (trade.maker, trade.taker_side.opposite)):
            if venue.is_ours(party.client_id):
                self.trades += 1
                quantity = trade.quantity if side is Side.BUY else -trade.quantity
                fee = party.fee if party.fee_asset == trade.symbol.base else ZERO
                holder = _holder(venue, trade.symbol, venue.owner(party.client_id))
                self._held[venue.name][holder] += quantity - fee

    def accepted(self, venue: Venue, order: Order) -> None:
        """An order of ours rests, or is about to trade."""
        self.orders_accepted += 1
        self.quoting.accepted(venue, order)
        self.terms.accepted(venue, order)
        name = venue.client_order_id(order.client_id)
        intent = self._intent(name)
        others = [
            other
            for other in venue.open_orders()
            if other.id != order.id and self._intent(venue.client_order_id(other.client_id)) == intent
        ]
        if others:
            names = ", ".join(venue.client_order_id(other.client_id) for other in others)
            self._say(f"{name} of {_in_words(intent)} was accepted by {venue.name} while {names} was open")
        is_lost = name in self._intents and not self._world.journal.has_order(name)
        if is_lost and self._explanations.explains_disagreement() is None:
            self._say(f"{name} has come to {venue.name}, and the journal does not know it")
        self._look_at_exposure(venue, order)

    def order_changed(self, venue: Venue, event: OrderChanged) -> None:
        """An order of ours has come to rest, has changed, or has ended."""
        match event.change:
            case OrderChange.PUT:
                self.accepted(venue, event.order)
                self._amendments.opened(venue, event.order)
            case OrderChange.UPDATED:
                self._amendments.changed(venue, event.order)
            case OrderChange.FINISHED:
                self._amendments.ended(venue, event.order)

    def _amended(self, venue: Venue, order: Order) -> None:
        self.quoting.accepted(venue, order)
        self._look_at_exposure(venue, order)

    def _look_at_exposure(self, venue: Venue, order: Order) -> None:
        # Of assets nobody can sell what he does not have, and a reduce-only order makes nothing larger.
        if (order.side is Side.BUY or venue.trades_contracts) and not order.reduce_only:
            self._check_exposure(venue, order, venue.client_order_id(order.client_id))

    def _check_exposure(self, venue: Venue, order: Order, name: str) -> None:
        """What is held, and what may still be bought or sold, by the exchange's own books, this order included."""
        cycles = [cycle for cycle in self._options.cycles if cycle.place.exchange == venue.name]
        limit = self._settings.position_max(venue, self._options.notional_max(venue.name))
        touch = venue.control.best_ask(order.symbol) if order.side is Side.BUY else venue.control.best_bid(order.symbol)
        if touch is None:
            return
        holders = {_holder(venue, order.symbol, cycle.place.cycle) for cycle in cycles if cycle.place.symbol == order.symbol}
        holders |= {place.cycle for place in self._options.hands if (place.exchange, place.symbol) == (venue.name, order.symbol)}
        held = sum((quantity for holder, quantity in self._held[venue.name].items() if holder in holders), ZERO) * touch
        pending = sum(
            other.remaining_quantity * other.price
            for other in venue.open_orders()
            if (other.side, other.symbol) == (order.side, order.symbol) and other.id != order.id and not other.reduce_only
        )
        asked = order.quote_quantity if order.quote_quantity is not None else order.remaining_quantity * (order.price or touch)
        exposure = (held if order.side is Side.BUY else -held) + pending + asked
        if exposure > limit * EXPOSURE_SLACK and self._explanations.explains_disagreement() is None:
            self._say(f"{name} makes the exposure at {venue.name} {exposure:.2f}, and the limit is {limit}")

    def _intent(self, client_order_id: str) -> Intent:
        """What an order of ours is there for: its owner and slot; of one that was never submitted only its owner."""
        return self._intents.get(client_order_id) or (owner_of(client_order_id), "")

    def _say(self, text: str) -> None:
        self.found.append(f"at {trio.current_time():.4f} s: {text}")


def _in_words(intent: Intent) -> str:
    owner, slot = intent
    return f"{owner}'s {slot}" if slot else owner


def _holder(venue: Venue, symbol: Symbol, owner: str) -> str:
    """Who holds what an owner has bought: of contracts the account has one position, which whoever flattens closes."""
    return str(symbol) if venue.trades_contracts else owner


def _bunches_requests(options: Options) -> bool:
    """Whether requests may arrive much closer to one another than they have left."""
    slowest = max(seconds for _, seconds in options.latencies_seconds.values())
    return slowest > LATENCY_SECONDS_BUNCHING or any(kind in BUNCHING_KINDS or KINDS[kind].group in BUNCHING for kind in options.kinds)


class _EngineListener:
    """Hears one exchange's engine."""

    def __init__(self, watcher: Watcher, venue: Venue) -> None:
        self._watcher = watcher
        self._venue = venue

    def hear_level(self, event: EngineEvent) -> None:
        if isinstance(event, LevelChanged):
            self._watcher.level_changed(self._venue, event)

    def hear(self, event: EngineEvent) -> None:
        self._watcher.hear_news()
        if isinstance(event, TradeMade):
            self._watcher.trade_made(self._venue, event)
        elif isinstance(event, OrderChanged) and self._venue.is_ours(event.order.client_id):
            self._watcher.order_changed(self._venue, event)
