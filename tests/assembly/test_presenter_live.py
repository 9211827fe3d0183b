"""The live view: what it shows at each width, and that it leaves a clean terminal."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest
import trio
import trio.testing
from collecting_sink import BlockedSink, BrokenSink, CollectingSink
from presenter_samples import BOOK, BTC, EVENTS, FILL, TIME, buy, partly_filled_sell, reconciled, run_report, sell, tree
from rich.console import Console
from rich.text import Text
from terminal_screen import Screen

from actors.accounts.credential import Credential
from actors.accounts.events import AccountNotReady
from assembly.output import Sink
from assembly.presenter.lifting import HowToLift
from assembly.presenter.live import LivePresenter
from assembly.presenter.live_lines import BAD
from assembly.presenter.live_state import LIVE_ORDERS_KEPT_MAX, LiveState
from assembly.presenter.live_view import TYPED_WIDTH, draw
from assembly.presenter.report import LogLine, RuntimeStopping, StopAwaited
from assembly.presenter.surroundings import Surroundings
from assembly.redaction import redactor
from market.clock import VirtualWallClock
from market.events import BookLost
from market.symbol import Symbol
from orders import events as order_events
from orders.life_cycle import OrderState
from orders.reconciliation import CyclePhaseChanged, CycleStarted
from orders.reports import PositionReport
from orders.states import RestraintLifted, RestraintPlaced, StateEntered, StateRecovered, TradingState
from supervision.snapshot import Snapshot


def running_state() -> LiveState:
    state = LiveState()
    for event in (
        BOOK,
        CycleStarted(account="main", cycle="btc", number=2, symbol=BTC, quote_quantity=Decimal(100)),
        CyclePhaseChanged(account="main", cycle="btc", number=2, phase="selling"),
        reconciled(),
        order_events.AccountReady("main"),
        order_events.BalanceChanged("main", "USDT", Decimal("9900.0040615"), Decimal("9900.0040615")),
        order_events.BalanceChanged("main", "BTC", Decimal("0.101633"), Decimal("0.100033")),
        order_events.OrderFilled("main", partly_filled_sell(), FILL),
        order_events.OrderFateUnknown("main", buy(OrderState.UNKNOWN)),
        LogLine("WARNING", "feed:gateio_spot", "slow answer"),
    ):
        state.fold(TIME, event)
    return state


def around(now: float = 100.0, actors: Snapshot | None = None) -> Surroundings:
    return Surroundings(
        title="mm-runtime",
        now=now,
        now_milliseconds=TIME + round((now - 100) * 1000),
        started_at=40.0,
        actors=actors or tree(),
        book_max_age_seconds_by_exchange={"gateio_spot": 5.0},
        cycles_wanted={"btc": 3, "eth": 0},
        markets={"btc": ("gateio_spot", BTC), "eth": ("gateio_spot", Symbol("ETH", "USDT"))},
    )


def shown(state: LiveState, *, width: int = 80, height: int = 24, surroundings: Surroundings | None = None) -> list[str]:
    """What Rich makes of the view on a console of that size."""
    console = Console(record=True, width=width, height=height, file=io.StringIO(), force_terminal=True)
    for line in draw(state, surroundings or around(), width=width, height=height):
        console.print(Text.assemble(*line), no_wrap=True, overflow="crop")
    return [line.rstrip() for line in console.export_text().splitlines()]


def test_view_of_80_columns() -> None:
    assert shown(running_state()) == [
        "mm-runtime                                        01:00:01 UTC  running 00:01:00",
        "UNKNOWN for 0.0 s: mm-btc-abc1 buy for 100 USDT at market",
        "ACTOR account:main restarting, 2x restarted: ConnectionResetError: the exchange…",
        "Market                age          bid      ask  spread/PnL  cycle does",
        "gateio_spot BTC/USDT  0.2 s    61234.4  61234.5      0.1",
        "  btc                 0.0 s          -  61234.5     -0.4444  #2 of 3 selling",
        "gateio_spot ETH/USDT  no book",
        "  eth                                -        -           -  not begun",
        "Order        side           quantity    price  filled  state             told",
        "mm-btc-abc1  buy   for 100 USDT        market  0       unknown           0.0 s",
        "mm-btc-abc2  sell             0.0016  61234.5  0.0006  partially_filled  0.0 s",
        "Fill       cycle         side  quantity    price             fee  age",
        "01:00:01   btc BTC/USDT  sell    0.0006  61234.5  0.0734814 USDT  0.0 s",
        "Balance",
        "main ready, told 0.0 s ago  USDT 9900.0040615  BTC 0.101633 (0.0016 held)",
        "Actors  2 ready, 1 restarting",
        "  account:main restarting 2x restarted  cycle:btc ready 1x restarted",
        "Log",
        "01:00:01 cycle_started cycle=btc #2 BTC/USDT for 100 USDT on main",
        "01:00:01 cycle_reconciled cycle=btc #1 bought 0.001633 BTC for 99.9959385 USDT,…",
        "01:00:01 account_ready account=main",
        "01:00:01 order_unknown cycle=btc buy for 100 USDT at market (mm-btc-abc1)",
        "01:00:01 feed:gateio_spot: slow answer",
    ]


def halted_state() -> LiveState:
    state = running_state()
    state.fold(
        TIME, RestraintPlaced("account:main", "the exchange does not answer", TradingState.PAUSED, "gateio_spot 5 failures in a row")
    )
    state.fold(TIME, StateEntered("cycle:eth", TradingState.REDUCE_ONLY, "by mm-ctl"))
    state.fold(TIME, StateRecovered("global", TradingState.HALTED, "by mm-ctl: something smells", TIME - 86_400_000))
    return state


@pytest.mark.parametrize("width", [80, 120, 200])
def test_states_that_hold_orders_back_stand_first_the_strictest_first_with_what_lifts_them(width: int) -> None:
    assert shown(halted_state(), width=width, height=30)[1:7] == [
        "HALTED: global, since 2025-11-19 01:00:01 UTC, by mm-ctl: something smells",
        "  lift it with: bin/mm-ctl config.toml resume --from-halt",
        *(
            ["PAUSED: account:main, since 2025-11-20 01:00:01 UTC, gateio_spot 5 failures in a", "  row"]
            if width == 80
            else ["PAUSED: account:main, since 2025-11-20 01:00:01 UTC, gateio_spot 5 failures in a row"]
        ),
        "  ends by itself when this is over: the exchange does not answer",
        "REDUCE_ONLY: cycle:eth, since 2025-11-20 01:00:01 UTC, by mm-ctl",
        *([] if width == 80 else ["  lift it with: bin/mm-ctl config.toml resume cycle:eth"]),
    ]


def test_command_that_is_too_long_for_the_terminal_is_shown_whole_below() -> None:
    surroundings = msgspec.structs.replace(around(), lifting=HowToLift(settings_path=f"/srv/{'trading/' * 6}config.toml"))
    lines = shown(halted_state(), height=30, surroundings=surroundings)
    assert lines[2:4] == ["  lift it with:", f"bin/mm-ctl /srv/{'trading/' * 6}config.toml"]
    assert lines[4] == "resume --from-halt"


def test_states_that_were_lifted_are_shown_no_more() -> None:
    state = halted_state()
    state.fold(TIME, RestraintLifted("account:main", "the exchange does not answer"))
    state.fold(TIME, StateEntered("cycle:eth", TradingState.RUN, ""))
    state.fold(TIME, StateEntered("global", TradingState.RUN, "by mm-ctl"))
    assert shown(state)[3].startswith("Market")


def test_on_a_small_terminal_a_halt_is_what_is_left_of_the_picture() -> None:
    lines = shown(halted_state(), width=60, height=4)
    assert lines[1:3] == ["HALTED: global, since 2025-11-19 01:00:01 UTC, by mm-ctl:", "  something smells"]


def test_view_of_120_columns_has_balances_and_actors_beside_the_market() -> None:
    lines = shown(running_state(), width=120, height=20)
    assert lines[3] == "Market                age          bid      ask  spread/PnL  cycle does                   Balance"
    assert lines[4].startswith("gateio_spot BTC/USDT  0.2 s ")
    assert lines[4].endswith("main ready, told 0.0 s ago")
    assert lines[7].endswith("Actors  2 ready, 1 restarting")
    assert all(len(line) <= 120 for line in lines)


@pytest.mark.parametrize("width", [80, 81, 119, 120, 200])
@pytest.mark.parametrize("height", [3, 10, 24, 50])
def test_view_never_outgrows_the_terminal(width: int, height: int) -> None:
    state = running_state()
    for event in EVENTS:
        state.fold(TIME, event)
    lines = draw(state, around(), width=width, height=height)
    assert len(lines) <= height
    assert all(sum(len(text) for text, _ in line) <= width for line in lines)


def test_small_terminal_keeps_what_matters_most() -> None:
    lines = shown(running_state(), height=13)
    assert [line.split()[0] for line in lines] == [
        "mm-runtime",
        "UNKNOWN",
        "ACTOR",
        "Market",
        "gateio_spot",
        "btc",
        "gateio_spot",
        "eth",
        "Order",
        "mm-btc-abc1",
        "mm-btc-abc2",
        "Actors",
        "left",
    ]
    assert lines[-1] == "left out: 1 account, 5 log lines (1 bad), 1 fill"


def test_view_before_anything_happened_says_so() -> None:
    assert shown(LiveState(), surroundings=msgspec.structs.replace(around(), actors=None, cycles_wanted={}))[1:] == [
        "Market  no book yet",
        "Order  none",
        "Fill  none",
        "Balance  not known yet",
        "Actors  not started yet",
        "Log",
    ]


@pytest.mark.parametrize(("now", "age", "style"), [(104.7, "4.9 s", ""), (107.0, "STALE 7.2 s", BAD)])
def test_book_older_than_its_age_is_shown_as_stale(now: float, age: str, style: str) -> None:
    (row,) = [line for line in draw(running_state(), around(now), width=80, height=24) if line and line[0][0].startswith("gateio_spot BTC")]
    assert row[0][1] == row[1][1] == style
    assert row[1][0].rstrip() == age


def test_book_that_is_lost_is_shown_as_lost_until_the_next_one() -> None:
    state = running_state()
    state.fold(TIME, BookLost("gateio_spot", BTC, "gap", 100.0))
    assert "BOOK gateio_spot BTC/USDT LOST for 0.0 s: gap" in shown(state)
    assert any(line.startswith("gateio_spot BTC/USDT  LOST 0.2 s") for line in shown(state))
    state.fold(TIME, BOOK)
    assert not any("LOST" in line and "book_lost" not in line for line in shown(state))


def test_order_that_has_ended_makes_room_for_the_next_but_is_shown_while_there_is_none() -> None:
    state = LiveState()
    state.fold(TIME, order_events.OrderPlaced("main", sell()))
    state.fold(TIME, order_events.OrderEnded("main", sell(OrderState.CANCELLED)))
    assert any("mm-btc-abc2" in line and "cancelled" in line for line in shown(state)[:9])
    state.fold(TIME, order_events.OrderPlaced("main", sell(number=3)))
    assert not any("mm-btc-abc2  sell" in line for line in shown(state)[:9])


def test_many_orders_are_counted_and_not_listed() -> None:
    state = LiveState()
    for number in range(10):
        state.fold(TIME, order_events.OrderPlaced("main", sell(number=number)))
    lines = shown(state)
    listed = sum(line.startswith("mm-btc-abc") for line in lines)
    assert 0 < listed < 10
    assert any(line.startswith(f"Order +{10 - listed} ") for line in lines)


def test_open_position_has_a_line_of_its_own_with_its_prices_and_what_closing_would_earn() -> None:
    state = running_state()
    position = PositionReport(
        symbol=BTC,
        quantity=Decimal("-0.0016"),
        entry_price=Decimal("61234.5"),
        mark_price=Decimal("61200.25"),
        liquidation_price=Decimal("118000.5"),
        unrealised_pnl=Decimal("0.0548"),
    )
    state.fold(TIME, order_events.PositionChanged("main", position))
    lines = shown(state)
    title = next(number for number, line in enumerate(lines) if line.startswith("Position"))
    assert lines[title].split() == ["Position", "side", "quantity", "entry", "mark", "liquidation", "PnL", "told"]
    assert lines[title + 1] == "main BTC/USDT  short    0.0016  61234.5  61200.25     118000.5  +0.0548  0.0 s"
    state.fold(TIME, order_events.PositionChanged("main", PositionReport(symbol=BTC, quantity=Decimal(0))))
    assert not any(line.startswith("Position") for line in shown(state)), "without contracts every line counts"


def test_account_that_is_lost_says_why() -> None:
    state = running_state()
    state.fold(TIME, order_events.AccountLost("main", "the private stream broke"))
    assert "ACCOUNT main LOST for 0.0 s, all of it as of 01:00:01: the private stream broke" in [line.rstrip("…") for line in shown(state)]
    assert any(line.startswith("main LOST, as of 01:00:01  USDT") for line in shown(state, height=30))


def test_stop_that_closes_every_gate_makes_no_trouble_of_accounts_but_of_those_that_were_lost_before() -> None:
    state = running_state()
    state.fold(TIME - 5000, order_events.AccountLost("other", "no pong"))
    for account in ("main", "other"):
        state.fold(TIME, order_events.AccountLost(account, "the gate is closed: SIGINT"))
    state.fold(TIME, RuntimeStopping(reason="SIGINT", deadline_seconds=10))
    lost = [line for line in shown(state) if line.startswith("ACCOUNT")]
    assert lost == ["ACCOUNT other LOST for 5.0 s, all of it as of 00:59:56: no pong"]


def test_on_a_low_terminal_what_ends_by_itself_takes_one_line() -> None:
    lines = shown(halted_state(), height=23)
    assert "PAUSED: account:main until this is over: the exchange does not answer" in lines
    assert "HALTED: global, since 2025-11-19 01:00:01 UTC, by mm-ctl: something smells" in lines


def test_account_that_does_not_get_ready_is_trouble_until_it_is() -> None:
    state = running_state()
    state.fold(TIME, AccountNotReady("other", 20.0, "the exchange's answer"))
    assert "ACCOUNT other NOT READY for 20 s, waits for the exchange's answer" in shown(state)
    state.fold(TIME, order_events.AccountReady("other"))
    assert not any("NOT READY" in line for line in shown(state))


def test_stop_is_shown_with_what_it_waits_for() -> None:
    state = running_state()
    state.fold(TIME, RuntimeStopping(reason="SIGINT", deadline_seconds=10))
    assert shown(state)[1] == "STOPPING: SIGINT"
    state.fold(TIME, StopAwaited(awaited=("account main: 1 order",), how_to_force="press again"))
    assert shown(state)[1] == "STOPPING, waiting for account main: 1 order; press again"


def test_what_a_stop_waits_for_is_shown_whole_on_a_narrow_terminal() -> None:
    state = running_state()
    state.fold(TIME, StopAwaited(awaited=("account main: 1 order",), how_to_force="press Ctrl-C once more and look at the exchange"))
    lines = shown(state, width=40)
    assert " ".join(lines[1:4]) == ("STOPPING, waiting for account main: 1 order; press Ctrl-C once more and look at the exchange")


@pytest.mark.parametrize("width", [80, 140])
def test_last_line_leaves_room_for_what_is_typed_behind_it(width: int) -> None:
    for height in range(5, 40):
        last = draw(running_state(), around(), width=width, height=height)[-1]
        assert sum(len(text) for text, _ in last) <= width - TYPED_WIDTH


def test_everything_kept_is_bounded() -> None:
    state = LiveState()
    for number in range(LIVE_ORDERS_KEPT_MAX + 50):
        state.fold(TIME, order_events.OrderPlaced("main", sell(number=number)))
        state.fold(TIME, order_events.OrderFilled("main", partly_filled_sell(), FILL))
    assert len(state.orders) <= LIVE_ORDERS_KEPT_MAX
    assert len(state.fills) < 20
    assert len(state.news) < 50


# The presenter around it


def live(sink: Sink, *, width: int = 80, height: int = 24, **options: Any) -> LivePresenter:
    return LivePresenter(
        sink,
        **{
            "color": True,
            "redact": str,
            "on_output_lost": _unexpected,
            "actors": tree,
            "book_max_age_seconds_by_exchange": {"gateio_spot": 5.0},
            "cycles_wanted": {"btc": 3},
            "markets": {"btc": ("gateio_spot", BTC)},
            "wall_clock": VirtualWallClock(),
            "title": "mm-runtime",
            "finish_deadline_seconds": 1.0,
            "size": lambda: os.terminal_size((width, height)),
            **options,
        },
    )


def _unexpected(reason: str) -> None:
    raise AssertionError(reason)


async def run_for(presenter: LivePresenter, seconds: float, meanwhile: Callable[[], None] = lambda: None) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(presenter.run)
        await trio.sleep(seconds / 2)
        meanwhile()
        await trio.sleep(seconds / 2)
        nursery.cancel_scope.cancel()


async def test_live_view_is_drawn_four_times_a_second_in_place(autojump_clock: trio.testing.MockClock) -> None:
    sink = CollectingSink()
    presenter = live(sink)
    presenter.event(TIME, BOOK)
    await run_for(presenter, 2.05)
    screen = Screen(80)
    screen.feed(sink.text)
    assert len(sink.texts) == 9
    assert screen.unknown == []
    assert len(screen.lines) <= 24
    assert sum(line.startswith("gateio_spot BTC/USDT") for line in screen.lines) == 1
    assert not screen.cursor_shown


async def test_live_view_leaves_a_clean_terminal_with_the_tables(autojump_clock: trio.testing.MockClock) -> None:
    sink = CollectingSink()
    presenter = live(sink, color=False)
    presenter.event(TIME, BOOK)
    presenter.event(TIME, reconciled())
    await run_for(presenter, 1.0)
    assert await presenter.finish(run_report(sell(OrderState.CANCELLED)))
    screen = Screen(80)
    screen.feed(sink.text)
    assert screen.cursor_shown
    assert screen.lines[:3] == [
        "",
        "cycle btc #1 BTC/USDT on main: reconciled, balances agree",
        "  bought 0.001633 BTC for 99.9959385 USDT",
    ]
    assert "gateio_spot BTC/USDT" not in "\n".join(screen.lines)
    assert screen.lines[-2:] == ["exit status 0: clean: no order of ours is live (all cycles are done; ran 21.5 s)", ""]


async def test_live_view_that_never_ran_still_prints_the_tables() -> None:
    sink = CollectingSink()
    assert await live(sink).finish(run_report())
    assert sink.text.endswith("exit status 0: clean: no order of ours is live (all cycles are done; ran 21.5 s)\n")


async def test_live_view_starts_afresh_when_the_terminal_changes_its_size(autojump_clock: trio.testing.MockClock) -> None:
    sizes = [os.terminal_size((120, 30))]
    sink = CollectingSink()
    presenter = live(sink, size=lambda: sizes[-1])
    presenter.event(TIME, BOOK)
    await run_for(presenter, 1.0, lambda: sizes.append(os.terminal_size((80, 24))))
    screen = Screen(80)
    screen.feed(sink.text[sink.text.rindex("\x1b[H\x1b[2J") :])
    assert screen.lines[0].startswith("mm-runtime")
    assert all(len(line) <= 80 for line in screen.lines)


@pytest.mark.parametrize("color", [True, False])
async def test_colours_are_used_only_where_they_are_wanted(autojump_clock: trio.testing.MockClock, color: bool) -> None:
    sink = CollectingSink()
    presenter = live(sink, color=color)
    presenter.event(TIME, order_events.AccountReady("main"))
    await run_for(presenter, 0.5)
    await presenter.finish(run_report(buy(OrderState.UNKNOWN)))
    assert ("\x1b[32m" in sink.text) is color
    assert ("\x1b[1;31m" in sink.text) is color


async def test_live_view_on_a_terminal_that_blocks_keeps_taking_events(autojump_clock: trio.testing.MockClock) -> None:
    presenter = live(BlockedSink())
    await run_for(presenter, 10.0, lambda: presenter.event(TIME, BOOK))
    started = trio.current_time()
    assert not await presenter.finish(run_report())
    assert trio.current_time() - started == 1.0


async def test_live_view_on_a_terminal_that_is_gone_tells_the_runtime_once(autojump_clock: trio.testing.MockClock) -> None:
    reasons: list[str] = []
    presenter = live(BrokenSink(), on_output_lost=reasons.append)
    await run_for(presenter, 2.0)
    assert not await presenter.finish(run_report())
    assert reasons == ["its reader has gone"]


async def test_live_view_shows_no_secret(autojump_clock: trio.testing.MockClock) -> None:
    sink = CollectingSink()
    presenter = live(sink, redact=redactor([Credential(key="the-real-key", secret="the-real-secret")]))
    presenter.event(TIME, order_events.AccountLost("main", "refused the-real-key"))
    presenter.event(TIME, LogLine("ERROR", "", "signed with the-real-secret"))
    presenter.event(TIME, BookLost("gateio_spot", BTC, "the-real-key", 1.0))
    await run_for(presenter, 0.5)
    await presenter.finish(msgspec.structs.replace(run_report(), reason="the-real-secret"))
    assert "signed with ***" in sink.text
    assert "the-real" not in sink.text


@pytest.mark.parametrize("seconds", [5.0, 500_000.0])
def test_picture_can_be_drawn_however_small_the_terminal_is(seconds: float) -> None:
    state = running_state()
    for width in (1, 2, 5, 12, 17, 18, 20, 40):
        for height in (1, 2, 5, 24):
            drawn = draw(state, around(100.0 + seconds), width=width, height=height)
            assert len(drawn) <= height
