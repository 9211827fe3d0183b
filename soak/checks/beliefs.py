"""What the program takes for true, against what is: its books, what its limits count, and what outlives a restart."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import trio

from assembly.parts import AccountParts
from market.events import BookChanged, Side
from market.exact import exact_sum
from market.symbol import Symbol
from market.touch import Touch, touch_of
from orders.events import AccountReady
from orders.exposure import exposure
from orders.life_cycle import OrderState
from orders.states import StateEntered, TradingState
from simulated.engine.events import LevelChanged
from soak.options import Options
from soak.worlds.venue import Venue
from soak.worlds.world import World

# Pushes wait on stalled wires and behind tasks that hang; what was true longer ago is never published any more.
TOUCH_SECONDS_KEPT = 300.0
TOUCHES_LOOKED_OVER_EVERY = 4_096
# The private and public prices are of different moments.
RECKONING_SLACK = Decimal("0.9")
# A state that was entered so long before a kill has been written down, unless the journal's task, or its disk, was held up.
STATE_SECONDS_TO_BE_WRITTEN = 5.0
TELLING_WRONG = frozenset({"crossed_update", "wrong_book"})
BEARING_CHECKSUMS = frozenset({"okx_spot", "okx_swap"})
LOSING_RECORDS = frozenset({"disk_full", "kill_unwritten", "torn_journal", "hang", "slow_consumer", "crash_at_checkpoint"})


class Beliefs:
    """Those of one world's program, which has not started yet. `say` takes what is wrong."""

    def __init__(self, world: World, options: Options, say: Callable[[str], None]) -> None:
        self._world = world
        self._say = say
        self._touches: dict[tuple[str, Symbol], dict[Touch, float]] = {}  # and when each was true last, but for the one of now
        self._touch_now: dict[tuple[str, Symbol], tuple[object, Touch | None]] = {}
        # A change that never was may fit a book that is behind, and is then in it until the next whole one, unless a checksum shows it.
        is_told_wrong = not TELLING_WRONG.isdisjoint(options.kinds)
        checked = {name for name in BEARING_CHECKSUMS & world.venues.keys() if options.simulations[name].book_checksums}
        self._may_be_wrong = world.venues.keys() - checked if is_told_wrong else frozenset[str]()
        self._loses_records = not LOSING_RECORDS.isdisjoint(options.kinds)
        self._entered: dict[str, tuple[TradingState, float]] = {}  # what was said of a scope last, and when
        self._to_outlive: dict[str, TradingState] = {}
        self._books = {(venue.name, symbol): book for venue in world.venues.values() for symbol, book in venue.control.engine.books.items()}
        for venue in world.venues.values():
            for symbol in venue.control.engine.instruments:
                self._note_touch(venue, symbol)

    def run_begins(self) -> None:
        """Another run of the program begins."""
        written_before = trio.current_time() - STATE_SECONDS_TO_BE_WRITTEN
        ended_in_order = self._world.report is not None
        self._to_outlive = {
            scope: state
            for scope, (state, at) in self._entered.items()
            if (ended_in_order or at < written_before) and not self._loses_records
        }

    def level_changed(self, venue: Venue, event: LevelChanged) -> None:
        """An exchange's book is another one now."""
        self._note_touch(venue, event.symbol)

    def see(self, event: object) -> None:
        """Something that the program says."""
        match event:
            case BookChanged():
                self._look_at_book(event)
            case StateEntered(scope, state):
                self._entered[scope] = state, trio.current_time()
                self._to_outlive.pop(scope, None)
            case AccountReady():
                self._look_at_states()
            case _:
                pass

    def look_at_exposure(self, venue: Venue, account: AccountParts) -> None:
        """What an order of unknown fate has bought, or may yet, is counted."""
        ledger = account.ledger
        for order in ledger.live_orders():
            if order.state is not OrderState.UNKNOWN or order.request.side is not Side.BUY:
                continue
            touch = self._touch(venue, order.request.symbol)
            theirs = venue.control.order_by_client_id(venue.codec.wire_client_order_id(order.client_order_id))
            if touch is None or theirs is None:
                continue
            more = (theirs.filled_quantity - exact_sum(fill.quantity for fill in order.fills)) * touch.bid * RECKONING_SLACK
            reckoned = exposure(ledger, order.request.symbol, touch)
            if reckoned is not None and reckoned.buys < more:
                self._say(
                    f"the program reckons its exposure at {venue.name} without {order.client_order_id}, which has bought for {more:.2f} "
                    f"more than its known fills: all buys together are {reckoned.buys:.2f} there"
                )

    def _look_at_book(self, book: BookChanged) -> None:
        """The top of every published book was the exchange's own at some instant."""
        venue = self._world.venues[book.exchange]
        self._note_touch(venue, book.symbol)
        touch = touch_of(book)
        if touch not in self._touches[book.exchange, book.symbol] and book.exchange not in self._may_be_wrong:
            self._say(f"the program published a book of {book.symbol} that {book.exchange} never had: bid {touch.bid}, ask {touch.ask}")

    def _look_at_states(self) -> None:
        """What somebody has forbidden stays so until somebody says otherwise."""
        runtime = self._world.runtime
        if runtime is None:
            return
        for scope, expected in self._to_outlive.items():
            declared = runtime.tree.states.declared().get(scope)
            state = TradingState.RUN if declared is None else declared.state
            if state is not expected:
                self._say(f"{scope} went on after a restart as {state.value}, and was left {expected.value}")
        self._to_outlive = {}

    def _touch(self, venue: Venue, symbol: Symbol) -> Touch | None:
        bid, ask = venue.control.best_bid(symbol), venue.control.best_ask(symbol)
        return None if bid is None or ask is None else Touch(bid, ask)

    def _note_touch(self, venue: Venue, symbol: Symbol) -> None:
        key = (venue.name, symbol)
        book = self._books[key]
        top = (book.bids.best, book.asks.best)
        ended = self._touch_now.get(key)
        if ended is not None and ended[0] == top:
            return  # most changes are deeper in the book
        touch = self._touch(venue, symbol)
        self._touch_now[key] = (top, touch)
        now, touches = trio.current_time(), self._touches.setdefault(key, {})
        for true_now in (None if ended is None else ended[1], touch):
            if true_now is not None:
                touches[true_now] = now
        if len(touches) % TOUCHES_LOOKED_OVER_EVERY == TOUCHES_LOOKED_OVER_EVERY - 1:
            self._touches[key] = {known: at for known, at in touches.items() if at > now - TOUCH_SECONDS_KEPT}
