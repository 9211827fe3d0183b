"""Client order ids: every order of ours carries one, and from it anyone can tell whose it is.

The form is ``installation-owner-number``, lower case letters, digits and hyphens, at most 28 characters
(Gate.io allows 28 after its own ``t-``; the other exchanges allow more). A sweep cancels by prefix, so an
installation's name must be its own: two runtimes on one credential must not share it.

Numbers begin at the millisecond in which the run started, times 250, in base 36: ten digits until the year 2433.
A run would have to place more than 250 orders a millisecond for its whole life to reach the numbers of a later one.
"""

from __future__ import annotations

import re

INSTALLATION_LENGTH_MAX = 6
OWNER_LENGTH_MAX = 10
_INSTALLATION = re.compile(r"[a-z0-9]{1,6}")
_OWNER = re.compile(r"[a-z0-9]{1,10}")
_NUMBER = re.compile(r"[a-z0-9]{10,12}")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
# A run that placed more than this in a millisecond would run into the ids of one started later; none can.
_NUMBERS_PER_MILLISECOND = 250
_NUMBER_LENGTH = 10


class ClientOrderIds:
    """Makes the ids of one owner (a cycle) for one run of the program.

    It outlives the owner's incarnations, so that a restarted cycle never repeats an id. `run_started_milliseconds`
    (wall time) keeps runs apart, also when one is started in the second in which the last one died.
    """

    def __init__(self, *, installation: str, owner: str, run_started_milliseconds: int) -> None:
        if not _INSTALLATION.fullmatch(installation):
            raise ValueError(f"installation {installation!r}: 1 to {INSTALLATION_LENGTH_MAX} lower case letters or digits")
        if not _OWNER.fullmatch(owner):
            raise ValueError(f"owner {owner!r}: 1 to {OWNER_LENGTH_MAX} lower case letters or digits")
        self._prefix = owner_prefix(installation, owner)
        self._number = run_started_milliseconds * _NUMBERS_PER_MILLISECOND

    def next_id(self) -> str:
        """A client order id never given before."""
        self._number += 1
        return f"{self._prefix}{_base36(self._number).rjust(_NUMBER_LENGTH, '0')}"


def installation_prefix(installation: str) -> str:
    """What every client order id of this installation begins with."""
    return f"{installation}-"


def owner_prefix(installation: str, owner: str) -> str:
    """What every client order id of this owner begins with."""
    return f"{installation}-{owner}-"


def owner_of(client_order_id: str) -> str:
    """The owner named in an id of ours; empty if there is none."""
    parts = client_order_id.split("-")
    return parts[1] if len(parts) == 3 else ""


def given_at_milliseconds(client_order_id: str) -> int | None:
    """The wall time that an id's number stands for: the start of its run, moved on a little by each id that was given before.

    It is never later than the id was given, while fewer than 250 are given in a millisecond. None for an id of another form.
    """
    number = client_order_id.rpartition("-")[2]
    if client_order_id.count("-") != 2 or not _NUMBER.fullmatch(number):
        return None
    return int(number, 36) // _NUMBERS_PER_MILLISECOND


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"
