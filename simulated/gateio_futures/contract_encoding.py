"""Gate.io futures' objects of contracts, tickers and funding, written from the exchange's documentation."""

from __future__ import annotations

from decimal import Decimal

from market.instrument import TradingStatus
from market.symbol import Symbol
from simulated.gateio.order_fields import Json
from simulated.gateio_futures.encoding import wire
from simulated.gateio_futures.sizes import SizeStyle, contracts_of
from simulated.gateio_futures.venue import ORDERS_MAX, PRICE_DEVIATION_MAX, GateFuturesVenue
from simulated.numbers import average, plain

_SIZE_MAX = Decimal(1_000_000)  # contracts, of the documentation's sample
_FUNDING_RATE_MAX = Decimal("0.003")


def contract(venue: GateFuturesVenue, symbol: Symbol, style: SizeStyle) -> Json:
    """The rules of a contract and its state of the moment."""
    instrument, engine, now = venue.instrument(symbol), venue.engine, venue.now()
    terms = venue.terms(symbol)
    tape = venue.tapes[symbol]
    account = venue.settings.accounts[0]
    last = engine.last_prices.get(symbol, engine.mark_price(symbol))
    size_max = instrument.quantity_max or _SIZE_MAX * (instrument.contract_size or 1)
    return {
        "name": wire(symbol),
        "type": "direct",
        "contract_type": "",
        "quanto_multiplier": plain(instrument.contract_size or Decimal(0)),
        "order_price_round": plain(instrument.price_tick),
        "mark_price_round": plain(venue.mark_price_step(symbol)),
        "order_size_min": style.write(instrument, instrument.quantity_min),
        "order_size_max": style.write(instrument, size_max),
        "enable_decimal": contracts_of(instrument, instrument.quantity_step) < 1,
        "order_price_deviate": plain(PRICE_DEVIATION_MAX),
        "leverage_min": "1",
        "leverage_max": plain(terms.leverage_max),
        "cross_leverage_default": plain(terms.leverage),
        "maintenance_rate": plain(terms.maintenance_rate),
        "maker_fee_rate": plain(account.maker_fee),
        "taker_fee_rate": plain(account.taker_fee),
        **_funding(venue, symbol),
        "funding_rate_limit": plain(_FUNDING_RATE_MAX),
        "funding_cap_ratio": "0.75",
        "interest_rate": "0.0003",
        "mark_type": "index",
        "mark_price": plain(engine.mark_price(symbol)),
        "index_price": plain(engine.index_price(symbol)),
        "last_price": plain(last),
        "orders_limit": ORDERS_MAX,
        "orderbook_id": engine.books[symbol].update_id,
        "trade_id": tape.trades[-1].id if tape.trades else 0,
        "trade_size": style.write(instrument, _day_volume(venue, symbol, now)),
        "position_size": style.write(instrument, venue.open_interest(symbol)),
        "risk_limit_base": "1000000",
        "risk_limit_step": "1000000",
        "risk_limit_max": "10000000",
        "ref_discount_rate": "0",
        "ref_rebate_rate": "0.2",
        "config_change_time": 1_700_000_000,
        "create_time": 1_600_000_000,
        "launch_time": 1_600_000_000,
        "enable_bonus": True,
        "enable_credit": True,
        "in_delisting": instrument.status is not TradingStatus.TRADABLE,
        "status": "trading" if instrument.status is TradingStatus.TRADABLE else "delisting",
        "market_order_slip_ratio": "0.05",
        "market_order_size_max": "0",
    }


def ticker(venue: GateFuturesVenue, symbol: Symbol) -> Json:
    """As REST lists it; sizes are text in any style."""
    instrument, engine, now = venue.instrument(symbol), venue.engine, venue.now()
    day = venue.tapes[symbol].day(now)
    last = day.last if day else engine.mark_price(symbol)
    change = average((day.last - day.first) * 100, day.first) if day else Decimal(0)
    base_volume, quote_volume = (day.base_volume, day.quote_volume) if day else (Decimal(0), Decimal(0))
    book = engine.books[symbol]
    bid, ask = book.bids.levels(1), book.asks.levels(1)
    return {
        "contract": wire(symbol),
        "last": plain(last),
        "change_percentage": plain(change.quantize(Decimal("0.0001"))),
        "total_size": plain(contracts_of(instrument, venue.open_interest(symbol))),
        "volume_24h": plain(contracts_of(instrument, base_volume)),
        "volume_24h_base": plain(base_volume),
        "volume_24h_quote": plain(quote_volume),
        "volume_24h_settle": plain(quote_volume),
        "high_24h": plain(day.high if day else last),
        "low_24h": plain(day.low if day else last),
        "mark_price": plain(engine.mark_price(symbol)),
        "index_price": plain(engine.index_price(symbol)),
        "funding_rate": plain(engine.funding_rate(symbol)),
        "funding_rate_indicative": plain(engine.funding_rate(symbol)),
        "quanto_base_rate": "",
        "highest_bid": plain(bid[0][0]) if bid else "",
        "highest_size": plain(contracts_of(instrument, bid[0][1])) if bid else "0",
        "lowest_ask": plain(ask[0][0]) if ask else "",
        "lowest_size": plain(contracts_of(instrument, ask[0][1])) if ask else "0",
    }


_NOT_PUSHED = ("highest_bid", "highest_size", "lowest_ask", "lowest_size")


def ticker_push(venue: GateFuturesVenue, symbol: Symbol) -> Json:
    """As the stream tells it: with the schedule of funding, without the best prices."""
    pushed = ticker(venue, symbol)
    for name in _NOT_PUSHED:
        del pushed[name]
    return pushed | _funding(venue, symbol) | {"price_type": "last", "t": venue.now()}


def funding_history(venue: GateFuturesVenue, symbol: Symbol, since_seconds: int, until_seconds: int) -> list[Json]:
    """Rates by the second of their payment, newest first. Where nobody held a position, the rate is the present one."""
    rates = {at // 1000: rate for at, rate in venue.fundings(symbol)}
    interval = venue.terms(symbol).funding_interval_seconds
    last_due = venue.engine.next_funding_milliseconds(symbol) // 1000 - interval
    due = range(last_due, max(since_seconds, 1) - 1, -interval)
    rates = {at: venue.engine.funding_rate(symbol) for at in due if at not in rates and at + 1 not in rates} | rates
    return [{"t": at, "r": plain(rates[at])} for at in sorted(rates, reverse=True) if since_seconds <= at <= until_seconds]


def _funding(venue: GateFuturesVenue, symbol: Symbol) -> Json:
    rate = plain(venue.engine.funding_rate(symbol))
    return {
        "funding_rate": rate,
        "funding_rate_indicative": rate,
        "funding_interval": venue.terms(symbol).funding_interval_seconds,
        "funding_offset": 0,
        "funding_next_apply": venue.engine.next_funding_milliseconds(symbol) // 1000,
    }


def _day_volume(venue: GateFuturesVenue, symbol: Symbol, now: int) -> Decimal:
    day = venue.tapes[symbol].day(now)
    return day.base_volume if day else Decimal(0)
