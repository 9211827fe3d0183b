"""An hour, or less, of quoting in one market regime without faults: the whole program, judged as every world is, and what came of it."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import trio
from msgspec.structs import replace

from actors.cycle.quoting.risk import RiskMeasured, RiskSnapshot
from actors.cycle.quoting.strategies.simple import QuotingParameters
from assembly.settings import CycleLimitSettings
from market.symbol import Symbol
from orders.events import OrderPlaced
from orders.order import ZERO
from simulated.engine.events import EngineEvent, TradeMade
from simulated.settings import AccountSettings as SimulatedAccount
from simulated.settings import SimulationSettings
from soak.options import BTC, BUFFERS_BYTES, REGIMES, Options
from soak.outcome import Outcome
from soak.run import run_options
from soak.strategies import Cycle
from soak.worlds.place import Place
from soak.worlds.world import World

BTC_USDT = Symbol("BTC", "USDT")
CYCLE = "quotes"
LEVELS = 5
ORDER_QUOTE = Decimal(200)
INVENTORY_MAX = Decimal("0.05")
MAKER_FEE = Decimal("0.00002")
LATENCY_SECONDS = (0.005, 0.03)
SAMPLE_SECONDS = 5.0

# The makers of these markets stand at 0.00005 from the fair price: the first level is just inside, where takers come to it.
FIVE_LEVELS = QuotingParameters(
    levels=LEVELS,
    bid_spread_fraction=Decimal("0.00004"),
    ask_spread_fraction=Decimal("0.00004"),
    maker_fee_fraction=MAKER_FEE,
    spread_min_fraction=Decimal("0.00004"),
    level_spacing_fraction=Decimal("0.00005"),
    refresh_seconds=1.0,
    refresh_tolerance_fraction=Decimal("0.00001"),
    filled_order_delay_seconds=1.0,
    inventory_max_orders=Decimal(12),
    inventory_price_skew=Decimal(1),
)


class Sample(msgspec.Struct, frozen=True):
    """How the cycle stood at `at` (virtual seconds): `profit` as it tells it, `inventory` by the exchange's own trades."""

    at: float
    mid: Decimal
    profit: Decimal
    inventory: Decimal


class Hour(msgspec.Struct, kw_only=True):
    """What came of one regime. `inventory_max` is the furthest from nothing that any trade has led to, `risk` the newest that was told."""

    regime: str
    seconds: float
    samples: list[Sample] = []
    risk: RiskSnapshot | None = None
    inventory_max: Decimal = ZERO
    orders: int = 0
    requests: int = 0
    outcome: Outcome


def options_of(regime: str, *, exchange: str, seed: int, seconds: float) -> Options:
    """A world of one exchange in this regime, in which one cycle quotes five levels a side."""
    place = Place(exchange, BTC_USDT, CYCLE)
    balances = {"USDT": Decimal(100_000), "BTC": Decimal(1)}
    return Options(
        seed=seed,
        hours=seconds / 3600,
        exchanges=(exchange,),
        cycles=(
            Cycle(
                place=place,
                strategy="quoting",
                parameters=FIVE_LEVELS,
                quote_quantity=ORDER_QUOTE,
                limits=CycleLimitSettings(inventory_max=INVENTORY_MAX),
            ),
        ),
        rounds=0,
        simulations={
            exchange: SimulationSettings(
                seed=seed,
                markets=(replace(BTC, **REGIMES[regime]),),
                accounts=(SimulatedAccount(balances=balances, maker_fee=MAKER_FEE),),
            )
        },
        regimes={exchange: regime},
        latencies_seconds={exchange: LATENCY_SECONDS},
        hands=(),
        private_lines=(),
        buffer_bytes=BUFFERS_BYTES[0],
        orders_by_rest=False,
        flatten_on_stop=False,
        kinds=(),
        sure_kind=None,
        places=(place,),
    )


def run_regime(regime: str, *, exchange: str, seed: int, seconds: float) -> Hour:
    """Live it to its end. Never raises: what was wrong is in its outcome."""
    hour = Hour(regime=regime, seconds=seconds, outcome=Outcome(seed=seed, options=[]))
    options = options_of(regime, exchange=exchange, seed=seed, seconds=seconds)
    hour.outcome = run_options(options, watch=_Recorder(hour).watch)
    return hour


class _Recorder:
    def __init__(self, hour: Hour) -> None:
        self._hour = hour
        self._next_at = 0.0

    def watch(self, world: World) -> None:
        venue = world.venue

        def see(event: object) -> None:
            hour = self._hour
            if isinstance(event, OrderPlaced):
                hour.orders += 1
            elif isinstance(event, RiskMeasured):
                hour.risk = event.risk
                hour.requests = sum(venue.control.weight_of_requests().values())
                now, risk = trio.current_time(), event.risk
                if now >= self._next_at and risk.mid is not None and risk.profit is not None:
                    self._next_at = now + SAMPLE_SECONDS
                    hour.samples.append(Sample(now, risk.mid, risk.profit, venue.holdings(CYCLE, BTC_USDT)))

        def hear(event: EngineEvent) -> None:
            if isinstance(event, TradeMade):
                self._hour.inventory_max = max(self._hour.inventory_max, abs(venue.holdings(CYCLE, BTC_USDT)))

        world.observers.append(see)
        venue.control.engine.subscribe(hear, [TradeMade])
