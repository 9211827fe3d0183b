"""Times of day in text, all UTC, from milliseconds since 1970."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso_time(time_milliseconds: int) -> str:
    """``2026-11-20T12:00:01.123Z``."""
    return (_EPOCH + timedelta(milliseconds=time_milliseconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(time_milliseconds: int) -> str:
    """``2026-11-20 12:00:01``: for people, of a time that may be of another day."""
    return iso_time(time_milliseconds)[:19].replace("T", " ")
