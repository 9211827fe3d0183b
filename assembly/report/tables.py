"""The tables of the HTML report. Whatever stands in a cell is escaped here, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from html import escape

from assembly.report.analysis import Round
from assembly.report.cycle_figures import CycleFigures
from assembly.report.incidents import Incident
from assembly.report.sums import HORIZONS_SECONDS, OrderCounts, Sums, Trades
from assembly.report.words import (
    NOTHING,
    basis_points,
    counted,
    duration,
    exact,
    latency,
    moment,
    percentiles,
    share,
    short,
    signed,
    signed_readable,
)

Row = tuple[str, ...]
_SUM = ' class="sum"'


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, texts: int = 1, long: bool = False, last_is_sum: bool = False) -> str:
    """Plain texts in; the first `texts` columns are to the left; of `long` ones the last column is, too, and may break."""
    found = list(rows)
    if not found:
        return ""

    def cells(row: Sequence[str], kind: str) -> str:
        parts: list[str] = []
        for number, cell in enumerate(row):
            style = ' class="text"' if number < texts else ' class="text long"' if long and number == len(row) - 1 else _tone(cell)
            parts.append(f"<{kind}{style}>{escape(cell)}</{kind}>")
        return "".join(parts)

    body = "".join(
        f"<tr{_SUM if last_is_sum and number == len(found) - 1 else ''}>{cells(row, 'td')}</tr>" for number, row in enumerate(found)
    )
    return f'<div class="scroll"><table><thead><tr>{cells(header, "th")}</tr></thead><tbody>{body}</tbody></table></div>'


def _tone(cell: str) -> str:
    """What is told with its sign is told with its colour."""
    return ' class="good"' if cell.startswith("+") else ' class="bad"' if cell.startswith("−") else ""


SUMS_HEADER = (
    "fills",
    "maker",
    "volume",
    "realised",
    "unrealised",
    "fees",
    "profit",
    "spread, bp",
    *(f"after {seconds}\N{NO-BREAK SPACE}s,\N{NO-BREAK SPACE}bp" for seconds in HORIZONS_SECONDS),  # two lines are enough
    "orders",
    "filled",
    "rested on\N{NO-BREAK SPACE}both",
)


def sums_cells(sums: Sums) -> Row:
    """A row of figures: money exactly."""
    trades, earned = sums.some(), sums.earnings
    return (
        str(trades.fills),
        share(sums.maker_share),
        exact(trades.volume),
        signed_readable(earned.realised),
        signed_readable(earned.unrealised),
        exact(earned.fees),
        _signed_exact(earned.profit),
        basis_points(trades.spread.basis_points),
        *(basis_points(after.basis_points) for after in trades.after),
        str(sums.orders.placed),
        share(sums.orders.fill_rate),
        share(sums.uptime.share(sums.uptime.both)),
    )


def _signed_exact(amount: Decimal) -> str:
    text = exact(amount)
    return f"+{text}" if amount > 0 and text != "0" else text


def trades_table(sums: Sums, base: str, quote: str) -> str:
    """Spread captured and mark-outs, by side and by role."""
    header = ("trades", "fills", base, f"spread, {quote}", "bp (fills)")
    header += tuple(text for seconds in HORIZONS_SECONDS for text in (f"after {seconds}\N{NO-BREAK SPACE}s, {quote}", "bp (fills)"))
    kinds = (("bought", sums.some(side="buy")), ("sold", sums.some(side="sell")), ("as maker", sums.some(maker=True)))
    kinds += (("as taker", sums.some(maker=False)), ("all", sums.some()))
    return table(header, [(name, *_trades_cells(trades)) for name, trades in kinds if trades.fills], last_is_sum=True)


def _trades_cells(trades: Trades) -> Row:
    distances = [
        cell
        for each in (trades.spread, *trades.after)
        for cell in ((_signed_exact(each.quote), f"{basis_points(each.basis_points)} ({each.fills})") if each.fills else (NOTHING, "(0)"))
    ]
    return (str(trades.fills), exact(trades.quantity), *distances)


def orders_table(cycle: CycleFigures) -> str:
    orders: OrderCounts = cycle.total.orders
    lived = percentiles(cycle.lifetimes)
    rows = [
        ("intended", str(orders.intended), ""),
        ("placed", str(orders.placed), f"{short(orders.placed_quote)} {cycle.place.symbol.quote}"),
        ("filled", str(orders.filled), share(orders.filled / orders.placed if orders.placed else None)),
        ("filled in part", str(orders.partly_filled), share(orders.partly_filled / orders.placed if orders.placed else None)),
        ("cancelled without a fill", str(orders.cancelled), share(orders.cancelled / orders.placed if orders.placed else None)),
        ("expired", str(orders.expired), ""),
        ("rejected, or never sent", str(orders.rejected), ""),
        ("may still exist", str(orders.may_exist), ""),
        ("filled of what was placed", f"{short(orders.filled_quote)} {cycle.place.symbol.quote}", share(orders.amount_fill_rate)),
    ]
    if lived is not None:
        rows.append(("life of an order, median", duration(lived[0]), f"p95 {duration(lived[1])}"))
    return table(("orders", "", ""), [row for row in rows if row[1] != "0"])


def latency_table(cycles: Sequence[CycleFigures]) -> str:
    """From a placement's leaving to the exchange's word, by the way that it went."""
    rows: list[Row] = []
    for cycle in cycles:
        for transport, values in sorted(cycle.latencies_us.items()):
            found = percentiles(values)
            if found is not None:
                rows.append((cycle.place.owner, transport, str(len(values)), *(latency(each) for each in found)))
    return table(("cycle", "way", "orders", "p50", "p95", "p99", "longest"), rows, texts=2)


def fees_table(sums: Sums) -> str:
    return table(("fees paid in", ""), [(asset, exact(amount)) for asset, amount in sums.earnings.fees_by_asset.items()])


def uptime_table(sums: Sums) -> str:
    uptime = sums.uptime
    kinds = (("on both sides", uptime.both), ("on one side", uptime.one), ("on none", uptime.none))
    rows = [(name, duration(each), share(uptime.share(each))) for name, each in kinds]
    return table(("orders rested", "time", "share"), [*rows, ("ran", duration(uptime.running), "")], last_is_sum=True)


def rounds_table(rounds: Sequence[Round]) -> str:
    header = ("cycle", "began, UTC", "ended", "number", "bought for", "sold for", "left over", "profit", "balances")
    return table(header, [_round_cells(each) for each in rounds], texts=3, long=True)


def _round_cells(each: Round) -> Row:
    differing = ", ".join(f"{exact(amount)} {asset}" for asset, amount in each.differences.items())
    agrees = (
        "in progress"
        if each.ended_at is None
        else "agree"
        if each.agrees and not differing
        else "agree, but for rounding"
        if each.agrees
        else "differ"
    )
    return (
        each.cycle,
        moment(each.began_at),
        NOTHING if each.ended_at is None else moment(each.ended_at)[11:],
        str(each.number),
        exact(each.bought_quote),
        exact(each.sold_quote),
        exact(each.left_over_quantity),
        NOTHING if each.profit_quote is None else _signed_exact(each.profit_quote),
        f"{agrees}{f': {differing}' if differing else ''}",
    )


def incidents_table(incidents: Sequence[Incident]) -> str:
    rows = [(moment(each.at), each.kind.value, each.name.replace("_", " "), each.text) for each in incidents]
    return table(("time, UTC", "about", "what", ""), rows, texts=3, long=True)


def tile(name: str, value: str, more: str = "", *, tone: str = "") -> str:
    style = f' class="{tone}"' if tone else _tone(value)
    return f'<div class="tile"><span>{escape(name)}</span><strong{style}>{escape(value)}</strong><span>{escape(more)}</span></div>'


def sums_tiles(sums: Sums, quote: str) -> str:
    """What one wants to know first."""
    trades, earned, orders, uptime = sums.some(), sums.earnings, sums.orders, sums.uptime
    after = trades.after[1]
    others = [f"{short(fee)} {asset}" for asset, fee in earned.fees_by_asset.items()]
    tiles = [
        tile(f"profit, {quote}", signed(earned.profit), f"realised {signed(earned.realised)}, unrealised {signed(earned.unrealised)}"),
        tile(f"fees, {quote}", short(earned.fees), " + ".join(others[:3])),
        tile(f"volume, {quote}", short(trades.volume), f"{counted(trades.fills, 'fill')}, {share(sums.maker_share)} as maker"),
        tile("spread captured, bp", basis_points(trades.spread.basis_points), f"{signed(trades.spread.quote)} {quote}"),
        tile("after 5 s, bp", basis_points(after.basis_points), f"{signed(after.quote)} {quote} of {counted(after.fills, 'fill')}"),
        tile("orders filled", share(orders.fill_rate), f"of {orders.placed} placed; {share(orders.amount_fill_rate)} of their amount"),
        tile("orders on both sides", share(uptime.share(uptime.both)), f"of {duration(uptime.running)}"),
    ]
    if earned.funding:
        tiles.append(tile(f"funding, {quote}", signed(earned.funding), "not in the profit"))
    return f'<div class="tiles">{"".join(tiles)}</div>'
