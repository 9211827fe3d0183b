"""What damaged messages may do to every registered exchange's codecs, to its books and to the ledger: nothing that is wrong.

`bench/fuzz_codecs.py` does the same for as long as one likes. Each test names the rows of the requirements that it is about.
"""

from __future__ import annotations

import functools
import random
import sys
from decimal import localcontext
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from assembly.registry import EXCHANGES
from market.exact import PRECISE

sys.path.insert(0, str(Path(__file__).parent))
from damage import Mutator
from damaged_account import run_damaged_account
from damaged_feed import AS_TRADED, PATIENT, run_damaged_feed
from decoders import Target, targets

every_exchange = pytest.mark.parametrize("name", sorted(EXCHANGES))
MESSAGES_PER_DECODER = 4


@functools.cache
def decoders_of(name: str) -> list[Target]:
    return targets(name, seed=1, with_captures=False)


@every_exchange
@settings(phases=[Phase.generate])  # a seed has no simpler one; the message is told
@given(seed=st.integers(0, 2**32 - 1))
def test_damaged_message_is_a_protocol_error_or_values_that_can_be(name: str, seed: int) -> None:
    """D1, D2, T5, X1-X7: every decoder, fed with damaged messages of those that the whole program decodes"""
    mutator = Mutator(random.Random(seed))
    with localcontext(PRECISE):
        for target in decoders_of(name):
            for _ in range(MESSAGES_PER_DECODER):
                target.feed(mutator.damaged(target.corpus))
            failures, target.failures = target.failures, []
            assert not failures, f"{target.name}: {failures}"


@every_exchange
def test_refused_frame_changes_no_book_or_loses_it_until_it_is_whole_again(name: str) -> None:
    """D1, D3: each published book is the exchange's own at its number, as another feed without damage has it"""
    outcome = run_damaged_feed(name, seed=1, refused_only=True, seconds=15, settings=PATIENT)
    assert not outcome.violations, "\n".join(outcome.violations)
    assert outcome.counts["refused"] > 50
    assert outcome.counts["books lost"] > 25
    assert outcome.counts["books as the other feed's"] > 50


@every_exchange
def test_frames_that_are_refused_again_and_again_end_the_connection_and_never_a_book_that_is_wrong(name: str) -> None:
    """D1, D3: with the patience that the program trades with"""
    outcome = run_damaged_feed(name, seed=2, refused_only=True, seconds=60, settings=AS_TRADED, pause_seconds=3.0)
    assert not outcome.violations, "\n".join(outcome.violations)
    assert outcome.counts["connections"] > 2
    assert outcome.counts["books as the other feed's"] > 50


@every_exchange
@pytest.mark.parametrize("book_checksums", [False, True])
def test_damaged_frame_that_is_read_is_found_out_by_its_number_or_doubted_until_the_book_is_new(name: str, book_checksums: bool) -> None:
    """D1: frames damaged in any way; what "doubted" means is in `damaged_feed`"""
    outcome = run_damaged_feed(name, seed=3, refused_only=False, seconds=15, settings=PATIENT, book_checksums=book_checksums)
    assert not outcome.violations, "\n".join(outcome.violations)
    assert outcome.counts["silent"] + outcome.counts["forged"] > 5
    assert outcome.counts["books as the other feed's"] > 50


@every_exchange
def test_refused_private_frame_never_changes_the_ledger_and_what_it_hid_is_learned(name: str) -> None:
    """T3, T4, T5: orders, fills, balances and positions are the exchange's at every moment, and the rounds reconcile"""
    outcome = run_damaged_account(name, seed=1)
    assert not outcome.violations, "\n".join(outcome.violations)
    assert outcome.counts["refusals told"] > 5
    assert outcome.counts["read"] > 20
