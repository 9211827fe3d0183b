"""One exchange and its accounts, looked at from outside in: REST and clock, then market and accounts side by side.

Every question has a deadline of its own, and goes out through an `AskingClient`. What cannot be asked because something
before it failed is skipped, and says so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from decimal import Decimal

import msgspec
import trio
from msgspec.structs import replace

from actors.accounts.codec import ProtocolError
from actors.accounts.credential import Credential
from actors.accounts.session import AccountSession, ClockOffset
from actors.accounts.stream import StreamLost, open_private_stream
from actors.cycle.quoting.contract import StrategyFailed
from actors.cycle.rounds.controller import RoundFailed
from actors.feeds.actor import UnknownSymbol
from assembly.children import credential_refused
from assembly.cycle_parts import strategy_of
from assembly.doctor.asking import AskingClient
from assembly.doctor.check import Check, CheckStatus, Finding, fail, ok, skip
from assembly.doctor.first_order import first_order
from assembly.doctor.judgement import (
    judge_clock,
    judge_features,
    judge_funds,
    judge_instrument,
    judge_permissions,
    judge_positions,
    judge_quantity,
)
from assembly.doctor.market_look import MARKET_ERRORS, BooksNotWhole, first_books, load_instruments
from assembly.parts import ExchangeParts, random_source
from assembly.settings import CycleSettings, Settings
from market.clock import WallClock
from market.events import BookChanged
from market.instrument import Instrument
from market.symbol import Symbol
from network.errors import NetworkError
from network.rest import RetryPolicy
from orders.errors import ErrorKind, ExchangeError
from orders.ledger import AccountLedger
from simulated.registry import make_exchange

# An exchange that answers nothing at all costs the first; one that always answers at the last moment all but the third.
REST_SECONDS_MAX = 4.0
INSTRUMENTS_SECONDS_MAX = 4.0
PRIVATE_STREAM_SECONDS_MAX = 5.0
BOOKS_SECONDS_MAX = 6.0
# A request gives up before its deadline, so that there is time to say why.
REQUEST_SECONDS_MAX = 3.5

ACCOUNT_ERRORS = (NetworkError, ExchangeError, ProtocolError, StreamLost)
SEED = "doctor"  # of the jitter between repeats; nothing here has to differ between two runs


class ExchangeLook:
    """Everything that is found out about the exchange `name` of the settings. `run` once, then read `checks`."""

    def __init__(self, name: str, settings: Settings, *, wall_clock: WallClock) -> None:
        self._name = name
        self._settings = settings
        self._wall_clock = wall_clock
        self._parts = ExchangeParts(name, settings.exchanges[name], wall_clock=wall_clock, report=lambda _: None)
        self._offset = ClockOffset()
        self._accounts = {account: found for account, found in settings.accounts.items() if found.exchange == name}
        self._cycles = {cycle: found for cycle, found in settings.cycles.items() if found.account in self._accounts}
        self._symbols = tuple(dict.fromkeys(cycle.symbol for cycle in self._cycles.values()))
        self._instruments: dict[Symbol, Instrument] = {}
        self._books: dict[Symbol, BookChanged] = {}
        self._ledgers: dict[str, AccountLedger] = {}
        self._findings: dict[tuple[str | None, str], Finding] = dict.fromkeys(self._keys(), skip("not looked at"))

    def _keys(self) -> list[tuple[str | None, str]]:
        """Every check, in the order in which they are shown."""
        keys: list[tuple[str | None, str]] = [(None, "rest"), (None, "clock"), (None, "public_stream")]
        keys += [(None, f"instrument {symbol}") for symbol in self._symbols]
        keys.append((None, "features"))
        for account in self._accounts:
            keys += [(account, "credential"), (account, "permissions"), (account, "private_stream")]
            if self._parts.account_codec.positions is not None:
                keys.append((account, "positions"))
            for name, cycle in self._cycles.items():
                if cycle.account == account:
                    keys += [(account, f"quantity {name}"), (account, f"funds {name}")]
        return keys

    @property
    def checks(self) -> list[Check]:
        return [
            Check(exchange=self._name, account=account, check=check, **msgspec.structs.asdict(finding))
            for (account, check), finding in self._findings.items()
        ]

    async def run(self) -> None:
        """Look at everything; an embedded exchange is served meanwhile. Cancelled, it leaves nothing behind."""
        async with trio.open_nursery() as nursery:
            if self._parts.settings.is_embedded:
                rng = random_source(SEED, f"exchange:{self._name}")
                simulated = make_exchange(self._name, self._parts.settings.simulation, clock=self._wall_clock, rng=rng)
                await nursery.start(self._parts.serve, simulated)
            async with self._parts.open_http() as http:
                rng = random_source(SEED, self._name)
                await self._look(AskingClient(http, self._parts.limits, rng=rng, codec=self._parts.account_codec))
            nursery.cancel_scope.cancel()

    async def _look(self, rest: AskingClient) -> None:
        capabilities = self._parts.account_codec.capabilities
        self._note(None, "features", judge_features(capabilities, tuple(self._accounts.values())))
        if not await self._reach(self._session(rest, Credential(key="", secret=""))):  # what is asked first is public
            self._skip_others("REST does not work")
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._look_at_market, rest)
            for account in self._accounts:
                nursery.start_soon(self._look_at_account, account, self._session(rest, self._settings.credentials[account]))
        for name, cycle in self._cycles.items():
            self._look_at_cycle(name, cycle)

    def _session(self, rest: AskingClient, credential: Credential) -> AccountSession:
        return AccountSession(
            codec=self._parts.account_codec,
            rest=rest,
            credential=credential,
            wall_clock=self._wall_clock,
            offset=self._offset,
            retry=RetryPolicy(attempts_max=2, total_seconds=REQUEST_SECONDS_MAX),
            request_timeout_seconds=REQUEST_SECONDS_MAX,
        )

    # The exchange

    async def _reach(self, session: AccountSession) -> bool:
        async def ask_twice() -> Finding:
            began_at = trio.current_time()
            await session.measure_clock_offset()
            connected_at = trio.current_time()
            offset_milliseconds = await session.measure_clock_offset()
            self._note(None, "clock", judge_clock(offset_milliseconds, self._parts.account_codec.clock_window))
            first, second = _milliseconds(began_at, connected_at), _milliseconds(connected_at, trio.current_time())
            return replace(ok(f"answers; the first time, with connecting, in {first:.0f} ms"), milliseconds=second)

        finding = await _answer_within(REST_SECONDS_MAX, ask_twice)
        self._note(None, "rest", finding)
        return finding.status is CheckStatus.OK

    async def _look_at_market(self, rest: AskingClient) -> None:
        if not self._symbols:
            self._note(None, "public_stream", skip("no cycle trades here, so there is no symbol to subscribe to"))
            return
        finding = await _answer_within(INSTRUMENTS_SECONDS_MAX, lambda: self._load_instruments(rest))
        if finding.status is CheckStatus.FAIL:
            for symbol in self._symbols:
                self._note(None, f"instrument {symbol}", finding)
        if not self._instruments:
            self._note(None, "public_stream", skip("not tried: no symbol of ours is known to be listed"))
            return
        finding = await _answer_within(BOOKS_SECONDS_MAX + 1, lambda: self._wait_for_books(rest))
        self._note(None, "public_stream", finding)

    async def _load_instruments(self, rest: AskingClient) -> Finding:
        found = await load_instruments(self._parts, rest, self._symbols, timeout_seconds=REQUEST_SECONDS_MAX)
        for symbol, instrument in found.items():
            if isinstance(instrument, UnknownSymbol):
                self._note(None, f"instrument {symbol}", fail(str(instrument)))
            else:
                self._instruments[symbol] = instrument
                self._note(None, f"instrument {symbol}", judge_instrument(instrument))
        return ok("")

    async def _wait_for_books(self, rest: AskingClient) -> Finding:
        self._books = await first_books(
            self._parts,
            rest,
            tuple(self._instruments),
            wall_clock=self._wall_clock,
            rng=random_source(SEED, f"feed:{self._name}"),
            deadline_seconds=BOOKS_SECONDS_MAX,
        )
        tops = {str(symbol): {"bid": book.best_bid[0], "ask": book.best_ask[0]} for symbol, book in self._books.items()}
        detail = ", ".join(f"{symbol} {top['bid']} / {top['ask']}" for symbol, top in tops.items())
        return ok(f"first book whole: {detail}", books=tops)

    # An account

    async def _look_at_account(self, account: str, session: AccountSession) -> None:
        async def read_balances() -> Finding:
            balances = await session.balances()
            ledger = self._ledgers[account] = self._new_ledger(account)
            for balance in balances:
                ledger.apply_balance(balance)
            return ok(f"accepted; balances of {len(balances)} assets can be read")

        async def read_permissions() -> Finding:
            return judge_permissions(await session.key_permissions(), self._name)

        async def listen() -> Finding:
            url, credential = self._parts.private_websocket_url, self._settings.credentials[account]
            async with open_private_stream(url, session=session, credential=credential):
                channels = sorted(session.codec.private_channels)
                return ok(f"{len(channels)} channels confirmed", channels=channels)

        async def read_positions() -> Finding:
            mode, positions = await session.position_mode(), await session.positions()
            books = self._ledgers[account].positions
            if books is not None:
                books.apply_all(positions)
            leverages_max = _leverages_max(session, self._symbols)
            return judge_positions(mode, positions, wanted=self._accounts[account].leverage, leverages_max=leverages_max)

        finding = await _answer_within(REST_SECONDS_MAX, read_balances, signed=True)
        self._note(account, "credential", finding)
        if finding.status is CheckStatus.FAIL:
            for check in ("permissions", "private_stream", "positions"):
                if (account, check) in self._findings:
                    self._note(account, check, skip("not tried: the balances could not be read"))
            return
        if session.codec.positions is not None:
            self._note(account, "positions", await _answer_within(REST_SECONDS_MAX, read_positions, signed=True))
        if session.codec.key_inquiry is None:
            self._note(account, "permissions", judge_permissions(None, self._name))
        else:
            self._note(account, "permissions", await _answer_within(REST_SECONDS_MAX, read_permissions, signed=True))
        self._note(account, "private_stream", await _answer_within(PRIVATE_STREAM_SECONDS_MAX, listen, signed=True))

    # A cycle

    def _look_at_cycle(self, name: str, cycle: CycleSettings) -> None:
        """Whether the first order of the cycle's strategy would be let through. It is made up here, and goes nowhere."""
        account, quantity, funds = cycle.account, f"quantity {name}", f"funds {name}"
        instrument, book, ledger = self._instruments.get(cycle.symbol), self._books.get(cycle.symbol), self._ledgers.get(account)
        entry = strategy_of(self._settings, name)
        if instrument is None or book is None:
            self._note(account, quantity, skip(f"not tried: there is no whole book of {cycle.symbol} to reckon with"))
            self._note(account, funds, skip(f"not tried: there is no whole book of {cycle.symbol} to reckon with"))
            return
        strategy = entry.make(msgspec.convert(cycle.parameters, entry.parameters, from_attributes=True))
        try:
            found = first_order(name, cycle, strategy, entry.kind, instrument=instrument, book=book, now=trio.current_time())
        except (RoundFailed, StrategyFailed) as error:
            self._note(account, quantity, fail(str(error)))
            self._note(account, funds, skip("not tried: there is no order to pay for"))
            return
        if found is None:
            self._note(account, quantity, skip(f"{cycle.strategy} would wait"))
            self._note(account, funds, skip(f"{cycle.strategy} would wait"))
            return
        finding = judge_quantity(
            found,
            instrument=instrument,
            book=book,
            capabilities=self._parts.account_codec.capabilities,
            settings=self._settings,
            ledger=ledger or self._new_ledger(account),
        )
        self._note(account, quantity, finding)
        if ledger is None:
            self._note(account, funds, skip("not tried: the balances could not be read"))
            return
        of_account = [other for other in self._cycles.values() if other.account == account and other.symbol.quote == cycle.symbol.quote]
        needed_by_all = sum((other.quantity for other in of_account), Decimal(0))
        self._note(account, funds, judge_funds(found, ledger, book=book, needed_by_all=needed_by_all))

    def _new_ledger(self, account: str) -> AccountLedger:
        has_positions = self._parts.account_codec.positions is not None
        return AccountLedger(account=account, installation=self._settings.runtime.installation, holds_positions=has_positions)

    def _note(self, account: str | None, check: str, finding: Finding) -> None:
        self._findings[account, check] = finding

    def _skip_others(self, reason: str) -> None:
        for account, check in self._findings:
            if (account, check) not in ((None, "rest"), (None, "features")):
                self._note(account, check, skip(f"not tried: {reason}"))


def _leverages_max(session: AccountSession, symbols: Sequence[Symbol]) -> dict[Symbol, Decimal]:
    """Of those symbols that there are; the others have a finding of their own."""
    found: dict[Symbol, Decimal] = {}
    positions = session.codec.positions
    for symbol in symbols:
        with suppress(KeyError):
            if positions is not None:
                found[symbol] = positions.leverage_max(symbol)
    return found


async def _answer_within(seconds: float, ask: Callable[[], Awaitable[Finding]], *, signed: bool = False) -> Finding:
    """What `ask` finds, with the time it took; every way of not being answered is a failure that says which."""
    began_at = trio.current_time()
    with trio.move_on_after(seconds):
        try:
            finding = await ask()
        except ExchangeError as error:
            is_credential = signed and error.kind is ErrorKind.AUTHENTICATION
            return fail(credential_refused(error) if is_credential else f"the exchange refuses: {error}")
        except (*ACCOUNT_ERRORS, *MARKET_ERRORS, BooksNotWhole) as error:
            return fail(str(error))
        if finding.milliseconds is None:
            return replace(finding, milliseconds=_milliseconds(began_at, trio.current_time()))
        return finding
    return fail(f"no answer within {seconds:g} s")


def _milliseconds(began_at: float, ended_at: float) -> float:
    return round((ended_at - began_at) * 1000, 3)
