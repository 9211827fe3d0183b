"""The position desk: what an account that trades contracts does besides orders. Of one that does not, every call does nothing.

Before the first order it makes sure that the exchange keeps one position per symbol, and sets the leverage that the settings
ask for. From then on it compares positions and funding payments whenever the account compares itself with the exchange.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import trio

from actors.accounts.bookkeeper import Bookkeeper
from actors.accounts.codec import PositionMode
from actors.accounts.events import LeverageSet
from actors.accounts.session import AccountSession
from market.events import Side
from market.instrument import format_decimal
from market.symbol import Symbol
from orders.commands import ClosePosition, PlaceOrder
from orders.errors import ErrorKind, ExchangeError
from orders.order import ZERO
from orders.reports import BalanceReport, PositionReport
from orders.request import OrderRequest, OrderType, TimeInForce

# Payments are asked for anew from so long before the last question: one may be listed late.
FUNDING_OVERLAP_MILLISECONDS = 3_600_000

# Of what is open, when it is shown: a share of an average may have any number of digits. Nothing open costs exactly nothing.
COST_DECIMALS = 12


class AccountNotTradable(Exception):
    """The account is set up, at the exchange or in the settings, in a way that cannot be traded. The message says what would help."""


class PositionDesk:
    """One account's. `leverage` None leaves every symbol's as it is. `known_until_milliseconds` is as for the account actor."""

    def __init__(
        self,
        *,
        session: AccountSession,
        bookkeeper: Bookkeeper,
        symbols: Sequence[Symbol],
        leverage: Decimal | None,
        known_until_milliseconds: int | None = None,
    ) -> None:
        self._session = session
        self._books = bookkeeper
        self._symbols = tuple(symbols)
        self._leverage = leverage
        self._positions = bookkeeper.ledger.positions
        self._listed: Sequence[PositionReport] = ()
        overlap = 0 if known_until_milliseconds is None else FUNDING_OVERLAP_MILLISECONDS
        self._funding_since_milliseconds = (known_until_milliseconds or session.exchange_time_milliseconds()) - overlap

    async def prepare(self) -> None:
        """Check the position mode and set the leverage.

        Raises:
            AccountNotTradable: only a person can mend it.
            NetworkError, ExchangeError, ProtocolError: as `AccountSession`; trying again may help.
        """
        if self._positions is None:
            return
        exchange = self._session.codec.identity.name
        if await self._session.position_mode() is not PositionMode.ONE_WAY:
            raise AccountNotTradable(
                f"account {self._books.account} keeps long and short positions side by side (hedge mode) at {exchange}, and mm-runtime "
                "trades one position per symbol: close its positions and orders and switch the account to one-way (net) mode there"
            )
        if self._leverage is None:
            return
        for symbol in self._symbols:
            await self._set_leverage(symbol, self._leverage)

    async def _set_leverage(self, symbol: Symbol, leverage: Decimal) -> None:
        account, codec = self._books.account, self._session.codec
        try:
            leverage_max = codec.positions.leverage_max(symbol) if codec.positions is not None else leverage
        except KeyError:
            return  # no such contract: the feed says so in better words
        wanted = f"accounts.{account}.leverage is {format_decimal(leverage)}"
        if leverage > leverage_max:
            raise AccountNotTradable(f"{wanted}, and {symbol} at {codec.identity.name} allows {format_decimal(leverage_max)} at most")
        try:
            await self._session.set_leverage(symbol, leverage)
        except ExchangeError as error:
            if error.is_passing or error.fate_is_unknown or error.kind is ErrorKind.AUTHENTICATION:
                raise
            raise AccountNotTradable(f"{wanted}, which {codec.identity.name} refuses for {symbol}: {error}") from error
        if self._positions is not None:
            self._books.publish(self._positions.note_leverage(symbol, leverage))
        self._books.report(LeverageSet(account, symbol, leverage))

    async def compare(self) -> None:
        """Take the exchange's word about positions and funding. Raises what `AccountSession` raises."""
        await self.fetch_positions()
        await self.fetch_funding()

    async def fetch_positions(self) -> None:
        """Take the exchange's word about positions alone. Raises what `AccountSession` raises."""
        if self._positions is None:
            return
        self._listed = await self._session.positions()
        self._books.take_all_positions(self._listed)

    async def fetch_funding(self) -> None:
        """Ask for the payments since the last question. Raises what `AccountSession` raises."""
        if self._positions is None:
            return
        asked_at_milliseconds = self._session.exchange_time_milliseconds()
        since = self._funding_since_milliseconds
        for payment in await self._session.funding(since_milliseconds=since):
            self._books.take(payment)
        # Never from before the first question: what was paid then is none of this run's.
        self._funding_since_milliseconds = max(since, asked_at_milliseconds - FUNDING_OVERLAP_MILLISECONDS)

    async def settled_totals(self, balances: Sequence[BalanceReport]) -> dict[str, Decimal] | None:
        """As `totals`, by the exchange's positions of now. Raises what `AccountSession` raises."""
        await self.fetch_positions()
        return self.totals(balances)

    def totals(self, balances: Sequence[BalanceReport]) -> dict[str, Decimal] | None:
        """Totals by asset that fills and funding explain to the last digit; None while the exchange's positions are not ours.

        Of contracts: the position in each base asset, and each quote asset's balance less what its open positions cost.
        """
        totals = {balance.asset: balance.total for balance in balances}
        if self._positions is None:
            return totals
        if not self._agrees(self._listed):
            return None
        for symbol, account in self._positions.accounts().items():
            if account.quantity:
                totals[symbol.base] = totals.get(symbol.base, ZERO) + account.quantity
            totals[symbol.quote] = totals.get(symbol.quote, ZERO) - round(account.cost, COST_DECIMALS)
        return totals

    def leverages(self) -> dict[Symbol, Decimal]:
        """How much of an order's value need not be available, by traded symbol."""
        return {} if self._positions is None else {symbol: self._positions.leverage(symbol) for symbol in self._symbols}

    def _agrees(self, reports: Sequence[PositionReport]) -> bool:
        accounts = {} if self._positions is None else self._positions.accounts()
        ours = {symbol: account.quantity for symbol, account in accounts.items() if account.quantity}
        return ours == {report.symbol: report.quantity for report in reports if report.quantity}

    def funding(self) -> dict[Symbol, Decimal]:
        """What each symbol's position has been paid since the start."""
        return {} if self._positions is None else {symbol: account.funding for symbol, account in self._positions.accounts().items()}

    async def closing_order(self, command: ClosePosition) -> PlaceOrder | None:
        """The order that closes what is open now by the exchange's word; None where nothing is, or nothing can be.

        Raises what `AccountSession` raises.
        """
        if self._positions is None:
            return None
        held = next((report.quantity for report in await self._session.positions() if report.symbol == command.symbol), ZERO)
        if not held:
            return None
        request = OrderRequest(
            client_order_id=command.client_order_id,
            owner=command.owner,
            symbol=command.symbol,
            side=Side.SELL if held > 0 else Side.BUY,
            type=OrderType.MARKET,
            time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
            quantity=abs(held),
            reduce_only=True,
            tag=command.tag,
        )
        return PlaceOrder(request=request, expires_at=max(command.expires_at, trio.current_time()))
