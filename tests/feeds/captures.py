"""Where real captured market data is found. Tests that need it skip, saying so, where it is not."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SAMPLES = Path(__file__).with_name("samples")


def capture_path(name: str) -> Path:
    """The capture called `name`, from MM_SHARED_DATA or the folder shared/data beside the repository."""
    root = Path(os.environ.get("MM_SHARED_DATA") or REPOSITORY.parent / "shared" / "data")
    path = root / name
    if not path.exists():
        pytest.skip(f"no captured market data: {name} is neither under MM_SHARED_DATA nor in shared/data beside the clone")
    return path


def read_lines(path: Path) -> Iterator[Any]:
    """The JSON objects of a capture or sample, one per line, compressed or not."""
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()
    return (json.loads(line) for line in text.splitlines() if line.strip())
