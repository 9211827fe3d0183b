"""What `kill -9` leaves behind is swept by the next start, before anything else."""

from __future__ import annotations

import signal
from pathlib import Path

from processes import NO_GUARDIAN, Exchange, Program, settings


def test_restart_after_kill_9_cancels_the_order_left_behind_before_the_account_is_ready(tmp_path: Path, quiet_exchange: Exchange) -> None:
    path = settings(tmp_path, exchange=quiet_exchange, runtime=NO_GUARDIAN)
    with Program(path) as killed:
        killed.wait_for("order_placed", count=2)
        killed.send(signal.SIGKILL)
        assert killed.wait_exit() == -signal.SIGKILL
    (left_behind,) = quiet_exchange.our_open_orders()

    with Program(path, "--json") as program:
        program.wait_for('"account_ready"')
        assert left_behind not in quiet_exchange.our_open_orders()
        program.wait_for('"order_placed"', count=2)
        program.send(signal.SIGINT)
        assert program.wait_exit() == 0
        names = [event["event"] for event in program.events()]
        assert names.index("leftover_order_found") < names.index("order_cancelled") < names.index("account_ready")
        assert names.index("account_ready") < names.index("order_submitted")
        statements = {event["client_order_id"]: event for event in program.events() if event["event"] == "order_statement"}
        assert statements[left_behind.removeprefix("t-")]["state"] == "cancelled"
    assert quiet_exchange.our_open_orders() == []
