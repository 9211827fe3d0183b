"""OKX spot, public side: what differs from OKX's other markets (`okx`). Sizes are in base units."""

from __future__ import annotations

from decimal import Decimal

from actors.feeds.okx import wire
from actors.feeds.okx.codec import OkxFeedCodec, notional_max, positive_rule
from exchanges.okx_spot import OKX_SPOT
from market.contract_size import ContractSize
from market.instrument import Instrument, TradingStatus
from market.symbol import Symbol

INSTRUMENT_TYPE = "SPOT"


class OkxSpotFeedCodec(OkxFeedCodec):
    """Implements `actors.feeds.codec.FeedCodec`. Stateless."""

    def __init__(self) -> None:
        super().__init__(OKX_SPOT, instrument_type=INSTRUMENT_TYPE)

    def instruments(self, listings: list[wire.Listing]) -> list[Instrument]:
        return [self._instrument(listing) for listing in listings]

    def contract_size(self, symbol: Symbol, *, affects_books: bool) -> ContractSize | None:
        return None

    def volumes(self, ticker: wire.Ticker, last: float) -> tuple[float, float]:
        return ticker.size_volume, ticker.currency_volume

    def _instrument(self, listing: wire.Listing) -> Instrument:
        symbol = self.symbol(listing.instrument, affects_books=False)
        quantity_step = positive_rule(listing, listing.quantity_step)
        return Instrument(
            exchange=OKX_SPOT.name,
            symbol=symbol,
            price_tick=positive_rule(listing, listing.price_tick),
            quantity_step=quantity_step,
            quantity_min=positive_rule(listing, listing.quantity_min) if listing.quantity_min else quantity_step,
            notional_min=Decimal(0),  # "Get instruments" states none
            quantity_max=positive_rule(listing, listing.limit_quantity_max) if listing.limit_quantity_max else None,
            notional_max=notional_max(listing, symbol),
            status=TradingStatus.TRADABLE if listing.state == "live" else TradingStatus.CLOSED,
        )
