"""Gate.io futures' objects of wallets and positions, written from the exchange's documentation."""

from __future__ import annotations

from decimal import Decimal

from market.events import Side
from simulated.engine.events import Liquidated
from simulated.engine.order import ZERO
from simulated.engine.position import Position
from simulated.gateio.order_fields import Json
from simulated.gateio_futures.account_book import BookEntry
from simulated.gateio_futures.encoding import wire
from simulated.gateio_futures.sizes import SizeStyle, number, seconds
from simulated.gateio_futures.venue import SETTLE, GateFuturesVenue
from simulated.numbers import average, plain
from simulated.settings import AccountSettings

_ASSET = SETTLE.upper()
_RISK_LIMIT = 1_000_000


def account(venue: GateFuturesVenue, settings: AccountSettings) -> Json:
    """The wallet. `total` is without unrealised profit; `position_mode` says how many positions a contract may have."""
    name, engine, book = settings.name, venue.engine, venue.account_book
    positions = engine.open_positions(name)
    total = engine.accounts[name].balance(_ASSET).total
    unrealised = sum((engine.unrealised_pnl(position) for position in positions), ZERO)
    available = engine.available(name, _ASSET)
    is_dual = name in venue.dual_accounts
    sums = {kind: book.sum(name, kind) for kind in ("pnl", "fee", "fund")}
    return {
        "user": settings.user_id,
        "currency": _ASSET,
        "total": plain(total),
        "unrealised_pnl": plain(unrealised),
        "position_margin": plain(sum((position.margin for position in positions), ZERO)),
        "order_margin": plain(sum((engine.order_margin(name, symbol) for symbol in engine.instruments), ZERO)),
        "available": plain(available),
        "point": "0",
        "bonus": "0",
        "in_dual_mode": is_dual,
        "position_mode": "dual" if is_dual else "single",
        "enable_credit": False,
        "enable_evolved_classic": True,
        "margin_mode": 0,
        "cross_available": plain(available),
        "cross_margin_balance": plain(total + unrealised),
        "maintenance_margin": plain(sum((engine.maintenance_margin(position) for position in positions), ZERO)),
        "history": {
            "dnw": plain(total - sum(sums.values(), ZERO)),
            **{kind: plain(amount) for kind, amount in sums.items()},
            "refr": "0",
            "point_dnw": "0",
            "point_fee": "0",
            "point_refr": "0",
            "bonus_dnw": "0",
            "bonus_offset": "0",
        },
    }


def book_entry(entry: BookEntry) -> Json:
    """A line of the account book."""
    contract = "" if entry.symbol is None else wire(entry.symbol)
    return {
        "time": seconds(entry.at_milliseconds),
        "change": plain(entry.change),
        "balance": plain(entry.balance),
        "type": entry.kind,
        "text": contract or "-",
        "contract": contract,
        "trade_id": "",
        "id": str(entry.id),
    }


def balance_push(entry: BookEntry, settings: AccountSettings) -> Json:
    return {
        "balance": number(entry.balance),
        "change": number(entry.change),
        "text": "-" if entry.symbol is None else wire(entry.symbol),
        "time": entry.at_milliseconds // 1000,
        "time_ms": entry.at_milliseconds,
        "type": entry.kind,
        "user": str(settings.user_id),
        "currency": entry.asset.lower(),
    }


def position(venue: GateFuturesVenue, position: Position, style: SizeStyle) -> Json:
    """The position object of REST. Leverage 0 means cross; then `cross_leverage_limit` holds it."""
    engine, symbol = venue.engine, position.symbol
    instrument = venue.instrument(symbol)
    unrealised, liquidation = engine.unrealised_pnl(position), engine.liquidation_price(position)
    orders = engine.accounts[position.account].open_orders.values()
    mark = engine.mark_price(symbol)
    realised, funding, fees = _of_open(position)
    maintenance = venue.terms(position.symbol).maintenance_rate
    return {
        "user": venue.account_settings[position.account].user_id,
        "contract": wire(symbol),
        "size": style.write(instrument, position.quantity),
        "leverage": "0" if position.is_cross else plain(position.leverage),
        "risk_limit": str(_RISK_LIMIT),
        "leverage_max": plain(instrument.leverage_max or Decimal(0)),
        "maintenance_rate": plain(maintenance),
        "value": plain(abs(position.quantity) * mark),
        "margin": plain(position.margin),
        "entry_price": plain(position.entry_price or ZERO),
        "liq_price": plain(liquidation or ZERO),
        "mark_price": plain(mark),
        "initial_margin": plain(engine.initial_margin(position)),
        "maintenance_margin": plain(engine.maintenance_margin(position)),
        "unrealised_pnl": plain(unrealised),
        "realised_pnl": plain(realised + funding - fees),
        "pnl_pnl": plain(realised),
        "pnl_fund": plain(funding),
        "pnl_fee": plain(-fees),
        "history_pnl": plain(position.history_pnl),
        "last_close_pnl": plain(position.last_close_pnl),
        "realised_point": "0",
        "history_point": "0",
        "adl_ranking": 5 if position.is_open else 6,
        "pending_orders": sum(order.symbol == symbol for order in orders),
        "close_order": None,
        "mode": "single",
        "cross_leverage_limit": plain(position.leverage) if position.is_cross else "0",
        "update_time": position.updated_at_milliseconds // 1000,
        "update_id": position.version,
        "open_time": position.opened_at_milliseconds // 1000 if position.is_open else 0,
        "risk_limit_table": "",
        "average_maintenance_rate": plain(maintenance),
        "settlement_currency": _ASSET,
        "pos_margin_mode": "cross" if position.is_cross else "isolated",
        "lever": plain(position.leverage),
    }


def position_push(venue: GateFuturesVenue, position: Position, settings: AccountSettings, style: SizeStyle) -> Json:
    """As the stream tells it: money as numbers, no mark price and no unrealised profit."""
    instrument = venue.instrument(position.symbol)
    realised, funding, fees = _of_open(position)
    return {
        "contract": wire(position.symbol),
        "cross_leverage_limit": number(position.leverage if position.is_cross else ZERO),
        "entry_price": number(position.entry_price or ZERO),
        "history_pnl": number(position.history_pnl),
        "history_point": 0,
        "last_close_pnl": number(position.last_close_pnl),
        "leverage": number(ZERO if position.is_cross else position.leverage),
        "leverage_max": number(instrument.leverage_max or ZERO),
        "liq_price": number(venue.engine.liquidation_price(position) or ZERO),
        "maintenance_rate": number(venue.terms(position.symbol).maintenance_rate),
        "margin": number(position.margin),
        "mode": "single",
        "realised_pnl": number(realised + funding - fees),
        "realised_point": 0,
        "risk_limit": _RISK_LIMIT,
        "size": style.write(instrument, position.quantity),
        "time": position.updated_at_milliseconds // 1000,
        "time_ms": position.updated_at_milliseconds,
        "user": str(settings.user_id),
        "update_id": position.version,
        "pos_margin_mode": "cross" if position.is_cross else "isolated",
        "lever": plain(position.leverage),
    }


def position_close_push(position: Position, was_long: bool, settings: AccountSettings, at_milliseconds: int) -> Json:
    """What a position that has ended brought."""
    return {
        "contract": wire(position.symbol),
        "pnl": number(position.last_close_pnl),
        "side": "long" if was_long else "short",
        "text": "api",
        "time": at_milliseconds // 1000,
        "time_ms": at_milliseconds,
        "user": str(settings.user_id),
    }


def liquidate_push(
    venue: GateFuturesVenue, event: Liquidated, before: Position | None, settings: AccountSettings, style: SizeStyle
) -> Json:
    """A liquidation of the account's own; `before` is the position as it was last told, `size` what it held."""
    instrument = venue.instrument(event.symbol)
    order = venue.engine.orders.get(event.order_id)
    filled, notional = (order.filled_quantity, order.filled_notional) if order is not None else (ZERO, ZERO)
    held = event.quantity if event.side is Side.SELL else -event.quantity
    mark = number(venue.engine.mark_price(event.symbol))
    return {
        "contract": wire(event.symbol),
        "entry_price": number((before.entry_price if before is not None else None) or ZERO),
        "fill_price": number(average(notional, filled)),
        "left": style.write(instrument, ZERO),
        "leverage": number(ZERO if before is None or before.is_cross else before.leverage),
        "liq_price": mark,
        "margin": number(ZERO if before is None else before.margin),
        "mark_price": mark,
        "order_id": event.order_id,
        "order_price": number(event.price),
        "size": style.write(instrument, held),
        "time": event.at_milliseconds // 1000,
        "time_ms": event.at_milliseconds,
        "user": str(settings.user_id),
    }


def fee(settings: AccountSettings) -> Json:
    return {"taker_fee": plain(settings.taker_fee), "maker_fee": plain(settings.maker_fee)}


def _of_open(position: Position) -> tuple[Decimal, Decimal, Decimal]:
    """Realised profit, funding received and fees paid of the position that is open; nothing of one that has ended."""
    return (position.realised_pnl, position.funding, position.fees) if position.is_open else (ZERO, ZERO, ZERO)
