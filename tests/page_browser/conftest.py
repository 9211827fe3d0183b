"""One browser for each module, and a run to look at."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.page_browser.browser import Browser, is_in_ci, missing_browser


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Generator[Browser]:
    missing = missing_browser()
    if missing is not None and is_in_ci():
        pytest.fail(missing)
    if missing is not None:
        pytest.skip(missing)
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def browser(window: Browser) -> Generator[Browser]:
    """The module's browser, at a desk in daylight; what its console was told besides is a failure."""
    window.at_a_desk()
    yield window
    assert window.console() == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run")
