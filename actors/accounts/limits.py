"""The limits of an account and of the whole program: what they count, and which order would break one.

Theory of operation. The limits of a scope hold over everything in it that may still trade, in flight and of unknown fate
included (`orders.exposure`), at prices that the account has from its exchange and not from a strategy. They are asked when a
placement or an amendment is accepted, in one step with writing it down, so that no other can come between. What they count
belongs to the scope and not to an actor: a restart of one forgets nothing.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Sequence
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from actors.accounts.daily_loss import DailyLoss
from actors.accounts.drawdown import Drawdown
from actors.accounts.limited import LimitedAccount
from market.events import Side
from market.instrument import format_decimal
from market.symbol import Symbol
from market.touch import Touch
from orders.exposure import Exposure, exposure, notional_to_fill, request_notional
from orders.order import ZERO, Order
from orders.request import OrderRequest
from orders.states import GLOBAL, TradingState

RATE_SECONDS = 1.0


class OnBreach(enum.Enum):
    """What an order that would break a limit does besides being refused."""

    REFUSE = "refuse"
    REDUCE_ONLY = "reduce_only"
    HALT = "halt"

    @property
    def state(self) -> TradingState | None:
        """The state that the limit's scope is moved into; None: it stays as it is."""
        return {OnBreach.REDUCE_ONLY: TradingState.REDUCE_ONLY, OnBreach.HALT: TradingState.HALTED}.get(self)


class OnDailyLoss(enum.Enum):
    """What a day's loss beyond the limit moves its scope into."""

    REDUCE_ONLY = "reduce_only"
    HALT = "halt"

    @property
    def state(self) -> TradingState:
        return TradingState.HALTED if self is OnDailyLoss.HALT else TradingState.REDUCE_ONLY


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one scope. Notionals and the loss are in quote units; None means no limit.

    `max_price_deviation` is the price collar: how far a limit price may be beyond the book on the losing side (a buy's above the
    best ask, a sell's below the best bid), as a fraction of it.
    """

    max_order_notional: Decimal | None = None
    max_position_notional: Decimal | None = None
    max_open_orders: int | None = None
    max_orders_per_second: int | None = None
    max_daily_loss: Decimal | None = None
    max_price_deviation: Decimal | None = None
    on_breach: OnBreach = OnBreach.REFUSE
    on_daily_loss: OnDailyLoss = OnDailyLoss.HALT


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why an order must not be sent, in words for a person.

    `for_now`: the reason is the moment and not what was asked. `of_funds`: the account holds too little, as far as we know. `state` is
    what the refusal moves `scope` into, if anything.
    """

    reason: str
    for_now: bool = False
    of_funds: bool = False
    scope: str = ""
    state: TradingState | None = None


class PositionChange(msgspec.Struct, frozen=True):
    """What a position may become before and after an order is accepted that `adds` so much."""

    adds: Decimal
    before: Exposure
    after: Exposure


def position_change(request: OrderRequest, account: LimitedAccount, touch: Touch | None, replaces: Order | None) -> PositionChange | None:
    """The change that an order makes, or an amendment of one; None if it cannot make a position larger.

    Without a `touch` only such an order has come so far.
    """
    ledger, symbol = account.ledger, request.symbol
    if touch is None or request.reduce_only or (ledger.positions is None and request.side is Side.SELL):
        return None
    order = Order(request=request) if replaces is None else replace(replaces, request=request)
    adds = notional_to_fill(order, touch) or ZERO
    before = exposure(ledger, symbol, touch) or Exposure()
    besides = before if replaces is None else exposure(ledger, symbol, touch, besides=replaces.client_order_id) or Exposure()
    buys, sells = (adds, ZERO) if request.side is Side.BUY else (ZERO, adds)
    return PositionChange(adds, before, replace(besides, buys=besides.buys + buys, sells=besides.sells + sells))


class ScopeLimits:
    """The limits of one scope: of an account, or of the program, where `accounts` are all of them.

    Only the position limit is not the same for both: an account's holds for each symbol, the program's for the sum over all
    symbols of one quote asset. `loss` is None where nobody looks at losses.
    """

    def __init__(self, scope: str, limits: Limits, accounts: Sequence[LimitedAccount], *, loss: DailyLoss | None = None) -> None:
        self.loss = loss
        self._scope = scope
        self.limits = limits
        self._accounts = accounts
        self._accepted_at: deque[float] = deque()

    def change(self, limits: Limits) -> None:
        """Hold these instead, from the next order on. What is open or on its way already stays, and counts."""
        self.limits = limits
        if self.loss is not None:
            self.loss.change(loss_max=limits.max_daily_loss, state=limits.on_daily_loss.state)

    def refusal(
        self,
        request: OrderRequest,
        account: LimitedAccount,
        touch: Touch | None,
        *,
        change: PositionChange | None,
        is_amendment: bool,
        now: float,
    ) -> Refusal | None:
        """Why these limits forbid `request` of `account`, which makes this `change` of what its position may become."""
        return (
            self.collar_refusal(request, touch)
            or self._notional_refusal(request, touch)
            or (None if is_amendment else self._count_refusal())
            or self._rate_refusal(now)
            or (None if change is None else self._position_refusal(request, account, change))
        )

    @property
    def limits_positions(self) -> bool:
        return self.limits.max_position_notional is not None

    def at_stake(self, symbol: Symbol, account: LimitedAccount) -> str | None:
        """Why everything that may still fill in `symbol` could break the position limit now; None if it could not, at the last price."""
        most = self.limits.max_position_notional
        exposed = None if most is None else exposure(account.ledger, symbol, account.prices.last(symbol))
        if most is None or exposed is None:
            return None
        others = self._others(symbol, account) if self._scope == GLOBAL else ZERO
        if isinstance(others, Refusal):
            return others.reason
        if others + exposed.largest <= most:
            return None
        position, key = readable(others + exposed.largest), self._key("max_position_notional")
        return f"the position could be {position}, {key} is {format_decimal(most)}"

    def accepted(self, *, now: float) -> None:
        """A placement or an amendment is on its way."""
        self._accepted_at.append(now)

    # One order by itself

    def collar_refusal(self, request: OrderRequest, touch: Touch | None) -> Refusal | None:
        """As `refusal`, of the price alone."""
        fraction = self.limits.max_price_deviation
        if fraction is None or touch is None or request.price is None:
            return None
        if request.side is Side.BUY:
            best, beyond, where = touch.ask, request.price - touch.ask, "above the best ask"
        else:
            best, beyond, where = touch.bid, touch.bid - request.price, "below the best bid"
        if beyond <= best * fraction:
            return None
        price, key = format_decimal(request.price), self._key("max_price_deviation")
        return self._breach(f"price {price} is more than {fraction:%} {where} {format_decimal(best)} ({key})")

    def _notional_refusal(self, request: OrderRequest, touch: Touch | None) -> Refusal | None:
        notional, most = request_notional(request, touch), self.limits.max_order_notional
        if most is None or notional is None or notional <= most:
            return None
        return self._breach(f"notional {readable(notional)} is above {self._key('max_order_notional')} {format_decimal(most)}")

    # What counts together

    def _count_refusal(self) -> Refusal | None:
        most = self.limits.max_open_orders
        if most is None:
            return None
        live = sum(len(account.ledger.live_orders()) for account in self._accounts)
        if live < most:
            return None
        return self._breach(f"{live} orders are live, {self._key('max_open_orders')} is {most}", for_now=True)

    def _rate_refusal(self, now: float) -> Refusal | None:
        most, since = self.limits.max_orders_per_second, now - RATE_SECONDS
        while self._accepted_at and self._accepted_at[0] <= since:
            self._accepted_at.popleft()
        if most is None or len(self._accepted_at) < most:
            return None
        return self._breach(
            f"{len(self._accepted_at)} orders were accepted in the last second, {self._key('max_orders_per_second')} is {most}",
            for_now=True,
        )

    def _position_refusal(self, request: OrderRequest, account: LimitedAccount, change: PositionChange) -> Refusal | None:
        most, before, after = self.limits.max_position_notional, change.before, change.after
        if most is None:
            return None
        if self._scope != GLOBAL:
            would_be, was, of = after.towards(request.side), before.towards(request.side), ""
        else:
            others = self._others(request.symbol, account)
            if isinstance(others, Refusal):
                return others
            would_be, was, of = others + after.largest, others + before.largest, f" in {request.symbol.quote}"
        if would_be <= most or would_be <= was:
            return None
        is_alone_too_large = change.adds > most
        return self._breach(
            f"position{of} would be {readable(would_be)}, {self._key('max_position_notional')} is {format_decimal(most)}",
            for_now=not is_alone_too_large,
        )

    def _others(self, symbol: Symbol, account: LimitedAccount) -> Decimal | Refusal:
        """What all positions of one quote asset may become besides the one in `symbol`."""
        total = ZERO
        for other in self._accounts:
            for each in other.symbols:
                if each.quote != symbol.quote or (other is account and each == symbol):
                    continue
                exposed = exposure(other.ledger, each, other.prices.last(each))
                if exposed is None:
                    reason = f"what account {other.name} has of {each} cannot be valued: its price was never known"
                    return Refusal(reason=reason, for_now=True)
                total += exposed.largest
        return total

    def _key(self, name: str) -> str:
        return f"global {name}" if self._scope == GLOBAL else name

    def _breach(self, reason: str, *, for_now: bool = False) -> Refusal:
        return Refusal(reason=reason, for_now=for_now, scope=self._scope, state=self.limits.on_breach.state)


class AccountLimits:
    """All limits that hold for the orders of one account: its own, and the program's; and the drawdowns of its cycles."""

    def __init__(self, account: LimitedAccount, scopes: Sequence[ScopeLimits], drawdowns: Sequence[Drawdown] = ()) -> None:
        self.account = account
        self._drawdowns = tuple(drawdowns)
        self._scopes = tuple(scopes)

    def refusal(self, request: OrderRequest, touch: Touch | None, *, now: float, replaces: Order | None = None) -> Refusal | None:
        """Why an order, or the amendment of one, must not be sent; None if it may."""
        has_position_limit = any(scope.limits_positions for scope in self._scopes)
        change = position_change(request, self.account, touch, replaces) if has_position_limit else None
        refusals = (
            scope.refusal(request, self.account, touch, change=change, is_amendment=replaces is not None, now=now) for scope in self._scopes
        )
        return next((refused for refused in refusals if refused is not None), None)

    def at_stake(self, symbol: Symbol) -> str | None:
        """Why everything that may still fill in `symbol` could break a position limit now; None if it could not."""
        reasons = (scope.at_stake(symbol, self.account) for scope in self._scopes)
        return next((reason for reason in reasons if reason is not None), None)

    def collar_refusal(self, request: OrderRequest, touch: Touch | None) -> Refusal | None:
        """As `refusal`, of the price alone."""
        refusals = (scope.collar_refusal(request, touch) for scope in self._scopes)
        return next((refused for refused in refusals if refused is not None), None)

    def accepted(self, *, now: float) -> None:
        """A placement or an amendment is on its way."""
        for scope in self._scopes:
            scope.accepted(now=now)

    def look_at_losses(self) -> None:
        """Move whatever has lost more than it may, today or of its highest profit, into the state that the settings name."""
        for scope in self._scopes:
            if scope.loss is not None:
                scope.loss.look()
        for drawdown in self._drawdowns:
            drawdown.look()


def readable(amount: Decimal) -> str:
    """At most eight decimals: a product with a middle, or a quotient by a leverage, may have as many as there is room for."""
    return format_decimal(round(amount, 8).normalize() if amount else ZERO)
