"""The machine that the program runs on: what is left of a process that is killed.

Each run of the program is a process. Its sockets are known, so that its death closes them as a system does, and afterwards
nothing that is left of its tasks reaches anybody: their sockets are closed and there are no others for them.
"""

from __future__ import annotations

import errno
import socket as stdlib_socket
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import trio

from network.simulated_network import SimulatedNetwork
from network.simulated_socket import SimulatedSocket

_SOCKETS_LOOKED_OVER_EVERY = 64


class Process:
    """One run of the program."""

    def __init__(self) -> None:
        self.is_dead = False
        self._sockets: list[SimulatedSocket] = []

    def run_here(self) -> None:
        """The current task, and every task that it starts from now on, is of this process."""
        _CURRENT.set(self)

    def kill(self) -> None:
        """As the system does on SIGKILL: every socket is closed, and nothing happens in the process any more."""
        self.is_dead = True
        for socket in self._sockets:
            socket.close()
        self._sockets.clear()

    def sockets_open(self) -> int:
        return sum(not socket.is_closed for socket in self._sockets)

    def keep(self, socket: SimulatedSocket) -> None:
        self._sockets.append(socket)
        if len(self._sockets) % _SOCKETS_LOOKED_OVER_EVERY == 0:
            self._sockets = [known for known in self._sockets if not known.is_closed]


_CURRENT: ContextVar[Process | None] = ContextVar("process", default=None)


class Machine(trio.abc.SocketFactory, trio.abc.HostnameResolver):
    """Gives out the sockets of a simulated network, and remembers whose they are."""

    def __init__(self, network: SimulatedNetwork) -> None:
        self._network = network

    @contextmanager
    def install(self) -> Generator[None]:
        """Make this the network of the running `trio.run`; the one before is restored on leaving."""
        factory = trio.socket.set_custom_socket_factory(self)
        resolver = trio.socket.set_custom_hostname_resolver(self)
        try:
            yield
        finally:
            trio.socket.set_custom_socket_factory(factory)
            trio.socket.set_custom_hostname_resolver(resolver)

    def socket(self, family: int = stdlib_socket.AF_INET, type: int = stdlib_socket.SOCK_STREAM, proto: int = 0) -> SimulatedSocket:
        process = _CURRENT.get()
        if process is not None and process.is_dead:
            raise OSError(errno.ENETDOWN, "this process was killed")
        socket = self._network.socket(family, type, proto)
        if process is not None:
            process.keep(socket)
        return socket

    async def getaddrinfo(
        self, host: bytes | None, port: bytes | str | int | None, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> Any:
        return await self._network.getaddrinfo(host, port, family, type, proto, flags)

    async def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]:
        return await self._network.getnameinfo(sockaddr, flags)
