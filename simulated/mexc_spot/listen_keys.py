"""Listen keys: what opens a private stream, for an hour from when it was last kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import msgspec
import trio

from simulated.mexc_spot.errors import MexcError
from simulated.settings import AccountSettings

VALID_SECONDS = 3600.0
KEYS_MAX = 60  # per user


class _Key(msgspec.Struct):
    account: AccountSettings
    valid_until: float


class ListenKeys:
    """Every key of this exchange. `on_end` is called with a key that its owner has closed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._made = 0
        self._keys: dict[str, _Key] = {}
        self.on_end: Callable[[str], None] = lambda key: None

    def create(self, account: AccountSettings) -> str:
        """Raises: MexcError: the user has too many."""
        if len(self.of(account)) >= KEYS_MAX:
            raise _refusal()
        self._made += 1
        key = hashlib.sha256(f"{self._seed}:{account.name}:{self._made}".encode()).hexdigest()
        self._keys[key] = _Key(account, trio.current_time() + VALID_SECONDS)
        return key

    def keep(self, account: AccountSettings, key: str) -> None:
        """Raises: MexcError: it is not valid (any more), or somebody else's."""
        self._own(account, key).valid_until = trio.current_time() + VALID_SECONDS

    def end(self, account: AccountSettings, key: str) -> None:
        """Raises: MexcError: as `keep`."""
        self._own(account, key)
        del self._keys[key]
        self.on_end(key)

    def of(self, account: AccountSettings) -> list[str]:
        """The valid keys of a user."""
        return [key for key, known in self._keys.items() if known.account.name == account.name and self.valid_until(key) is not None]

    def account_of(self, key: str) -> AccountSettings | None:
        return self._keys[key].account if self.valid_until(key) is not None else None

    def valid_until(self, key: str) -> float | None:
        """By Trio's clock; None for a key that is not valid."""
        known = self._keys.get(key)
        return known.valid_until if known is not None and known.valid_until > trio.current_time() else None

    def forget(self) -> None:
        self._keys.clear()

    def _own(self, account: AccountSettings, key: str) -> _Key:
        owner = self.account_of(key)
        if owner is None or owner.name != account.name:
            raise _refusal()
        return self._keys[key]


def _refusal() -> MexcError:
    """MEXC's words for a key that is not valid, as they were seen. What it says to one too many is not known: here the same."""
    return MexcError(730708, "listen key information error")
