"""The parameters of requests, read strictly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from market.events import Side
from simulated.engine.order import SelfTrade
from simulated.numbers import decimal_of
from simulated.okx.errors import OkxError, parameter_error
from simulated.venue import text_of

Fields = Mapping[str, Any]

_CLIENT_ID = re.compile(r"[0-9A-Za-z]{1,32}")
_TAG = re.compile(r"[0-9A-Za-z]{1,16}")
_SELF_TRADE = {
    "cancel_maker": SelfTrade.CANCEL_OLDEST,
    "cancel_taker": SelfTrade.CANCEL_NEWEST,
    "cancel_both": SelfTrade.CANCEL_BOTH,
}


def limit_of(fields: Fields) -> int:
    return min(100, whole_number(fields, "limit", 100))


def whole_number(fields: Fields, name: str, otherwise: int) -> int:
    """Raises: OkxError: it is not a whole number."""
    text = text_of(fields, name)
    if text is None:
        return otherwise
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise parameter_error(name)
    return int(text)


def side_of(fields: Fields) -> Side:
    """Raises: OkxError: it is neither side."""
    side = text_of(fields, "side")
    if side not in ("buy", "sell"):
        raise parameter_error("side")
    return Side(side)


def client_id_of(fields: Fields) -> str:
    """Raises: OkxError: it has characters that OKX does not take, or too many."""
    return _matching(fields, "clOrdId", _CLIENT_ID)


def tag_of(fields: Fields) -> str:
    """Raises: OkxError: it has characters that OKX does not take, or too many."""
    return _matching(fields, "tag", _TAG)


def self_trade_of(fields: Fields) -> SelfTrade | None:
    """Raises: OkxError: there is no such mode."""
    mode = text_of(fields, "stpMode")
    if mode is None:
        return None
    if mode not in _SELF_TRADE:
        raise parameter_error("stpMode")
    return _SELF_TRADE[mode]


def flag_of(fields: Fields, name: str) -> bool:
    """A boolean, as JSON has it or as text. Raises: OkxError: it is neither true nor false."""
    text = text_of(fields, name)
    if text not in (None, "true", "false"):
        raise parameter_error(name)
    return text == "true"


def number_of(fields: Fields, name: str) -> Decimal:
    """Raises: OkxError: it is missing or no number."""
    number = optional_number_of(fields, name)
    if number is None:
        raise OkxError("50014", f"Parameter {name} can not be empty.")
    return number


def optional_number_of(fields: Fields, name: str) -> Decimal | None:
    """Raises: OkxError: it is no number."""
    text = text_of(fields, name)
    if text is None:
        return None
    number = decimal_of(text)
    if number is None:
        raise parameter_error(name)
    return number


def _matching(fields: Fields, name: str, pattern: re.Pattern[str]) -> str:
    text = text_of(fields, name)
    if text is None:
        return ""
    if not pattern.fullmatch(text):
        raise parameter_error(name)
    return text
