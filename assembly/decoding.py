"""From TOML tables to frozen structs, with one clear message for whatever is wrong.

The structs are the schema, as `msgspec.inspect` reads them. msgspec's own converter is not used for the walk: it does
not say which table of a dict was wrong, knows no ranges of decimals, and cannot suggest the key that was meant.
A message names the key, what stands there (the type of it, or the value where only that is wrong) and what is expected.
"""

from __future__ import annotations

import difflib
import functools
import math
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar, cast

import msgspec
from msgspec import inspect

from market.symbol import Symbol, SymbolError, parse_symbol

T = TypeVar("T", bound=msgspec.Struct)

_SECRET_KEY = re.compile(r"secret|passphrase|password|passwd|token|private_?key|api_?key|access_?key|^key$", re.IGNORECASE)


class SettingsError(Exception):
    """The settings cannot be used; the text is one message for the person who wrote them, and holds no secret."""


def decode(table: object, kind: type[T], path: str) -> T:
    """Make a `kind` of a TOML table; `path` is where it stands ("cycles.btc"), "" for the whole file.

    A `Decimal` may be written as a whole number, a number with a fraction (read with `parse_float=Decimal`, so that
    0.1 is exactly that) or a text. Bounds of decimals stand in ``Meta(extra={"gt": 0})`` and ``{"ge": 0}``.

    Raises:
        SettingsError: an unknown or missing key, a wrong type, a value out of range.
    """
    return cast(T, _decode(table, _schema(kind), path))


def nearest(word: str, known: Iterable[str]) -> str:
    """A question that names the known word that was probably meant, with a space before it; or nothing."""
    lowered = {candidate.lower(): candidate for candidate in known}
    matches = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)
    matches = matches or [candidate for candidate in lowered if candidate.startswith(word.lower()) and len(word) > 2][:1]
    return f' Did you mean "{lowered[matches[0]]}"?' if matches else ""


_OF_ACCOUNTS = "GATEIO_API_KEY, GATEIO_API_SECRET). If others may have read the file, replace the key at the exchange"
_OF_THE_PAGE = "MM_PAGE_TOKEN). If others may have read the file, make another token"


def refuse_secrets(table: object, path: str = "") -> None:
    """Secrets come from the environment only.

    Raises:
        SettingsError: a key in this table or below looks like a secret. Its value is not in the message.
    """
    if isinstance(table, dict):
        for key, value in cast(dict[str, object], table).items():
            here = join(path, key)
            if key == "balances":  # its keys are assets, and there is an asset of every name
                continue
            if _SECRET_KEY.search(key) and not isinstance(value, dict):
                raise SettingsError(
                    f"{here} looks like a secret, and a settings file is no place for one: delete it here and put it into the "
                    f"environment ({_OF_THE_PAGE if here.startswith('page.') else _OF_ACCOUNTS}."
                )
            refuse_secrets(value, here)  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(table, list):
        for number, item in enumerate(cast(list[object], table)):
            refuse_secrets(item, f"{path}[{number}]")


def looks_like_secret(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None


def join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


@functools.cache
def _schema(kind: type[msgspec.Struct]) -> inspect.Type:
    return inspect.type_info(kind)


def _extra(schema: inspect.Metadata) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], schema.extra or {})  # pyright: ignore[reportUnknownMemberType]


def _decode(value: object, schema: inspect.Type, path: str, extra: Mapping[str, Any] | None = None) -> object:
    match schema:
        case inspect.Metadata():
            return _decode(value, schema.type, path, _extra(schema))
        case inspect.AnyType():
            return value
        case inspect.UnionType():  # TOML has no null: a key that may be absent is absent
            return _decode(value, next(kind for kind in schema.types if not isinstance(kind, inspect.NoneType)), path, extra)
        case inspect.StructType() if schema.cls is Symbol:
            return _symbol(value, path)
        case inspect.StructType():
            return _struct(value, schema, path)
        case inspect.DictType():
            return {key: _decode(item, schema.value_type, join(path, key), extra) for key, item in _table(value, path, "a table").items()}
        case inspect.VarTupleType():
            if not isinstance(value, list):
                raise _wrong(path, value, "a list")
            return tuple(_decode(item, schema.item_type, f"{path}[{number}]") for number, item in enumerate(cast(list[object], value)))
        case inspect.BoolType():
            if not isinstance(value, bool):
                raise _wrong(path, value, "true or false")
            return value
        case inspect.IntType():
            expected = "a whole number" + _range(schema.gt, schema.ge, schema.lt, schema.le)
            if isinstance(value, bool) or not isinstance(value, int):
                raise _wrong(path, value, expected)
            return _in_range(value, schema.gt, schema.ge, schema.lt, schema.le, path, expected)
        case inspect.FloatType():
            expected = "a number" + _range(schema.gt, schema.ge, schema.lt, schema.le)
            if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
                raise _wrong(path, value, expected)
            return _in_range(float(value), schema.gt, schema.ge, schema.lt, schema.le, path, expected)
        case inspect.DecimalType():
            return _decimal(value, extra or {}, path)
        case inspect.StrType():
            return _text(value, schema.pattern, (extra or {}).get("means", "a text"), path, hidden=bool((extra or {}).get("hidden")))
        case inspect.EnumType():
            return schema.cls(_choice(value, [str(member.value) for member in schema.cls], path))
        case inspect.LiteralType():
            return _choice(value, [str(choice) for choice in schema.values], path)
        case _:
            raise TypeError(f"{path}: settings cannot hold a {schema}")


def _struct(value: object, schema: inspect.StructType, path: str) -> msgspec.Struct:
    table = _table(value, path, "a table of keys")
    fields = {field.encode_name: field for field in schema.fields}
    for key in table:
        if key not in fields:
            where = f"[{path}]" if path else "the file"
            keys = ", ".join(fields)
            raise SettingsError(f"{join(path, key)} is not a known key.{nearest(key, fields)} The keys of {where} are: {keys}.")
    values: dict[str, object] = {}
    for key, field in fields.items():
        if key in table:
            values[field.name] = _decode(table[key], field.type, join(path, key))
        elif field.required:
            raise SettingsError(f"{join(path, key)} is missing; expected {_expected(field.type)}")
    try:
        return schema.cls(**values)
    except ValueError as error:
        raise SettingsError(_refused(str(error), values, path)) from error


def _refused(message: str, values: Mapping[str, object], path: str) -> str:
    """What a struct's own check says of its fields ("levels is 1 to 100"), with the whole key, what stands there and what is expected."""
    name, _, expected = message.partition(" is ")
    if not expected or name not in values:
        return f"{path}: {message}"
    value = values[name]
    said = f"{value:f}" if isinstance(value, Decimal) else f"{value}"
    if re.match(rf"{re.escape(said)}\b", expected):
        return f"{join(path, name)} is {expected}"
    return f"{join(path, name)} is {said}; expected {expected}"


def _table(value: object, path: str, expected: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise _wrong(path, value, expected)
    return cast(dict[str, object], value)


def _symbol(value: object, path: str) -> Symbol:
    if not isinstance(value, str):
        raise _wrong(path, value, "a symbol such as BTC_USDT")
    try:
        return parse_symbol(value)
    except SymbolError as error:
        raise SettingsError(f"{path}: {error}") from error


def _decimal(value: object, extra: Mapping[str, Any], path: str) -> Decimal:
    bounds = (extra.get("gt"), extra.get("ge"), None, extra.get("le"))
    expected = "a number" + _range(*bounds)
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal, str)):
        raise _wrong(path, value, expected)
    try:
        number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    except InvalidOperation:
        raise SettingsError(f"{path} is {_shown(value)}; expected {expected}") from None
    return _in_range(number, *bounds, path, expected)


def _text(value: object, pattern: str | None, expected: str, path: str, *, hidden: bool) -> str:
    if not isinstance(value, str):
        raise _wrong(path, value, expected)
    if pattern is not None and not re.fullmatch(pattern, value):
        raise SettingsError(f"{path} is {'something else' if hidden else _shown(value)}; expected {expected}")
    return value


def _choice(value: object, choices: list[str], path: str) -> str:
    expected = f"one of {', '.join(choices)}"
    if not isinstance(value, str):
        raise _wrong(path, value, expected)
    for choice in choices:
        if choice.lower() == value.lower():
            return choice
    raise SettingsError(f"{path} is {_shown(value)}; expected {expected}.{nearest(value, choices)}")


N = TypeVar("N", int, float, Decimal)


def _in_range(
    value: N, gt: float | None, ge: float | None, lt: float | None, le: float | None, path: str, expected: str
) -> N:  # bounds as msgspec names them
    inside = (
        math.isfinite(value)
        and (gt is None or value > gt)
        and (ge is None or value >= ge)
        and (lt is None or value < lt)
        and (le is None or value <= le)
    )
    if not inside:
        raise SettingsError(f"{path} is {value}; expected {expected}")
    return value


def _range(gt: float | None, ge: float | None, lt: float | None, le: float | None) -> str:
    low = f"above {gt}" if gt is not None else f"of {ge} or more" if ge is not None else ""
    high = f"below {lt}" if lt is not None else f"at most {le}" if le is not None else ""
    if low and high:
        return f" {low} and {high}"
    return f" {low}{high}" if low or high else ""


def _expected(schema: inspect.Type, extra: Mapping[str, Any] | None = None) -> str:
    """What a missing key would hold."""
    match schema:
        case inspect.Metadata():
            return _expected(schema.type, _extra(schema))
        case inspect.DecimalType():
            return "a number" + _range((extra or {}).get("gt"), (extra or {}).get("ge"), None, (extra or {}).get("le"))
        case inspect.IntType():
            return "a whole number"
        case inspect.StructType() if schema.cls is Symbol:
            return "a symbol such as BTC_USDT"
        case inspect.StrType():
            return str((extra or {}).get("means", "a text"))
        case _:
            return "a value"


def _wrong(path: str, value: object, expected: str) -> SettingsError:
    return SettingsError(f"{path} is {_kind(value)}; expected {expected}")


def _kind(value: object) -> str:
    match value:
        case bool():
            return "a boolean"
        case int():
            return "a whole number"
        case float() | Decimal():
            return "a number with a fraction"
        case str():
            return "a text"
        case list():
            return "a list"
        case dict():
            return "a table"
        case _:
            return "a date or time"


def _shown(value: object) -> str:
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
