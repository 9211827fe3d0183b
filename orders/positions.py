"""What fills and funding make of a position in contracts: its quantity, what it cost, and what it has earned. Pure.

Average-cost bookkeeping: a fill that makes the position larger adds to its cost, one that makes it smaller realises the
difference between its price and the average price of what it takes away. Cost is kept instead of an average price, so
that nothing is lost to rounding: over any stretch that begins and ends without a position, the realised profit is exactly
what was received less what was paid.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from market.events import Side
from market.exact import EXACT, PRECISE, exact_product
from market.symbol import Symbol
from orders.events import FundingPaid, PositionChanged, PositionDiffers
from orders.reports import FillReport, FundingReport, PositionReport, latest_milliseconds

ZERO = Decimal(0)
# Of what was traded: so far may an exchange's rounded average price make realised profits differ from ours.
AVERAGE_PRICE_ROUNDING = Decimal("0.0000001")
# So many of a symbol's trades are kept for one that is learned after a later one: many more than a broken stream does not tell.
TRADES_KEPT_MAX = 1_000


class PositionAccount(msgspec.Struct, frozen=True, kw_only=True):
    """The running account of one symbol's position.

    `quantity` is in base units, positive when long. `cost` is what the open quantity was bought for, in quote units, negative
    when it was sold. `realised`, `fees` (positive when paid) and `funding` (positive when received) are in the settlement
    asset and count since the account of this run began. Fees in another asset than the quote are not in `fees`.
    """

    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    realised: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO

    @property
    def entry_price(self) -> Decimal | None:
        """The average price of what is open; None where nothing is."""
        return PRECISE.divide(self.cost, self.quantity) if self.quantity else None

    def unrealised(self, mark_price: Decimal) -> Decimal:
        """What closing everything at `mark_price` would earn."""
        return EXACT.subtract(exact_product(self.quantity, mark_price), self.cost)

    def after_fill(self, fill: FillReport) -> PositionAccount:
        """With one more trade."""
        bought = fill.quantity if fill.side is Side.BUY else fill.quantity.copy_negate()
        fees = EXACT.add(self.fees, fill.fee) if fill.fee_asset == fill.symbol.quote else self.fees
        closed = _closed(self.quantity, bought)
        # The share of the cost that goes with what is closed: all of it where nothing stays open.
        share = self.cost if closed == self.quantity else PRECISE.divide(exact_product(self.cost, closed), self.quantity)
        realised = EXACT.subtract(exact_product(closed, fill.price), share)
        opened = EXACT.add(bought, closed)
        return replace(
            self,
            quantity=EXACT.add(self.quantity, bought),
            cost=EXACT.add(EXACT.subtract(self.cost, share), exact_product(opened, fill.price)),
            realised=EXACT.add(self.realised, realised),
            fees=fees,
        )

    def after_funding(self, amount: Decimal) -> PositionAccount:
        """With one more payment, received if positive."""
        return replace(self, funding=EXACT.add(self.funding, amount))


def _closed(held: Decimal, bought: Decimal) -> Decimal:
    """How much of `held`, with its sign, a trade of `bought` takes away."""
    if not held or not bought or (held > 0) is (bought > 0):
        return ZERO
    return held if abs(bought) >= abs(held) else bought.copy_negate()


class _CountedTrade(msgspec.Struct, frozen=True):
    """A trade with the account as it was before it. `before` does not know what funding was paid since."""

    number: int
    fill: FillReport
    before: PositionAccount


def _number(fill: FillReport, counted: Sequence[_CountedTrade]) -> int:
    """The place of a trade among those of its symbol, which the exchanges number as they come about, and page through by number.

    Times say less: trades of one moment share theirs, and some are in whole seconds. A trade without such a number, as of a
    liquidation at OKX, is the newest.
    """
    if fill.trade_id.isdecimal():
        return int(fill.trade_id)
    return counted[-1].number if counted else 0


class PositionBooks:
    """Every position of one account: the exchange's word about each, and our own account of it.

    Our account begins with what the exchange says at the first look, and goes on by the fills, in the order in which the exchange
    carried them out, however late one is learned: where a position turns, the order says what was realised and what the rest
    has cost. Where the two differ at two comparisons in a row with the same figures (so that no fill was merely under way), the
    exchange is right, and it is told.
    """

    def __init__(self, account: str) -> None:
        self._account = account
        self._reports: dict[Symbol, PositionReport] = {}
        self._accounts: dict[Symbol, PositionAccount] = {}
        self._counted: dict[Symbol, list[_CountedTrade]] = {}
        self._has_looked = False
        self._differing: dict[Symbol, tuple[Decimal, Decimal]] = {}
        self._payments: dict[tuple[Symbol, str], None] = {}
        self._roundings: dict[str, Decimal] = {}

    def reports(self) -> dict[Symbol, PositionReport]:
        """The exchange's newest word about each symbol that it ever spoke of."""
        return dict(self._reports)

    def account_of(self, symbol: Symbol) -> PositionAccount:
        """Our own account of the position in `symbol`."""
        return self._accounts.get(symbol, _EMPTY)

    def accounts(self) -> dict[Symbol, PositionAccount]:
        return dict(self._accounts)

    def roundings(self) -> dict[str, Decimal]:
        """By quote asset, how far rounded average prices may have moved its balance less the cost of what is open; only grows."""
        return dict(self._roundings)

    def leverage(self, symbol: Symbol) -> Decimal:
        """How much of a new order's value need not be there; 1 while the exchange has not said."""
        report = self._reports.get(symbol)
        return report.leverage if report is not None and report.leverage else Decimal(1)

    def note_leverage(self, symbol: Symbol, leverage: Decimal) -> list[PositionChanged]:
        """The exchange accepted this leverage: some say so again only once there is a position."""
        known = self._reports.get(symbol, PositionReport(symbol=symbol, quantity=ZERO))
        return self.apply_report(replace(known, leverage=leverage))

    def count_fill(self, fill: FillReport) -> None:
        """Take in a trade, once: the ledger knows which. Those that came about after it are counted anew."""
        known, counted = self.account_of(fill.symbol), self._counted.setdefault(fill.symbol, [])
        number = _number(fill, counted)
        place = bisect_right(counted, number, key=lambda trade: trade.number)
        account, later = (counted[place].before if place < len(counted) else known), counted[place:]
        del counted[place:]
        for at, each in ((number, fill), *((trade.number, trade.fill) for trade in later)):
            counted.append(_CountedTrade(at, each, account))
            account = account.after_fill(each)
        del counted[: max(0, len(counted) - TRADES_KEPT_MAX)]
        self._accounts[fill.symbol] = replace(account, funding=known.funding)
        self._round(fill.symbol, exact_product(fill.quantity, fill.price))

    def apply_report(self, report: PositionReport, *, now_milliseconds: int | None = None) -> list[PositionChanged]:
        """Take in the exchange's word; an older one than the last is ignored, and what it does not state stays known.

        `now_milliseconds` is the exchange's time, if it is known.
        """
        known = self._reports.get(report.symbol)
        if known is not None:
            latest = latest_milliseconds(known.exchange_time_milliseconds, now_milliseconds)
            if 0 < report.exchange_time_milliseconds < latest:
                return []
            report = replace(
                report,
                mark_price=report.mark_price or known.mark_price,
                leverage=report.leverage or known.leverage,
                margin_mode=report.margin_mode or known.margin_mode,
                exchange_time_milliseconds=max(report.exchange_time_milliseconds, latest),
            )
        if report.unrealised_pnl is None and report.entry_price is not None and report.mark_price is not None:
            gained = EXACT.subtract(report.mark_price, report.entry_price)
            report = replace(report, unrealised_pnl=exact_product(report.quantity, gained))
        self._reports[report.symbol] = report
        if known is not None and replace(known, exchange_time_milliseconds=report.exchange_time_milliseconds) == report:
            return []
        return [PositionChanged(self._account, report)]

    def apply_all(self, reports: Iterable[PositionReport]) -> list[PositionChanged | PositionDiffers]:
        """Take in the exchange's list of all positions, fresh from REST: what it does not name is empty. Compares with ours."""
        named = {report.symbol: report for report in reports}
        events: list[PositionChanged | PositionDiffers] = []
        for symbol in dict.fromkeys((*named, *self._reports, *self._accounts)):
            report = named.get(symbol, PositionReport(symbol=symbol, quantity=ZERO))
            events += self.apply_report(report)
            events += self._compare(report)
        self._has_looked = True
        return events

    def apply_funding(self, report: FundingReport) -> list[FundingPaid]:
        """Take in a payment; one seen before changes nothing."""
        key = (report.symbol, report.payment_id)
        if key in self._payments:
            return []
        self._payments[key] = None
        if len(self._payments) > PAYMENTS_KEPT_MAX:
            del self._payments[next(iter(self._payments))]
        self._accounts[report.symbol] = self.account_of(report.symbol).after_funding(report.amount)
        return [FundingPaid(self._account, report)]

    def remember_payments(self, payments: Iterable[tuple[Symbol, str]]) -> None:
        """Payments of earlier runs, by symbol and id, oldest first: told again, they change nothing."""
        self._payments.update(dict.fromkeys(payments))

    def _compare(self, report: PositionReport) -> list[PositionDiffers]:
        symbol, ours, theirs = report.symbol, self.account_of(report.symbol).quantity, report.quantity
        if ours == theirs:
            self._differing.pop(symbol, None)
            return []
        if self._has_looked and self._differing.get(symbol) != (ours, theirs):
            self._differing[symbol] = (ours, theirs)
            return []
        self._differing.pop(symbol, None)
        cost = exact_product(theirs, report.entry_price or ZERO)
        self._accounts[symbol] = replace(self.account_of(symbol), quantity=theirs, cost=cost)
        self._counted.pop(symbol, None)  # their word has whatever came before it
        self._round(symbol, abs(cost))
        return [PositionDiffers(self._account, symbol, ours, theirs)] if self._has_looked else []

    def _round(self, symbol: Symbol, amount: Decimal) -> None:
        """So much, in quote units, goes by an average price that the exchange rounds."""
        rounding = exact_product(amount, AVERAGE_PRICE_ROUNDING)
        self._roundings[symbol.quote] = EXACT.add(self._roundings.get(symbol.quote, ZERO), rounding)


_EMPTY = PositionAccount()
# Funding is paid a few times a day: years of one symbol, days of a hundred.
PAYMENTS_KEPT_MAX = 10_000
