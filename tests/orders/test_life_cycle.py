from __future__ import annotations

import itertools

import pytest

from orders.life_cycle import TRANSITIONS, OrderInput, OrderState, next_state

TERMINAL = {OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED, OrderState.REJECTED}
LIVE = set(OrderState) - TERMINAL
PAIRS = list(itertools.product(OrderState, OrderInput))

# What ends a live order, and who may say so. Everything else leaves it live.
ENDING = {
    OrderInput.SAID_FILLED: OrderState.FILLED,
    OrderInput.SAID_CANCELLED: OrderState.CANCELLED,
    OrderInput.SAID_EXPIRED: OrderState.EXPIRED,
    OrderInput.SAID_REJECTED: OrderState.REJECTED,
    OrderInput.SAID_NEVER_ACCEPTED: OrderState.REJECTED,
    OrderInput.SAID_FORGOTTEN: OrderState.CANCELLED,
    OrderInput.NEVER_SENT: OrderState.REJECTED,
}

# The whole table, written a second time by hand: rows are states, columns inputs in the order of `OrderInput`:
# open, partially filled, filled, cancelled, expired, rejected, never accepted, forgotten, found open, never sent, cancel asked,
# amend asked, amend ended, answer lost. A dash is an impossible transition.
TABLE = """
    PENDING_NEW      O  P  F C E R R C - R CX - -  U
    OPEN             O  P  F C E - - C - - CX AX O U
    PARTIALLY_FILLED P  P  F C E - - C - - CX AX P U
    PENDING_AMEND    AX AX F C E - - C - - CX -  O U
    PENDING_CANCEL   CX CX F C E R R C - R CX -  CX U
    UNKNOWN          O  P  F C E R R C - - U  -  U  U
    FILLED           F  F  F - - - - - - - F  -  F  F
    CANCELLED        C  C  F C C - - C O - C  -  C  C
    EXPIRED          E  E  F E E - - - - - E  -  E  E
    REJECTED         O  P  F C E R R - - R R  -  R  R
"""
LETTERS = {
    "O": OrderState.OPEN,
    "P": OrderState.PARTIALLY_FILLED,
    "AX": OrderState.PENDING_AMEND,
    "CX": OrderState.PENDING_CANCEL,
    "U": OrderState.UNKNOWN,
    "F": OrderState.FILLED,
    "C": OrderState.CANCELLED,
    "E": OrderState.EXPIRED,
    "R": OrderState.REJECTED,
    "-": None,
}
EXPECTED = {
    (OrderState[name], happened): LETTERS[letter]
    for name, *letters in (line.split() for line in TABLE.strip().splitlines())
    for happened, letter in zip(OrderInput, letters, strict=True)
}


@pytest.mark.parametrize(("state", "happened"), PAIRS, ids=lambda value: value.value)
def test_every_state_and_input_is_in_the_table_or_impossible(state, happened) -> None:
    assert next_state(state, happened) is EXPECTED[state, happened]


def test_table_holds_no_pair_beyond_states_and_inputs() -> None:
    assert set(TRANSITIONS) == {pair for pair, state in EXPECTED.items() if state is not None}


def test_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        TRANSITIONS[OrderState.OPEN, OrderInput.NEVER_SENT] = OrderState.REJECTED  # type: ignore[index]


def test_terminal_states_are_those_that_can_no_longer_trade() -> None:
    assert {state for state in OrderState if state.is_terminal} == TERMINAL


@pytest.mark.parametrize("state", sorted(TERMINAL, key=lambda state: state.value), ids=lambda state: state.value)
def test_ended_order_stays_ended_unless_we_concluded_its_end(state) -> None:
    revived = {happened for happened in OrderInput if (after := next_state(state, happened)) is not None and not after.is_terminal}
    by_conclusion = {
        OrderState.REJECTED: {OrderInput.SAID_OPEN, OrderInput.SAID_PARTIALLY_FILLED},
        OrderState.CANCELLED: {OrderInput.FOUND_OPEN},
    }
    assert revived == by_conclusion.get(state, set())


@pytest.mark.parametrize(("state", "happened"), [pair for pair in PAIRS if pair[0] in LIVE], ids=lambda value: value.value)
def test_live_order_ends_only_by_a_word_about_itself(state, happened) -> None:
    after = next_state(state, happened)
    if after is not None:
        assert after is ENDING.get(happened) or (happened not in ENDING and not after.is_terminal)


@pytest.mark.parametrize("happened", [OrderInput.SAID_FILLED, OrderInput.SAID_CANCELLED, OrderInput.SAID_EXPIRED])
def test_every_live_order_can_be_ended_by_the_exchange(happened) -> None:
    assert {next_state(state, happened) for state in LIVE} == {ENDING[happened]}


def test_lost_answer_makes_every_live_order_unknown() -> None:
    assert {next_state(state, OrderInput.ANSWER_LOST) for state in LIVE} == {OrderState.UNKNOWN}


def test_order_whose_cancellation_was_asked_is_not_open_again_for_an_older_word() -> None:
    for said in (OrderInput.SAID_OPEN, OrderInput.SAID_PARTIALLY_FILLED):
        assert next_state(OrderState.PENDING_CANCEL, said) is OrderState.PENDING_CANCEL


def test_every_state_is_reached_from_pending_new() -> None:
    reached = {OrderState.PENDING_NEW}
    while True:
        further = {after for (state, _), after in TRANSITIONS.items() if state in reached} - reached
        if not further:
            break
        reached |= further
    assert reached == set(OrderState)


def test_every_live_state_leads_to_each_of_the_exchanges_ends() -> None:
    for state in LIVE:
        assert {after for (before, _), after in TRANSITIONS.items() if before is state} >= {
            OrderState.FILLED,
            OrderState.CANCELLED,
            OrderState.EXPIRED,
        }
