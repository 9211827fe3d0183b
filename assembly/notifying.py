"""What a person is notified of: which events, in which words; and the part of a run that does it."""

from __future__ import annotations

import random
from collections.abc import Callable

from actors.accounts import events as account_events
from actors.notifier.actor import NotifierActor
from actors.notifier.bodies import Template
from actors.notifier.outbox import Notification, NotificationKind, Outbox, OutboxStatistics
from assembly.presenter import report as runtime_events
from assembly.presenter.phrases import line
from assembly.presenter.vocabulary import tell
from assembly.settings import Settings
from market.clock import WallClock
from network.backoff import Backoff
from network.url import Url
from orders import events as order_events
from orders.states import RestraintLifted, RestraintPlaced, StateEntered, StateRecovered, TradingState
from supervision import events as supervision_events
from supervision.child import ChildContext, DeathKind

ROOT = "root"
RETRY_SECONDS, RETRY_SECONDS_MAX = 2.0, 600.0

_KINDS: dict[type, NotificationKind] = {
    order_events.OrderFilled: NotificationKind.FILLS,
    account_events.OwnerFlattened: NotificationKind.FILLS,
    supervision_events.ChildRestarting: NotificationKind.RESTARTS,
    supervision_events.ChildHung: NotificationKind.RESTARTS,
    supervision_events.ChildQuarantined: NotificationKind.RESTARTS,
    supervision_events.IntensityExceeded: NotificationKind.RESTARTS,
    RestraintPlaced: NotificationKind.LIMITS,
    RestraintLifted: NotificationKind.LIMITS,
    order_events.BalanceDiffers: NotificationKind.LIMITS,
    account_events.OrderStillUnknown: NotificationKind.UNKNOWN_ORDERS,
    account_events.OrderFateLearned: NotificationKind.UNKNOWN_ORDERS,
    runtime_events.RunRecovered: NotificationKind.STOP,
    runtime_events.RuntimeStopping: NotificationKind.STOP,
}


class Notifying:
    """The notifications of one run. `report` takes what the notifier itself has to tell."""

    def __init__(
        self,
        settings: Settings,
        url: Url,
        *,
        wall_clock: WallClock,
        rng: random.Random,
        redact: Callable[[str], str],
        report: Callable[[object], None],
    ) -> None:
        self._settings = settings.notifications
        self._template = settings.notifications.template or Template.JSON
        self._sender = f"mm-runtime {settings.runtime.installation}"
        self._url = url
        self._wall_clock = wall_clock
        self._rng = rng
        self._redact = redact
        self._report = report
        self._has_told_of_stop = False
        self._outbox = Outbox(self._settings.kinds)

    def note(self, event: object) -> None:
        """Take in an event; cheap for those that nobody is notified of."""
        kind = kind_of(event)
        if kind is None or not self._outbox.wants(kind):
            return
        if isinstance(event, runtime_events.RuntimeStopping | supervision_events.SupervisorStopping):
            if self._has_told_of_stop:
                return
            self._has_told_of_stop = True
        told = tell(event)
        if told is not None:
            now_milliseconds = self._wall_clock.milliseconds()
            self._outbox.put(Notification(kind, now_milliseconds, " ".join(line(now_milliseconds, told).split())))

    def statistics(self) -> OutboxStatistics:
        """How much waits to be told, and how much was left out."""
        return self._outbox.statistics()

    async def run(self, context: ChildContext) -> None:
        """An incarnation of the notifier, until cancelled."""
        actor = NotifierActor(
            url=self._url,
            template=self._template,
            sender=self._sender,
            interval_seconds=self._settings.interval_seconds,
            outbox=self._outbox,
            backoff=Backoff(RETRY_SECONDS, 2.0, RETRY_SECONDS_MAX, 0.5, self._rng),
            redact=self._redact,
            report=self._report,
        )
        await actor.run(context)


def kind_of(event: object) -> NotificationKind | None:
    """What kind of notification an event is; None if it is none."""
    match event:
        case StateEntered(state=state) | StateRecovered(state=state):
            # Being let run again, and what only reduces, belong to what limits; the rest is what nobody trades in.
            return NotificationKind.HALTS if state in (TradingState.HALTED, TradingState.PAUSED) else NotificationKind.LIMITS
        case supervision_events.SupervisorStopping(supervisor=supervisor):
            return NotificationKind.STOP if supervisor == ROOT else None
        case supervision_events.ChildDied(kind=kind):
            return NotificationKind.RESTARTS if kind in (DeathKind.CRASHED, DeathKind.HUNG) else None
        case _:
            return _KINDS.get(type(event))
