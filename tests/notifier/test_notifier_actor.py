"""The notifier against a real web server on the simulated network: how often it posts, what failures do, and what is never told."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
import trio
from starlette.responses import Response
from trio.testing import MockClock

from actors.notifier.actor import LAST_POST_SECONDS, NotificationsFailed, NotificationsResumed, NotifierActor
from actors.notifier.bodies import Template
from actors.notifier.outbox import Notification, NotificationKind, Outbox
from network.backoff import Backoff
from network.simulated_network import SimulatedNetwork
from network.url import parse_url
from tests.network.network_helpers import HOST, Exchange, simulated_exchange

SECRET = "T00/B00/verysecrettoken"
URL = parse_url(f"http://{HOST}/services/{SECRET}?key=alsosecret")
INTERVAL_SECONDS = 10.0


class Context:
    """What a supervisor gives."""

    def started(self) -> None:
        return


class World:
    """A receiver, an outbox, what the actor told, and the actor while it runs."""

    def __init__(self, network: SimulatedNetwork, receiver: Exchange) -> None:
        self.network = network
        self.receiver = receiver
        self.outbox = Outbox(NotificationKind)
        self.told: list[object] = []
        self._scope = trio.CancelScope()
        self._ended = trio.Event()

    def put(self, text: str, kind: NotificationKind = NotificationKind.FILLS) -> None:
        self.outbox.put(Notification(kind, 0, text))

    async def run(self, redact: Callable[[str], str]) -> None:
        actor = NotifierActor(
            url=URL,
            template=Template.JSON,
            sender="mm",
            interval_seconds=INTERVAL_SECONDS,
            outbox=self.outbox,
            backoff=Backoff(2.0, 2.0, 600.0, 0.0, random.Random(1)),
            redact=redact,
            report=self.told.append,
        )
        with self._scope:
            await actor.run(Context())
        self._ended.set()

    async def stop(self) -> None:
        self._scope.cancel()
        await self._ended.wait()

    @property
    def posts(self) -> list[tuple[float, list[str]]]:
        """When, and the texts."""
        return [(at, [each["text"] for each in json.loads(posted)["notifications"]]) for at, _, _, posted in self.receiver.received]


@asynccontextmanager
async def world(redact: Callable[[str], str] = str, **options: Any) -> AsyncIterator[World]:
    async with simulated_exchange(**options) as (network, receiver), trio.open_nursery() as nursery:
        made = World(network, receiver)
        nursery.start_soon(made.run, redact)
        yield made
        nursery.cancel_scope.cancel()


async def test_what_is_put_in_is_posted_at_once_to_the_whole_url_as_json(autojump_clock: MockClock) -> None:
    async with world() as found:
        found.put("a fill")
        await trio.sleep(1)
        ((_, method, target, posted),) = found.receiver.received
        assert (method, target) == ("POST", f"/services/{SECRET}?key=alsosecret")
        assert found.receiver.headers[0]["content-type"] == "application/json"
        assert json.loads(posted)["notifications"] == [{"kind": "fills", "time_milliseconds": 0, "text": "a fill"}]
        assert found.told == []


async def test_posts_are_an_interval_apart_and_hold_what_came_meanwhile_with_a_count_of_what_did_not_fit(
    autojump_clock: MockClock,
) -> None:
    async with world() as found:
        for number in range(100):
            found.put(str(number))
            await trio.sleep(0.2)
        await trio.sleep(INTERVAL_SECONDS)
        times = [at for at, _ in found.posts]
        assert all(later - earlier >= INTERVAL_SECONDS for earlier, later in pairwise(times))
        assert len(times) == 3
        told = sum(len(texts) for _, texts in found.posts)
        left_out = sum(json.loads(posted)["left_out"].get("fills", 0) for posted in found.receiver.bodies)
        assert told + left_out == 100
        assert found.posts[-1][1][-1] == "99"


async def test_end_of_the_run_does_not_wait_for_the_interval(autojump_clock: MockClock) -> None:
    async with world() as found:
        found.put("a fill")
        await trio.sleep(1)
        found.put("stopping", NotificationKind.STOP)
        await trio.sleep(1)
        assert [texts for _, texts in found.posts] == [["a fill"], ["stopping"]]


@pytest.mark.parametrize("status", [400, 404, 429, 500, 302])
async def test_post_that_is_not_accepted_is_repeated_whole_with_growing_pauses_and_told_once(
    autojump_clock: MockClock, status: int
) -> None:
    async with world() as found:
        found.receiver.responses = [Response(status_code=status) for _ in range(5)]
        found.put("a fill")
        await trio.sleep(1)
        found.put("another")
        await trio.sleep(200)
        times = [at for at, _ in found.posts]
        pauses = [round(later - earlier) for earlier, later in pairwise(times)]
        assert pauses == [10, 10, 10, 16, 32, 10]
        assert [texts for _, texts in found.posts] == [["a fill"]] * 6 + [["another"]]
        failed, resumed = found.told
        assert failed == NotificationsFailed(HOST, f"it answered with status {status}", 10.0)
        assert resumed == NotificationsResumed(HOST)


async def test_receiver_that_asks_to_be_left_alone_is(autojump_clock: MockClock) -> None:
    async with world() as found:
        found.receiver.responses = [Response(status_code=429, headers={"Retry-After": "90"})]
        found.put("a fill")
        await trio.sleep(89)
        found.put("stopping", NotificationKind.STOP)
        assert len(found.posts) == 1
        await trio.sleep(5)
        assert [texts for _, texts in found.posts] == [["a fill"], ["a fill"], ["stopping"]]
        assert found.posts[1][0] - found.posts[0][0] == pytest.approx(90, abs=0.1)


async def test_receiver_that_cannot_be_reached_or_is_silent_is_tried_until_it_answers(autojump_clock: MockClock) -> None:
    async with world() as found:
        with found.network.refuse(HOST):
            found.put("while refused")
            await trio.sleep(30)
        await trio.sleep(60)
        with found.network.partition(HOST):
            found.put("while silent")
            await trio.sleep(60)
        await trio.sleep(120)
        # What nobody answered may have arrived, and is told again all the same.
        assert list(dict.fromkeys(texts[0] for _, texts in found.posts)) == ["while refused", "while silent"]
        assert found.outbox.is_empty
        reasons = [event.reason for event in found.told if isinstance(event, NotificationsFailed)]
        assert reasons == ["it could not be reached", "it did not answer"]


async def test_neither_what_is_told_nor_what_is_posted_names_a_secret(autojump_clock: MockClock) -> None:
    async with world(redact=lambda text: text.replace("apikey123", "***")) as found:
        found.receiver.responses = [Response(status_code=500)]
        found.put("the exchange said apikey123")
        await trio.sleep(30)
        with found.network.refuse(HOST):
            found.network.drop_connections(HOST)
            found.put("more")
            await trio.sleep(30)
        for event in found.told:
            assert SECRET not in repr(event)
            assert "alsosecret" not in repr(event)
        assert len(found.told) == 3
        assert found.posts[0][1] == ["the exchange said ***"]


async def test_stop_posts_what_is_left_in_a_last_post(autojump_clock: MockClock) -> None:
    async with world() as found:
        found.put("a fill")
        await trio.sleep(1)
        found.put("one more")
        await found.stop()
        assert [texts for _, texts in found.posts] == [["a fill"], ["one more"]]


async def test_stop_waits_no_longer_than_a_second_for_a_receiver_that_is_silent(autojump_clock: MockClock) -> None:
    async with world() as found:
        with found.network.stall(HOST):
            found.put("a fill")
            await trio.sleep(1)
            began_at = trio.current_time()
            await found.stop()
            assert trio.current_time() - began_at == pytest.approx(LAST_POST_SECONDS)


async def test_next_incarnation_tells_what_the_last_one_could_not(autojump_clock: MockClock) -> None:
    async with world() as found:
        with found.network.refuse(HOST):
            found.put("a fill")
            await found.stop()
        assert found.posts == []
        again = World(found.network, found.receiver)
        again.outbox = found.outbox
        async with trio.open_nursery() as nursery:
            nursery.start_soon(again.run, str)
            await trio.sleep(5)
            nursery.cancel_scope.cancel()
        assert [texts for _, texts in found.posts] == [["a fill"]]
