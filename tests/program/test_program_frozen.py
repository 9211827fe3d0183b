"""A program that no longer does anything, dead or frozen: the exchange's own switch cancels what it left."""

from __future__ import annotations

import signal
from pathlib import Path

from processes import Exchange, Program, settings


def with_short_switch(path: Path) -> Path:
    path.write_text(path.read_text().replace('exchange = "gateio_spot"\n', 'exchange = "gateio_spot"\ndead_mans_switch_seconds = 5\n'))
    return path


def test_exchange_cancels_for_a_frozen_program_which_goes_on_once_it_is_thawed(tmp_path: Path, quiet_exchange: Exchange) -> None:
    with Program(with_short_switch(settings(tmp_path, exchange=quiet_exchange))) as program:
        program.wait_for("order_placed", count=2)
        assert len(quiet_exchange.our_open_orders()) == 1
        program.send(signal.SIGSTOP)
        quiet_exchange.wait_until(lambda: not quiet_exchange.our_open_orders(), within_seconds=10)
        program.send(signal.SIGCONT)
        program.wait_for("order_placed", count=3)
        program.send(signal.SIGINT)
        assert program.wait_exit() == 0
    assert quiet_exchange.our_open_orders() == []


def test_exchange_cancels_for_a_program_that_was_killed(tmp_path: Path, quiet_exchange: Exchange) -> None:
    with Program(with_short_switch(settings(tmp_path, exchange=quiet_exchange))) as program:
        program.wait_for("order_placed", count=2)
        program.send(signal.SIGKILL)
        program.wait_exit()
    assert quiet_exchange.our_open_orders()
    quiet_exchange.wait_until(lambda: not quiet_exchange.our_open_orders(), within_seconds=10)
