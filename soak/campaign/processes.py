"""Worlds in processes of their own, several at a time: one that dies, of a signal or for want of memory, takes no other with it.

They are forked from a process that has everything imported and runs nothing (multiprocessing's fork server), so that each begins at
once, and as if it were the first. It tells through a pipe how far it is, and in the end what came of it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from itertools import islice
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess

import msgspec

from soak.outcome import Outcome, Verdict

Tell = Callable[[float], None]


class Job(msgspec.Struct, frozen=True):
    """What to run of a seed, which is pickled: it is given whom to tell now and then how many virtual seconds have passed."""

    seed: int
    run: Callable[[Tell], Outcome]


class _Running(msgspec.Struct, frozen=True, eq=False):
    number: int
    job: Job
    process: ForkServerProcess
    pipe: Connection


@contextmanager
def running_each(jobs: Iterable[Job], *, at_once: int, tell: Callable[[int, float], None]) -> Generator[Generator[tuple[int, Outcome]]]:
    """The number of each job and what came of it, as they end; `tell` is given seeds, and how far they are.

    Of a process that ended without a word, that is what came of it. Ctrl-C is for whoever waits for them: neither they nor what they start
    hear of it. Leaving the block ends them at once, with what they have started and their files.
    """
    running: list[_Running] = []
    resource_tracker.ensure_running()  # the fork server would begin it, which lets the signal through again
    with tempfile.TemporaryDirectory(prefix="mm-soak-") as folder:
        with _holding_back_interrupts():
            multiprocessing.set_forkserver_preload(["soak.campaign.seeds"])
            forkserver.ensure_running()
        try:
            yield _outcomes(enumerate(jobs), running, at_once, tell, folder)
        finally:
            for one in running:
                one.process.terminate()
            for one in running:
                one.process.join()


def _outcomes(
    jobs: enumerate[Job], running: list[_Running], at_once: int, tell: Callable[[int, float], None], folder: str
) -> Generator[tuple[int, Outcome]]:
    while True:
        for number, job in islice(jobs, at_once - len(running)):
            with _holding_back_interrupts():  # what has been started is known
                running.append(_start(number, job, folder))
        if not running:
            return
        heard = wait([one.pipe for one in running])
        for one in [each for each in running if each.pipe in heard]:
            said = _next_word(one)
            if not isinstance(said, Outcome):
                tell(one.job.seed, said)
                continue
            running.remove(one)
            one.pipe.close()
            one.process.join()
            yield one.number, said


@contextmanager
def _holding_back_interrupts() -> Generator[None]:
    """Ctrl-C is heard when the block is over; what is started in it never hears it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start(number: int, job: Job, folder: str) -> _Running:
    ours, theirs = multiprocessing.Pipe(duplex=False)
    with theirs:
        process = multiprocessing.get_context("forkserver").Process(target=_run, args=(job, theirs, folder))
        process.start()
    return _Running(number, job, process, ours)


def _run(job: Job, pipe: Connection, folder: str) -> None:
    """In the new process. Its files, and those of what it starts, are in `folder`."""
    tempfile.tempdir = os.environ["TMPDIR"] = folder
    pipe.send(job.run(pipe.send))


def _next_word(one: _Running) -> float | Outcome:
    try:
        return one.pipe.recv()
    except (EOFError, OSError):  # the latter in the middle of a word
        one.process.join()
        status = one.process.exitcode or 0
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        return Outcome(seed=one.job.seed, verdict=Verdict.HARNESS_CRASHED, told=f"the process of this world {how}, and said nothing of it")
