"""Order entry over Gate.io's websockets: the login, the frame of a request and the answer, which its products share.

References are to headings of https://www.gate.com/docs/developers/apiv4/ws/en/ under "Websocket API"; those of futures say
the same. A placement is acknowledged first (`ack`) and answered then, and a refused one is only answered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from actors.accounts.credential import Credential
from actors.accounts.gateio.signature import login_signature
from orders.errors import ErrorKind, ExchangeError
from orders.reports import PrivateReport, StreamAnswered, StreamClosing, StreamConfirmed, StreamRefused

API_EVENT = "api"
EXPIRY_HEADER = "x-gate-exptime"  # "Client API Request", `req_header`; the exchange's time in milliseconds

_LABEL_WITHIN = "label: "

Classify = Callable[..., ExchangeError]


class ApiHeader(msgspec.Struct):
    status: str | int = ""
    channel: str = ""


class ApiRefusal(msgspec.Struct):
    label: str = ""
    message: str = ""


class ApiData(msgspec.Struct):
    result: msgspec.Raw = msgspec.Raw(b"null")
    errs: ApiRefusal | None = None


class ApiFrame(msgspec.Struct):
    """What an answer of the order API has; every other frame has no `header`."""

    request_id: str = ""
    ack: bool = False
    header: ApiHeader | None = None
    data: ApiData | None = None


def login_channel(product: str) -> str:
    """`product` is the first part of its channels' names: ``spot``, ``futures``."""
    return f"{product}.login"


def login_frame(credential: Credential, *, product: str, timestamp_milliseconds: int) -> str:
    """Logs the connection in, once for all requests on it ("Login")."""
    channel, timestamp_seconds = login_channel(product), timestamp_milliseconds // 1000
    payload = {
        "req_id": "login",
        "api_key": credential.key,
        "signature": login_signature(credential.secret, channel=channel, timestamp_seconds=timestamp_seconds),
        "timestamp": str(timestamp_seconds),
    }
    return _frame(channel, payload, timestamp_seconds)


def request_frame(
    channel: str, parameters: object, *, request_id: str, timestamp_milliseconds: int, expires_at_milliseconds: int | None = None
) -> str:
    """One order operation; past `expires_at_milliseconds` the exchange refuses it."""
    payload: dict[str, object] = {"req_id": request_id, "req_param": parameters}
    if expires_at_milliseconds is not None:
        payload["req_header"] = {EXPIRY_HEADER: str(expires_at_milliseconds)}
    return _frame(channel, payload, timestamp_milliseconds // 1000)


def answer_reports(frame: ApiFrame, *, product: str, classify: Classify) -> list[PrivateReport]:
    """What an answer of the order API says. `classify` gives the refusal of a label, a message and an HTTP status.

    Raises:
        ValueError: it has no readable status.
    """
    header = frame.header or ApiHeader()
    data = frame.data or ApiData()
    status = int(header.status)
    is_accepted = 200 <= status < 300 and data.errs is None
    if frame.ack and is_accepted:
        return []  # received; what comes of it follows
    refusal = None
    if not is_accepted:
        label, message = _label_and_message(data.errs or ApiRefusal())
        refusal = classify(label, message, http_status=status)
    if header.channel != login_channel(product):
        return [StreamAnswered(frame.request_id, error=refusal) if refusal else StreamAnswered(frame.request_id, bytes(data.result))]
    if refusal is None:
        return [StreamConfirmed(header.channel)]
    if refusal.kind in (ErrorKind.RETRYABLE, ErrorKind.RATE_LIMITED, ErrorKind.MAINTENANCE):
        return [StreamClosing(f"the login was not taken: {refusal}")]  # says nothing of the credential: it is tried again
    return [StreamRefused(header.channel, refusal.code, refusal.message)]


def _label_and_message(errs: ApiRefusal) -> tuple[str, str]:
    """Where the label is empty, the message may begin with it."""
    if errs.label or not errs.message.startswith(_LABEL_WITHIN):
        return errs.label, errs.message
    label, _, message = errs.message.removeprefix(_LABEL_WITHIN).partition(", message: ")
    return label, message


def _frame(channel: str, payload: Mapping[str, object], timestamp_seconds: int) -> str:
    return msgspec.json.encode({"time": timestamp_seconds, "channel": channel, "event": API_EVENT, "payload": payload}).decode()
