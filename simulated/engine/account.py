"""An account of the simulated exchange: exact balances with holds, and its open orders."""

from __future__ import annotations

from collections import deque
from decimal import Decimal

from market.symbol import Symbol
from simulated.engine.events import FundingPaid
from simulated.engine.order import ZERO, Order, SelfTrade, Trade
from simulated.engine.position import Position


class Balance:
    """Units of one asset: free to use, and held by open orders and positions. `version` grows with every change."""

    __slots__ = ("available", "locked", "version")

    def __init__(self) -> None:
        self.available = ZERO
        self.locked = ZERO
        self.version = 0

    def __repr__(self) -> str:
        return f"<balance {self.available} available, {self.locked} locked>"

    @property
    def total(self) -> Decimal:
        return self.available + self.locked


class Account:
    """Balances, fees and orders of one account. Fees are fractions: 0.002 is 0.2 %.

    A `quiet` account belongs to the house: it makes no order, balance or position events and keeps no history. Its pockets are
    deep: of contracts, it holds no margin and is not liquidated.
    """

    def __init__(
        self,
        name: str,
        *,
        maker_fee: Decimal = ZERO,
        taker_fee: Decimal = ZERO,
        self_trade: SelfTrade = SelfTrade.CANCEL_NEWEST,
        quiet: bool = False,
        history_limit: int = 20_000,
    ) -> None:
        self.name = name
        self.maker_fee = maker_fee
        self.taker_fee = taker_fee
        self.self_trade = self_trade
        self.quiet = quiet
        self.balances: dict[str, Balance] = {}
        self.positions: dict[Symbol, Position] = {}
        self.open_orders: dict[int, Order] = {}
        self.open_order_by_client_id: dict[str, Order] = {}
        self.finished_orders: deque[Order] = deque()
        self.trades: deque[Trade] = deque(maxlen=history_limit)
        self.payments: deque[FundingPaid] = deque(maxlen=history_limit)
        self.history_limit = history_limit

    def __repr__(self) -> str:
        return f"<account {self.name}: {len(self.open_orders)} open orders>"

    def balance(self, asset: str) -> Balance:
        """The balance of `asset`; an empty one where the account never held it."""
        balance = self.balances.get(asset)
        if balance is None:
            balance = self.balances[asset] = Balance()
        return balance
