"""The engine against a matcher so naive that it is plainly right: it looks at every order, every time."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from engine_world import BUY, FOK, GTC, IOC, POST_ONLY, EngineWorld
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from market.events import Side
from simulated.engine.events import TradeMade
from simulated.engine.invariants import check_invariants
from simulated.engine.order import OrderRefused, Refusal, SelfTrade, TimeInForce

Fill = tuple[int, Decimal, Decimal]


@dataclass
class Resting:
    id: int
    account: str
    side: Side
    price: Decimal
    left: Decimal
    arrival: int


@dataclass
class NaiveMatcher:
    """Resting orders in a list, matched by looking for the best one again and again."""

    resting: list[Resting] = field(default_factory=list[Resting])
    arrivals: int = 0

    def candidates(self, side: Side, price: Decimal) -> list[Resting]:
        opposite = [order for order in self.resting if order.side is not side]
        if side is BUY:
            return sorted((order for order in opposite if order.price <= price), key=lambda order: (order.price, order.arrival))
        return sorted((order for order in opposite if order.price >= price), key=lambda order: (-order.price, order.arrival))

    def match(self, account: str, side: Side, price: Decimal, left: Decimal, policy: SelfTrade) -> tuple[list[Fill], Decimal, bool]:
        """The fills, what is left, and whether the incoming order was stopped by its own account."""
        fills: list[Fill] = []
        while left and (found := self.candidates(side, price)):
            best = found[0]
            if best.account == account and policy is not SelfTrade.ALLOW:
                if policy is not SelfTrade.CANCEL_NEWEST:
                    self.resting.remove(best)
                if policy is not SelfTrade.CANCEL_OLDEST:
                    return fills, left, True
                continue
            quantity = min(left, best.left)
            fills.append((best.id, best.price, quantity))
            left -= quantity
            best.left -= quantity
            if not best.left:
                self.resting.remove(best)
        return fills, left, False

    def rest(self, id_: int, account: str, side: Side, price: Decimal, left: Decimal) -> None:
        self.arrivals += 1
        self.resting.append(Resting(id_, account, side, price, left, self.arrivals))

    def find(self, id_: int) -> Resting | None:
        return next((order for order in self.resting if order.id == id_), None)


ACCOUNTS = st.sampled_from(["ann", "bob", "cid"])
PRICES = st.integers(995, 1005).map(lambda ticks: Decimal(ticks) / 10)
QUANTITIES = st.integers(1, 4000).map(lambda steps: Decimal(steps) / 1000)
BIG_ENOUGH = Decimal("0.011")  # below it the minimum notional of 1 refuses, which is tested elsewhere


class EngineAgainstNaiveMatcher(RuleBasedStateMachine):
    orders = Bundle("orders")

    def __init__(self) -> None:
        super().__init__()
        self.world = EngineWorld()
        self.naive = NaiveMatcher()

    def fills_of(self, order_id: int, seen: int) -> list[Fill]:
        trades = [event.trade for event in self.world.events[seen:] if isinstance(event, TradeMade)]
        assert all(trade.taker.order_id == order_id for trade in trades)
        return [(trade.maker.order_id, trade.price, trade.quantity) for trade in trades]

    @rule(
        target=orders,
        account=ACCOUNTS,
        side=st.sampled_from(Side),
        price=PRICES,
        quantity=QUANTITIES,
        time_in_force=st.sampled_from([GTC, GTC, IOC, FOK, POST_ONLY]),
        policy=st.sampled_from(SelfTrade),
    )
    def place(self, account: str, side: Side, price: Decimal, quantity: Decimal, time_in_force: TimeInForce, policy: SelfTrade) -> object:
        quantity = max(quantity, BIG_ENOUGH)
        seen = len(self.world.events)
        try:
            order = self.world.limit(account, side, str(price), str(quantity), time_in_force, self_trade=policy)
        except OrderRefused as refused:
            self.refusal_is_right(refused.refusal, account, side, price, quantity, policy)
            return multiple()
        assert time_in_force is not POST_ONLY or not self.naive.candidates(side, price)
        fills, left, stopped = self.naive.match(account, side, price, quantity, policy)
        assert self.fills_of(order.id, seen) == fills
        assert time_in_force is not FOK or not left
        if left and not stopped and time_in_force in (GTC, POST_ONLY):
            self.naive.rest(order.id, account, side, price, left)
        assert order.is_open == (self.naive.find(order.id) is not None)
        return order.id

    def refusal_is_right(self, refusal: Refusal, account: str, side: Side, price: Decimal, quantity: Decimal, policy: SelfTrade) -> None:
        candidates = self.naive.candidates(side, price)
        if refusal is Refusal.WOULD_TAKE:
            assert candidates
        elif refusal is Refusal.NOT_FILLABLE:
            reachable = Decimal(0)
            for order in candidates:
                if order.account == account and policy is not SelfTrade.ALLOW:
                    if policy is SelfTrade.CANCEL_OLDEST:
                        continue
                    break
                reachable += order.left
            assert reachable < quantity
        else:
            raise AssertionError(f"{refusal} for an order that keeps every rule and can be paid")

    @rule(account=ACCOUNTS, amount=st.integers(1, 900))
    def spend(self, account: str, amount: int) -> None:
        """A market buy by quote, against the definition: walk the asks, buy whole steps while the money lasts."""
        policy = self.world.engine.accounts[account].self_trade
        left, expected = Decimal(amount), list[Fill]()
        for maker in self.naive.candidates(BUY, Decimal(10**9)):
            if maker.account == account and policy is SelfTrade.CANCEL_NEWEST:
                break
            quantity = min(maker.left, (left / maker.price).quantize(Decimal("0.001"), rounding="ROUND_DOWN"))
            if not quantity:
                break
            expected.append((maker.id, maker.price, quantity))
            left -= quantity * maker.price
            if quantity < maker.left:
                break
        seen = len(self.world.events)
        order = self.world.spend(account, str(amount))
        assert self.fills_of(order.id, seen) == expected
        assert (order.filled_notional, order.locked, order.is_open) == (amount - left, 0, False)
        for maker_id, _, quantity in expected:
            maker = self.naive.find(maker_id)
            assert maker is not None
            maker.left -= quantity
            if not maker.left:
                self.naive.resting.remove(maker)

    @rule(order_id=consumes(orders))
    def cancel(self, order_id: int) -> None:
        resting = self.naive.find(order_id)
        if resting is None:
            return
        self.world.engine.cancel(order_id, self.world.now)
        self.naive.resting.remove(resting)

    @rule(order_id=orders, price=PRICES, quantity=QUANTITIES, change_price=st.booleans(), change_quantity=st.booleans())
    def amend(self, order_id: int, price: Decimal, quantity: Decimal, change_price: bool, change_quantity: bool) -> None:
        resting = self.naive.find(order_id)
        if resting is None:
            return
        order = self.world.engine.orders[order_id]
        old_price, old_quantity, filled, policy = order.price, order.quantity, order.filled_quantity, order.self_trade
        new_price = price if change_price else old_price
        new_quantity = max(quantity, BIG_ENOUGH) if change_quantity else old_quantity
        seen = len(self.world.events)
        try:
            self.world.engine.amend(
                order_id, self.world.now, price=new_price if change_price else None, quantity=new_quantity if change_quantity else None
            )
        except OrderRefused as refused:
            refusal = refused.refusal
        else:
            refusal = None
        if refusal is not None:
            unchanged = (new_price, new_quantity) == (old_price, old_quantity)
            assert unchanged == (refusal is Refusal.NO_CHANGE)
            assert refusal is not Refusal.QUANTITY_TOO_SMALL or new_quantity <= filled
            assert (order.price, order.quantity) == (old_price, old_quantity)
            return
        left = new_quantity - filled
        if new_price == old_price and new_quantity < old_quantity:
            resting.left = left
            assert self.fills_of(order_id, seen) == []
            return
        self.naive.resting.remove(resting)
        fills, left, stopped = self.naive.match(order.account, order.side, new_price, left, policy)
        assert self.fills_of(order_id, seen) == fills
        if left and not stopped:
            self.naive.rest(order_id, order.account, order.side, new_price, left)

    @invariant()
    def money_and_orders_are_conserved(self) -> None:
        check_invariants(self.world.engine)

    @invariant()
    def both_hold_the_same_orders(self) -> None:
        engine = self.world.engine
        held = {
            order.id: (order.account, order.side, order.price, order.remaining_quantity)
            for account in engine.accounts.values()
            for order in account.open_orders.values()
        }
        assert held == {order.id: (order.account, order.side, order.price, order.left) for order in self.naive.resting}


TestEngineAgainstNaiveMatcher = EngineAgainstNaiveMatcher.TestCase
TestEngineAgainstNaiveMatcher.settings = settings(max_examples=60, stateful_step_count=40)
