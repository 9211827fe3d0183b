"""How Gate.io futures words the engine's refusals (documentation of the REST API, "Error Handling", futures labels)."""

from __future__ import annotations

from simulated.engine.order import OrderRefused, Refusal
from simulated.gateio.errors import GateError
from simulated.numbers import plain

_LABELS = {
    Refusal.UNKNOWN_SYMBOL: ("CONTRACT_NOT_FOUND", "Contract not found"),
    Refusal.TRADING_CLOSED: ("CONTRACT_IN_DELISTING", "Contract is delisting, only reduce-only order or close order is allowed"),
    Refusal.INVALID: ("INVALID_PARAM_VALUE", "Invalid price or size"),
    Refusal.PRICE_OFF_TICK: ("INVALID_PARAM_VALUE", "Invalid request parameter `price`"),
    Refusal.QUANTITY_OFF_STEP: ("INVALID_PARAM_VALUE", "Invalid request parameter `size`"),
    Refusal.QUANTITY_TOO_SMALL: ("SIZE_TOO_SMALL", "Order size does not reach minimum"),
    Refusal.QUANTITY_TOO_LARGE: ("SIZE_TOO_LARGE", "Order size exceeds maximum"),
    Refusal.NOTIONAL_TOO_SMALL: ("SIZE_TOO_SMALL", "Order size does not reach minimum"),
    Refusal.NOTIONAL_TOO_LARGE: ("SIZE_TOO_LARGE", "Order size exceeds maximum"),
    Refusal.BALANCE_NOT_ENOUGH: ("INSUFFICIENT_AVAILABLE", "Balance is not enough"),
    Refusal.WOULD_TAKE: ("ORDER_POC_IMMEDIATE", "POC order will be filled immediately"),
    Refusal.NOT_FILLABLE: ("ORDER_FOK", "Killed for FOK"),
    Refusal.DUPLICATE_CLIENT_ID: ("INVALID_CLIENT_ORDER_ID", "An order already has this text"),
    Refusal.ORDER_FINISHED: ("ORDER_FINISHED", "Order already finished"),
    Refusal.NO_CHANGE: ("NO_CHANGE", "No change is made"),
    Refusal.WOULD_INCREASE_POSITION: ("INCREASE_POSITION", "Reduce-only order would increase the position"),
    Refusal.POSITION_IN_THE_WAY: ("POSITION_HOLDING", "Operation forbidden with holding position"),
}


def gate_error_of(refused: OrderRefused, *, given_id: str = "") -> GateError:
    """`given_id` is what the client called the order."""
    if refused.refusal is Refusal.UNKNOWN_ORDER:
        return order_not_found(given_id)
    if refused.refusal is Refusal.LEVERAGE_OUT_OF_RANGE:
        bound, value = refused.bound, refused.value
        too_high = bound is not None and value is not None and value > bound
        told = "" if bound is None else f", the limit is {plain(bound)}"
        return GateError("LEVERAGE_TOO_HIGH" if too_high else "LEVERAGE_TOO_LOW", f"leverage too {'high' if too_high else 'low'}{told}")
    label, message = _LABELS[refused.refusal]
    return GateError(label, message)


def order_not_found(given_id: str) -> GateError:
    return GateError("ORDER_NOT_FOUND", f"Order {given_id} not found")


def invalid_parameter(name: str, value: str) -> GateError:
    return GateError("INVALID_PARAM_VALUE", f"Invalid request parameter `{name}` value: {value[:40]}")


def invalid_argument(position: int) -> GateError:
    """Something that every order needs is missing or makes no sense together; Gate.io counts arguments, it does not name them."""
    return GateError("INVALID_PROTOCOL", f"invalid argument: #{position}")
