"""The promises that the contract suite is about, and which of its checks prove which of them at which market.

A check names the rows that it proves at the beginning of its docstring: `D1, X1-X4: in other words`. `bin/test tests/contract
--contract-rows` prints the listing; `tests/toolchain/test_contract_rows.py` sees to it that every check names some.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

ROWS: dict[str, str] = {
    "X1": "Gate.io spot",
    "X2": "MEXC spot",
    "X3": "Gate.io futures",
    "X4": "OKX spot and swap",
    "X5": "Binance spot and futures",
    "X6": "Bybit spot and linear",
    "X7": "HTX spot",
    "X8": "symbols to and from each exchange's spelling",
    "X9": "every refusal classified",
    "X10": "what an exchange offers is data",
    "X11": "an exchange is new files and an entry in each registry",
    "X12": "health of an exchange, an account and its settings: mm-doctor",
    "D1": "books from snapshot and changes: discarded when in doubt, whole again by themselves",
    "D2": "best prices, depth, trades, tickers, mark prices, funding rates, liquidations as typed events",
    "D3": "nothing is decided on data that is too old",
    "T1": "order types, cancellations, amendments, batches; of contracts reduce-only, leverage, closing",
    "T2": "checks before anything is sent",
    "T3": "an order's life, with unknown in it; funds, fills, fees and profit counted once",
    "T4": "reconciliation at the start, after reconnects, periodically",
    "T5": "the private stream first, REST for recovery",
    "T6": "no taker decision on cached balances, orders or positions",
    "T7": "client order ids always; only our own orders are swept",
    "T8": "rate limits and clocks respected",
    "T9": "circuit breaker, and retries of what is safe to retry",
    "T10": "the exchange cancels what is open when it no longer hears from us",
    "S1": "the market-making cycle, reconciled",
    "R2": "a stop that leaves nothing open, and says so",
    "R3": "settings and credentials checked, with messages that help",
    "R6": "no secret in anything that is told",
}
MARKETS = {  # by row, the beginnings of their names; a row that is not here is about every market
    "X1": ("gateio_spot",),
    "X2": ("mexc_spot",),
    "X3": ("gateio_futures",),
    "X4": ("okx_spot", "okx_swap"),
    "X5": ("binance_spot", "binance_futures"),
    "X6": ("bybit_spot", "bybit_linear"),
    "X7": ("htx_spot",),
}
ELSEWHERE = {  # where the proof is, of what is not one exchange's
    "T6": "tests/scenarios/test_account_reconciliation.py",
    "T9": "tests/network/test_network_breaker.py",
}
_NAMED = re.compile(r"[A-Z]\d+(-[A-Z]?\d+)?(, [A-Z]\d+(-[A-Z]?\d+)?)*(?=:|\n|$)")


class NoRows(Exception):
    """A check does not say what it proves."""


def rows_of(docstring: str | None) -> list[str]:
    """The rows that a check's docstring names, ranges written out.

    Raises:
        NoRows: it names none, or one that there is not.
    """
    match = _NAMED.match((docstring or "").strip())
    if match is None:
        raise NoRows(f"the docstring begins with no row: {docstring!r}")
    rows: list[str] = []
    for part in match[0].split(", "):
        first, _, last = part.partition("-")
        letter, number = first[0], int(first[1:])
        rows += [f"{letter}{one}" for one in range(number, int(last.lstrip(letter) or number) + 1)]
    unknown = [row for row in rows if row not in ROWS]
    if unknown:
        raise NoRows(f"there is no row {', '.join(unknown)}")
    return rows


def listing(checks: Mapping[str, tuple[Iterable[str], Iterable[str]]], markets: Iterable[str]) -> str:
    """Row by row the checks that prove it and the markets at which they do; `checks` gives rows and markets by name."""
    all_markets = sorted(markets)
    lines: list[str] = []
    for row, meaning in ROWS.items():
        own = [market for market in all_markets if market in MARKETS.get(row, all_markets)]
        lines.append(f"{row}  {meaning}")
        if row in MARKETS and not own:
            lines.append("      no such market yet")
            continue
        if row in ELSEWHERE:
            lines.append(f"      not one exchange's: {ELSEWHERE[row]}")
        for check, (rows, at) in checks.items():
            proven_at = [market for market in own if market in at]
            if row in rows and proven_at:
                where = "every market" if proven_at == all_markets else ", ".join(proven_at)
                lines.append(f"      {check.removeprefix('test_').replace('_', ' ')}  [{where}]")
    return "\n".join(lines)
