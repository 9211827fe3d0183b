"""What is counted and timed of the requests to one exchange: what became of them, and how long their answers took."""

from __future__ import annotations

import enum
from collections import Counter

from measuring.family import HistogramFamily


class RequestOutcome(enum.Enum):
    """What became of one attempt at a request over REST."""

    ANSWERED = "answered"
    REFUSED = "refused"  # answered with 4xx
    RATE_LIMITED = "rate_limited"  # answered that it was one too many, by whatever status
    SERVER_ERROR = "server_error"  # answered with 5xx
    LOST = "lost"  # sent, and no answer came that can be read
    NOT_SENT = "not_sent"  # the exchange was not reached
    NO_LEAVE = "no_leave"  # the rate limiter did not let it go in time
    BREAKER_OPEN = "breaker_open"


class RequestMeasures:
    """Of one exchange, by the groups of its rate limits. Outlives every connection."""

    def __init__(self) -> None:
        self.outcomes: Counter[tuple[str, RequestOutcome]] = Counter()
        self.answer_seconds = HistogramFamily(("group",))
        """From the moment a request is sent to its whole answer, whatever it says; of those that were answered."""
        self.holds: Counter[str | None] = Counter()
        """How often nothing of a group (None: nothing at all) could be sent for a time because the exchange said so."""

    def ended(self, group: str, outcome: RequestOutcome) -> None:
        """An attempt is over."""
        self.outcomes[group, outcome] += 1

    def answered(self, group: str, outcome: RequestOutcome, seconds: float) -> None:
        """An attempt is over with an answer, which took so long."""
        self.outcomes[group, outcome] += 1
        self.answer_seconds.of(group).observe(seconds)
