"""The order desk: placements, cancellations and amendments on their way to the exchange, and what their answers mean.

Every command is decided and written down synchronously, then carried out. The answer to a placement is one of three: it
certainly did not leave (the order ends), the exchange spoke about it (its word is taken), or nobody knows (the order is
`UNKNOWN` and will be asked about). A time-out is never a refusal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import trio
from msgspec.structs import replace

from actors.accounts.bookkeeper import Bookkeeper
from actors.accounts.checks import last_refusal, refusal
from actors.accounts.codec import ProtocolError
from actors.accounts.events import AccountTrouble, OrderRefused
from actors.accounts.gate import GateClosed, OrderGate
from actors.accounts.limits import AccountLimits, Refusal
from actors.accounts.measures import RequestKind
from actors.accounts.order_entry import Departing, OrderEntry
from actors.accounts.permission import standing_refusal
from actors.accounts.timing import AccountTiming
from actors.accounts.trading_states import TradingStates
from market.instrument import Instrument
from market.symbol import Symbol
from network.errors import NetworkError, RequestNotSent
from orders.commands import AmendOrder, PlaceOrder
from orders.errors import ErrorKind, ExchangeError
from orders.life_cycle import OrderInput, OrderState
from orders.order import Order, Transport
from orders.recording import NotRecorded
from orders.reports import OrderReport
from orders.request import OrderRequest
from orders.states import TradingState

# How an operation may fail, whichever way it went.
OPERATION_ERRORS = (GateClosed, NetworkError, ExchangeError, ProtocolError)
OperationError = GateClosed | NetworkError | ExchangeError | ProtocolError


class OrderDesk:
    """Carries out order commands of one account, by the `rules` of what may be traded.

    `ask_now` has the inquiry desk ask about an order at once.
    """

    def __init__(
        self,
        *,
        bookkeeper: Bookkeeper,
        entry: OrderEntry,
        gate: OrderGate,
        states: TradingStates,
        limits: AccountLimits,
        timing: AccountTiming,
        rules: Mapping[Symbol, Instrument],
        ask_now: Callable[[str], None],
        doubt_funds: Callable[[], None],
    ) -> None:
        self._books = bookkeeper
        self._entry = entry
        self._gate = gate
        self._states = states
        self._limits = limits
        self._timing = timing
        self._ask_now = ask_now
        self._doubt_funds = doubt_funds
        self._rules = rules
        self._in_flight: set[str] = set()

    def is_in_flight(self, client_order_id: str) -> bool:
        """Whether a placement is being sent and its answer awaited here."""
        return client_order_id in self._in_flight

    def accept(self, command: PlaceOrder) -> bool:
        """Write the intent down. False if it must not be sent; the order has ended then, and its owner knows."""
        request, now = command.request, trio.current_time()
        if self._books.ledger.order(request.client_order_id) is not None:
            # Of an earlier run, whose clock was ahead of ours: the owner hears nothing of this id and goes on with the next.
            self._refuse(request.client_order_id, "an order of an earlier run has this client order id")
            return False
        self._limits.look_at_losses()
        if now > command.expires_at:
            refused: Refusal | None = Refusal(reason="the command was stale when it was read", for_now=True)
        elif self._gate.closed_reason is not None:
            refused = Refusal(reason=f"the gate is closed: {self._gate.closed_reason}", for_now=True)
        elif (forbidden := self._standing_refusal(request)) is not None:
            refused = Refusal(reason=forbidden, for_now=True)
        else:
            refused = self._checked(request)
        self._books.publish(self._books.ledger.record_intent(request, now=now))
        if refused is not None:
            self._end_unsent(request.client_order_id, refused.reason, for_now=refused.for_now)
            return False
        self._limits.accepted(now=now)
        self._in_flight.add(request.client_order_id)
        return True

    async def place(self, command: PlaceOrder) -> None:
        """Send one accepted placement, once its intent outlives us. Cancelled in the middle, the order stays pending: closing finds out."""
        client_order_id = command.request.client_order_id
        try:
            await self._books.recorder.written()
            report = await self._entry.place(command.request, leaving=partial(self.leave, command))
        except NotRecorded as error:
            self._end_unsent(client_order_id, f"not sent: {error}", for_now=True)
        except OPERATION_ERRORS as error:
            self.placing_failed(client_order_id, error)
        else:
            self._books.take(report)
        finally:
            self.landed(client_order_id)

    def landed(self, client_order_id: str) -> None:
        """The placement is no longer being sent, nor its answer awaited."""
        self._in_flight.discard(client_order_id)

    def placing_failed(self, client_order_id: str, error: OperationError) -> None:
        """What this failure means to one order that was to be placed."""
        order = self._books.ledger.order(client_order_id)
        if isinstance(error, GateClosed | RequestNotSent) or (order is not None and not order.sent):
            self._end_unsent(client_order_id, f"not sent: {error}", for_now=True)
        elif isinstance(error, ExchangeError) and not error.fate_is_unknown:
            if order is not None and order.exchange_order_id is not None:
                # It was accepted, and is refused all the same: something on the way has sent it a second time.
                self.lose_answer(client_order_id, str(error))
                return
            if order is not None:
                self._books.measures.refused(order, error.kind.value)
            if error.kind is ErrorKind.INSUFFICIENT_BALANCE:
                self._doubt_funds()
            self._books.happened(client_order_id, OrderInput.SAID_REJECTED, str(error), for_now=error.is_passing)
        elif order is None or order.exchange_order_id is None:  # otherwise the exchange has told of it, and nothing is lost
            self.lose_answer(client_order_id, str(error))

    def leave(self, command: PlaceOrder, transport: Transport) -> int | None:
        """The last look, in the moment of sending; there is no checkpoint between this and the send.

        Records that the order may be at the exchange from now on, and returns the exchange's time after which it must refuse it.

        Raises:
            GateClosed: the order is held back.
        """
        client_order_id = command.request.client_order_id
        self._gate.ensure_open()
        order = self._books.ledger.order(client_order_id)
        if order is None or order.cancel_wanted or order.is_terminal:
            raise GateClosed("cancelled before it was sent")
        if trio.current_time() > command.expires_at:
            raise GateClosed("it waited for the rate limit until it was stale")
        forbidden = self._standing_refusal(command.request) or last_refusal(command.request, limits=self._limits, now=trio.current_time())
        if forbidden is not None:
            raise GateClosed(forbidden)
        now_milliseconds = self._entry.exchange_time_milliseconds()
        expires_at_milliseconds = None
        if self._entry.codec.capabilities.order_expiry:
            expires_at_milliseconds = now_milliseconds + round(self._timing.order_expiry_seconds * 1000)
        self._books.ledger.record_sent(
            client_order_id,
            sent_at_milliseconds=now_milliseconds,
            expires_at_milliseconds=expires_at_milliseconds,
            transport=transport,
            now=trio.current_time(),
        )
        self._books.measures.left(RequestKind.PLACE, transport, command.caused_at)
        return expires_at_milliseconds

    async def cancel(self, order: Order, caused_at: float | None = None) -> None:
        """Ask for an order's end. One that has not left yet is held back in the moment of leaving instead.

        `caused_at` as that of `CancelOrder`.
        """
        client_order_id = order.client_order_id
        self._books.happened(client_order_id, OrderInput.CANCEL_ASKED)
        order = self._books.ledger.order(client_order_id) or order  # it may have left since the caller looked
        if not order.sent:
            return
        try:
            report = await self._entry.cancel(order, leaving=self.cancellation(caused_at))
        except OPERATION_ERRORS as error:
            self.cancelling_failed(client_order_id, error)
        else:
            if report is not None:
                self._books.take(report)

    def cancellation(self, caused_at: float | None, *, orders: int = 1) -> Departing:
        """What notes the leaving of a request to cancel so many orders, the first time that it leaves."""
        has_left = False

        def leaving(transport: Transport) -> None:
            nonlocal has_left
            if not has_left:
                has_left = True
                self._books.measures.left(RequestKind.CANCEL, transport, caused_at, orders=orders)

        return leaving

    def cancelling_failed(self, client_order_id: str, error: OperationError) -> None:
        """What this failure means to one order that was to be cancelled."""
        if not isinstance(error, ExchangeError | RequestNotSent):
            self.lose_answer(client_order_id, str(error))
            return
        # Not found or already closed: it ended, or has not arrived yet; only the exchange's lists tell which.
        if not isinstance(error, ExchangeError) or error.kind not in (ErrorKind.ORDER_NOT_FOUND, ErrorKind.ALREADY_CLOSED):
            self._books.report(AccountTrouble(self._books.account, f"cancelling order {client_order_id}", str(error)))
        self._ask_now(client_order_id)

    async def amend(self, command: AmendOrder) -> None:
        """Change an open order in place, where the exchange can."""
        order = self.accept_amendment(command)
        if order is None:
            return
        try:
            leaving = partial(self.leave_amended, command)
            report = await self._entry.amend(order, price=command.price, quantity=command.quantity, leaving=leaving)
        except OPERATION_ERRORS as error:
            self.amending_failed(command.client_order_id, error)
        else:
            self.amended(command, report)

    def accept_amendment(self, command: AmendOrder) -> Order | None:
        """The order, if it may be amended so; otherwise its owner's refusal is told. From then on an answer is awaited."""
        client_order_id = command.client_order_id
        order = self._books.ledger.order(client_order_id)
        if order is None or order.state not in (OrderState.OPEN, OrderState.PARTIALLY_FILLED):
            self._refuse(client_order_id, "only an open order can be amended")
            return None
        if not self._entry.codec.capabilities.amend:
            self._refuse(client_order_id, f"{self._entry.codec.identity.name} cannot amend orders")
            return None
        if self._gate.closed_reason is not None:
            self._refuse(client_order_id, f"the gate is closed: {self._gate.closed_reason}")
            return None
        if trio.current_time() > command.expires_at:
            self._refuse(client_order_id, "the command was stale when it was read")
            return None
        self._limits.look_at_losses()
        forbidden = self._amendment_refusal(order, command)
        if forbidden is not None:
            self._refuse(client_order_id, forbidden)
            return None
        self._limits.accepted(now=trio.current_time())
        self._books.amending(client_order_id, price=command.price, quantity=command.quantity)
        return order

    def leave_amended(self, command: AmendOrder, transport: Transport) -> None:
        """The last look at an amendment, in the moment of sending, as `leave` is that at a placement.

        Raises:
            GateClosed: it is held back.
        """
        self._gate.ensure_open()
        order = self._books.ledger.order(command.client_order_id)
        if order is None or order.is_terminal:
            raise GateClosed("the order has ended")
        if trio.current_time() > command.expires_at:
            raise GateClosed("it waited for the rate limit until it was stale")
        forbidden = self._state_refusal(order, command)
        if forbidden is not None:
            raise GateClosed(forbidden)
        self._books.measures.left(RequestKind.AMEND, transport, command.caused_at)

    def amended(self, command: AmendOrder, report: OrderReport | None) -> None:
        """The exchange has accepted an amendment; `report` is how the order stands now, where it says so."""
        self._books.amended(command.client_order_id, price=command.price, quantity=command.quantity)
        if report is not None:
            self._books.take(report)

    def amending_failed(self, client_order_id: str, error: OperationError) -> None:
        """What this failure means to one order that was to be amended."""
        if isinstance(error, RequestNotSent | GateClosed):
            self._refuse(client_order_id, f"not sent: {error}")
            self._books.happened(client_order_id, OrderInput.AMEND_ENDED)
        elif isinstance(error, ExchangeError):
            self._refuse(client_order_id, str(error))
            self._books.happened(client_order_id, OrderInput.ANSWER_LOST if error.fate_is_unknown else OrderInput.AMEND_ENDED)
            self._ask_now(client_order_id)
        else:
            self.lose_answer(client_order_id, str(error))

    def lose_answer(self, client_order_id: str, reason: str) -> None:
        """Nobody knows what became of what was asked about this order: the exchange is asked at once."""
        self._books.happened(client_order_id, OrderInput.ANSWER_LOST, reason)
        self._ask_now(client_order_id)

    def _standing_refusal(self, request: OrderRequest) -> str | None:
        standing = self._states.standing(account=self._books.account, owner=request.owner, symbol=request.symbol)
        return standing_refusal(request, standing, self._books.ledger)

    def _state_refusal(self, order: Order, command: AmendOrder) -> str | None:
        request = order.request
        standing = self._states.standing(account=self._books.account, owner=request.owner, symbol=request.symbol)
        makes_larger = command.quantity is not None and command.quantity > (request.quantity or command.quantity)
        is_forbidden = standing.state is not TradingState.RUN and (standing.state is not TradingState.REDUCE_ONLY or makes_larger)
        return standing.words if is_forbidden else None

    def _amendment_refusal(self, order: Order, command: AmendOrder) -> str | None:
        forbidden, request = self._state_refusal(order, command), order.request
        if forbidden is not None:
            return forbidden
        try:
            amended = replace(
                request,
                price=request.price if command.price is None else command.price,
                quantity=request.quantity if command.quantity is None else command.quantity,
            )
        except ValueError as error:
            return str(error)
        refused = self._checked(amended, replaces=order)
        return None if refused is None else refused.reason

    def _checked(self, request: OrderRequest, *, replaces: Order | None = None) -> Refusal | None:
        """Why an order, or an amendment of one, is refused; what its refusal leads to has been done."""
        capabilities, now = self._entry.codec.capabilities, trio.current_time()
        refused = refusal(request, rules=self._rules, capabilities=capabilities, limits=self._limits, now=now, replaces=replaces)
        if refused is not None and refused.state is not None:
            self._states.tighten(refused.scope, refused.state, refused.reason)
        if refused is not None and refused.of_funds:
            self._doubt_funds()
        return refused

    def _refuse(self, client_order_id: str, reason: str) -> None:
        self._books.report(OrderRefused(self._books.account, client_order_id, reason))

    def _end_unsent(self, client_order_id: str, reason: str, *, for_now: bool) -> None:
        self._refuse(client_order_id, reason)
        self._books.happened(client_order_id, OrderInput.NEVER_SENT, reason, for_now=for_now)
