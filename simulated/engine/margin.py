"""What stands behind positions in linear contracts: mark prices, margins, and the prices at which they are used up.

A position holds its initial margin, cost / leverage. An isolated one stands on that alone. All cross positions of an
account that are settled in one asset stand together, on the wallet less what isolated ones hold, and on their unrealised
profits. When what they stand on falls to their maintenance margin (a fraction of their value at mark prices), they are due.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import msgspec

from market.instrument import Instrument
from market.symbol import Symbol
from simulated.engine.account import Account
from simulated.engine.order import ZERO, Order
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

    def initial_margin(self, position: Position) -> Decimal:
        """What opening the position took of the wallet: cost / leverage."""
        return margin_of(abs(position.cost), position.leverage)

    def held_margin(self, position: Position) -> Decimal:
        """What the wallet is to hold for the position."""
        return max(ZERO, self.initial_margin(position) + position.margin_added) if position.is_open else ZERO

    def order_margin(self, account: Account, position: Position, notional: Decimal) -> Decimal:
        """What an order holds that could add `notional` to the position: initial margin, and the fee if it takes."""
        return margin_of(notional, position.leverage) + notional * max(ZERO, account.taker_fee)

    def increases(self, account: Account, position: Position, changed: tuple[Order, Decimal] | None = None) -> list[tuple[Order, Decimal]]:
        """Each open order in the position's market, and how much of it could add to the position.

        The oldest orders on the other side are those that reduce. Reduce-only orders add nothing and take nothing from them.
        `changed` is an order and what shall remain of it.
        """
        found: list[tuple[Order, Decimal]] = []
        unclaimed = abs(position.quantity)
        for order in account.open_orders.values():
            if order.symbol != position.symbol:
                continue
            adding = order.remaining_quantity if changed is None or changed[0] is not order else changed[1]
            if order.reduce_only:
                adding = ZERO
            elif position.reducible(order.side):
                reduced = min(adding, unclaimed)
                unclaimed -= reduced
                adding -= reduced
            found.append((order, adding))
        return found

    def available(self, account: Account, asset: str) -> Decimal:
        """What may be used for new margin: what nothing holds, and the unrealised profit of cross positions. May be negative."""
        unrealised = sum((self.unrealised_pnl(position) for position in cross_positions(account, asset)), ZERO)
        return account.balance(asset).available + unrealised

    def due(self, account: Account) -> Position | None:
        """The position that is to be liquidated next: of cross ones, the one which needs most; None when none is due."""
        for position in account.positions.values():
            if position.is_open and self._behind(position, account) <= self._needed(position, account):
                if not position.is_cross:
                    return position
                return max(cross_positions(account, position.symbol.quote), key=self.maintenance_margin)
        return None

    def liquidation_price(self, position: Position, account: Account) -> Decimal | None:
        """The mark price, on a tick, at which the position is due while everything else stays; None where there is none."""
        if not position.is_open:
            return None
        # What stands behind it at a price p is `at_zero` + quantity x p, what is needed `others` + rate x |quantity| x p.
        at_zero = self._behind(position, account) - position.quantity * self.mark_prices[position.symbol]
        others = self._needed(position, account) - self.maintenance_margin(position)
        rate = self.rules[position.symbol].maintenance_rate
        exact = (others - at_zero) / (position.quantity - rate * abs(position.quantity))
        price = self._on_tick(position.symbol, exact, ROUND_FLOOR if position.quantity > 0 else ROUND_CEILING)
        return price if price > 0 else None

    def bankruptcy_price(self, position: Position, account: Account) -> Decimal:
        """The price, on a tick, at which closing leaves nothing of what stands behind the position, nor takes more.

        Cross positions share what stands behind all of them in proportion to their maintenance margins.
        """
        share = self._behind(position, account)
        if position.is_cross:
            share = share * self.maintenance_margin(position) / self._needed(position, account)
        exact = self.mark_prices[position.symbol] - share / position.quantity
        price = self._on_tick(position.symbol, exact, ROUND_CEILING if position.quantity > 0 else ROUND_FLOOR)
        return max(self._instruments[position.symbol].price_tick, price)

    def isolated_margin(self, account: Account, asset: str) -> Decimal:
        """What isolated positions that are settled in `asset` hold."""
        return sum((one.margin for one in account.positions.values() if not one.is_cross and one.symbol.quote == asset), ZERO)

    def _behind(self, position: Position, account: Account) -> Decimal:
        """What the position stands on, together with the other cross ones if it is one."""
        if not position.is_cross:
            return position.margin + self.unrealised_pnl(position)
        asset = position.symbol.quote
        wallet = account.balance(asset).total - self.isolated_margin(account, asset)
        return sum((self.unrealised_pnl(one) for one in cross_positions(account, asset)), wallet)

    def _needed(self, position: Position, account: Account) -> Decimal:
        """The maintenance margin of all that stand together with the position."""
        if not position.is_cross:
            return self.maintenance_margin(position)
        return sum((self.maintenance_margin(one) for one in cross_positions(account, position.symbol.quote)), ZERO)

    def _on_tick(self, symbol: Symbol, price: Decimal, rounding: str) -> Decimal:
        tick = self._instruments[symbol].price_tick
        return (price / tick).to_integral_value(rounding) * tick


def margin_of(notional: Decimal, leverage: Decimal) -> Decimal:
    """Rounded up to `MONEY_STEP`."""
    return (notional / leverage).quantize(MONEY_STEP, ROUND_CEILING)


def cross_positions(account: Account, asset: str) -> list[Position]:
    """The open cross positions that are settled in `asset`."""
    return [one for one in account.positions.values() if one.is_cross and one.is_open and one.symbol.quote == asset]
