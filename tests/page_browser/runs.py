"""Runs to look at: the program as a process, with exchanges that it serves itself, and the page on a free port."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.program.processes import NO_GUARDIAN, Process, Program

TOKEN = "a-token-that-only-this-test-has"

# Nobody takes and nothing moves: one round buys, and its sell rests; a quoting cycle's orders rest, too.
STILL = "taker_rate_per_second = 0.000001, volatility_per_second = 0.0, gap_rate_per_second = 0.0"
LIVELY = "taker_rate_per_second = 20.0"


def settings(folder: Path, *, port: int = 0, market: str = STILL) -> Path:
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
simulation = {{ seed = 1, markets = [{{ symbol = "BTC_USDT", {market} }}] }}
[exchanges.okx_swap]
mode = "simulated"
simulation = {{ seed = 2, markets = [{{ symbol = "BTC_USDT", {market} }}] }}
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
        """What mm-ctl is told."""
        return self.say("status")["status"]

    def say(self, *words: str) -> dict[str, Any]:
        """What mm-ctl answers to these words."""
        asked = Process("assembly.control.command", self.path, *words, "--json")
        with asked:
            asked.wait_exit()
        return json.loads(asked.stdout)

    def cycle(self, name: str) -> dict[str, Any]:
        return next(cycle for cycle in self.status()["cycles"] if cycle["name"] == name)

    def account(self, name: str) -> dict[str, Any]:
        return next(account for account in self.status()["accounts"] if account["name"] == name)

    @property
    def port(self) -> int:
        return int(self.url.rstrip("/").rpartition(":")[2])
