"""What all strategies that quote both sides let the user say: amounts, levels, patience, inventory, bands, fees."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from actors.cycle.quoting.contract import Tolerance
from actors.cycle.quoting.strategies.pricing import PriceSource
from orders.order import ZERO

ONE = Decimal(1)


class TwoSidedParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The parameters that `quoting` and `avellaneda_stoikov` share. Fractions are of a price: 0.001 is a tenth of a percent.

    Price. `price_source`: what is quoted around ("mid", "micro_price", "last_trade", "reference_mid", "reference_micro_price").
    `maker_fee_fraction`: what a fill of a resting order costs (0.001), counted in the spread; negative for a rebate.
    `spread_min_fraction`: what a round trip at the best bid and the best ask must leave after the fees of both (0.0005).
    `spread_max_fraction`: the widest spread between them (0.02), unless to stay out of the market takes more.
    `order_optimisation`: rather than ahead of everybody by more, quote one tick ahead of what others have.
    `optimisation_depth_quote`: others' orders are overlooked until they add up to more than that, quote units (500).

    Amounts. `order_amount_base`: the first level's amount in base units (0.01); without it, the cycle's `quantity` in quote
    units. `levels`: orders a side (5). `level_spacing_fraction`: from one level to the next (0.001). `level_spacing_growth`:
    each further spacing is so many times the one before (1.5). `level_amount_growth`: the same of amounts (1.2).

    Patience. `refresh_seconds`: an order stays where it is at least so long (5), unless it gets into the market's way.
    `refresh_tolerance_fraction`: nor is it moved for less than that (0.0002). `quantity_tolerance_fraction`: nor replaced while
    what is left of it differs by less from what is wanted (0.1). `filled_order_delay_seconds`: so long after a fill its side
    gets no new order (5). `ping_pong`: after a buy only sells, after a sell only buys. `hanging_orders_max`: so many orders a
    side stay beside the new ones when the other side was filled, until they are filled too (2); 0: none.
    `hanging_distance_max_fraction`: or until they are further from the reference price than that (0.05).

    Inventory, counted by the cycle's own trades in base units. `inventory_target_base`: where it should be (0).
    `inventory_max_base`: how far it may be from there if everything that is wanted is filled (0.5); without it,
    `inventory_max_orders` times the first level's amount (10). `inventory_size_skew`: sizes of the side that leads further away shrink
    to 1 less this at the maximum (1: to nothing). `inventory_level_skew`: the same of its number of levels (0: they stay).

    Bands. `price_ceiling`: nothing is bought above it (70000). `price_floor`: nothing is sold under it (50000).
    `moving_band_fraction`: the same, so far from the mean price (0.02) of the last `moving_band_seconds` (600).
    """

    price_source: PriceSource = PriceSource.MID
    maker_fee_fraction: Decimal = Decimal("0.001")
    spread_min_fraction: Decimal = Decimal("0.0005")
    spread_max_fraction: Decimal = Decimal("0.02")
    order_optimisation: bool = False
    optimisation_depth_quote: Decimal = ZERO

    order_amount_base: Decimal | None = None
    levels: int = 1
    level_spacing_fraction: Decimal = Decimal("0.001")
    level_spacing_growth: Decimal = ONE
    level_amount_growth: Decimal = ONE

    refresh_seconds: float = 5.0
    refresh_tolerance_fraction: Decimal = Decimal("0.0002")
    quantity_tolerance_fraction: Decimal = Decimal("0.1")
    filled_order_delay_seconds: float = 2.0
    ping_pong: bool = False
    hanging_orders_max: int = 0
    hanging_distance_max_fraction: Decimal = Decimal("0.05")

    inventory_target_base: Decimal = ZERO
    inventory_max_base: Decimal | None = None
    inventory_max_orders: Decimal = Decimal(10)
    inventory_size_skew: Decimal = ONE
    inventory_level_skew: Decimal = ZERO

    price_ceiling: Decimal | None = None
    price_floor: Decimal | None = None
    moving_band_fraction: Decimal | None = None
    moving_band_seconds: float = 600.0

    def __post_init__(self) -> None:
        if not -ONE < self.maker_fee_fraction < ONE:
            raise ValueError("maker_fee_fraction is between -1 and 1: 0.001 is a tenth of a percent")
        if not 1 <= self.levels <= 100:
            raise ValueError("levels is 1 to 100")
        if not (0 < self.level_spacing_growth <= 10 and 0 < self.level_amount_growth <= 10):
            raise ValueError("level_spacing_growth and level_amount_growth are factors above 0, at most 10")
        self._check_above_zero("order_amount_base", "spread_max_fraction")
        self._check_above_zero("inventory_max_base", "inventory_max_orders", "price_ceiling", "price_floor", "moving_band_seconds")
        self._check_zero_or_more("optimisation_depth_quote", "level_spacing_fraction", "refresh_seconds", "refresh_tolerance_fraction")
        self._check_zero_or_more("quantity_tolerance_fraction", "filled_order_delay_seconds", "hanging_orders_max")
        self._check_below_one(
            "spread_min_fraction", "level_spacing_fraction", "refresh_tolerance_fraction", "hanging_distance_max_fraction"
        )
        self._check_below_one("moving_band_fraction", "quantity_tolerance_fraction")
        for name in ("inventory_size_skew", "inventory_level_skew"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is 0 to 1")
        if self.spread_min_fraction + 2 * self.maker_fee_fraction <= 0:
            raise ValueError("spread_min_fraction and twice maker_fee_fraction must be above 0 together, or a bid could meet an ask")
        if self.spread_max_fraction < self.spread_needed_fraction:
            raise ValueError(
                f"spread_max_fraction is {self.spread_max_fraction:f}, narrower than the fees of both sides and spread_min_fraction "
                f"make it: {self.spread_needed_fraction:.6f}"
            )
        if self.refresh_tolerance_fraction >= self.spread_needed_fraction / 2:
            most = f"{self.spread_needed_fraction / 2:.6f}"
            raise ValueError(
                f"refresh_tolerance_fraction is {self.refresh_tolerance_fraction:f}; expected less than {most}, half of what "
                "spread_min_fraction and the fees of both sides make"
            )
        if self.price_ceiling is not None and self.price_floor is not None and self.price_floor >= self.price_ceiling:
            raise ValueError("price_floor must be under price_ceiling")

    @property
    def spread_needed_fraction(self) -> Decimal:
        """The narrowest spread that leaves `spread_min_fraction` after fees, wherever between its sides the price is."""
        return (2 * self.maker_fee_fraction + self.spread_min_fraction) / (ONE - abs(self.maker_fee_fraction))

    @property
    def needs_reference(self) -> bool:
        """Whether nothing can be quoted without the book of another market."""
        return self.price_source in (PriceSource.REFERENCE_MID, PriceSource.REFERENCE_MICRO_PRICE)

    @property
    def tolerance(self) -> Tolerance:
        return Tolerance(price_fraction=self.refresh_tolerance_fraction, quantity_fraction=self.quantity_tolerance_fraction)

    @property
    def band_history_seconds(self) -> float:
        """How far back the moving band looks."""
        return self.moving_band_seconds if self.moving_band_fraction is not None else 0.0

    def _check_above_zero(self, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"{name} is above 0")

    def _check_zero_or_more(self, *names: str) -> None:
        for name in names:
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is 0 or more")

    def _check_below_one(self, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            if value is not None and not 0 <= value < 1:
                raise ValueError(f"{name} is a fraction from 0 to below 1: 0.001 is a tenth of a percent")
