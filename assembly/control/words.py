"""An answer in words, for whoever has typed the command."""

from __future__ import annotations

from assembly.control.protocol import AccountStatus, Answer, CycleStatus, Request, StateInForce, Status
from assembly.presenter.lifting import HowToLift
from assembly.presenter.risk_words import risk_lines
from assembly.presenter.tables import columns
from assembly.presenter.times import moment
from orders.states import TradingState, cycle_scope

_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}


def answer_lines(answer: Answer, request: Request, lifting: HowToLift) -> list[str]:
    """What to print."""
    if answer.status is not None:
        lines = status_lines(answer.status, lifting)
    else:
        lines = answer.message.splitlines()
        state = request.command.state
        if answer.done and state is not None and state is not TradingState.RUN:
            lines.append(f"Lift it with: {lifting.command(request.scope, state)}")
        for flattened in answer.flattened:
            scope = cycle_scope(flattened.cycle)
            lines.append(f"Let {scope} run again with: {lifting.command(scope, flattened.state)}")
        if answer.halted is not None:
            halted = answer.halted
            lines.append(f"It is halted since {moment(halted.since_milliseconds)} UTC. When it is safe to go on:")
            lines.append(f"  {lifting.command(halted.scope, halted.state)}")
    return [line.translate(_CONTROLS) for line in lines]


def status_lines(status: Status, lifting: HowToLift) -> list[str]:
    """The whole status: what is not as usual first."""
    exchanges = ", ".join(f"{name} {mode}" for name, mode in status.exchanges.items())
    lines = [
        f"mm-runtime {status.program_version}, process {status.process}, installation {status.installation}: {exchanges}; "
        f"running for {duration(status.running_seconds)}"
    ]
    if status.stopping:
        lines.append(f"STOPPING: {status.stopping}")
    lines.append("")
    for found in sorted(status.states, key=lambda found: -found.state.strictness):
        lines += _state_lines(found, status, lifting)
    if not status.states:
        lines.append("Everything is in run: no state holds any order back.")
    elif not status.states_are_kept:
        lines.append("This run has no journal: the next one begins in run.")
    lines += ["", *columns([_ACCOUNT_HEADINGS, *map(_account_cells, status.accounts)], "<<<>><<")]
    for account in status.accounts:
        for order in account.unknown:
            what = f"{order.client_order_id} ({order.cycle}, {order.symbol})"
            lines.append(f"  UNKNOWN for {duration(order.seconds)}: {what}; the exchange is being asked")
    lines += ["", *columns([_CYCLE_HEADINGS, *map(_cycle_cells, status.cycles)], "<<<<<<<")]
    for cycle in status.cycles:
        if cycle.risk is not None:
            holds, earned = risk_lines(cycle.risk)
            lines += ["", f"{cycle.name} {holds}", f"  {earned}"]
    if status.set_by_hand:
        lines.append("")
        lines += [f"SET: {found.key} is {found.value}, and {found.in_file} in the settings file" for found in status.set_by_hand]
    return lines


def duration(seconds: float) -> str:
    """``12 s``, ``4 min 12 s``, ``2 h 13 min``, ``3 d 4 h``."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3_600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86_400:
        return f"{whole // 3_600} h {whole // 60 % 60} min"
    return f"{whole // 86_400} d {whole // 3_600 % 24} h"


def _state_lines(found: StateInForce, status: Status, lifting: HowToLift) -> list[str]:
    ago = duration((status.now_milliseconds - found.since_milliseconds) / 1000)
    since = f"{moment(found.since_milliseconds)} UTC ({ago} ago)"
    head = f"{found.state.value.upper()}: {found.scope}, since {since}, {found.reason or 'without a reason'}"
    if found.cause:
        return [head, f"  ends by itself when this is over: {found.cause}"]
    return [head, f"  lift it with: {lifting.command(found.scope, found.state)}"]


_ACCOUNT_HEADINGS = ("account", "exchange", "actor", "live", "unknown", "private stream", "view of the exchange")
_CYCLE_HEADINGS = ("cycle", "market", "account", "round", "done", "state", "phase")


def _account_cells(account: AccountStatus) -> tuple[str, ...]:
    return (
        account.name,
        account.exchange,
        account.actor,
        str(account.live_orders),
        str(account.unknown_orders),
        account.stream,
        account.view,
    )


def _cycle_cells(cycle: CycleStatus) -> tuple[str, ...]:
    return (
        cycle.name,
        cycle.symbol,
        cycle.account,
        f"#{cycle.round}{f' of {cycle.rounds_wanted}' if cycle.rounds_wanted else ''}" if cycle.round else "-",
        str(cycle.rounds_completed) if cycle.round else "-",
        cycle.state.value,
        cycle.phase,
    )
