"""Who is asking: signatures of REST requests and of websocket logins, verified as OKX does."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from simulated.control import VenueClock
from simulated.numbers import whole_number_of
from simulated.okx.errors import OkxError
from simulated.settings import AccountSettings
from simulated.venue import text_of

_SKEW_MILLISECONDS_MAX = 30_000
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_HEADERS = (  # in the order in which they are missed
    ("OK-ACCESS-KEY", "50103"),
    ("OK-ACCESS-PASSPHRASE", "50104"),
    ("OK-ACCESS-SIGN", "50106"),
    ("OK-ACCESS-TIMESTAMP", "50107"),
)


class Authenticator:
    """Knows the keys of every account of this exchange."""

    def __init__(self, accounts: tuple[AccountSettings, ...], clock: VenueClock) -> None:
        self._accounts = {account.api_key: account for account in accounts}
        self._clock = clock

    def rest(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> AccountSettings:
        """The account that signed this request. `target` is path and query exactly as sent.

        Raises:
            OkxError: a header is missing, the time is off (checked before the key), the key unknown, passphrase or signature wrong.
        """
        for name, code in _HEADERS:
            if not headers.get(name):
                raise OkxError(code, f"Request header {name} cannot be empty.")
        timestamp = headers["OK-ACCESS-TIMESTAMP"]
        try:
            at = datetime.strptime(timestamp, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
        except ValueError:
            raise OkxError("50112", "Invalid OK-ACCESS-TIMESTAMP") from None
        if not _TIMESTAMP.fullmatch(timestamp):
            raise OkxError("50112", "Invalid OK-ACCESS-TIMESTAMP")
        if abs(self._clock.milliseconds() - at.timestamp() * 1000) > _SKEW_MILLISECONDS_MAX:
            raise OkxError("50102", "Timestamp request expired")
        account = self._accounts.get(headers["OK-ACCESS-KEY"])
        if account is None:
            raise OkxError("50111", "Invalid OK-ACCESS-KEY")
        if headers["OK-ACCESS-PASSPHRASE"] != account.api_passphrase:
            raise OkxError("50105", "Request header OK-ACCESS-PASSPHRASE incorrect.")
        if not _is_signed(account, f"{timestamp}{method}{target}".encode() + body, headers["OK-ACCESS-SIGN"]):
            raise OkxError("50113", "Invalid Sign")
        return account

    def login(self, fields: Mapping[str, object]) -> AccountSettings:
        """The account that signed a websocket login.

        Raises:
            OkxError: as `rest`.
        """
        timestamp = text_of(fields, "timestamp") or ""
        seconds = whole_number_of(timestamp)
        if seconds is None:
            raise OkxError("60004", "Invalid timestamp")
        if abs(self._clock.milliseconds() - seconds * 1000) > _SKEW_MILLISECONDS_MAX:
            raise OkxError("60006", "Timestamp request expired")
        account = self._accounts.get(text_of(fields, "apiKey") or "")
        if account is None:
            raise OkxError("60005", "Invalid apiKey")
        if text_of(fields, "passphrase") != account.api_passphrase:
            raise OkxError("60024", "Wrong passphrase")
        if not _is_signed(account, f"{timestamp}GET/users/self/verify".encode(), text_of(fields, "sign") or ""):
            raise OkxError("60007", "Invalid sign")
        return account


def _is_signed(account: AccountSettings, text: bytes, signature: str) -> bool:
    expected = base64.b64encode(hmac.new(account.api_secret.encode(), text, hashlib.sha256).digest())
    return hmac.compare_digest(expected, signature.encode())
