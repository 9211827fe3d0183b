"""What is put into the journal: entries, each some events of one moment, which are written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Protocol

import msgspec

from market.symbol import Symbol


class EventTold(msgspec.Struct, frozen=True):
    """Anything that the journal has no table for, in words: its name and fields as JSON has them, and who it is about."""

    name: str
    fields: Mapping[str, object]
    actor: str = ""


class HoldPlaced(msgspec.Struct, frozen=True):
    """Nothing of a scope (an exchange, or `EXCHANGE/GROUP` of its limits) is sent until then: a ban, or what a Retry-After asked for."""

    scope: str
    until_milliseconds: int
    reason: str


class PriceSampled(msgspec.Struct, frozen=True, kw_only=True):
    """The best prices of a market at the entry's moment; None while it has no book that may be used.

    `exchange` is named as the journal names that of an account.
    """

    exchange: str
    symbol: Symbol
    bid: Decimal | None
    ask: Decimal | None


class Answer(Protocol):
    """Where it is said that an entry is written (`actors.channels.reply.Reply`). Neither call blocks or raises."""

    def answer(self, value: None, /) -> object: ...

    def fail(self, error: Exception, /) -> object: ...


class Entry(msgspec.Struct, frozen=True):
    """Events of one moment in the order in which they happened; a change of the ledger is an entry with all that it returned.

    `at_milliseconds` is wall time.
    """

    at_milliseconds: int
    events: tuple[object, ...]
    answer: Answer | None = None
