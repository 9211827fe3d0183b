"""What went wrong, or was out of the ordinary, in the words of the events themselves."""

from __future__ import annotations

import enum
from collections import Counter, deque
from collections.abc import Mapping
from typing import Any

import msgspec

from actors.journal.figures import RunRow
from actors.journal.rows import Row
from assembly.presenter.phrases import phrase, printable
from assembly.presenter.vocabulary import Told

INCIDENTS_KEPT_MAX = 1_000
DIED = "died without saying goodbye"
GATE_CLOSED = "the gate is closed"  # how a stop begins, for every account


class IncidentKind(enum.Enum):
    """What an incident is about: a line of the timeline each."""

    RUN = "runs"
    CRASH = "crashes"
    RESTART = "restarts"
    CONNECTION = "connections and books"
    ORDER = "orders"
    HOLD = "holds and refusals"
    STATE = "halts and limits"
    MONEY = "balances and positions"
    JOURNAL = "journal and guardian"


class Incident(msgspec.Struct, frozen=True):
    """One of them. `text` is printable; it may hold anything else that an exchange said."""

    at: int
    kind: IncidentKind
    name: str
    text: str
    run: int | None = None


_KINDS: dict[str, IncidentKind] = {
    **dict.fromkeys(
        ("actor_crashed", "actor_hung", "actor_start_failed", "actor_quarantined", "intensity_exceeded", "stop_deadline_exceeded"),
        IncidentKind.CRASH,
    ),
    **dict.fromkeys(("cleanup_failed", "cleanup_timed_out"), IncidentKind.CRASH),
    "actor_restarted": IncidentKind.RESTART,
    **dict.fromkeys(
        (
            "book_lost",
            "feed_disconnected",
            "account_disconnected",
            "account_lost",
            "account_trouble",
            "account_not_ready",
            "snapshot_failed",
            "instruments_failed",
            "channel_refused",
            "bad_frame_received",
            "quotes_pulled",
        ),
        IncidentKind.CONNECTION,
    ),
    **dict.fromkeys(("order_still_unknown", "order_fate_learned", "foreign_order_seen", "foreign_fill_seen"), IncidentKind.ORDER),
    **dict.fromkeys(("hold_placed", "hold_taken_over", "breaker_changed", "ticks_skipped"), IncidentKind.HOLD),
    **dict.fromkeys(("state_entered", "state_recovered", "restraint_placed", "restraint_lifted", "settings_refused"), IncidentKind.STATE),
    **dict.fromkeys(("balance_differs", "position_differs", "cycle_flattened"), IncidentKind.MONEY),
    **dict.fromkeys(("journal_dropped", "journal_failed", "guardian_lost", "guardian_acted", "notifications_failed"), IncidentKind.JOURNAL),
}
_ORDER_TROUBLES = {
    "unknown": "order_unknown",
    "impossible": "impossible_transition",
    "leftover_found": "leftover_order_found",
}


class Incidents:
    """Those of a journal: the newest of them, and how many of each name there were."""

    def __init__(self) -> None:
        self._newest: deque[Incident] = deque(maxlen=INCIDENTS_KEPT_MAX)
        self.counts: Counter[tuple[IncidentKind, str]] = Counter()

    def add(self, incident: Incident | None) -> None:
        if incident is not None:
            self._newest.append(incident)
            self.counts[incident.kind, incident.name] += 1

    def newest(self) -> list[Incident]:
        """At most `INCIDENTS_KEPT_MAX`, oldest first."""
        return sorted(self._newest, key=lambda incident: incident.at)

    def count(self, *kinds: IncidentKind) -> int:
        return sum(count for (kind, _), count in self.counts.items() if kind in kinds)


class EventSieve:
    """Finds incidents among events, given in their order. That everything is closed while a run stops is none."""

    def __init__(self, *, cycle: str | None, since_milliseconds: int | None) -> None:
        self._cycle = cycle
        self._since = since_milliseconds or 0
        self._stopping: set[int] = set()

    def incident_of(self, row: Row) -> Incident | None:
        """What an event says that went wrong; None if it is nothing of the kind, or about another cycle."""
        name, run = row["name"], row["run"]
        kind = _KINDS.get(name)
        if kind is None:
            return None
        fields: dict[str, Any] = msgspec.json.decode(row["fields"])
        if name == "account_lost" and str(fields.get("reason")).startswith(GATE_CLOSED):
            self._stopping.add(run)
        if kind is IncidentKind.CONNECTION and run in self._stopping:
            return None
        is_chosen = self._cycle is None or fields.get("cycle", self._cycle) == self._cycle
        return Incident(row["at"], kind, name, _worded(name, fields), run) if is_chosen and row["at"] >= self._since else None


def incident_of_order(row: Row) -> Incident:
    """Of a row of `JournalFigures.order_troubles`."""
    reason = f": {row['reason']}" if row["reason"] else ""
    text = f"cycle={row['owner']} {row['symbol']} {row['client_order_id']} at {row['account']}{reason}"
    return Incident(row["at"], IncidentKind.ORDER, _ORDER_TROUBLES[row["event"]], printable(text))


def incidents_of_run(run: RunRow) -> list[Incident]:
    """Its beginning, and its end if it has had one."""
    began = Incident(run.began_at, IncidentKind.RUN, "run_began", f"mm-runtime {run.version}, installation {run.installation}", run.number)
    if run.ended_how is None:
        return [began]
    ended_at, text = run.ended_at or run.began_at, printable(run.ended_how)
    if run.ended_how == DIED:
        return [began, Incident(ended_at, IncidentKind.CRASH, "run_died", text, run.number)]
    return [began, Incident(ended_at, IncidentKind.RUN, "run_ended", text, run.number)]


def _worded(name: str, fields: Mapping[str, Any]) -> str:
    try:
        return phrase(Told(name, dict(fields)))
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError):  # of a program that told it in other fields
        return printable(" ".join(f"{key}={value}" for key, value in fields.items()))
