"""What is wrong now, at the top of the live view: whoever looks must see it at once, on the smallest terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from assembly.presenter.live_lines import BAD, DIM, WARNED, Line, age, fitted
from assembly.presenter.live_state import LiveState, ShownState
from assembly.presenter.phrases import time_of_day
from assembly.presenter.surroundings import Surroundings
from assembly.presenter.tables import shorten
from assembly.presenter.times import moment
from market.instrument import format_decimal
from orders.life_cycle import OrderState
from orders.states import TradingState
from supervision.snapshot import ChildState, Snapshot

STATES_SHOWN_MAX = 4
LOW_HEIGHT = 8  # of a third of the terminal
TROUBLES_SHOWN_MIN = 6  # one of each kind, and what else there is
LIFTING = "  lift it with: "
_IN_TROUBLE = (ChildState.RESTARTING, ChildState.QUARANTINED)


def trouble(state: LiveState, around: Surroundings, width: int, height: int) -> list[Line]:
    """What asks for a person, worst first, in about `height` lines; what has no room is counted by kind.

    States of scopes come whole, with what lifts them, whatever the room.
    """
    # Whole: how a stop can be forced stands at its end.
    lines: list[Line] = [[(line, BAD)] for line in textwrap.wrap(state.clean(state.stopping), max(1, width))]
    lines += _states(state, around, width, is_low=height < LOW_HEIGHT)
    kinds = {
        "unknown orders": list(_unknown_orders(state, around)),
        "lost accounts": list(_lost_accounts(state, around)),
        "lost or stale books": list(_lost_books(state, around)),
        "troubled cycles": list(_troubled_cycles(state)),
        "actors that do not run": list(_troubled_actors(state, around)),
    }
    room = max(TROUBLES_SHOWN_MIN, height - len(lines))
    found = [(kind, text) for kind, texts in kinds.items() for text in texts]
    if len(found) <= room:
        return [*lines, *(fitted([(text, BAD)], width) for _, text in found)]
    # One of each kind before a second of any.
    kept: list[tuple[str, str]] = [(kind, texts[0]) for kind, texts in kinds.items() if texts][: room - 1]
    kept += [each for each in found if each not in kept][: room - 1 - len(kept)]
    kept.sort(key=found.index)
    left = {kind: len(texts) - sum(each == kind for each, _ in kept) for kind, texts in kinds.items()}
    more = f"and {', '.join(f'{count} more {kind}' for kind, count in left.items() if count)}"
    return [*lines, *(fitted([(text, BAD)], width) for _, text in kept), fitted([(more, BAD)], width)]


def leaves(tree: Snapshot | None) -> Iterator[Snapshot]:
    """The actors of a tree of supervisors."""
    if tree is None:
        return
    if tree.children is None:
        yield tree
        return
    for child in tree.children:
        yield from leaves(child)


def _states(state: LiveState, around: Surroundings, width: int, *, is_low: bool) -> list[Line]:
    """What is not traded as usual, whole, and what to type; in one line each where it `is_low` and they end by themselves."""
    lines: list[Line] = []
    shown: list[ShownState] = sorted(state.states.values(), key=lambda found: -found.state.strictness)
    for found in shown[:STATES_SHOWN_MAX]:
        since = f"{moment(found.since_milliseconds)} UTC"
        what = state.clean(f"{found.state.value.upper()}: {found.scope}, since {since}, {found.reason or 'without a reason'}")
        style = WARNED if found.state is TradingState.REDUCE_ONLY else BAD
        if is_low and found.cause:
            lines.append(
                fitted(
                    [(f"{found.state.value.upper()}: {found.scope} until this is over: ", style), (state.clean(found.cause), style)], width
                )
            )
            continue
        lines += [[(line, style)] for line in textwrap.wrap(what, max(1, width), subsequent_indent="  ")]
        if found.cause:
            how = f"  ends by itself when this is over: {found.cause}"
            lines.append([(shorten(state.clean(how), width), DIM)])
        else:
            lines += _lifting_lines(around.lifting.command(found.scope, found.state), width)
    if len(shown) > STATES_SHOWN_MAX:
        lines.append([(f"and {len(shown) - STATES_SHOWN_MAX} more scopes: bin/mm-ctl … status", BAD)])
    return lines


def _lifting_lines(command: str, width: int) -> list[Line]:
    """In one line, to be copied; where it is too long for that it can be read at least."""
    if len(LIFTING) + len(command) <= width:
        return [[(LIFTING, DIM), (command, "bold")]]
    return [[(LIFTING, DIM)], *([(line, "bold")] for line in textwrap.wrap(command, max(1, width), break_on_hyphens=False))]


def _unknown_orders(state: LiveState, around: Surroundings) -> Iterator[str]:
    for shown in state.orders.values():
        if shown.order.state is OrderState.UNKNOWN:
            request = shown.order.request
            base, quote = request.symbol.base, request.symbol.quote
            amount = f"{request.quantity:f} {base}" if request.quantity is not None else f"for {request.quote_quantity:f} {quote}"
            price = f" @ {format_decimal(request.price)}" if request.price is not None else " at market"
            what = f"{request.side.value} {amount}{price}"
            yield f"UNKNOWN for {age(around.seconds_since(shown.time_milliseconds))}: {request.client_order_id} {what}"


def _lost_accounts(state: LiveState, around: Surroundings) -> Iterator[str]:
    for name, standing in state.accounts.items():
        # A stop closes all gates; that is no account's trouble.
        if not standing.is_ready and not state.is_closed_by_the_stop(standing):
            since, for_long = time_of_day(standing.since_milliseconds)[:-4], age(around.seconds_since(standing.since_milliseconds))
            yield f"ACCOUNT {name} LOST for {for_long}, all of it as of {since}: {state.clean(standing.reason)}"
    for name, standing in state.not_ready.items():
        if state.is_ready(name):
            for_long = age(around.seconds_since(standing.since_milliseconds))
            yield f"ACCOUNT {name} NOT READY for {for_long}, waits for {state.clean(standing.reason)}"


def _lost_books(state: LiveState, around: Surroundings) -> Iterator[str]:
    for (exchange, symbol), lost in state.lost_books.items():
        yield f"BOOK {exchange} {symbol} LOST for {age(around.seconds_since(lost.since_milliseconds))}: {state.clean(lost.reason)}"
    for market, book in state.books.items():
        if market not in state.lost_books and around.is_stale(book):
            yield f"BOOK {book.exchange} {book.symbol} STALE: {age(around.now - book.received_at)} old"


def _troubled_cycles(state: LiveState) -> Iterator[str]:
    for name, progress in state.cycles.items():
        if progress.disagreed:
            rounds = f"{progress.disagreed} round{'' if progress.disagreed == 1 else 's'}"
            yield f"CYCLE {name}: balances of {rounds} DISAGREE with its fills"
        if progress.ended_for:
            yield f"CYCLE {name} has ended: {state.clean(progress.ended_for)}"


def _troubled_actors(state: LiveState, around: Surroundings) -> Iterator[str]:
    for child in leaves(around.actors):
        if child.state in _IN_TROUBLE:
            restarts = f", {child.restarts}x restarted" if child.restarts else ""
            error = f": {state.clean(child.last_error)}" if child.last_error else ""
            yield f"ACTOR {child.name} {child.state.value}{restarts}{error}"
