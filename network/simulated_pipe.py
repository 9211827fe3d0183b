"""One direction of a simulated connection."""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable
from math import inf

import trio

from network.jumping_clock import JumpingClock

# A slow line delivers in pieces of this much time, so that its reader sees bytes drip rather than one late lump.
_PIECE_SECONDS = 0.25


class End(enum.Enum):
    """How a direction ends. A reset may follow a fin, never the other way round."""

    FIN = "fin"
    RESET = "reset"


class SimulatedPipe:
    """Bytes leave the sender at once, arrive in order after the latency, and wait until they are read.

    What is under way and what waits count against `capacity_bytes` together, so that a reader who does not read holds up the sender.
    `readers` and `writers` are where the two sockets wait for a change. `on_refused` is called when bytes meet an end that takes none:
    a machine then answers with a reset.
    """

    def __init__(self, capacity_bytes: int, draw_latency_seconds: Callable[[], float]) -> None:
        self.capacity_bytes = capacity_bytes
        self.bytes_per_second = inf
        self.is_held = False
        self.reader_is_gone = False
        self._is_severed = False
        self.readers = trio.lowlevel.ParkingLot()
        self.writers = trio.lowlevel.ParkingLot()
        self.on_refused: Callable[[], None] = lambda: None
        self._draw_latency_seconds = draw_latency_seconds
        self._under_way: deque[tuple[float, bytes | End]] = deque()
        self._arrived = bytearray()
        self._arrived_end: End | None = None
        self._sent_end: End | None = None
        self._size_bytes = 0
        self._arrival_last = -inf
        self._line_free_at = -inf
        clock = trio.lowlevel.current_clock()
        self._clock = clock if isinstance(clock, JumpingClock) else None
        self._alarm_at = inf

    @property
    def room_bytes(self) -> int:
        """How many bytes a sender may hand over now."""
        return max(0, self.capacity_bytes - self._size_bytes)

    @property
    def has_under_way(self) -> bool:
        """Whether something has been sent that has not arrived yet."""
        return bool(self._under_way)

    def send(self, data: bytes) -> None:
        """Take all of `data`, which the caller has cut to `room_bytes`."""
        self._size_bytes += len(data)
        is_refused = self._sent_end is End.FIN or (self.reader_is_gone and not self.is_held)
        if is_refused:
            self.on_refused()
        if is_refused or self._sent_end is End.RESET or self._is_severed:
            return  # lost, but still counted: until the sender hears of the reset, its buffer fills as it would in a real machine
        latency_seconds = self._draw_latency_seconds()
        piece_bytes = len(data) if self.bytes_per_second == inf else max(1, int(self.bytes_per_second * _PIECE_SECONDS))
        departure = max(trio.current_time(), self._line_free_at)
        for start in range(0, len(data), piece_bytes):
            piece = data[start : start + piece_bytes]
            departure += len(piece) / self.bytes_per_second
            self._append(departure + latency_seconds, piece)
        self._line_free_at = departure
        self._announce()

    def send_end(self, end: End) -> None:
        """Let `end` arrive after everything that is under way."""
        if self._sent_end is End.RESET or self._sent_end is end or self._is_severed:
            return
        self._sent_end = end
        self._append(trio.current_time() + self._draw_latency_seconds(), end)
        self._announce()

    def reset_now(self) -> None:
        """Lose what is under way; what has arrived can still be read."""
        self._settle()
        self._under_way.clear()
        self._sent_end = self._arrived_end = End.RESET
        self._size_bytes = len(self._arrived)
        self.wake_all()

    def sever(self) -> None:
        """Lose what is under way, and everything that is sent from now on. What has arrived can still be read."""
        self._settle()
        self._under_way.clear()
        self._size_bytes = len(self._arrived)
        self._is_severed = True
        self.wake_all()

    def take(self, max_bytes: int) -> bytes | End | None:
        """Up to `max_bytes` that have arrived, or the end that has, or None where the reader must wait."""
        self._settle()
        if not self._arrived:
            return self._arrived_end
        data = bytes(self._arrived[:max_bytes])
        del self._arrived[:max_bytes]
        self._size_bytes -= len(data)
        if self.writers:
            self.writers.unpark_all()
        return data

    def has_arrived(self, end: End) -> bool:
        self._settle()
        return self._arrived_end is end

    def is_readable(self) -> bool:
        self._settle()
        return bool(self._arrived) or self._arrived_end is not None

    @property
    def next_arrival(self) -> float:
        """When the reader should look again; `inf` where only a change can bring anything."""
        return self._under_way[0][0] if self._under_way and not self.is_held else inf

    async def wait_change(self) -> None:
        """Until something may have arrived, or has changed. For the reader."""
        if self._clock is None:
            with trio.CancelScope(deadline=self.next_arrival):
                await self.readers.park()
        else:
            self._set_alarm(self._clock)
            await self.readers.park()

    @property
    def reset_arrival(self) -> float:
        """When a reset under way arrives."""
        return self._under_way[-1][0] if self._under_way and self._under_way[-1][1] is End.RESET and not self.is_held else inf

    def hold(self, is_held: bool) -> None:
        """Stop or restart arrivals. What was held arrives one latency after the restart, as if sent again."""
        if is_held == self.is_held:
            return
        self._settle()
        self.is_held = is_held
        if not is_held and self._under_way:
            restart = trio.current_time() + self._draw_latency_seconds()
            self._under_way = deque((max(arrival, restart), item) for arrival, item in self._under_way)
            self._arrival_last = self._under_way[-1][0]
        self._refuse_if_reader_is_gone()
        self.wake_all()

    def close_reader(self) -> None:
        """Nobody will read any more."""
        self.reader_is_gone = True
        self._refuse_if_reader_is_gone()
        self.writers.unpark_all()

    def wake_all(self) -> None:
        self.readers.unpark_all()
        self.writers.unpark_all()

    def _refuse_if_reader_is_gone(self) -> None:
        if self.reader_is_gone and not self.is_held and self._size_bytes:
            self._under_way.clear()
            self._arrived.clear()
            self.on_refused()

    def _announce(self) -> None:
        """Something is under way to whoever waits: who can be woken when it arrives need not be woken to hear of that."""
        if self._clock is None:
            self.readers.unpark_all()
        elif self.readers:
            self._set_alarm(self._clock)

    def _set_alarm(self, clock: JumpingClock) -> None:
        arrival = self.next_arrival
        if arrival < self._alarm_at or self._alarm_at <= trio.current_time():
            self._alarm_at = arrival
            if arrival < inf:
                clock.unpark_at(arrival, self.readers)

    def _append(self, arrival: float, item: bytes | End) -> None:
        self._arrival_last = max(self._arrival_last, arrival)
        self._under_way.append((self._arrival_last, item))

    def _settle(self) -> None:
        """Move what has arrived by now to where it can be read."""
        if self.is_held:
            return
        now = trio.current_time()
        while self._under_way and self._under_way[0][0] <= now:
            item = self._under_way.popleft()[1]
            if isinstance(item, End):
                self._arrived_end = item
            else:
                self._arrived += item
