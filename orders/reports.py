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
from orders.errors import ExchangeError

CLOCK_ERROR_MILLISECONDS_MAX = 2_000  # of our idea of the exchange's time, over a slow line


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


class MarginMode(enum.Enum):
    """What stands behind a position: all of the account's settlement asset, or only what was set aside for it."""

    CROSS = "cross"
    ISOLATED = "isolated"


class PositionReport(msgspec.Struct, frozen=True, kw_only=True):
    """A position as the exchange sees it, in one-way mode.

    `quantity` is in base units, positive when long and negative when short; 0 says that there is none. Prices are None
    where the report does not state them (or, of an empty position, where they mean nothing), and so is `leverage`, the most
    that new orders may use. `unrealised_pnl` is in the settlement asset (the symbol's quote).
    """

    symbol: Symbol
    quantity: Decimal
    entry_price: Decimal | None = None
    mark_price: Decimal | None = None
    liquidation_price: Decimal | None = None
    leverage: Decimal | None = None
    margin_mode: MarginMode | None = None
    unrealised_pnl: Decimal | None = None
    exchange_time_milliseconds: int = 0


class FundingReport(msgspec.Struct, frozen=True, kw_only=True):
    """One funding payment: `amount` of `asset` was received (positive) or paid (negative) for a position in `symbol`.

    `payment_id` names it among those of its symbol.
    """

    payment_id: str
    symbol: Symbol
    amount: Decimal
    asset: str
    exchange_time_milliseconds: int = 0


class StreamAnswered(msgspec.Struct, frozen=True):
    """The answer to an order operation sent over the private stream under `request_id`.

    Either `error` is the refusal, or `body` is what REST would have answered to the same operation.
    """

    request_id: str
    body: bytes = b""
    error: ExchangeError | None = None


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


PrivateReport = (
    OrderReport
    | FillReport
    | BalanceReport
    | PositionReport
    | FundingReport
    | StreamAnswered
    | StreamConfirmed
    | StreamRefused
    | StreamPong
    | StreamReply
    | StreamClosing
)


def latest_milliseconds(told_milliseconds: int, now_milliseconds: int | None) -> int:
    """What later news must not be older than, by the time of the last: nothing, where that is ahead of `now_milliseconds`.

    The exchange's clock was wrong then. None for `now_milliseconds` if the exchange's time is not known.
    """
    is_ahead = now_milliseconds is not None and told_milliseconds > now_milliseconds + CLOCK_ERROR_MILLISECONDS_MAX
    return 0 if is_ahead else told_milliseconds
