"""Reading settings: the file, what the environment and the command line say, and the checks of the whole."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import cast

import msgspec
import tomli

from assembly.decoding import SettingsError, decode, looks_like_secret, refuse_secrets
from assembly.settings import FileSettings, KnownExchange, Overrides, Settings
from assembly.settings_checks import check_settings


def load_settings(
    path: Path,
    *,
    overrides: Overrides = Overrides(),  # noqa: B008 - frozen
    environment: Mapping[str, str],
    known_exchanges: Mapping[str, KnownExchange],
    parameters_type_by_strategy: Mapping[str, type[msgspec.Struct]],
) -> Settings:
    """Read `path`, lay environment and overrides over it, and check the whole.

    Raises:
        SettingsError: one message that says what is wrong and what is expected. No secret is in it.
    """
    table = _read(path)
    try:
        refuse_secrets(table)
        in_file = decode(table, FileSettings, "")
        return check_settings(
            in_file,
            folder=path.parent,
            installation_is_explicit="installation" in _subtable(table, "runtime"),
            overrides=overrides,
            environment=environment,
            known_exchanges=known_exchanges,
            parameters_type_by_strategy=parameters_type_by_strategy,
        )
    except SettingsError as error:
        text = str(error)
        # What the command line or the environment says is no fault of the file.
        raise SettingsError(text if text.startswith(("--", "the environment")) else f"{path}: {text}") from error.__cause__


def _read(path: Path) -> dict[str, object]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise SettingsError(f"{path}: there is no such file; the first argument is the path of the settings file") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: not UTF-8 text (byte {error.start + 1})") from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
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


def _subtable(table: dict[str, object], key: str) -> dict[str, object]:
    found = table.get(key)
    return cast(dict[str, object], found) if isinstance(found, dict) else {}
