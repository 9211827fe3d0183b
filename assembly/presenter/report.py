"""What only the runtime knows and the presenters show: that it started, stops, and how it ended."""

from __future__ import annotations

import enum

import msgspec

from orders.order import Order
from orders.states import TradingState


class ExitStatus(enum.IntEnum):
    """The process's exit status."""

    CLEAN = 0
    FAILED = 1
    USAGE = 2
    MAY_BE_LIVE = 3

    @property
    def meaning(self) -> str:
        return _MEANINGS[self]


_MEANINGS = {
    ExitStatus.CLEAN: "clean: no order of ours is live",
    ExitStatus.FAILED: "failed, but no order of ours is live",
    ExitStatus.USAGE: (
        "the command line, the settings, the journal or the credential cannot be used; no order of this run is live, "
        "what a killed one left may still be"
    ),
    ExitStatus.MAY_BE_LIVE: "ORDERS OF OURS MAY STILL BE LIVE: look at the exchange and cancel what is listed above",
}


class RuntimeStarted(msgspec.Struct, frozen=True, kw_only=True):
    """The program runs. `exchanges` says the mode of each by its name."""

    version: str
    installation: str
    exchanges: dict[str, str]


class RunRecovered(msgspec.Struct, frozen=True, kw_only=True):
    """The journal holds an earlier run of this installation, and this is what the new one takes over from it.

    Orders that may be live are asked about and cancelled before anything is placed; rounds in progress go on. Orders elsewhere
    are at accounts that this run does not have: nobody looks after them.
    """

    last_run_began_at_milliseconds: int
    last_run_ended: str
    orders_that_may_be_live: tuple[str, ...]
    rounds_in_progress: tuple[str, ...]
    orders_elsewhere: tuple[str, ...]


class HoldTakenOver(msgspec.Struct, frozen=True):
    """An earlier run was asked to send nothing of `scope` before then, and this one keeps to it.

    `correction` says why it is not the time that was written down, where it is not.
    """

    scope: str
    until_milliseconds: int
    reason: str
    correction: str


class RuntimeStopping(msgspec.Struct, frozen=True, kw_only=True):
    """The gate is closed: no new order can leave; open ones are being cancelled."""

    reason: str
    deadline_seconds: float


class StopAwaited(msgspec.Struct, frozen=True, kw_only=True):
    """What a stop still waits for, and how it can be forced."""

    awaited: tuple[str, ...]
    how_to_force: str


class Notice(msgspec.Struct, frozen=True):
    """Something that a person must have been told, such as what a live run may do."""

    text: str


class LogLine(msgspec.Struct, frozen=True):
    """A diagnostic, as the logs have it. `actor` may be empty."""

    level: str
    actor: str
    message: str


class StateLeft(msgspec.Struct, frozen=True):
    """A scope that a run has left in another state than `run`, and what a person types to lift it."""

    scope: str
    state: TradingState
    reason: str
    lifted_by: str


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended: `orders` are all that are remembered, by account, oldest first.

    `states` are those in force at the end; `states_are_kept` says that the next run goes on in them.
    """

    time_milliseconds: int
    exit_status: ExitStatus
    reason: str
    seconds: float
    orders: dict[str, tuple[Order, ...]]
    states: tuple[StateLeft, ...] = ()
    states_are_kept: bool = True
