"""What is checked before an order may leave, below any strategy: pure functions that say why not, or None."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from msgspec.structs import replace

from actors.accounts.limits import AccountLimits, Refusal, readable
from actors.accounts.permission import reduces
from market.events import Side
from market.instrument import Instrument, TradingStatus, format_decimal
from market.symbol import Symbol
from market.touch import Touch
from orders.capabilities import Capabilities
from orders.exposure import request_notional
from orders.ledger import AccountLedger
from orders.order import ZERO, Order
from orders.positions import PositionBooks
from orders.request import OrderRequest, OrderType, TimeInForce


def refusal(
    request: OrderRequest,
    *,
    rules: Mapping[Symbol, Instrument],
    capabilities: Capabilities,
    limits: AccountLimits,
    now: float,
    replaces: Order | None = None,
) -> Refusal | None:
    """Why this order must not be sent, or an order that is open not be amended so (`replaces`); None if it may.

    What has no price of its own is valued by the account's own book. Without one, only what makes a position smaller may leave.
    """
    account = limits.account
    touch = account.prices.touch(request.symbol, now=now)
    if touch is None and not reduces(request, account.ledger):
        return _no_price(request, limits, now)
    instrument = rules.get(request.symbol)
    if instrument is None:
        return Refusal(reason=f"the rules of {request.symbol} are not known yet")
    against_rules = rules_refusal(request, instrument, capabilities, touch)
    if against_rules is not None:
        return Refusal(reason=against_rules)
    beyond_limits = limits.refusal(request, touch, now=now, replaces=replaces)
    if beyond_limits is not None:
        return beyond_limits
    beyond_funds = funds_refusal(request, account.ledger, touch, replaces=replaces)
    return None if beyond_funds is None else Refusal(reason=beyond_funds, of_funds=True)


def last_refusal(request: OrderRequest, *, limits: AccountLimits, now: float) -> str | None:
    """Why an order that was let through must not leave after all: its price has gone, or has gone away from it."""
    touch = limits.account.prices.touch(request.symbol, now=now)
    if touch is None:
        return None if reduces(request, limits.account.ledger) else _no_price(request, limits, now).reason
    beyond = limits.collar_refusal(request, touch)
    return None if beyond is None else beyond.reason


def _no_price(request: OrderRequest, limits: AccountLimits, now: float) -> Refusal:
    why_none = limits.account.prices.why_none(request.symbol, now=now)
    return Refusal(reason=f"there is no price to check it by: {why_none}", for_now=True)


def rules_refusal(request: OrderRequest, instrument: Instrument, capabilities: Capabilities, touch: Touch | None) -> str | None:
    """As `refusal`, of the exchange's rules alone. Without a `touch`, a market order's notional is left to the exchange."""
    closed_side = {TradingStatus.BUY_ONLY: Side.SELL, TradingStatus.SELL_ONLY: Side.BUY}.get(instrument.status)
    if instrument.status is TradingStatus.CLOSED or closed_side is request.side:
        return f"{request.symbol} is {instrument.status.value} at {instrument.exchange}"
    if request.type is OrderType.LIMIT and request.time_in_force not in capabilities.time_in_force:
        return f"{instrument.exchange} has no {request.time_in_force.value} orders"
    if request.reduce_only and not capabilities.positions:
        return f"{instrument.exchange} has no reduce-only orders"
    if request.quote_quantity is not None and not capabilities.market_buy_by_quote:
        return f"{instrument.exchange} has no market buys by quote quantity"
    if request.type is OrderType.MARKET:
        if request.side is Side.BUY and request.quantity is not None and not capabilities.market_buy_by_base:
            return f"{instrument.exchange} has no market buys by base quantity"
        if request.time_in_force is TimeInForce.FILL_OR_KILL and not capabilities.market_fill_or_kill:
            return f"{instrument.exchange} has no fill-or-kill market orders"
    if request.price is not None and instrument.round_price_down(request.price) != request.price:
        return f"price {format_decimal(request.price)} is not on a tick of {format_decimal(instrument.price_tick)}"
    if request.quantity is not None:
        if instrument.round_quantity_down(request.quantity) != request.quantity:
            return f"quantity {format_decimal(request.quantity)} is not on a step of {format_decimal(instrument.quantity_step)}"
        if request.quantity < instrument.quantity_min:
            return f"quantity {format_decimal(request.quantity)} is below the minimum {format_decimal(instrument.quantity_min)}"
        if instrument.quantity_max is not None and request.quantity > instrument.quantity_max:
            return f"quantity {format_decimal(request.quantity)} is above the maximum {format_decimal(instrument.quantity_max)}"
    notional = request_notional(request, touch)
    if notional is None:
        return None
    if notional < instrument.notional_min:
        return f"notional {format_decimal(notional)} is below the minimum {format_decimal(instrument.notional_min)} {request.symbol.quote}"
    if instrument.notional_max is not None and notional > instrument.notional_max:
        return f"notional {format_decimal(notional)} is above the maximum {format_decimal(instrument.notional_max)} {request.symbol.quote}"
    return None


def funds_refusal(request: OrderRequest, ledger: AccountLedger, touch: Touch | None, *, replaces: Order | None = None) -> str | None:
    """As `refusal`, of what the account holds alone. An amendment needs what it adds to what its order has set aside."""
    if ledger.positions is not None:
        return _margin_refusal(request, ledger, ledger.positions, touch, replaces)
    asset, needed = (request.symbol.quote, request.notional) if request.side is Side.BUY else (request.symbol.base, request.quantity)
    needed = needed or ZERO
    if replaces is not None:
        needed = ledger.reserved(replaces, request)[1] - ledger.reserved(replaces, replaces.request)[1]
    spendable = ledger.spendable(asset)
    if needed > 0 and needed > spendable:
        return f"insufficient balance: {format_decimal(needed)} {asset} needed, {format_decimal(max(ZERO, spendable))} available"
    return None


def _margin_refusal(
    request: OrderRequest, ledger: AccountLedger, positions: PositionBooks, touch: Touch | None, replaces: Order | None
) -> str | None:
    """Only what makes a position larger needs margin."""
    if request.reduce_only:
        return None
    asset, needed = request.symbol.quote, _margin_needed(request, positions, touch)
    if replaces is not None:
        rest = replace(request, quantity=max(ZERO, (request.quantity or ZERO) - replaces.filled_quantity) or request.quantity)
        needed = _margin_needed(rest, positions, touch) - ledger.reserved(replaces, replaces.request)[1]
    spendable = ledger.spendable(asset)
    if needed > 0 and needed > spendable:
        return f"insufficient margin: {readable(needed)} {asset} needed, {readable(max(ZERO, spendable))} available"
    return None


def _margin_needed(request: OrderRequest, positions: PositionBooks, touch: Touch | None) -> Decimal:
    held = positions.account_of(request.symbol).quantity
    quantity = request.quantity or ZERO
    after = held + quantity if request.side is Side.BUY else held - quantity
    price = request.price if request.price is not None else touch.taken_by(request.side) if touch is not None else ZERO
    return max(ZERO, abs(after) - abs(held)) * price / positions.leverage(request.symbol)
