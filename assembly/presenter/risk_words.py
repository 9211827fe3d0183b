"""How a quoting cycle stands, in two lines, from the fields of `risk_measured`. Imports nothing: `mm-ctl` shows them too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def risk_lines(fields: Mapping[str, Any]) -> tuple[str, str]:
    """``holds 0.5 BTC (30000 USD), bids 100 asks 95 USDT, quoting 98.2 % of the time`` and ``profit 1.2 USDT (realised …), …``."""
    base, _, quote = str(fields["symbol"]).partition("/")
    worth = f" ({fields['delta_usd']} USD)" if "delta_usd" in fields else ""
    position = f", the account's position is {fields['position']}" if "position" in fields else ""
    uptime = f", quoting {fields['uptime']:.1%} of the time" if "uptime" in fields else ""
    holds = f"holds {fields['inventory']} {base}{worth}{position}, bids {fields['bids']} asks {fields['asks']} {quote}{uptime}"
    profit = f"profit {fields['profit']} {quote}" if "profit" in fields else "profit not known without a price"
    parts = [f"{name} {fields[name]}" for name in ("realised", "unrealised", "fees") if name in fields]
    others = [f"{amount} {asset}" for asset, amount in fields["other_fees"].items()]
    earned = f"{profit} ({', '.join(parts)}{''.join(f' and {other}' for other in others)})"
    return holds, f"{earned}, spread captured {fields['spread_captured']}, volume {fields['volume']}, {fields['trades']} trades"
