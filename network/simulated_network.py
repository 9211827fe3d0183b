"""An in-memory TCP network under Trio's own socket seam, with latency and faults, replayable from a seed.

Programs over it run unmodified: Trio asks a socket factory for sockets and a resolver for addresses, and this is both. Nothing here is a
task or a thread: a receiver looks at what has arrived by Trio's clock, so a virtual clock moves the whole network.
"""

from __future__ import annotations

import errno
import os
import random
import socket as stdlib_socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from ipaddress import AddressValueError, IPv4Address
from math import inf
from typing import Any

import trio

from network.causes import NO_CAUSE, Cause, current_cause
from network.faults import Direction, Fault, FaultKind, FaultRules, InstalledFault, OneWay
from network.simulated_connection import SimulatedConnection
from network.simulated_pipe import SimulatedPipe
from network.simulated_socket import Address, SimulatedSocket
from network.wire_trace import NetworkStatistics, WireEvent, WireEventKind

_ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - the wildcard a server may bind
_EPHEMERAL_PORTS = range(40_000, 65_536)


class SimulatedNetwork(trio.abc.SocketFactory, trio.abc.HostnameResolver):
    """Hosts, connections between them and this program, and what is wrong with them.

    `rng` draws the latencies, between `latency_seconds` each way unless `set_latency` says otherwise. A host is named by any name of its
    address: give two services addresses of their own where a fault should tell them apart. All clients are one machine.

    The verbs `refuse`, `partition`, `stall`, `slow`, `fail_dns` and `cut_after` install a fault; it is in force until `repair`, or to the
    end of a block: ``with network.partition("api.gate.sim"): ...``. `drop_connections`, `close_without_frame` and `half_open` act once,
    now.
    """

    def __init__(
        self,
        rng: random.Random,
        *,
        latency_seconds: tuple[float, float] = (0.001, 0.003),
        buffer_bytes: int = 64 * 1024,
        trace: Callable[[WireEvent], None] | None = None,
    ) -> None:
        self._rng = rng
        self._buffer_bytes = buffer_bytes
        self._trace = trace
        self._latency_seconds_default = latency_seconds
        self._latency_seconds: dict[str, tuple[float, float]] = {}
        self._latency_causes: dict[str, Cause] = {}
        self._address_by_name: dict[str, str] = {"localhost": "127.0.0.1"}
        self._listeners: dict[Address, SimulatedSocket] = {}
        self._connections: dict[int, SimulatedConnection] = {}
        self._faults = FaultRules(self._apply_faults)
        self._reachability_changed = trio.lowlevel.ParkingLot()
        self._sockets_made = 0
        self._port_index = 0
        self._counts = dict.fromkeys(("opened", "refused", "reset", "names_failed", "to", "from"), 0)

    # The world

    def add_host(self, name: str, address: str) -> None:
        """Let `name` resolve to `address` (IPv4). An address may have several names."""
        self._address_by_name[name.lower()] = str(IPv4Address(address))

    def set_latency(self, host: str, seconds_min: float, seconds_max: float) -> None:
        """Draw the one-way latency of everything to and from `host` from this range, from now on."""
        if not 0 <= seconds_min <= seconds_max:
            raise ValueError(f"a latency range runs from 0 upwards, not from {seconds_min} to {seconds_max}")
        self._latency_seconds[self._address(host)] = (seconds_min, seconds_max)
        self._latency_causes[self._address(host)] = current_cause()

    @contextmanager
    def install(self) -> Generator[SimulatedNetwork]:
        """Make this the network of the running `trio.run`; the one before is restored on leaving."""
        factory = trio.socket.set_custom_socket_factory(self)
        resolver = trio.socket.set_custom_hostname_resolver(self)
        try:
            yield self
        finally:
            trio.socket.set_custom_socket_factory(factory)
            trio.socket.set_custom_hostname_resolver(resolver)

    def statistics(self) -> NetworkStatistics:
        return NetworkStatistics(
            connections_opened=self._counts["opened"],
            connections_open=len(self._connections),
            connections_refused=self._counts["refused"],
            connections_reset=self._counts["reset"],
            names_failed=self._counts["names_failed"],
            bytes_to_hosts=self._counts["to"],
            bytes_from_hosts=self._counts["from"],
            faults_installed=self._faults.installed_count,
            faults_in_force=len(self._faults),
        )

    # What goes wrong

    def fault(self, fault: Fault) -> InstalledFault:
        """Put `fault` in force; the verbs below are short for it."""
        return self._faults.install(fault, self._address(fault.host))

    def refuse(self, host: str) -> InstalledFault:
        """New connections are refused at once; open ones live on."""
        return self.fault(Fault(kind=FaultKind.REFUSE, host=host))

    def partition(self, host: str, direction: Direction = "both") -> InstalledFault:
        """Bytes to, from or both are held while connections stay open, and new connections hang."""
        return self.fault(Fault(kind=FaultKind.PARTITION, host=host, direction=direction))

    def stall(self, host: str, direction: Direction = "both") -> InstalledFault:
        """Bytes are held, and new connections still open."""
        return self.fault(Fault(kind=FaultKind.STALL, host=host, direction=direction))

    def slow(self, host: str, bytes_per_second: float) -> InstalledFault:
        """Each connection carries at most so much in each direction."""
        if bytes_per_second <= 0:
            raise ValueError(f"a slow line still carries something, not {bytes_per_second} bytes per second: use stall")
        return self.fault(Fault(kind=FaultKind.SLOW, host=host, bytes_per_second=bytes_per_second))

    def fail_dns(self, host: str) -> InstalledFault:
        """The name does not resolve; given an address, none of its names does."""
        return self.fault(Fault(kind=FaultKind.FAIL_DNS, host=host))

    def cut_after(self, host: str, n_bytes: int, direction: Direction = "to") -> InstalledFault:
        """The connection that carries the byte after the next `n_bytes` is reset before that byte; once."""
        return self.fault(Fault(kind=FaultKind.CUT, host=host, n_bytes=n_bytes, direction=direction))

    def drop_connections(self, host: str) -> int:
        """Reset every open connection at both ends; what was under way is lost. Returns how many."""
        dropped = self._connections_of(host)
        for connection in dropped:
            self._note(connection, "to", "reset")
            self._note(connection, "from", "reset")
            connection.drop()
        self._counts["reset"] += len(dropped)
        return _having_effect(dropped)

    def close_without_frame(self, host: str) -> int:
        """End every open connection at both ends in good TCP order and no other. Returns how many."""
        closed = self._connections_of(host)
        for connection in closed:
            self._note(connection, "to", "fin")
            self._note(connection, "from", "fin")
            connection.finish()
        return _having_effect(closed)

    def half_open(self, host: str) -> int:
        """The host forgets every open connection, as a machine that lost its power, and the clients hear nothing of it.

        What they send goes nowhere; new connections open. Returns how many.
        """
        forgotten = self._connections_of(host)
        for connection in forgotten:
            self._note(connection, "to", "reset")
            connection.sever()
        self._counts["reset"] += len(forgotten)
        return _having_effect(forgotten)

    def repair(self, host: str | None = None) -> None:
        """End every fault of `host`, or of all. Held bytes and hanging connections then go on."""
        self._faults.remove_all(None if host is None else self._address(host))

    # Trio's seam

    def socket(self, family: int = stdlib_socket.AF_INET, type: int = stdlib_socket.SOCK_STREAM, proto: int = 0) -> SimulatedSocket:
        if family != stdlib_socket.AF_INET or type != stdlib_socket.SOCK_STREAM:
            raise OSError(errno.EAFNOSUPPORT, "the simulated network speaks TCP over IPv4 only")
        return self._new_socket()

    async def getaddrinfo(
        self,
        host: bytes | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> Any:
        await trio.lowlevel.checkpoint()
        name = (host or b"localhost").decode("ascii").lower()
        address = self._address_by_name.get(name)
        if self._faults.fails_name(name, address):
            self._counts["names_failed"] += 1
            raise stdlib_socket.gaierror(stdlib_socket.EAI_AGAIN, "Temporary failure in name resolution")
        if address is None:
            raise stdlib_socket.gaierror(stdlib_socket.EAI_NONAME, f"the simulated network has no host {name}")
        return [(stdlib_socket.AF_INET, stdlib_socket.SOCK_STREAM, stdlib_socket.IPPROTO_TCP, "", (address, int(port or 0)))]

    async def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]:
        await trio.lowlevel.checkpoint()
        return str(sockaddr[0]), str(sockaddr[1])

    # For the sockets

    def bind_address(self, address: Address) -> Address:
        host, port = address[0] or _ANY_ADDRESS, address[1]
        known = host == _ANY_ADDRESS or host in self._address_by_name.values() or host in self._latency_seconds
        if not known and host != self._client_address(host):
            raise OSError(errno.EADDRNOTAVAIL, f"{host} is no address of the simulated network: add_host it first")
        return host, port or self._next_port()

    def add_listener(self, address: Address, listener: SimulatedSocket) -> None:
        if address in self._listeners:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        self._listeners[address] = listener

    def remove_listener(self, address: Address, listener: SimulatedSocket) -> None:
        if self._listeners.get(address) is listener:
            del self._listeners[address]

    async def connect(self, client: SimulatedSocket, address: Address) -> None:
        """Open a connection from `client`; a host that is cut off lets it hang until repaired or cancelled."""
        host, port = address[0], address[1]
        host = host if _is_address(host) else (await self.getaddrinfo(host.encode("ascii"), port))[0][4][0]
        await trio.sleep(self._draw_latency_seconds(host) + self._draw_latency_seconds(host))
        while True:
            while self._faults.meets(FaultKind.PARTITION, host):
                await self._reachability_changed.park()
            listener = self._listeners.get((host, port)) or self._listeners.get((_ANY_ADDRESS, port))
            if self._faults.meets(FaultKind.REFUSE, host) or listener is None:
                self._counts["refused"] += 1
                raise OSError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
            if len(listener.backlog) < listener.backlog_max:
                break
            await listener.backlog_changed.park()
        if client.is_closed:
            raise trio.ClosedResourceError("another task closed this socket")
        self._open(client, listener, (host, port))

    def carry(self, connection: SimulatedConnection, direction: OneWay, data: bytes) -> None:
        """Put `data` on the wire, unless a cut falls into it."""
        pipe = connection.pipe(direction)
        bytes_before_cut = self._faults.bytes_before_cut(connection.address, direction, len(data)) if self._faults else None
        if bytes_before_cut is not None:
            data = data[:bytes_before_cut]
        if data:
            if pipe.is_held or pipe.bytes_per_second < inf:
                self._faults.note_carried(connection.address, direction)
            self._note(connection, direction, "data", data)
            pipe.send(data)
        if bytes_before_cut is not None:
            self._note(connection, "to", "reset")
            self._note(connection, "from", "reset")
            self._counts["reset"] += 1
            connection.cut()

    def note_fin(self, connection: SimulatedConnection, direction: OneWay) -> None:
        self._note(connection, direction, "fin")

    def note_closed(self, connection: SimulatedConnection) -> None:
        """One of the two sockets has closed."""
        connection.sockets_open -= 1
        if not connection.sockets_open:
            self._connections.pop(connection.number, None)

    # Inside

    def _open(self, client: SimulatedSocket, listener: SimulatedSocket, host_name: Address) -> None:
        address = host_name[0]
        number = self._counts["opened"] = self._counts["opened"] + 1

        def draw() -> float:
            return self._draw_latency_seconds(address)

        connection = SimulatedConnection(number, address, SimulatedPipe(self._buffer_bytes, draw), SimulatedPipe(self._buffer_bytes, draw))
        self._connections[number] = connection
        client_name = client.getsockname()
        if not client_name[1]:
            client_name = (self._client_address(address), self._next_port())
        accepted = self._new_socket()
        client.attach(connection, is_host=False, name=client_name, peer_name=host_name)
        accepted.attach(connection, is_host=True, name=host_name, peer_name=client_name)
        self._apply_faults_to(connection)
        self._note(connection, "to", "open")
        listener.backlog.append(accepted)
        listener.backlog_changed.unpark_all()

    def _apply_faults(self) -> None:
        for connection in self._connections.values():
            self._apply_faults_to(connection)
            for direction in ("to", "from"):
                if connection.pipe(direction).is_held and connection.pipe(direction).has_under_way:
                    self._faults.note_carried(connection.address, direction)
        self._reachability_changed.unpark_all()

    def _apply_faults_to(self, connection: SimulatedConnection) -> None:
        speed = self._faults.bytes_per_second(connection.address)
        for pipe in (connection.to_host, connection.from_host):
            pipe.bytes_per_second = speed
        connection.to_host.hold(self._faults.holds(connection.address, "to"))
        connection.from_host.hold(self._faults.holds(connection.address, "from"))

    def _connections_of(self, host: str) -> list[SimulatedConnection]:
        address = self._address(host)
        return [connection for connection in self._connections.values() if connection.address == address]

    def _address(self, host: str) -> str:
        address = self._address_by_name.get(host.lower(), host)
        if not _is_address(address):
            raise ValueError(f"the simulated network has no host {host!r}: add_host it first")
        return address

    def _client_address(self, host_address: str) -> str:
        return host_address if host_address.startswith("127.") else "10.0.0.1"

    def _draw_latency_seconds(self, address: str) -> float:
        self._latency_causes.get(address, NO_CAUSE).had_effect()
        return self._rng.uniform(*self._latency_seconds.get(address, self._latency_seconds_default))

    def _next_port(self) -> int:
        port = _EPHEMERAL_PORTS[self._port_index % len(_EPHEMERAL_PORTS)]
        self._port_index += 1
        return port

    def _new_socket(self) -> SimulatedSocket:
        self._sockets_made += 1
        return SimulatedSocket(self, self._sockets_made)

    def _note(
        self,
        connection: SimulatedConnection,
        direction: OneWay,
        kind: WireEventKind,
        data: bytes = b"",
    ) -> None:
        self._counts[direction] += len(data)
        if self._trace is not None:
            self._trace(WireEvent(trio.current_time(), connection.number, direction, kind, data))


def _having_effect(struck: list[SimulatedConnection]) -> int:
    """How many."""
    if struck:
        current_cause().had_effect()
    return len(struck)


def _is_address(text: str) -> bool:
    try:
        IPv4Address(text)
    except AddressValueError:
        return False
    return True
