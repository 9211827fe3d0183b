"""What an exchange does some time after it has answered."""

from __future__ import annotations

from collections.abc import Callable

import trio


class Later:
    """Does work when its time has come, while it runs; what is due after that is never done."""

    def __init__(self) -> None:
        self._nursery: trio.Nursery | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Be home to the work until cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                task_status.started()
                await trio.sleep_forever()
        finally:
            self._nursery = None

    def do(self, seconds: float, work: Callable[[], object]) -> None:
        """Call `work`, which must not raise, so many seconds from now."""
        if self._nursery is not None:
            self._nursery.start_soon(_do, seconds, work)


async def _do(seconds: float, work: Callable[[], object]) -> None:
    await trio.sleep(seconds)
    work()
