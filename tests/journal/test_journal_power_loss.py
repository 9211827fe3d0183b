"""A power loss at any point of what SQLite does to the disk: the journal opens, nothing in it is half there, and what was promised is."""

from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from journal_samples import ACCOUNTS, INSTALLATION, TIME, fill, filled, intent, open_store, placed, rows, write
from power_loss import CHOICES, Disk, Happened, Recorder, Step, told

from actors.journal.file import Synchronous
from actors.journal.store import JournalStore
from orders.events import OrderFilled, OrderPlaced, OrderSubmitted

SEED = 20261121
POWER_LOSSES = 120
LIVES = 3
INTENTS_OF_A_LIFE = 12


def lives(path: Path, recorder: Recorder, synchronous: Synchronous) -> None:
    """The journal is made; runs write intents and what becomes of them; one ends in order, and one in the middle of a log."""
    number = 0
    for life in range(LIVES):
        with recorder.installed():
            store = open_store(path, synchronous=synchronous)
            for each in range(INTENTS_OF_A_LIFE):
                number += 1
                recorder.happened(f"begun {intent(number).client_order_id}")
                write(store, OrderSubmitted("main", intent(number)))
                recorder.happened(f"acknowledged {intent(number).client_order_id}")
                write(store, OrderPlaced("main", placed(number)))
                trade = fill(number, trade_id=f"t{number}")
                write(store, OrderFilled("main", filled(number, trade), trade))
                if each in (3, 8):
                    store.checkpoint()
                    recorder.happened("checkpoint made")
            if life == 0:
                store.end_run(at_milliseconds=TIME, how="in order")
            store.close()
            recorder.happened("checkpoint made")  # closing makes one


def promised(steps: Sequence[Step], synchronous: Synchronous) -> list[str]:
    """Which intents a power loss after these steps must not take."""
    if synchronous is Synchronous.FULL:
        return told(steps, "acknowledged")
    made = [index for index, step in enumerate(steps) if step == Happened("checkpoint made")]
    return told(steps[: made[-1]], "acknowledged") if made else []


def check_opens_whole(path: Path) -> list[str]:
    """Which intents are there; each entry is, with all that it says, or is not; and the journal is gone on with."""
    half_written = """
    SELECT client_order_id FROM orders WHERE
    CAST(filled_quantity AS REAL) != (SELECT coalesce(sum(CAST(quantity AS REAL)), 0) FROM fills WHERE order_id = orders.id)
    OR (state = 'pending_new' AND 1 != (SELECT count(*) FROM order_events WHERE order_id = orders.id))
    OR (state = 'open' AND 2 != (SELECT count(*) FROM order_events WHERE order_id = orders.id))
    OR (state = 'partially_filled' AND 3 != (SELECT count(*) FROM order_events WHERE order_id = orders.id))
    """
    with JournalStore(path) as store:
        assert rows(store, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
        assert rows(store, half_written) == []
        there = [row["client_order_id"] for row in rows(store, "SELECT client_order_id FROM orders ORDER BY id")]
        recovered = store.recover(installation=INSTALLATION, accounts=ACCOUNTS).accounts["main"]
        assert [order.client_order_id for order in recovered.orders] == there, "none of them had ended"
        changes = sum((order.asset_changes().get("BTC", Decimal(0)) for order in recovered.orders), Decimal(0))
        assert recovered.counted.fill_changes.get("BTC", Decimal(0)) == changes
        store.begin_run(at_milliseconds=TIME, installation=INSTALLATION, version="1.2.3", accounts=ACCOUNTS)
        write(store, OrderSubmitted("main", intent(9_999)))
        again = store.recover(installation=INSTALLATION, accounts=ACCOUNTS).accounts["main"]
        assert again.counted.fill_changes == recovered.counted.fill_changes
        assert len(again.orders) == len(there) + 1
    return there


@pytest.mark.parametrize("synchronous", Synchronous)
def test_power_loss_at_any_point_leaves_a_whole_journal_with_every_intent_that_was_promised(
    synchronous: Synchronous, tmp_path: Path
) -> None:
    recorder = Recorder()
    lives(tmp_path / "journal.db", recorder, synchronous)
    steps = recorder.steps
    rng = random.Random(SEED)
    points = sorted(rng.choices(range(len(steps) + 1), k=POWER_LOSSES))
    disk, taken, lost_most = Disk(), 0, 0
    for number, point in enumerate(points):
        while taken < point:
            disk.take(steps[taken])
            taken += 1
        choice = CHOICES[number % len(CHOICES)]
        what = f"seed {SEED}, power loss {number} before step {point} of {len(steps)}, the disk has {choice.__name__}"
        folder = tmp_path / "lost"
        folder.mkdir()
        for name, content in disk.after_power_loss(choice, rng).items():
            (folder / name).write_bytes(content)
        there = check_opens_whole(folder / "journal.db")
        begun, acknowledged = told(steps[:point], "begun"), told(steps[:point], "acknowledged")
        assert there == begun[: len(there)], f"{what}: not the first ones"
        assert len(there) >= len(promised(steps[:point], synchronous)), f"{what}: an intent that was promised is missing"
        lost_most = max(lost_most, len(acknowledged) - len(there))
        shutil.rmtree(folder)
    assert (lost_most > 0) == (synchronous is Synchronous.NORMAL), "what NORMAL does not promise is seen to be lost"
