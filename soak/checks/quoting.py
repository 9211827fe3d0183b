"""What must be so of cycles that quote, by the exchange's own word: their orders, what they traded, and whether they quote.

Whether a cycle should quote is not asked of the actor: its strategy is, of a view that is settled, in which nothing of ours is
live. So a phase cannot hide a cycle that never quotes again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from decimal import Decimal
from math import inf

import trio

from actors.cycle.quoting.actor import COMMAND_LIFETIME_SECONDS
from actors.cycle.quoting.contract import Quote, QuotingView
from actors.cycle.quoting.funds import Funds
from actors.cycle.quoting.limits import clipped, room_of
from actors.cycle.quoting.terms import QuotingTerms
from assembly.cycle_parts import CycleParts
from assembly.reloading.difference import NONE
from assembly.reloading.events import SettingChanged
from market.events import Side
from market.exact import EXACT, exact_sum
from orders.commands import Flattened
from orders.events import OrderSubmitted
from orders.ledger import AccountLedger
from orders.order import ZERO
from orders.order import Order as OurOrder
from orders.tally import Tally
from simulated.engine.events import TradeMade
from simulated.engine.order import Order, TradeParty
from soak.checks.ending import Explanations
from soak.options import Options
from soak.strategies import Cycle
from soak.worlds.venue import Venue
from soak.worlds.world import World

LIMITS = ("net_buy_max", "net_sell_max", "inventory_max")


class Traded:
    """What one cycle's trades add up to, as the exchange made them."""

    def __init__(self) -> None:
        self.quantity = dict.fromkeys(Side, ZERO)
        self.quote = dict.fromkeys(Side, ZERO)
        self.fees: defaultdict[str, Decimal] = defaultdict(Decimal)
        self.base_fees = ZERO
        self.trades = 0
        self.maker_trades = 0

    def add(self, event: TradeMade, party: TradeParty, side: Side) -> None:
        trade = event.trade
        self.quantity[side] = EXACT.add(self.quantity[side], trade.quantity)
        self.quote[side] = EXACT.add(self.quote[side], EXACT.multiply(trade.quantity, trade.price))
        self.fees[party.fee_asset] = EXACT.add(self.fees[party.fee_asset], party.fee)
        if party.fee_asset == trade.symbol.base:
            self.base_fees = EXACT.add(self.base_fees, party.fee)
        self.trades += 1
        self.maker_trades += party is trade.maker

    @property
    def net(self) -> Decimal:
        return EXACT.subtract(self.quantity[Side.BUY], self.quantity[Side.SELL])

    @property
    def inventory(self) -> Decimal:
        return EXACT.subtract(self.net, self.base_fees)

    def difference(self, tally: Tally) -> str:
        """How the program's tally differs; empty if it does not."""
        pairs = {
            "bought": (tally.bought_quantity, self.quantity[Side.BUY]),
            "bought for": (tally.bought_quote, self.quote[Side.BUY]),
            "sold": (tally.sold_quantity, self.quantity[Side.SELL]),
            "sold for": (tally.sold_quote, self.quote[Side.SELL]),
            "held": (tally.traded.quantity, self.net),
            "paid in base": (tally.base_fees, self.base_fees),
            "trades": (Decimal(tally.trades), Decimal(self.trades)),
            "trades as maker": (Decimal(tally.maker_trades), Decimal(self.maker_trades)),
            **{f"fees in {asset}": (tally.fees.get(asset, ZERO), self.fees.get(asset, ZERO)) for asset in {*tally.fees, *self.fees}},
        }
        wrong = [f"{what} {here:f} here and {there:f} there" for what, (here, there) in sorted(pairs.items()) if here != there]
        return ", ".join(wrong)


class QuotingFacts:
    """Those of one world, whose program has not started yet. `say` takes what is wrong; None to only count."""

    def __init__(self, world: World, options: Options, explanations: Explanations, say: Callable[[str], None]) -> None:
        self._world = world
        self._explanations = explanations
        self._say = say
        self._cycles = {cycle.place.cycle: cycle for cycle in options.cycles if cycle.quotes}
        self._orders_max = {name: orders_a_side_max(cycle.parameters) for name, cycle in self._cycles.items()}
        self.traded = {name: Traded() for name in self._cycles}
        self._limits = {(name, limit): [(0.0, getattr(cycle.limits, limit))] for name, cycle in self._cycles.items() for limit in LIMITS}
        self._submitted_at: dict[str, float] = {}

    def is_quoting(self, owner: str) -> bool:
        return owner in self._cycles

    def run_begins(self) -> None:
        """Another run begins, with what its file says."""
        file = self._world.settings_file
        if file is None:
            return
        settings = file.settings(file.table())
        for (name, limit), changes in self._limits.items():
            changes.append((trio.current_time(), getattr(settings.cycles[name].limits, limit)))

    def see(self, event: object) -> None:
        """Something that the program says."""
        match event:
            case OrderSubmitted() if event.order.request.owner in self._cycles:
                self._submitted_at[event.order.client_order_id] = trio.current_time()
            case SettingChanged():
                _, _, key = event.key.partition("cycles.")
                found = self._limits.get((key.partition(".")[0], key.rpartition(".")[2]))
                if found is not None and ".limits." in key:
                    found.append((trio.current_time(), None if event.after == NONE else Decimal(event.after)))
            case _:
                pass

    # At every order and trade

    def accepted(self, venue: Venue, order: Order) -> None:
        """An order of ours rests at the exchange, or is about to trade."""
        owner = venue.owner(order.client_id)
        if owner not in self._cycles:
            return
        name = venue.client_order_id(order.client_id)
        mine = [other for other in venue.open_orders() if other.id != order.id and venue.owner(other.client_id) == owner]
        for other in mine:
            if _cross(order, other):
                against = venue.client_order_id(other.client_id)
                self._say(f"{name} at {order.price} was accepted by {venue.name} and crosses {against} at {other.price}, also of {owner}")
        self._orders_max[owner] = most = max(self._orders_max[owner], self._wanted_now(owner))
        count = 1 + sum(other.side is order.side for other in mine)
        if order.price and count > most:
            self._say(f"{name} is the {count}th {order.side.value} of {owner} that is open at {venue.name}, and {most} are wanted at most")

        if order.price:
            open_there = exact_sum(other.remaining_quantity for other in (order, *mine) if other.side is order.side)
            for limit, value, most in self._reached(owner, order.side, self._submitted_at.get(name, 0.0)):
                if value + open_there > most:
                    self._say(
                        f"{name} was accepted by {venue.name}, and with all that is open there it may come to {value + open_there:f}, "
                        f"and {limit} is {most:f}"
                    )

    def trade_made(self, venue: Venue, event: TradeMade) -> None:
        trade = event.trade
        owners: list[str] = []
        for party, side in ((trade.taker, trade.taker_side), (trade.maker, trade.taker_side.opposite)):
            owner = venue.owner(party.client_id) if venue.is_ours(party.client_id) else ""
            if owner in self._cycles:
                owners.append(owner)
                self.traded[owner].add(event, party, side)
                self._look_at_limits(
                    owner, venue, trade.quantity, side, self._submitted_at.get(venue.client_order_id(party.client_id), 0.0)
                )
        if len(set(owners)) < len(owners):
            self._say(f"{owners[0]} traded with itself at {venue.name}: {trade.quantity} at {trade.price}")

    def _look_at_limits(self, owner: str, venue: Venue, quantity: Decimal, side: Side, submitted_at: float) -> None:
        """They hold at every trade, whatever else could have traded before it; what is beyond one already comes back. An order that was
        there, or decided upon, when one was tightened may still be filled.
        """
        for limit, value, most in self._reached(owner, side, submitted_at):
            if value > most:
                self._say(f"{owner} traded {quantity} ({side.value}) at {venue.name}, which makes {value:f}, and {limit} is {most:f}")

    def _reached(self, owner: str, side: Side, submitted_at: float) -> list[tuple[str, Decimal, Decimal]]:
        """The limits of a side, with what the trades have come to and the largest that each was since an order was decided upon."""
        if self._explanations.explains_disagreement() is not None:
            return []
        net, held = self.traded[owner].net, self.traded[owner].inventory
        reached = {"net_buy_max": net, "inventory_max": held}
        if side is Side.SELL:
            reached = {"net_sell_max": net.copy_negate(), "inventory_max": held.copy_negate()}
        since = submitted_at - COMMAND_LIFETIME_SECONDS
        return [(limit, value, self._most_since(since, self._limits[owner, limit])) for limit, value in reached.items()]

    def _most_since(self, at: float, changes: list[tuple[float, Decimal | None]]) -> Decimal:
        """The largest that a limit has been since then; it was another one until each change."""
        values = [value for (_, value), (until, _) in zip(changes, [*changes[1:], (inf, None)], strict=True) if until > at]
        return max((Decimal("inf") if value is None else value for value in values), default=ZERO)

    def _wanted_now(self, owner: str) -> int:
        """By the settings in force, which may be others by now."""
        parts = None if self._world.runtime is None else self._world.runtime.tree.cycles.get(owner)
        return 0 if parts is None else orders_a_side_max(parts.settings.parameters)

    def flattened(self, venue: Venue, flattened: Flattened) -> None:
        """What a cycle is said to have been brought to, nothing, it has; and none of its orders is open."""
        owner = flattened.owner
        if owner not in self._cycles or not flattened.is_flat or self._explanations.explains_disagreement() is not None:
            return
        rules, held = venue.control.engine.instruments[flattened.symbol], self.traded[owner].inventory
        price = venue.control.best_bid(flattened.symbol) or ZERO
        can_be_sold = abs(held) >= rules.quantity_min and abs(held) * price >= rules.notional_min
        if can_be_sold and (held > 0 or venue.trades_contracts):
            self._say(f"{owner} is said to be flat at {venue.name}, and holds {held:f}")
        if mine := [venue.client_order_id(order.client_id) for order in venue.open_orders() if venue.owner(order.client_id) == owner]:
            self._say(f"{owner} is said to be flat at {venue.name}, and has open {', '.join(mine)}")

    def flattening(self, order: OurOrder, ledger: AccountLedger) -> None:
        """An order that is to bring what a cycle holds to nothing is written down: on the side that does so, by whichever count of that."""
        request = order.request
        if request.owner not in self._cycles:
            return
        counts = (
            self.traded[request.owner].inventory,
            ledger.tally(request.owner, request.symbol).inventory,
            ledger.holdings(request.owner).get(request.symbol, ZERO),
        )
        if not any(held > 0 if request.side is Side.SELL else held < 0 for held in counts):
            self._say(f"{order.client_order_id} is to flatten {request.owner}, which holds {counts[0]:f}, and is a {request.side.value}")

    # Once it is quiet

    def wrong_tally(self) -> str:
        """How what the program counts of a cycle differs from what the exchange made; empty if it does not."""
        if self._explanations.explains_disagreement() is not None or self._world.runtime is None:
            return ""
        for name in self._cycles:
            quoting = self._world.runtime.tree.cycles[name].quoting
            if quoting is None or quoting.tally is None:
                return f"cycle {name} does not know what it has traded"
            if wrong := self.traded[name].difference(quoting.tally):
                return f"the tally of cycle {name} is wrong: {wrong}"
        return ""

    def sides_wanted(self, cycle: Cycle) -> frozenset[Side] | str:
        """The sides on which a cycle should have orders; in words what it does not know that it must know."""
        assert self._world.runtime is not None
        parts, venue = self._world.runtime.tree.cycles[cycle.place.cycle], cycle.place.venue(self._world)
        view = _settled_view(parts, venue)
        if isinstance(view, str) or not isinstance(parts.terms, QuotingTerms):
            return f"cycle {cycle.place.cycle} does not know {view}"
        wanted = clipped(parts.terms.strategy.decide(view), room_of(parts.terms.limits, view.tally), view.instrument)
        return frozenset(quote.side for quote in _paid_for(view, wanted.quotes))


def orders_a_side_max(parameters: object) -> int:
    """How many orders a side a strategy with these parameters may want."""
    return getattr(parameters, "levels", 1) + getattr(parameters, "hanging_orders_max", 0)


def _cross(order: Order, other: Order) -> bool:
    if order.symbol != other.symbol or order.side is other.side or not order.price or not other.price:
        return False
    bid, ask = (order.price, other.price) if order.side is Side.BUY else (other.price, order.price)
    return bid >= ask


def _settled_view(parts: CycleParts, venue: Venue) -> QuotingView | str:
    """What the strategy would be shown if nothing of ours were live: balances are the exchange's, the rest is what was told."""
    memory, symbol, balances = parts.quoting, parts.settings.symbol, venue.control.balances()
    if memory is None or memory.instrument is None or memory.tally is None:
        return "its market and its tally"
    nothing = (ZERO, ZERO)
    (base, base_locked), (quote, quote_locked) = balances.get(symbol.base, nothing), balances.get(symbol.quote, nothing)
    return QuotingView(
        now=trio.current_time(),
        instrument=memory.instrument,
        book=memory.book,
        reference_book=memory.reference_book,
        last_trade=memory.last_trade,
        history=memory.history,
        order_quote=parts.terms.quote_quantity,
        tally=memory.tally,
        position=memory.position if memory.instrument.is_contract else None,
        base_total=base + base_locked,
        base_available=base,
        quote_total=quote + quote_locked,
        quote_available=quote,
        leverage=memory.leverage or Decimal(1),
        last_fills=memory.last_fills,
    )


def _paid_for(view: QuotingView, quotes: Iterable[Quote]) -> Iterable[Quote]:
    """Those that funds suffice for."""
    position = (view.position or ZERO) if view.instrument.is_contract else None
    funds = Funds(base_available=view.base_available, quote_available=view.quote_available, position=position, leverage=view.leverage)
    for quote in quotes:
        if funds.budget(()).covers(quote, None):
            yield quote
