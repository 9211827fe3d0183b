"""What a test or a fault plan can see and do behind the wire. Plain calls; nothing here waits."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import trio

from market.clock import WallClock
from market.symbol import Symbol
from network.causes import NO_CAUSE, current_cause
from simulated.countdown import Countdowns
from simulated.engine.invariants import check_invariants
from simulated.engine.matching import MatchingEngine
from simulated.engine.order import Order, Trade
from simulated.engine.position import Position
from simulated.faults import AnswerFault, Faults, Moment, Operation, Repeat, WrongLevel
from simulated.flow import MarketDriver
from simulated.house import TAKERS
from simulated.rate_limits import RateLimits
from simulated.snapshots import Snapshots


class VenueClock:
    """The exchange's own clock: wall time plus a skew."""

    def __init__(self, clock: WallClock) -> None:
        self._clock = clock
        self.skew_milliseconds = 0
        self._cause = NO_CAUSE

    def skew(self, milliseconds: int) -> None:
        self.skew_milliseconds, self._cause = milliseconds, current_cause()

    def milliseconds(self) -> int:
        if self.skew_milliseconds:
            self._cause.had_effect()
        return self._clock.milliseconds() + self.skew_milliseconds


class FlowGate:
    """Stops and resumes the flow of the market."""

    def __init__(self) -> None:
        self._open = trio.Event()
        self._open.set()
        self._cause = NO_CAUSE

    def freeze(self) -> None:
        self._cause = current_cause()
        if self._open.is_set():
            self._open = trio.Event()

    def resume(self) -> None:
        self._open.set()

    @property
    def is_open(self) -> bool:
        return self._open.is_set()

    async def wait_open(self) -> None:
        if not self.is_open:
            self._cause.had_effect()
        await self._open.wait()


class VenueControl:
    """Facts and faults of one simulated exchange. `main_account` is meant wherever no account is named."""

    def __init__(
        self,
        *,
        engine: MatchingEngine,
        driver: MarketDriver | None,
        faults: Faults,
        limits: RateLimits,
        clock: VenueClock,
        flow_gate: FlowGate,
        snapshots: Snapshots,
        main_account: str,
        disconnect: Callable[[], None],
        restart: Callable[[], None],
        inject_crossed_update: Callable[[Symbol], None],
        announce_shutdown: Callable[[], None],
    ) -> None:
        self.engine = engine
        self.countdowns: Countdowns[Any] | None = None
        """The dead-man's switches, where there are some."""
        self.faults = faults
        self._limits = limits
        self._driver = driver
        self._clock = clock
        self._flow_gate = flow_gate
        self._snapshots = snapshots
        self.main_account = main_account
        self._disconnect = disconnect
        self._restart = restart
        self._inject_crossed_update = inject_crossed_update
        self._announce_shutdown = announce_shutdown

    # -- facts --------------------------------------------------------------------------------------------------------

    def open_orders(self, account: str | None = None) -> tuple[Order, ...]:
        """The account's open orders, oldest first."""
        return tuple(self.engine.accounts[account or self.main_account].open_orders.values())

    def orders(self, account: str | None = None) -> tuple[Order, ...]:
        """Every order of the account that is still remembered, by id."""
        name = account or self.main_account
        return tuple(order for order in self.engine.orders.values() if order.account == name)

    def order_by_client_id(self, client_id: str, account: str | None = None) -> Order | None:
        """The newest order with this client id, open or finished."""
        for order in reversed(self.orders(account)):
            if order.client_id == client_id:
                return order
        return None

    def balances(self, account: str | None = None) -> dict[str, tuple[Decimal, Decimal]]:
        """Available and locked units per asset."""
        balances = self.engine.accounts[account or self.main_account].balances
        return {asset: (balance.available, balance.locked) for asset, balance in balances.items()}

    def trades(self, account: str | None = None) -> tuple[Trade, ...]:
        """The account's trades, oldest first."""
        return tuple(self.engine.accounts[account or self.main_account].trades)

    def positions(self, account: str | None = None) -> dict[Symbol, Position]:
        """The account's open positions. Of contracts only."""
        return {position.symbol: position for position in self.engine.open_positions(account or self.main_account)}

    def best_bid(self, symbol: Symbol) -> Decimal | None:
        return self.engine.books[symbol].bids.best

    def best_ask(self, symbol: Symbol) -> Decimal | None:
        return self.engine.books[symbol].asks.best

    @property
    def refused_for_rate(self) -> int:
        """How many requests were answered with 429 because of `rate_limit_for`."""
        return self.faults.refused_for_rate

    @property
    def banned_until(self) -> float:
        """Until when (Trio's time) a ban lasts; in the past where there is none."""
        return self.faults.banned_until

    @property
    def came_while_banned(self) -> int:
        """How many requests came, and how many websockets were to be opened, during a ban."""
        return self.faults.came_while_banned

    def requests_over_limits(self) -> dict[str, int]:
        """How many requests were refused because they exceeded the documented limits, by the limits' group."""
        return dict(self._limits.exceeded)

    def switch_due_at(self) -> float | None:
        """When the dead-man's switch fires, by Trio's clock; None if it is not armed."""
        return None if self.countdowns is None else self.countdowns.due_at(self.main_account)

    def weight_of_requests(self) -> dict[str, int]:
        """What all requests so far count together, refused ones too, by the limits' group."""
        return dict(self._limits.spent)

    @property
    def repeated_requests(self) -> int:
        """How many requests came once more because of `repeat_requests`."""
        return self.faults.repeated

    def check_invariants(self) -> None:
        """Raises: InvariantBroken: money, orders or positions were made or lost inside the simulation."""
        check_invariants(self.engine)

    # -- answers ------------------------------------------------------------------------------------------------------

    def lose_answers(self, operation: Operation, count: int = 1) -> None:
        """Carry out the next `count` such requests and never answer them."""
        self.faults.plan_answer(operation, AnswerFault.LOST, status=0, count=count)

    def fail_after_accepting(self, operation: Operation, *, status: int = 502, count: int = 1) -> None:
        """Carry out the next `count` such requests and answer with a server error."""
        self.faults.plan_answer(operation, AnswerFault.FAILED_AFTER, status=status, count=count)

    def fail_before_accepting(self, operation: Operation, *, status: int = 503, count: int = 1) -> None:
        """Do not carry out the next `count` such requests and answer with a server error."""
        self.faults.plan_answer(operation, AnswerFault.FAILED_BEFORE, status=status, count=count)

    def garble_answers(self, operation: Operation, count: int = 1) -> None:
        """Carry out the next `count` such requests and answer with status 200 and a page that is no JSON."""
        self.faults.plan_answer(operation, AnswerFault.GARBLED, status=200, count=count)

    def answer_twice(self, operation: Operation, count: int = 1) -> None:
        """Carry out the next `count` such requests once and answer those that came over a websocket twice."""
        self.faults.plan_answer(operation, AnswerFault.TWICE, status=200, count=count)

    def repeat_requests(self, operation: Operation, *, after_seconds: float = 0.0, answers_first: bool, count: int = 1) -> None:
        """Carry out the next `count` such requests twice, as if something on the way had sent them again.

        A websocket client gets both answers, that to the first time first or last; by REST it gets that one, or the other.
        """
        self.faults.plan_repeat(operation, Repeat(after_seconds, answers_first), count=count)

    def call_at(self, operation: Operation, moment: Moment, call: Callable[[], object], count: int = 1) -> None:
        """Call `call`, which must not raise, at this moment of each of the next `count` such requests."""
        self.faults.plan_call(operation, moment, call, count=count)

    def carry_out_late(self, operation: Operation, seconds: float, count: int = 1) -> None:
        """Answer the next `count` such requests at once and carry them out late: cancellations at OKX, whose answers promise no more."""
        self.faults.plan_late(operation, seconds, count=count)

    def hide_new_orders(self, seconds: float) -> None:
        """Let queries not find an order before it is so old: they are answered by a replica that lags behind the engine."""
        self.faults.hide_new_orders(seconds)

    def delay_requests(self, operation: Operation, seconds: float, count: int | None = None) -> None:
        """Carry out the next `count` such requests (all, if None) late, whether or not the client still waits."""
        self.faults.plan_request_delay(operation, seconds, count)

    def delay_answers(self, operation: Operation, seconds: float, count: int | None = None) -> None:
        """Carry out the next `count` such requests (all, if None) at once and answer late."""
        self.faults.plan_answer_delay(operation, seconds, count)

    def rate_limit_for(self, seconds: float, *, retry_after_seconds: int | None = None) -> None:
        """Answer every request with 429 for so long, whatever it asks; with `Retry-After` where that is given."""
        self.faults.limit_rate(trio.current_time() + seconds, retry_after_seconds)

    def ban_for(self, seconds: float) -> None:
        """Answer every request with 418, saying for how long, and open no websocket. Those that are open stay."""
        self.faults.ban(trio.current_time() + seconds)

    def start_maintenance(self) -> None:
        """Answer every request with 503 and refuse new websockets until `end_maintenance`."""
        self.faults.set_maintenance(True)

    def end_maintenance(self) -> None:
        self.faults.set_maintenance(False)

    # -- streams ------------------------------------------------------------------------------------------------------

    def delay_private_events(self, seconds: float, *, jitter_seconds: float = 0.0) -> None:
        """Push private events late; with jitter they also overtake one another."""
        self.faults.delay_private(seconds, jitter_seconds)

    def duplicate_private_events(self, count: int) -> None:
        """Push each of the next `count` private events twice."""
        self.faults.private_to_duplicate.plan(count)

    def reorder_private_events(self, count: int) -> None:
        """Let each of the next `count` private events be overtaken by the one after it."""
        self.faults.private_to_swap.plan(count)

    def drop_private_events(self, count: int) -> None:
        """Lose the next `count` private events."""
        self.faults.private_to_drop.plan(count)

    def garble_private_events(self, count: int) -> None:
        """Push each of the next `count` private events as a frame that is no JSON."""
        self.faults.private_to_garble.plan(count)

    def withhold_book_updates(self, symbol: Symbol, count: int = 1) -> None:
        """Lose the next `count` pushes of book changes, so that clients see a gap in the ids."""
        self.faults.updates_to_withhold[symbol].plan(count)

    def duplicate_book_updates(self, symbol: Symbol, count: int = 1) -> None:
        """Push each of the next `count` book changes twice."""
        self.faults.updates_to_duplicate[symbol].plan(count)

    def tell_wrong_level(self, symbol: Symbol, wrong: WrongLevel) -> None:
        """Let the next push of book changes tell a level that is not so. The book itself, and its snapshots, stay right."""
        self.faults.plan_wrong_level(symbol, wrong)

    def freeze_snapshots(self, symbol: Symbol) -> None:
        """Answer whoever asks for the book by REST with the book as it is now, until `thaw_snapshots`."""
        self._snapshots.freeze(symbol)

    def thaw_snapshots(self, symbol: Symbol) -> None:
        self._snapshots.thaw(symbol)

    def inject_crossed_update(self, symbol: Symbol) -> None:
        """Push a change with a bid above the best ask. The book itself, and its snapshots, stay whole."""
        self._inject_crossed_update(symbol)

    def announce_shutdown(self) -> None:
        """Tell every websocket client that the connection will soon be closed, as before an upgrade. Nothing is closed."""
        self._announce_shutdown()

    def disconnect_all(self) -> None:
        """Close every connection at once, without a close frame."""
        self._disconnect()

    def restart(self) -> None:
        """Forget every session and connection, as a restarted exchange does. Orders and balances stay."""
        self._restart()

    def clear_faults(self) -> None:
        """End every fault that lasts and forget every planned one. The clock's skew and a frozen flow are faults, too."""
        self.faults.clear()
        self._snapshots.thaw()
        self._clock.skew(0)
        self._flow_gate.resume()

    # -- clock, market and money --------------------------------------------------------------------------------------

    def skew_clock(self, milliseconds: int) -> None:
        """Let the exchange's clock run ahead (or behind, if negative) of everybody else's."""
        self._clock.skew(milliseconds)

    def freeze_flow(self) -> None:
        """No maker and no taker does anything until `resume_flow`."""
        self._flow_gate.freeze()

    def resume_flow(self) -> None:
        self._flow_gate.resume()

    def move_market(self, symbol: Symbol, price: Decimal) -> None:
        """Move the fair price and every quote around it at once; what rests in between is filled."""
        if self._driver is not None:
            self._driver.move_to(symbol, price, self._clock.milliseconds())
            current_cause().had_effect()

    def set_mark_price(self, symbol: Symbol, price: Decimal) -> None:
        """Value positions at `price`, which liquidates those that are due. The next move of the mark price undoes it, unless the
        flow is frozen. Of contracts only.
        """
        self.engine.set_mark_price(symbol, price, self._clock.milliseconds())
        current_cause().had_effect()

    def pay_funding(self, symbol: Symbol, rate: Decimal) -> None:
        """Have funding paid now, besides what is due in its time: longs pay `rate` of their position's value, shorts get it."""
        self.engine.pay_funding(symbol, rate, self._clock.milliseconds())
        current_cause().had_effect()

    def fill_order(self, order_id: int, quantity: Decimal | None = None) -> Trade:
        """A house taker hits this very order for exactly `quantity` (all that remains, if None).

        Raises:
            OrderRefused: the order is not open or holds less.
        """
        amount = self.engine.orders[order_id].remaining_quantity if quantity is None else quantity
        trade = self.engine.trade_against(order_id, TAKERS, amount, self._clock.milliseconds())
        current_cause().had_effect()
        return trade

    def cancel_order(self, order_id: int) -> Order:
        """The exchange cancels the order of its own accord. Raises: OrderRefused: it is not open."""
        cancelled = self.engine.cancel(order_id, self._clock.milliseconds())
        current_cause().had_effect()
        return cancelled

    def forget_order(self, order_id: int) -> None:
        """No query finds the order any more, if it has ended without fills: where exchanges are known to forget such orders."""
        order = self.engine.orders[order_id]
        order.is_forgotten = not order.is_open and not order.filled_quantity

    def deposit(self, asset: str, amount: Decimal, account: str | None = None) -> None:
        self.engine.deposit(account or self.main_account, asset, amount, self._clock.milliseconds())

    def withdraw(self, asset: str, amount: Decimal, account: str | None = None) -> None:
        """Raises: OrderRefused: less than `amount` is available."""
        self.engine.withdraw(account or self.main_account, asset, amount, self._clock.milliseconds())
