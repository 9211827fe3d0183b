"""Which message of a market asked for a decision: what the time from message to order is counted from. Pure."""

from __future__ import annotations

from market.events import BookChanged, BookLost


def message_time(item: BookChanged | BookLost, known: BookChanged | None) -> float | None:
    """When (monotonic seconds) the message arrived that changed the book or ended it; None where none did.

    `known` is the book that was known before. A new generation is an answer to a request of ours, and the same change said again
    is only proven anew: neither is a message of the market.
    """
    if known is None:
        return None
    if isinstance(item, BookLost):
        return item.received_at
    is_change = item.generation == known.generation and item.sequence != known.sequence
    return item.received_at if is_change else None
