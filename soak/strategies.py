"""How the cycles of a world are drawn: which strategy, with which parameters and limits, how often it looks, what it is shown."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec.structs import replace

from actors.accounts.limits import OnDailyLoss
from actors.cycle.quoting.strategies.avellaneda_stoikov import AvellanedaStoikovParameters, Model
from actors.cycle.quoting.strategies.parameters import TwoSidedParameters
from actors.cycle.quoting.strategies.pricing import PriceSource
from actors.cycle.quoting.strategies.simple import QuotingParameters
from actors.cycle.rounds.sell_on_top import SellOnTopParameters
from assembly.registry import STRATEGIES
from assembly.settings import CycleLimitSettings, CycleSettings
from assembly.strategies import StrategyKind
from soak.worlds.place import Place

QUOTE_QUANTITIES = (50, 100, 400)
QUOTING_QUOTE_QUANTITIES = (50, 100)
OWN_PRICE_SOURCES = (PriceSource.MID, PriceSource.MICRO_PRICE, PriceSource.LAST_TRADE)
REFERENCE_PRICE_SOURCES = (PriceSource.REFERENCE_MID, PriceSource.REFERENCE_MICRO_PRICE)
# Prices of simulated markets are never below half of what they begin with: limits in base units are drawn by that.
PRICES_AT_FIRST = MappingProxyType({"BTC": Decimal(60_000), "ETH": Decimal(3_000)})
DRAWDOWN_MAX = Decimal(10_000)  # there, and never reached
# Some that fees alone come to within minutes, and some that take a market which moves against what is held.
DRAWDOWNS_MAX = (*(None,) * 7, Decimal("0.3"), Decimal(1), Decimal(5))


class Cycle(msgspec.Struct, frozen=True, kw_only=True):
    """One cycle of the program. What follows `quote_quantity` is only of those that quote."""

    place: Place
    strategy: str
    parameters: Any
    quote_quantity: Decimal
    tick_seconds: float = 1.0
    limits: CycleLimitSettings = CycleLimitSettings()
    reference_exchange: str | None = None
    react_to_move_fraction: Decimal | None = None
    react_to_fills: bool | None = None

    def __str__(self) -> str:
        limits = ", ".join(f"{name} {value}" for name, value in msgspec.structs.asdict(self.limits).items() if isinstance(value, Decimal))
        chosen = {
            name: value
            for name, value in msgspec.structs.asdict(self.parameters).items()
            if value != getattr(type(self.parameters)(), name)
        }
        parameters = ", ".join(f"{name} {getattr(value, 'value', value)}" for name, value in chosen.items())
        reference = f", shown {self.reference_exchange}" if self.reference_exchange else ""
        limits += f" {self.limits.on_drawdown.value}" if self.limits.drawdown_max is not None else ""
        of_quoting = f", every {self.tick_seconds:g} s{reference}; limits: {limits or 'none'}; {parameters}" if self.quotes else ""
        return f"{self.place.cycle} ({self.strategy}, {self.quote_quantity} in {self.place.symbol} at {self.place.exchange}{of_quoting})"

    @property
    def quotes(self) -> bool:
        """Whether it quotes without end, instead of trading in rounds."""
        return STRATEGIES[self.strategy].kind is StrategyKind.QUOTING

    @property
    def notional_max(self) -> Decimal:
        """What it may hold, or owe, at most, in quote units."""
        return self.quote_quantity * (self.parameters.inventory_max_orders if self.quotes else 1)

    def settings(self, *, account: str, rounds: int) -> CycleSettings:
        return CycleSettings(
            strategy=self.strategy,
            account=account,
            symbol=self.place.symbol,
            quantity=self.quote_quantity,
            cycles=0 if self.quotes else rounds,
            tick_seconds=self.tick_seconds,
            limits=self.limits,
            parameters=self.parameters,
            reference_exchange=self.reference_exchange,
            react_to_move_fraction=self.react_to_move_fraction,
            react_to_fills=self.react_to_fills,
        )


def _sell_on_top(rng: random.Random, *, has_reference: bool) -> SellOnTopParameters:
    return SellOnTopParameters(
        reprice_interval_seconds=rng.choice((0.0, 0.2, 1.0, 5.0)),
        retry_seconds=rng.choice((0.2, 1.0)),
        price_offset_ticks=rng.choice((0, 1, 1, 5)),
    )


def _two_sided(rng: random.Random, *, has_reference: bool) -> dict[str, Any]:
    """What strategies that quote both sides have in common."""
    return {
        "price_source": rng.choice(REFERENCE_PRICE_SOURCES if has_reference else OWN_PRICE_SOURCES),
        "maker_fee_fraction": rng.choice((Decimal(0), Decimal("0.0002"))),
        "spread_min_fraction": rng.choice((Decimal("0.0005"), Decimal("0.001"))),
        "order_optimisation": rng.random() < 0.3,
        "optimisation_depth_quote": rng.choice((Decimal(0), Decimal(500))),
        "levels": rng.choice((1, 2, 3, 5)),
        "level_spacing_fraction": rng.choice((Decimal(0), Decimal("0.0002"), Decimal("0.001"))),
        "level_spacing_growth": rng.choice((Decimal(1), Decimal("1.5"))),
        "level_amount_growth": rng.choice((Decimal(1), Decimal("1.2"))),
        "refresh_seconds": rng.choice((0.0, 1.0, 5.0)),
        "refresh_tolerance_fraction": rng.choice((Decimal(0), Decimal("0.0002"))),
        "quantity_tolerance_fraction": rng.choice((Decimal(0), Decimal("0.1"))),
        "filled_order_delay_seconds": rng.choice((0.0, 0.5, 5.0)),
        "ping_pong": rng.random() < 0.2,
        "hanging_orders_max": rng.choice((0, 0, 2)),
        "inventory_max_orders": rng.choice((Decimal(2), Decimal(5), Decimal(10))),
        "inventory_size_skew": rng.choice((Decimal(0), Decimal("0.5"), Decimal(1))),
        "inventory_level_skew": rng.choice((Decimal(0), Decimal(1))),
        "moving_band_fraction": rng.choice((None, None, None, Decimal("0.01"))),
        "moving_band_seconds": 120.0,
    }


def _quoting(rng: random.Random, *, has_reference: bool) -> QuotingParameters:
    return QuotingParameters(
        **_two_sided(rng, has_reference=has_reference),
        bid_spread_fraction=rng.choice((Decimal("0.0002"), Decimal("0.001"), Decimal("0.002"))),
        ask_spread_fraction=rng.choice((Decimal("0.0002"), Decimal("0.001"), Decimal("0.002"))),
        inventory_price_skew=rng.choice((Decimal(0), Decimal("0.5"), Decimal(1))),
    )


def _avellaneda_stoikov(rng: random.Random, *, has_reference: bool) -> AvellanedaStoikovParameters:
    estimates_intensity = rng.random() < 0.5
    return AvellanedaStoikovParameters(
        **_two_sided(rng, has_reference=has_reference),
        model=rng.choice(tuple(Model)),
        horizon_seconds=rng.choice((60.0, 600.0)),
        risk_aversion=rng.choice((0.2, 1.0)),
        gamma=rng.choice((None, None, 30.0)),
        estimate_seconds=rng.choice((60.0, 600.0)),
        warm_up_seconds=rng.choice((2.0, 20.0)),
        volatility_per_sqrt_second=rng.choice((None, None, 0.0001)),
        intensity_decay=None if estimates_intensity else 2_000.0,
        intensity_arrivals_per_second=None if estimates_intensity else 0.5,
    )


STRATEGY_PARAMETERS: MappingProxyType[str, Callable[..., Any]] = MappingProxyType(
    {"sell_on_top": _sell_on_top, "quoting": _quoting, "avellaneda_stoikov": _avellaneda_stoikov}
)
"""How each registered strategy's parameters are drawn."""


def draw_quoting_cycle(rng: random.Random, place: Place, exchanges: Sequence[str]) -> Cycle:
    """A cycle that quotes, and is perhaps shown the same symbol on another of these exchanges."""
    others = [name for name in exchanges if name != place.exchange]
    reference = rng.choice(others) if others and rng.random() < 0.5 else None
    strategy = rng.choice(sorted(name for name in STRATEGY_PARAMETERS if STRATEGIES[name].kind is StrategyKind.QUOTING))
    parameters: TwoSidedParameters = STRATEGY_PARAMETERS[strategy](rng, has_reference=reference is not None)
    quote_quantity = Decimal(rng.choice(QUOTING_QUOTE_QUANTITIES))
    return Cycle(
        place=place,
        strategy=strategy,
        parameters=parameters,
        quote_quantity=quote_quantity,
        tick_seconds=rng.choice((0.2, 0.5, 1.0, 2.0)),
        limits=_draw_limits(rng, quote_quantity * parameters.inventory_max_orders / PRICES_AT_FIRST[place.symbol.base]),
        reference_exchange=reference,
        react_to_move_fraction=rng.choice((None, None, Decimal(0), Decimal("0.0001"))),
        react_to_fills=rng.choice((None, None, False)),
    )


def _draw_limits(rng: random.Random, base_max: Decimal) -> CycleLimitSettings:
    """Limits of which some are reached before the inventory is at its maximum."""

    def draw() -> Decimal | None:
        share = rng.choice((None, None, Decimal("0.4"), Decimal("0.8")))
        return None if share is None else round(base_max * share, 6)

    return CycleLimitSettings(
        net_buy_max=draw(), net_sell_max=draw(), inventory_max=draw(), drawdown_max=rng.choice((None, None, DRAWDOWN_MAX))
    )


def with_drawdown(rng: random.Random, cycle: Cycle) -> Cycle:
    """The cycle, perhaps with a drawdown that it may come to."""
    most, action = rng.choice(DRAWDOWNS_MAX), rng.choice(tuple(OnDailyLoss))
    return cycle if most is None else replace(cycle, limits=replace(cycle.limits, drawdown_max=most, on_drawdown=action))


def draw_cycle_of_rounds(rng: random.Random, place: Place) -> Cycle:
    parameters = _sell_on_top(rng, has_reference=False)
    return Cycle(place=place, strategy="sell_on_top", parameters=parameters, quote_quantity=Decimal(rng.choice(QUOTE_QUANTITIES)))
