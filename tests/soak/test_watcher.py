"""The watcher sees what it is there for: each thing that must never be true is made true once, and found."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal

import pytest
import trio
from msgspec.structs import replace

from actors.accounts.session import AccountSession
from actors.cycle.quoting.strategies.simple import QuotingParameters
from assembly.recording import JournalRecorder
from market.events import Side
from market.symbol import Symbol
from network.rate_limit import GroupStatistics
from orders.commands import PlaceOrder
from orders.events import AccountLost, OrderPlaced
from orders.life_cycle import OrderInput
from orders.recording import NoRecorder
from orders.request import OrderRequest, OrderType, TimeInForce
from orders.states import TradingState
from simulated.engine.order import NewOrder, OrderKind
from simulated.faults import BookError, WrongLevel
from soak.checks.memory import ELEMENTS_MAX
from soak.checks.money import Money
from soak.options import Options, draw_options
from soak.outcome import Outcome, Verdict
from soak.run import run_options
from soak.strategies import Cycle, draw_cycle_of_rounds
from soak.worlds.interference import Hang, journal_of
from soak.worlds.place import Place
from soak.worlds.world import World

BTC_USDT = Symbol("BTC", "USDT")
STRANGE = "mm-one-zzzzzzzzzz"


def quiet_world(name: str, *, seconds: float = 14.4) -> Options:
    """One cycle, no faults, a market in which its sell rests."""
    drawn = draw_options(1, hours=seconds / 3600, kinds=(), exchanges=(name,))
    simulation = drawn.simulations[name]
    calm = {"taker_rate_per_second": 0.0, "volatility_per_second": 0.0, "gap_rate_per_second": 0.0}
    still = tuple(replace(market, **calm) for market in simulation.markets)
    return replace(
        drawn,
        cycles=(draw_cycle_of_rounds(random.Random(1), Place(name, BTC_USDT, "one")),),
        simulations={name: replace(simulation, markets=still)},
        rounds=0,
        orders_by_rest=False,
        latencies_seconds={name: (0.001, 0.005)},
        losses={},
        terms={},
        day_ends_after_seconds=None,
        program_loss=None,
    )


def when_placed(break_it: Callable[[World], object], *, name: str = "gateio_spot", count: int = 1, seconds: float = 14.4) -> Outcome:
    """What comes of a quiet world in which something is broken when the sell has been placed."""

    def watch(world: World) -> None:
        left = count

        async def act() -> None:
            await trio.sleep(0.01)
            break_it(world)

        def see(event: object) -> None:
            nonlocal left
            if isinstance(event, OrderPlaced) and event.order.request.side is Side.SELL:
                left -= 1
                if left == 0:
                    world.nursery.start_soon(act)

        world.observers.append(see)

    return run_options(quiet_world(name, seconds=seconds), watch=watch)


def place_strange(world: World, *, client_order_id: str = STRANGE, side: Side = Side.BUY) -> None:
    venue = world.venue
    price = Decimal(50_000) if side is Side.BUY else Decimal(70_000)
    new = NewOrder(
        account="main",
        symbol=BTC_USDT,
        side=side,
        kind=OrderKind.LIMIT,
        price=price,
        quantity=Decimal("0.001"),
        client_id=venue.codec.wire_client_order_id(client_order_id),
    )
    venue.control.engine.place(new, world.wall_clock.milliseconds())


def request_by_hand(slot: str) -> OrderRequest:
    return OrderRequest(
        client_order_id=STRANGE,
        owner="one",
        symbol=BTC_USDT,
        side=Side.BUY,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.GOOD_TILL_CANCELLED,
        quantity=Decimal("0.0005"),
        price=Decimal(59_900),
        tag=f"1:{slot}",
    )


@pytest.mark.parametrize("name", ["gateio_spot", "gateio_futures", "mexc_spot", "okx_spot", "okx_swap"])
def test_order_of_ours_that_is_not_in_the_ledger_is_found_at_every_exchange(name: str) -> None:
    def place(world: World) -> None:
        world.exchange.drop_private_events(1_000)  # or else it would be adopted as an earlier run's
        world.exchange.deposit("BTC" if not world.venue.trades_contracts else "USDT", Decimal(1))
        place_strange(world, client_order_id="mm-two-zzzzzzzzzz", side=Side.SELL)

    outcome = when_placed(place, name=name)
    assert outcome.verdict is Verdict.VIOLATION
    assert f"mm-two-zzzzzzzzzz is open at {name} and not in the ledger" in outcome.first_line


def order_of_slot(slot: str) -> Callable[[World], None]:
    """Submits, past the strategy, one more order of the cycle, and lets the exchange have it."""

    def act(world: World) -> None:
        ledger, now = world.account.ledger, trio.current_time()
        for event in ledger.record_intent(request_by_hand(slot), now=now):
            for observe in world.observers:
                observe(event)
        ledger.record_sent(STRANGE, sent_at_milliseconds=0, expires_at_milliseconds=None)
        place_strange(world)

    return act


def test_second_order_of_one_intent_is_found() -> None:
    outcome = when_placed(order_of_slot("sell"))
    assert outcome.verdict is Verdict.VIOLATION
    assert f"{STRANGE} of one's sell was accepted by gateio_spot while mm-one-" in outcome.first_line


def test_order_of_another_intent_of_the_same_cycle_is_none_too_many() -> None:
    outcome = when_placed(order_of_slot("another"))
    assert "was accepted by" not in outcome.told


def test_order_that_is_open_there_and_ended_here_is_found() -> None:
    def forget(world: World) -> None:
        (order,) = world.account.ledger.live_orders()
        world.account.ledger.record_input(order.client_order_id, OrderInput.SAID_CANCELLED, now=trio.current_time())

    outcome = when_placed(forget)
    assert outcome.verdict is Verdict.VIOLATION
    assert "is open at gateio_spot and cancelled here" in outcome.first_line


def test_exposure_beyond_the_limit_is_found() -> None:
    def buy_much(world: World) -> None:
        new = NewOrder(
            account="main",
            symbol=BTC_USDT,
            side=Side.BUY,
            kind=OrderKind.MARKET,
            quote_quantity=Decimal(5_000),
            client_id=world.codec.wire_client_order_id("mm-two-zzzzzzzzzz"),
        )
        world.exchange.engine.place(new, world.wall_clock.milliseconds())

    outcome = when_placed(buy_much)
    assert outcome.verdict is Verdict.VIOLATION
    assert "makes the exposure at gateio_spot" in outcome.first_line


def test_order_that_leaves_before_it_is_written_down_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def write_late(world: World) -> None:
        assert world.runtime_task is not None
        journal = journal_of(world.runtime_task)
        assert journal is not None
        Hang(journal)
        world.exchange.fill_order(world.exchange.open_orders()[0].id)  # a round is over, and the next one buys

    monkeypatch.setattr(JournalRecorder, "written", NoRecorder.written)
    outcome = when_placed(write_late)
    assert outcome.verdict is Verdict.VIOLATION
    assert "has come to gateio_spot, and the journal does not know it" in outcome.first_line


def test_short_exposure_beyond_the_limit_is_found() -> None:
    def sell_much(world: World) -> None:
        new = NewOrder(
            account="main",
            symbol=BTC_USDT,
            side=Side.SELL,
            kind=OrderKind.LIMIT,
            price=Decimal(70_000),
            quantity=Decimal("0.1"),
            client_id=world.codec.wire_client_order_id("mm-two-zzzzzzzzzz"),
        )
        world.exchange.engine.place(new, world.wall_clock.milliseconds())

    outcome = when_placed(sell_much, name="gateio_futures")
    assert outcome.verdict is Verdict.VIOLATION
    assert "makes the exposure at gateio_futures" in outcome.first_line


def test_amendment_on_a_book_that_is_too_old_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def amend(world: World) -> None:
        monkeypatch.setattr("soak.checks.departures.COMMAND_LIFETIME_SECONDS", -100.0)  # as if it had been decided on so long ago
        (order,) = world.account.ledger.live_orders()
        world.account.ledger.record_amendment(order.client_order_id, price=Decimal(70_000), quantity=None, now=trio.current_time())

    outcome = when_placed(amend, name="okx_spot")
    assert outcome.verdict is Verdict.VIOLATION
    assert " was amended " in outcome.first_line
    assert "after the last book of BTC/USDT at okx_spot" in outcome.first_line


def test_order_that_leaves_in_a_halted_state_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.accounts.order_desk.standing_refusal", lambda *_: None)

    def halt_and_order(world: World) -> None:
        assert world.runtime is not None
        world.runtime.tree.states.enter("global", TradingState.HALTED, "test")
        world.nursery.start_soon(order_by_hand, world)

    async def order_by_hand(world: World) -> None:
        await trio.sleep(0.5)
        command = PlaceOrder(request=request_by_hand("buy"), expires_at=trio.current_time() + 2)
        world.account.commands_sender.send_nowait(command)

    outcome = when_placed(halt_and_order)
    assert outcome.verdict is Verdict.VIOLATION
    assert f"{STRANGE} left while trading was halted" in outcome.first_line


TWO = Place("okx_swap", BTC_USDT, "two")


async def do_nothing(_: object) -> None:
    await trio.lowlevel.checkpoint()


def permit(*_: object) -> None:
    return


def pull_nothing(*_: object) -> tuple[()]:
    return ()


async def order_in_reduce_only(world: World, side: Side = Side.BUY) -> None:
    """By a hand that does nothing else; everything is free again afterwards."""
    assert world.runtime is not None
    states = world.runtime.tree.states
    states.enter("global", TradingState.REDUCE_ONLY, "test")
    await trio.sleep(1)
    price = Decimal(59_900) if side is Side.BUY else Decimal(60_100)
    request = replace(request_by_hand("buy"), client_order_id="mm-two-zzzzzzzzzz", owner="two", side=side, price=price)
    world.account.commands_sender.send_nowait(PlaceOrder(request=request, expires_at=trio.current_time() + 2))
    await trio.sleep(1)
    states.enter("global", TradingState.RUN, "by the test")


def test_order_that_makes_a_position_larger_in_reduce_only_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("soak.hand.Hand.act", do_nothing)
    monkeypatch.setattr("actors.accounts.order_desk.standing_refusal", permit)
    monkeypatch.setattr("actors.accounts.standing_desk.orders_to_pull", pull_nothing)

    def watch(world: World) -> None:
        world.nursery.start_soon(when_ready, world)

    async def when_ready(world: World) -> None:
        await trio.sleep(2)
        await order_in_reduce_only(world)

    outcome = run_options(replace(quiet_world("okx_swap"), hands=(TWO,)), watch=watch)
    assert outcome.verdict is Verdict.VIOLATION
    assert "mm-two-zzzzzzzzzz left and made the position larger while trading was reduce_only" in outcome.first_line


def of_a_short_position(side: Side) -> tuple[Outcome, list[str]]:
    """What comes of an order of a hand while trading is reduce-only and somebody who quotes is short; and all ids placed."""
    options = quiet_world("okx_swap")
    quoting = Cycle(
        place=options.cycles[0].place,
        strategy="quoting",
        parameters=QuotingParameters(filled_order_delay_seconds=0.0),
        quote_quantity=Decimal(100),
    )
    placed: list[str] = []

    def watch(world: World) -> None:
        async def act() -> None:
            for _ in range(2):  # so that it is larger than what the cycle's own bid would buy back
                await trio.sleep(0.5)
                world.exchange.fill_order(next(order.id for order in world.exchange.open_orders() if order.side is Side.SELL))
            await trio.sleep(0.5)
            await order_in_reduce_only(world, side)

        def see(event: object) -> None:
            if isinstance(event, OrderPlaced):
                if not placed:
                    world.nursery.start_soon(act)
                placed.append(event.order.client_order_id)

        world.observers.append(see)

    return run_options(replace(options, cycles=(quoting,), hands=(TWO,)), watch=watch), placed


def test_order_that_makes_the_short_position_of_somebody_who_quotes_smaller_may_leave_in_reduce_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("soak.hand.Hand.act", do_nothing)
    outcome, placed = of_a_short_position(Side.BUY)
    assert "mm-two-zzzzzzzzzz" in placed
    assert "made the position larger" not in outcome.told
    assert outcome.verdict is Verdict.FINE, outcome.told


def test_order_that_makes_a_short_position_larger_in_reduce_only_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("soak.hand.Hand.act", do_nothing)
    monkeypatch.setattr("actors.accounts.order_desk.standing_refusal", permit)
    monkeypatch.setattr("actors.accounts.standing_desk.orders_to_pull", pull_nothing)
    outcome, _ = of_a_short_position(Side.SELL)
    assert outcome.verdict is Verdict.VIOLATION
    assert "mm-two-zzzzzzzzzz left and made the position larger while trading was reduce_only" in outcome.first_line


def test_book_that_its_checksum_shows_to_be_wrong_is_found_when_it_is_published(monkeypatch: pytest.MonkeyPatch) -> None:
    def watch(world: World) -> None:
        world.nursery.start_soon(when_there_is_a_book, world)

    async def when_there_is_a_book(world: World) -> None:
        await trio.sleep(2)
        world.exchange.tell_wrong_level(BTC_USDT, WrongLevel(BookError.EXTRA, Side.BUY, 0))

    quiet = quiet_world("okx_spot")
    simulation = replace(quiet.simulations["okx_spot"], book_checksums=True)
    options = replace(quiet, kinds=("wrong_book",), simulations={"okx_spot": simulation})
    assert run_options(options, watch=watch).verdict is Verdict.FINE
    monkeypatch.setattr("actors.feeds.book_sync.BookSynchroniser._checksum_loss", permit)
    outcome = run_options(options, watch=watch)
    assert outcome.verdict is Verdict.VIOLATION
    assert "the program published a book of BTC/USDT that okx_spot never had" in outcome.first_line


def test_requests_beyond_the_documented_limits_are_found() -> None:
    outcome = when_placed(lambda world: world.exchange._limits.exceeded.update(orders=1))
    assert outcome.verdict is Verdict.VIOLATION
    assert "more was asked of gateio_spot than its documented limits allow: {'orders': 1}" in outcome.first_line


def test_requests_that_took_no_place_in_the_rate_limits_are_found_whatever_the_wire_does_to_them(monkeypatch: pytest.MonkeyPatch) -> None:
    async def take_no_place(*_: object, **__: object) -> None:
        await trio.lowlevel.checkpoint()

    monkeypatch.setattr("network.limits.ExchangeLimits.acquire", take_no_place)
    monkeypatch.setattr("network.limits.ExchangeLimits.try_acquire_nowait", lambda *_, **__: True)
    outcome = when_placed(lambda world: world.network.set_latency(world.venue.host, 0.5, 2.0))
    assert outcome.verdict is Verdict.VIOLATION
    assert "more came to gateio_spot than left through its rate limits: " in outcome.first_line


def test_program_that_goes_on_asking_while_it_is_banned_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def ban(world: World) -> None:
        world.exchange.ban_for(20.0)

    assert when_placed(ban).verdict is Verdict.FINE
    monkeypatch.setattr("network.limits.BANNED", 0)
    outcome = when_placed(ban)
    assert outcome.verdict is Verdict.VIOLATION
    assert "came to gateio_spot, which had told of a ban" in outcome.first_line


def test_limiter_that_grants_more_than_its_limit_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("network.rate_limit._Bucket.statistics", generous)
    outcome = when_placed(lambda world: None)
    assert outcome.verdict is Verdict.VIOLATION
    assert "places in currency_pairs were granted at gateio_spot in 5.0 s, and the limit is" in outcome.first_line


def generous(_: object) -> GroupStatistics:
    return GroupStatistics(capacity=10, available=0, waiting=0, granted=10_000, waited_seconds=0.0, penalised_until_monotonic=0.0)


def test_collection_of_the_program_that_grows_too_large_is_found_wherever_it_is() -> None:
    def leak(world: World) -> None:
        world.account.memory._counting.update({Symbol(f"C{number}", "USDT"): 0 for number in range(ELEMENTS_MAX + 1)})

    outcome = when_placed(leak)
    assert outcome.verdict is Verdict.VIOLATION
    assert f"AccountMemory._counting holds {ELEMENTS_MAX + 2} things, and {ELEMENTS_MAX} are the most" in outcome.first_line


def test_ledger_that_forgets_no_ended_order_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("soak.checks.memory.BOUNDS", {"AccountLedger._ended_ids": 0})
    outcome = when_placed(lambda world: None)
    assert outcome.verdict is Verdict.VIOLATION
    assert "AccountLedger._ended_ids holds " in outcome.first_line


@pytest.mark.parametrize("name", ["gateio_spot", "gateio_futures", "okx_spot"])
def test_switch_that_is_not_renewed_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never_renew(*_: object) -> None:
        await trio.sleep_forever()

    monkeypatch.setattr("actors.accounts.dead_mans_switch.DeadMansSwitch.keep", never_renew)
    monkeypatch.setattr("soak.life.SWITCH_SECONDS_TO_BE_ARMED", 5.0)
    outcome = run_options(replace(quiet_world(name), hours=0.03))
    assert outcome.verdict is Verdict.VIOLATION
    assert f"open at {name}, and its dead-man's switch is not armed" in outcome.first_line


def test_trade_that_the_journal_does_not_have_is_found_at_the_end() -> None:
    def trade_unseen(world: World) -> None:
        world.journal.rows("DELETE FROM fills")

    outcome = when_placed(trade_unseen)
    assert outcome.verdict is Verdict.VIOLATION
    assert "trades at gateio_spot are not in the journal" in outcome.first_line


@pytest.mark.parametrize("name", ["gateio_spot", "okx_swap"])
def test_payment_that_the_journal_has_and_the_exchange_never_made_is_found_at_the_end(name: str) -> None:
    def pay(world: World) -> None:
        world.journal.rows(
            "INSERT INTO funding (exchange, account, symbol, payment_id, amount, asset, at) "
            "VALUES ('x', 'main', 'BTC/USDT', '1', '0.25', 'USDT', 1)"
        )

    outcome = when_placed(pay, name=name)
    assert outcome.verdict is Verdict.VIOLATION
    assert f"USDT at {name} has changed by " in outcome.first_line
    assert "by all fills, fees and payments of the journal" in outcome.first_line


def test_ledger_that_counts_what_the_balances_do_not_show_is_found() -> None:
    said: list[str] = []
    # Who begins to count only now misses the buy that the ledger has counted.
    outcome = when_placed(lambda world: said.append(Money(world.venue).wrong_here(world.account)))
    assert outcome.verdict is Verdict.FINE
    assert said[0].startswith("BTC at gateio_spot has changed by 0.000000000 since the beginning, and by 0.00")
    assert said[0].endswith("by all fills, fees and payments of the ledger of main")


def test_program_that_does_not_quote_again_has_not_converged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("soak.life.CONVERGENCE_SECONDS_MAX", 20.0)
    outcome = when_placed(lambda world: world.network.partition(world.venue.host))
    assert outcome.verdict is Verdict.FINE  # the partition is lifted before anything is expected
    monkeypatch.setattr("network.simulated_network.SimulatedNetwork.repair", lambda *_: None)
    outcome = when_placed(lambda world: world.network.partition(world.venue.host))
    assert outcome.verdict is Verdict.NOT_CONVERGED
    assert "20 s after the last fault" in outcome.first_line


def test_cycle_whose_every_order_is_refused_has_not_converged(monkeypatch: pytest.MonkeyPatch) -> None:
    exchange_time = AccountSession.exchange_time_milliseconds

    def twenty_seconds_ago(session: AccountSession) -> int:
        return exchange_time(session) - 20_000  # orders that leave so have expired when they arrive

    monkeypatch.setattr("soak.life.CONVERGENCE_SECONDS_MAX", 20.0)
    monkeypatch.setattr(AccountSession, "exchange_time_milliseconds", twenty_seconds_ago)
    outcome = run_options(quiet_world("gateio_spot"))
    assert outcome.verdict is Verdict.NOT_CONVERGED
    assert "20 s after the last fault the cycle one does not quote" in outcome.first_line, outcome.first_line


def test_program_that_spins_is_found_although_no_time_passes() -> None:
    async def spin(world: World) -> None:
        while True:
            for observe in tuple(world.observers):
                observe(AccountLost("main", "it spins"))
            await trio.lowlevel.checkpoint()

    outcome = when_placed(lambda world: world.nursery.start_soon(spin, world))
    assert outcome.verdict is Verdict.VIOLATION
    assert "the program tells of more than 2000 things at once, and no time passes" in outcome.first_line, outcome.first_line


def test_program_that_raises_is_a_violation_and_not_a_fault_of_the_simulator(monkeypatch: pytest.MonkeyPatch) -> None:
    def raise_it(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("assembly.runtime.Runtime._stop_when_asked", raise_it)
    outcome = when_placed(lambda world: None)
    assert outcome.verdict is Verdict.VIOLATION
    assert "the program raised ZeroDivisionError: a bug" in outcome.first_line
