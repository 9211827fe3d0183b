"""What a supervisor may be told about how it decides."""

from __future__ import annotations

import enum

import msgspec

from supervision.backoff import Backoff
from supervision.intensity import Intensity


class Strategy(enum.Enum):
    """Which children are restarted when one of them has to be."""

    ONE_FOR_ONE = "one_for_one"  # that child
    ONE_FOR_ALL = "one_for_all"  # all children
    REST_FOR_ONE = "rest_for_one"  # that child and those listed after it


class AutoShutdown(enum.Enum):
    """Whether a supervisor stops, and returns, once significant children have ended by themselves for good."""

    NEVER = "never"
    ANY_SIGNIFICANT = "any_significant"
    ALL_SIGNIFICANT = "all_significant"


class WhenExceeded(enum.Enum):
    """What happens when the restart intensity is exceeded."""

    ESCALATE = "escalate"  # stop all children and raise; the intensity counts the restarts of all children together
    QUARANTINE = "quarantine"  # leave that child stopped, go on with the others; the intensity counts for each child apart


class WhenStartFails(enum.Enum):
    """What happens when a child fails before it has been ready once in this run. Later failures always count as crashes."""

    ESCALATE = "escalate"  # as OTP does: stop those already started and raise
    RETRY = "retry"  # as a crash: back off and restart, within the intensity


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """All of it, as one supervisor has it."""

    strategy: Strategy
    intensity: Intensity
    backoff: Backoff
    auto_shutdown: AutoShutdown
    when_exceeded: WhenExceeded
    when_start_fails: WhenStartFails
    start_concurrently: bool
