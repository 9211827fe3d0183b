"""Figures of a report as people read them. Amounts are exact where there is room, and say so by having all their digits."""

from __future__ import annotations

from array import array
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal

from assembly.presenter.risk_words import rounded

DECIMALS_SHOWN_MAX = 12
"""Averages and what was realised are quotients without end; everything else has fewer."""
NOTHING = "–"
LARGE = 10_000
_LAST_DECIMAL = Decimal(1).scaleb(-DECIMALS_SHOWN_MAX)
_READABLE = Decimal(1).scaleb(-8)
_ROUNDING = Context(prec=400)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def exact(amount: Decimal | None) -> str:
    """All digits, without zeros at the end."""
    if amount is None:
        return NOTHING
    exponent = amount.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -DECIMALS_SHOWN_MAX:
        amount = amount.quantize(_LAST_DECIMAL, rounding=ROUND_HALF_EVEN, context=_ROUNDING)
    text = f"{amount:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text.replace("-", "−")


def short(amount: Decimal | None) -> str:
    """With as many digits as one reads at a glance."""
    if amount is None:
        return NOTHING
    return (f"{amount:,.0f}" if abs(amount) >= LARGE else rounded(amount)).replace("-", "−")


def signed(amount: Decimal | None) -> str:
    """The same, with a plus sign."""
    text = short(amount)
    return f"+{text}" if amount is not None and amount > 0 else text


def signed_readable(amount: Decimal) -> str:
    """What is a quotient anyway, to eight decimals."""
    text = exact(amount.quantize(_READABLE, rounding=ROUND_HALF_EVEN, context=_ROUNDING))
    return f"+{text}" if amount > 0 and text != "0" else text


def basis_points(value: Decimal | None) -> str:
    """``+0.55``: a hundredth of a basis point is what one can tell."""
    return NOTHING if value is None else f"{value:+.2f}".replace("-", "−")


def share(value: float | None) -> str:
    """``99.2 %``."""
    return NOTHING if value is None else f"{100 * value:.1f} %"


def moment(at: int) -> str:
    """``2026-11-22 00:42:33``, UTC."""
    return (_EPOCH + timedelta(milliseconds=at)).strftime("%Y-%m-%d %H:%M:%S")


def day(number: int) -> str:
    """``2026-11-22``."""
    return (_EPOCH + timedelta(days=number)).strftime("%Y-%m-%d")


def duration(milliseconds: float) -> str:
    """``850 ms``, ``4.2 s``, ``15 min 3 s``, ``2 d 3 h``."""
    seconds = milliseconds / 1000
    if seconds < 1:
        return f"{milliseconds:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, name, smaller_size, smaller in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller_size
            return f"{whole // size} {name}{f' {rest} {smaller}' if rest else ''}"
    return f"{whole} s"


def latency(microseconds: float) -> str:
    """``12.3 ms``."""
    milliseconds = microseconds / 1000
    return (
        f"{milliseconds:.2f} ms"
        if milliseconds < 10
        else f"{milliseconds:.1f} ms"
        if milliseconds < 1_000
        else f"{milliseconds / 1000:.2f} s"
    )


def percentiles(values: array[int]) -> tuple[int, int, int, int] | None:
    """p50, p95, p99 and the largest: each a value that occurred, the least that so many do not exceed. None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    p50, p95, p99 = (ordered[max(0, -(-len(ordered) * percent // 100) - 1)] for percent in (50, 95, 99))
    return p50, p95, p99, ordered[-1]


def counted(number: int, what: str) -> str:
    """``1 order``, ``2 orders``."""
    return f"{number} {what}{'' if number == 1 else 's'}"
