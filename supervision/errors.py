"""What supervision raises, what it says of a child that failed silently, and how an error reads in one line."""

from __future__ import annotations

from typing import cast


class SupervisionError(Exception):
    """A supervisor gave up; its children have been stopped and cleaned up. `__cause__` is the last error of `child`."""

    def __init__(self, message: str, *, supervisor: str, child: str) -> None:
        super().__init__(message)
        self.supervisor = supervisor
        self.child = child


class RestartIntensityExceeded(SupervisionError):
    """Restarting did not help: more restarts within the period than the supervisor bears, or no child is left to run."""


class StartFailed(SupervisionError):
    """A child failed before it had been ready once, so the supervisor could not start."""


class ReturnedBeforeReady(Exception):
    """The child's start function returned without having called `started()`. A fault of the child."""


class NotReadyInTime(Exception):
    """The child did not call `started()` within its start deadline."""


class NoProgress(Exception):
    """The child reported no progress within its liveness timeout."""


def leaf_errors(error: BaseException) -> tuple[BaseException, ...]:
    """The errors inside an exception group, however nested, in order; the error itself if it is no group."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return tuple(leaf for one in group.exceptions for leaf in leaf_errors(one))
    return (error,)


def one_line(error: BaseException) -> str:
    """The leaf errors for a log line or a page: types and first lines of their texts."""
    return "; ".join(_one_leaf(leaf) for leaf in leaf_errors(error))


def _one_leaf(error: BaseException) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__
