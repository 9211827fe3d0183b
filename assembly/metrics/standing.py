"""Who is not ready: actors by their supervisors, accounts also by themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from assembly.parts import AccountParts
from supervision.snapshot import ChildState, Snapshot


class Waiting(msgspec.Struct, frozen=True):
    """Somebody who is not ready since then (monotonic seconds), and in which state or why."""

    state: str
    since: float
    why: str = ""


def actors_of(tree: Snapshot) -> Iterator[Snapshot]:
    """The actors of a tree, without their supervisors."""
    if tree.children is None:
        yield tree
    else:
        for child in tree.children:
            yield from actors_of(child)


def has_ended(actor: Snapshot) -> bool:
    """Whether it is a cycle whose work is done."""
    return actor.state is ChildState.STOPPED and actor.incarnation > 0 and actor.name.startswith("cycle:")


def accounts_waiting(accounts: Mapping[str, AccountParts], actors: Sequence[Snapshot]) -> Iterator[tuple[str, Waiting]]:
    """Accounts that carry out no commands now: their actor is not there, or does not agree with the exchange, or the gate is closed."""
    by_name = {actor.name: actor for actor in actors}
    for name, parts in accounts.items():
        actor, waiting = by_name[f"account:{name}"], parts.memory.readiness.waiting
        if actor.state is not ChildState.READY:
            yield name, Waiting(actor.state.value, actor.since, actor.last_error or "")
        elif waiting is not None:
            yield name, Waiting("not agreeing", waiting[0], f"waits for {waiting[1]}")
        elif parts.gate.closed_reason is not None:
            yield name, Waiting("closed", actor.since, parts.gate.closed_reason)


def actors_waiting(accounts: Mapping[str, AccountParts], actors: Sequence[Snapshot]) -> Iterator[tuple[str, Waiting]]:
    """Actors that are not ready, or, of accounts, do not do their work. Cycles that have ended are not waited for."""
    for actor in actors:
        if actor.state is not ChildState.READY and not has_ended(actor) and not actor.name.startswith("account:"):
            yield actor.name, Waiting(actor.state.value, actor.since, actor.last_error or "")
    for account, waiting in accounts_waiting(accounts, actors):
        yield f"account:{account}", waiting
