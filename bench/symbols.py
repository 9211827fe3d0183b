"""Symbol look-ups per second, resolved before: the goal is under 1 µs each. Usage: bench/symbols.py"""

from __future__ import annotations

from timeit import repeat

from harness import print_machine, print_table

from exchanges.identity import ExchangeIdentity
from market.symbol import Symbol, parse_symbol

PAIRS = 2_000
ROUNDS = 100
TRIES = 7
GOAL_SECONDS = 1e-6


def main() -> None:
    """Measure and print; the best of several tries, so that other work on the machine counts little."""
    exchange = ExchangeIdentity("some_spot", separator="_")
    symbols = [Symbol(f"ASSET{number}", "USDT") for number in range(PAIRS)]
    wires = [exchange.to_wire(symbol) for symbol in symbols]
    fresh_symbols = [Symbol(symbol.base, symbol.quote) for symbol in symbols]  # equal, but not the same objects
    fresh_wires = ["_".join((symbol.base, symbol.quote)) for symbol in symbols]
    to_wire, from_wire = exchange.to_wire, exchange.from_wire

    def resolve_symbols() -> None:
        for symbol in fresh_symbols:
            to_wire(symbol)

    def resolve_wires() -> None:
        for wire in fresh_wires:
            from_wire(wire)

    def parse_typed() -> None:
        for wire in wires:
            parse_symbol(wire)

    print_machine()
    rows: list[list[str]] = []
    for name, run, has_goal in (
        ("symbol to the exchange's spelling, resolved before", resolve_symbols, True),
        ("exchange's spelling to symbol, resolved before", resolve_wires, True),
        ("spelling that a person typed, parsed anew", parse_typed, False),
    ):
        seconds = min(repeat(run, number=ROUNDS, repeat=TRIES)) / (ROUNDS * PAIRS)
        verdict = "" if not has_goal else "met" if seconds < GOAL_SECONDS else "MISSED"
        rows.append([name, f"{seconds * 1e9:.0f}", f"{1 / seconds:,.0f}", verdict])
    print_table(["look-up", "ns each", "per second", "goal of 1 µs"], rows)


if __name__ == "__main__":
    main()
