"""Leverage, margin mode and the exchange's own switch are as they were set, and where they are not that is found."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace
from test_watcher import quiet_world

from actors.accounts.dead_mans_switch import DeadMansSwitch
from orders.reports import MarginMode
from soak.options import AccountTerms
from soak.outcome import Outcome, Verdict
from soak.run import run_options
from soak.worlds.world import World

ISOLATED = AccountTerms(leverage=Decimal(3), margin_mode=MarginMode.ISOLATED)


@pytest.mark.parametrize("name", ["gateio_futures", "okx_swap"])
def test_orders_that_trade_with_another_leverage_than_was_set_are_found(name: str) -> None:
    options = replace(quiet_world(name), terms={name: ISOLATED})
    assert run_options(options).verdict is Verdict.FINE

    def watch(world: World) -> None:
        options.terms[name] = AccountTerms(leverage=Decimal(3))  # is what was to be, and not what the program was told

    def began(world: World) -> None:
        world.observers.append(lambda event: watch(world))

    outcome = run_options(options, watch=began)
    assert outcome.verdict is Verdict.VIOLATION
    assert f"was accepted by {name} with leverage 3, isolated, and 3 cross was set" in outcome.first_line


def with_switch(seconds: int) -> Outcome:
    options = quiet_world("gateio_spot")
    return run_options(replace(options, hours=0.03, terms={"gateio_spot": AccountTerms(switch_seconds=seconds)}))


@pytest.mark.parametrize("seconds", [0, 15])
def test_switch_is_armed_for_as_long_as_was_set_or_not_at_all(seconds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("soak.life.SWITCH_SECONDS_TO_BE_ARMED", 5.0)
    assert with_switch(seconds).verdict is Verdict.FINE

    begin = DeadMansSwitch.__init__

    def begin_with_sixty(self: DeadMansSwitch, *arguments: object, **named: object) -> None:
        begin(self, *arguments, **(named | {"timeout_seconds": 60}))  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(DeadMansSwitch, "__init__", begin_with_sixty)
    outcome = with_switch(seconds)
    assert outcome.verdict is Verdict.VIOLATION
    assert f", and {seconds} s was set" in outcome.first_line
