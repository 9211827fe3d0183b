"""What must come true once nothing is wrong any more: every fate known, every book whole, every cycle quoting."""

from __future__ import annotations

from collections.abc import Mapping

import trio

from market.events import BookChanged, BookLost, Side
from market.symbol import Symbol
from orders.events import AccountLost, AccountReady, OrderEnded, OrderFilled, OrderPlaced
from orders.life_cycle import OrderState
from orders.reconciliation import CycleFinished
from orders.states import TradingState
from soak.checks.ending import Explanations
from soak.checks.money import Money
from soak.checks.quoting import QuotingFacts
from soak.options import Options
from soak.worlds.world import World

LOOK_SECONDS = 0.25


class Convergence:
    """Follows one world, whose program has not started yet."""

    def __init__(
        self, world: World, options: Options, explanations: Explanations, money: Mapping[str, Money], quoting: QuotingFacts
    ) -> None:
        self._world = world
        self._options = options
        self._explanations = explanations
        self._money = money
        self._quoting = quoting
        self._ready: set[str] = set()
        self._finished: set[str] = set()
        self._book_at: dict[tuple[str, Symbol], float] = {}
        self._moved_at: dict[tuple[str, Side], float] = {}
        self._refused_at: dict[str, float] = {}
        world.observers.append(self._see)

    def run_begins(self) -> None:
        """Another run of the program begins."""
        self._ready.clear()
        self._finished.clear()
        self._book_at.clear()

    async def wait(self, *, within_seconds: float) -> None:
        """Raises: NotConverged: something is still amiss."""
        since = trio.current_time()
        while missing := self._missing(since):
            elapsed_seconds = trio.current_time() - since
            if elapsed_seconds > within_seconds:
                self._world.fail_to_converge(f"{within_seconds:g} s after the last fault {missing}")
            if elapsed_seconds > within_seconds / 2:
                self._fill_rests()
            await trio.sleep(LOOK_SECONDS)

    def _see(self, event: object) -> None:
        now = trio.current_time()
        match event:
            case BookChanged():
                self._book_at[event.exchange, event.symbol] = now
            case BookLost():
                self._book_at.pop((event.exchange, event.symbol), None)
            case AccountReady():
                self._ready.add(event.account)
            case AccountLost():
                self._ready.discard(event.account)
            case CycleFinished():
                self._finished.add(event.cycle)
            case OrderEnded() if event.order.exchange_order_id is None:
                self._refused_at[event.order.request.owner] = now  # the exchange never had it: whose orders are all refused does not quote
            case OrderPlaced() | OrderFilled() | OrderEnded():
                self._moved_at[event.order.request.owner, event.order.request.side] = now
            case _:
                pass

    def _missing(self, since: float) -> str:
        """What is amiss; empty if nothing is."""
        world = self._world
        runtime = world.runtime
        if runtime is None or not world.is_running or runtime.is_stopping:
            return "" if self._has_given_up() else "the program does not run"
        for scope in runtime.tree.states.declared():
            runtime.tree.states.enter(scope, TradingState.RUN, "nothing is wrong any more")
        for restraint in runtime.tree.states.restraints():
            return f"{restraint.scope} is {restraint.state.value}: {restraint.reason}"
        for venue in world.venues.values():
            if venue.account not in self._ready:
                return f"the account {venue.account} at {venue.name} is not ready"
            ledger = runtime.tree.accounts[venue.account].ledger
            for order in ledger.live_orders():
                if order.state is OrderState.UNKNOWN:
                    return f"the fate of {order.client_order_id} is unknown"
            open_there = {venue.client_order_id(order.client_id) for order in venue.open_orders()}
            live_here = {order.client_order_id for order in ledger.live_orders()}
            if open_there != live_here:
                return f"other orders are open at {venue.name} than are live here: {sorted(open_there ^ live_here)}"
            wrong = self._money[venue.name].wrong_here(runtime.tree.accounts[venue.account])
            if wrong and self._explanations.explains_disagreement() is None:
                return wrong
        for cycle in self._options.cycles:
            place = cycle.place
            if place.cycle in self._finished:
                continue
            if self._book_at.get((place.exchange, place.symbol), -1.0) < since:
                return f"there is no book of {place.symbol} from {place.exchange}"
            venue = place.venue(world)
            sides = {order.side for order in venue.open_orders() if venue.owner(order.client_id) == place.cycle}
            sides |= {side for side in Side if self._moved_at.get((place.cycle, side), -1.0) >= since}
            if cycle.quotes and len(sides) < len(Side):
                wanted = self._quoting.sides_wanted(cycle)
                if isinstance(wanted, str):
                    return wanted
                if missing := sorted(side.value for side in wanted - sides):
                    return f"the cycle {place.cycle} does not quote: its strategy wants to {' and '.join(missing)}"
            elif not sides and not self._is_held_up_by_lost_records(place.cycle, since):
                return f"the cycle {place.cycle} does not quote"
        return self._quoting.wrong_tally()

    def _is_held_up_by_lost_records(self, cycle: str, since: float) -> bool:
        """Whether it tries and is refused, as its limits must where a position was left by trades of which every record is lost."""
        return self._explanations.explains_disagreement() is not None and self._refused_at.get(cycle, -1.0) >= since

    def _has_given_up(self) -> bool:
        """Whether a person must look first, and lost records explain it: every cycle has ended, and would again."""
        cycles = {cycle.place.cycle for cycle in self._options.cycles}
        return self._explanations.explains_disagreement() is not None and cycles <= self._finished

    def _fill_rests(self) -> None:
        """A rest that is too small to be placed anew stays where it is; the market, which need not ever, comes to it now."""
        for venue in self._world.venues.values():
            instruments = venue.control.engine.instruments
            for order in venue.open_orders():
                if order.filled_quantity and order.remaining_quantity * order.price < instruments[order.symbol].notional_min:
                    venue.control.fill_order(order.id)
