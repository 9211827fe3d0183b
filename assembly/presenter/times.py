"""Times of day in text, all UTC, from milliseconds since 1970; and how often something is told."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso_time(time_milliseconds: int) -> str:
    """``2026-11-20T12:00:01.123Z``."""
    return (_EPOCH + timedelta(milliseconds=time_milliseconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(time_milliseconds: int) -> str:
    """``2026-11-20 12:00:01``: for people, of a time that may be of another day."""
    return iso_time(time_milliseconds)[:19].replace("T", " ")


class Interval(Generic[K]):
    """Whether it is time to tell of something again."""

    def __init__(self, milliseconds: int) -> None:
        self._milliseconds = milliseconds
        self._told_at: dict[K, int] = {}

    def is_over(self, key: K, time_milliseconds: int) -> bool:
        """Whether `key` is to be told now. A wall clock that was set back does not silence it."""
        told_at = self._told_at.get(key)
        if told_at is not None and 0 <= time_milliseconds - told_at < self._milliseconds:
            return False
        self._told_at[key] = time_milliseconds
        return True
