"""How a quoting cycle stands at one moment: what it holds, what is open, what it has earned. Pure, but for `RiskMeter`, which counts.

Everything follows from one settled view. What only time tells (how long quotes were out, how far from the middle fills were) the meter
adds up as it goes, in constant memory; it outlives the cycle's incarnations and begins anew with each run.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from actors.cycle.quoting.contract import QuotingView
from market.events import BookChanged, Side
from market.exact import exact_product
from market.instrument import decimal_from_book
from market.symbol import Symbol
from orders.life_cycle import OrderState
from orders.order import ZERO, Order
from orders.reports import FillReport
from orders.tally import Tally

USD_ASSETS = frozenset({"USD", "USDT", "USDC", "USD1", "USDE", "USDD", "USDP", "FDUSD", "TUSD", "PYUSD", "BUSD", "DAI"})
"""Assets whose unit is taken for a US dollar."""
MEASURED_SECONDS = 1.0
"""`RiskMeasured` is told no oftener."""

# The exchange has it, whatever else is on its way.
_RESTING = frozenset({OrderState.OPEN, OrderState.PARTIALLY_FILLED, OrderState.PENDING_AMEND, OrderState.PENDING_CANCEL})


class RiskSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A cycle's risk at `at` (monotonic seconds). Amounts are in quote units where nothing else is said.

    `mid` is the middle of the usable book; whatever needs a price is None without it. `cash` are the account's totals of the two assets,
    everybody's, and `values` what they are worth. `net_quantity` is what was bought less what was sold, `inventory` that less fees
    in base; `position` is the account's, of contracts. `delta` is how many base units the cycle gains or loses by, and
    `delta_usd` what those are worth, None where the quote asset is no dollar. `bids` and `asks` are what live orders may still trade, at
    their prices. `realised` and `unrealised` are profits before fees; `fees` are those in base and quote, the former at the middle, and
    `other_fees` those in other assets, which `profit` leaves out. `uptime` is the share of this run's time with a live order on each
    side, None before any time has passed. `spread_captured` is by how much the maker fills of this run, whose middle was known,
    were better than the middle.
    """

    at: float
    mid: Decimal | None = None
    cash: dict[str, Decimal] = {}
    values: dict[str, Decimal] = {}
    net_quantity: Decimal = ZERO
    inventory: Decimal = ZERO
    position: Decimal | None = None
    delta: Decimal = ZERO
    delta_usd: Decimal | None = None
    bids: Decimal = ZERO
    asks: Decimal = ZERO
    realised: Decimal = ZERO
    unrealised: Decimal | None = None
    fees: Decimal | None = None
    other_fees: dict[str, Decimal] = {}
    profit: Decimal | None = None
    volume: Decimal = ZERO
    trades: int = 0
    uptime: float | None = None
    spread_captured: Decimal = ZERO


class RiskMeasured(msgspec.Struct, frozen=True):
    """How a quoting cycle stands, for people and the journal."""

    account: str
    cycle: str
    symbol: Symbol
    risk: RiskSnapshot


class RiskMeter:
    """What a snapshot needs of the time before it. Constant memory."""

    def __init__(self) -> None:
        self._quoted_seconds = 0.0
        self._seconds = 0.0
        self._looked_at: float | None = None
        self._was_quoting = False
        self._spread_captured = ZERO
        self._told_at: float | None = None

    def look(self, orders: Iterable[Order], *, now: float) -> None:
        """The live orders are these from `now` (monotonic) on. Called at each tick, and whenever they have changed."""
        if self._looked_at is not None:
            passed = max(0.0, now - self._looked_at)
            self._seconds += passed
            self._quoted_seconds += passed if self._was_quoting else 0.0
        self._looked_at = now
        resting = {order.request.side for order in orders if order.state in _RESTING}
        self._was_quoting = len(resting) == len(Side)

    def note_fill(self, fill: FillReport, mid: Decimal | None) -> None:
        """A fill was told, each once; `mid` is the middle of the book as it was known then, None while no book was usable."""
        if fill.maker and mid is not None:
            better_by = mid - fill.price if fill.side is Side.BUY else fill.price - mid
            self._spread_captured += better_by * fill.quantity

    @property
    def uptime(self) -> float | None:
        return self._quoted_seconds / self._seconds if self._seconds else None

    @property
    def spread_captured(self) -> Decimal:
        return self._spread_captured

    def is_due(self, now: float) -> bool:
        """Whether `RiskMeasured` may be told again; True has been taken as told."""
        if self._told_at is not None and now - self._told_at < MEASURED_SECONDS:
            return False
        self._told_at = now
        return True


def risk_of(view: QuotingView, meter: RiskMeter) -> RiskSnapshot:
    """The snapshot of a settled view."""
    tally, symbol, mid = view.tally, view.instrument.symbol, middle_of(view.book)
    totals = {symbol.base: view.base_total, symbol.quote: view.quote_total}
    cash = {asset: total for asset, total in totals.items() if total is not None}
    values = {asset: total if asset == symbol.quote else exact_product(total, mid or ZERO) for asset, total in cash.items()}
    if mid is None:
        values.pop(symbol.base, None)
    delta = tally.inventory
    is_in_usd = symbol.quote in USD_ASSETS
    return RiskSnapshot(
        at=view.now,
        mid=mid,
        cash=cash,
        values=values,
        net_quantity=tally.traded.quantity,
        inventory=tally.inventory,
        position=view.position if view.instrument.is_contract else None,
        delta=delta,
        delta_usd=exact_product(delta, mid) if mid is not None and is_in_usd else None,
        bids=_worth(view.orders, Side.BUY),
        asks=_worth(view.orders, Side.SELL),
        realised=tally.traded.realised,
        unrealised=None if mid is None else tally.traded.unrealised(mid),
        fees=None if mid is None else fees_in_quote(tally, mid),
        other_fees={asset: fee for asset, fee in tally.fees.items() if asset not in (symbol.base, symbol.quote)},
        profit=None if mid is None else tally.profit(mid),
        volume=tally.volume_quote,
        trades=tally.trades,
        uptime=meter.uptime,
        spread_captured=meter.spread_captured,
    )


def middle_of(book: BookChanged | None) -> Decimal | None:
    """The exact middle of a book's best prices; None without a book."""
    if book is None:
        return None
    return (decimal_from_book(book.best_bid[0]) + decimal_from_book(book.best_ask[0])) / 2


def fees_in_quote(tally: Tally, price: Decimal) -> Decimal:
    """The fees paid in quote, and those in base at `price`; those in other assets are not in it."""
    return tally.traded.fees + exact_product(tally.base_fees, price)


def _worth(orders: Iterable[Order], side: Side) -> Decimal:
    total = ZERO
    for order in orders:
        request = order.request
        if request.side is side and not order.is_terminal and request.price is not None:
            total += max(ZERO, order.remaining_quantity or ZERO) * request.price
    return total
