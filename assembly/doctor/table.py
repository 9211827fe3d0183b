"""The checks for people: one block per exchange, one line per check, as wide as the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from assembly.doctor.check import Check, CheckStatus
from assembly.presenter.phrases import printable

WIDTH_MIN = 60
WIDTH_MAX = 140
CHECK_WIDTH_MAX = 20
_COLOURS = {CheckStatus.OK: "32", CheckStatus.WARN: "33", CheckStatus.FAIL: "31;1", CheckStatus.SKIP: "2"}


def table(checks: Sequence[Check], modes: Mapping[str, str], *, width: int, coloured: bool, seconds: float) -> str:
    """The whole table, ending in a line that sums it up; `modes` says of each exchange what is on the other side."""
    width = max(WIDTH_MIN, min(width, WIDTH_MAX))
    lines: list[str] = []
    before: tuple[str, str | None] | None = None
    for check in checks:
        here = (check.exchange, check.account)
        if before is None or check.exchange != before[0]:
            lines += ["", f"{check.exchange} ({modes[check.exchange]})"] if lines else [f"{check.exchange} ({modes[check.exchange]})"]
        if check.account is not None and here != before:
            lines.append(f"  account {check.account}")
        before = here
        lines += _lines(check, width, coloured=coloured)
    return "\n".join([*lines, "", *textwrap.wrap(_summary(checks, seconds), width)]) + "\n"


def _lines(check: Check, width: int, *, coloured: bool) -> list[str]:
    status = check.status.value
    took = "" if check.milliseconds is None else f"{check.milliseconds:.0f} ms"
    start = f"{check.check:<{CHECK_WIDTH_MAX}} {took:>7}  "
    indent = " " * (len("  skip  ") + len(start))
    detail = textwrap.wrap(printable(check.detail), max(20, width - len(indent))) or [""]
    shown = f"\x1b[{_COLOURS[check.status]}m{status:<4}\x1b[0m" if coloured else f"{status:<4}"
    return [f"  {shown}  {start}{detail[0]}".rstrip(), *(indent + line for line in detail[1:])]


def _summary(checks: Sequence[Check], seconds: float) -> str:
    failed = [check for check in checks if check.status is CheckStatus.FAIL]
    counts = ", ".join(f"{sum(check.status is status for check in checks)} {status.value}" for status in CheckStatus)
    summed_up = f"{len(checks)} checks in {seconds:.1f} s: {counts}; no order was placed, amended or cancelled"
    if not failed:
        return summed_up
    names = ", ".join(" ".join(part for part in (check.exchange, check.account, check.check) if part) for check in failed)
    return f"{summed_up}. Failed: {names}"
