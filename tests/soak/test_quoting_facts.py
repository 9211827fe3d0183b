"""What must be so of cycles that quote is made untrue once, each by itself, and found; and what explains silence is no failure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import pytest
import trio
from msgspec.structs import replace

import actors.cycle.quoting.actor
from actors.cycle.quoting.contract import Wanted
from actors.cycle.quoting.executor import Plan, Surroundings, plan
from actors.cycle.quoting.limits import Room, StrategyLimits
from assembly.settings import CycleLimitSettings
from market.events import Side
from orders.commands import FLATTEN, Flattened
from orders.events import OrderPlaced
from orders.order import Order
from orders.request import OrderRequest, OrderType, TimeInForce
from orders.tally import Tally
from simulated.engine.order import NewOrder, OrderKind
from soak.checks.ending import Explanations
from soak.checks.quoting import QuotingFacts, Traded
from soak.options import Options
from soak.outcome import Outcome, Verdict
from soak.regimes import BTC_USDT, CYCLE, FIVE_LEVELS, LEVELS, options_of
from soak.run import run_options
from soak.worlds.world import World

NAME = "gateio_spot"


def quoting_world(*, parameters: Any = FIVE_LEVELS, limits: CycleLimitSettings | None = None) -> Options:
    """One cycle that quotes, no faults, a market in which its quotes rest."""
    drawn = options_of("calm", exchange=NAME, seed=1, seconds=10)
    still = {"taker_rate_per_second": 0.0, "volatility_per_second": 0.0, "gap_rate_per_second": 0.0}
    simulation = drawn.simulations[NAME]
    cycle = replace(drawn.cycles[0], parameters=parameters, limits=limits or CycleLimitSettings())
    return replace(
        drawn,
        cycles=(cycle,),
        simulations={NAME: replace(simulation, markets=tuple(replace(market, **still) for market in simulation.markets))},
    )


def when_quoted(options: Options, break_it: Callable[[World], object]) -> Outcome:
    """What comes of a world in which something is broken once a second after all quotes of both sides rest."""

    def watch(world: World) -> None:
        async def act() -> None:
            await trio.sleep(1)
            break_it(world)

        placed = 0

        def see(event: object) -> None:
            nonlocal placed
            if isinstance(event, OrderPlaced):
                placed += 1
                if placed == 2 * LEVELS:
                    world.nursery.start_soon(act)

        world.observers.append(see)

    return run_options(options, watch=watch)


def place_as_the_cycle(world: World, side: Side, price: Decimal) -> None:
    """An order of the cycle's name that no decision is behind."""
    new = NewOrder(
        account="main",
        symbol=BTC_USDT,
        side=side,
        kind=OrderKind.LIMIT,
        price=price,
        quantity=Decimal("0.001"),
        client_id=world.codec.wire_client_order_id(f"mm-{CYCLE}-zzzzzzzzzz"),
    )
    world.exchange.engine.place(new, world.wall_clock.milliseconds())


def fill_one(side: Side) -> Callable[[World], None]:
    def act(world: World) -> None:
        world.exchange.fill_order(next(order.id for order in world.venue.open_orders() if order.side is side))

    return act


def without_limits(limits: StrategyLimits, tally: Tally) -> Room:
    return Room()


def planning_nothing(wanted: Wanted, orders: Iterable[Order], around: Surroundings) -> Plan:
    return Plan()


def test_quiet_world_with_a_quoting_cycle_is_fine() -> None:
    outcome = when_quoted(quoting_world(), fill_one(Side.BUY))
    assert outcome.verdict is Verdict.FINE, outcome.told
    assert outcome.fills > 0


def test_order_that_crosses_another_of_the_same_cycle_is_found() -> None:
    def cross(world: World) -> None:
        own_ask = min(order.price for order in world.venue.open_orders() if order.side is Side.SELL)
        place_as_the_cycle(world, Side.BUY, own_ask)

    outcome = when_quoted(quoting_world(), cross)
    assert outcome.verdict is Verdict.VIOLATION
    assert "crosses" in outcome.first_line, outcome.first_line


def test_more_orders_on_a_side_than_the_strategy_wants_are_found() -> None:
    outcome = when_quoted(quoting_world(), lambda world: place_as_the_cycle(world, Side.BUY, Decimal(50_000)))
    assert outcome.verdict is Verdict.VIOLATION
    assert f"is the {LEVELS + 1}th buy of {CYCLE}" in outcome.first_line, outcome.first_line


@pytest.mark.parametrize(
    ("limit", "side"),
    [("net_buy_max", Side.BUY), ("net_sell_max", Side.SELL), ("inventory_max", Side.BUY), ("inventory_max", Side.SELL)],
)
def test_trade_beyond_a_limit_of_the_cycle_is_found(limit: str, side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actors.cycle.quoting.actor, "room_of", without_limits)
    outcome = when_quoted(quoting_world(limits=replace(CycleLimitSettings(), **{limit: Decimal("0.001")})), fill_one(side))
    assert outcome.verdict is Verdict.VIOLATION
    assert f"and {limit} is 0.001" in outcome.first_line, outcome.first_line


def test_limits_that_are_kept_to_are_no_failure() -> None:
    options = quoting_world(limits=CycleLimitSettings(net_buy_max=Decimal("0.0001"), net_sell_max=Decimal("0.0001")))
    outcome = run_options(options)
    assert (outcome.verdict, outcome.fills) == (Verdict.FINE, 0), outcome.told


def test_cycle_that_does_not_quote_although_its_strategy_wants_to_is_found_whatever_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actors.cycle.quoting.actor, "plan", planning_nothing)
    outcome = run_options(quoting_world())
    assert outcome.verdict is Verdict.NOT_CONVERGED
    assert f"the cycle {CYCLE} does not quote: its strategy wants to buy and sell" in outcome.first_line, outcome.first_line


def test_cycle_that_quotes_one_side_of_the_two_that_it_wants_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def only_buys(wanted: Wanted, orders: Iterable[Order], around: Surroundings) -> Plan:
        found = plan(wanted, orders, around)
        return replace(found, places=tuple(place for place in found.places if place.quote.side is Side.BUY))

    monkeypatch.setattr(actors.cycle.quoting.actor, "plan", only_buys)
    outcome = run_options(quoting_world())
    assert outcome.verdict is Verdict.NOT_CONVERGED
    assert f"the cycle {CYCLE} does not quote: its strategy wants to sell" in outcome.first_line, outcome.first_line


def test_cycle_whose_strategy_wants_nothing_is_no_failure() -> None:
    nothing = replace(FIVE_LEVELS, order_amount_base=Decimal("0.00001"))  # below what the exchange takes
    outcome = run_options(quoting_world(parameters=nothing))
    assert (outcome.verdict, outcome.orders) == (Verdict.FINE, 0), outcome.told


def test_tally_that_is_not_what_the_exchange_traded_is_found() -> None:
    def spoil(world: World) -> None:
        assert world.runtime is not None
        memory = world.runtime.tree.cycles[CYCLE].quoting
        assert memory is not None
        assert memory.tally is not None
        memory.tally = replace(memory.tally, sold_quantity=Decimal("0.3"))

    outcome = when_quoted(quoting_world(), spoil)
    assert outcome.verdict is Verdict.NOT_CONVERGED
    assert f"the tally of cycle {CYCLE} is wrong: sold 0.3" in outcome.first_line, outcome.first_line


def test_cycle_that_is_said_to_be_flat_and_holds_something_is_found() -> None:
    said: list[str] = []

    def watch(world: World) -> None:
        def see(event: object) -> None:
            if isinstance(event, OrderPlaced) and not said:
                facts = QuotingFacts(world, options, Explanations(), said.append)
                facts.traded[CYCLE] = Traded()
                facts.traded[CYCLE].quantity[Side.BUY] = Decimal(1)
                facts.flattened(world.venue, Flattened(owner=CYCLE, symbol=BTC_USDT))

        world.observers.append(see)

    options = quoting_world()
    run_options(options, watch=watch)
    assert said[0] == f"{CYCLE} is said to be flat at {NAME}, and holds 1"
    assert "and has open mm-" in said[1]


def test_order_that_is_to_flatten_a_cycle_and_makes_what_it_holds_larger_is_found() -> None:
    def flatten(world: World) -> None:
        fill_one(Side.BUY)(world)
        request = OrderRequest(
            client_order_id=f"mm-{CYCLE}-zzzzzzzzzz",
            owner=CYCLE,
            symbol=BTC_USDT,
            side=Side.BUY,
            type=OrderType.MARKET,
            time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
            quantity=Decimal("0.001"),
            tag=FLATTEN,
        )
        for event in world.account.ledger.record_intent(request, now=trio.current_time()):
            for observe in world.observers:
                observe(event)

    outcome = when_quoted(quoting_world(), flatten)
    assert outcome.verdict is Verdict.VIOLATION
    assert f"mm-{CYCLE}-zzzzzzzzzz is to flatten {CYCLE}, which holds 0.00" in outcome.first_line
    assert "and is a buy" in outcome.first_line
