"""The stream under a connection, as both protocols use it."""

from __future__ import annotations

import trio

_RECEIVE_BYTES = 64 * 1024


class Wire:
    """Reads and writes until the other side is gone, and tells that as a value: a server has nobody to raise it to."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.is_broken = False
        """Nothing can be sent any more."""
        self._stream = stream
        self._waiting = b""
        self._is_sending = False
        self._sent = trio.lowlevel.ParkingLot()

    async def receive(self) -> bytes:
        """What has come; nothing once the other side has ended or the connection is broken."""
        try:
            return bytes(await self._stream.receive_some(_RECEIVE_BYTES))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.is_broken = True
            return b""

    async def send(self, data: bytes) -> None:
        """Send all of `data`, in one piece with what other tasks send meanwhile; lost without a word if the connection is broken.

        Cancelled in the middle, half a message may have left: the connection is of no use any more, and says so.
        """
        if self.is_broken:
            return
        self._waiting += data
        if self._is_sending:
            await self._sent.park()
            return
        self._is_sending = True
        try:
            while self._waiting:
                leaving, self._waiting = self._waiting, b""
                await self._stream.send_all(leaving)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.is_broken = True
        except trio.Cancelled:
            self.is_broken = True
            raise
        finally:
            self._is_sending = False
            if self._sent:
                self._sent.unpark_all()
