"""A connection of the simulated network: two pipes between a client's socket and a host's."""

from __future__ import annotations

from network.faults import OneWay
from network.simulated_pipe import End, SimulatedPipe


class SimulatedConnection:
    """`to_host` and `from_host` are named from the host that was connected to, at `address`."""

    def __init__(self, number: int, address: str, to_host: SimulatedPipe, from_host: SimulatedPipe) -> None:
        self.number = number
        self.address = address
        self.to_host = to_host
        self.from_host = from_host
        self.sockets_open = 2
        # Bytes that meet a closed end are answered by a reset, which travels the other way.
        to_host.on_refused = lambda: self._reset(from_host, to_host)
        from_host.on_refused = lambda: self._reset(to_host, from_host)

    def pipe(self, direction: OneWay) -> SimulatedPipe:
        return self.to_host if direction == "to" else self.from_host

    def cut(self) -> None:
        """Reset both ends, each after what is under way to it."""
        self._reset(self.to_host, self.from_host)
        self._reset(self.from_host, self.to_host)

    def drop(self) -> None:
        """Reset both ends now; what is under way is lost."""
        self.to_host.reset_now()
        self.from_host.reset_now()

    def finish(self) -> None:
        """End both directions in good TCP order, as a machine between the two would."""
        self.to_host.send_end(End.FIN)
        self.from_host.send_end(End.FIN)

    def sever(self) -> None:
        """Reset the host's end alone; the client's end hears nothing any more, and what it sends goes nowhere."""
        self.to_host.reset_now()
        self.from_host.sever()

    def _reset(self, pipe: SimulatedPipe, opposite: SimulatedPipe) -> None:
        pipe.send_end(End.RESET)
        opposite.wake_all()  # who is blocked writing there must look again when the reset arrives
