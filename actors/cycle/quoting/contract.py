"""What a quoting strategy sees and what it answers. A strategy is pure: a view in, wanted quotes out, nothing else.

Whatever it needs of the past is in the view, so that a strategy that crashed and begins again decides as the last one would have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Protocol

import msgspec

from market.events import BookChanged, Side, TradeHappened
from market.instrument import Instrument
from orders.order import ZERO, Order
from orders.request import TimeInForce
from orders.tally import Tally


class MidSample(msgspec.Struct, frozen=True):
    """The middle of the usable book at a tick. `at` is monotonic seconds."""

    at: float
    mid: float


class MarketHistory(Protocol):
    """What the market did lately, oldest first: as far back as the strategy's `history_seconds`, within a bound of numbers.

    There are no samples of times in which the book was not usable.
    """

    @property
    def mids(self) -> Sequence[MidSample]: ...

    @property
    def trades(self) -> Sequence[TradeHappened]: ...


class LastFill(msgspec.Struct, frozen=True):
    """The newest fill of ours on one side. `at` is monotonic seconds, when we were told."""

    at: float
    price: Decimal
    quantity: Decimal


class QuotingView(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a strategy may know at one moment, settled: no part of it is newer than another.

    `now` is monotonic seconds. `book` is None while it must not be used (lost, stale, not yet whole); nothing that the strategy
    wants is placed then, and what is live is pulled. `reference_book` is the same of the exchange that the settings name as
    reference. `last_trade` is the newest public trade. `orders` are our live orders of this cycle, oldest first, those with a
    cancellation or a fate in doubt too; `ended_orders` are those that ended so lately (`OWN_ORDER_ECHO_SECONDS`) that the book may
    still show them. `order_quote` is the `quantity` of the settings. `tally` is what all trades of this
    cycle add up to since the journal began: `tally.inventory` is what it holds. `position` is the account's, of contracts (None:
    not told yet, or no contracts). `base_total` and `quote_total` are the account's balances (ours and everybody's), and
    `base_available` and `quote_available` what of them nothing reserves; None where not told yet. `last_fills` has the newest
    fill of each side in this run. `leverage` is 1 for assets.
    """

    now: float
    instrument: Instrument
    book: BookChanged | None
    reference_book: BookChanged | None = None
    last_trade: TradeHappened | None = None
    history: MarketHistory
    orders: tuple[Order, ...] = ()
    ended_orders: tuple[Order, ...] = ()
    order_quote: Decimal
    tally: Tally = Tally()
    position: Decimal | None = None
    base_total: Decimal | None = None
    base_available: Decimal | None = None
    quote_total: Decimal | None = None
    quote_available: Decimal | None = None
    leverage: Decimal = Decimal(1)
    last_fills: Mapping[Side, LastFill] = {}


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """One order that should be live now. `quantity` (base units) is what should still be unfilled; `price` lies on a tick.

    `post_only` unless the strategy means to take. `level` counts from the best price of its side, 0 first: when funds do not
    suffice, higher levels are left out first.
    """

    side: Side
    price: Decimal
    quantity: Decimal
    level: int = 0
    time_in_force: TimeInForce = TimeInForce.POST_ONLY
    reduce_only: bool = False


class Tolerance(msgspec.Struct, frozen=True, kw_only=True):
    """How far a live order may be from the quote that it serves, and be left where it is: its place in the queue is worth money.

    Fractions of the wanted price and quantity. 0 means exactly.
    """

    price_fraction: Decimal = ZERO
    quantity_fraction: Decimal = ZERO


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A decision: the whole set of quotes that should be live now, every other order of the cycle being unwanted.

    `phase` says in words for a person what the strategy is doing ("quoting", "waiting for volatility", "price out of its band").
    `hold` leaves everything that is live as it is. `facts` are numbers worth showing (reference price, reservation price,
    spread, volatility …) under names that bear their units.
    """

    phase: str = "quoting"
    quotes: tuple[Quote, ...] = ()
    tolerance: Tolerance = Tolerance()
    hold: bool = False
    facts: Mapping[str, Decimal | float] = {}


class StrategyFailed(Exception):
    """The strategy cannot go on; the message says why and what would help. Its cycle ends, its orders are cancelled."""


class QuotingStrategy(Protocol):
    """A strategy that says at each moment which orders should be live.

    It is made from its parameters, and made anew when they change.
    """

    @property
    def history_seconds(self) -> float:
        """How far back `QuotingView.history` must reach; 0 for none."""
        ...

    def decide(self, view: QuotingView) -> Wanted:
        """What should be live now. Called with a settled view, at each tick and whenever something happened that cannot wait.

        Raises:
            StrategyFailed: going on makes no sense.
        """
        ...
