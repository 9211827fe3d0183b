"""All kinds of faults that there are, by name."""

from __future__ import annotations

from collections.abc import Collection
from types import MappingProxyType

from soak.faults.exchange import EXCHANGE
from soak.faults.fills import FILLS
from soak.faults.haste import HASTE
from soak.faults.network import NETWORK
from soak.faults.orders import ORDERS
from soak.faults.program import PROGRAM
from soak.faults.settings import RELOAD
from soak.faults.strike import Group, Kind

KINDS: MappingProxyType[str, Kind] = MappingProxyType(
    {kind.name: kind for kind in (*NETWORK, *EXCHANGE, *FILLS, *ORDERS, *HASTE, *PROGRAM, RELOAD)}
)


def kinds_of(groups: Collection[Group]) -> tuple[str, ...]:
    """The names of all kinds in these groups, sorted."""
    return tuple(sorted(name for name, kind in KINDS.items() if kind.group in groups))
