"""ccxt as a client of `mm-sim`."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import ccxt


def connected(facts: dict[str, Any], library: ModuleType = ccxt, **changes: Any) -> Any:
    """A client of `library` set up by the very line that `mm-sim` prints, with everything else but `changes` as ccxt has it."""
    names: dict[str, Any] = {"ccxt": library}
    exec(facts["ccxt"], names)  # noqa: S102 - the line is what is under test
    client = names["e"]
    client.timeout = 5_000
    for name, value in changes.items():
        setattr(client, name, value)
    return client
