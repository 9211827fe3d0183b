"""One run of the program: the tree, its stop, and what it has to say at the end.

Theory of operation of a stop, whatever asks for it (Ctrl-C, a time limit, a failure). First every account's gate is closed:
from then on no new order can leave, whoever wants it. Then all accounts are closed at once, each over a connection of its
own and all under one deadline, while the actors still live and listen. Only then is the tree stopped, in reverse order.
What the ledgers say at the very end decides the exit status.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import localcontext
from functools import partial
from math import inf
from typing import TYPE_CHECKING

import trio

from actors.accounts.timing import AccountTiming
from actors.journal.errors import JournalBroken
from actors.journal.store import JournalStore
from assembly.children import CLOSE_TIMEOUT_SECONDS
from assembly.control.desk import ControlDesk
from assembly.control.flattening import Flattener
from assembly.control.listening import ControlSocket
from assembly.control.picture import RunPicture
from assembly.control.server import ControlServer
from assembly.journaling import RunJournal
from assembly.metrics.health import RunHealth
from assembly.metrics.loop_lag import LoopLag
from assembly.notifying import Notifying
from assembly.page.place import PagePlace
from assembly.parts import AccountParts, random_source
from assembly.presenter.lifting import DEFAULT, HowToLift
from assembly.presenter.report import ExitStatus, Notice, RunReport, RuntimeStopping, StateLeft, StopAwaited
from assembly.reloading.desk import SettingsDesk
from assembly.reloading.source import SettingsSource
from assembly.reloading.watch import watch_settings
from assembly.settings import Settings
from assembly.settings_loading import FileRead
from assembly.tree import Tree
from market.clock import WallClock
from market.exact import PRECISE
from orders.recording import NoRecorder
from orders.states import StateRecovered
from supervision.child import ChildContext
from supervision.errors import SupervisionError, one_line
from supervision.events import SupervisorStopping

if TYPE_CHECKING:
    from assembly.metrics.collector import RunMetrics
    from assembly.page.page import Page

# Of the stop deadline, so much is kept for the tree, and for each of its connections in turn, once the accounts are closed.
TREE_STOP_SECONDS = 0.5
CONNECTION_STOP_SECONDS = CLOSE_TIMEOUT_SECONDS
HOW_TO_FORCE = "press Ctrl-C once more to force the stop; orders listed as live must then be cancelled at the exchange"


class Runtime:
    """One run. `report` takes every event, synchronously, and never blocks.

    With a `journal`, what happens is written there, and what earlier runs left in it is taken over; `redact` takes secrets out
    of what is written and answered. With a `control` socket the run can be spoken to (`assembly/control`); `lifting` words what
    a person types, and `settings_path` is the settings file's real path. With a `source`, and with what was `read` there and came to
    the settings, other settings can be taken over (`assembly/reloading`). Whoever opened journal and socket closes them after the run.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        wall_clock: WallClock,
        seed: int | str,
        report: Callable[[object], None],
        journal: JournalStore | None = None,
        redact: Callable[[str], str] = str,
        timing: AccountTiming | None = None,
        control: ControlSocket | None = None,
        lifting: HowToLift = DEFAULT,
        settings_path: str = "",
        source: SettingsSource | None = None,
        read: FileRead | None = None,
    ) -> None:
        self._settings = settings
        self._source = source
        self._settings_changed = trio.Event()
        self.settings_observers: list[Callable[[Settings], None]] = []
        """Called with other settings in the step in which they begin to hold; they must not raise."""
        self._redact = redact
        self._control = control
        self._lifting = lifting
        self._wall_clock = wall_clock
        self._outer_report = report
        self._status = ExitStatus.CLEAN
        self._reason = "all cycles are done"
        self._stop_requested = trio.Event()
        self._is_stopping = False
        self._started_at = 0.0
        self._journal = (
            None if journal is None else RunJournal(journal, settings, wall_clock=wall_clock, redact=redact, on_lost=self._journal_lost)
        )
        self._notifying = (
            None
            if settings.webhook is None
            else Notifying(
                settings,
                settings.webhook,
                wall_clock=wall_clock,
                rng=random_source(seed, "notifier"),
                redact=redact,
                report=self._report,
            )
        )
        self.tree = Tree(
            settings,
            wall_clock=wall_clock,
            seed=seed,
            timing=timing or AccountTiming(),
            journal=self._journal,
            report=self._report,
            fail=self._fail,
            notifiers={} if self._notifying is None else {"notifier": self._notifying.run},
            pages={} if settings.page_place is None else {"page": self._serve_page},
            controls={
                **({} if control is None else {"control": self._serve_control}),
                **({} if source is None else {"settings": self._watch_settings}),
            },
        )
        self.settings_desk = (
            None
            if source is None or read is None
            else SettingsDesk(
                settings,
                source=source,
                began_with=read,
                runs=self.tree,
                on_change=self._change_settings,
                is_stopping=lambda: self._is_stopping,
                report=self._report,
            )
        )
        self._picture = RunPicture(
            self.tree,
            installation=settings.runtime.installation,
            settings_path=settings_path,
            keeps_states=journal is not None,
            wall_clock=wall_clock,
        )
        self.desk = ControlDesk(
            states=self.tree.states,
            accounts=self.tree.accounts,
            cycles=settings.cycles,
            settings=self.settings_desk,
            flattener=Flattener(states=self.tree.states, accounts=self.tree.accounts, cycles=self.tree.cycles),
            picture=self._picture,
            recorder=NoRecorder() if self._journal is None else self._journal.recorder,
            settings_path=settings_path,
            keeps_states=journal is not None,
            is_stopping=lambda: self._is_stopping,
        )
        self.outputs: dict[str, Callable[[], int]] = {}
        """How much each output has not shown because it did not keep up: whoever opens one says it here."""
        self._loop_lag = LoopLag()
        self._began_at = trio.current_time()
        self.health = RunHealth(
            self.tree, lag=self._loop_lag, is_stopping=lambda: self._is_stopping, began_at=self._began_at, redact=redact
        )
        self.page = None if settings.page_place is None else self._make_page(settings, settings.page_place)

    def _make_page(self, settings: Settings, place: PagePlace) -> Page:
        from assembly.page.page import Page  # what speaks HTTP costs memory and time that other runs need not pay

        return Page(
            settings,
            place,
            self.tree,
            run_picture=self._picture,
            carry_out=partial(self.desk.carry_out, by="the page"),
            lifting=self._lifting,
            metrics=self.make_metrics(),
            health=self.health,
            keeps_states=self._journal is not None,
            wall_clock=self._wall_clock,
            redact=self._redact,
            report=self._report,
        )

    def make_metrics(self) -> RunMetrics:
        """What Prometheus reads of this run, at any time of it."""
        from assembly.metrics.collector import RunMetrics  # the format costs memory and time that other runs need not pay

        return RunMetrics(
            self.tree,
            installation=self._settings.runtime.installation,
            journal=self._journal,
            notifying=self._notifying,
            outputs=self.outputs,
            lag=self._loop_lag,
            is_stopping=lambda: self._is_stopping,
            began_at=self._began_at,
        )

    async def run(self) -> RunReport:
        """Run until the cycles are done, a stop is asked for, or the tree gives up.

        Cancelled from outside, the tree stops in order too, with every account closed, before the cancellation goes on.
        """
        self._started_at = trio.current_time()
        recovered = None if self._journal is None else self._journal.recovered()
        if recovered is not None:
            self._report(recovered)
        if self._journal is not None:
            self._tell_recovered_states(self._journal)
            for text in self._journal.rounds_of_others():
                self._report(Notice(text))
        self.tree.budgets.take_over()
        with localcontext(PRECISE):
            return await self._run()

    def _tell_recovered_states(self, journal: RunJournal) -> None:
        left = journal.states()
        for scope, entered in self.tree.states.declared().items():
            if entered == left.get(scope):  # and not changed since by a signal that came early
                self._report(StateRecovered(scope, entered.state, entered.reason, journal.state_since_milliseconds(scope)))

    async def _serve_control(self, context: ChildContext) -> None:
        if self._control is None:
            raise RuntimeError("a run without a control socket has no server")
        carry_out = partial(self.desk.carry_out, by="mm-ctl")
        await ControlServer(self._control.listener, carry_out=carry_out, redact=self._redact).run(context)

    async def _serve_page(self, context: ChildContext) -> None:
        if self.page is None:
            raise RuntimeError("a run without a page has no server of it")
        await self.page.run(context)

    async def _watch_settings(self, context: ChildContext) -> None:
        if self._source is None or self.settings_desk is None:
            raise RuntimeError("a run whose settings come from nowhere has nothing to watch")
        await watch_settings(self.settings_desk, self._source, context)

    def _change_settings(self, settings: Settings) -> None:
        self._settings = settings
        changed, self._settings_changed = self._settings_changed, trio.Event()
        changed.set()
        for observer in self.settings_observers:
            observer(settings)

    async def _run(self) -> RunReport:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._stop_when_asked)
            nursery.start_soon(self._stop_in_time)
            nursery.start_soon(self._loop_lag.watch)
            try:
                await self.tree.root.run()
            except SupervisionError as error:
                cause = "" if error.__cause__ is None else one_line(error.__cause__)
                told = str(error) if cause in str(error) else f"{error}: {cause}"
                self._end(ExitStatus.FAILED, told)
            nursery.cancel_scope.cancel()
        if self._journal is not None:
            try:
                self._journal.end(f"{self.statement().exit_status.name.lower()}: {self._reason}")
            except JournalBroken as error:
                self._end(ExitStatus.FAILED, str(error))
        return self.statement()

    def request_stop(self, reason: str, status: ExitStatus = ExitStatus.CLEAN) -> None:
        """Stop in order; the first reason stands, and its `status`. Gates are closed before this returns."""
        self._close_gates(reason)
        if not self._stop_requested.is_set():
            self._end(status, reason)
            self._stop_requested.set()

    @property
    def is_stopping(self) -> bool:
        return self._is_stopping

    def tell_what_is_awaited(self) -> None:
        """Report what the stop is waiting for, and how it can be forced."""
        self._tell(StopAwaited(awaited=self.awaited(), how_to_force=HOW_TO_FORCE))

    def awaited(self) -> tuple[str, ...]:
        """What a stop still waits for, in words."""
        closings = [parts.closer.standing for parts in self.tree.accounts.values() if parts.closer.standing]
        children = [f"{child.path} {child.doing} for {child.seconds:.1f} s" for child in self.tree.root.waiting_for()]
        return (*closings, *children)

    def statement(self, *, forced: bool = False) -> RunReport:
        """How things stand: every order by account, and the exit status that follows from them."""
        orders = {name: tuple(parts.ledger.orders()) for name, parts in self.tree.accounts.items()}
        may_be_live = any(parts.ledger.live_orders() for parts in self.tree.accounts.values())
        return RunReport(
            time_milliseconds=self._wall_clock.milliseconds(),
            exit_status=ExitStatus.MAY_BE_LIVE if may_be_live or forced else self._status,
            reason="the stop was forced" if forced else self._reason,
            seconds=trio.current_time() - self._started_at,
            orders=orders,
            states=tuple(
                StateLeft(entered.scope, entered.state, entered.reason, self._lifting.command(entered.scope, entered.state))
                for entered in self.tree.states.declared().values()
            ),
            states_are_kept=self._journal is not None,
        )

    def modes(self) -> dict[str, str]:
        """Each exchange in use and its mode."""
        return {name: parts.settings.mode_in_words for name, parts in self.tree.exchanges.items()}

    async def _stop_when_asked(self) -> None:
        await self._stop_requested.wait()
        deadline_seconds = self._settings.runtime.stop_deadline_seconds
        stopping = RuntimeStopping(reason=self._reason, deadline_seconds=deadline_seconds)
        self._picture.note(stopping)
        if self._notifying is not None:
            self._notifying.note(stopping)
        self._tell(stopping)
        deadline = trio.current_time() + deadline_seconds
        stop_later = len(self.tree.exchanges) + (2 if self._notifying is not None else 0)
        # Children stop in reverse: after an account those before it, and then whatever is no account.
        for accounts_before, parts in enumerate(self.tree.accounts.values()):
            parts.closer.end_before(deadline - (accounts_before + stop_later) * CONNECTION_STOP_SECONDS)
        tree_seconds = TREE_STOP_SECONDS + (len(self.tree.accounts) + stop_later) * CONNECTION_STOP_SECONDS
        with trio.move_on_after(max(deadline_seconds - tree_seconds, deadline_seconds / 2)):
            async with trio.open_nursery() as nursery:
                for parts in self.tree.accounts.values():
                    nursery.start_soon(self._close, parts)
        for parts in self.tree.accounts.values():
            parts.closer.give_up()
        self.tree.root.request_stop(self._reason)

    async def _close(self, parts: AccountParts) -> None:
        await parts.closer.close()
        if self._settings.runtime.flatten_on_stop:
            owners = {name: cycle.ids.next_id for name, cycle in self.tree.cycles.items() if cycle.settings.account == parts.name}
            await parts.closer.flatten(owners=owners, rules=parts.rules)

    async def _stop_in_time(self) -> None:
        """After `run_for_seconds` of the settings that there are then, counted from the start."""
        while True:
            changed, seconds = self._settings_changed, self._settings.runtime.run_for_seconds
            left_seconds = inf if seconds is None else self._started_at + seconds - trio.current_time()
            with trio.move_on_after(max(0.0, left_seconds)) as waiting:
                await changed.wait()
            if waiting.cancelled_caught:
                self.request_stop(f"{seconds:g} s are over")
                return

    def _report(self, event: object) -> None:
        # Whatever makes the root stop, gates come first.
        if isinstance(event, SupervisorStopping) and event.supervisor == self.tree.root.name:
            self._close_gates(event.reason)
        self._picture.note(event)
        if self._notifying is not None:
            self._notifying.note(event)
        self._tell(event)
        if self._journal is not None:
            self._journal.recorder.note(event)

    def _tell(self, event: object) -> None:
        if self.page is not None:
            self.page.note(event)
        self._outer_report(event)

    def _journal_lost(self, reason: str) -> None:
        """What happens cannot be written down any more: nothing new may begin."""
        self.request_stop(f"the journal is not whole any more: {reason}", ExitStatus.FAILED)

    def _close_gates(self, reason: str) -> None:
        self._is_stopping = True
        for parts in self.tree.accounts.values():
            parts.shut(reason)

    def _fail(self, status: ExitStatus, message: str) -> None:
        """An actor met what no restart can mend."""
        if self._is_stopping:
            return  # what an actor meets while it is being stopped is no failure of the run
        if status is ExitStatus.USAGE:
            self.request_stop(message, status)
        else:
            self._end(status, message)

    def _end(self, status: ExitStatus, reason: str) -> None:
        if self._status is ExitStatus.CLEAN:
            self._status, self._reason = status, reason
