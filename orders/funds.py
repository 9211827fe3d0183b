"""What an account can pay with: what the exchange has stated last, and what our own orders have done to it since. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from msgspec.structs import replace

from orders.events import BalanceChanged
from orders.life_cycle import OrderState
from orders.order import ZERO, Order
from orders.positions import PositionBooks
from orders.reports import BalanceReport, latest_milliseconds
from orders.request import OrderRequest
from orders.reservations import margin, reservation


class Funds:
    """Of one account, by asset; of one that trades contracts, `positions` are its own."""

    def __init__(self, account: str, positions: PositionBooks | None) -> None:
        self._account = account
        self._positions = positions
        self._statements: dict[str, BalanceReport] = {}
        self._given_back: dict[str, Decimal] = {}

    def statement(self, asset: str) -> BalanceReport | None:
        """The exchange's newest."""
        return self._statements.get(asset)

    def statements(self) -> dict[str, BalanceReport]:
        return dict(self._statements)

    def apply(self, report: BalanceReport, *, now_milliseconds: int | None = None) -> list[BalanceChanged]:
        """Take in a statement; an older one than the last is ignored. `now_milliseconds` is the exchange's time, if it is known."""
        known = self._statements.get(report.asset)
        latest = 0 if known is None else latest_milliseconds(known.exchange_time_milliseconds, now_milliseconds)
        if 0 < report.exchange_time_milliseconds < latest:
            return []
        # A report without a time is fresh from REST, but must not let an older one of the stream pass afterwards.
        report = replace(report, exchange_time_milliseconds=max(report.exchange_time_milliseconds, latest))
        self._statements[report.asset] = report
        self._given_back.pop(report.asset, None)
        if known is not None and (known.total, known.available) == (report.total, report.available):
            return []
        return [BalanceChanged(self._account, report.asset, report.total, report.available)]

    def ended(self, order: Order) -> None:
        """What an order that the exchange had did not trade is available again, though the exchange may state so only later."""
        if self._positions is None and order.state is not OrderState.REJECTED:
            asset, left = self.reserved(order, order.request)
            self._given_back[asset] = self._given_back.get(asset, ZERO) + left

    def spendable(self, asset: str, live: Iterable[Order]) -> Decimal:
        """The exchange's available balance, less what orders on their way may have taken from it, and with what ended ones gave back.

        Of contracts it is the margin for new positions, worth `positions.leverage` times as much; the exchange's word alone says when
        it is available again, since profit moves it as well.
        """
        stated = self._statements.get(asset)
        if stated is None:
            total, available = ZERO, ZERO
        else:
            total, available = stated.total, stated.available + self._given_back.get(asset, ZERO)
        held = ZERO
        for order in live:
            reserved_asset, reserved = self.reserved(order)
            if reserved_asset != asset:
                continue
            held += reserved
            if not _is_in_statements(order):
                available -= reserved
            elif order.unseen_amendments:  # the statements count the order as it was told of
                available += self.reserved(order, order.request)[1] - reserved
        # A statement may be older than an order that it should count, or have come before the end that gave something back.
        return available if self._positions is not None else min(available, total - held)

    def reserved(self, order: Order, request: OrderRequest | None = None) -> tuple[str, Decimal]:
        """The asset and the amount that an order may take from the available balance, as `request` says if that is given."""
        order = replace(order, request=request or order.largest_request)
        return reservation(order) if self._positions is None else margin(order, self._positions)


def _is_in_statements(order: Order) -> bool:
    """Whether the exchange, when it said what it has of the order, had set aside what it needs."""
    return order.exchange_order_id is not None and order.state is not OrderState.UNKNOWN
