"""What came of one world."""

from __future__ import annotations

import enum

import msgspec


class Verdict(enum.Enum):
    """How a world ended; the later ones outrank the earlier."""

    FINE = "fine"
    NOT_CONVERGED = "not converged"
    VIOLATION = "violation"
    HARNESS_CRASHED = "harness crashed"


class Outcome(msgspec.Struct, kw_only=True):
    """One seed's world: its end, and what happened in it.

    `strikes`, `effects`, `transitions`, `losses_struck` and `endings` count by name.
    """

    seed: int
    verdict: Verdict = Verdict.FINE
    told: str = ""
    options: list[str] = []
    virtual_seconds: float = 0.0
    real_seconds: float = 0.0
    wire_events: int = 0
    program_events: int = 0
    orders: int = 0
    fills: int = 0
    rounds: int = 0
    restarts_of_actors: int = 0
    runs: int = 0
    unknown_fates: int = 0
    impossible_transitions: int = 0
    convergences: int = 0
    convergence_seconds_max: float = 0.0
    strikes: dict[str, int] = {}
    """How many strikes of each kind of fault came: each was planned, or done, there and then."""
    effects: dict[str, int] = {}
    """How many of them had an effect, at once or later: a request met what was planned for it, bytes were held up, a process was killed."""
    spells: int = 0
    """Spells begun."""
    struck: list[tuple[int, int, str]] = []
    """Every strike that came, in order: its spell's number, its own, and its kind."""
    transitions: dict[str, int] = {}
    losses_struck: dict[str, int] = {}
    """How often limits of losses did what they can do."""
    endings: dict[str, int] = {}
    trace_hash: str = ""
    is_repeated: bool = False
    other_hashes: tuple[str, ...] = ()

    @property
    def first_line(self) -> str:
        return self.told.splitlines()[0] if self.told else ""


def count(counts: dict[str, int], name: str) -> None:
    counts[name] = counts.get(name, 0) + 1
