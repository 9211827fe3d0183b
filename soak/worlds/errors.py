"""What a world finds wrong, by whose fault it is."""

from __future__ import annotations


class Violation(AssertionError):
    """Something that must be true of every moment was not. A fault of the program, or of what is said of it here."""


class ProgramCrashed(Violation):
    """The program itself raised, which it never may: whatever its actors die of ends at their supervisors."""


class NotConverged(Violation):
    """Something that must come true once nothing is wrong any more did not, within its bound."""
