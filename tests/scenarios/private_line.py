"""A host of its own for the private stream, so that a scenario can break it alone."""

from __future__ import annotations

from soak.worlds.private_line import PRIVATE_ADDRESS, PRIVATE_HOST, open_private_line

__all__ = ["PRIVATE_ADDRESS", "PRIVATE_HOST", "open_private_line"]
