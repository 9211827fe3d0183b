"""Which settings may change while the program runs, and from when on a change of each holds: one table, in which every key stands.

`*` is a name, `**` at the end is whatever stands below. A key that is not here needs a restart, and so does a new or a missing
name: an exchange, an account or a cycle is not made or taken away while others trade.
"""

from __future__ import annotations

import enum
from types import MappingProxyType


class Applied(enum.Enum):
    """From when on a changed value holds, in words for a person."""

    AFTER_RESTART = "after a restart"
    AT_ONCE = "at once"
    FROM_NEXT_ORDER = "from the next order on"
    FROM_NEXT_DECISION = "from the cycle's next decision on"
    FROM_NEXT_ROUND = "from the cycle's next round on"

    @property
    def needs_restart(self) -> bool:
        return self is Applied.AFTER_RESTART


_RESTART, _NOW, _ORDER = Applied.AFTER_RESTART, Applied.AT_ONCE, Applied.FROM_NEXT_ORDER
_LIMITS = {
    "max_order_notional": _ORDER,
    "max_position_notional": _ORDER,
    "max_open_orders": _ORDER,
    "max_orders_per_second": _ORDER,
    "max_daily_loss": _NOW,
    "max_price_deviation": _ORDER,
    "on_breach": _ORDER,
    "on_daily_loss": _NOW,
}

KEYS: MappingProxyType[str, Applied] = MappingProxyType(
    {
        # The name of orders, what guards them, and files that are open: all of it is there before the first order.
        "runtime.installation": _RESTART,
        "runtime.adopted_installations": _RESTART,
        "runtime.stop_deadline_seconds": _NOW,
        "runtime.flatten_on_stop": _NOW,
        "runtime.guardian": _RESTART,
        "runtime.guardian_silence_seconds": _RESTART,
        "runtime.guardian_folder": _RESTART,
        "runtime.control_socket": _RESTART,
        "runtime.run_for_seconds": _NOW,
        "runtime.log_level": _NOW,
        "runtime.log_file": _RESTART,
        "runtime.log_file_megabytes_max": _RESTART,
        "runtime.log_files_kept": _RESTART,
        "runtime.seed": _RESTART,
        "journal.path": _RESTART,
        "journal.synchronous": _RESTART,
        **{f"limits.{key}": applied for key, applied in _LIMITS.items()},
        # Its notifier was made from them, and the URL is in the environment.
        "notifications.template": _RESTART,
        "notifications.kinds": _RESTART,
        "notifications.interval_seconds": _RESTART,
        "notifications.url_variable": _RESTART,
        # It listens already, and the token is in the environment.
        "page.listen": _RESTART,
        "page.allow_remote": _RESTART,
        "page.hosts": _RESTART,
        "page.credential": _RESTART,
        # Where an exchange is, and what a simulated one is like, its connections were opened by.
        "exchanges.*.mode": _RESTART,
        "exchanges.*.rest_url": _RESTART,
        "exchanges.*.websocket_url": _RESTART,
        "exchanges.*.private_websocket_url": _RESTART,
        "exchanges.*.book_max_age_seconds": _NOW,
        "exchanges.*.taker_fee_fraction": _NOW,
        "exchanges.*.simulation.**": _RESTART,
        # What was told to the exchange before the first order.
        "accounts.*.exchange": _RESTART,
        "accounts.*.credential": _RESTART,
        "accounts.*.dead_mans_switch_seconds": _RESTART,
        "accounts.*.leverage": _RESTART,
        "accounts.*.margin_mode": _RESTART,
        "accounts.*.foreign_orders": _NOW,
        "accounts.*.unexplained_balances": _NOW,
        **{f"accounts.*.limits.{key}": applied for key, applied in _LIMITS.items()},
        # A round in progress is of one strategy, account and symbol.
        "cycles.*.strategy": _RESTART,
        "cycles.*.account": _RESTART,
        "cycles.*.symbol": _RESTART,
        "cycles.*.quantity": Applied.FROM_NEXT_ROUND,
        "cycles.*.cycles": Applied.FROM_NEXT_ROUND,
        "cycles.*.tick_seconds": Applied.FROM_NEXT_DECISION,
        "cycles.*.limits.net_buy_max": Applied.FROM_NEXT_DECISION,
        "cycles.*.limits.net_sell_max": Applied.FROM_NEXT_DECISION,
        "cycles.*.limits.inventory_max": Applied.FROM_NEXT_DECISION,
        "cycles.*.limits.drawdown_max": _NOW,
        "cycles.*.limits.on_drawdown": _NOW,
        "cycles.*.parameters.**": Applied.FROM_NEXT_DECISION,
        "cycles.*.react_to_move_fraction": Applied.FROM_NEXT_DECISION,
        "cycles.*.react_to_fills": Applied.FROM_NEXT_DECISION,
        # Its feed was opened with the run.
        "cycles.*.reference_exchange": _RESTART,
        "cycles.*.reference_symbol": _RESTART,
    }
)


def applied(key: str) -> Applied:
    """From when on a change of this key holds."""
    return next((found for pattern, found in KEYS.items() if matches(key, pattern)), Applied.AFTER_RESTART)


def matches(key: str, pattern: str) -> bool:
    """Whether a pattern of the table is about a key."""
    parts, wanted = key.split("."), pattern.split(".")
    if wanted[-1] == "**":
        wanted.pop()
        if len(parts) <= len(wanted):
            return False
        parts = parts[: len(wanted)]
    return len(parts) == len(wanted) and all(want in ("*", part) for part, want in zip(parts, wanted, strict=True))
