"""OKX's error codes, with the HTTP status each is answered with."""

from __future__ import annotations

from typing import Any

from simulated.engine.order import OrderRefused, Refusal
from simulated.numbers import plain

_STATUS = {
    "50001": 503,
    "50011": 429,
    "50026": 500,
    "50035": 401,
    "50101": 401,
    "50102": 401,
    "50103": 401,
    "50104": 401,
    "50105": 401,
    "50106": 401,
    "50107": 401,
    "50111": 401,
    "50112": 401,
    "50113": 401,
    "50115": 405,
    "50120": 401,
    "51115": 429,
    "59105": 400,
}


class OkxError(Exception):
    """An answer that says no: a code for programs, a message for people, an HTTP status (200 unless the code has its own)."""

    def __init__(self, code: str, message: str, *, status: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = _STATUS.get(code, 200) if status is None else status

    def body(self) -> dict[str, Any]:
        return {"code": self.code, "msg": self.message, "data": []}


def parameter_error(name: str) -> OkxError:
    return OkxError("51000", f"Parameter {name} error")


def okx_error_of(refused: OrderRefused, instrument: str, *, amending: bool = False) -> OkxError:
    """How OKX words the engine's refusal."""
    bound = plain(refused.bound) if refused.bound is not None else ""
    code, message = {
        Refusal.UNKNOWN_SYMBOL: ("51001", f"Instrument ID or Spread ID {instrument} doesn't exist."),
        Refusal.TRADING_CLOSED: ("51022", "Contract suspended"),
        Refusal.INVALID: ("51000", "Parameter sz error"),
        Refusal.PRICE_OFF_TICK: ("51000", "Parameter px error"),
        Refusal.QUANTITY_OFF_STEP: ("51121", "Order quantity must be a multiple of the lot size."),
        Refusal.QUANTITY_TOO_SMALL: ("51020", f"Your order should meet or exceed the minimum order amount {bound}".rstrip()),
        Refusal.QUANTITY_TOO_LARGE: ("51005", "Order amount exceeds the max order amount limit."),
        Refusal.NOTIONAL_TOO_SMALL: ("51020", f"Your order should meet or exceed the minimum order amount {bound}".rstrip()),
        Refusal.NOTIONAL_TOO_LARGE: ("51201", "Value of per market order cannot exceed the limit"),
        Refusal.BALANCE_NOT_ENOUGH: ("51008", "Order failed. Insufficient balance in account."),
        Refusal.WOULD_TAKE: ("51511", "Operation failed as the amended order price would take liquidity."),
        Refusal.NOT_FILLABLE: ("51000", "Parameter sz error"),
        Refusal.DUPLICATE_CLIENT_ID: ("51016", "Client order ID already exists."),
        Refusal.UNKNOWN_ORDER: ("51503" if amending else "51400", "The order has been filled, canceled or does not exist."),
        Refusal.ORDER_FINISHED: ("51503" if amending else "51400", "The order has been filled, canceled or does not exist."),
        Refusal.WOULD_INCREASE_POSITION: (
            "51522" if amending else "51170",
            "A reduce-only order can't be the same trading direction as your existing positions.",
        ),
        Refusal.LEVERAGE_OUT_OF_RANGE: ("59102", "Leverage exceeds the maximum limit. Please lower the leverage."),
        Refusal.POSITION_IN_THE_WAY: ("59000", "Settings failed. Close any open positions or orders before modifying settings."),
        Refusal.NO_CHANGE: ("51000", "Parameter newPx or newSz error"),
    }[refused.refusal]
    if amending and code == "51008":
        code, message = "51502", "Order modification failed for insufficient margin."
    return OkxError(code, message)
