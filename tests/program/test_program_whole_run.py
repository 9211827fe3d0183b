"""`mm-runtime config.toml` as committed: what a person who has just cloned this sees."""

from __future__ import annotations

import itertools
from datetime import datetime
from decimal import Decimal
from typing import Any

from processes import Program

RUN_SECONDS = 100.0  # within a minute or so, by how lively the default market happens to be on a busy machine
NAMES_OF_THE_RUN = {
    "started",
    "book_synchronised",
    "book_top",
    "account_ready",
    "actor_started",
    "balance_changed",
    "cycle_started",
    "order_submitted",
    "order_placed",
    "order_filled",
    "order_completed",
    "cycle_reconciled",
    "cycle_finished",
    "order_statement",
    "stopped",
}


def named(program: Program, name: str) -> list[dict[str, Any]]:
    return [event for event in program.events() if event["event"] == name]


def test_default_run_ends_by_itself_with_three_reconciled_cycles_a_statement_and_status_0(plain_run: Program) -> None:
    assert plain_run.wait_exit(RUN_SECONDS) == 0
    for number in (1, 2, 3):
        assert f"cycle btc #{number} BTC/USDT on main: reconciled, balances agree" in plain_run.stdout
    assert "DO NOT AGREE" not in plain_run.stdout
    assert "exit status 0: clean: no order of ours is live (all cycles are done;" in plain_run.lines_of_stdout()[-1]
    assert plain_run.stderr == ""


def test_default_run_states_every_order_that_it_placed(plain_run: Program) -> None:
    plain_run.wait_exit(RUN_SECONDS)
    lines = plain_run.lines_of_stdout()
    placed = {line.rpartition("(")[2].rstrip(")") for line in lines if " order_placed " in line}
    start = next(number for number, line in enumerate(lines) if line.startswith("orders of account main: "))
    stated = {line.split()[0]: line.split()[-1] for line in lines[start + 2 :] if line.startswith("  mm-btc-")}
    assert placed <= set(stated)
    assert set(stated.values()) <= {"filled", "cancelled"}


def test_json_is_one_object_a_line_with_event_and_time_and_nothing_else(json_run: Program) -> None:
    assert json_run.wait_exit(RUN_SECONDS) == 0
    events = json_run.events()
    assert all(list(event)[:2] == ["event", "time"] for event in events)
    times = [datetime.fromisoformat(event["time"]) for event in events]
    assert all(time.tzinfo is not None for time in times)
    assert {event["event"] for event in events} >= NAMES_OF_THE_RUN
    assert events[0]["event"] == "started"
    assert events[-1]["event"] == "stopped"
    assert json_run.stderr == ""


def test_json_has_a_statement_of_every_order_and_none_may_be_live(json_run: Program) -> None:
    assert json_run.wait_exit(RUN_SECONDS) == 0
    placed = {event["client_order_id"] for event in named(json_run, "order_placed")}
    statements = {event["client_order_id"]: event for event in named(json_run, "order_statement")}
    assert placed <= set(statements)
    assert len(statements) == len(named(json_run, "order_statement"))
    assert {event["state"] for event in statements.values()} <= {"filled", "cancelled"}
    assert not any(event["may_be_live"] for event in statements.values())
    (stopped,) = named(json_run, "stopped")
    assert (stopped["exit_status"], stopped["cycles_reconciled"], stopped["may_be_live"]) == (0, 3, [])


def test_balances_of_every_cycle_agree_to_the_last_digit_when_computed_again_from_its_fills(json_run: Program) -> None:
    assert json_run.wait_exit(RUN_SECONDS) == 0
    reconciled = named(json_run, "cycle_reconciled")
    assert [event["number"] for event in reconciled] == [1, 2, 3]
    fills_by_cycle: dict[int, list[dict[str, Any]]] = {1: [], 2: [], 3: []}
    number = 0
    for event in json_run.events():
        if event["event"] == "cycle_started":
            number = event["number"]
        elif event["event"] == "order_filled":
            fills_by_cycle[number].append(event)
    for event in reconciled:
        expected = changes_of(fills_by_cycle[event["number"]])
        before, after = decimals(event["balances_before"]), decimals(event["balances_after"])
        assert {asset: after[asset] - before[asset] for asset in expected} == expected
        assert decimals(event["actual_changes"]) == decimals(event["expected_changes"]) == expected
        assert event["agrees"] is True
    for earlier, later in itertools.pairwise(reconciled):
        assert earlier["balances_after"] == later["balances_before"]


def changes_of(fills: list[dict[str, Any]]) -> dict[str, Decimal]:
    """What the fills of a cycle changed, by asset."""
    changes = {"BTC": Decimal(0), "USDT": Decimal(0)}
    for event in fills:
        fill = event["fill"]
        quantity, price = Decimal(fill["quantity"]), Decimal(fill["price"])
        sign = 1 if event["side"] == "buy" else -1
        changes["BTC"] += sign * quantity
        changes["USDT"] -= sign * quantity * price
        changes[fill["fee_asset"]] -= Decimal(fill["fee"])
    return changes


def decimals(amounts: dict[str, str]) -> dict[str, Decimal]:
    return {asset: Decimal(amount) for asset, amount in amounts.items()}
