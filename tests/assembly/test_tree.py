"""What each account of a run is given: its own symbols, its own codec, and nothing of another's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from settings_files import WHOLE, load

from actors.accounts.timing import AccountTiming
from assembly import parts
from assembly.tree import Tree
from market.clock import VirtualWallClock
from market.symbol import Symbol
from orders.reports import MarginMode

ACCOUNTS = f"""{WHOLE}
[exchanges.okx_swap]

[accounts.crossed]
exchange = "okx_swap"

[accounts.isolated]
exchange = "okx_swap"
margin_mode = "isolated"
leverage = 5

[cycles.a]
strategy = "sell_on_top"
account = "crossed"
symbol = "BTC_USDT"
quantity = 100

[cycles.b]
strategy = "sell_on_top"
account = "isolated"
symbol = "ETH_USDT"
quantity = 100
"""


def tree_of(folder: Path) -> Tree:
    return Tree(
        load(folder, ACCOUNTS),
        wall_clock=VirtualWallClock(),
        seed=1,
        timing=AccountTiming(),
        journal=None,
        report=lambda event: None,
        fail=lambda status, reason: None,
    )


async def test_account_has_the_symbols_of_its_own_cycles_alone(tmp_path: Path) -> None:
    symbols = {name: account.symbols for name, account in tree_of(tmp_path).accounts.items()}
    bitcoin, ether = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")
    assert symbols == {"main": (bitcoin,), "crossed": (bitcoin,), "isolated": (ether,)}, "leverage is set of these, and of no others"


async def test_accounts_at_one_exchange_trade_contracts_each_in_its_own_margin_mode(tmp_path: Path) -> None:
    accounts = tree_of(tmp_path).accounts
    modes = {name: one.codec.positions.margin_mode for name, one in accounts.items() if one.codec.positions is not None}
    assert modes == {"crossed": MarginMode.CROSS, "isolated": MarginMode.ISOLATED}
    assert {name for name, one in accounts.items() if one.ledger.positions is not None} == {"crossed", "isolated"}
    assert accounts["crossed"].exchange is accounts["isolated"].exchange, "its rate limits are shared"


@pytest.mark.parametrize(("mode", "headers"), [("testnet", {"x-simulated-trading": "1"}), ("live", {}), ("simulated", {})])
async def test_every_request_of_okx_s_demo_trading_says_so_and_no_other_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, headers: dict[str, str]
) -> None:
    opened: list[dict[str, str]] = []

    def open_client(origin: str, *, headers: Sequence[tuple[str, str]] = ()) -> None:
        opened.append(dict(headers))

    monkeypatch.setattr(parts, "HttpClient", open_client)
    environment = {f"OKX_API_{name}": "made-up" for name in ("KEY", "SECRET", "PASSPHRASE")}
    text = WHOLE.replace("gateio_spot", "okx_spot").replace('mode = "simulated"', f'mode = "{mode}"')
    settings = load(tmp_path, text, environment=environment).exchanges["okx_spot"]
    exchange = parts.ExchangeParts("okx_spot", settings, wall_clock=VirtualWallClock(), report=lambda event: None)
    exchange.rest_url = exchange.rest_url or "http://127.0.0.1:1"
    exchange.open_http()
    assert opened == [headers], "the host is the same for both: without it an order is a real one"
