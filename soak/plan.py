"""Only some of a world's spells and strikes: what a failure is reduced to, and replayed by.

``3:0+2,5:`` names the spells 3 and 5 as they were drawn, one after the other; in the first only its strikes 0 and 2 come, in the
second none. ``none`` is a world without spells: it starts and stops.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

NO_SPELLS = "none"
_SPELL = re.compile(r"(\d{1,6}):((?:\d{1,6}\+)*\d{1,6})?")


class PlannedSpell(msgspec.Struct, frozen=True):
    """One spell by its number, and those of its strikes that come, by their numbers."""

    number: int
    strikes: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.number}:{'+'.join(map(str, self.strikes))}"


Plan = tuple[PlannedSpell, ...]


def parse_plan(text: str) -> Plan:
    """Raises: ValueError: it is none, in words for a person."""
    if text == NO_SPELLS:
        return ()
    plan: list[PlannedSpell] = []
    for part in text.split(","):
        match = _SPELL.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"{part!r} is no spell: write NUMBER:STRIKE+STRIKE as in 3:0+2, NUMBER: for one without strikes, or none")
        strikes = tuple(int(strike) for strike in (match[2] or "").split("+") if strike)
        plan.append(PlannedSpell(int(match[1]), strikes))
    return tuple(plan)


def format_plan(plan: Plan) -> str:
    """What `parse_plan` reads."""
    return ",".join(map(str, plan)) or NO_SPELLS


def strikes_in(plan: Sequence[PlannedSpell]) -> int:
    return sum(len(spell.strikes) for spell in plan)
