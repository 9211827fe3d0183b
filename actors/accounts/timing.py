"""How patient an account is."""

from __future__ import annotations

import msgspec


class AccountTiming(msgspec.Struct, frozen=True, kw_only=True):
    """All in seconds.

    `order_expiry`: the exchange must refuse a placement that arrives later than this after it was signed. `watchdog`: how
    often orders are looked over. `cancel_patience`: so long may a cancellation or placement go without the exchange's word
    before it is asked about. `fills_patience`: so long may the stream take to tell the fills of an ended order. `poll`:
    between comparisons while the stream is broken; `reconcile`: between comparisons while it is not. `clock`: between
    measurements of the exchange's clock. `capture_patience`: how long a settled view of the balances is tried for.
    `unknown_patience`: for longer than this an order's fate may not be unknown without its symbol being reduced only and a
    person being told (of a placement that never arrived it is known within 8 s); `ready_patience`: nor may the account be
    unready.
    """

    order_expiry_seconds: float = 3.0
    watchdog_seconds: float = 0.25
    cancel_patience_seconds: float = 2.0
    fills_patience_seconds: float = 1.0
    poll_seconds: float = 2.0
    reconcile_seconds: float = 30.0
    clock_seconds: float = 60.0
    capture_patience_seconds: float = 10.0
    unknown_patience_seconds: float = 10.0
    ready_patience_seconds: float = 20.0
