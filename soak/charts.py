"""Lines over time as SVG: panels one above the other, each with its own scale, some with limits drawn as dashed lines."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import ceil, floor, log10

import msgspec

WIDTH, PANEL_HEIGHT = 900, 210
LEFT, RIGHT, TOP, GAP, BOTTOM = 84, 20, 52, 34, 40
TICKS = 4
_STYLE = (
    "text{font:12px sans-serif;fill:#333}.title{font-size:15px;font-weight:bold}.grid{stroke:#ddd}.limit{stroke:#c33;stroke-dasharray:6 4}"
)


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """One line: `points` are seconds and values, oldest first. `limits` are always in view."""

    title: str
    points: Sequence[tuple[float, float]]
    limits: Sequence[float] = ()
    colour: str = "#2266aa"


def chart(title: str, panels: Sequence[Panel]) -> str:
    """The whole picture. Every panel has the same seconds."""
    seconds_max = max((at for panel in panels for at, _ in panel.points), default=1.0) or 1.0
    height = TOP + len(panels) * (PANEL_HEIGHT + GAP) + BOTTOM - GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}">',
        f"<style>{_STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text class="title" x="{LEFT}" y="20">{escape(title)}</text>',
    ]
    for number, panel in enumerate(panels):
        parts += _panel(panel, TOP + number * (PANEL_HEIGHT + GAP), seconds_max)
    for minutes in _ticks(0.0, seconds_max / 60):
        x = _x(minutes * 60, seconds_max)
        parts.append(f'<text x="{x:.1f}" y="{height - BOTTOM + 18}" text-anchor="middle">{minutes:g}</text>')
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.1f}" y="{height - 6}" text-anchor="middle">minutes</text>')
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel, top: float, seconds_max: float) -> list[str]:
    values = [0.0, *(value for _, value in panel.points), *panel.limits]
    low, high = min(values), max(values)
    margin = (high - low or 1.0) * 0.06
    low, high = low - margin, high + margin

    def y(value: float) -> float:
        return top + (high - value) / (high - low) * PANEL_HEIGHT

    parts = [
        f'<text x="{LEFT}" y="{top - 6}">{escape(panel.title)}</text>',
        f'<rect x="{LEFT}" y="{top}" width="{WIDTH - LEFT - RIGHT}" height="{PANEL_HEIGHT}" fill="none" stroke="#999"/>',
    ]
    for tick in _ticks(low, high):
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>')
    parts += [f'<line class="limit" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(limit):.1f}" y2="{y(limit):.1f}"/>' for limit in panel.limits]
    line = " ".join(f"{_x(at, seconds_max):.1f},{y(value):.1f}" for at, value in panel.points)
    parts.append(f'<polyline points="{line}" fill="none" stroke="{panel.colour}" stroke-width="1.5"/>')
    return parts


def _x(seconds: float, seconds_max: float) -> float:
    return LEFT + seconds / seconds_max * (WIDTH - LEFT - RIGHT)


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers between them."""
    rough = (high - low) / TICKS
    power = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    return [round(number * step, 12) for number in range(ceil(low / step), floor(high / step) + 1)]
