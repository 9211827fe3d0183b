"""The parameters of orders that mean the same on every exchange of Gate.io's."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from simulated.engine.order import Order, SelfTrade, TimeInForce
from simulated.gateio.errors import GateError
from simulated.numbers import decimal_of
from simulated.settings import AccountSettings
from simulated.venue import text_of

Json = dict[str, Any]
Fields = Mapping[str, Any]

TIME_IN_FORCE = {
    TimeInForce.GOOD_TILL_CANCELLED: "gtc",
    TimeInForce.IMMEDIATE_OR_CANCEL: "ioc",
    TimeInForce.POST_ONLY: "poc",
    TimeInForce.FILL_OR_KILL: "fok",
}
TIME_IN_FORCE_OF = {name: value for value, name in TIME_IN_FORCE.items()}
STP_ACTIONS = {"cn": SelfTrade.CANCEL_NEWEST, "co": SelfTrade.CANCEL_OLDEST, "cb": SelfTrade.CANCEL_BOTH}
_TEXT = re.compile(r"t-[0-9A-Za-z_.\-]{1,28}")
_ACTION_MODES = ("ACK", "RESULT", "FULL")


def client_id(fields: Fields) -> str:
    """The client's own name for an order; empty when it gave none. Raises: GateError: it is not of the form that is asked for."""
    text = text_of(fields, "text")
    if text is None:
        return ""
    if not _TEXT.fullmatch(text):
        raise GateError("INVALID_CLIENT_ORDER_ID", "text must start with t- and go on with up to 28 of 0-9 A-Z a-z _ - .")
    return text


def action_mode(fields: Fields) -> str:
    """How much of an order is wanted in the answer. Raises: GateError: there is no such mode."""
    mode = text_of(fields, "action_mode") or "FULL"
    if mode not in _ACTION_MODES:
        raise GateError("INVALID_PARAM_VALUE", f"Invalid action_mode {mode}")
    return mode


def self_trade(fields: Fields, account: AccountSettings) -> SelfTrade | None:
    """Raises: GateError: an unknown action, or the account is in no group."""
    action = text_of(fields, "stp_act")
    if action in (None, "-"):
        return None
    if action not in STP_ACTIONS or not account.stp_group:
        raise GateError("INVALID_PARAM_VALUE", f"Invalid stp_act {action}: the user is in no stp group, or there is no such action")
    return STP_ACTIONS[action]


def stp_act(order: Order, stp_group: int) -> str:
    """The action as an order object tells it."""
    if stp_group:
        for action, policy in STP_ACTIONS.items():
            if order.self_trade is policy:
                return action
    return "-"


def number(fields: Fields, name: str) -> Decimal:
    """Raises: GateError: it is missing, or no plain decimal."""
    value = optional_number(fields, name)
    if value is None:
        raise GateError("MISSING_REQUIRED_PARAM", f"{name} is required")
    return value


def optional_number(fields: Fields, name: str) -> Decimal | None:
    """Raises: GateError: it is no plain decimal."""
    text = text_of(fields, name)
    if text is None:
        return None
    value = decimal_of(text)
    if value is None:
        raise GateError("INVALID_PARAM_VALUE", f"Invalid {name} {text[:40]}")
    return value


def seconds_bound(fields: Fields, name: str, otherwise: int) -> int:
    """A time bound in seconds. Raises: GateError: it is not a whole number."""
    text = text_of(fields, name)
    if text is None:
        return otherwise
    if not text.isdigit():
        raise GateError("INVALID_PARAM_VALUE", f"Invalid {name} {text}")
    return int(text)


def check_batch(batch: Sequence[object], orders_max: int) -> None:
    """Raises: GateError: it is empty or too large."""
    if not 1 <= len(batch) <= orders_max:
        raise GateError("TOO_MANY_ORDERS", f"A batch holds 1 to {orders_max} orders")


def check_texts(batch: Sequence[Fields]) -> None:
    """Raises: GateError: an order of a batch has no client id; each needs one."""
    if any(text_of(fields, "text") is None for fields in batch):
        raise GateError("MISSING_REQUIRED_PARAM", "text is required for each order of a batch")


def answer_each(batch: Sequence[Fields], command: Callable[[Fields], Json], refused: Callable[[Fields, GateError], Json]) -> list[Json]:
    """Carry `command` out for each item; one that is refused has no effect on the others."""
    answers: list[Json] = []
    for fields in batch:
        try:
            answers.append(command(fields))
        except GateError as error:
            answers.append(refused(fields, error))
    return answers
