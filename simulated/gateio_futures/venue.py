"""What the handlers of REST and websocket share."""

from __future__ import annotations

from collections import deque
from decimal import ROUND_HALF_UP, Decimal

import msgspec

from market.instrument import Instrument
from market.symbol import Symbol
from simulated.contracts import ContractVenue
from simulated.control import VenueClock
from simulated.engine.events import OF_ACCOUNTS, BalanceChanged, EngineEvent, FundingPaid, OrderChange, OrderChanged
from simulated.engine.order import ZERO, Order
from simulated.gateio.errors import GateError
from simulated.gateio.order_fields import Json
from simulated.gateio.order_memory import OrderMemory
from simulated.gateio_futures import encoding
from simulated.gateio_futures.account_book import AccountBook, BookEntry
from simulated.gateio_futures.sizes import SizeStyle
from simulated.settings import AccountSettings, ContractSettings, SimulationSettings

SETTLE = "usdt"
ORDERS_MAX = 100
"""Open orders of an account in one contract (`orders_limit` as seen live in 2026)."""
PRICE_DEVIATION_MAX = Decimal("0.5")
"""How far from the mark price an order's may be (`order_price_deviate` of the documentation's sample)."""
_FIRST_ORDER_ID = 58_828_270_140_012_001  # as long as those seen live: no float holds them
_FUNDINGS_MAX = 5_000
_FINISHED_MAX = 1_000  # whose updates are still counted


class Caller(msgspec.Struct, frozen=True):
    """Who asks, and how they want sizes written."""

    account: AccountSettings
    style: SizeStyle


class GateFuturesVenue(ContractVenue):
    """The state of the exchange behind its protocol.

    `dual_accounts` have asked for two positions per contract, which is not traded here. `last_entry` is what the balance change
    that is being told adds to the account book.
    """

    def __init__(self, settings: SimulationSettings, clock: VenueClock) -> None:
        self.account_book = AccountBook()
        self.dual_accounts = {account.name for account in settings.accounts if account.position_mode == "hedge"}
        self._fundings: dict[Symbol, deque[tuple[int, Decimal]]] = {}
        self._order_updates: dict[int, int] = {}
        self._finished_orders: deque[int] = deque()
        self.last_entry: BookEntry | None = None
        super().__init__(settings, clock, exchange="gateio_futures", first_order_id=_FIRST_ORDER_ID)
        # REST documentation: a custom id is found for 60 seconds after the end, an order cancelled without a fill for 10 minutes.
        self.memory = OrderMemory(self.engine, settings, text_seconds=60.0, unfilled_seconds=600.0)
        self.engine.subscribe(self._note, OF_ACCOUNTS)

    def wire(self, symbol: Symbol) -> str:
        return encoding.wire(symbol)

    def symbol(self, contract: str | None) -> Symbol:
        """Raises: GateError: no contract is named, or it is not traded here."""
        if not contract:
            raise GateError("MISSING_REQUIRED_PARAM", "contract is required")
        symbol = self.symbols.get(contract)
        if symbol is None:
            raise GateError("CONTRACT_NOT_FOUND", f"contract {contract} not found")
        return symbol

    def instrument(self, symbol: Symbol) -> Instrument:
        return self.engine.instruments[symbol]

    def terms(self, symbol: Symbol) -> ContractSettings:
        return next(self.contract(market) for market in self.settings.markets if market.parsed_symbol == symbol)

    def price_on_tick(self, symbol: Symbol, price: Decimal) -> Decimal:
        """The nearest tick: Gate.io rounds prices rather than refuse them (order API documentation: 31503.28 becomes 31503.3)."""
        tick = self.instrument(symbol).price_tick
        return (price / tick).to_integral_value(ROUND_HALF_UP) * tick

    def check_deviation(self, symbol: Symbol, price: Decimal) -> None:
        """Raises: GateError: `price` is too far from the mark price."""
        mark = self.engine.mark_price(symbol)
        if abs(price - mark) > mark * PRICE_DEVIATION_MAX:
            raise GateError("PRICE_TOO_DEVIATED", "Order price deviates too much from mark price")

    def open_interest(self, symbol: Symbol) -> Decimal:
        """What all long positions hold, in base units."""
        positions = (account.positions.get(symbol) for account in self.engine.accounts.values())
        return sum((position.quantity for position in positions if position is not None and position.quantity > 0), ZERO)

    def update_id(self, order: Order) -> int:
        """How often clients were told of the order."""
        return self._order_updates.get(order.id, 1)

    def fundings(self, symbol: Symbol) -> list[tuple[int, Decimal]]:
        """Moment in milliseconds and rate of every funding that anybody paid, oldest first."""
        return list(self._fundings.get(symbol, ()))

    def encode_order(self, order: Order) -> Json:
        return encoding.order(order, self.instrument(order.symbol), self.account_settings[order.account], SizeStyle(is_decimal=True))

    def _note(self, event: EngineEvent) -> None:
        if isinstance(event, BalanceChanged):
            self.last_entry = self.account_book.record(event)
        elif isinstance(event, OrderChanged):
            self._count(event)
        elif isinstance(event, FundingPaid):
            paid = self._fundings.setdefault(event.symbol, deque(maxlen=_FUNDINGS_MAX))
            if not paid or paid[-1][0] != event.at_milliseconds:
                paid.append((event.at_milliseconds, event.rate))

    def _count(self, event: OrderChanged) -> None:
        self._order_updates[event.order.id] = self._order_updates.get(event.order.id, 0) + 1
        if event.change is OrderChange.FINISHED:
            self._finished_orders.append(event.order.id)
            if len(self._finished_orders) > _FINISHED_MAX:
                del self._order_updates[self._finished_orders.popleft()]
