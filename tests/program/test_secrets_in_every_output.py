"""One run with every output on, and whoever reads it: no secret is in any of them, in any spelling."""

from __future__ import annotations

import json
import signal
import sqlite3
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
import trio
from meddling_server import MeddlingServer
from processes import Exchange, Process, Program, exchange_settings, settings
from secrets_sought import ALL, ENVIRONMENT, KEY, PAGE_TOKEN, SECRET, check_hidden, files_written, spelled_by_others
from terminal import ProgramOnTerminal
from trio_websocket import open_websocket_url
from webhook_receiver import Receiver

STOP_SECONDS = 10.0
PAGES = ("", "static/page.js", "metrics", "healthz", "readyz", "nowhere")
PUSHES_READ = 3
EVERYTHING_ON = """
log_file = "run.log"
[journal]
path = "journal.sqlite"
[notifications]
template = "slack"
interval_seconds = 0.5
[page]
listen = "127.0.0.1:0"
"""


@pytest.fixture(scope="module")
def exchange_of_ours(tmp_path_factory: pytest.TempPathFactory) -> Generator[Exchange]:
    """It accepts the credential."""
    account = f'[[accounts]]\napi_key = "{KEY}"\napi_secret = "{SECRET}"\n'
    with Exchange("--config", exchange_settings(tmp_path_factory.mktemp("everywhere"), account)) as exchange:
        yield exchange


def fetched(url: str, *, post: dict[str, object] | None = None, token: str = "") -> bytes:
    """Status, headers and body of an answer."""
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    request = Request(url, data=None if post is None else json.dumps(post).encode(), headers=headers)  # noqa: S310 - a process of this test
    try:
        with urlopen(request, timeout=30) as answer:  # noqa: S310
            return f"{answer.status} {answer.headers}\n".encode() + answer.read()
    except HTTPError as error:
        return f"{error.code} {error.headers}\n".encode() + error.read()


async def pushed(url: str) -> str:
    """What an open page is told first."""
    async with open_websocket_url(f"ws://{urlsplit(url).netloc}/push") as websocket:
        with trio.fail_after(30):
            return "\n".join([str(await websocket.get_message()) for _ in range(PUSHES_READ)])


def asked(module: str, *arguments: str | Path) -> str:
    """All that a command has to say, with the secrets in its environment."""
    with Process(module, *arguments, environment=ENVIRONMENT) as process:
        process.wait_exit()
        return process.stdout + process.stderr


def test_no_secret_is_in_any_output_of_a_run_or_of_whoever_reads_it(tmp_path: Path, receiver: Receiver, exchange_of_ours: Exchange) -> None:
    path = settings(tmp_path, exchange=exchange_of_ours, runtime=EVERYTHING_ON)
    said: dict[str, str | bytes] = {}
    with Program(path, "--json", environment={**ENVIRONMENT, "NOTIFY_WEBHOOK_URL": receiver.url}) as program:
        url = json.loads(program.wait_for('"page_opened"'))["url"]
        program.wait_for('"order_placed"', count=2)
        for name in PAGES:
            said[f"page /{name}"] = fetched(url + name)
        said["websocket"] = trio.run(pushed, url)
        pause = {"command": "pause", "scope": "global", "reason": f"with {SECRET} and {PAGE_TOKEN[:20]}"}
        said["page, wrong token"] = fetched(f"{url}api/control", post=pause, token=f"{PAGE_TOKEN}x")
        said["page, right token"] = fetched(f"{url}api/control", post=pause, token=PAGE_TOKEN)
        said["mm-ctl pause"] = asked("assembly.control.command", path, "pause", "--reason", f"{KEY} is tired of {SECRET[:12]}")
        said["mm-ctl status"] = asked("assembly.control.command", path, "status", "--json")
        program.wait_for('"notifications_resumed"')
        said["page after it"] = trio.run(pushed, url)
        program.send(signal.SIGINT)
        assert program.wait_exit(STOP_SECONDS) == 0
        said |= {"standard output": program.stdout, "standard error": program.stderr}
    said |= {f"post {number}": body for number, (_, body) in enumerate(receiver.posts)}
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as journal:
        said["journal in words"] = "\n".join(journal.iterdump())
    for arguments in (("--orders",), ("--csv", tmp_path / "csv", "--parquet", tmp_path / "parquet")):
        said[f"mm-report {arguments}"] = asked("assembly.report.command", *arguments, tmp_path / "journal.sqlite")
    said["mm-doctor"] = asked("assembly.doctor.command", path)
    said |= {str(name): data for name, data in files_written(tmp_path).items()}

    for name, text in said.items():
        try:
            check_hidden(text)
        except AssertionError as error:
            error.add_note(f"in {name}")
            raise
    silent = [name for name, text in said.items() if not text]
    assert all(name == "standard error" or name.endswith("-wal") for name in silent), f"nothing came of {silent}"
    answers = [bytes(text)[:3] for name, text in said.items() if name.startswith("page") and isinstance(text, bytes)]
    assert answers == [b"200"] * 5 + [b"404", b"401", b"200"]
    assert "with *** and ***" in program.stdout, "what a person said is told, without what it must not hold"
    assert any(name.endswith(("run.log", "journal.sqlite.html")) for name in said)
    assert len(receiver.posts) >= 2


def test_no_secret_is_in_the_live_view_the_statement_or_the_log_when_the_exchange_repeats_it(
    tmp_path: Path, exchange_of_ours: Exchange
) -> None:
    real = f"http://127.0.0.1:{exchange_of_ours.facts['port']}"
    with MeddlingServer(real, signed_status=401, secret=SECRET).serving() as (server, address):
        path = settings(tmp_path, exchange=exchange_of_ours, runtime='log_file = "run.log"\n')
        path.write_text(path.read_text().replace(real, address))
        with ProgramOnTerminal(path, "--for", "1500ms", environment=ENVIRONMENT, columns=100, lines=50) as terminal:
            terminal.wait_written("exit status ")
            check_hidden(terminal.text)
        assert KEY in server.keys_seen
    for data in files_written(tmp_path).values():
        check_hidden(data)


@pytest.mark.parametrize("secret", ALL)
def test_search_finds_each_spelling_of_each_secret(secret: str) -> None:
    for spelling in (*spelled_by_others(secret).values(), secret[::-1], secret[9:17], secret[:8], json.dumps({"a": secret})):
        with pytest.raises(AssertionError, match="was written"):
            check_hidden(f"before {spelling} after")
