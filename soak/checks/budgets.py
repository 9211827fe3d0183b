"""What the program may ask of an exchange: nothing arrives there that no place in the program's own rate limits was taken for.

The exchange's own word that its documented limits were exceeded is worth something where requests arrive as they left
(`soak/checks/watcher.py`). Whatever bunches them under way, no more can arrive than has left, in this run and those before it; and in no
time is more granted than the program's limits are, which are below the documented ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from types import MappingProxyType

import msgspec
import trio

from assembly.registry import EXCHANGES
from soak.options import Options
from soak.worlds.venue import Venue
from soak.worlds.world import World


class Budget(msgspec.Struct, frozen=True):
    """What the exchange counts in the groups `counted` is paid for in the program's own groups `paid`, request by request."""

    counted: tuple[str, ...]
    paid: tuple[str, ...]


_GATEIO_PUBLIC = Budget(("public",), ("public", "currency_pairs", "contracts", "order_book"))
_OKX = (
    Budget(("place", "place_batch"), ("orders", "order_batches")),  # a batch of one is counted as a placement
    Budget(("amend", "amend_batch"), ("amends", "amend_batches")),
    Budget(("cancel", "cancel_batch"), ("cancels", "cancel_batches")),
    Budget(("order_query",), ("queries",)),
    Budget(("account", "settings", "history"), ("balances", "positions", "history")),
    Budget(("bills",), ("bills",)),
    Budget(("leverage",), ("leverage",)),
    Budget(("switch",), ("switch",)),
    Budget(("public_time",), ("public_time",)),
    Budget(("public_instruments",), ("public_instruments",)),
    Budget(("public_books",), ("public_books",)),
)
_ACCOUNT_WEIGHT = 10  # at MEXC
BUDGETS: MappingProxyType[str, tuple[Budget, ...]] = MappingProxyType(
    {
        # The dead-man's switch is counted among private requests, and has the place of a cancellation.
        "gateio_spot": (
            _GATEIO_PUBLIC,
            Budget(("place", "websocket_place"), ("orders",)),
            Budget(("cancel", "private"), ("cancels", "private")),
        ),
        # Over the websocket cancellations are counted with placements.
        "gateio_futures": (_GATEIO_PUBLIC, Budget(("place", "websocket_trade", "cancel", "private"), ("orders", "cancels", "private"))),
        "mexc_spot": (
            Budget(("orders",), ("orders",)),
            Budget(("batches",), ("batches",)),
            Budget(("account",), ("account",)),
            # The account's own limit counts its requests, and the endpoint's ten for each.
            Budget(("endpoint",), ("private", "public", "orders", "batches", "exchangeInfo", "depth", *_ACCOUNT_WEIGHT * ("account",))),
        ),
        "okx_spot": _OKX,
        "okx_swap": _OKX,
    }
)
REPEATING = "repeat_requests"  # the kind of fault with which more comes than has left
# Messages over a websocket that no place is taken for: subscriptions and pings, as many as there are connections and symbols.
UNPAID = frozenset({"websocket"})
# From the first request that a ban refuses: for the answer to it, and for what was on its way.
BAN_HEARD_SECONDS = 1.0


Group = tuple[str, str]
"""An exchange, and one of our groups there."""


class Budgets:
    """Of one world, whose program has not started yet. `say` takes what is wrong."""

    def __init__(self, world: World, options: Options, say: Callable[[str], None]) -> None:
        self._world = world
        self._is_repeated = REPEATING in options.kinds
        self._say = say
        self._earlier = defaultdict[Group, int](int)  # granted to the runs before this one
        self._now: dict[Group, int] = {}
        self._looked_at = 0.0
        self._came_while_banned = dict.fromkeys(world.venues, 0)
        self._banned: dict[str, tuple[float, float]] = {}  # by exchange: until when, and when that could be heard first

    def run_begins(self) -> None:
        """Another run of the program begins: requests of the one before may yet arrive."""
        self._banned.clear()
        for group, granted in self._granted().items():
            self._earlier[group] += granted
        self._now = {}
        self._looked_at = trio.current_time()

    def look(self) -> None:
        """While a run lives."""
        granted = self._granted()
        self._look_at_granted(granted)
        if not self._is_repeated:
            for venue in self._world.venues.values():
                self._look_at_counted(venue, granted)

    def look_at_bans(self) -> None:
        """Whoever is banned keeps still once he can know it: who goes on is banned for longer. Where the wire does not bunch requests."""
        now = trio.current_time()
        for name, venue in self._world.venues.items():
            until, before, came = venue.control.banned_until, self._came_while_banned[name], venue.control.came_while_banned
            self._came_while_banned[name] = came
            if came == before or until <= now:
                continue
            if self._banned.get(name, (0.0, now))[0] != until:
                self._banned[name] = until, now
            heard_at = self._banned[name][1]
            if now - heard_at > BAN_HEARD_SECONDS:
                self._say(f"{came - before} requests came to {name}, which had told of a ban {now - heard_at:.1f} s before")

    def _look_at_granted(self, granted: dict[Group, int]) -> None:
        seconds = trio.current_time() - self._looked_at
        for exchange in self._world.venues:
            for name, limit in EXCHANGES[exchange].rate_limits.items():
                more = granted[exchange, name] - self._now.get((exchange, name), 0)
                if more > limit.capacity * (seconds // limit.period_seconds + 2):
                    self._say(f"{more} places in {name} were granted at {exchange} in {seconds:.1f} s, and the limit is {limit}")
        self._now, self._looked_at = granted, trio.current_time()

    def _look_at_counted(self, venue: Venue, granted: dict[Group, int]) -> None:
        counted = venue.control.weight_of_requests()
        if venue.control.repeated_requests:
            return  # something on the way asks for us, too
        for budget in BUDGETS[venue.name]:
            came = sum(counted.pop(name, 0) for name in budget.counted)
            paid = sum(granted[venue.name, name] + self._earlier[venue.name, name] for name in budget.paid if (venue.name, name) in granted)
            if came > paid:
                what = " and ".join(budget.counted)
                self._say(f"more came to {venue.name} than left through its rate limits: {came} of {what}, and {paid} were granted")
        if unpaid := sorted(counted.keys() - UNPAID):
            self._say(f"nobody says what is paid at {venue.name} for {', '.join(unpaid)}")

    def _granted(self) -> dict[Group, int]:
        """To the run that there is."""
        runtime = self._world.runtime
        if runtime is None:
            return {}
        return {
            (venue.name, name): group.granted
            for venue in self._world.venues.values()
            for name, group in runtime.tree.accounts[venue.account].exchange.limits.limiter.statistics().items()
        }
