"""What the facts mean: clocks, rules, features, funds. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from actors.accounts.checks import funds_refusal, rules_refusal
from actors.accounts.clock_window import ClockWindow
from actors.accounts.codec import PositionMode
from actors.accounts.permissions import KeyPermissions
from actors.cycle.others import book_price
from assembly.doctor.check import Finding, fail, ok, skip, warn
from assembly.limiting import limits_on_book
from assembly.settings import AccountSettings, Settings
from market.events import BookChanged, Side
from market.instrument import Instrument, TradingStatus, format_decimal
from market.symbol import Symbol
from market.touch import touch_of
from orders.capabilities import Capabilities
from orders.exposure import request_notional
from orders.ledger import AccountLedger
from orders.order import ZERO
from orders.reports import PositionReport
from orders.request import OrderRequest, TimeInForce

CLOCK_OFFSET_MILLISECONDS_MAX = 1_000
SET_THE_CLOCK = "mm-runtime corrects for it, but set the clock (NTP)"
NOT_KNOWN = "not known without placing an order"
# Between buying and selling go fees and a step of quantity: what is bought for barely the minimum cannot be sold again.
KEPT_OF_A_BUY = Decimal("0.99")


def judge_clock(offset_milliseconds: int, window: ClockWindow) -> Finding:
    """`offset_milliseconds` is the exchange's clock less ours."""
    seconds = abs(offset_milliseconds) / 1000
    told = f"{seconds:.3f} s {'behind' if offset_milliseconds > 0 else 'ahead of'} the exchange's"
    data = {"offset_milliseconds": offset_milliseconds}
    if not window.accepts(offset_milliseconds):
        accepted = f"{window.behind_milliseconds / 1000:g} s behind to {window.ahead_milliseconds / 1000:g} s ahead"
        return fail(f"this machine's clock is {told}, which accepts {accepted}: {SET_THE_CLOCK}", **data)
    if abs(offset_milliseconds) > CLOCK_OFFSET_MILLISECONDS_MAX:
        return warn(f"this machine's clock is {told}: {SET_THE_CLOCK}", **data)
    return ok(f"this machine's clock is {told}", **data)


def judge_instrument(instrument: Instrument) -> Finding:
    detail = (
        f"{instrument.status.value}; tick {format_decimal(instrument.price_tick)}, step {format_decimal(instrument.quantity_step)}, "
        f"at least {_minimum(instrument)}"
    )
    data = {
        "status": instrument.status.value,
        "price_tick": format_decimal(instrument.price_tick),
        "quantity_step": format_decimal(instrument.quantity_step),
        "quantity_min": format_decimal(instrument.quantity_min),
        "notional_min": format_decimal(instrument.notional_min),
    }
    return ok(detail, **data) if instrument.status is TradingStatus.TRADABLE else fail(detail, **data)


def judge_features(capabilities: Capabilities, accounts: Sequence[AccountSettings]) -> Finding:
    """What the exchange offers and we use; a switch that is wanted and cannot be had is worth a warning."""
    switch_seconds = capabilities.dead_mans_switch_seconds_min
    data = {
        "amend": capabilities.amend,
        "place_batch_max": capabilities.place_batch_max,
        "cancel_batch_max": capabilities.cancel_batch_max,
        "amend_batch_max": capabilities.amend_batch_max,
        "post_only": TimeInForce.POST_ONLY in capabilities.time_in_force,
        "order_expiry": capabilities.order_expiry,
        "dead_mans_switch": switch_seconds is not None,
        "dead_mans_switch_seconds_min": switch_seconds,
        "websocket_order_entry": capabilities.websocket_order_entry,
    }
    batches = ", ".join(f"{what} {data[f'{what}_batch_max']}" for what in ("place", "cancel", "amend") if data[f"{what}_batch_max"] != 1)
    detail = "; ".join(
        (
            f"amend {_yes(capabilities.amend)}",
            f"batches {batches or 'no'}",
            f"post-only {_yes(TimeInForce.POST_ONLY in capabilities.time_in_force)}",
            f"order expiry {_yes(capabilities.order_expiry)}",
            f"dead-man's switch {f'from {switch_seconds} s' if switch_seconds is not None else 'no'}",
            f"websocket order entry {_yes(capabilities.websocket_order_entry)}",
        )
    )
    if switch_seconds is None and any(account.dead_mans_switch_seconds for account in accounts):
        return warn(f"{detail}: after kill -9 or a lost network, open orders stay until the next start", **data)
    return ok(detail, **data)


def judge_permissions(permissions: KeyPermissions | None, exchange: str) -> Finding:
    if permissions is None:
        return skip(f"{NOT_KNOWN}: {exchange} does not tell what a key may do")
    data = {"may_trade": permissions.may_trade, "may_withdraw": permissions.may_withdraw}
    if permissions.may_trade is False:
        return fail("it may not trade: give the key (or its account) the right to trade", **data)
    if permissions.may_withdraw:
        return warn("it may trade, but also withdraw, which mm-runtime never does: use a key without that right", **data)
    if permissions.may_trade is None:
        return skip(f"{NOT_KNOWN}: {exchange} tells what the account may do, not what the key may")
    return ok("it may trade", **data)


def judge_positions(
    mode: PositionMode, positions: Sequence[PositionReport], *, wanted: Decimal | None, leverages_max: Mapping[Symbol, Decimal]
) -> Finding:
    """Whether the account's contracts can be traded as the settings say; `wanted` is the leverage that they ask for."""
    held = [position for position in positions if position.quantity]
    data = {
        "mode": mode.value,
        "positions": {str(position.symbol): format_decimal(position.quantity) for position in held},
        "leverage_max": {str(symbol): format_decimal(leverage) for symbol, leverage in leverages_max.items()},
    }
    if mode is not PositionMode.ONE_WAY:
        return fail(f"the account is in {mode.value} mode: switch it to one-way (net) mode, which is what mm-runtime trades", **data)
    for symbol, leverage_max in leverages_max.items():
        if wanted is not None and wanted > leverage_max:
            return fail(f"leverage {format_decimal(wanted)} is wanted and {symbol} allows {format_decimal(leverage_max)} at most", **data)
    detail = "; ".join(f"{position.symbol} {format_decimal(position.quantity)}" for position in held) or "none open"
    most = ", ".join(f"{symbol} {format_decimal(leverage)}" for symbol, leverage in leverages_max.items())
    return ok(f"one-way mode; {detail}; leverage up to {most}", **data)


def judge_quantity(
    request: OrderRequest,
    *,
    instrument: Instrument,
    book: BookChanged,
    capabilities: Capabilities,
    settings: Settings,
    ledger: AccountLedger,
) -> Finding:
    """The same checks that an order passes before it leaves, and whether what it buys could be sold again."""
    touch = touch_of(book)
    against_rules = rules_refusal(request, instrument, capabilities, touch)
    if against_rules is not None:
        return fail(against_rules)
    beyond_limits = limits_on_book(settings, ledger, book).refusal(request, touch, now=book.received_at)
    if beyond_limits is not None:
        return fail(beyond_limits.reason)
    symbol = instrument.symbol
    notional = request_notional(request, touch) or ZERO
    detail = f"{request.side.value} for {format_decimal(notional)} {symbol.quote}"
    if request.side is Side.BUY:
        bought = instrument.round_quantity_down(notional / touch.ask)
        if bought < instrument.quantity_min:
            return fail(f"{detail} is {format_decimal(bought)} {symbol.base}, below the minimum of {_minimum(instrument)}")
        # Of contracts no fee is taken from what was bought.
        kept = bought if instrument.is_contract else instrument.round_quantity_down(bought * KEPT_OF_A_BUY)
        if kept < instrument.quantity_min or kept * book_price(book.best_bid) < instrument.notional_min:
            return warn(f"{detail}: so near the minimum that what is left of it after fees may be too little to sell")
        detail += f" (about {format_decimal(kept)} {symbol.base})"
    return ok(f"{detail}; the minimum is {_minimum(instrument)}")


def judge_funds(request: OrderRequest, ledger: AccountLedger, *, book: BookChanged, needed_by_all: Decimal) -> Finding:
    """`needed_by_all` is what all cycles of the account need of the same quote asset at once."""
    refusal = funds_refusal(request, ledger, touch_of(book))
    if refusal is not None:
        return fail(f"{refusal}: lower the quantity or fund the account")
    asset = request.symbol.quote if request.side is Side.BUY else request.symbol.base
    available = ledger.spendable(asset)
    detail = f"{format_decimal(available)} {asset} available"
    if request.side is Side.BUY and needed_by_all > available:
        return warn(f"{detail}, but all cycles of the account together need {format_decimal(needed_by_all)}")
    return ok(detail)


def _minimum(instrument: Instrument) -> str:
    notional = f" and {format_decimal(instrument.notional_min)} {instrument.symbol.quote}" if instrument.notional_min else ""
    return f"{format_decimal(instrument.quantity_min)} {instrument.symbol.base}{notional}"


def _yes(offered: bool) -> str:
    return "yes" if offered else "no"
