"""What each account of a run is given: its own symbols, its own codec, and nothing of another's."""

from __future__ import annotations

from pathlib import Path

from settings_files import WHOLE, load

from actors.accounts.timing import AccountTiming
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
        report=lambda event: None,
        fail=lambda status, reason: None,
    )


async def test_account_has_the_symbols_of_its_own_cycles_alone(tmp_path: Path) -> None:
    symbols = {name: parts.symbols for name, parts in tree_of(tmp_path).accounts.items()}
    bitcoin, ether = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")
    assert symbols == {"main": (bitcoin,), "crossed": (bitcoin,), "isolated": (ether,)}, "leverage is set of these, and of no others"


async def test_accounts_at_one_exchange_trade_contracts_each_in_its_own_margin_mode(tmp_path: Path) -> None:
    accounts = tree_of(tmp_path).accounts
    modes = {name: parts.codec.positions.margin_mode for name, parts in accounts.items() if parts.codec.positions is not None}
    assert modes == {"crossed": MarginMode.CROSS, "isolated": MarginMode.ISOLATED}
    assert {name for name, parts in accounts.items() if parts.ledger.positions is not None} == {"crossed", "isolated"}
    assert accounts["crossed"].exchange is accounts["isolated"].exchange, "its rate limits are shared"
