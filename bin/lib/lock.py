"""Compiles requirements/*.lock from pyproject.toml: exact versions with hashes, for Python 3.11 and newer on Linux and macOS.

Versions already locked stay as they are unless asked otherwise: arguments go to `uv pip compile`
(`--upgrade`, `--upgrade-package trio`).
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

COMPILATIONS = (
    # Development first and runtime held to it: what is tested is what is run.
    ("development", ["pyproject.toml", "--extra", "development"]),
    ("runtime", ["pyproject.toml", "--constraint", "requirements/development.lock"]),
    ("parquet", ["pyproject.toml", "--extra", "parquet", "--constraint", "requirements/development.lock"]),
    ("locking", ["--group", "pyproject.toml:locking"]),
    # Held to the runtime: code made by a newer compiler would refuse to load there.
    ("protobuf", ["--group", "pyproject.toml:protobuf", "--constraint", "requirements/runtime.lock"]),
)


def main(arguments: list[str]) -> int:
    """Writes each lock file in turn; stops at the first that cannot be resolved and returns its exit status."""
    if "--help" in arguments or "-h" in arguments:
        print(f"usage: bin/lock [arguments for `uv pip compile`, such as --upgrade]\n\n{__doc__}")
        return 0
    for name, sources in COMPILATIONS:
        print(f"requirements/{name}.lock", flush=True)
        command = [sys.executable, "-m", "uv", "pip", "compile", *sources, "--output-file", f"requirements/{name}.lock"]
        options = ["--universal", "--python-version", "3.11", "--generate-hashes", "--custom-compile-command", "bin/lock", "--quiet"]
        status = subprocess.run([*command, *options, *arguments], cwd=ROOT, check=False).returncode
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
