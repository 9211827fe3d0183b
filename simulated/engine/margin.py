"""What stands behind positions in linear contracts: mark prices, margins, and the prices at which they are used up.

A position holds its initial margin, cost / leverage. An isolated one stands on that alone. All cross positions of an
account that are settled in one asset stand together, on the wallet less what isolated ones hold, and on their unrealised
profits. When what they stand on falls to their maintenance margin (a fraction of their value at mark prices), they are due.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import msgspec

from market.instrument import Instrument
from market.symbol import Symbol
from simulated.engine.account import Account
from simulated.engine.order import ZERO
from simulated.engine.position import MONEY_STEP, Position


class ContractRules(msgspec.Struct, frozen=True, kw_only=True):
    """One contract's terms. `mark_price` holds until the first one is set; `leverage` and `is_cross` until an account chooses."""

    mark_price: Decimal
    leverage: Decimal = Decimal(10)
    leverage_max: Decimal = Decimal(100)
    is_cross: bool = True
    maintenance_rate: Decimal = Decimal("0.005")
    funding_rate: Decimal = Decimal("0.0001")
    funding_interval_seconds: int = 28_800


class MarginSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The terms of every contract. Funding is due at whole multiples of its interval, the first after `opened_at_milliseconds`."""

    contracts: Mapping[Symbol, ContractRules]
    opened_at_milliseconds: int = 0


class Margin:
    """Mark prices and positions, and what follows from them. It changes no money. The caller's context must be exact."""

    def __init__(self, settings: MarginSettings, instruments: Mapping[Symbol, Instrument]) -> None:
        self.rules = settings.contracts
        self.mark_prices = {symbol: self.rules[symbol].mark_price for symbol in instruments}
        self.index_prices = dict(self.mark_prices)
        self.funding_rates = {symbol: self.rules[symbol].funding_rate for symbol in instruments}
        self.next_funding_milliseconds: dict[Symbol, int] = {}
        self._instruments = instruments
        for symbol in instruments:
            self.schedule_funding(symbol, settings.opened_at_milliseconds)

    def schedule_funding(self, symbol: Symbol, now_milliseconds: int) -> None:
        """The next funding is at the first whole interval after now."""
        interval = self.rules[symbol].funding_interval_seconds * 1000
        self.next_funding_milliseconds[symbol] = (now_milliseconds // interval + 1) * interval

    def position(self, account: Account, symbol: Symbol) -> Position:
        """The account's position in `symbol`; an empty one is made where it never had any."""
        position = account.positions.get(symbol)
        if position is None:
            rules = self.rules[symbol]
            position = account.positions[symbol] = Position(
                account=account.name, symbol=symbol, leverage=rules.leverage, is_cross=rules.is_cross
            )
        return position

    def unrealised_pnl(self, position: Position) -> Decimal:
        return position.quantity * self.mark_prices[position.symbol] - position.cost

    def maintenance_margin(self, position: Position) -> Decimal:
        return abs(position.quantity) * self.mark_prices[position.symbol] * self.rules[position.symbol].maintenance_rate

    def available(self, account: Account, asset: str) -> Decimal:
        """What may be used for new margin: what nothing holds, and the unrealised profit of cross positions. May be negative."""
        return account.balance(asset).available + self._unrealised_of_cross(account, asset)

    def liquidation_price(self, position: Position, account: Account) -> Decimal | None:
        """The mark price, on a tick, at which the position is due while everything else stays; None where there is none."""
        if not position.is_open:
            return None
        behind = self._isolated_margin(position) if position.is_cross is False else self._behind_cross(position, account)
        rate = self.rules[position.symbol].maintenance_rate
        exact = (position.cost - behind) / (position.quantity - rate * abs(position.quantity))
        tick = self._instruments[position.symbol].price_tick
        price = (exact / tick).to_integral_value(ROUND_FLOOR if position.quantity > 0 else ROUND_CEILING) * tick
        return price if price > 0 else None

    def initial_margin(self, position: Position) -> Decimal:
        """What opening the position took of the wallet: cost / leverage, rounded up to `MONEY_STEP`."""
        return margin_of(abs(position.cost), position.leverage)

    def _isolated_margin(self, position: Position) -> Decimal:
        return position.margin

    def _behind_cross(self, position: Position, account: Account) -> Decimal:
        raise NotImplementedError

    def _unrealised_of_cross(self, account: Account, asset: str) -> Decimal:
        return sum((self.unrealised_pnl(position) for position in cross_positions(account, asset)), ZERO)


def margin_of(notional: Decimal, leverage: Decimal) -> Decimal:
    return (notional / leverage).quantize(MONEY_STEP, ROUND_CEILING)


def cross_positions(account: Account, asset: str) -> Iterable[Position]:
    """The open cross positions that are settled in `asset`."""
    return (one for one in account.positions.values() if one.is_cross and one.is_open and one.symbol.quote == asset)
