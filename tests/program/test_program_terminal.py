"""The live view on a real pseudo-terminal: it draws, Ctrl-C works as a key, and the terminal is left as it was found."""

from __future__ import annotations

from pathlib import Path

from processes import NO_GUARDIAN, QUIET_MARKET, Exchange, exchange_settings, settings, take_time_to_decide
from terminal import CTRL_C, ProgramOnTerminal

STOP_SECONDS = 10.0


def shows_resting_sell(text: str) -> bool:
    return " sell " in text and " open" in text


def test_live_view_draws_book_orders_balances_and_actors_in_80_columns(tmp_path: Path, quiet_exchange: Exchange) -> None:
    with ProgramOnTerminal(settings(tmp_path, exchange=quiet_exchange)) as terminal:
        text = terminal.wait_screen(shows_resting_sell)
        screen = terminal.screen()
        assert not screen.cursor_shown
        assert screen.unknown == []
        for word in ("mm-runtime", "BTC/USDT", "cycle does", "Order", "Fill", "Balance", "main ready", "Actors", " UTC  running"):
            assert word in text
        terminal.press(CTRL_C)
        assert terminal.wait_exit(STOP_SECONDS) == 0
    assert quiet_exchange.our_open_orders() == []


def test_ctrl_c_key_stops_cleanly_prints_the_tables_and_gives_the_terminal_back(tmp_path: Path, quiet_exchange: Exchange) -> None:
    with ProgramOnTerminal(settings(tmp_path, exchange=quiet_exchange)) as terminal:
        terminal.wait_screen(shows_resting_sell)
        terminal.press(CTRL_C)
        assert terminal.wait_exit(STOP_SECONDS) == 0
        terminal.wait_written("exit status 0: clean")
        screen = terminal.screen()
        assert screen.cursor_shown
        assert terminal.attributes() == terminal.attributes_at_start
        lines = [line for line in screen.lines if line]
        # The live view has made room for the tables.
        assert not any(line.startswith(("Actors", "Balance")) for line in lines)
        assert any(line.startswith("orders of account main: 1 filled, 1 cancelled") for line in lines)
        assert any("SIGINT received" in line for line in lines)
    assert quiet_exchange.our_open_orders() == []


def test_ctrl_c_again_and_again_tells_all_that_is_awaited_and_then_forces_the_end(tmp_path: Path) -> None:
    with (
        Exchange("--config", exchange_settings(tmp_path, QUIET_MARKET)) as exchange,
        ProgramOnTerminal(settings(tmp_path, exchange=exchange, stop_deadline_seconds=60, runtime=NO_GUARDIAN)) as terminal,
    ):
        terminal.wait_screen(shows_resting_sell)
        exchange.freeze()
        terminal.press(CTRL_C)
        terminal.wait_screen(lambda text: "STOPPING: SIGINT received" in text)
        terminal.press(CTRL_C)
        awaited = "STOPPING, waiting for closing main: 1 order(s) may be live; press Ctrl-C once more to force the stop; orders"
        # One title: what the terminal shows of the keys has not made the picture slip. All in one whole picture, because a
        # screen may also be read while it is being painted.
        terminal.wait_screen(lambda text: awaited in " ".join(text.split()) and text.count("mm-runtime ") == 1)
        take_time_to_decide()
        terminal.press(CTRL_C)
        assert terminal.wait_exit(5) == 3
        terminal.wait_written("exit status 3: ORDERS OF OURS MAY STILL BE LIVE")
        assert "MAY BE LIVE mm-btc-" in "\n".join(terminal.screen().lines)
        assert terminal.screen().cursor_shown
        exchange.thaw()


def test_cycle_that_was_completed_is_reconciled_in_a_table_after_the_live_view(tmp_path: Path, lively_exchange: Exchange) -> None:
    with ProgramOnTerminal(settings(tmp_path, exchange=lively_exchange, cycles=1)) as terminal:
        assert terminal.wait_exit() == 0
        terminal.wait_written("exit status 0: clean")
        text = "\n".join(terminal.screen().lines)
        assert "cycle btc #1 BTC/USDT on main: reconciled, balances agree" in text
        assert terminal.screen().cursor_shown


def test_terminal_that_is_made_smaller_while_the_program_runs_is_drawn_afresh(tmp_path: Path, quiet_exchange: Exchange) -> None:
    with ProgramOnTerminal(settings(tmp_path, exchange=quiet_exchange), columns=120, lines=40) as terminal:
        terminal.wait_screen(shows_resting_sell)
        terminal.resize(60, 15)
        terminal.wait_screen(lambda text: len(text.splitlines()) <= 15 and max(map(len, text.splitlines())) <= 60)
        terminal.press(CTRL_C)
        assert terminal.wait_exit(STOP_SECONDS) == 0
    assert quiet_exchange.our_open_orders() == []


def test_error_found_after_the_start_stands_at_the_end_of_the_screen(tmp_path: Path, quiet_exchange: Exchange) -> None:
    with ProgramOnTerminal(settings(tmp_path, exchange=quiet_exchange, symbol="NO_SUCH")) as terminal:
        assert terminal.wait_exit(STOP_SECONDS) == 2
        terminal.wait_written("does not list NO/SUCH")
        terminal.wait_written("exit status 2: ")
        assert terminal.screen().cursor_shown


def test_terminal_that_cannot_move_its_cursor_gets_lines(tmp_path: Path, quiet_exchange: Exchange) -> None:
    with ProgramOnTerminal(settings(tmp_path, exchange=quiet_exchange), "--for", "500ms", environment={"TERM": "dumb"}) as terminal:
        assert terminal.wait_exit(STOP_SECONDS) == 0
        terminal.wait_written("exit status 0: clean")
        assert " account_ready " in terminal.text


def test_errors_go_to_standard_error_where_that_is_no_terminal(tmp_path: Path, quiet_exchange: Exchange) -> None:
    errors = tmp_path / "errors.txt"
    path = settings(tmp_path, exchange=quiet_exchange, symbol="NO_SUCH")
    with errors.open("wb") as file, ProgramOnTerminal(path, stderr=file) as terminal:
        assert terminal.wait_exit(STOP_SECONDS) == 2
    assert "ERROR    mm-runtime           gateio_spot does not list NO/SUCH\n" in errors.read_text()
