"""What a stop does about what was bought: sold where the settings in force say so, and left where they do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal

from actors.accounts.flattening import ATTEMPTS_MAX
from actors.cycle.slots import slot_of
from assembly.reloading.difference import in_words
from orders.commands import FLATTEN
from orders.events import OrderEnded, OrderSubmitted
from orders.life_cycle import OrderState
from orders.order import ZERO
from soak.checks.settings_in_force import SettingsInForce
from soak.options import Options
from soak.worlds.world import World


class Flattening:
    """That of one world, whose program has not started yet. `say` takes what is wrong."""

    def __init__(self, world: World, options: Options, settings: SettingsInForce, say: Callable[[str], None]) -> None:
        self._world = world
        self._options = options
        self._settings = settings
        self._say = say
        self._held_before: dict[str, Decimal] = {}  # by each cycle when this run began
        self._untaken = Counter[str]()  # orders of this run that a thin market did not take, or not whole, by cycle

    @property
    def is_wanted(self) -> bool:
        """Whether a stop is to sell what the run has bought, by the settings in force."""
        return (self._settings.accepted("runtime.flatten_on_stop") or in_words(self._options.flatten_on_stop)) == in_words(True)

    def run_begins(self) -> None:
        """Another run of the program begins."""
        self._untaken.clear()
        places = [cycle.place for cycle in self._options.cycles]
        self._held_before = {place.cycle: place.venue(self._world).holdings(place.cycle, place.symbol) for place in places}

    def see(self, event: object) -> None:
        """Something that the program says."""
        match event:
            case OrderSubmitted(_, order) if slot_of(order) == FLATTEN and "flatten" not in self._options.kinds:
                if self._world.runtime_is_stopping() and not self.is_wanted:
                    self._say(f"{order.client_order_id} flattens, and the stop was to leave what there is")
            case OrderEnded(_, order) if slot_of(order) == FLATTEN and order.state is OrderState.EXPIRED:
                self._untaken[order.request.owner] += 1
            case _:
                pass

    def look_at_what_is_left(self) -> None:
        """To be called after a stop while nothing was wrong: of what this run has bought nothing that can be sold."""
        for cycle in self._options.cycles if self.is_wanted else ():
            place, venue = cycle.place, cycle.place.venue(self._world)
            left = venue.holdings(place.cycle, place.symbol) - self._held_before[place.cycle]
            if venue.trades_contracts:  # one position for all who trade there, and none is turned round
                position = venue.control.positions().get(place.symbol)
                left = ZERO if position is None or position.quantity * left <= 0 else min(abs(left), abs(position.quantity))
            else:  # another cycle may have sold of it
                left = min(left, sum(venue.control.balances().get(place.symbol.base, (ZERO, ZERO))))
            rules, price = venue.control.engine.instruments[place.symbol], venue.control.best_bid(place.symbol) or ZERO
            if left >= rules.quantity_min and left * price >= rules.notional_min and self._untaken[place.cycle] < ATTEMPTS_MAX:
                self._say(f"{place.cycle} has {left:f} {place.symbol} of this run left at {venue.name}, and its stop was to flatten")
