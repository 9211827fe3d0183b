"""What is said over the control socket: a JSON object a line, requests one way and their answers the other, in order.

`docs/control.md` is for whoever writes another client. Times of day are milliseconds since 1970, UTC.
"""

from __future__ import annotations

import enum
from typing import Annotated

import msgspec
from msgspec import Meta

from orders.states import GLOBAL, TradingState

VERSION = 1
REQUEST_BYTES_MAX = 8_192
ANSWER_BYTES_MAX = 1_000_000
NAMES_TOLD_MAX = 100


class Command(enum.Enum):
    """What can be asked. STATUS tells, RELOAD and SET are about the settings; all others put a scope into a state."""

    STATUS = "status"
    PAUSE = "pause"
    REDUCE_ONLY = "reduce-only"
    HALT = "halt"
    RESUME = "resume"
    RELOAD = "reload"
    SET = "set"
    FLATTEN = "flatten"

    @property
    def state(self) -> TradingState | None:
        """The state that it puts a scope into."""
        return _STATES.get(self)


_STATES = {
    Command.PAUSE: TradingState.PAUSED,
    Command.REDUCE_ONLY: TradingState.REDUCE_ONLY,
    Command.HALT: TradingState.HALTED,
    Command.RESUME: TradingState.RUN,
}


class BadRequest(Exception):
    """It cannot be understood; the text says why."""


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One request. `settings` is the real path of the settings file that the asker means; empty: whichever this run has.

    `from_halt` says that somebody has looked at why the scope was halted. Without it nothing frees a halted scope. `key` and
    `value` are of SET: a whole key of the settings file, and what stands behind its equals sign there.
    """

    version: int
    command: Command
    scope: Annotated[str, Meta(max_length=100)] = GLOBAL
    reason: Annotated[str, Meta(max_length=300)] = ""
    from_halt: bool = False
    settings: Annotated[str, Meta(max_length=5_000)] = ""
    key: Annotated[str, Meta(max_length=200)] = ""
    value: Annotated[str, Meta(max_length=1_000)] = ""


class StateInForce(msgspec.Struct, frozen=True, kw_only=True):
    """A scope that is not in `run`. With a `cause` it ends by itself with it; otherwise somebody has to lift it."""

    scope: str
    state: TradingState
    reason: str
    since_milliseconds: int
    cause: str = ""


class PulledOrders(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the orders that a new state forbids, `waited_seconds` after it was entered."""

    cancelled: int
    filled: int
    still_open: tuple[str, ...]
    waited_seconds: float


class FlattenedCycle(msgspec.Struct, frozen=True, kw_only=True):
    """What came of `flatten` for one cycle: what was sold (`side` buy: bought back), and what is left, with its sign, and why.

    `is_flat`: nothing is left that could be traded. `left` is empty where nobody knows. `state` is the one that the cycle is in now.
    """

    cycle: str
    symbol: str
    side: str | None
    quantity: str
    quote_quantity: str
    left: str
    why_left: str
    is_flat: bool
    state: TradingState = TradingState.REDUCE_ONLY


class UnknownOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order whose fate nobody knows; the exchange is being asked about it."""

    client_order_id: str
    cycle: str
    symbol: str
    seconds: float


class AccountStatus(msgspec.Struct, frozen=True, kw_only=True):
    """An account: how its actor, its private stream and its view of the exchange stand. `unknown` lists the oldest ones."""

    name: str
    exchange: str
    actor: str
    stream: str
    view: str
    live_orders: int
    unknown_orders: int
    unknown: tuple[UnknownOrder, ...]


class CycleStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A cycle. `rounds_wanted` 0: until stopped. `state` is the strictest that concerns it.

    `risk` is how a quoting one stands: the fields of `risk_measured`.
    """

    name: str
    account: str
    symbol: str
    actor: str
    round: int
    rounds_completed: int
    rounds_wanted: int
    phase: str
    state: TradingState
    risk: dict[str, object] | None = None


class ChangedSetting(msgspec.Struct, frozen=True, kw_only=True):
    """A setting that has another value now; `applies` says from when on."""

    key: str
    before: str
    after: str
    applies: str


class SetByHand(msgspec.Struct, frozen=True, kw_only=True):
    """A setting that `set` has given another value than the file has, for as long as the run lasts."""

    key: str
    value: str
    in_file: str


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The run at one moment. `states_are_kept`: a restart goes on in the states that were declared."""

    program_version: str
    installation: str
    process: int
    settings: str
    exchanges: dict[str, str]
    now_milliseconds: int
    running_seconds: float
    stopping: str
    states: tuple[StateInForce, ...]
    states_are_kept: bool
    accounts: tuple[AccountStatus, ...]
    cycles: tuple[CycleStatus, ...]
    set_by_hand: tuple[SetByHand, ...] = ()


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a request, in lines for a person. `done` False: nothing was changed, and `message` says why and what to do.

    `halted` is the halt that stands in the way of what was asked.
    """

    version: int = VERSION
    done: bool
    message: str
    halted: StateInForce | None = None
    orders: PulledOrders | None = None
    flattened: tuple[FlattenedCycle, ...] = ()
    status: Status | None = None
    changes: tuple[ChangedSetting, ...] = ()


class _Versioned(msgspec.Struct):
    version: int


def decode_request(line: bytes) -> Request:
    """
    Raises:
        BadRequest: it is none, or of another version.
    """
    if len(line) > REQUEST_BYTES_MAX:
        raise BadRequest(f"a request is one line of at most {REQUEST_BYTES_MAX} bytes")
    try:
        version = msgspec.json.decode(line, type=_Versioned).version
        if version != VERSION:
            raise BadRequest(
                f"this run speaks version {VERSION} of the protocol, not {version}: use the bin/mm-ctl beside its bin/mm-runtime"
            )
        return msgspec.json.decode(line, type=Request)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadRequest(f"that is no request: {error}") from None
