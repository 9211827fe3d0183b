"""The files that a browser is given: read once, before anything trades, and nothing else can be asked for."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

FOLDER = Path(__file__).parent / "static"
INDEX = "index.html"
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
}


class Asset(msgspec.Struct, frozen=True):
    """A file, and what tells it from another version of it."""

    content: bytes
    kind: str
    tag: str


def load_assets(folder: Path = FOLDER) -> dict[str, Asset]:
    """Those in the folder itself, by name. Raises: OSError: one cannot be read."""
    found = sorted(path for path in folder.glob("*") if path.suffix in _KINDS)
    return {path.name: _asset(path.read_bytes(), _KINDS[path.suffix]) for path in found}


def _asset(content: bytes, kind: str) -> Asset:
    return Asset(content, kind, f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"')
