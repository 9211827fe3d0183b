"""A strategy is pure, so a test is a view in and quotes out: no exchange, no clock, no network."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from actors.cycle.quoting.contract import LastFill, MarketHistory, MidSample, QuotingView, StrategyFailed, Wanted
from market.events import BookChanged, Side, TradeHappened
from market.instrument import Instrument
from market.symbol import Symbol
from my_strategies.grid import Grid, GridParameters

D = Decimal
BTC_USDT = Symbol("BTC", "USDT")
RULES = Instrument(
    exchange="gateio_spot", symbol=BTC_USDT, price_tick=D("0.1"), quantity_step=D("0.000001"), quantity_min=D("0.00001"), notional_min=D(3)
)
PARAMETERS = GridParameters(centre_price=D(60_000), lines=2, spacing_fraction=D("0.01"))


class NoHistory:
    mids: tuple[MidSample, ...] = ()
    trades: tuple[TradeHappened, ...] = ()


def view(price: float = 60_000, **changes: Any) -> QuotingView:
    book = BookChanged("gateio_spot", BTC_USDT, ((price - 1, 1.0),), ((price + 1, 1.0),), 1, 1, 0, 0.0)
    history: MarketHistory = NoHistory()
    values: dict[str, Any] = {"now": 100.0, "instrument": RULES, "book": book, "history": history, "order_quote": D(100)}
    return QuotingView(**values | changes)


def prices(wanted: Wanted, side: Side) -> list[Decimal]:
    return sorted(quote.price for quote in wanted.quotes if quote.side is side)


def test_lines_under_the_market_are_bought_and_those_above_are_sold() -> None:
    wanted = Grid(PARAMETERS).decide(view())
    assert prices(wanted, Side.BUY) == [58_800, 59_400]
    assert prices(wanted, Side.SELL) == [60_600, 61_200]
    assert {quote.price: quote.quantity for quote in wanted.quotes}[D(59_400)] == D("0.001683")


def test_line_that_was_filled_last_stays_empty_and_the_one_behind_it_is_quoted_again() -> None:
    fills = {Side.BUY: LastFill(90.0, D(59_400), D("0.001683")), Side.SELL: LastFill(50.0, D(60_600), D("0.00165"))}
    wanted = Grid(PARAMETERS).decide(view(59_300, last_fills=fills))
    assert prices(wanted, Side.BUY) == [58_800]
    assert prices(wanted, Side.SELL) == [60_000, 60_600, 61_200]


def test_levels_count_from_the_line_nearest_to_the_market_so_that_the_furthest_go_first_when_funds_run_short() -> None:
    wanted = Grid(PARAMETERS).decide(view(60_500))
    assert [(quote.price, quote.level) for quote in wanted.quotes] == [(59_400, 0), (58_800, 1), (60_600, 0), (61_200, 1)]


def test_nothing_is_quoted_without_a_book() -> None:
    assert Grid(PARAMETERS).decide(view(book=None)) == Wanted(phase="waiting for the book")


def test_amount_that_no_exchange_takes_ends_the_cycle_with_advice() -> None:
    with pytest.raises(StrategyFailed, match="raise quantity"):
        Grid(PARAMETERS).decide(view(order_quote=D(1)))


def test_grid_that_would_reach_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="below 1"):
        GridParameters(centre_price=D(60_000), lines=200)
