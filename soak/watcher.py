"""What must be true of a world at every moment, whatever goes wrong in it, and what must be true at its end.

Safety is checked against the exchange's own state whenever the program reports anything, whenever the exchange accepts an
order of ours, and every few hundredths of a second in between.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import trio

from actors.cycle.actor import COMMAND_LIFETIME_SECONDS
from assembly.presenter.report import ExitStatus
from market.events import BookChanged, BookLost, Side
from orders.identity import owner_of
from orders.ledger import ENDED_ORDERS_KEPT_MAX
from orders.life_cycle import OrderState
from orders.order import ZERO
from orders.reconciliation import CycleReconciled
from simulated.engine.events import EngineEvent, OrderChange, OrderChanged, TradeMade
from simulated.engine.order import Order
from soak.world import BTC_USDT, World

LOOK_SECONDS = 0.05
OURS = "t-mm-"
ACCOUNT = "main"


class Watcher:
    """Looks at one world, whose program has not started yet."""

    def __init__(self, world: World) -> None:
        self.stopped_at: float | None = None
        self._world = world
        self._found: list[str] = []
        self._held: Counter[str] = Counter()  # base units by owner, by the exchange's trades
        self._balances_before = _totals(world)
        self._sent: set[str] = set()
        self._gate_was_closed = False
        self._book_at = -1.0
        self._book_lost_at: float | None = None
        world.observers.append(self._see)
        world.exchange.engine.subscribe(self._see_exchange)

    def stopping(self) -> None:
        """A stop is asked for now."""
        self.stopped_at = trio.current_time()

    async def watch(self) -> None:
        """Look again and again until cancelled; raises `AssertionError`."""
        while True:
            await trio.sleep(LOOK_SECONDS)
            self.check()

    def check(self) -> None:
        """Raises `AssertionError` for the first thing that is or was wrong."""
        self._look()
        if self._found:
            self._world.fail(self._found[0])

    # Always

    def _see(self, event: object) -> None:
        now = trio.current_time()
        match event:
            case BookChanged() if event.symbol == BTC_USDT:
                self._book_at, self._book_lost_at = now, None
            case BookLost():
                self._book_lost_at = now
            case _:
                pass
        self._look()

    def _check_book(self, now: float) -> None:
        """An order was decided on at most one command's lifetime ago, on a book that was whole and fresh then."""
        runtime = self._world.runtime
        assert runtime is not None
        age_max = next(iter(runtime.tree.exchanges.values())).settings.book_max_age_seconds
        if now - self._book_at > age_max + COMMAND_LIFETIME_SECONDS + LOOK_SECONDS:
            self._say(f"an order was placed {now - self._book_at:.1f} s after the last book")
        if self._book_lost_at is not None and now - self._book_lost_at > COMMAND_LIFETIME_SECONDS + LOOK_SECONDS:
            self._say(f"an order was placed {now - self._book_lost_at:.1f} s after the book was lost")

    def _look(self) -> None:
        if self._world.runtime is None:
            return
        ledger = self._world.account.ledger
        open_sells: Counter[str] = Counter()
        owners: set[str] = set()
        for order in self._world.exchange.open_orders():
            if not order.client_id.startswith(OURS):
                continue
            known = ledger.order(order.client_id.removeprefix("t-"))
            if known is None:
                self._say(f"{order.client_id} is open at the exchange and not in the ledger")
            elif known.is_terminal:
                self._say(f"{order.client_id} is open at the exchange and {known.state.value} here ({known.reason})")
            owner = _owner(order.client_id)
            if owner in owners:
                self._say(f"two orders of {owner} are open at once")
            owners.add(owner)
            if order.side is Side.SELL:
                open_sells[owner] += order.remaining_quantity  # type: ignore[assignment]
        for owner, held in self._held.items():
            if held - open_sells[owner] < 0:
                self._say(f"{owner} has or may yet sell {open_sells[owner] - held} more than it bought")
        self._look_at_departures()

    def _look_at_departures(self) -> None:
        """Orders that have left since the last look: on a usable book, and through an open gate."""
        account = self._world.account
        for order in account.ledger.orders():
            name = order.client_order_id
            if not order.sent or name in self._sent or order.request.tag in ("flatten", ""):
                continue
            self._sent.add(name)
            self._check_book(trio.current_time())
            if self._gate_was_closed:
                self._say(f"{name} left after the gate had closed")
        self._gate_was_closed = account.gate.closed_reason is not None

    def _see_exchange(self, event: EngineEvent) -> None:
        if isinstance(event, TradeMade):
            for party, side in ((event.trade.taker, event.trade.taker_side), (event.trade.maker, event.trade.taker_side.opposite)):
                if party.client_id.startswith(OURS):
                    quantity = event.trade.quantity if side is Side.BUY else -event.trade.quantity
                    fee = party.fee if party.fee_asset == BTC_USDT.base else ZERO
                    self._held[_owner(party.client_id)] += quantity - fee  # type: ignore[assignment]
        elif isinstance(event, OrderChanged) and event.change is OrderChange.PUT and event.order.client_id.startswith(OURS):
            self._accepted(event.order)

    def _accepted(self, accepted: Order) -> None:
        owner = _owner(accepted.client_id)
        others = [
            order.client_id for order in self._world.exchange.open_orders() if order.id != accepted.id and _owner(order.client_id) == owner
        ]
        if others:
            self._say(f"{accepted.client_id} was accepted while {others} was open")

    # At the end

    def check_end(self, *, rounds: int) -> None:
        """After the program ended and everything has settled. Raises `AssertionError`."""
        world = self._world
        report = world.report
        statement = report if report is not None else world.runtime.statement()  # type: ignore[union-attr]
        status = statement.exit_status
        live = [order.client_order_id for orders in statement.orders.values() for order in orders if not order.is_terminal]
        open_now = [client_id.removeprefix("t-") for client_id in world.our_open_orders()]
        if set(open_now) - set(live):
            world.fail(f"open at the exchange and not in the statement: {open_now}; exit status {status!r}")
        if open_now and status is not ExitStatus.MAY_BE_LIVE:
            world.fail(f"exit status {status!r} while {open_now} is open")
        if status not in (ExitStatus.CLEAN, ExitStatus.MAY_BE_LIVE):
            world.fail(f"exit status {status!r}: {statement.reason}")
        if self.stopped_at is None:
            if status is not ExitStatus.CLEAN:
                world.fail(f"nobody stopped it, and the exit status is {status!r}: {statement.reason}")
            completed = len(world.seen(CycleReconciled))
            if completed != rounds:
                world.fail(f"{completed} of {rounds} rounds were completed")
        for reconciled in world.seen(CycleReconciled):
            if not reconciled.agrees:
                world.fail(f"round {reconciled.number} of {reconciled.cycle} does not agree: {reconciled.differences()}")
        if status is ExitStatus.CLEAN:
            self._check_ledger()

    def _check_ledger(self) -> None:
        """The ledger has every order, fill, fee and unit that the exchange has, and nothing else."""
        world, exchange = self._world, self._world.exchange
        exchange.check_invariants()
        ledger = world.account.ledger
        trades = exchange.trades()
        is_whole = True
        for order in ledger.orders():
            name = order.client_order_id
            theirs = exchange.order_by_client_id(f"t-{name}")
            if theirs is None:
                if order.state is not OrderState.REJECTED or order.filled_quantity:
                    world.fail(f"{name} is {order.state.value} here and unknown to the exchange")
                continue
            if order.state is OrderState.REJECTED and theirs.filled_quantity:
                world.fail(f"{name} is rejected here and filled {theirs.filled_quantity} at the exchange")
            if not order.is_settled:
                if self.stopped_at is None:
                    world.fail(f"{name} is not settled: {order}")
                is_whole = False  # the exchange was not to be asked for the fills within the stop deadline
                continue
            ours = sorted((fill.trade_id, fill.quantity, fill.price, fill.fee) for fill in order.fills)
            real = sorted(
                (str(trade.id), trade.quantity, trade.price, party.fee)
                for trade in trades
                for party in (trade.taker, trade.maker)
                if party.order_id == theirs.id
            )
            if ours != real:
                world.fail(f"{name}: fills here {ours}, at the exchange {real}")
        known = {f"t-{order.client_order_id}" for order in ledger.orders()}
        strange = [order.client_id for order in exchange.orders() if order.client_id.startswith(OURS) and order.client_id not in known]
        if strange and len(known) < ENDED_ORDERS_KEPT_MAX:  # beyond that the oldest are forgotten
            world.fail(f"the exchange has orders of ours that the ledger does not know: {strange}")
        if not is_whole:
            return
        changes = ledger.fill_changes()
        for asset, total in _totals(world).items():
            expected = self._balances_before.get(asset, ZERO) + changes.get(asset, ZERO)
            if total != expected:
                world.fail(f"{total} {asset} at the exchange, {expected} by the ledger's fills")

    def _say(self, text: str) -> None:
        self._found.append(f"at {trio.current_time():.4f} s: {text}")


def _owner(client_id: str) -> str:
    return owner_of(client_id.removeprefix("t-"))


def _totals(world: World) -> dict[str, Decimal]:
    return {asset: available + locked for asset, (available, locked) in world.exchange.balances().items()}
