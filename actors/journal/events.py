"""What the journal tells of itself."""

from __future__ import annotations

import msgspec


class JournalFailed(msgspec.Struct, frozen=True):
    """The journal cannot write any more. `unwritten` entries wait for its next incarnation; who waited for one was told."""

    reason: str
    unwritten: int
