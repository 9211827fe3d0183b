"""The live view as lines of styled text: a pure function of what is known, the time and the size of the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

import msgspec

from assembly.presenter.lifting import DEFAULT, HowToLift
from assembly.presenter.live_state import LiveState
from assembly.presenter.phrases import time_of_day
from assembly.presenter.risk_words import risk_lines, rounded
from assembly.presenter.tables import columns, shorten
from assembly.presenter.times import moment
from assembly.presenter.vocabulary import risk_fields
from market.instrument import decimal_from_book, format_decimal
from orders.life_cycle import OrderState
from orders.order import ZERO, Order
from orders.states import TradingState
from supervision.snapshot import ChildState, Snapshot

TWO_COLUMNS_WIDTH = 120
TYPED_WIDTH = 6  # three Ctrl-C, as a terminal shows them
ORDERS_SHOWN_MAX = 6
STATES_SHOWN_MAX = 4
LIFTING = "  lift it with: "

Line = list[tuple[str, str]]  # text and its Rich style

TITLE, GOOD, WARNED, BAD, DIM, PLAIN = "bold cyan", "green", "yellow", "bold red", "dim", ""
_STYLE_BY_LEVEL = {"WARNING": "yellow", "ERROR": BAD, "CRITICAL": BAD, "DEBUG": DIM, "TRACE": DIM}


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What the view shows besides what events told. Times are Trio's, seconds."""

    title: str
    now: float
    started_at: float
    actors: Snapshot | None
    book_max_age_seconds_by_exchange: Mapping[str, float]
    cycles_wanted: Mapping[str, int]
    lifting: HowToLift = DEFAULT


def draw(state: LiveState, around: Surroundings, *, width: int, height: int) -> list[Line]:
    """At most `height` lines of at most `width` characters. What matters most comes first and is kept longest."""
    head = _header(state, around, width)
    # Without contracts, or quoting cycles, there is no such section: every line counts on a small terminal.
    positions = [_positions(state)] if any(state.positions.values()) else []
    risks = [_risks(state)] if state.memory.risks else []
    left = [_books(state, around), _cycles(state, around), *risks, *positions, _orders(state)]
    right = [_balances(state), _actors(state, around)]
    if width >= TWO_COLUMNS_WIDTH:
        left_width = width * 2 // 3
        body = _side_by_side([*left, _fills(state, 8)], right, left_width, width - left_width - 2)
        return _cropped([*head, *body, *_news(state, height - len(head) - len(body) - 1)], width, height)
    right = [_wrapped(section, width) for section in right]
    body = [line for section in (*left, *right) for line in section]
    room = height - len(head) - len(body)
    fills = _fills(state, max(1, min(4, room // 2 - 1)))
    return _cropped([*head, *body, *fills, *_news(state, room - len(fills) - 1)], width, height)


# Sections: a title line, then rows


def _header(state: LiveState, around: Surroundings, width: int) -> list[Line]:
    seconds = int(around.now - around.started_at)
    running = f"running {seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    room = max(1, width - len(running) - 2)
    lines: list[Line] = [[(f"{shorten(around.title, room):<{room}}  ", "bold"), (running, DIM)]]
    # Whole: how a stop can be forced stands at its end.
    lines += [[(line, BAD)] for line in textwrap.wrap(state.clean(state.stopping), max(1, width))]
    return [*lines, *_states(state, around, width)]


def _states(state: LiveState, around: Surroundings, width: int) -> list[Line]:
    """What is not traded as usual, whole: whoever looks must see at once why nothing happens, and what to type."""
    lines: list[Line] = []
    shown = sorted(state.states.values(), key=lambda found: -found.state.strictness)
    for found in shown[:STATES_SHOWN_MAX]:
        since = f"{moment(found.since_milliseconds)} UTC"
        what = state.clean(f"{found.state.value.upper()}: {found.scope}, since {since}, {found.reason or 'without a reason'}")
        style = WARNED if found.state is TradingState.REDUCE_ONLY else BAD
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


def _books(state: LiveState, around: Surroundings) -> list[Line]:
    rows: list[tuple[str, ...]] = []
    styles: list[str] = []
    for market, book in state.books.items():
        (bid, bid_quantity), (ask, ask_quantity) = book.bids[0], book.asks[0]
        age = around.now - book.received_at
        stale = age > around.book_max_age_seconds_by_exchange.get(book.exchange, float("inf"))
        lost = state.lost_books.get(market)
        freshness = f"LOST {shorten(state.clean(lost), 20)}" if lost is not None else f"{'STALE ' if stale else ''}{age:.1f} s"
        spread = decimal_from_book(ask) - decimal_from_book(bid)
        rows.append(
            (
                f"{book.exchange} {book.symbol}",
                freshness,
                _book_number(bid_quantity),
                _book_number(bid),
                _book_number(ask),
                _book_number(ask_quantity),
                format_decimal(spread),
            )
        )
        styles.append(BAD if lost is not None or stale else PLAIN)
    for (exchange, symbol), reason in state.lost_books.items():
        if (exchange, symbol) not in state.books:
            rows.append((f"{exchange} {symbol}", f"LOST {state.clean(reason)}", "", "", "", "", ""))
            styles.append(BAD)
    return _table(("Book", "age", "quantity", "bid", "ask", "quantity", "spread"), rows, styles, "<<>>>>>", empty="no book yet")


def _cycles(state: LiveState, around: Surroundings) -> list[Line]:
    rows: list[tuple[str, ...]] = []
    styles: list[str] = []
    for name in {**around.cycles_wanted, **state.cycles}:
        progress = state.cycle(name)
        wanted = around.cycles_wanted.get(name, 0)
        measured = state.memory.risks.get(name)
        symbol = progress.symbol if measured is None else measured.symbol
        profit, quote = state.memory.profit_by_cycle.get(name, (ZERO, symbol.quote if symbol else ""))
        done = f"{progress.reconciled} reconciled" + (f", {progress.disagreed} DISAGREE" if progress.disagreed else "")
        earned = f"{_signed(profit)} {quote}".rstrip()
        if measured is not None:  # it quotes, and knows no rounds
            done, earned = "-", "not known" if measured.risk.profit is None else f"{rounded(measured.risk.profit)} {quote}"
        rows.append(
            (
                name,
                str(symbol or ""),
                f"#{progress.number}{f' of {wanted}' if wanted else ''}" if progress.number else "-",
                done,
                earned,
                shorten(state.clean(progress.phase), 24),
            )
        )
        styles.append(BAD if progress.disagreed else PLAIN)
    return _table(("Cycle", "market", "round", "done", "PnL", "phase"), rows, styles, "<<<<><", empty="none")


def _risks(state: LiveState) -> list[Line]:
    lines: list[Line] = [[("Risk", TITLE)]]
    for name, measured in state.memory.risks.items():
        holds, earned = risk_lines(risk_fields(measured))
        lines += [[(f"{name} {holds}", PLAIN)], [(f"  {earned}", PLAIN)]]
    return lines


def _orders(state: LiveState) -> list[Line]:
    current = list(state.orders.values())
    shown = current[-ORDERS_SHOWN_MAX:] or list(state.ended_orders)[-1:]
    rows = [_order_cells(order) for order in shown]
    styles = [BAD if order.state is OrderState.UNKNOWN else DIM if order.is_terminal else PLAIN for order in shown]
    lines = _table(("Order", "side", "quantity", "price", "filled", "state"), rows, styles, "<<>>><", empty="none")
    if len(current) > len(shown):
        lines.append([(f"and {len(current) - len(shown)} more", DIM)])
    return lines


def _order_cells(order: Order) -> tuple[str, ...]:
    request = order.request
    quantity = f"{request.quantity:f}" if request.quantity is not None else f"for {request.quote_quantity:f} {request.symbol.quote}"
    price = f"{request.price:f}" if request.price is not None else "market"
    return (request.client_order_id, request.side.value, quantity, price, format_decimal(order.filled_quantity), order.state.value)


def _fills(state: LiveState, count: int) -> list[Line]:
    rows: list[tuple[str, ...]] = []
    for time, event in list(state.fills)[-count:]:
        fill = event.fill
        rows.append(
            (
                time_of_day(time)[:-4],
                f"{event.order.request.owner} {fill.symbol}",
                fill.side.value,
                format_decimal(fill.quantity),
                format_decimal(fill.price),
                f"{format_decimal(fill.fee)} {fill.fee_asset}",
            )
        )
    return _table(("Fill", "cycle", "side", "quantity", "price", "fee"), rows, [PLAIN] * len(rows), "<<<>>>", empty="none")


def _positions(state: LiveState) -> list[Line]:
    rows: list[tuple[str, ...]] = []
    for account, positions in state.positions.items():
        for symbol, position in positions.items():
            side = "long" if position.quantity > 0 else "short"
            prices = (position.entry_price, position.mark_price, position.liquidation_price)
            cells = [_number(price) if price is not None else "-" for price in prices]
            profit = _signed(position.unrealised_pnl) if position.unrealised_pnl is not None else "-"
            rows.append((f"{account} {symbol}", f"{side} {_number(abs(position.quantity))}", *cells, profit))
    return _table(("Position", "quantity", "entry", "mark", "liquidation", "PnL"), rows, [PLAIN] * len(rows), "<<>>>>", empty="none")


def _balances(state: LiveState) -> list[Line]:
    lines: list[Line] = [[("Balance", TITLE)]]
    for account in {**state.accounts, **state.balances}:
        standing = state.accounts.get(account, "connecting")
        line: Line = [(account, PLAIN), (f" {state.clean(standing)}", GOOD if standing == "ready" else BAD)]
        for asset, (total, available) in state.balances.get(account, {}).items():
            held = f" ({_number(total - available)} held)" if total != available else ""
            line.append((f"  {asset} {_number(total)}{held}", PLAIN))
        lines.append(line)
    return lines if len(lines) > 1 else [*lines, [("not known yet", DIM)]]


def _actors(state: LiveState, around: Surroundings) -> list[Line]:
    line: Line = []
    troubles: list[Line] = []
    for child in _leaves(around.actors) if around.actors is not None else ():
        restarts = f" {child.restarts}x restarted" if child.restarts else ""
        ready = child.state is ChildState.READY
        style = (GOOD if not child.restarts else "yellow") if ready else BAD if child.state is ChildState.QUARANTINED else "yellow"
        line.append((f"{'  ' if line else ''}{child.name} ", PLAIN))
        line.append((f"{child.state.value}{restarts}", style))
        if child.last_error and not ready:
            troubles.append([(f"{child.name}: {state.clean(child.last_error)}", BAD)])
    return [[("Actors", TITLE)], line or [("not started yet", DIM)], *troubles]


def _news(state: LiveState, count: int) -> list[Line]:
    if count <= 0:
        return []
    lines: list[Line] = [[("Log", TITLE)]]
    for news in list(state.news)[-count:]:
        lines.append([(f"{time_of_day(news.time_milliseconds)[:-4]} ", DIM), (news.text, _STYLE_BY_LEVEL.get(news.level, PLAIN))])
    return lines


# Lines


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], styles: Sequence[str], alignment: str, *, empty: str) -> list[Line]:
    if not rows:
        return [[(headings[0], TITLE), (f"  {empty}", DIM)]]
    head, *body = columns([headings, *rows], alignment)
    first = len(headings[0])
    return [[(head[:first], TITLE), (head[first:], DIM)], *([(line, style)] for line, style in zip(body, styles, strict=True))]


def _wrapped(section: list[Line], width: int) -> list[Line]:
    """A section whose long lines are broken where a piece begins with two spaces."""
    lines: list[Line] = []
    for line in section:
        lines.append([])
        used = 0
        for number, (text, style) in enumerate(line):
            if text.startswith("  "):
                rest = line[number + 1 :]
                unit = next((index for index, (piece, _) in enumerate(rest) if piece.startswith("  ")), len(rest))
                if used + len(text) + sum(len(piece) for piece, _ in rest[:unit]) > width:
                    lines.append([])
                    used = 0
            lines[-1].append((text, style))
            used += len(text)
    return lines


def _side_by_side(left: list[list[Line]], right: list[list[Line]], left_width: int, right_width: int) -> list[Line]:
    left_lines = [line for section in left for line in section]
    right_lines = [line for section in right for line in _wrapped(section, right_width)]
    lines: list[Line] = []
    for number in range(max(len(left_lines), len(right_lines))):
        line = _fitted(left_lines[number] if number < len(left_lines) else [], left_width)
        if number < len(right_lines):
            padding = left_width + 2 - sum(len(text) for text, _ in line)
            line = [*line, (" " * padding, PLAIN), *_fitted(right_lines[number], right_width)]
        lines.append(line)
    return lines


def _cropped(lines: list[Line], width: int, height: int) -> list[Line]:
    shown = [_fitted(line, width) for line in lines[:height]]
    # The cursor rests behind the last line. What is typed there must not wrap, or the next picture would be drawn a line too low.
    return [*shown[:-1], *(_fitted(line, width - TYPED_WIDTH) for line in shown[-1:])]


def _fitted(line: Line, width: int) -> Line:
    fitted: Line = []
    for text, style in line:
        if len(text) > width:
            fitted.append((shorten(text, width), style))
            break
        fitted.append((text, style))
        width -= len(text)
    return fitted


def _leaves(tree: Snapshot) -> Iterator[Snapshot]:
    if tree.children is None:
        yield tree
    else:
        for child in tree.children:
            yield from _leaves(child)


def _book_number(value: float) -> str:
    return format_decimal(decimal_from_book(value))


def _number(value: Decimal) -> str:
    """At most eight decimals: enough to watch; the tables at the end are exact."""
    return format_decimal(round(value, 8).normalize() if value else ZERO)


def _signed(value: Decimal) -> str:
    return f"{round(value, 6).normalize():+f}" if value else "0"
