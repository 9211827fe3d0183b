"""How a cycle went, as the cycle tells it: started, phase, reconciled, finished. Frozen facts in the past tense.

Money is `Decimal` and exact: `CycleReconciled.agrees` compares to the last digit.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from market.symbol import Symbol

ZERO = Decimal(0)


class CycleReconciled(msgspec.Struct, frozen=True, kw_only=True):
    """One cycle, closed: what its fills say happened to each balance, against what the exchange says happened.

    `bought_quantity` and `sold_quantity` are in base units, `bought_quote` and `sold_quote` in quote units, all before
    fees. `fees` are per asset, positive when paid. `balances_before` and `balances_after` are totals (available plus
    held) fresh from the exchange; `actual_changes` is their difference and `expected_changes` what the fills and fees
    in between add up to; `unexplained` is what was named meanwhile as a difference that nothing explains (`BalanceDiffers`),
    which is the account's matter. `left_over_quantity` is the base that was bought and could not be sold (less than a step or a
    minimum). `profit_quote` is what the quote balance gained, fees and funding included, left-over base not counted.
    `funding` is what the account's position in this symbol was paid meanwhile (negative: it paid). `rounding` is how
    far the quote balance may be off: 0, but where a position in contracts is open before or after, whose average price the
    exchange rounds. Of contracts, the balance of a base asset is the position, and that of the quote asset is the wallet
    less what the open positions cost.
    Times are wall time, milliseconds since the epoch.
    """

    account: str
    cycle: str
    number: int
    symbol: Symbol
    bought_quantity: Decimal
    bought_quote: Decimal
    sold_quantity: Decimal
    sold_quote: Decimal
    fees: dict[str, Decimal]
    balances_before: dict[str, Decimal]
    balances_after: dict[str, Decimal]
    expected_changes: dict[str, Decimal]
    actual_changes: dict[str, Decimal]
    left_over_quantity: Decimal
    profit_quote: Decimal
    rounding: Decimal = ZERO
    funding: Decimal = ZERO
    unexplained: dict[str, Decimal] = {}
    started_at_milliseconds: int
    ended_at_milliseconds: int

    @property
    def agrees(self) -> bool:
        """Whether every asset changed by exactly what the fills and named differences say; one that is not named counts as 0."""
        allowed = {self.symbol.quote: self.rounding}
        return all(abs(difference) <= allowed.get(asset, ZERO) for asset, difference in self.differences().items())

    @property
    def assets(self) -> tuple[str, ...]:
        """Every asset that takes part: base and quote first, then others (a fee's asset) by name."""
        named = (self.expected_changes, self.actual_changes, self.balances_before, self.balances_after, self.fees)
        others = {asset for amounts in named for asset in amounts} - {self.symbol.base, self.symbol.quote}
        return (self.symbol.base, self.symbol.quote, *sorted(others))

    def differences(self) -> dict[str, Decimal]:
        """Per asset, how much more the balance changed than the fills and named differences; all zero when the cycle agrees."""
        return {
            asset: self.actual_changes.get(asset, ZERO) - self.expected_changes.get(asset, ZERO) - self.unexplained.get(asset, ZERO)
            for asset in self.assets
        }


class CycleStarted(msgspec.Struct, frozen=True, kw_only=True):
    """A cycle begins: balances and book are captured next. `quote_quantity` is what it will buy for, in quote units."""

    account: str
    cycle: str
    number: int
    symbol: Symbol
    quote_quantity: Decimal


class CyclePhaseChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A cycle is now in `phase`, in the strategy's own words ("buying", "selling", "reconciling", …)."""

    account: str
    cycle: str
    number: int
    phase: str


class CycleFinished(msgspec.Struct, frozen=True, kw_only=True):
    """The cycle actor is done: it ran as many cycles as were asked for, or cannot go on for `reason`."""

    account: str
    cycle: str
    cycles_completed: int
    reason: str = ""
