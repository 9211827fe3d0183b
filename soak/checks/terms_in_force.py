"""How the accounts trade is as it was set, by the exchanges' own word: leverage and margin mode of contracts, and the dead-man's switch."""

from __future__ import annotations

from collections.abc import Callable

import trio

from orders.reports import MarginMode
from simulated.engine.order import Order
from soak.options import AccountTerms, Options
from soak.worlds.venue import Venue
from soak.worlds.world import World

SWITCH_SLACK_SECONDS = 1.0


class TermsInForce:
    """Those of one world, whose program has not started yet. `say` takes what is wrong."""

    def __init__(self, world: World, options: Options, say: Callable[[str], None]) -> None:
        self._world = world
        self._options = options
        self._say = say

    def accepted(self, venue: Venue, order: Order) -> None:
        """An order of ours rests at the exchange, or is about to trade: it does with the leverage that the account was to have."""
        terms = self._of(venue)
        if terms.leverage is None or not venue.trades_contracts:
            return
        position = venue.control.engine.accounts[venue.control.main_account].positions.get(order.symbol)
        is_cross = terms.margin_mode is MarginMode.CROSS
        if position is None or (position.leverage, position.is_cross) != (terms.leverage, is_cross):
            has = "none" if position is None else f"{position.leverage}, {'cross' if position.is_cross else 'isolated'}"
            name = venue.client_order_id(order.client_id)
            self._say(f"{name} was accepted by {venue.name} with leverage {has}, and {terms.leverage} {terms.margin_mode.value} was set")

    def look_at_switches(self) -> None:
        """To be called after some quiet: where there is a dead-man's switch, it is armed for as long as was set while orders are open."""
        for venue in self._world.venues.values():
            seconds_min = venue.codec.capabilities.dead_mans_switch_seconds_min
            if seconds_min is None or not self._world.is_running or self._world.runtime_is_stopping():
                continue
            due_at, seconds = venue.control.switch_due_at(), self._of(venue).switch_seconds
            names = ", ".join(venue.client_order_id(order.client_id) for order in venue.open_orders())
            if seconds and due_at is None and names:
                self._say(f"{names} open at {venue.name}, and its dead-man's switch is not armed")
            left_seconds = 0.0 if due_at is None else due_at - trio.current_time()
            if left_seconds > (max(seconds, seconds_min) if seconds else 0) + SWITCH_SLACK_SECONDS:
                self._say(f"the dead-man's switch of {venue.name} fires in {left_seconds:.1f} s, and {seconds} s was set")

    def _of(self, venue: Venue) -> AccountTerms:
        return self._options.terms.get(venue.name, AccountTerms())
