"""`sell_on_top`: buy at market for a quote amount, then sell it all from the top of the asks, following the market.

Theory of operation. Everything is derived from the orders of the round, so that a restarted cycle goes on where the last
incarnation stopped. No filled buy: buy. A buy that has ended with fills: what it brought, less fees paid in base, less
what the sells have sold, plus what earlier rounds carried over, is the inventory; as long as it can be sold, one post-only
limit sell is wanted, one tick under the best ask of everybody else, but never at or under the best bid. What is left when
the inventory is too small to sell is carried to the next round.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import takewhile

import msgspec

from actors.cycle.others import asks_of_others, book_price
from actors.cycle.rounds.controller import Decision, DesiredOrder, RoundFailed, RoundView
from market.events import BookChanged, Side
from orders.life_cycle import OrderState
from orders.order import ZERO, Order
from orders.request import OrderType, TimeInForce

BUY, SELL = "buy", "sell"
PAUSE_FACTOR_MAX = 32


class SellOnTopParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[cycles.NAME.parameters]` of `sell_on_top`.

    `price_offset_ticks`: how far under the best ask of others the sell is kept. `reprice_interval_seconds`: a sell stays at
    its price at least so long, since each replacement costs its place in the queue and two requests. `retry_seconds`:
    pause after an order that came to nothing, doubled with each further one in a row (up to 32 times as long).
    `buy_attempts_max`: buys refused for what they ask before the round is given up; what the moment refuses (connection,
    rate limit, maintenance, nobody to trade with but ourselves) is tried again for as long as it takes. `sell_attempts_max`:
    as much of sells, in a row.
    """

    price_offset_ticks: int = 1
    reprice_interval_seconds: float = 1.0
    retry_seconds: float = 1.0
    buy_attempts_max: int = 5
    sell_attempts_max: int = 12

    def __post_init__(self) -> None:
        if self.price_offset_ticks < 0:
            raise ValueError("price_offset_ticks is 0 or more")
        if self.reprice_interval_seconds < 0 or self.retry_seconds < 0:
            raise ValueError("reprice_interval_seconds and retry_seconds are 0 or more")
        if self.buy_attempts_max < 1 or self.sell_attempts_max < 1:
            raise ValueError("buy_attempts_max and sell_attempts_max are 1 or more")


class SellOnTop:
    """The controller. Holds nothing but its parameters."""

    def __init__(self, parameters: SellOnTopParameters) -> None:
        self._parameters = parameters

    def decide(self, view: RoundView) -> Decision:
        buys = [order for order in view.orders if order.request.side is Side.BUY]
        sells = [order for order in view.orders if order.request.side is Side.SELL]
        if any(not buy.is_terminal for buy in buys):
            return Decision(phase="buying", hold=True)
        if not any(buy.filled_quantity for buy in buys):
            return self._buy(view, buys)
        if not all(buy.fills_are_complete for buy in buys):
            return Decision(phase="waiting for the buy's fills", hold=True)
        return self._sell(view, buys, sells)

    def _buy(self, view: RoundView, buys: list[Order]) -> Decision:
        refused = [buy for buy in buys if buy.state is OrderState.REJECTED and not buy.refused_for_now]
        if len(refused) >= self._parameters.buy_attempts_max:
            raise RoundFailed(f"{len(refused)} buys were refused; the last: {refused[-1].reason or refused[-1].state.value}")
        if view.book is None:
            return Decision(phase="waiting for the book")
        if buys and view.now - buys[-1].changed_at < self._pause_seconds(len(buys)):
            return Decision(phase="pausing before another buy")
        price = book_price(view.book.best_ask)
        quantity = view.instrument.round_quantity_down(view.quote_quantity / price) if view.instrument.is_contract else None
        if quantity is not None and quantity < view.instrument.quantity_min:
            least = view.instrument.quantity_min * price
            raise RoundFailed(f"{view.quote_quantity:f} {view.instrument.symbol.quote} buys no contract: one is worth {least:f}")
        buy = DesiredOrder(
            slot=BUY,
            side=Side.BUY,
            type=OrderType.MARKET,
            time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
            quantity=quantity,  # contracts are counted, and nobody takes an amount of money for them
            quote_quantity=view.quote_quantity if quantity is None else None,
        )
        return Decision(phase="buying", desired=(buy,))

    def _sell(self, view: RoundView, buys: list[Order], sells: list[Order]) -> Decision:
        live = next((sell for sell in sells if not sell.is_terminal), None)
        if view.book is None:
            return Decision(phase="waiting for the book")  # nothing is wanted: a quote without a market is pulled
        inventory = self._inventory(view, buys, sells)
        self._check_position(view, inventory)
        quantity = view.instrument.round_quantity_down(inventory)
        price = self._price(view, view.book, sells, live)
        if quantity < view.instrument.quantity_min or quantity <= 0 or quantity * price < view.instrument.notional_min:
            if live is not None and live.remaining_quantity:
                # Too small to be placed anew, but it may stay where it is until it is filled.
                return Decision(phase="selling the rest", hold=True)
            if live is None and not all(sell.is_settled for sell in sells):
                return Decision(phase="waiting for the sells' fills", hold=True)
            return Decision(phase="reconciling", finished=True)
        refused = [sell for sell in _newest_fruitless(sells) if not sell.refused_for_now]
        if live is None and len(refused) >= self._parameters.sell_attempts_max:
            raise RoundFailed(
                f"{len(refused)} sells in a row were refused; the last: {refused[0].reason or refused[0].state.value}; "
                f"{quantity:f} {view.instrument.symbol.base} of this round are not sold"
            )
        if live is None and self._pausing(view, sells):
            return Decision(phase="pausing before another sell")
        sell = DesiredOrder(
            slot=SELL,
            side=Side.SELL,
            type=OrderType.LIMIT,
            time_in_force=TimeInForce.POST_ONLY,
            quantity=quantity,
            price=price,
            # Selling what this round bought never makes a short position, unless there was one before.
            reduce_only=view.instrument.is_contract and view.position_before >= 0,
        )
        return Decision(phase="selling", desired=(sell,))

    def _check_position(self, view: RoundView, inventory: Decimal) -> None:
        """What a round has bought of a contract must still be in the account's position: others may close it, or the exchange."""
        if not view.instrument.is_contract or view.position is None or view.position_before < 0 or view.position >= inventory:
            return
        raise RoundFailed(
            f"the account's position in {view.instrument.symbol} is {view.position:f}, less than the {inventory:f} that this round has "
            "bought and not sold: it was liquidated, or closed by somebody else; look at the account's history before trading on: "
            "a restart meets this round again, a cycle of another name begins anew"
        )

    def _inventory(self, view: RoundView, buys: list[Order], sells: list[Order]) -> Decimal:
        """Base that this round still holds. Sold quantities count from the order's own word, before the fills are told."""
        base = view.instrument.symbol.base
        bought = sum((buy.asset_changes().get(base, ZERO) for buy in buys), ZERO)
        sold = sum((sell.filled_quantity for sell in sells), ZERO)
        fees = sum((fill.fee for sell in sells for fill in sell.fills if fill.fee_asset == base), ZERO)
        return view.carried_quantity + bought - sold - fees

    def _price(self, view: RoundView, book: BookChanged, sells: list[Order], live: Order | None) -> Decimal:
        tick = view.instrument.price_tick
        lowest = book_price(book.best_bid) + tick
        others = asks_of_others(book, sells)
        if others:
            price = max(lowest, book_price(others[0]) - self._parameters.price_offset_ticks * tick)
        else:
            # Nobody else sells as far as we see: there is no top to keep, and none to give up.
            price = max(lowest, live.request.price if live is not None and live.request.price is not None else book_price(book.asks[0]))
        price = view.instrument.round_price_up(price)
        if live is not None and live.request.price is not None and view.now - live.created_at < self._parameters.reprice_interval_seconds:
            return live.request.price
        return price

    def _pausing(self, view: RoundView, sells: list[Order]) -> bool:
        fruitless = len(_newest_fruitless(sells))
        return fruitless > 0 and view.now - sells[-1].changed_at < self._pause_seconds(fruitless)

    def _pause_seconds(self, failures: int) -> float:
        return self._parameters.retry_seconds * min(2 ** (failures - 1), PAUSE_FACTOR_MAX)


def _newest_fruitless(sells: list[Order]) -> list[Order]:
    """Those at the end that came to nothing, one after the other, newest first."""
    return list(takewhile(_came_to_nothing, reversed(sells)))


def _came_to_nothing(sell: Order) -> bool:
    """Whether the exchange would not have it: refused it, or took it in and ended it unasked (as some do with a post-only order that
    would take)."""
    if sell.state is OrderState.REJECTED:
        return True
    return sell.is_terminal and not sell.cancel_wanted and not sell.filled_quantity
