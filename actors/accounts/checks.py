"""What is checked before an order may leave, below any strategy: pure functions that say why not, or None."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from market.events import Side
from market.instrument import Instrument, TradingStatus, format_decimal
from orders.capabilities import Capabilities
from orders.ledger import AccountLedger
from orders.order import ZERO, Order
from orders.positions import PositionBooks
from orders.request import OrderRequest, OrderType, TimeInForce


class AccountLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of one account. Notionals are in quote units; None means no limit.

    `max_price_deviation` is the price collar: how far a limit price may be on the losing side of the reference price (above
    it for a buy, below it for a sell), as a fraction of it.
    """

    max_order_notional: Decimal | None = None
    max_position_notional: Decimal | None = None
    max_open_orders: int = 20
    max_price_deviation: Decimal = Decimal("0.05")


def refusal(
    request: OrderRequest,
    *,
    instrument: Instrument | None,
    capabilities: Capabilities,
    ledger: AccountLedger,
    limits: AccountLimits,
    reference_price: Decimal,
) -> str | None:
    """Why this order must not be sent, in words for a person; None if it may.

    `reference_price` values what the request itself states no price for.
    """
    if instrument is None:
        return f"the rules of {request.symbol} are not known yet"
    return (
        rules_refusal(request, instrument, capabilities, reference_price)
        or limits_refusal(request, ledger, limits, reference_price)
        or funds_refusal(request, ledger, reference_price)
    )


def rules_refusal(request: OrderRequest, instrument: Instrument, capabilities: Capabilities, reference_price: Decimal) -> str | None:
    """As `refusal`, of the exchange's rules alone."""
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
    notional = _notional(request, reference_price)
    if notional < instrument.notional_min:
        return f"notional {format_decimal(notional)} is below the minimum {format_decimal(instrument.notional_min)} {request.symbol.quote}"
    if instrument.notional_max is not None and notional > instrument.notional_max:
        return f"notional {format_decimal(notional)} is above the maximum {format_decimal(instrument.notional_max)} {request.symbol.quote}"
    return None


def limits_refusal(request: OrderRequest, ledger: AccountLedger, limits: AccountLimits, reference_price: Decimal) -> str | None:
    """As `refusal`, of our own limits alone."""
    notional = _notional(request, reference_price)
    live = ledger.live_orders()
    if request.price is not None:
        collar = reference_price * limits.max_price_deviation
        if request.price > reference_price + collar if request.side is Side.BUY else request.price < reference_price - collar:
            return (
                f"price {format_decimal(request.price)} is more than {limits.max_price_deviation:%} on the losing side of "
                f"{format_decimal(reference_price)} (max_price_deviation)"
            )
    if limits.max_order_notional is not None and notional > limits.max_order_notional:
        return f"notional {format_decimal(notional)} is above max_order_notional {format_decimal(limits.max_order_notional)}"
    if len(live) >= limits.max_open_orders:
        return f"{len(live)} orders are live, max_open_orders is {limits.max_open_orders}"
    if limits.max_position_notional is not None and ledger.positions is not None:
        return _position_refusal(request, ledger, ledger.positions, live, limits.max_position_notional, reference_price)
    if limits.max_position_notional is not None and request.side is Side.BUY:
        # What was bought since the start, plus every buy that may still fill, at the price of now.
        position = max(ZERO, ledger.fill_changes_since_start().get(request.symbol.base, ZERO)) * reference_price
        pending = sum(
            (_notional(order.request, reference_price) - order.filled_quote for order in live if _buys(order.request, request.symbol.base)),
            ZERO,
        )
        exposure = position + pending + notional
        if exposure > limits.max_position_notional:
            return f"position would be {format_decimal(exposure)}, max_position_notional is {format_decimal(limits.max_position_notional)}"
    return None


def _position_refusal(
    request: OrderRequest,
    ledger: AccountLedger,
    positions: PositionBooks,
    live: list[Order],
    notional_max: Decimal,
    reference_price: Decimal,
) -> str | None:
    """Of contracts: the position if this order and every other on its side filled, and none on the other side."""
    if request.reduce_only:
        return None
    same_side = [order for order in live if order.request.symbol == request.symbol and order.request.side is request.side]
    pending = sum((order.remaining_quantity or ZERO for order in same_side if not order.request.reduce_only), ZERO)
    held = positions.account_of(request.symbol).quantity
    towards = held if request.side is Side.BUY else -held
    exposure = (towards + pending + (request.quantity or ZERO)) * reference_price
    if exposure > notional_max:
        return f"position would be {_readable(exposure)}, max_position_notional is {format_decimal(notional_max)}"
    return None


def funds_refusal(request: OrderRequest, ledger: AccountLedger, reference_price: Decimal) -> str | None:
    """As `refusal`, of what the account holds alone."""
    if ledger.positions is not None:
        return _margin_refusal(request, ledger, ledger.positions, reference_price)
    if request.side is Side.SELL:
        asset, needed = request.symbol.base, request.quantity or ZERO
    else:
        asset = request.symbol.quote
        needed = request.notional if request.notional is not None else ZERO
    spendable = ledger.spendable(asset)
    if needed > spendable:
        return f"insufficient balance: {format_decimal(needed)} {asset} needed, {format_decimal(max(ZERO, spendable))} available"
    return None


def _margin_refusal(request: OrderRequest, ledger: AccountLedger, positions: PositionBooks, reference_price: Decimal) -> str | None:
    """Only what makes a position larger needs margin."""
    if request.reduce_only:
        return None
    held = positions.account_of(request.symbol).quantity
    quantity = request.quantity or ZERO
    after = held + quantity if request.side is Side.BUY else held - quantity
    asset, added = request.symbol.quote, max(ZERO, abs(after) - abs(held))
    needed = added * (request.price or reference_price) / positions.leverage(request.symbol)
    spendable = ledger.spendable(asset)
    if needed > spendable:
        return f"insufficient margin: {_readable(needed)} {asset} needed, {_readable(max(ZERO, spendable))} available"
    return None


def _readable(amount: Decimal) -> str:
    """At most eight decimals: a quotient by a leverage may have as many as there is room for."""
    return format_decimal(round(amount, 8).normalize() if amount else ZERO)


def _buys(request: OrderRequest, base: str) -> bool:
    return request.side is Side.BUY and request.symbol.base == base


def _notional(request: OrderRequest, reference_price: Decimal) -> Decimal:
    return request.notional if request.notional is not None else (request.quantity or ZERO) * reference_price
