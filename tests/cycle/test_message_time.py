"""Which message of a market a decision answers: a change of its book or its end, and nothing that was asked for."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from actors.cycle.cause import message_time
from market.events import BookChanged, BookLost
from market.symbol import Symbol

BTC = Symbol("BTC", "USDT")
KNOWN = BookChanged("gateio_spot", BTC, ((100.0, 1.0),), ((101.0, 1.0),), 7, 2, 0, 50.0)
LOST = BookLost("gateio_spot", BTC, "gap", 51.0)


def test_change_of_the_known_book_is_a_message_and_counts_from_its_arrival() -> None:
    assert message_time(replace(KNOWN, sequence=8, received_at=51.0), KNOWN) == 51.0


def test_end_of_the_known_book_is_a_message() -> None:
    assert message_time(LOST, KNOWN) == 51.0


@pytest.mark.parametrize(
    ("item", "known"),
    [
        pytest.param(replace(KNOWN, received_at=51.0), KNOWN, id="the same change, proven anew by an answer to us"),
        pytest.param(replace(KNOWN, sequence=8, generation=3, received_at=51.0), KNOWN, id="a new book, which we have asked for"),
        pytest.param(KNOWN, None, id="the first book"),
        pytest.param(LOST, None, id="the end of none"),
    ],
)
def test_what_was_asked_for_or_changes_nothing_is_no_message(item: BookChanged | BookLost, known: BookChanged | None) -> None:
    assert message_time(item, known) is None
