"""The desks that place, cancel, amend, ask and conclude, over an exchange across which everything goes wrong that can.

Each run has a time of disorder, in which owners place, amend and cancel and replace every order of theirs that has ended, and a
time after it, in which nothing goes wrong any more. All along an intent has at most one order that may trade, and no exposure is
missed; soon after the disorder ledger and exchange agree; and closing, also in the midst of it, leaves nothing open.
"""

from __future__ import annotations

import random
from decimal import Decimal
from math import inf

import pytest
import trio
from disordered_session import DisorderedSession
from hypothesis import settings
from limited_account import Market
from scripted_account import BTC, Books

from actors.accounts.closing import close_orders
from actors.accounts.gate import OrderGate
from actors.accounts.inquiry import PAUSE_SECONDS_MAX, InquiryDesk
from actors.accounts.order_desk import OrderDesk
from actors.accounts.order_entry import OrderEntry
from actors.accounts.resolution import ABSENCE_GRACE_MILLISECONDS
from actors.accounts.session import REQUEST_TIMEOUT_SECONDS
from actors.accounts.stream_requests import StreamRequests
from actors.accounts.timing import AccountTiming
from actors.accounts.trading_states import TradingStates
from market.events import Side
from market.instrument import Instrument
from network.deterministic import run_deterministically
from orders.commands import AmendOrder, PlaceOrder
from orders.events import ImpossibleTransition
from orders.exposure import quantity_to_fill
from orders.life_cycle import OrderState
from orders.order import ZERO, add_fill
from orders.reports import BalanceReport
from orders.request import OrderRequest, OrderType, TimeInForce

# More with `--hypothesis-profile=long`; each is the same on every machine.
RUNS = settings().max_examples // 6
INTENTS = 3
DISORDER_SECONDS = 30.0
TIMING = AccountTiming()
# An answer that was waited for in vain, then a pause, then an absence that may be believed, after one more pause.
CONVERGENCE_SECONDS = (
    REQUEST_TIMEOUT_SECONDS
    + 2 * PAUSE_SECONDS_MAX
    + TIMING.order_expiry_seconds
    + ABSENCE_GRACE_MILLISECONDS / 1000
    + TIMING.watchdog_seconds
)
CLOSING_SECONDS = 10.0
CLOSING_IN_DISORDER_SECONDS = 60.0
RULES = Instrument(
    exchange="model",
    symbol=BTC,
    price_tick=Decimal("0.01"),
    quantity_step=Decimal("0.01"),
    quantity_min=Decimal("0.01"),
    notional_min=Decimal(0),
)


class Desks:
    """The real desks of one account and their exchange.

    In some runs the stream is up: all that it says comes in the end. In the others it is known to be broken, and orders are polled.
    """

    def __init__(self, rng: random.Random, nursery: trio.Nursery) -> None:
        self.rng = rng
        self.nursery = nursery
        self.books = Books()
        for asset in (BTC.base, BTC.quote):
            self.books.bookkeeper.take(BalanceReport(asset=asset, total=Decimal(10**6), available=Decimal(10**6)))
        is_listening = rng.random() < 0.5
        self.session = DisorderedSession(
            rng=rng, nursery=nursery, stream_loses_words=not is_listening, hear=self.books.bookkeeper.take, on_change=self.check
        )
        self.inquiry = InquiryDesk(
            bookkeeper=self.books.bookkeeper,
            session=self.session.session,
            timing=TIMING,
            is_in_flight=lambda client_order_id: self.desk.is_in_flight(client_order_id),
            is_listening=lambda: is_listening,
            cancel=lambda order: self.desk.cancel(order),
            doubt_funds=lambda: None,
        )
        market = Market(self.books.ledger, (BTC,))
        market.quote(99.9, 100.1, received_at=inf)
        self.desk = OrderDesk(
            bookkeeper=self.books.bookkeeper,
            entry=OrderEntry(session=self.session.session, requests=StreamRequests()),
            gate=OrderGate(),
            states=TradingStates(on_change=lambda event: None),
            limits=market.limits(),
            timing=TIMING,
            rules={BTC: RULES},
            ask_now=self.inquiry.ask_now,
            doubt_funds=lambda: None,
        )
        self.placed = 0
        self.owners_are_done = False

    # What owners do

    async def pursue(self, intent: str) -> None:
        """Has one order at a time, and replaces it as soon as it has ended, as far as the ledger knows."""
        while not self.owners_are_done:
            self.placed += 1
            request = OrderRequest(
                client_order_id=f"mm-btc-{self.placed:09}",
                owner="btc",
                symbol=BTC,
                side=self.rng.choice(list(Side)),
                type=OrderType.LIMIT,
                time_in_force=TimeInForce.GOOD_TILL_CANCELLED,
                quantity=Decimal(self.rng.randrange(1, 300)) / 100,
                price=Decimal(100),
                tag=intent,
            )
            command = PlaceOrder(request=request, expires_at=trio.current_time() + 2)
            if self.desk.accept(command):
                self.nursery.start_soon(self.desk.place, command)
            while not self.books.order(request.client_order_id).is_terminal and not self.owners_are_done:
                await trio.sleep(self.rng.uniform(0.05, 1.5))
                await self._meddle_with(request.client_order_id)
            await trio.sleep(self.rng.uniform(0, 0.2))

    async def _meddle_with(self, client_order_id: str) -> None:
        order = self.books.order(client_order_id)
        if order.is_terminal:
            return
        what = self.rng.random()
        if what < 0.3:
            self.nursery.start_soon(self.desk.cancel, order)
        elif what < 0.6:
            quantity = Decimal(self.rng.randrange(1, 500)) / 100
            price = self.rng.choice([None, Decimal(90), Decimal(110)])
            self.nursery.start_soon(self.desk.amend, AmendOrder(client_order_id=client_order_id, price=price, quantity=quantity))

    async def close(self, *, within_seconds: float) -> None:
        """Whatever it was told: once closing says that nothing can trade any more, nothing can."""
        with trio.fail_after(within_seconds):
            await close_orders(
                session=self.session.session,
                ledger=self.books.ledger,
                publish=self.books.bookkeeper.publish,
                progress=lambda text: None,
                in_flight=self.desk.is_in_flight,
            )
        assert not self.session.exchange.open_orders()
        assert not self.session.on_the_wire

    # What must hold

    def check(self) -> None:
        """At any moment: whatever may trade or has traded is counted."""
        live = {order.client_order_id for order in self.books.ledger.live_orders()}
        assert set(self.session.on_the_wire) <= live
        for known in self.books.ledger.orders():
            real = self.session.exchange.order(known.client_order_id)
            on_the_wire = self.session.on_the_wire.get(known.client_order_id)
            if real is not None:
                assert not real.is_open or known.client_order_id in live, known
                assert known.filled_quantity <= real.filled
            at_most = real.filled + real.open_quantity if real is not None else (on_the_wire.quantity if on_the_wire else ZERO)
            assert sum((fill.quantity for fill in known.fills), ZERO) + quantity_to_fill(known) >= at_most, known

    def disagreements(self) -> list[object]:
        """What the ledger does not say as the exchange does; fills of an order that is open may yet be unknown."""
        found: list[object] = []
        for known in self.books.ledger.orders():
            real = self.session.exchange.order(known.client_order_id)
            if real is None:
                agrees = known.state is OrderState.REJECTED
            elif real.is_open:
                agrees = known.state is (OrderState.PARTIALLY_FILLED if real.fills else OrderState.OPEN)
                agrees &= known.filled_quantity == real.filled
            else:
                agrees = known.is_settled and known.filled_quantity == real.filled
            if not agrees:
                found.append((known, real))
        return found

    async def have_inquiry_look(self) -> None:
        while True:
            await trio.sleep(TIMING.watchdog_seconds)
            self.inquiry.look()

    def ensure_the_books_are_closed(self) -> None:
        assert not self.session.exchange.open_orders()
        assert not self.books.ledger.live_orders()
        assert not self.disagreements()
        changes: dict[str, Decimal] = {}
        for fill in self.session.exchange.fills():
            add_fill(changes, fill)
        assert self.books.ledger.fill_changes() == changes
        assert not self.books.seen(ImpossibleTransition)


async def run(seed: int) -> float:
    """One run; how long after the disorder it took until ledger and exchange agreed, in seconds."""
    rng = random.Random(seed)
    async with trio.open_nursery() as nursery:
        desks = Desks(rng, nursery)
        nursery.start_soon(desks.inquiry.watch, lambda: None)
        nursery.start_soon(desks.have_inquiry_look)
        nursery.start_soon(desks.session.trade_with_everybody)
        for number in range(INTENTS):
            nursery.start_soon(desks.pursue, f"intent {number}")
        await trio.sleep(DISORDER_SECONDS)
        desks.owners_are_done = True
        if rng.random() < 0.5:  # a stop in the midst of it
            await desks.close(within_seconds=CLOSING_IN_DISORDER_SECONDS)
        desks.session.calm_down()
        calm_since = trio.current_time()
        while desks.disagreements():
            assert trio.current_time() < calm_since + CONVERGENCE_SECONDS, desks.disagreements()
            await trio.sleep(0.1)
        agreed_after_seconds = trio.current_time() - calm_since
        await desks.close(within_seconds=CLOSING_SECONDS)
        desks.ensure_the_books_are_closed()
        nursery.cancel_scope.cancel()
    return agreed_after_seconds


@pytest.mark.parametrize("seed", range(RUNS))
def test_intent_has_one_live_order_exposure_is_counted_and_the_ledger_agrees_soon_after_the_disorder(seed: int) -> None:
    run_deterministically(run, seed, seed=seed)
