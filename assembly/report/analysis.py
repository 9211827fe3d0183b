"""A journal, added up: one pass over each table, one market at a time."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from actors.journal.figures import FillRow, JournalFigures, PriceRows, RunRow
from actors.journal.rows import Row, symbol_of
from actors.journal.tallies import TallyPlace
from assembly.report.cycle_figures import CycleFigures, Statement
from assembly.report.incidents import EventSieve, Incidents, incident_of_order, incidents_of_run
from assembly.report.prices import PriceHistory, Span
from assembly.report.quoted import OrderBook
from assembly.report.spans import joined
from assembly.report.sums import Sums
from assembly.report.words import moment
from market.exact import EXACT
from market.symbol import Symbol
from orders.order import ZERO

RISK = "risk_measured"


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What a report is about: None means all."""

    cycle: str | None = None
    symbol: Symbol | None = None
    since_milliseconds: int | None = None

    def includes(self, owner: str, symbol: Symbol) -> bool:
        return self.cycle in (None, owner) and self.symbol in (None, symbol)

    def words(self) -> str:
        """``only cycle btc, since 2026-11-22 00:00:00 UTC``; empty of all."""
        found = [
            *([f"cycle {self.cycle}"] if self.cycle is not None else []),
            *([str(self.symbol)] if self.symbol is not None else []),
            *([f"since {moment(self.since_milliseconds)} UTC"] if self.since_milliseconds is not None else []),
        ]
        return f"only {', '.join(found)}" if found else ""


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """A round of a cycle; `ended_at` is None of one in progress, `agrees` says whether every balance changed by what the fills say."""

    exchange: str
    account: str
    cycle: str
    symbol: Symbol
    number: int
    began_at: int
    ended_at: int | None
    agrees: bool | None
    bought_quote: Decimal | None
    sold_quote: Decimal | None
    profit_quote: Decimal | None
    left_over_quantity: Decimal | None
    differences: dict[str, Decimal]


class Analysis(msgspec.Struct, kw_only=True):
    """All that a report says. Times are milliseconds, UTC; `until` is that of the newest entry."""

    path: str
    version: int
    choice: Choice
    window: Span
    runs: list[RunRow]
    is_running: bool
    cycles: list[CycleFigures]
    rounds: list[Round]
    incidents: Incidents
    foreign_fills: int
    lacks: list[str]
    known: list[str]
    """What could have been chosen, where the choice leaves nothing."""

    def nothing(self) -> str:
        """What is said where there is no cycle to speak of."""
        said = "nothing was wanted, placed or traded"
        return f"{said} of what was asked for; this journal has {', '.join(self.known)}" if self.known else said

    def by_symbol(self) -> dict[Symbol, Sums]:
        found: dict[Symbol, Sums] = {}
        for cycle in self.cycles:
            found.setdefault(cycle.place.symbol, Sums()).add(cycle.total)
        return found

    def by_quote(self) -> dict[str, Sums]:
        """All of it, as far as it can be added up: by the asset that it is counted in."""
        found: dict[str, Sums] = {}
        for cycle in self.cycles:
            found.setdefault(cycle.place.symbol.quote, Sums()).add(cycle.total)
        return found

    def by_day(self) -> dict[tuple[int, str], Sums]:
        """The same, of each UTC day."""
        found: dict[tuple[int, str], Sums] = {}
        for cycle in self.cycles:
            for day, sums in cycle.days.items():
                found.setdefault((day, cycle.place.symbol.quote), Sums()).add(sums)
        return dict(sorted(found.items()))


def analyse(figures: JournalFigures, choice: Choice, *, path: str) -> Analysis:
    """Add a journal up. Enter `localcontext(PRECISE)` for it.

    Raises:
        JournalBroken: it cannot be read.
    """
    runs = figures.runs()
    newest = figures.last_written_at()
    end = max([each for run in runs for each in (run.began_at, run.ended_at or 0)] + [newest or 0])
    begin = min((run.began_at for run in runs), default=end)
    window = (max(begin, choice.since_milliseconds or begin), end) if (choice.since_milliseconds or 0) <= end else (end, end)
    told = _Told(figures, runs, choice)
    books = _orders(figures, choice, window)
    lives = {run.number: (run.began_at, max(run.began_at, run.ended_at if run.ended_at is not None else end)) for run in runs}
    cycles: list[CycleFigures] = []
    lacks: list[str] = []
    funding = _funding(figures, window)
    for exchange, symbol in figures.markets():
        if choice.symbol not in (None, symbol):
            continue
        found = _market(figures, exchange, symbol, choice, window, lives, runs, told, books)
        for cycle in found:
            for day, amount in funding.pop((exchange, cycle.place.account, symbol), {}).items():
                sums = cycle.of_day(day)
                sums.earnings = msgspec.structs.replace(sums.earnings, funding=EXACT.add(sums.earnings.funding, amount))
            cycle.finish()
            cycle.draw()
        cycles += found
    for row in figures.order_troubles():
        if choice.includes(row["owner"], symbol_of(row["symbol"])) and row["at"] >= window[0]:
            told.incidents.add(incident_of_order(row))
    for run in runs:
        for incident in incidents_of_run(run):
            if incident.at >= window[0]:
                told.incidents.add(incident)
    if not figures.has_prices:
        lacks.append(
            f"it was written by an earlier mm-runtime (its schema is version {figures.version}) and has no prices: spread captured and "
            "mark-outs are missing, profits are by the middle that cycles told of every ten seconds or by their last trade, and the times "
            "of placements are in whole milliseconds. The next run of mm-runtime brings it up to date"
        )
    elif any(cycle.tally.trades and not cycle.prices_are_sampled for cycle in cycles):
        lacks.append("of some cycles it has no prices: they traded before prices were written")
    is_running = bool(runs) and runs[-1].ended_at is None
    cycles = [cycle for cycle in cycles if cycle.total != Sums() or cycle.tally.trades]
    return Analysis(
        path=path,
        version=figures.version,
        choice=choice,
        window=window,
        runs=runs,
        is_running=is_running,
        cycles=cycles,
        rounds=_rounds(figures, choice, window),
        incidents=told.incidents,
        foreign_fills=figures.foreign_fills(),
        lacks=lacks,
        known=[] if cycles or choice == Choice() else [f"{owner} {symbol}" for owner, symbol in figures.owners()],
    )


class _Told:
    """What events say: how cycles stood, in which runs they were, and incidents."""

    def __init__(self, figures: JournalFigures, runs: Sequence[RunRow], choice: Choice) -> None:
        self.incidents = Incidents()
        self.statements: dict[TallyPlace, list[Statement]] = {}
        self.runs_of_place: dict[TallyPlace, set[int]] = {}
        by_number = {run.number: run for run in runs}
        sieve = EventSieve(cycle=choice.cycle, since_milliseconds=choice.since_milliseconds)
        for row in figures.events():
            if row["name"] == RISK:
                self._note_risk(row, by_number[row["run"]])
            else:
                self.incidents.add(sieve.incident_of(row))

    def _note_risk(self, row: Row, run: RunRow) -> None:
        told = msgspec.json.decode(row["fields"], type=_Risk)
        exchange = run.exchange_by_account.get(told.account)
        if exchange is None:
            return
        place = TallyPlace(exchange, told.account, run.installation, told.cycle, symbol_of(told.symbol))
        self.runs_of_place.setdefault(place, set()).add(run.number)
        self.statements.setdefault(place, []).append(
            Statement(
                at=row["at"],
                trades=told.trades,
                mid=told.mid,
                realised=told.realised,
                volume=told.volume,
                inventory=told.inventory,
                fees=told.fees,
                profit=told.profit,
            )
        )


class _Risk(msgspec.Struct, frozen=True):
    account: str
    cycle: str
    symbol: str
    trades: int
    realised: Decimal
    volume: Decimal
    inventory: Decimal
    mid: Decimal | None = None
    fees: Decimal | None = None
    profit: Decimal | None = None


def _orders(figures: JournalFigures, choice: Choice, window: Span) -> dict[TallyPlace, OrderBook]:
    books: dict[TallyPlace, OrderBook] = {}
    places: dict[tuple[str, ...], TallyPlace] = {}
    for row in figures.orders():
        key = (row["exchange"], row["account"], row["client_order_id"].partition("-")[0], row["owner"], row["symbol"])
        place = places.get(key)
        if place is None:
            place = places[key] = TallyPlace(*key[:4], symbol_of(key[4]))
        if choice.includes(place.owner, place.symbol):
            book = books.get(place)
            if book is None:
                book = books[place] = OrderBook(window)
            book.count(row)
    return books


def _market(
    figures: JournalFigures,
    exchange: str,
    symbol: Symbol,
    choice: Choice,
    window: Span,
    lives: Mapping[int, Span],
    runs: Sequence[RunRow],
    told: _Told,
    books: Mapping[TallyPlace, OrderBook],
) -> list[CycleFigures]:
    """The cycles of one market."""
    places = [place for place in {**books, **told.statements} if (place.exchange, place.symbol) == (exchange, symbol)]
    places = [place for place in places if choice.includes(place.owner, symbol)]
    if not places:
        return []
    rows = figures.prices(exchange, symbol)
    here = joined([lives[run.number] for run in runs if exchange in run.exchange_by_account.values()])
    prices = PriceHistory(rows, here) if len(rows.at) else None
    cycles: dict[TallyPlace, CycleFigures] = {}
    for place in places:
        numbers = {*told.runs_of_place.get(place, ()), *(books[place].runs if place in books else ())}
        statements = told.statements.get(place, [])
        cycles[place] = CycleFigures(
            place,
            window=window,
            lives=joined([lives[number] for number in numbers]),
            prices=prices or PriceHistory(_stand_in(statements), here, is_sampled=False),
            statements=statements,
        )
    for row in figures.fills(exchange, symbol):
        cycle = cycles.get(_place_of(row, exchange, symbol))
        if cycle is not None:
            cycle.count_fill(row)
    for place, book in books.items():
        if place in cycles:
            book.add_to(cycles[place])
    return list(cycles.values())


def _place_of(row: FillRow, exchange: str, symbol: Symbol) -> TallyPlace:
    return TallyPlace(exchange, row.account, row.installation, row.owner, symbol)


def _stand_in(statements: Sequence[Statement]) -> PriceRows:
    """What a cycle said of its middle, where the journal has no prices."""
    found = PriceRows(array("q"), array("d"), array("d"))
    for statement in sorted(statements, key=lambda each: each.at):
        if statement.mid is not None:
            found.at.append(statement.at)
            found.bid.append(float(statement.mid))
            found.ask.append(float(statement.mid))
    return found


def _funding(figures: JournalFigures, window: Span) -> dict[tuple[str, str, Symbol], dict[int, Decimal]]:
    """By exchange, account and symbol, and by day. A payment is the account's: where several cycles share a market, the first has it."""
    found: dict[tuple[str, str, Symbol], dict[int, Decimal]] = {}
    for row in figures.funding():
        if row["at"] >= window[0]:
            days = found.setdefault((row["exchange"], row["account"], symbol_of(row["symbol"])), {})
            day = row["at"] // 86_400_000
            days[day] = EXACT.add(days.get(day, ZERO), Decimal(row["amount"]))
    return found


def _rounds(figures: JournalFigures, choice: Choice, window: Span) -> list[Round]:
    differences: dict[int, dict[str, Decimal]] = {}
    for row in figures.round_balances():
        difference = EXACT.subtract(Decimal(row["actual_change"]), Decimal(row["expected_change"]))
        differences.setdefault(row["round_id"], {})[row["asset"]] = difference
    return [
        Round(
            exchange=row["exchange"],
            account=row["account"],
            cycle=row["cycle"],
            symbol=symbol_of(row["symbol"]),
            number=row["number"],
            began_at=row["began_at"],
            ended_at=row["ended_at"],
            agrees=None if row["agrees"] is None else bool(row["agrees"]),
            differences={asset: amount for asset, amount in differences.get(row["id"], {}).items() if amount},
            **{
                name: None if row[name] is None else Decimal(row[name])
                for name in ("bought_quote", "sold_quote", "profit_quote", "left_over_quantity")
            },
        )
        for row in figures.rounds()
        if choice.includes(row["cycle"], symbol_of(row["symbol"])) and (row["ended_at"] or window[1]) >= window[0]
    ]
