"""How property tests are run, and the contract suite's listing. Fixtures live beside the tests that use them."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent / "contract"))
from rows import listing, rows_of

_COMMON = settings(deadline=None, print_blob=True, database=None, suppress_health_check=[HealthCheck.too_slow])

# The same examples in every run and on every machine, so that a failure is about the change and repeats at once.
settings.register_profile("ci", _COMMON, derandomize=True, max_examples=100)
# New examples in every run: `bin/test --hypothesis-profile=long`. A failure prints the `@reproduce_failure` line that replays it.
settings.register_profile("long", _COMMON, max_examples=5_000)
settings.load_profile("ci")


def pytest_configure() -> None:
    """A shell starts what it runs in the background with SIGINT ignored, and nohup with SIGHUP: so would be every program of the tests."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--contract-rows", action="store_true", help="run nothing; list which checks of tests/contract prove what, at which market"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Lists instead of running, where that is asked for."""
    if not session.config.getoption("--contract-rows"):
        return None
    checks: dict[str, tuple[list[str], set[str]]] = {}
    for item in session.items:
        if isinstance(item, pytest.Function) and item.path.parent.name == "contract":
            name = item.originalname
            _, markets = checks.setdefault(name, (rows_of(item.function.__doc__), set()))
            if hasattr(item, "callspec"):
                markets.add(item.callspec.params["name"])
    session.config.get_terminal_writer().line("\n" + listing(checks, set().union(*(markets for _, markets in checks.values()))))
    return True
