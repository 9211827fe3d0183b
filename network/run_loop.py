"""Many rounds of Trio's run loop at once, where time jumps and nothing comes from outside: the same steps in the same order.

Theory of operation. Most rounds of a simulation are one step of one task, and Trio spends as much on a round as on the step: it asks
the system for events, which no simulated wire has, sorts and shuffles one task, looks for the next deadline twice. So when nobody
can run and Trio asks the clock how long to sleep, rounds are made here, whole ones, until the system must be asked: something has come
from outside the tasks (a signal, a thread), a task waits for a real descriptor, somebody waits for all to be idle, nobody can go
on, or many rounds have passed. Begin and end, cancellation and what a step leads to are Trio's; so is the whole loop where
somebody watches with instruments.

It knows the inside of the version of Trio that is locked. That a run is the same with and without it is tested.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

import outcome
import trio._core._run as trio_scheduler
from trio._core._traps import CancelShieldedCheckpoint, WaitTaskRescheduled

ROUNDS_MAX = 256
"""After which the system is asked all the same, so that nothing from outside waits for long."""

_scheduler: Any = trio_scheduler
_shielded: Any = CancelShieldedCheckpoint


def make_rounds(runner: Any) -> None:
    """Of a run that is scheduled deterministically, with a clock that jumps; at the beginning of a round."""
    clock, deadlines, ready = runner.clock, runner.deadlines, runner.runq
    from_outside, descriptors = runner.entry_queue, runner.io_manager._registered
    watching = runner.instruments.data.values()
    for _ in range(ROUNDS_MAX):
        if not runner.tasks or runner.waiting_for_idle or from_outside.queue or from_outside.idempotent_queue:
            return
        if len(descriptors) > 1 or any(watching):  # one is how the loop is woken from outside
            return
        now, due = clock.current_time(), deadlines._heap
        has_expired = bool(due) and due[0][0] <= now and deadlines.expire(now)
        if not ready and not has_expired:
            clock._autojump()
            if not ready and clock.current_time() == now:
                return
        if len(ready) == 1:
            _step(runner, ready.popleft())
            continue
        batch = sorted(ready, key=_age)
        ready.clear()
        _scheduler._r.shuffle(batch)
        while batch:
            _step(runner, batch.pop())


def _age(task: Any) -> int:
    return task._counter


def _step(runner: Any, task: Any) -> None:
    """Let the task go on to its next checkpoint, or to its end."""
    context = _scheduler.GLOBAL_RUN_CONTEXT
    context.task = task
    go_on, value = task._next_send_fn, task._next_send
    task._next_send_fn = task._next_send = None
    ended: outcome.Outcome[object] | None = None
    said: Any = None
    try:
        said = task.context.run(go_on, value)
    except StopIteration as end:
        ended = outcome.Value(end.value)
    except BaseException as error:  # noqa: BLE001  a task's end, whatever it is, is for its nursery
        ended = outcome.Error(error.with_traceback(_below(error.__traceback__)))
    if ended is not None:
        runner.task_exited(task, ended)
    else:
        task._schedule_points += 1
        if said is _shielded:
            runner.reschedule(task)
        elif type(said) is WaitTaskRescheduled:
            task._cancel_points += 1
            task._abort_func = said.abort_func
            if runner.ki_pending and task is runner.main_task:
                task._attempt_delivery_of_pending_ki()
            task._attempt_delivery_of_any_pending_cancel()
        else:
            raise TypeError(f"a task said {said!r} where it should wait")
    del context.task


def _below(traceback: TracebackType | None) -> TracebackType | None:
    """Without the frame that caught it, as Trio tells it."""
    return None if traceback is None else traceback.tb_next
