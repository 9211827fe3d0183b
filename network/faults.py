"""Faults as data: what is wrong with the connections of one simulated host, and for how long."""

from __future__ import annotations

import enum
from collections.abc import Callable
from math import inf
from types import TracebackType
from typing import Literal

import msgspec

from network.causes import current_cause

Direction = Literal["to", "from", "both"]  # seen from the host: bytes to it, bytes from it
OneWay = Literal["to", "from"]


class FaultKind(enum.Enum):
    """What is wrong. Held bytes are not lost: they arrive when the fault is repaired, as TCP would send them again."""

    REFUSE = "refuse"  # new connections are refused; open ones live on
    PARTITION = "partition"  # bytes are held, new connections hang
    STALL = "stall"  # bytes are held, but new connections open: the machine is up and its program hangs
    SLOW = "slow"  # at most `bytes_per_second` in each direction
    FAIL_DNS = "fail_dns"  # the host's names do not resolve
    CUT = "cut"  # after `n_bytes` more in `direction`, the connection that carries the next byte is reset; once


_HOLDING = (FaultKind.PARTITION, FaultKind.STALL)
_HOLDING_UP = (*_HOLDING, FaultKind.SLOW)


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One rule. `host` is a name or an address; only the fields that the kind mentions are read."""

    kind: FaultKind
    host: str
    direction: Direction = "both"
    bytes_per_second: float = inf
    n_bytes: int = 0


class InstalledFault:
    """A fault in force. `repair()` ends it; as a context manager it ends with the block. Ending it twice is harmless."""

    def __init__(self, fault: Fault, address: str, rules: FaultRules) -> None:
        self.fault = fault
        self.address = address
        self.n_bytes_left = fault.n_bytes
        self.cause = current_cause()
        self._rules = rules

    def __repr__(self) -> str:
        return f"<InstalledFault {self.fault.kind.value} {self.fault.host}>"

    def repair(self) -> None:
        self._rules.remove(self)

    def __enter__(self) -> InstalledFault:
        return self

    def __exit__(self, exc_type: type[BaseException] | None, exc_value: BaseException | None, traceback: TracebackType | None) -> None:
        self.repair()


class FaultRules:
    """All faults in force. `on_change` is called after one came or went."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self.installed_count = 0
        self._in_force: list[InstalledFault] = []
        self._on_change = on_change

    def __len__(self) -> int:
        return len(self._in_force)

    def install(self, fault: Fault, address: str) -> InstalledFault:
        installed = InstalledFault(fault, address, self)
        self.installed_count += 1
        self._in_force.append(installed)
        self._on_change()
        return installed

    def remove(self, installed: InstalledFault) -> None:
        if installed in self._in_force:
            self._in_force.remove(installed)
            self._on_change()

    def remove_all(self, address: str | None) -> None:
        """End the faults of one address, or of all where it is None."""
        self._in_force = [installed for installed in self._in_force if address not in (None, installed.address)]
        self._on_change()

    def meets(self, kind: FaultKind, address: str) -> bool:
        """Whether somebody who comes to this address meets such a fault."""
        met = [installed for installed in self._of(address) if installed.fault.kind is kind]
        for installed in met:
            installed.cause.had_effect()
        return bool(met)

    def holds(self, address: str, direction: OneWay) -> bool:
        """True where bytes in `direction` are held."""
        return any(i.fault.kind in _HOLDING and i.fault.direction in (direction, "both") for i in self._of(address))

    def note_carried(self, address: str, direction: OneWay) -> None:
        """Bytes are under way in `direction`: they are held up by what holds or slows them."""
        for installed in self._of(address):
            if installed.fault.kind in _HOLDING_UP and installed.fault.direction in (direction, "both"):
                installed.cause.had_effect()

    def bytes_per_second(self, address: str) -> float:
        return min((i.fault.bytes_per_second for i in self._of(address) if i.fault.kind is FaultKind.SLOW), default=inf)

    def fails_name(self, name: str, address: str | None) -> bool:
        """True where `name` does not resolve. A fault given by a name is for that name, one given by an address for all of its names."""
        dns = [installed for installed in self._in_force if installed.fault.kind is FaultKind.FAIL_DNS]
        failing = [installed for installed in dns if installed.fault.host.lower() in (name, address)]
        for installed in failing:
            installed.cause.had_effect()
        return bool(failing)

    def bytes_before_cut(self, address: str, direction: OneWay, n_bytes: int) -> int | None:
        """Count `n_bytes` towards the cuts. None where all may pass, else how many may before the connection is cut; that cut is spent."""
        for installed in self._of(address):
            if installed.fault.kind is not FaultKind.CUT or installed.fault.direction not in (direction, "both"):
                continue
            if n_bytes > installed.n_bytes_left:
                self._in_force.remove(installed)
                installed.cause.had_effect()
                return installed.n_bytes_left
            installed.n_bytes_left -= n_bytes
        return None

    def _of(self, address: str) -> list[InstalledFault]:
        return [installed for installed in self._in_force if installed.address == address]
