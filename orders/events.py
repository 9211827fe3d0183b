"""What happened in an account: frozen facts in the past tense.

`OrderChanged`, `BalanceChanged`, `AccountReady` and `AccountLost` go to the owners' inboxes, where only the newest per
key counts (an `Order` is whole in itself). The others are for people and the journal, where every one counts.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from market.symbol import Symbol
from orders.life_cycle import OrderInput
from orders.order import Order
from orders.reports import FillReport, FundingReport, OrderReport, PositionReport


class OrderChanged(msgspec.Struct, frozen=True):
    """An order of ours is now so."""

    account: str
    order: Order


class BalanceChanged(msgspec.Struct, frozen=True):
    """An asset's balance, as the exchange told it."""

    account: str
    asset: str
    total: Decimal
    available: Decimal


class PositionChanged(msgspec.Struct, frozen=True):
    """A position, as the exchange told it."""

    account: str
    position: PositionReport


class PositionCounted(msgspec.Struct, frozen=True):
    """What the account's position in a contract is by all that we know to have traded, whosever: told to owners with each change.

    That is by all known fills, and by what orders are said to have filled beyond them.
    """

    account: str
    symbol: Symbol
    quantity: Decimal


class FundingPaid(msgspec.Struct, frozen=True):
    """A funding payment for a position, told once."""

    account: str
    funding: FundingReport


class PositionDiffers(msgspec.Struct, frozen=True):
    """The exchange's position is not what the fills we know add up to; from now on we reckon with the exchange's."""

    account: str
    symbol: Symbol
    ours: Decimal
    theirs: Decimal


class BalanceBaselined(msgspec.Struct, frozen=True):
    """What is held of an asset less what all known fills and payments did to it, from which later looks are told apart.

    `unexplained` is how much of it was named as a difference since the journal began. For the journal alone.
    """

    account: str
    asset: str
    constant: Decimal
    unexplained: Decimal


class CountingBegan(msgspec.Struct, frozen=True):
    """Every trade in a symbol from this time of the exchange on is counted, whosever. For the journal alone."""

    account: str
    symbol: Symbol
    since_milliseconds: int


class BalanceDiffers(msgspec.Struct, frozen=True, kw_only=True):
    """More (or, if negative, less) is held of an asset than fills and payments explain; told once, and reckoned with from now on.

    `expected` and `actual` are totals; of a contract's base asset they are positions. `since_milliseconds` is the exchange's
    time of the look at which it was seen first.
    """

    account: str
    asset: str
    expected: Decimal
    actual: Decimal
    difference: Decimal
    since_milliseconds: int


class AccountReady(msgspec.Struct, frozen=True):
    """Orders, fills and balances agree with the exchange; commands are carried out."""

    account: str


class AccountLost(msgspec.Struct, frozen=True):
    """The account's view may be out of date (stream lost, actor gone) until the next `AccountReady`."""

    account: str
    reason: str


class OrderSubmitted(msgspec.Struct, frozen=True):
    """An intent was written down; the placement leaves next."""

    account: str
    order: Order


class OrderPlaced(msgspec.Struct, frozen=True):
    """The exchange has the order: its own id is known."""

    account: str
    order: Order


class OrderFilled(msgspec.Struct, frozen=True):
    """One trade of one order, told once."""

    account: str
    order: Order
    fill: FillReport


class OrderCancelRequested(msgspec.Struct, frozen=True):
    """A cancellation is on its way."""

    account: str
    order: Order


class OrderFateUnknown(msgspec.Struct, frozen=True):
    """The answer to a placement or cancellation was lost; the exchange is being asked."""

    account: str
    order: Order


class OrderEnded(msgspec.Struct, frozen=True):
    """The order is filled, cancelled, expired or rejected, by the exchange's word (or never left this machine)."""

    account: str
    order: Order


class ImpossibleTransition(msgspec.Struct, frozen=True):
    """Something was said of an order that cannot be; nothing was changed."""

    account: str
    order: Order
    happened: OrderInput


class ForeignOrderSeen(msgspec.Struct, frozen=True):
    """An order on this account that is not of this installation: reported, never touched."""

    account: str
    report: OrderReport


class LeftoverOrderFound(msgspec.Struct, frozen=True):
    """An open order of this installation from an earlier run: taken into the ledger, so that it is cancelled."""

    account: str
    order: Order


class ForeignFillSeen(msgspec.Struct, frozen=True):
    """A trade on this account of an order that is not of this installation."""

    account: str
    fill: FillReport


LedgerEvent = (
    OrderChanged
    | BalanceChanged
    | PositionChanged
    | PositionDiffers
    | FundingPaid
    | OrderSubmitted
    | OrderPlaced
    | OrderFilled
    | OrderCancelRequested
    | OrderFateUnknown
    | OrderEnded
    | ImpossibleTransition
    | ForeignOrderSeen
    | LeftoverOrderFound
    | ForeignFillSeen
)
