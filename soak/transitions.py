"""Which moves of an order's life simulated worlds come to: every cell of the life cycle's table, but for those named here."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import orders.ledger
from orders.life_cycle import TRANSITIONS, OrderInput, OrderState, next_state
from soak.outcome import count

_WRONG = "it would be open there and have ended here, which is a violation by itself"
_TOLD_AFTER_FORGOTTEN = "the exchange would have to forget the order before its stream tells of it, or else a question finds it first"
_SAME_WORDS = "a simulated exchange words the end of an order in the same way wherever it tells of it"
_TOGETHER = (
    "what loses the answer to a cancellation asked for after an amendment mostly loses the amendment's, too, or waits longer: "
    "the fate is hardly ever unknown while the amendment is still to be answered"
)
_FILLS_SAID = "of an order with fills the ledger takes an open for a partial fill"
_ONLY_UNFILLED = "a simulated exchange forgets only orders without fills"

_s, _i = OrderState, OrderInput
UNREACHABLE: MappingProxyType[tuple[OrderState, OrderInput], str] = MappingProxyType(
    {
        (_s.PENDING_NEW, _i.SAID_FORGOTTEN): "an order that the exchange has spoken of, as it must have, is pending no more",
        (_s.PARTIALLY_FILLED, _i.SAID_OPEN): _FILLS_SAID,
        (_s.FILLED, _i.SAID_OPEN): _FILLS_SAID,
        (_s.PARTIALLY_FILLED, _i.SAID_FORGOTTEN): _ONLY_UNFILLED,
        (_s.CANCELLED, _i.SAID_FILLED): "what has been filled whole is called filled from the first word on",
        (_s.EXPIRED, _i.SAID_FILLED): "what has been filled whole is called filled from the first word on",
        (_s.CANCELLED, _i.SAID_EXPIRED): _SAME_WORDS,
        (_s.EXPIRED, _i.SAID_CANCELLED): _SAME_WORDS,
        (_s.CANCELLED, _i.SAID_FORGOTTEN): "nothing is concluded of an order that has ended while it was asked about",
        (_s.CANCELLED, _i.FOUND_OPEN): _WRONG,
        (_s.REJECTED, _i.SAID_OPEN): _WRONG,
        (_s.REJECTED, _i.SAID_PARTIALLY_FILLED): _WRONG,
        (_s.REJECTED, _i.SAID_FILLED): _WRONG,
        (_s.REJECTED, _i.SAID_CANCELLED): _TOLD_AFTER_FORGOTTEN,
        (_s.REJECTED, _i.SAID_EXPIRED): _TOLD_AFTER_FORGOTTEN,
    }
)
"""Cells that no simulated world comes to, each with the reason."""
SELDOM: MappingProxyType[tuple[OrderState, OrderInput], str] = MappingProxyType(
    {
        (
            _s.PENDING_AMEND,
            _i.SAID_FORGOTTEN,
        ): "an amendment is mostly answered, or given up, before its order is forgotten and believed absent",
        (_s.OPEN, _i.AMEND_ENDED): _TOGETHER,
        (_s.PARTIALLY_FILLED, _i.AMEND_ENDED): _TOGETHER,
        (_s.UNKNOWN, _i.AMEND_ENDED): _TOGETHER,
        (
            _s.REJECTED,
            _i.AMEND_ENDED,
        ): "between the answer that takes a post-only order and the word that refuses it there is hardly time to amend",
    }
)
"""Cells that one world in a hundred comes to, or fewer, each with the reason: they are counted, and not asked for."""


def name_of(state: OrderState, happened: OrderInput) -> str:
    """How reports call a cell."""
    return f"{state.value} {happened.value}"


ALL: tuple[str, ...] = tuple(
    name_of(state, happened) for state in OrderState for happened in OrderInput if (state, happened) in TRANSITIONS
)
"""Every move that the table allows, by name."""
REACHABLE: tuple[str, ...] = tuple(name for name in ALL if name not in {name_of(*cell) for cell in (*UNREACHABLE, *SELDOM)})
"""Those that enough worlds must come to."""


@contextmanager
def counting_transitions(counts: dict[str, int]) -> Generator[None]:
    """Count which cells of the life cycle's table the ledgers come to. Nothing else about them changes."""
    ledger: Any = orders.ledger

    def counting(state: OrderState, happened: OrderInput) -> OrderState | None:
        following = next_state(state, happened)
        if following is not None:
            count(counts, name_of(state, happened))
        return following

    ledger.next_state = counting
    try:
        yield
    finally:
        ledger.next_state = next_state
