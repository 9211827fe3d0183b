"""The end of a run as events."""

from __future__ import annotations

from collections.abc import Iterator

from assembly.presenter.report import RunReport
from assembly.presenter.vocabulary import Fields, Told, statement_fields


def stopped_fields(report: RunReport) -> Fields:
    """How a run ended: what `stopped` says."""
    states: list[object] = [
        {"scope": left.scope, "state": left.state.value, "reason": left.reason, "lifted_by": left.lifted_by} for left in report.states
    ]
    return {
        "exit_status": report.exit_status.value,
        "meaning": report.exit_status.meaning,
        "reason": report.reason,
        "seconds": round(report.seconds, 3),
        "orders": sum(len(orders) for orders in report.orders.values()),
        "may_be_live": may_be_live(report),
        "states": states,
        "states_are_kept": report.states_are_kept,
    }


def may_be_live(report: RunReport) -> list[str]:
    """The client ids of the orders whose end nobody has confirmed."""
    return [order.client_order_id for orders in report.orders.values() for order in orders if not order.is_terminal]


def last_words(report: RunReport) -> Iterator[Told]:
    """What is in the log file of a run's end: the orders that may be live, and that it stopped. How the others ended has been told."""
    for account, orders in report.orders.items():
        yield from (Told("order_statement", statement_fields(account, order)) for order in orders if not order.is_terminal)
    yield Told("stopped", stopped_fields(report))
