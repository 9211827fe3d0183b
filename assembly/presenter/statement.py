"""What is printed at the end of a run: a reconciliation per cycle, a statement per order, and what it means."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from assembly.presenter.cycle_memory import CycleMemory
from assembly.presenter.phrases import printable
from assembly.presenter.report import ExitStatus, RunReport
from assembly.presenter.risk_words import risk_lines
from assembly.presenter.tables import columns
from assembly.presenter.vocabulary import order_fees, risk_fields, statement_fields
from market.instrument import format_decimal
from orders.ledger import ENDED_ORDERS_KEPT_MAX
from orders.life_cycle import OrderState
from orders.order import ZERO, Order
from orders.reconciliation import CycleReconciled

ENDED_ORDERS_SHOWN_MAX = 50
RECONCILIATIONS_SHOWN_MAX = 20

_RED, _PLAIN = "\x1b[1;31m", "\x1b[0m"
_HEADINGS = ("client order id", "exchange id", "side", "type", "price", "quantity", "filled", "average", "fees", "state")


def closing_text(report: RunReport, cycles: CycleMemory, *, width: int | None, color: bool) -> str:
    """The end of a run, for people. `width` is the terminal's, None where nothing limits it. Ends with a line break."""
    lines: list[str] = []
    shown = cycles.reconciliations[-RECONCILIATIONS_SHOWN_MAX:]
    if cycles.count > len(shown):
        lines += ["", f"({cycles.count - len(shown)} earlier reconciled cycles are not listed)"]
    for reconciled in shown:
        lines += ["", *reconciliation_lines(reconciled, color=color)]
    for account, orders in report.orders.items():
        lines += ["", *statement_lines(account, orders, width=width, color=color)]
    if cycles.profit_by_cycle:
        profits = ", ".join(f"{cycle} {_signed(profit)} {quote}" for cycle, (profit, quote) in cycles.profit_by_cycle.items())
        lines += ["", *_wrapped(f"profit: {profits}", width, indent="  ")]
    for measured in cycles.risks.values():
        holds, earned = risk_lines(risk_fields(measured))
        lines += ["", *_wrapped(f"cycle {measured.cycle} {measured.symbol} {holds}", width, indent="  ")]
        lines += _wrapped(f"  {earned}", width, indent="    ")
    if report.states:
        lines += ["", *_states_left(report, width=width, color=color)]
    lines += ["", *_verdict(report, width=width, color=color)]
    return "".join(f"{line}\n" for line in lines)


def reconciliation_lines(reconciled: CycleReconciled, *, color: bool) -> list[str]:
    """One cycle: what was bought and sold, and each asset's balance against what the fills say."""
    base, quote = reconciled.symbol.base, reconciled.symbol.quote
    fees = " + ".join(f"{format_decimal(fee)} {asset}" for asset, fee in reconciled.fees.items()) or "none"
    differences = reconciled.differences()
    rows = [("asset", "before", "after", "expected change", "actual change", "difference", "agrees")]
    for asset in reconciled.assets:
        rows.append(
            (
                asset,
                _amount(reconciled.balances_before.get(asset, ZERO)),
                _amount(reconciled.balances_after.get(asset, ZERO)),
                _signed(reconciled.expected_changes.get(asset, ZERO)),
                _signed(reconciled.actual_changes.get(asset, ZERO)),
                _signed(differences[asset]),
                "no" if abs(differences[asset]) > (reconciled.rounding if asset == quote else ZERO) else "yes",
            )
        )
    left_over = f", left over {_amount(reconciled.left_over_quantity)} {base}" if reconciled.left_over_quantity else ""
    funding = f", funding {_signed(reconciled.funding)} {quote}" if reconciled.funding else ""
    verdict = "reconciled, balances agree" if reconciled.agrees else _loud("BALANCES DO NOT AGREE", color)
    return [
        f"cycle {reconciled.cycle} #{reconciled.number} {reconciled.symbol} on {reconciled.account}: {verdict}",
        f"  bought {_amount(reconciled.bought_quantity)} {base} for {_amount(reconciled.bought_quote)} {quote}",
        f"  sold   {_amount(reconciled.sold_quantity)} {base} for {_amount(reconciled.sold_quote)} {quote}{left_over}",
        f"  fees   {fees}{funding}, profit {_signed(reconciled.profit_quote)} {quote}",
        *(f"  {line}" for line in columns(rows, "<>>>>><")),
    ]


def statement_lines(account: str, orders: Sequence[Order], *, width: int | None, color: bool) -> list[str]:
    """Every order of an account, those that may still be live last and loud. Of many that have ended only the newest are listed."""
    live = [order for order in orders if not order.is_terminal]
    ended = [order for order in orders if order.is_terminal]
    shown = [*ended[-ENDED_ORDERS_SHOWN_MAX:], *live]
    lines = [f"orders of account {account}: {_counts(orders)}"]
    if len(ended) > ENDED_ORDERS_SHOWN_MAX:
        lines.append(f"  ({len(ended) - ENDED_ORDERS_SHOWN_MAX} earlier ones that have ended are not listed)")
    if len(ended) >= ENDED_ORDERS_KEPT_MAX:
        lines.append(f"  (ended orders before the last {ENDED_ORDERS_KEPT_MAX} are not counted: the program has forgotten them)")
    if shown:
        lines += _order_lines(account, shown, width=width, color=color)
    for order in live:
        advice = (
            "its fate is unknown: look for this client order id"
            if order.state is OrderState.UNKNOWN
            else f"it was last seen {order.state.value}: look for this client order id"
        )
        text = f"  MAY BE LIVE {order.client_order_id}: {advice} at the exchange and cancel it there"
        lines += [_loud(line, color) for line in _wrapped(text, width, indent="    ")]
    return lines


def _order_lines(account: str, orders: Sequence[Order], *, width: int | None, color: bool) -> list[str]:
    rows = [_HEADINGS, *(_order_cells(account, order) for order in orders)]
    table = [f"  {line}" for line in columns(rows, "<<<<>>>>><")]
    if width is None or max(len(line) for line in table) <= width:
        return table
    # Too narrow for one line per order: the ids and what became of it, then the numbers.
    lines: list[str] = []
    heads = columns([(row[0], row[1], row[2], row[3], row[9]) for row in rows[1:]], "<<<<<")
    for head, row in zip(heads, rows[1:], strict=True):
        lines.append(f"  {head}")
        lines.append(f"    {row[5]} @ {row[4] or 'market'}, filled {row[6]}{' at ' + row[7] if row[7] else ''}, fees {row[8] or 'none'}")
    return lines


def _order_cells(account: str, order: Order) -> tuple[str, ...]:
    fields = statement_fields(account, order)
    quantity = str(fields["quantity"]) if "quantity" in fields else f"for {fields['quote_quantity']} {order.request.symbol.quote}"
    fees = " + ".join(f"{format_decimal(fee)} {asset}" for asset, fee in order_fees(order).items())
    if not order.fills_are_complete:
        fees += " (incomplete)"
    reason = f" ({order.reason})" if order.reason and order.state in (OrderState.REJECTED, OrderState.UNKNOWN) else ""
    cells = (
        order.client_order_id,
        order.exchange_order_id or "-",
        order.request.side.value,
        order.request.type.value,
        str(fields.get("price", "")),
        quantity,
        str(fields["filled_quantity"]),
        str(fields.get("average_price", "")),
        fees.strip(),
        order.state.value + reason,
    )
    return tuple(printable(cell) for cell in cells)


def _counts(orders: Sequence[Order]) -> str:
    counts = {state: sum(order.state is state for order in orders) for state in OrderState}
    return ", ".join(f"{count} {state.value}" for state, count in counts.items() if count) or "none"


def _states_left(report: RunReport, *, width: int | None, color: bool) -> list[str]:
    kept = "the next run begins with it" if report.states_are_kept else "this run has no journal, and the next one knows nothing of it"
    lines: list[str] = []
    for left in report.states:
        text = printable(f"{left.state.value.upper()}: {left.scope}, {left.reason or 'without a reason'}; {kept}")
        lines += [_loud(line, color) for line in _wrapped(text, width, indent="  ")]
        if report.states_are_kept:
            lines.append(f"  lift it, once it runs, with: {left.lifted_by}")
    return lines


def _verdict(report: RunReport, *, width: int | None, color: bool) -> list[str]:
    text = f"exit status {report.exit_status.value}: {report.exit_status.meaning} ({report.reason}; ran {report.seconds:.1f} s)"
    lines = _wrapped(printable(text), width)
    return lines if report.exit_status is ExitStatus.CLEAN else [_loud(line, color) for line in lines]


def _wrapped(text: str, width: int | None, indent: str = "") -> list[str]:
    """A sentence broken between words. Ids stay whole, so that they can be copied."""
    if width is None:
        return [text]
    return textwrap.wrap(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _amount(value: object) -> str:
    return f"{value:f}"


def _signed(value: object) -> str:
    return f"{value:+f}" if value else "0"


def _loud(text: str, color: bool) -> str:
    return f"{_RED}{text}{_PLAIN}" if color else text
