"""What must be true when a run of the program has ended, and when its world has."""

from __future__ import annotations

from decimal import Decimal

import trio

from assembly.presenter.report import ExitStatus, RunReport
from orders.life_cycle import OrderState
from orders.order import ZERO
from soak.checks.money import Money
from soak.worlds.venue import Venue
from soak.worlds.world import World

# So many crashes and hangs within so long explain that a supervisor gave up.
CRASHES_EXPLAINING = 3
# Kinds of faults that ask for a stop in order.
STOPPING = frozenset({"stop", "signal_to_stop", "signals_to_force"})
CRASH_SECONDS = 150.0
TIME_IS_OVER = " s are over"  # of `run_for_seconds`
ALL_DONE = "all cycles are done"  # the reason of a run that nobody stopped


class Explanations:
    """What has happened that explains why a run ended, or why it does not know everything any more."""

    def __init__(self) -> None:
        self._crashed_at: list[float] = []
        self._struck: set[str] = set()
        self._lost_records = False

    def run_begins(self) -> None:
        """Another run begins. What the journal lost it does not get back."""
        self._struck.clear()

    def struck(self, kind: str) -> None:
        """A fault has struck now."""
        self._struck.add(kind)
        if kind.startswith(("crash", "hang")):
            self._crashed_at.append(trio.current_time())
        if kind == "torn_journal":
            self._lost_records = True

    def explains_end(self, report: RunReport, *, rounds: int) -> str | None:
        """Why the run has ended so; None if it should not have."""
        status = report.exit_status
        if status is ExitStatus.USAGE:
            return None
        is_in_order = status is not ExitStatus.FAILED
        if is_in_order and not STOPPING.isdisjoint(self._struck):
            return "stopped"
        if is_in_order and report.reason.endswith(TIME_IS_OVER):  # which is judged where settings are (`soak/checks/settings_in_force.py`)
            return "its time was over"
        # What a hand has open then may be out of reach, and whether the status says so is judged once everything has settled.
        if rounds and (status is ExitStatus.CLEAN or (status is ExitStatus.MAY_BE_LIVE and report.reason == ALL_DONE)):
            return "all rounds done"
        if "disk_full" in self._struck:
            return "disk full"
        recently = [at for at in self._crashed_at if at > trio.current_time() - CRASH_SECONDS]
        if len(recently) >= CRASHES_EXPLAINING:
            return "too many crashes"
        return self.explains_disagreement()

    def explains_disagreement(self) -> str | None:
        """Why records and balances may differ; None if nothing explains that."""
        return "records lost" if self._lost_records else None


def check_run_ended(world: World, venue: Venue, *, had_faults: bool) -> None:
    """The statement at the end of a run tells the truth. To be called once everything has settled.

    Raises:
        Violation: it does not.
    """
    runtime = world.runtime
    assert runtime is not None
    statement = world.report or runtime.statement()
    live = {order.client_order_id for order in statement.orders.get(venue.account, ()) if not order.is_terminal}
    still_open = {venue.client_order_id(order.client_id) for order in venue.open_orders()}
    if still_open - live:
        world.fail(f"open at {venue.name} and not in the statement: {sorted(still_open - live)}; {statement.exit_status!r}")
    if still_open and statement.exit_status is not ExitStatus.MAY_BE_LIVE:
        world.fail(f"exit status {statement.exit_status!r} while {sorted(still_open)} is open at {venue.name}")
    if statement.exit_status is ExitStatus.MAY_BE_LIVE and not had_faults:
        world.fail(f"nothing was wrong, and {sorted(live)} may be live at {venue.name}")


def check_forced_end(world: World, venue: Venue, forced: RunReport) -> None:
    """What a run stated that was forced to its end tells of every order that is open there. To be called when it was.

    Raises:
        Violation: it does not.
    """
    live = {order.client_order_id for order in forced.orders.get(venue.account, ()) if not order.is_terminal}
    still_open = {venue.client_order_id(order.client_id) for order in venue.open_orders()}
    if still_open - live:
        world.fail(f"open at {venue.name} and not in the statement of a forced end: {sorted(still_open - live)}")
    if forced.exit_status is not ExitStatus.MAY_BE_LIVE:
        world.fail(f"forced to its end, with exit status {forced.exit_status!r}")


def check_end(world: World, venue: Venue, money: Money, explanations: Explanations, *, has_flattened: bool) -> None:
    """At the world's end: nothing is open, ledger and journal have every order and fill that the exchange has, and no money is missing.

    Raises:
        Violation: they do not.
    """
    venue.control.check_invariants()
    if left := [venue.client_order_id(order.client_id) for order in venue.open_orders()]:
        world.fail(f"open at {venue.name} at the end: {left}")
    if wrong := money.wrong_there():
        world.fail(wrong)
    _check_ledger(world, venue)
    if explanations.explains_disagreement() is None:
        _check_journal(world, venue)
        assert world.runtime is not None
        account = world.runtime.tree.accounts[venue.account]
        wrong = money.wrong_in_journal(world) or money.wrong_here(account, has_flattened=has_flattened)
        if wrong:
            world.fail(wrong)


def _check_ledger(world: World, venue: Venue) -> None:
    assert world.runtime is not None
    ledger = world.runtime.tree.accounts[venue.account].ledger
    for order in ledger.orders():
        name = order.client_order_id
        theirs = venue.control.order_by_client_id(venue.codec.wire_client_order_id(name))
        if theirs is None:
            if order.state is not OrderState.REJECTED or order.filled_quantity:
                world.fail(f"{name} is {order.state.value} here and unknown to {venue.name}")
            continue
        if not order.is_settled:
            world.fail(f"{name} is not settled: {order}")
        ours = sorted((fill.trade_id, fill.quantity, fill.price, fill.fee) for fill in order.fills)
        if ours != venue.real_fills(theirs.id):
            world.fail(f"{name}: fills here {ours}, at {venue.name} {venue.real_fills(theirs.id)}")
    if ledger.positions is not None:
        real = {symbol: position.quantity for symbol, position in venue.control.positions().items()}
        for symbol in sorted(venue.control.engine.instruments, key=str):
            counted = ledger.positions.account_of(symbol).quantity
            if counted != real.get(symbol, ZERO):
                world.fail(f"the position in {symbol} is {counted} here and {real.get(symbol, ZERO)} at {venue.name}")


def _check_journal(world: World, venue: Venue) -> None:
    """Whatever was killed in between: every trade of ours is written down once, over all runs."""
    rows = world.journal.rows("SELECT account, symbol, trade_id, price, quantity, fee FROM fills")
    written = {(symbol, trade, *map(Decimal, amounts)) for account, symbol, trade, *amounts in rows if account == venue.account}
    real = {
        (str(trade.symbol), str(trade.id), trade.price, trade.quantity, party.fee)
        for trade in venue.control.trades()
        for party in venue.parties(trade)
    }
    if missing := real - written:
        world.fail(f"{len(missing)} of {len(real)} trades at {venue.name} are not in the journal: {sorted(missing)[:5]}")
    known = {row[0] for row in world.journal.rows("SELECT client_order_id FROM orders")}
    orders = [venue.client_order_id(order.client_id) for order in venue.control.orders() if venue.is_ours(order.client_id)]
    strange = [name for name in orders if name not in known]
    if strange:
        world.fail(f"{venue.name} has orders of ours that the journal does not know: {strange[:5]}")
