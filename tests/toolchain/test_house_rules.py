"""House rules that no linter knows, checked over every tracked file. Each rule is also shown a text that breaks it."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["root_packages"]

CATCHES_EVERYTHING: dict[tuple[str, str], str] = {
    (
        "network/websocket_link.py",
        "read_until_closed",
    ): "what a third-party reader raises over the other side's bytes ends that one connection",
    ("assembly/checked_strategy.py", "decide"): "a user's own strategy may raise anything, and its user is told where",
    ("assembly/guardian/sweep.py", "_sweep"): "the last one awake tries again, whatever the defect, for ten minutes",
    ("assembly/log_lines.py", "_made"): "what is logged may hold anything, and its line says that it cannot be told",
    ("assembly/page/server.py", "_serve"): "what the server raises over one browser's bytes must not end the connections of the others",
    ("assembly/own_strategies.py", "_import"): "a user's own module may fail in any way, and its user is told how",
    ("assembly/own_strategies.py", "make_own_strategy"): "so may a user's own class",
    ("assembly/program.py", "_show"): "a picture that cannot be drawn must not stop trading",
    (
        "assembly/reloading/desk.py",
        "_apply",
    ): "of a strategy of somebody's own, whose parameters it may refuse in any way: the running ones stay",
    ("soak/worlds/world.py", "_run"): "what is left of a killed process may fail as it likes; a living one's errors go on as violations",
    ("soak/run.py", "run_options"): "whatever goes wrong in a world is what this looks for",
    ("soak/campaign/telling.py", "tell_or_end"): "raises it again once the world has ended: the program has no part in it",
    ("soak/command.py", "_soak_or_crash"): "prints its traceback: Python would end with the status of a violation",
    ("supervision/incarnation.py", "_run_start"): "a supervisor is who catches whatever a child raises",
    ("supervision/incarnation.py", "_clean_up"): "whatever a cleanup raises is an event and must not stop the other cleanups",
    ("supervision/run.py", "report"): "a broken listener is counted and must not break supervision",
    ("supervision/run.py", "_watch_for_cancellation"): "the cancellation is raised anew once the children have stopped in order",
}
"""Where production code may catch Exception or BaseException without raising on: (file, function) and the reason."""

SEED_SOURCES = {
    ("assembly/guardian/sweep.py", "_sweep_once"): "jitter of a process that acts once, on the real clock",
    ("assembly/program.py", "_run"): "a run without a seed in its settings takes one from the system, and everything follows from it",
}
"""Where a seed may come from outside: (file, function) and the reason."""

CLOCK = "market/clock.py"  # the one reader of the time of day


def production_files() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


Rule = Callable[[ast.Module], Iterator[ast.AST]]


def dotted(node: ast.AST | None) -> str:
    """`trio.Cancelled` for the expression that says so; empty for anything that is not a dotted name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (value := dotted(node.value)):
        return f"{value}.{node.attr}"
    return ""


def imported_names(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node, f"{node.module}.{alias.name}") for alias in node.names)


def calls(tree: ast.Module) -> Iterator[tuple[ast.Call, str]]:
    return ((node, dotted(node.func)) for node in ast.walk(tree) if isinstance(node, ast.Call))


def asyncio_is_imported(tree: ast.Module) -> Iterator[ast.AST]:
    return (node for node, name in imported_names(tree) if name.split(".")[0] == "asyncio")


def time_of_day_is_read(tree: ast.Module) -> Iterator[ast.AST]:
    readers = ("time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today", "date.today")
    yield from (node for node, name in calls(tree) if name.endswith(readers))
    yield from (node for node, name in imported_names(tree) if name in ("time.time", "time.time_ns"))


def randomness_is_unseeded(tree: ast.Module) -> Iterator[ast.AST]:
    for node, name in calls(tree):
        if (name.startswith("random.") and name != "random.Random") or (name.endswith("random.Random") and not node.args):
            yield node
    for node, name in imported_names(tree):
        if name.split(".")[0] in ("uuid", "secrets") or (name.startswith("random.") and name != "random.Random"):
            yield node


def queue_is_unbounded(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        function = node.func.value if isinstance(node.func, ast.Subscript) else node.func  # open_memory_channel[int](…)
        name = dotted(function).split(".")[-1]
        capacity = ast.unparse(node.args[0]) if node.args else "inf"
        is_channel_without_bound = name == "open_memory_channel" and re.search(r"\binf\b|infinity", capacity, re.IGNORECASE)
        if is_channel_without_bound or name in ("Queue", "SimpleQueue"):
            yield node


def everything_is_caught(tree: ast.Module) -> Iterator[ast.AST]:
    """Bare `except`, and Exception, BaseException or Cancelled caught or suppressed without a `raise` at the handler's end."""
    wide = ("Exception", "BaseException", "Cancelled", "trio.Cancelled", "builtins.Exception", "builtins.BaseException")
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            last = node.body[-1]
            raises_on = isinstance(last, ast.Raise) and last.exc is None
            if node.type is None or (any(dotted(kind) in wide for kind in caught) and not raises_on):
                yield node
        elif (
            isinstance(node, ast.Call)
            and dotted(node.func).split(".")[-1] == "suppress"
            and any(dotted(kind) in wide for kind in node.args)
        ):
            yield node


RULES: dict[Rule, list[str]] = {
    asyncio_is_imported: ["import asyncio", "from asyncio import sleep", "import asyncio.queues"],
    time_of_day_is_read: ["import time\ntime.time()", "from time import time", "from datetime import datetime\ndatetime.now()"],
    randomness_is_unseeded: [
        "import random\nrandom.random()",
        "import random\nrandom.Random()",
        "import uuid",
        "from random import choice",
    ],
    queue_is_unbounded: [
        "import math, trio\ntrio.open_memory_channel(math.inf)",
        "from trio import open_memory_channel\nopen_memory_channel[int](float('inf'))",
        "import queue\nqueue.Queue()",
    ],
    everything_is_caught: [
        "try:\n    f()\nexcept:\n    raise",
        "try:\n    f()\nexcept Exception as error:\n    g(error)",
        "try:\n    f()\nexcept (ValueError, BaseException):\n    raise RuntimeError",
        "try:\n    f()\nexcept* Exception:\n    pass",
        "import contextlib, trio\nwith contextlib.suppress(trio.Cancelled):\n    f()",
    ],
}


@pytest.mark.parametrize(("rule", "text"), [(rule, text) for rule, texts in RULES.items() for text in texts])
def test_rule_finds_what_breaks_it(rule: Rule, text: str) -> None:
    assert list(rule(ast.parse(text)))


@pytest.mark.parametrize("rule", RULES)
def test_rule_accepts_what_is_meant_to_be_written(rule: Rule) -> None:
    text = (
        "import random\nimport trio\nrandom.Random(7).random()\nopen_memory_channel[int](16)\ntrio.current_time()\n"
        "try:\n    f()\nexcept BaseException:\n    undo()\n    raise\n"
    )
    assert not list(rule(ast.parse(text)))


PERMISSIONS: dict[Rule, dict[tuple[str, str], str]] = {everything_is_caught: CATCHES_EVERYTHING, randomness_is_unseeded: SEED_SOURCES}


def enclosing_function(tree: ast.Module, wanted: ast.AST) -> str:
    inside = [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and any(child is wanted for child in ast.walk(node))
    ]
    return inside[-1] if inside else "<module>"  # ast.walk goes outside in: the last is the innermost


@pytest.mark.parametrize("rule", RULES)
def test_production_code_keeps_the_rule(rule: Rule) -> None:
    broken: list[str] = []
    for path in production_files():
        name = path.relative_to(ROOT).as_posix()
        if rule is time_of_day_is_read and name == CLOCK:
            continue
        tree = ast.parse(path.read_text())
        for node in rule(tree):
            if (name, enclosing_function(tree, node)) in PERMISSIONS.get(rule, {}):
                continue
            broken.append(f"{name}:{getattr(node, 'lineno', '?')}: {ast.unparse(node).splitlines()[0]}")
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("rule", PERMISSIONS)
def test_every_permission_is_still_used(rule: Rule) -> None:
    used = {
        (path.relative_to(ROOT).as_posix(), enclosing_function(tree, node))
        for path in production_files()
        for tree in [ast.parse(path.read_text())]
        for node in rule(tree)
    }
    assert set(PERMISSIONS[rule]) <= used


def test_every_package_says_what_it_is_and_runs_nothing() -> None:
    folders = {path.parent for path in production_files()}
    for folder in folders:
        body = ast.parse((folder / "__init__.py").read_text()).body
        assert len(body) == 1, f"{folder.name}/__init__.py holds its docstring and nothing else"
        assert isinstance(body[0], ast.Expr), folder
        assert isinstance(body[0].value, ast.Constant), folder
        assert isinstance(body[0].value.value, str), folder


def tracked_files() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: which files are tracked cannot be known")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [path for name in listed.decode().split("\0") if name and (path := ROOT / name).is_file()]


# Letters in brackets, so that this file does not match itself.
PLACE_OF_ONE_MACHINE = re.compile(rb"(?<![\w.~/-])/(home|Users|roo[t]|wor[k]|opt/[pw])/?[\w.-]")
REGISTRY = re.compile(rb"py[p]i\.org|python[h]osted\.org|registry\.npm[j]s|(?m:^\s*(--)?(extra-)?index-ur[l]\b)")


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (PLACE_OF_ONE_MACHINE, "in /ho" + "me/ada/x", True),
        (PLACE_OF_ONE_MACHINE, "'/Us" + "ers/ada'", True),
        (PLACE_OF_ONE_MACHINE, "https://exchange.example/home/page", False),
        (REGISTRY, "--index-" + "url https://mirror.example/simple", True),
        (REGISTRY, "https://files.python" + "hosted.org/x", True),
    ],
)
def test_pattern_finds_places_and_registries(pattern: re.Pattern[bytes], text: str, found: bool) -> None:
    assert bool(pattern.search(text.encode())) is found


@pytest.mark.parametrize("pattern", [PLACE_OF_ONE_MACHINE, REGISTRY])
def test_no_tracked_file_names_a_place_on_one_machine_or_a_package_registry(pattern: re.Pattern[bytes]) -> None:
    found = {f"{path.relative_to(ROOT)}: {match[0]!r}" for path in tracked_files() for match in pattern.finditer(path.read_bytes())}
    assert not found, "\n".join(sorted(found))
