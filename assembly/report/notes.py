"""How a report is to be read, in the report's own words."""

from __future__ import annotations

from assembly.report.spans import COLUMNS
from assembly.report.sums import HORIZONS_SECONDS

_SECONDS = ", ".join(map(str, HORIZONS_SECONDS))

NOTES: tuple[tuple[str, str], ...] = (
    (
        "Profit",
        "what all trades have earned, with what is held worth the middle of the market, less fees in base and quote: the accounting that "
        "the program itself goes by, at average cost. Realised and unrealised are before fees. Fees in other assets, and funding, stand "
        "apart.",
    ),
    (
        "Spread captured",
        "how much better than the middle of the market in its moment each trade was, times its quantity. Basis points are of what was "
        "traded, so that large trades count for more.",
    ),
    (
        f"After {_SECONDS} seconds",
        "the same against the middle so long after the trade: what is left of the spread when the market has moved on. Of trades whose "
        "middle was not known then (the run ended, the book was lost) there is none; “of fills” says how many there were.",
    ),
    (
        "Prices",
        "are written when they have changed, at most once a second, and with every fill. Between two of them the price is the nearer "
        "one’s, so that the middle after some seconds may be half a second off; that of the trade itself is exact.",
    ),
    (
        "Orders filled",
        "of those that the exchange was heard to have, how many were filled, if only in part; and how much of what they were for.",
    ),
    (
        "Times",
        "are UTC, by the program’s clock. From sending to the exchange’s word: from the moment in which the placement left.",
    ),
    (
        "Curves",
        f"have {COLUMNS} columns, each with the least and the greatest value in it; dots that would lie on each other are drawn once. "
        "Grey is when nothing ran.",
    ),
)
