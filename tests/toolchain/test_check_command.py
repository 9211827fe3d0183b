"""bin/lib/check.py, what `bin/test` runs, as a process in a tiny project of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PROJECT = """
[tool.ruff]
line-length = 140

[tool.pyright]
include = ["upper", "lower"]
typeCheckingMode = "strict"

[tool.pytest.ini_options]
testpaths = ["tests"]
addopts = "-p no:cacheprovider"

[tool.importlinter]
root_packages = ["upper", "lower"]

[[tool.importlinter.contracts]]
name = "lower does not look up"
type = "forbidden"
source_modules = ["lower"]
forbidden_modules = ["upper"]
"""

FLAWS = {
    "lint": ("lower/flawed.py", 'x = f"no placeholder"\n'),
    "format": ("lower/flawed.py", "x = {  }\n"),
    "import map": ("lower/flawed.py", "from upper import code\n\n__all__ = ['code']\n".replace("'", '"')),
    "types": ("lower/flawed.py", 'x: int = "text"\n'),
    "tests": ("tests/test_flawed.py", "def test_fails() -> None:\n    assert not True\n"),
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "bin" / "lib").mkdir(parents=True)
    shutil.copy(ROOT / "bin" / "lib" / "check.py", tmp_path / "bin" / "lib")
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    for package in ("upper", "lower"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    (tmp_path / "upper" / "code.py").touch()
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_sound.py").write_text("def test_sound() -> None:\n    pass\n")
    return tmp_path


def check(project: Path, *arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    # No node on PATH, an empty HOME and no network by way of a proxy that refuses: pyright has to bring what it needs.
    refusing = "http://127.0.0.1:9"
    environ = {"PATH": "/nonexistent", "HOME": str(project / "home"), "http_proxy": refusing, "https_proxy": refusing}
    command = [sys.executable, str(project / "bin" / "lib" / "check.py"), *arguments]
    return subprocess.run(command, cwd=folder or project, env=environ, capture_output=True, text=True, timeout=300, check=False)


def summary(checked: subprocess.CompletedProcess[str]) -> dict[str, str]:
    lines = checked.stdout.partition("== summary\n")[2].splitlines()[:-1]
    return {line[3:33].partition(" (")[0].strip(): line[45:] for line in lines}


def test_sound_project_passes_every_section_without_network_node_or_home(project: Path) -> None:
    checked = check(project)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert summary(checked) == dict.fromkeys(FLAWS, "passed")
    assert checked.stdout.endswith("everything passed\n")
    assert "new pyright version" not in checked.stdout + checked.stderr


@pytest.mark.parametrize("section", FLAWS)
def test_one_flaw_fails_its_section_and_the_whole_and_the_others_still_run(project: Path, section: str) -> None:
    name, text = FLAWS[section]
    (project / name).write_text(text)
    checked = check(project)
    assert checked.returncode == 1
    assert checked.stdout.endswith("1 of 5 failed\n")
    assert {title: verdict.partition(" ")[0] for title, verdict in summary(checked).items()} == {
        title: "FAILED" if title == section else "passed" for title in FLAWS
    }


def test_arguments_go_to_pytest_alone_from_where_the_user_stands(project: Path) -> None:
    (project / "lower" / "flawed.py").write_text("import os\n")
    checked = check(project, "test_sound.py", "-k", "sound", "-v", folder=project / "tests")
    assert checked.returncode == 0, checked.stdout
    assert "test_sound.py::test_sound PASSED" in checked.stdout
    assert "ruff" not in checked.stdout


def test_collecting_no_test_is_a_failure(project: Path) -> None:
    assert check(project, "-k", "no_such_test").returncode == 5
    (project / "tests" / "test_sound.py").unlink()
    checked = check(project)
    assert checked.returncode == 1
    assert summary(checked)["tests"] == "FAILED (no test was collected)"


def test_lint_option_leaves_the_tests_out_and_help_runs_nothing(project: Path) -> None:
    (project / "tests" / "test_flawed.py").write_text("def test_fails() -> None:\n    raise AssertionError\n")
    checked = check(project, "--lint")
    assert (checked.returncode, "tests" in summary(checked)) == (0, False)
    helped = check(project, "--help")
    assert (helped.returncode, "usage: bin/test" in helped.stdout, "==" in helped.stdout) == (0, True, False)
