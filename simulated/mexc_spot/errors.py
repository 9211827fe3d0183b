"""MEXC's error codes, with the HTTP status each is answered with."""

from __future__ import annotations

from simulated.engine.order import OrderRefused, Refusal
from simulated.numbers import plain

_STATUS = {401: 401, 429: 429, 500: 500, 503: 503, 700006: 403, 700007: 403}


class MexcError(Exception):
    """An answer that says no: a code for programs, a message for people, an HTTP status (400 unless the code has its own)."""

    def __init__(self, code: int, message: str, *, status: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = _STATUS.get(code, 400) if status is None else status

    def body(self) -> dict[str, int | str]:
        return {"code": self.code, "msg": self.message}


def mandatory(name: str) -> MexcError:
    return MexcError(700004, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def illegal(name: str) -> MexcError:
    return MexcError(700008, f"Illegal characters found in parameter '{name}'.")


def unknown_order_to_cancel() -> MexcError:
    return MexcError(-2011, "Unknown order sent.")


def unknown_order() -> MexcError:
    return MexcError(-2013, "Order does not exist.")


def mexc_error_of(refused: OrderRefused, *, quote: str) -> MexcError:
    """How MEXC words the engine's refusal of an order. What it would not refuse but end (post-only, fill-or-kill) never comes here."""
    bound = plain(refused.bound) if refused.bound is not None else ""
    code, message = {
        Refusal.UNKNOWN_SYMBOL: (-1121, "Invalid symbol."),
        Refusal.TRADING_CLOSED: (30001, "The current transaction direction is not allowed to place an order"),
        Refusal.INVALID: (10102, "Amount cannot be zero or negative"),
        Refusal.PRICE_OFF_TICK: (10096, f"price scale is invalid, the smallest step is {bound}"),
        Refusal.QUANTITY_OFF_STEP: (10096, f"quantity scale is invalid, the smallest step is {bound}"),
        Refusal.QUANTITY_TOO_SMALL: (30002, f"The minimum transaction volume cannot be less than:{bound}"),
        Refusal.QUANTITY_TOO_LARGE: (30003, f"The maximum transaction volume cannot be greater than:{bound}"),
        Refusal.NOTIONAL_TOO_SMALL: (30002, f"The minimum transaction volume cannot be less than:{bound}{quote}"),
        Refusal.NOTIONAL_TOO_LARGE: (30003, f"The maximum transaction volume cannot be greater than:{bound}{quote}"),
        Refusal.BALANCE_NOT_ENOUGH: (30004, "Insufficient position"),
        Refusal.DUPLICATE_CLIENT_ID: (603, "Repeated request"),  # what MEXC says to it is not documented
        Refusal.UNKNOWN_ORDER: (-2011, "Unknown order sent."),
        Refusal.ORDER_FINISHED: (-2011, "Unknown order sent."),
    }[refused.refusal]
    return MexcError(code, message)
