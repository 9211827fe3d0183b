"""What stands between the program and the exchange's REST, and answers as no exchange should."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.request import Request, urlopen

from secrets_sought import spelled_by_others


class MeddlingServer(ThreadingHTTPServer):
    """Passes requests on to `behind`, but signed ones get `signed_status` where it is set, with all that they hold, headers
    and `secret` too: the worst an exchange can do.
    """

    def __init__(self, behind: str, *, signed_status: int | None = None, secret: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = behind
        self.signed_status = signed_status
        self.secret = secret
        self.keys_seen: list[str] = []

    @contextmanager
    def serving(self) -> Generator[tuple[Self, str]]:
        """Itself and its address, while it serves."""
        with self:
            thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05})
            thread.start()
            try:
                yield self, f"http://127.0.0.1:{self.server_port}"
            finally:
                self.shutdown()
                thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: MeddlingServer

    def do_GET(self) -> None:
        key = self.headers.get("KEY")
        if key is not None:
            self.server.keys_seen.append(key)
        if key is not None and self.server.signed_status is not None:
            said = {**self.headers, "url": self.path, **spelled_by_others(self.server.secret)}
            told = {"label": "SERVER_ERROR", "message": f"cannot handle {said}", **said}
            self._answer(self.server.signed_status, json.dumps(told).encode())
        else:
            self._pass_on()

    do_POST = do_DELETE = do_GET

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))) or None
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection", "accept-encoding")}
        request = Request(self.server.behind + self.path, data=body, headers=headers, method=self.command)  # noqa: S310
        with urlopen(request, timeout=10) as answer:  # noqa: S310 - a process of this test
            self._answer(answer.status, answer.read())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass
