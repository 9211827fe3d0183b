"""A credential is in the environment and in nothing that the program writes, whatever happens to it."""

from __future__ import annotations

import signal
from collections.abc import Generator
from pathlib import Path

import pytest
from meddling_server import MeddlingServer
from processes import Exchange, Program, exchange_settings, settings
from secrets_sought import ENVIRONMENT, KEY, SECRET, check_hidden
from terminal import CTRL_C, ProgramOnTerminal

STOP_SECONDS = 10.0


def logged(folder: Path) -> str:
    return "".join(path.read_text() for path in sorted(folder.glob("run.log*")))


LOG_FILE = 'log_file = "run.log"'


@pytest.mark.parametrize("form", ["--json", "--plain"])
def test_credential_is_hidden_when_the_exchange_refuses_it(form: str, tmp_path: Path, quiet_exchange: Exchange) -> None:
    with Program(settings(tmp_path, exchange=quiet_exchange, runtime=LOG_FILE), form, environment=ENVIRONMENT) as program:
        assert program.wait_exit() == 2
        assert "the exchange refuses the credential" in program.stderr
        assert "the exchange refuses the credential" in program.stdout
        assert "the exchange refuses the credential" in logged(tmp_path)
        check_hidden(program.stdout + program.stderr + logged(tmp_path))


def test_credential_is_hidden_in_a_whole_run_that_uses_it(tmp_path: Path) -> None:
    with Program(settings(tmp_path, runtime=LOG_FILE), "--json", environment=ENVIRONMENT) as program:
        program.wait_for('"order_placed"', count=2)
        program.send(signal.SIGINT)
        assert program.wait_exit(STOP_SECONDS) == 0
        check_hidden(program.stdout + program.stderr + logged(tmp_path))


def test_credential_is_hidden_on_the_terminal(tmp_path: Path) -> None:
    with ProgramOnTerminal(settings(tmp_path), environment=ENVIRONMENT) as terminal:
        terminal.wait_screen(lambda text: " sell " in text)
        terminal.press(CTRL_C)
        assert terminal.wait_exit(STOP_SECONDS) == 0
        terminal.wait_written("exit status 0")
        check_hidden(terminal.text)


@pytest.fixture(scope="module")
def exchange_of_ours(tmp_path_factory: pytest.TempPathFactory) -> Generator[Exchange]:
    """It accepts the credential."""
    account = f'[[accounts]]\napi_key = "{KEY}"\napi_secret = "{SECRET}"\n'
    with Exchange("--config", exchange_settings(tmp_path_factory.mktemp("ours"), account)) as exchange:
        yield exchange


@pytest.mark.parametrize("status", [500, 400, 401, 200])
def test_credential_is_hidden_when_the_exchange_repeats_it_in_errors_and_in_answers(
    status: int, tmp_path: Path, exchange_of_ours: Exchange
) -> None:
    real = f"http://127.0.0.1:{exchange_of_ours.facts['port']}"
    with MeddlingServer(real, signed_status=status, secret=SECRET).serving() as (server, address):
        path = settings(tmp_path, exchange=exchange_of_ours, runtime=LOG_FILE)
        path.write_text(path.read_text().replace(real, address))
        with Program(path, "--json", "--for", "1500ms", environment=ENVIRONMENT) as program:
            program.wait_exit()
            assert KEY in server.keys_seen
            written = program.stdout + program.stderr + logged(tmp_path)
            assert "account:main" in written
            check_hidden(written)
