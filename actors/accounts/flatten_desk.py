"""Flattening at a person's word, while the account trades on: an owner is paused, its orders are ended, what it holds is sold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

import trio

from actors.accounts.bookkeeper import Bookkeeper
from actors.accounts.closing import close_orders
from actors.accounts.events import ClosingProgressed, OwnerFlattened
from actors.accounts.flattening import flatten_owner
from actors.accounts.gate import OrderGate
from actors.accounts.session import AccountSession
from actors.accounts.trading_states import TradingStates
from market.instrument import Instrument
from market.symbol import Symbol
from orders.commands import Flattened, FlattenOwner
from orders.states import TradingState, cycle_scope

FLATTENING = "flattening"


class FlattenDesk:
    """Carries out `FlattenOwner`, of one owner one at a time: who asks again meanwhile is told what is left then."""

    def __init__(
        self,
        *,
        session: AccountSession,
        bookkeeper: Bookkeeper,
        gate: OrderGate,
        states: TradingStates,
        rules: Mapping[Symbol, Instrument],
        middle: Callable[[Symbol], Decimal | None],
        is_in_flight: Callable[[str], bool],
    ) -> None:
        self._session = session
        self._books = bookkeeper
        self._gate = gate
        self._states = states
        self._rules = rules
        self._middle = middle
        self._is_in_flight = is_in_flight
        self._turns: dict[str, trio.Lock] = {}

    async def carry_out(self, command: FlattenOwner) -> None:
        """Returns when it is done and answered. Cancelled: what was sent may trade yet, as with every order; nobody is answered."""
        async with self._turns.setdefault(command.owner, trio.Lock()):
            refusal = self._refusal(command)
            if refusal is not None:
                command.answer.answer(Flattened(owner=command.owner, symbol=command.symbol, why_left=refusal))
                return
            scope = cycle_scope(command.owner)
            self._states.restrain(scope, FLATTENING, TradingState.PAUSED, "what it holds is being sold")
            try:
                flattened = await self._flatten(command)
            finally:
                self._states.lift(scope, FLATTENING)
        self._books.report(OwnerFlattened(self._books.account, flattened))
        command.answer.answer(flattened)

    def _refusal(self, command: FlattenOwner) -> str | None:
        if self._gate.closed_reason is not None:
            return f"the gate is closed: {self._gate.closed_reason}"
        return "the account was not ready in time" if trio.current_time() > command.expires_at else None

    async def _flatten(self, command: FlattenOwner) -> Flattened:
        await close_orders(
            session=self._session,
            ledger=self._books.ledger,
            publish=self._books.publish,
            progress=self._tell,
            owner=command.owner,
            in_flight=self._is_in_flight,
        )
        return await flatten_owner(command, session=self._session, bookkeeper=self._books, rules=self._rules, middle=self._middle)

    def _tell(self, text: str) -> None:
        self._books.report(ClosingProgressed(self._books.account, text))
