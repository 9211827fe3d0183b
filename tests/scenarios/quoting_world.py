"""The program with a quoting cycle in a scenario's world, and what must be so of its orders at every event, by the exchange's word."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from msgspec.structs import replace
from world import BTC_USDT, World

from actors.cycle.quoting.strategies.simple import QuotingParameters
from assembly.settings import CycleSettings, LimitSettings, Settings
from market.events import Side
from simulated.engine.order import Order
from simulated.settings import MarketSettings, SimulationSettings

LEVELS = 5
# Wide enough that makers and takers of the market rarely get there, five orders a side, none held back.
FIVE_LEVELS = QuotingParameters(
    bid_spread_fraction=Decimal("0.002"),
    ask_spread_fraction=Decimal("0.002"),
    spread_min_fraction=Decimal("0.001"),
    maker_fee_fraction=Decimal(0),
    levels=LEVELS,
    level_spacing_fraction=Decimal("0.0005"),
    refresh_seconds=0.0,
    refresh_tolerance_fraction=Decimal("0.0002"),
    filled_order_delay_seconds=0.0,
    inventory_max_orders=Decimal(1000),
)
# Quoting inside the touch of a market whose makers stand further away, so that takers come to us.
STILL = SimulationSettings(markets=(MarketSettings(taker_rate_per_second=0.0, gap_rate_per_second=0.0, volatility_per_second=0.0),))


def quoting_settings(
    world: World,
    *,
    parameters: Any = FIVE_LEVELS,
    strategy: str = "quoting",
    quantity: str = "50",
    tick_seconds: float = 1.0,
    account_limits: LimitSettings | None = None,
    **cycle: Any,
) -> Settings:
    """The settings of a program whose one cycle quotes on this world's exchange."""
    leverage = Decimal(5) if world.venue.trades_contracts else None
    settings = world.settings(leverage=leverage, limits=account_limits)
    quoting = CycleSettings(
        strategy=strategy,
        account="main",
        symbol=BTC_USDT,
        quantity=Decimal(quantity),
        cycles=0,
        tick_seconds=tick_seconds,
        parameters=parameters,
        **cycle,
    )
    return replace(settings, cycles={"btc": quoting})


def quotes(world: World, side: Side | None = None) -> list[Order]:
    """Our open orders at the exchange, whatever the program thinks."""
    return [order for order in world.venue.open_orders() if side in (None, order.side)]


def watch_quotes(world: World, *, levels: int = LEVELS) -> None:
    """From now on, at every event of the program: never more orders on a side than wanted, and none that would trade with our own."""

    def look(_: object) -> None:
        bids, asks = ([order.price for order in quotes(world, side)] for side in Side)
        assert len(bids) <= levels, f"{len(bids)} bids"
        assert len(asks) <= levels, f"{len(asks)} asks"
        assert not bids or not asks or max(bids) < min(asks), f"bids {bids} and asks {asks} of our own cross"

    world.observers.append(look)


async def all_quotes(world: World, *, levels: int = LEVELS, within_seconds: float = 30.0) -> None:
    """Wait until every level of both sides rests."""
    await world.wait_until(
        lambda: len(quotes(world, Side.BUY)) == levels and len(quotes(world, Side.SELL)) == levels, within_seconds=within_seconds
    )
