"""What happened in a world, in words: for its trace, and for whoever reads of a failure."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

import msgspec

from actors.cycle.quoting.risk import RiskMeasured
from assembly.presenter.vocabulary import tell
from market.events import BookChanged, MarkPriceChanged, TickerChanged, TradeHappened
from orders.order import Order

LAST_EVENTS = 40
WORDS_MAX = 300
MEASURED = (TradeHappened, TickerChanged, MarkPriceChanged, RiskMeasured)
_CYCLE = re.compile(r"\bcycle (\w+)\b|\bround \d+ of (\w+)\b")


class Noted(msgspec.Struct, frozen=True):
    """What was done to the program."""

    text: str


def as_traced(event: object, now: float) -> bytes:
    """What the trace says of an event: nothing of one that is not told."""
    now = round(now, 9)
    if isinstance(event, BookChanged):  # most of all events, and words are dear
        return f"{now} {event.exchange} {event.symbol} {event.sequence} {event.bids[0]} {event.asks[0]}".encode()
    if isinstance(event, MEASURED):
        return f"{now} {event!r}".encode()
    told = tell(event)
    return b"" if told is None else msgspec.json.encode((now, told.name, told.fields))


def with_last_events(message: str, events: Sequence[tuple[float, object]]) -> str:
    """A message of failure with the last events, each with its time: of the order that it names, else of the cycle, else of all."""
    told = [(time, event) for time, event in events if type(event).__module__ != BookChanged.__module__]
    about = [(time, event) for time, event in told if (order_id := _order_id(event)) is not None and order_id in message]
    whose = " of that order" if about else ""
    if not about and (cycle := _CYCLE.search(message)) is not None:
        about = [(time, event) for time, event in told if isinstance(event, Noted) or _cycle_of(event) == (cycle[1] or cycle[2])]
        whose = " of that cycle, and what was done to the program"
    lines = "\n".join(f"  {time:10.4f} {_in_words(event)}" for time, event in (about or told)[-LAST_EVENTS:])
    return f"{message}; the last events{whose}:\n{lines}"


def _in_words(event: object) -> str:
    """In one line, and no longer than a person reads: `--trace` has the whole."""
    if isinstance(event, Noted):
        return f"*** {event.text}"
    told = tell(event)
    if told is None:
        return textwrap.shorten(repr(event), WORDS_MAX, placeholder=" …")
    fields = (f"{name}={value}" for name, value in told.fields.items() if value not in (None, "", False))
    return textwrap.shorten(f"{told.name} {' '.join(fields)}", WORDS_MAX, placeholder=" …")


def _cycle_of(event: object) -> str | None:
    """The cycle that the event is about."""
    order = getattr(event, "order", None)
    return order.request.owner if isinstance(order, Order) else getattr(event, "cycle", None)


def _order_id(event: object) -> str | None:
    """Our id of the order that the event is about."""
    order = getattr(event, "order", None)
    return order.client_order_id if isinstance(order, Order) else None
