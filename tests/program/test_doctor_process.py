"""`mm-doctor` as a process, the way its user has it: table and JSON, exit statuses, Ctrl-C, secrets."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time
from collections.abc import Generator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from processes import PATIENCE_SECONDS, ROOT, Exchange, Process, settings

from assembly.registry import EXCHANGES

WHOLE_RUN_SECONDS_MAX = 17.0  # 15, and the start of a process on a busy machine
SETTINGS_OF_ALL = ROOT / "config.all.toml"


class Doctor(Process):
    """`mm-doctor` with these arguments."""

    def __init__(self, *arguments: str | Path, **options: Any) -> None:
        super().__init__("assembly.doctor.command", *arguments, **options)

    def checks(self) -> list[dict[str, Any]]:
        """Standard output of `--json`."""
        return [json.loads(line) for line in self.lines_of_stdout()]


def elsewhere(folder: Path, rest_url: str) -> Path:
    """Settings whose exchange is at another place than any that serves."""
    path = folder / "elsewhere.toml"
    path.write_text(f"""
[exchanges.gateio_spot]
rest_url = "{rest_url}"
websocket_url = "{rest_url.replace("http", "ws")}/ws"
[accounts.main]
exchange = "gateio_spot"
[cycles.btc]
strategy = "sell_on_top"
account = "main"
symbol = "BTC_USDT"
quantity = 100
""")
    return path


@pytest.fixture
def silent() -> Generator[socket.socket]:
    """Somebody who listens and never answers."""
    with closing(socket.socket()) as listener:
        listener.settimeout(PATIENCE_SECONDS)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener


def url_of(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("settings_path", [ROOT / "config.toml", SETTINGS_OF_ALL], ids=["config.toml", "config.all.toml"])
def test_embedded_exchanges_are_served_for_the_checks_and_the_table_fits_a_terminal(settings_path: Path) -> None:
    with Doctor(settings_path, environment={"COLUMNS": "80"}) as doctor:
        assert doctor.wait_exit(WHOLE_RUN_SECONDS_MAX) == 0
        lines = doctor.lines_of_stdout()
        assert max(map(len, lines)) <= 80
        assert "gateio_spot (simulated, embedded)" in lines
        assert [line for line in lines if line.startswith("  fail")] == []
        assert "no order was placed" in doctor.stdout
        assert "\x1b" not in doctor.stdout, "no colours in a pipe"
        assert doctor.stderr == ""


def test_json_is_one_object_per_check_of_every_exchange_and_account() -> None:
    with Doctor(SETTINGS_OF_ALL, "--json") as doctor:
        assert doctor.wait_exit(WHOLE_RUN_SECONDS_MAX) == 0
        checks = doctor.checks()
        assert {check["exchange"] for check in checks} == set(EXCHANGES)
        for check in checks:
            assert list(check) == ["exchange", "account", "check", "status", "detail", "milliseconds", "data"]
            assert check["status"] in ("ok", "warn", "skip")
        assert len([check for check in checks if check["check"] == "private_stream"]) == len(EXCHANGES)


def test_exchange_that_runs_apart_sees_questions_only(quiet_exchange: Exchange, tmp_path: Path) -> None:
    before = quiet_exchange.orders_ever()
    with Doctor(settings(tmp_path, exchange=quiet_exchange)) as doctor:
        assert doctor.wait_exit(WHOLE_RUN_SECONDS_MAX) == 0
    assert quiet_exchange.orders_ever() == before
    assert quiet_exchange.state()["accounts"]["main"]["open_orders"] == []


def test_wrong_secret_fails_with_status_1_and_is_shown_nowhere(quiet_exchange: Exchange, tmp_path: Path) -> None:
    secret = "a-wrong-secret-that-nobody-must-see"
    environment: Mapping[str, str] = {"GATEIO_API_KEY": quiet_exchange.facts["api_key"], "GATEIO_API_SECRET": secret}
    for form in ("--json", None):
        with Doctor(settings(tmp_path, exchange=quiet_exchange), *filter(None, [form]), environment=environment) as doctor:
            assert doctor.wait_exit(WHOLE_RUN_SECONDS_MAX) == 1
            assert "the exchange refuses the credential" in " ".join(doctor.stdout.split())
            assert secret not in doctor.stdout + doctor.stderr
            assert quiet_exchange.facts["api_key"] not in doctor.stdout + doctor.stderr


@pytest.mark.parametrize("kind", ["closed", "silent"])
def test_unreachable_exchange_is_one_failure_in_time(kind: str, silent: socket.socket, tmp_path: Path) -> None:
    url = url_of(silent) if kind == "silent" else "http://127.0.0.1:1"
    with Doctor(elsewhere(tmp_path, url), "--json") as doctor:
        assert doctor.wait_exit(WHOLE_RUN_SECONDS_MAX) == 1
        failed = [check for check in doctor.checks() if check["status"] == "fail"]
        assert [check["check"] for check in failed] == ["rest"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no-such-file.toml"], "there is no such file"),
        (["--frobnicate"], "unrecognized arguments"),
        (["config.toml", "--exchange", "gateio_spott"], 'Did you mean "gateio_spot"?'),
    ],
)
def test_bad_usage_and_bad_settings_are_status_2_with_one_line(arguments: list[str], message: str) -> None:
    with Doctor(*arguments) as doctor:
        assert doctor.wait_exit() == 2
        assert message in doctor.stderr
        assert len(doctor.stderr.splitlines()) == 1
        assert doctor.stdout == ""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_ends_it_at_once_while_it_waits_for_an_exchange(
    number: signal.Signals, status: int, silent: socket.socket, tmp_path: Path
) -> None:
    with Doctor(elsewhere(tmp_path, url_of(silent))) as doctor:
        asked, _ = silent.accept()
        doctor.send(number)
        sent_at = time.monotonic()
        assert doctor.wait_exit() == status
        assert time.monotonic() - sent_at < 1
        asked.close()
        assert doctor.stderr == "mm-doctor: interrupted; nothing was placed, amended or cancelled\n"


def test_output_that_cannot_be_written_is_status_1() -> None:
    with open("/dev/full", "wb") as full, Doctor("config.toml", stdout=full) as doctor:
        assert doctor.wait_exit(WHOLE_RUN_SECONDS_MAX) == 1


def test_launcher_becomes_the_doctor() -> None:
    text = (ROOT / "bin" / "mm-doctor").read_text()
    assert text.splitlines()[-1] == 'become_python runtime -m assembly.doctor.command "$@"'
    assert os.access(ROOT / "bin" / "mm-doctor", os.X_OK)


def test_documentation_has_every_check_and_option() -> None:
    reference = (ROOT / "docs" / "doctor.md").read_text()
    with Doctor("config.toml", "--json") as doctor:
        assert doctor.wait_exit(WHOLE_RUN_SECONDS_MAX) == 0
        kinds = {check["check"].partition(" ")[0] for check in doctor.checks()}
    assert [kind for kind in sorted(kinds) if f"| `{kind}" not in reference] == []
    with Doctor("--help") as helping:
        assert helping.wait_exit() == 0
        options = set(re.findall(r"--[a-z]+", helping.stdout)) - {"--help"}
    assert [option for option in sorted(options) if f"`{option}" not in reference] == []
