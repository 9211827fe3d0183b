"""Where requests are decided: what is asked, whether it may be, what it changes, and what came of it.

Theory of operation. A request is decided synchronously: it is refused, or the board of states has changed before anything else
runs. Only then is waited, for a bounded time, until the journal has it and the orders that the state forbids have ended, so that
the answer can say so. Who hangs up meanwhile has changed the state all the same.

The rearm rule: nothing frees a halted scope, neither `resume` nor a state less strict, unless `from_halt` says that somebody has
looked at why it was halted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import msgspec
import trio
from msgspec.structs import replace

from actors.accounts.permission import orders_to_pull
from actors.accounts.trading_states import TradingStates
from assembly.control.flattening import Flattener, flattened_words
from assembly.control.picture import RunPicture
from assembly.control.protocol import (
    NAMES_TOLD_MAX,
    Answer,
    ChangedSetting,
    Command,
    PulledOrders,
    Request,
    SetByHand,
    StateInForce,
)
from assembly.decoding import nearest
from assembly.parts import AccountParts
from assembly.reloading.desk import SettingsDesk
from assembly.settings import CycleSettings
from market.symbol import Symbol
from orders.ledger import AccountLedger
from orders.life_cycle import OrderState
from orders.order import Order
from orders.recording import NotRecorded, Recorder
from orders.states import GLOBAL, Standing, TradingState, account_scope, cycle_scope, symbol_scope

PULL_SECONDS_MAX = 3.0
WRITE_SECONDS_MAX = 2.0


class _Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A state was entered, or was there already. `forbidden` are the orders that must end because of it, with their ledgers."""

    message: str
    is_new: bool
    forbidden: tuple[tuple[AccountLedger, str], ...] = ()


class ControlDesk:
    """One run's. `settings_path` is the real path of its settings file; `keeps_states` says that a journal remembers states."""

    def __init__(
        self,
        *,
        states: TradingStates,
        accounts: Mapping[str, AccountParts],
        cycles: Mapping[str, CycleSettings],
        settings: SettingsDesk | None,
        flattener: Flattener,
        picture: RunPicture,
        recorder: Recorder,
        settings_path: str,
        keeps_states: bool,
        is_stopping: Callable[[], bool],
    ) -> None:
        self._states = states
        self._accounts = accounts
        self._cycles = cycles
        self._settings = settings
        self._flattener = flattener
        self._picture = picture
        self._recorder = recorder
        self._settings_path = settings_path
        self._keeps_states = keeps_states
        self._is_stopping = is_stopping

    async def carry_out(self, request: Request, *, by: str) -> Answer:
        """Do what is asked, and answer once it is done. Cancelled: a state that was entered stays, and so do other settings."""
        if request.command in (Command.RELOAD, Command.SET):
            return await self._change_settings(request, by)
        if request.command is Command.FLATTEN:
            return await self._flatten(request, by)
        decision = self._decide(request, by)
        if isinstance(decision, Answer):
            await trio.lowlevel.checkpoint()
            return decision
        began_at = trio.current_time()
        written = await self._written(request) if decision.is_new else ""
        with trio.move_on_after(PULL_SECONDS_MAX):
            while any(_is_live(ledger, client_order_id) for ledger, client_order_id in decision.forbidden):
                await self._picture.order_ended.wait()
        orders = None
        if request.command is not Command.RESUME:
            orders = _pulled(decision, waited_seconds=trio.current_time() - began_at)
        stopping = "The program is stopping: all that is open is being cancelled, and nothing is placed any more."
        lines = (decision.message, "" if orders is None else _in_words(orders), written, stopping if self._is_stopping() else "")
        return Answer(done=True, message="\n".join(filter(None, lines)), orders=orders)

    def enter(self, command: Command, *, by: str) -> str | None:
        """As a request for the whole program that nobody waits for. Returns what there is to say besides the change itself."""
        decision = self._decide(Request(version=1, command=command), by)
        if isinstance(decision, Answer):
            return decision.message
        return None if decision.is_new else decision.message

    # Settings

    async def _change_settings(self, request: Request, by: str) -> Answer:
        elsewhere = self._is_elsewhere(request)
        if elsewhere is not None or self._settings is None:
            await trio.lowlevel.checkpoint()
            return elsewhere or _refusal("the settings of this run come from no file, and cannot be changed")
        if request.reason:
            by = f"{by}: {request.reason}"
        if request.command is Command.RELOAD:
            outcome = await self._settings.reload(by=by)
        else:
            outcome = self._settings.set(request.key, request.value, by=by)
        written = await self._written(request) if outcome.changes and self._keeps_states else ""
        return Answer(
            done=outcome.done,
            message="\n".join(filter(None, (outcome.message, written))),
            changes=tuple(
                ChangedSetting(key=change.key, before=change.before, after=change.after, applies=change.applies)
                for change in outcome.changes
            ),
        )

    def _is_elsewhere(self, request: Request) -> Answer | None:
        """The refusal of what is meant for the run of another settings file."""
        if not request.settings or request.settings == self._settings_path:
            return None
        return _refusal(
            f"this is the run of {self._settings_path}, not of {request.settings}: give each settings file a "
            "runtime.control_socket of its own"
        )

    # Flattening

    async def _flatten(self, request: Request, by: str) -> Answer:
        """A state that is stricter than reduce-only stays as it is: what is sold then is sold in spite of it."""
        names = [name for name, cycle in self._cycles.items() if request.scope in _scopes_of(name, cycle)]
        refusal = self._refusal_to_flatten(request, names)
        if refusal is not None:
            await trio.lowlevel.checkpoint()
            return refusal
        is_new = self._flattener.forbid(names, f"flattened by {by}{': ' if request.reason else ''}{request.reason}")
        written = await self._written(request) if is_new else ""
        done = await self._flattener.flatten(names)
        flattened = tuple(replace(each, state=self._state_of(cycle_scope(each.cycle))) for each in done)
        lines = [flattened_words(each) for each in flattened]
        states = [f"{cycle_scope(name)} is {self._state_of(cycle_scope(name)).value}{self._why(cycle_scope(name))}." for name in names]
        return Answer(
            done=all(each.is_flat for each in flattened), message="\n".join(filter(None, (*lines, *states, written))), flattened=flattened
        )

    def _refusal_to_flatten(self, request: Request, names: Sequence[str]) -> Answer | None:
        elsewhere = self._is_elsewhere(request)
        if elsewhere is not None:
            return elsewhere
        if not names:
            known = list(dict.fromkeys(scope for name, cycle in self._cycles.items() for scope in _scopes_of(name, cycle)))
            return _refusal(f'there is no scope "{request.scope}".{_meant(request.scope, known)} There is: {", ".join(known)}.')
        if self._is_stopping():
            return _refusal("the program is stopping: all that is open is being cancelled, and flatten_on_stop says whether all is sold")
        return None

    # Deciding

    def _decide(self, request: Request, by: str) -> _Decision | Answer:
        elsewhere = self._is_elsewhere(request)
        if elsewhere is not None:
            return elsewhere
        state = request.command.state
        if state is None:
            return Answer(done=True, message="", status=replace(self._picture.status(), set_by_hand=self._set_by_hand()))
        scope = request.scope
        known = self._scopes()
        if scope not in known:
            return _refusal(f'there is no scope "{scope}".{_meant(scope, known)} There is: {", ".join(known)}.')
        current = self._state_of(scope)
        if current is TradingState.HALTED and state is not TradingState.HALTED and not request.from_halt:
            return self._refuse_to_rearm(scope)
        if current is state:
            message = f"{scope} is {state.value} already{self._why(scope)}."
        else:
            self._states.enter(scope, state, f"by {by}{': ' if request.reason else ''}{request.reason}")
            message = f"{scope} is {state.value} now."
        if state is TradingState.RUN:
            return _Decision(message="\n".join([message, *self._what_still_holds(scope)]), is_new=current is not state)
        return _Decision(message=message, is_new=current is not state, forbidden=tuple(self._forbidden(scope)))

    def _set_by_hand(self) -> tuple[SetByHand, ...]:
        found = {} if self._settings is None else self._settings.set_by_hand()
        return tuple(SetByHand(key=key, value=value, in_file=in_file) for key, (value, in_file) in found.items())

    def _scopes(self) -> list[str]:
        """Everything that can be put into a state, and what an earlier run has left in one."""
        return list(
            dict.fromkeys(
                (
                    GLOBAL,
                    *map(account_scope, self._accounts),
                    *map(cycle_scope, self._cycles),
                    *(symbol_scope(cycle.account, cycle.symbol) for cycle in self._cycles.values()),
                    *self._states.declared(),
                )
            )
        )

    def _state_of(self, scope: str) -> TradingState:
        entered = self._states.declared().get(scope)
        return entered.state if entered is not None else TradingState.RUN

    def _why(self, scope: str) -> str:
        entered = self._states.declared().get(scope)
        return f", {entered.reason}" if entered is not None and entered.reason else ""

    def _refuse_to_rearm(self, scope: str) -> Answer:
        halted = next(found for found in self._picture.states() if found.scope == scope and not found.cause)
        why = halted.reason or "without a reason"
        return Answer(
            done=False,
            message=f"{scope} was halted{' ' if why.startswith(('by ', 'without ')) else ': '}{why}. "
            "Only somebody who has looked into that lifts it, and says so (from_halt).",
            halted=halted,
        )

    def _what_still_holds(self, scope: str) -> list[str]:
        """Other states that concern orders of this scope: what was lifted is not all that kept them back."""
        return [f"But {_said(found)}." for found in self._picture.states() if _concerns(found, scope, self._cycles)]

    def _forbidden(self, scope: str) -> list[tuple[AccountLedger, str]]:
        """Live orders of the scope that its state does not let stay."""
        found: list[tuple[AccountLedger, str]] = []
        for name, parts in self._accounts.items():
            standing_of = partial(self._standing, name)
            must_end = {order.client_order_id for order in orders_to_pull(parts.ledger, standing_of)}
            for order in parts.ledger.live_orders():
                goes_already = order.cancel_wanted and standing_of(order.request.owner, order.request.symbol).state is not TradingState.RUN
                if _is_in(scope, name, order) and (order.client_order_id in must_end or goes_already):
                    found.append((parts.ledger, order.client_order_id))
        return found

    def _standing(self, account: str, owner: str, symbol: Symbol) -> Standing:
        return self._states.standing(account=account, owner=owner, symbol=symbol)

    # Waiting

    async def _written(self, request: Request) -> str:
        """What is to be said of how long it will be remembered."""
        if not self._keeps_states:
            return "" if request.command is Command.RESUME else "This run has no journal: the next one knows nothing of it."
        try:
            with trio.fail_after(WRITE_SECONDS_MAX):
                await self._recorder.written()
        except (NotRecorded, trio.TooSlowError) as error:
            reason = str(error) or f"the journal has not written it within {WRITE_SECONDS_MAX:g} s"
            return f"IT IS NOT WRITTEN DOWN, and a restart may not know of it: {reason}."
        return ""


def _refusal(message: str) -> Answer:
    return Answer(done=False, message=message)


def _meant(scope: str, known: list[str]) -> str:
    meant = next((each for each in known if each.endswith(f":{scope}")), None)
    return f' Did you mean "{meant}"?' if meant is not None else nearest(scope, known)


def _said(found: StateInForce) -> str:
    until = f", until this is over: {found.cause}" if found.cause else ""
    return f"{found.scope} is {found.state.value} ({found.reason}){until}"


def _is_in(scope: str, account: str, order: Order) -> bool:
    request = order.request
    return scope in (GLOBAL, account_scope(account), cycle_scope(request.owner), symbol_scope(account, request.symbol))


def _concerns(found: StateInForce, scope: str, cycles: Mapping[str, CycleSettings]) -> bool:
    """Whether some cycle is in both scopes."""
    return any(found.scope in scopes and scope in scopes for scopes in (_scopes_of(name, cycle) for name, cycle in cycles.items()))


def _scopes_of(name: str, cycle: CycleSettings) -> tuple[str, ...]:
    """Those that a cycle is in."""
    return GLOBAL, account_scope(cycle.account), cycle_scope(name), symbol_scope(cycle.account, cycle.symbol)


def _is_live(ledger: AccountLedger, client_order_id: str) -> bool:
    order = ledger.order(client_order_id)
    return order is not None and not order.is_terminal


def _pulled(decision: _Decision, *, waited_seconds: float) -> PulledOrders:
    orders = [order for ledger, client_order_id in decision.forbidden if (order := ledger.order(client_order_id)) is not None]
    return PulledOrders(
        cancelled=sum(order.is_terminal and order.state is not OrderState.FILLED for order in orders),
        filled=sum(order.state is OrderState.FILLED for order in orders),
        still_open=tuple(order.client_order_id for order in orders if not order.is_terminal)[:NAMES_TOLD_MAX],
        waited_seconds=round(waited_seconds, 3),
    )


def _in_words(orders: PulledOrders) -> str:
    asked = orders.cancelled + orders.filled + len(orders.still_open)
    if not asked:
        return "No order had to be pulled."
    filled = f", {orders.filled} filled before that" if orders.filled else ""
    if not orders.still_open:
        return f"{_counted(asked)} pulled: {orders.cancelled} cancelled{filled}, nothing is left open."
    return (
        f"{_counted(asked)} pulled: {orders.cancelled} cancelled{filled}, {len(orders.still_open)} STILL OPEN after "
        f"{orders.waited_seconds:.1f} s, which is tried again until they have ended: {', '.join(orders.still_open)}."
    )


def _counted(orders: int) -> str:
    return f"{orders} order{'' if orders == 1 else 's'}"
