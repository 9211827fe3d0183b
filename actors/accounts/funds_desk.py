"""The funds desk: takes in what the exchange states of balances, and asks for it where a statement may have been lost.

What is available of an asset is pushed when it changes. A push that a broken stream has not told leaves us with too little, or too
much, until the next comparison, and whoever wants to sell meanwhile is refused again and again.
"""

from __future__ import annotations

from collections.abc import Sequence

import trio

from actors.accounts.bookkeeper import Bookkeeper
from actors.accounts.events import AccountTrouble
from actors.accounts.inquiry import ASKING_ERRORS
from actors.accounts.session import AccountSession
from market.symbol import Symbol
from orders.order import ZERO
from orders.reports import BalanceReport

PAUSE_SECONDS = 5.0  # between two questions; an account that holds too little is refused for as long as somebody tries


class FundsDesk:
    """One account's."""

    def __init__(self, *, session: AccountSession, bookkeeper: Bookkeeper, symbols: tuple[Symbol, ...]) -> None:
        self._session = session
        self._books = bookkeeper
        self._symbols = symbols
        self._doubted = trio.Event()

    def doubt(self) -> None:
        """What is available may be something else than we know."""
        self._doubted.set()

    async def watch(self) -> None:
        """Ask whenever there is a doubt, until cancelled."""
        while True:
            await self._doubted.wait()
            self._doubted = trio.Event()
            try:
                self.take(await self._session.balances())
            except ASKING_ERRORS as error:
                self._books.report(AccountTrouble(self._books.account, "asking for balances that are in doubt", str(error)))
                self._doubted.set()
            await trio.sleep(PAUSE_SECONDS)

    def take(self, balances: Sequence[BalanceReport]) -> None:
        """Take in the exchange's list of all balances."""
        self._books.take_all([*balances, *self._unlisted(balances)])

    def _unlisted(self, balances: Sequence[BalanceReport]) -> list[BalanceReport]:
        """That there is nothing of a traded asset, where the exchange lists only those of which there is something."""
        listed = {balance.asset for balance in balances}
        # Contracts move what they are settled in alone.
        holds_positions = self._books.ledger.positions is not None
        held = [(symbol.quote,) if holds_positions else (symbol.base, symbol.quote) for symbol in self._symbols]
        missing = dict.fromkeys(asset for assets in held for asset in assets if asset not in listed)
        return [BalanceReport(asset=asset, total=ZERO, available=ZERO) for asset in missing]
