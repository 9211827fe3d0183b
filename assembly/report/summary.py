"""The report in a few lines for a terminal, and as one object for programs."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from decimal import Decimal

from assembly.presenter.phrases import printable
from assembly.presenter.times import iso_time
from assembly.presenter.vocabulary import Fields
from assembly.report.analysis import Analysis
from assembly.report.cycle_figures import CycleFigures
from assembly.report.incidents import IncidentKind
from assembly.report.sums import HORIZONS_SECONDS, Distance, Sums, Trades
from assembly.report.words import basis_points, counted, day, duration, exact, latency, moment, percentiles, share, short, signed
from market.instrument import format_decimal


def summary_lines(analysis: Analysis) -> list[str]:
    """What one wants to know at once. Nothing in it can steer a terminal."""
    begin, end = analysis.window
    ended = ""
    if analysis.runs:
        ended = ", the last goes on, or died" if analysis.is_running else f", the last ended: {analysis.runs[-1].ended_how}"
    lines = [f"{moment(begin)} to {moment(end)} UTC, {duration(end - begin)}; {counted(len(analysis.runs), 'run')}{ended}"]
    lines += [words] if (words := analysis.choice.words()) else []
    lines += [f"of this journal: {lack}" for lack in analysis.lacks]
    for cycle in analysis.cycles:
        lines += ["", f"{cycle.place.owner}  {cycle.place.symbol}  {cycle.place.account} at {cycle.place.exchange}"]
        lines += [f"  {name:<9} {text}" for name, text in _about(cycle)]
    if not analysis.cycles:
        lines.append(analysis.nothing())
    sums = analysis.by_quote()
    if len(analysis.cycles) > 1:
        lines += [
            "",
            *(f"together   profit {signed(each.earnings.profit)} {quote} of {_traded(each, quote)}" for quote, each in sums.items()),
        ]
    lines += _rounds(analysis)
    lines += _incidents(analysis)
    return [printable(line) for line in lines]


def _about(cycle: CycleFigures) -> list[tuple[str, str]]:
    sums, symbol = cycle.total, cycle.place.symbol
    quote, earned, trades, orders, uptime = symbol.quote, sums.earnings, sums.some(), sums.orders, sums.uptime
    found = [
        (
            "profit",
            f"{signed(earned.profit)} {quote}: realised {signed(earned.realised)}, unrealised {signed(earned.unrealised)}, "
            f"fees {short(earned.fees)}",
        ),
        ("traded", f"{_traded(sums, quote)}, {share(sums.maker_share)} as maker; holds {exact(cycle.tally.inventory)} {symbol.base}"),
    ]
    if cycle.differences:
        found.append(("stated", f"OTHERWISE BY THE RUN ITSELF: {'; '.join(cycle.differences)}"))
    elif cycle.statements_agreeing:
        found.append(("stated", f"so by the run itself, {cycle.statements_agreeing} times"))
    if earned.funding:
        found.append(("funding", f"{signed(earned.funding)} {quote}, not in the profit"))
    if trades.spread.fills:
        after = ", ".join(
            f"{basis_points(each.basis_points)} after {seconds} s" for each, seconds in zip(trades.after, HORIZONS_SECONDS, strict=True)
        )
        captured = f"{signed(trades.spread.quote)} {quote} captured, {basis_points(trades.spread.basis_points)} bp"
        found.append(("spread", f"{captured}; {after}"))
    found.append(("orders", f"{orders.placed} placed, {share(orders.fill_rate)} filled, {share(orders.amount_fill_rate)} of their amount"))
    if uptime.running:
        rested = f"{share(uptime.share(uptime.both))} on both sides, {share(uptime.share(uptime.one))} on one"
        found.append(("rested", f"{rested}, {share(uptime.share(uptime.none))} on none, of {duration(uptime.running)}"))
    for transport, values in sorted(cycle.latencies_us.items()):
        measured = percentiles(values)
        if measured is not None:
            p50, p95, p99, longest = map(latency, measured)
            found.append(("answers", f"{transport}: p50 {p50}, p95 {p95}, p99 {p99}, longest {longest}, of {len(values)}"))
    return found


def _traded(sums: Sums, quote: str) -> str:
    trades = sums.some()
    return f"{counted(trades.fills, 'fill')}, {short(trades.volume)} {quote}"


def _rounds(analysis: Analysis) -> list[str]:
    over = [each for each in analysis.rounds if each.ended_at is not None]
    if not over:
        return []
    differing = sum(1 for each in over if not each.agrees)
    return [
        "",
        f"{counted(len(over), 'round')} over, " + (f"THE BALANCES OF {differing} DIFFER" if differing else "the balances of each agree"),
    ]


def _incidents(analysis: Analysis) -> list[str]:
    counts = sorted(analysis.incidents.counts.items(), key=lambda each: -each[1])
    named = [f"{count} {name.replace('_', ' ')}" for (kind, name), count in counts if kind is not IncidentKind.RUN]
    return ["", f"incidents: {', '.join(named) if named else 'none'}"]


# For programs


def summary_object(analysis: Analysis) -> Fields:
    """All figures: amounts exactly, as texts; shares and basis points as numbers."""
    return {
        "journal": analysis.path,
        "since": iso_time(analysis.window[0]),
        "until": iso_time(analysis.window[1]),
        "runs": [
            {
                "installation": run.installation,
                "version": run.version,
                "began_at": iso_time(run.began_at),
                "ended_at": None if run.ended_at is None else iso_time(run.ended_at),
                "ended_how": run.ended_how,
            }
            for run in analysis.runs
        ],
        "lacks": analysis.lacks,
        "cycles": [_cycle_object(cycle) for cycle in analysis.cycles],
        "symbols": {str(symbol): _sums_object(sums) for symbol, sums in analysis.by_symbol().items()},
        "days": [{"day": day(number), "in": quote, **_sums_object(sums)} for (number, quote), sums in analysis.by_day().items()],
        "all": {quote: _sums_object(sums) for quote, sums in analysis.by_quote().items()},
        "rounds": {
            "over": sum(1 for each in analysis.rounds if each.ended_at is not None),
            "differing": sum(1 for each in analysis.rounds if each.agrees is False),
        },
        "incidents": {name: count for (_, name), count in sorted(analysis.incidents.counts.items(), key=lambda each: each[0][1])},
    }


def _cycle_object(cycle: CycleFigures) -> Fields:
    place = cycle.place
    return {
        "cycle": place.owner,
        "symbol": str(place.symbol),
        "account": place.account,
        "exchange": place.exchange,
        "installation": place.installation,
        **_sums_object(cycle.total),
        "inventory": _amount(cycle.tally.inventory),
        "price": None if cycle.last_mid is None else _amount(cycle.last_mid),
        "prices_are_sampled": cycle.prices_are_sampled,
        "statements_agreeing": cycle.statements_agreeing,
        "statements_differing": cycle.differences,
        "acknowledged_us": {transport: _percentiles(values) for transport, values in sorted(cycle.latencies_us.items())},
        "order_life_ms": _percentiles(cycle.lifetimes),
        "days": {day(number): _sums_object(sums) for number, sums in cycle.days.items()},
    }


def _sums_object(sums: Sums) -> Fields:
    earned, orders, uptime = sums.earnings, sums.orders, sums.uptime
    trades = {"all": sums.some(), "buy": sums.some(side="buy"), "sell": sums.some(side="sell")}
    trades |= {"maker": sums.some(maker=True), "taker": sums.some(maker=False)}
    return {
        "profit": _amount(earned.profit),
        "realised": _amount(earned.realised),
        "unrealised": _amount(earned.unrealised),
        "fees": _amount(earned.fees),
        "fees_by_asset": {asset: _amount(fee) for asset, fee in earned.fees_by_asset.items()},
        "funding": _amount(earned.funding),
        "volume": _amount(earned.volume),
        "maker_share": sums.maker_share,
        "trades": {name: _trades_object(each) for name, each in trades.items()},
        "orders": {
            name: _amount(value) if isinstance(value, Decimal) else value
            for name in orders.__struct_fields__
            for value in (getattr(orders, name),)
        },
        "fill_rate": orders.fill_rate,
        "amount_fill_rate": orders.amount_fill_rate,
        "uptime_ms": {"both": uptime.both, "one": uptime.one, "none": uptime.none},
    }


def _trades_object(trades: Trades) -> Fields:
    after = {f"{seconds}s": _distance_object(each) for each, seconds in zip(trades.after, HORIZONS_SECONDS, strict=True)}
    spread = _distance_object(trades.spread)
    return {"fills": trades.fills, "quantity": _amount(trades.quantity), "volume": _amount(trades.volume), "spread": spread, "after": after}


def _distance_object(distance: Distance) -> Mapping[str, object]:
    found = distance.basis_points
    return {"fills": distance.fills, "quote": _amount(distance.quote), "basis_points": None if found is None else round(float(found), 6)}


def _percentiles(values: array[int]) -> Mapping[str, int] | None:
    found = percentiles(values)
    return None if found is None else dict(zip(("p50", "p95", "p99", "max"), found, strict=True)) | {"count": len(values)}


def _amount(amount: Decimal) -> str:
    text = format_decimal(amount)
    return text.rstrip("0").rstrip(".") if "." in text else text
