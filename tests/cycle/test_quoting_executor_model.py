"""The executor over a model exchange that answers late, in any order, refuses, loses answers, and trades meanwhile.

What the executor sees is what an account would tell it, which reads its commands late; what is true at the exchange it learns from
answers alone. Whatever
happened, once the exchange answers everything the wanted set is reached within few steps, and then nothing more is sent.
"""

from __future__ import annotations

from decimal import Decimal
from functools import partial

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace
from quoting_samples import BTC_USDT, RULES, ask, bid
from trades import fill as trade_of

from actors.cycle.quoting.contract import Quote, Tolerance, Wanted
from actors.cycle.quoting.executor import Plan, Surroundings, plan, tag_of
from actors.cycle.quoting.funds import Funds
from actors.cycle.quoting.limits import Allowance, Room, clipped, room_of
from actors.cycle.quoting.matching import fits, fits_but_is_smaller, is_tradable, pair_nearest
from actors.cycle.slots import slot_of
from actors.cycle.terms import StrategyLimits
from market.events import Side
from orders.commands import AmendOrder
from orders.life_cycle import OrderState
from orders.order import ZERO, Order, UnseenAmendment
from orders.request import OrderRequest, OrderType
from orders.tally import Tally

STEPS_MAX = 12
TICK = RULES.price_tick


class There(msgspec.Struct):
    """An order as it is at the exchange."""

    side: Side
    price: Decimal
    quantity: Decimal
    filled: Decimal = ZERO
    is_live: bool = True


class Pending(msgspec.Struct, frozen=True):
    """A request that the exchange has not seen yet."""

    kind: str
    client_order_id: str
    price: Decimal | None = None
    quantity: Decimal | None = None


def levels(middle: Decimal, half_spread: int, spacing: int, counts: tuple[int, int], quantity: Decimal) -> tuple[Quote, ...]:
    bids = (bid(middle - TICK * (half_spread + spacing * n), quantity, n) for n in range(counts[0]))
    asks = (ask(middle + TICK * (half_spread + spacing * n), quantity, n) for n in range(counts[1]))
    return (*bids, *asks)


@st.composite
def wanted_sets(draw: st.DrawFn) -> Wanted:
    tolerance = Decimal(draw(st.sampled_from(["0", "0.0005", "0.005"])))
    quotes = levels(
        Decimal(draw(st.integers(950, 1050))) / 10,
        half_spread=draw(st.integers(1, 8)),
        spacing=draw(st.integers(0, 5)),
        counts=(draw(st.integers(0, 5)), draw(st.integers(0, 5))),
        quantity=Decimal(draw(st.sampled_from(["0.5", "1", "1.01"]))),
    )
    return Wanted(quotes=quotes, tolerance=Tolerance(price_fraction=tolerance, quantity_fraction=tolerance * 100))


class ExecutorModel(RuleBasedStateMachine):
    """`view` is what the cycle was told, `there` what is so; `unread` is what the account was sent and has not read."""

    @initialize(
        may_amend=st.booleans(),
        money=st.sampled_from([(10_000, 100), (300, 3), (90, "0.9"), (10_000, "0.4"), (40, 100)]),
        limits=st.sampled_from([(None, None), (None, None), ("2.5", "2.5"), ("3", None), ("1.2", "4")]),
    )
    def begin(self, may_amend: bool, money: tuple[int, int | str], limits: tuple[str | None, str | None]) -> None:
        self.may_amend = may_amend
        net_buy_max, net_sell_max = (None if limit is None else Decimal(limit) for limit in limits)
        self.limits = StrategyLimits(net_buy_max=net_buy_max, net_sell_max=net_sell_max)
        self.tally = Tally()
        self.money = {Side.BUY: Decimal(money[0]), Side.SELL: Decimal(money[1])}
        self.wanted = Wanted()
        self.view: dict[str, Order] = {}
        self.there: dict[str, There] = {}
        self.unread: list[Order | AmendOrder] = []
        self.pending: list[Pending] = []
        self.not_amendable: set[str] = set()
        self.number = 0

    # What the program does

    @rule(wanted=wanted_sets())
    def want(self, wanted: Wanted) -> None:
        self.wanted = wanted

    @rule()
    def decide(self) -> None:
        self.carry_out(self.planned())

    @rule(wanted=wanted_sets())
    def decide_otherwise(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.decide()

    @property
    def room(self) -> Room:
        return room_of(self.limits, self.tally)

    def clipped(self) -> Wanted:
        return clipped(self.wanted, self.room, RULES)

    def planned(self) -> Plan:
        return plan(self.clipped(), self.view.values(), self.surroundings())

    def surroundings(self) -> Surroundings:
        available = {side: self.money[side] - sum((self.held(order) for order in self.live(side)), ZERO) for side in Side}
        return Surroundings(
            instrument=RULES,
            best_bid=None,
            best_ask=None,
            funds=Funds(quote_available=available[Side.BUY], base_available=available[Side.SELL]),
            room=self.room,
            may_amend=self.may_amend,
            asked=frozenset(command.client_order_id for command in self.unread),
            amending={command.client_order_id: command for command in self.unread if isinstance(command, AmendOrder)},
            not_amendable=frozenset(self.not_amendable),
        )

    def held(self, order: Order) -> Decimal:
        request = order.largest_request
        assert request.price is not None
        assert request.quantity is not None
        return (request.quantity - order.filled_quantity) * (request.price if request.side is Side.BUY else 1)

    def live(self, side: Side) -> list[Order]:
        return [order for order in self.view.values() if not order.is_terminal and order.request.side is side]

    def carry_out(self, found: Plan) -> None:
        wanted_count = {side: sum(quote.side is side for quote in self.wanted.quotes) for side in Side}
        for side in Side:
            placed = sum(placement.quote.side is side for placement in found.places)
            assert not placed or len(self.live(side)) + placed <= wanted_count[side], "never more live orders than wanted"
        slots = {slot_of(order) for order in self.view.values() if not order.is_terminal}
        for order in found.cancels:
            self.ask(order)
        for amendment in found.amends:
            assert self.may_amend
            self.ask(amendment)
        for placement in found.places:
            assert placement.slot not in slots, "a slot has one live order"
            slots.add(placement.slot)
            self.number += 1
            client_order_id = f"mm-btc-{self.number}"
            request = OrderRequest(
                client_order_id=client_order_id,
                owner="btc",
                symbol=BTC_USDT,
                side=placement.quote.side,
                type=OrderType.LIMIT,
                time_in_force=placement.quote.time_in_force,
                quantity=placement.quote.quantity,
                price=placement.quote.price,
                tag=tag_of(placement.slot),
            )
            self.view[client_order_id] = Order(request=request, sent=True)
            self.pending.append(Pending("place", client_order_id, placement.quote.price, placement.quote.quantity))

    def ask(self, command: Order | AmendOrder) -> None:
        """To cancel, or to amend. A placement is read at once: no decision is made before the account has spoken of it."""
        client_order_id = command.client_order_id
        assert self.is_at_rest(client_order_id)
        assert client_order_id not in {each.client_order_id for each in self.unread}
        self.unread.append(command)

    def is_at_rest(self, client_order_id: str) -> bool:
        return self.view[client_order_id].state in (OrderState.OPEN, OrderState.PARTIALLY_FILLED)

    # What the account does

    @precondition(lambda self: self.unread)
    @rule()
    def read(self) -> None:
        """The next command that is not read; of an order that is not at rest any more nothing is asked."""
        command = self.unread.pop(0)
        client_order_id = command.client_order_id
        if not self.is_at_rest(client_order_id):
            return
        if isinstance(command, AmendOrder):
            unseen = UnseenAmendment(price=command.price, quantity=command.quantity)
            self.tell(client_order_id, state=OrderState.PENDING_AMEND, unseen_amendments=(unseen,))
            self.pending.append(Pending("amend", client_order_id, command.price, command.quantity))
        else:
            self.tell(client_order_id, state=OrderState.PENDING_CANCEL, cancel_wanted=True)
            self.pending.append(Pending("cancel", client_order_id))

    def read_all(self) -> None:
        while self.unread:
            self.read()

    def tell(self, client_order_id: str, **changes: object) -> None:
        self.view[client_order_id] = replace(self.view[client_order_id], **changes)

    # What the exchange does

    @precondition(lambda self: self.pending)
    @rule(data=st.data(), outcome=st.sampled_from(["answered", "answered", "refused", "answer lost", "never arrived"]))
    def process(self, data: st.DataObject, outcome: str) -> None:
        """One of the requests under way, in any order, comes to something."""
        index = data.draw(st.integers(0, len(self.pending) - 1))
        self.settle(self.pending.pop(index), outcome)

    def settle(self, request: Pending, outcome: str) -> None:
        if outcome in ("answered", "answer lost"):
            self.obey(request)
        if self.view[request.client_order_id].is_terminal:
            return
        if outcome in ("answer lost", "never arrived"):
            self.tell(request.client_order_id, state=OrderState.UNKNOWN)
            return
        if outcome == "refused" and request.kind == "amend":
            self.not_amendable.add(request.client_order_id)
        if outcome == "refused" and request.kind == "place":
            self.tell(request.client_order_id, state=OrderState.REJECTED)
            return
        self.resolve(request.client_order_id)

    def obey(self, request: Pending) -> None:
        order = self.view[request.client_order_id]
        if request.kind == "place":
            assert request.price is not None
            assert request.quantity is not None
            self.there[request.client_order_id] = There(order.request.side, request.price, request.quantity)
            return
        there = self.there.get(request.client_order_id)
        if there is None or not there.is_live:
            return
        if request.kind == "cancel":
            there.is_live = False
            return
        there.price = request.price or there.price
        there.quantity = request.quantity or there.quantity
        if there.quantity <= there.filled:
            there.is_live = False

    def resolve(self, client_order_id: str) -> None:
        """The account is told how the order stands. A cancel that the exchange did not obey is asked for again."""
        there, order = self.there.get(client_order_id), self.view[client_order_id]
        if there is None:
            if not any(each.client_order_id == client_order_id and each.kind == "place" for each in self.pending):
                self.tell(client_order_id, state=OrderState.REJECTED)
            return
        if not there.is_live:
            state = OrderState.FILLED if there.filled >= there.quantity else OrderState.CANCELLED
        elif order.cancel_wanted:
            state = OrderState.PENDING_CANCEL
            if not any(each.client_order_id == client_order_id for each in self.pending):
                self.pending.append(Pending("cancel", client_order_id))
        else:
            state = OrderState.PARTIALLY_FILLED if there.filled else OrderState.OPEN
        request = replace(order.request, price=there.price, quantity=there.quantity)
        self.tell(client_order_id, request=request, state=state, filled_quantity=there.filled, unseen_amendments=())

    @precondition(lambda self: any(order.state is OrderState.UNKNOWN for order in self.view.values()))
    @rule(data=st.data())
    def answer_inquiry(self, data: st.DataObject) -> None:
        unknown = [order.client_order_id for order in self.view.values() if order.state is OrderState.UNKNOWN]
        client_order_id = data.draw(st.sampled_from(unknown))
        if not any(each.client_order_id == client_order_id for each in self.pending):
            self.resolve(client_order_id)

    @rule()
    def all_is_answered(self) -> None:
        self.read_all()
        while self.pending:
            self.settle(self.pending.pop(0), "answered")
        for name in [name for name, order in self.view.items() if order.state is OrderState.UNKNOWN]:
            self.resolve(name)

    @precondition(lambda self: any(there.is_live for there in self.there.values()))
    @rule(data=st.data(), part=st.sampled_from(["0.1", "0.5", "1"]))
    def fill(self, data: st.DataObject, part: str) -> None:
        client_order_id = data.draw(st.sampled_from([name for name, there in self.there.items() if there.is_live]))
        there, order = self.there[client_order_id], self.view[client_order_id]
        quantity = RULES.round_quantity_up((there.quantity - there.filled) * Decimal(part))
        there.filled += quantity
        if there.filled >= there.quantity:
            there.is_live = False
        trade = trade_of(order.request.side, quantity, number=self.tally.trades)
        self.tally = self.tally.after_fill(trade)
        if there.filled >= there.quantity and not order.unseen_amendments:
            state = OrderState.FILLED
        else:
            state = OrderState.PARTIALLY_FILLED if order.state in (OrderState.PENDING_NEW, OrderState.OPEN) else order.state
        self.tell(client_order_id, state=state, filled_quantity=there.filled, fills=(*order.fills, trade))
        if not there.is_live and not self.view[client_order_id].is_terminal:
            self.resolve(client_order_id)

    # What must be so

    @invariant()
    def none_of_ours_would_trade_with_another(self) -> None:
        bids = [there.price for there in self.there.values() if there.is_live and there.side is Side.BUY]
        asks = [there.price for there in self.there.values() if there.is_live and there.side is Side.SELL]
        assert not bids or not asks or max(bids) < min(asks)

    @invariant()
    def slot_has_one_live_order(self) -> None:
        slots = [slot_of(self.view[name]) for name, there in self.there.items() if there.is_live]
        assert len(slots) == len(set(slots))

    @invariant()
    def limits_hold_whatever_the_exchange_fills_of_what_is_open(self) -> None:
        net = self.tally.traded.quantity
        for side, most in ((Side.BUY, self.limits.net_buy_max), (Side.SELL, self.limits.net_sell_max)):
            open_quantity = sum(
                (there.quantity - there.filled for there in self.there.values() if there.is_live and there.side is side), ZERO
            )
            assert most is None or (net if side is Side.BUY else -net) + open_quantity <= most

    @rule()
    def calm_down(self) -> None:
        """From now on everything is answered: the wanted set is reached, and then nothing is sent."""
        for _ in range(STEPS_MAX):
            self.all_is_answered()
            if self.pending:
                continue
            found = self.planned()
            if not (found.cancels or found.amends or found.places):
                assert not found.is_waiting or self.limits != StrategyLimits(), "what is waited for comes"
                self.check_reached()
                return
            self.carry_out(found)
        raise AssertionError(f"not reached within {STEPS_MAX} steps; it still sends {self.planned()}")

    def check_reached(self) -> None:
        for side in Side:
            if self.room.of(side).quantity is not None and self.wanted.tolerance != Tolerance():
                continue  # what is left larger than it is wanted takes room that another lacks, until it ends
            quotes = [quote for quote in self.clipped().quotes if quote.side is side]
            pairs = pair_nearest(self.live(side), quotes, partial(fits, tolerance=self.wanted.tolerance))
            funds = self.surroundings().funds
            spendable = funds.quote_available if side is Side.BUY else funds.base_available
            assert spendable is not None
            if quotes and not pairs:
                self.check_made_small(min(quotes, key=lambda quote: quote.level), spendable)
                continue
            assert len(pairs) == len(self.live(side)), "nothing is live that is not wanted"
            left_out = [quote for quote in quotes if not any(pair.quote is quote for pair in pairs)]
            if left_out:
                best = min(left_out, key=lambda quote: quote.level)
                is_paid_for = spendable >= best.quantity * (best.price if side is Side.BUY else 1)
                has_room = Allowance(self.room, self.view.values()).covers(best)
                assert not (is_paid_for and has_room), "only what funds and limits do not cover is left out"

    def check_made_small(self, best: Quote, spendable: Decimal) -> None:
        """Nothing fits the quotes of a side: the best is there as far as funds cover it."""
        unit = best.price if best.side is Side.BUY else Decimal(1)
        live = self.live(best.side)
        if not live:
            part = RULES.round_quantity_down(spendable / unit)
            assert not is_tradable(part, best.price, RULES), "a side is not left empty for want of funds"
            return
        assert len(live) == 1, "one order is made small, and there is nothing beyond it"
        assert fits_but_is_smaller(live[0], best, self.wanted.tolerance)
        assert spendable + self.held(live[0]) < best.quantity * unit, "it is small only while funds do not cover the whole"

    def teardown(self) -> None:
        if hasattr(self, "view"):
            self.calm_down()


TestExecutorModel = ExecutorModel.TestCase
TestExecutorModel.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["0.2", "0.5", "1"]), st.booleans()), min_size=3, max_size=6),
    st.sampled_from(["1", "1.5", "2.5"]),
)
def test_limits_hold_of_decisions_that_are_made_before_the_account_has_read_those_before(
    decisions: list[tuple[int, str, bool]], most: str
) -> None:
    model = ExecutorModel()
    model.begin(may_amend=True, money=(10_000, 100), limits=(most, most))
    for count, quantity, is_read in decisions:
        quotes = levels(Decimal(100), half_spread=5, spacing=1, counts=(count, count), quantity=Decimal(quantity))
        model.decide_otherwise(wanted=Wanted(quotes=quotes))
        if is_read:
            model.all_is_answered()
    model.all_is_answered()
    model.limits_hold_whatever_the_exchange_fills_of_what_is_open()
