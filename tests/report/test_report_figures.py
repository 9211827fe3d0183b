"""What a report says of a journal: figures worked out by hand, and the same again by other means."""

from __future__ import annotations

from array import array
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.journal.figures import FillRow, PriceRows
from actors.journal.tallies import TallyPlace
from assembly.report.analysis import Analysis
from assembly.report.curves import Curve
from assembly.report.cycle_figures import CycleFigures, Statement
from assembly.report.prices import NEAR_MILLISECONDS, PriceHistory
from assembly.report.spans import DAY_MILLISECONDS, Columns
from assembly.report.sums import HORIZONS_SECONDS, Sums, Uptime
from assembly.report.words import percentiles
from market.events import Side
from market.exact import PRECISE
from market.instrument import decimal_from_book
from orders.reports import FillReport
from orders.tally import Tally
from tests.journal.journal_samples import BTC, TIME, fill, open_store, reconciled, round_began, write
from tests.report.report_samples import SECOND, analysed, small_journal, told, trade

PLACE = TallyPlace("gateio_spot", "main", "mm", "btc", BTC)


@pytest.fixture
def small(tmp_path: Path) -> Analysis:
    """The small journal, added up."""
    small_journal(tmp_path / "journal.db")
    return analysed(tmp_path / "journal.db")


# By hand


def test_profit_and_inventory_are_those_worked_out_by_hand(small: Analysis) -> None:
    (cycle,) = small.cycles
    assert cycle.place == PLACE
    earned = cycle.total.earnings
    assert (earned.realised, earned.unrealised) == (Decimal("3.5"), Decimal("4.5"))  # 103 - 99.5; 2 * 104 - 203.5
    assert (earned.fees, earned.fees_by_asset) == (Decimal("0.404"), {"BTC": Decimal("0.001"), "USDT": Decimal("0.3")})
    assert (earned.profit, earned.volume) == (Decimal("7.596"), Decimal(406))
    assert (cycle.tally.inventory, cycle.last_mid) == (Decimal("1.999"), Decimal(104))


def test_spread_and_mark_outs_are_those_worked_out_by_hand(small: Analysis) -> None:
    trades = small.cycles[0].total.some()
    assert (trades.fills, trades.spread.fills, trades.spread.quote) == (3, 3, Decimal(2))  # 2 * 0.5, 1 * 1, and at the middle
    assert round(trades.spread.basis_points or 0, 6) == Decimal("49.261084")  # 2 of 406
    one, five, thirty = trades.after
    assert (one.fills, one.quote) == (3, Decimal(4))  # 2 * (101 - 99.5) + (103 - 102) + 0
    assert (five.fills, five.quote) == (2, Decimal(0))  # 2 * (99 - 99.5), of the sample after 5.4 s; and 1
    assert (thirty.fills, thirty.quote, thirty.notional) == (1, Decimal(-1), Decimal(103))  # no book after the first; 103 - 104
    bought, taken = small.cycles[0].total.some(side="buy"), small.cycles[0].total.some(maker=False)
    assert (bought.fills, bought.quantity, bought.spread.quote) == (2, Decimal(3), Decimal(1))
    assert (taken.fills, taken.volume, small.cycles[0].total.maker_share) == (1, Decimal(103), pytest.approx(303 / 406))


def test_orders_uptime_and_latency_are_those_worked_out_by_hand(small: Analysis) -> None:
    (cycle,) = small.cycles
    orders = cycle.total.orders
    assert (orders.intended, orders.placed, orders.filled, orders.partly_filled, orders.cancelled) == (3, 3, 2, 1, 0)
    assert (orders.placed_quote, orders.filled_quote) == (Decimal(199 + 103 + 520), Decimal(406))
    assert (orders.fill_rate, orders.amount_fill_rate) == (1.0, pytest.approx(406 / 822))
    # Bids from 5 to 10 and from 55 to 95, an ask from 50 to 60.
    assert cycle.total.uptime == Uptime(both=5 * SECOND, one=45 * SECOND, none=45 * SECOND)
    assert cycle.latencies_us == {"rest": array("q", [12_345, 30_000, 40_000])}, "measured where it was, else from the intent"
    assert list(cycle.lifetimes) == [5 * SECOND, 10 * SECOND, 40 * SECOND]
    assert small.lacks == []


def test_curves_go_through_what_was_held_and_earned(small: Analysis) -> None:
    (cycle,) = small.cycles
    drawing = cycle.drawing
    assert drawing is not None
    assert (drawing.columns.begin, drawing.columns.end) == (TIME, TIME + 95 * SECOND)
    assert [last(drawing.inventory, second) for second in (9, 10, 59, 60, 94)] == [0, 2, 2, 1, 1.999]
    assert [last(drawing.profit, second) for second in (9, 10, 11, 15.4, 94)] == [0, 0.9, 2.9, -1.1, 7.596]
    assert [last(drawing.realised, second) for second in (59, 60)] == [0, 3.5]
    assert [last(drawing.fees, second) for second in (9, 10, 60, 94)] == [0, 0.1, 0.3, 0.404]
    price = drawing.price.filled()
    assert [price[drawing.columns.of(TIME + at)] for at in (14_000, 15_400)] == [(101, 101, 101), (99, 101, 99)]
    assert len(cycle.prices) == 0, "prices of weeks are large"


def last(curve: Curve, second: float) -> float | None:
    """Where a curve is at the end of the column of a second."""
    bar = curve.filled()[curve.columns.of(TIME + round(second * SECOND))]
    return None if bar is None else round(bar[2], 9)


def test_what_came_before_the_choice_is_where_it_began(tmp_path: Path) -> None:
    small_journal(tmp_path / "journal.db")
    (cycle,) = analysed(tmp_path / "journal.db", since_milliseconds=TIME + 30 * SECOND).cycles
    # Then 2 were held at the last middle of 99, with 0.1 of fees paid: a profit of -1.1.
    assert cycle.total.earnings.profit == Decimal("7.596") + Decimal("1.1")
    assert (cycle.total.some().fills, cycle.total.orders.placed, cycle.tally.trades) == (2, 2, 3)
    assert cycle.total.uptime.running == 65 * SECOND
    assert cycle.drawing is not None
    assert [last(cycle.drawing.profit, second) for second in (31, 94.9)] == [0, 8.696]


def test_other_cycles_and_symbols_are_left_out(tmp_path: Path) -> None:
    small_journal(tmp_path / "journal.db")
    assert analysed(tmp_path / "journal.db", cycle="eth").cycles == []
    assert len(analysed(tmp_path / "journal.db", cycle="btc", symbol=BTC).cycles) == 1


def test_what_the_run_stated_is_compared_and_a_difference_is_named(tmp_path: Path) -> None:
    stated = {"account": "main", "cycle": "btc", "symbol": "BTC/USDT", "trades": 1, "realised": "0", "volume": "199", "inventory": "2"}
    with open_store(tmp_path / "journal.db") as store:
        trade(store, 1, begun=1, placed_at=2, traded=3, side=Side.BUY, price="99.5", quantity="2", fee="0.1")
        told(store, 4, "risk_measured", **stated, mid="100", fees="0.1", profit="0.9")
        told(store, 5, "risk_measured", **stated, mid="100", fees="0.1", profit="0.91")
        told(store, 6, "risk_measured", **(stated | {"trades": 2}), mid="100", fees="0.1", profit="5")  # of a trade that is not there yet
    (cycle,) = analysed(tmp_path / "journal.db").cycles
    assert cycle.statements_agreeing == 1
    assert cycle.differences == ["profit after 1 trades"]


def test_rounds_say_which_balances_differ(tmp_path: Path) -> None:
    with open_store(tmp_path / "journal.db") as store:
        write(store, round_began(1), reconciled(1))
        write(store, round_began(2, started_at=TIME + 1), reconciled(2, started_at=TIME + 1, agrees=False))
        write(store, round_began(3, started_at=TIME + 2))
    rounds = analysed(tmp_path / "journal.db").rounds
    assert [(each.number, each.agrees, each.differences) for each in rounds] == [
        (1, True, {}),
        (2, False, {"USDT": Decimal("-90.95")}),
        (3, None, {}),
    ]


def test_incidents_of_a_run_are_told_but_not_that_everything_is_closed_when_it_stops(tmp_path: Path) -> None:
    with open_store(tmp_path / "journal.db") as store:
        told(store, 1, "book_lost", exchange="gateio_spot", symbol="BTC/USDT", reason="gap")
        told(store, 2, "actor_crashed", actor="feed:gateio_spot", error="RuntimeError")
        told(store, 3, "account_ready", account="main")
        told(store, 4, "account_lost", account="main", reason="the gate is closed: Ctrl-C")
        told(store, 5, "book_lost", exchange="gateio_spot", symbol="BTC/USDT", reason="the feed is stopping")
        store.end_run(at_milliseconds=TIME + 6 * SECOND, how="clean: Ctrl-C")
    names = [incident.name for incident in analysed(tmp_path / "journal.db").incidents.newest()]
    assert names == ["run_began", "book_lost", "actor_crashed", "run_ended"]


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        *((-1, None), (0, 100), (499, 100), (500, 101), (999, 101), (1_000, 101), (1_600, 101), (1_601, None)),
        *((2_599, None), (2_600, None), (2_601, 103), (2_999, 103), (5_000, 103), (9_000, None)),
        *((10_499, None), (10_500, 104), (12_000, 104), (12_001, None)),
    ],
)
def test_price_between_two_samples_is_the_nearer_ones_within_half_a_second_and_a_life(at: int, expected: int | None) -> None:
    rows = [(0, 99.5, 100.5), (1_000, 100.5, 101.5), (2_101, None, None), (3_100, 102.5, 103.5), (11_000, 103.5, 104.5), (12_300, 1.0, 2.0)]
    assert history(rows, [(0, 6_000), (10_000, 12_000)]).near(at) == expected


@pytest.mark.parametrize(("late", "expected"), [(5_000, "-1"), (5_001, "1")], ids=["told in time", "told late"])
def test_trade_that_was_told_late_is_taken_at_the_exchanges_time(late: int, expected: str) -> None:
    rows = [(TIME, 100.5, 101.5), (TIME + 4_000, 98.5, 99.5)]
    cycle = CycleFigures(PLACE, window=(TIME, TIME + 9_000), lives=[], prices=history(rows, [(TIME, TIME + 9_000)]), statements=[])
    report = fill(side=Side.BUY, price=Decimal(100), quantity="1", exchange_time_milliseconds=TIME + 6_000 - late)
    with localcontext(PRECISE):
        cycle.count_fill(FillRow("main", "btc", "mm", TIME + 6_000, report))
        cycle.finish()
    assert cycle.total.some().spread.quote == Decimal(expected)


@pytest.mark.parametrize(
    ("values", "expected"),
    [([], None), ([7], (7, 7, 7, 7)), (range(1, 101), (50, 95, 99, 100)), ([3, 1, 2], (2, 3, 3, 3))],
)
def test_percentiles_are_values_that_occurred(values: Any, expected: Any) -> None:
    assert percentiles(array("q", values)) == expected


# By other means

AMOUNTS = st.decimals(min_value="0.01", max_value="5", places=2)
GAPS = st.sampled_from([0, 1, 400, 499, 500, 501, 1_000, 4_000, 30_000, DAY_MILLISECONDS // 2])


@st.composite
def fills(draw: st.DrawFn) -> list[FillRow]:
    """Trades of one cycle, at prices around 100, over some days."""
    at, found = TIME, list[FillRow]()
    for number in range(draw(st.integers(0, 12))):
        at += draw(GAPS)
        report = FillReport(
            trade_id=str(number),
            exchange_order_id="x",
            client_order_id="mm-btc-1",
            symbol=BTC,
            side=draw(st.sampled_from(Side)),
            price=draw(st.decimals(min_value=90, max_value=110, places=1)),
            quantity=draw(AMOUNTS),
            fee=draw(st.decimals(min_value="-0.01", max_value="0.01", places=4)),
            fee_asset=draw(st.sampled_from(["USDT", "BTC", "GT"])),
            maker=draw(st.booleans()),
            exchange_time_milliseconds=at - draw(st.sampled_from([0, 20, 6_000])),
        )
        found.append(FillRow("main", "btc", "mm", at, report))
    return found


@st.composite
def prices(draw: st.DrawFn) -> list[tuple[int, float | None, float | None]]:
    """Samples, some of a lost book."""
    at, found = TIME - 2_000, list[tuple[int, float | None, float | None]]()
    for _ in range(draw(st.integers(0, 20))):
        bid = draw(st.one_of(st.none(), st.integers(900, 1_100)))
        found.append((at, None, None) if bid is None else (at, bid / 10, bid / 10 + 0.1))
        at += draw(GAPS.filter(bool))
    return found


def history(rows: list[tuple[int, float | None, float | None]], lives: list[tuple[int, int]]) -> PriceHistory:
    nan = float("nan")
    return PriceHistory(
        PriceRows(
            array("q", [at for at, _, _ in rows]),
            array("d", [nan if bid is None else bid for _, bid, _ in rows]),
            array("d", [nan if ask is None else ask for _, _, ask in rows]),
        ),
        lives,
    )


def middle_by_looking_through_all(
    rows: list[tuple[int, float | None, float | None]], lives: list[tuple[int, int]], at: int
) -> Fraction | None:
    """As `PriceHistory.near` promises, the long way."""
    for begin, end in lives:
        if not begin <= at <= end:
            continue
        here = [row for row in rows if begin <= row[0] <= end]
        before = [row for row in here if row[0] <= at]
        soon = [row for row in here if at < row[0] <= at + NEAR_MILLISECONDS and not (before and at - before[-1][0] < row[0] - at)]
        row = soon[0] if soon else before[-1] if before else None
        if row is None or row[1] is None or row[2] is None:
            return None
        return (Fraction(decimal_from_book(row[1])) + Fraction(decimal_from_book(row[2]))) / 2
    return None


@settings(max_examples=60)
@given(fills(), prices(), st.integers(1, 4))
def test_every_sum_is_what_looking_through_all_of_it_finds(
    rows: list[FillRow], samples: list[tuple[int, float | None, float | None]], parts: int
) -> None:
    end = max([TIME, *(row.at for row in rows)]) + 40_000
    step = (end - TIME) // parts + 1
    lives = [(TIME + part * step, TIME + (part + 1) * step - step // 10 - 1) for part in range(parts)]
    with localcontext(PRECISE):
        cycle = CycleFigures(PLACE, window=(TIME, end), lives=lives, prices=history(samples, lives), statements=[])
        tally = Tally()
        for row in rows:
            cycle.count_fill(row)
            tally = tally.after_fill(row.fill)
        cycle.finish()
        total = cycle.total
        # The tally's own accounting, to the digit, and the days add up to it.
        assert cycle.tally == tally
        if cycle.last_mid is not None:
            assert total.earnings.profit == tally.profit(cycle.last_mid)
            assert total.earnings.unrealised == tally.traded.unrealised(cycle.last_mid)
        assert total.earnings.realised == tally.traded.realised
        assert total.earnings.fees_by_asset == {asset: fee for asset, fee in tally.fees.items() if fee}
        days, before = Sums(), Decimal(0)
        for day in range(TIME // DAY_MILLISECONDS, end // DAY_MILLISECONDS + 1):
            here, until = cycle.days.get(day, Sums()), min(end, (day + 1) * DAY_MILLISECONDS - 1)
            earlier = [row.fill for row in rows if row.at <= until]
            tally = Tally()
            for each in earlier:
                tally = tally.after_fill(each)
            profit = tally.profit(cycle.prices.last_known(until) or (earlier[-1].price if earlier else Decimal(0)))
            assert here.earnings.profit == profit - before
            assert here.some().fills == sum(1 for row in rows if row.at // DAY_MILLISECONDS == day)
            days.add(here)
            before = profit
        assert days == total
    for side in Side:
        for number, seconds in enumerate((0, *HORIZONS_SECONDS)):
            found = [
                (middle, row.fill)
                for row in rows
                if row.fill.side is side
                for moment in [row.at if row.at - row.fill.exchange_time_milliseconds <= 5_000 else row.fill.exchange_time_milliseconds]
                if (middle := middle_by_looking_through_all(samples, lives, moment + seconds * 1000)) is not None
            ]
            sign = 1 if side is Side.BUY else -1
            expected = sum((sign * (middle - Fraction(fill.price)) * Fraction(fill.quantity) for middle, fill in found), Fraction(0))
            trades = total.some(side=side.value)
            distance = (trades.spread, *trades.after)[number]
            assert (Fraction(distance.quote), distance.fills) == (expected, len(found))


@settings(max_examples=40)
@given(fills(), prices())
def test_profit_curve_has_every_value_of_its_columns_and_ends_with_the_profit(
    rows: list[FillRow], samples: list[tuple[int, float | None, float | None]]
) -> None:
    end = max([TIME, *(row.at for row in rows), *(at for at, _, _ in samples)]) + 1_000
    columns = Columns(TIME, end, 7)
    with localcontext(PRECISE):
        cycle = CycleFigures(PLACE, window=(TIME, end), lives=[(TIME, end)], prices=history(samples, [(TIME, end)]), statements=[])
        for row in rows:
            cycle.count_fill(row)
        cycle.finish()
        bars = cycle.profit_curve(columns).filled()
        for at in sorted({at for at, _, _ in samples if at >= TIME} | {row.at for row in rows}):
            tally = Tally()
            for row in rows:
                tally = tally.after_fill(row.fill) if row.at <= at else tally
            middle = cycle.prices.last_known(at)
            bar = bars[columns.of(at)]
            if middle is None or bar is None:
                continue
            assert bar[0] - 1e-6 <= float(tally.profit(middle)) <= bar[1] + 1e-6
        if cycle.prices.last_known(end) is not None:
            assert bars[-1] is not None
            assert bars[-1][2] == pytest.approx(float(cycle.total.earnings.profit), abs=1e-6)


@settings(max_examples=40)
@given(fills(), st.integers(0, 12))
def test_statement_of_the_run_agrees_whenever_it_is_the_tallys(rows: list[FillRow], number: int) -> None:
    tally = Tally()
    with localcontext(PRECISE):
        for row in rows[:number]:
            tally = tally.after_fill(row.fill)
        mid = Decimal("100.05")
        said = Statement(
            at=TIME, trades=tally.trades, mid=mid, realised=tally.traded.realised, volume=tally.volume_quote, inventory=tally.inventory,
            fees=tally.traded.fees + tally.base_fees * mid, profit=tally.profit(mid),
        )  # fmt: skip
        wrong = Statement(
            at=TIME, trades=tally.trades, mid=mid, realised=tally.traded.realised, volume=tally.volume_quote, inventory=tally.inventory,
            fees=tally.traded.fees + tally.base_fees * mid, profit=tally.profit(mid) + 1,
        )  # fmt: skip
        end = TIME + 10 * DAY_MILLISECONDS
        cycle = CycleFigures(PLACE, window=(TIME, end), lives=[], prices=history([], []), statements=[wrong, said])
        for row in rows:
            cycle.count_fill(row)
        cycle.finish()
    assert (cycle.statements_agreeing, len(cycle.differences)) == (1, 1)
