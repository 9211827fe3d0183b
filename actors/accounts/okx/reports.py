"""What OKX says of orders, fills and balances, as neutral reports: for spot and swap alike, sizes turned by the catalogue."""

from __future__ import annotations

from actors.accounts.okx import wire
from actors.accounts.okx.catalogue import OkxInstruments
from market.exact import EXACT, exact_product
from market.symbol import Symbol
from orders.reports import BalanceReport, FillReport, OrderReport, PrivateReport

# "Order channel", `ordType`: those whose price, if one is stated, is not a limit of ours.
_MARKET_TYPES = ("market", "optimal_limit_ioc")
# "Transaction details", `tradeId`: of a liquidation it is negative among fills and 0 in what is said of the order.
_NO_TRADE = ("", "0")


def order_reports(orders: list[wire.Order], instruments: OkxInstruments) -> list[OrderReport]:
    """Those of instruments that are traded by us. Within `wire.reading`: any of its errors."""
    reports: list[OrderReport] = []
    for order in orders:
        symbol = instruments.symbol(order.inst_id)
        if symbol is not None:
            reports.append(_order_report(order, symbol, instruments))
    return reports


def fill_reports(fills: list[wire.Fill], instruments: OkxInstruments) -> list[FillReport]:
    """As `order_reports`."""
    reports: list[FillReport] = []
    for fill in fills:
        symbol = instruments.symbol(fill.inst_id)
        if symbol is not None:
            reports.append(_fill_report(fill, symbol, instruments))
    return reports


def update_reports(orders: list[wire.Order], instruments: OkxInstruments) -> list[PrivateReport]:
    """What a push of the order channel tells: a fill first, so that an order that ends by it ends with all its fills known."""
    reports: list[PrivateReport] = []
    for order in orders:
        if order.trade_id not in _NO_TRADE and wire.positive(order.fill_sz):
            reports += fill_reports([_fill_of(order)], instruments)
        reports += order_reports([order], instruments)
    return reports


def balance_reports(accounts: list[wire.Account]) -> list[BalanceReport]:
    """Of an account that trades assets: what there is, and what is free."""
    return [
        BalanceReport(
            asset=balance.ccy,
            total=wire.signed(balance.cash_bal),
            available=wire.signed(balance.avail_bal),
            exchange_time_milliseconds=wire.milliseconds(balance.u_time),
        )
        for account in accounts
        for balance in account.details
    ]


def margin_balance_reports(accounts: list[wire.Account]) -> list[BalanceReport]:
    """Of an account that trades contracts: the wallet without unrealised profit, and what new orders may use.

    What was set aside for isolated positions has left `cashBal` and is added again, less its unrealised profit.
    """
    return [
        BalanceReport(
            asset=balance.ccy,
            total=EXACT.subtract(EXACT.add(wire.signed(balance.cash_bal), wire.signed(balance.iso_eq)), wire.signed(balance.iso_upl)),
            available=wire.signed(balance.avail_eq or balance.avail_bal),
            exchange_time_milliseconds=wire.milliseconds(balance.u_time),
        )
        for account in accounts
        for balance in account.details
    ]


def _order_report(order: wire.Order, symbol: Symbol, instruments: OkxInstruments) -> OrderReport:
    filled_quantity = instruments.quantity(symbol, wire.positive(order.acc_fill_sz))
    return OrderReport(
        exchange_order_id=order.ord_id,
        client_order_id=wire.client_order_id(order.cl_ord_id),
        symbol=symbol,
        side=order.side,
        status=order.status,
        filled_quantity=filled_quantity,
        filled_quote=exact_product(filled_quantity, wire.positive(order.avg_px)),
        price=None if order.ord_type in _MARKET_TYPES else wire.positive(order.px) or None,
        quantity=None if order.quantity_is_quote else instruments.quantity(symbol, wire.positive(order.sz)),
        reason=order.reason,
        exchange_time_milliseconds=wire.milliseconds(order.u_time),
    )


def _fill_report(fill: wire.Fill, symbol: Symbol, instruments: OkxInstruments) -> FillReport:
    return FillReport(
        trade_id=fill.trade_id,
        exchange_order_id=fill.ord_id,
        client_order_id=wire.client_order_id(fill.cl_ord_id),
        symbol=symbol,
        side=fill.side,
        price=wire.positive(fill.fill_px),
        quantity=instruments.quantity(symbol, wire.positive(fill.fill_sz)),
        fee=wire.signed(fill.fee).copy_negate(),  # OKX: negative when charged
        fee_asset=fill.fee_ccy or instruments.fee_asset(symbol, fill.side),
        maker=fill.exec_type == "M",
        exchange_time_milliseconds=wire.milliseconds(fill.fill_time or fill.ts),
    )


def _fill_of(order: wire.Order) -> wire.Fill:
    return wire.Fill(
        trade_id=order.trade_id,
        ord_id=order.ord_id,
        inst_id=order.inst_id,
        side=order.side,
        fill_px=order.fill_px,
        fill_sz=order.fill_sz,
        cl_ord_id=order.cl_ord_id,
        fee=order.fill_fee,
        fee_ccy=order.fill_fee_ccy,
        exec_type=order.exec_type,
        fill_time=order.fill_time,
    )
