"""Metrics of the program itself: actors, trading states, queues, the event loop, what was dropped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import trio

from actors.accounts.trading_states import TradingStates
from assembly.cycle_parts import CycleParts
from assembly.journaling import RunJournal
from assembly.metrics.families import Family, counter, gauge, histogram
from assembly.metrics.loop_lag import LoopLag
from assembly.notifying import Notifying
from assembly.parts import AccountParts
from assembly.version import version
from orders.states import GLOBAL, TradingState, account_scope, cycle_scope, symbol_scope
from supervision.snapshot import Snapshot

RUN_INFO = gauge("mm_run_info", ("version", "installation"), "", "Always 1; says which program this is, and under which name it trades")
RUN_SECONDS = gauge("mm_run_seconds", (), "seconds", "How long this run has been running")
RUN_STOPPING = gauge("mm_run_stopping", (), "", "1 once this run is stopping, and nothing is placed any more; 0 before")

ACTOR_STATE = gauge("mm_actor_state", ("actor", "state"), "", "1 for the state that an actor is in, 0 for the others")
ACTOR_STATE_SECONDS = gauge("mm_actor_state_seconds", ("actor",), "seconds", "For how long an actor has been in its state")
ACTOR_RESTARTS = counter("mm_actor_restarts_total", ("actor",), "restarts", "How often a supervisor has started an actor again")
TRADING_STATE = gauge(
    "mm_trading_state",
    ("scope", "state"),
    "",
    "1 for the strictest state that a scope itself was put into, by a person, a limit or trouble; 0 for the others",
)

INBOX_KEYS = gauge("mm_inbox_keys", ("cycle",), "keys", "News in a cycle's inbox that it has not read; the newest of each key")
INBOX_KEYS_LARGEST = gauge("mm_inbox_keys_largest", ("cycle",), "keys", "The most news that ever waited in a cycle's inbox")
INBOX_OVERWRITTEN = counter(
    "mm_inbox_overwritten_total", ("cycle",), "news", "News in a cycle's inbox that newer news replaced before it was read"
)
JOURNAL_WAITING = gauge("mm_journal_waiting", (), "entries", "Entries of the journal that are not written yet; absent without a journal")
JOURNAL_CAPACITY = gauge(
    "mm_journal_capacity", (), "entries", "How many entries may wait before who writes has to; absent without a journal"
)
JOURNAL_ENTRIES = counter("mm_journal_entries_total", (), "entries", "Entries that were given to the journal; absent without a journal")
JOURNAL_DROPPED = counter("mm_journal_dropped_total", (), "notes", "Notes for people that found the journal busy; absent without a journal")
OUTPUT_DROPPED = counter("mm_output_dropped_total", ("output",), "events", "What was not shown because an output did not keep up")
NOTIFICATIONS_WAITING = gauge(
    "mm_notifications_waiting", (), "notifications", "Notifications that are not delivered yet; absent without a webhook"
)
NOTIFICATIONS_DROPPED = counter(
    "mm_notifications_dropped_total", (), "notifications", "Notifications left out because too many waited; absent without a webhook"
)

LOOP_LAG = histogram(
    "mm_event_loop_lag_seconds", (), "seconds", "How late a timer ran, four times a second: up to a millisecond is the system's"
)
LOOP_LAG_LARGEST = gauge("mm_event_loop_lag_largest_seconds", (), "seconds", "The latest that a timer ever ran in this run")

METRICS = (
    RUN_INFO, RUN_SECONDS, RUN_STOPPING, ACTOR_STATE, ACTOR_STATE_SECONDS, ACTOR_RESTARTS, TRADING_STATE, INBOX_KEYS, INBOX_KEYS_LARGEST,
    INBOX_OVERWRITTEN, JOURNAL_WAITING, JOURNAL_CAPACITY, JOURNAL_ENTRIES, JOURNAL_DROPPED, OUTPUT_DROPPED, NOTIFICATIONS_WAITING,
    NOTIFICATIONS_DROPPED, LOOP_LAG, LOOP_LAG_LARGEST,
)  # fmt: skip


def read_run(*, installation: str, began_at: float, is_stopping: bool) -> Iterator[Family]:
    """What run this is."""
    yield RUN_INFO.of([((version(), installation), 1)])
    yield RUN_SECONDS.of([((), trio.current_time() - began_at)])
    yield RUN_STOPPING.of([((), int(is_stopping))])


def read_actors(actors: Sequence[Snapshot]) -> Iterator[Family]:
    """How each actor stands."""
    now = trio.current_time()
    yield ACTOR_STATE.of_states({(actor.name,): actor.state for actor in actors})
    yield ACTOR_STATE_SECONDS.of(((actor.name,), max(0.0, now - actor.since)) for actor in actors)
    yield ACTOR_RESTARTS.of(((actor.name,), actor.restarts) for actor in actors)


def read_trading_states(states: TradingStates, accounts: Mapping[str, AccountParts], cycles: Iterable[str]) -> Iterator[Family]:
    """What every scope may do, as far as it was told itself: of an order the strictest of its scopes counts."""
    scopes = [GLOBAL, *map(account_scope, accounts), *map(cycle_scope, cycles)]
    scopes += [symbol_scope(name, symbol) for name, parts in accounts.items() for symbol in parts.symbols]
    strictest = dict.fromkeys(scopes, TradingState.RUN)
    for said in (*states.declared().values(), *states.restraints()):
        if said.state.strictness > strictest.get(said.scope, said.state).strictness:
            strictest[said.scope] = said.state
    yield TRADING_STATE.of_states({(scope,): state for scope, state in strictest.items()})


def read_queues(
    cycles: Mapping[str, CycleParts], journal: RunJournal | None, notifying: Notifying | None, outputs: Mapping[str, Callable[[], int]]
) -> Iterator[Family]:
    """What waits to be read, written, told or shown, and what was left out for want of room."""
    inboxes = {name: cycle.inbox_sender.statistics() for name, cycle in cycles.items()}
    yield INBOX_KEYS.of(((name,), inbox.pending) for name, inbox in inboxes.items())
    yield INBOX_KEYS_LARGEST.of(((name,), inbox.pending_max) for name, inbox in inboxes.items())
    yield INBOX_OVERWRITTEN.of(((name,), inbox.overwritten) for name, inbox in inboxes.items())
    ports = [] if journal is None else [journal.port.statistics()]
    yield JOURNAL_WAITING.of(((), port.waiting) for port in ports)
    yield JOURNAL_CAPACITY.of(((), port.capacity) for port in ports)
    yield JOURNAL_ENTRIES.of(((), port.sent) for port in ports)
    yield JOURNAL_DROPPED.of(((), port.dropped) for port in ports)
    yield OUTPUT_DROPPED.of(((name,), dropped()) for name, dropped in outputs.items())
    outboxes = [] if notifying is None else [notifying.statistics()]
    yield NOTIFICATIONS_WAITING.of(((), outbox.waiting) for outbox in outboxes)
    yield NOTIFICATIONS_DROPPED.of(((), outbox.dropped) for outbox in outboxes)


def read_loop(lag: LoopLag) -> Iterator[Family]:
    """How late the event loop was."""
    snapshot = lag.seconds.snapshot()
    yield LOOP_LAG.of_histograms({(): snapshot})
    yield LOOP_LAG_LARGEST.of([((), snapshot.largest)])
