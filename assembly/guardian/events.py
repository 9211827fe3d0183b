"""What the guardian and the runtime say about each other."""

from __future__ import annotations

import enum

import msgspec


class Outcome(enum.Enum):
    """How far a guardian came with an account."""

    UNDER_WAY = "under way"
    CONFIRMED = "confirmed"
    RUNTIME_BACK = "runtime back"
    GIVEN_UP = "given up"


class GuardianWatching(msgspec.Struct, frozen=True, kw_only=True):
    """A process of its own watches over these accounts: should the runtime die or go silent, it cancels."""

    process: int
    accounts: tuple[str, ...]


class GuardianLost(msgspec.Struct, frozen=True, kw_only=True):
    """There is no guardian any more, and none until another one watches; it is started after `again_in_seconds`."""

    process: int | None
    reason: str
    again_in_seconds: float


class GuardianActed(msgspec.Struct, frozen=True, kw_only=True):
    """What a guardian did about one account, of this run or of an earlier one.

    `cancelled` are client ids that it found open, cancelled, and then found no more; `left_open` those that the exchange
    listed last. Only `CONFIRMED` says that the exchange listed none of ours in the end. Times are UTC; `ended_at` is empty while
    it is still at it, or if it was cut short.
    """

    account: str
    exchange: str
    cause: str
    outcome: Outcome
    cancelled: tuple[str, ...]
    left_open: tuple[str, ...]
    trouble: str
    began_at: str
    ended_at: str
    process: int
