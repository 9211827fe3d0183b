"""What went over the simulated wire, for whoever wants to compare, count or print it."""

from __future__ import annotations

from typing import Literal

import msgspec

from network.faults import OneWay

WireEventKind = Literal["open", "data", "fin", "reset"]


class WireEvent(msgspec.Struct, frozen=True):
    """Something was put on the wire: bytes, or an end. `time` is Trio's; `direction` is seen from the host that was connected to."""

    time: float
    connection: int
    direction: OneWay
    kind: WireEventKind
    data: bytes = b""


class NetworkStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """Counts since the network was made, and what is open and in force now."""

    connections_opened: int
    connections_open: int
    connections_refused: int
    connections_reset: int
    names_failed: int
    bytes_to_hosts: int
    bytes_from_hosts: int
    faults_installed: int
    faults_in_force: int
