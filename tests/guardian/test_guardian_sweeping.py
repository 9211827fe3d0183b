"""One account's sweep, in virtual time against scripted lists: what is cancelled, how often it looks, and when it is over."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from actors.accounts.codec import ProtocolError
from assembly.guardian.events import Outcome
from assembly.guardian.records import AccountRecord
from assembly.guardian.sweeping import GIVE_UP_SECONDS, HASTE_SECONDS, Sweep, is_to_be_cancelled, settle_seconds
from assembly.registry import EXCHANGES
from network.errors import RequestNotSent, ResponseLost
from orders.errors import ErrorKind
from orders.identity import ClientOrderIds

sys.path.insert(0, str(Path(__file__).parent.parent / "accounts"))
from scripted_account import ScriptedSession, refusal, said

STARTED = 1_790_000_000_000
ID, OTHER_ID = "mm-btc-1", "mm-btc-2"
SETTLE_SECONDS = 4.0


class Story:
    """An exchange, a sweep of installation "mm", and what it tells."""

    def __init__(self, *, cancel_batch_max: int = 1, order_expiry: bool = True) -> None:
        self.exchange = ScriptedSession(cancel_batch_max=cancel_batch_max)
        self.exchange.codec.capabilities = replace(self.exchange.codec.capabilities, order_expiry=order_expiry)
        self.record = AccountRecord(exchange="somewhere")
        self.told: list[str] = []
        self.states: list[tuple[list[str], list[str]]] = []

    async def sweep(self) -> None:
        await Sweep(
            session=self.exchange.session,
            is_ours=lambda client_order_id: is_to_be_cancelled(client_order_id, installation="mm", told_last_milliseconds=STARTED),
            record=self.record,
            tell=self.told.append,
            changed=lambda: self.states.append((self.record.left_open, self.record.cancelled)),
            redact=lambda text: text.replace("secret", "***"),
            began_at=trio.current_time(),
        ).run()

    def opens(self, *client_order_ids: str | None) -> None:
        for client_order_id in client_order_ids:
            self.exchange.listed.append(said(client_order_id, str(100 + len(self.exchange.calls) + len(self.exchange.listed))))


async def test_order_is_cancelled_at_once_and_its_absence_believed_when_nothing_can_be_under_way_any_more(autojump_clock) -> None:
    story = Story()
    story.opens(ID)
    await story.sweep()
    assert story.exchange.times("cancel_reported") == [0.0]
    assert SETTLE_SECONDS <= trio.current_time() <= SETTLE_SECONDS + 1
    assert (story.record.outcome, story.record.cancelled, story.record.left_open) == (Outcome.CONFIRMED, [ID], [])
    assert story.told == [f"cancelling {ID}"]


async def test_order_that_arrives_after_its_sender_has_died_is_cancelled_as_well(autojump_clock) -> None:
    story = Story()

    async def arrive_late(method: str) -> None:
        if len(story.exchange.times("open_orders")) == 3:
            story.opens(OTHER_ID)
            story.exchange.before = None

    story.exchange.before = arrive_late
    await story.sweep()
    assert (story.record.outcome, story.record.cancelled) == (Outcome.CONFIRMED, [OTHER_ID])


async def test_exchange_whose_orders_cannot_expire_is_looked_at_for_longer(autojump_clock) -> None:
    story = Story(order_expiry=False)
    await story.sweep()
    assert 30 <= trio.current_time() <= 31
    assert story.record.outcome is Outcome.CONFIRMED


@pytest.mark.parametrize("name", sorted(EXCHANGES))
def test_settling_at_a_registered_exchange_ends_well_within_the_time_for_haste(name: str) -> None:
    assert settle_seconds(EXCHANGES[name].account_codec().capabilities) < HASTE_SECONDS


async def test_orders_of_strangers_of_other_installations_and_of_later_runs_are_not_touched(autojump_clock) -> None:
    story = Story()
    later = ClientOrderIds(installation="mm", owner="btc", run_started_milliseconds=STARTED + 1).next_id()
    story.opens(None, "web", "mm2-btc-1", "m-btc-1", later, ID)
    await story.sweep()
    assert len(story.exchange.asked("cancel_reported")) == 1
    assert [report.client_order_id for report in story.exchange.listed] == [None, "web", "mm2-btc-1", "m-btc-1", later]


async def test_orders_are_cancelled_in_batches_no_larger_than_allowed_all_at_once(autojump_clock) -> None:
    story = Story(cancel_batch_max=20)
    story.opens(*(f"mm-btc-{number}" for number in range(45)))
    await story.sweep()
    assert sorted(len(batch) for batch in story.exchange.asked("cancel_batch") if isinstance(batch, list)) == [5, 20, 20]
    assert set(story.exchange.times("cancel_batch")) == {0.0}
    assert len(story.record.cancelled) == 45


async def test_cancellation_that_hangs_holds_up_none_beside_it(autojump_clock) -> None:
    story = Story()
    story.opens(ID, OTHER_ID)

    async def hang_once(method: str) -> None:
        if method == "cancel_reported":
            story.exchange.before = None
            await trio.sleep(5)

    story.exchange.before = hang_once
    await story.sweep()
    assert story.exchange.times("cancel_reported") == [0.0, 0.0]
    assert story.record.outcome is Outcome.CONFIRMED


async def test_order_that_has_ended_meanwhile_is_no_trouble(autojump_clock) -> None:
    story = Story()
    story.opens(ID)
    story.exchange.failures["cancel_reported"] = [refusal(ErrorKind.ORDER_NOT_FOUND), refusal(ErrorKind.ALREADY_CLOSED)]
    await story.sweep()
    assert story.told == [f"cancelling {ID}"]
    assert len(story.exchange.asked("cancel_reported")) == 3, "only the list says that it is over"


@pytest.mark.parametrize(
    "error",
    [RequestNotSent("no way"), ResponseLost("no answer"), ProtocolError("rubbish"), refusal(ErrorKind.AUTHENTICATION)],
    ids=lambda error: type(error).__name__,
)
async def test_trouble_of_every_kind_is_told_once_and_tried_until_it_is_over(error: Exception, autojump_clock) -> None:
    story = Story()
    story.opens(ID)
    story.exchange.failures["open_orders"] = [error] * 8
    story.exchange.failures["cancel_reported"] = [error] * 2
    await story.sweep()
    assert [line for line in story.told if "trying again" in line] == [f"{error}; trying again"]
    assert (story.record.outcome, story.record.trouble, story.record.cancelled) == (Outcome.CONFIRMED, "", [ID])


async def test_trouble_is_redacted_before_it_is_told_or_written(autojump_clock) -> None:
    story = Story()
    story.exchange.failures["open_orders"] = [RequestNotSent("secret")] * 1_000_000
    await story.sweep()
    assert story.record.trouble == "***"
    assert "secret" not in "".join(story.told)


async def test_outage_is_tried_in_haste_for_half_a_minute_then_slowly_and_given_up_after_ten(autojump_clock) -> None:
    story = Story()
    story.exchange.failures["open_orders"] = [RequestNotSent("no way")] * 1_000_000
    await story.sweep()
    times = story.exchange.times("open_orders")
    assert GIVE_UP_SECONDS - 20 < times[-1] <= trio.current_time() <= GIVE_UP_SECONDS
    assert 15 < len([when for when in times if when < HASTE_SECONDS]) < 40
    assert len([when for when in times if when >= HASTE_SECONDS]) < 60
    assert max(later - earlier for earlier, later in itertools.pairwise(times)) == pytest.approx(15)
    assert story.record.outcome is Outcome.GIVEN_UP
    assert story.told == ["no way; trying again", "not confirmed within 30 s: trying for up to 600 s in all"]


async def test_order_that_will_not_end_is_left_open_in_the_record(autojump_clock) -> None:
    story = Story()
    story.opens(ID)
    story.exchange.failures["cancel_reported"] = [refusal(ErrorKind.MAINTENANCE)] * 1_000_000
    await story.sweep()
    assert (story.record.outcome, story.record.left_open, story.record.cancelled) == (Outcome.GIVEN_UP, [ID], [])
    assert story.record.trouble


async def test_record_is_true_at_every_step(autojump_clock) -> None:
    story = Story()
    story.opens(ID, OTHER_ID)
    story.exchange.failures["cancel_reported"] = [refusal(ErrorKind.MAINTENANCE)]
    await story.sweep()
    assert ([ID, OTHER_ID], []) in story.states
    assert ([ID], [OTHER_ID]) in story.states or ([OTHER_ID], [ID]) in story.states
    assert story.states[-1] == ([], [ID, OTHER_ID])


@given(st.integers(10**12, 4 * 10**12), st.integers(0, 10**7), st.integers(1, 10**6))
def test_order_of_the_watched_run_is_always_cancelled_and_of_one_that_began_later_never(
    started: int, lasted_milliseconds: int, later_milliseconds: int
) -> None:
    """As long as a run gives fewer than 250 ids in a millisecond; the last of this one is given when it was heard of last."""
    watched = ClientOrderIds(installation="mm", owner="btc", run_started_milliseconds=started)
    first = watched.next_id()
    watched._number += lasted_milliseconds * 249
    last = watched.next_id()
    told_last = started + lasted_milliseconds
    later = ClientOrderIds(installation="mm", owner="btc", run_started_milliseconds=told_last + later_milliseconds).next_id()
    verdicts = [is_to_be_cancelled(each, installation="mm", told_last_milliseconds=told_last) for each in (first, last, later)]
    assert verdicts == [True, True, False]
