"""The dead-man's switch: the exchange cancels by itself unless it goes on hearing from us.

It is for what no program can do about itself: `kill -9`, a frozen machine, a cable pulled out. It is armed before the first
order and renewed three times within its time-out; a renewal that fails is tried again at once, and if none gets through,
that is just what the switch is for. It is disarmed when the account has been closed and nothing of ours is live: a switch
left armed would cancel what a person places by hand after we are gone.

An exchange's switch knows no owner: when it fires, every order of the account on the traded symbols is cancelled, ours or not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import trio

from actors.accounts.codec import ProtocolError
from actors.accounts.events import AccountTrouble, DeadMansSwitchArmed, DeadMansSwitchDisarmed
from actors.accounts.session import AccountSession
from market.symbol import Symbol
from network.errors import BreakerOpen, NetworkError
from orders.capabilities import Capabilities
from orders.errors import ErrorKind, ExchangeError

RENEWALS_PER_TIMEOUT = 3
RETRY_PAUSE_SECONDS = 0.5
DISARM_SECONDS_MAX = 2.0


class DeadMansSwitch:
    """One account's switch, of `timeout_seconds` (0: none is wanted). It outlives the account actor's incarnations.

    Where the exchange has none, every call does nothing. Sessions are the callers'.
    """

    def __init__(
        self,
        *,
        account: str,
        capabilities: Capabilities,
        symbols: Sequence[Symbol],
        timeout_seconds: int,
        report: Callable[[object], None],
    ) -> None:
        self._account = account
        self._symbols = tuple(symbols)
        self._report = report
        seconds_min = capabilities.dead_mans_switch_seconds_min
        self._timeout_seconds = max(timeout_seconds, seconds_min) if timeout_seconds and seconds_min is not None else 0
        self._may_be_armed = False

    async def arm(self, session: AccountSession) -> None:
        """Arm it, trying for as long as it takes: no order may leave before.

        Raises:
            ExchangeError: the exchange refuses the credential.
        """
        if not self._timeout_seconds:
            return
        await self._renew_for_sure(session)
        self._report(DeadMansSwitchArmed(self._account, self._timeout_seconds))

    async def keep(self, session: AccountSession) -> None:
        """Renew it until cancelled.

        Raises:
            ExchangeError: the exchange refuses the credential.
        """
        if not self._timeout_seconds:
            await trio.sleep_forever()
        while True:
            await trio.sleep(self._timeout_seconds / RENEWALS_PER_TIMEOUT)
            await self._renew_for_sure(session)

    async def disarm(self, session: AccountSession) -> None:
        """Tell the exchange not to wait for us any more. If this fails, the switch fires on what is then open.

        Call it when nothing renews it any more and nothing of ours is live.
        """
        if not self._may_be_armed:
            return
        with trio.move_on_after(DISARM_SECONDS_MAX) as scope:
            try:
                await session.set_dead_mans_switch(self._symbols, timeout_seconds=0)
            except (NetworkError, ExchangeError, ProtocolError) as error:
                self._report(AccountTrouble(self._account, "disarming the dead-man's switch", str(error)))
            else:
                self._may_be_armed = False
                self._report(DeadMansSwitchDisarmed(self._account))
        if scope.cancelled_caught:
            reason = f"no answer: within {self._timeout_seconds} s it may cancel what is open on the traded symbols, whosever"
            self._report(AccountTrouble(self._account, "disarming the dead-man's switch", reason))

    @property
    def may_be_armed(self) -> bool:
        """Whether the exchange may be counting: from the first attempt to arm it until a disarming was confirmed."""
        return self._may_be_armed

    async def _renew_for_sure(self, session: AccountSession) -> None:
        self._may_be_armed = True
        while True:
            try_again_at = trio.current_time()
            try:
                await session.set_dead_mans_switch(self._symbols, timeout_seconds=self._timeout_seconds)
            except (NetworkError, ExchangeError, ProtocolError) as error:
                if isinstance(error, ExchangeError) and error.kind is ErrorKind.AUTHENTICATION:
                    raise
                self._report(AccountTrouble(self._account, "renewing the dead-man's switch", str(error)))
                if isinstance(error, BreakerOpen):
                    try_again_at = error.retry_at_monotonic  # we are banned: it passes a breaker that is open for anything else
            else:
                return
            await trio.sleep_until(max(try_again_at, trio.current_time() + RETRY_PAUSE_SECONDS))
