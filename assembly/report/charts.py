"""Charts as inline SVG that needs nothing: drawn in columns, so that a million points are as small as a thousand, and stretched to fit.

Strokes and dots keep their size whatever the page's width. Labels are HTML above the picture, so that they stay readable on a phone; what a
pointer shows of a column is in the chart's own data, which `report.js` reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from math import floor, log10

import msgspec

from assembly.report.curves import Curve
from assembly.report.prices import Span
from assembly.report.spans import Columns
from assembly.report.words import moment

SIZE = 1_000  # of the picture's own units, each way
MARK_ROWS = 90  # marks that would lie on each other are drawn once
TICKS_MAX = 5
_STEPS_MS = [
    *(each * 1_000 for each in (1, 2, 5, 10, 15, 30)),
    *(each * 60_000 for each in (1, 2, 5, 10, 15, 30)),
    *(each * 3_600_000 for each in (1, 2, 3, 6, 12)),
    *(each * 86_400_000 for each in (1, 2, 5, 7, 14, 30, 90, 365)),
]
DAY_MILLISECONDS = 86_400_000

Bars = list[tuple[float, float, float] | None]


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """A curve: `style` is a class of `report.css`; a stepped one holds its value until the next. Not `drawn`, it is only told of."""

    name: str
    values: Bars
    style: str
    is_stepped: bool = False
    is_drawn: bool = True


class Marks(msgspec.Struct, frozen=True, kw_only=True):
    """Dots: places in time and value."""

    name: str
    points: Sequence[tuple[int, float]]
    style: str


def series_of(name: str, curve: Curve, style: str, *, is_stepped: bool = False) -> Series:
    return Series(name=name, values=curve.filled(), style=style, is_stepped=is_stepped)


def chart(
    title: str,
    columns: Columns,
    series: Sequence[Series],
    *,
    unit: str,
    marks: Sequence[Marks] = (),
    has_zero: bool = False,
    absent: Iterable[Span] = (),
) -> str:
    """One chart. `absent` are times in which nothing ran; with `has_zero` zero is among the values."""
    drawn = [each for each in series if each.is_drawn]
    values = [value for each in drawn for bar in each.values if bar is not None for value in bar]
    values += [value for mark in marks for _, value in mark.points]
    if not values:
        return ""
    if has_zero:
        values.append(0.0)
    low, high = min(values), max(values)
    margin = (high - low) * 0.06 or abs(high) * 0.001 or 1.0
    low, high = low - margin, high + margin
    ticks = _value_ticks(low, high)
    scale = _Scale(columns, low, high)
    parts = [
        f'<rect class="absent" x="{scale.x(begin)}" y="0" width="{max(1, scale.x(end) - scale.x(begin))}" height="{SIZE}"/>'
        for begin, end in absent
    ]
    parts += [f'<path class="grid" d="M0 {scale.y(tick)}H{SIZE}"/>' for tick in ticks]
    if low < 0 < high and has_zero:
        parts.append(f'<path class="zero" d="M0 {scale.y(0)}H{SIZE}"/>')
    parts += [f'<path class="{each.style}" d="{_path(each, scale)}"/>' for each in drawn]
    parts += [f'<path class="mark {each.style}" d="{_dots(each, scale)}"/>' for each in marks if each.points]
    legend = "".join(f'<li class="{each.style}">{escape(each.name)}</li>' for each in (*drawn, *marks))
    told = [(each.name, [None if bar is None else _told(bar[2], high - low) for bar in each.values]) for each in series]
    told += [(each.name, _counts(each, columns)) for each in marks]
    return _figure(title, unit, legend, "".join(parts), columns, [(tick, scale.y(tick)) for tick in ticks], told)


def strip(title: str, columns: Columns, states: Sequence[int | None], names: Sequence[tuple[str, str]]) -> str:
    """A thin band whose colour says a column's state; `names` are those of the states, with their styles."""
    parts: list[str] = []
    begin = 0
    for column in range(1, columns.count + 1):
        if column == columns.count or states[column] != states[begin]:
            state = states[begin]
            if state is not None:
                left, right = begin * SIZE / columns.count, column * SIZE / columns.count
                parts.append(f'<rect class="{names[state][1]}" x="{left:.4g}" y="0" width="{right - left:.4g}" height="{SIZE}"/>')
            begin = column
    legend = "".join(f'<li class="{style}">{escape(name)}</li>' for name, style in names)
    told = [(title, [None if state is None else names[state][0] for state in states])]
    return _figure(title, "", legend, "".join(parts), columns, [], told, style="strip")


def lanes(title: str, columns: Columns, rows: Sequence[tuple[str, str, Sequence[int]]]) -> str:
    """A timeline: a line for each name, with its style and the times of what happened."""
    if not rows:
        return ""
    height = SIZE / len(rows)
    parts: list[str] = []
    told: list[tuple[str, list[object]]] = []
    for number, (name, style, times) in enumerate(rows):
        y = round((number + 0.5) * height)
        found: list[object] = [None] * columns.count
        for at in times:
            column = columns.of(at)
            count = found[column]
            found[column] = (count if isinstance(count, int) else 0) + 1
        dots = "".join(f"M{round((column + 0.5) * SIZE / columns.count)} {y}h0" for column, count in enumerate(found) if count)
        parts.append(f'<path class="grid" d="M0 {y}H{SIZE}"/><path class="mark {style}" d="{dots}"/>')
        told.append((name, found))
    labels = "".join(
        f'<span style="top:{100 * (number + 0.5) / len(rows):.4g}%">{escape(row[0])}</span>' for number, row in enumerate(rows)
    )
    picture = _figure(title, "", "", "".join(parts), columns, [], told, style="lanes", height_rem=1.5 * len(rows))
    return picture.replace('<div class="values"></div>', f'<div class="values">{labels}</div>')


class _Scale:
    def __init__(self, columns: Columns, low: float, high: float) -> None:
        self._columns = columns
        self._low = low
        self._height = high - low

    def x(self, at: int) -> int:
        width = max(1, self._columns.end - self._columns.begin)
        return min(SIZE, max(0, (at - self._columns.begin) * SIZE // width))

    def middle(self, column: int) -> int:
        return round((column + 0.5) * SIZE / self._columns.count)

    def y(self, value: float) -> int:
        return round(SIZE - (value - self._low) / self._height * SIZE)


def _path(series: Series, scale: _Scale) -> str:
    """Through the least and greatest value of each column, the nearer one first; what stands still is one line."""
    parts: list[str] = []
    y_before: int | None = None
    x_pending: int | None = None
    for column, bar in enumerate(series.values):
        if bar is None:
            continue
        x, (low, high, last) = scale.middle(column), (scale.y(value) for value in bar)
        if y_before is None:
            parts.append(f"M{x} {last}" if low == high else f"M{x} {low}V{high}V{last}")
        elif low == high == last == y_before:
            x_pending = x
            continue
        else:
            if x_pending is not None or series.is_stepped:
                parts.append(f"H{x if series.is_stepped else x_pending}")
            near, far = (low, high) if abs(low - y_before) <= abs(high - y_before) else (high, low)
            steps = [y for y, previous in zip((near, far, last), (None, near, far), strict=True) if y != previous]
            parts.append("".join(f"V{y}" if series.is_stepped or number else f"L{x} {y}" for number, y in enumerate(steps)))
        y_before, x_pending = last, None
    if x_pending is not None:
        parts.append(f"H{x_pending}")
    return "".join(parts)


def _dots(marks: Marks, scale: _Scale) -> str:
    step = SIZE // MARK_ROWS
    places = {(scale.x(at) // 2 * 2, scale.y(value) // step * step + step // 2) for at, value in marks.points}
    return "".join(f"M{x} {y}h0" for x, y in sorted(places))


def _counts(marks: Marks, columns: Columns) -> list[object]:
    found = [0] * columns.count
    for at, _ in marks.points:
        found[columns.of(at)] += 1
    return [count or None for count in found]


def _told(value: float, height: float) -> float:
    """As precise as anybody can see, so that the file stays small."""
    digits = max(0, 4 - floor(log10(height))) if height > 0 else 2
    return round(value, min(digits, 10))


def _value_ticks(low: float, high: float) -> list[float]:
    raw = (high - low) / TICKS_MAX
    power = 10.0 ** floor(log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw)
    first = floor(low / step) + 1
    return [number * step for number in range(first, first + TICKS_MAX + 2) if number * step < high]


def _time_ticks(columns: Columns) -> list[tuple[int, str]]:
    """With a label each: a time of day, or a date where that is what changes."""
    width = columns.end - columns.begin
    step = next((step for step in _STEPS_MS if width / step <= TICKS_MAX + 1), _STEPS_MS[-1])
    first = -(-columns.begin // step) * step
    with_seconds = step < 60_000
    found: list[tuple[int, str]] = []
    for at in range(first, columns.end + 1, step):
        text = moment(at)
        is_midnight = at % DAY_MILLISECONDS == 0
        found.append((at, text[5:10] if is_midnight else text[11:19] if with_seconds else text[11:16]))
    return found


def _figure(
    title: str,
    unit: str,
    legend: str,
    picture: str,
    columns: Columns,
    ticks: Sequence[tuple[float, int]],
    told: Sequence[tuple[str, Sequence[object]]],
    *,
    style: str = "",
    height_rem: float | None = None,
) -> str:
    width = max(1, columns.end - columns.begin)
    values = "".join(f'<span style="top:{y / SIZE * 100:.4g}%">{_tick_text(tick, ticks)}</span>' for tick, y in ticks)
    times = "".join(f'<span style="left:{100 * (at - columns.begin) / width:.4g}%">{text}</span>' for at, text in _time_ticks(columns))
    data = msgspec.json.encode({"begin": columns.begin, "end": columns.end, "unit": unit, "series": told}).decode()
    height = "" if height_rem is None else f' style="height:{height_rem:g}rem"'
    caption = f"{escape(title)}{f' <small>{escape(unit)}</small>' if unit else ''}"
    return (
        f'<figure class="chart {style}"><figcaption>{caption}<ul class="legend">{legend}</ul></figcaption>'
        f'<div class="plot"{height}><div class="values">{values}</div>'
        f'<svg viewBox="0 0 {SIZE} {SIZE}" preserveAspectRatio="none" role="img" aria-label="{escape(title)}">{picture}</svg>'
        f'<div class="cursor" hidden></div><div class="told" hidden></div></div><div class="times">{times}</div>'
        f'<script type="application/json">{_safe(data)}</script></figure>'
    )


def _tick_text(tick: float, ticks: Sequence[tuple[float, int]]) -> str:
    step = abs(ticks[1][0] - ticks[0][0]) if len(ticks) > 1 else abs(tick) or 1.0
    decimals = max(0, -floor(log10(step)))
    text = f"{tick:,.{decimals}f}"
    return ("0" if float(text.replace(",", "")) == 0 else text).replace("-", "−")


def _safe(json: str) -> str:
    """JSON that cannot end the element it stands in, whatever its texts are."""
    return json.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
