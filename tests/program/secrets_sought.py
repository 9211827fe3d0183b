"""Secrets for tests, and whether anything of them is in what was written, however it is spelled."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

KEY = "k3yThatOpensNothingAtAll7c19e5f02b6d4a8893"
SECRET = "s3cretThatSignsNothingAtAll0d1f4b7a92c6e8355af1749b20de63c8"
PAGE_TOKEN = "t0kenThatMovesNothingAtAll-61f0a3_9e"
WEBHOOK_TOKEN = "T0TALLYsecretWEBHOOKtoken4711"
ALL = (KEY, SECRET, PAGE_TOKEN, WEBHOOK_TOKEN)
ENVIRONMENT = {"GATEIO_API_KEY": KEY, "GATEIO_API_SECRET": SECRET, "MM_PAGE_TOKEN": PAGE_TOKEN, "LOG_LEVEL": "TRACE"}
PART_LENGTH = 8


def check_hidden(written: str | bytes) -> None:
    """No secret, and no part of one that is long enough to be recognised: as it is, backwards, escaped, in hexadecimal or base64."""
    data = written.encode() if isinstance(written, str) else written
    for secret in ALL:
        for spelling, length in _spellings(secret):
            for start in range(len(spelling) - length + 1):
                part = spelling[start : start + length]
                if part in data:
                    at = data.index(part)
                    raise AssertionError(f"{part!r} was written: …{data[max(0, at - 200) : at + 200]!r}…")


def _spellings(secret: str) -> Iterator[tuple[bytes, int]]:
    """Spellings, and how long a part of each is one of `PART_LENGTH` of the secret."""
    data = secret.encode()
    yield data, PART_LENGTH
    yield data[::-1], PART_LENGTH
    yield quote(secret, safe="").encode(), PART_LENGTH
    yield json.dumps(secret).encode()[1:-1], PART_LENGTH
    for encode in (bytes.hex, lambda text: text.hex().upper()):
        yield encode(data).encode(), 2 * PART_LENGTH
    for before, touched in ((0, 0), (1, 2), (2, 3)):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            core = encode(bytes(before) + data)[touched:].rstrip(b"=")[:-1]
            yield core, 4 * PART_LENGTH // 3 + 1


def spelled_by_others(secret: str) -> dict[str, str]:
    """A secret as somebody may repeat it who has it."""
    return {
        "whole": secret,
        "cut": f"{secret[:14]}…",
        "basic": base64.b64encode(f"user:{secret}".encode()).decode(),
        "hex": secret.encode().hex(),
        "escaped": quote(f'"{secret}"', safe=""),
    }


def files_written(folder: Path) -> dict[Path, bytes]:
    """Everything below a folder that the program may have written: logs, journals with what belongs to them, reports."""
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".toml"}
