"""The dead-man's switch: all orders of an account are cancelled unless the client re-arms it in time."""

from __future__ import annotations

import trio

from market.symbol import Symbol
from simulated.gateio_spot import encoding
from simulated.gateio_spot.order_desk import OrderDesk
from simulated.gateio_spot.venue import GateVenue
from simulated.settings import AccountSettings


class Countdowns:
    """Armed switches, one per account and pair (or all pairs). They run while `run` does and survive a `restart`."""

    def __init__(self, venue: GateVenue, desk: OrderDesk) -> None:
        self._venue = venue
        self._desk = desk
        self._deadlines: dict[tuple[str, Symbol | None], float] = {}
        self._changed = trio.Event()

    def arm(self, account: AccountSettings, symbol: Symbol | None, timeout_seconds: int) -> int:
        """(Re-)arm, or disarm with 0. Returns the Unix milliseconds at which it will fire; 0 when disarmed."""
        key = (account.name, symbol)
        self._changed.set()
        if not timeout_seconds:
            self._deadlines.pop(key, None)
            return 0
        self._deadlines[key] = trio.current_time() + timeout_seconds
        return self._venue.now() + timeout_seconds * 1000

    async def run(self) -> None:
        """Fire what is due, until cancelled."""
        while True:
            self._changed = trio.Event()
            with trio.move_on_at(min(self._deadlines.values(), default=float("inf"))):
                await self._changed.wait()
            for key, deadline in list(self._deadlines.items()):
                if deadline <= trio.current_time():
                    del self._deadlines[key]
                    account, symbol = key
                    pair = {} if symbol is None else {"currency_pair": encoding.wire(symbol)}
                    self._desk.cancel_all(self._venue.account_settings[account], pair)
