"""The messages of Gate.io's public side that are the same whatever is traded: only the fields that are used, checked as decoded.

References as in `actors.feeds.gateio.codec`. Numbers may come as JSON numbers or as strings of decimals.
"""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

import msgspec

# The bounds keep NaN, infinity and negative numbers out of books; the C decoder checks them at no measurable cost.
Price = Annotated[float, msgspec.Meta(gt=0.0, lt=1e18)]
Quantity = Annotated[float, msgspec.Meta(ge=0.0, lt=1e30)]
Sequence = Annotated[int, msgspec.Meta(ge=0)]
Milliseconds = Annotated[float, msgspec.Meta(ge=0.0, lt=1e15)]

LevelT = TypeVar("LevelT")


class Error(msgspec.Struct):
    message: str = ""
    code: int = 0


class Envelope(msgspec.Struct):
    channel: str = ""
    event: str = ""
    id: int | None = None
    error: Error | None = None
    result: msgspec.Raw = msgspec.Raw(b"null")
    type: str = ""  # of the bare upgrade notice
    msg: str = ""


class Book(msgspec.Struct, Generic[LevelT]):
    """An update of a book, or with `full` all of it. How a level is written is the product's."""

    s: str
    last: Sequence = msgspec.field(name="u")
    first: Sequence | None = msgspec.field(name="U", default=None)  # only a full push may lack it
    b: list[LevelT] = []
    a: list[LevelT] = []
    t: int = 0
    full: bool = False


class BookSymbol(msgspec.Struct):
    s: str


class Snapshot(msgspec.Struct, Generic[LevelT]):
    """A whole book over REST. `update` is when it last changed: milliseconds for spot, seconds for futures."""

    id: Sequence
    bids: list[LevelT]
    asks: list[LevelT]
    update: Milliseconds = 0.0


class Status(msgspec.Struct):
    status: str = "success"


class Notice(msgspec.Struct):
    type: str = ""
    msg: str = ""


class Refusal(msgspec.Struct):
    label: str = ""
    message: str = ""


class Request(msgspec.Struct, omit_defaults=True):
    time: int
    channel: str
    id: int | None = None
    event: str = ""
    payload: list[str] | None = None


ENVELOPES = msgspec.json.Decoder(Envelope)
BOOK_SYMBOLS = msgspec.json.Decoder(BookSymbol)
STATUSES = msgspec.json.Decoder(Status)
NOTICES = msgspec.json.Decoder(Notice)
REFUSALS = msgspec.json.Decoder(Refusal)


def request(event: str, channel: str, payload: list[str], now_milliseconds: int, request_id: int) -> str:
    """A frame that subscribes or unsubscribes."""
    return msgspec.json.encode(Request(now_milliseconds // 1000, channel, request_id, event, payload)).decode()


def ping(channel: str, now_milliseconds: int) -> str:
    return msgspec.json.encode(Request(now_milliseconds // 1000, channel)).decode()
