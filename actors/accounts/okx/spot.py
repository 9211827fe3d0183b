"""OKX spot, private side: what differs from OKX's other markets (`okx`). Orders are in cash mode, sizes in base units."""

from __future__ import annotations

from actors.accounts.okx import wire
from actors.accounts.okx.catalogue import OkxSpotCatalogue
from actors.accounts.okx.codec import OkxAccountCodec
from actors.accounts.okx.orders import Fields, OkxOrders
from actors.accounts.okx.reports import balance_reports
from exchanges.okx_spot import OKX_SPOT
from market.instrument import format_decimal
from orders.order import ZERO
from orders.reports import BalanceReport
from orders.request import OrderRequest, OrderType

INSTRUMENT_TYPE = "SPOT"
TRADE_MODE = "cash"  # "Place order", `tdMode`: no margin
TAG = "mmruntime"  # "Place order", `tag`; what the dead-man's switch is about, so that it spares the orders of others


class OkxSpotAccountCodec(OkxAccountCodec):
    """Implements `actors.accounts.codec.AccountCodec`."""

    positions = None

    def __init__(self) -> None:
        instruments = OkxSpotCatalogue(OKX_SPOT, INSTRUMENT_TYPE)
        orders = _SpotOrders(instruments, tag=TAG)
        super().__init__(OKX_SPOT, instrument_type=INSTRUMENT_TYPE, instruments=instruments, orders=orders)

    def balance_reports(self, accounts: list[wire.Account]) -> list[BalanceReport]:
        return balance_reports(accounts)


class _SpotOrders(OkxOrders):
    def terms(self, request: OrderRequest) -> Fields:
        quantity = request.quantity if request.quantity is not None else request.quote_quantity
        terms: Fields = {"tdMode": TRADE_MODE, "sz": format_decimal(quantity or ZERO)}
        if request.type is OrderType.MARKET:
            terms["tgtCcy"] = "base_ccy" if request.quantity is not None else "quote_ccy"
            terms["banAmend"] = True  # refuse rather than shrink the order to the funds
        return terms
