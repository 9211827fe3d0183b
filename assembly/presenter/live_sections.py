"""The sections of the live view: markets with our quotes in them, risk, positions, orders, fills, accounts, actors and the log.

Each says how old what it shows is. What belongs to a lost account, and a lost book, is dimmed: it is what was true then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

import msgspec

from assembly.presenter.live_lines import BAD, DIM, GOOD, PLAIN, TITLE, WARNED, Cell, Column, Line, Section, age, cut_name, table, wrapped
from assembly.presenter.live_state import CycleProgress, LiveState, ShownOrder
from assembly.presenter.live_trouble import leaves
from assembly.presenter.phrases import time_of_day
from assembly.presenter.risk_words import rounded
from assembly.presenter.surroundings import Market, Surroundings
from market.events import BookChanged
from market.instrument import decimal_from_book, format_decimal
from orders.life_cycle import OrderState
from orders.order import ZERO, Order
from orders.request import Side
from supervision.snapshot import ChildState

NAME_LENGTH_MAX = 28
RISK_STALE_SECONDS = 10.0  # it is told each second while the cycle decides
_LEVEL_STYLES = {"WARNING": WARNED, "ERROR": BAD, "CRITICAL": BAD, "DEBUG": DIM, "TRACE": DIM}
_AT_THE_EXCHANGE = (OrderState.OPEN, OrderState.PARTIALLY_FILLED, OrderState.PENDING_AMEND, OrderState.PENDING_CANCEL)
_ORDER_RANKS = {OrderState.UNKNOWN: 0, OrderState.PARTIALLY_FILLED: 1}


class Quote(msgspec.Struct):
    """The best that a cycle has at the exchange on one side."""

    price: Decimal
    quantity: Decimal


# Markets


def markets(state: LiveState, around: Surroundings, width: int) -> Section:
    """Each book's top, lost and stale ones first, and under it the cycles there with their own best bid and ask."""
    names = {**around.cycles_wanted, **state.cycles}
    cycles_at: dict[Market | None, list[str]] = {}
    for name in names:
        cycles_at.setdefault(_market_of(name, state, around), []).append(name)
    shown: list[Market] = sorted({**state.books, **state.lost_books}, key=lambda market: not _is_bad(market, state, around))
    waiting = [market for market in cycles_at if market is not None and market not in shown]
    quotes = _best_quotes(state.orders.values())
    rows: list[list[Cell]] = []
    for market in (*shown, *waiting):
        rows.append(_book_cells(market, state, around))
        rows += [_cycle_cells(name, market, quotes, state, around) for name in cycles_at.get(market, ())]
    rows += [_cycle_cells(name, None, quotes, state, around) for name in cycles_at.get(None, ())]
    columns = (
        Column("Market"),
        Column("age"),
        Column("quantity", ".", rank=2),
        Column("bid", "."),
        Column("ask", "."),
        Column("quantity", ".", rank=2),
        Column("spread/PnL", "."),
        Column("cycle does"),
    )
    heading, lines = table(columns, rows, width)
    if not rows:
        heading = [("Market", TITLE), ("  no book yet", DIM)]
    return Section(heading=heading, items=[[line] for line in lines], noun=("market or cycle", "markets and cycles"), least=len(rows) + 1)


def _market_of(cycle: str, state: LiveState, around: Surroundings) -> Market | None:
    if cycle in around.markets:
        return around.markets[cycle]
    progress = state.cycles.get(cycle)
    return next((market for market in state.books if progress is not None and market[1] == progress.symbol), None)


def _is_bad(market: Market, state: LiveState, around: Surroundings) -> bool:
    return market in state.lost_books or (market in state.books and around.is_stale(state.books[market]))


def _book_cells(market: Market, state: LiveState, around: Surroundings) -> list[Cell]:
    exchange, symbol = market
    name = cut_name(f"{exchange} {symbol}", NAME_LENGTH_MAX)
    book, lost = state.books.get(market), state.lost_books.get(market)
    if book is None:
        return [(name, BAD if lost else DIM), ("LOST", BAD) if lost else ("no book", DIM), "", "", "", "", "", ""]
    (bid, bid_quantity), (ask, ask_quantity) = book.bids[0], book.asks[0]
    is_bad = _is_bad(market, state, around)
    old = age(around.now - book.received_at)
    freshness = f"LOST {old}" if lost is not None else f"STALE {old}" if is_bad else old
    style = DIM if is_bad else PLAIN  # what was true once
    numbers = (bid_quantity, bid, ask, ask_quantity)
    spread = decimal_from_book(ask) - decimal_from_book(bid)
    cells: list[Cell] = [(_book_number(number), style) for number in numbers]
    return [(name, BAD if is_bad else PLAIN), (freshness, BAD if is_bad else PLAIN), *cells, (format_decimal(spread), style), ""]


def _cycle_cells(
    name: str, market: Market | None, quotes: dict[tuple[str, Side], Quote], state: LiveState, around: Surroundings
) -> list[Cell]:
    progress = state.cycles.get(name) or CycleProgress()
    bid, ask = quotes.get((name, Side.BUY)), quotes.get((name, Side.SELL))
    book = state.books.get(market) if market is not None else None
    is_old = not state.is_ready(progress.account) or market in state.lost_books
    earned = _earned(name, progress, state)
    return [
        f"  {name}" if market is not None else f"  {name} {progress.symbol or ''}".rstrip(),
        _since(progress, state, around),
        _quantity_cell(bid, is_old),
        _price_cell(bid, is_old, is_best=book is not None and bid is not None and bid.price >= _top(book, Side.BUY)),
        _price_cell(ask, is_old, is_best=book is not None and ask is not None and ask.price <= _top(book, Side.SELL)),
        _quantity_cell(ask, is_old),
        (earned, DIM if earned == "-" else PLAIN),
        (_doing(progress, around.cycles_wanted.get(name, 0), state), BAD if progress.disagreed or progress.ended_for else PLAIN),
    ]


def _since(progress: CycleProgress, state: LiveState, around: Surroundings) -> Cell:
    """How long a cycle has been doing what it does, or how long it has been blind."""
    standing = state.accounts.get(progress.account)
    if standing is not None and not standing.is_ready:
        return (f"LOST {age(around.seconds_since(standing.since_milliseconds))}", BAD)
    return (age(around.seconds_since(progress.since_milliseconds)), DIM) if progress.since_milliseconds else ""


def _earned(name: str, progress: CycleProgress, state: LiveState) -> str:
    measured = state.memory.risks.get(name)
    if measured is not None:  # it quotes, and knows no rounds
        return "not known" if measured.risk.profit is None else _signed(measured.risk.profit, places=4)
    profit, _ = state.memory.profit_by_cycle.get(name, (ZERO, ""))
    return _signed(profit, places=4) if progress.reconciled else "-"


def _doing(progress: CycleProgress, wanted: int, state: LiveState) -> str:
    number = f"#{progress.number}{f' of {wanted}' if wanted else ''} " if progress.number else ""
    disagreed = f", {progress.disagreed} DISAGREE" if progress.disagreed else ""
    return f"{number}{state.clean(progress.phase)}{disagreed}".strip() or "not begun"


def _best_quotes(orders: Iterable[ShownOrder]) -> dict[tuple[str, Side], Quote]:
    best: dict[tuple[str, Side], Quote] = {}
    for shown in orders:
        order, request = shown.order, shown.order.request
        if order.state not in _AT_THE_EXCHANGE or request.price is None or request.quantity is None:
            continue
        left = request.quantity - order.filled_quantity
        found = best.get((request.owner, request.side))
        if found is not None and found.price == request.price:
            found.quantity += left
        elif found is None or (request.price > found.price) is (request.side is Side.BUY):
            best[request.owner, request.side] = Quote(request.price, left)
    return best


def _price_cell(quote: Quote | None, is_old: bool, *, is_best: bool) -> Cell:
    """Green where it is the market's best."""
    return ("-", DIM) if quote is None else (format_decimal(quote.price), DIM if is_old else GOOD if is_best else PLAIN)


def _quantity_cell(quote: Quote | None, is_old: bool) -> Cell:
    return ("", DIM) if quote is None else (format_decimal(quote.quantity), DIM if is_old else PLAIN)


def _top(book: BookChanged, side: Side) -> Decimal:
    return decimal_from_book((book.bids if side is Side.BUY else book.asks)[0][0])


# What is at stake


def risks(state: LiveState, around: Surroundings, width: int) -> Section:
    rows: list[list[Cell]] = []
    for name, measured in state.memory.risks.items():
        risk = measured.risk
        seconds = around.now - risk.at
        is_old = seconds > RISK_STALE_SECONDS
        cells = (
            f"{_number(risk.inventory)} {measured.symbol.base}",
            rounded(risk.delta_usd) if risk.delta_usd is not None else "-",
            rounded(risk.bids),
            rounded(risk.asks),
            _signed(risk.realised, places=4),
            _signed(risk.unrealised, places=4) if risk.unrealised is not None else "-",
            "".join(
                (
                    rounded(risk.fees) if risk.fees is not None else "-",
                    *(f" +{rounded(fee)} {asset}" for asset, fee in risk.other_fees.items()),
                )
            ),
            rounded(risk.spread_captured),
            rounded(risk.volume),
            str(risk.trades),
            f"{risk.uptime:.1%}" if risk.uptime is not None else "-",
        )
        old: Cell = (f"STALE {age(seconds)}", BAD) if is_old else age(seconds)
        rows.append([name, *((cell, DIM if is_old else PLAIN) for cell in cells), old])
    columns = (
        Column("Risk"),
        Column("inventory", ">"),
        Column("USD", ">"),
        Column("bids", ">", rank=4),
        Column("asks", ">", rank=4),
        Column("realised", ">"),
        Column("unrealised", ">", rank=2),
        Column("fees", ">", rank=3),
        Column("captured", ">", rank=6),
        Column("volume", ">", rank=5),
        Column("trades", ">", rank=1),
        Column("uptime", ">"),
        Column("age"),
    )
    heading, lines = table(columns, rows, width)
    return Section(heading=heading, items=[[line] for line in lines], noun=("risk", "risks"))


def positions(state: LiveState, around: Surroundings, width: int) -> Section:
    rows: list[list[Cell]] = []
    for account, held in state.positions.items():
        for symbol, position in held.items():
            side = "long" if position.quantity > 0 else "short"
            prices = (position.entry_price, position.mark_price, position.liquidation_price)
            profit = _signed(position.unrealised_pnl, places=6) if position.unrealised_pnl is not None else "-"
            name = cut_name(f"{account} {symbol}", NAME_LENGTH_MAX)
            values = [_number(abs(position.quantity)), *(_number(price) if price is not None else "-" for price in prices), profit]
            when, style = _freshness(account, state.positions_at.get((account, symbol), 0), state, around)
            rows.append([(name, style), (side, style), *((value, style) for value in values), when])
    columns = (
        Column("Position"),
        Column("side"),
        *(Column(name, ".") for name in ("quantity", "entry", "mark")),
        Column("liquidation", ".", rank=1),
        Column("PnL", "."),
        Column("told"),
    )
    heading, lines = table(columns, rows, width)
    return Section(heading=heading, items=[[line] for line in lines], noun=("position", "positions"))


# Orders and fills


def orders(state: LiveState, around: Surroundings, width: int) -> Section:
    """Unknown ones first, then those that are being filled, then the newest."""
    current = list(state.orders.values())
    current.reverse()
    current.sort(key=lambda shown: _ORDER_RANKS.get(shown.order.state, 2))
    rows = [_order_cells(shown, state, around) for shown in current or list(state.ended_orders)[-1:]]
    columns = (
        Column("Order"),
        Column("side"),
        Column("quantity", "."),
        Column("price", "."),
        Column("filled", ".", rank=1),
        Column("state"),
        Column("told"),
    )
    heading, lines = table(columns, rows, width)
    if not rows:
        heading = [("Order", TITLE), ("  none", DIM)]
    return Section(heading=heading, items=[[line] for line in lines], noun=("order", "orders"), least=4)


def _order_cells(shown: ShownOrder, state: LiveState, around: Surroundings) -> list[Cell]:
    order: Order = shown.order
    request = order.request
    quantity = f"{request.quantity:f}" if request.quantity is not None else f"for {request.quote_quantity:f} {request.symbol.quote}"
    price = f"{request.price:f}" if request.price is not None else "market"
    when, style = _freshness(shown.account, shown.time_milliseconds, state, around)
    style = BAD if order.state is OrderState.UNKNOWN else DIM if order.is_terminal else style
    cells = (request.client_order_id, request.side.value, quantity, price, format_decimal(order.filled_quantity), order.state.value)
    return [*((cell, style) for cell in cells), when]


def fills(state: LiveState, around: Surroundings, width: int) -> Section:
    rows: list[list[Cell]] = []
    for time, event in state.fills:
        fill = event.fill
        rows.append(
            [
                time_of_day(time)[:-4],
                cut_name(f"{event.order.request.owner} {fill.symbol}", NAME_LENGTH_MAX),
                fill.side.value,
                format_decimal(fill.quantity),
                format_decimal(fill.price),
                f"{format_decimal(fill.fee)} {fill.fee_asset}",
                age(around.seconds_since(time)),
            ]
        )
    columns = (
        Column("Fill"),
        Column("cycle"),
        Column("side"),
        Column("quantity", "."),
        Column("price", "."),
        Column("fee", ">", rank=1),
        Column("age"),
    )
    heading, lines = table(columns, rows, width)
    if not rows:
        heading = [("Fill", TITLE), ("  none", DIM)]
    return Section(heading=heading, items=[[line] for line in lines], noun=("fill", "fills"), shows_newest=True)


# Who takes part


def accounts(state: LiveState, around: Surroundings, width: int) -> Section:
    """Balances by account, lost ones first, with the time since they were last told."""
    items: list[list[Line]] = []
    for name in sorted({**state.accounts, **state.balances}, key=state.is_ready):
        standing = state.accounts.get(name)
        told_at = state.balances_at.get(name)
        if standing is None:
            line: Line = [(name, PLAIN), (" connecting", WARNED)]
        elif standing.is_ready:
            line = [(name, PLAIN), (" ready", GOOD), (f", told {age(around.seconds_since(told_at))} ago" if told_at else "", DIM)]
        else:
            line = [(name, PLAIN), (f" LOST, as of {time_of_day(standing.since_milliseconds)[:-4]}", BAD)]
        style = PLAIN if state.is_ready(name) else DIM
        for asset, (total, available) in state.balances.get(name, {}).items():
            held = f" ({_number(total - available)} held)" if total != available else ""
            line.append((f"  {asset} {_number(total)}{held}", style))
        items.append(wrapped(line, width, indent="    "))
    heading: Line = [("Balance", TITLE)] if items else [("Balance", TITLE), ("  not known yet", DIM)]
    return Section(heading=heading, items=items, noun=("account", "accounts"))


def actors(state: LiveState, around: Surroundings, width: int, *, in_short: bool) -> Section:
    """Those that are not ready, or have been restarted, by name; the others too, unless `in_short`."""
    found = list(leaves(around.actors))
    if not found:
        return Section(heading=[("Actors", TITLE), ("  not started yet", DIM)], items=[], noun=("actor", "actors"), least=1)
    counts = Counter(child.state for child in found)
    line: Line = []
    for child in sorted(found, key=lambda child: (child.state is ChildState.READY, not child.restarts)):
        is_ready = child.state is ChildState.READY
        if is_ready and not child.restarts and in_short:
            continue
        restarts = f" {child.restarts}x restarted" if child.restarts else ""
        style = (WARNED if child.restarts else GOOD) if is_ready else BAD if child.state is ChildState.QUARANTINED else WARNED
        line += [(f"  {child.name} ", PLAIN), (f"{child.state.value}{restarts}", style)]
    words = ", ".join(f"{count} {kind.value}" for kind, count in counts.items())
    heading: Line = [("Actors", TITLE), (f"  {words}", GOOD if set(counts) == {ChildState.READY} else WARNED)]
    return Section(
        heading=heading,
        items=[[each] for each in wrapped(line, width)] if line else [],
        noun=("actor line", "actor lines"),
        least=1,
    )


def news(state: LiveState) -> Section:
    lines: list[Line] = [
        [(f"{time_of_day(each.time_milliseconds)[:-4]} ", DIM), (each.text, _LEVEL_STYLES.get(each.level, PLAIN))] for each in state.news
    ]
    errors = sum(each.level in ("ERROR", "CRITICAL") for each in state.news)
    bad = f" ({errors} bad)" if errors else ""
    noun = (f"log line{bad}", f"log lines{bad}")
    return Section(heading=[("Log", TITLE)], items=[[line] for line in lines], noun=noun, least=3, shows_newest=True)


def _freshness(account: str, told_at_milliseconds: int, state: LiveState, around: Surroundings) -> tuple[Cell, str]:
    """When something was last told, and the style of it: what belongs to a lost account is what was true then."""
    if not state.is_ready(account):
        return (f"as of {time_of_day(told_at_milliseconds)[:-4]}", BAD), DIM
    return age(around.seconds_since(told_at_milliseconds)), PLAIN


def _book_number(value: float) -> str:
    return format_decimal(decimal_from_book(value))


def _number(value: Decimal) -> str:
    """At most eight decimals: enough to watch; the tables at the end are exact."""
    return format_decimal(round(value, 8).normalize() if value else ZERO)


def _signed(value: Decimal, *, places: int) -> str:
    short = round(value, places)
    return f"{short.normalize():+f}" if short else "0"
