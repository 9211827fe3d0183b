"""What an account actor tells of itself, for people and the journal: frozen facts in the past tense."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from market.symbol import Symbol
from orders.commands import Flattened
from orders.life_cycle import OrderState
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


class AccountNotReady(msgspec.Struct, frozen=True):
    """It has not agreed with the exchange for `seconds`, and nothing is placed; told again with growing pauses while it lasts."""

    account: str
    seconds: float
    waits_for: str


class OrderStillUnknown(msgspec.Struct, frozen=True, kw_only=True):
    """Nobody has known for `seconds` what became of an order; told again with growing pauses while it lasts.

    `asked` is what was asked of the exchange and not answered: `place`, `cancel` or `amend`.
    """

    account: str
    symbol: Symbol
    client_order_id: str
    asked: str
    seconds: float
    reason: str


class OrderFateLearned(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an order of which `OrderStillUnknown` was told: it is in `state` now."""

    account: str
    symbol: Symbol
    client_order_id: str
    state: OrderState
    seconds: float


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


class OwnerFlattened(msgspec.Struct, frozen=True):
    """What a cycle held was sold at market because a person asked for it."""

    account: str
    flattened: Flattened


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
