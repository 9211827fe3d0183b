"""What guardians did, in small JSON files: the next morning, and the next start of the runtime, can read what happened.

One file for each time that one acted, named after the installation and the time. It is replaced as a whole at every change,
so that also one that was cut short says how far it came. What the runtime has told is renamed and stays.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from assembly.guardian.events import GuardianActed, Outcome
from assembly.guardian.plan import Cause

TOLD_SUFFIX = ".told"


class AccountRecord(msgspec.Struct, kw_only=True):
    """One account: as `GuardianActed`."""

    exchange: str
    outcome: Outcome = Outcome.UNDER_WAY
    cancelled: list[str] = []
    left_open: list[str] = []
    trouble: str = ""


class Record(msgspec.Struct, kw_only=True):
    """What one guardian did. `process` is its own id, `runtime_process` that of the program it watched over."""

    installation: str
    runtime_process: int
    process: int
    cause: Cause
    began_at: str
    accounts: dict[str, AccountRecord]
    ended_at: str = ""


def write_record(record: Record, folder: Path) -> None:
    """
    Raises:
        OSError: it cannot be written; one that was there before is as it was.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{record.installation}-{record.began_at.replace(':', '')}-{record.process}.json"
    unfinished = path.with_suffix(".part")
    unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")
    unfinished.replace(path)


class Taken(msgspec.Struct, kw_only=True):
    """What nobody was told yet: what is over, what guardians are still doing by the name of the file, and what is wrong there."""

    over: list[GuardianActed] = []
    under_way: dict[str, list[GuardianActed]] = {}
    troubles: list[str] = []


def take_records(folder: Path, installation: str) -> Taken:
    """What guardians of this installation did, oldest first. What is over is told once, and its file renamed.

    A folder that is not there, or cannot be read, holds nothing.
    """
    taken = Taken()
    for path in sorted(folder.glob(f"{installation}-*.json")):
        try:
            record = msgspec.json.decode(path.read_bytes(), type=Record)
        except (OSError, msgspec.MsgspecError) as error:
            taken.troubles.append(f"{path}, where a guardian says what it did, cannot be read: {error}")
        else:
            events = [_event(record, account) for account in record.accounts]
            if not record.ended_at and _is_running(record.process):
                taken.under_way[path.name] = events
                continue
            taken.over += events
        try:
            path.rename(path.with_name(path.name + TOLD_SUFFIX))
        except OSError as error:
            taken.troubles.append(f"{path} will be told again: it cannot be renamed: {error.strerror}")
    return taken


def _event(record: Record, account: str) -> GuardianActed:
    found = record.accounts[account]
    return GuardianActed(
        account=account,
        exchange=found.exchange,
        cause=f"mm-runtime (process {record.runtime_process}) {record.cause.in_words}",
        outcome=found.outcome,
        cancelled=tuple(found.cancelled),
        left_open=tuple(found.left_open),
        trouble=found.trouble,
        began_at=record.began_at,
        ended_at=record.ended_at,
        process=record.process,
    )


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
