"""The ledger against a model exchange whose words arrive late, twice, out of order or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import ROUND_UP, Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, precondition, rule

from market.events import Side
from market.symbol import Symbol
from orders.events import ForeignFillSeen, ImpossibleTransition, OrderChanged, OrderFilled
from orders.ledger import AccountLedger
from orders.life_cycle import OrderInput, OrderState
from orders.order import ZERO, Order, add_fill
from orders.reports import FillReport, OrderReport, ReportedStatus
from orders.request import OrderRequest, OrderType, TimeInForce

SYMBOLS = (Symbol("BTC", "USDT"), Symbol("ETH", "USDT"))
CENT = Decimal("0.01")
ENDS = [ReportedStatus.CANCELLED, ReportedStatus.EXPIRED, ReportedStatus.REJECTED]

picks = st.integers(0, 10**6)
quantities = st.integers(1, 500).map(lambda cents: cents * CENT)
prices = st.integers(1, 20_000).map(lambda cents: cents * CENT)
fees = st.tuples(st.integers(-3, 9).map(lambda parts: parts * Decimal("0.0001")), st.sampled_from(["BTC", "USDT", "GT"]))
fates = st.sampled_from(["answered", "answered", "lost"])


@dataclass
class ExchangeOrder:
    """An order as it really is."""

    exchange_order_id: str
    client_order_id: str | None
    symbol: Symbol
    side: Side
    price: Decimal
    quantity: Decimal
    status: ReportedStatus = ReportedStatus.OPEN
    fills: list[FillReport] = field(default_factory=list)
    changed_at: int = 0

    @property
    def filled(self) -> Decimal:
        return sum((fill.quantity for fill in self.fills), ZERO)

    @property
    def is_open(self) -> bool:
        return self.status is ReportedStatus.OPEN

    def report(self) -> OrderReport:
        return OrderReport(
            exchange_order_id=self.exchange_order_id,
            client_order_id=self.client_order_id,
            symbol=self.symbol,
            side=self.side,
            status=self.status,
            filled_quantity=self.filled,
            filled_quote=sum((fill.quantity * fill.price for fill in self.fills), ZERO),
            price=self.price,
            quantity=self.quantity,
            exchange_time_milliseconds=self.changed_at,
        )


@dataclass(eq=False)
class Word:
    """What the exchange says, on its way. A report may come twice or never; the loss of an answer is noticed."""

    take: Callable[[], None]
    is_report: bool = True


class LedgerAgainstExchange(RuleBasedStateMachine):
    """Requests travel to the exchange (`placing`, `cancelling`, `amending`), its words travel back (`words`)."""

    placing = Bundle("placing")  # client order ids of placements that may still reach the exchange
    cancelling = Bundle("cancelling")
    amending = Bundle("amending")

    def __init__(self) -> None:
        super().__init__()
        self.ledger = AccountLedger(account="main", installation="mm")
        self.exchange: list[ExchangeOrder] = []
        self.words: list[Word] = []
        self.refused: set[str] = set()  # the exchange will never accept these placements
        self.on_its_way: set[str] = set()
        self.asked: set[str] = set()  # cancellations and amendments that have no outcome yet
        self.filled_seen: dict[str, Decimal] = {}
        self.ends_learned: set[str] = set()
        self.told_fills: set[tuple[str, str]] = set()
        self.told_foreign_fills: set[tuple[str, str]] = set()
        self.time = 0
        self.number = 0
        self.fills_name_their_owner = True

    @initialize(fills_name_their_owner=st.booleans())
    def choose_exchange(self, fills_name_their_owner: bool) -> None:
        """Some exchanges do not say a client order id in their trades."""
        self.fills_name_their_owner = fills_name_their_owner

    # What we do

    @rule(target=placing, symbol=st.sampled_from(SYMBOLS), side=st.sampled_from(Side), quantity=quantities, price=prices)
    def place(self, symbol: Symbol, side: Side, quantity: Decimal, price: Decimal) -> str:
        self.number += 1
        client_order_id = f"mm-btc-{self.number:04}"
        request = OrderRequest(
            client_order_id=client_order_id,
            owner="btc",
            symbol=symbol,
            side=side,
            type=OrderType.LIMIT,
            time_in_force=TimeInForce.GOOD_TILL_CANCELLED,
            quantity=quantity,
            price=price,
        )
        self.take(self.ledger.record_intent(request, now=0.0))
        self.ledger.record_sent(client_order_id, sent_at_milliseconds=self.time, expires_at_milliseconds=None)
        self.on_its_way.add(client_order_id)
        return client_order_id

    @rule(symbol=st.sampled_from(SYMBOLS), quantity=quantities)
    def hold_back(self, symbol: Symbol, quantity: Decimal) -> None:
        """A placement that is refused here, after its cancellation was asked for or not."""
        client_order_id = self.place(symbol, Side.BUY, quantity, Decimal(1))
        self.on_its_way.discard(client_order_id)
        self.refused.add(client_order_id)
        if self.number % 2:
            self.happened(client_order_id, OrderInput.CANCEL_ASKED)
        self.happened(client_order_id, OrderInput.NEVER_SENT)

    @rule(symbol=st.sampled_from(SYMBOLS), side=st.sampled_from(Side), quantity=quantities, heard=st.booleans())
    def place_and_be_accepted(self, symbol: Symbol, side: Side, quantity: Decimal, heard: bool) -> None:
        """The common case in one step, so that many runs get far."""
        self.placement_arrives(self.place(symbol, side, quantity, Decimal(7)), accepted=True, fate="answered")
        if heard:
            self.words.pop().take()

    @rule(client_order_id=placing)
    def lose_placement_answer(self, client_order_id: str) -> None:
        if not self.ledger.order(client_order_id).is_terminal:
            self.happened(client_order_id, OrderInput.ANSWER_LOST)

    @rule(target=cancelling, pick=picks)
    @precondition(lambda self: self.ledger.live_orders())
    def ask_to_cancel(self, pick: int) -> str:
        order = self.ledger.live_orders()[pick % len(self.ledger.live_orders())]
        self.happened(order.client_order_id, OrderInput.CANCEL_ASKED)
        self.asked.add(order.client_order_id)
        return order.client_order_id

    @rule(target=amending, pick=picks, share=st.sampled_from([1, 2, 8, 8]), price=prices)
    @precondition(lambda self: self.amendable())
    def ask_to_amend(self, pick: int, share: int, price: Decimal) -> tuple[str, Decimal, Decimal]:
        client_order_id = self.amendable()[pick % len(self.amendable())]
        quantity = (self.real(client_order_id).quantity * share / 4).quantize(CENT) + CENT
        self.happened(client_order_id, OrderInput.AMEND_ASKED)
        self.asked.add(client_order_id)
        return client_order_id, quantity, price

    # What the exchange does

    @rule(client_order_id=consumes(placing), accepted=st.booleans(), fate=fates)
    def placement_arrives(self, client_order_id: str, accepted: bool, fate: str) -> None:
        if client_order_id not in self.on_its_way:
            return
        self.on_its_way.discard(client_order_id)
        if not accepted:
            self.refused.add(client_order_id)
            if fate == "answered":
                self.answer(lambda: self.happened(client_order_id, OrderInput.SAID_REJECTED))
            else:
                self.happened(client_order_id, OrderInput.ANSWER_LOST)
            return
        request = self.ledger.order(client_order_id).request
        order = self.add_order(client_order_id, request.symbol, request.side, request.price, request.quantity)
        if fate == "answered":
            self.say(order)
        else:
            self.happened(client_order_id, OrderInput.ANSWER_LOST)

    @rule(pick=picks, share=st.sampled_from([1, 2, 3, 4, 4]), price=prices, fee=fees)
    @precondition(lambda self: self.open_orders())
    def trade(self, pick: int, share: int, price: Decimal, fee: tuple[Decimal, str]) -> None:
        order = self.open_orders()[pick % len(self.open_orders())]
        left = order.quantity - order.filled
        quantity = left if share == 4 else max(CENT, (left * share / 4).quantize(CENT, ROUND_UP))
        names_owner = self.fills_name_their_owner
        self.number += 1
        fill = FillReport(
            trade_id=f"{self.number}",
            exchange_order_id=order.exchange_order_id,
            client_order_id=order.client_order_id if names_owner else None,
            symbol=order.symbol,
            side=order.side,
            price=price,
            quantity=min(quantity, left),
            fee=fee[0],
            fee_asset=fee[1],
            maker=True,
        )
        order.fills.append(fill)
        if order.filled == order.quantity:
            order.status = ReportedStatus.FILLED
        self.touch(order)
        self.say_fill(fill)
        self.say(order)

    @rule(pick=picks, status=st.sampled_from(ENDS))
    @precondition(lambda self: self.open_orders())
    def end(self, pick: int, status: ReportedStatus) -> None:
        order = self.open_orders()[pick % len(self.open_orders())]
        if status is ReportedStatus.REJECTED and order.fills:
            return
        order.status = status
        self.touch(order)
        self.say(order)

    @rule(client_order_id=consumes(cancelling), fate=fates)
    def cancellation_arrives(self, client_order_id: str, fate: str) -> None:
        self.asked.discard(client_order_id)
        order = self.real(client_order_id)
        if order is not None and order.is_open:
            order.status = ReportedStatus.CANCELLED
            self.touch(order)
        if order is None or fate == "lost":
            self.happened(client_order_id, OrderInput.ANSWER_LOST)
        else:
            self.say(order)

    @rule(amendment=consumes(amending), accepted=st.booleans(), fate=fates)
    def amendment_arrives(self, amendment: tuple[str, Decimal, Decimal], accepted: bool, fate: str) -> None:
        client_order_id, quantity, price = amendment
        self.asked.discard(client_order_id)
        order = self.real(client_order_id)
        accepted = accepted and order.is_open
        if accepted:
            order.quantity, order.price = max(quantity, order.filled), price
            if order.quantity == order.filled:
                order.status = ReportedStatus.CANCELLED
            self.touch(order)
            self.say(order)
        if fate == "lost":
            self.happened(client_order_id, OrderInput.ANSWER_LOST)
        elif accepted:
            new = {"price": order.price, "quantity": order.quantity, "now": 0.0}
            self.answer(lambda: self.take(self.ledger.record_amended(client_order_id, **new)))
        else:
            self.answer(lambda: self.happened(client_order_id, OrderInput.AMEND_ENDED))

    @rule(mine=st.booleans(), symbol=st.sampled_from(SYMBOLS), quantity=quantities)
    def order_appears_that_this_run_did_not_place(self, mine: bool, symbol: Symbol, quantity: Decimal) -> None:
        """A stranger's, or one of an earlier run of ours."""
        self.number += 1
        self.say(self.add_order(f"mm-btc-old{self.number}" if mine else None, symbol, Side.BUY, Decimal(5), quantity))

    # How its words travel

    @rule(several_picks=st.lists(picks, min_size=1, max_size=4))
    @precondition(lambda self: self.words)
    def words_arrive(self, several_picks: list[int]) -> None:
        for pick in several_picks[: len(self.words)]:
            self.words.pop(pick % len(self.words)).take()

    @rule(pick=picks)
    @precondition(lambda self: self.words)
    def report_arrives_twice(self, pick: int) -> None:
        word = self.words[pick % len(self.words)]
        if word.is_report:
            word.take()
            word.take()

    @rule(pick=picks)
    @precondition(lambda self: self.words)
    def report_is_dropped(self, pick: int) -> None:
        """By the stream. The answer to a request is never just missing: its loss is noticed."""
        if self.words[pick % len(self.words)].is_report:
            self.words.pop(pick % len(self.words))

    @rule(pick=picks)
    @precondition(lambda self: self.exchange)
    def order_is_queried(self, pick: int) -> None:
        self.take(self.ledger.apply_order_report(self.exchange[pick % len(self.exchange)].report(), now=0.0))

    @rule()
    @precondition(lambda self: not self.asked)
    def everything_is_compared(self) -> None:
        """A full resync, after which ledger and exchange agree. Reports still travelling are stale now, and may come later."""
        for client_order_id in sorted(self.on_its_way):
            self.refused.add(client_order_id)  # the exchange's time for accepting it is over
            self.happened(client_order_id, OrderInput.ANSWER_LOST)
        self.on_its_way.clear()
        for answer in [word for word in self.words if not word.is_report]:
            self.words.remove(answer)
            answer.take()
        for order in self.exchange:
            self.take(self.ledger.apply_order_report(order.report(), now=0.0))
        for order in self.ledger.live_orders():
            if order.client_order_id in self.refused:
                self.happened(order.client_order_id, OrderInput.SAID_NEVER_ACCEPTED)
        # A cancellation without an answer in sight is lost, and the order asked about once more.
        for order in self.ledger.live_orders():
            self.happened(order.client_order_id, OrderInput.ANSWER_LOST)
            self.take(self.ledger.apply_order_report(self.real(order.client_order_id).report(), now=0.0))
        for order in self.exchange:
            for fill in order.fills:
                self.take(self.ledger.apply_fill(fill, now=0.0))
        self.ensure_agreement()

    def teardown(self) -> None:
        self.asked.clear()
        self.everything_is_compared()

    # What must hold

    @invariant()
    def exposure_is_never_under_counted(self) -> None:
        live = {order.client_order_id for order in self.ledger.live_orders()}
        assert live == {order.client_order_id for order in self.ledger.orders() if not order.is_terminal}
        assert self.on_its_way <= live
        for order in self.exchange:
            if order.is_open and self.ledger.order(order.client_order_id or "") is not None:
                assert order.client_order_id in live

    @invariant()
    def filled_quantities_never_shrink(self) -> None:
        for order in self.ledger.orders():
            assert order.filled_quantity >= self.filled_seen.get(order.client_order_id, ZERO)
            assert order.filled_quantity >= sum((fill.quantity for fill in order.fills), ZERO)
            self.filled_seen[order.client_order_id] = order.filled_quantity

    @invariant()
    def nothing_is_counted_that_did_not_happen(self) -> None:
        for order in self.ledger.orders():
            real = self.real(order.client_order_id)
            assert order.filled_quantity <= (real.filled if real is not None else ZERO)
            assert order.is_settled == (order.is_terminal and order.fills_are_complete)
        assert {order.client_order_id for order in self.ledger.unsettled_orders()} == {
            order.client_order_id for order in self.ledger.orders() if order.is_terminal and not order.is_settled
        }

    def ensure_agreement(self) -> None:
        changes: dict[str, Decimal] = {}
        ours, foreign = set(), set()
        for real in self.exchange:
            known = self.ledger.order(real.client_order_id or "")
            for fill in real.fills:
                add_fill(changes, fill)
                (foreign if known is None else ours).add((str(fill.symbol), fill.trade_id))
            if known is None:
                assert real.client_order_id is None or not real.is_open
                continue
            assert known.state in self.states_meant_by(real)
            assert known.filled_quantity == real.filled
            assert known.fills_are_complete
            assert known.filled_quote == sum((fill.quantity * fill.price for fill in real.fills), ZERO)
            assert sum((fill.fee for fill in known.fills), ZERO) == sum((fill.fee for fill in real.fills), ZERO)
            if real.is_open:
                assert (known.request.price, known.request.quantity) == (real.price, real.quantity)
        for client_order_id in self.refused:
            assert self.ledger.order(client_order_id).state is OrderState.REJECTED
        assert self.ledger.fill_changes() == changes
        assert self.told_fills == ours
        assert foreign <= self.told_foreign_fills

    @staticmethod
    def states_meant_by(real: ExchangeOrder) -> set[OrderState]:
        match real.status:
            case ReportedStatus.OPEN:
                return {OrderState.PARTIALLY_FILLED if real.fills else OrderState.OPEN}
            case ReportedStatus.REJECTED:  # at once, or after it was accepted
                return {OrderState.REJECTED, OrderState.EXPIRED}
            case status:
                return {OrderState(status.value)}

    # Helpers

    def take(self, events: list[object]) -> None:
        for event in events:
            assert not isinstance(event, ImpossibleTransition), event
            if isinstance(event, OrderChanged):
                self.ensure_learned_end_is_final(event.order)
            elif isinstance(event, OrderFilled):
                key = (str(event.fill.symbol), event.fill.trade_id)
                assert key not in self.told_fills
                self.told_fills.add(key)
            elif isinstance(event, ForeignFillSeen):
                key = (str(event.fill.symbol), event.fill.trade_id)
                assert key not in self.told_foreign_fills | self.told_fills
                self.told_foreign_fills.add(key)

    def ensure_learned_end_is_final(self, order: Order) -> None:
        real = self.real(order.client_order_id)
        if order.is_terminal and real is not None and not real.is_open:
            self.ends_learned.add(order.client_order_id)
        assert order.is_terminal or order.client_order_id not in self.ends_learned

    def happened(self, client_order_id: str, happened: OrderInput) -> None:
        self.take(self.ledger.record_input(client_order_id, happened, now=0.0))

    def add_order(self, client_order_id: str | None, symbol: Symbol, side: Side, price: Decimal, quantity: Decimal) -> ExchangeOrder:
        exchange_order_id = str(sum(order.symbol == symbol for order in self.exchange))  # unique in its symbol only
        order = ExchangeOrder(exchange_order_id, client_order_id, symbol, side, price, quantity)
        self.exchange.append(order)
        self.touch(order)
        return order

    def touch(self, order: ExchangeOrder) -> None:
        self.time += 1
        order.changed_at = self.time

    def say(self, order: ExchangeOrder) -> None:
        """Send the order's report as it is now."""
        report = order.report()
        self.words.append(Word(lambda: self.take(self.ledger.apply_order_report(report, now=0.0))))

    def say_fill(self, fill: FillReport) -> None:
        self.words.append(Word(lambda: self.take(self.ledger.apply_fill(fill, now=0.0))))

    def answer(self, take: Callable[[], None]) -> None:
        self.words.append(Word(take, is_report=False))

    def real(self, client_order_id: str) -> ExchangeOrder | None:
        return next((order for order in self.exchange if order.client_order_id == client_order_id), None)

    def open_orders(self) -> list[ExchangeOrder]:
        return [order for order in self.exchange if order.is_open]

    def amendable(self) -> list[str]:
        states = (OrderState.OPEN, OrderState.PARTIALLY_FILLED)
        return [
            order.client_order_id
            for order in self.ledger.live_orders()
            if order.state in states and self.real(order.client_order_id) is not None
        ]


TestLedgerAgainstExchange = LedgerAgainstExchange.TestCase
TestLedgerAgainstExchange.settings = settings(max_examples=400, stateful_step_count=50, deadline=None)
