"""The real program and a real web server: what arrives there, and that the URL of it is in nothing that the program writes."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from processes import NO_GUARDIAN, Exchange, Program, settings
from secrets_sought import WEBHOOK_TOKEN, check_hidden
from webhook_receiver import Receiver

STOP_SECONDS = 10.0


def test_fills_and_the_stop_arrive_and_the_url_is_written_nowhere(tmp_path: Path, receiver: Receiver, quiet_exchange: Exchange) -> None:
    notifications = '[notifications]\ntemplate = "slack"\ninterval_seconds = 0.5\n'
    path = settings(tmp_path, exchange=quiet_exchange, runtime=f'{NO_GUARDIAN}\nlog_file = "run.log"\n{notifications}')
    with Program(path, "--json", environment={"NOTIFY_WEBHOOK_URL": receiver.url, "LOG_LEVEL": "TRACE"}) as program:
        program.wait_for('"notifications_resumed"')
        program.send(signal.SIGINT)
        assert program.wait_exit(STOP_SECONDS) == 0
        written = program.stdout + program.stderr + "".join(each.read_text() for each in tmp_path.glob("run.log*"))
    texts = [json.loads(body)["text"] for _, body in receiver.posts]
    assert {path for path, _ in receiver.posts} == {f"/services/{WEBHOOK_TOKEN}"}
    assert texts[0].splitlines()[0] == "mm-runtime mm"
    assert texts[0] == texts[1], "what was not accepted is sent again"
    assert " order_filled " in texts[1]
    assert " stopping " in texts[-1]
    check_hidden(written)
    journals = list(tmp_path.rglob("journal.sqlite*"))
    assert journals != []
    for each in journals:
        check_hidden(each.read_bytes())


def test_run_without_the_url_in_the_environment_does_not_start(tmp_path: Path) -> None:
    path = settings(tmp_path, runtime='[notifications]\ntemplate = "slack"\n')
    with Program(path) as program:
        assert program.wait_exit() == 2
        assert "the environment has no NOTIFY_WEBHOOK_URL" in program.stderr
