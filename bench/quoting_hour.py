"""An hour of virtual time of quoting five levels a side in each market regime: what was traded, earned and held, and whether all held.

    python bench/quoting_hour.py [--exchange gateio_spot] [--seconds 3600] [--regimes calm,thin] [--folder quoting_hour]

The whole program runs in a world of the simulator without faults, under all of its checks (docs/simulation.md): limits, ledger, tally,
money and request budgets must agree with the exchange's own state. Leaves one picture of each regime in the folder. Fails if anything was
wrong.
"""

from __future__ import annotations

import argparse
from decimal import Decimal
from pathlib import Path

from harness import print_machine, print_table

from orders.order import ZERO
from soak.charts import Panel, chart
from soak.options import REGIMES
from soak.outcome import Verdict
from soak.regimes import INVENTORY_MAX, LEVELS, ORDER_QUOTE, Hour, run_regime

HEADER = (
    "regime", "fills", "volume", "fees", "profit", "spread captured", "largest inventory", "uptime", "orders", "requests a minute", "wrong"
)  # fmt: skip


def picture(hour: Hour, exchange: str) -> str:
    title = f"{hour.regime} at {exchange}: {LEVELS} levels a side of {ORDER_QUOTE} USDT, {hour.seconds / 60:g} minutes"
    limit = float(INVENTORY_MAX)
    return chart(
        title,
        [
            Panel(title="middle of the book, USDT above the first", points=_from_first(hour), colour="#888888"),
            Panel(title="profit after fees, USDT", points=[(each.at, float(each.profit)) for each in hour.samples], colour="#228844"),
            Panel(
                title="inventory, BTC, and its limit",
                points=[(each.at, float(each.inventory)) for each in hour.samples],
                limits=(-limit, limit),
            ),
        ],
    )


def _from_first(hour: Hour) -> list[tuple[float, float]]:
    return [(each.at, float(each.mid - hour.samples[0].mid)) for each in hour.samples]


def row(hour: Hour) -> list[str]:
    risk = hour.risk
    assert risk is not None
    return [
        hour.regime,
        str(risk.trades),
        f"{risk.volume:.0f}",
        f"{risk.fees or ZERO:.2f}",
        f"{risk.profit or ZERO:+.2f}",
        f"{risk.spread_captured:.2f}",
        f"{hour.inventory_max.normalize():f} ({hour.inventory_max / INVENTORY_MAX:.0%})",
        f"{risk.uptime or 0.0:.1%}",
        str(hour.orders),
        f"{Decimal(hour.requests) * 60 / Decimal(hour.seconds):.0f}",
        "nothing" if hour.outcome.verdict is Verdict.FINE else hour.outcome.verdict.value,
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exchange", default="gateio_spot")
    parser.add_argument("--seconds", type=float, default=3600.0, help="virtual seconds (default: 3600)")
    parser.add_argument("--regimes", default=",".join(REGIMES))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("quoting_hour"))
    arguments = parser.parse_args()
    print_machine()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    hours: list[Hour] = []
    for regime in arguments.regimes.split(","):
        hour = run_regime(regime, exchange=arguments.exchange, seed=arguments.seed, seconds=arguments.seconds)
        hours.append(hour)
        (arguments.folder / f"{regime}.svg").write_text(picture(hour, arguments.exchange))
        print("  ".join(row(hour)), f"  {hour.outcome.real_seconds:.0f} s", hour.outcome.told, flush=True)
    print()
    print_table(HEADER, [row(hour) for hour in hours])
    if any(hour.outcome.verdict is not Verdict.FINE or hour.inventory_max > INVENTORY_MAX for hour in hours):
        raise SystemExit("something was wrong: see above")


if __name__ == "__main__":
    main()
