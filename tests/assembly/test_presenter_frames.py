"""Whole pictures of the live view with many cycles, as a person sees them; `write_golden_frames.py` writes them anew."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from live_samples import busy_state, order, surroundings, troubled_state
from presenter_samples import TIME

from assembly.presenter.live_lines import BAD, DIM, GOOD
from assembly.presenter.live_state import LiveState
from assembly.presenter.live_view import draw
from market.events import BookChanged
from market.symbol import Symbol
from orders import events as order_events
from orders.life_cycle import OrderState
from orders.request import Side

FRAMES = [(name, width, height) for name in ("busy", "troubled") for width, height in ((80, 24), (80, 50), (132, 24), (132, 50))]
SIZES = [(width, height) for width in (80, 100, 132, 200) for height in (24, 50)]


def frame_path(name: str, width: int, height: int) -> Path:
    return Path(__file__).parent / "golden_frames" / f"{name}_{width}x{height}.txt"


def lines_of(state: LiveState, width: int, height: int, *, in_trouble: bool = False) -> list[str]:
    drawn = draw(state, surroundings(in_trouble=in_trouble), width=width, height=height)
    return ["".join(text for text, _ in line).rstrip() for line in drawn]


def picture(name: str, width: int, height: int) -> str:
    in_trouble = name == "troubled"
    state = troubled_state() if in_trouble else busy_state()
    return "".join(f"{line}\n" for line in lines_of(state, width, height, in_trouble=in_trouble))


@pytest.mark.parametrize(("name", "width", "height"), FRAMES)
def test_picture_of_six_cycles_is_as_it_was_when_somebody_looked_at_it(name: str, width: int, height: int) -> None:
    assert picture(name, width, height) == frame_path(name, width, height).read_text(encoding="utf-8")


@pytest.mark.parametrize(("width", "height"), [*SIZES, (60, 12)])
def test_all_that_is_wrong_stands_above_everything_else(width: int, height: int) -> None:
    lines = lines_of(troubled_state(), width, height, in_trouble=True)
    above = "\n".join(lines[: next((number for number, line in enumerate(lines) if line.startswith("Market")), len(lines))])
    for what in (
        "UNKNOWN for 12 s: mm-mexc-4f3gevds08",
        "ACCOUNT okxswap LOST for 3.0 s",
        "BOOK gateio_futures BTC/USDT LOST for 4.0 s",
    ):
        assert what in above
    assert "ACTOR feed:gateio_futures restarting" in above or "more actors that do not run" in above


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_nothing_is_left_out_without_being_counted(width: int, height: int) -> None:
    lines = lines_of(busy_state(), width, height)
    text = "\n".join(lines)
    sections = {"Order": ("4f3gevds", 21, "orders"), "Balance": ("ready, told", 5, "accounts"), "Risk": (" 98.8%", 3, "risks")}
    for title, (what, count, nouns) in sections.items():
        shown = sum(what in line for line in lines if " cycle=" not in line)
        heading = next((line[line.index(title) :] for line in lines if title in line), "")
        if not shown:
            assert f"{count} {nouns}" in text
        elif shown < count:
            left = count - shown
            assert heading.startswith((f"{title} and {left} more", f"{title}  and {left} more", f"{title} +{left}"))


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_every_cycle_and_market_has_its_row_with_our_best_quotes_under_the_books_top(width: int, height: int) -> None:
    lines = lines_of(busy_state(), width, height)
    row = next(number for number, line in enumerate(lines) if line.startswith("okx_spot BTC/USDT"))
    assert lines[row + 1].startswith("  okxq")
    assert "59925.5" in lines[row + 1]
    assert "60075.5" in lines[row + 1]
    heading = next(line for line in lines if line.startswith("Market"))
    end_of_bid = heading.index("bid") + 3
    assert lines[row][:end_of_bid].rstrip()[-1].isdigit()
    assert lines[row + 1].index("59925.5") == lines[row].index("59993.6"), "own bid and book's bid stand below each other"
    for name in ("gate", "mexc", "okxq", "gatefutq", "okxswapq", "etherround"):
        assert any(line.startswith(f"  {name} ") for line in lines)


def test_own_quote_that_is_the_markets_best_is_green_and_that_of_a_lost_account_is_dimmed() -> None:
    state = busy_state()
    styles = {
        text.strip(): style
        for line in draw(state, surroundings(), width=80, height=24)
        for text, style in line
        if line[0][0].startswith("  gate ")
    }
    assert styles["60002.6"] == GOOD
    state.fold(TIME, order_events.AccountLost("gate", "no pong"))
    (row,) = [line for line in draw(state, surroundings(), width=80, height=40) if line[0][0].startswith("  gate ")]
    assert [(text.strip(), style) for text, style in row if text.strip() in ("60002.6", "LOST 0.0 s")] == [
        ("LOST 0.0 s", BAD),
        ("60002.6", DIM),
    ]


def test_what_belongs_to_a_lost_account_is_dimmed_and_says_as_of_when_until_it_is_ready_again() -> None:
    state = troubled_state()

    def rows(prefix: str) -> list[list[tuple[str, str]]]:
        return [line for line in draw(state, surroundings(), width=80, height=80) if line and f"{line[0][0]} ".startswith(prefix)]

    assert len(rows("mm-okxswapq")) == 6
    for row in rows("mm-okxswapq"):
        assert row[0][1] == DIM
        assert row[-1] == ("as of 00:59:52", BAD)
    (balance,) = rows("okxswap ")
    assert balance[1] == (" LOST, as of 00:59:58", BAD)
    assert {style for _, style in balance[2:]} == {DIM}
    state.fold(TIME, order_events.AccountReady("okxswap"))
    assert all(row[0][1] == "" and row[-1][0] == "8.4 s" for row in rows("mm-okxswapq"))


def test_book_of_a_lost_feed_is_dimmed_with_its_age() -> None:
    (row,) = [
        line for line in draw(troubled_state(), surroundings(), width=80, height=40) if line and line[0][0].startswith("gateio_futures BTC")
    ]
    assert row[1] == ("LOST 4.3 s  ", BAD)
    assert {style for text, style in row[2:] if text.strip()} == {DIM}


def test_risk_that_is_not_measured_any_more_is_stale() -> None:
    later = msgspec.structs.replace(surroundings(), now=1011.0, now_milliseconds=TIME + 11_000)
    (row,) = [line for line in draw(busy_state(), later, width=80, height=60) if line and line[0][0].startswith("okxq ")]
    assert row[-1] == ("STALE 11 s", BAD)
    assert row[1][1] == DIM


def test_unknown_orders_come_before_all_others_and_more_than_fit_are_counted() -> None:
    state = busy_state()
    for number in range(30, 60):
        state.fold(TIME, order_events.OrderFateUnknown("gate", order("gate", number, Side.BUY, "1", state=OrderState.UNKNOWN)))
    lines = lines_of(state, 80, 24)
    assert lines[1].startswith("UNKNOWN for 0.0 s: mm-gate-4f3gevds30 buy 0.0033 BTC @ 1")
    assert any(line.startswith("and ") and line.endswith("more unknown orders") for line in lines[:12])
    first = next(number for number, line in enumerate(lines) if line.startswith("Order"))
    assert "unknown" in lines[first + 1]


def test_time_of_the_picture_stands_in_it() -> None:
    assert lines_of(busy_state(), 80, 24)[0].endswith("01:00:01 UTC  running 01:02:05")


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_long_names_and_numbers_of_many_digits_are_cut_visibly_and_move_nothing_out_of_its_column(width: int, height: int) -> None:
    state = busy_state()
    symbol = Symbol("1000000MOGCOIN", "USDT")
    state.fold(TIME, BookChanged("gateio_futures", symbol, ((0.000000012345, 123456789.0),), ((0.000000012346, 1.0),), 1, 1, TIME, 999.9))
    drawn = draw(state, surroundings(), width=width, height=height)
    assert all(sum(len(text) for text, _ in line) <= width for line in drawn)
    lines = ["".join(text for text, _ in line).rstrip() for line in drawn]
    assert any(line.startswith("gateio_futures 1000000MOGCO…") for line in lines)
    assert any("0.000000012345" in line for line in lines)
