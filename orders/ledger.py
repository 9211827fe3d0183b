"""The account's own ledger: every order, fill and balance of one credential, kept by pure bookkeeping.

Theory of operation. The ledger outlives the account actor's incarnations and is the only memory of what may be live.
Everything that happens is put in through one of the methods below, each of which changes the ledger at once and returns
the events to publish; there is no await between decision and record. Reports are idempotent: a trade is counted once by
its id (also one that passed for a stranger's until we knew whose order it was of), filled quantities only grow, and what
the life-cycle table does not allow is returned as `ImpossibleTransition`.
Ended orders are kept (for the statement and for late fills) up to a bound, oldest forgotten first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import TypeVar

from msgspec.structs import replace

from market.events import Side
from market.exact import EXACT, exact_product, exact_sum
from market.symbol import Symbol
from orders.amendments import amendment_asked, amendment_confirmed, amendment_refused, amendments_shown
from orders.earlier import CountedEarlier, TallyKey, TradeKey
from orders.events import (
    ForeignFillSeen,
    ForeignOrderSeen,
    ImpossibleTransition,
    LedgerEvent,
    LeftoverOrderFound,
    OrderCancelRequested,
    OrderChanged,
    OrderEnded,
    OrderFateUnknown,
    OrderFilled,
    OrderPlaced,
    OrderSubmitted,
)
from orders.funds import Funds
from orders.identity import installation_prefix, owner_of, owner_prefix
from orders.life_cycle import OrderInput, OrderState, next_state
from orders.order import ZERO, Order, Transport, add_fill
from orders.positions import PositionBooks
from orders.reports import BalanceReport, FillReport, FundingReport, OrderReport, ReportedStatus
from orders.request import OrderRequest, OrderType, TimeInForce
from orders.tally import Tally

# About a kilobyte each; late fills come within minutes, and a day of quoting ends more orders than anyone reads.
ENDED_ORDERS_KEPT_MAX = 2_000
FOREIGN_IDS_KEPT_MAX = 10_000

_NO_TRADES = Tally()
_Key = TypeVar("_Key")
_Fact = TypeVar("_Fact")

_INPUT_BY_STATUS = {
    ReportedStatus.OPEN: OrderInput.SAID_OPEN,
    ReportedStatus.FILLED: OrderInput.SAID_FILLED,
    ReportedStatus.CANCELLED: OrderInput.SAID_CANCELLED,
    ReportedStatus.EXPIRED: OrderInput.SAID_EXPIRED,
    ReportedStatus.REJECTED: OrderInput.SAID_REJECTED,
}


class AccountLedger:
    """Orders, fills and balances of one account of one installation; of one that trades contracts, its `positions` too.

    Open orders of `adopted` installations are taken in like leftovers of this one: to be cancelled, and never traded with.
    """

    def __init__(self, *, account: str, installation: str, adopted: Sequence[str] = (), holds_positions: bool = False) -> None:
        self.account = account
        self.positions: PositionBooks | None = PositionBooks(account) if holds_positions else None
        self._installation = installation
        self._prefix = installation_prefix(installation)
        self._prefixes = (self._prefix, *(installation_prefix(each) for each in adopted))
        self._orders: dict[str, Order] = {}
        # An exchange's order id need not be unique beyond its symbol.
        self._client_id_by_exchange_id: dict[tuple[Symbol, str], str] = {}
        self._live_ids: dict[str, None] = {}
        self._unsettled_ids: dict[str, None] = {}
        self._ended_ids: dict[str, None] = {}
        self._foreign_order_ids: dict[tuple[Symbol, str], None] = {}
        # Trades of strangers and of forgotten orders: in `_fill_changes`, and in no order that we remember. Whether in a tally, too.
        self._counted_trade_ids: dict[TradeKey, bool] = {}
        self._funds = Funds(account, self.positions)
        self._fill_changes: dict[str, Decimal] = {}
        self._earlier_changes: dict[str, Decimal] = {}
        self._forgotten_holdings: dict[str, dict[Symbol, Decimal]] = {}
        self._tallies: dict[TallyKey, Tally] = {}

    # What is known

    def order(self, client_order_id: str) -> Order | None:
        return self._orders.get(client_order_id)

    def orders(self, owner: str | None = None) -> Iterator[Order]:
        """Every order remembered, oldest first; of one owner if named."""
        return (order for order in self._orders.values() if owner is None or order.request.owner == owner)

    def order_of(self, fill: FillReport) -> Order | None:
        """The order that a trade is of; None of one that is not ours, or forgotten."""
        return self._find(fill.client_order_id, fill.symbol, fill.exchange_order_id)

    def live_orders(self, owner: str | None = None) -> list[Order]:
        """Orders that may still trade: everything that has not ended by the exchange's word."""
        live = (self._orders[client_order_id] for client_order_id in self._live_ids)
        return [order for order in live if owner is None or order.request.owner == owner]

    def unsettled_orders(self) -> list[Order]:
        """Orders that have ended while some of their fills are not known yet."""
        return [self._orders[client_order_id] for client_order_id in self._unsettled_ids]

    def orders_missing_fills(self) -> list[Order]:
        """Orders whose known fills do not account for their filled quantity, ended or not."""
        missing = (self._orders[client_order_id] for client_order_id in (*self._live_ids, *self._unsettled_ids))
        return [order for order in missing if not order.fills_are_complete]

    def untold_quantity(self, symbol: Symbol) -> Decimal:
        """What orders in `symbol` are said to have bought beyond their known fills, less what they are said to have sold so."""
        missing = [order for order in self.orders_missing_fills() if order.request.symbol == symbol]
        untold = (EXACT.subtract(order.filled_quantity, exact_sum(fill.quantity for fill in order.fills)) for order in missing)
        return exact_sum(
            quantity if order.request.side is Side.BUY else quantity.copy_negate() for order, quantity in zip(missing, untold, strict=True)
        )

    def is_ours(self, client_order_id: str | None, *, owner: str | None = None) -> bool:
        """Whether an id was made by this installation (and owner) or an adopted one, in this run or an earlier one."""
        if client_order_id is None:
            return False
        return client_order_id.startswith(self._prefixes if owner is None else owner_prefix(self._installation, owner))

    def balance(self, asset: str) -> BalanceReport | None:
        return self._funds.statement(asset)

    def balances(self) -> dict[str, BalanceReport]:
        return self._funds.statements()

    def fill_changes(self) -> dict[str, Decimal]:
        """What all fills and funding payments seen so far did to each asset's balance, fees included.

        A contract's base counts as an asset here: what is held of it is the position, and the quote was paid for it.
        """
        return dict(self._fill_changes)

    def fill_changes_since_start(self) -> dict[str, Decimal]:
        """As `fill_changes`, of this run and of the orders of earlier ones that it goes on with."""
        assets = {**self._fill_changes, **self._earlier_changes}
        return {asset: EXACT.subtract(self._fill_changes.get(asset, ZERO), self._earlier_changes.get(asset, ZERO)) for asset in assets}

    def holdings(self, owner: str) -> dict[Symbol, Decimal]:
        """Base units by symbol that the owner's fills since the start add up to, those of forgotten orders included."""
        held = dict(self._forgotten_holdings.get(owner, {}))
        for order in self.orders(owner):
            symbol = order.request.symbol
            held[symbol] = EXACT.add(held.get(symbol, ZERO), order.asset_changes().get(symbol.base, ZERO))
        return held

    def tally(self, owner: str, symbol: Symbol) -> Tally:
        """What all trades of an owner of this installation add up to, those of earlier runs and of forgotten orders included."""
        return self._tallies.get((owner, symbol), _NO_TRADES)

    def spendable(self, asset: str) -> Decimal:
        """What new orders can be paid with: see `Funds.spendable`."""
        return self._funds.spendable(asset, (self._orders[client_order_id] for client_order_id in self._live_ids))

    def reserved(self, order: Order, request: OrderRequest | None = None) -> tuple[str, Decimal]:
        """The asset and the amount that an order may take from the available balance, as `request` says if that is given."""
        return self._funds.reserved(order, request)

    # What earlier runs left

    def restore(self, orders: Iterable[Order], *, counted: CountedEarlier | None = None) -> None:
        """Take in orders of earlier runs as they were known last; one that is known already stays as it is.

        Their fills are part of what `counted` says that all trades did; without it, each is counted here, once. Positions
        begin with the exchange's word at the first look, and not with these fills.

        Raises:
            ValueError: an order is not of this installation, or `counted` comes after something was counted.
        """
        restored = {order.client_order_id: order for order in orders if order.client_order_id not in self._orders}
        strange = [client_order_id for client_order_id in restored if not self.is_ours(client_order_id)]
        if strange:
            raise ValueError(f"orders {', '.join(strange)} are not of installation {self._installation}")
        if counted is not None:
            self._go_on_counting(counted)
        for order in restored.values():
            if order.exchange_order_id is not None:
                self._client_id_by_exchange_id[order.request.symbol, order.exchange_order_id] = order.client_order_id
            for fill in order.fills:
                is_tallied = self._counted_trade_ids.pop(_trade_key(fill), None)
                if counted is None and is_tallied is None:
                    add_fill(self._fill_changes, fill)
                if counted is None and not is_tallied:
                    self._tally(order, fill)
            self._keep(order)
        self._earlier_changes = dict(self._fill_changes)
        for order in self._orders.values():
            for asset, change in order.asset_changes().items():
                self._earlier_changes[asset] = EXACT.subtract(self._earlier_changes.get(asset, ZERO), change)

    def _go_on_counting(self, counted: CountedEarlier) -> None:
        if self._fill_changes or self._counted_trade_ids:
            raise ValueError(f"account {self.account} has counted already: what earlier runs counted comes first")
        self._fill_changes = dict(counted.fill_changes)
        self._tallies = dict(counted.tallies)
        for trade in counted.trades:
            _remember(self._counted_trade_ids, trade, trade in counted.tallied_trades)
        if self.positions is not None:
            self.positions.remember_payments(counted.payments)

    # What we do

    def record_intent(self, request: OrderRequest, *, now: float) -> list[LedgerEvent]:
        """Write down an order before anything of it leaves.

        Raises:
            ValueError: the client order id was used before or is not this installation's.
        """
        if request.client_order_id in self._orders:
            raise ValueError(f"client order id {request.client_order_id} was used before")
        if not request.client_order_id.startswith(self._prefix):
            raise ValueError(f"client order id {request.client_order_id} is not of installation {self._installation}")
        order = Order(request=request, created_at=now, changed_at=now)
        self._orders[request.client_order_id] = order
        self._live_ids[request.client_order_id] = None
        return [OrderChanged(self.account, order), OrderSubmitted(self.account, order)]

    def record_sent(
        self,
        client_order_id: str,
        *,
        sent_at_milliseconds: int,
        expires_at_milliseconds: int | None,
        transport: Transport = Transport.REST,
        now: float = 0.0,
    ) -> None:
        """The placement is about to leave: from here on the exchange may have it. `now` is for who asks how long its answer took."""
        self._orders[client_order_id] = replace(
            self._orders[client_order_id],
            sent=True,
            transport=transport,
            sent_at=now,
            sent_at_milliseconds=sent_at_milliseconds,
            expires_at_milliseconds=expires_at_milliseconds,
        )

    def doubt_sending(self, client_order_id: str, *, sent_at_milliseconds: int, expires_at_milliseconds: int) -> Order:
        """The times that an order was sent with are not true: it left after the one, and is not accepted any more after the other."""
        order = replace(
            self._orders[client_order_id], sent_at_milliseconds=sent_at_milliseconds, expires_at_milliseconds=expires_at_milliseconds
        )
        self._orders[client_order_id] = order
        return order

    def record_input(
        self, client_order_id: str, happened: OrderInput, *, now: float, reason: str = "", for_now: bool = False
    ) -> list[LedgerEvent]:
        """Something other than an exchange's report happened to an order of ours (see `OrderInput`).

        `for_now` says of an order's end that the reason was the moment and not what was asked.

        Raises:
            KeyError: no such order.
        """
        order = self._orders[client_order_id]
        denies_it_ever_was = happened in (OrderInput.NEVER_SENT, OrderInput.SAID_NEVER_ACCEPTED)
        if denies_it_ever_was and order.exchange_order_id is not None:
            return [OrderChanged(self.account, order), ImpossibleTransition(self.account, order, happened)]
        if happened is OrderInput.CANCEL_ASKED:
            order = replace(order, cancel_wanted=True)
        elif happened is OrderInput.AMEND_ASKED and next_state(order.state, happened) is not None:
            order = replace(order, amended=True)
        elif happened is OrderInput.AMEND_ENDED:
            order = amendment_refused(order)
        elif happened is OrderInput.SAID_FORGOTTEN and not order.is_terminal:
            order = replace(order, end_is_concluded=True)
        elif for_now and next_state(order.state, happened) is OrderState.REJECTED:
            order = replace(order, refused_for_now=True)
        return self._advance(order, happened, now=now, reason=reason)

    def record_amendment(self, client_order_id: str, *, price: Decimal | None, quantity: Decimal | None, now: float) -> list[LedgerEvent]:
        """An amendment is about to leave: until its outcome is known, the order may be as it was or as it was to become.

        Raises:
            KeyError: no such order.
        """
        order = self._orders[client_order_id]
        if next_state(order.state, OrderInput.AMEND_ASKED) is not None:
            self._orders[client_order_id] = amendment_asked(order, price, quantity)
        return self.record_input(client_order_id, OrderInput.AMEND_ASKED, now=now)

    def record_amended(self, client_order_id: str, *, price: Decimal | None, quantity: Decimal | None, now: float) -> list[LedgerEvent]:
        """The exchange confirmed an amendment: the request is now so."""
        order = amendment_confirmed(self._orders[client_order_id], price, quantity)
        return self._advance(order, OrderInput.AMEND_ENDED, now=now)

    # What the exchange says

    def apply_order_report(self, report: OrderReport, *, now: float) -> list[LedgerEvent]:
        """Take in the exchange's word about an order; idempotent."""
        order = self._find(report.client_order_id, report.symbol, report.exchange_order_id)
        if order is None:
            if self.is_ours(report.client_order_id):
                return self._leftover_order(report, now=now)
            return self._foreign_order(report)
        first_word = order.exchange_order_id is None
        if first_word:
            order = replace(order, exchange_order_id=report.exchange_order_id)
            self._client_id_by_exchange_id[report.symbol, report.exchange_order_id] = order.client_order_id
        if order.amended and report.exchange_time_milliseconds >= order.said_at_milliseconds:
            price, quantity = report.price or order.request.price, report.quantity or order.request.quantity
            order = amendments_shown(replace(order, request=replace(order.request, price=price, quantity=quantity)))
        filled_quantity = max(order.filled_quantity, report.filled_quantity)
        order = replace(
            order,
            filled_quantity=filled_quantity,
            filled_quote=_filled_quote(order.fills, filled_quantity, max(order.filled_quote, report.filled_quote)),
            said_at_milliseconds=max(order.said_at_milliseconds, report.exchange_time_milliseconds),
        )
        happened = _INPUT_BY_STATUS[report.status]
        if happened is OrderInput.SAID_REJECTED and next_state(order.state, happened) is None:
            # It was accepted first and thrown out at the book (a post-only order, say): its life is over all the same.
            happened = OrderInput.SAID_EXPIRED
        elif happened is OrderInput.SAID_OPEN and order.state is OrderState.REJECTED and not first_word:
            # Rejected by a report of the exchange, so this "open" is older. Only our own conclusion could be wrong.
            happened = OrderInput.SAID_REJECTED
        elif happened is OrderInput.SAID_OPEN and order.state is OrderState.CANCELLED and order.end_is_concluded:
            happened, order = OrderInput.FOUND_OPEN, replace(order, reason="")
        elif happened is OrderInput.SAID_OPEN and order.filled_quantity > 0:
            happened = OrderInput.SAID_PARTIALLY_FILLED
        order = replace(order, end_is_concluded=False)  # whatever it says, this is its own word
        events = self._advance(order, happened, now=now, reason=report.reason)
        if first_word and report.status is not ReportedStatus.REJECTED:
            events.insert(1, OrderPlaced(self.account, self._orders[order.client_order_id]))
        return events

    def apply_fill(self, fill: FillReport, *, now: float) -> list[LedgerEvent]:
        """Take in one trade; a trade id seen before changes nothing."""
        order = self._find(fill.client_order_id, fill.symbol, fill.exchange_order_id)
        if order is None:
            return self._foreign_fill(fill)
        if any(known.trade_id == fill.trade_id for known in order.fills):
            return []
        is_tallied = self._counted_trade_ids.pop(_trade_key(fill), None)
        if is_tallied is None:
            self._count(fill)
        fills = (*order.fills, fill)
        first_word = order.exchange_order_id is None
        if first_word:
            self._client_id_by_exchange_id[fill.symbol, fill.exchange_order_id] = order.client_order_id
        filled_quantity = max(order.filled_quantity, exact_sum(known.quantity for known in fills))
        order = replace(
            order,
            fills=fills,
            exchange_order_id=order.exchange_order_id or fill.exchange_order_id,
            filled_quantity=filled_quantity,
            filled_quote=_filled_quote(fills, filled_quantity, order.filled_quote),
        )
        # Of an amended order the quantity is uncertain for a while: only the exchange's own word ends it.
        whole = order.request.quantity is not None and order.filled_quantity >= order.request.quantity and not order.amended
        events = self._advance(order, OrderInput.SAID_FILLED if whole else OrderInput.SAID_PARTIALLY_FILLED, now=now)
        order = self._orders[order.client_order_id]
        if not is_tallied:
            self._tally(order, fill)
        events.insert(1, OrderFilled(self.account, order, fill))
        if first_word:
            events.insert(1, OrderPlaced(self.account, order))
        return events

    def apply_balance(self, report: BalanceReport, *, now_milliseconds: int | None = None) -> list[LedgerEvent]:
        """Take in a balance: see `Funds.apply`."""
        return [*self._funds.apply(report, now_milliseconds=now_milliseconds)]

    def apply_funding(self, report: FundingReport) -> list[LedgerEvent]:
        """Take in a funding payment; one seen before changes nothing.

        Raises:
            ValueError: this account trades no contracts.
        """
        if self.positions is None:
            raise ValueError(f"account {self.account} trades no contracts, so it has no funding")
        told = self.positions.apply_funding(report)
        if told:
            self._fill_changes[report.asset] = EXACT.add(self._fill_changes.get(report.asset, ZERO), report.amount)
        return [*told]

    # How it is kept

    def _find(self, client_order_id: str | None, symbol: Symbol, exchange_order_id: str) -> Order | None:
        if client_order_id is None or client_order_id not in self._orders:
            client_order_id = self._client_id_by_exchange_id.get((symbol, exchange_order_id))
        return self._orders.get(client_order_id) if client_order_id is not None else None

    def _advance(self, order: Order, happened: OrderInput, *, now: float, reason: str = "") -> list[LedgerEvent]:
        """Move `order` by the table, keep it, and say what changed; the first event is always `OrderChanged`."""
        before = self._orders[order.client_order_id]
        state = next_state(order.state, happened)
        if state is None:
            # Fills and ids learned on the way are facts even when the status word makes no sense.
            self._keep(order)
            return [OrderChanged(self.account, order), ImpossibleTransition(self.account, order, happened)]
        if state is OrderState.OPEN and order.filled_quantity > 0:
            state = OrderState.PARTIALLY_FILLED
        if order == before and state is before.state:
            return []
        order = replace(order, state=state, reason=reason or order.reason, changed_at=now)
        self._keep(order)
        events: list[LedgerEvent] = [OrderChanged(self.account, order)]
        if state is not before.state:
            if state is OrderState.UNKNOWN:
                events.append(OrderFateUnknown(self.account, order))
            elif state is OrderState.PENDING_CANCEL:
                events.append(OrderCancelRequested(self.account, order))
            elif state.is_terminal:
                self._funds.ended(order)
                events.append(OrderEnded(self.account, order))
        return events

    def _keep(self, order: Order) -> None:
        client_order_id = order.client_order_id
        self._orders[client_order_id] = order
        if not order.is_terminal:
            self._live_ids[client_order_id] = None
            self._ended_ids.pop(client_order_id, None)
            self._unsettled_ids.pop(client_order_id, None)
            return
        self._live_ids.pop(client_order_id, None)
        if order.is_settled:
            self._unsettled_ids.pop(client_order_id, None)
        else:
            self._unsettled_ids[client_order_id] = None
        self._ended_ids[client_order_id] = None
        while len(self._ended_ids) > ENDED_ORDERS_KEPT_MAX:
            self._forget(next(iter(self._ended_ids)))

    def _forget(self, client_order_id: str) -> None:
        del self._ended_ids[client_order_id]
        self._unsettled_ids.pop(client_order_id, None)
        order = self._orders.pop(client_order_id)
        if order.exchange_order_id is not None:
            self._client_id_by_exchange_id.pop((order.request.symbol, order.exchange_order_id), None)
        if order.fills:
            symbol = order.request.symbol
            held = self._forgotten_holdings.setdefault(order.request.owner, {})
            held[symbol] = EXACT.add(held.get(symbol, ZERO), order.asset_changes().get(symbol.base, ZERO))
        for fill in order.fills:
            _remember(self._counted_trade_ids, _trade_key(fill), True)

    def _leftover_order(self, report: OrderReport, *, now: float) -> list[LedgerEvent]:
        """Adopt an open order of an earlier run of this installation; one that has ended concerns nobody any more."""
        if report.status is not ReportedStatus.OPEN or report.client_order_id is None or not report.quantity:
            return []
        request = OrderRequest(
            client_order_id=report.client_order_id,
            owner=self._owner_of(report.client_order_id),
            symbol=report.symbol,
            side=report.side,
            type=OrderType.LIMIT if report.price else OrderType.MARKET,
            time_in_force=TimeInForce.GOOD_TILL_CANCELLED,
            quantity=report.quantity,
            price=report.price or None,
        )
        order = Order(request=request, state=OrderState.UNKNOWN, sent=True, created_at=now, changed_at=now)
        self._orders[order.client_order_id] = order
        return [LeftoverOrderFound(self.account, order), *self.apply_order_report(report, now=now)]

    def _owner_of(self, client_order_id: str) -> str:
        """Of an adopted installation nobody's: no cycle here has a name with a hyphen."""
        is_own = client_order_id.startswith(self._prefix)
        return owner_of(client_order_id) if is_own else client_order_id.rpartition("-")[0]

    def _foreign_order(self, report: OrderReport) -> list[LedgerEvent]:
        if not _remember(self._foreign_order_ids, (report.symbol, report.exchange_order_id), None):
            return []
        return [ForeignOrderSeen(self.account, report)]

    def _foreign_fill(self, fill: FillReport) -> list[LedgerEvent]:
        if not _remember(self._counted_trade_ids, _trade_key(fill), False):
            return []
        self._count(fill)
        return [ForeignFillSeen(self.account, fill)]

    def _tally(self, order: Order, fill: FillReport) -> None:
        if order.client_order_id.startswith(self._prefix):  # with what an adopted installation holds nobody goes on
            owner, symbol = order.request.owner, order.request.symbol
            self._tallies[owner, symbol] = self.tally(owner, symbol).after_fill(fill)

    def _count(self, fill: FillReport) -> None:
        add_fill(self._fill_changes, fill)
        if self.positions is not None:
            self.positions.count_fill(fill)


def _filled_quote(fills: tuple[FillReport, ...], filled_quantity: Decimal, stated: Decimal) -> Decimal:
    """By the fills where all are known: an exchange that states an average price states a rounded one."""
    known = exact_sum(exact_product(fill.quantity, fill.price) for fill in fills)
    return known if exact_sum(fill.quantity for fill in fills) == filled_quantity else max(known, stated)


def _trade_key(fill: FillReport) -> TradeKey:
    return fill.symbol, fill.exchange_order_id, fill.trade_id


def _remember(ids: dict[_Key, _Fact], identity: _Key, fact: _Fact) -> bool:
    """Remember an id within the bound, and a fact about it; False if it was known."""
    if identity in ids:
        return False
    ids[identity] = fact
    if len(ids) > FOREIGN_IDS_KEPT_MAX:
        del ids[next(iter(ids))]
    return True
