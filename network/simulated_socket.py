"""A socket of the simulated network: what Trio's streams and listeners need of a TCP socket, with its errors."""

from __future__ import annotations

import errno
import operator
import os
import socket as stdlib_socket
from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Any

import trio

from network.faults import OneWay
from network.simulated_pipe import End, SimulatedPipe

if TYPE_CHECKING:
    from network.simulated_connection import SimulatedConnection
    from network.simulated_network import SimulatedNetwork

Address = tuple[str, int]


class SimulatedSocket(trio.socket.SocketType):
    """IPv4 and TCP only. Closing wakes whoever waits on the socket with `trio.ClosedResourceError`, as Trio's own sockets do."""

    def __init__(self, network: SimulatedNetwork, number: int) -> None:
        self._network = network
        self._number = number
        self._name: Address = ("0.0.0.0", 0)  # noqa: S104 - what an unbound socket says
        self._peer_name: Address | None = None
        self._connection: SimulatedConnection | None = None
        self._incoming: SimulatedPipe | None = None
        self._outgoing: SimulatedPipe | None = None
        self._is_host = False
        self._is_closed = False
        self._is_receiving = False
        self._did_shutdown_write = False
        # A listening socket's connections that nobody has accepted yet, and who waits for one or for room.
        self.backlog: deque[SimulatedSocket] = deque()
        self.backlog_max = 0
        self.backlog_changed = trio.lowlevel.ParkingLot()

    def attach(self, connection: SimulatedConnection, *, is_host: bool, name: Address, peer_name: Address) -> None:
        """Make this one end of `connection`; for the network to call."""
        self._connection = connection
        self._is_host = is_host
        self._name, self._peer_name = name, peer_name
        pipes = (connection.to_host, connection.from_host)
        self._incoming, self._outgoing = pipes if is_host else reversed(pipes)

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    @property
    def is_listening(self) -> bool:
        return self.backlog_max > 0 and not self._is_closed

    # Connecting and accepting

    async def bind(self, address: Any) -> None:
        await trio.lowlevel.checkpoint()
        self._check_open()
        self._name = self._network.bind_address(address)

    def listen(self, backlog: int = 128) -> None:
        self._check_open()
        self._network.add_listener(self._name, self)
        self.backlog_max = max(1, min(backlog, stdlib_socket.SOMAXCONN))

    async def accept(self) -> tuple[SimulatedSocket, Address]:
        await trio.lowlevel.checkpoint_if_cancelled()
        self._check_open()
        if not self.is_listening:
            raise _os_error(errno.EINVAL)
        while not self.backlog:
            await self.backlog_changed.park()
            if self._is_closed:
                raise trio.ClosedResourceError("another task closed this socket")
        accepted = self.backlog.popleft()
        self.backlog_changed.unpark_all()
        await trio.lowlevel.cancel_shielded_checkpoint()
        return accepted, accepted.getpeername()

    async def connect(self, address: Any) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        self._check_open()
        if self._connection is not None:
            raise _os_error(errno.EISCONN)
        await self._network.connect(self, address)

    # Bytes

    async def send(self, data: Any, flags: int = 0, /) -> int:
        await trio.lowlevel.checkpoint_if_cancelled()
        sent_bytes = self._offer(data)
        if sent_bytes or not len(data):
            await trio.lowlevel.cancel_shielded_checkpoint()
            return sent_bytes
        while not sent_bytes:
            await self._wait_for_room()
            sent_bytes = self._offer(data)
        return sent_bytes

    async def recv(self, buflen: int, flags: int = 0, /) -> bytes:
        await trio.lowlevel.checkpoint_if_cancelled()
        self._check_open()
        max_bytes = operator.index(buflen)  # a float is a TypeError, as for a real socket
        incoming = self._connected()[0]
        if self._is_receiving:
            raise trio.BusyResourceError("another task is already receiving from this socket")
        taken = incoming.take(max_bytes)
        if taken is not None:
            await trio.lowlevel.cancel_shielded_checkpoint()
            return _received(taken)
        self._is_receiving = True
        try:
            while taken is None:
                await incoming.wait_change()
                if self._is_closed:
                    raise trio.ClosedResourceError("another task closed this socket")
                taken = incoming.take(max_bytes)
        finally:
            self._is_receiving = False
        return _received(taken)

    async def wait_writable(self) -> None:
        await trio.lowlevel.checkpoint()
        self._check_open()
        incoming, outgoing = self._connected()
        while not outgoing.room_bytes and not incoming.has_arrived(End.RESET):
            await self._wait_for_room()

    def shutdown(self, flag: int) -> None:
        self._check_open()
        outgoing = self._connected()[1]
        if flag in (stdlib_socket.SHUT_WR, stdlib_socket.SHUT_RDWR) and not self._did_shutdown_write:
            self._did_shutdown_write = True
            self._network.note_fin(self._connection_of(), self._direction)
            outgoing.send_end(End.FIN)

    def close(self) -> None:
        if self._is_closed:
            return
        if self._connection is not None and not self._did_shutdown_write:
            self.shutdown(stdlib_socket.SHUT_WR)
        self._is_closed = True
        if self._incoming is not None and self._outgoing is not None:
            self._incoming.close_reader()
            self._incoming.wake_all()
            self._outgoing.wake_all()
            self._network.note_closed(self._connection_of())
        if self.backlog_max:
            self._network.remove_listener(self._name, self)
            while self.backlog:
                self.backlog.popleft().abort()
            self.backlog_changed.unpark_all()

    def abort(self) -> None:
        """Close with a reset instead of a fin."""
        if self._connection is not None:
            self._connection.cut()
        self._did_shutdown_write = True
        self.close()

    def is_readable(self) -> bool:
        if self._incoming is not None:
            return self._incoming.is_readable()
        return bool(self.backlog)

    def _offer(self, data: Any) -> int:
        """Hand over what there is room for."""
        self._check_open()
        incoming, outgoing = self._connected()
        if self._did_shutdown_write or incoming.has_arrived(End.RESET):
            raise _os_error(errno.EPIPE)
        sent = bytes(data[: outgoing.room_bytes])
        if sent:
            self._network.carry(self._connection_of(), self._direction, sent)
        return len(sent)

    async def _wait_for_room(self) -> None:
        incoming, outgoing = self._connected()
        with trio.CancelScope(deadline=incoming.reset_arrival):
            await outgoing.writers.park()
        if self._is_closed:
            raise trio.ClosedResourceError("another task closed this socket")

    @property
    def _direction(self) -> OneWay:
        return "from" if self._is_host else "to"

    def _connection_of(self) -> SimulatedConnection:
        if self._connection is None:
            raise _os_error(errno.ENOTCONN)
        return self._connection

    def _connected(self) -> tuple[SimulatedPipe, SimulatedPipe]:
        if self._incoming is None or self._outgoing is None:
            raise _os_error(errno.ENOTCONN)
        return self._incoming, self._outgoing

    def _check_open(self) -> None:
        if self._is_closed:
            raise _os_error(errno.EBADF)

    # What a socket says about itself

    def __enter__(self) -> SimulatedSocket:
        return self

    def __exit__(self, exc_type: type[BaseException] | None, exc_value: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<SimulatedSocket {self._number} {self._name} -> {self._peer_name}{' closed' if self._is_closed else ''}>"

    def fileno(self) -> int:
        return -1 if self._is_closed else self._number

    def getsockname(self) -> Address:
        self._check_open()
        return self._name

    def getpeername(self) -> Address:
        self._check_open()
        if self._peer_name is None:
            raise _os_error(errno.ENOTCONN)
        return self._peer_name

    def getsockopt(self, level: int, optname: int, buflen: int | None = None) -> Any:
        value = int(self.is_listening) if (level, optname) == (stdlib_socket.SOL_SOCKET, stdlib_socket.SO_ACCEPTCONN) else 0
        return value if buflen is None else value.to_bytes(buflen, "little")

    def setsockopt(self, level: int, optname: int, value: Any, optlen: int | None = None) -> None:
        self._check_open()

    @property
    def family(self) -> stdlib_socket.AddressFamily:
        return stdlib_socket.AF_INET

    @property
    def type(self) -> stdlib_socket.SocketKind:
        return stdlib_socket.SOCK_STREAM

    @property
    def proto(self) -> int:
        return stdlib_socket.IPPROTO_TCP

    @property
    def did_shutdown_SHUT_WR(self) -> bool:
        return self._did_shutdown_write


def _received(taken: bytes | End) -> bytes:
    if taken is End.RESET:
        raise _os_error(errno.ECONNRESET)
    return b"" if isinstance(taken, End) else taken


def _os_error(number: int) -> OSError:
    """The `OSError` of an errno; Python picks the subclass, as for a real socket."""
    return OSError(number, os.strerror(number))
