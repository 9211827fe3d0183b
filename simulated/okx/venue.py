"""What the handlers of REST and websocket share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, ClassVar

from market.symbol import Symbol
from simulated.control import VenueClock
from simulated.engine.events import BalanceReason
from simulated.engine.order import Order, OrderKind, Trade, TradeParty
from simulated.okx import encoding
from simulated.okx.encoding import Json
from simulated.okx.errors import OkxError, parameter_error
from simulated.okx.fields import Fields, number_of
from simulated.okx.listing import Listing
from simulated.settings import AccountSettings, SimulationSettings
from simulated.tape import Candle
from simulated.venue import Venue, text_of

_FIRST_ORDER_ID = 680_800_019_749_904_384
_TIME_IN_FORCE = {name: value for value, name in encoding.ORDER_TYPES.items()}


class OkxVenue(Venue):
    """The state of one kind of OKX's markets behind its protocol; all that differs from kind to kind is said in a subclass.

    Orders that must not take and would are accepted, then ended.
    """

    instrument_type: ClassVar[str]
    balance_events: ClassVar[Mapping[BalanceReason, str]]
    """What `balance_and_position` calls a change of a balance; what is not here does not change what it tells of."""
    balance_reasons_of_positions: ClassVar[frozenset[BalanceReason]] = frozenset()
    """The changes of a balance that a change of a position follows."""

    def __init__(self, settings: SimulationSettings, clock: VenueClock, *, exchange: str, first_instrument_code: int) -> None:
        super().__init__(settings, clock, exchange=exchange, first_order_id=_FIRST_ORDER_ID, doomed_orders_are_admitted=True)
        self.listings: dict[Symbol, Listing] = {
            symbol: Listing(
                type=self.instrument_type,
                name=self.wire(symbol),
                code=first_instrument_code + index,
                unit=rules.contract_size or Decimal(1),
                is_contract=rules.is_contract,
            )
            for index, (symbol, rules) in enumerate(self.engine.instruments.items())
        }
        self.amendments: dict[int, str] = {}
        """By order: what the client calls the amendment that is being carried out."""

    # -- what differs -----------------------------------------------------------------------------------------------

    @abstractmethod
    def instrument(self, symbol: Symbol) -> Json:
        """An instrument with its rules."""

    @abstractmethod
    def check_trade_mode(self, account: AccountSettings, symbol: Symbol, fields: Fields) -> None:
        """Raises: OkxError: the account cannot trade like this."""

    @abstractmethod
    def terms(self, account: AccountSettings, symbol: Symbol, fields: Fields) -> dict[str, Any]:
        """What an order asks for, in the words of `NewOrder`. Raises: OkxError: it asks for what there is not."""

    @abstractmethod
    def order_details(self, order: Order) -> Json:
        """The fields of an order object that each kind of market fills in another way."""

    @abstractmethod
    def balance(self, account: str, asset: str, *, available: Decimal, locked: Decimal, at_milliseconds: int) -> Json:
        """One currency of an account."""

    @abstractmethod
    def account(self, account: str, details: list[Json], at_milliseconds: int) -> Json:
        """An account with some of its currencies."""

    @abstractmethod
    def config(self, account: AccountSettings) -> Json:
        """How the account and its key are set up."""

    @abstractmethod
    def trade_fee(self, account: AccountSettings) -> Json: ...

    # -- objects ----------------------------------------------------------------------------------------------------

    def encode_order(self, order: Order) -> Json:
        return {**encoding.order(self.listings[order.symbol], order), **self.order_details(order)}

    def encode_fill(self, trade: Trade, party: TradeParty) -> Json:
        """The part of an order's push that tells of a fill."""
        return encoding.fill_of(self.listings[trade.symbol], trade, party)

    def encode_no_fill(self) -> Json:
        """The same part of a push that tells of none."""
        return dict(encoding.NO_FILL)

    def encode_my_trade(self, trade: Trade, party: TradeParty) -> Json:
        return encoding.my_trade(self.listings[trade.symbol], trade, party)

    def encode_positions(self, account: str, symbols: Iterable[Symbol] | None = None) -> list[Json]:
        """Open positions, or those in `symbols`, open or not. A spot account has none."""
        return []

    def encode_position_changes(self, account: str, symbols: Iterable[Symbol] | None = None) -> list[Json]:
        """The same, as `balance_and_position` tells of them."""
        return []

    def levels(self, symbol: Symbol, depth: int) -> tuple[list[encoding.Level], list[encoding.Level]]:
        """Bids and asks."""
        book, listing = self.engine.books[symbol], self.listings[symbol]
        return encoding.levels(listing, book.bids, depth), encoding.levels(listing, book.asks, depth)

    def ticker(self, symbol: Symbol) -> Json:
        book = self.engine.books[symbol]
        return encoding.ticker(self.listings[symbol], self.tapes[symbol], book.bids, book.asks, self.now())

    def candle(self, symbol: Symbol, candle: Candle, length_seconds: int) -> list[str]:
        return encoding.candle(self.listings[symbol], candle, length_seconds, self.now() // 1000)

    def balances(self, account: str) -> list[Json]:
        """Every currency of which there is any."""
        now, holder = self.now(), self.engine.accounts[account]
        return [
            self.balance(account, asset, available=one.available, locked=one.locked, at_milliseconds=now)
            for asset, one in holder.balances.items()
            if one.total
        ]

    # -- finding ----------------------------------------------------------------------------------------------------

    def symbol(self, instrument: str | None) -> Symbol:
        """Raises: OkxError: no instrument is named, or it is not traded here."""
        if not instrument:
            raise OkxError("50014", "Parameter instId can not be empty.")
        symbol = self.symbols.get(instrument)
        if symbol is None:
            raise OkxError("51001", f"Instrument ID or Spread ID {instrument} doesn't exist.")
        return symbol

    def is_remembered(self, order: Order, now: int) -> bool:
        """An order that was cancelled without a fill is forgotten after a while (two hours, really)."""
        if order.is_open or order.filled_quantity:
            return True
        memory_seconds = self.settings.unfilled_order_memory_seconds
        return not order.is_forgotten and now - order.updated_at_milliseconds <= (60.0 if memory_seconds is None else memory_seconds) * 1000

    def find_order(self, account: str, order_id: str | None, client_id: str | None, now: int) -> Order | None:
        """An order by its id, or else by client id, open or finished; None when the exchange knows none."""
        if order_id is not None:
            order = self.engine.orders.get(int(order_id)) if order_id.isdigit() and len(order_id) <= 20 else None
            return order if order is not None and order.account == account and self.is_remembered(order, now) else None
        holder = self.engine.accounts[account]
        if client_id in holder.open_order_by_client_id:
            return holder.open_order_by_client_id[client_id]
        for order in reversed(holder.finished_orders):
            if order.client_id == client_id and self.is_remembered(order, now):
                return order
        return None


def limit_terms(listing: Listing, fields: Fields) -> dict[str, Any]:
    """What an order with a price asks for. Raises: OkxError: there is no such type of order, or a number is missing."""
    size = number_of(fields, "sz")
    order_type = text_of(fields, "ordType") or ""
    if order_type not in _TIME_IN_FORCE:
        raise parameter_error("ordType")
    return {
        "kind": OrderKind.LIMIT,
        "time_in_force": _TIME_IN_FORCE[order_type],
        "price": number_of(fields, "px"),
        "quantity": listing.quantity(size),
    }
