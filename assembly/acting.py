"""Which actor the code that runs now belongs to: for whatever is logged or told from there, by us or by a library.

It is set at the start of an actor's own task and inherited by the tasks and threads that come of it.
"""

from __future__ import annotations

from contextvars import ContextVar

from msgspec.structs import replace

from supervision.child import Child, ChildContext, CleanupCause

_ACTOR: ContextVar[str] = ContextVar("actor", default="")


def acting() -> str:
    """The name of the actor that runs now, as ``account:main``; empty outside of all actors."""
    return _ACTOR.get()


def named(child: Child) -> Child:
    """`child`, in whose tasks `acting` gives its name, while it runs and while it is cleaned up.

    Nothing is set back: supervision gives each life of a child tasks of its own.
    """
    cleanup = child.cleanup

    async def start(context: ChildContext) -> None:
        _ACTOR.set(child.name)
        await child.start(context)

    async def clean_up(cause: CleanupCause) -> None:
        _ACTOR.set(child.name)
        if cleanup is not None:
            await cleanup(cause)

    return replace(child, start=start, cleanup=None if cleanup is None else clean_up)
