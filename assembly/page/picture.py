"""What a run looks like to the page, section by section: read where it is, put into structs, nothing kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

import trio

from actors.cycle.quoting.risk import middle_of
from assembly.control.picture import NOT_YET, RunPicture
from assembly.cycle_parts import CycleParts
from assembly.page.memory import Market, PageMemory
from assembly.page.protocol import (
    LIVE_ORDERS_TOLD_MAX,
    Account,
    Across,
    Actor,
    Book,
    Cycle,
    Fill,
    Latency,
    Level,
    Orders,
    OrderShown,
    OwnQuote,
    Program,
    Standing,
    State,
)
from assembly.page.series import SeriesRings
from assembly.page.words import (
    actor_shown,
    amount,
    balance_shown,
    fill_shown,
    latency_shown,
    order_shown,
    position_shown,
    quote_order,
    quote_shown,
    risk_shown,
)
from assembly.parts import AccountParts
from assembly.presenter.lifting import HowToLift
from assembly.settings import ExchangeMode
from assembly.tree import Tree
from assembly.version import version
from market.across import ExchangeTop, best_arbitrage, best_ask_at, best_bid_at
from market.clock import WallClock
from market.events import Side
from orders.life_cycle import OrderState
from orders.order import Order
from orders.tally import Tally

CLOCK_STEP_MILLISECONDS = 50
"""The time of day and Trio's are compared with each look; only when they have come apart by so much do moments in the past move."""

QUANTITY_NOISE = 1e-9
"""What floats may leave of a level that was all ours."""


class PagePicture:
    """One run. `lifting` words what a person types to lift a state."""

    def __init__(
        self,
        tree: Tree,
        memory: PageMemory,
        *,
        run_picture: RunPicture,
        lifting: HowToLift,
        wall_clock: WallClock,
        can_control: bool,
        keeps_states: bool,
    ) -> None:
        self._tree = tree
        self._memory = memory
        self._run_picture = run_picture
        self._lifting = lifting
        self._wall_clock = wall_clock
        self._can_control = can_control
        self._keeps_states = keeps_states
        self._version = version()
        self._started_at = trio.current_time()
        self._started_milliseconds = wall_clock.milliseconds()
        self._offset_milliseconds = self._started_milliseconds - self._started_at * 1000
        self._ended: tuple[int, tuple[OrderShown, ...]] = (0, ())
        self._fills: tuple[int, tuple[Fill, ...]] = (0, ())

    # Time

    @property
    def run(self) -> str:
        """Which run this is: no two have the same."""
        return f"{self._started_milliseconds}-{self._lifting.process}"

    @property
    def running_seconds(self) -> float:
        return round(trio.current_time() - self._started_at, 3)

    def now_milliseconds(self) -> int:
        """The time of day; from now on moments are told by it."""
        now = self._wall_clock.milliseconds()
        offset = now - trio.current_time() * 1000
        if abs(offset - self._offset_milliseconds) > CLOCK_STEP_MILLISECONDS:
            self._offset_milliseconds = offset
        return now

    def _at(self, seconds: float) -> int:
        return round(seconds * 1000 + self._offset_milliseconds)

    # Sections

    def program(self) -> Program:
        exchanges = self._tree.exchanges
        return Program(
            run=self.run,
            version=self._version,
            installation=self._tree.settings.runtime.installation,
            process=self._lifting.process,
            exchanges={name: parts.settings.mode_in_words for name, parts in exchanges.items()},
            started_milliseconds=self._started_milliseconds,
            stopping=self._memory.stopping,
            states_are_kept=self._keeps_states,
            can_control=self._can_control,
            has_real_money=any(parts.settings.mode is ExchangeMode.LIVE for parts in exchanges.values()),
        )

    def tree(self) -> Actor:
        return actor_shown(self._tree.root.snapshot(), self._at)

    def states(self) -> tuple[State, ...]:
        found = sorted(self._run_picture.states(), key=lambda each: -each.state.strictness)
        return tuple(
            State(
                scope=each.scope,
                state=each.state,
                reason=each.reason,
                since_milliseconds=each.since_milliseconds,
                cause=each.cause,
                lifted_by="" if each.cause else self._lifting.command(each.scope, each.state),
            )
            for each in found
        )

    def books(self) -> Mapping[Market, Book]:
        quotes = self._quotes()
        return {market: self._book(market, quotes.get(market, ())) for market in self.markets()}

    def across(self) -> tuple[Across, ...]:
        """Each symbol that several exchanges have, by its live books."""
        exchanges: dict[str, list[Market]] = {}
        for market in self.markets():
            exchanges.setdefault(str(market[1]), []).append(market)
        return tuple(self._across(symbol, markets) for symbol, markets in exchanges.items() if len(markets) > 1)

    def orders(self) -> Orders:
        live = [(parts, order) for parts in self._tree.accounts.values() for order in parts.ledger.live_orders()]
        live.sort(key=lambda found: (found[1].state is not OrderState.UNKNOWN, found[1].created_at))
        memory = self._memory
        if self._ended[0] != memory.ended_count:
            self._ended = memory.ended_count, tuple(order_shown(account, order, self._at) for account, order in reversed(memory.ended))
        return Orders(
            live=tuple(
                order_shown(parts.name, order, self._at, unknown_since=parts.measures.unknown_since(order))
                for parts, order in live[:LIVE_ORDERS_TOLD_MAX]
            ),
            live_count=len(live),
            unknown_count=sum(order.state is OrderState.UNKNOWN for _, order in live),
            ended=self._ended[1],
        )

    def fills(self) -> tuple[Fill, ...]:
        memory = self._memory
        if self._fills[0] != memory.fills_count:
            self._fills = memory.fills_count, tuple(map(fill_shown, reversed(memory.fills)))
        return self._fills[1]

    def accounts(self) -> tuple[Account, ...]:
        return tuple(map(self._account, self._tree.accounts.values()))

    def cycles(self) -> tuple[Cycle, ...]:
        return tuple(map(self._cycle, self._tree.cycles.values()))

    def latencies(self) -> tuple[Latency, ...]:
        accounts = self._tree.accounts.items()
        return (
            *(
                latency_shown("tick_to_order", f"{name}: {request} by {transport}", found)
                for name, parts in accounts
                for (request, transport), found in parts.measures.message_to_order_seconds.snapshots().items()
            ),
            *(
                latency_shown("order_to_ack", f"{name}: by {transport}", found)
                for name, parts in accounts
                for (transport,), found in parts.measures.order_to_word_seconds.snapshots().items()
            ),
        )

    def fill_series(self, rings: SeriesRings) -> None:
        """Make the lines of this run."""
        for name, parts in self._tree.cycles.items():
            symbol = parts.settings.symbol
            rings.add("profit", name, symbol.quote, lambda parts=parts: self._profit(parts))
            rings.add("inventory", name, symbol.base, lambda parts=parts: self._tally(parts).inventory)
        for market in self.markets():
            rings.add("middle", market_name(market), market[1].quote, lambda market=market: self._middle(market))

    # What they are made of

    def markets(self) -> Iterator[Market]:
        """Every market that somebody trades on or looks at."""
        for exchange in self._tree.exchanges:
            found = {symbol: None for cycle in self._tree.cycles.values() for symbol in sorted(cycle.symbols_at(exchange), key=str)}
            yield from ((exchange, symbol) for symbol in found)

    def _quotes(self) -> dict[Market, tuple[OwnQuote, ...]]:
        by_market: dict[Market, list[Order]] = {}
        for parts in self._tree.accounts.values():
            for order in parts.ledger.live_orders():
                by_market.setdefault((parts.exchange.name, order.request.symbol), []).append(order)
        return {
            market: tuple(shown for order in sorted(orders, key=quote_order) if (shown := quote_shown(order)) is not None)
            for market, orders in by_market.items()
        }

    def _book(self, market: Market, quotes: tuple[OwnQuote, ...]) -> Book:
        book, lost = self._memory.books.get(market), self._memory.book_lost(market)
        said_at = book.received_at if book is not None else lost.received_at if lost is not None else None
        return Book(
            exchange=market[0],
            symbol=str(market[1]),
            standing=self._book_standing(market),
            reason="" if lost is None else lost.reason,
            said_milliseconds=0 if said_at is None else self._at(said_at),
            max_age_seconds=self._tree.exchanges[market[0]].settings.book_max_age_seconds,
            bids=() if book is None else _levels(book.bids),
            asks=() if book is None else _levels(book.asks),
            quotes=quotes,
        )

    def _across(self, symbol: str, markets: Sequence[Market]) -> Across:
        live = {market[0]: market for market in markets if self._book_standing(market) is Standing.LIVE}
        tops = {name: self._top_of_others(market) for name, market in live.items()}
        bid_at, ask_at, best = best_bid_at(tops), best_ask_at(tops), best_arbitrage(tops)
        return Across(
            symbol=symbol,
            live_at=tuple(live),
            not_live_at=tuple(market[0] for market in markets if market[0] not in live),
            bid=None if bid_at is None else tops[bid_at].bids[0],
            bid_at=bid_at,
            ask=None if ask_at is None else tops[ask_at].asks[0],
            ask_at=ask_at,
            **({} if best is None else {name: getattr(best, name) for name in best.__struct_fields__}),
        )

    def _top_of_others(self, market: Market) -> ExchangeTop:
        """Without our own orders: nobody earns by trading with himself."""
        book, own = self._memory.books[market], {Side.BUY: dict[float, float](), Side.SELL: dict[float, float]()}
        for parts in self._tree.accounts.values():
            for order in parts.ledger.live_orders() if parts.exchange.name == market[0] else ():
                request, remaining = order.request, order.remaining_quantity
                if request.symbol == market[1] and request.price is not None and remaining is not None:
                    price = float(request.price)
                    own[request.side][price] = own[request.side].get(price, 0.0) + float(remaining)
        fee_fraction = self._tree.exchanges[market[0]].settings.taker_fee_fraction
        return ExchangeTop(_less(book.bids, own[Side.BUY]), _less(book.asks, own[Side.SELL]), fee_fraction)

    def _book_standing(self, market: Market) -> Standing:
        book = self._memory.books.get(market)
        if self._memory.book_lost(market) is not None:
            return Standing.LOST
        if book is None:
            return Standing.NOT_YET
        age_seconds = trio.current_time() - book.received_at
        return Standing.STALE if age_seconds > self._tree.exchanges[market[0]].settings.book_max_age_seconds else Standing.LIVE

    def _middle(self, market: Market) -> Decimal | None:
        """None unless the book is live: what is drawn is what was so at that moment."""
        return middle_of(self._memory.books[market]) if self._book_standing(market) is Standing.LIVE else None

    def _account(self, parts: AccountParts) -> Account:
        heard = self._memory.account(parts.name)
        live = parts.ledger.live_orders()
        unknown = sum(order.state is OrderState.UNKNOWN for order in live)
        standing = Standing.LIVE if heard.view_is_whole and heard.stream_is_up else Standing.LOST if heard.view else Standing.NOT_YET
        if standing is Standing.LIVE and unknown:
            standing = Standing.STALE
        return Account(
            name=parts.name,
            exchange=parts.exchange.name,
            standing=standing,
            stream=heard.stream or NOT_YET,
            view=heard.view or NOT_YET,
            since_milliseconds=heard.since_milliseconds,
            live_orders=len(live),
            unknown_orders=unknown,
            balances=tuple(balance_shown(heard.balances[asset]) for asset in sorted(heard.balances)),
            positions=tuple(position_shown(said) for said in heard.positions.values() if said[1].quantity),
        )

    def _cycle(self, parts: CycleParts) -> Cycle:
        settings, tally, risk = parts.settings, self._tally(parts), self._memory.risks.get(parts.name)
        profit = self._profit(parts)
        standing = self._tree.states.standing(account=settings.account, owner=parts.name, symbol=settings.symbol)
        return Cycle(
            name=parts.name,
            account=settings.account,
            exchange=parts.exchange,
            symbol=str(settings.symbol),
            strategy=settings.strategy,
            phase=self._memory.phases.get(parts.name, NOT_YET),
            state=standing.state,
            round=parts.memory.round_number,
            rounds_completed=parts.memory.rounds_completed,
            rounds_wanted=settings.cycles,
            inventory=amount(tally.inventory),
            profit=None if profit is None else amount(profit),
            volume=amount(tally.volume_quote),
            trades=tally.trades,
            risk=None if risk is None else risk_shown(risk),
            risk_said_milliseconds=None if risk is None else risk[0],
        )

    def _tally(self, parts: CycleParts) -> Tally:
        return self._tree.accounts[parts.settings.account].ledger.tally(parts.name, parts.settings.symbol)

    def _profit(self, parts: CycleParts) -> Decimal | None:
        """At the middle of now; None without one, but where nothing is held."""
        middle, tally = self._middle((parts.exchange, parts.settings.symbol)), self._tally(parts)
        if middle is None and (tally.traded.quantity or tally.base_fees):
            return None
        return tally.profit(middle or Decimal(0))


def _less(levels: Iterable[Level], own: Mapping[float, float]) -> tuple[Level, ...]:
    left = ((price, quantity - own.get(price, 0.0)) for price, quantity in _levels(levels))
    return tuple((price, quantity) for price, quantity in left if quantity > QUANTITY_NOISE)


def _levels(levels: Iterable[Level]) -> tuple[Level, ...]:
    """As plain numbers: those of some exchanges remember how they were written."""
    return tuple((float(price), float(quantity)) for price, quantity in levels)


def market_name(market: Market) -> str:
    return f"{market[0]} {market[1]}"
