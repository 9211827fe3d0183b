"""Metrics of the public side: connections, frames, books, and the requests to each exchange."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import trio

from actors.feeds.book_sync import LossKind
from assembly.metrics.families import Family, counter, gauge, histogram
from assembly.parts import ExchangeParts
from network.limits import WEBSOCKETS
from network.measures import RequestOutcome

EVERYTHING = "everything"
"""The group of a hold that holds every request to an exchange."""

EXCHANGE_INFO = gauge("mm_exchange_info", ("exchange", "mode"), "", "Always 1; says how an exchange is used: simulated, testnet or live")

FEED_CONNECTIONS = counter("mm_feed_connections_total", ("exchange",), "connections", "Websockets of a feed that were opened")
FEED_DISCONNECTIONS = counter(
    "mm_feed_disconnections_total", ("exchange",), "connections", "Websockets of a feed that were lost, given up, or could not be opened"
)
FEED_FRAMES = counter("mm_feed_frames_total", ("exchange",), "frames", "Frames that came over the websockets of a feed")
FEED_FRAME_SECONDS = histogram(
    "mm_feed_frame_seconds",
    ("exchange",),
    "seconds",
    "From a frame's arrival until it is decoded, books are changed and everybody is told; of every eighth frame",
)
FEED_MESSAGES = counter("mm_feed_messages_total", ("exchange", "kind"), "messages", "Messages that a feed has decoded, by kind")
FEED_BAD_FRAMES = counter("mm_feed_bad_frames_total", ("exchange",), "frames", "Frames that an exchange's protocol does not allow")
FEED_REFUSALS = counter("mm_feed_refused_channels_total", ("exchange",), "subscriptions", "Subscriptions that an exchange refused")
BOOK_USABLE = gauge("mm_book_usable", ("exchange", "symbol"), "", "1 while a book is whole and has both sides, 0 otherwise")
BOOK_AGE = gauge(
    "mm_book_age_seconds",
    ("exchange", "symbol"),
    "seconds",
    "How long ago a book was last known to equal the exchange's; absent until it was for the first time",
)
BOOK_LOSSES = counter(
    "mm_book_losses_total", ("exchange", "symbol", "reason"), "books", "Books that were thrown away; reason gap: updates were missing"
)
BOOK_SYNCHRONISATIONS = counter(
    "mm_book_synchronisations_total", ("exchange", "symbol"), "books", "Books that became whole: the first, and then each resynchronisation"
)
BOOK_SNAPSHOT_FAILURES = counter(
    "mm_book_snapshot_failures_total", ("exchange", "symbol"), "snapshots", "Snapshots of a book that were not to be had or did not fit"
)

REQUESTS = counter(
    "mm_rest_requests_total", ("exchange", "group", "outcome"), "requests", "Attempts at a request over REST, by what became of them"
)
REQUEST_SECONDS = histogram(
    "mm_rest_request_seconds", ("exchange", "group"), "seconds", "From sending a request over REST to its whole answer, whatever it says"
)
LIMIT_CAPACITY = gauge(
    "mm_rate_limit_capacity",
    ("exchange", "group"),
    "weight",
    "What may be sent in one period of a rate limit; exchanges that count together show the same",
)
LIMIT_USED = gauge("mm_rate_limit_used", ("exchange", "group"), "weight", "What of a rate limit's capacity is used up now")
LIMIT_WAITING = gauge("mm_rate_limit_waiting", ("exchange", "group"), "requests", "Requests that wait for their turn in a rate limit")
LIMIT_WAIT_SECONDS = counter(
    "mm_rate_limit_wait_seconds_total",
    ("exchange", "group"),
    "seconds",
    "How long requests have waited for their turn in a rate limit, together",
)
HOLDS = counter(
    "mm_holds_total",
    ("exchange", "group"),
    "holds",
    "How often an exchange has asked for a pause of a group of requests, or of everything (a ban)",
)
HOLD_SECONDS = gauge(
    "mm_hold_seconds", ("exchange", "group"), "seconds", "How long nothing of a group may be sent from now on; 0 where it is free"
)
BREAKER_STATE = gauge(
    "mm_breaker_state", ("exchange", "state"), "", "1 for the state that an exchange's circuit breaker is in, 0 for the others"
)
BREAKER_OPENINGS = counter("mm_breaker_openings_total", ("exchange",), "openings", "How often an exchange's circuit breaker was opened")

METRICS = (
    EXCHANGE_INFO, FEED_CONNECTIONS, FEED_DISCONNECTIONS, FEED_FRAMES, FEED_FRAME_SECONDS, FEED_MESSAGES, FEED_BAD_FRAMES, FEED_REFUSALS,
    BOOK_USABLE, BOOK_AGE, BOOK_LOSSES, BOOK_SYNCHRONISATIONS, BOOK_SNAPSHOT_FAILURES, REQUESTS, REQUEST_SECONDS, LIMIT_CAPACITY,
    LIMIT_USED, LIMIT_WAITING, LIMIT_WAIT_SECONDS, HOLDS, HOLD_SECONDS, BREAKER_STATE, BREAKER_OPENINGS,
)  # fmt: skip


def read_feeds(exchanges: Mapping[str, ExchangeParts]) -> Iterator[Family]:
    """What feeds have counted, and how books stand."""
    feeds = {name: parts.feed_measures for name, parts in exchanges.items()}
    books = [(name, standing) for name, feed in feeds.items() for standing in feed.books()]
    now = trio.current_time()
    yield EXCHANGE_INFO.of(((name, parts.settings.mode.value), 1) for name, parts in exchanges.items())
    yield FEED_CONNECTIONS.of(((name,), feed.connections) for name, feed in feeds.items())
    yield FEED_DISCONNECTIONS.of(((name,), feed.disconnections) for name, feed in feeds.items())
    yield FEED_FRAMES.of(((name,), feed.frames) for name, feed in feeds.items())
    yield FEED_FRAME_SECONDS.of_histograms({(name,): feed.frame_seconds.snapshot() for name, feed in feeds.items()})
    yield FEED_MESSAGES.of(((name, kind), count) for name, feed in feeds.items() for kind, count in feed.messages().items())
    yield FEED_BAD_FRAMES.of(((name,), feed.bad_frames) for name, feed in feeds.items())
    yield FEED_REFUSALS.of(((name,), feed.refused_channels) for name, feed in feeds.items())
    yield BOOK_USABLE.of(((name, str(book.symbol)), int(book.is_usable)) for name, book in books)
    yield BOOK_AGE.of(((name, str(book.symbol)), now - book.proven_at) for name, book in books if book.proven_at is not None)
    yield BOOK_LOSSES.of(
        ((name, str(book.symbol), kind.value), feeds[name].losses[book.symbol, kind]) for name, book in books for kind in LossKind
    )
    yield BOOK_SYNCHRONISATIONS.of(((name, str(book.symbol)), feeds[name].synchronisations[book.symbol]) for name, book in books)
    yield BOOK_SNAPSHOT_FAILURES.of(((name, str(book.symbol)), feeds[name].failed_snapshots[book.symbol]) for name, book in books)


def read_requests(exchanges: Mapping[str, ExchangeParts]) -> Iterator[Family]:
    """What was asked of exchanges, and what may be."""
    limits = {name: parts.limits for name, parts in exchanges.items()}
    groups = [(name, group, statistics) for name, one in limits.items() for group, statistics in one.limiter.statistics().items()]
    held = [
        (name, EVERYTHING if group is None else group, one.measures.holds[group], one.held_until(group))
        for name, one in limits.items()
        for group in (*one.limiter.statistics(), WEBSOCKETS, None)
    ]
    now = trio.current_time()
    yield REQUESTS.of(
        ((name, group, outcome.value), limits[name].measures.outcomes[group, outcome])
        for name, group, _ in groups
        for outcome in RequestOutcome
    )
    yield REQUEST_SECONDS.of_histograms(
        {(name, *labels): found for name, one in limits.items() for labels, found in one.measures.answer_seconds.snapshots().items()}
    )
    yield LIMIT_CAPACITY.of(((name, group), statistics.capacity) for name, group, statistics in groups)
    yield LIMIT_USED.of(((name, group), statistics.capacity - statistics.available) for name, group, statistics in groups)
    yield LIMIT_WAITING.of(((name, group), statistics.waiting) for name, group, statistics in groups)
    yield LIMIT_WAIT_SECONDS.of(((name, group), statistics.waited_seconds) for name, group, statistics in groups)
    yield HOLDS.of(((name, group), count) for name, group, count, _ in held)
    yield HOLD_SECONDS.of(((name, group), max(0.0, until - now)) for name, group, _, until in held)
    yield BREAKER_STATE.of_states({(name,): one.breaker.state for name, one in limits.items()})
    yield BREAKER_OPENINGS.of(((name,), one.breaker.openings) for name, one in limits.items())
