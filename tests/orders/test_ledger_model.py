"""The ledger against a model exchange whose words arrive late, twice, out of order or not at all."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import orders.ledger
from orders.life_cycle import TRANSITIONS, OrderInput, OrderState, next_state
from tests.orders.disordered_exchange import Dice
from tests.orders.ledger_world import STEPS, LedgerWorld

WALKS = 250
STEPS_OF_A_WALK = 100
PLACEMENTS_MAX = (3, 50)

dice = st.lists(st.integers(0, 2**16), min_size=6, max_size=6).map(Dice)


class LedgerAgainstExchange(RuleBasedStateMachine):
    """Any steps in any order."""

    make_world: type[LedgerWorld] = LedgerWorld

    @initialize(contracts=st.booleans(), fills_name_their_owner=st.booleans(), placements_max=st.sampled_from(PLACEMENTS_MAX))
    def begin(self, contracts: bool, fills_name_their_owner: bool, placements_max: int) -> None:
        self.world = self.make_world(contracts=contracts, fills_name_their_owner=fills_name_their_owner, placements_max=placements_max)
        self.world.begin()

    @rule(step=st.sampled_from(STEPS), dice=dice)
    def step(self, step, dice: Dice) -> None:
        step(self.world, dice)

    @invariant()
    def what_must_hold_does(self) -> None:
        if hasattr(self, "world"):
            self.world.check()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.end_of_the_disorder()


TestLedgerAgainstExchange = LedgerAgainstExchange.TestCase
TestLedgerAgainstExchange.settings = settings(stateful_step_count=50, deadline=None)


# What the ledger never asks the table, because it knows more than the status word.
OUT_OF_REACH = {
    # An "open" with fills is put in as "partially filled".
    (OrderState.PARTIALLY_FILLED, OrderInput.SAID_OPEN),
    (OrderState.FILLED, OrderInput.SAID_OPEN),
    # Forgotten is what the exchange has spoken of, and then it is no longer new.
    (OrderState.PENDING_NEW, OrderInput.SAID_FORGOTTEN),
}


def walk(seed: int) -> None:
    rng = random.Random(seed)
    world = LedgerWorld(contracts=rng.random() < 0.3, fills_name_their_owner=rng.random() < 0.7, placements_max=rng.choice(PLACEMENTS_MAX))
    world.begin()
    for _ in range(STEPS_OF_A_WALK):
        rng.choice(STEPS)(world, Dice([rng.randrange(2**16) for _ in range(8)]))
        world.check()
    world.end_of_the_disorder()


def test_every_transition_of_the_table_is_reached_by_the_model(monkeypatch) -> None:
    """So that no state can be added without the model going through it."""
    reached: Counter[tuple[OrderState, OrderInput]] = Counter()

    def counted(state: OrderState, happened: OrderInput) -> OrderState | None:
        reached[state, happened] += 1
        return next_state(state, happened)

    monkeypatch.setattr(orders.ledger, "next_state", counted)
    for seed in range(WALKS):
        walk(seed)
    never = {pair for pair in TRANSITIONS if not reached[pair]}
    assert never == OUT_OF_REACH
