"""How a quoting cycle stands, in two lines, from the fields of `risk_measured`. Imports nothing of the program: `mm-ctl` shows them too.

Amounts of money are rounded for reading; `risk_measured` with `--json` has all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

DIGITS_SHOWN = 6


def risk_lines(fields: Mapping[str, Any]) -> tuple[str, str]:
    """``holds 0.5 BTC (30000 USD), bids 100 asks 95 USDT, quoting 98.2 % of the time`` and ``profit 1.2 USDT (realised …), …``."""
    base, _, quote = str(fields["symbol"]).partition("/")
    worth = f" ({rounded(fields['delta_usd'])} USD)" if "delta_usd" in fields else ""
    position = f", the account's position is {fields['position']}" if "position" in fields else ""
    uptime = f", quoting {fields['uptime']:.1%} of the time" if "uptime" in fields else ""
    open_now = f"bids {rounded(fields['bids'])} asks {rounded(fields['asks'])} {quote}"
    holds = f"holds {fields['inventory']} {base}{worth}{position}, {open_now}{uptime}"
    profit = f"profit {rounded(fields['profit'])} {quote}" if "profit" in fields else "profit not known without a price"
    parts = [f"{name} {rounded(fields[name])}" for name in ("realised", "unrealised", "fees") if name in fields]
    others = [f"{rounded(amount)} {asset}" for asset, amount in fields["other_fees"].items()]
    earned = f"{profit} ({', '.join(parts)}{''.join(f' and {other}' for other in others)})"
    return (
        holds,
        f"{earned}, spread captured {rounded(fields['spread_captured'])}, volume {rounded(fields['volume'])}, {fields['trades']} trades",
    )


def rounded(amount: object) -> str:
    """With as many significant digits as one reads, and never less than all whole units."""
    number = Decimal(str(amount))
    last = number.adjusted() - DIGITS_SHOWN + 1
    if number and last < 0:
        number = round(number, -last)
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
