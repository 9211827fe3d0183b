"""What a power loss may take of a journal that does not wait for the disk, its end, is found at the exchange by the next start."""

from __future__ import annotations

import signal
from pathlib import Path

from processes import NO_GUARDIAN, Program

from assembly.presenter.phrases import NAME_WIDTH
from tests.program.guardians import open_orders_at, settings_at
from tests.program.kills_and_restarts import DEPOSITS, MORE_CYCLES, open_exchange
from tests.program.ledger_and_exchange import differences

MARKET = "mexc_spot"
CYCLES = ("btc", "eth", "sol")
# An order that was forgotten and has ended stays unknown, and its trades are a stranger's: that much is not promised.
FORGOTTEN = ("an order that the journal does not know", "a fill without its order")


def test_orders_that_a_power_loss_took_out_of_the_journal_are_cancelled_and_their_trades_counted_once(tmp_path: Path) -> None:
    journal = tmp_path / "var/journal.sqlite"
    files = [journal, journal.with_name("journal.sqlite-wal")]
    with open_exchange(tmp_path, MARKET) as exchange:
        ours = open_orders_at(MARKET, exchange)
        path = settings_at(MARKET, exchange, tmp_path, runtime=NO_GUARDIAN, cycle_table=MORE_CYCLES)
        exchange.freeze()  # so that the disk has heard of the run and of nothing that it did
        with Program(path) as killed:
            killed.wait_for("started")
            on_the_disk = [file.read_bytes() for file in files]
            exchange.thaw()
            for cycle in CYCLES:  # each has traded what will be forgotten
                killed.wait_for(f"{'order_filled':<{NAME_WIDTH}} cycle={cycle} ")
            exchange.wait_until(lambda: any("-sol-" in order for order in ours()))
            killed.send(signal.SIGKILL)
            killed.wait_exit()
        left_behind = ours()
        assert left_behind
        journal.with_name("journal.sqlite-shm").unlink()
        for file, content in zip(files, on_the_disk, strict=True):
            file.write_bytes(content)

        with Program(path, "--json") as program:
            program.wait_for('"account_ready"')
            assert not set(left_behind) & set(ours())
            for cycle in CYCLES:
                program.wait_for(f'"scope":"cycle:{cycle}"')
            program.send(signal.SIGINT)
            assert program.wait_exit() == 0
            assert "leftover_order_found" in program.stdout
            assert not [event for event in program.events() if event["event"] == "order_submitted"], "no round sells a second time"
            assert "balance_differs" not in program.stdout
        found = differences(MARKET, exchange, journal, at_rest=True, deposits=DEPOSITS, paid_until_milliseconds=0)
        assert [each for each in found if not each.startswith(FORGOTTEN)] == []
        assert found, "nothing was forgotten: this shows nothing"
        assert ours() == []
