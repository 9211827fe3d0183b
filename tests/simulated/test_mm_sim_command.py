from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from serving_process import ROOT, serving, state

from simulated.command import main

SAMPLES = Path(__file__).parent / "samples"


def test_command_announces_itself_serves_its_state_and_stops_cleanly() -> None:
    with serving("--seed", "3", "--symbols", "BTCUSDT") as facts:
        assert facts["event"] == "serving"
        assert facts["rest_url"] == f"http://127.0.0.1:{facts['port']}/api/v4"
        told = state(facts)
        assert list(told["markets"]) == ["BTC_USDT"]
        assert told["accounts"]["main"]["open_orders"] == []


def test_command_serves_a_recording() -> None:
    with serving("--replay", str(SAMPLES / "gateio_capture.jsonl"), "--replay-speed", "0.001") as facts:
        assert state(facts)["markets"]["AAA_USDT"]["best_bid"] == [["10.01", "4"]]


def test_command_reads_its_settings_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "sim.toml").write_text('[[markets]]\nsymbol = "XYZ_USDT"\nstart_price = "2.5"\nprice_decimals = 4\n')
    with serving("--config", str(tmp_path / "sim.toml")) as facts:
        assert list(state(facts)["markets"]) == ["XYZ_USDT"]


def test_client_that_leaves_in_the_middle_of_a_request_does_not_end_the_exchange() -> None:
    with serving() as facts:
        with socket.create_connection(("127.0.0.1", facts["port"])) as client:
            client.sendall(b"POST /api/v4/spot/orders HTTP/1.1\r\nHost: sim\r\nContent-Length: 100\r\n\r\n{")
            client.shutdown(socket.SHUT_WR)
            while client.recv(4096):  # until the exchange has noticed
                pass
        assert state(facts)["accounts"]["main"]["orders"] == 0


def test_command_for_people_prints_urls_credential_and_a_client_line_and_obeys_sigterm() -> None:
    command = [sys.executable, "-m", "simulated.command", "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(8)]
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=10)
    finally:
        process.kill()
    text = "".join(lines)
    assert (process.returncode, errors) == (0, "")
    assert re.search(r"rest url +http://127\.0\.0\.1:\d+/api/v4\n", text)
    assert re.search(r"websocket url +ws://127\.0\.0\.1:\d+/ws/v4/\n", text)
    assert "simulated-key-main" in text
    assert "ccxt.gate(" in text


def test_port_in_use_is_one_clear_line_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["--port", str(port)]) == 2
    assert capsys.readouterr().err == f"mm-sim: cannot listen on 127.0.0.1 port {port}: Address already in use\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--symbols", "FOO_USDT"], "FOO_USDT has no settings here"),
        (["--symbols", "???"], "is not a symbol"),
        (["--replay", "nothing.jsonl"], "nothing.jsonl cannot be read"),
        (["--config", "nothing.toml"], "nothing.toml"),
    ],
)
def test_bad_usage_is_one_line_and_status_2(capsys: pytest.CaptureFixture[str], options: list[str], message: str) -> None:
    assert main(options) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_unknown_key_in_a_settings_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "sim.toml").write_text("sede = 1\n")
    assert main(["--config", str(tmp_path / "sim.toml")]) == 2
    assert "sede" in capsys.readouterr().err


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    text = capsys.readouterr().out
    assert all(option in text for option in ("--exchange", "--host", "--port", "--seed", "--symbols", "--config", "--replay", "--json"))
