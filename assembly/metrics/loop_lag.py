"""How late the event loop is: the difference between when a timer was due and when it ran."""

from __future__ import annotations

import trio

from measuring.histogram import Histogram

PERIOD_SECONDS = 0.25


class LoopLag:
    """Looks four times a second. Whatever keeps the loop busy when the timer is due shows as lag; what is over by then does not.

    The system's timers are themselves up to about a millisecond late. Under a virtual clock nothing ever is.
    """

    def __init__(self) -> None:
        self.seconds = Histogram()
        self.newest_seconds = 0.0
        self.looked_at = trio.current_time()

    async def watch(self) -> None:
        """Look until cancelled. A late look is followed by the next one a whole period after it."""
        while True:
            due_at = trio.current_time() + PERIOD_SECONDS
            await trio.sleep_until(due_at)
            self.looked_at = trio.current_time()
            self.newest_seconds = max(0.0, self.looked_at - due_at)
            self.seconds.observe(self.newest_seconds)
