"""Writes journals until it is killed: one child of this process for each line ``PATH NAME`` on standard input.

What it says on standard output, a line each: ``child PID``; ``ack ID`` once an intent was acknowledged; ``dead`` when the child is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import trio
from journal_samples import fill, filled, intent, open_store, placed
from msgspec.structs import replace

from actors.journal.actor import JournalActor
from actors.journal.port import open_journal_port
from market.clock import SystemWallClock
from orders.events import OrderFilled, OrderPlaced, OrderSubmitted
from orders.order import Order

ACKNOWLEDGED_PER_CHECKPOINT = 25


class Context:
    """A supervisor that asks nothing."""

    def started(self) -> None: ...

    def progress(self) -> None: ...


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


def named(order: Order, client_order_id: str) -> Order:
    return replace(order, request=replace(order.request, client_order_id=client_order_id))


async def write_for_ever(path: str, name: str) -> None:
    """Intents that are waited for, with what becomes of them between, which is not."""
    with open_store(path) as store:
        port, queue = open_journal_port(64, wall_clock=SystemWallClock())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(JournalActor(store=store, queue=queue, report=report_to_stderr()).run, Context())
            number = 0
            while True:
                number += 1
                client_order_id = f"mm-{name}-{number:06}"
                await port.record_and_wait(OrderSubmitted("main", named(intent(), client_order_id)))
                say(f"ack {client_order_id}")
                order = named(placed(exchange_order_id=client_order_id), client_order_id)
                trade = fill(exchange_order_id=client_order_id)
                done = replace(order, fills=(trade,), filled_quantity=trade.quantity, state=filled(1, trade).state)
                await port.record(OrderPlaced("main", order))
                await port.record(OrderFilled("main", done, trade))
                if number % ACKNOWLEDGED_PER_CHECKPOINT == 0:
                    store.checkpoint()


def report_to_stderr() -> Callable[[object], None]:
    return lambda event: sys.stderr.write(f"{event}\n") and None


def main() -> None:
    for line in sys.stdin:
        path, name = line.split()
        child = os.fork()
        if child == 0:
            say(f"child {os.getpid()}")
            trio.run(write_for_ever, path, name)
        os.waitpid(child, 0)
        say("dead")


if __name__ == "__main__":
    main()
