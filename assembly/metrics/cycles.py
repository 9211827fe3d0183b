"""Metrics of the cycles: what each holds and has earned, at the middle of the book that its account hears of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from assembly.cycle_parts import CycleParts
from assembly.limiting import RunLimits
from assembly.metrics.families import Family, counter, gauge
from assembly.parts import AccountParts

LABELS = ("cycle", "account", "symbol")

PROFIT = gauge(
    "mm_cycle_profit_quote",
    LABELS,
    "quote units",
    "What all trades of a cycle have earned since the journal began, at the middle, less fees in base and quote",
)
REALISED = gauge(
    "mm_cycle_realised_profit_quote", LABELS, "quote units", "What a cycle's trades have realised at average cost, before fees"
)
UNREALISED = gauge(
    "mm_cycle_unrealised_profit_quote", LABELS, "quote units", "What a cycle's inventory has gained on its average cost, at the middle"
)
INVENTORY = gauge(
    "mm_cycle_inventory_base",
    LABELS,
    "base units",
    "What a cycle has bought and not sold (negative: sold and not bought), less fees in base",
)
INVENTORY_QUOTE = gauge("mm_cycle_inventory_quote", LABELS, "quote units", "What a cycle's inventory is worth at the middle")
DRAWDOWN = gauge(
    "mm_cycle_drawdown_quote",
    LABELS,
    "quote units",
    "How much of its highest profit a cycle has lost again; only of one with a drawdown_max",
)
DRAWDOWN_MAX = gauge("mm_cycle_drawdown_limit_quote", LABELS, "quote units", "The drawdown_max of a cycle; absent without one")
ROUNDS = gauge("mm_cycle_rounds_completed", LABELS, "rounds", "Rounds that a cycle has completed in this run; 0 of one that quotes")
TICKS_SKIPPED = counter(
    "mm_cycle_ticks_skipped_total", LABELS, "ticks", "Ticks of a quoting cycle that were missed because something took too long"
)

METRICS = (PROFIT, REALISED, UNREALISED, INVENTORY, INVENTORY_QUOTE, DRAWDOWN, DRAWDOWN_MAX, ROUNDS, TICKS_SKIPPED)


def read_cycles(cycles: Mapping[str, CycleParts], accounts: Mapping[str, AccountParts], limits: RunLimits) -> Iterator[Family]:
    """How each cycle stands. What needs a price is absent while none was ever known."""
    labels = {name: (name, cycle.settings.account, str(cycle.settings.symbol)) for name, cycle in cycles.items()}
    tallies = {name: accounts[cycle.settings.account].ledger.tally(name, cycle.settings.symbol) for name, cycle in cycles.items()}
    found = {name: accounts[cycle.settings.account].limited.middle(cycle.settings.symbol) for name, cycle in cycles.items()}
    middles = {name: middle for name, middle in found.items() if middle is not None}
    drawdowns = {name: drawdown for name in cycles if (drawdown := limits.drawdown(name)) is not None}
    yield PROFIT.of((labels[name], tallies[name].profit(middle)) for name, middle in middles.items())
    yield REALISED.of((labels[name], tally.traded.realised) for name, tally in tallies.items())
    yield UNREALISED.of((labels[name], tallies[name].traded.unrealised(middle)) for name, middle in middles.items())
    yield INVENTORY.of((labels[name], tally.inventory) for name, tally in tallies.items())
    yield INVENTORY_QUOTE.of((labels[name], tallies[name].inventory * middle) for name, middle in middles.items())
    yield DRAWDOWN.of((labels[name], lost) for name, (lost, _) in drawdowns.items())
    yield DRAWDOWN_MAX.of((labels[name], most) for name, (_, most) in drawdowns.items())
    yield ROUNDS.of((labels[name], cycle.memory.rounds_completed) for name, cycle in cycles.items())
    yield TICKS_SKIPPED.of((labels[name], 0 if cycle.quoting is None else cycle.quoting.ticks_skipped) for name, cycle in cycles.items())
