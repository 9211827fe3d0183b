"""A small market and a few accounts for tests of the matching engine."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from market.events import Side
from market.instrument import Instrument
from market.symbol import Symbol
from simulated.engine.account import Account
from simulated.engine.events import EngineEvent
from simulated.engine.matching import MatchingEngine
from simulated.engine.order import NewOrder, Order, OrderKind, TimeInForce

BTC = Symbol("BTC", "USDT")
BUY, SELL = Side.BUY, Side.SELL
GTC, IOC, FOK, POST_ONLY = (
    TimeInForce.GOOD_TILL_CANCELLED, TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.FILL_OR_KILL, TimeInForce.POST_ONLY,
)  # fmt: skip
INSTRUMENT = Instrument(
    exchange="test",
    symbol=BTC,
    price_tick=Decimal("0.1"),
    quantity_step=Decimal("0.001"),
    quantity_min=Decimal("0.001"),
    notional_min=Decimal(1),
)


class EngineWorld:
    """Accounts `ann`, `bob` and `cid` with 1,000,000 USDT and 1,000 BTC each; ann pays 0.1 % as maker and 0.2 % as taker."""

    def __init__(self) -> None:
        self.engine = MatchingEngine([INSTRUMENT])
        self.events: list[EngineEvent] = []
        self.engine.subscribe(self.events.append)
        self.open("ann", maker_fee=Decimal("0.001"), taker_fee=Decimal("0.002"))
        self.open("bob")
        self.open("cid")
        self.now = 1_000

    def open(self, name: str, *, usdt: int = 1_000_000, btc: int = 1_000, **options: Any) -> Account:
        account = self.engine.open_account(Account(name, **options))
        self.engine.deposit(name, "USDT", Decimal(usdt), 0)
        self.engine.deposit(name, "BTC", Decimal(btc), 0)
        return account

    def limit(self, account: str, side: Side, price: str, quantity: str, time_in_force: TimeInForce = GTC, **fields: Any) -> Order:
        new = NewOrder(
            account=account, symbol=BTC, side=side, price=Decimal(price), quantity=Decimal(quantity), time_in_force=time_in_force, **fields
        )
        return self.engine.place(new, self.now)

    def market(self, account: str, side: Side, quantity: str, time_in_force: TimeInForce = IOC) -> Order:
        new = NewOrder(
            account=account, symbol=BTC, side=side, kind=OrderKind.MARKET, quantity=Decimal(quantity), time_in_force=time_in_force
        )
        return self.engine.place(new, self.now)

    def spend(self, account: str, quote_quantity: str, time_in_force: TimeInForce = IOC) -> Order:
        new = NewOrder(
            account=account,
            symbol=BTC,
            side=BUY,
            kind=OrderKind.MARKET,
            quote_quantity=Decimal(quote_quantity),
            time_in_force=time_in_force,
        )
        return self.engine.place(new, self.now)

    def held(self, account: str, asset: str) -> tuple[Decimal, Decimal]:
        """Available and locked."""
        balance = self.engine.accounts[account].balance(asset)
        return balance.available, balance.locked

    def book(self) -> tuple[list[tuple[Decimal, Decimal]], list[tuple[Decimal, Decimal]]]:
        book = self.engine.books[BTC]
        return book.bids.levels(), book.asks.levels()
