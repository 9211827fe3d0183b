"""The real program in its own process with its page on a real port: what a browser is given there, what may be asked, and the end."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from processes import NO_GUARDIAN, Exchange, Program, settings
from test_program_secrets import ENVIRONMENT, check_hidden, exchange_of_ours
from trio_websocket import ConnectionClosed, wrap_client_stream

from assembly.page.server import CONNECTIONS_MAX

TOKEN = "t0kenThatMayActOnTheRun4711"
PAGE = '[page]\nlisten = "127.0.0.1:0"\n'
STOP_SECONDS = 10.0
__all__ = ["exchange_of_ours"]


def url_of(program: Program) -> str:
    return json.loads(program.wait_for('"page_opened"'))["url"]


def port_of(url: str) -> int:
    return int(url.rstrip("/").rpartition(":")[2])


def act(url: str, token: str = TOKEN, **action: Any) -> httpx.Response:
    return httpx.post(f"{url}api/control", json=action, headers={"authorization": f"Bearer {token}"}, trust_env=False, timeout=30)


def pushed(url: str, *, then: Callable[[], None] | None = None) -> list[str]:
    """Everything that is pushed in the first moments; or, having done something `then`, until the other side closes."""
    found: list[str] = []

    async def look() -> None:
        # A stream of its own: the library does not close that of a server that goes without a word.
        async with await trio.open_tcp_stream("127.0.0.1", port_of(url)) as stream, trio.open_nursery() as nursery:
            websocket = await wrap_client_stream(nursery, stream, "localhost", "/push")
            with suppress(ConnectionClosed):
                while then is not None or len(found) < 6:
                    found.append(await websocket.get_message())
                    if then is not None and len(found) == 1:
                        then()
            nursery.cancel_scope.cancel()

    trio.run(look)
    return found


def test_page_acts_on_the_run_and_no_secret_is_served_or_written(tmp_path: Path, exchange_of_ours: Exchange) -> None:
    path = settings(tmp_path, exchange=exchange_of_ours, runtime=f'{NO_GUARDIAN}\nlog_file = "run.log"\n{PAGE}')
    with Program(path, "--json", environment={**ENVIRONMENT, "MM_PAGE_TOKEN": TOKEN}) as program:
        url = url_of(program)
        program.wait_for('"order_placed"')
        assert act(url, TOKEN[:-1], command="halt").status_code == 401
        # Whoever pastes a token, or a key, where a reason belongs has not told it to everybody who looks.
        reason = f"{TOKEN} {ENVIRONMENT['GATEIO_API_SECRET']}"
        outcome = act(url, command="pause", reason=reason).json()
        assert outcome["done"]
        assert exchange_of_ours.our_open_orders() == []
        program.wait_for('"state_entered"')
        served = [httpx.get(f"{url}{each}", trust_env=False).text for each in ("", "static/page.js", "metrics", "healthz", "readyz")]
        served += [*pushed(url), json.dumps(outcome)]
        assert act(url, command="resume").json()["done"]
        program.send(signal.SIGINT)
        assert program.wait_exit(STOP_SECONDS) == 0
        written = program.stdout + program.stderr + "".join(each.read_text() for each in tmp_path.glob("run.log*"))
    assert "by the page: *** ***" in written
    for text in (*served, written):
        assert TOKEN not in text
        check_hidden(text)
    assert not any(TOKEN.encode() in each.read_bytes() for each in tmp_path.rglob("journal.sqlite*"))


def test_stop_is_pushed_to_who_looks_and_waits_for_no_one_who_does_not_read(tmp_path: Path) -> None:
    with Program(settings(tmp_path, runtime=f"{NO_GUARDIAN}\n{PAGE}"), "--json") as program:
        url = url_of(program)
        program.wait_for('"order_placed"')
        host, port = "127.0.0.1", port_of(url)
        with socket.create_connection((host, port)) as stuck:
            stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            stuck.sendall(
                b"GET /push HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
            assert stuck.recv(12) == b"HTTP/1.1 101"
            began_at = time.monotonic()
            texts = pushed(url, then=lambda: program.send(signal.SIGINT))
            assert program.wait_exit(STOP_SECONDS) == 0
            assert time.monotonic() - began_at < STOP_SECONDS / 2
    assert any(json.loads(text).get("program", {}).get("stopping") for text in texts)


def test_run_whose_address_is_taken_goes_on_and_says_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        listen = f"127.0.0.1:{other.getsockname()[1]}"
        path = settings(tmp_path, runtime=f'{NO_GUARDIAN}\n[page]\nlisten = "{listen}"\n')
        with Program(path, "--json", "--for", "2s") as program:
            found = json.loads(program.wait_for('"page_unavailable"'))
            assert found["listen"] == listen
            assert "Address already in use" in found["reason"]
            assert "port 0 is any that is free" in found["reason"]
            program.wait_for('"order_placed"')
            assert program.wait_exit() == 0


def test_address_of_another_machine_is_told_as_such(tmp_path: Path) -> None:
    path = settings(tmp_path, runtime=f'{NO_GUARDIAN}\n[page]\nlisten = "192.0.2.1:0"\nallow_remote = true\n')
    with Program(path, "--json", "--for", "1s") as program:
        assert "no address of this machine" in json.loads(program.wait_for('"page_unavailable"'))["reason"]
        assert program.wait_exit() == 0


def test_page_where_others_reach_it_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with Program(settings(tmp_path, runtime='[page]\nlisten = "0.0.0.0:8321"\n')) as program:
        assert program.wait_exit() == 2
        assert "allow_remote = true" in program.stderr


@pytest.mark.parametrize(
    "request_",
    [b"GET / HTTP/9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff", b"\x00" * 70_000],
)
def test_what_is_no_http_ends_that_connection_alone(request_: bytes, tmp_path: Path) -> None:
    with Program(settings(tmp_path, runtime=f"{NO_GUARDIAN}\n{PAGE}"), "--json") as program:
        url = url_of(program)
        port = port_of(url)
        with socket.create_connection(("127.0.0.1", port)) as garbled:
            garbled.sendall(request_)
            garbled.shutdown(socket.SHUT_WR)
            while garbled.recv(4096):
                pass
        assert httpx.get(f"{url}healthz", trust_env=False).status_code == 200
        assert '"actor_crashed"' not in program.stdout


NO_WEBSOCKET = (
    b"GET /push HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 99\r\n\r\n"
)
HTTP_2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
HTTP_2_UPGRADE = (
    b"OPTIONS / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
)


ASKED = (
    (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", b"HTTP/1.1 200"),
    (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3, b"HTTP/1.1 200"),
    (HTTP_2_UPGRADE.replace(b"OPTIONS /", b"GET /healthz"), b"HTTP/1.1 200"),  # an offer, which is not taken up
    (HTTP_2_UPGRADE, b""),
    (HTTP_2, b""),
    (NO_WEBSOCKET, b"HTTP/1.1 400"),
)


def test_whoever_has_gone_keeps_no_place(tmp_path: Path) -> None:
    with Program(settings(tmp_path, runtime=f"{NO_GUARDIAN}\n{PAGE}"), "--json") as program:
        url = url_of(program)
        for request, answer in ASKED * CONNECTIONS_MAX:
            with suppress(ConnectionResetError), socket.create_connection(("127.0.0.1", port_of(url)), timeout=STOP_SECONDS) as client:
                client.sendall(request)
                assert client.recv(4096)[: len(answer)] in (answer, b"")  # nothing where too many come at once
        began_at = time.monotonic()
        while not is_answered(url):
            assert time.monotonic() - began_at < STOP_SECONDS
        assert '"actor_crashed"' not in program.stdout


def is_answered(url: str) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"{url}healthz", trust_env=False).status_code == 200
    return False
