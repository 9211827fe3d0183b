"""What a guardian must know to cancel: everything but secrets, which it finds in the environment that it has inherited."""

from __future__ import annotations

import enum

import msgspec


class Cause(enum.Enum):
    """Why it acts. The values are words between processes."""

    DIED = "died"
    SILENT = "silent"

    @property
    def in_words(self) -> str:
        return {Cause.DIED: "died without saying goodbye", Cause.SILENT: "gave no sign of life"}[self]


class GuardedAccount(msgspec.Struct, frozen=True, kw_only=True):
    """One account. `credential_variables` name its key, secret and passphrase in the environment; none: made up, simulated."""

    name: str
    exchange: str
    rest_url: str
    is_testnet: bool
    credential_variables: tuple[str, ...]


class PlannedLogFile(msgspec.Struct, frozen=True, kw_only=True):
    """The runtime's log file, which says what the guardian did as well."""

    path: str
    bytes_max: int
    files_kept: int


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to do for one run. Paths are absolute."""

    installation: str
    runtime_process: int
    accounts: tuple[GuardedAccount, ...]
    folder: str
    log_file: PlannedLogFile | None
