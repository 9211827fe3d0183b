"""What a person says to a run: when it is answered, what is refused, and how it goes together with stops, crashes and restarts."""

from __future__ import annotations

import os
import socket
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
import trio
from test_following_the_market import NO_TAKERS, exchange_id, placed_sell
from world import BTC_USDT, HOST, World, scenario

from assembly.control.desk import PULL_SECONDS_MAX
from assembly.control.listening import ControlSocket
from assembly.control.protocol import Answer, Command, Request, Status
from assembly.presenter.report import ExitStatus, RuntimeStopping
from orders.events import AccountReady, OrderCancelRequested, OrderFateUnknown
from orders.life_cycle import OrderState
from orders.reconciliation import CyclePhaseChanged, CycleReconciled
from orders.states import StateEntered, StateRecovered, TradingState
from simulated.faults import Operation
from supervision.events import IntensityExceeded

QUIET_SECONDS = 20.0


async def say(world: World, command: Command, scope: str = "global", **fields: Any) -> Answer:
    assert world.runtime is not None
    return await world.runtime.desk.carry_out(Request(version=1, command=command, scope=scope, **fields), by="mm-ctl")


async def status(world: World) -> Status:
    found = (await say(world, Command.STATUS)).status
    assert found is not None
    return found


def state_of(world: World, scope: str = "global") -> TradingState:
    assert world.runtime is not None
    entered = world.runtime.tree.states.declared().get(scope)
    return TradingState.RUN if entered is None else entered.state


@scenario(seed=501, simulation=NO_TAKERS)
async def test_pause_is_answered_once_the_quote_is_cancelled_and_resume_goes_on(world: World) -> None:
    await world.start()
    await placed_sell(world)
    answer = await say(world, Command.PAUSE, reason="lunch")
    assert world.our_open_orders() == []
    assert answer.done
    assert answer.orders is not None
    assert (answer.orders.cancelled, answer.orders.filled, answer.orders.still_open) == (1, 0, ())
    assert answer.message == "global is paused now.\n1 order pulled: 1 cancelled, nothing is left open."
    again = await say(world, Command.PAUSE)
    assert (again.done, again.message) == (True, "global is paused already, by mm-ctl: lunch.\nNo order had to be pulled.")
    resumed = await say(world, Command.RESUME)
    assert (resumed.done, resumed.message, resumed.orders) == (True, "global is run now.", None)
    world.exchange.fill_order(exchange_id(await placed_sell(world, 2)))
    await world.end()


@scenario(seed=514, simulation=NO_TAKERS)
async def test_order_whose_cancellation_is_under_way_already_is_awaited_too(world: World) -> None:
    await world.start()
    await placed_sell(world)
    world.exchange.delay_requests(Operation.CANCEL, 1.0, 1)
    world.exchange.move_market(BTC_USDT, Decimal(59_000))
    await world.wait_for(OrderCancelRequested)
    answer = await say(world, Command.PAUSE)
    assert answer.orders is not None
    assert (answer.orders.cancelled, answer.orders.still_open) == (1, ())
    assert world.our_open_orders() == []
    resumed = await say(world, Command.RESUME, "account:main")
    assert resumed.message == "account:main is run already.\nBut global is paused (by mm-ctl)."
    world.stop()
    await world.end()


@scenario(seed=502, simulation=NO_TAKERS)
async def test_order_that_stays_open_is_named_after_a_while_and_cancelled_when_that_is_possible(world: World) -> None:
    await world.start(dead_mans_switch_seconds=0)
    sell = await placed_sell(world)
    world.network.stall(HOST)
    asked_at = trio.current_time()
    answer = await say(world, Command.HALT)
    assert trio.current_time() - asked_at == pytest.approx(PULL_SECONDS_MAX)
    assert answer.done, "the state is in force, whatever the exchange does"
    assert answer.orders is not None
    assert answer.orders.still_open == (sell.client_order_id,)
    assert f"1 STILL OPEN after 3.0 s, which is tried again until they have ended: {sell.client_order_id}" in answer.message
    world.network.repair()
    await world.wait_until(lambda: not world.our_open_orders(), within_seconds=60)
    world.stop()
    await world.end()


@scenario(seed=503, simulation=NO_TAKERS)
async def test_halted_scope_is_freed_by_nothing_but_somebody_who_has_looked(world: World) -> None:
    await world.start()
    await placed_sell(world)
    await say(world, Command.HALT, reason="something smells")
    for command in (Command.RESUME, Command.PAUSE, Command.REDUCE_ONLY):
        answer = await say(world, command)
        assert not answer.done, command
        assert "global was halted by mm-ctl: something smells" in answer.message
        assert answer.halted is not None
        assert answer.halted.state is TradingState.HALTED
    assert world.runtime is not None
    assert "was halted" in (world.runtime.desk.enter(Command.RESUME, by="SIGUSR2") or "")
    assert state_of(world) is TradingState.HALTED
    assert (await say(world, Command.PAUSE, from_halt=True)).done
    assert state_of(world) is TradingState.PAUSED
    assert (await say(world, Command.RESUME)).done
    world.exchange.fill_order(exchange_id(await placed_sell(world, 2)))
    await world.end()


@scenario(seed=504, simulation=NO_TAKERS)
async def test_scope_that_is_not_there_is_refused_with_those_that_are(world: World) -> None:
    await world.start()
    await placed_sell(world)
    for scope, meant in (("btc", "cycle:btc"), ("acount:main", "account:main"), ("symbol:main:ETH/USDT", "symbol:main:BTC/USDT")):
        answer = await say(world, Command.HALT, scope)
        assert not answer.done
        assert answer.message == (
            f'there is no scope "{scope}". Did you mean "{meant}"? There is: global, account:main, cycle:btc, symbol:main:BTC/USDT.'
        )
    assert len(world.our_open_orders()) == 1
    world.stop()
    await world.end()


@scenario(seed=505, simulation=NO_TAKERS)
async def test_request_for_another_settings_file_is_refused(world: World) -> None:
    await world.start()
    answer = await say(world, Command.HALT, settings="/elsewhere/config.toml")
    assert not answer.done
    assert "not of /elsewhere/config.toml" in answer.message
    assert state_of(world) is TradingState.RUN
    world.stop()
    await world.end()


@scenario(seed=506, simulation=NO_TAKERS)
async def test_cycle_alone_is_paused_and_resuming_it_says_what_else_holds_it_back(world: World) -> None:
    await world.start(names=("btc", "two"))
    await world.wait_until(lambda: len(world.our_open_orders()) == 2)
    answer = await say(world, Command.PAUSE, "cycle:two")
    assert answer.orders is not None
    assert answer.orders.cancelled == 1
    assert [order.startswith("t-mm-btc-") for order in world.our_open_orders()] == [True]
    assert (await say(world, Command.REDUCE_ONLY, "account:main", reason="enough")).done
    resumed = await say(world, Command.RESUME, "cycle:two")
    assert resumed.message == "cycle:two is run now.\nBut account:main is reduce_only (by mm-ctl: enough)."
    world.stop()
    await world.end()


@scenario(seed=507, simulation=NO_TAKERS)
async def test_run_of_three_rounds_that_is_halted_waits_and_a_stop_ends_it_cleanly(world: World) -> None:
    await world.start(cycles=3)
    world.exchange.fill_order(exchange_id(await placed_sell(world)))
    await world.wait_for(CycleReconciled)
    await placed_sell(world, 2)
    await say(world, Command.HALT)
    await trio.sleep(QUIET_SECONDS)
    assert world.is_running
    assert "global is halted" in world.seen(CyclePhaseChanged)[-1].phase
    world.stop()
    report = await world.end()
    assert [(left.scope, left.state) for left in report.states] == [("global", TradingState.HALTED)]
    assert report.states_are_kept
    assert report.states[0].lifted_by == "bin/mm-ctl config.toml resume --from-halt"


@scenario(seed=508, simulation=NO_TAKERS)
async def test_halt_in_the_middle_of_a_stop_holds_for_the_next_run(world: World) -> None:
    await world.start()
    await placed_sell(world)
    world.exchange.delay_requests(Operation.CANCEL, 0.5, 10)
    world.stop()
    await world.wait_for(RuntimeStopping)
    answer = await say(world, Command.HALT, reason="too late?")
    assert answer.done
    assert "The program is stopping" in answer.message
    await world.end()
    await world.start()
    recovered = await world.wait_for(StateRecovered)
    entered = next(time for time, event in world.events if isinstance(event, StateEntered))
    assert (recovered.state, recovered.reason) == (TradingState.HALTED, "by mm-ctl: too late?")
    assert recovered.since_milliseconds <= world.wall_clock.milliseconds()
    await trio.sleep(QUIET_SECONDS)
    found = (await status(world)).states[0]
    assert found.since_milliseconds == recovered.since_milliseconds, "since it was said, and not since the restart"
    assert world.wall_clock.milliseconds() - found.since_milliseconds == pytest.approx((trio.current_time() - entered) * 1000, abs=50)
    assert (await say(world, Command.RESUME, from_halt=True)).done
    world.exchange.fill_order(exchange_id(await placed_sell(world, 2)))
    await world.end()


@scenario(seed=509, simulation=NO_TAKERS)
async def test_stop_while_paused_ends_cleanly_and_the_next_run_is_paused(world: World) -> None:
    await world.start()
    await placed_sell(world)
    await say(world, Command.PAUSE, "account:main")
    world.stop()
    report = await world.end()
    assert [(left.scope, left.lifted_by) for left in report.states] == [("account:main", "bin/mm-ctl config.toml resume account:main")]
    await world.start()
    assert (await world.wait_for(StateRecovered)).scope == "account:main"
    world.stop()
    await world.end()


@scenario(seed=510, simulation=NO_TAKERS)
async def test_pause_while_the_account_is_dead_holds_when_it_is_back(world: World) -> None:
    await world.start()
    await placed_sell(world)
    world.crash_account()
    answer = await say(world, Command.PAUSE)
    assert answer.orders is not None
    assert (answer.orders.cancelled, answer.orders.still_open) == (1, ()), "closing has cancelled it: whoever does, it is told"
    await trio.sleep(QUIET_SECONDS)
    assert world.our_open_orders() == []
    assert (await status(world)).accounts[0].actor == "ready, 1x restarted"
    await say(world, Command.RESUME)
    world.exchange.fill_order(exchange_id(await placed_sell(world, 2)))
    await world.end()


@scenario(seed=511, simulation=NO_TAKERS)
async def test_pause_while_the_private_stream_is_reconnecting_pulls_over_rest(world: World) -> None:
    await world.start()
    await placed_sell(world)
    world.network.drop_connections(HOST)
    answer = await say(world, Command.PAUSE)
    assert answer.orders is not None
    assert answer.orders.still_open == ()
    assert world.our_open_orders() == []
    await say(world, Command.RESUME)
    world.exchange.fill_order(exchange_id(await placed_sell(world, 2)))
    await world.end()


@scenario(seed=512, simulation=NO_TAKERS)
async def test_state_that_cannot_be_written_down_is_in_force_and_said_not_to_be_kept(world: World) -> None:
    await world.start()
    await placed_sell(world)
    world.fill_journal()
    answer = await say(world, Command.HALT)
    assert answer.done
    assert "IT IS NOT WRITTEN DOWN, and a restart may not know of it" in answer.message
    report = await world.ended()
    assert report is not None
    assert report.exit_status is ExitStatus.FAILED
    assert world.our_open_orders() == []


@scenario(seed=513, simulation=NO_TAKERS)
async def test_status_tells_orders_of_unknown_fate_with_their_age(world: World) -> None:
    world.orders_by_rest = True
    await world.start(dead_mans_switch_seconds=0)
    await placed_sell(world)
    world.exchange.fail_before_accepting(Operation.PLACE)
    world.exchange.fail_before_accepting(Operation.QUERY, count=10_000)
    world.exchange.move_market(BTC_USDT, Decimal(59_000))
    order = (await world.wait_for(OrderFateUnknown, within_seconds=10)).order
    assert order.state is OrderState.UNKNOWN
    await trio.sleep(7.0)
    (account,) = (await status(world)).accounts
    assert account.unknown_orders == 1
    assert account.unknown[0].client_order_id == order.client_order_id
    assert account.unknown[0].seconds == pytest.approx(7.0, abs=0.1)
    world.exchange.clear_faults()
    world.stop()
    await world.end()


async def ask(path: Path, request: Request) -> Answer:
    """Over the socket, as a client does."""
    client_socket = socket.socket(socket.AF_UNIX)  # a real one, which the world's network does not have
    client_socket.connect(os.fspath(path))
    async with trio.SocketStream(trio.socket.from_stdlib_socket(client_socket)) as client:
        await client.send_all(msgspec.json.encode(request) + b"\n")
        data = b""
        while not data.endswith(b"\n"):
            data += await client.receive_some()
        return msgspec.json.decode(data, type=Answer)


@scenario(seed=515, simulation=NO_TAKERS)
async def test_run_is_spoken_to_before_its_exchange_answers_and_starts_halted_then(world: World) -> None:
    with TemporaryDirectory() as folder, ControlSocket(Path(folder) / "control.sock") as control:
        refused = world.network.refuse(HOST)
        await world.start(control=control)
        answer = await ask(control.path, Request(version=1, command=Command.HALT))
        assert (answer.done, answer.message) == (True, "global is halted now.\nNo order had to be pulled.")
        told = (await ask(control.path, Request(version=1, command=Command.STATUS))).status
        assert told is not None
        assert (told.accounts[0].view, told.cycles[0].phase) == ("not yet", "not yet")
        refused.repair()
        await world.wait_for(AccountReady)
        await trio.sleep(QUIET_SECONDS)
        assert not world.exchange.orders()
        world.stop()
        await world.end()


@scenario(seed=516, simulation=NO_TAKERS)
async def test_run_whose_control_server_is_broken_for_good_goes_on_without_it(world: World) -> None:
    with TemporaryDirectory() as folder, ControlSocket(Path(folder) / "control.sock") as control:
        control.listener.close()
        await world.start(control=control)
        exceeded = await world.wait_for(IntensityExceeded)
        assert exceeded.supervisor == "root/controls"
        await trio.sleep(QUIET_SECONDS)
        assert len(world.our_open_orders()) == 1
        world.stop()
        await world.end()
