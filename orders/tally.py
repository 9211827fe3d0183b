"""What all trades of one owner in one symbol add up to: inventory, average price, realised profit, fees, volume. Pure."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from msgspec.structs import replace

from market.events import Side
from market.exact import EXACT, exact_product
from market.symbol import Symbol
from orders.positions import PositionAccount
from orders.reports import FillReport

ZERO = Decimal(0)


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """The running account of one owner in one symbol, each trade counted once, since the journal began.

    Quantities are in base units, amounts in quote units before fees, `fees` per asset and positive when paid. `traded` is the
    average-cost account of the trades alone; fees paid in base make `inventory` smaller, and are no part of `traded`.
    """

    traded: PositionAccount = PositionAccount()
    bought_quantity: Decimal = ZERO
    bought_quote: Decimal = ZERO
    sold_quantity: Decimal = ZERO
    sold_quote: Decimal = ZERO
    fees: dict[str, Decimal] = {}
    base_fees: Decimal = ZERO
    trades: int = 0
    maker_trades: int = 0

    @property
    def inventory(self) -> Decimal:
        """Base units bought and not sold (negative: sold and not bought), less fees that were paid in base."""
        return EXACT.subtract(self.traded.quantity, self.base_fees)

    @property
    def volume_quote(self) -> Decimal:
        """What was bought and sold, in quote units."""
        return EXACT.add(self.bought_quote, self.sold_quote)

    def profit(self, price: Decimal) -> Decimal:
        """What all of it has earned, with the inventory worth `price`, less the fees in base and quote: others are left out."""
        earned = EXACT.add(self.traded.realised, self.traded.unrealised(price))
        return EXACT.subtract(EXACT.subtract(earned, self.traded.fees), exact_product(self.base_fees, price))

    def after_fill(self, fill: FillReport) -> Tally:
        """With one more trade."""
        notional = exact_product(fill.quantity, fill.price)
        bought = fill.side is Side.BUY
        in_base = fill.fee_asset == fill.symbol.base
        return replace(
            self,
            traded=self.traded.after_fill(fill),
            bought_quantity=EXACT.add(self.bought_quantity, fill.quantity if bought else ZERO),
            bought_quote=EXACT.add(self.bought_quote, notional if bought else ZERO),
            sold_quantity=EXACT.add(self.sold_quantity, ZERO if bought else fill.quantity),
            sold_quote=EXACT.add(self.sold_quote, ZERO if bought else notional),
            fees=self.fees | {fill.fee_asset: EXACT.add(self.fees.get(fill.fee_asset, ZERO), fill.fee)},
            base_fees=EXACT.add(self.base_fees, fill.fee) if in_base else self.base_fees,
            trades=self.trades + 1,
            maker_trades=self.maker_trades + int(fill.maker),
        )


class TallyChanged(msgspec.Struct, frozen=True):
    """Told to an owner: what its trades in this symbol add up to, with each of them and when the account becomes ready."""

    account: str
    owner: str
    symbol: Symbol
    tally: Tally
