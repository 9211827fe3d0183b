"""`flatten`: what cycles hold is sold at market, and they stay in reduce-only until somebody lets them run again.

Each cycle's account carries it out (`actors/accounts/flatten_desk.py`), all at once and under one deadline. Who hangs up meanwhile has
set it going all the same; asked again, it goes by what is held then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import trio

from actors.accounts.flattening import ATTEMPTS_MAX
from actors.accounts.trading_states import TradingStates
from actors.channels.reply import Reply
from actors.cycle.rounds.executor import tag_for
from assembly.control.protocol import FlattenedCycle
from assembly.cycle_parts import CycleParts
from assembly.parts import AccountParts
from market.events import Side
from market.instrument import format_decimal
from orders.commands import FLATTEN, Flattened, FlattenOwner
from orders.states import TradingState, cycle_scope

FLATTEN_SECONDS_MAX = 10.0  # less than mm-ctl waits for an answer


class Flattener:
    """One run's."""

    def __init__(self, *, states: TradingStates, accounts: Mapping[str, AccountParts], cycles: Mapping[str, CycleParts]) -> None:
        self._states = states
        self._accounts = accounts
        self._cycles = cycles

    def forbid(self, names: Sequence[str], reason: str) -> bool:
        """From now on these cycles only reduce, or stay as strict as they are; whether that is new of any."""
        before = self._states.declared()
        for name in names:
            self._states.tighten(cycle_scope(name), TradingState.REDUCE_ONLY, reason)
        return self._states.declared() != before

    async def flatten(self, names: Sequence[str]) -> tuple[FlattenedCycle, ...]:
        """Sell what these cycles hold; returns what came of it, in their order, once all is done or the time is over."""
        found: dict[str, FlattenedCycle] = {}
        async with trio.open_nursery() as nursery:
            for name in names:
                nursery.start_soon(self._flatten_one, name, found)
        return tuple(found[name] for name in names)

    async def _flatten_one(self, name: str, found: dict[str, FlattenedCycle]) -> None:
        parts, reply = self._cycles[name], Reply[Flattened]()
        has_rounds = parts.quoting is None
        deadline = trio.current_time() + FLATTEN_SECONDS_MAX
        command = FlattenOwner(
            owner=name,
            symbol=parts.settings.symbol,
            client_order_ids=tuple(parts.ids.next_id() for _ in range(ATTEMPTS_MAX)),
            # A round sells what it has bought, and must know that this was it; what quoting has left is of all the journal.
            since_start=has_rounds,
            tag=tag_for(parts.memory.round_number, FLATTEN) if has_rounds else FLATTEN,
            expires_at=deadline,
            answer=reply,
        )
        found[name] = _in_doubt(name, parts)
        with trio.move_on_at(deadline):
            await self._accounts[parts.settings.account].commands_sender.send(command)
            flattened = await reply.wait()
            found[name] = FlattenedCycle(
                cycle=name,
                symbol=str(flattened.symbol),
                side=None if flattened.side is None else flattened.side.value,
                quantity=format_decimal(flattened.quantity),
                quote_quantity=format_decimal(flattened.quote_quantity),
                left=format_decimal(flattened.left),
                why_left=flattened.why_left,
                is_flat=flattened.is_flat,
            )


def _in_doubt(name: str, parts: CycleParts) -> FlattenedCycle:
    why = f"it was not done within {FLATTEN_SECONDS_MAX:g} s, and may be done yet: look at the status, and ask again"
    return FlattenedCycle(
        cycle=name, symbol=str(parts.settings.symbol), side=None, quantity="0", quote_quantity="0", left="", why_left=why, is_flat=False
    )


def flattened_words(flattened: FlattenedCycle) -> str:
    """``cycle:btc sold 0.5 BTC for 30000 USDT at market; 0.0000007 BTC is left: less than can be traded.``"""
    base, _, quote = flattened.symbol.partition("/")
    done = "held nothing to sell"
    if flattened.side is not None:
        verb = "sold" if flattened.side == Side.SELL.value else "bought back"
        done = f"{verb} {flattened.quantity} {base} for {flattened.quote_quantity} {quote} at market"
    elif not flattened.is_flat:
        done = "IS NOT FLAT"
    if not flattened.why_left:
        return f"cycle:{flattened.cycle} {done}."
    left = f"{flattened.left} {base} is left: " if flattened.left else ""
    loud = "" if flattened.is_flat or flattened.side is None else "IT IS NOT FLAT: "
    return f"cycle:{flattened.cycle} {done}; {loud}{left}{flattened.why_left}."
