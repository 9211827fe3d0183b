"""The real program and a real web server: what arrives there, and that the URL of it is in nothing that the program writes."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from processes import NO_GUARDIAN, Exchange, Program, settings

TOKEN = "T0TALLYsecretWEBHOOKtoken4711"
STOP_SECONDS = 10.0


class Receiver(ThreadingHTTPServer):
    """Answers the first post with 500, and keeps them all."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.posts: list[tuple[str, bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/services/{TOKEN}"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Receiver)
        self.server.posts.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(500 if len(self.server.posts) == 1 else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def receiver() -> Generator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_fills_and_the_stop_arrive_and_the_url_is_written_nowhere(tmp_path: Path, receiver: Receiver, quiet_exchange: Exchange) -> None:
    notifications = '[notifications]\ntemplate = "slack"\ninterval_seconds = 0.5\n'
    path = settings(tmp_path, exchange=quiet_exchange, runtime=f'{NO_GUARDIAN}\nlog_file = "run.log"\n{notifications}')
    with Program(path, "--json", environment={"NOTIFY_WEBHOOK_URL": receiver.url, "LOG_LEVEL": "TRACE"}) as program:
        program.wait_for('"notifications_resumed"')
        program.send(signal.SIGINT)
        assert program.wait_exit(STOP_SECONDS) == 0
        written = program.stdout + program.stderr + "".join(each.read_text() for each in tmp_path.glob("run.log*"))
    texts = [json.loads(body)["text"] for _, body in receiver.posts]
    assert {path for path, _ in receiver.posts} == {f"/services/{TOKEN}"}
    assert texts[0].splitlines()[0] == "mm-runtime mm"
    assert texts[0] == texts[1], "what was not accepted is sent again"
    assert " order_filled " in texts[1]
    assert " stopping " in texts[-1]
    assert TOKEN not in written
    journals = list(tmp_path.rglob("journal.sqlite*"))
    assert journals != []
    assert not any(TOKEN.encode() in each.read_bytes() for each in journals)


def test_run_without_the_url_in_the_environment_does_not_start(tmp_path: Path) -> None:
    path = settings(tmp_path, runtime='[notifications]\ntemplate = "slack"\n')
    with Program(path) as program:
        assert program.wait_exit() == 2
        assert "the environment has no NOTIFY_WEBHOOK_URL" in program.stderr
