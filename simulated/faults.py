"""The bad days of a simulated exchange, as state that a server consults at well-named points."""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Callable
from math import ceil

import msgspec
import trio

from market.events import Side
from market.symbol import Symbol
from network.causes import NO_CAUSE, Cause, current_cause


class Operation(enum.Enum):
    """What a request does; `ANY` in a fault matches all of them."""

    PLACE = "place"
    CANCEL = "cancel"
    AMEND = "amend"
    QUERY = "query"
    MARKET_DATA = "market_data"
    ANY = "any"


class AnswerFault(enum.Enum):
    LOST = "done, but no answer ever leaves"
    FAILED_AFTER = "done, but the answer is a server error"
    FAILED_BEFORE = "not done, and the answer is a server error"
    GARBLED = "done, but the answer is a page that no client can read"
    TWICE = "done once, and answered twice where that can be: over a websocket"


class BookError(enum.Enum):
    """What is wrong with a level that the stream of a book tells, though numbers and order are right."""

    QUANTITY = "the level has another quantity"
    MISSING = "the level is told to be gone, and is not"
    EXTRA = "there is no such level"


class WrongLevel(msgspec.Struct, frozen=True):
    """An error about the level so many levels below the best of its side, or one tick from it."""

    error: BookError
    side: Side
    depth: int


class Repeat(msgspec.Struct, frozen=True):
    """A request that comes once more, so long after it was carried out, and is carried out once more.

    What came of the first time is heard first, or alone where there can be one answer only; else what came of the second.
    """

    after_seconds: float
    answers_first: bool


class _PlannedAnswer(msgspec.Struct):
    operation: Operation
    fault: AnswerFault
    status: int
    left: int
    cause: Cause


class _PlannedRepeat(msgspec.Struct):
    operation: Operation
    repeat: Repeat
    left: int
    cause: Cause


class Moment(enum.Enum):
    """Of a request's life at the exchange."""

    ARRIVED = "it is about to be carried out"
    DONE = "it has just been carried out, and is not answered yet"


class _PlannedCall(msgspec.Struct):
    operation: Operation
    moment: Moment
    call: Callable[[], object]
    left: int
    cause: Cause


class _PlannedDelay(msgspec.Struct):
    operation: Operation
    seconds: float
    left: int | None
    cause: Cause


class Counted:
    """A fault that strikes so many times more."""

    def __init__(self) -> None:
        self._left = 0
        self._cause = NO_CAUSE

    def plan(self, count: int) -> None:
        """In place of what was planned before."""
        self._left, self._cause = count, current_cause()

    def take(self, *, has_effect: bool = True) -> bool:
        """Whether it strikes now. It is used up also where it can have no effect."""
        if not self._left:
            return False
        self._left -= 1
        if has_effect:
            self._cause.had_effect()
        return True


class Faults:
    """Planned and running faults. Counted ones are used up as they strike; the rest last until cleared.

    Each remembers its cause, which is told when it is carried out.
    """

    def __init__(self) -> None:
        self.maintenance = False
        self.rate_limited_until = -1.0
        self.retry_after_seconds: int | None = None
        self.banned_until = -1.0
        self.refused_for_rate = 0
        self.came_while_banned = 0
        self.repeated = 0
        self.private_delay_seconds = 0.0
        self.private_delay_jitter_seconds = 0.0
        self.private_to_drop = Counted()
        self.private_to_duplicate = Counted()
        self.private_to_swap = Counted()
        self.private_to_garble = Counted()
        self.new_orders_hidden_seconds = 0.0
        self.updates_to_withhold: defaultdict[Symbol, Counted] = defaultdict(Counted)
        self.updates_to_duplicate: defaultdict[Symbol, Counted] = defaultdict(Counted)
        self._maintenance_cause = self._rate_limit_cause = self._ban_cause = self._private_delay_cause = self._hiding_cause = NO_CAUSE
        self._wrong_levels: dict[Symbol, list[tuple[WrongLevel, Cause]]] = {}
        self._answers: list[_PlannedAnswer] = []
        self._repeats: list[_PlannedRepeat] = []
        self._calls: list[_PlannedCall] = []
        self._late: list[_PlannedDelay] = []
        self._request_delays: list[_PlannedDelay] = []
        self._answer_delays: list[_PlannedDelay] = []

    def clear(self) -> None:
        """End what lasts, forget what is planned."""
        self.maintenance = False
        self.rate_limited_until = self.banned_until = -1.0
        self.retry_after_seconds = None
        self.private_delay_seconds = self.private_delay_jitter_seconds = 0.0
        for counted in (self.private_to_drop, self.private_to_duplicate, self.private_to_swap, self.private_to_garble):
            counted.plan(0)
        self.new_orders_hidden_seconds = 0.0
        for planned in (self.updates_to_withhold, self.updates_to_duplicate, self._wrong_levels):
            planned.clear()
        for planned in (self._answers, self._repeats, self._calls, self._late, self._request_delays, self._answer_delays):
            planned.clear()

    def set_maintenance(self, is_on: bool) -> None:
        self.maintenance, self._maintenance_cause = is_on, current_cause()

    def limit_rate(self, until: float, retry_after_seconds: int | None) -> None:
        self.rate_limited_until, self.retry_after_seconds, self._rate_limit_cause = until, retry_after_seconds, current_cause()

    def ban(self, until: float) -> None:
        self.banned_until, self._ban_cause = until, current_cause()

    def delay_private(self, seconds: float, jitter_seconds: float) -> None:
        self.private_delay_seconds, self.private_delay_jitter_seconds = seconds, jitter_seconds
        self._private_delay_cause = current_cause()

    def hide_new_orders(self, seconds: float) -> None:
        self.new_orders_hidden_seconds, self._hiding_cause = seconds, current_cause()

    def plan_wrong_level(self, symbol: Symbol, wrong: WrongLevel) -> None:
        self._wrong_levels.setdefault(symbol, []).append((wrong, current_cause()))

    def plan_answer(self, operation: Operation, fault: AnswerFault, *, status: int, count: int) -> None:
        self._answers.append(_PlannedAnswer(operation, fault, status, count, current_cause()))

    def plan_repeat(self, operation: Operation, repeat: Repeat, *, count: int) -> None:
        self._repeats.append(_PlannedRepeat(operation, repeat, count, current_cause()))

    def plan_request_delay(self, operation: Operation, seconds: float, count: int | None) -> None:
        self._request_delays.append(_PlannedDelay(operation, seconds, count, current_cause()))

    def plan_answer_delay(self, operation: Operation, seconds: float, count: int | None) -> None:
        self._answer_delays.append(_PlannedDelay(operation, seconds, count, current_cause()))

    def take_answer(self, operation: Operation, *, can_be_twice: bool = False) -> tuple[AnswerFault, int] | None:
        """The fault that strikes this request, with its HTTP status; the oldest plan first. A REST answer cannot come twice."""
        for planned in self._answers:
            if planned.operation in (operation, Operation.ANY):
                planned.left -= 1
                if not planned.left:
                    self._answers.remove(planned)
                if can_be_twice or planned.fault is not AnswerFault.TWICE:
                    planned.cause.had_effect()
                return planned.fault, planned.status
        return None

    def plan_call(self, operation: Operation, moment: Moment, call: Callable[[], object], *, count: int) -> None:
        self._calls.append(_PlannedCall(operation, moment, call, count, current_cause()))

    def plan_late(self, operation: Operation, seconds: float, *, count: int) -> None:
        self._late.append(_PlannedDelay(operation, seconds, count, current_cause()))

    def take_calls(self, operation: Operation, moment: Moment) -> None:
        """Call who wants to know that such a request is here. That alone is no effect: what is done then is."""
        for planned in tuple(self._calls):
            if planned.operation in (operation, Operation.ANY) and planned.moment is moment:
                planned.left -= 1
                if not planned.left:
                    self._calls.remove(planned)
                with planned.cause.at_work():
                    planned.call()

    def take_late_seconds(self, operation: Operation) -> float:
        """How long after its answer such a request is carried out, where answers say only that it was accepted."""
        return _take_delay(self._late, operation)

    def take_repeat(self, operation: Operation) -> Repeat | None:
        """Whether this request comes once more; the oldest plan first."""
        for planned in self._repeats:
            if planned.operation in (operation, Operation.ANY):
                planned.left -= 1
                if not planned.left:
                    self._repeats.remove(planned)
                self.repeated += 1
                planned.cause.had_effect()
                return planned.repeat
        return None

    def take_request_delay_seconds(self, operation: Operation) -> float:
        return _take_delay(self._request_delays, operation)

    def take_answer_delay_seconds(self, operation: Operation) -> float:
        return _take_delay(self._answer_delays, operation)

    def is_rate_limited(self) -> bool:
        """Must this request be refused as one too many? To be asked once of each."""
        if self.is_banned():
            return True
        is_limited = trio.current_time() < self.rate_limited_until
        self.refused_for_rate += is_limited
        if is_limited:
            self._rate_limit_cause.had_effect()
        return is_limited

    def is_banned(self) -> bool:
        """Must this request, or this opening of a websocket, be turned away unread? To be asked once of each."""
        is_banned = self.banned_seconds_left() > 0
        self.came_while_banned += is_banned
        if is_banned:
            self._ban_cause.had_effect()
        return is_banned

    def is_in_maintenance(self) -> bool:
        """Must this request, or this opening of a websocket, be turned away? To be asked where that is done."""
        if self.maintenance:
            self._maintenance_cause.had_effect()
        return self.maintenance

    def banned_seconds_left(self) -> int:
        return max(0, ceil(self.banned_until - trio.current_time()))

    def hides(self, created_at_milliseconds: int, now_milliseconds: int) -> bool:
        """Do queries not know yet an order that was made then?"""
        hidden_milliseconds = self.new_orders_hidden_seconds * 1000
        is_hidden = hidden_milliseconds > 0 and now_milliseconds - created_at_milliseconds < hidden_milliseconds
        if is_hidden:
            self._hiding_cause.had_effect()
        return is_hidden

    def take_private_delay_seconds(self, chance: float, *, has_effect: bool) -> float:
        """How late this private event is, and `chance`, from 0 to 1, of the jitter on top of that."""
        seconds = self.private_delay_seconds + self.private_delay_jitter_seconds * chance
        if seconds and has_effect:
            self._private_delay_cause.had_effect()
        return seconds

    def take_withheld_update(self, symbol: Symbol) -> bool:
        """Must this push of book changes be lost?"""
        return self.updates_to_withhold[symbol].take()

    def take_duplicated_update(self, symbol: Symbol) -> bool:
        """Must this push of book changes be pushed twice?"""
        return self.updates_to_duplicate[symbol].take()

    def take_wrong_level(self, symbol: Symbol) -> WrongLevel | None:
        """What is wrong in this push of book changes."""
        planned = self._wrong_levels.get(symbol)
        if not planned:
            return None
        wrong, cause = planned.pop(0)
        cause.had_effect()
        return wrong


def _take_delay(delays: list[_PlannedDelay], operation: Operation) -> float:
    for planned in delays:
        if planned.operation in (operation, Operation.ANY):
            if planned.left is not None:
                planned.left -= 1
                if not planned.left:
                    delays.remove(planned)
            planned.cause.had_effect()
            return planned.seconds
    return 0.0
