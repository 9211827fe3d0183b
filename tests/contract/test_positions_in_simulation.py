"""What the whole program must do on every registered exchange of contracts, over its wire protocol, in virtual time.

What it must do on every exchange is in `test_exchange_in_simulation`. Each test names the rows of the requirements that it is about.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import pytest
from hand import hand_in
from msgspec.structs import replace

from actors.accounts.events import AccountTrouble, LeverageSet
from assembly.presenter.report import ExitStatus
from assembly.registry import EXCHANGES
from market.events import FundingRateChanged, LiquidationHappened, MarkPriceChanged, Side
from orders.events import AccountReady, FundingPaid, OrderPlaced
from orders.life_cycle import OrderState
from orders.order import Order
from orders.positions import PositionBooks
from orders.reconciliation import CycleReconciled
from orders.reports import MarginMode
from simulated.engine.order import NewOrder, OrderKind
from simulated.engine.position import Position
from simulated.settings import AccountSettings, MarketSettings, SimulationSettings

sys.path.insert(0, str(Path(__file__).parent.parent / "scenarios"))
from world import BTC_USDT, World, run_world

every_exchange_of_contracts = pytest.mark.parametrize(
    "name", sorted(name for name, entry in EXCHANGES.items() if entry.account_codec().capabilities.positions)
)
QUIET = MarketSettings(taker_rate_per_second=0.0, gap_rate_per_second=0.0, volatility_per_second=0.0)
OTHER = AccountSettings(name="other", user_id=10_000_002, api_key="simulated-key-other", balances={"USDT": Decimal(1_000)})
MAIN = AccountSettings(balances={"USDT": Decimal(10_000)})
QUANTITY = Decimal("0.0016")


def run_on(name: str, story: Callable[[World], Awaitable[None]], *, seed: int, accounts: tuple[AccountSettings, ...] = (MAIN,)) -> None:
    run_world(story, seed=seed, simulation=SimulationSettings(markets=(QUIET,), accounts=accounts), exchange_name=name)


def held(world: World) -> Decimal:
    """The exchange's word about the position."""
    position = world.exchange.positions().get(BTC_USDT)
    return Decimal(0) if position is None else position.quantity


def position(world: World) -> Position:
    return world.exchange.engine.position("main", BTC_USDT)


def books(world: World) -> PositionBooks:
    found = world.account.ledger.positions
    assert found is not None
    return found


def wallet(world: World) -> Decimal:
    return sum(world.exchange.balances()["USDT"])


def leverage_max(world: World) -> Decimal:
    found = world.exchange.engine.instruments[BTC_USDT].leverage_max
    assert found is not None
    return found


def trade_elsewhere(world: World, account: str, side: Side, quantity: Decimal) -> None:
    """A market order that is not the program's."""
    order = NewOrder(account=account, symbol=BTC_USDT, side=side, kind=OrderKind.MARKET, quantity=quantity)
    world.exchange.engine.place(order, world.wall_clock.milliseconds())


async def placed_sell(world: World) -> Order:
    return (await world.wait_for(OrderPlaced, lambda event: event.order.request.side is Side.SELL)).order


async def wait_until_told(world: World) -> None:
    """Until the exchange's word about the position has come, and is what our fills add up to."""

    def is_told() -> bool:
        report = books(world).reports().get(BTC_USDT)
        return (report.quantity if report is not None else 0) == held(world) == books(world).account_of(BTC_USDT).quantity

    await world.wait_until(is_told)


@every_exchange_of_contracts
@pytest.mark.parametrize("margin_mode", list(MarginMode))
def test_leverage_is_set_up_to_the_contract_s_maximum_before_the_first_order(name: str, margin_mode: MarginMode) -> None:
    """T1, X3, X4"""

    async def story(world: World) -> None:
        await world.start(cycles=0, leverage=leverage_max(world), margin_mode=margin_mode)
        await placed_sell(world)
        assert [(event.symbol, event.leverage) for event in world.seen(LeverageSet)] == [(BTC_USDT, leverage_max(world))]
        assert position(world).leverage == leverage_max(world)
        assert position(world).is_cross is (margin_mode is MarginMode.CROSS)
        await world.wait_until(lambda: (report := books(world).reports().get(BTC_USDT)) is not None and report.leverage is not None)
        report = books(world).reports()[BTC_USDT]
        assert (report.leverage, report.margin_mode) == (leverage_max(world), margin_mode)
        world.stop()
        await world.end()

    run_on(name, story, seed=1)


@every_exchange_of_contracts
def test_order_of_an_earlier_run_is_cancelled_before_leverage_and_margin_mode_are_set(name: str) -> None:
    """T1, R3, X3, X4"""

    async def story(world: World) -> None:
        client_id = world.codec.wire_client_order_id("mm-btc-000000001")
        order = NewOrder(account="main", symbol=BTC_USDT, side=Side.BUY, price=Decimal(50_000), quantity=QUANTITY, client_id=client_id)
        left = world.exchange.engine.place(order, world.wall_clock.milliseconds())
        assert position(world).is_cross
        await world.start(cycles=0, leverage=Decimal(5), margin_mode=MarginMode.ISOLATED)
        await placed_sell(world)
        assert (left.is_open, left.filled_quantity) == (False, 0)
        assert not world.seen(AccountTrouble), "leverage and margin mode were not refused for its sake"
        assert (position(world).is_cross, position(world).leverage) == (False, 5)
        world.stop()
        await world.end()

    run_on(name, story, seed=22)


@every_exchange_of_contracts
def test_leverage_above_the_contract_s_maximum_ends_the_program_with_a_message(name: str) -> None:
    """T1, R3"""

    async def story(world: World) -> None:
        await world.start(leverage=leverage_max(world) + 1)
        report = await world.end(status=ExitStatus.USAGE)
        assert f"leverage is {leverage_max(world) + 1}" in report.reason
        assert f"allows {leverage_max(world)} at most" in report.reason
        assert not world.exchange.orders()

    run_on(name, story, seed=2)


@every_exchange_of_contracts
def test_account_in_hedge_mode_ends_the_program_with_a_message(name: str) -> None:
    """T1, R3, X3, X4"""

    async def story(world: World) -> None:
        await world.start()
        report = await world.end(status=ExitStatus.USAGE)
        assert "hedge mode" in report.reason
        assert "switch the account to one-way" in report.reason
        assert not world.exchange.orders()

    run_on(name, story, seed=3, accounts=(replace(MAIN, position_mode="hedge"),))


@every_exchange_of_contracts
@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("is_market", [True, False])
def test_reduce_only_order_without_a_position_comes_to_nothing(name: str, side: Side, is_market: bool) -> None:
    """T1, X3, X4"""

    async def story(world: World) -> None:
        hand = await hand_in(world)
        across = world.exchange.best_ask(BTC_USDT) if side is Side.BUY else world.exchange.best_bid(BTC_USDT)
        order = await hand.order(side, QUANTITY, price=None if is_market else across, reduce_only=True)
        assert order.state in (OrderState.REJECTED, OrderState.CANCELLED, OrderState.EXPIRED)
        assert not order.fills
        assert not world.exchange.trades()
        assert not held(world)
        world.stop()
        await world.end()

    run_on(name, story, seed=4)


@every_exchange_of_contracts
@pytest.mark.parametrize("side", list(Side))
def test_reduce_only_order_never_turns_a_position_round_or_makes_it_larger(name: str, side: Side) -> None:
    """T1, X3, X4"""

    async def story(world: World) -> None:
        hand = await hand_in(world)
        await hand.order(side, QUANTITY)
        opened = held(world)
        assert opened == (QUANTITY if side is Side.BUY else -QUANTITY)
        await hand.order(side, QUANTITY, reduce_only=True)
        assert held(world) == opened, "made no larger"
        await hand.order(side.opposite, 3 * QUANTITY, reduce_only=True)
        assert held(world) in (0, opened), "closed or left as it was"
        await wait_until_told(world)
        world.stop()
        await world.end()

    run_on(name, story, seed=5)


@every_exchange_of_contracts
@pytest.mark.parametrize("side", list(Side))
def test_close_position_closes_all_of_it_and_then_there_is_nothing_to_close(name: str, side: Side) -> None:
    """T1, T6, X3, X4"""

    async def story(world: World) -> None:
        hand = await hand_in(world)
        await hand.order(side, QUANTITY)
        trade_elsewhere(world, "main", side, QUANTITY)  # of which the program has not heard yet
        closing = await hand.known(await hand.close_position())
        assert closing.state is OrderState.FILLED
        assert closing.filled_quantity == 2 * QUANTITY
        assert closing.request.reduce_only
        assert not held(world)
        again = await hand.close_position()
        await world.settle()
        assert world.account.ledger.order(again) is None
        await wait_until_told(world)
        world.stop()
        await world.end()

    run_on(name, story, seed=6)


@every_exchange_of_contracts
def test_positions_told_are_the_exchange_s_from_opening_to_closing(name: str) -> None:
    """T3, T4, X3, X4"""

    async def story(world: World) -> None:
        hand = await hand_in(world)
        for side, quantity in ((Side.BUY, 1), (Side.BUY, 2), (Side.SELL, 1), (Side.SELL, 4), (Side.BUY, 1), (Side.BUY, 1)):
            await hand.order(side, quantity * QUANTITY)
            await wait_until_told(world)
            report, account = books(world).reports()[BTC_USDT], books(world).account_of(BTC_USDT)
            assert report.quantity == account.quantity == held(world)
            if held(world):
                entry_price = position(world).entry_price
                assert entry_price is not None
                assert report.entry_price is not None
                assert abs(report.entry_price - entry_price) < Decimal("1e-6")
                assert account.entry_price is not None
                assert abs(account.entry_price - entry_price) < Decimal("1e-6")
        assert not held(world)
        world.stop()
        await world.end()

    run_on(name, story, seed=7)


@every_exchange_of_contracts
@pytest.mark.parametrize("rate", [Decimal("0.001"), Decimal("-0.0007")])
def test_round_reconciles_profit_fees_and_funding_to_the_last_digit(name: str, rate: Decimal) -> None:
    """S1, T3, X3, X4"""

    async def story(world: World) -> None:
        before = wallet(world)
        await world.start(cycles=1)
        await placed_sell(world)
        world.exchange.freeze_flow()
        await world.settle()
        for _ in range(2):
            world.exchange.pay_funding(BTC_USDT, rate)
        await world.wait_for(FundingPaid, count=2)
        paid = sum(event.funding.amount for event in world.seen(FundingPaid))
        assert paid == position(world).funding
        assert (paid < 0) is (rate > 0), "whoever is long pays a positive rate"
        (resting,) = world.exchange.open_orders()
        world.exchange.fill_order(resting.id)
        await world.end()
        assert [event.agrees for event in world.seen(CycleReconciled)] == [True]
        account = books(world).account_of(BTC_USDT)
        assert (account.quantity, account.cost) == (0, 0)
        assert account.funding == paid
        assert account.realised - account.fees + account.funding == wallet(world) - before

    run_on(name, story, seed=8)


@every_exchange_of_contracts
def test_mark_prices_and_funding_rates_are_told_as_the_exchange_has_them(name: str) -> None:
    """D2, X3, X4"""

    async def story(world: World) -> None:
        engine = world.exchange.engine
        await hand_in(world)
        world.exchange.set_mark_price(BTC_USDT, Decimal("60123.4"))
        await world.wait_for(MarkPriceChanged, lambda event: event.mark_price == Decimal("60123.4"))
        told = world.seen(FundingRateChanged)[-1]
        assert (told.symbol, told.rate) == (BTC_USDT, engine.funding_rate(BTC_USDT))
        assert told.next_funding_milliseconds == engine.next_funding_milliseconds(BTC_USDT)
        world.stop()
        await world.end()

    run_on(name, story, seed=9)


@every_exchange_of_contracts
@pytest.mark.parametrize("side", list(Side))
def test_liquidation_of_anybody_is_told_in_base_units(name: str, side: Side) -> None:
    """D2, X3, X4"""

    async def story(world: World) -> None:
        engine = world.exchange.engine
        await hand_in(world)
        engine.set_leverage("other", BTC_USDT, Decimal(50), is_cross=False, now_milliseconds=world.wall_clock.milliseconds())
        trade_elsewhere(world, "other", side, 5 * QUANTITY)
        world.exchange.set_mark_price(BTC_USDT, Decimal(58_000 if side is Side.BUY else 62_000))
        told = await world.wait_for(LiquidationHappened)
        assert (told.symbol, told.side) == (BTC_USDT, side.opposite)
        assert told.quantity == pytest.approx(float(5 * QUANTITY))
        world.stop()
        await world.end()

    run_on(name, story, seed=10, accounts=(MAIN, OTHER))


@every_exchange_of_contracts
def test_our_own_liquidation_is_learned_and_leaves_nothing_that_is_believed_in(name: str) -> None:
    """T3, T4, X3, X4"""

    async def story(world: World) -> None:
        hand = await hand_in(world, leverage=Decimal(50), margin_mode=MarginMode.ISOLATED)
        await hand.order(Side.BUY, QUANTITY)
        resting = await hand.order(Side.SELL, QUANTITY, price=Decimal(61_000), reduce_only=True)
        assert resting.state is OrderState.OPEN
        world.exchange.set_mark_price(BTC_USDT, Decimal(58_000))
        assert not held(world)
        await wait_until_told(world)
        ended = await hand.known(resting.client_order_id)
        assert ended.is_terminal
        assert not ended.fills
        # Not every exchange tells balances by its stream; the next comparison does.
        await world.wait_until(lambda: (balance := world.account.ledger.balance("USDT")) is not None and balance.total == wallet(world))
        world.stop()
        await world.ended()
        world.check_nothing_is_open()

    run_on(name, story, seed=11)


@every_exchange_of_contracts
def test_position_of_an_earlier_run_is_read_at_the_start_and_left_alone(name: str) -> None:
    """T4, T7, R2, X3, X4"""

    async def story(world: World) -> None:
        await world.start(cycles=0)
        bought = (await placed_sell(world)).request.quantity
        world.stop()
        await world.end()
        assert held(world) == bought, "what a run holds at its end is kept, unless it is to be flattened"
        ready = len(world.seen(AccountReady))
        world.lose_journal()  # otherwise it would be this round's position, and the round would go on
        await world.start(cycles=0, flatten_on_stop=True)
        await world.wait_for(AccountReady, count=ready + 1)
        assert books(world).reports()[BTC_USDT].quantity == books(world).account_of(BTC_USDT).quantity == bought
        await world.wait_until(lambda: held(world) == 2 * bought)
        world.stop()
        await world.ended()
        world.check_nothing_is_open()
        assert held(world) == bought, "only what this run has opened is closed"

    run_on(name, story, seed=12)
