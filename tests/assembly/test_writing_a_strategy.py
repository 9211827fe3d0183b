"""docs/writing_a_strategy.md, typed in as it stands: it loads, and its own tests pass."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from assembly.cycle_parts import cycle_terms, strategy_of
from assembly.registry import EXCHANGES, STRATEGIES
from assembly.settings_loading import load_settings

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "writing_a_strategy.md").read_text(encoding="utf-8")


def code(language: str) -> list[str]:
    """The page's blocks of a language. The package has a name of its own here, beside those of other tests."""
    return [found.replace("my_strategies", "of_the_guide") for found in re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)]


def test_guide_leads_to_a_strategy_that_loads_and_passes_its_own_tests(tmp_path: Path) -> None:
    [settings_file] = code("toml")
    strategy, *tests = code("python")
    (tmp_path / "of_the_guide").mkdir()
    (tmp_path / "of_the_guide" / "__init__.py").write_text("")
    (tmp_path / "of_the_guide" / "lean.py").write_text(strategy)
    (tmp_path / "config.toml").write_text(settings_file)
    known = {name: entry.known for name, entry in EXCHANGES.items()}
    settings = load_settings(tmp_path / "config.toml", environment={}, known_exchanges=known, strategies=STRATEGIES)
    assert strategy_of(settings, "lean").parameters.__name__ == "LeanParameters"
    names: dict[str, Any] = {}
    exec("\n".join(tests), names)  # noqa: S102 - the page is ours
    passed = [name for name, test in names.items() if name.startswith("test_") and test() is None]
    assert len(passed) == 3


@pytest.mark.parametrize(("file", "cycles"), [("grid.toml", {"grid": 50}), ("quoting.toml", {"btc": 100, "eth": 200})])
def test_example_settings_load(file: str, cycles: dict[str, int]) -> None:
    known = {name: entry.known for name, entry in EXCHANGES.items()}
    settings = load_settings(ROOT / "examples" / file, environment={}, known_exchanges=known, strategies=STRATEGIES)
    assert {name: cycle_terms(settings, name).quote_quantity for name in settings.cycles} == cycles
