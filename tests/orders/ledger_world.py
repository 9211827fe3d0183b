"""A ledger, the exchange as it really is, what travels between them, and what must hold after every step.

Each public method named in `STEPS` is one step; a `Dice` decides its details, and a step for which there is no occasion does
nothing. `seen` holds the cells of the life cycle's table that the ledger has gone through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

import pytest
from msgspec.structs import replace

from market.events import Side
from orders.earlier import CountedEarlier, PaymentKey, TallyKey, TradeKey
from orders.events import ForeignFillSeen, FundingPaid, ImpossibleTransition, OrderChanged, OrderEnded, OrderFilled, PositionDiffers
from orders.exposure import quantity_to_fill
from orders.ledger import AccountLedger
from orders.life_cycle import OrderInput, OrderState
from orders.order import ZERO, Order, add_fill
from orders.reports import FillReport, FundingReport, OrderReport, PositionReport, ReportedStatus
from orders.request import OrderRequest, OrderType, TimeInForce
from tests.orders.disordered_exchange import CENT, SYMBOLS, Dice, DisorderedExchange, ExchangeOrder

TWO_WORDS = {ReportedStatus.CANCELLED: ReportedStatus.EXPIRED, ReportedStatus.EXPIRED: ReportedStatus.CANCELLED}


class LedgerWorld:
    """Requests travel to the exchange (`placing`, `cancelling`, `amending`), its words travel back (`exchange.words`).

    Some exchanges do not say a client order id in their trades; of `contracts` the ledger keeps positions too.
    """

    def __init__(self, *, contracts: bool, fills_name_their_owner: bool, placements_max: int) -> None:
        self.contracts = contracts
        self.placements_max = placements_max  # few, and much happens to each
        self.exchange = DisorderedExchange(fills_name_their_owner=fills_name_their_owner, hear=self.hear)
        self.ledger = self._new_ledger()
        self.placing: list[str] = []  # placements that may still reach the exchange
        self.cancelling: list[str] = []
        self.amending: list[tuple[str, Decimal, Decimal]] = []
        self.requests: dict[str, OrderRequest] = {}
        self.refused: set[str] = set()  # the exchange will never accept these placements
        self.believed_wrongly: set[str] = set()  # the exchange broke its word about them, and has not spoken of them since
        self.amended_over_a_restart: set[str] = set()
        self.filled_seen: dict[str, Decimal] = {}
        self.ends_learned: set[str] = set()
        self.told_fills: dict[TradeKey, bool] = {}  # whether as one of an order of ours
        self.told_payments: list[PaymentKey] = []
        self.owned_fills: dict[TallyKey, dict[TradeKey, FillReport]] = {}  # of all runs

    def _new_ledger(self) -> AccountLedger:
        return AccountLedger(account="main", installation="mm", holds_positions=self.contracts)

    def begin(self) -> None:
        """The first look: there is no position yet."""
        if self.ledger.positions is not None:
            self.take(self.ledger.positions.apply_all([]))

    # What we do

    def place(self, dice: Dice) -> None:
        if len(self.requests) < self.placements_max:
            self._place(dice)

    def _place(self, dice: Dice) -> str:
        client_order_id = f"mm-btc-{len(self.requests):04}"
        request = OrderRequest(
            client_order_id=client_order_id,
            owner="btc",
            symbol=dice.one_of(SYMBOLS),
            side=dice.one_of(list(Side)),
            type=OrderType.LIMIT,
            time_in_force=TimeInForce.GOOD_TILL_CANCELLED,
            quantity=dice.cents(500),
            price=dice.cents(20_000),
        )
        self.requests[client_order_id] = request
        self.take(self.ledger.record_intent(request, now=0.0))
        self.ledger.record_sent(client_order_id, sent_at_milliseconds=self.exchange.time, expires_at_milliseconds=None)
        self.placing.append(client_order_id)
        return client_order_id

    def place_an_intent_again(self, dice: Dice) -> None:
        """What was written down once is never written down as another order."""
        known = list(self.ledger.orders())
        if known:
            with pytest.raises(ValueError, match="was used before"):
                self.ledger.record_intent(dice.one_of(known).request, now=0.0)

    def hold_back(self, dice: Dice) -> None:
        """A placement that is refused here, after its cancellation was asked for or not."""
        if len(self.requests) >= self.placements_max:
            return
        client_order_id = self._place(dice)
        self.placing.remove(client_order_id)
        self.refused.add(client_order_id)
        if dice.number(2):
            self.happened(client_order_id, OrderInput.CANCEL_ASKED)
        for _ in range(1 + dice.number(2)):
            self.happened(client_order_id, OrderInput.NEVER_SENT)

    def place_and_be_accepted(self, dice: Dice) -> None:
        """The common case in one step, so that many runs get far."""
        if len(self.requests) < self.placements_max:
            self._accept(self._place(dice))
            if dice.number(2):
                self.exchange.words.pop().take()

    def stop_waiting_for_a_placement(self, dice: Dice) -> None:
        """A time-out: the placement may arrive all the same."""
        if self.placing:
            self.happened(dice.one_of(self.placing), OrderInput.ANSWER_LOST)

    def ask_to_cancel(self, dice: Dice) -> None:
        known = self.ledger.live_orders() if dice.number(4) else list(self.ledger.orders())
        if known:
            client_order_id = dice.one_of(known).client_order_id
            self.happened(client_order_id, OrderInput.CANCEL_ASKED)
            self.cancelling.append(client_order_id)

    def ask_to_amend(self, dice: Dice) -> None:
        real = self._amendable(dice)
        if real is not None and real.client_order_id is not None:
            price, quantity = dice.cents(20_000), (real.quantity * dice.one_of([1, 2, 8, 8]) / 4).quantize(CENT) + CENT
            self.take(self.ledger.record_amendment(real.client_order_id, price=price, quantity=quantity, now=0.0))
            self.amending.append((real.client_order_id, price, quantity))

    def stop_waiting_for_a_change(self, dice: Dice) -> None:
        """Of a cancellation or an amendment, which may arrive all the same."""
        asked = [*self.cancelling, *(client_order_id for client_order_id, _, _ in self.amending)]
        if asked:
            self.happened(dice.one_of(asked), OrderInput.ANSWER_LOST)

    def start_again(self, dice: Dice) -> None:
        """The program dies and goes on from its journal; what the exchange was about to say to it is lost."""
        died = self.ledger
        self.exchange.words.clear()
        self.amended_over_a_restart |= {client_order_id for client_order_id, _, _ in self.amending}
        self.amended_over_a_restart |= {order.client_order_id for order in died.orders() if order.unseen_amendments}
        left, counted = self.what_is_left_of(died)
        self.ledger = self._new_ledger()
        self.ledger.restore(left, counted=counted)
        assert self.ledger.fill_changes() == died.fill_changes()
        kept = {_key(fill) for order in left for fill in order.fills}
        # One that was settled may turn up open; its trades are then told as those of a leftover, and counted no second time.
        self.told_fills = {key: was_ours and key in kept for key, was_ours in self.told_fills.items()}
        self._ask_for_fills()
        self._compare_positions()

    def what_is_left_of(self, died: AccountLedger) -> tuple[Sequence[Order], CountedEarlier]:
        """As `actors/journal/recovery.py` reads it: nobody wrote down whether what was under way happened."""
        left = [order for order in died.orders() if not order.is_settled]
        counted = CountedEarlier(
            fill_changes=died.fill_changes(),
            trades=tuple(self.told_fills),
            payments=tuple(self.told_payments),
            tallies={(owner, symbol): died.tally(owner, symbol) for owner, symbol in self.owned_fills},
            tallied_trades=frozenset(key for fills in self.owned_fills.values() for key in fills),
        )
        return [order if order.is_terminal else _as_journaled(order) for order in left], counted

    # What the exchange does

    def placement_arrives(self, dice: Dice) -> None:
        if not self.placing:
            return
        client_order_id, is_lost = dice.one_of(self.placing), dice.number(3) == 0
        if dice.number(3):
            self._accept(client_order_id)
        else:
            self.placing.remove(client_order_id)
            self.refused.add(client_order_id)
            if not is_lost:
                self.exchange.answer(lambda: self.happened(client_order_id, OrderInput.SAID_REJECTED))
        if is_lost:
            self.happened(client_order_id, OrderInput.ANSWER_LOST)

    def trade(self, dice: Dice) -> None:
        if self.exchange.open_orders():
            order = dice.one_of(self.exchange.open_orders())
            self.exchange.trade(order, dice)
            self.exchange.say(order.report())

    def trade_after_saying_cancelled(self, dice: Dice) -> None:
        """The fill that completes an order is told after its end, by a slower stream; the end itself is reworded later."""
        if self.exchange.open_orders():
            order = dice.one_of(self.exchange.open_orders())
            order.worded, order.was_said_to_end_early = dice.one_of(list(TWO_WORDS)), True
            self.exchange.say(replace(order.report(), status=order.worded))
            while order.is_open:
                self.exchange.trade(order, dice)
            if dice.number(2):
                self.exchange.say(order.report())

    def end(self, dice: Dice) -> None:
        if self.exchange.open_orders():
            order = dice.one_of(self.exchange.open_orders())
            status = dice.one_of([*TWO_WORDS, ReportedStatus.EXPIRED if order.fills else ReportedStatus.REJECTED])
            self.exchange.end(order, status, worded=TWO_WORDS.get(status))
            self.exchange.say(order.report())

    def cancellation_arrives(self, dice: Dice) -> None:
        if not self.cancelling:
            return
        client_order_id = self.cancelling.pop(dice.number(len(self.cancelling)))
        order = self.exchange.order(client_order_id)
        if order is not None and order.is_open:
            self.exchange.end(order, ReportedStatus.CANCELLED, worded=ReportedStatus.EXPIRED)
        if order is None or dice.number(3) == 0:
            self.happened(client_order_id, OrderInput.ANSWER_LOST)
        else:
            self.exchange.say(order.report())

    def amendment_arrives(self, dice: Dice) -> None:
        if not self.amending:
            return
        client_order_id, price, quantity = self.amending.pop(dice.number(len(self.amending)))
        order = self.exchange.order(client_order_id)
        assert order is not None
        is_accepted = order.is_open and dice.number(3) > 0
        if is_accepted:
            self.exchange.amend(order, price=price, quantity=quantity)
            if dice.number(2):
                self.exchange.say(order.report())
        if dice.number(3) == 0:
            self.happened(client_order_id, OrderInput.ANSWER_LOST)
        elif is_accepted:
            self.exchange.answer(lambda: self._amended(client_order_id, price, quantity))
        else:
            self.exchange.answer(lambda: self.happened(client_order_id, OrderInput.AMEND_ENDED))

    def order_appears_that_this_run_did_not_place(self, dice: Dice) -> None:
        """A stranger's, or one of an earlier run of ours."""
        mine = f"mm-btc-old{len(self.exchange.orders)}" if dice.number(2) else None
        order = self.exchange.accept(mine, dice.one_of(SYMBOLS), Side.BUY, Decimal(5), dice.cents(500))
        self.exchange.say(order.report())

    def funding_is_paid(self, dice: Dice) -> None:
        if self.contracts:
            self.exchange.say(self.exchange.pay(dice.one_of(SYMBOLS), dice.cents(100) - dice.cents(100)))

    def position_is_said(self, dice: Dice) -> None:
        if self.contracts:
            self.exchange.say(self.exchange.position(dice.one_of(SYMBOLS)))

    # How its words travel

    def words_arrive(self, dice: Dice) -> None:
        for _ in range(min(1 + dice.number(4), len(self.exchange.words))):
            self.exchange.words.pop(dice.number(len(self.exchange.words))).take()

    def report_arrives_twice(self, dice: Dice) -> None:
        reports = [word for word in self.exchange.words if word.is_report]
        if reports:
            word = dice.one_of(reports)
            word.take()
            word.take()

    def report_is_dropped(self, dice: Dice) -> None:
        """By the stream. The answer to a request is never just missing: its loss is noticed."""
        reports = [word for word in self.exchange.words if word.is_report]
        if reports:
            self.exchange.words.remove(dice.one_of(reports))

    # What we ask

    def order_is_queried(self, dice: Dice) -> None:
        if self.exchange.orders:
            order = dice.one_of(self.exchange.orders)
            self.hear(self.exchange.told_about(order, reworded=bool(dice.number(2))))

    def absence_is_believed(self, dice: Dice) -> None:
        """All lists agree that there is no such order, at a time when they must know: it never was, or it has ended."""
        known = [order for order in self.ledger.orders() if not order.end_is_concluded or dice.number(2)]
        if not known:
            return
        order = dice.one_of(known)
        client_order_id, real = order.client_order_id, self.exchange.order(order.client_order_id)
        if client_order_id in self.refused and real is None:
            self.happened(client_order_id, OrderInput.SAID_NEVER_ACCEPTED)
        elif real is not None and real.status is ReportedStatus.CANCELLED and order.state is not OrderState.FILLED:
            if order.exchange_order_id is not None:
                self._believe_forgotten(real)
            elif not real.fills:  # exchanges forget only what did not trade
                self.happened(client_order_id, OrderInput.SAID_NEVER_ACCEPTED)

    def absence_is_believed_wrongly(self, dice: Dice) -> None:
        """The exchange does not keep its word: it lists an order nowhere, and has it, or will accept it after all."""
        known = self.ledger.live_orders()
        if not known:
            return
        order = dice.one_of(known)
        if order.exchange_order_id is not None and dice.number(4) == 0:
            # From lists that are older than what was heard: it changes nothing.
            self.happened(order.client_order_id, OrderInput.SAID_NEVER_ACCEPTED)
            assert self.ledger.order(order.client_order_id) == order
        elif order.exchange_order_id is None:
            if order.client_order_id not in self.refused:
                self.believed_wrongly.add(order.client_order_id)
                self.happened(order.client_order_id, OrderInput.SAID_NEVER_ACCEPTED)
        else:
            real = self.exchange.order(order.client_order_id)
            if real is not None and real.status is not ReportedStatus.CANCELLED:
                self._believe_forgotten(real)

    def everything_is_compared(self, dice: Dice) -> None:
        """A full resync, after which ledger and exchange agree. Reports still travelling are stale now, and may come later."""
        if self.cancelling or self.amending:
            return
        for client_order_id in self.placing:
            self.refused.add(client_order_id)  # the exchange's time for accepting it is over
            self.happened(client_order_id, OrderInput.ANSWER_LOST)
        self.placing.clear()
        for answer in [word for word in self.exchange.words if not word.is_report]:
            self.exchange.words.remove(answer)
            answer.take()
        for order in self.exchange.orders:
            self.hear(order.report())
        for order in self.ledger.live_orders():
            if order.client_order_id in self.refused:
                self.happened(order.client_order_id, OrderInput.SAID_NEVER_ACCEPTED)
        # A cancellation without an answer in sight is lost, and the order asked about once more.
        for order in self.ledger.live_orders():
            self.happened(order.client_order_id, OrderInput.ANSWER_LOST)
            self.hear(self._real(order.client_order_id).report())
        self._ask_for_fills()
        for payment in self.exchange.payments:
            self.hear(payment)
        self._compare_positions()
        self.believed_wrongly.clear()
        self.ensure_agreement()

    def end_of_the_disorder(self) -> None:
        """Whatever was asked for is dropped on its way, and everything is compared."""
        self.cancelling.clear()
        self.amending.clear()
        self.everything_is_compared(Dice([0]))

    # What must hold after every step

    def check(self) -> None:
        self.check_that_exposure_is_never_under_counted()
        self.check_that_nothing_is_counted_that_did_not_happen()
        self.check_that_each_owners_trade_is_tallied_once()

    def check_that_each_owners_trade_is_tallied_once(self) -> None:
        for (owner, symbol), fills in self.owned_fills.items():
            tally = self.ledger.tally(owner, symbol)
            for side, quantity, quote in (
                (Side.BUY, tally.bought_quantity, tally.bought_quote),
                (Side.SELL, tally.sold_quantity, tally.sold_quote),
            ):
                of_side = [fill for fill in fills.values() if fill.side is side]
                assert quantity == sum((fill.quantity for fill in of_side), ZERO)
                assert quote == sum((fill.quantity * fill.price for fill in of_side), ZERO)
            assert tally.trades == len(fills)

    def check_that_exposure_is_never_under_counted(self) -> None:
        live = {order.client_order_id for order in self.ledger.live_orders()}
        counted = {order.client_order_id for order in (*self.ledger.live_orders(), *self.ledger.unsettled_orders())}
        assert live == {order.client_order_id for order in self.ledger.orders() if not order.is_terminal}
        assert set(self.placing) <= live | self.believed_wrongly
        for known in self.ledger.orders():
            client_order_id, real = known.client_order_id, self.exchange.order(known.client_order_id)
            if client_order_id in self.believed_wrongly or (real is not None and real.was_said_to_end_early):
                continue  # the exchange itself misled us
            assert real is None or not real.is_open or client_order_id in live
            truth = real.filled + real.open_quantity if real is not None else ZERO
            if client_order_id in self.placing:
                truth = self.requests[client_order_id].quantity
            told = sum((fill.quantity for fill in known.fills), ZERO)
            if client_order_id not in self.amended_over_a_restart:
                assert told + quantity_to_fill(known) >= truth, known
                assert real is None or not real.is_open or self._reserved(known) >= self._locked(real), known
            assert quantity_to_fill(known) == 0 or client_order_id in counted

    def _reserved(self, known: Order) -> Decimal:
        return self.ledger.reserved(known)[1]

    def _locked(self, real: ExchangeOrder) -> Decimal:
        """What the exchange keeps for an open order."""
        in_base = real.side is Side.SELL and not self.contracts
        return real.open_quantity if in_base else real.open_quantity * real.price

    def check_that_nothing_is_counted_that_did_not_happen(self) -> None:
        for order in self.ledger.orders():
            real = self.exchange.order(order.client_order_id)
            assert order.filled_quantity >= self.filled_seen.get(order.client_order_id, ZERO)
            assert (
                sum((fill.quantity for fill in order.fills), ZERO) <= order.filled_quantity <= (real.filled if real is not None else ZERO)
            )
            assert order.is_settled == (order.is_terminal and order.fills_are_complete)
            self.filled_seen[order.client_order_id] = order.filled_quantity
        assert {order.client_order_id for order in self.ledger.unsettled_orders()} == {
            order.client_order_id for order in self.ledger.orders() if order.is_terminal and not order.is_settled
        }

    def ensure_agreement(self) -> None:
        changes: dict[str, Decimal] = {}
        for payment in self.exchange.payments:
            changes[payment.asset] = changes.get(payment.asset, ZERO) + payment.amount
        for real in self.exchange.orders:
            for fill in real.fills:
                add_fill(changes, fill)
            known = self.ledger.order(real.client_order_id or "")
            if known is None:  # a stranger's, or settled before this run or the last restart
                assert real.client_order_id is None or not real.is_open
                continue
            assert known.state in states_meant_by(real), (known, real)
            assert known.filled_quantity == real.filled
            assert known.fills_are_complete
            assert known.filled_quote == sum((fill.quantity * fill.price for fill in real.fills), ZERO)
            assert sum((fill.fee for fill in known.fills), ZERO) == sum((fill.fee for fill in real.fills), ZERO)
            if real.is_open:
                assert (known.request.price, known.request.quantity) == (real.price, real.quantity)
        for client_order_id in self.refused:
            known = self.ledger.order(client_order_id)
            assert known is None or known.state is OrderState.REJECTED
        assert self.ledger.fill_changes() == changes
        assert set(self.told_fills) == {_key(fill) for fill in self.exchange.fills()}
        if self.ledger.positions is not None:
            for symbol in SYMBOLS:
                assert self.ledger.positions.account_of(symbol).quantity == self.exchange.position(symbol).quantity

    # Helpers

    def hear(self, report: object) -> None:
        match report:
            case OrderReport():
                self.take(self.ledger.apply_order_report(report, now=0.0))
            case FillReport():
                self.take(self.ledger.apply_fill(report, now=0.0))
            case FundingReport():
                self.take(self.ledger.apply_funding(report))
            case PositionReport() if self.ledger.positions is not None:
                self.take(self.ledger.positions.apply_report(report))

    def happened(self, client_order_id: str, happened: OrderInput) -> None:
        """To an order that was not settled before the last restart."""
        if self.ledger.order(client_order_id) is not None:
            self.take(self.ledger.record_input(client_order_id, happened, now=0.0))

    def take(self, events: Iterable[object]) -> None:
        for event in events:
            match event:
                case ImpossibleTransition(_, order, happened):
                    self.ensure_it_was_said_too_late(order, happened)
                case OrderChanged(_, order):
                    self.ensure_learned_end_is_final(order)
                case OrderEnded(_, order):
                    self.ensure_end_is_the_exchanges_word(order)
                case OrderFilled(_, order, fill):
                    assert not self.told_fills.get(_key(fill))
                    self.told_fills[_key(fill)] = True
                    self.owned_fills.setdefault((order.request.owner, fill.symbol), {})[_key(fill)] = fill
                case ForeignFillSeen(_, fill):
                    assert _key(fill) not in self.told_fills
                    self.told_fills[_key(fill)] = False
                case FundingPaid(_, payment):
                    key = (payment.symbol, payment.payment_id)
                    assert key not in self.told_payments
                    self.told_payments.append(key)
                case PositionDiffers():
                    raise AssertionError(event)
                case _:
                    pass

    def ensure_it_was_said_too_late(self, order: Order, happened: OrderInput) -> None:
        """Of an order that a fill has completed, an exchange with two words says its end the other way."""
        if happened is OrderInput.SAID_NEVER_ACCEPTED and order.exchange_order_id is not None:
            return
        assert happened in (OrderInput.SAID_CANCELLED, OrderInput.SAID_EXPIRED), (order, happened)
        assert order.state is OrderState.FILLED
        assert self._real(order.client_order_id).was_said_to_end_early

    def ensure_learned_end_is_final(self, order: Order) -> None:
        real = self.exchange.order(order.client_order_id)
        if order.is_terminal and real is not None and not real.is_open and client_is_sure(order):
            self.ends_learned.add(order.client_order_id)
        if not order.is_terminal:
            assert order.client_order_id not in self.ends_learned
            self.believed_wrongly.discard(order.client_order_id)

    def ensure_end_is_the_exchanges_word(self, order: Order) -> None:
        real = self.exchange.order(order.client_order_id)
        has_ended = real is not None and not real.is_open
        assert has_ended or order.client_order_id in self.refused | self.believed_wrongly, order

    def _accept(self, client_order_id: str) -> None:
        self.placing.remove(client_order_id)
        request = self.requests[client_order_id]
        order = self.exchange.accept(client_order_id, request.symbol, request.side, request.price, request.quantity)
        self.exchange.say(order.report())

    def _amendable(self, dice: Dice) -> ExchangeOrder | None:
        states = (OrderState.OPEN, OrderState.PARTIALLY_FILLED)
        known = [order for order in self.ledger.live_orders() if order.state in states]
        return self.exchange.order(dice.one_of(known).client_order_id) if known else None

    def _amended(self, client_order_id: str, price: Decimal, quantity: Decimal) -> None:
        if self.ledger.order(client_order_id) is not None:
            self.take(self.ledger.record_amended(client_order_id, price=price, quantity=quantity, now=0.0))

    def _believe_forgotten(self, real: ExchangeOrder) -> None:
        for fill in real.fills:
            self.hear(fill)
        known = self.ledger.order(real.client_order_id or "")
        if known is not None and (not known.is_terminal or known.state is OrderState.CANCELLED):
            if real.status is not ReportedStatus.CANCELLED:
                self.believed_wrongly.add(known.client_order_id)
            self.happened(known.client_order_id, OrderInput.SAID_FORGOTTEN)

    def _ask_for_fills(self) -> None:
        for fill in self.exchange.fills():
            self.hear(fill)

    def _compare_positions(self) -> None:
        if self.ledger.positions is not None:
            self.take(self.ledger.positions.apply_all([self.exchange.position(symbol) for symbol in SYMBOLS]))

    def _real(self, client_order_id: str) -> ExchangeOrder:
        real = self.exchange.order(client_order_id)
        assert real is not None
        return real


def states_meant_by(real: ExchangeOrder) -> set[OrderState]:
    match real.status:
        case ReportedStatus.OPEN:
            return {OrderState.PARTIALLY_FILLED if real.fills else OrderState.OPEN}
        case ReportedStatus.REJECTED:  # at once, after it was accepted, or after we had concluded that it has ended
            return {OrderState.REJECTED, OrderState.EXPIRED, OrderState.CANCELLED}
        case ReportedStatus.CANCELLED | ReportedStatus.EXPIRED:
            return {OrderState.CANCELLED, OrderState.EXPIRED}
        case status:
            return {OrderState(status.value)}


def client_is_sure(order: Order) -> bool:
    """Whether an end is the exchange's word, and not our conclusion."""
    return not order.end_is_concluded and order.state is not OrderState.REJECTED


def _key(fill: FillReport) -> TradeKey:
    return fill.symbol, fill.exchange_order_id, fill.trade_id


def _as_journaled(order: Order) -> Order:
    return replace(order, state=OrderState.UNKNOWN, sent=True, unseen_amendments=())


_WEIGHTS: dict[Callable[[LedgerWorld, Dice], object], int] = {
    LedgerWorld.place: 2,
    LedgerWorld.place_an_intent_again: 1,
    LedgerWorld.hold_back: 1,
    LedgerWorld.place_and_be_accepted: 4,
    LedgerWorld.stop_waiting_for_a_placement: 2,
    LedgerWorld.ask_to_cancel: 4,
    LedgerWorld.ask_to_amend: 10,
    LedgerWorld.stop_waiting_for_a_change: 3,
    LedgerWorld.start_again: 1,
    LedgerWorld.placement_arrives: 4,
    LedgerWorld.trade: 3,
    LedgerWorld.trade_after_saying_cancelled: 1,
    LedgerWorld.end: 2,
    LedgerWorld.cancellation_arrives: 2,
    LedgerWorld.amendment_arrives: 10,
    LedgerWorld.order_appears_that_this_run_did_not_place: 1,
    LedgerWorld.funding_is_paid: 1,
    LedgerWorld.position_is_said: 1,
    LedgerWorld.words_arrive: 10,
    LedgerWorld.report_arrives_twice: 2,
    LedgerWorld.report_is_dropped: 2,
    LedgerWorld.order_is_queried: 4,
    LedgerWorld.absence_is_believed: 2,
    LedgerWorld.absence_is_believed_wrongly: 2,
    LedgerWorld.everything_is_compared: 1,
}
STEPS = tuple(step for step, weight in _WEIGHTS.items() for _ in range(weight))
"""Each as often as it takes for the rare chains of them to come about."""
