"""The daily loss: what it is counted from, what it leads to, and what a person who lifts that has accepted."""

from __future__ import annotations

from decimal import Decimal

import pytest
from limited_account import Market

from actors.accounts.daily_loss import DailyLoss
from actors.accounts.trading_states import TradingStates
from market.events import Side
from market.symbol import Symbol
from orders.ledger import AccountLedger
from orders.losses import DAY_MILLISECONDS, DayBaseline
from orders.recording import NoRecorder
from orders.reports import FillReport
from orders.states import GLOBAL, StateEntered, TradingState

BTC = Symbol("BTC", "USDT")
MAIN = "account:main"
DAY = 20_000  # 2024-10-04
TODAY, TOMORROW = "2024-10-04", "2024-10-05"


class Clock:
    def __init__(self) -> None:
        self.now_milliseconds = DAY * DAY_MILLISECONDS

    def milliseconds(self) -> int:
        return self.now_milliseconds

    def next_day(self) -> None:
        self.now_milliseconds = (self.now_milliseconds // DAY_MILLISECONDS + 1) * DAY_MILLISECONDS


class Written(NoRecorder):
    """What is in the journal, by its key."""

    def __init__(self) -> None:
        self.baselines: dict[tuple[str, str, str], DayBaseline] = {}

    def keep(self, *events: object) -> None:
        for event in events:
            assert isinstance(event, DayBaseline)
            self.baselines[event.scope, event.account, event.asset] = event


class World:
    """Some accounts with a limit of 50 USDT a day, and what outlives a restart: the clock, what is written, declared states."""

    def __init__(self, *names: str, scope: str = MAIN, state: TradingState = TradingState.HALTED) -> None:
        self.scope = scope
        self.state = state
        self.clock = Clock()
        self.written = Written()
        self.markets = {name: Market(AccountLedger(account=name, installation="mm"), (BTC,)) for name in names or ("main",)}
        self.states = TradingStates(on_change=lambda event: None)
        self.loss = self._made()
        self._trades = 0

    def _made(self) -> DailyLoss:
        return DailyLoss(
            self.scope,
            [market.account for market in self.markets.values()],
            loss_max=Decimal(50),
            state=self.state,
            states=self.states,
            wall_clock=self.clock,
            recorder=self.written,
            recovered=tuple(self.written.baselines.values()),
        )

    def restart(self) -> None:
        """A new process: it knows the fills, the states and the baselines from the journal."""
        self.states = TradingStates(on_change=lambda event: None, recovered=self.states.declared())
        self.loss = self._made()

    def buy(self, quantity: str = "1", *, price: int = 100, account: str = "main") -> None:
        self._trades += 1
        self.markets[account].account.ledger.apply_fill(
            FillReport(
                trade_id=str(self._trades),
                exchange_order_id="1",
                client_order_id=None,
                symbol=BTC,
                side=Side.BUY if Decimal(quantity) > 0 else Side.SELL,
                price=Decimal(price),
                quantity=abs(Decimal(quantity)),
                fee=Decimal(0),
                fee_asset="USDT",
                maker=False,
            ),
            now=0.0,
        )

    def price(self, middle: float, *, account: str = "main") -> None:
        """The market is there, and it is looked at the loss."""
        self.markets[account].quote(middle - 1, middle + 1, received_at=0.0)
        self.loss.look()

    @property
    def standing(self) -> TradingState:
        declared = self.states.declared().get(self.scope)
        return TradingState.RUN if declared is None else declared.state

    @property
    def reason(self) -> str:
        return self.states.declared()[self.scope].reason

    def lift(self) -> None:
        self.states.enter(self.scope, TradingState.RUN, "looked at it")
        self.loss.look()


@pytest.fixture
def world() -> World:
    made = World()
    made.price(100)
    return made


def test_loss_of_what_is_held_is_marked_to_market_and_more_than_the_limit_halts(world: World) -> None:
    world.buy()
    world.price(50)
    assert world.standing is TradingState.RUN, "exactly the limit may be lost"
    world.price(49.5)
    assert (world.standing, world.reason) == (TradingState.HALTED, "lost 50.5 USDT today, max_daily_loss is 50")


def test_loss_that_was_realised_counts_as_the_one_that_was_not(world: World) -> None:
    world.buy()
    world.buy("-1", price=49)
    world.price(1_000)
    assert world.reason == "lost 51 USDT today, max_daily_loss is 50"


def test_what_the_account_held_before_loses_nothing(world: World) -> None:
    world.price(1)
    assert world.standing is TradingState.RUN


def test_profit_of_the_day_may_be_lost_again(world: World) -> None:
    world.buy()
    world.price(160)
    world.price(51)
    assert world.standing is TradingState.RUN


def test_state_is_the_one_that_the_settings_name() -> None:
    world = World(state=TradingState.REDUCE_ONLY)
    world.price(100)
    world.buy()
    world.price(40)
    assert world.standing is TradingState.REDUCE_ONLY


def test_stricter_state_stays_as_it_is_and_whoever_lifts_it_hears_of_the_loss(world: World) -> None:
    world.states.enter(MAIN, TradingState.HALTED, "lunch")
    world.buy()
    world.price(40)
    assert world.reason == "lunch"
    world.lift()
    assert world.reason == "lost 60 USDT today, max_daily_loss is 50"


def test_nothing_is_judged_before_every_price_that_counts_was_known_and_the_last_known_one_counts_after() -> None:
    world = World()
    world.buy()
    world.loss.look()
    assert world.written.baselines == {}
    world.price(100)
    world.markets["main"].lose()
    world.loss.look()
    assert world.standing is TradingState.RUN
    world.markets["main"].quote(39, 41, received_at=0.0)
    assert world.markets["main"].account.prices.last(BTC) is not None
    world.markets["main"].lose()
    world.loss.look()
    assert world.standing is TradingState.HALTED


def test_restart_within_the_day_forgets_nothing(world: World) -> None:
    world.buy()
    world.price(70)
    world.restart()
    world.price(70)
    assert world.standing is TradingState.RUN
    world.price(49)
    assert world.reason == "lost 51 USDT today, max_daily_loss is 50"


def test_new_day_counts_from_its_beginning(world: World) -> None:
    world.buy()
    world.price(60)
    world.clock.next_day()
    world.price(60)
    world.price(15)
    assert world.standing is TradingState.RUN
    assert world.written.baselines[MAIN, "main", "USDT"].day == TOMORROW
    world.price(9)
    assert world.reason == "lost 51 USDT today, max_daily_loss is 50"


def test_run_that_begins_on_another_day_counts_from_its_first_look(world: World) -> None:
    world.buy()
    world.price(60)
    world.clock.next_day()
    world.restart()
    world.price(20)
    world.price(1)
    assert world.standing is TradingState.RUN


def test_lifting_accepts_the_loss_until_then_and_the_whole_limit_may_be_lost_once_more(world: World) -> None:
    world.buy(price=200)
    world.price(140)
    assert world.standing is TradingState.HALTED
    world.price(130)
    world.lift()
    assert world.standing is TradingState.RUN
    world.price(80)
    assert world.standing is TradingState.RUN
    world.price(79)
    assert world.reason == "lost 51 USDT today, max_daily_loss is 50"


@pytest.mark.parametrize("when", ["before it is lifted", "after it was lifted and before anybody looked"])
def test_restart_between_the_loss_and_its_lifting_does_not_strike_again(world: World, when: str) -> None:
    world.buy(price=200)
    world.price(140)
    if when.startswith("before"):
        world.restart()
        world.price(140)
        assert world.standing is TradingState.HALTED
        world.states.enter(MAIN, TradingState.RUN, "")
    else:
        world.states.enter(MAIN, TradingState.RUN, "")
        world.restart()
    world.price(140)
    assert world.standing is TradingState.RUN
    world.price(100)
    assert world.standing is TradingState.RUN


def test_new_day_lifts_nothing_and_whoever_lifts_it_then_accepts_that_day_s_loss_too(world: World) -> None:
    world.buy(price=200)
    world.price(140)
    world.clock.next_day()
    world.price(140)
    world.price(60)
    assert (world.standing, world.reason) == (TradingState.HALTED, "lost 60 USDT today, max_daily_loss is 50")
    world.lift()
    assert world.standing is TradingState.RUN


def test_partial_lifting_stays_as_a_person_has_put_it(world: World) -> None:
    world.buy(price=200)
    world.price(140)
    world.states.enter(MAIN, TradingState.REDUCE_ONLY, "sell what is left")
    world.price(100)
    assert world.reason == "sell what is left"
    world.lift()
    world.price(60)
    assert world.standing is TradingState.RUN


# Over all accounts


def test_losses_of_all_accounts_count_together_and_profits_against_them() -> None:
    world = World("one", "two", scope=GLOBAL)
    for name in ("one", "two"):
        world.price(100, account=name)
        world.buy(account=name)
    world.price(70, account="one")
    world.price(120, account="two")
    world.price(40, account="one")
    assert world.standing is TradingState.RUN, "60 lost and 20 won"
    world.price(109, account="two")
    assert world.reason == "lost 51 USDT today, global max_daily_loss is 50"


def test_account_that_has_not_compared_itself_yet_is_left_out() -> None:
    world = World("one", "two", scope=GLOBAL)
    world.markets["two"].account.has_compared = False
    world.buy(account="two")
    world.price(100, account="one")
    assert [baseline.account for baseline in world.written.baselines.values()] == ["one"]
    world.price(100, account="two")
    world.markets["two"].account.has_compared = True
    world.price(49, account="two")
    world.price(1, account="two")
    assert world.standing is TradingState.RUN, "what it lost before it was ready is not known to have been lost today"


def test_lifting_counts_anew_for_accounts_that_are_not_there_any_more() -> None:
    world = World("one", "two", scope=GLOBAL)
    for name in ("one", "two"):
        world.price(100, account=name)
        world.buy(account=name, price=200)
    world.loss.look()
    assert world.standing is TradingState.HALTED
    del world.markets["two"]
    world.restart()
    world.loss.look()
    world.markets["one"].quote(149, 151, received_at=0.0)
    world.lift()
    world.price(90, account="one")
    assert world.reason == "lost 60 USDT today, global max_daily_loss is 50", "and not accepted over and over"


@pytest.mark.parametrize("is_restarted", [False, True])
def test_lifting_accepts_what_an_account_has_lost_that_has_not_compared_itself_yet(*, is_restarted: bool) -> None:
    world = World("one", "two", scope=GLOBAL)
    for name in ("one", "two"):
        world.price(100, account=name)
    world.buy(account="two", price=151)
    world.loss.look()
    assert world.reason == "lost 51 USDT today, global max_daily_loss is 50"
    world.markets["two"].account.has_compared = False
    world.lift()
    if is_restarted:
        world.restart()
    world.price(100, account="one")
    world.markets["two"].account.has_compared = True
    world.price(90, account="two")
    assert world.standing is TradingState.RUN
    world.price(40, account="two")
    assert world.standing is TradingState.RUN, "exactly the limit may be lost, from its first look on"
    world.price(39, account="two")
    assert world.reason == "lost 51 USDT today, global max_daily_loss is 50"


def test_baseline_is_written_with_its_day_and_whether_it_has_struck(world: World) -> None:
    key = (MAIN, "main", "USDT")
    plain = DayBaseline(scope=MAIN, account="main", asset="USDT", day=TODAY, value=Decimal(0))
    assert world.written.baselines == {key: plain}
    world.buy()
    world.price(40)
    assert world.written.baselines[key].is_struck
    assert world.states.declared() == {MAIN: StateEntered(MAIN, TradingState.HALTED, world.reason)}
    world.lift()
    assert world.written.baselines[key].value == -60
    assert not world.written.baselines[key].is_struck


def test_limit_that_is_lowered_judges_what_was_lost_before_and_one_that_is_taken_away_judges_nothing(world: World) -> None:
    world.buy()
    world.price(70)
    world.loss.change(loss_max=None, state=TradingState.HALTED)
    world.price(1)
    assert world.standing is TradingState.RUN
    world.price(70)
    world.loss.change(loss_max=Decimal(20), state=TradingState.REDUCE_ONLY)
    world.loss.look()
    assert (world.standing, world.reason) == (TradingState.REDUCE_ONLY, "lost 30 USDT today, max_daily_loss is 20")


def test_limit_that_was_not_there_before_counts_from_when_it_is() -> None:
    world = World()
    world.loss.change(loss_max=None, state=TradingState.HALTED)
    world.buy()
    world.price(90)
    world.loss.change(loss_max=Decimal(50), state=TradingState.HALTED)
    world.loss.look()
    world.price(40)
    assert world.standing is TradingState.RUN
    world.price(39)
    assert world.reason == "lost 51 USDT today, max_daily_loss is 50"
