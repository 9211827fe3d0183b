"""What an exchange says about an account, in neutral words: codecs make these, the ledger takes them in.

Reports may arrive late, twice and out of order across streams; each is complete in itself and says nothing that
depends on the one before it.
"""

from __future__ import annotations

import enum
from decimal import Decimal

import msgspec

from market.events import Side
from market.symbol import Symbol


class ReportedStatus(enum.Enum):
    """An order's status by the exchange's word."""

    OPEN = "open"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"


class OrderReport(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the exchange sees it. Filled figures are cumulative, in base and in quote units.

    `client_order_id` is ours without the exchange's own prefix, or None for an order placed by somebody else.
    """

    exchange_order_id: str
    client_order_id: str | None
    symbol: Symbol
    side: Side
    status: ReportedStatus
    filled_quantity: Decimal
    filled_quote: Decimal
    price: Decimal | None = None
    quantity: Decimal | None = None
    reason: str = ""
    exchange_time_milliseconds: int = 0


class FillReport(msgspec.Struct, frozen=True, kw_only=True):
    """One trade of ours. `fee` is positive when paid and negative when rebated, in `fee_asset`."""

    trade_id: str
    exchange_order_id: str
    client_order_id: str | None
    symbol: Symbol
    side: Side
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    maker: bool
    exchange_time_milliseconds: int = 0


class BalanceReport(msgspec.Struct, frozen=True, kw_only=True):
    """One asset's balance: total = available + held by open orders."""

    asset: str
    total: Decimal
    available: Decimal
    exchange_time_milliseconds: int = 0


class StreamConfirmed(msgspec.Struct, frozen=True):
    """The private stream accepted a subscription to `channel`."""

    channel: str


class StreamRefused(msgspec.Struct, frozen=True):
    """The private stream refused a subscription or a login."""

    channel: str
    code: str
    message: str


class StreamPong(msgspec.Struct, frozen=True):
    """An answer to an application-level ping."""


class StreamClosing(msgspec.Struct, frozen=True):
    """The exchange announces that it will close this connection."""

    reason: str


class StreamReply(msgspec.Struct, frozen=True):
    """What is to be sent back on the same connection."""

    frame: str | bytes


PrivateReport = OrderReport | FillReport | BalanceReport | StreamConfirmed | StreamRefused | StreamPong | StreamReply | StreamClosing
