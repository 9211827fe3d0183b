"""What a run looks like to somebody who asks: what only events tell is folded as they happen, the rest is read when asked."""

from __future__ import annotations

import os
from collections.abc import Iterator

import trio

from actors.accounts.events import AccountConnected, AccountDisconnected
from actors.cycle.quoting.risk import RiskMeasured
from assembly.control.protocol import NAMES_TOLD_MAX, AccountStatus, CycleStatus, StateInForce, Status, UnknownOrder
from assembly.cycle_parts import CycleParts
from assembly.parts import AccountParts
from assembly.presenter.report import RuntimeStopping
from assembly.presenter.vocabulary import risk_fields
from assembly.tree import Tree
from assembly.version import version
from market.clock import WallClock
from market.events import BookChanged
from orders.events import AccountLost, AccountReady, OrderEnded, OrderFateUnknown
from orders.life_cycle import OrderState
from orders.order import Order
from orders.reconciliation import CycleFinished, CyclePhaseChanged
from orders.states import RestraintPlaced, StateEntered, StateRecovered
from supervision.snapshot import Snapshot

NOT_YET = "not yet"


class RunPicture:
    """One run. Change it with `note` only, which is cheap for events that it does not care about."""

    def __init__(self, tree: Tree, *, installation: str, settings_path: str, keeps_states: bool, wall_clock: WallClock) -> None:
        self._tree = tree
        self._installation = installation
        self._settings_path = settings_path
        self._keeps_states = keeps_states
        self._wall_clock = wall_clock
        self._started_at = trio.current_time()
        self._since_milliseconds: dict[tuple[str, str], int] = {}
        self._streams: dict[str, str] = {}
        self._views: dict[str, str] = {}
        self._phases: dict[str, str] = {}
        self._risks: dict[str, RiskMeasured] = {}
        self._unknown_since: dict[str, float] = {}
        self._stopping = ""
        self.order_ended = trio.Event()
        """Set when the next order ends; a new one each time."""

    def note(self, event: object) -> None:
        """Take in an event."""
        match event:
            case BookChanged():  # by far the most of them
                pass
            case StateEntered():
                self._since_milliseconds[event.scope, ""] = self._wall_clock.milliseconds()
            case StateRecovered():
                self._since_milliseconds[event.scope, ""] = event.since_milliseconds
            case RestraintPlaced():
                self._since_milliseconds[event.scope, event.cause] = self._wall_clock.milliseconds()
            case AccountConnected():
                self._streams[event.account] = "connected"
            case AccountDisconnected():
                self._streams[event.account] = f"lost: {event.reason}"
            case AccountReady():
                self._views[event.account] = "ready"
            case AccountLost():
                self._views[event.account] = f"lost: {event.reason}"
            case OrderFateUnknown():
                self._unknown_since.setdefault(event.order.client_order_id, trio.current_time())
            case OrderEnded():
                self._unknown_since.pop(event.order.client_order_id, None)
                ended, self.order_ended = self.order_ended, trio.Event()
                ended.set()
            case CyclePhaseChanged():
                self._phases[event.cycle] = event.phase
            case RiskMeasured():
                self._risks[event.cycle] = event
            case CycleFinished():
                self._phases[event.cycle] = f"finished{': ' + event.reason if event.reason else ''}"
            case RuntimeStopping():
                self._stopping = event.reason
            case _:
                pass

    def states(self) -> tuple[StateInForce, ...]:
        """Every scope that is not in `run`: what was declared, then what lasts as long as its cause."""
        board = self._tree.states
        return (
            *(self._in_force(entered) for entered in board.declared().values()),
            *(self._in_force(placed) for placed in board.restraints()),
        )

    def status(self) -> Status:
        """All of it."""
        actors = {leaf.name: leaf for leaf in _leaves(self._tree.root.snapshot())}
        return Status(
            program_version=version(),
            installation=self._installation,
            process=os.getpid(),
            settings=self._settings_path,
            exchanges={name: parts.settings.mode_in_words for name, parts in self._tree.exchanges.items()},
            now_milliseconds=self._wall_clock.milliseconds(),
            running_seconds=round(trio.current_time() - self._started_at, 3),
            stopping=self._stopping,
            states=self.states(),
            states_are_kept=self._keeps_states,
            accounts=tuple(self._account(parts, actors) for parts in self._tree.accounts.values()),
            cycles=tuple(self._cycle(parts, actors) for parts in self._tree.cycles.values()),
        )

    def _in_force(self, said: StateEntered | RestraintPlaced) -> StateInForce:
        cause = said.cause if isinstance(said, RestraintPlaced) else ""
        since = self._since_milliseconds.get((said.scope, cause), self._wall_clock.milliseconds())
        return StateInForce(scope=said.scope, state=said.state, reason=said.reason, since_milliseconds=since, cause=cause)

    def _account(self, parts: AccountParts, actors: dict[str, Snapshot]) -> AccountStatus:
        live = parts.ledger.live_orders()
        unknown = [order for order in live if order.state is OrderState.UNKNOWN]
        return AccountStatus(
            name=parts.name,
            exchange=parts.exchange.name,
            actor=_standing(actors.get(f"account:{parts.name}")),
            stream=self._streams.get(parts.name, NOT_YET),
            view=self._views.get(parts.name, NOT_YET),
            live_orders=len(live),
            unknown_orders=len(unknown),
            unknown=tuple(self._unknown_order(order) for order in unknown[:NAMES_TOLD_MAX]),
        )

    def _unknown_order(self, order: Order) -> UnknownOrder:
        since = self._unknown_since.get(order.client_order_id, self._started_at)  # it was so when the run began
        return UnknownOrder(
            client_order_id=order.client_order_id,
            cycle=order.request.owner,
            symbol=str(order.request.symbol),
            seconds=round(trio.current_time() - since, 3),
        )

    def _cycle(self, parts: CycleParts, actors: dict[str, Snapshot]) -> CycleStatus:
        settings = parts.settings
        standing = self._tree.states.standing(account=settings.account, owner=parts.name, symbol=settings.symbol)
        return CycleStatus(
            name=parts.name,
            account=settings.account,
            symbol=str(settings.symbol),
            actor=_standing(actors.get(f"cycle:{parts.name}")),
            round=parts.memory.round_number,
            rounds_completed=parts.memory.rounds_completed,
            rounds_wanted=settings.cycles,
            phase=self._phases.get(parts.name, NOT_YET),
            state=standing.state,
            risk=risk_fields(self._risks[parts.name]) if parts.name in self._risks else None,
        )


def _standing(actor: Snapshot | None) -> str:
    if actor is None:
        return "none"
    return f"{actor.state.value}{f', {actor.restarts}x restarted' if actor.restarts else ''}"


def _leaves(tree: Snapshot) -> Iterator[Snapshot]:
    if tree.children is None:
        yield tree
    else:
        for child in tree.children:
            yield from _leaves(child)
