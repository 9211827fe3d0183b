"""What mm-doctor must find on every registered exchange, well and ill, and that it never touches an order. In virtual time.

Each test names the rows of the requirements that it is about.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import pytest
import trio
from msgspec.structs import replace

from actors.accounts.session import AccountSession, ClockOffset
from assembly.doctor.asking import AskingClient, ForbiddenRequest
from assembly.doctor.check import Check, CheckStatus
from assembly.doctor.program import examine
from assembly.parts import ExchangeParts, random_source
from assembly.registry import EXCHANGES
from assembly.settings import Settings
from market.events import Side
from market.symbol import Symbol
from network.rest import RetryPolicy
from orders.events import OrderPlaced
from orders.order import Order
from orders.reports import OrderReport, ReportedStatus
from orders.request import OrderRequest, OrderType, TimeInForce
from simulated.faults import Operation
from simulated.settings import AccountSettings, MarketSettings, SimulationSettings

sys.path.insert(0, str(Path(__file__).parent.parent / "scenarios"))
from world import BTC_USDT, HOST, World, run_world

every_exchange = pytest.mark.parametrize("name", sorted(EXCHANGES))
WHOLE_RUN_SECONDS_MAX = 15.0
HARMLESS = {Operation.QUERY, Operation.MARKET_DATA}
EXCHANGES_THAT_TELL = {"okx_spot", "okx_swap"}  # that this very key may trade


def run_on(name: str, story: Callable[[World], Awaitable[None]], *, simulation: SimulationSettings | None = None) -> None:
    run_world(story, seed=1, simulation=simulation, exchange_name=name)


async def look(world: World, settings: Settings | None = None) -> dict[str, Check]:
    """The checks by name, after what must be true of every look: short enough, and no secret in it."""
    settings = settings or world.settings()
    began_at = trio.current_time()
    checks = await examine(settings, wall_clock=world.wall_clock)
    assert trio.current_time() - began_at < WHOLE_RUN_SECONDS_MAX
    for credential in settings.credentials.values():
        for secret in (credential.key, credential.secret, credential.passphrase):
            assert secret not in repr(checks)
    return {check.check: check for check in checks}


def statuses(checks: dict[str, Check]) -> dict[str, str]:
    return {name: check.status.value for name, check in checks.items()}


def watch_operations(world: World) -> list[Operation]:
    """What the exchange is asked to do from now on, request by request."""
    faults, seen = world.exchange.faults, list[Operation]()
    take_delay_seconds = faults.take_request_delay_seconds

    def note(operation: Operation) -> float:
        seen.append(operation)
        return take_delay_seconds(operation)

    faults.take_request_delay_seconds = note  # type: ignore[method-assign]
    return seen


@every_exchange
def test_healthy_exchange_and_account_fail_nothing(name: str) -> None:
    """X10, X12"""

    async def story(world: World) -> None:
        checks = await look(world)
        told = "ok" if name in EXCHANGES_THAT_TELL else "skip"
        has_switch = world.codec.capabilities.dead_mans_switch_seconds_min is not None
        positions = {"positions": "ok"} if world.codec.capabilities.positions else {}
        assert statuses(checks) == {
            "rest": "ok",
            "clock": "ok",
            "public_stream": "ok",
            "instrument BTC/USDT": "ok",
            "features": "ok" if has_switch else "warn",
            "credential": "ok",
            "permissions": told,
            "private_stream": "ok",
            **positions,
            "quantity btc": "ok",
            "funds btc": "ok",
        }
        for check in ("rest", "public_stream", "credential", "private_stream"):
            assert (checks[check].milliseconds or 0) >= 2, "a round trip over this network takes at least 2 ms"
        assert checks["features"].data["amend"] is world.codec.capabilities.amend
        assert checks["instrument BTC/USDT"].data["price_tick"] == "0.1"
        assert [check.account for check in checks.values()] == [None] * 5 + ["main"] * (5 + len(positions))

    run_on(name, story)


@every_exchange
def test_doctor_asks_the_exchange_for_nothing_but_information(name: str) -> None:
    """X12: no order placed, amended or cancelled, no switch armed; the program that follows shows that it would be seen"""

    async def story(world: World) -> None:
        seen = watch_operations(world)
        await look(world)
        assert Operation.QUERY in seen
        assert set(seen) <= HARMLESS
        assert world.exchange.orders() == ()
        await world.start()
        await world.wait_for(OrderPlaced, lambda event: event.order.request.side is Side.BUY)
        assert Operation.PLACE in seen

    run_on(name, story)


@every_exchange
@pytest.mark.parametrize("deed", ["place", "cancel", "cancel reported", "amend", "cancel batch", "arm a switch"])
def test_request_that_would_change_something_cannot_leave_the_doctor(name: str, deed: str) -> None:
    """X12"""
    request = OrderRequest(
        client_order_id="mm-btc-tlpwu8001",
        owner="btc",
        symbol=BTC_USDT,
        side=Side.SELL,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.GOOD_TILL_CANCELLED,
        quantity=Decimal("0.001"),
        price=Decimal(70_000),
    )
    order = Order(request=request, exchange_order_id="1", sent=True)
    report = OrderReport(
        exchange_order_id="1",
        client_order_id=request.client_order_id,
        symbol=BTC_USDT,
        side=Side.SELL,
        status=ReportedStatus.OPEN,
        filled_quantity=Decimal(0),
        filled_quote=Decimal(0),
    )

    async def story(world: World) -> None:
        settings = world.settings()
        parts = ExchangeParts(name, settings.exchanges[name], wall_clock=world.wall_clock, report=lambda _: None)
        capabilities = parts.account_codec.capabilities
        if (
            (deed == "amend" and not capabilities.amend)
            or (deed == "cancel batch" and capabilities.cancel_batch_max == 1)
            or (deed == "arm a switch" and capabilities.dead_mans_switch_seconds_min is None)
        ):
            return  # the exchange has no such thing
        seen = watch_operations(world)
        async with parts.open_http() as http:
            session = AccountSession(
                codec=parts.account_codec,
                rest=AskingClient(http, parts.limits, rng=random_source(1, "test"), codec=parts.account_codec),
                credential=settings.credentials["main"],
                wall_clock=world.wall_clock,
                offset=ClockOffset(),
                retry=RetryPolicy(),
            )
            await session.balances()
            deeds: dict[str, Callable[[], Awaitable[object]]] = {
                "place": lambda: session.place(request, leaving=lambda: None),
                "cancel": lambda: session.cancel(order),
                "cancel reported": lambda: session.cancel_reported(report),
                "amend": lambda: session.amend(order, price=Decimal(71_000), quantity=None),
                "cancel batch": lambda: session.cancel_batch([report]),
                "arm a switch": lambda: session.set_dead_mans_switch([BTC_USDT], timeout_seconds=30),
            }
            with pytest.raises(ForbiddenRequest):
                await deeds[deed]()
        assert set(seen) <= HARMLESS

    run_on(name, story)


@every_exchange
def test_wrong_secret_fails_the_credential_and_nothing_public(name: str) -> None:
    """X12, R3"""

    async def story(world: World) -> None:
        checks = await look(world, world.settings(wrong_secret=True))
        found = statuses(checks)
        assert (found["rest"], found["public_stream"], found["quantity btc"]) == ("ok", "ok", "ok")
        assert found["credential"] == "fail"
        assert "the exchange refuses the credential" in checks["credential"].detail
        assert {found[check] for check in ("permissions", "private_stream", "funds btc")} == {"skip"}

    run_on(name, story)


@every_exchange
@pytest.mark.parametrize("fault", ["refused", "silent", "no such name"])
def test_unreachable_exchange_is_one_clear_failure_in_time(name: str, fault: str) -> None:
    """X12"""

    async def story(world: World) -> None:
        with {"refused": world.network.refuse, "silent": world.network.partition, "no such name": world.network.fail_dns}[fault](HOST):
            checks = await look(world)
        assert checks["rest"].status is CheckStatus.FAIL
        assert checks["rest"].detail
        others = {check.status for check in checks.values() if check.check not in ("rest", "features")}
        assert others == {CheckStatus.SKIP}

    run_on(name, story)


@every_exchange
def test_websockets_that_cannot_be_reached_fail_while_rest_is_well(name: str) -> None:
    """X12"""

    async def story(world: World) -> None:
        world.network.add_host("streams.sim", "10.0.0.9")
        settings = world.settings()
        elsewhere = replace(
            settings.exchanges[name], websocket_url="ws://streams.sim:80/ws", private_websocket_url="ws://streams.sim:80/ws"
        )
        with world.network.partition("streams.sim"):
            checks = await look(world, replace(settings, exchanges={name: elsewhere}))
        found = statuses(checks)
        assert (found["rest"], found["credential"]) == ("ok", "ok")
        assert (found["public_stream"], found["private_stream"]) == ("fail", "fail")
        assert "streams.sim" in checks["public_stream"].detail
        assert checks["private_stream"].detail == "no answer within 5 s"
        assert (found["quantity btc"], found["funds btc"]) == ("skip", "skip")

    run_on(name, story)


@every_exchange
@pytest.mark.parametrize(("skew_milliseconds", "status"), [(-300_000, "fail"), (300_000, "fail"), (2_000, "warn"), (500, "ok")])
def test_clock_offset_is_warned_of_above_a_second_and_fails_outside_the_window(name: str, skew_milliseconds: int, status: str) -> None:
    """X12, T8"""

    async def story(world: World) -> None:
        world.exchange.skew_clock(skew_milliseconds)
        checks = await look(world)
        assert checks["clock"].status.value == status
        assert abs(checks["clock"].data["offset_milliseconds"] - skew_milliseconds) < 20
        assert checks["credential"].status is CheckStatus.OK, "what is signed is signed by the exchange's clock"
        assert checks["private_stream"].status is CheckStatus.OK

    run_on(name, story)


@every_exchange
def test_unknown_symbol_is_named_with_those_that_are_near(name: str) -> None:
    """X12"""

    async def story(world: World) -> None:
        checks = await look(world, world.settings(symbol=Symbol("BTCC", "USDT")))
        assert checks["instrument BTCC/USDT"].status is CheckStatus.FAIL
        assert "does not list BTCC/USDT; did you mean BTC/USDT" in checks["instrument BTCC/USDT"].detail
        found = statuses(checks)
        assert (found["public_stream"], found["quantity btc"], found["funds btc"]) == ("skip", "skip", "skip")
        assert (found["credential"], found["private_stream"]) == ("ok", "ok")

    run_on(name, story)


@every_exchange
def test_quantity_below_the_minimum_fails_and_one_barely_above_it_is_warned_of(name: str) -> None:
    """X12, T2"""
    market = MarketSettings(quantity_min=Decimal("0.0001"), notional_min=Decimal(6))

    async def story(world: World) -> None:
        too_small = (await look(world, world.settings(quantity="0.5")))["quantity btc"]
        assert too_small.status is CheckStatus.FAIL
        assert ("buys no contract" if world.codec.capabilities.positions else "below the minimum") in too_small.detail
        barely = (await look(world, world.settings(quantity="6.01")))["quantity btc"]
        # Of contracts no fee is taken from what was bought: all of it can be sold again.
        assert barely.status is (CheckStatus.OK if world.codec.capabilities.positions else CheckStatus.WARN)

    run_on(name, story, simulation=SimulationSettings(markets=(market,)))


@every_exchange
def test_funds_that_do_not_cover_a_round_fail_and_those_of_one_cycle_of_two_are_warned_of(name: str) -> None:
    """X12"""

    async def story(world: World) -> None:
        short = (await look(world, world.settings(quantity="20000")))["funds btc"]
        assert short.status is CheckStatus.FAIL
        assert "10000 available" in short.detail
        shared = await look(world, world.settings(quantity="6000", names=("btc", "more")))
        assert (statuses(shared)["funds btc"], statuses(shared)["funds more"]) == ("warn", "warn")

    run_on(name, story)


@every_exchange
def test_key_that_may_only_read_is_told_where_the_exchange_tells_it(name: str) -> None:
    """X12"""
    reader = SimulationSettings(accounts=(AccountSettings(permissions="read"),))

    async def story(world: World) -> None:
        checks = await look(world)
        assert checks["credential"].status is CheckStatus.OK
        if world.codec.key_inquiry is None:
            assert checks["permissions"].status is CheckStatus.SKIP
            assert "not known without placing an order" in checks["permissions"].detail
        else:
            assert checks["permissions"].status is CheckStatus.FAIL
            assert "may not trade" in checks["permissions"].detail

    run_on(name, story, simulation=reader)


@every_exchange
def test_exchange_in_maintenance_is_a_failure_in_its_own_words(name: str) -> None:
    """X12"""

    async def story(world: World) -> None:
        world.exchange.start_maintenance()
        checks = await look(world)
        assert checks["rest"].status is CheckStatus.FAIL
        assert "the exchange refuses" in checks["rest"].detail

    run_on(name, story)
