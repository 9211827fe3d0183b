"""One cycle in one market: what its trades add up to, by the tallies' own accounting, day by day, and the curves of it."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from decimal import Context, Decimal

import msgspec

from actors.cycle.quoting.risk import fees_in_quote
from actors.journal.figures import FillRow, PriceRows
from actors.journal.tallies import TallyPlace
from assembly.report.curves import Curve
from assembly.report.prices import PriceHistory, Span
from assembly.report.spans import COLUMNS, DAY_MILLISECONDS, Columns, day_of
from assembly.report.sums import HORIZONS_SECONDS, Earnings, Sums
from market.events import Side
from market.exact import EXACT, exact_product
from orders.order import ZERO
from orders.reports import FillReport
from orders.tally import Tally

LATE_MILLISECONDS = 5_000
"""A trade that was told so much after the exchange's time of it has that time; else its own is when it was told."""
DIFFERENCES_KEPT_MAX = 5
_NO_PRICES = PriceHistory(PriceRows(array("q"), array("d"), array("d")), ())
_AS_STATED = Context(prec=12)  # what `risk_measured` tells is rounded for reading


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """What a run itself said of a cycle (`risk_measured`)."""

    at: int
    trades: int
    mid: Decimal | None
    realised: Decimal
    volume: Decimal
    inventory: Decimal
    fees: Decimal | None = None
    profit: Decimal | None = None


class Mark(msgspec.Struct, frozen=True):
    """A trade, to be drawn."""

    at: int
    price: float
    is_buy: bool


class Drawing(msgspec.Struct, frozen=True, kw_only=True):
    """The curves of a cycle, over its own time; `together` is its profit over that of the whole report."""

    columns: Columns
    profit: Curve
    realised: Curve
    fees: Curve
    inventory: Curve
    price: Curve
    together: Curve


class CycleFigures:
    """Figures of one place. Feed it its trades in the tallies' order (`count_fill`), then `finish` it, and have it `draw` its curves.

    Only what lies within `window` is added up; what came before counts as where it began.
    """

    def __init__(self, place: TallyPlace, *, window: Span, lives: list[Span], prices: PriceHistory, statements: list[Statement]) -> None:
        self.place = place
        self.window = window
        self.lives = lives
        self.prices = prices
        self.prices_are_sampled = prices.is_sampled
        self.drawing: Drawing | None = None
        self.days: dict[int, Sums] = {}
        self.total = Sums()
        self.latencies_us: dict[str, array[int]] = {}
        self.lifetimes: array[int] = array("q")
        self.marks_at: array[int] = array("q")
        self.marks_price: array[float] = array("d")
        self.marks_buy = bytearray()
        self.statements_agreeing = 0
        self.differences: list[str] = []
        self.sides_at: array[int] = array("q")
        self.sides = bytearray()
        """On how many sides orders rested from each of `sides_at` on, while the cycle ran."""
        self.tally = Tally()
        self.last_mid: Decimal | None = None
        self._statements = iter(sorted(statements, key=lambda each: (each.trades, each.at)))
        self._next_statement = next(self._statements, None)
        self._at = 0
        self._last_price: Decimal | None = None
        self._day: int | None = None
        self._before = Earnings()
        # Between two trades profit is a straight line over the middle: `_offsets` and, as its slope, `_inventories`.
        self._times: array[int] = array("q")
        self._offsets: array[float] = array("d")
        self._inventories: array[float] = array("d")
        self._realised: array[float] = array("d")
        self._fees: array[float] = array("d")

    # Trades

    def count_fill(self, row: FillRow) -> None:
        """One more trade."""
        at = self._at = max(self._at, row.at)
        fill = row.fill
        self._compare_statements()
        self._close_days(at)
        self.tally = self.tally.after_fill(fill)
        self._last_price = fill.price
        self._note_value(at)
        if self.window[0] <= at <= self.window[1]:
            self._count_trade(fill, day_of(at), _moment(row))
            self.marks_at.append(at)
            self.marks_price.append(float(fill.price))
            self.marks_buy.append(fill.side is Side.BUY)

    def _count_trade(self, fill: FillReport, day: int, moment: int) -> None:
        trades = self.of_day(day).trades_of(fill.side.value, maker=fill.maker)
        notional = exact_product(fill.quantity, fill.price)
        trades.fills += 1
        trades.quantity = EXACT.add(trades.quantity, fill.quantity)
        trades.volume = EXACT.add(trades.volume, notional)
        found = [(trades.spread, self.prices.near(moment))]
        found += [(after, self.prices.near(moment + seconds * 1000)) for after, seconds in zip(trades.after, HORIZONS_SECONDS, strict=True)]
        for distance, mid in found:
            if mid is not None:
                better_by = EXACT.subtract(mid, fill.price) if fill.side is Side.BUY else EXACT.subtract(fill.price, mid)
                distance.count(better_by, fill.quantity, notional)

    def _note_value(self, at: int) -> None:
        traded = self.tally.traded
        self._times.append(at)
        self._offsets.append(float(traded.realised) - float(traded.cost) - float(traded.fees))
        self._inventories.append(float(self.tally.inventory))
        self._realised.append(float(traded.realised))
        self._fees.append(float(traded.fees) + float(self.tally.base_fees) * float(self._last_price or ZERO))

    def _compare_statements(self) -> None:
        """What the run said while it had counted as many trades as we have now."""
        while self._next_statement is not None and self._next_statement.trades <= self.tally.trades:
            statement, self._next_statement = self._next_statement, next(self._statements, None)
            if statement.trades < self.tally.trades:
                continue
            found = {"realised": self.tally.traded.realised, "volume": self.tally.volume_quote, "inventory": self.tally.inventory}
            if statement.mid is not None:
                found |= {"fees": fees_in_quote(self.tally, statement.mid), "profit": self.tally.profit(statement.mid)}
            differing = [name for name, ours in found.items() if _AS_STATED.plus(ours) != _AS_STATED.plus(getattr(statement, name) or ZERO)]
            if differing:
                self.differences.append(f"{', '.join(differing)} after {statement.trades} trades")
                del self.differences[DIFFERENCES_KEPT_MAX:]
            else:
                self.statements_agreeing += 1

    # Earnings

    def _close_days(self, at: int) -> None:
        """Put down what each day until then has brought; at first, where the window began."""
        if self._day is None:
            if at < self.window[0]:
                return
            self._day, self._before = day_of(self.window[0]), self._earnings(self.window[0])
        while self._day < day_of(at):
            self._close_day((self._day + 1) * DAY_MILLISECONDS - 1)
            self._day += 1

    def _close_day(self, at: int) -> None:
        if self._day is not None:
            until = self._earnings(at)
            brought = until.minus(self._before)
            if brought != Earnings():
                self.of_day(self._day).earnings = self.of_day(self._day).earnings.plus(brought)
            self._before = until

    def _earnings(self, at: int) -> Earnings:
        tally = self.tally
        mid = self.prices.last_known(at) or self._last_price or ZERO
        return Earnings(
            realised=tally.traded.realised,
            unrealised=tally.traded.unrealised(mid),
            fees=fees_in_quote(tally, mid),
            profit=tally.profit(mid),
            volume=tally.volume_quote,
            fees_by_asset=tally.fees,
        )

    def note_sides(self, begin: int, end: int, sides: int) -> None:
        """Orders rested on so many sides; in the order of time."""
        del end  # the next one begins there, or it does not run then
        self.sides_at.append(begin)
        self.sides.append(sides)

    def of_day(self, day: int) -> Sums:
        """The sums of a day, to be added to."""
        return self.days.setdefault(day, Sums())

    def finish(self) -> None:
        """All trades are counted, and whatever else is added to days: add up."""
        end = self.window[1]
        self._compare_statements()
        self._close_days(end)
        self._close_day(end)
        self.last_mid = self.prices.last_known(end) or self._last_price
        self.days = dict(sorted(self.days.items()))
        for sums in self.days.values():
            self.total.add(sums)

    @property
    def span(self) -> Span | None:
        """From the first to the last moment of the window in which there was something of it."""
        touched = (*self._edges(self._times), *(edge for life in self.lives for edge in life))
        within = [min(max(at, self.window[0]), self.window[1]) for at in touched]
        return (min(within), max(within)) if within and min(within) < max(within) else None

    @staticmethod
    def _edges(times: array[int]) -> tuple[int, ...]:
        return (times[0], times[-1]) if times else ()

    # Curves

    def draw(self) -> None:
        """Draw what is drawn, and forget all that only curves need: prices of weeks are large."""
        columns = Columns(*(self.span or self.window), COLUMNS)
        self.drawing = Drawing(
            columns=columns,
            profit=self.profit_curve(columns),
            realised=self._stepped(columns, self._realised),
            fees=self._stepped(columns, self._fees),
            inventory=self.inventory_curve(columns),
            price=self.price_curve(columns),
            together=self.profit_curve(Columns(*self.window, COLUMNS)),
        )
        self.prices = _NO_PRICES
        for values in (self._offsets, self._inventories, self._realised, self._fees):
            del values[:]

    def profit_curve(self, columns: Columns) -> Curve:
        """Profit with the inventory worth the middle, over the window's beginning."""
        curve, mids, at = Curve(columns), self.prices.mids, self.prices.at
        edges = [self.prices.first_after(columns.edge(column)) for column in range(columns.count)] + [len(at)]
        base = float(self._before_window)
        for begin, end, offset, inventory in self._stretches(columns):
            place, until = self.prices.first_after(begin), self.prices.first_after(end)
            known = mids[place - 1] if place else float(self._last_price or ZERO)
            column = columns.of(begin)
            value = offset + inventory * known - base
            curve.add_range(column, value, value, value)
            while place < until:
                stop = min(until, edges[column + 1])
                if stop > place:
                    part = mids[place:stop]
                    ends = (offset + inventory * min(part) - base, offset + inventory * max(part) - base)
                    curve.add_range(column, min(ends), max(ends), offset + inventory * part[-1] - base)
                place, column = stop, column + 1
        return curve

    def inventory_curve(self, columns: Columns) -> Curve:
        """Base units held by the cycle."""
        curve = Curve(columns)
        for begin, _, _, inventory in self._stretches(columns):
            curve.add(begin, inventory)
        return curve

    def _stepped(self, columns: Columns, values: array[float]) -> Curve:
        """What has come since the columns' beginning of something that changes with trades alone."""
        place = bisect_left(self._times, columns.begin)
        base = values[place - 1] if place else 0.0
        curve = Curve(columns)
        curve.add(columns.begin, 0.0)
        for number in range(place, len(values)):
            curve.add(self._times[number], values[number] - base)
        return curve

    def price_curve(self, columns: Columns) -> Curve:
        """The middle."""
        curve, mids, at = Curve(columns), self.prices.mids, self.prices.at
        first = self.prices.first_after(columns.begin)
        if first and len(at):
            curve.add(columns.begin, mids[first - 1])
        for column in range(columns.count):
            stop = bisect_left(at, columns.edge(column + 1) + (1 if column == columns.count - 1 else 0))
            if stop > first:
                part = mids[first:stop]
                curve.add_range(column, min(part), max(part), part[-1])
            first = stop
        return curve

    @property
    def _before_window(self) -> Decimal:
        """The profit at the window's beginning: all of it less what came within."""
        return EXACT.subtract(self._before.profit, self.total.earnings.profit)

    def _stretches(self, columns: Columns) -> Iterator[tuple[int, int, float, float]]:
        """Between each trade and the next, within the columns: begin, end, and the line over the middle. Before the first all is zero."""
        place = bisect_left(self._times, columns.begin)
        begin = columns.begin
        offset, inventory = (self._offsets[place - 1], self._inventories[place - 1]) if place else (0.0, 0.0)
        for at in range(place, len(self._times)):
            if self._times[at] > columns.end:
                break
            if self._times[at] > begin:
                yield begin, self._times[at], offset, inventory
            begin, offset, inventory = self._times[at], self._offsets[at], self._inventories[at]
        yield begin, columns.end + 1, offset, inventory


def _moment(row: FillRow) -> int:
    """When a trade came about."""
    exchange_time = row.fill.exchange_time_milliseconds
    return exchange_time if exchange_time and row.at - exchange_time > LATE_MILLISECONDS else row.at
