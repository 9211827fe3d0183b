"""OKX's refusals, classified. They come with any HTTP status, mostly 200; the codes decide.

Codes: https://www.okx.com/docs-v5/en/ "Error Code".
"""

from __future__ import annotations

import msgspec

from network.limits import BANNED, TOO_MANY_REQUESTS
from orders.errors import ErrorKind, ExchangeError

CODES_BY_KIND: dict[ErrorKind, str] = {
    # The server failed or timed out on the way (51412: of a cancellation), so that the request may have taken effect. Of
    # those from 50005 on OKX says that it has not, which costs little to find out. 51016 and 50071 say that there is an
    # order with our client id: ours, then, however it got there.
    ErrorKind.RETRYABLE: "50004 51054 51149 51412 51016 50071 50005 50013 50026 50040 50064 63999 64007",
    # From 50017 on, what is frozen for as long as a position is liquidated or funding is paid.
    ErrorKind.MAINTENANCE: "50001 51022 51028 51029 51030 50017 50018 50019 50020 50021 50022 50023",
    ErrorKind.RATE_LIMITED: "50011 50061 51113 60014 60023",
    # The key, what it may do, and accounts that are restricted: only a person can mend it.
    ErrorKind.AUTHENTICATION: (
        "50007 50009 50012 50027 50028 50029 50030 50031 50032 50035 50044 50100 50101 50103 50104 50105 50106 50107 50110 50111 "
        "50113 50114 50119 50120 51024 60005 60007 60009 60011 60024 60032"
    ),
    # A timestamp more than 30 s off, and an order past its expTime: checked before anything else, so it does not exist.
    ErrorKind.CLOCK_SKEW: "50102 50112 50036 50037 60004 60006",
    ErrorKind.INSUFFICIENT_BALANCE: "51008 51119 51127 51131 51502 59103 59108 59109 59200",
    ErrorKind.INVALID_PARAMETERS: (
        "50000 50002 50006 50014 50015 50016 50115 50122 51000 51001 51005 51006 51007 51010 51011 51020 51021 51023 51027 51112 51120 "
        "51121 51137 51138 51150 51169 51170 51201 51202 51203 51205 51513 60012 60013 60018 60019 60027 60028 "
        # more of contracts: how much one may have, what a reduce-only order may be, when leverage may change
        "51003 51004 51025 51101 51102 51103 51104 51105 51106 51107 51108 51134 51135 51136 51148 51171 51174 51185 51186 51187 "
        "51521 51522 59000 59101 59102 59104 59105 59107 59111 59112 59668 59669 59670"
    ),
    ErrorKind.WOULD_TAKE: "51511",
    ErrorKind.ORDER_NOT_FOUND: "51603 51063",
    # 51400 says of an order only that it is filled, cancelled or unknown.
    ErrorKind.ALREADY_CLOSED: "51400 51401 51402 51410 51503 51509 51510",
}
KIND_BY_CODE: dict[str, ErrorKind] = {code: kind for kind, codes in CODES_BY_KIND.items() for code in codes.split()}

NO_SUCH_INSTRUMENT = "51001"
MESSAGE_LENGTH_MAX = 300
_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)


class _Answer(msgspec.Struct):
    code: str | None = None
    msg: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Item(msgspec.Struct, rename="camel"):
    s_code: str | None = None
    s_msg: str | None = None


_ANSWERS = msgspec.json.Decoder(_Answer)
_ITEMS = msgspec.json.Decoder(list[_Item])


def refusal_in(status: int, body: bytes) -> ExchangeError | None:
    """The refusal that an answer holds, None if it says that the request was accepted. Never raises.

    An operation on one order fails with code 1, and why stands with the order. Of several orders each has its own fate,
    whatever the answer's code: that is no refusal of the request. A body that is not OKX's (a proxy's page, nothing at all)
    is classified by the status alone, and with a good status it is left to whoever reads it.
    """
    accepted = 200 <= status < 300
    try:
        answer = _ANSWERS.decode(body)
    except _UNREADABLE:
        answer = _Answer()
    if accepted and not answer.code:
        return None
    items = [] if answer.code == "0" and accepted and b'"sCode"' not in body else _items(answer.data)
    if accepted and len(items) > 1 and answer.code in ("0", "1", "2"):
        return None
    if len(items) == 1 and items[0].s_code and (items[0].s_code != "0" or answer.code == "1"):
        return coded_refusal(items[0].s_code, items[0].s_msg or answer.msg or "", http_status=status)
    if accepted and answer.code == "0":
        return None
    return coded_refusal(answer.code or "", answer.msg or "", http_status=status)


def coded_refusal(code: str, message: str, *, http_status: int) -> ExchangeError:
    """A refusal by its code; where that is unknown or missing, by the status."""
    kind = KIND_BY_CODE.get(code) or _kind_by_status(http_status)
    return ExchangeError(kind, code=code or f"HTTP {http_status}", message=without_echo(message), http_status=http_status)


def without_echo(message: str) -> str:
    """What the exchange says, without the request that it may repeat in braces: that can hold a passphrase."""
    return message.partition("{")[0].strip()[:MESSAGE_LENGTH_MAX]


def _items(data: msgspec.Raw) -> list[_Item]:
    try:
        return _ITEMS.decode(data)
    except _UNREADABLE:
        return []  # data of another kind


def _kind_by_status(status: int) -> ErrorKind:
    if status in (TOO_MANY_REQUESTS, BANNED):
        return ErrorKind.RATE_LIMITED
    if status >= 500:
        return ErrorKind.RETRYABLE
    # 403 is what the content network in front of OKX answers, whatever the key.
    return ErrorKind.AUTHENTICATION if status == 401 else ErrorKind.UNKNOWN
