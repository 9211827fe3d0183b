"""A strategy of the user's own: ``strategy = "my_strategies.grid:Grid"``, a module beside the settings file and a class in it.

The class is made from its parameters, and decides (`actors/cycle/quoting/contract.py`). Its parameters are a `msgspec.Struct`: the class's
attribute `Parameters`. The module is looked for in the folder of the settings file alone, and is read anew each time the settings are;
what it imports from beside it is found there, too. Nothing else of the program sees that folder.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import msgspec

from assembly.checked_strategy import CheckedStrategy, where_in
from assembly.decoding import SettingsError, nearest
from assembly.strategies import StrategyEntry, StrategyKind

_NAME = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)")
_MARK = "__is_of_a_strategy_of_ones_own__"
_GUIDE = "docs/writing_a_strategy.md shows how to write one"


def is_own(strategy: str) -> bool:
    """Whether the name is that of a class in a module, and not one of the program's strategies."""
    return ":" in strategy or "." in strategy


def load_own_strategy(strategy: str, folder: Path, path: str) -> StrategyEntry:
    """Import the class; `path` is where its name stands in the settings.

    Raises:
        SettingsError: there is no such module or class, or it cannot be used; the message says what to do.
    """
    match = _NAME.fullmatch(strategy)
    if match is None:
        raise SettingsError(f'{path} is "{strategy}"; expected a module and a class in it, as "my_strategies.grid:Grid"')
    module_name, class_name = match.groups()
    module = _import(module_name, folder.resolve(), path)
    found = getattr(module, class_name, None)
    if not isinstance(found, type):
        classes = [name for name, value in vars(module).items() if isinstance(value, type) and value.__module__ == module.__name__]
        there = f"There is: {', '.join(classes)}." if classes else "There is none."
        raise SettingsError(f"{path}: {module.__file__} has no class {class_name}.{nearest(class_name, classes)} {there}")
    parameters = getattr(found, "Parameters", None)
    if not (isinstance(parameters, type) and issubclass(parameters, msgspec.Struct)):
        raise SettingsError(
            f"{path}: {strategy} has no Parameters: give the class an attribute of that name, a msgspec.Struct whose fields are the keys "
            f"of its [cycles.NAME.parameters]; {_GUIDE}"
        )
    lacking = [name for name in ("decide", "history_seconds") if not hasattr(found, name)]
    if lacking:
        raise SettingsError(f"{path}: {strategy} has no {' and no '.join(lacking)}; {_GUIDE}")

    def make(parameters: Any) -> CheckedStrategy:
        return CheckedStrategy(cast(Any, found)(parameters), strategy, folder.resolve())

    return StrategyEntry(parameters=parameters, make=make, kind=StrategyKind.QUOTING)


def forget_own_modules() -> None:
    """What was imported for earlier settings may have changed since: it is read anew when it is loaded next."""
    for name in [name for name, module in sys.modules.items() if getattr(module, _MARK, False)]:
        del sys.modules[name]


def make_own_strategy(strategy: str, entry: StrategyEntry, parameters: object, path: str) -> None:
    """See that the class takes its parameters.

    Raises:
        SettingsError: it does not.
    """
    try:
        entry.make(parameters)
    except Exception as error:
        raise SettingsError(f"{path}: {strategy} cannot be made from its parameters: {type(error).__name__}: {error}") from error


def _import(module_name: str, folder: Path, path: str) -> ModuleType:
    top = module_name.partition(".")[0]
    place = folder.joinpath(*module_name.split("."))
    if not place.with_suffix(".py").is_file() and not (place / "__init__.py").is_file():
        raise SettingsError(
            f"{path}: there is no {place.with_suffix('.py')}; a strategy's module is looked for in the settings file's folder"
        )
    known = sys.modules.get(top)
    if (known is not None and not _is_from(known, folder)) or top in sys.stdlib_module_names:
        raise SettingsError(f"{path}: the name {top} is taken by another module of the program; give the strategy's another name")
    try:
        with _found_in(folder):
            before = set(sys.modules)
            importlib.invalidate_caches()
            try:
                return importlib.import_module(module_name)
            finally:
                for name in sys.modules.keys() - before:
                    if _is_from(sys.modules[name], folder):
                        setattr(sys.modules[name], _MARK, True)
    except Exception as error:
        line = f", line {error.lineno} of {error.filename}" if isinstance(error, SyntaxError) else where_in(folder, error)
        raise SettingsError(f"{path}: importing {module_name} failed: {type(error).__name__}: {error}{line}") from error


@contextmanager
def _found_in(folder: Path) -> Generator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _is_from(module: ModuleType, folder: Path) -> bool:
    places = [module.__file__] if getattr(module, "__file__", None) else list(getattr(module, "__path__", ()))
    return any(place is not None and Path(place).is_relative_to(folder) for place in places)
