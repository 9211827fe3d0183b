"""Runs to look at: the program as a process, with exchanges that it serves itself, and the page on a free port."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from tests.program.processes import NO_GUARDIAN, PATIENCE_SECONDS, Program

TOKEN = "a-token-that-only-this-test-has"

# Nobody takes and nothing moves: one round buys, and its sell rests; a quoting cycle's orders rest, too.
STILL = "maker_rate_per_second = 0.000001, taker_rate_per_second = 0.000001, volatility_per_second = 0.0, gap_rate_per_second = 0.0"


def settings(folder: Path, *, port: int = 0) -> Path:
    """Two exchanges, an account at each, and two cycles: `rounds` sells on top at a spot market, `quotes` quotes a perpetual."""
    path = folder / "program.toml"
    path.write_text(f"""
[runtime]
{NO_GUARDIAN}
control_socket = "control.sock"
[journal]
path = "journal.sqlite"
[page]
listen = "127.0.0.1:{port}"
[exchanges.gateio_spot]
mode = "simulated"
simulation = {{ seed = 1, markets = [{{ symbol = "BTC_USDT", {STILL} }}] }}
[exchanges.okx_swap]
mode = "simulated"
simulation = {{ seed = 2, markets = [{{ symbol = "BTC_USDT", {STILL} }}] }}
[accounts.spot]
exchange = "gateio_spot"
[accounts.swap]
exchange = "okx_swap"
leverage = 5
limits = {{ max_order_notional = 1000, max_position_notional = 5000 }}
[cycles.rounds]
strategy = "sell_on_top"
account = "spot"
symbol = "BTC_USDT"
quantity = 100
cycles = 0
[cycles.quotes]
strategy = "quoting"
account = "swap"
symbol = "BTC_USDT"
quantity = 500
[cycles.quotes.parameters]
levels = 2
""")
    return path


class Run(Program):
    """A run with a page. Without `token` it is to look at only."""

    def __init__(self, path: Path, *, token: str | None = TOKEN) -> None:
        self.path = path
        super().__init__(path, "--json", environment={} if token is None else {"MM_PAGE_TOKEN": token})
        self.url = str(json.loads(self.wait_for('"page_opened"'))["url"])

    def status(self) -> dict[str, Any]:
        """What `mm-ctl status --json` prints."""
        return self.say("status")["status"]

    def say(self, command: str, scope: str = "global", **more: object) -> dict[str, Any]:
        """What the run answers to mm-ctl (docs/control.md)."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(PATIENCE_SECONDS)
            line.connect(str(self.path.parent / "control.sock"))
            line.sendall(json.dumps({"version": 1, "command": command, "scope": scope, **more}).encode() + b"\n")
            with line.makefile() as answers:
                return json.loads(answers.readline())

    def cycle(self, name: str) -> dict[str, Any]:
        return next(cycle for cycle in self.status()["cycles"] if cycle["name"] == name)

    def account(self, name: str) -> dict[str, Any]:
        return next(account for account in self.status()["accounts"] if account["name"] == name)

    @property
    def port(self) -> int:
        return int(self.url.rstrip("/").rpartition(":")[2])
