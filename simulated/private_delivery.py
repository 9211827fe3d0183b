"""The delivery of private events to websocket clients, with bad days on request."""

from __future__ import annotations

import random
from collections.abc import Collection

import trio

from simulated.faults import Faults
from simulated.session import Session

Parcel = tuple[Session, str | bytes]


class PrivateDelivery:
    """Hands messages to sessions at once, or late, twice, out of order, damaged or not at all, as the faults have it."""

    def __init__(self, faults: Faults, rng: random.Random) -> None:
        self._faults = faults
        self._rng = rng
        self._overtaken: list[Parcel] = []
        self._nursery: trio.Nursery | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Be home to messages that are delayed, until cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                task_status.started()
                await trio.sleep_forever()
        finally:
            self._nursery = None
            self._overtaken.clear()

    def deliver(self, parcels: list[Parcel]) -> None:
        """Deliver one event to all who are to hear of it."""
        faults = self._faults
        is_heard = bool(parcels)
        if faults.private_to_drop.take(has_effect=is_heard):
            return
        if faults.private_to_garble.take(has_effect=is_heard):
            parcels = [(session, message[: len(message) // 2]) for session, message in parcels]
        if faults.private_to_duplicate.take(has_effect=is_heard):
            parcels = parcels * 2
        if not self._overtaken and faults.private_to_swap.take(has_effect=is_heard):
            self._overtaken = parcels
            return
        self._send(parcels)
        overtaken, self._overtaken = self._overtaken, []
        self._send(overtaken)

    def _send(self, parcels: Collection[Parcel]) -> None:
        delay_seconds = self._faults.take_private_delay_seconds(self._rng.random(), has_effect=bool(parcels))
        for session, message in parcels:
            if delay_seconds and self._nursery is not None:
                self._nursery.start_soon(_push_later, session, message, delay_seconds)
            else:
                session.push(message)


async def _push_later(session: Session, message: str | bytes, delay_seconds: float) -> None:
    await trio.sleep(delay_seconds)
    session.push(message)
