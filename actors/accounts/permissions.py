"""What a key may do, as far as an exchange tells it without being put to the test."""

from __future__ import annotations

import msgspec


class KeyPermissions(msgspec.Struct, frozen=True, kw_only=True):
    """What the exchange says of a key; None where it does not say."""

    may_trade: bool | None
    may_withdraw: bool | None = None
