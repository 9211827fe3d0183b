"""The control server under clients that are slow, garbled, too many or gone: each gets its due, and nobody waits for another."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from assembly.control.listening import ControlSocket
from assembly.control.protocol import ANSWER_BYTES_MAX, REQUEST_BYTES_MAX, Answer, Request
from assembly.control.server import ANSWER_SECONDS_MAX, CLIENTS_MAX, REQUEST_SECONDS_MAX, ControlServer

STATUS = b'{"version":1,"command":"status"}\n'


class Context:
    """What a supervisor gives."""

    def started(self) -> None:
        return


async def echo(request: Request) -> Answer:
    await trio.lowlevel.checkpoint()
    return Answer(done=True, message=f"{request.command.value} {request.scope}")


@asynccontextmanager
async def serving(
    folder: Path, carry_out: Callable[[Request], Awaitable[Answer]] = echo, redact: Callable[[str], str] = str
) -> AsyncGenerator[Path]:
    with ControlSocket(folder / "control.sock") as control:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ControlServer(control.listener, carry_out=carry_out, redact=redact).run, Context())
            await wait_all_tasks_blocked()
            yield control.path
            nursery.cancel_scope.cancel()


async def connected(path: Path) -> trio.SocketStream:
    return await trio.open_unix_socket(os.fspath(path))


async def answer_to(client: trio.SocketStream) -> dict[str, Any] | None:
    """The next answer; None if the connection was closed instead."""
    data = b""
    while not data.endswith(b"\n"):
        try:
            more = await client.receive_some()
        except trio.BrokenResourceError:
            more = b""
        if not more:
            assert not data
            return None
        data += more
    return json.loads(data)


async def test_requests_are_answered_one_after_another_on_one_connection(tmp_path: Path) -> None:
    async with serving(tmp_path) as path, await connected(path) as client:
        for command in ("status", "pause", "reduce-only", "halt", "resume"):
            await client.send_all(json.dumps({"version": 1, "command": command, "scope": "cycle:btc"}).encode() + b"\n")
            found = await answer_to(client)
            assert found is not None
            assert (found["version"], found["done"], found["message"]) == (1, True, f"{command} cycle:btc")


async def test_requests_sent_at_once_or_in_pieces_are_all_answered(tmp_path: Path) -> None:
    async with serving(tmp_path) as path, await connected(path) as client:
        for piece in (STATUS[:7], STATUS[7:] + STATUS[:20], STATUS[20:]):
            await client.send_all(piece)
            await wait_all_tasks_blocked()
        data = b""
        while data.count(b"\n") < 2:
            data += await client.receive_some()
        assert data.count(b'"message":"status global"') == 2


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"", "that is no request"),
        (b"halt", "that is no request"),
        (b"[]", "that is no request"),
        (b"\xff\xfe\x00", "that is no request"),
        (b"[" * 5_000, "that is no request"),
        (b'{"version":2,"command":"status","news":1}', "speaks version 1 of the protocol, not 2"),
        (b'{"command":"status"}', "version"),
        (b'{"version":1,"command":"sell everything"}', "$.command"),
        (b'{"version":1,"command":"halt","scpoe":"cycle:btc"}', "scpoe"),
        (b'{"version":1,"command":"halt","scope":7}', "$.scope"),
        (b'{"version":1,"command":"halt","from_halt":"yes"}', "$.from_halt"),
        (b'{"version":1,"command":"halt","reason":"' + b"x" * 301 + b'"}', "$.reason"),
        (b'{"version":1,"command":"halt","scope":"' + b"x" * 101 + b'"}', "$.scope"),
        (b"x" * (REQUEST_BYTES_MAX + 1), f"at most {REQUEST_BYTES_MAX} bytes"),
    ],
)
async def test_line_that_is_no_request_is_refused_with_what_is_wrong_and_the_connection_closed(
    line: bytes, said: str, tmp_path: Path
) -> None:
    async def never(request: Request) -> Answer:
        raise AssertionError(f"carried out: {request}")

    async with serving(tmp_path, never) as path, await connected(path) as client:
        await client.send_all(line + b"\n")
        found = await answer_to(client)
        assert found is not None
        assert found["done"] is False
        assert said in found["message"]
        assert await answer_to(client) is None


async def test_line_without_end_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    async with serving(tmp_path) as path, await connected(path) as client:
        await client.send_all(b"x" * (REQUEST_BYTES_MAX + 1))
        found = await answer_to(client)
        assert found is not None
        assert f"at most {REQUEST_BYTES_MAX} bytes" in found["message"]


@pytest.mark.parametrize("bytes_sent", [b"", b"{"], ids=["silent", "a byte at a time"])
async def test_client_that_asks_nothing_is_dropped_and_holds_nobody_up(
    bytes_sent: bytes, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with serving(tmp_path) as path, await connected(path) as slow, trio.open_nursery() as nursery:

        async def trickle() -> None:
            for _ in range(12):
                await trio.sleep(0.75)  # the last one before it is dropped
                await slow.send_all(bytes_sent)

        nursery.start_soon(trickle)
        began_at = trio.current_time()
        async with await connected(path) as quick:
            await quick.send_all(STATUS)
            assert await answer_to(quick) is not None
        assert trio.current_time() == began_at
        assert await answer_to(slow) is None
        assert trio.current_time() - began_at == pytest.approx(REQUEST_SECONDS_MAX)
        nursery.cancel_scope.cancel()


async def test_client_that_does_not_take_its_answer_is_dropped_in_time(tmp_path: Path, autojump_clock: MockClock) -> None:
    async def much(request: Request) -> Answer:
        await trio.lowlevel.checkpoint()
        return Answer(done=True, message="x" * (ANSWER_BYTES_MAX - 200))

    async with serving(tmp_path, much) as path, await connected(path) as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        await client.send_all(STATUS)
        await trio.sleep(ANSWER_SECONDS_MAX + 1)
        taken = 0
        while data := await client.receive_some():
            taken += len(data)
        assert 0 < taken < ANSWER_BYTES_MAX - 200


async def test_answer_that_is_too_long_is_not_told(tmp_path: Path) -> None:
    async def too_much(request: Request) -> Answer:
        await trio.lowlevel.checkpoint()
        return Answer(done=True, message="x" * ANSWER_BYTES_MAX)

    async with serving(tmp_path, too_much) as path, await connected(path) as client:
        await client.send_all(STATUS)
        found = await answer_to(client)
        assert found is not None
        assert (found["done"], found["message"]) == (True, "the answer is too long to be told")


async def test_one_client_too_many_is_told_to_come_back_and_can_once_another_has_left(tmp_path: Path) -> None:
    async with serving(tmp_path) as path:
        others = [await connected(path) for _ in range(CLIENTS_MAX)]
        await wait_all_tasks_blocked()
        async with await connected(path) as refused:
            found = await answer_to(refused)
            assert found is not None
            assert (found["done"], found["message"]) == (False, f"{CLIENTS_MAX} others speak to this run already: try again in a moment")
        for other in others:
            await other.aclose()
        await wait_all_tasks_blocked()
        async with await connected(path) as client:
            await client.send_all(STATUS)
            assert (await answer_to(client)) is not None


async def test_client_that_hangs_up_has_its_request_carried_out_and_harms_nobody(tmp_path: Path, autojump_clock: MockClock) -> None:
    carried_out: list[Request] = []

    async def slowly(request: Request) -> Answer:
        await trio.sleep(1.0)
        carried_out.append(request)
        return Answer(done=True, message="")

    async with serving(tmp_path, slowly) as path:
        async with await connected(path) as client:
            await client.send_all(STATUS)
        await trio.sleep(2.0)
        assert len(carried_out) == 1
        async with await connected(path) as client:
            await client.send_all(STATUS)
            assert (await answer_to(client)) is not None


async def test_secrets_are_taken_out_of_answers(tmp_path: Path) -> None:
    async with serving(tmp_path, redact=lambda text: text.replace("cycle:hush", "***")) as path, await connected(path) as client:
        await client.send_all(b'{"version":1,"command":"status","scope":"cycle:hush"}\n')
        found = await answer_to(client)
        assert found is not None
        assert found["message"] == "status ***"


async def test_who_asks_between_two_incarnations_is_answered_by_the_next(tmp_path: Path) -> None:
    async def defect(request: Request) -> Answer:
        await trio.lowlevel.checkpoint()
        raise RuntimeError("a defect")

    with ControlSocket(tmp_path / "control.sock") as control:
        async with await connected(control.path) as killing:
            await killing.send_all(STATUS)
            with pytest.RaisesGroup(pytest.RaisesExc(RuntimeError, match="a defect"), flatten_subgroups=True):
                await ControlServer(control.listener, carry_out=defect, redact=str).run(Context())
            assert await answer_to(killing) is None
        async with await connected(control.path) as waiting, trio.open_nursery() as nursery:
            await waiting.send_all(STATUS)
            nursery.start_soon(ControlServer(control.listener, carry_out=echo, redact=str).run, Context())
            assert (await answer_to(waiting)) is not None
            nursery.cancel_scope.cancel()
