"""The report as one HTML file that asks nobody for anything: what a person opens, prints, or sends."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from html import escape
from pathlib import Path

from assembly.report import tables
from assembly.report.analysis import Analysis
from assembly.report.charts import Marks, Series, chart, lanes, series_of, strip
from assembly.report.cycle_figures import CycleFigures, Drawing
from assembly.report.incidents import IncidentKind
from assembly.report.notes import NOTES
from assembly.report.prices import Span
from assembly.report.spans import COLUMNS, Columns
from assembly.report.words import counted, day, duration, exact, moment
from orders.order import ZERO

CYCLES_SHOWN_MAX = 20
"""With charts; of the others there is a row each."""
DAYS_SHOWN_MAX = 400
ROUNDS_SHOWN_MAX = 200
INCIDENTS_SHOWN_MAX = 200
OPEN_MAX = 20
"""A list of more is folded."""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"  # whatever a text says, nobody is asked for anything
_FOLDER = Path(__file__).parent
_BAD = frozenset(IncidentKind) - {IncidentKind.RUN, IncidentKind.RESTART}


def document(analysis: Analysis, *, title: str, made_at: int) -> str:
    """The whole file. `made_at` is the wall time of making it."""
    shown = sorted(analysis.cycles, key=lambda cycle: cycle.span or (0, 0))[-CYCLES_SHOWN_MAX:]
    shown = [cycle for cycle in analysis.cycles if cycle in shown]
    parts = [
        _header(analysis, title, made_at, shown),
        *(tables.sums_tiles(sums, quote) for quote, sums in analysis.by_quote().items()),
        "" if analysis.cycles else f"<p>{escape(_sentence(analysis.nothing()))}</p>",
        _together(analysis),
        _overview(analysis),
        *(_cycle(cycle, number, is_alone=len(analysis.cycles) == 1) for number, cycle in enumerate(shown)),
        _latencies(analysis),
        _rounds(analysis),
        _incidents(analysis),
        _notes(analysis, len(shown)),
    ]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="referrer" content="no-referrer">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<style>{(_FOLDER / 'report.css').read_text(encoding='utf-8')}</style></head><body>{''.join(parts)}"
        f"<script>{(_FOLDER / 'report.js').read_text(encoding='utf-8')}</script></body></html>\n"
    )


def _header(analysis: Analysis, title: str, made_at: int, shown: Sequence[CycleFigures]) -> str:
    begin, end = analysis.window
    last = analysis.runs[-1] if analysis.runs else None
    ended = "" if last is None else ", the last goes on, or died" if analysis.is_running else f", the last ended: {last.ended_how}"
    lines = [
        f"{moment(begin)} to {moment(end)} UTC, {duration(end - begin)}; {counted(len(analysis.runs), 'run')}{ended}",
        *([_sentence(only)] if (only := analysis.choice.words()) else []),
        f"Made {moment(made_at)} UTC of {analysis.path}",
    ]
    links = "".join(f'<a href="#cycle{number}">{escape(_name(cycle))}</a>' for number, cycle in enumerate(shown))
    links = f'<nav>{links}<a href="#incidents">incidents</a><a href="#notes">how to read it</a></nav>' if shown else ""
    lacks = "".join(f'<p class="note">Of this journal: {escape(lack)}.</p>' for lack in analysis.lacks)
    return f"<header><h1>{escape(title)}</h1>{''.join(f'<p>{escape(text)}</p>' for text in lines)}{links}</header>{lacks}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _name(cycle: CycleFigures) -> str:
    return f"{cycle.place.owner} {cycle.place.symbol}"


def _heading(text: str, more: str = "") -> str:
    return f"<h2>{escape(text)} <small>{escape(more)}</small></h2>"


def _where(cycle: CycleFigures) -> str:
    return f"{cycle.place.account} at {cycle.place.exchange}, installation {cycle.place.installation}"


def _together(analysis: Analysis) -> str:
    """The profit of all cycles together, where there are several that can be added up."""
    columns = Columns(*analysis.window, COLUMNS)
    found: list[str] = []
    for quote in analysis.by_quote():
        cycles = [cycle for cycle in analysis.cycles if cycle.place.symbol.quote == quote]
        if len(cycles) < 2:
            continue
        curves = [cycle.drawing.together.filled() for cycle in cycles if cycle.drawing is not None]
        sums: list[tuple[float, float, float] | None] = []
        for bars in zip(*curves, strict=True):
            last = sum(bar[2] for bar in bars if bar is not None)
            sums.append((last, last, last))
        drawn = Series(name="profit after fees", values=sums, style="profit")
        found.append(
            chart("All cycles together", columns, [drawn], unit=quote, has_zero=True, absent=_gaps(_lives(analysis), analysis.window))
        )
    return f'<section class="card">{"".join(found)}</section>' if any(found) else ""


def _lives(analysis: Analysis) -> list[Span]:
    end = analysis.window[1]
    return [(run.began_at, run.ended_at if run.ended_at is not None else end) for run in analysis.runs]


def _gaps(lives: Sequence[Span], window: Span) -> list[Span]:
    """When nothing ran."""
    found: list[Span] = []
    at = window[0]
    for begin, end in lives:
        if begin > at:
            found.append((at, begin))
        at = max(at, end)
    if at < window[1]:
        found.append((at, window[1]))
    return found


def _overview(analysis: Analysis) -> str:
    if not analysis.cycles:
        return ""
    parts = ["<h2>Cycles</h2>"]
    header = ("cycle", "market", *tables.SUMS_HEADER)
    rows = [(each.place.owner, str(each.place.symbol), *tables.sums_cells(each.total)) for each in analysis.cycles]
    parts.append(tables.table(header, rows, texts=2))
    symbols = analysis.by_symbol()
    if len(symbols) < len(analysis.cycles):
        parts.append("<h3>By symbol</h3>")
        parts.append(
            tables.table(("symbol", *tables.SUMS_HEADER), [(str(each), *tables.sums_cells(sums)) for each, sums in symbols.items()])
        )
    days = list(analysis.by_day().items())
    parts.append("<h3>By day, UTC</h3>")
    dayrows = [(day(number), quote, *tables.sums_cells(sums)) for (number, quote), sums in days[-DAYS_SHOWN_MAX:]]
    dayrows += [("all", quote, *tables.sums_cells(sums)) for quote, sums in analysis.by_quote().items()]
    parts.append(tables.table(("day", "in", *tables.SUMS_HEADER), dayrows, texts=2, last_is_sum=True))
    return f'<section class="card">{"".join(parts)}</section>'


def _cycle(cycle: CycleFigures, number: int, *, is_alone: bool) -> str:
    symbol, span = cycle.place.symbol, cycle.span
    parts = [
        f'<section class="card" id="cycle{number}">{_heading(_name(cycle), _where(cycle))}',
        f"<p>{escape(_holding(cycle))} {escape(_agreement(cycle))}</p>",
        "" if is_alone else tables.sums_tiles(cycle.total, symbol.quote),
    ]
    if cycle.drawing is not None and span is not None:
        parts.append(_charts(cycle, cycle.drawing, span))
    if cycle.total.some().fills:
        parts.append("<h3>How far from the middle trades were, and where it went</h3>")
        parts.append(tables.trades_table(cycle.total, symbol.base, symbol.quote))
    small = [tables.orders_table(cycle), tables.uptime_table(cycle.total) + tables.fees_table(cycle.total)]
    parts.append(f'<div class="pair">{"".join(f"<div>{each}</div>" for each in small)}</div>')
    if len(cycle.days) > 1 and not is_alone:
        header = ("day, UTC", *tables.SUMS_HEADER)
        rows = [(day(each), *tables.sums_cells(sums)) for each, sums in list(cycle.days.items())[-DAYS_SHOWN_MAX:]]
        parts.append(tables.table(header, [*rows, ("all", *tables.sums_cells(cycle.total))], last_is_sum=True))
    return f"{''.join(parts)}</section>"


def _holding(cycle: CycleFigures) -> str:
    tally, symbol = cycle.tally, cycle.place.symbol
    if cycle.last_mid is None:
        return "Nothing was traded."
    entry = tally.traded.entry_price
    average = f" at {exact(entry)} on average" if entry is not None else ""
    return f"Holds {exact(tally.inventory)} {symbol.base}{average}, worth {exact(cycle.last_mid)} each."


def _agreement(cycle: CycleFigures) -> str:
    if cycle.differences:
        return f"THE RUN ITSELF STATED OTHER FIGURES: {'; '.join(cycle.differences)}."
    if cycle.statements_agreeing:
        return f"All {cycle.statements_agreeing} statements of the run about profit, fees, inventory and volume agree with these figures."
    return ""


def _charts(cycle: CycleFigures, drawing: Drawing, span: Span) -> str:
    symbol, columns = cycle.place.symbol, drawing.columns
    gaps = _gaps(cycle.lives, span)
    points = list(zip(cycle.marks_at, cycle.marks_price, cycle.marks_buy, strict=True))
    marks = [
        Marks(name="bought", points=[(at, price) for at, price, is_buy in points if is_buy], style="buy"),
        Marks(name="sold", points=[(at, price) for at, price, is_buy in points if not is_buy], style="sell"),
    ]
    earned = [
        series_of("realised", drawing.realised, "realised", is_stepped=True),
        series_of("fees", drawing.fees, "fees", is_stepped=True),
        series_of("profit after fees", drawing.profit, "profit"),
    ]
    price = series_of("middle", drawing.price, "price")
    held = series_of("inventory", drawing.inventory, "held", is_stepped=True)
    names = (("none", "none"), ("one side", "one"), ("both sides", "both"))
    return "".join(
        (
            chart("Profit", columns, earned, unit=symbol.quote, has_zero=True, absent=gaps),
            chart("Price and fills", columns, [price], unit=symbol.quote, marks=marks, absent=gaps),
            chart("Inventory", columns, [held], unit=symbol.base, has_zero=True, absent=gaps),
            strip("Orders rested on", columns, _states(cycle, columns), names) if cycle.total.uptime.running else "",
        )
    )


def _states(cycle: CycleFigures, columns: Columns) -> list[int | None]:
    """On how many sides orders rested for most of each column; None where it did not run."""
    times = [[0, 0, 0] for _ in range(columns.count)]
    ends = [*cycle.sides_at[1:], cycle.window[1]]
    for begin, until, sides in zip(cycle.sides_at, ends, cycle.sides, strict=True):
        life_end = next((end for its_begin, end in cycle.lives if its_begin <= begin < end), until)
        end = min(until, life_end)
        for column in range(columns.of(begin), columns.of(end) + 1):
            times[column][sides] += max(0, min(end, columns.edge(column + 1)) - max(begin, columns.edge(column)))
    return [max(range(3), key=each.__getitem__) if any(each) else None for each in times]


def _latencies(analysis: Analysis) -> str:
    found = tables.latency_table(analysis.cycles)
    if not found:
        return ""
    return f'<section class="card">{_heading("From sending an order to the exchange’s word")}{found}</section>'


def _rounds(analysis: Analysis) -> str:
    if not analysis.rounds:
        return ""
    over = [each for each in analysis.rounds if each.ended_at is not None]
    disagreeing = sum(1 for each in over if not each.agrees)
    profits: dict[str, Decimal] = {}
    for each in over:
        profits[each.symbol.quote] = profits.get(each.symbol.quote, ZERO) + (each.profit_quote or ZERO)
    earned = ", ".join(f"{exact(amount)} {quote}" for quote, amount in profits.items())
    said = f"{counted(len(over), 'round')} over, with {earned or 'nothing'} of profit; "
    said += "the balances of each agree." if not disagreeing else f"THE BALANCES OF {disagreeing} DIFFER."
    # Those that differ are shown, however old.
    newest = analysis.rounds[-ROUNDS_SHOWN_MAX:]
    shown = [each for each in analysis.rounds[:-ROUNDS_SHOWN_MAX] if each.agrees is False][-ROUNDS_SHOWN_MAX:] + newest
    more = (
        f"<p class='faint'>The newest {len(newest)} and all that differ; --csv has every one.</p>"
        if len(shown) < len(analysis.rounds)
        else ""
    )
    opened = "" if len(shown) > OPEN_MAX else " open"
    listed = f"<details{opened}><summary>{counted(len(shown), 'round')}</summary>{tables.rounds_table(shown[::-1])}</details>"
    return f'<section class="card">{_heading("Rounds")}<p>{escape(said)}</p>{more}{listed}</section>'


def _incidents(analysis: Analysis) -> str:
    found, counts = analysis.incidents.newest(), analysis.incidents.counts
    kinds = [kind for kind in IncidentKind if any(its == kind for its, _ in counts)]
    parts = ['<section class="card" id="incidents">', _heading("Restarts and incidents")]
    bad = analysis.incidents.count(*_BAD)
    said = f"{counted(bad, 'incident')} besides the beginnings and ends of runs." if bad else "None but the runs themselves."
    parts.append(f"<p>{said}</p>")
    columns = Columns(*analysis.window, COLUMNS)
    rows = [(kind.value, "bad" if kind in _BAD else "price", [each.at for each in found if each.kind is kind]) for kind in kinds]
    parts.append(lanes("When", columns, rows))
    named = [(kind.value, name.replace("_", " "), str(count)) for (kind, name), count in sorted(counts.items(), key=lambda each: -each[1])]
    parts.append(f"<details><summary>How many of what</summary>{tables.table(('about', 'what', 'times'), named, texts=2)}</details>")
    shown = found[-INCIDENTS_SHOWN_MAX:][::-1]
    total = sum(counts.values())
    more = f", of {total}: --csv has all of them" if total > len(shown) else ""
    opened = "" if len(shown) > OPEN_MAX else " open"
    parts.append(f"<details{opened}><summary>{len(shown)}, newest first{more}</summary>{tables.incidents_table(shown)}</details>")
    return f"{''.join(parts)}</section>"


def _notes(analysis: Analysis, shown: int) -> str:
    notes = list(NOTES)
    if analysis.foreign_fills:
        strangers = counted(analysis.foreign_fills, "trade")
        notes.append(("Not ours", f"{strangers} of orders that are not this program’s are in the journal, and in no figure here."))
    if shown < len(analysis.cycles):
        notes.append(("Cycles", f"the newest {shown} of {len(analysis.cycles)} are shown with charts."))
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in notes)
    return f'<section class="card" id="notes">{_heading("How to read it")}<dl>{listed}</dl></section>'
