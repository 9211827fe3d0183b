"""What may be traded, and the arithmetic of its prices and quantities.

Instruments and books are the public facts that cross into the private domain. Prices and quantities are `Decimal`
throughout: what is meant is exactly what goes on the wire.
"""

from __future__ import annotations

import enum
from decimal import Decimal

import msgspec

from market.exact import EXACT
from market.symbol import Symbol


class TradingStatus(enum.Enum):
    """Which sides of an instrument the exchange accepts now."""

    TRADABLE = "tradable"
    BUY_ONLY = "buy_only"
    SELL_ONLY = "sell_only"
    CLOSED = "closed"


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of one market on one exchange. Quantities are in base units, notionals in quote units, also of contracts.

    `None` for a maximum means that the exchange states none. `contract_size` is what one contract is worth in base units,
    None where what is traded is the base asset itself; only codecs, who write contracts on the wire, reckon with it.
    """

    exchange: str
    symbol: Symbol
    price_tick: Decimal
    quantity_step: Decimal
    quantity_min: Decimal
    notional_min: Decimal
    quantity_max: Decimal | None = None
    notional_max: Decimal | None = None
    contract_size: Decimal | None = None
    leverage_max: Decimal | None = None
    status: TradingStatus = TradingStatus.TRADABLE

    @property
    def is_contract(self) -> bool:
        """Whether trades make a position that is settled in the quote asset, rather than an exchange of two assets."""
        return self.contract_size is not None

    def round_price_down(self, price: Decimal) -> Decimal:
        """The highest price on a tick at or below `price`."""
        return _round_down(price, self.price_tick)

    def round_price_up(self, price: Decimal) -> Decimal:
        """The lowest price on a tick at or above `price`."""
        return _round_up(price, self.price_tick)

    def round_quantity_down(self, quantity: Decimal) -> Decimal:
        """The largest tradable quantity at or below `quantity`; may be zero."""
        return _round_down(quantity, self.quantity_step)

    def round_quantity_up(self, quantity: Decimal) -> Decimal:
        """The smallest quantity on a step at or above `quantity`."""
        return _round_up(quantity, self.quantity_step)


def _round_down(value: Decimal, step: Decimal) -> Decimal:
    # No division that rounds: its 28 digits could lift a value over the next step. The product of a whole number keeps the step's
    # exponent, so that it prints with the exchange's own number of decimals.
    steps, beyond = EXACT.divmod(value, step)
    if beyond < 0:
        steps = EXACT.subtract(steps, Decimal(1))
    return EXACT.multiply(steps, step)


def _round_up(value: Decimal, step: Decimal) -> Decimal:
    rounded = _round_down(value, step)
    return rounded if rounded == value else EXACT.add(rounded, step)


def format_decimal(value: Decimal) -> str:
    """Plain notation without an exponent, as exchanges want numbers on the wire: never ``1E+2`` nor ``0E-8``."""
    return format(value, "f")


def decimal_from_book(value: float) -> Decimal:
    """The decimal that the exchange wrote, from the book's float.

    A float of at most 15 significant digits round-trips through its repr, so this is exact for every price an
    exchange sends. Never use it on the result of float arithmetic.
    """
    return Decimal(repr(value))
