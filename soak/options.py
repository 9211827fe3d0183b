"""What is drawn from a seed: the exchanges, markets, cycles and latencies of a world, and which kinds of faults it has.

Each seed switches on a random subset of the kinds: runs with few kinds get deeper than runs with all of them.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence, Set
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec.structs import replace

from actors.accounts.limits import OnDailyLoss
from assembly.registry import EXCHANGES
from assembly.settings import AccountSettings, GlobalLimitSettings, LimitSettings, PageSettings, RuntimeSettings, Settings
from market.symbol import Symbol, parse_symbol
from orders.losses import DAY_MILLISECONDS
from orders.reports import MarginMode
from simulated.settings import AccountSettings as SimulatedAccount
from simulated.settings import ContractSettings, MarketSettings, SimulationSettings
from soak.faults.kinds import KINDS
from soak.onlooker import PLACE, Reader
from soak.plan import Plan, format_plan
from soak.strategies import Cycle, draw_cycle_of_rounds, draw_quoting_cycle, with_drawdown
from soak.worlds.place import Place
from soak.worlds.world import EPOCH_MILLISECONDS, World

STOP_DEADLINE_SECONDS = 10.0
LATENCIES = ((0.001, 0.005), (0.001, 0.005), (0.01, 0.05), (0.05, 0.4), (0.001, 2.0))
KINDS_AT_ONCE = (1, 2, 3, 4, 6, 8, 12, 20)
CYCLE_NAMES = ("one", "two", "three", "four")
# Twice what the cycles may want would pass a limit that is this many times as high: a buy that is made twice is too much.
LIMIT_FACTOR = Decimal("1.8")
HAND_QUOTE_QUANTITY = Decimal(60)
FUNDING_INTERVALS_SECONDS = (120, 600, 28_800)
HAND_SHARE = 0.6  # of the worlds that trade assets
QUOTING_SHARE = 0.5
OPEN_ORDERS_MAX = 80  # five quotes a side of four cycles, those that hang, and a hand's
# No exchange says for how long a client id is taken: for longer than something on the way would send a request again.
CLIENT_ID_MEMORY_SECONDS = 30.0
# As of drawdowns (`soak/strategies.py`), of all cycles of an account and of all accounts, and with funding.
LOSSES_MAX = (*(None,) * 7, Decimal("0.4"), Decimal(2), Decimal(10))
PROGRAM_LOSSES_MAX = (*(None,) * 7, Decimal("0.6"), Decimal(3), Decimal(15))
MIDNIGHT_SHARE = 0.25
SWITCH_SECONDS = (30, 30, 15, 0)
LEVERAGES = (None, None, Decimal(3), Decimal(20))
LEVERAGE_ISOLATED_MAX = Decimal(3)
READERS = (*[Reader.NOBODY] * 9, Reader.BRISK, Reader.SLOW, Reader.STUCK)
BUFFERS_BYTES = (64 * 1024, 64 * 1024, 2 * 1024)

# Makers renew several quotes at a time, as those of real markets do: as much happens in the books, in fewer and larger messages.
BTC = MarketSettings(maker_rate_per_second=1.5, maker_quotes_at_once=4)
ETH = MarketSettings(
    symbol="ETH_USDT",
    price_decimals=2,
    quantity_decimals=5,
    quantity_min=Decimal("0.0001"),
    start_price=Decimal(3_000),
    maker_rate_per_second=1.0,
    maker_quotes_at_once=4,
)

REGIMES: MappingProxyType[str, Mapping[str, Any]] = MappingProxyType(
    {
        "calm": {"volatility_per_second": 0.00001, "gap_rate_per_second": 0.0},
        "lively": {"volatility_per_second": 0.00004, "taker_rate_per_second": 2.0},
        "trending_up": {"drift_per_second": 0.00002, "volatility_per_second": 0.00002},
        "trending_down": {"drift_per_second": -0.00002, "volatility_per_second": 0.00002},
        "gapping": {"gap_rate_per_second": 0.05, "gap_fraction": 0.004},
        "one_sided": {"taker_buy_share": 0.02, "taker_rate_per_second": 1.0},
        "thin": {
            "maker_levels": 2,
            "maker_level_notional": 300.0,
            "maker_rate_per_second": 1.0,
            "maker_quotes_at_once": 1,
            "taker_rate_per_second": 0.1,
        },
    }
)

# A market in which no cycle trades is there, and nearly still: nobody of ours sees who comes to it, and each of them takes time.
NOBODYS: MappingProxyType[str, float] = MappingProxyType({"maker_rate_per_second": 0.1, "taker_rate_per_second": 0.05})
APART: MappingProxyType[str, frozenset[str]] = MappingProxyType(
    {
        # Who hears that there were too many requests believes it, and must: no second of two made of one is to be refused so.
        "repeat_placements": frozenset({"rate_limit", "rate_limit_retry_after"}),
        # What is past its expiry by the exchange's clock is given up, and must be: the clock is not to be set back while it is on its way.
        "lose_placements": frozenset({"skew_exchange_clock"}),
    }
)
"""Kinds that no world has together with those others."""


class LossLimit(msgspec.Struct, frozen=True):
    """How much may be lost in a day, in quote units, and what follows."""

    most: Decimal
    action: OnDailyLoss

    def __str__(self) -> str:
        return f"{self.most} {self.action.value}"


class AccountTerms(msgspec.Struct, frozen=True, kw_only=True):
    """The exchange's own switch, and where contracts are traded, with which leverage: None leaves it as it is there."""

    switch_seconds: int = 30
    leverage: Decimal | None = None
    margin_mode: MarginMode = MarginMode.CROSS

    def __str__(self) -> str:
        leverage = "" if self.leverage is None else f", {self.margin_mode.value} with leverage {self.leverage}"
        return f"switch after {self.switch_seconds} s{leverage}"


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """One world as it was drawn. `places` are those of all cycles that were, also of cycles that are left out now.

    With a `plan` it lives the spells named there and no others, however long `hours` are.
    """

    seed: int
    hours: float
    exchanges: tuple[str, ...]
    cycles: tuple[Cycle, ...]
    rounds: int
    simulations: dict[str, SimulationSettings]
    regimes: dict[str, str]
    latencies_seconds: dict[str, tuple[float, float]]
    hands: tuple[Place, ...]
    private_lines: tuple[str, ...]
    orders_by_rest: bool
    buffer_bytes: int
    """What waits on each way of a connection: where it is little, an exchange soon gives up a client that does not read."""
    flatten_on_stop: bool
    kinds: tuple[str, ...]
    sure_kind: str | None
    """One of the kinds, which strikes in the first spell whatever else is drawn: so that a hundred seeds in a row have all."""
    places: tuple[Place, ...]
    reader: Reader = Reader.NOBODY
    """Who has the run's page open; without anybody there is none."""
    plan: Plan | None = None
    losses: dict[str, LossLimit] = {}
    """Of the accounts that have such a limit, by exchange."""
    program_loss: LossLimit | None = None
    day_ends_after_seconds: float | None = None
    """When the next UTC day begins, with which daily losses count anew; None if it does not in the world's time."""
    terms: dict[str, AccountTerms] = {}
    """Of each exchange, how the account trades there."""

    @property
    def epoch_milliseconds(self) -> int:
        """The time at which the world begins."""
        if self.day_ends_after_seconds is None:
            return EPOCH_MILLISECONDS
        midnight = (EPOCH_MILLISECONDS // DAY_MILLISECONDS + 1) * DAY_MILLISECONDS
        return midnight - round(self.day_ends_after_seconds * 1000)

    @property
    def cycle_names(self) -> tuple[str, ...]:
        return tuple(cycle.place.cycle for cycle in self.cycles)

    def with_cycles(self, names: Collection[str]) -> Options:
        """The same world with these of its cycles only, and with the exchanges that they need.

        Raises:
            ValueError: it has no such cycle, or none would be left.
        """
        strange = [name for name in names if name not in self.cycle_names]
        if strange or not names:
            raise ValueError(f"this world has the cycles {', '.join(self.cycle_names)}, and not {', '.join(strange) or 'none at all'}")
        cycles = tuple(cycle for cycle in self.cycles if cycle.place.cycle in names)
        used = {name for cycle in cycles for name in (cycle.place.exchange, cycle.reference_exchange)}
        return replace(
            self,
            cycles=cycles,
            exchanges=tuple(name for name in self.exchanges if name in used),
            hands=tuple(place for place in self.hands if place.exchange in used),
            regimes={name: regime for name, regime in self.regimes.items() if name in used},
            latencies_seconds={name: latency for name, latency in self.latencies_seconds.items() if name in used},
        )

    def describe(self) -> list[str]:
        """For a person who looks for the cause of a violation."""
        losses = [*(f"at {name} {loss}" for name, loss in self.losses.items() if name in self.exchanges)]
        losses += [] if self.program_loss is None else [f"of the program {self.program_loss}"]
        latencies = ", ".join(f"{name} {low:g} to {high:g} s" for name, (low, high) in self.latencies_seconds.items())
        return [
            f"seed {self.seed}, {self.hours:g} virtual hours",
            f"exchanges: {', '.join(self.exchanges)}; latency each way: {latencies}",
            f"markets: {', '.join(f'{name} {regime}' for name, regime in self.regimes.items())}",
            f"cycles: {', '.join(map(str, self.cycles))}; rounds each: {self.rounds or 'no end'}",
            *([f"daily losses at most: {', '.join(losses)}"] if losses else []),
            f"accounts: {'; '.join(f'{name} {terms}' for name, terms in self.terms.items() if name in self.exchanges) or 'as by default'}"
            + ("" if self.day_ends_after_seconds is None else f"; a day ends after {self.day_ends_after_seconds:.1f} s"),
            f"hands: {', '.join(f'{place.cycle} in {place.symbol} at {place.exchange}' for place in self.hands) or 'none'}",
            f"private lines of their own: {', '.join(self.private_lines) or 'none'}; orders by REST: {self.orders_by_rest}; "
            f"flatten on stop: {self.flatten_on_stop}; buffers: {self.buffer_bytes} bytes; the page is read by: {self.reader.value}",
            f"faults: {', '.join(self.kinds) or 'none'}",
            *([] if self.plan is None else [f"only these spells and strikes: {format_plan(self.plan)}"]),
        ]

    def notional_max(self, exchange: str) -> Decimal:
        """The limits of the account there, in quote units."""
        cycles = sum((cycle.notional_max for cycle in self.cycles if cycle.place.exchange == exchange), Decimal(0))
        hands = sum(HAND_QUOTE_QUANTITY for place in self.hands if place.exchange == exchange)
        return cycles * LIMIT_FACTOR + hands or HAND_QUOTE_QUANTITY  # an exchange may be there to be looked at only

    def settings(self, world: World) -> Settings:
        """Settings of the program that trades in this world."""
        accounts: dict[str, AccountSettings] = {}
        for venue in world.venues.values():
            notional_max = self.notional_max(venue.name)
            terms = self.terms.get(venue.name, AccountTerms())
            accounts[venue.account] = AccountSettings(
                exchange=venue.name,
                dead_mans_switch_seconds=terms.switch_seconds,
                leverage=terms.leverage if venue.trades_contracts else None,
                limits=LimitSettings(
                    max_position_notional=notional_max,
                    max_order_notional=notional_max,
                    max_open_orders=OPEN_ORDERS_MAX,
                    **_as_settings(self.losses.get(venue.name)),
                ),
                margin_mode=terms.margin_mode if venue.trades_contracts else None,
            )
        return Settings(
            runtime=RuntimeSettings(stop_deadline_seconds=STOP_DEADLINE_SECONDS, flatten_on_stop=self.flatten_on_stop),
            limits=GlobalLimitSettings(**_as_settings(self.program_loss)),
            exchanges={venue.name: venue.settings() for venue in world.venues.values()},
            accounts=accounts,
            cycles={
                cycle.place.cycle: cycle.settings(account=cycle.place.venue(world).account, rounds=self.rounds) for cycle in self.cycles
            },
            credentials={venue.account: venue.credential() for venue in world.venues.values()},
            page=None if self.reader is Reader.NOBODY else PageSettings(),
            page_place=None if self.reader is Reader.NOBODY else PLACE,
        )


def draw_options(seed: int, *, hours: float, kinds: Sequence[str], exchanges: Sequence[str] = ()) -> Options:
    """The world of a seed, the same in every process; with faults of these `kinds` at most, and on these exchanges, if any are named."""
    rng = random.Random(f"{seed}:options")
    names = sorted(exchanges or EXCHANGES)
    chosen = tuple(rng.sample(names, k=min(len(names), rng.choice((1, 1, 1, 2, 3)))))
    places: list[Place] = []
    for name in chosen:
        for symbol in rng.choice((("BTC_USDT",), ("BTC_USDT",), ("ETH_USDT",), ("BTC_USDT", "ETH_USDT"), ("BTC_USDT", "BTC_USDT"))):
            if len(places) < len(CYCLE_NAMES):
                places.append(Place(name, parse_symbol(symbol), CYCLE_NAMES[len(places)]))
    chosen = tuple(dict.fromkeys(place.exchange for place in places))
    private_lines = tuple(name for name in chosen if rng.random() < 0.5)
    hand = msgspec.structs.replace(rng.choice(places), cycle="hand")
    hands = (hand,) if rng.random() < HAND_SHARE else ()
    wanted = sorted(kinds)
    sure_kind = wanted[seed % len(wanted)] if wanted else None
    if sure_kind is not None and KINDS[sure_kind].needs_private_line and not private_lines:
        private_lines = chosen[:1]
    if sure_kind is not None and KINDS[sure_kind].needs_hand:
        hands = (hand,)
    usable = [kind for kind in wanted if (private_lines or not KINDS[kind].needs_private_line) and (hands or not KINDS[kind].needs_hand)]
    regimes = {name: rng.choice(sorted(REGIMES)) for name in chosen}
    cycles = _draw_cycles(rng, seed, places)
    of_losses = random.Random(f"{seed}:losses")
    cycles = tuple(with_drawdown(of_losses, cycle) for cycle in cycles)
    program_loss, *losses = (_draw_loss(of_losses, of) for of in (PROGRAM_LOSSES_MAX, *(LOSSES_MAX for _ in chosen)))
    quoted = {cycle.place.exchange for cycle in cycles if cycle.quotes}
    return Options(
        seed=seed,
        hours=hours,
        exchanges=chosen,
        cycles=cycles,
        rounds=rng.choice((0, 0, 0, 1, 3)),
        simulations={
            name: _draw_simulation(rng, seed, regimes[name], traded=_symbols_at(name, places), is_quoted=name in quoted) for name in chosen
        },
        regimes=regimes,
        latencies_seconds={name: rng.choice(LATENCIES) for name in chosen},
        hands=hands,
        private_lines=private_lines,
        orders_by_rest=rng.random() < 0.2,
        flatten_on_stop=rng.random() < 0.3,
        buffer_bytes=rng.choice(BUFFERS_BYTES),
        kinds=_together(rng.sample(usable, k=min(len(usable), rng.choice(KINDS_AT_ONCE))), sure_kind),
        sure_kind=sure_kind,
        places=tuple(places),
        reader=random.Random(f"{seed}:page").choice(READERS),
        day_ends_after_seconds=_draw_midnight(random.Random(f"{seed}:day"), hours),
        terms={name: _draw_terms(random.Random(f"{seed}:{name}:terms")) for name in chosen},
        losses={name: loss for name, loss in zip(chosen, losses, strict=True) if loss is not None},
        program_loss=program_loss,
    )


def _together(drawn: Sequence[str], sure_kind: str | None) -> tuple[str, ...]:
    """These kinds and the sure one, but for those that it would make impossible to be right about."""
    kinds = {*drawn, *([sure_kind] if sure_kind else [])}
    for kind, others in APART.items():
        if kind in kinds and not kinds.isdisjoint(others):
            kinds -= {kind} if sure_kind in others else others
    return tuple(sorted(kinds))


def _draw_midnight(rng: random.Random, hours: float) -> float | None:
    is_drawn, seconds = rng.random() < MIDNIGHT_SHARE, rng.uniform(10, max(60.0, hours * 3600))
    return seconds if is_drawn else None


def _draw_terms(rng: random.Random) -> AccountTerms:
    seconds, leverage, mode = rng.choice(SWITCH_SECONDS), rng.choice(LEVERAGES), rng.choice((MarginMode.CROSS, MarginMode.ISOLATED))
    # A market that trends for an hour liquidates what has no more margin of its own than this: nobody's bug, and the end of the cycle.
    if mode is MarginMode.ISOLATED and leverage is not None:
        leverage = min(leverage, LEVERAGE_ISOLATED_MAX)
    return AccountTerms(switch_seconds=seconds, leverage=leverage, margin_mode=mode)


def _draw_loss(rng: random.Random, of: Sequence[Decimal | None]) -> LossLimit | None:
    most, action = rng.choice(of), rng.choice(tuple(OnDailyLoss))
    return None if most is None else LossLimit(most, action)


def _as_settings(loss: LossLimit | None) -> dict[str, Any]:
    return {} if loss is None else {"max_daily_loss": loss.most, "on_daily_loss": loss.action}


def _draw_cycles(rng: random.Random, seed: int, places: Sequence[Place]) -> tuple[Cycle, ...]:
    """About half of them quote. Of contracts an account has one position: nobody else sells what he bought, where somebody quotes."""
    of_rounds = [draw_cycle_of_rounds(rng, place) for place in places]
    of_quoting = random.Random(f"{seed}:quoting")
    exchanges = tuple(dict.fromkeys(place.exchange for place in places))
    markets = dict.fromkeys((place.exchange, place.symbol) for place in places)
    quoted = {market for market in markets if of_quoting.random() < QUOTING_SHARE}
    cycles = (
        draw_quoting_cycle(of_quoting, cycle.place, exchanges) if (cycle.place.exchange, cycle.place.symbol) in quoted else cycle
        for cycle in of_rounds
    )
    return tuple(cycles)


def _symbols_at(exchange: str, places: Sequence[Place]) -> set[Symbol]:
    return {place.symbol for place in places if place.exchange == exchange}


def _behaviour(market: MarketSettings, regime: str, traded: Set[Symbol]) -> dict[str, Any]:
    return {**REGIMES[regime], **({} if market.parsed_symbol in traded else NOBODYS)}


def _draw_simulation(rng: random.Random, seed: int, regime: str, *, traded: Set[Symbol], is_quoted: bool) -> SimulationSettings:
    balances = {"USDT": Decimal(1_000_000), "BTC": rng.choice((Decimal(0), Decimal("0.1")))}
    if is_quoted and balances["BTC"]:
        balances |= {"BTC": Decimal(1), "ETH": Decimal(20)}  # what is quoted on both sides must be there
    # As often as the exchanges themselves, or so often that a world meets it.
    funding = ContractSettings(funding_interval_seconds=random.Random(f"{seed}:funding").choice(FUNDING_INTERVALS_SECONDS))
    markets = tuple(replace(market, contract=funding, **_behaviour(market, regime, traded)) for market in (BTC, ETH))
    return SimulationSettings(
        seed=seed,
        markets=markets,
        accounts=(SimulatedAccount(balances=balances),),
        text_lookup_after_finish_seconds=rng.choice((0.0, 0.0, 1800.0)),
        unfilled_order_memory_seconds=rng.choice((5.0, 60.0, 600.0)),
        client_id_memory_seconds=CLIENT_ID_MEMORY_SECONDS,
        book_checksums=rng.random() < 0.5,
        outgoing_messages_max=rng.choice((4_000, 50)),
    )
