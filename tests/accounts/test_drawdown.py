"""The drawdown of a cycle: what it is counted from, what it leads to, and what a person who lifts that has accepted."""

from __future__ import annotations

from decimal import Decimal

import pytest
from limited_account import Market
from msgspec.structs import replace

from actors.accounts.drawdown import Drawdown
from actors.accounts.trading_states import TradingStates
from market.events import Side
from market.symbol import Symbol
from orders.earlier import CountedEarlier
from orders.ledger import AccountLedger
from orders.losses import DayBaseline
from orders.recording import NoRecorder
from orders.reports import FillReport
from orders.request import OrderRequest, OrderType, TimeInForce
from orders.states import TradingState

BTC = Symbol("BTC", "USDT")
SCOPE = "cycle:btc"


class Clock:
    def milliseconds(self) -> int:
        return 1_790_000_000_000


class Written(NoRecorder):
    """What is in the journal."""

    def __init__(self) -> None:
        self.peaks: list[DayBaseline] = []

    def keep(self, *events: object) -> None:
        for event in events:
            assert isinstance(event, DayBaseline)
            self.peaks.append(event)


class World:
    """A cycle that may lose 50 USDT again, and what outlives a restart: its tally, what is written, declared states."""

    def __init__(self, *, state: TradingState = TradingState.HALTED) -> None:
        self.state = state
        self.written = Written()
        self.states = TradingStates(on_change=lambda event: None)
        self.market = Market(AccountLedger(account="main", installation="mm"), (BTC,))
        self.drawdown = self._made()
        self._trades = 0

    def _made(self) -> Drawdown:
        return Drawdown(
            "btc",
            BTC,
            self.market.account,
            drawdown_max=Decimal(50),
            state=self.state,
            states=self.states,
            wall_clock=Clock(),
            recorder=self.written,
            recovered=self.written.peaks[-1:],
        )

    def restart(self) -> None:
        tally = self.market.account.ledger.tally("btc", BTC)
        ledger = AccountLedger(account="main", installation="mm")
        ledger.restore([], counted=CountedEarlier(tallies={("btc", BTC): tally}))
        self.market = Market(ledger, (BTC,))
        self.states = TradingStates(on_change=lambda event: None, recovered=self.states.declared())
        self.drawdown = self._made()

    def trade(self, side: Side, *, price: int = 100, owner: str = "btc", fee: str = "0") -> None:
        self._trades += 1
        client_order_id = f"mm-{owner}-{self._trades}"
        request = OrderRequest(
            client_order_id=client_order_id,
            owner=owner,
            symbol=BTC,
            side=side,
            type=OrderType.LIMIT,
            time_in_force=TimeInForce.POST_ONLY,
            quantity=Decimal(1),
            price=Decimal(price),
        )
        ledger = self.market.account.ledger
        ledger.record_intent(request, now=0.0)
        fill = FillReport(
            trade_id=str(self._trades),
            exchange_order_id=str(self._trades),
            client_order_id=client_order_id,
            symbol=BTC,
            side=side,
            price=Decimal(price),
            quantity=Decimal(1),
            fee=Decimal(fee),
            fee_asset="USDT",
            maker=True,
        )
        ledger.apply_fill(fill, now=0.0)

    def price(self, middle: float) -> None:
        """The market is there, and it is looked at the drawdown."""
        self.market.quote(middle - 1, middle + 1, received_at=0.0)
        self.drawdown.look()

    @property
    def standing(self) -> TradingState:
        declared = self.states.declared().get(SCOPE)
        return TradingState.RUN if declared is None else declared.state

    @property
    def reason(self) -> str:
        return self.states.declared()[SCOPE].reason

    def lift(self) -> None:
        self.states.enter(SCOPE, TradingState.RUN, "looked at it")
        self.drawdown.look()


@pytest.fixture
def world() -> World:
    made = World()
    made.price(100)
    return made


def test_loss_from_the_start_is_a_drawdown_and_more_than_the_limit_halts_the_cycle(world: World) -> None:
    world.trade(Side.BUY)
    world.price(50)
    assert world.standing is TradingState.RUN, "exactly the limit may be lost"
    world.price(49.5)
    assert (world.standing, world.reason) == (TradingState.HALTED, "lost 50.5 USDT of the highest profit of 0, drawdown_max is 50")


def test_what_was_won_and_is_lost_again_counts_marked_to_market_or_not(world: World) -> None:
    world.trade(Side.BUY)
    world.price(180)
    world.price(131)
    assert world.standing is TradingState.RUN
    world.trade(Side.SELL, price=130, fee="1")
    world.price(1000)
    assert world.reason == "lost 51 USDT of the highest profit of 80, drawdown_max is 50"


def test_state_is_the_one_that_the_settings_name() -> None:
    world = World(state=TradingState.REDUCE_ONLY)
    world.trade(Side.BUY)
    world.price(40)
    assert world.standing is TradingState.REDUCE_ONLY


def test_what_other_cycles_of_the_account_lose_is_theirs(world: World) -> None:
    world.trade(Side.BUY, owner="other")
    world.price(1)
    assert world.standing is TradingState.RUN


def test_who_lifts_it_has_accepted_the_loss_and_the_whole_limit_may_be_lost_once_more(world: World) -> None:
    world.trade(Side.BUY)
    world.price(40)
    world.price(30)
    world.lift()
    assert world.standing is TradingState.RUN
    world.price(-20)
    assert world.standing is TradingState.RUN
    world.price(-21)
    assert world.reason == "lost 51 USDT of the highest profit of -70, drawdown_max is 50"


def test_stricter_state_stays_as_it_is_and_whoever_lifts_it_hears_of_the_drawdown(world: World) -> None:
    world.states.enter(SCOPE, TradingState.HALTED, "lunch")
    world.trade(Side.BUY)
    world.price(40)
    assert world.reason == "lunch"
    world.lift()
    assert world.reason == "lost 60 USDT of the highest profit of 0, drawdown_max is 50"


def test_restart_remembers_the_peak_and_that_a_state_was_entered_for_it(world: World) -> None:
    world.trade(Side.BUY)
    world.price(200)
    world.restart()
    world.price(149)
    assert world.reason == "lost 51 USDT of the highest profit of 100, drawdown_max is 50"
    world.restart()
    world.price(140)
    assert world.standing is TradingState.HALTED
    world.lift()
    assert world.written.peaks[-1].value == 40
    assert world.standing is TradingState.RUN


def test_peak_of_another_symbol_or_account_is_not_this_ones(world: World) -> None:
    world.trade(Side.BUY)
    world.price(200)
    world.written.peaks = [replace(world.written.peaks[-1], asset="ETH/USDT")]
    world.restart()
    world.price(160)
    world.price(111)
    assert world.standing is TradingState.RUN


def test_small_rises_are_not_written_down_each(world: World) -> None:
    world.trade(Side.BUY)
    for step in range(100):
        world.price(100 + step / 100)
    assert [peak.value for peak in world.written.peaks] == [Decimal("0.51")]


def test_nothing_is_judged_before_a_price_was_known_nor_before_the_account_has_compared_itself() -> None:
    world = World()
    world.trade(Side.BUY)
    world.drawdown.look()
    world.market.account.has_compared = False
    world.price(10)
    assert (world.standing, world.written.peaks) == (TradingState.RUN, [])
    world.market.account.has_compared = True
    world.drawdown.look()
    assert world.standing is TradingState.HALTED


def test_without_a_limit_nothing_is_watched(world: World) -> None:
    world.drawdown.change(drawdown_max=None, state=TradingState.HALTED)
    world.trade(Side.BUY)
    world.price(1)
    assert (world.standing, world.written.peaks) == (TradingState.RUN, [])
