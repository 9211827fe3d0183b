"""OKX swaps, private side: what differs from OKX's other markets (`okx`). Linear contracts, net mode, sizes in contracts.

Of the four channels, each is the best for something. `orders` alone tells of orders and fills. `account` alone says what may
be used for new orders. `balance_and_position` has a changed position first, with its quantity and entry price; `positions`
has all the rest about it (mark and liquidation price, leverage, profit), at the change and every few seconds, and says so of
closed ones, too. A position may so be told twice: both say how it stands and when that was, so that it is the same told again.
"""

from __future__ import annotations

from types import MappingProxyType

import msgspec
from msgspec.structs import replace

from actors.accounts.okx import wire
from actors.accounts.okx.catalogue import OkxSwapCatalogue
from actors.accounts.okx.codec import CAPABILITIES, RATE_LIMITS, OkxAccountCodec
from actors.accounts.okx.orders import Fields, OkxOrders
from actors.accounts.okx.positions import POSITION_LIMITS, OkxPositions
from actors.accounts.okx.reports import margin_balance_reports
from exchanges.okx_swap import OKX_SWAP
from market.instrument import format_decimal
from orders.reports import BalanceReport, PrivateReport
from orders.request import OrderRequest, OrderType

INSTRUMENT_TYPE = "SWAP"
TAG = "mmruntimeswap"  # as in `okx_spot`, and another: under one key, the two dead-man's switches leave each other alone
POSITIONS_CHANNEL = "positions"  # "Positions channel"
BALANCE_AND_POSITION_CHANNEL = "balance_and_position"  # "Balance and position channel"


class OkxSwapAccountCodec(OkxAccountCodec):
    """Implements `actors.accounts.codec.AccountCodec`. It knows the contracts of the exchange and the margin mode of one account."""

    capabilities = replace(CAPABILITIES, market_buy_by_quote=False, positions=True)
    rate_limits = MappingProxyType(dict(RATE_LIMITS) | POSITION_LIMITS)

    def __init__(self) -> None:
        instruments = OkxSwapCatalogue(OKX_SWAP, INSTRUMENT_TYPE)
        self.positions = OkxPositions(OKX_SWAP, INSTRUMENT_TYPE, instruments)
        super().__init__(
            OKX_SWAP,
            instrument_type=INSTRUMENT_TYPE,
            instruments=instruments,
            orders=_SwapOrders(instruments, self.positions),
            channels=[{"channel": POSITIONS_CHANNEL, "instType": INSTRUMENT_TYPE}, {"channel": BALANCE_AND_POSITION_CHANNEL}],
        )

    def balance_reports(self, accounts: list[wire.Account]) -> list[BalanceReport]:
        return margin_balance_reports(accounts)

    def pushed(self, channel: str, data: msgspec.Raw) -> list[PrivateReport]:
        if channel == POSITIONS_CHANNEL:
            return [*self.positions.pushed_positions(data)]
        if channel == BALANCE_AND_POSITION_CHANNEL:
            return [*self.positions.pushed_balances_and_positions(data)]
        return super().pushed(channel, data)


class _SwapOrders(OkxOrders):
    def __init__(self, instruments: OkxSwapCatalogue, positions: OkxPositions) -> None:
        super().__init__(instruments, tag=TAG)
        self._positions = positions

    def terms(self, request: OrderRequest) -> Fields:
        """In net mode the side of the position is not stated ("Place order", `posSide`)."""
        if request.quantity is None:
            raise ValueError("an order of contracts states its quantity in base units")
        terms: Fields = {
            "tdMode": self._positions.margin_mode.value,
            "sz": format_decimal(self.instruments.size(request.symbol, request.quantity)),
        }
        if request.type is OrderType.MARKET:
            # "Place order", `ordType`: of a perpetual's "market" it is only said that it goes to the book at the most aggressive
            # price; this one's rest is certainly cancelled.
            terms["ordType"] = "optimal_limit_ioc"
        if request.reduce_only:
            terms["reduceOnly"] = True
        return terms
