"""The dead-man's switch: armed before anything leaves, renewed in time, disarmed on leaving, and never silently given up."""

from __future__ import annotations

import pytest
import trio
from msgspec.structs import replace
from scripted_account import BTC, Books, ScriptedSession, refusal

from actors.accounts.dead_mans_switch import DISARM_SECONDS_MAX, RETRY_PAUSE_SECONDS, DeadMansSwitch
from actors.accounts.events import AccountTrouble, DeadMansSwitchArmed, DeadMansSwitchDisarmed
from network.errors import NetworkError
from orders.errors import ErrorKind, ExchangeError


class Armoury:
    def __init__(self, *, timeout_seconds: int = 30, seconds_min: int | None = 5) -> None:
        self.books = Books()
        self.exchange = ScriptedSession()
        self.session = self.exchange.session
        self.switch = DeadMansSwitch(
            account="main",
            capabilities=replace(self.exchange.codec.capabilities, dead_mans_switch_seconds_min=seconds_min),
            symbols=[BTC],
            timeout_seconds=timeout_seconds,
            report=self.books.told.append,
        )


async def test_arming_is_tried_until_the_exchange_confirms_it_and_told_once(autojump_clock) -> None:
    armoury = Armoury()
    armoury.exchange.failures["set_dead_mans_switch"] = [NetworkError("broken"), refusal(ErrorKind.RETRYABLE)]
    await armoury.switch.arm(armoury.session)
    assert armoury.exchange.switch_timeouts == [(pytest.approx(2 * RETRY_PAUSE_SECONDS), 30)]
    assert len(armoury.books.seen(AccountTrouble)) == 2
    assert armoury.books.seen(DeadMansSwitchArmed) == [DeadMansSwitchArmed("main", 30)]


async def test_refused_credential_is_not_tried_again(autojump_clock) -> None:
    armoury = Armoury()
    armoury.exchange.failures["set_dead_mans_switch"] = [refusal(ErrorKind.AUTHENTICATION)]
    with pytest.raises(ExchangeError):
        await armoury.switch.arm(armoury.session)
    assert armoury.switch.may_be_armed, "nobody knows"


async def test_timeout_is_at_least_what_the_exchange_allows(autojump_clock) -> None:
    armoury = Armoury(timeout_seconds=2, seconds_min=5)
    await armoury.switch.arm(armoury.session)
    assert armoury.exchange.asked("set_dead_mans_switch") == [5]


@pytest.mark.parametrize(("timeout_seconds", "seconds_min"), [(0, 5), (30, None)], ids=["not wanted", "not to be had"])
async def test_no_switch_is_touched_where_none_is_wanted_or_to_be_had(autojump_clock, timeout_seconds, seconds_min) -> None:
    armoury = Armoury(timeout_seconds=timeout_seconds, seconds_min=seconds_min)
    await armoury.switch.arm(armoury.session)
    with trio.move_on_after(100):
        await armoury.switch.keep(armoury.session)
    await armoury.switch.disarm(armoury.session)
    assert not armoury.exchange.calls
    assert not armoury.switch.may_be_armed
    assert trio.current_time() >= 100, "keeping it waits for ever"


async def test_switch_is_renewed_three_times_within_its_timeout(autojump_clock) -> None:
    armoury = Armoury(timeout_seconds=30)
    with trio.move_on_after(61):
        await armoury.switch.keep(armoury.session)
    assert armoury.exchange.switch_timeouts == [(10, 30), (20, 30), (30, 30), (40, 30), (50, 30), (60, 30)]


async def test_renewal_that_fails_is_tried_again_at_once(autojump_clock) -> None:
    armoury = Armoury(timeout_seconds=30)
    armoury.exchange.failures["set_dead_mans_switch"] = [NetworkError("broken")] * 3
    with trio.move_on_after(12):
        await armoury.switch.keep(armoury.session)
    assert armoury.exchange.switch_timeouts == [(pytest.approx(10 + 3 * RETRY_PAUSE_SECONDS), 30)]


async def test_disarming_is_told_when_it_is_confirmed(autojump_clock) -> None:
    armoury = Armoury()
    await armoury.switch.arm(armoury.session)
    assert armoury.switch.may_be_armed
    await armoury.switch.disarm(armoury.session)
    assert armoury.exchange.asked("set_dead_mans_switch") == [30, 0]
    assert not armoury.switch.may_be_armed
    assert armoury.books.seen(DeadMansSwitchDisarmed)


async def test_disarming_that_fails_leaves_the_switch_as_one_that_may_be_armed(autojump_clock) -> None:
    armoury = Armoury()
    await armoury.switch.arm(armoury.session)
    armoury.exchange.failures["set_dead_mans_switch"] = [NetworkError("broken")]
    await armoury.switch.disarm(armoury.session)
    assert armoury.switch.may_be_armed
    assert not armoury.books.seen(DeadMansSwitchDisarmed)


async def test_disarming_takes_no_longer_than_it_may(autojump_clock) -> None:
    armoury = Armoury()
    await armoury.switch.arm(armoury.session)

    async def hang(method: str) -> None:
        await trio.sleep(100)

    armoury.exchange.before = hang
    await armoury.switch.disarm(armoury.session)
    assert trio.current_time() == pytest.approx(DISARM_SECONDS_MAX)
    assert armoury.switch.may_be_armed


async def test_arming_cut_off_in_the_middle_leaves_a_switch_that_may_be_armed(autojump_clock) -> None:
    armoury = Armoury()

    async def hang(method: str) -> None:
        await trio.sleep(100)

    armoury.exchange.before = hang
    with trio.move_on_after(1):
        await armoury.switch.arm(armoury.session)
    assert armoury.switch.may_be_armed
