"""Reading settings: the file, what the environment and the command line say, and the checks of the whole."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from decimal import Decimal
from pathlib import Path
from typing import cast

import msgspec
import tomli

from assembly.decoding import SettingsError, decode, looks_like_secret, refuse_secrets
from assembly.settings import FileSettings, KnownExchange, Overrides, Settings
from assembly.settings_checks import check_settings
from assembly.strategies import StrategyEntry

Table = dict[str, object]
Stamp = tuple[int, int, int]


class FileRead(msgspec.Struct, frozen=True, kw_only=True):
    """A settings file as it was at one moment: its tables, or in one line why there are none (`problem`).

    `stamp` says what the file was like before it was read (None: it was not there), and `digest` what was in it.
    """

    stamp: Stamp | None
    digest: bytes
    table: Table | None = None
    problem: str = ""


class SettingsFile:
    """A settings file, and all else that says what it comes to: the environment, the command line, what is registered."""

    def __init__(
        self,
        path: Path,
        *,
        overrides: Overrides = Overrides(),  # noqa: B008 - frozen
        environment: Mapping[str, str],
        known_exchanges: Mapping[str, KnownExchange],
        strategies: Mapping[str, StrategyEntry],
    ) -> None:
        self.path = path
        self._overrides = overrides
        self._environment = environment
        self._known_exchanges = known_exchanges
        self._strategies = strategies

    def stamp(self) -> Stamp | None:
        """Another one for every other content, and for every other file that is put in its place; None if there is no file."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return (found.st_mtime_ns, found.st_size, found.st_ino)

    def read(self) -> FileRead:
        """The file as it is now. Never raises."""
        stamp = self.stamp()
        try:
            data = self.path.read_bytes()
        except OSError as error:
            return FileRead(stamp=stamp, digest=b"", problem=self._unreadable(error))
        return file_read(data, stamp=stamp, path=self.path)

    def settings(self, table: Table, *, winning: Collection[str] = ()) -> Settings:
        """What the tables come to, checked as a whole. Keys that are `winning` hold whatever environment and command line say.

        Raises:
            SettingsError: one message that says what is wrong and what is expected. No secret is in it.
        """
        try:
            refuse_secrets(table)
            in_file = decode(table, FileSettings, "")
            return check_settings(
                in_file,
                folder=self.path.parent,
                installation_is_explicit="installation" in _subtable(table, "runtime"),
                overrides=self._overrides,
                environment=self._environment,
                known_exchanges=self._known_exchanges,
                strategies=self._strategies,
                winning=winning,
            )
        except SettingsError as error:
            text = str(error)
            # What the command line or the environment says is no fault of the file.
            raise SettingsError(text if text.startswith(("--", "the environment")) else f"{self.path}: {text}") from error.__cause__

    def _unreadable(self, error: OSError) -> str:
        if isinstance(error, FileNotFoundError):
            return f"{self.path}: there is no such file; the first argument is the path of the settings file"
        return f"{self.path}: cannot be read: {error.strerror}"


def load_settings(
    path: Path,
    *,
    overrides: Overrides = Overrides(),  # noqa: B008 - frozen
    environment: Mapping[str, str],
    known_exchanges: Mapping[str, KnownExchange],
    strategies: Mapping[str, StrategyEntry],
) -> Settings:
    """Read `path`, lay environment and overrides over it, and check the whole.

    Raises:
        SettingsError: one message that says what is wrong and what is expected. No secret is in it.
    """
    file = SettingsFile(
        path,
        overrides=overrides,
        environment=environment,
        known_exchanges=known_exchanges,
        strategies=strategies,
    )
    return file.settings(table_of(file.read()))


def table_of(read: FileRead) -> Table:
    """
    Raises:
        SettingsError: the file could not be read.
    """
    if read.table is None:
        raise SettingsError(read.problem)
    return read.table


def file_read(data: bytes, *, stamp: Stamp | None, path: Path) -> FileRead:
    """What a file of this content holds."""
    digest = hashlib.blake2b(data, digest_size=16).digest()
    try:
        return FileRead(stamp=stamp, digest=digest, table=_parse(data, path))
    except SettingsError as error:
        return FileRead(stamp=stamp, digest=digest, problem=str(error))


def _parse(data: bytes, path: Path) -> Table:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: not UTF-8 text (byte {error.start + 1})") from None
    try:
        return tomli.loads(text, parse_float=Decimal)
    except tomli.TOMLDecodeError as error:
        lines = text.splitlines() or [""]
        line = lines[min(error.lineno, len(lines)) - 1].strip()
        key, equals, _ = line.partition("=")
        if equals and looks_like_secret(key.strip(' "')):
            line = f"{key}= ***"
        raise SettingsError(f"{path}:{error.lineno}:{error.colno}: {error.msg} in this line: {line}") from None
    except (RecursionError, ValueError):
        raise SettingsError(f"{path}: cannot be read: it is nested too deeply, or a number in it has too many digits") from None


def _subtable(table: Table, key: str) -> Table:
    found = table.get(key)
    return cast(Table, found) if isinstance(found, dict) else {}
