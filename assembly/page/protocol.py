"""What the page is told over its websocket (`/push`), and what it asks and hears by POST (`/api/control`): JSON both ways.

Theory of operation. Each websocket frame is one `Push`. The first one is `whole` and has every section: the page forgets all it knew
and begins from it, also after a reconnect. Later ones have only the sections in which something is other than in the last push that this
page has had; a section that is not there is unchanged. A section replaces what the page knew under its name, but for three: `books`
has only the markets that have changed, by name; `series` has only points that are new, by name; `log` has only lines that are new.
A page that reads slowly gets fewer pushes, never older ones, and nothing is kept for it: what `log` and `series` no longer hold when
it reads again is missing, which `log.missed` counts.

Times are `…_milliseconds` since 1970 UTC by the machine of the run. An age is `now_milliseconds` of a push less a time in it; between
pushes the page goes on counting by its own clock. A push comes at least every `HEARTBEAT_SECONDS` even if nothing has changed: a page
that hears nothing for `SILENT_SECONDS` must show all of it as lost, whatever it says.

Money, prices and quantities of orders, fills, balances, positions and risk are texts in plain notation and exact. Books, series and
latencies are for drawing, and numbers. What others have said (reasons, log lines) is plain text, to be shown as text and never as HTML.
"""

from __future__ import annotations

import enum
from typing import Annotated

import msgspec
from msgspec import Meta

from assembly.control.protocol import Command, FlattenedCycle, PulledOrders, StateInForce
from orders.states import GLOBAL, TradingState
from supervision.snapshot import ChildState

VERSION = 1
PUSH_INTERVAL_SECONDS = 0.25
"""A page gets no more than one push in so long."""
HEARTBEAT_SECONDS = 1.0
SILENT_SECONDS = 1.6
SERIES_INTERVAL_SECONDS = 1.0
POINTS_KEPT = 1_800
LOG_LINES_KEPT = 500
FILLS_KEPT = 60
ENDED_ORDERS_KEPT = 30
LIVE_ORDERS_TOLD_MAX = 200

Point = tuple[int, float | None]
"""When (milliseconds since 1970), and how much; None where it was not known, which is a gap in the line."""
Level = tuple[float, float]
"""Price, and quantity in base units."""


class Standing(enum.Enum):
    """Whether what is shown may be taken for what is. Only LIVE may be shown as live."""

    LIVE = "live"
    STALE = "stale"  # nobody has proven it for longer than it may go unproven
    LOST = "lost"  # known not to be what is there now; it is what was known last
    NOT_YET = "not_yet"  # nothing was heard so far


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """What runs. `exchanges` has each one's mode in words, as "simulated, embedded" or "live".

    `stopping` is empty, or why the run is ending. `can_control` says that actions are taken from whoever has the token; `has_real_money`
    that some exchange is live.
    """

    run: str
    """Another one for every run. A page that finds another than before has been connected to another run: it says so, and begins anew."""
    version: str
    installation: str
    process: int
    exchanges: dict[str, str]
    started_milliseconds: int
    stopping: str
    states_are_kept: bool
    can_control: bool
    has_real_money: bool


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """A place in the supervision tree. `children` is None for an actor and a list for a supervisor.

    `since_milliseconds` is when it came into `state`; `last_error` (empty if there was none) is of its newest death, however long ago.
    """

    name: str
    path: str
    state: ChildState
    incarnation: int
    restarts: int
    last_error: str
    since_milliseconds: int
    children: tuple[Actor, ...] | None = None


class OwnQuote(msgspec.Struct, frozen=True, kw_only=True):
    """A live order of ours with a price, to be drawn into a book. `remaining` is what may still trade of it, in base units."""

    client_order_id: str
    cycle: str
    side: str
    price: str
    remaining: str
    state: str


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """A market. `bids` and `asks` are the best levels, best first, as many as the feed tells; of a lost book those known last.

    `said_milliseconds` is when the newest message about it came (0: none did), and `reason` why it is lost. LIVE turns to STALE at
    `max_age_seconds` after that. `quotes` are our own live orders, best first on each side, bids before asks.
    """

    exchange: str
    symbol: str
    standing: Standing
    reason: str
    said_milliseconds: int
    max_age_seconds: float
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    quotes: tuple[OwnQuote, ...]


class Across(msgspec.Struct, frozen=True, kw_only=True):
    """A symbol that is looked at at several exchanges, by those of their books that are LIVE (`live_at`; the others are in `not_live_at`).

    The best bid and ask over all of them, with where they stand, and the largest arbitrage after both taker's fees and through the levels
    told: `quantity` base units bought at `buy_at` and sold at `sell_at` would earn `profit` quote units. None where there is none. Our own
    orders are left out of all of it.
    """

    symbol: str
    live_at: tuple[str, ...]
    not_live_at: tuple[str, ...]
    bid: Level | None
    bid_at: str | None
    ask: Level | None
    ask_at: str | None
    buy_at: str | None = None
    sell_at: str | None = None
    quantity: float | None = None
    profit: float | None = None


class OrderShown(msgspec.Struct, frozen=True, kw_only=True):
    """An order. One of `quantity` (base) and `quote_quantity` (quote units) is there; without a `price` it is a market order.

    `state` is one of `orders.life_cycle.OrderState`: of `unknown` nobody knows what became of it, since `unknown_since_milliseconds`.
    """

    account: str
    cycle: str
    symbol: str
    client_order_id: str
    exchange_order_id: str
    side: str
    price: str | None
    quantity: str | None
    quote_quantity: str | None
    filled_quantity: str
    average_price: str | None
    state: str
    reason: str
    cancel_wanted: bool
    created_milliseconds: int
    changed_milliseconds: int
    unknown_since_milliseconds: int | None = None


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """`live` are those not ended, unknown ones first, then oldest first, at most `LIVE_ORDERS_TOLD_MAX` of `live_count`.

    `ended` are the newest that ended in this run, newest first.
    """

    live: tuple[OrderShown, ...]
    live_count: int
    unknown_count: int
    ended: tuple[OrderShown, ...]


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """One trade of ours. A positive `fee` was paid."""

    said_milliseconds: int
    account: str
    cycle: str
    symbol: str
    client_order_id: str
    trade_id: str
    side: str
    price: str
    quantity: str
    fee: str
    fee_asset: str
    maker: bool


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """One asset of an account, as the exchange told it then; how far it may be trusted says the account's `standing`."""

    asset: str
    total: str
    available: str
    said_milliseconds: int


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """A contract's position: `quantity` in base units, negative when short. None: not stated."""

    symbol: str
    quantity: str
    entry_price: str | None
    mark_price: str | None
    liquidation_price: str | None
    leverage: str | None
    unrealised_pnl: str | None
    said_milliseconds: int


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """An account. It is LIVE while its orders, fills and balances agree with the exchange and its private stream is up; STALE while all
    of that is so but for orders of unknown fate.

    `stream` and `view` say in words how these stand, `since_milliseconds` is when that changed last.
    """

    name: str
    exchange: str
    standing: Standing
    stream: str
    view: str
    since_milliseconds: int
    live_orders: int
    unknown_orders: int
    balances: tuple[Balance, ...]
    positions: tuple[Position, ...]


class Cycle(msgspec.Struct, frozen=True, kw_only=True):
    """A cycle. `state` is the strictest that concerns it; `round` 0 is of one that does not trade in rounds, `rounds_wanted` 0 no end.

    `inventory` (base units), `profit` and `volume` (quote units; None without a price) are of all its trades since the journal began.
    `risk` is how a quoting cycle stands, said at `risk_said_milliseconds`: the fields of `risk_measured` (docs/control.md), amounts as
    texts, `uptime` as a fraction; what is not known is left out.
    """

    name: str
    account: str
    exchange: str
    symbol: str
    strategy: str
    phase: str
    state: TradingState
    round: int
    rounds_completed: int
    rounds_wanted: int
    inventory: str
    profit: str | None
    volume: str
    trades: int
    risk: dict[str, object] | None = None
    risk_said_milliseconds: int | None = None


class State(msgspec.Struct, frozen=True, kw_only=True):
    """A scope that is not in `run`. With a `cause` it ends by itself; otherwise somebody lifts it, as by typing `lifted_by`."""

    scope: str
    state: TradingState
    reason: str
    since_milliseconds: int
    cause: str
    lifted_by: str


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """A line to draw. `of` is "profit", "inventory" (both of a cycle, `name`) or "middle" (of a market, `name`).

    In a whole push `points` are all that are kept, at most `POINTS_KEPT`, oldest first; in others those after the last that was told.
    """

    of: str
    name: str
    unit: str
    points: tuple[Point, ...]


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """A histogram of durations since the run began. `of` is "tick_to_order" (market message in to order out) or "order_to_ack".

    `counts[i]` are the observations above `bounds_seconds[i-1]` and up to `bounds_seconds[i]`; the last of `counts` has no upper bound, so
    that there is one more of them. Percentiles are None while nothing was observed, and no finer than the buckets.
    """

    of: str
    name: str
    bounds_seconds: tuple[float, ...]
    counts: tuple[int, ...]
    count: int
    sum_seconds: float
    p50_seconds: float | None
    p95_seconds: float | None
    p99_seconds: float | None


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """What happened, in words. `sequence` grows with each line of the run; `level` is INFO, WARNING or ERROR (or loguru's)."""

    sequence: int
    said_milliseconds: int
    level: str
    actor: str
    text: str


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """Lines that are new to this page, oldest first; `missed` came before them and are not kept any more."""

    missed: int
    lines: tuple[LogLine, ...]


class Push(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One frame. What is None was left out, and is as it was."""

    version: int
    number: int
    """1 for the first push to this page, then one more each."""
    now_milliseconds: int
    running_seconds: float
    whole: bool = False
    program: Program | None = None
    tree: Actor | None = None
    states: tuple[State, ...] | None = None
    books: dict[str, Book] | None = None
    """By market, as "gateio_spot BTC/USDT"; only those that have changed."""
    across: tuple[Across, ...] | None = None
    """Symbols of more than one exchange."""
    orders: Orders | None = None
    fills: tuple[Fill, ...] | None = None
    """The newest `FILLS_KEPT` of this run, newest first."""
    accounts: tuple[Account, ...] | None = None
    cycles: tuple[Cycle, ...] | None = None
    series: dict[str, Series] | None = None
    """By kind and name, as "profit btc"; only those with new points."""
    latencies: tuple[Latency, ...] | None = None
    log: Log | None = None


# POST /api/control


class Action(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a page asks for: pause, reduce-only, resume, halt (of any scope), flatten (of "global", an account or a cycle); `status`
    does nothing but say whether the token is right.

    It comes with the token in the header `Authorization: Bearer …` and the type `application/json`, from this page only. `from_halt` says
    that somebody has looked at why the scope was halted; without it nothing frees a halted scope.
    """

    run: Annotated[str, Meta(max_length=100)] = ""
    """Which run is meant (`Program.run`): another one, which has the address now, does nothing. Empty: whichever is there."""
    command: Command
    scope: Annotated[str, Meta(max_length=100)] = GLOBAL
    reason: Annotated[str, Meta(max_length=300)] = ""
    from_halt: bool = False


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it, the same as `mm-ctl` is told. `done` False: nothing was changed, and `message` says why and what to do.

    The status is 200 with every answer of the run, done or not; 400 for what is no action, 401 without the right token, 403 from anywhere
    else than this page or where the page is read-only, 409 where another run is meant, 429 while too many tokens wait to be judged, 503
    while too much is being carried out.
    """

    done: bool
    message: str
    halted: StateInForce | None = None
    orders: PulledOrders | None = None
    flattened: tuple[FlattenedCycle, ...] = ()
