"""What a message costs on each kind of channel, beside Trio's own memory channel.

    python bench/channels.py [--messages 50000] [--repeats 5]

`hop`: one message goes to another task, which takes it before the next is sent; half of a round trip. `burst`: a hundred are sent
without waiting and then taken, by one task. A checkpoint, the least that any waiting costs, is in the last row.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Awaitable, Callable

import trio
from harness import print_machine, print_table

from actors.channels.bounded import open_bounded
from actors.channels.dropping import open_dropping
from actors.channels.latest import open_latest
from actors.channels.reply import Reply

BURST = 100

Opener = Callable[[], tuple[trio.abc.SendChannel[int], trio.abc.ReceiveChannel[int]]]


def open_latest_of_one() -> tuple[trio.abc.SendChannel[int], trio.abc.ReceiveChannel[int]]:
    return open_latest[int](lambda value: 0, 1)


def open_latest_of_many() -> tuple[trio.abc.SendChannel[int], trio.abc.ReceiveChannel[int]]:
    return open_latest[int](lambda value: value % BURST, BURST)


OPENERS: dict[str, tuple[Opener, Opener]] = {
    "trio.open_memory_channel": (lambda: trio.open_memory_channel[int](1), lambda: trio.open_memory_channel[int](BURST)),
    "bounded": (lambda: open_bounded[int](1), lambda: open_bounded[int](BURST)),
    "latest": (open_latest_of_one, open_latest_of_many),
    "dropping": (lambda: open_dropping[int](1), lambda: open_dropping[int](BURST)),
}


async def hops(opener: Opener, count: int) -> None:
    """There and back, `count` messages in all."""
    to_sender, to_receiver = opener()
    back_sender, back_receiver = opener()

    async def echo() -> None:
        while True:
            back_sender.send_nowait(await to_receiver.receive())  # type: ignore[attr-defined]  # every channel here has it

    async with trio.open_nursery() as nursery:
        nursery.start_soon(echo)
        for number in range(count // 2):
            to_sender.send_nowait(number)  # type: ignore[attr-defined]
            await back_receiver.receive()
        nursery.cancel_scope.cancel()


async def bursts(opener: Opener, count: int) -> None:
    sender, receiver = opener()
    send, receive = sender.send_nowait, receiver.receive_nowait  # type: ignore[attr-defined]
    for _ in range(count // BURST):
        for number in range(BURST):
            send(number)
        for _ in range(BURST):
            receive()


async def replies(count: int) -> None:
    """A command that carries the way of its answer, answered by another task."""
    sender, receiver = open_bounded[Reply[int]](1)

    async def answer() -> None:
        async for reply in receiver:
            reply.answer(1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer)
        for _ in range(count):
            reply = Reply[int]()
            await sender.send(reply)
            await reply.wait()
        nursery.cancel_scope.cancel()


async def checkpoints(count: int) -> None:
    for _ in range(count):
        await trio.lowlevel.checkpoint()


async def microseconds(work: Callable[[], Awaitable[None]], count: int, repeats: int) -> str:
    taken: list[float] = []
    for _ in range(repeats):
        began = time.process_time()
        await work()
        taken.append((time.process_time() - began) / count * 1e6)
    return f"{statistics.median(taken):.2f} ({min(taken):.2f})"


async def measure(count: int, repeats: int) -> None:
    rows: list[list[str]] = []
    for name, (of_one, of_many) in OPENERS.items():
        hop = await microseconds(lambda of_one=of_one: hops(of_one, count), count, repeats)
        burst = await microseconds(lambda of_many=of_many: bursts(of_many, count), count, repeats)
        rows.append([name, hop, burst])
    rows.append(["a command on bounded, and its reply", await microseconds(lambda: replies(count // 2), count // 2, repeats), ""])
    rows.append(["a checkpoint", await microseconds(lambda: checkpoints(count), count, repeats), ""])
    print_table(["processor time, us: median (best)", "hop", "in a burst"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=50_000)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    print_machine()
    trio.run(measure, arguments.messages, arguments.repeats)


if __name__ == "__main__":
    main()
