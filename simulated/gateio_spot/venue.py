"""What the handlers of REST and websocket share: the engine, the tapes, the accounts, the clock."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from decimal import Decimal

from market.instrument import Instrument
from market.symbol import Symbol
from simulated.control import VenueClock
from simulated.engine.account import Account
from simulated.engine.events import EngineEvent, TradeMade
from simulated.engine.matching import MatchingEngine
from simulated.engine.order import Order, SelfTrade
from simulated.gateio_spot import encoding
from simulated.gateio_spot.errors import GateError
from simulated.house import open_house
from simulated.settings import AccountSettings, MarketSettings, SimulationSettings
from simulated.tape import Tape

# Realistic magnitudes, so that a client which stores ids in too small an integer is found out here.
_FIRST_ORDER_ID = 860_000_000_001
_FIRST_TRADE_ID = 5_736_713
_FIRST_UPDATE_ID = 27_053_258_981


def instrument_of(market: MarketSettings) -> Instrument:
    """The trading rules that `market` describes."""
    return Instrument(
        exchange="gateio_spot",
        symbol=market.parsed_symbol,
        price_tick=Decimal(1).scaleb(-market.price_decimals),
        quantity_step=Decimal(1).scaleb(-market.quantity_decimals),
        quantity_min=market.quantity_min,
        notional_min=market.notional_min,
    )


class GateVenue:
    """The state of the exchange behind its protocol."""

    def __init__(self, settings: SimulationSettings, clock: VenueClock) -> None:
        self.settings = settings
        self.clock = clock
        self.engine = MatchingEngine(
            [instrument_of(market) for market in settings.markets],
            first_order_id=_FIRST_ORDER_ID,
            first_trade_id=_FIRST_TRADE_ID,
            first_update_id=_FIRST_UPDATE_ID,
        )
        self.tapes: dict[Symbol, Tape] = {symbol: Tape() for symbol in self.engine.instruments}
        self.symbols: dict[str, Symbol] = {encoding.wire(symbol): symbol for symbol in self.engine.instruments}
        self.account_settings: dict[str, AccountSettings] = {account.name: account for account in settings.accounts}
        self.engine.subscribe(self._record)
        open_house(self.engine, 0)
        for account in settings.accounts:
            self.engine.open_account(
                Account(account.name, maker_fee=account.maker_fee, taker_fee=account.taker_fee, self_trade=SelfTrade(settings.self_trade))
            )
            for asset, amount in account.balances.items():
                self.engine.deposit(account.name, asset, amount, 0)

    def now(self) -> int:
        """The exchange's wall time in milliseconds."""
        return self.clock.milliseconds()

    def symbol(self, pair: str | None) -> Symbol:
        """Raises: GateError: no pair is named, or it is not traded here."""
        if not pair:
            raise GateError("MISSING_REQUIRED_PARAM", "currency_pair is required")
        symbol = self.symbols.get(pair)
        if symbol is None:
            raise GateError("INVALID_CURRENCY_PAIR", f"Invalid currency pair {pair}")
        return symbol

    def is_remembered(self, order: Order, now: int) -> bool:
        """An order that was cancelled without a fill is soon forgotten (gateapi-go issue 11 says after a minute)."""
        if order.is_open or order.filled_quantity:
            return True
        return now - order.updated_at_milliseconds <= self.settings.unfilled_order_memory_seconds * 1000

    def find_order(self, account: str, given_id: str, now: int) -> Order | None:
        """An order by id, or by client id while that still works; None when the exchange knows none."""
        if given_id.startswith("t-"):
            order = self.engine.accounts[account].open_order_by_client_id.get(given_id)
            return order or self._recently_finished(account, given_id, now)
        order = self.engine.orders.get(int(given_id)) if given_id.isdigit() and len(given_id) <= 18 else None
        if order is None or order.account != account or not self.is_remembered(order, now):
            return None
        return order

    def _recently_finished(self, account: str, client_id: str, now: int) -> Order | None:
        memory_milliseconds = self.settings.text_lookup_after_finish_seconds * 1000
        if memory_milliseconds > 0:
            for order in reversed(self.engine.accounts[account].finished_orders):
                if now - order.updated_at_milliseconds > memory_milliseconds:
                    break
                if order.client_id == client_id:
                    return order
        return None

    def encode_order(self, order: Order) -> encoding.Json:
        return encoding.order(order, stp_group=self.account_settings[order.account].stp_group)

    def state(self) -> encoding.Json:
        """The facts of `GET /sim/state`: what an outside test compares its own view with."""
        accounts = {
            name: {
                "open_orders": [self.encode_order(order) for order in self.engine.accounts[name].open_orders.values()],
                "balances": encoding.spot_accounts(self.engine.accounts[name], None),
                "trades": len(self.engine.accounts[name].trades),
                "orders": len(self.engine.accounts[name].open_orders) + len(self.engine.accounts[name].finished_orders),
            }
            for name in self.account_settings
        }
        markets = {
            pair: {
                "best_bid": encoding.levels(self.engine.books[symbol].bids.levels(1)),
                "best_ask": encoding.levels(self.engine.books[symbol].asks.levels(1)),
                "update_id": self.engine.books[symbol].update_id,
                "trades": self.tapes[symbol].trade_count,
            }
            for pair, symbol in self.symbols.items()
        }
        return {"time": self.now(), "accounts": accounts, "markets": markets, "trades": self.engine.trade_count}

    def _record(self, event: EngineEvent) -> None:
        if isinstance(event, TradeMade):
            self.tapes[event.trade.symbol].add(event.trade)


def is_loopback(host: str) -> bool:
    """May this client read `/sim/state`? A name that is no address (a test's in-memory client) may."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True


def text_of(fields: Mapping[str, object], name: str) -> str | None:
    """A parameter as text; None when it is absent or null. Numbers are accepted for text, as the exchange does."""
    value = fields.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
