"""Events as one line of text for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from assembly.presenter.risk_words import risk_lines
from assembly.presenter.times import iso_time
from assembly.presenter.vocabulary import Fields, Told

NAME_WIDTH = 22

_NOTHING: tuple[object, ...] = (None, "")
_DAY_MILLISECONDS = 86_400_000
# What an exchange says may hold anything; nothing of it may steer a terminal or begin a new line.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))} | {0x2028: "\\u2028", 0x2029: "\\u2029"}


def line(time_milliseconds: int, told: Told) -> str:
    """``12:00:01.123 order_placed  cycle=btc sell 0.0016 BTC @ 61234.5 (mm-btc-…)``, without a line break. Times are UTC."""
    return f"{time_of_day(time_milliseconds)} {told.name:<{NAME_WIDTH}} {phrase(told)}".rstrip()


def phrase(told: Told) -> str:
    """What an event says besides its name."""
    return printable(_PHRASES.get(told.name, _all_fields)(told.fields))


def time_of_day(time_milliseconds: int) -> str:
    """``12:00:01.123``, UTC."""
    seconds, milliseconds = divmod(time_milliseconds % _DAY_MILLISECONDS, 1000)
    minutes, second = divmod(seconds, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{second:02}.{milliseconds:03}"


def printable(text: str) -> str:
    """`text` with every control character written out."""
    return text if text.isprintable() else text.translate(_CONTROLS)


def order_phrase(fields: Mapping[str, Any]) -> str:
    """``sell 0.0016 BTC @ 61234.5`` or ``buy for 100 USDT``."""
    base, _, quote = str(fields["symbol"]).partition("/")
    amount = f"{fields['quantity']} {base}" if "quantity" in fields else f"for {fields['quote_quantity']} {quote}"
    reducing = " reduce-only" if "reduce_only" in fields else ""
    return f"{fields['side']} {amount} {'@ ' + fields['price'] if 'price' in fields else 'at market'}{reducing}"


def _order(fields: Fields) -> str:
    filled = f", filled {fields['filled_quantity']}" if fields["filled_quantity"] not in ("0", "0.0") else ""
    at = f" at {fields['average_price']}" if filled and "average_price" in fields else ""
    reason = f": {fields['reason']}" if "reason" in fields else ""
    via = f" via {fields['transport']}" if "transport" in fields else ""
    return f"cycle={fields['cycle']} {order_phrase(fields)}{filled}{at}{via} ({fields['client_order_id']}){reason}"


def _order_filled(fields: Fields) -> str:
    fill = cast(dict[str, Any], fields["fill"])
    base = str(fields["symbol"]).partition("/")[0]
    whole = f" of {fields['quantity']}" if "quantity" in fields else ""
    role = "maker" if fill["maker"] else "taker"
    return (
        f"cycle={fields['cycle']} {fields['side']} {fill['quantity']} {base} @ {fill['price']} {role}, "
        f"fee {fill['fee']} {fill['fee_asset']}, filled {fields['filled_quantity']}{whole} ({fields['client_order_id']})"
    )


def _book_top(fields: Fields) -> str:
    return (
        f"{fields['exchange']} {fields['symbol']} {fields['bid']} x {fields['bid_quantity']} | {fields['ask']} x {fields['ask_quantity']}, "
        f"spread {fields['spread']}"
    )


def _balance_changed(fields: Fields) -> str:
    return f"{fields['account']} {fields['asset']} {fields['total']}, available {fields['available']}"


def _position_changed(fields: Fields) -> str:
    base = str(fields["symbol"]).partition("/")[0]
    where = f"{fields['account']} {fields['symbol']}"
    if fields["quantity"] in ("0", "0.0"):
        return f"{where} no position"
    entry = f" from {fields['entry_price']}" if "entry_price" in fields else ""
    mark = f", mark {fields['mark_price']}" if "mark_price" in fields else ""
    liquidation = f", liquidation at {fields['liquidation_price']}" if "liquidation_price" in fields else ""
    leverage = f", leverage {fields['leverage']}" if "leverage" in fields else ""
    return f"{where} {fields['quantity']} {base}{entry}{mark}{liquidation}{leverage}"


def _funding_paid(fields: Fields) -> str:
    return f"{fields['account']} {fields['symbol']} {fields['amount']} {fields['asset']}"


def _balance_differs(fields: Fields) -> str:
    asset, actual, expected = fields["asset"], fields["actual"], fields["expected"]
    return f"{fields['account']} {asset} {actual}, and fills explain {expected}: {fields['difference']} that nothing explains"


def _account_not_ready(fields: Fields) -> str:
    return f"{fields['account']} for {fields['seconds']} s, waits for {fields['waits_for']}"


def _order_still_unknown(fields: Fields) -> str:
    reason = f": {fields['reason']}" if fields["reason"] else ""
    order = f"{fields['account']} {fields['symbol']} {fields['client_order_id']}"
    return f"{order}: asked to {fields['asked']}, nobody knows for {fields['seconds']} s what became of it{reason}"


def _order_fate_learned(fields: Fields) -> str:
    order = f"{fields['account']} {fields['symbol']} {fields['client_order_id']}"
    return f"{order} is {fields['state']}, after {fields['seconds']} s"


def _cycle_started(fields: Fields) -> str:
    quote = str(fields["symbol"]).partition("/")[2]
    return f"cycle={fields['cycle']} #{fields['number']} {fields['symbol']} for {fields['quote_quantity']} {quote} on {fields['account']}"


def _cycle_phase_changed(fields: Fields) -> str:
    number = f"#{fields['number']} " if fields["number"] else ""  # a quoting cycle has no rounds
    return f"cycle={fields['cycle']} {number}{fields['phase']}"


def _cycle_reconciled(fields: Fields) -> str:
    base, _, quote = str(fields["symbol"]).partition("/")
    fees = ", ".join(f"{amount} {asset}" for asset, amount in cast(dict[str, str], fields["fees"]).items()) or "none"
    named = ", ".join(f"{amount} {asset}" for asset, amount in cast(dict[str, str], fields["unexplained"]).items())
    agreement = f"balances agree but for {named} that nothing explains" if named else "balances agree"
    verdict = agreement if fields["agrees"] else f"BALANCES DISAGREE by {fields['differences']}"
    return (
        f"cycle={fields['cycle']} #{fields['number']} bought {fields['bought_quantity']} {base} for {fields['bought_quote']} {quote}, "
        f"sold {fields['sold_quantity']} {base} for {fields['sold_quote']} {quote}, fees {fees}, "
        f"profit {fields['profit_quote']} {quote}, {verdict}"
    )


def _actor(fields: Fields) -> str:
    path = f"{fields['supervisor']}/{fields['actor']} #{fields['incarnation']}"
    rest = {key: value for key, value in fields.items() if key not in ("supervisor", "actor", "incarnation")}
    return f"{path} {_all_fields(rest)}"


def _guardian_acted(fields: Fields) -> str:
    cancelled = ", ".join(cast(list[str], fields["cancelled"])) or "nothing"
    left = cast(list[str], fields["left_open"])
    if fields["outcome"] == "confirmed":
        verdict = "nothing is open"
    elif fields["outcome"] == "runtime back":
        verdict = "then the program was back"
    else:
        verdict = f"{fields['outcome']}, {', '.join(left) or 'what was open'} MAY BE LIVE"
    trouble = f" ({fields['trouble']})" if fields["trouble"] else ""
    when = f"{fields['began_at']} to {fields['ended_at']}" if fields["ended_at"] else f"since {fields['began_at']}, not ended"
    where = f"{fields['account']} ({fields['exchange']})"
    return f"{fields['cause']}: {where}: cancelled {cancelled}, {verdict}{trouble}; {when}"


def _state(fields: Fields) -> str:
    state = str(fields["state"])
    since = f" since {iso_time(cast(int, fields['since_milliseconds']))}" if "since_milliseconds" in fields else ""
    reason = f": {fields['reason']}" if fields["reason"] else ""
    # Loud where nothing, or not everything, is placed: it must be found in a page of other lines.
    lifting = f"; LIFT IT WITH: {fields['lifted_by']}" if "lifted_by" in fields else ""
    cause = f"; it ends by itself with this: {fields['cause']}" if "cause" in fields else ""
    return f"{fields['scope']} is {state if state == 'run' else state.upper()}{since}{reason}{lifting}{cause}"


def _restraint_lifted(fields: Fields) -> str:
    return f"{fields['scope']} is free again of: {fields['cause']}"


def _quotes_pulled(fields: Fields) -> str:
    pulled = cast(list[str], fields["client_order_ids"])
    return f"{fields['account']} cancels {', '.join(pulled)} via {fields['transport']}, for {fields['reason']}"


def _cycle_flattened(fields: Fields) -> str:
    base, _, quote = str(fields["symbol"]).partition("/")
    verb = {"sell": "sold", "buy": "bought back"}.get(str(fields.get("side")))
    done = f"{verb} {fields['quantity']} {base} for {fields['quote_quantity']} {quote} at market" if verb else "held nothing to sell"
    left = f"; {fields['left']} {base} is left: {fields['why_left']}" if fields["why_left"] else ""
    return f"cycle={fields['cycle']} {done}{left}"


def _risk_measured(fields: Fields) -> str:
    return f"cycle={fields['cycle']} {'; '.join(risk_lines(fields))}"


def _hold(fields: Fields) -> str:
    earlier = "; asked for before this run began" if "correction" in fields else ""
    correction = f"; {fields['correction']}" if fields.get("correction") else ""
    until = iso_time(cast(int, fields["until_milliseconds"]))
    return f"{fields['scope']}: nothing is sent before {until}: {fields['reason']}{earlier}{correction}"


def _log(fields: Fields) -> str:
    actor = f"{fields['actor']}: " if fields["actor"] else ""
    return f"{fields['level']} {actor}{fields['message']}"


def _text(fields: Fields) -> str:
    return str(fields["text"])


def _all_fields(fields: Fields) -> str:
    return " ".join(f"{key}={_value(value)}" for key, value in fields.items() if value not in _NOTHING)


def _value(value: object) -> str:
    match value:
        case dict():
            return (
                "{"
                + ", ".join(f"{key}: {_value(item)}" for key, item in cast(dict[str, object], value).items() if item not in _NOTHING)
                + "}"
            )
        case list():
            return "[" + ", ".join(_value(item) for item in cast(list[object], value)) + "]"
        case str() if " " in value:
            return f'"{value}"'
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)


def _setting_changed(fields: Fields) -> str:
    return f"{fields['key']}: {fields['before']} -> {fields['after']}, {fields['applies']} (by {fields['by']})"


def _settings_refused(fields: Fields) -> str:
    return f"by {fields['by']}, and nothing was changed: {fields['reason']}"


def _page_opened(fields: Fields) -> str:
    return f"{fields['url']}{' (whoever has the token may act on the run)' if fields['can_control'] else ' (to look only)'}"


def _page_unavailable(fields: Fields) -> str:
    return f"at {fields['listen']}: {fields['reason']}"


_PHRASES: dict[str, Callable[[Fields], str]] = {
    "book_top": _book_top,
    "balance_changed": _balance_changed,
    "position_changed": _position_changed,
    "funding_paid": _funding_paid,
    "balance_differs": _balance_differs,
    "account_not_ready": _account_not_ready,
    "order_still_unknown": _order_still_unknown,
    "order_fate_learned": _order_fate_learned,
    "cycle_started": _cycle_started,
    "cycle_phase_changed": _cycle_phase_changed,
    "cycle_reconciled": _cycle_reconciled,
    "order_filled": _order_filled,
    "guardian_acted": _guardian_acted,
    "state_entered": _state,
    "state_recovered": _state,
    "restraint_placed": _state,
    "restraint_lifted": _restraint_lifted,
    "quotes_pulled": _quotes_pulled,
    "risk_measured": _risk_measured,
    "cycle_flattened": _cycle_flattened,
    "hold_placed": _hold,
    "hold_taken_over": _hold,
    "setting_changed": _setting_changed,
    "settings_refused": _settings_refused,
    "page_opened": _page_opened,
    "page_unavailable": _page_unavailable,
    "log": _log,
    "notice": _text,
    **dict.fromkeys(
        (
            "order_submitted",
            "order_placed",
            "order_cancel_requested",
            "order_unknown",
            "order_completed",
            "order_cancelled",
            "order_expired",
            "order_rejected",
            "leftover_order_found",
        ),
        _order,
    ),
    **dict.fromkeys(
        (
            "actor_starting",
            "actor_started",
            "actor_start_failed",
            "actor_hung",
            "actor_crashed",
            "actor_finished",
            "actor_ended",
            "actor_restarting",
            "actor_restarted",
            "actor_stopping",
            "actor_stopped",
            "actor_quarantined",
            "stop_deadline_exceeded",
            "intensity_exceeded",
            "cleanup_started",
            "cleanup_finished",
            "cleanup_failed",
            "cleanup_timed_out",
        ),
        _actor,
    ),
}
