"""The HTML report: one whole file that asks nobody for anything, whatever the journal says, and however much it is."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from decimal import Decimal, localcontext
from html.parser import HTMLParser
from pathlib import Path

import pytest
from msgspec.structs import replace

from actors.journal import schema
from actors.journal.entries import PriceSampled
from assembly.report.analysis import Analysis
from assembly.report.charts import Marks, Series, chart, series_of
from assembly.report.curves import Curve
from assembly.report.document import document
from assembly.report.spans import COLUMNS, Columns
from assembly.report.summary import summary_lines, summary_object
from market.exact import PRECISE
from market.symbol import Symbol
from orders.events import OrderSubmitted
from tests.journal.journal_samples import TIME, intent, open_store, reconciled, request, round_began, write
from tests.report.report_samples import SECOND, analysed, small_journal, told

EVIL = "</script><img src=x onerror=alert(1)>\x1b[31m&\"'"
VOID = {"meta", "br", "img", "link", "input"}


class Page(HTMLParser):
    """Elements and texts of a page; fails where one is closed that is not open."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.texts)


def page_of(analysis: Analysis) -> tuple[str, Page]:
    with localcontext(PRECISE):
        text = document(analysis, title="mm-runtime mm", made_at=TIME)
    return text, Page(text)


def of_version(path: Path, version: int) -> None:
    """Make the journal one that a program of before left."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        later = {1: ["loss_baselines"], 2: ["balance_baselines", "countings"]}
        later |= {3: ["earlier_tallies", "earlier_tallies_until", "fills_told_late"], 4: ["prices", "markets"]}
        for number in range(version, schema.SCHEMA_VERSION):
            for table in later[number]:
                connection.execute(f"DROP TABLE {table}")
        connection.execute("ALTER TABLE orders DROP COLUMN acknowledged_us")
        connection.execute(f"PRAGMA user_version = {version}")


def test_page_has_the_figures_of_the_journal(tmp_path: Path) -> None:
    small_journal(tmp_path / "journal.db")
    _, page = page_of(analysed(tmp_path / "journal.db"))
    for figure in ("+7.596", "0.404", "406", "+49.26 (3)", "−97.09 (1)", "1.999", "30.0 ms", "2026-09-21"):
        assert figure in page.text
    assert [tag for tag, _ in page.elements].count("svg") == 5, "profit, price, inventory, uptime, incidents"


def test_page_asks_nobody_for_anything(tmp_path: Path) -> None:
    small_journal(tmp_path / "journal.db")
    text, page = page_of(analysed(tmp_path / "journal.db"))
    for tag, attributes in page.elements:
        assert tag not in ("link", "img", "iframe", "object", "form", "base")
        assert {"src", "srcset", "action", "data"}.isdisjoint(attributes)
        assert (attributes.get("href") or "#").startswith("#")
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|http-equiv=\"refresh", text)
    policies = [attributes["content"] for tag, attributes in page.elements if attributes.get("http-equiv") == "Content-Security-Policy"]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"]


def test_page_is_dark_on_a_screen_only(tmp_path: Path) -> None:
    small_journal(tmp_path / "journal.db")
    text, _ = page_of(analysed(tmp_path / "journal.db"))
    assert re.findall(r"@media ([^{]*dark[^{]*) {", text) == ["screen and (prefers-color-scheme: dark)"], "paper is white"


def test_nothing_that_is_told_becomes_markup_or_steers_a_terminal(tmp_path: Path) -> None:
    with open_store(tmp_path / "journal.db", accounts={"main": EVIL}) as store:
        evil = request(1, owner=EVIL, client_order_id="mm-x-1", symbol=Symbol(EVIL, "<b>USDT"))
        write(store, OrderSubmitted("main", replace(intent(1), request=evil)))
        write(store, round_began(1, cycle=EVIL, symbol=evil.symbol), reconciled(1, cycle=EVIL, symbol=evil.symbol))
        told(store, 1, "book_lost", exchange=EVIL, symbol=EVIL, reason=EVIL)
        told(store, 2, "balance_differs", unheard_of=EVIL)
        store.end_run(at_milliseconds=TIME + SECOND, how=EVIL)
    analysis = analysed(tmp_path / "journal.db")
    text, page = page_of(analysis)
    assert "<img" not in text
    assert "<b>USDT" not in text
    assert [tag for tag, _ in page.elements].count("script") == text.count("<script")
    assert "onerror=alert(1)>" in page.text, "it is shown, as text"
    assert all("\x1b" not in line for line in summary_lines(analysis))


def test_empty_journal_gives_a_page_that_says_so(tmp_path: Path) -> None:
    with open_store(tmp_path / "journal.db"):
        pass
    analysis = analysed(tmp_path / "journal.db")
    _, page = page_of(analysis)
    assert "Nothing was wanted, placed or traded." in page.text
    assert "nothing was wanted, placed or traded" in summary_lines(analysis)
    assert summary_object(analysis)["cycles"] == []


@pytest.mark.parametrize("version", range(1, schema.SCHEMA_VERSION))
def test_older_journal_is_reported_on_and_the_page_says_what_it_lacks(tmp_path: Path, version: int) -> None:
    small_journal(tmp_path / "journal.db")
    of_version(tmp_path / "journal.db", version)
    analysis = analysed(tmp_path / "journal.db")
    (cycle,) = analysis.cycles
    # Worth the last trade's price, which happens to be the last middle.
    assert (cycle.total.earnings.profit, cycle.total.some().spread.fills) == (Decimal("7.596"), 0)
    assert list(cycle.latencies_us["rest"]) == [10_000, 30_000, 40_000]
    _, page = page_of(analysis)
    assert f"its schema is version {version}) and has no prices" in page.text
    assert "its schema is version" in "\n".join(summary_lines(analysis))


def test_where_there_are_no_prices_what_the_cycle_told_of_the_middle_stands_in(tmp_path: Path) -> None:
    small_journal(tmp_path / "journal.db")
    with open_store(tmp_path / "journal.db", at=TIME + 100 * SECOND) as store:
        stated = {"account": "main", "cycle": "btc", "symbol": "BTC/USDT", "trades": 3, "volume": "406", "inventory": "1.999"}
        told(store, 101, "risk_measured", **stated, realised="3.5", mid="105", fees="0.405", profit="9.595")
    of_version(tmp_path / "journal.db", 4)
    (cycle,) = analysed(tmp_path / "journal.db").cycles
    assert (cycle.last_mid, cycle.total.earnings.profit) == (Decimal(105), Decimal("9.595"))
    assert (cycle.statements_agreeing, cycle.differences, cycle.prices_are_sampled) == (1, [], False)


def test_curve_of_many_points_is_as_small_as_its_columns_and_keeps_the_extremes() -> None:
    columns = Columns(0, 200_000, COLUMNS)
    curve = Curve(columns)
    for at in range(200_000):
        curve.add(at, 1000.0 if at == 140_001 else -1000.0 if at == 60_001 else (at * 7919) % 100)
    drawn = chart("x", columns, [series_of("x", curve, "profit")], unit="USDT", has_zero=True)
    assert len(drawn) < 25_000
    bars = [bar for bar in curve.filled() if bar is not None]
    assert (min(low for low, _, _ in bars), max(high for _, high, _ in bars)) == (-1000, 1000)
    assert curve.filled()[columns.of(140_001)] == (0, 1000, bars[columns.of(140_001)][2])


def test_marks_that_would_lie_on_each_other_are_drawn_once_and_all_are_counted() -> None:
    columns = Columns(0, 200_000, COLUMNS)
    price = Series(name="middle", values=[(90.0, 110.0, 100.0)] * COLUMNS, style="price")
    marks = Marks(name="bought", points=[(at, 100 + at % 7 / 1000) for at in range(200_000)], style="buy")
    drawn = chart("x", columns, [price], unit="USDT", marks=[marks])
    assert drawn.count("h0") == 500
    counts = re.findall(r'\["bought",\[([\d,]+)\]\]', drawn)
    assert sum(map(int, counts[0].split(","))) == 200_000


@pytest.mark.parametrize("value", [0.0, 1e-9, 123456.789])
def test_curve_that_stands_still_is_drawn(value: float) -> None:
    columns = Columns(0, 10, 5)
    curve = Curve(columns)
    curve.add(0, value)
    assert "<path" in chart("x", columns, [series_of("x", curve, "held")], unit="BTC")


def test_journal_of_many_places_shows_the_newest_with_charts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assembly.report.document.CYCLES_SHOWN_MAX", 2)
    for number in range(4):
        accounts = {"main": f"gateio_spot (simulated in the run of {number})"}
        with open_store(tmp_path / "journal.db", accounts=accounts, at=TIME + number * 10 * SECOND) as store:
            write(store, OrderSubmitted("main", intent(number)), at=TIME + (number * 10 + 1) * SECOND)
            sampled = PriceSampled(exchange=accounts["main"], symbol=request().symbol, bid=Decimal(1), ask=Decimal(2))
            write(store, sampled, at=TIME + (number * 10 + 1) * SECOND)
    analysis = analysed(tmp_path / "journal.db")
    _, page = page_of(analysis)
    assert len(analysis.cycles) == 4
    assert "the newest 2 of 4 are shown with charts" in page.text
    assert "in the run of 3" in page.text
    assert "in the run of 0" not in page.text
