"""What is logged of actors that crash: tracebacks, and no credential in them."""

from __future__ import annotations

import logging

from test_following_the_market import NO_TAKERS, placed_sell
from world import World, scenario

from assembly.logs import start_logging
from assembly.program import _log
from assembly.redaction import redactor
from tests.assembly.collecting_sink import CollectingSink


@scenario(seed=65, simulation=NO_TAKERS)
async def test_tracebacks_of_crashed_actors_hold_neither_key_nor_secret(world: World) -> None:
    await world.start(cycles=0)
    await placed_sell(world)
    credential, sink = world.account.credential, CollectingSink()
    # Not redacted, so that what is shown is that nothing is there to redact.
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs = start_logging(level="DEBUG", stderr=sink, redact=str)
    world.crash_account()
    await placed_sell(world, 2)
    world.crash_cycle()
    await placed_sell(world, 3)
    for _, event in world.events:
        _log(event)
    await logs.close()
    root.handlers[:], root.level = handlers, level
    written = "\n".join(sink.lines)
    assert written.count("Traceback") >= 2
    assert credential.key not in written
    assert credential.secret not in written
    assert redactor([credential])(f"{credential.key} {credential.secret}") == "*** ***"
    world.stop()
    await world.end()
