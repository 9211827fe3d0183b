"""The matching engine: price-time priority over exact balances, of assets or of contracts.

Every command takes the time and runs to its end without waiting; listeners are called while it runs, in the order in
which things happen. A command that is refused raises `OrderRefused` and has changed nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Context, Decimal, localcontext

from market.instrument import Instrument
from market.symbol import Symbol
from simulated.engine.account import Account
from simulated.engine.admission import check_amounts, check_market
from simulated.engine.book import Book
from simulated.engine.contract_desk import ContractDesk
from simulated.engine.contract_settlement import ContractSettlement
from simulated.engine.events import EVERY_KIND, EngineEvent, EngineListener, OrderChange
from simulated.engine.ledger import Ledger
from simulated.engine.liquidation import Liquidator
from simulated.engine.margin import Margin, MarginSettings
from simulated.engine.matcher import Matcher
from simulated.engine.order import ZERO, FinishReason, NewOrder, Order, OrderRefused, Refusal, TimeInForce, Trade
from simulated.engine.position import Position
from simulated.engine.records import OrderRecords
from simulated.engine.settlement import Settlement, SpotSettlement

_EXACT = Context(prec=80)  # products and sums of prices, quantities and fees never round


class MatchingEngine:
    """Books, accounts and orders of one simulated exchange.

    With `doomed_orders_are_admitted`, orders that must not take, or must be filled whole, and cannot, are admitted and ended.
    The client ids of finished orders are taken for `client_id_memory_seconds`, those of open ones always.
    With `margin`, every instrument is a linear contract, settled in its quote asset; the commands about positions are for those.
    """

    def __init__(
        self,
        instruments: Iterable[Instrument],
        *,
        first_order_id: int = 1,
        first_trade_id: int = 1,
        first_update_id: int = 1,
        doomed_orders_are_admitted: bool = False,
        margin: MarginSettings | None = None,
        client_id_memory_seconds: float = 0.0,
    ) -> None:
        self.instruments: dict[Symbol, Instrument] = {instrument.symbol: instrument for instrument in instruments}
        self.books: dict[Symbol, Book] = {symbol: Book(first_update_id) for symbol in self.instruments}
        self._records = OrderRecords(self.books, first_order_id=first_order_id)
        ledger = self._ledger = Ledger(self._records.publish)
        self.accounts: dict[str, Account] = ledger.accounts
        self.orders: dict[int, Order] = self._records.orders
        self.supply: dict[str, Decimal] = ledger.supply
        self._admits_doomed = doomed_orders_are_admitted
        self._client_id_memory_milliseconds = client_id_memory_seconds * 1000
        contracts = None if margin is None else Margin(margin, self.instruments)
        settlement = None if contracts is None else ContractSettlement(ledger, contracts, self._records.publish)
        self._settlement: Settlement = settlement or SpotSettlement(ledger)
        self._matcher = Matcher(self.instruments, self.accounts, self._records, self._settlement, first_trade_id=first_trade_id)
        self.last_prices: dict[Symbol, Decimal] = self._matcher.last_prices
        self._contract_desk: ContractDesk | None = None
        if contracts is not None and settlement is not None:
            liquidator = Liquidator(self.accounts, self._records, self._matcher, settlement, contracts)
            self._contract_desk = ContractDesk(self.accounts, self._records, settlement, contracts, liquidator)

    @property
    def trade_count(self) -> int:
        return self._matcher.trade_count

    def subscribe(self, listener: EngineListener, kinds: Iterable[type[EngineEvent]] = EVERY_KIND) -> None:
        """Call `listener` with every event of these kinds from now on. It must neither raise nor command the engine."""
        self._records.subscribe(listener, kinds)

    def open_account(self, account: Account) -> Account:
        self.accounts[account.name] = account
        return account

    def deposit(self, account_name: str, asset: str, amount: Decimal, now_milliseconds: int) -> None:
        with localcontext(_EXACT):
            self._ledger.deposit(account_name, asset, amount, now_milliseconds)

    def withdraw(self, account_name: str, asset: str, amount: Decimal, now_milliseconds: int) -> None:
        """Take from what is available.

        Raises:
            OrderRefused: there is less available than `amount`.
        """
        with localcontext(_EXACT):
            available = self._settlement.available(self.accounts[account_name], asset)
            if available < amount:
                raise OrderRefused(Refusal.BALANCE_NOT_ENOUGH, bound=available, value=amount)
            self._ledger.withdraw(account_name, asset, amount, now_milliseconds)

    def place(self, new: NewOrder, now_milliseconds: int) -> Order:
        """Admit an order, match it, rest what remains. The order returned is the live record.

        Raises:
            OrderRefused: the order breaks a rule of the market or the account cannot pay for it.
        """
        with localcontext(_EXACT):
            return self._place(new, now_milliseconds)

    def cancel(self, order_id: int, now_milliseconds: int, *, reason: FinishReason = FinishReason.CANCELLED) -> Order:
        """Finish an open order and release what it holds.

        Raises:
            OrderRefused: there is no such order, or it is finished.
        """
        with localcontext(_EXACT):
            order = self._records.require_open(order_id)
            self._matcher.withdraw(order, reason, now_milliseconds)
            return order

    def amend(
        self, order_id: int, now_milliseconds: int, *, price: Decimal | None = None, quantity: Decimal | None = None, note: str = ""
    ) -> Order:
        """Change price or total quantity. A smaller quantity keeps the place in the queue; anything else goes to the end.

        Raises:
            OrderRefused: unknown or finished order, no change, a rule broken, not enough balance, or a post-only order would take.
        """
        with localcontext(_EXACT):
            return self._amend(self._records.require_open(order_id), price, quantity, note, now_milliseconds)

    def trade_against(self, order_id: int, account_name: str, quantity: Decimal, now_milliseconds: int) -> Trade:
        """Let `account_name` take exactly `quantity` from one resting order, whatever stands before it. For fault injection.

        Raises:
            OrderRefused: the order is not open, holds less than `quantity`, or the account cannot pay.
        """
        with localcontext(_EXACT):
            maker = self._records.require_open(order_id)
            if not ZERO < quantity <= maker.remaining_quantity:
                raise OrderRefused(Refusal.INVALID, bound=maker.remaining_quantity, value=quantity)
            new = NewOrder(
                account=account_name,
                symbol=maker.symbol,
                side=maker.side.opposite,
                time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
                price=maker.price,
                quantity=quantity,
            )
            taker = self._admit(new, now_milliseconds)
            trade = self._matcher.trade(taker, maker, quantity, now_milliseconds)
            self._matcher.finish(taker, FinishReason.FILLED, now_milliseconds)
            return trade

    # -- contracts ----------------------------------------------------------------------------------------------------

    @property
    def trades_contracts(self) -> bool:
        return self._contract_desk is not None

    def position(self, account_name: str, symbol: Symbol) -> Position:
        """The live record of the account's position; an empty one is made where it never had any."""
        return self._desk.position(account_name, symbol)

    def open_positions(self, account_name: str) -> list[Position]:
        """The live records of the positions that are not empty."""
        return [position for position in self.accounts[account_name].positions.values() if position.is_open]

    def set_leverage(self, account_name: str, symbol: Symbol, leverage: Decimal, *, is_cross: bool, now_milliseconds: int) -> Position:
        """Choose leverage and margin mode for the position and for every order in `symbol`. Nothing happens if both are as they were.

        Raises:
            OrderRefused: out of the contract's bounds; the mode would change under a position or an open order; or the margin would
                not suffice: not enough is available, or the isolated position would be due at once.
        """
        with localcontext(_EXACT):
            return self._desk.set_leverage(account_name, symbol, leverage, is_cross, now_milliseconds)

    def mark_price(self, symbol: Symbol) -> Decimal:
        """What positions are valued at."""
        return self._desk.margin.mark_prices[symbol]

    def index_price(self, symbol: Symbol) -> Decimal:
        """What the base asset is worth elsewhere."""
        return self._desk.margin.index_prices[symbol]

    def set_mark_price(self, symbol: Symbol, price: Decimal, now_milliseconds: int, *, index_price: Decimal | None = None) -> None:
        """Value positions at `price` from now on, and liquidate those that are due. Without `index_price` the index is the same.

        Raises:
            OrderRefused: `price` is not above 0.
        """
        with localcontext(_EXACT):
            self._desk.set_mark_price(symbol, price, price if index_price is None else index_price, now_milliseconds)

    def unrealised_pnl(self, position: Position) -> Decimal:
        """What closing at the mark price would realise, before fees."""
        with localcontext(_EXACT):
            return self._desk.margin.unrealised_pnl(position)

    def initial_margin(self, position: Position) -> Decimal:
        """Cost / leverage."""
        with localcontext(_EXACT):
            return self._desk.margin.initial_margin(position)

    def maintenance_margin(self, position: Position) -> Decimal:
        """What must at least stand behind the position."""
        with localcontext(_EXACT):
            return self._desk.margin.maintenance_margin(position)

    def liquidation_price(self, position: Position) -> Decimal | None:
        """The mark price, on a tick, at which the position is due if nothing else changes; None where there is none."""
        with localcontext(_EXACT):
            return self._desk.liquidation_price(position)

    def order_margin(self, account_name: str, symbol: Symbol) -> Decimal:
        """What the account's open orders in `symbol` hold."""
        with localcontext(_EXACT):
            return self._desk.order_margin(account_name, symbol)

    def available(self, account_name: str, asset: str) -> Decimal:
        """What the account may use for new orders, never below zero. Of contracts: with the unrealised profit of cross positions."""
        with localcontext(_EXACT):
            return self._settlement.available(self.accounts[account_name], asset)

    def funding_rate(self, symbol: Symbol) -> Decimal:
        """The rate that is paid next: longs pay it to shorts, of their position's value at the mark price."""
        return self._desk.margin.funding_rates[symbol]

    def set_funding_rate(self, symbol: Symbol, rate: Decimal) -> None:
        self._desk.margin.funding_rates[symbol] = rate

    def next_funding_milliseconds(self, symbol: Symbol) -> int:
        return self._desk.margin.next_funding_milliseconds[symbol]

    def pay_funding(self, symbol: Symbol, rate: Decimal, now_milliseconds: int) -> None:
        """Let every position in `symbol` pay or get its funding now, and liquidate those that are due for it. It sums up to zero.

        If funding was due, the next is due at the end of the interval that now is in.
        """
        with localcontext(_EXACT):
            self._desk.pay_funding(symbol, rate, now_milliseconds)

    @property
    def _desk(self) -> ContractDesk:
        if self._contract_desk is None:
            raise RuntimeError("this engine trades assets, not contracts: make it with margin settings")
        return self._contract_desk

    # -- placing ------------------------------------------------------------------------------------------------------

    def _place(self, new: NewOrder, now: int) -> Order:
        instrument = self.instruments.get(new.symbol)
        if instrument is None:
            raise OrderRefused(Refusal.UNKNOWN_SYMBOL)
        check_market(instrument, new.side)
        check_amounts(instrument, self.books[new.symbol], new)
        account = self.accounts[new.account]
        if new.client_id and (namesake := self._namesake(account, new.client_id, now)) is not None:
            raise OrderRefused(Refusal.DUPLICATE_CLIENT_ID, order=namesake)
        if new.time_in_force is TimeInForce.POST_ONLY and self._matcher.crosses(new.symbol, new.side, new.price):
            doom = FinishReason.POST_ONLY
        elif new.time_in_force is TimeInForce.FILL_OR_KILL and not self._matcher.is_fillable(new):
            doom = FinishReason.FILL_OR_KILL
        else:
            doom = None
        if doom is not None and not self._admits_doomed:
            raise OrderRefused(Refusal.WOULD_TAKE if doom is FinishReason.POST_ONLY else Refusal.NOT_FILLABLE)
        order = self._admit(new, now)
        if doom is None:
            self._matcher.match_and_rest(order, now)
        else:
            self._matcher.finish(order, doom, now)
        return order

    def _namesake(self, account: Account, client_id: str, now: int) -> Order | None:
        """The order that has this client id, or has finished so lately that it is still taken."""
        if client_id in account.open_order_by_client_id:
            return account.open_order_by_client_id[client_id]
        for order in reversed(account.finished_orders):
            if now - order.updated_at_milliseconds >= self._client_id_memory_milliseconds:
                return None
            if order.client_id == client_id:
                return order
        return None

    def _admit(self, new: NewOrder, now: int) -> Order:
        account = self.accounts[new.account]
        needed = self._settlement.check(new, self.books[new.symbol])
        order = self._records.open(new, account, self._settlement.assets(new), now)
        self._settlement.opened(order, needed, now)
        self._records.announce(order, account, OrderChange.PUT, now)
        return order

    def _amend(self, order: Order, price: Decimal | None, quantity: Decimal | None, note: str, now: int) -> Order:
        new_price = order.price if price is None else price
        new_quantity = order.quantity if quantity is None else quantity
        if new_price == order.price and new_quantity == order.quantity:
            raise OrderRefused(Refusal.NO_CHANGE, order=order)
        if new_quantity <= order.filled_quantity:
            raise OrderRefused(Refusal.QUANTITY_TOO_SMALL, bound=order.filled_quantity, value=new_quantity)
        book = self.books[order.symbol]
        changed = NewOrder(account=order.account, symbol=order.symbol, side=order.side, price=new_price, quantity=new_quantity)
        check_amounts(self.instruments[order.symbol], book, changed)
        if order.time_in_force is TimeInForce.POST_ONLY and self._matcher.crosses(order.symbol, order.side, new_price):
            raise OrderRefused(Refusal.WOULD_TAKE, order=order)
        needed = self._settlement.check_amendment(order, new_price, new_quantity - order.filled_quantity, book)

        keeps_place = new_price == order.price and new_quantity < order.quantity
        if keeps_place:
            book.side(order.side).reduce(order, order.quantity - new_quantity)
        else:
            self._records.take_from_book(order, now)
        order.price, order.quantity, order.note = new_price, new_quantity, note or order.note
        order.updated_at_milliseconds = now
        self._settlement.amended(order, needed, now)
        self._records.announce(order, self.accounts[order.account], OrderChange.UPDATED, now)
        if keeps_place:
            self._records.level_changed(order, now)
        else:
            self._matcher.match_and_rest(order, now)
        return order
