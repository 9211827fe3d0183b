"""What Gate.io says about an account in the same words for spot and futures: shapes, client order ids, and how orders end.

Only the fields that are used, from https://www.gate.com/docs/developers/apiv4/ and the websocket pages beside it. Numbers are
integers, text, or text with decimals, as it happens.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from decimal import Decimal

import msgspec

from actors.accounts.gateio.order_entry import ApiFrame
from actors.accounts.reading import finite
from actors.accounts.reading import reading as exchange_reading
from orders.order import ZERO
from orders.reports import ReportedStatus

# "text": what a client calls its order begins so on the wire; any other text tells how a foreign order was made.
CLIENT_ID_PREFIX = "t-"

_END_BY_FINISH = {  # "finish_as"; what is not here counts as cancelled, with the exchange's word as the reason
    "filled": ReportedStatus.FILLED,
    "ioc": ReportedStatus.EXPIRED,
    "fok": ReportedStatus.EXPIRED,
    "poc": ReportedStatus.REJECTED,
}
_REASON_BY_FINISH = {"poc": "post-only, and it would have taken (poc)", "cancelled": "", "filled": ""}

Number = str | int | float


class BatchItem(msgspec.Struct):
    """The part of a batch's answer that says whether; `status` tells whether an order follows."""

    id: str | int | None = None
    order_id: str | int | None = None
    text: str | None = None
    succeeded: bool | None = None
    label: str | None = None
    message: str | None = None
    detail: str | None = None
    status: str | None = None


class StreamError(msgspec.Struct):
    code: int | str = ""
    message: str = ""


class Frame(ApiFrame):
    channel: str = ""
    event: str | None = None
    error: StreamError | None = None
    result: msgspec.Raw = msgspec.Raw(b"null")
    type: str | None = None  # of the bare upgrade notice, as is `msg`
    msg: str | None = None


class SubscribeResult(msgspec.Struct):
    status: str = "success"


class SystemNotice(msgspec.Struct):
    type: str = ""
    msg: str = ""


class ServerTime(msgspec.Struct):
    server_time: int


ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
BATCH_ITEM = msgspec.json.Decoder(BatchItem)
FRAME = msgspec.json.Decoder(Frame)
SUBSCRIBE_RESULT = msgspec.json.Decoder(SubscribeResult | None)
SYSTEM_NOTICE = msgspec.json.Decoder(SystemNotice | None)
SERVER_TIME = msgspec.json.Decoder(ServerTime)


def reading(what: str, data: bytes | str) -> AbstractContextManager[None]:
    """As `actors.accounts.reading.reading`."""
    return exchange_reading("Gate.io", what, data)


def client_order_id(text: str | None) -> str | None:
    """Ours, without Gate.io's prefix; None if no client named the order."""
    if text is None or not text.startswith(CLIENT_ID_PREFIX):
        return None
    return text.removeprefix(CLIENT_ID_PREFIX)


def wire_text(client_order_id: str) -> str:
    """A client order id as Gate.io wants it."""
    return f"{CLIENT_ID_PREFIX}{client_order_id}"


def how_it_ended(finish_as: str | None, *, is_filled: bool) -> tuple[ReportedStatus, str]:
    """Status and reason of an order that has ended. Samples disagree on the word for a partly filled immediate order: amounts decide."""
    finish = finish_as or ""
    if is_filled:
        finish = "filled"
    return _END_BY_FINISH.get(finish, ReportedStatus.CANCELLED), _REASON_BY_FINISH.get(finish, finish)


def charged(fee: Decimal | None, asset: str, **deducted: Decimal | None) -> tuple[Decimal, str]:
    """A trade's fee and what it was taken in; where it is nothing, it may have been deducted in another asset."""
    fee = finite(fee or ZERO)
    if not fee:
        for other, deduction in deducted.items():
            if deduction:
                return finite(deduction), other
    return fee, asset


def milliseconds(value: Number | None) -> int:
    return 0 if value is None or value == "" else int(float(value))
