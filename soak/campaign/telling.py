"""A world that is told of while it lives. Who tells stands inside the program's own tasks: what goes wrong there is no fault of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from soak.options import Options
from soak.outcome import Outcome
from soak.run import run_options
from soak.worlds.world import World


def run_telling(options: Options, *, tell_event: Callable[[object], None], tell_note: Callable[[str], None] | None = None) -> Outcome:
    """As `run_options`, where each event of the program, and what is done to it, is told as it happens.

    Raises:
        Exception: what could not be told, after the world has been ended at once: none of it reaches the program.
    """
    failures: list[Exception] = []

    def watch(world: World) -> None:
        def never_raising(tell: Callable[[Any], None]) -> Callable[[Any], None]:
            def tell_or_end(told: Any) -> None:
                if failures:
                    return
                try:
                    tell(told)
                except Exception as failure:  # noqa: BLE001  whatever it is, the actor that reports has no part in it
                    failures.append(failure)
                    world.nursery.cancel_scope.cancel()

            return tell_or_end

        world.observers.append(never_raising(tell_event))
        if tell_note is not None:
            world.note_observers.append(never_raising(tell_note))

    outcome = run_options(options, watch=watch)
    if failures:
        raise failures[0]
    return outcome
