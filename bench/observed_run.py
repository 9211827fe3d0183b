"""The program, unmodified, with a clock held beside its presenter. Started by `run_minute.py`, not by hand.

Usage: observed_run.py FIGURES ARGUMENTS…, where FIGURES is the file to write and the rest is mm-runtime's own. The events of
an order are timed where the presenter hears of them, which is in the same step of the same task in which they happened.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import trio

import assembly.program as program
from assembly.command import main as run_command
from assembly.presenter.presenter import Presenter
from market.events import BookChanged
from orders.events import OrderCancelRequested, OrderEnded, OrderPlaced, OrderSubmitted
from orders.reconciliation import CycleReconciled


class ObservedPresenter:
    """Passes everything on to the real presenter."""

    def __init__(self, presenter: Presenter) -> None:
        self._presenter = presenter
        self.run = presenter.run
        self.finish = presenter.finish
        self.is_live = presenter.is_live
        self.first: dict[str, float] = {}
        self.counts: dict[str, int] = {}
        self.submitted_at: dict[str, float] = {}
        self.cancel_asked_at: dict[str, float] = {}
        self.place_seconds: list[float] = []
        self.cancel_seconds: list[float] = []

    @property
    def dropped(self) -> int:
        return self._presenter.dropped

    def event(self, time_milliseconds: int, event: object) -> None:
        name = type(event).__name__
        self.counts[name] = self.counts.get(name, 0) + 1
        if name not in self.first:
            self.first[name] = time.time()
        match event:
            case BookChanged():
                pass
            case OrderSubmitted(_, order):
                self.submitted_at[order.client_order_id] = trio.current_time()
            case OrderPlaced(_, order):
                self.place_seconds.append(trio.current_time() - self.submitted_at.pop(order.client_order_id))
            case OrderCancelRequested(_, order):
                self.cancel_asked_at[order.client_order_id] = trio.current_time()
            case OrderEnded(_, order) if order.client_order_id in self.cancel_asked_at:
                self.cancel_seconds.append(trio.current_time() - self.cancel_asked_at.pop(order.client_order_id))
            case CycleReconciled() if not event.agrees:
                raise RuntimeError("a round's balances do not agree: these figures are worth nothing")
            case _:
                pass
        self._presenter.event(time_milliseconds, event)

    def figures(self) -> dict[str, object]:
        return {"first": self.first, "counts": self.counts, "place_seconds": self.place_seconds, "cancel_seconds": self.cancel_seconds}


def main() -> None:
    observed: list[ObservedPresenter] = []
    open_presenter = program.open_presenter

    def open_observed(*arguments: Any, **settings: Any) -> ObservedPresenter:
        observed.append(ObservedPresenter(open_presenter(*arguments, **settings)))
        return observed[0]

    program.open_presenter = open_observed
    figures = Path(sys.argv.pop(1))
    try:
        run_command()
    finally:
        if observed:
            figures.write_text(json.dumps(observed[0].figures()))


if __name__ == "__main__":
    main()
