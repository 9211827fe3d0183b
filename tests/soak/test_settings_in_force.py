"""Settings that are changed while a world's program runs: what is accepted is in force, and where it is not that is found."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import trio
from msgspec.structs import replace
from test_quoting_facts import quoting_world, when_quoted

from actors.accounts.closing import AccountCloser
from assembly.cycle_parts import CycleParts
from assembly.parts import AccountParts
from assembly.runtime import Runtime
from assembly.settings import CycleSettings
from market.events import Side
from soak.faults.settings import RELOAD
from soak.options import Options
from soak.outcome import Outcome, Verdict
from soak.plan import PlannedSpell
from soak.worlds.world import World


def reloading_world() -> Options:
    """One cycle that quotes, in a world with a settings file, whose only hand is ours."""
    return replace(quoting_world(), kinds=(RELOAD.name,), plan=(PlannedSpell(0, ()),), flatten_on_stop=False)


def changing(key: str, text: str, then: Callable[[World], object] = lambda world: None) -> Outcome:
    """What comes of a world in which one key is set once all quotes rest, and something is done after that."""

    def act(world: World) -> None:
        assert world.runtime is not None
        assert world.runtime.settings_desk is not None
        outcome = world.runtime.settings_desk.set(key, text, by="a test")
        assert outcome.done, outcome.message
        then(world)

    return when_quoted(reloading_world(), act)


def test_run_that_is_told_to_last_for_less_than_has_passed_stops_and_is_started_again() -> None:
    outcome = changing("runtime.run_for_seconds", "0.5")
    assert outcome.verdict is Verdict.FINE, outcome.told
    assert outcome.endings == {"its time was over, exit status 0": 1}


def test_run_that_goes_on_beyond_its_time_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(_: Runtime) -> None:
        await trio.sleep_forever()

    monkeypatch.setattr(Runtime, "_stop_in_time", never)
    outcome = changing("runtime.run_for_seconds", "3")
    assert outcome.verdict is Verdict.VIOLATION
    assert "s after its start, and run_for_seconds of 3 was accepted" in outcome.first_line


def test_run_that_ends_before_its_time_is_found() -> None:
    def stop(world: World) -> None:
        assert world.runtime is not None
        world.runtime.request_stop("900 s are over")

    outcome = changing("runtime.run_for_seconds", "900", stop)
    assert outcome.verdict is Verdict.VIOLATION
    assert "as 900 s are over, and run_for_seconds of 900 was accepted" in outcome.first_line


@pytest.mark.parametrize(("key", "text"), [("unexplained_balances", "halt"), ("foreign_orders", "halt")])
def test_policy_that_is_accepted_and_not_gone_by_is_found(key: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert changing(f"accounts.main.{key}", text).verdict is Verdict.FINE
    monkeypatch.setattr(AccountParts, "change", lambda *_: None)
    outcome = changing(f"accounts.main.{key}", text)
    assert outcome.verdict is Verdict.VIOLATION
    assert "account main goes by AccountPolicies(" in outcome.first_line


@pytest.mark.parametrize(
    ("key", "text"), [("react_to_move_fraction", "0.002"), ("react_to_fills", "false"), ("limits.net_buy_max", "0.004")]
)
def test_terms_of_a_strategy_that_are_accepted_and_not_gone_by_are_found(key: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert changing(f"cycles.quotes.{key}", text).verdict is Verdict.FINE
    monkeypatch.setattr(CycleParts, "change", lambda *_: None)
    outcome = changing(f"cycles.quotes.{key}", text)
    assert outcome.verdict is Verdict.VIOLATION
    assert "cycle quotes goes by " in outcome.first_line


def fill_bids(world: World) -> None:
    async def act() -> None:
        for _ in range(8):
            await trio.sleep(1)
            bids = [order for order in world.exchange.open_orders() if order.side is Side.BUY and world.venue.is_ours(order.client_id)]
            if bids:
                world.exchange.fill_order(max(bids, key=lambda order: order.price or Decimal(0)).id)

    world.nursery.start_soon(act)


def test_holding_that_is_limited_anew_is_not_passed_by_what_is_ordered_after_that() -> None:
    outcome = changing("cycles.quotes.limits.net_buy_max", "0.008", fill_bids)
    assert outcome.verdict is Verdict.FINE, outcome.told


def test_holding_beyond_a_limit_that_was_tightened_is_found_although_older_quotes_may_still_be_filled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def tell_nobody(self: CycleParts, settings: CycleSettings, terms: Any) -> None:
        self.settings, self.terms = settings, terms

    monkeypatch.setattr(CycleParts, "change", tell_nobody)
    outcome = changing("cycles.quotes.limits.net_buy_max", "0.008", fill_bids)
    assert outcome.verdict is Verdict.VIOLATION
    assert ", and net_buy_max is 0.008" in outcome.first_line


def fill_one_bid(world: World) -> None:
    bids = [order for order in world.exchange.open_orders() if order.side is Side.BUY and world.venue.is_ours(order.client_id)]
    world.exchange.fill_order(bids[0].id)


@pytest.mark.parametrize("flattens", [True, False])
def test_stop_does_what_it_was_told_last_about_what_was_bought(flattens: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("soak.life.Life._decide_what_the_stop_does", lambda self: None)
    text = "true" if flattens else "false"
    assert changing("runtime.flatten_on_stop", text, fill_one_bid).verdict is Verdict.FINE
    if flattens:
        monkeypatch.setattr(AccountCloser, "flatten", leave_it)
    else:
        monkeypatch.setattr(Runtime, "_close", flatten_always(Runtime._close))
    outcome = changing("runtime.flatten_on_stop", text, fill_one_bid)
    assert outcome.verdict is Verdict.VIOLATION
    assert ("left at gateio_spot, and its stop was to flatten" if flattens else "flattens, and the stop was to leave") in outcome.first_line


async def leave_it(*_: object, **__: object) -> None:
    await trio.lowlevel.checkpoint()


def flatten_always(close: Any) -> Any:
    async def close_and_flatten(self: Runtime, parts: AccountParts) -> None:
        self._settings = replace(self._settings, runtime=replace(self._settings.runtime, flatten_on_stop=True))
        await close(self, parts)

    return close_and_flatten
