"""What the program holds in memory: everything that its objects and its tasks reach is walked, and no collection may be too large.

A collection that has a bound of its own in the program is held to that. Every other one has to stay below what a leak of one thing
for each change of a book, or each frame, comes to within minutes. Nothing of the program is changed or asked to take part.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from types import MappingProxyType, MethodType
from typing import Any, cast

import msgspec
import trio

from assembly.cycle_parts import INBOX_KEYS_MAX
from orders.ledger import ENDED_ORDERS_KEPT_MAX, FOREIGN_IDS_KEPT_MAX
from soak.worlds.interference import tasks_below
from soak.worlds.world import World

ELEMENTS_MAX = 5_000
LIVE_ORDERS_MAX = 1_000
BOUNDS: MappingProxyType[str, int] = MappingProxyType(
    {
        "AccountLedger._orders": ENDED_ORDERS_KEPT_MAX + LIVE_ORDERS_MAX,
        "AccountLedger._client_id_by_exchange_id": ENDED_ORDERS_KEPT_MAX + LIVE_ORDERS_MAX,
        "AccountLedger._ended_ids": ENDED_ORDERS_KEPT_MAX,
        "AccountLedger._live_ids": LIVE_ORDERS_MAX,
        "AccountLedger._counted_trade_ids": FOREIGN_IDS_KEPT_MAX,
        "AccountLedger._foreign_order_ids": FOREIGN_IDS_KEPT_MAX,
        "CountedEarlier.trades": FOREIGN_IDS_KEPT_MAX,
        "CountedEarlier.tallied_trades": FOREIGN_IDS_KEPT_MAX,
        "LatestMailbox._pending": INBOX_KEYS_MAX,
    }
)
"""Collections with a bound of their own, by the class that has them and what they are called there."""
PROGRAM = ("actors.", "assembly.", "exchanges.", "market.", "network.", "orders.", "supervision.")
OUTSIDE = ("network.simulated", "network.deterministic", "network.jumping")
CONTAINERS = (dict, list, set, frozenset, deque, tuple)


def too_large(world: World) -> list[str]:
    """Every collection of the program that runs now that holds more than it may."""
    if world.runtime is None or world.runtime_task is None or not world.is_running:
        return []
    found: dict[str, int] = {}
    for name, size in _collections(world):
        if size > BOUNDS.get(name, ELEMENTS_MAX):
            found[name] = max(size, found.get(name, 0))
    return [f"{name} holds {size} things, and {BOUNDS.get(name, ELEMENTS_MAX)} are the most" for name, size in sorted(found.items())]


def _collections(world: World) -> Iterator[tuple[str, int]]:
    """All collections that are reached, by name, with their sizes."""
    assert world.runtime_task is not None
    seen: set[int] = set()
    waiting: list[tuple[str, object]] = [("Runtime", world.runtime)]
    for task in (world.runtime_task, *tasks_below(world.runtime_task)):
        waiting += _locals_of(task)
    kept = [thing for _, thing in waiting]  # what is walked must not be collected, or its id would be another's
    while waiting:
        name, thing = waiting.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        kept.append(thing)
        if isinstance(thing, CONTAINERS):
            yield name, _length(thing)
            waiting += _elements(name, thing)
        elif isinstance(thing, MethodType):
            waiting.append((name, thing.__self__))
        elif isinstance(thing, partial):
            applied = cast("partial[Any]", thing)
            waiting += [(name, applied.func), (name, applied.args), (name, applied.keywords)]
        elif type(thing).__module__.startswith(PROGRAM) and not type(thing).__module__.startswith(OUTSIDE):
            waiting += _attributes(thing)


def _length(container: Any) -> int:
    return len(container)


def _elements(name: str, thing: Any) -> Iterator[tuple[str, object]]:
    values: Any = thing.values() if hasattr(thing, "values") else thing
    return ((f"{name}[]", value) for value in tuple(values) if not isinstance(value, str | bytes | int | float | type(None)))


def _attributes(thing: object) -> Iterator[tuple[str, object]]:
    kind = type(thing)
    if isinstance(thing, msgspec.Struct):
        names: Sequence[str] = thing.__struct_fields__
    else:
        slots = (slot for one in kind.__mro__ for slot in getattr(one, "__slots__", ()))
        names = [*getattr(thing, "__dict__", {}), *slots]
    return ((f"{kind.__name__}.{name}", getattr(thing, name)) for name in names if name != "__dict__" and hasattr(thing, name))


def _locals_of(task: trio.lowlevel.Task) -> Iterator[tuple[str, object]]:
    """What the functions hold in which a task waits."""
    coroutine: Any = task.coro
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None)
        if frame is not None and frame.f_globals.get("__name__", "").startswith(PROGRAM):
            yield from ((f"{frame.f_code.co_qualname}.{name}", value) for name, value in tuple(frame.f_locals.items()))
        coroutine = getattr(coroutine, "cr_await", None)
