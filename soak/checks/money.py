"""Where all money has gone: what the exchange holds for us is what it was, and what every fill, fee and payment did to it since.

Over all runs of the program, whatever was killed in between. Summed up three times: from the exchange's own trades as they happen,
from the program's journal, and by the program's ledger; each must come to what the balances say. Of contracts the position counts as
what is held of the base, and its cost as paid.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal

from assembly.parts import AccountParts
from market.events import Side
from market.exact import EXACT
from market.symbol import Symbol, parse_symbol
from orders.order import ZERO
from simulated.engine.events import BalanceChanged, BalanceReason, EngineEvent, FundingPaid, TradeMade
from soak.worlds.venue import Venue
from soak.worlds.world import World

Changes = defaultdict[str, Decimal]
_TRANSFERS = (BalanceReason.DEPOSITED, BalanceReason.WITHDRAWN)


class Money:
    """Of one exchange, which nobody of ours has traded on yet."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._opening = Changes(Decimal, venue.totals())
        self._traded = Changes(Decimal)  # by the exchange's trades and payments
        venue.control.engine.subscribe(self._hear, [TradeMade, FundingPaid, BalanceChanged])

    @property
    def traded(self) -> Mapping[str, Decimal]:
        """What the exchange's own trades and payments did to each asset, as the ledger's `fill_changes`."""
        return self._traded

    def _hear(self, event: EngineEvent) -> None:
        if isinstance(event, TradeMade):
            trade = event.trade
            for party, side in ((trade.taker, trade.taker_side), (trade.maker, trade.taker_side.opposite)):
                if self._venue.is_ours(party.client_id):
                    _count_fill(self._traded, trade.symbol, side, trade.quantity, trade.price)
                    _add(self._traded, party.fee_asset, party.fee.copy_negate())
        elif isinstance(event, FundingPaid) and event.account == self._venue.control.main_account:
            _add(self._traded, event.asset, event.amount)
        elif isinstance(event, BalanceChanged) and event.reason in _TRANSFERS and event.account == self._venue.control.main_account:
            _add(self._opening, event.asset, event.available_change)

    def change(self) -> Changes:
        """What the balances say."""
        change = Changes(Decimal)
        for asset, total in self._venue.totals().items():
            _add(change, asset, EXACT.subtract(total, self._opening[asset]))
        for symbol, position in self._venue.control.positions().items():
            _add(change, symbol.base, position.quantity)
            _add(change, symbol.quote, position.cost.copy_negate())
        return change

    def wrong_there(self) -> str:
        """How the exchange's balances differ from its own trades; empty if they do not."""
        return _difference("its own trades", self._traded, self.change(), self._venue)

    def wrong_in_journal(self, world: World) -> str:
        """How they differ from every fill and payment that the journal has."""
        written = Changes(Decimal)
        fills = "SELECT symbol, side, quantity, price, fee, fee_asset FROM fills WHERE account = :account"
        for symbol, side, quantity, price, fee, fee_asset in world.journal.rows(fills, account=self._venue.account):
            _count_fill(written, parse_symbol(symbol), Side(side), Decimal(quantity), Decimal(price))
            _add(written, fee_asset, Decimal(fee).copy_negate())
        for asset, amount in world.journal.rows("SELECT asset, amount FROM funding WHERE account = :account", account=self._venue.account):
            _add(written, asset, Decimal(amount))
        return _difference("the journal", written, self.change(), self._venue)

    def wrong_here(self, account: AccountParts, *, has_flattened: bool = False) -> str:
        """How they differ from what the program's ledger counts, and knows.

        A program that `has_flattened` on its way out does not wait for what its last sale has made of its balances to be pushed.
        """
        change = self.change()
        for asset, total in () if self._venue.trades_contracts or has_flattened else self._venue.totals().items():
            known = account.ledger.balance(asset)
            if known is not None and known.total != total:
                return f"there is {total} {asset} at {self._venue.name}, and {account.name} knows of {known.total}"
        return _difference(f"the ledger of {account.name}", Changes(Decimal, account.ledger.fill_changes()), change, self._venue)


def _count_fill(changes: Changes, symbol: Symbol, side: Side, quantity: Decimal, price: Decimal) -> None:
    notional = EXACT.multiply(quantity, price)
    _add(changes, symbol.base, quantity if side is Side.BUY else quantity.copy_negate())
    _add(changes, symbol.quote, notional.copy_negate() if side is Side.BUY else notional)


def _add(changes: Changes, asset: str, amount: Decimal) -> None:
    """Exactly: where a minus sign would round, as Python's does to 28 digits, `copy_negate` stands above."""
    changes[asset] = EXACT.add(changes[asset], amount)


def _difference(whose: str, counted: Changes, real: Changes, venue: Venue) -> str:
    for asset in sorted({*counted, *real}):
        if counted.get(asset, ZERO) != real.get(asset, ZERO):
            return (
                f"{asset} at {venue.name} has changed by {real.get(asset, ZERO):f} since the beginning, "
                f"and by {counted.get(asset, ZERO):f} by all fills, fees and payments of {whose}"
            )
    return ""
