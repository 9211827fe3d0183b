"""Who is asking: signatures of REST requests, of private subscriptions and of websocket logins, verified as Gate.io does."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import unquote

from simulated.control import VenueClock
from simulated.gateio.errors import GateError
from simulated.numbers import whole_number_of
from simulated.settings import AccountSettings

_SKEW_SECONDS_MAX = 60


class Authenticator:
    """Knows the keys of every account of this exchange."""

    def __init__(self, accounts: tuple[AccountSettings, ...], clock: VenueClock) -> None:
        self._accounts = {account.api_key: account for account in accounts}
        self._clock = clock

    def rest(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> AccountSettings:
        """The account that signed this request. `path` includes ``/api/v4``; `query` is the raw query string as sent.

        Raises:
            GateError: a header is missing, the time is off (checked before the key), the key unknown, the signature wrong.
        """
        for name in ("KEY", "Timestamp", "SIGN"):
            if not headers.get(name):
                raise GateError("MISSING_REQUIRED_HEADER", f"Missing required header {name}")
        timestamp = headers["Timestamp"]
        self._check_time(timestamp)
        account = self._account(headers["KEY"])
        # The string that is signed holds the query as it reads, not as it is escaped for the URL.
        signed = f"{method}\n{path}\n{unquote(query)}\n{hashlib.sha512(body).hexdigest()}\n{timestamp}"
        self._check_signature(account, [signed], headers["SIGN"])
        return account

    def subscription(self, channel: str, event: str, time_seconds: object, auth: object) -> AccountSettings:
        """The account that signed a private subscription.

        Raises:
            GateError: as `rest`.
        """
        if not isinstance(auth, dict):
            raise GateError("MISSING_REQUIRED_HEADER", "auth is required")
        fields: dict[object, object] = auth  # type: ignore[assignment]
        self._check_time(str(time_seconds))
        account = self._account(str(fields.get("KEY")))
        self._check_signature(account, [f"channel={channel}&event={event}&time={time_seconds}"], str(fields.get("SIGN")))
        return account

    def login(self, channel: str, api_key: str, signature: str, timestamp: str, parameters: list[str]) -> AccountSettings:
        """The account that signed a websocket login; `parameters` are the spellings of `req_param` that may have been signed.

        Raises:
            GateError: as `rest`.
        """
        self._check_time(timestamp)
        account = self._account(api_key)
        self._check_signature(account, [f"api\n{channel}\n{text}\n{timestamp}" for text in parameters], signature)
        return account

    def _check_time(self, timestamp: str) -> None:
        seconds = whole_number_of(timestamp)
        if seconds is None or abs(self._clock.milliseconds() // 1000 - seconds) > _SKEW_SECONDS_MAX:
            raise GateError("REQUEST_EXPIRED", "gap between request Timestamp and server time exceeds 60")

    def _account(self, api_key: str) -> AccountSettings:
        account = self._accounts.get(api_key)
        if account is None:
            raise GateError("INVALID_KEY", "Invalid key provided")
        return account

    @staticmethod
    def _check_signature(account: AccountSettings, signed: list[str], signature: str) -> None:
        for text in signed:
            expected = hmac.new(account.api_secret.encode(), text.encode(), hashlib.sha512).hexdigest()
            if hmac.compare_digest(expected.encode(), signature.encode()):
                return
        raise GateError("INVALID_SIGNATURE", "Signature mismatch")
