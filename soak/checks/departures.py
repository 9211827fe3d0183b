"""What leaves: on a usable book, through an open gate, in a state that lets it; each order when it is seen to have left."""

from __future__ import annotations

from collections.abc import Callable

import trio

from actors.cycle.rounds.actor import COMMAND_LIFETIME_SECONDS
from actors.cycle.slots import slot_of
from assembly.parts import AccountParts
from market.events import BookChanged, BookLost
from market.symbol import Symbol
from orders.commands import FLATTEN
from orders.events import OrderSubmitted
from orders.states import TradingState
from soak.checks.reducing import Reducing
from soak.options import Options
from soak.worlds.venue import Venue
from soak.worlds.world import World

LOOK_SECONDS = 0.2
"""So often the watcher looks."""


class Departures:
    """Those of one world, whose program has not started yet. `say` takes what is wrong."""

    def __init__(self, world: World, options: Options, say: Callable[[str], None]) -> None:
        self._world = world
        self._say = say
        self._hands = {place.cycle for place in options.hands}
        self._places = (*(cycle.place for cycle in options.cycles), *options.hands)
        self._book_at: dict[tuple[str, Symbol], float] = {}
        self._book_lost_at: dict[tuple[str, Symbol], float] = {}
        self._departing: dict[str, dict[str, None]] = {}  # submitted, and not seen to have left, by account
        self._gate_was_closed: set[str] = set()
        self._states_before: dict[tuple[str, str, Symbol], TradingState] = {}
        self._states_known: dict[str, trio.Event] = {}  # by account: set as soon as `_states_before` is not true any more
        self.reducing = Reducing()

    def run_begins(self) -> None:
        """Another run of the program begins."""
        self._departing.clear()
        self._gate_was_closed.clear()
        self._states_before.clear()
        self._states_known.clear()
        self._book_at.clear()
        self._book_lost_at.clear()
        self.reducing.run_begins()

    def see(self, event: object) -> None:
        """Something that the program says."""
        match event:
            case BookChanged():
                self._book_at[event.exchange, event.symbol] = trio.current_time()
                self._book_lost_at.pop((event.exchange, event.symbol), None)
            case BookLost():
                self._book_lost_at[event.exchange, event.symbol] = trio.current_time()
            case OrderSubmitted():
                self._departing.setdefault(event.account, {})[event.order.client_order_id] = None
            case _:
                pass

    def gates_close(self) -> None:
        """The program says that every gate is closed, whatever they are: nothing is to leave from now on."""
        self._gate_was_closed.update(venue.account for venue in self._world.venues.values())

    def look(self, venue: Venue, account: AccountParts) -> None:
        """To be called at each look: at the orders that have left since the last one."""
        states = self._world.runtime.tree.states if self._world.runtime is not None else None
        departing = self._departing.get(venue.account, {})
        for name in tuple(departing):
            order = account.ledger.order(name)
            if order is None or not order.sent:
                if order is None or order.is_terminal:
                    del departing[name]
                continue
            del departing[name]
            request = order.request
            if slot_of(order) == FLATTEN:  # the one placement that passes behind a closed gate
                continue
            if request.owner not in self._hands:  # which look at no book
                self.check_book(name, venue, request.symbol)
            if venue.account in self._gate_was_closed:
                self._say(f"{name} left after the gate of {venue.account} had closed")
            before = self._states_before.get((venue.account, request.owner, request.symbol))
            if before is not None and states is not None:
                now = states.standing(account=venue.account, owner=request.owner, symbol=request.symbol).state
                if not before.may_place and not now.may_place:
                    self._say(f"{name} left while trading was {now.value}")
                elif before is now is TradingState.REDUCE_ONLY and self.reducing.makes_larger(venue, account, request):
                    self._say(f"{name} left and made the position larger while trading was {now.value}")
        if account.gate.closed_reason is not None:
            self._gate_was_closed.add(venue.account)
        if states is not None and states.changed is not self._states_known.get(venue.account):
            self._states_known[venue.account] = states.changed
            for place in self._places:
                if place.exchange == venue.name:
                    key = (venue.account, place.cycle, place.symbol)
                    self._states_before[key] = states.standing(account=key[0], owner=key[1], symbol=key[2]).state
        if TradingState.REDUCE_ONLY in self._states_before.values():
            self.reducing.looked(venue, account)

    def check_book(self, name: str, venue: Venue, symbol: Symbol, *, done: str = "placed") -> None:
        """An order, or an amendment, was decided on at most one command's lifetime ago, on a book that was whole and fresh then."""
        now = trio.current_time()
        age_max = venue.settings().book_max_age_seconds
        at, lost_at = self._book_at.get((venue.name, symbol)), self._book_lost_at.get((venue.name, symbol))
        if at is None:
            self._say(f"{name} was {done} before there was a book of {symbol} at {venue.name}")
        elif now - at > age_max + COMMAND_LIFETIME_SECONDS + LOOK_SECONDS:
            self._say(f"{name} was {done} {now - at:.1f} s after the last book of {symbol} at {venue.name}")
        if lost_at is not None and now - lost_at > COMMAND_LIFETIME_SECONDS + LOOK_SECONDS:
            self._say(f"{name} was {done} {now - lost_at:.1f} s after the book of {symbol} at {venue.name} was lost")
