"""Two contracts and a few accounts for tests of what the matching engine does with positions."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypeVar

from market.events import Side
from market.instrument import Instrument
from market.symbol import Symbol
from simulated.engine.account import Account
from simulated.engine.events import EngineEvent
from simulated.engine.invariants import check_invariants
from simulated.engine.margin import ContractRules, MarginSettings
from simulated.engine.matching import MatchingEngine
from simulated.engine.order import NewOrder, Order, OrderKind, TimeInForce
from simulated.engine.position import Position

BTC, ETH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")
BUY, SELL = Side.BUY, Side.SELL
GTC, IOC, FOK, POST_ONLY = (
    TimeInForce.GOOD_TILL_CANCELLED, TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.FILL_OR_KILL, TimeInForce.POST_ONLY,
)  # fmt: skip
HOUR = 3_600_000

Event = TypeVar("Event", bound=EngineEvent)


def instrument(symbol: Symbol) -> Instrument:
    return Instrument(
        exchange="test",
        symbol=symbol,
        price_tick=Decimal("0.1"),
        quantity_step=Decimal("0.001"),
        quantity_min=Decimal("0.001"),
        notional_min=Decimal(0),
        contract_size=Decimal("0.001"),
    )


class ContractWorld:
    """BTC and ETH at a mark price of 100, leverage 10, maintenance 0.5 %. `ann`, `bob` and `cid` have 1,000 USDT each.

    `ann` pays 0.02 % as maker and 0.05 % as taker, the others nothing. `house` has deep pockets.
    """

    def __init__(self, *, is_cross: bool = True, **rules: Any) -> None:
        terms = ContractRules(mark_price=Decimal(100), is_cross=is_cross, **rules)
        self.engine = MatchingEngine([instrument(BTC), instrument(ETH)], margin=MarginSettings(contracts={BTC: terms, ETH: terms}))
        self.events: list[EngineEvent] = []
        self.engine.subscribe(self.events.append)
        self.open("ann", maker_fee=Decimal("0.0002"), taker_fee=Decimal("0.0005"))
        self.open("bob")
        self.open("cid")
        self.open("house", usdt="1000000000", quiet=True)
        self.now = 1_000

    def open(self, name: str, *, usdt: str = "1000", **options: Any) -> Account:
        account = self.engine.open_account(Account(name, **options))
        self.engine.deposit(name, "USDT", Decimal(usdt), 0)
        return account

    def limit(
        self, account: str, side: Side, price: str, quantity: str, time_in_force: TimeInForce = GTC, *, symbol: Symbol = BTC, **fields: Any
    ) -> Order:
        new = NewOrder(
            account=account,
            symbol=symbol,
            side=side,
            price=Decimal(price),
            quantity=Decimal(quantity),
            time_in_force=time_in_force,
            **fields,
        )
        return self.engine.place(new, self.now)

    def market(self, account: str, side: Side, quantity: str, *, symbol: Symbol = BTC, **fields: Any) -> Order:
        new = NewOrder(
            account=account,
            symbol=symbol,
            side=side,
            kind=OrderKind.MARKET,
            quantity=Decimal(quantity),
            time_in_force=IOC,
            **fields,
        )
        return self.engine.place(new, self.now)

    def deal(self, account: str, side: Side, price: str, quantity: str, *, symbol: Symbol = BTC, with_: str = "house") -> Order:
        """Let `account` take just this from `with_`."""
        self.limit(with_, side.opposite, price, quantity, symbol=symbol)
        return self.limit(account, side, price, quantity, symbol=symbol)

    def mark(self, price: str, symbol: Symbol = BTC) -> None:
        self.engine.set_mark_price(symbol, Decimal(price), self.now)

    def leverage(self, account: str, leverage: str, *, is_cross: bool | None = None, symbol: Symbol = BTC) -> Position:
        mode = self.position(account, symbol).is_cross if is_cross is None else is_cross
        return self.engine.set_leverage(account, symbol, Decimal(leverage), is_cross=mode, now_milliseconds=self.now)

    def position(self, account: str, symbol: Symbol = BTC) -> Position:
        return self.engine.position(account, symbol)

    def wallet(self, account: str) -> Decimal:
        return self.engine.accounts[account].balance("USDT").total

    def locked(self, account: str) -> Decimal:
        return self.engine.accounts[account].balance("USDT").locked

    def available(self, account: str) -> Decimal:
        return self.engine.available(account, "USDT")

    def told(self, kind: type[Event]) -> list[Event]:
        """The events of one kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    def check(self) -> None:
        check_invariants(self.engine)
