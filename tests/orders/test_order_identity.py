from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.identity import ClientOrderIds, given_at_milliseconds, installation_prefix, owner_of, owner_prefix

installations = st.from_regex(r"[a-z0-9]{1,6}", fullmatch=True)
owners = st.from_regex(r"[a-z0-9]{1,10}", fullmatch=True)
YEAR_2200_MILLISECONDS = 7_258_118_400_000


def ids_after(ids: ClientOrderIds, count: int) -> ClientOrderIds:
    """`ids` as it is when `count` ids were given."""
    ids._number += count
    return ids


@given(installations, owners, st.integers(0, YEAR_2200_MILLISECONDS), st.integers(0, 10**9))
def test_id_after_any_number_of_orders_has_at_most_28_allowed_characters(installation, owner, started, count) -> None:
    ids = ids_after(ClientOrderIds(installation=installation, owner=owner, run_started_milliseconds=started), count)
    assert re.fullmatch(r"[a-z0-9-]{1,28}", ids.next_id())


def test_longest_names_after_two_million_orders_still_fit() -> None:
    ids = ids_after(ClientOrderIds(installation="abcdef", owner="abcdefghij", run_started_milliseconds=1_790_000_000_000), 2_000_000)
    assert len(ids.next_id()) <= 28


@given(installations, owners, st.integers(0, YEAR_2200_MILLISECONDS))
def test_id_begins_with_its_installations_and_its_owners_prefix(installation, owner, started) -> None:
    client_order_id = ClientOrderIds(installation=installation, owner=owner, run_started_milliseconds=started).next_id()
    assert client_order_id.startswith(installation_prefix(installation))
    assert client_order_id.startswith(owner_prefix(installation, owner))
    assert owner_of(client_order_id) == owner


@given(installations, owners, installations, owners)
def test_id_of_one_owner_has_no_others_prefix(installation, owner, other_installation, other_owner) -> None:
    client_order_id = ClientOrderIds(installation=installation, owner=owner, run_started_milliseconds=1_790_000_000_000).next_id()
    assert client_order_id.startswith(installation_prefix(other_installation)) == (installation == other_installation)
    is_same = (installation, owner) == (other_installation, other_owner)
    assert client_order_id.startswith(owner_prefix(other_installation, other_owner)) == is_same


def test_ids_of_one_run_never_repeat() -> None:
    ids = ClientOrderIds(installation="mm", owner="btc", run_started_milliseconds=1_790_000_000_000)
    assert len({ids.next_id() for _ in range(50_000)}) == 50_000


@given(st.integers(10**12, 4 * 10**12), st.integers(1, 100_000), st.integers(0, 249))
def test_ids_of_a_run_started_a_millisecond_later_differ_while_fewer_than_250_orders_are_placed_in_one(
    started, lasted, orders_per_millisecond
) -> None:
    first = ClientOrderIds(installation="mm", owner="btc", run_started_milliseconds=started)
    last_id = ids_after(first, lasted * orders_per_millisecond).next_id()
    later = ClientOrderIds(installation="mm", owner="btc", run_started_milliseconds=started + lasted)
    assert (len(last_id), last_id) < (len(later_id := later.next_id()), later_id)


@pytest.mark.parametrize("installation", ["", "abcdefg", "MM", "a-b", "a_b", "ä", "mm\n"])
def test_installation_that_would_not_fit_or_not_be_told_apart_is_refused(installation) -> None:
    with pytest.raises(ValueError, match="installation"):
        ClientOrderIds(installation=installation, owner="btc", run_started_milliseconds=1)


@pytest.mark.parametrize("owner", ["", "abcdefghijk", "BTC", "a-b", "a_b", "btc\n"])
def test_owner_that_would_not_fit_or_not_be_told_apart_is_refused(owner) -> None:
    with pytest.raises(ValueError, match="owner"):
        ClientOrderIds(installation="mm", owner=owner, run_started_milliseconds=1)


@pytest.mark.parametrize("text", ["", "btc", "mm-btc", "a-b-c-d"])
def test_text_that_is_no_id_of_ours_names_no_owner(text) -> None:
    assert owner_of(text) == ""


@given(installations, owners, st.integers(10**12, 4 * 10**12), st.integers(0, 100_000), st.integers(0, 249))
def test_id_tells_the_time_of_its_run_and_none_later_than_it_was_given(
    installation, owner, started, lasted, orders_per_millisecond
) -> None:
    ids = ClientOrderIds(installation=installation, owner=owner, run_started_milliseconds=started)
    assert given_at_milliseconds(ids.next_id()) == started
    last = given_at_milliseconds(ids_after(ids, lasted * orders_per_millisecond).next_id())
    assert last is not None
    assert started <= last <= started + lasted


@pytest.mark.parametrize(
    "text", ["", "web", "mm-btc", "mm-btc-", "mm-btc-tosdr9003", "mm-btc-TOSDR9003Z", "mm-btc-tosdr9003z-1", "mm-btc-tosdr 9003"]
)
def test_text_of_another_form_tells_no_time(text) -> None:
    assert given_at_milliseconds(text) is None
