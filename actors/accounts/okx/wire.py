"""What OKX says about an account: the shapes of its messages and how they become neutral values. For spot and swap alike.

Only the fields that are used, from https://www.okx.com/docs-v5/en/ ("Get order details", "Get transaction details", "Get
balance", "Get instruments", "Order channel", "Account channel"). All numbers are text, and an empty text means "none".
Sizes are in base units on spot and in contracts on swap; of positions and what is paid for them: `okx_positions`.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from decimal import Decimal
from typing import TypeVar

import msgspec

from actors.accounts.reading import amount, finite
from actors.accounts.reading import reading as exchange_reading
from market.events import Side
from orders.order import ZERO
from orders.reports import ReportedStatus

T = TypeVar("T")

# "cancelSource"; what is not here was a cancellation. 13 and 14: fill-or-kill, immediate-or-cancel; 31: post-only.
_END_BY_CANCEL_SOURCE = {"13": ReportedStatus.EXPIRED, "14": ReportedStatus.EXPIRED, "31": ReportedStatus.REJECTED}
_REASONS = {
    "": "",
    "1": "",  # by the user
    "0": "by the system",
    "3": "by risk control, the margin being short",
    "6": "by risk control, before a position was closed",
    "13": "fill-or-kill, and it could not be filled",
    "14": "immediate-or-cancel",
    "15": "its price was beyond the exchange's limit",
    "17": "its position had been closed",
    "20": "by the dead-man's switch",
    "21": "its position had been closed",
    "22": "reduce-only, and there was no more to reduce",
    "23": "reduce-only, and there was no more to reduce",
    "27": "its price was too far from its counterparty's",
    "31": "post-only, and it would have taken",
    "32": "it would have traded with the same account",
}


class Order(msgspec.Struct, rename="camel"):
    """As REST and the stream describe it; the stream adds the fill that it tells of. Filled figures are never in quote units."""

    ord_id: str
    inst_id: str
    side: Side
    ord_type: str
    sz: str
    state: str
    inst_type: str = ""
    cl_ord_id: str = ""
    tgt_ccy: str = ""
    px: str = ""
    acc_fill_sz: str = ""
    avg_px: str = ""
    cancel_source: str = ""
    u_time: str = ""
    trade_id: str = ""
    fill_sz: str = ""
    fill_px: str = ""
    fill_fee: str = ""
    fill_fee_ccy: str = ""
    fill_time: str = ""
    exec_type: str = ""

    @property
    def status(self) -> ReportedStatus:
        """
        Raises:
            ValueError: no such state is known.
        """
        if self.state in ("live", "partially_filled"):
            return ReportedStatus.OPEN
        if self.state == "filled":
            return ReportedStatus.FILLED
        if self.state in ("canceled", "mmp_canceled"):
            return _END_BY_CANCEL_SOURCE.get(self.cancel_source, ReportedStatus.CANCELLED)
        raise ValueError(f"no state {self.state!r} is known")

    @property
    def reason(self) -> str:
        return _REASONS.get(self.cancel_source, f"cancelSource {self.cancel_source}")

    @property
    def quantity_is_quote(self) -> bool:
        """`sz` of a market buy states what to spend unless `tgtCcy` says otherwise; of contracts it never does."""
        if self.ord_type != "market" or self.inst_type not in ("", "SPOT"):
            return False
        return (self.tgt_ccy or ("quote_ccy" if self.side is Side.BUY else "")) == "quote_ccy"


class Fill(msgspec.Struct, rename="camel"):
    trade_id: str
    ord_id: str
    inst_id: str
    side: Side
    fill_px: str
    fill_sz: str
    bill_id: str = ""
    cl_ord_id: str = ""
    fee: str = ""
    fee_ccy: str = ""
    exec_type: str = ""
    fill_time: str = ""
    ts: str = ""


class Balance(msgspec.Struct, rename="camel"):
    """One currency: `cashBal` is all of it, `availBal` what is free. Where there are positions, `availEq` is what may be used for
    new ones, and what was set aside for isolated ones has left `cashBal`: `isoEq`, with their profit `isoUpl` in it.
    """

    ccy: str
    cash_bal: str
    avail_bal: str = ""
    avail_eq: str = ""
    iso_eq: str = ""
    iso_upl: str = ""
    u_time: str = ""


class Account(msgspec.Struct):
    details: list[Balance]


class Operation(msgspec.Struct, rename="camel"):
    """What became of placing, cancelling or amending one order. 0 means no more than that it was received."""

    s_code: str
    ord_id: str = ""
    cl_ord_id: str = ""
    s_msg: str = ""
    ts: str = ""


class Answer(msgspec.Struct):
    code: str
    msg: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


class Listing(msgspec.Struct, rename="camel"):
    """An instrument. Placeholders of what is not open yet have empty fields; those from `ctVal` on are of contracts.

    `instIdCode` is the name by which the websocket's order operations know it: a JSON integer, or whatever else: a listing
    without it is as good for everything but those.
    """

    inst_id: str = ""
    inst_id_code: object = None
    lot_sz: str = ""
    ct_val: str = ""
    ct_mult: str = ""
    ct_val_ccy: str = ""
    ct_type: str = ""
    settle_ccy: str = ""
    lever: str = ""


class Identified(msgspec.Struct, rename="camel"):
    """What paging goes by."""

    ord_id: str = ""
    bill_id: str = ""


class ServerTime(msgspec.Struct):
    ts: str


class Configuration(msgspec.Struct):
    """`perm` lists what the key may do: ``read_only``, ``trade``, ``withdraw``."""

    perm: str


class Arg(msgspec.Struct):
    channel: str = ""


class Frame(msgspec.Struct):
    """Any frame of JSON. `event` is of control frames, `arg` of those and of pushes, `op` of answers to order operations."""

    id: str | None = None
    event: str = ""
    op: str = ""
    arg: Arg | None = None
    code: str = ""
    msg: str = ""
    channel: str = ""  # of the notices about too many connections
    data: msgspec.Raw = msgspec.Raw(b"null")


ANSWER = msgspec.json.Decoder(Answer)
ORDERS = msgspec.json.Decoder(list[Order])
FILLS = msgspec.json.Decoder(list[Fill])
ACCOUNTS = msgspec.json.Decoder(list[Account])
OPERATIONS = msgspec.json.Decoder(list[Operation])
LISTINGS = msgspec.json.Decoder(list[Listing])
IDENTIFIED = msgspec.json.Decoder(list[Identified])
SERVER_TIMES = msgspec.json.Decoder(list[ServerTime])
CONFIGURATIONS = msgspec.json.Decoder(list[Configuration])
FRAME = msgspec.json.Decoder(Frame)


def reading(what: str, data: bytes | str) -> AbstractContextManager[None]:
    """As `actors.accounts.reading.reading`."""
    return exchange_reading("OKX", what, data)


def data_of(decoder: msgspec.json.Decoder[list[T]], body: bytes) -> list[T]:
    """What a REST answer holds. Within `reading`: any of its errors."""
    return decoder.decode(ANSWER.decode(body).data)


def only(items: list[T]) -> T:
    """
    Raises:
        ValueError: there is not exactly one.
    """
    if len(items) != 1:
        raise ValueError(f"{len(items)} of them in place of one")
    return items[0]


def signed(text: str) -> Decimal:
    """A number that may be negative; 0 where there is none. Raises: ValueError, ArithmeticError: it is no amount."""
    return finite(Decimal(text)) if text else ZERO


def positive(text: str) -> Decimal:
    """A number that is not negative; 0 where there is none. Raises: ValueError, ArithmeticError: it is no such amount."""
    return amount(Decimal(text)) if text else ZERO


def milliseconds(text: str) -> int:
    return int(text) if text else 0


# "clOrdId": letters and digits only, and case counts. Our ids have lower case letters, digits and hyphens, so that an upper
# case letter can stand for the hyphen.
_HYPHEN = "Z"


def wire_client_order_id(client_order_id: str) -> str:
    return client_order_id.replace("-", _HYPHEN)


def client_order_id(wire: str) -> str | None:
    """Ours; None if no client named the order, or one that writes upper case letters."""
    text = wire.replace(_HYPHEN, "-")
    return text if text and text == text.lower() else None
