"""The grid in a market of its own: the whole program on a simulated exchange, in virtual time."""

from __future__ import annotations

from decimal import Decimal

from market.events import Side
from my_strategies.grid import Grid, GridParameters
from orders.reports import FillReport
from simulated.settings import MarketSettings, SimulationSettings
from soak.trial import try_strategy

# A market that goes up and down by a few tenths of a percent within minutes, around the price that it begins with.
LIVELY = SimulationSettings(markets=(MarketSettings(start_price=Decimal(60_000), volatility_per_second=0.0001),))
PARAMETERS = GridParameters(centre_price=Decimal(60_000), lines=4, spacing_fraction=Decimal("0.001"))


def test_grid_buys_low_sells_high_and_leaves_nothing_behind() -> None:
    trial = try_strategy(Grid, PARAMETERS, minutes=10, simulation=LIVELY)
    bought = [fill.price for fill in trial.fills if fill.side is Side.BUY]
    sold = [fill.price for fill in trial.fills if fill.side is Side.SELL]
    assert bought
    assert sold
    assert {*bought, *sold} <= {Decimal(60_000) + 60 * line for line in range(-4, 5)}, "only on its lines"
    assert trial.tally.maker_trades == trial.tally.trades
    assert trial.phases[0] == "keeping the grid"
    assert len(trial.risks) > 590, "it was asked every second"


def test_same_seed_gives_the_same_trades() -> None:
    def trades(seed: int) -> list[FillReport]:
        return list(try_strategy(Grid, PARAMETERS, minutes=2, simulation=LIVELY, seed=seed).fills)

    assert trades(3) == trades(3)
