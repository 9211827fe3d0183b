"""One symbol's books at several exchanges beside one another: the best of each side, and what buying at one to sell at another would earn.

Pure, in the floats of books: good for looking, never for money.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from market.events import Level


class ExchangeTop(msgspec.Struct, frozen=True):
    """What an exchange offers of the symbol: levels best first, and the fraction of the amount that a taker pays there."""

    bids: Sequence[Level]
    asks: Sequence[Level]
    taker_fee_fraction: float


class Arbitrage(msgspec.Struct, frozen=True):
    """Buying `quantity` (base units) at one exchange and selling it at another, level by level as long as a level earns after both fees.

    `profit` is in quote units, after fees. What the levels known hold bounds it, and it says nothing of balances or of how long both
    sides stand.
    """

    buy_at: str
    sell_at: str
    quantity: float
    profit: float


def best_bid_at(tops: Mapping[str, ExchangeTop]) -> str | None:
    """Where most is paid; of equals the first named. None: nobody bids."""
    return max((name for name, top in tops.items() if top.bids), key=lambda name: tops[name].bids[0][0], default=None)


def best_ask_at(tops: Mapping[str, ExchangeTop]) -> str | None:
    """Where least is asked; of equals the first named. None: nobody asks."""
    return min((name for name, top in tops.items() if top.asks), key=lambda name: tops[name].asks[0][0], default=None)


def best_arbitrage(tops: Mapping[str, ExchangeTop]) -> Arbitrage | None:
    """The pair of exchanges that earns most; None where none earns."""
    found = [
        earned
        for buy_at, bought in tops.items()
        for sell_at, sold in tops.items()
        if buy_at != sell_at and (earned := _walked(buy_at, bought, sell_at, sold)) is not None
    ]
    return max(found, key=lambda each: each.profit, default=None)


def _walked(buy_at: str, bought: ExchangeTop, sell_at: str, sold: ExchangeTop) -> Arbitrage | None:
    asks = _after_fees(bought.asks, 1 + bought.taker_fee_fraction)
    bids = _after_fees(sold.bids, 1 - sold.taker_fee_fraction)
    quantity = profit = 0.0
    ask, bid = next(asks, None), next(bids, None)
    while ask is not None and bid is not None and bid[0] > ask[0]:
        step = min(ask[1], bid[1])
        quantity += step
        profit += step * (bid[0] - ask[0])
        ask = (ask[0], ask[1] - step) if ask[1] > step else next(asks, None)
        bid = (bid[0], bid[1] - step) if bid[1] > step else next(bids, None)
    return Arbitrage(buy_at, sell_at, quantity, profit) if profit > 0 else None


def _after_fees(levels: Iterable[Level], factor: float) -> Iterator[Level]:
    return ((price * factor, quantity) for price, quantity in levels)
