"""What a supervisor reports: every decision, as a frozen fact. `str(event)` is a line for people.

`time` is Trio's. Errors are kept whole, groups included; `errors.one_line` and `errors.leaf_errors` take them apart.
"""

from __future__ import annotations

import msgspec

from supervision.child import CleanupCause, DeathKind
from supervision.errors import one_line


class SupervisionEvent(msgspec.Struct, frozen=True):
    """Something that the supervisor at path `supervisor`, as ``root/accounts``, decided or saw."""

    supervisor: str
    time: float

    def __str__(self) -> str:
        return f"{self.supervisor} {self.what()}"

    def what(self) -> str:
        """What happened, in words, without who and when."""
        raise NotImplementedError


class ChildEvent(SupervisionEvent, frozen=True):
    """Something about one life of one child."""

    child: str
    incarnation: int

    def __str__(self) -> str:
        return f"{self.supervisor}/{self.child} #{self.incarnation} {self.what()}"


class SupervisorReady(SupervisionEvent, frozen=True):
    """Every child that is to run has been ready in this run. Said once a run."""

    def what(self) -> str:
        return "is ready: all its children are"


class SupervisorStopping(SupervisionEvent, frozen=True):
    """From here on nothing starts; children are stopped in reverse order."""

    reason: str
    error: BaseException | None

    def what(self) -> str:
        return f"is stopping: {self.reason}" + _because(self.error)


class SupervisorStopped(SupervisionEvent, frozen=True):
    """No child is left."""

    def what(self) -> str:
        return "has stopped"


class ChildStarting(ChildEvent, frozen=True):
    """The start function is called."""

    def what(self) -> str:
        return "is starting"


class ChildReady(ChildEvent, frozen=True):
    """The child called `started()`."""

    def what(self) -> str:
        return "is ready"


class ChildStartFailed(ChildEvent, frozen=True):
    """The child ended by itself, or had to be ended, before it was ready. Its `ChildDied` follows."""

    error: BaseException

    def what(self) -> str:
        return "failed to start" + _because(self.error)


class ChildHung(ChildEvent, frozen=True):
    """The child reported no progress for `seconds`; it is cancelled and its death will count as a crash."""

    seconds: float

    def what(self) -> str:
        return f"hangs: no progress for {self.seconds:g} s"


class ChildDied(ChildEvent, frozen=True):
    """The start function is over. A stopped child's `error` is one that it raised on being cancelled."""

    kind: DeathKind
    error: BaseException | None

    def what(self) -> str:
        return f"died, {self.kind.value}" + _because(self.error)


class ChildRestarting(ChildEvent, frozen=True):
    """The child, and by the strategy its siblings, will start again in `delay_seconds`."""

    delay_seconds: float

    def what(self) -> str:
        return f"restarts in {self.delay_seconds:.3g} s"


class ChildStopping(ChildEvent, frozen=True):
    """The child is cancelled. Its own death is next, or `StopDeadlineExceeded`."""

    reason: str

    def what(self) -> str:
        return f"is asked to stop: {self.reason}"


class StopDeadlineExceeded(ChildEvent, frozen=True):
    """The child still runs `seconds` after it was cancelled.

    It is cleaned up now, its siblings are stopped without waiting for it, and it is awaited at the end: nothing but
    the end of the process ends it otherwise. It is not restarted while it runs.
    """

    seconds: float

    def what(self) -> str:
        return (
            f"outlived its stop deadline of {self.seconds:g} s: it is cleaned up while it runs, the others go on, "
            "and it is awaited at the end; only ending the process would end it now"
        )


class ChildStopped(ChildEvent, frozen=True):
    """A child that was asked to stop is dead and cleaned up."""

    def what(self) -> str:
        return "has stopped"


class CleanupStarted(ChildEvent, frozen=True):
    """The child's cleanup is called."""

    cause: CleanupCause

    def what(self) -> str:
        return f"is being cleaned up ({self.cause.kind.value}{', still running' if self.cause.still_running else ''})"


class CleanupFinished(ChildEvent, frozen=True):
    """The child's cleanup returned."""

    def what(self) -> str:
        return "is cleaned up"


class CleanupFailed(ChildEvent, frozen=True):
    """The child's cleanup raised. Counts like a crash where a restart follows."""

    error: BaseException

    def what(self) -> str:
        return "was not cleaned up" + _because(self.error)


class CleanupTimedOut(ChildEvent, frozen=True):
    """The child's cleanup was cut off at its deadline. Counts like a crash where a restart follows."""

    seconds: float

    def what(self) -> str:
        return f"was not cleaned up within {self.seconds:g} s"


class ChildQuarantined(ChildEvent, frozen=True):
    """The child exceeded the restart intensity and stays stopped for the rest of this run; the others go on."""

    error: BaseException | None

    def what(self) -> str:
        return "is quarantined: it was restarted too often" + _because(self.error)


class IntensityExceeded(ChildEvent, frozen=True):
    """This child's death was one too many: more than `restarts_max` restarts in `period_seconds`."""

    restarts_max: int
    period_seconds: float
    error: BaseException | None

    def what(self) -> str:
        return f"is one restart too many: more than {self.restarts_max} in {self.period_seconds:g} s" + _because(self.error)


def _because(error: BaseException | None) -> str:
    return "" if error is None else f" ({one_line(error)})"
