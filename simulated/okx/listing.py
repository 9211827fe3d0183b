"""An instrument as OKX lists it."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from market.exact import EXACT
from simulated.numbers import plain


class Listing(msgspec.Struct, frozen=True):
    """How an instrument is called and counted on the wire.

    Sizes are in `unit`s of the base asset: 1 for spot, what a contract is worth for a swap. `code` is what order operations
    over the websocket call the instrument.
    """

    type: str
    name: str
    code: int
    unit: Decimal
    is_contract: bool

    def size(self, quantity: Decimal) -> str:
        """Base units as the wire has them."""
        return plain(EXACT.divide(quantity, self.unit))

    def quantity(self, size: Decimal) -> Decimal:
        """The base units that a size on the wire means."""
        return EXACT.multiply(size, self.unit)

    def volumes(self, base: Decimal, quote: Decimal) -> list[str]:
        """Traded amounts: as sizes, and in the currency that counts: the base asset of a contract, the quote asset of a pair."""
        return [self.size(base), plain(base if self.is_contract else quote)]
