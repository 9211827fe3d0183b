"""Whether a fault came to anything: who plans one is remembered with it, and told once it is carried out."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar


class Cause:
    """Why something goes wrong. `tell` is called once: when the first of what was planned or done `at_work` has had an effect."""

    def __init__(self, tell: Callable[[], object] | None = None) -> None:
        self._tell = tell

    def had_effect(self) -> None:
        """To be called where a fault is carried out, not where it is planned."""
        if self._tell is not None:
            tell, self._tell = self._tell, None
            tell()

    @contextmanager
    def at_work(self) -> Generator[None]:
        """What is planned and done inside, and by tasks that are started inside, is its doing."""
        token = _CURRENT.set(self)
        try:
            yield
        finally:
            _CURRENT.reset(token)


NO_CAUSE = Cause()
"""Of what nobody wants to hear; at work where something only prepares the ground for a fault."""

_CURRENT: ContextVar[Cause] = ContextVar("cause", default=NO_CAUSE)


def current_cause() -> Cause:
    """Whose doing it is what happens here now."""
    return _CURRENT.get()
