"""What the handlers of an exchange's protocol share: the engine, the tapes, the accounts, the clock."""

from __future__ import annotations

import ipaddress
from abc import ABC, abstractmethod
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from market.instrument import Instrument
from market.symbol import Symbol
from simulated.control import VenueClock
from simulated.engine.account import Account
from simulated.engine.events import EngineEvent, TradeMade
from simulated.engine.margin import MarginSettings
from simulated.engine.matching import MatchingEngine
from simulated.engine.order import Order, SelfTrade
from simulated.history import history
from simulated.house import open_house
from simulated.numbers import plain
from simulated.settings import AccountSettings, MarketSettings, SimulationSettings
from simulated.snapshots import Snapshots
from simulated.tape import Tape

# Realistic magnitudes, so that a client which stores ids in too small an integer is found out here.
_FIRST_ORDER_ID = 860_000_000_001
_FIRST_TRADE_ID = 5_736_713
_FIRST_UPDATE_ID = 27_053_258_981


class Venue(ABC):
    """The state of an exchange behind its protocol. `symbols` are by the exchange's spelling.

    With `doomed_orders_are_admitted`, a post-only order that would take and a fill-or-kill order that cannot be filled are
    accepted and then ended, rather than refused.
    """

    def __init__(
        self,
        settings: SimulationSettings,
        clock: VenueClock,
        *,
        exchange: str,
        first_order_id: int = _FIRST_ORDER_ID,
        doomed_orders_are_admitted: bool = False,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.engine = MatchingEngine(
            [self.rules(self.describe(market, exchange)) for market in settings.markets],
            first_order_id=first_order_id,
            first_trade_id=_FIRST_TRADE_ID,
            first_update_id=_FIRST_UPDATE_ID,
            doomed_orders_are_admitted=doomed_orders_are_admitted,
            margin=self.margin(),
            client_id_memory_seconds=settings.client_id_memory_seconds,
        )
        self.snapshots = Snapshots(self.engine.books)
        self.tapes: dict[Symbol, Tape] = {symbol: Tape() for symbol in self.engine.instruments}
        self.symbols: dict[str, Symbol] = {self.wire(symbol): symbol for symbol in self.engine.instruments}
        self.account_settings: dict[str, AccountSettings] = {account.name: account for account in settings.accounts}
        self.engine.subscribe(self._record, [TradeMade])
        open_house(self.engine, 0)
        for account in settings.accounts:
            self.engine.open_account(
                Account(account.name, maker_fee=account.maker_fee, taker_fee=account.taker_fee, self_trade=SelfTrade(settings.self_trade))
            )
            for asset, amount in account.balances.items():
                if self.is_held(asset):
                    self.engine.deposit(account.name, asset, amount, 0)

    def describe(self, market: MarketSettings, exchange: str) -> Instrument:
        """The trading rules that `market` describes."""
        return instrument_of(market, exchange)

    def margin(self) -> MarginSettings | None:
        """The terms of contracts, where this is a venue of those."""
        return None

    def is_held(self, asset: str) -> bool:
        """Can an account here hold `asset`?"""
        return True

    def rules(self, described: Instrument) -> Instrument:
        """A market's rules as this exchange has them; whatever it does not state to its clients, it cannot ask of them."""
        return described

    @abstractmethod
    def wire(self, symbol: Symbol) -> str:
        """The exchange's spelling of `symbol`."""

    @abstractmethod
    def encode_order(self, order: Order) -> dict[str, Any]:
        """An order as the exchange's REST describes it."""

    def now(self) -> int:
        """The exchange's wall time in milliseconds."""
        return self.clock.milliseconds()

    def state(self, *, history_of: str | None = None) -> dict[str, Any]:
        """The facts of `GET /sim/state`: what an outside test compares its own view with.

        The account `history_of`, if there is one of that name, comes with its orders and trades: `?history_of=main`.
        """
        accounts = {
            name: {
                "open_orders": [self.encode_order(order) for order in self.engine.accounts[name].open_orders.values()],
                "balances": [
                    {"currency": asset, "available": plain(balance.available), "locked": plain(balance.locked)}
                    for asset, balance in self.engine.accounts[name].balances.items()
                ],
                "trades": len(self.engine.accounts[name].trades),
                "orders": len(self.engine.accounts[name].open_orders) + len(self.engine.accounts[name].finished_orders),
            }
            for name in self.account_settings
        }
        if history_of in accounts:
            accounts[history_of] |= history(self.engine, history_of)
        markets = {
            wire: {
                "best_bid": levels(self.engine.books[symbol].bids.levels(1)),
                "best_ask": levels(self.engine.books[symbol].asks.levels(1)),
                "update_id": self.engine.books[symbol].update_id,
                "trades": self.tapes[symbol].trade_count,
            }
            for wire, symbol in self.symbols.items()
        }
        return {"time": self.now(), "accounts": accounts, "markets": markets, "trades": self.engine.trade_count}

    def _record(self, event: EngineEvent) -> None:
        if isinstance(event, TradeMade):
            self.tapes[event.trade.symbol].add(event.trade)


def instrument_of(market: MarketSettings, exchange: str) -> Instrument:
    """The trading rules that `market` describes."""
    return Instrument(
        exchange=exchange,
        symbol=market.parsed_symbol,
        price_tick=Decimal(1).scaleb(-market.price_decimals),
        quantity_step=Decimal(1).scaleb(-market.quantity_decimals),
        quantity_min=market.quantity_min,
        notional_min=market.notional_min,
    )


def levels(side: list[tuple[Decimal, Decimal]]) -> list[list[str]]:
    """Price and quantity of each level, as text."""
    return [[plain(price), plain(quantity)] for price, quantity in side]


def is_loopback(host: str) -> bool:
    """May this client read `/sim/state`? A name that is no address (a test's in-memory client) may."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True


def text_of(fields: Mapping[str, object], name: str) -> str | None:
    """A parameter as text; None when it is absent or null. Numbers are accepted for text, as exchanges do."""
    value = fields.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
