"""Limits in the running program: a book that a strategy has wrong, falling markets, orders of unknown fate, several accounts."""

from __future__ import annotations

from decimal import Decimal

import trio
from msgspec.structs import replace
from test_following_the_market import NO_TAKERS, exchange_id, placed_sell
from world import BTC_USDT, World, scenario

from actors.accounts.credential import Credential
from actors.accounts.events import OrderRefused, QuotesPulled
from actors.accounts.limits import OnBreach
from actors.cycle.rounds.sell_on_top import SellOnTopParameters
from assembly.settings import GlobalLimitSettings, LimitSettings
from market.events import BookChanged, Side
from orders.commands import PlaceOrder
from orders.events import AccountReady, OrderEnded, OrderFateUnknown, OrderPlaced
from orders.life_cycle import OrderState
from orders.reconciliation import CycleReconciled
from orders.request import OrderRequest, OrderType, TimeInForce
from orders.states import GLOBAL, StateEntered, StateRecovered, TradingState
from simulated.faults import Operation
from simulated.settings import AccountSettings

QUIET_SECONDS = 20.0
PATIENT = SellOnTopParameters(reprice_interval_seconds=3_600)  # leaves its quote where it is
MAIN = "account:main"
SECOND = AccountSettings(name="second", user_id=10_000_002, api_key="simulated-key-second", api_secret="simulated-secret-second")
TWO_ACCOUNTS = replace(NO_TAKERS, accounts=(AccountSettings(), SECOND))
OTHERS = {"second": Credential(key=SECOND.api_key, secret=SECOND.api_secret, passphrase=SECOND.api_passphrase)}


def enter(world: World, scope: str, state: TradingState, reason: str = "") -> None:
    """As a person does."""
    assert world.runtime is not None
    world.runtime.tree.states.enter(scope, state, reason)


def sells(event: OrderPlaced) -> bool:
    return event.order.request.side is Side.SELL


async def falling(world: World, price: int) -> None:
    """The market is there from now on, and the program has looked at it."""
    world.exchange.move_market(BTC_USDT, Decimal(price))
    await trio.sleep(3)


async def sell_out(world: World, count: int) -> None:
    """Fill the `count`-th sell that the exchange has."""
    world.exchange.fill_order(exchange_id(await placed_sell(world, count)))


# The account's own book


@scenario(seed=421, simulation=NO_TAKERS)
async def test_order_by_a_book_that_the_strategy_has_wrong_is_refused_by_the_book_of_the_account(world: World) -> None:
    await world.start()
    await placed_sell(world)
    world.exchange.freeze_flow()
    await trio.sleep(3)  # the sell is old enough to be replaced, and what was under way of the book has come
    assert world.runtime is not None
    true_book = world.seen(BookChanged)[-1]
    lie = replace(true_book, bids=((30_000.0, 1.0),), asks=((30_000.2, 1.0),), received_at=trio.current_time())
    world.runtime.tree.cycles["btc"].inbox_sender.send_nowait(lie)
    refused = await world.wait_for(OrderRefused)
    assert refused.reason.startswith("price 30000.1 is more than 5% below the best bid 59")
    assert all((event.order.request.price or 0) > 50_000 for event in world.seen(OrderPlaced, sells))
    world.exchange.resume_flow()
    await sell_out(world, 2)
    await world.end()
    assert [event.agrees for event in world.seen(CycleReconciled)] == [True]


@scenario(seed=422, simulation=NO_TAKERS)
async def test_breach_halts_the_account_where_the_settings_say_so(world: World) -> None:
    await world.start(quantity="100", limits=LimitSettings(max_open_orders=1, on_breach=OnBreach.HALT))
    await placed_sell(world)
    await give(world, buy(1, "10"))
    await world.wait_for(StateEntered, lambda event: event.scope == MAIN and event.state is TradingState.HALTED)
    assert world.seen(OrderRefused)[-1].reason == "1 orders are live, max_open_orders is 1"
    await world.wait_until(lambda: not world.our_open_orders())
    world.stop()
    await world.end()


# Losses


@scenario(seed=423, simulation=NO_TAKERS)
async def test_daily_loss_of_a_falling_market_pulls_the_quote_halts_and_is_over_once_a_person_has_lifted_it(world: World) -> None:
    await world.start(limits=LimitSettings(max_daily_loss=Decimal(20)), parameters=PATIENT)
    await placed_sell(world)
    await falling(world, 50_000)
    assert not world.seen(StateEntered), "it has lost a sixth of 100"
    world.exchange.move_market(BTC_USDT, Decimal(40_000))
    halted = await world.wait_for(StateEntered, within_seconds=3)
    assert (halted.scope, halted.state) == (MAIN, TradingState.HALTED)
    assert halted.reason.endswith("USDT today, max_daily_loss is 20")
    await world.wait_until(lambda: not world.our_open_orders())
    assert world.seen(QuotesPulled)
    world.stop()
    await world.end()
    placed = len(world.exchange.orders())
    await world.start(limits=LimitSettings(max_daily_loss=Decimal(20)))
    recovered = await world.wait_for(StateRecovered)
    assert (recovered.scope, recovered.reason) == (MAIN, halted.reason)
    await trio.sleep(QUIET_SECONDS)
    assert len(world.exchange.orders()) == placed
    before = len(world.seen(OrderPlaced, sells))
    enter(world, MAIN, TradingState.RUN, "looked at it")
    await sell_out(world, before + 1)
    await world.end()
    assert [event.state for event in world.seen(StateEntered)] == [TradingState.HALTED, TradingState.RUN]


@scenario(seed=424, simulation=NO_TAKERS)
async def test_loss_of_the_day_is_not_forgotten_by_a_restart(world: World) -> None:
    limits = LimitSettings(max_daily_loss=Decimal(20))
    await world.start(limits=limits)
    await placed_sell(world)
    await falling(world, 51_000)  # 15 of 100
    world.stop()
    await world.end()
    await world.start(limits=limits)
    await placed_sell(world, len(world.seen(OrderPlaced, sells)) + 1)
    assert not world.seen(StateEntered)
    world.exchange.move_market(BTC_USDT, Decimal(45_000))  # and 10 more
    await world.wait_for(StateEntered, lambda event: event.state is TradingState.HALTED, within_seconds=3)
    world.stop()
    await world.end()


# What nobody knows the fate of


def buy(number: int, quote: str) -> OrderRequest:
    price = Decimal(50_000)
    return OrderRequest(
        client_order_id=f"mm-hand-{number}",
        owner="hand",
        symbol=BTC_USDT,
        side=Side.BUY,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.POST_ONLY,
        quantity=Decimal(quote) / price,
        price=price,
    )


async def give(world: World, request: OrderRequest) -> None:
    """To the account, as a cycle would."""
    await world.account.commands_sender.send(PlaceOrder(request=request, expires_at=trio.current_time() + 2))


@scenario(seed=425, simulation=NO_TAKERS, both_ways=True)
async def test_position_limit_holds_while_the_fate_of_an_order_is_unknown(world: World) -> None:
    world.exchange.fail_before_accepting(Operation.PLACE)  # the cycle's own buy: it then waits for an hour
    limits = LimitSettings(max_position_notional=Decimal(500))
    await world.start(cycles=0, parameters=SellOnTopParameters(retry_seconds=3_600), limits=limits)
    await world.wait_for(OrderEnded)
    await trio.sleep(1)  # what was held back while the fate of that was not known is free again
    world.exchange.lose_answers(Operation.PLACE)
    world.exchange.drop_private_events(1_000)
    world.exchange.delay_requests(Operation.QUERY, 2.0)
    await give(world, buy(1, "300"))
    await world.wait_for(OrderFateUnknown, lambda event: event.order.client_order_id == "mm-hand-1")
    await give(world, buy(2, "300"))
    refused = await world.wait_for(OrderRefused, lambda event: event.client_order_id == "mm-hand-2")
    assert refused.reason == "position would be 600, max_position_notional is 500"
    first = world.account.ledger.order("mm-hand-1")
    assert first is not None
    assert first.state is OrderState.UNKNOWN
    await give(world, buy(3, "200"))
    await world.wait_for(OrderPlaced, lambda event: event.order.client_order_id == "mm-hand-3")
    world.exchange.clear_faults()
    world.stop()
    await world.end()
    assert len([order for order in world.exchange.orders() if order.side is Side.BUY]) == 2


# Several accounts


@scenario(seed=426, simulation=TWO_ACCOUNTS)
async def test_two_accounts_under_one_position_limit_take_turns(world: World) -> None:
    program = GlobalLimitSettings(max_position_notional=Decimal(150))
    await world.start(names=("btc", "second"), other_accounts=OTHERS, program_limits=program, parameters=PATIENT)
    first = await placed_sell(world)
    refused = await world.wait_for(OrderRefused)
    assert "global max_position_notional is 150" in refused.reason
    await trio.sleep(QUIET_SECONDS)
    assert len(world.seen(OrderPlaced, lambda event: not sells(event))) == 1
    world.exchange.fill_order(exchange_id(first))
    await sell_out(world, 2)
    await world.end()
    assert [event.agrees for event in world.seen(CycleReconciled)] == [True, True]


@scenario(seed=427, simulation=TWO_ACCOUNTS)
async def test_losses_of_two_accounts_together_halt_the_program(world: World) -> None:
    program = GlobalLimitSettings(max_daily_loss=Decimal(50))
    await world.start(names=("btc", "second"), other_accounts=OTHERS, program_limits=program)
    await placed_sell(world, 2)
    world.exchange.move_market(BTC_USDT, Decimal(40_000))  # each loses a third of 100
    halted = await world.wait_for(StateEntered, within_seconds=3)
    assert (halted.scope, halted.state) == (GLOBAL, TradingState.HALTED)
    await world.wait_until(lambda: not world.our_open_orders() and not world.exchange.open_orders("second"))
    world.stop()
    await world.end()


@scenario(seed=428, simulation=TWO_ACCOUNTS)
async def test_loss_that_is_accepted_before_any_account_has_compared_itself_is_accepted_of_each(world: World) -> None:
    program = GlobalLimitSettings(max_daily_loss=Decimal(30))
    await world.start(names=("btc", "second"), other_accounts=OTHERS, program_limits=program)
    await placed_sell(world, 2)
    world.exchange.move_market(BTC_USDT, Decimal(40_000))  # each loses a third of 100
    await world.wait_for(StateEntered, within_seconds=3)
    await world.wait_until(lambda: not world.our_open_orders() and not world.exchange.open_orders("second"))
    world.stop()
    await world.end()
    await world.start(names=("btc", "second"), other_accounts=OTHERS, program_limits=program)
    await world.wait_for(StateRecovered)
    ready = len(world.seen(AccountReady))
    enter(world, GLOBAL, TradingState.RUN, "looked at it")
    await world.wait_for(AccountReady, count=ready + 2)
    await trio.sleep(QUIET_SECONDS)
    assert [event.state for event in world.seen(StateEntered)] == [TradingState.HALTED, TradingState.RUN]
    world.stop()
    await world.end()
