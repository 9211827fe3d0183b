"""That a fault struck is one thing and that it took effect another: what is counted where it cannot work, and what where it can."""

from __future__ import annotations

import random
from functools import partial

import pytest
import trio

from network.causes import Cause, current_cause
from network.faults import FaultRules
from simulated.control import VenueControl
from simulated.faults import Faults
from soak.campaign.arguments import parse_arguments
from soak.campaign.seeds import options_of
from soak.faults.kinds import KINDS
from soak.faults.strike import Strike
from soak.outcome import Verdict, count
from soak.run import run_options
from soak.worlds.interference import InjectedCrash, Poison
from soak.worlds.journal import WorldJournal
from soak.worlds.place import Place
from soak.worlds.world import BTC_USDT, World, run_world

DRAWS_MAX = 200
PATIENCE_SECONDS = 40


def drawn(kind: str, text: str) -> Strike:
    """The first strike of this kind that is so described."""
    strikes = (KINDS[kind].draw(random.Random(seed)) for seed in range(DRAWS_MAX))
    return next(strike for strike in strikes if strike.text.startswith(text))


def effects_of(kind: str, text: str = "", *, exchange: str = "gateio_spot") -> int:
    """How many effects a strike has in a world in which the program trades in rounds, and amends nothing."""
    effects: dict[str, int] = {}

    async def story(world: World) -> None:
        await world.start(cycles=20)
        await world.wait_until(lambda: bool(world.our_open_orders()))
        undo = drawn(kind, text).start(world, Place(exchange, BTC_USDT, "btc"), on_effect=partial(count, effects, kind))
        assert undo is not None
        for _ in range(PATIENCE_SECONDS):
            await trio.sleep(0 if effects else 1)
        undo()

    run_world(story, seed=1, exchange_name=exchange)
    return effects.get(kind, 0)


def do_nothing(*arguments: object, **named: object) -> None:
    """In place of what injects a fault."""


INJECTIONS: list[tuple[str, str, type, str]] = [
    ("ban", "20 s", VenueControl, "ban_for"),
    ("ban", "20 s", Faults, "is_banned"),
    ("rate_limit", "15 s", VenueControl, "rate_limit_for"),
    ("lose_answers", "1 x cancel", VenueControl, "lose_answers"),
    ("answer_twice", "1 x place", Faults, "plan_answer"),
    ("delay_private", "2 s", VenueControl, "delay_private_events"),
    ("withhold_book", "3", Faults, "take_withheld_update"),
    ("cancel_ours", "", VenueControl, "cancel_order"),
    ("fill_at_cancel", "", VenueControl, "fill_order"),
    ("skew_exchange_clock", "+400", VenueControl, "skew_clock"),
    ("freeze_flow", "", VenueControl, "freeze_flow"),
    ("stall", "to", FaultRules, "holds"),
    ("kill", "", World, "kill"),
    ("crash_cycle", "", World, "crash_cycle"),
    ("disk_full", "", WorldJournal, "fill_disk"),
]


@pytest.mark.parametrize(("kind", "text", "owner", "injection"), INJECTIONS, ids=lambda value: value if isinstance(value, str) else "")
def test_injection_that_does_nothing_is_found_by_its_kind_not_taking_effect(
    kind: str, text: str, owner: type, injection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert effects_of(kind, text) == 1
    monkeypatch.setattr(owner, injection, do_nothing)
    assert effects_of(kind, text) == 0


@pytest.mark.parametrize(("kind", "text"), [("fill_at_amend", ""), ("lose_answers", "1 x amend"), ("repeat_requests", "1 x amend")])
def test_fault_about_amendments_has_no_effect_where_nobody_amends(kind: str, text: str) -> None:
    assert effects_of(kind, text) == 0


def test_exchange_that_takes_orders_by_rest_alone_answers_none_twice() -> None:
    assert effects_of("answer_twice", "1 x place", exchange="mexc_spot") == 0


def test_strike_that_finds_nothing_to_strike_at_has_no_effect_whatever_it_tried() -> None:
    told: list[str] = []

    def begin(world: World, place: Place) -> None:
        current_cause().had_effect()

    async def story(world: World) -> None:
        place = Place(world.exchange_name, BTC_USDT, "btc")
        assert Strike(text="", begin=begin).start(world, place, on_effect=partial(told.append, "effect")) is None

    run_world(story, seed=1)
    assert not told


def test_poison_has_an_effect_only_when_somebody_looks_at_it() -> None:
    told: list[str] = []
    with Cause(partial(told.append, "poison")).at_work():
        poison = Poison()
    assert not told
    with pytest.raises(InjectedCrash, match="poisoned"):
        _ = poison.request
    assert told == ["poison"]


def test_world_counts_a_kind_that_is_armed_where_it_cannot_work_as_struck_and_as_without_effect() -> None:
    arguments = parse_arguments(["--seed", "17", "--hours", "0.01", "--exchanges", "mexc_spot", "--faults", "exchange", "--enough", "1"])
    outcome = run_options(options_of(17, arguments))
    assert outcome.verdict is Verdict.FINE, outcome.told
    assert outcome.strikes["fill_at_amend"] > 0
    assert "fill_at_amend" not in outcome.effects
    assert outcome.effects["move_market"] == outcome.strikes["move_market"] > 0
