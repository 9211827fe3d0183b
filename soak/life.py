"""The life of one world: spells of faults, after each of which everything must come right again, and a clean stop at the end.

In a spell the faults strike. Then all of them are lifted, and within `CONVERGENCE_SECONDS_MAX` the program must run, know the fate
of every order, have whole books, and quote again. It runs as under a service manager: whenever it has ended it is started anew on its
journal, and whether it may have ended so is judged.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from functools import partial
from math import inf

import trio

from assembly.decoding import SettingsError
from assembly.presenter.report import ExitStatus, RunReport
from assembly.reloading.difference import in_words
from assembly.settings import Settings
from orders.events import ImpossibleTransition, OrderFateUnknown
from orders.reconciliation import CycleReconciled
from soak.checks.convergence import Convergence
from soak.checks.ending import STOPPING, Explanations, check_end, check_forced_end, check_run_ended
from soak.checks.money import Money
from soak.checks.watcher import Watcher
from soak.faults.kinds import KINDS
from soak.faults.settings import BY, RELOAD
from soak.faults.strike import Group, Strike
from soak.hand import Hand
from soak.moments import When, draw_when
from soak.onlooker import Onlooker, Reader
from soak.options import STOP_DEADLINE_SECONDS, Options
from soak.outcome import Outcome, count
from soak.worlds.place import Place
from soak.worlds.private_line import open_private_line
from soak.worlds.world import World
from supervision.events import ChildRestarting

CONVERGENCE_SECONDS_MAX = 300.0
STOP_SLACK_SECONDS = 1.0
CANCEL_SLACK_SECONDS = 6.0  # actors, accounts and feeds then stop one after the other, each account with the whole deadline for itself
# Requests that a fault has held up may still arrive, and must be refused then.
SETTLE_SECONDS = 15.0
SWITCH_SECONDS_TO_BE_ARMED = 20.0  # twice as long as it takes to be renewed
SPELL_SECONDS = (15.0, 30.0, 60.0, 120.0)
KINDS_IN_A_SPELL_MAX = 6
HOLDING_UP = (Group.CRASH, Group.LOAD)
CRASHES_IN_A_SPELL_MAX = 3  # more in a minute and the supervisor gives up, as it should


class Life:
    """Lives one world to its end. `outcome` is filled on the way."""

    def __init__(self, world: World, options: Options, outcome: Outcome) -> None:
        self._world = world
        self._options = options
        self._outcome = outcome
        self._explanations = Explanations()
        self._money = {name: Money(venue) for name, venue in world.venues.items()}
        self._watcher = Watcher(world, options, self._explanations, self._money)
        self._convergence = Convergence(world, options, self._explanations, self._money, self._watcher.quoting)
        self._is_closing = False
        self._has_faults = False
        self._restart_rng = random.Random(f"{world.seed}:restarts")
        world.observers.append(self._count)

    async def live(self) -> None:
        """Raises: Violation."""
        world, options = self._world, self._options
        world.events_kept_max = 4_000
        world.orders_by_rest = options.orders_by_rest
        for venue in world.venues.values():
            if venue.name in options.private_lines:
                await open_private_line(world, venue)
        self._launch()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watcher.watch)
            nursery.start_soon(self._watcher.watch_pace)
            nursery.start_soon(self._keep_running)
            if options.reader is not Reader.NOBODY:
                nursery.start_soon(Onlooker(world, options.reader).look)
            await self._live_spells()
            await self._stop_at_the_end()
            nursery.cancel_scope.cancel()
        self._watcher.check()
        for venue in world.venues.values():
            check_end(world, venue, self._money[venue.name], self._explanations, has_flattened=self._watcher.flattening.is_wanted)

    def count_facts(self) -> None:
        """What can be counted at any moment, and is so at the end, whatever it was."""
        outcome, world = self._outcome, self._world
        outcome.virtual_seconds = trio.current_time()
        outcome.orders, outcome.fills = self._watcher.orders_accepted, self._watcher.trades
        outcome.losses_struck = self._watcher.losses.struck
        outcome.wire_events = world.wire_events
        world.trace.update(f"{world.wire_events} {world.wire_checksum}".encode())
        outcome.trace_hash = world.trace.hexdigest()

    def _count(self, event: object) -> None:
        self._outcome.program_events += 1
        if isinstance(event, CycleReconciled):
            self._outcome.rounds += 1
            if not event.agrees and self._explanations.explains_disagreement() is None:
                self._watcher.found.append(f"round {event.number} of {event.cycle} does not agree: {event.differences()}")
        elif isinstance(event, ChildRestarting):
            self._outcome.restarts_of_actors += 1
        elif isinstance(event, OrderFateUnknown):
            self._outcome.unknown_fates += 1
        elif isinstance(event, ImpossibleTransition):
            self._outcome.impossible_transitions += 1

    # Faults

    async def _live_spells(self) -> None:
        options = self._options
        if options.plan is not None:
            for spell in options.plan:
                await self._spell(spell.number, only=spell.strikes)
            return
        number = 0
        while trio.current_time() < options.hours * 3600:
            await self._spell(number)
            number += 1

    async def _spell(self, number: int, *, only: Collection[int] | None = None) -> None:
        """The spell of this number; of its strikes those of `only`, if given."""
        options, world = self._options, self._world
        self._outcome.spells += 1
        rng = random.Random(f"{world.seed}:spell:{number}")
        seconds = rng.choice(SPELL_SECONDS)
        for venue in world.venues.values():
            world.network.set_latency(venue.host, *options.latencies_seconds[venue.name])
        self._has_faults = bool(options.kinds)
        async with trio.open_nursery() as nursery:
            for index, (kind, when, strike) in enumerate(self._draw_strikes(rng, seconds, is_first=number == 0)):
                place = self._draw_place(rng, kind)
                if place is not None and (only is None or index in only):
                    nursery.start_soon(self._strike, kind, when, strike, place, (number, index))
            await trio.sleep(seconds)
            nursery.cancel_scope.cancel()
        self._heal()
        began_at = trio.current_time()
        await self._convergence.wait(within_seconds=CONVERGENCE_SECONDS_MAX)
        self._outcome.convergences += 1
        self._outcome.convergence_seconds_max = max(self._outcome.convergence_seconds_max, trio.current_time() - began_at)
        self._has_faults = False
        await trio.sleep(quiet_seconds := rng.choice((5.0, 20.0, 60.0)))
        if quiet_seconds >= SWITCH_SECONDS_TO_BE_ARMED:
            self._watcher.terms.look_at_switches()

    def _draw_strikes(self, rng: random.Random, seconds: float, *, is_first: bool) -> list[tuple[str, When, Strike]]:
        kinds = rng.sample(self._options.kinds, k=min(len(self._options.kinds), KINDS_IN_A_SPELL_MAX))
        drawn: list[tuple[str, When, Strike]] = []
        crashes = 0
        if is_first and self._options.sure_kind is not None:
            kind = self._options.sure_kind
            drawn += [(kind, When(seconds=rng.uniform(0.2, 0.9) * seconds), KINDS[kind].draw(rng)) for _ in range(2)]
            kinds = [other for other in kinds if other != kind]
        for kind in kinds:
            for _ in range(rng.choice((1, 1, 2, 3))):
                when, strike = draw_when(rng, seconds), KINDS[kind].draw(rng)
                crashes += kind.startswith(("crash", "hang"))
                if not kind.startswith(("crash", "hang")) or crashes <= CRASHES_IN_A_SPELL_MAX:
                    drawn.append((kind, when, strike))
        return drawn

    def _draw_place(self, rng: random.Random, kind: str) -> Place | None:
        """Where a strike of this kind strikes. What would strike at a cycle that is left out strikes at another, if there is one."""

        def is_fit(place: Place) -> bool:
            return not KINDS[kind].needs_private_line or place.exchange in self._options.private_lines

        drawn = [place for place in self._options.places if is_fit(place)]
        living = [cycle.place for cycle in self._options.cycles if is_fit(cycle.place)]
        if KINDS[kind].needs_hand:
            living = [place for place in living if place.exchange in {hand.exchange for hand in self._options.hands}]
        place = rng.choice(drawn)
        if place in living or not living:
            return place if living else None
        return living[drawn.index(place) % len(living)]

    async def _strike(self, kind: str, when: When, strike: Strike, place: Place, number: tuple[int, int]) -> None:
        await when.wait(self._world)
        undo = strike.start(self._world, place, on_effect=partial(count, self._outcome.effects, kind))
        if undo is None:
            return
        count(self._outcome.strikes, kind)
        self._outcome.struck.append((*number, kind))
        self._explanations.struck(kind)
        if KINDS[kind].group in HOLDING_UP:
            self._watcher.losses.held_up(strike.seconds)
        self._world.note(
            f"{kind}{strike.text and f' {strike.text}'} at {place.exchange} {place.symbol} {place.cycle} for {strike.seconds:.3f} s"
        )
        try:
            if kind in STOPPING or kind == "cancel":
                await self._wait_stopped("cancel" if kind == "cancel" else "stop")
            await trio.sleep(strike.seconds)
        finally:
            undo()

    async def _wait_stopped(self, how: str) -> None:
        slack_seconds = STOP_SLACK_SECONDS
        if how == "cancel":
            slack_seconds = CANCEL_SLACK_SECONDS + STOP_DEADLINE_SECONDS * (len(self._world.venues) - 1)
        with trio.move_on_after(STOP_DEADLINE_SECONDS + slack_seconds) as patience:
            await self._world.wait_ended()
        if patience.cancelled_caught:
            self._world.fail(f"{how}: not ended {slack_seconds:g} s after the stop deadline")

    def _heal(self) -> None:
        """Nothing is wrong any more."""
        world = self._world
        world.network.repair()
        if world.journal.is_full:
            world.journal.free_disk()
        for venue in world.venues.values():
            world.network.set_latency(venue.host, 0.001, 0.005)
            venue.control.clear_faults()

    # Runs

    def _launch(self) -> None:
        settings = self._settings()
        self._watcher.run_begins()
        self._convergence.run_begins()
        self._explanations.run_begins()
        self._outcome.runs += 1
        self._world.launch(settings)
        for place in self._options.hands:
            hand = Hand(self._world, place, random.Random(f"{self._world.seed}:{place.cycle}:{self._outcome.runs}"))
            self._world.nursery.start_soon(hand.act)

    def _settings(self) -> Settings:
        """What the program is started with: what the file says, as somebody has mended it if it could not be started with."""
        world, settings = self._world, self._options.settings(self._world)
        if RELOAD.name not in self._options.kinds:
            return settings
        file = world.settings_file or world.open_settings_file(settings)
        try:
            return file.settings(file.table())
        except SettingsError:
            file.write(file.at_first)
            return file.settings(file.table())

    async def _keep_running(self) -> None:
        """As a service manager does: whenever it has ended, start it again a while later."""
        world = self._world
        while True:
            await world.wait_ended()
            if self._is_closing:
                return
            ended_as = self._how_it_ended()
            count(self._outcome.endings, ended_as)
            if not world.process.is_dead:
                await trio.sleep(SETTLE_SECONDS)
                for venue in world.venues.values():
                    check_run_ended(world, venue, had_faults=self._has_faults)
            await trio.sleep(self._restart_rng.choice((0.0, 1.0, self._restart_rng.uniform(1, 40))))
            await world.journal.wait_has_room()
            if self._is_closing:
                return
            self._launch()

    def _how_it_ended(self) -> str:
        """Raises: Violation: nothing that happened explains it."""
        world = self._world
        if world.process.is_dead:
            forced, world.forced = world.forced, None
            if forced is None:
                return "killed"
            for venue in world.venues.values():
                check_forced_end(world, venue, forced)
            return "forced to its end"
        if world.report is None:
            return "cancelled"
        status, explanation = world.report.exit_status, self._explanations.explains_end(world.report, rounds=self._options.rounds)
        if explanation is None:
            world.fail(f"it ended by itself with exit status {status!r}: {world.report.reason}")
        return f"{explanation}, exit status {status.value}"

    async def _stop_at_the_end(self) -> None:
        world = self._world
        await self._convergence.wait(within_seconds=CONVERGENCE_SECONDS_MAX)
        while (seconds := self._seconds_until_payment()) < STOP_DEADLINE_SECONDS + SETTLE_SECONDS:
            await trio.sleep(max(0.0, seconds) + 1.0)  # or else it came when nobody is there any more to learn of it
            await self._convergence.wait(within_seconds=CONVERGENCE_SECONDS_MAX)
        self._watcher.look_at_memory()
        self._decide_what_the_stop_does()
        self._is_closing = True
        world.stop("the world's time is over")
        await self._wait_stopped("stop")
        report: RunReport | None = world.report
        if report is None or report.exit_status is not ExitStatus.CLEAN:
            status = None if report is None else f"{report.exit_status!r}: {report.reason}"
            if self._explanations.explains_disagreement() is None:
                world.fail(f"stopped while nothing was wrong, and the exit status is {status}")
        await world.settle(SETTLE_SECONDS)
        if self._explanations.explains_disagreement() is None:
            self._watcher.flattening.look_at_what_is_left()

    def _decide_what_the_stop_does(self) -> None:
        """In some worlds somebody changes his mind, shortly before."""
        flattens, runtime = random.Random(f"{self._world.seed}:end").choice((None, True, False)), self._world.runtime
        if flattens is not None and runtime is not None and runtime.settings_desk is not None:
            runtime.settings_desk.set("runtime.flatten_on_stop", in_words(flattens), by=BY)

    def _seconds_until_payment(self) -> float:
        """Until funding is due for the next time anywhere."""
        due = [
            venue.control.engine.next_funding_milliseconds(symbol)
            for venue in self._world.venues.values()
            if venue.trades_contracts
            for symbol in venue.control.engine.instruments
        ]
        return (min(due) - self._world.wall_clock.milliseconds()) / 1000 if due else inf
