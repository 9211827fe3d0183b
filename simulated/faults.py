"""The bad days of a simulated exchange, as state that a server consults at well-named points."""

from __future__ import annotations

import enum
from collections.abc import Callable
from math import ceil

import msgspec
import trio

from market.events import Side
from market.symbol import Symbol


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


class _PlannedRepeat(msgspec.Struct):
    operation: Operation
    repeat: Repeat
    left: int


class Moment(enum.Enum):
    """Of a request's life at the exchange."""

    ARRIVED = "it is about to be carried out"
    DONE = "it has just been carried out, and is not answered yet"


class _PlannedCall(msgspec.Struct):
    operation: Operation
    moment: Moment
    call: Callable[[], object]
    left: int


class _PlannedDelay(msgspec.Struct):
    operation: Operation
    seconds: float
    left: int | None


class Faults:
    """Planned and running faults. Counted ones are used up as they strike; the rest last until cleared."""

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
        self.private_to_drop = 0
        self.private_to_duplicate = 0
        self.private_to_swap = 0
        self.private_to_garble = 0
        self.new_orders_hidden_seconds = 0.0
        self.updates_to_withhold: dict[Symbol, int] = {}
        self.updates_to_duplicate: dict[Symbol, int] = {}
        self.wrong_levels: dict[Symbol, list[WrongLevel]] = {}
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
        self.private_to_drop = self.private_to_duplicate = self.private_to_swap = self.private_to_garble = 0
        self.new_orders_hidden_seconds = 0.0
        for planned in (self.updates_to_withhold, self.updates_to_duplicate, self.wrong_levels):
            planned.clear()
        for planned in (self._answers, self._repeats, self._calls, self._late, self._request_delays, self._answer_delays):
            planned.clear()

    def plan_answer(self, operation: Operation, fault: AnswerFault, *, status: int, count: int) -> None:
        self._answers.append(_PlannedAnswer(operation, fault, status, count))

    def plan_repeat(self, operation: Operation, repeat: Repeat, *, count: int) -> None:
        self._repeats.append(_PlannedRepeat(operation, repeat, count))

    def plan_request_delay(self, operation: Operation, seconds: float, count: int | None) -> None:
        self._request_delays.append(_PlannedDelay(operation, seconds, count))

    def plan_answer_delay(self, operation: Operation, seconds: float, count: int | None) -> None:
        self._answer_delays.append(_PlannedDelay(operation, seconds, count))

    def take_answer(self, operation: Operation) -> tuple[AnswerFault, int] | None:
        """The fault that strikes this request, with its HTTP status; the oldest plan first."""
        for planned in self._answers:
            if planned.operation in (operation, Operation.ANY):
                planned.left -= 1
                if not planned.left:
                    self._answers.remove(planned)
                return planned.fault, planned.status
        return None

    def plan_call(self, operation: Operation, moment: Moment, call: Callable[[], object], *, count: int) -> None:
        self._calls.append(_PlannedCall(operation, moment, call, count))

    def plan_late(self, operation: Operation, seconds: float, *, count: int) -> None:
        self._late.append(_PlannedDelay(operation, seconds, count))

    def take_calls(self, operation: Operation, moment: Moment) -> None:
        """Call who wants to know that such a request is here."""
        for planned in tuple(self._calls):
            if planned.operation in (operation, Operation.ANY) and planned.moment is moment:
                planned.left -= 1
                if not planned.left:
                    self._calls.remove(planned)
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
        return is_limited

    def is_banned(self) -> bool:
        """Must this request, or this opening of a websocket, be turned away unread? To be asked once of each."""
        is_banned = self.banned_seconds_left() > 0
        self.came_while_banned += is_banned
        return is_banned

    def banned_seconds_left(self) -> int:
        return max(0, ceil(self.banned_until - trio.current_time()))

    def hides(self, created_at_milliseconds: int, now_milliseconds: int) -> bool:
        """Do queries not know yet an order that was made then?"""
        hidden_milliseconds = self.new_orders_hidden_seconds * 1000
        return hidden_milliseconds > 0 and now_milliseconds - created_at_milliseconds < hidden_milliseconds

    def take_withheld_update(self, symbol: Symbol) -> bool:
        """Must this push of book changes be lost?"""
        left = self.updates_to_withhold.get(symbol, 0)
        if left:
            self.updates_to_withhold[symbol] = left - 1
        return left > 0

    def take_duplicated_update(self, symbol: Symbol) -> bool:
        """Must this push of book changes be pushed twice?"""
        left = self.updates_to_duplicate.get(symbol, 0)
        if left:
            self.updates_to_duplicate[symbol] = left - 1
        return left > 0

    def take_wrong_level(self, symbol: Symbol) -> WrongLevel | None:
        """What is wrong in this push of book changes."""
        planned = self.wrong_levels.get(symbol)
        return planned.pop(0) if planned else None


def _take_delay(delays: list[_PlannedDelay], operation: Operation) -> float:
    for planned in delays:
        if planned.operation in (operation, Operation.ANY):
            if planned.left is not None:
                planned.left -= 1
                if not planned.left:
                    delays.remove(planned)
            return planned.seconds
    return 0.0
