"""OKX swaps, public side: what differs from OKX's other markets (`okx`). Linear contracts settled in their quote asset.

On the wire sizes are numbers of contracts; they leave here in base units. The exchange states no volume in quote units: a
ticker's is its base volume at the last price. Liquidations are pushed of all swaps at once, on the public websocket like all
else here; those of instruments that are not listed by us are passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

import msgspec

from actors.feeds.codec import Decoded, ProtocolError, Subscription
from actors.feeds.okx import wire
from actors.feeds.okx.codec import OkxFeedCodec, notional_max, positive_rule, request_frame
from actors.feeds.reading import decode
from exchanges.okx_swap import OKX_SWAP
from market.contract_size import ContractSize
from market.events import FundingRateChanged, LiquidationHappened, MarkPriceChanged, Side
from market.exact import exact_product
from market.instrument import Instrument, TradingStatus
from market.symbol import Symbol, SymbolError

INSTRUMENT_TYPE = "SWAP"
MARK_PRICE_CHANNEL = "mark-price"  # "Mark price channel"
FUNDING_CHANNEL = "funding-rate"  # "Funding rate channel"
LIQUIDATIONS_CHANNEL = "liquidation-orders"  # "Liquidation orders channel": by instrument type alone, and not all there are
MAGNITUDE_MAX = 18  # powers of ten; no real price or rate comes near


class OkxSwapFeedCodec(OkxFeedCodec):
    """Implements `actors.feeds.codec.FeedCodec`. `decode_instruments` learns what contracts are worth; until then no size is read."""

    def __init__(self) -> None:
        super().__init__(OKX_SWAP, instrument_type=INSTRUMENT_TYPE, channels=(MARK_PRICE_CHANNEL, FUNDING_CHANNEL))
        self._sizes: dict[Symbol, ContractSize] = {}

    def instruments(self, listings: list[wire.Listing]) -> list[Instrument]:
        """One that cannot be traded may have numbers that make no sense; it is left out then."""
        instruments: dict[Symbol, Instrument] = {}
        sizes: dict[Symbol, ContractSize] = {}
        for listing in listings:
            symbol = _traded(listing)
            if symbol is None:
                continue
            status = TradingStatus.TRADABLE if listing.state == "live" else TradingStatus.CLOSED
            try:
                instruments[symbol], sizes[symbol] = _instrument(listing, symbol, status)
            except ProtocolError:
                if status is TradingStatus.TRADABLE:
                    raise
        self._sizes = sizes
        return list(instruments.values())

    def contract_size(self, symbol: Symbol, *, affects_books: bool) -> ContractSize:
        size = self._sizes.get(symbol)
        if size is None:
            raise ProtocolError(f"{symbol} is no contract that was listed", symbol=symbol, affects_books=affects_books)
        return size

    def volumes(self, ticker: wire.Ticker, last: float) -> tuple[float, float]:
        return ticker.currency_volume, ticker.currency_volume * last

    def subscribe_frames(self, symbols: Sequence[Symbol], now_milliseconds: int, first_request_id: int) -> list[Subscription]:
        subscriptions = super().subscribe_frames(symbols, now_milliseconds, first_request_id)
        request_id = first_request_id + len(subscriptions)
        arg = {"channel": LIQUIDATIONS_CHANNEL, "instType": INSTRUMENT_TYPE}
        return [*subscriptions, Subscription(request_frame("subscribe", arg, request_id), request_id, LIQUIDATIONS_CHANNEL)]

    def pushed(self, channel: str, instrument: str, data: msgspec.Raw, received_at: float) -> Sequence[Decoded]:
        match channel:
            case "mark-price":
                return self._mark_prices(self.symbol(instrument, affects_books=False), data, received_at)
            case "funding-rate":
                return self._funding_rates(self.symbol(instrument, affects_books=False), data, received_at)
            case "liquidation-orders":
                return self._liquidations(data, received_at)
            case _:
                return ()

    def _mark_prices(self, symbol: Symbol, data: msgspec.Raw, received_at: float) -> Sequence[MarkPriceChanged]:
        return [
            MarkPriceChanged(exchange=OKX_SWAP.name, symbol=symbol, mark_price=_price(mark.price), received_at=received_at)
            for mark in decode(wire.MARK_PRICES, data, "a mark price", affects_books=False)
            if mark.price
        ]

    def _funding_rates(self, symbol: Symbol, data: msgspec.Raw, received_at: float) -> Sequence[FundingRateChanged]:
        return [
            FundingRateChanged(
                exchange=OKX_SWAP.name,
                symbol=symbol,
                rate=_number(funding.rate, "a funding rate"),
                next_funding_milliseconds=int(_number(funding.due, "a time of funding")),
                received_at=received_at,
            )
            for funding in decode(wire.FUNDING_RATES, data, "a funding rate", affects_books=False)
            if funding.rate and funding.due
        ]

    def _liquidations(self, data: msgspec.Raw, received_at: float) -> Sequence[LiquidationHappened]:
        happened: list[LiquidationHappened] = []
        for liquidations in decode(wire.LIQUIDATIONS, data, "liquidations", affects_books=False):
            symbol = _symbol(liquidations.instrument)
            size = None if symbol is None else self._sizes.get(symbol)
            if symbol is None or size is None:
                continue
            for one in decode(wire.LIQUIDATION_DETAILS, liquidations.details, "a liquidation", affects_books=False):
                quantity = size.book_quantity(one.quantity)
                happened.append(LiquidationHappened(OKX_SWAP.name, symbol, Side(one.side), one.price, quantity, received_at))
        return happened


def _symbol(instrument: str) -> Symbol | None:
    try:
        return OKX_SWAP.from_wire(instrument)
    except SymbolError:
        return None


def _traded(listing: wire.Listing) -> Symbol | None:
    """What it is called here; None for inverse contracts and those settled in another asset than the quote."""
    symbol = _symbol(listing.instrument)
    if symbol is None or listing.contract_kind != "linear":
        return None
    return symbol if (listing.contract_value_asset, listing.settlement_asset) == (symbol.base, symbol.quote) else None


def _instrument(listing: wire.Listing, symbol: Symbol, status: TradingStatus) -> tuple[Instrument, ContractSize]:
    """
    Raises:
        ProtocolError: one of its rules is impossible.
    """
    value, multiplier = positive_rule(listing, listing.contract_value), positive_rule(listing, listing.contract_multiplier)
    step = positive_rule(listing, listing.quantity_step)
    size = ContractSize(exact_product(value, multiplier), step)
    smallest = positive_rule(listing, listing.quantity_min) if listing.quantity_min else step
    largest = positive_rule(listing, listing.limit_quantity_max) if listing.limit_quantity_max else None
    instrument = Instrument(
        exchange=OKX_SWAP.name,
        symbol=symbol,
        price_tick=positive_rule(listing, listing.price_tick),
        quantity_step=size.to_base_units(step),
        quantity_min=size.to_base_units(smallest),
        notional_min=Decimal(0),  # "Get instruments" states none
        quantity_max=None if largest is None else size.to_base_units(largest),
        notional_max=notional_max(listing, symbol),
        contract_size=size.base_units,
        leverage_max=positive_rule(listing, listing.leverage_max) if listing.leverage_max else None,
        status=status,
    )
    return instrument, size


def _price(text: str) -> Decimal:
    price = _number(text, "a mark price")
    if price <= 0:
        raise ProtocolError(f"a mark price of {price}", affects_books=False)
    return price


def _number(text: str, what: str) -> Decimal:
    """
    Raises:
        ProtocolError: `text` spells no number, or one that `what` cannot be.
    """
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise ProtocolError(f"{what} that is no number: {text[:40]!r}", affects_books=False) from error
    if not number.is_finite() or (number and not -40 <= number.adjusted() <= MAGNITUDE_MAX):
        raise ProtocolError(f"{what} of {text[:40]}", affects_books=False)
    return number
