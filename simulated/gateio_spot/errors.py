"""How Gate.io spot words the engine's refusals."""

from __future__ import annotations

from simulated.engine.order import FinishReason, OrderRefused, Refusal
from simulated.gateio.errors import GateError
from simulated.numbers import plain


def gate_error_of(refused: OrderRefused, *, base: str, quote: str, given_id: str = "") -> GateError:
    """How Gate.io words the engine's refusal. `given_id` is what the client called the order."""
    bound = plain(refused.bound) if refused.bound is not None else ""
    value = plain(refused.value) if refused.value is not None else ""
    order = refused.order
    if refused.refusal is Refusal.ORDER_FINISHED and order is not None:
        if order.finish is FinishReason.FILLED:
            return GateError("ORDER_CLOSED", "Order already closed")
        return GateError("ORDER_CANCELLED", "Order already cancelled")
    if refused.refusal is Refusal.UNKNOWN_ORDER:
        return order_not_found(given_id)
    size = f"Your order size {value}"
    label, message = {
        Refusal.UNKNOWN_SYMBOL: ("INVALID_CURRENCY_PAIR", f"Invalid currency pair {base}_{quote}"),
        Refusal.TRADING_CLOSED: ("INVALID_CURRENCY_PAIR", f"Trading of {base}_{quote} is not allowed now"),
        Refusal.INVALID: ("INVALID_PARAM_VALUE", f"Invalid price or amount {value}".rstrip()),
        Refusal.PRICE_OFF_TICK: ("INVALID_PRECISION", f"price {value} exceeds the maximum precision, the smallest step is {bound}"),
        Refusal.QUANTITY_OFF_STEP: ("INVALID_PRECISION", f"amount {value} exceeds the maximum precision, the smallest step is {bound}"),
        Refusal.QUANTITY_TOO_SMALL: ("INVALID_PARAM_VALUE", f"{size} {base} is too small. The minimum is {bound} {base}"),
        Refusal.QUANTITY_TOO_LARGE: ("AMOUNT_TOO_MUCH", f"{size} {base} is too large. The maximum is {bound} {base}"),
        Refusal.NOTIONAL_TOO_SMALL: (
            "INVALID_PARAM_VALUE",
            f"{size} {quote} is too small. The minimum is {bound} {quote}",
        ),
        Refusal.NOTIONAL_TOO_LARGE: ("AMOUNT_TOO_MUCH", f"{size} {quote} is too large. The maximum is {bound} {quote}"),
        Refusal.BALANCE_NOT_ENOUGH: ("BALANCE_NOT_ENOUGH", "Not enough balance"),
        Refusal.WOULD_TAKE: ("POC_FILL_IMMEDIATELY", "Order would match and take immediately so its cancelled"),
        Refusal.NOT_FILLABLE: ("FOK_NOT_FILL", "Order cannot be filled completely"),
        Refusal.DUPLICATE_CLIENT_ID: ("INVALID_CLIENT_ORDER_ID", "An order already has this client order id"),
        Refusal.NO_CHANGE: ("NO_CHANGE", "No change is made"),
    }[refused.refusal]
    return GateError(label, message)


def order_not_found(given_id: str) -> GateError:
    """By the exchange's own id and by a client's id, the labels differ."""
    if given_id.startswith("t-"):
        return GateError("CLIENT_ID_NOT_FOUND", f"Order with client ID {given_id} not found")
    return GateError("ORDER_NOT_FOUND", f"Order with ID {given_id} not found")
