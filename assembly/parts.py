"""The pieces of a run that outlive every actor: endpoints, limits, ledgers, gates, memories and channels.

Actors are made anew on each start and are given these; a crash loses none of them.
"""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager

import trio

from actors.accounts.bookkeeper import Bookkeeper
from actors.accounts.closing import AccountCloser
from actors.accounts.codec import AccountCodec
from actors.accounts.credential import Credential
from actors.accounts.dead_mans_switch import DeadMansSwitch
from actors.accounts.gate import OrderGate
from actors.accounts.limited import LimitedAccount
from actors.accounts.measures import AccountMeasures
from actors.accounts.memory import AccountMemory
from actors.accounts.policies import AccountPolicies
from actors.accounts.prices import BookNews, open_prices
from actors.accounts.readiness import Readiness
from actors.accounts.session import AccountSession, ClockOffset
from actors.channels.bounded import open_bounded
from actors.channels.latest import LatestSender, open_latest
from actors.cycle.inbox import CycleInput
from actors.feeds.measures import FeedMeasures
from actors.feeds.settings import FeedSettings
from actors.journal.recovery import AccountRecovery
from assembly.registry import EXCHANGES, ExchangeEntry
from assembly.settings import AccountSettings, ExchangeMode, ExchangeSettings
from market.clock import WallClock
from market.events import BookChanged, BookLost, InstrumentListed, MarketEvent
from market.instrument import Instrument
from market.symbol import Symbol
from network.breaker import CircuitBreaker
from network.http import HttpClient, HttpResponse
from network.limits import ExchangeLimits, Hold, retry_after_seconds, says_too_many
from network.rate_limit import RateLimiter
from network.rest import RestClient, RetryPolicy
from network.url import parse_url
from orders.agreement import BalanceAgreement
from orders.commands import AccountCommand
from orders.errors import ErrorKind
from orders.events import AccountLost
from orders.ledger import AccountLedger
from orders.recording import Recorder
from simulated.exchange import SimulatedExchange

LOOPBACK = "127.0.0.1"
COMMANDS_CAPACITY = 64
INSTRUMENTS_MAX = 1_000
# As often as its start deadline allows: an exchange that cannot be reached for a minute must not use up the restarts.
INSTRUMENTS_ATTEMPTS_MAX = 1_000

Report = Callable[[object], None]


class ExchangeParts:
    """One exchange: where it is, and the limits that all its actors share. URLs of an embedded one are known once it runs.

    A `limiter` is given where it is shared with another exchange's actors; `on_hold` is told when this exchange asks to stop.
    """

    def __init__(
        self,
        name: str,
        settings: ExchangeSettings,
        *,
        wall_clock: WallClock,
        report: Report,
        limiter: RateLimiter | None = None,
        on_hold: Callable[[Hold], None] | None = None,
    ) -> None:
        self.name = name
        self.settings = settings
        self.feed_settings = FeedSettings(max_age_seconds=settings.book_max_age_seconds, instruments_attempts_max=INSTRUMENTS_ATTEMPTS_MAX)
        self.entry: ExchangeEntry = EXCHANGES[name]
        self.feed_measures = FeedMeasures()
        self.feed_codec = self.entry.feed_codec()
        self.account_codec = self.entry.account_codec()
        self.rest_url = settings.rest_url or ""
        self.public_websocket_url = settings.websocket_url or ""
        self.private_websocket_url = settings.private_websocket_url or self.public_websocket_url
        if settings.mode is not ExchangeMode.SIMULATED:
            mode = "testnet" if settings.mode is ExchangeMode.TESTNET else "live"
            self.rest_url = self.rest_url or self.account_codec.rest_url(mode)
            self.public_websocket_url = self.public_websocket_url or self.feed_codec.websocket_url(mode)
            self.private_websocket_url = self.private_websocket_url or self.account_codec.websocket_url(mode)
        self.limits = ExchangeLimits(
            limiter or RateLimiter(self.entry.rate_limits),
            CircuitBreaker(name, on_change=report),
            is_rate_limited=self._is_rate_limited,
            penalty_seconds=lambda response: self._penalty_seconds(response, wall_clock),
            on_hold=on_hold,
        )

    def change(self, settings: ExchangeSettings) -> None:
        """Go by other settings, of the same place."""
        self.settings = settings
        self.feed_settings.max_age_seconds = settings.book_max_age_seconds

    async def serve(self, simulated: SimulatedExchange, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve an embedded exchange on a free loopback port until cancelled; `started` once the URLs are known.

        Raises:
            OSError: no port can be bound.
        """
        async with trio.open_nursery() as nursery:
            port = await nursery.start(simulated.run, LOOPBACK, 0)
            self.rest_url = simulated.rest_url(LOOPBACK, port)
            self.public_websocket_url = simulated.websocket_url(LOOPBACK, port)
            self.private_websocket_url = simulated.private_websocket_url(LOOPBACK, port)
            task_status.started()

    def open_http(self) -> HttpClient:
        """A client of its own for whoever enters it. Codecs write whole paths, so only the URL's origin counts."""
        headers = self.entry.testnet_headers if self.settings.mode is ExchangeMode.TESTNET else ()
        return HttpClient(parse_url(self.rest_url).origin, headers=headers)

    def _is_rate_limited(self, response: HttpResponse) -> bool:
        """Some exchanges say so with status 200."""
        refusal = self.account_codec.error(response)
        return says_too_many(response) or (refusal is not None and refusal.kind is ErrorKind.RATE_LIMITED)

    def _penalty_seconds(self, response: HttpResponse, wall_clock: WallClock) -> float | None:
        asked = retry_after_seconds(response)
        if asked is not None:
            return asked
        return self.account_codec.penalty_seconds(response, now_milliseconds=wall_clock.milliseconds())


class AccountParts:
    """One account: its ledger, its gate, its channels, and the way to close it."""

    def __init__(
        self,
        name: str,
        settings: AccountSettings,
        *,
        exchange: ExchangeParts,
        credential: Credential,
        installation: str,
        inboxes: dict[str, LatestSender[CycleInput]],
        symbols: tuple[Symbol, ...],
        wall_clock: WallClock,
        rng: random.Random,
        recorder: Recorder,
        recovered: AccountRecovery | None,
        adopted_installations: Sequence[str],
        began_at_milliseconds: int,
        known_until_milliseconds: int | None,
        ready_patience_seconds: float,
        report: Report,
    ) -> None:
        self.name = name
        self.settings = settings
        self.policies = AccountPolicies(foreign_orders=settings.foreign_orders, unexplained_balances=settings.unexplained_balances)
        self.exchange = exchange
        self.recorder = recorder
        self.memory = AccountMemory(
            name,
            agreement=BalanceAgreement(name, known=None if recovered is None else recovered.baselines),
            readiness=Readiness(name, patience_seconds=ready_patience_seconds, report=report),
            began_at_milliseconds=began_at_milliseconds,
            trades_known_until_milliseconds=known_until_milliseconds,
            counting={} if recovered is None else recovered.counting_since,
            recorder=recorder,
        )
        self.codec = account_codec(exchange.entry, settings)
        self.credential = credential
        self.inboxes = inboxes
        self.symbols = symbols
        self.switch = DeadMansSwitch(
            account=name,
            capabilities=self.codec.capabilities,
            symbols=symbols,
            timeout_seconds=settings.dead_mans_switch_seconds,
            report=report,
        )
        self.ledger = AccountLedger(
            account=name, installation=installation, adopted=adopted_installations, holds_positions=self.codec.positions is not None
        )
        if recovered is not None:
            self.ledger.restore(recovered.orders, counted=recovered.counted)
        self.gate = OrderGate()
        self.rules: dict[Symbol, Instrument] = {}
        self.commands_sender, self.commands = open_bounded[AccountCommand](COMMANDS_CAPACITY)
        self.instruments_sender, self.instruments = open_latest(_instrument_key, INSTRUMENTS_MAX)
        self.books_sender, self._prices = open_prices(INSTRUMENTS_MAX, book_age_seconds_max=exchange.settings.book_max_age_seconds)
        self.limited = LimitedAccount(self.ledger, self._prices, symbols)
        self._wall_clock = wall_clock
        self._offset = ClockOffset()
        self._rng = rng
        self.measures = AccountMeasures(inboxes)
        self._books = Bookkeeper(ledger=self.ledger, inboxes=inboxes, recorder=recorder, report=report, measures=self.measures)
        self.closer = AccountCloser(open_session=self.open_session, bookkeeper=self._books, gate=self.gate, switch=self.switch)

    def change(self, settings: AccountSettings) -> None:
        """Go by other settings, of the same credential, and by those that its exchange has now. Limits are not this one's."""
        self.settings = settings
        self.policies.foreign_orders = settings.foreign_orders
        self.policies.unexplained_balances = settings.unexplained_balances
        self._prices.book_age_seconds_max = self.exchange.settings.book_max_age_seconds

    def shut(self, reason: str) -> None:
        """Close the gate for good and tell the cycles, so that they stop trying. Only the first call does anything."""
        if self.gate.closed_reason is None:
            self.gate.close(reason)
            self._books.tell(AccountLost(self.name, f"the gate is closed: {reason}"))

    @asynccontextmanager
    async def open_session(self) -> AsyncGenerator[AccountSession]:
        """A session on a connection of its own, within the exchange's shared limits."""
        async with self.exchange.open_http() as http:
            yield AccountSession(
                codec=self.codec,
                rest=RestClient(http, self.exchange.limits, rng=self._rng),
                credential=self.credential,
                wall_clock=self._wall_clock,
                offset=self._offset,
                retry=RetryPolicy(),
            )


def account_codec(entry: ExchangeEntry, settings: AccountSettings) -> AccountCodec:
    """A codec for one account: what it learns of the exchange, and how it trades contracts, are that account's own."""
    codec = entry.account_codec()
    if codec.positions is not None and settings.margin_mode is not None:
        codec.positions.margin_mode = settings.margin_mode
    return codec


class FactsForAccount:
    """A feed's subscriber that passes on what crosses into the private domain: books, to check orders by, and instruments."""

    def __init__(self, *, books: LatestSender[BookNews], instruments: LatestSender[InstrumentListed]) -> None:
        self._books = books
        self._instruments = instruments

    def send_nowait(self, event: MarketEvent) -> None:
        if isinstance(event, BookChanged | BookLost):
            self._books.send_nowait(event)
        elif isinstance(event, InstrumentListed):
            self._instruments.send_nowait(event)


class Reporting:
    """A feed's subscriber that shows what the market does."""

    def __init__(self, report: Report) -> None:
        self.send_nowait: Callable[[MarketEvent], None] = report


def _instrument_key(listed: InstrumentListed) -> Symbol:
    return listed.instrument.symbol


def random_source(seed: int | str, name: str) -> random.Random:
    """Randomness of one part of the program: the same for the same seed, whatever the other parts draw."""
    return random.Random(f"{seed}:{name}")  # noqa: S311 - jitter, not secrets; must be replayable
