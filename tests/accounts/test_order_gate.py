"""The one-way gate: open, then closed for good."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from actors.accounts.gate import GateClosed, OrderGate


def test_gate_is_open_until_it_is_closed() -> None:
    gate = OrderGate()
    assert gate.closed_reason is None
    gate.ensure_open()


def test_closed_gate_says_why_to_whoever_would_pass() -> None:
    gate = OrderGate()
    gate.close("Ctrl-C")
    with pytest.raises(GateClosed, match="Ctrl-C"):
        gate.ensure_open()


def test_first_reason_for_closing_stands() -> None:
    gate = OrderGate()
    gate.close("Ctrl-C")
    gate.close("the time is over")
    assert gate.closed_reason == "Ctrl-C"


async def test_everybody_who_waits_for_the_closing_is_woken_by_it() -> None:
    gate = OrderGate()
    woken: list[int] = []

    async def wait(number: int) -> None:
        await gate.wait_closed()
        woken.append(number)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait, 1)
        nursery.start_soon(wait, 2)
        await trio.testing.wait_all_tasks_blocked()
        assert not woken
        gate.close("Ctrl-C")
    assert sorted(woken) == [1, 2]
    await gate.wait_closed()
