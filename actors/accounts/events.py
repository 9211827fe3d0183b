"""What an account actor tells of itself, for people and the journal: frozen facts in the past tense."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from market.symbol import Symbol
from orders.order import Transport


class AccountConnected(msgspec.Struct, frozen=True):
    """The private stream listens on every channel."""

    account: str


class AccountDisconnected(msgspec.Struct, frozen=True):
    """The private stream broke; REST is asked until it is back."""

    account: str
    reason: str


class AccountReconciled(msgspec.Struct, frozen=True):
    """Orders, fills and balances were compared with the exchange and agree."""

    account: str
    open_orders: int
    why: str


class AccountTrouble(msgspec.Struct, frozen=True):
    """Something did not work and is tried again; `doing` says what."""

    account: str
    doing: str
    reason: str


class OrderRefused(msgspec.Struct, frozen=True):
    """A command was refused here, before anything was sent."""

    account: str
    client_order_id: str
    reason: str


class QuotesPulled(msgspec.Struct, frozen=True):
    """Live orders are being cancelled because of a trading state; `transport` is the way that their cancellations go."""

    account: str
    client_order_ids: tuple[str, ...]
    transport: Transport
    reason: str


class ClockOffsetMeasured(msgspec.Struct, frozen=True):
    """The exchange's clock less ours."""

    account: str
    offset_milliseconds: int


class LeverageSet(msgspec.Struct, frozen=True):
    """New orders of the symbol may use so much leverage."""

    account: str
    symbol: Symbol
    leverage: Decimal


class ClosingProgressed(msgspec.Struct, frozen=True):
    """How the cancelling of open orders stands."""

    account: str
    text: str


class DeadMansSwitchArmed(msgspec.Struct, frozen=True):
    """From now on the exchange cancels unless it hears from us within `timeout_seconds`."""

    account: str
    timeout_seconds: int


class DeadMansSwitchDisarmed(msgspec.Struct, frozen=True):
    """Nothing of ours is live, and nothing will be cancelled in our absence."""

    account: str
