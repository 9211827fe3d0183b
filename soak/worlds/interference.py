"""Crashes and hangs inside an actor, at whichever checkpoint one of its tasks waits: no actor is asked to take part.

Theory of operation. A blocked task of Trio can be woken with an error by what cancellation uses (`Task._attempt_abort`): it is then
raised at the checkpoint as if the thing waited for had failed in a way that nobody foresaw. And whatever wakes a task goes through
its coroutine's `send`: a stand-in for the coroutine that keeps what came, and goes on waiting, makes a task that hangs. Cancelling
it still works, as it must: a supervisor gets rid of a hung actor by that.
"""

from __future__ import annotations

import re
from math import inf
from typing import Any, NoReturn

import outcome
import trio
import trio._core._traps as trio_traps

from network.causes import current_cause

_ACTOR = re.compile(r"root/(feeds|accounts|cycles)/.+")
_JOURNAL = "root/journal"
_GUARD = "Incarnation._guard"


class InjectedCrash(Exception):
    """What an actor is made to die of."""


class Poison:
    """Kills whoever looks at it. It is hashable as an order is, so that it travels through an inbox."""

    client_order_id = "poison"

    def __init__(self) -> None:
        self._cause = current_cause()

    def answer(self, value: object) -> NoReturn:
        self._cause.had_effect()
        raise InjectedCrash("the answer could not be given")

    def fail(self, error: Exception) -> NoReturn:
        self._cause.had_effect()
        raise InjectedCrash("the failure could not be told")

    @property
    def request(self) -> NoReturn:
        self._cause.had_effect()
        raise InjectedCrash("poisoned news")


def actors_of(program: trio.lowlevel.Task) -> list[trio.lowlevel.Task]:
    """The main tasks of the actors that run now, in the order in which they were started; none that is being cleaned up."""
    return [task for task in _descendants(program) if _ACTOR.fullmatch(task.name) and _is_alive(task)]


def journal_of(program: trio.lowlevel.Task) -> trio.lowlevel.Task | None:
    """The main task of the journal's actor, if it runs now."""
    return next((task for task in _descendants(program) if task.name == _JOURNAL and _is_alive(task)), None)


def tasks_below(program: trio.lowlevel.Task) -> list[trio.lowlevel.Task]:
    """Every task that it has started, directly or not."""
    return _descendants(program)


def tasks_of(actor: trio.lowlevel.Task) -> list[trio.lowlevel.Task]:
    """An actor's tasks that wait for something now, in the order in which they were started."""
    inside = [task for nursery in actor.child_nurseries[1:] for child in _children(nursery) for task in (child, *_descendants(child))]
    return [task for task in (actor, *inside) if _private(task)._abort_func is not None]


def tasks_of_account(program: trio.lowlevel.Task, account: str) -> list[trio.lowlevel.Task]:
    """Those of this account's actor that wait for something now; none while it is not alive."""
    return [task for actor in actors_of(program) if actor.name == f"root/accounts/account:{account}" for task in tasks_of(actor)]


def can_hang(task: trio.lowlevel.Task) -> bool:
    """Whether it waits for something else than for the end of its own children, who are what can hang then."""
    return not any(_private(nursery)._parent_waiting_in_aexit for nursery in task.child_nurseries)


def crash(task: trio.lowlevel.Task) -> None:
    """Raise `InjectedCrash` at the checkpoint where the task waits."""

    cause = current_cause()

    def fail() -> NoReturn:
        cause.had_effect()
        raise InjectedCrash(f"in {task.name}")

    _private(task)._attempt_abort(fail)


class Hang:
    """A task that does not go on, whatever it waited for, until `end`, or until it is cancelled. It must be one that `can_hang`."""

    def __init__(self, task: trio.lowlevel.Task) -> None:
        self._task = task
        self._cause = current_cause()
        self._coroutine: Any = task.coro
        self._kept: outcome.Outcome[object] | None = None
        self._is_over = False
        self._deadlines: list[tuple[trio.CancelScope, float]] = []
        self._hold_time_outs()
        _private(task).coro = self

    def end(self) -> None:
        """Let it go on with what it was woken with."""
        if self._is_over:
            return
        self._release()
        if self._kept is not None:
            trio.lowlevel.reschedule(self._task, self._kept)

    def send(self, value: outcome.Outcome[object]) -> object:
        """In place of the coroutine's own, when the task is woken."""
        if self._is_over:
            return self._coroutine.send(value)
        self._kept = value
        self._cause.had_effect()
        self._hold_time_outs()  # anew: one that was about to go on when this began has done so until it waited again
        return trio_traps.WaitTaskRescheduled(self._abort)

    def throw(self, *error: Any) -> object:
        return self._coroutine.throw(*error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._coroutine, name)

    def _abort(self, _: object) -> trio.lowlevel.Abort:
        self._release()
        return trio.lowlevel.Abort.SUCCEEDED

    def _hold_time_outs(self) -> None:
        """Its own time-outs hang with it: only somebody else can get rid of it."""
        if _is_ending(self._task):
            return
        for scope in _scopes_around(self._task):
            if scope.deadline < inf:
                self._deadlines.append((scope, scope.deadline))
                scope.deadline = inf

    def _release(self) -> None:
        self._is_over = True
        _private(self._task).coro = self._coroutine
        for scope, deadline in self._deadlines:
            scope.deadline = deadline


def _descendants(task: trio.lowlevel.Task) -> list[trio.lowlevel.Task]:
    return [found for nursery in task.child_nurseries for child in _children(nursery) for found in (child, *_descendants(child))]


def _children(nursery: trio.Nursery) -> list[trio.lowlevel.Task]:
    """In the order in which they were started: the set itself is in no order that another process would repeat."""
    return sorted(nursery.child_tasks, key=lambda task: _private(task)._counter)


def _scopes_around(task: trio.lowlevel.Task) -> list[trio.CancelScope]:
    """From the innermost outwards."""
    scopes: list[trio.CancelScope] = []
    status = _private(task)._cancel_status
    while status is not None:
        scopes.append(status._scope)
        status = status._parent
    return scopes


def _is_ending(task: trio.lowlevel.Task) -> bool:
    """Whether it was cancelled, and ends in a shielded block: nobody can do more about it, and nothing but its time-outs bounds that."""
    scopes = _scopes_around(task)
    shields = [number for number, scope in enumerate(scopes) if scope.shield]
    return bool(shields) and any(scope.cancel_called for scope in scopes[shields[0] :])


def _is_alive(actor: trio.lowlevel.Task) -> bool:
    """Whether its start function runs: beside it stands the guard of its life."""
    return bool(actor.child_nurseries) and any(_GUARD in task.name for task in actor.child_nurseries[0].child_tasks)


def _private(thing: trio.lowlevel.Task | trio.Nursery) -> Any:
    """What Trio does not show of it."""
    return thing
