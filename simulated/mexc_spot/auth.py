"""Who is asking: the signature of a REST request and the window in which it had to arrive, verified as MEXC does."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping

from simulated.control import VenueClock
from simulated.mexc_spot.errors import MexcError, mandatory
from simulated.numbers import whole_number_of
from simulated.settings import AccountSettings

_WINDOW_DEFAULT_MILLISECONDS = 5_000
_WINDOW_MILLISECONDS_MAX = 60_000
_AHEAD_MILLISECONDS_MAX = 1_000
_SIGNATURE = re.compile(r"(?:^|&)signature=([^&]*)")


class Authenticator:
    """Knows the keys of every account of this exchange."""

    def __init__(self, accounts: tuple[AccountSettings, ...], clock: VenueClock) -> None:
        self._accounts = {account.api_key: account for account in accounts}
        self._clock = clock

    def rest(self, query: str, body: str, parameters: Mapping[str, str], headers: Mapping[str, str]) -> AccountSettings:
        """The account that signed this request. `query` and `body` are as they were sent, `parameters` what both say.

        Raises:
            MexcError: the key is missing or unknown, the time is off, the signature wrong.
        """
        key = headers.get("X-MEXC-APIKEY")
        if not key:
            raise MexcError(400, "api key required")
        account = self._accounts.get(key)
        if account is None:
            raise MexcError(10072, "Api key info invalid")
        self._check_time(parameters)
        # The two are signed one after the other with nothing between, the signature itself left out.
        given = _SIGNATURE.search(query) or _SIGNATURE.search(body)
        if given is None:
            raise mandatory("signature")
        signed = _SIGNATURE.sub("", query) + _SIGNATURE.sub("", body)
        expected = hmac.new(account.api_secret.encode(), signed.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected.encode(), given[1].encode()):
            raise MexcError(700002, "Signature for this request is not valid.")
        return account

    def _check_time(self, parameters: Mapping[str, str]) -> None:
        timestamp = whole_number_of(parameters.get("timestamp", ""))
        if timestamp is None:
            raise mandatory("timestamp")
        window = whole_number_of(parameters.get("recvWindow", str(_WINDOW_DEFAULT_MILLISECONDS)))
        if window is None or window > _WINDOW_MILLISECONDS_MAX:
            raise MexcError(700005, "recvWindow must be less than 60000")
        now = self._clock.milliseconds()
        if not (timestamp < now + _AHEAD_MILLISECONDS_MAX and now - timestamp <= window):
            raise MexcError(700003, "Timestamp for this request is outside of the recvWindow.")
