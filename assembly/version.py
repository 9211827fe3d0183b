"""The program's version, as pyproject.toml states it."""

from __future__ import annotations

from pathlib import Path

import tomli


def version() -> str:
    project = Path(__file__).parent.parent / "pyproject.toml"
    return str(tomli.loads(project.read_text(encoding="utf-8"))["project"]["version"])
