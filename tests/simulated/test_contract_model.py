"""Positions against book-keeping so naive that it is plainly right: what went in, what came out, what is open at which price.

The model knows nothing of cost, realised profit or margin. It takes from the engine who traded with whom at which price
(`test_matching_model` is about that), and reckons with fractions.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction

from contract_world import BTC, BUY, ETH, FOK, GTC, IOC, POST_ONLY, SELL, ContractWorld
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from market.events import Side
from market.symbol import Symbol
from simulated.engine.events import BalanceChanged, BalanceReason, FundingPaid, Liquidated, TradeMade
from simulated.engine.order import Order, OrderKind, OrderRefused, Refusal, SelfTrade, TimeInForce
from simulated.engine.position import Position

CLIENTS = ("ann", "bob", "cid")
EVERYBODY = (*CLIENTS, "house", "insurance", "fees")
FEES = {"ann": (Fraction("0.0002"), Fraction("0.0005"))}
STEP = Fraction("0.001")
MAINTENANCE = Fraction("0.005")
ROUNDING = Fraction(1, 10**9)

SYMBOLS = st.sampled_from([BTC, BTC, ETH])
PRICES = st.one_of(st.integers(97, 103), st.integers(905, 1095).map(lambda ticks: ticks / Decimal(10))).map(Decimal)
QUANTITIES = st.one_of(st.integers(1, 20_000), st.sampled_from([1, 7, 1_000, 60_000])).map(lambda steps: steps * Decimal("0.001"))

INDICES = st.integers(0, 11)
PERCENTS = st.one_of(st.integers(1, 100), st.sampled_from([100, 101, 150]))


@dataclass
class Held:
    """What went into a position and what came out of it: as if every fill had been paid in cash."""

    cash: Fraction = Fraction(0)
    quantity: Fraction = Fraction(0)


class EngineAgainstNaiveBookkeeping(RuleBasedStateMachine):
    orders = Bundle("orders")

    def __init__(self) -> None:
        super().__init__()
        self.world = ContractWorld()
        self.engine = self.world.engine
        self.world.leverage("bob", "10", is_cross=False)
        self.world.leverage("ann", "20", is_cross=False, symbol=ETH)
        self.seen = len(self.world.events)
        self.wallets: dict[str, Fraction] = defaultdict(Fraction, dict.fromkeys(CLIENTS, Fraction(400)), house=Fraction(10**9))
        self.held: dict[tuple[str, Symbol], Held] = defaultdict(Held)
        self.marks: dict[Symbol, Fraction] = {BTC: Fraction(100), ETH: Fraction(100)}
        for symbol in (BTC, ETH):
            self.world.limit("house", BUY, "99.3", "20", symbol=symbol)
            self.world.limit("house", SELL, "100.9", "20", symbol=symbol)
        for account in CLIENTS:
            self.engine.withdraw(account, "USDT", Decimal(600), self.world.now)
        for account, side, symbol in (("ann", BUY, BTC), ("bob", SELL, BTC), ("cid", BUY, BTC), ("cid", SELL, ETH), ("ann", BUY, ETH)):
            self.world.deal(account, side, "100.1", "5.003", symbol=symbol)
        self.take_in()

    # -- the model ----------------------------------------------------------------------------------------------------

    def take_in(self) -> None:
        """Book what the engine has told since the last time."""
        events, self.seen = self.world.events[self.seen :], len(self.world.events)
        for event in events:
            if isinstance(event, TradeMade):
                trade = event.trade
                for party, side, role in ((trade.taker, trade.taker_side, 1), (trade.maker, trade.taker_side.opposite, 0)):
                    change = Fraction(trade.quantity) if side is BUY else -Fraction(trade.quantity)
                    fee = FEES.get(party.account, (Fraction(0), Fraction(0)))[role] * Fraction(trade.notional)
                    held = self.held[party.account, trade.symbol]
                    order = self.engine.orders.get(party.order_id)
                    if order is not None and order.reduce_only:
                        assert abs(held.quantity + change) < abs(held.quantity), "a reduce-only order made a position larger"
                        assert held.quantity * (held.quantity + change) >= 0, "a reduce-only order turned a position"
                    held.cash -= change * Fraction(trade.price)
                    held.quantity += change
                    self.wallets[party.account] -= fee
                    self.wallets["fees"] += fee
            elif isinstance(event, BalanceChanged) and event.reason is BalanceReason.INSURANCE:
                assert event.available_change > 0
                self.wallets[event.account] += Fraction(event.available_change)
                self.wallets["insurance"] -= Fraction(event.available_change)

    def worth(self, account: str, symbols: tuple[Symbol, ...] = (BTC, ETH)) -> Fraction:
        """All that the account would have if everything were closed at mark prices."""
        held = [(self.held[account, symbol], self.marks[symbol]) for symbol in symbols]
        return self.wallets[account] + sum(one.cash + one.quantity * mark for one, mark in held)

    def needed(self, account: str, side: Side, price: Decimal | None, quantity: Decimal, symbol: Symbol) -> Fraction:
        """The margin of an order, step by step of its quantity: what each step would trade at, those left out that only reduce."""
        position = self.held[account, symbol].quantity
        reduces = abs(position) if position * (1 if side is BUY else -1) < 0 else Fraction(0)
        for order in self.engine.accounts[account].open_orders.values():
            if order.symbol == symbol and order.side is side and not order.reduce_only:
                reduces = max(Fraction(0), reduces - Fraction(order.remaining_quantity))
        steps: list[Fraction] = []
        wanted = int(Fraction(quantity) / STEP)
        for level, there in self.engine.books[symbol].side(side.opposite).levels():
            if price is None or (side is SELL and level >= price):
                steps += [Fraction(level)] * int(Fraction(there) / STEP)
        if price is not None:
            steps += [Fraction(price)] * max(0, wanted - len(steps))
        steps = steps[:wanted][int(reduces / STEP) :]
        taker_fee = FEES.get(account, (Fraction(0), Fraction(0)))[1]
        return sum(steps, Fraction(0)) * STEP * (1 / Fraction(self.engine.position(account, symbol).leverage) + taker_fee)

    def some_position(self, index: int) -> Position | None:
        positions = [position for account in CLIENTS for position in self.engine.open_positions(account)]
        return positions[index % len(positions)] if positions else None

    def nobody_is_due(self) -> None:
        for account in CLIENTS:
            positions = self.engine.open_positions(account)
            isolated = [one for one in positions if not one.is_cross]
            for one in isolated:
                held, mark = self.held[account, one.symbol], self.marks[one.symbol]
                left = Fraction(one.margin) + held.quantity * mark - Fraction(one.cost)
                assert left > MAINTENANCE * abs(held.quantity) * mark
            cross = tuple(one.symbol for one in positions if one.is_cross)
            if cross:
                behind = self.worth(account) - sum(Fraction(one.margin) + Fraction(self.engine.unrealised_pnl(one)) for one in isolated)
                assert behind > sum(MAINTENANCE * abs(self.held[account, symbol].quantity) * self.marks[symbol] for symbol in cross)

    # -- what is done -------------------------------------------------------------------------------------------------

    @rule(price=PRICES, quantity=QUANTITIES, side=st.sampled_from(Side), symbol=SYMBOLS)
    def quote(self, price: Decimal, quantity: Decimal, side: Side, symbol: Symbol) -> None:
        """The house offers something, so that there is a book to trade with."""
        self.submit("house", side, price, quantity, GTC, False, SelfTrade.CANCEL_OLDEST, symbol)

    @rule(
        target=orders,
        account=st.sampled_from(CLIENTS),
        side=st.sampled_from(Side),
        price=PRICES,
        quantity=QUANTITIES,
        time_in_force=st.sampled_from([GTC, GTC, GTC, IOC, FOK, POST_ONLY]),
        reduce_only=st.sampled_from([False, False, False, True]),
        policy=st.sampled_from(SelfTrade),
        symbol=SYMBOLS,
    )
    def place(
        self,
        account: str,
        side: Side,
        price: Decimal,
        quantity: Decimal,
        time_in_force: TimeInForce,
        reduce_only: bool,
        policy: SelfTrade,
        symbol: Symbol,
    ) -> object:
        return self.submit(account, side, price, quantity, time_in_force, reduce_only, policy, symbol)

    @rule(account=st.sampled_from(CLIENTS), side=st.sampled_from(Side), quantity=QUANTITIES, symbol=SYMBOLS)
    def take(self, account: str, side: Side, quantity: Decimal, symbol: Symbol) -> None:
        self.submit(account, side, None, quantity, IOC, False, SelfTrade.CANCEL_OLDEST, symbol)

    @rule(
        target=orders,
        index=INDICES,
        price=st.none() | PRICES,
        percent=PERCENTS,
        reduce_only=st.sampled_from([True, True, False]),
    )
    def reduce(self, index: int, price: Decimal | None, percent: int, reduce_only: bool) -> object:
        position = self.some_position(index)
        if position is None:
            return multiple()
        quantity = (abs(position.quantity) * percent / 100).quantize(Decimal("0.001"), ROUND_CEILING)
        side = position.closing_side
        return self.submit(position.account, side, price, quantity, GTC, reduce_only, SelfTrade.CANCEL_OLDEST, position.symbol)

    @rule(index=INDICES, price=PRICES, percent=PERCENTS)
    def close(self, index: int, price: Decimal, percent: int) -> None:
        """The house takes over a part of somebody's position, who may have orders that were to reduce it."""
        position = self.some_position(index)
        if position is not None:
            quantity = (abs(position.quantity) * percent / 100).quantize(Decimal("0.001"), ROUND_CEILING)
            self.submit("house", position.closing_side.opposite, price, quantity, GTC, False, SelfTrade.CANCEL_OLDEST, position.symbol)
            self.submit(position.account, position.closing_side, price, quantity, IOC, False, SelfTrade.CANCEL_OLDEST, position.symbol)

    def submit(
        self,
        account: str,
        side: Side,
        price: Decimal | None,
        quantity: Decimal,
        time_in_force: TimeInForce,
        reduce_only: bool,
        policy: SelfTrade,
        symbol: Symbol,
    ) -> object:
        """Place the order, or see it refused, for the right reason."""
        available = Fraction(self.engine.available(account, "USDT"))
        needed = Fraction(0) if reduce_only else self.needed(account, side, price, quantity, symbol)
        held = self.held[account, symbol].quantity
        reducible = abs(held) if held * (1 if side is BUY else -1) < 0 else Fraction(0)
        refusal: Refusal | None = None
        order: Order | None = None
        try:
            if price is None:
                order = self.world.market(account, side, str(quantity), symbol=symbol, reduce_only=reduce_only, self_trade=policy)
            else:
                order = self.world.limit(
                    account, side, str(price), str(quantity), time_in_force, symbol=symbol, reduce_only=reduce_only, self_trade=policy
                )
        except OrderRefused as refused:
            refusal = refused.refusal
        self.take_in()
        if order is None:
            if refusal is Refusal.BALANCE_NOT_ENOUGH:
                assert needed > available - ROUNDING
            elif refusal is Refusal.WOULD_INCREASE_POSITION:
                assert reduce_only
                assert not reducible or Fraction(quantity) > reducible
            else:
                assert refusal in (Refusal.WOULD_TAKE, Refusal.NOT_FILLABLE)
            return multiple()
        assert account == "house" or needed <= available + ROUNDING
        assert not reduce_only or reducible
        assert not reduce_only or price is None or time_in_force is IOC or Fraction(quantity) <= reducible
        return order.id

    @rule(order_id=orders)
    def cancel(self, order_id: int) -> None:
        order = self.engine.orders.get(order_id)
        if order is not None and order.is_open:
            self.engine.cancel(order_id, self.world.now)

    @rule(order_id=orders, price=PRICES, quantity=QUANTITIES)
    def amend(self, order_id: int, price: Decimal, quantity: Decimal) -> None:
        order = self.engine.orders.get(order_id)
        if order is None or not order.is_open or order.kind is OrderKind.MARKET:
            return
        before = (order.price, order.quantity)
        try:
            self.engine.amend(order_id, self.world.now, price=price, quantity=quantity)
        except OrderRefused:
            assert (order.price, order.quantity) == before
        self.take_in()

    @rule(account=st.sampled_from(CLIENTS), leverage=st.sampled_from([1, 3, 7, 10, 25, 90]), is_cross=st.booleans(), symbol=SYMBOLS)
    def set_leverage(self, account: str, leverage: int, is_cross: bool, symbol: Symbol) -> None:
        position = self.engine.position(account, symbol)
        before = (position.leverage, position.is_cross, self.world.locked(account))
        try:
            self.world.leverage(account, str(leverage), is_cross=is_cross, symbol=symbol)
        except OrderRefused as refused:
            refusal = refused.refusal
        else:
            refusal = None
        orders = [order for order in self.engine.accounts[account].open_orders.values() if order.symbol == symbol]
        in_the_way = is_cross != before[1] and (position.is_open or bool(orders))
        assert in_the_way == (refusal is Refusal.POSITION_IN_THE_WAY)
        if refusal is None:
            assert (position.leverage, position.is_cross) == (leverage, is_cross)
        else:
            assert (position.leverage, position.is_cross, self.world.locked(account)) == before

    @rule(price=PRICES, symbol=SYMBOLS)
    def move_mark(self, price: Decimal, symbol: Symbol) -> None:
        self.marks[symbol] = Fraction(price)
        self.world.mark(str(price), symbol)
        self.take_in()
        self.nobody_is_due()

    @rule(index=INDICES)
    def move_mark_to_liquidate(self, index: int) -> None:
        for symbol, mark in self.marks.items():
            self.world.mark(str(Decimal(mark.numerator) / mark.denominator), symbol)  # whoever is due by trades since the last move
        self.take_in()
        position = self.some_position(index)
        if position is None:
            return
        account, symbol = position.account, position.symbol
        price = self.engine.liquidation_price(position)
        if price is None:
            return
        # A tick before its price it is not liquidated, at its price it is.
        short_of_it = price + (Decimal("0.1") if position.quantity > 0 else Decimal("-0.1"))
        if short_of_it > 0 and (early := self.liquidated_at(short_of_it, symbol)):
            assert early[0] != account, f"{account} was liquidated before {price}"
            return  # somebody else was, which may have changed this position
        assert self.liquidated_at(price, symbol), f"{account} should be, at {price}"

    def liquidated_at(self, mark_price: Decimal, symbol: Symbol) -> list[str]:
        """Who is liquidated when the mark price moves there."""
        seen = len(self.world.events)
        self.move_mark(mark_price, symbol)
        return [event.account for event in self.world.events[seen:] if isinstance(event, Liquidated)]

    @rule(rate=st.integers(-3000, 3000).map(lambda rate: rate * Decimal("0.0000137")), symbol=SYMBOLS)
    def pay_funding(self, rate: Decimal, symbol: Symbol) -> None:
        due = {account: -self.held[account, symbol].quantity * self.marks[symbol] * Fraction(rate) for account in EVERYBODY}
        assert sum(due.values()) == 0
        seen = self.seen
        self.engine.pay_funding(symbol, rate, self.world.now)
        paid = {event.account: Fraction(event.amount) for event in self.world.events[seen:] if isinstance(event, FundingPaid)}
        assert paid == {account: due[account] for account in CLIENTS if self.held[account, symbol].quantity}
        for account, amount in due.items():
            self.wallets[account] += amount
        self.take_in()
        self.nobody_is_due()

    @rule(account=st.sampled_from(CLIENTS), amount=st.integers(1, 300))
    def move_money(self, account: str, amount: int) -> None:
        """A withdrawal where it is possible, else a deposit."""
        try:
            self.engine.withdraw(account, "USDT", Decimal(amount), self.world.now)
        except OrderRefused:
            self.engine.deposit(account, "USDT", Decimal(amount), self.world.now)
            self.wallets[account] += amount
        else:
            self.wallets[account] -= amount

    def teardown(self) -> None:
        """Close everything: what was realised on the way is what went in and came out, to the last digit."""
        for account in CLIENTS:
            for order in list(self.engine.accounts[account].open_orders.values()):
                self.engine.cancel(order.id, self.world.now)
        for order in list(self.engine.accounts["house"].open_orders.values()):
            self.engine.cancel(order.id, self.world.now)
        for account in CLIENTS:
            for position in self.engine.open_positions(account):
                side, quantity = position.closing_side, str(abs(position.quantity))
                self.world.deal(account, side, "100.3", quantity, symbol=position.symbol)
                self.take_in()
        self.both_hold_the_same()
        for account in CLIENTS:
            assert self.engine.open_positions(account) == []
            assert self.world.locked(account) == 0
            assert Fraction(self.world.wallet(account)) == self.worth(account)

    # -- what holds after every step ----------------------------------------------------------------------------------

    @invariant()
    def both_hold_the_same(self) -> None:
        self.world.check()
        for account in EVERYBODY:
            wallet = Fraction(self.world.wallet(account))
            for symbol in (BTC, ETH):
                held, position = self.held[account, symbol], self.engine.position(account, symbol)
                assert Fraction(position.quantity) == held.quantity
                assert Fraction(self.engine.unrealised_pnl(position)) == held.quantity * self.marks[symbol] - Fraction(position.cost)
                wallet -= Fraction(position.cost)
            assert wallet == self.wallets[account] + self.held[account, BTC].cash + self.held[account, ETH].cash

    @invariant()
    def insurance_has_what_liquidations_left(self) -> None:
        if not any(isinstance(event, Liquidated) for event in self.world.events):
            assert self.engine.open_positions("insurance") == []


TestEngineAgainstNaiveBookkeeping = EngineAgainstNaiveBookkeeping.TestCase
TestEngineAgainstNaiveBookkeeping.settings = settings(max_examples=60, stateful_step_count=40)
