"""Some minutes of what `bench/quoting_hour.py` does for an hour in every regime: five levels a side, and nothing wrong."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from decimal import Decimal

import pytest

from soak.charts import Panel, chart
from soak.outcome import Verdict
from soak.regimes import INVENTORY_MAX, run_regime

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(("regime", "exchange"), [("lively", "gateio_spot"), ("trending_down", "okx_swap")])
def test_five_levels_a_side_are_quoted_for_minutes_within_limits_and_with_an_exact_ledger(regime: str, exchange: str) -> None:
    hour = run_regime(regime, exchange=exchange, seed=1, seconds=60.0)
    assert hour.outcome.verdict is Verdict.FINE, hour.outcome.told
    assert hour.outcome.convergences > 0  # where the tally is compared with the exchange's own trades
    assert hour.risk is not None
    assert hour.risk.trades > 0
    assert hour.risk.uptime is not None
    assert hour.risk.uptime > 0.9
    assert 0 < hour.inventory_max <= INVENTORY_MAX
    assert hour.risk.volume > 0
    assert hour.requests > 0
    assert [sample.at for sample in hour.samples] == sorted({sample.at for sample in hour.samples})
    assert abs(hour.risk.inventory) <= hour.inventory_max


def parsed(picture: str) -> ElementTree.Element:
    return ElementTree.fromstring(picture)  # noqa: S314  our own


def test_chart_has_a_line_for_each_panel_inside_its_frame_and_its_limits_in_view() -> None:
    points = [(float(at), float(Decimal(at % 7) - 3)) for at in range(600)]
    root = parsed(chart("a <title>", [Panel(title="one", points=points), Panel(title="two", points=points, limits=(-9, 9))]))
    lines = root.findall(f"{SVG}polyline")
    assert len(lines) == 2
    frames = [rect for rect in root.findall(f"{SVG}rect") if rect.get("stroke")]
    for line, frame in zip(lines, frames, strict=True):
        left, top, width, height = (float(frame.get(key, "nan")) for key in ("x", "y", "width", "height"))
        drawn = [tuple(map(float, point.split(","))) for point in line.get("points", "").split()]
        assert len(drawn) == len(points)
        assert all(left <= x <= left + width + 0.1 and top <= y <= top + height for x, y in drawn)
    limits = [line for line in root.findall(f"{SVG}line") if line.get("class") == "limit"]
    assert len(limits) == 2
    assert "a <title>" in {text.text for text in root.findall(f"{SVG}text")}


def test_chart_of_nothing_is_a_picture_all_the_same() -> None:
    assert parsed(chart("nothing yet", [Panel(title="profit", points=[])])).tag == f"{SVG}svg"
