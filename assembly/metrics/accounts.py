"""Metrics of the private side: orders and how long they take, fills, what is open, what may become of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import trio

from actors.accounts.measures import NEVER_ACCEPTED, NOT_SENT, OTHERS, REPORTED, OrderMilestone
from assembly.metrics.families import Family, counter, gauge, histogram
from assembly.parts import AccountParts
from market.symbol import Symbol
from orders.errors import ErrorKind
from orders.exposure import Exposure, exposure
from orders.life_cycle import OrderState

STREAM_CONNECTIONS = counter("mm_private_stream_connections_total", ("account",), "connections", "Private streams that were opened")
STREAM_DISCONNECTIONS = counter(
    "mm_private_stream_disconnections_total", ("account",), "connections", "Private streams that were lost, or could not be opened"
)
STREAM_FRAMES = counter(
    "mm_private_stream_frames_total", ("account",), "frames", "Frames that came over the private stream and could be read"
)
ACCOUNT_READY = gauge(
    "mm_account_ready", ("account",), "", "1 while an account agrees with its exchange and carries out commands, 0 otherwise"
)

MESSAGE_TO_ORDER = histogram(
    "mm_message_to_order_seconds",
    ("account", "request", "transport"),
    "seconds",
    "From the arrival of the market's message that a decision answers until its request leaves; not of what no message asked for",
)
ORDER_TO_WORD = histogram(
    "mm_order_acknowledgement_seconds",
    ("account", "transport"),
    "seconds",
    "From the leaving of a placement until the exchange's first word of it, by whichever way that comes",
)
ORDER_EVENTS = counter(
    "mm_order_events_total",
    ("account", "cycle", "event"),
    "orders",
    "Orders that were submitted, placed (the exchange has it), filled, cancelled, expired or rejected; unknown: each time nobody knew",
)
ORDER_REJECTIONS = counter(
    "mm_order_rejections_total",
    ("account", "cycle", "kind"),
    "orders",
    "Rejected orders by kind: the exchange's refusal, not_sent (held back here), never_accepted (as we conclude), reported (later)",
)
LIVE_ORDERS = gauge("mm_live_orders", ("account", "cycle"), "orders", "Orders that may still trade, those of unknown fate included")
UNKNOWN_ORDERS = gauge("mm_unknown_orders", ("account", "cycle"), "orders", "Orders of which nobody knows what became of them")
UNKNOWN_AGE = gauge(
    "mm_unknown_order_age_seconds",
    ("account",),
    "seconds",
    "For how long nobody has known what became of the oldest unknown order; 0 if there is none",
)
FILLS = counter("mm_fills_total", ("account", "cycle", "symbol", "liquidity"), "fills", "Trades of our orders")
TRADED = counter(
    "mm_traded_notional_quote_total", ("account", "cycle", "symbol", "liquidity"), "quote units", "What our trades were worth, before fees"
)
EXPOSURE = gauge(
    "mm_exposure_quote",
    ("account", "symbol", "direction"),
    "quote units",
    "The largest position that may come of what is held and of all that may still fill; absent while it cannot be valued",
)
COMMANDS_WAITING = gauge(
    "mm_account_commands_waiting", ("account",), "commands", "Commands in an account's queue, and senders that wait for a place"
)

METRICS = (
    STREAM_CONNECTIONS, STREAM_DISCONNECTIONS, STREAM_FRAMES, ACCOUNT_READY, MESSAGE_TO_ORDER, ORDER_TO_WORD, ORDER_EVENTS,
    ORDER_REJECTIONS, LIVE_ORDERS, UNKNOWN_ORDERS, UNKNOWN_AGE, FILLS, TRADED, EXPOSURE, COMMANDS_WAITING,
)  # fmt: skip

REJECTION_KINDS = (*(kind.value for kind in ErrorKind), NOT_SENT, NEVER_ACCEPTED, REPORTED)


def read_accounts(accounts: Mapping[str, AccountParts], *, waiting: Collection[str], began_at: float) -> Iterator[Family]:
    """What accounts have counted, and how they stand; `waiting` are those that are not ready."""
    now = trio.current_time()
    measured = {name: parts.measures for name, parts in accounts.items()}
    live = [(name, order) for name, parts in accounts.items() for order in parts.ledger.live_orders()]
    unknown = [(name, order) for name, order in live if order.state is OrderState.UNKNOWN]
    owners = [(name, owner) for name, parts in accounts.items() for owner in (*parts.inboxes, OTHERS)]
    oldest = dict.fromkeys(accounts, now)
    for name, order in unknown:
        since = measured[name].unknown_since(order)
        oldest[name] = min(oldest[name], began_at if since is None else since)
    yield STREAM_CONNECTIONS.of(((name,), one.connections) for name, one in measured.items())
    yield STREAM_DISCONNECTIONS.of(((name,), one.disconnections) for name, one in measured.items())
    yield STREAM_FRAMES.of(((name,), one.private_frames) for name, one in measured.items())
    yield ACCOUNT_READY.of(((name,), int(name not in waiting)) for name in accounts)
    yield MESSAGE_TO_ORDER.of_histograms(
        {(name, *labels): found for name, one in measured.items() for labels, found in one.message_to_order_seconds.snapshots().items()}
    )
    yield ORDER_TO_WORD.of_histograms(
        {(name, *labels): found for name, one in measured.items() for labels, found in one.order_to_word_seconds.snapshots().items()}
    )
    yield ORDER_EVENTS.of(
        ((name, owner, milestone.value), measured[name].milestones[owner, milestone])
        for name, owner in owners
        for milestone in OrderMilestone
    )
    yield ORDER_REJECTIONS.of(
        ((name, owner, kind), measured[name].rejections[owner, kind]) for name, owner in owners for kind in REJECTION_KINDS
    )
    for metric, orders in ((LIVE_ORDERS, live), (UNKNOWN_ORDERS, unknown)):
        counts = dict.fromkeys(owners, 0)
        for name, order in orders:
            counts[name, measured[name].owner_of(order)] += 1
        yield metric.of(counts.items())
    yield UNKNOWN_AGE.of(((name,), now - since) for name, since in oldest.items())
    traded = {
        (name, owner, str(symbol), "maker" if is_maker else "taker"): known
        for name, one in measured.items()
        for (owner, symbol, is_maker), known in one.traded.items()
    }
    yield FILLS.of((labels, known.trades) for labels, known in traded.items())
    yield TRADED.of((labels, known.notional) for labels, known in traded.items())
    exposed = [(name, symbol, _exposure(parts, symbol)) for name, parts in accounts.items() for symbol in parts.symbols]
    yield EXPOSURE.of(
        ((name, str(symbol), direction), amount)
        for name, symbol, found in exposed
        if found is not None
        for direction, amount in (("long", found.long), ("short", found.short))
    )
    queues = {name: parts.commands_sender.statistics() for name, parts in accounts.items()}
    yield COMMANDS_WAITING.of(((name,), queue.used + queue.senders_waiting) for name, queue in queues.items())


def _exposure(parts: AccountParts, symbol: Symbol) -> Exposure | None:
    return exposure(parts.ledger, symbol, parts.limited.prices.last(symbol))
