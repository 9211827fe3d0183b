"""What an exchange offers for order entry, as data that executors and account actors read."""

from __future__ import annotations

import msgspec

from orders.request import TimeInForce


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes are orders per request; 1 means no batches. `None` for a time means that the exchange has none."""

    time_in_force: frozenset[TimeInForce]
    market_buy_by_quote: bool
    market_buy_by_base: bool
    market_fill_or_kill: bool = False
    amend: bool
    place_batch_max: int = 1
    cancel_batch_max: int = 1
    amend_batch_max: int = 1
    amend_batch_one_change: bool = False  # in a batch, an amendment changes the price or the quantity, not both
    batch_symbols_max: int = 1  # different symbols among the placements of a batch
    cancel_all: bool = False
    websocket_order_entry: bool = False
    positions: bool = False  # what is traded are contracts: orders may be reduce-only, and there is leverage
    order_expiry: bool = False  # a placement may carry the time after which the exchange must refuse it
    dead_mans_switch_seconds_min: int | None = None
    client_order_id_length_max: int = 28
