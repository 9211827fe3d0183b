"""The page's token, which cannot be printed by accident: whoever sends it may act on the run."""

from __future__ import annotations

import hmac

LENGTH_MIN = 16
HOW_TO_MAKE = "python3 -c 'import secrets; print(secrets.token_urlsafe(24))'"


class PageToken:
    """Its repr does not show it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "<page token>"

    @property
    def text(self) -> str:
        """For taking it out of what is told; for nothing else."""
        return self._text

    def matches(self, offered: bytes) -> bool:
        """Takes the same time however much of it is right."""
        return hmac.compare_digest(self._text.encode(), offered)
