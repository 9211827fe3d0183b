"""How patient a feed is."""

from __future__ import annotations

import msgspec


class FeedSettings(msgspec.Struct, kw_only=True):
    """Defaults suit a market-making cycle on a liquid market; every time is in seconds.

    Of a feed that runs only `max_age_seconds` may be changed.
    """

    depth_levels: int = 10
    """How many levels a side `BookChanged` carries."""
    max_age_seconds: float = 5.0
    """A book that nothing has proven true for this long is lost."""
    request_timeout_seconds: float = 5.0
    subscribe_timeout_seconds: float = 10.0
    """A subscription unanswered, or a pushed book missing, for this long is a failure."""
    pong_timeout_seconds: float = 5.0
    buffer_deltas_max: int = 1000
    """Deltas kept per symbol while its snapshot is awaited; the oldest goes when there are more."""
    resyncs_max: int = 10
    """So many broken generations or misfitting snapshots of one symbol within `resync_period_seconds` condemn the connection."""
    bad_frames_max: int = 3
    """So many frames against the protocol within `resync_period_seconds` condemn the connection."""
    resync_period_seconds: float = 60.0
    mismatch_grace_seconds: float = 1.0
    """How long the stream may trail behind a REST answer before the book counts as wrong."""
    instruments_attempts_max: int = 5
    """Tries to load the instruments at the start, after which the feed fails."""
    instruments_reload_seconds: float = 3600.0
    retry_initial_seconds: float = 0.25
    """The first delay before a failed connection, snapshot or subscription is tried again; each further one doubles."""
    retry_seconds_max: float = 20.0
    retry_jitter: float = 0.5
    """Up to this part of a delay is taken off at random."""
