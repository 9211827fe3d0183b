"""Worlds in processes of their own, several at a time: one that dies, of a signal or for want of memory, takes no other with it.

They are forked from a process that has everything imported and runs nothing (multiprocessing's fork server), so that each begins at
once, and as if it were the first. It tells through a pipe how far it is, and in the end what came of it. Whose starter is gone,
however that went, ends as soon, and takes the files of all with it.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from itertools import islice
from multiprocessing import forkserver, resource_tracker, util
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess

import msgspec

from soak.outcome import Outcome, Verdict

REMOVALS_MAX = 10
STARTS_MAX = 20
STARTS_PAUSE_SECONDS = 0.1

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
        folders = (folder, util.get_temp_dir())  # the latter has the fork server's socket
        with _holding_back_interrupts():
            multiprocessing.set_forkserver_preload(["soak.campaign.seeds"])
            forkserver.ensure_running()
        try:
            yield _outcomes(enumerate(jobs), running, at_once, tell, folders)
        finally:
            with _holding_back_interrupts():
                for one in running:
                    one.process.terminate()
                for one in running:
                    _wait_ended(one)


def _outcomes(
    jobs: enumerate[Job], running: list[_Running], at_once: int, tell: Callable[[int, float], None], folders: tuple[str, str]
) -> Generator[tuple[int, Outcome]]:
    while True:
        for number, job in islice(jobs, at_once - len(running)):
            with _holding_back_interrupts():  # what has been started is known
                running.append(_start(number, job, folders))
        if not running:
            return
        heard = wait([end for one in running for end in (one.pipe, one.process.sentinel)])
        for one in [each for each in running if each.pipe in heard or each.process.sentinel in heard]:
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


def _start(number: int, job: Job, folders: tuple[str, str]) -> _Running:
    ours, theirs = multiprocessing.Pipe(duplex=False)
    with theirs:
        tries = 1
        while True:
            process = multiprocessing.get_context("forkserver").Process(target=_run, args=(job, theirs, folders))
            try:
                process.start()
            except (ConnectionError, EOFError):  # the fork server is dying, and another begins when it is dead
                if tries == STARTS_MAX:
                    raise
                tries += 1
                time.sleep(STARTS_PAUSE_SECONDS)
            else:
                return _Running(number, job, process, ours)


def _run(job: Job, pipe: Connection, folders: tuple[str, str]) -> None:
    """In the new process. Its files, and those of what it starts, are in the first of `folders`; none of these outlives its starter."""
    tempfile.tempdir = os.environ["TMPDIR"] = folders[0]
    threading.Thread(target=_end_with_starter, args=(folders,), daemon=True).start()

    def say(word: float | Outcome) -> None:
        try:
            pipe.send(word)
        except OSError:
            _end_at_once(folders)

    say(job.run(say))


def _end_with_starter(folders: tuple[str, str]) -> None:
    starter = multiprocessing.parent_process()
    if starter is not None:
        starter.join()  # whoever asked the fork server for this process, and not that
        _end_at_once(folders)


def _end_at_once(folders: tuple[str, str]) -> None:
    """Nobody is there any more to hear of this world: it ends, with the process that it may wait for."""
    for folder in folders * REMOVALS_MAX:  # others, and this one, may still write
        shutil.rmtree(folder, ignore_errors=True)
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)


def _wait_ended(one: _Running) -> None:
    """Until this process is no more, whoever is there to tell of its end."""
    with suppress(EOFError, OSError):
        while True:
            one.pipe.recv_bytes()
    one.process.join()


def _next_word(one: _Running) -> float | Outcome:
    if not one.pipe.poll():  # no word, no end of it, and yet it is said to have ended
        one.process.kill()
        _wait_ended(one)
        return _crashed(one, "the process that this world was forked from has died, and nobody would have told of its end")
    try:
        return one.pipe.recv()
    except (EOFError, OSError):  # the latter in the middle of a word
        one.process.join()
        status = one.process.exitcode or 0
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        return _crashed(one, f"the process of this world {how}, and said nothing of it")


def _crashed(one: _Running, told: str) -> Outcome:
    return Outcome(seed=one.job.seed, verdict=Verdict.HARNESS_CRASHED, told=told)
