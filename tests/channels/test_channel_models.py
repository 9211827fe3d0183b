"""Latest and dropping channels do what a simple model of them does, whatever is done to them in whatever order."""

from __future__ import annotations

import pytest
import trio
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from actors.channels.dropping import open_dropping
from actors.channels.latest import TooManyKeys, open_latest

KEYS_MAX = 3
CAPACITY = 3


class LatestMachine(RuleBasedStateMachine):
    """The model: a list of pairs of key and value, searched from the front."""

    def __init__(self) -> None:
        super().__init__()
        self.sender, self.receiver = open_latest(lambda pair: pair[0], KEYS_MAX)
        self.model: list[tuple[str, int]] = []
        self.sent = self.overwritten = self.received = 0

    @rule(key=st.sampled_from("abcd"), value=st.integers())
    def send(self, key: str, value: int) -> None:
        keys = [pending for pending, _ in self.model]
        if key in keys:
            self.sender.send_nowait((key, value))
            self.model[keys.index(key)] = (key, value)
            self.overwritten += 1
        elif len(keys) == KEYS_MAX:
            with pytest.raises(TooManyKeys):
                self.sender.send_nowait((key, value))
            return
        else:
            self.sender.send_nowait((key, value))
            self.model.append((key, value))
        self.sent += 1

    @rule()
    def receive(self) -> None:
        if self.model:
            assert self.receiver.receive_nowait() == self.model.pop(0)
            self.received += 1
        else:
            with pytest.raises(trio.WouldBlock):
                self.receiver.receive_nowait()

    @invariant()
    def statistics_agree(self) -> None:
        statistics = self.receiver.statistics()
        assert statistics.pending == len(self.model)
        assert (statistics.sent, statistics.overwritten, statistics.received) == (self.sent, self.overwritten, self.received)
        assert statistics.sent == statistics.received + statistics.overwritten + statistics.pending


class DroppingMachine(RuleBasedStateMachine):
    """The model: a list cut from the front."""

    def __init__(self) -> None:
        super().__init__()
        self.sender, self.receiver = open_dropping[int](CAPACITY)
        self.model: list[int] = []
        self.sent = self.dropped = self.dropped_taken = self.received = 0

    @rule(value=st.integers())
    def send(self, value: int) -> None:
        self.sender.send_nowait(value)
        self.sent += 1
        self.model.append(value)
        if len(self.model) > CAPACITY:
            self.model.pop(0)
            self.dropped += 1

    @rule()
    def receive(self) -> None:
        if self.model:
            assert self.receiver.receive_nowait() == self.model.pop(0)
            self.received += 1
        else:
            with pytest.raises(trio.WouldBlock):
                self.receiver.receive_nowait()

    @rule()
    def take_dropped(self) -> None:
        assert self.receiver.take_dropped() == self.dropped - self.dropped_taken
        self.dropped_taken = self.dropped

    @invariant()
    def statistics_agree(self) -> None:
        statistics = self.receiver.statistics()
        assert statistics.pending == len(self.model)
        assert (statistics.sent, statistics.dropped, statistics.received) == (self.sent, self.dropped, self.received)
        assert statistics.sent == statistics.received + statistics.dropped + statistics.pending


TestLatestChannelFollowsItsModel = LatestMachine.TestCase
TestDroppingChannelFollowsItsModel = DroppingMachine.TestCase
SETTINGS = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestLatestChannelFollowsItsModel.settings = SETTINGS
TestDroppingChannelFollowsItsModel.settings = SETTINGS
