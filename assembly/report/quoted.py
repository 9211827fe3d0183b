"""The orders of one cycle: what became of them, how long they lived, how soon they were acknowledged, when they rested on which side."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from decimal import Decimal

from actors.journal.rows import Row
from assembly.report.cycle_figures import CycleFigures
from assembly.report.prices import Span
from assembly.report.spans import day_of, days, pieces
from assembly.report.sums import OrderCounts
from market.exact import EXACT, exact_product
from orders.order import ZERO

_FOR_EVER = 1 << 61
UNKNOWN_TRANSPORT = "unknown"


class OrderBook:
    """Give it every order of a cycle (`count`), then have it add what it found to the cycle's figures.

    Orders whose intent is in `window` are counted; those that rested in it make up the uptime.
    """

    def __init__(self, window: Span) -> None:
        self._window = window
        self.runs: set[int] = set()
        self._counts: dict[int, OrderCounts] = {}
        self._latencies_us: dict[str, array[int]] = {}
        self._lifetimes: array[int] = array("q")
        # When orders began and ceased to rest: the time, doubled, with its lowest bit saying which; by side.
        self._changes: dict[str, array[int]] = {"buy": array("q"), "sell": array("q")}

    def count(self, row: Row) -> None:
        """One more order: a row of `JournalFigures.orders`."""
        self.runs.add(row["run"])
        placed_at, ended_at = row["placed_at"], row["ended_at"]
        if placed_at is not None and (ended_at is None or ended_at >= placed_at):
            changes = self._changes[row["side"]]
            changes.append(placed_at * 2 + 1)
            changes.append((_FOR_EVER if ended_at is None else ended_at) * 2)
        if self._window[0] <= row["created_at"] <= self._window[1]:
            self._count_outcome(row)
            self._count_times(row)

    def _count_outcome(self, row: Row) -> None:
        counts = self._counts.setdefault(day_of(row["created_at"]), OrderCounts())
        filled, filled_quote = row["filled_quantity"], Decimal(row["filled_quote"])
        was_filled = Decimal(filled) > ZERO
        counts.intended += 1
        if row["placed_at"] is not None or was_filled:
            counts.placed += 1
            counts.placed_quote = EXACT.add(counts.placed_quote, max(_amount(row), filled_quote))
            counts.filled_quote = EXACT.add(counts.filled_quote, filled_quote)
        match row["state"]:
            case "filled":
                counts.filled += 1
            case "cancelled" | "expired" | "rejected" if was_filled:
                counts.partly_filled += 1
            case "cancelled":
                counts.cancelled += 1
            case "expired":
                counts.expired += 1
            case "rejected":
                counts.rejected += 1
            case _:
                counts.may_exist += 1

    def _count_times(self, row: Row) -> None:
        placed_at = row["placed_at"]
        if placed_at is None:
            return
        took = row["acknowledged_us"]
        if took is None:  # from before it was measured: from the intent, in whole milliseconds
            took = (placed_at - row["created_at"]) * 1000
        transport = row["transport"] or UNKNOWN_TRANSPORT
        if took >= 0:
            self._latencies_us.setdefault(transport, array("q")).append(took)
        if row["ended_at"] is not None and row["ended_at"] >= placed_at:
            self._lifetimes.append(row["ended_at"] - placed_at)

    def add_to(self, cycle: CycleFigures) -> None:
        """Put down what was found, by day."""
        for day, counts in self._counts.items():
            cycle.of_day(day).orders.add(counts)
        for begin, end, sides in self._sides(cycle.lives):
            cycle.note_sides(begin, end, sides)
            for day, its_begin, its_end in days(begin, end):
                uptime = cycle.of_day(day).uptime
                if sides == 2:
                    uptime.both += its_end - its_begin
                elif sides == 1:
                    uptime.one += its_end - its_begin
                else:
                    uptime.none += its_end - its_begin
        cycle.latencies_us = self._latencies_us
        cycle.lifetimes = self._lifetimes

    def _sides(self, lives: list[Span]) -> Iterator[tuple[int, int, int]]:
        """On how many sides an order rested, from when until when, while the cycle ran, within the window."""
        running = [span for life in lives for span in pieces(*self._window, [life])]
        if not running:
            return
        steps = sorted([(change, 0) for change in self._changes["buy"]] + [(change, 1) for change in self._changes["sell"]])
        resting, since = [0, 0], running[0][0]
        for change, side in steps:
            at = min(change >> 1, running[-1][1])
            sides = (resting[0] > 0) + (resting[1] > 0)
            resting[side] += 1 if change & 1 else -1
            if at > since and sides != (resting[0] > 0) + (resting[1] > 0):
                yield from ((begin, end, sides) for begin, end in pieces(since, at, running))
                since = at
        sides = (resting[0] > 0) + (resting[1] > 0)
        yield from ((begin, end, sides) for begin, end in pieces(since, running[-1][1], running))


def _amount(row: Row) -> Decimal:
    """What an order was for, in quote units, as far as it says so."""
    if row["quote_quantity"] is not None:
        return Decimal(row["quote_quantity"])
    if row["price"] is None or row["quantity"] is None:
        return ZERO
    return exact_product(Decimal(row["price"]), Decimal(row["quantity"]))
