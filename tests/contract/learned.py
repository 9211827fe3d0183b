"""Codecs that have learned what they must know of their exchange's instruments, from its simulated server."""

from __future__ import annotations

import functools
import random
import sys
from pathlib import Path

from actors.accounts.codec import AccountCodec
from actors.accounts.session import AccountSession, ClockOffset
from actors.feeds.book_keeper import ask
from actors.feeds.codec import FeedCodec
from assembly.parts import ExchangeParts
from assembly.registry import EXCHANGES
from network.rest import RestClient, RetryPolicy

sys.path.insert(0, str(Path(__file__).parent.parent / "scenarios"))
from world import World, run_world


def learn_codecs(name: str) -> tuple[FeedCodec, AccountCodec]:
    """New codecs of the exchange called `name`."""
    feed, account = EXCHANGES[name].feed_codec(), EXCHANGES[name].account_codec()

    async def story(world: World) -> None:
        settings = world.settings()
        parts = ExchangeParts(name, settings.exchanges[name], wall_clock=world.wall_clock, report=lambda _: None)
        async with parts.open_http() as http:
            rest = RestClient(http, parts.limits, rng=random.Random(1))
            feed.decode_instruments(await ask(rest, feed, feed.instruments_request(), 5.0))
            session = AccountSession(
                codec=account,
                rest=rest,
                credential=settings.credentials["main"],
                wall_clock=world.wall_clock,
                offset=ClockOffset(),
                retry=RetryPolicy(),
            )
            await session.learn_instruments()

    run_world(story, seed=1, exchange_name=name)
    return feed, account


learned_codecs = functools.cache(learn_codecs)
"""The same ones to everybody who asks: for those who only ask them for requests."""
