"""What the trading states permit, on ledgers of assets and of contracts."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_account import BTC

from actors.accounts.permission import orders_to_pull, reduces, standing_refusal
from market.events import Side
from orders.ledger import AccountLedger
from orders.life_cycle import OrderInput
from orders.reports import PositionReport
from orders.request import OrderRequest, OrderType, TimeInForce
from orders.states import Standing, TradingState

REDUCING = Standing(TradingState.REDUCE_ONLY, "account:main", "enough")
FREE = Standing()


def request(number: int, side: Side, quantity: int | str = 1, *, reduce_only: bool = False) -> OrderRequest:
    return OrderRequest(
        client_order_id=f"mm-btc-{number:09}",
        owner="btc",
        symbol=BTC,
        side=side,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.POST_ONLY,
        quantity=Decimal(quantity),
        price=Decimal(100),
        reduce_only=reduce_only,
    )


def contracts(position: int | str) -> AccountLedger:
    ledger = AccountLedger(account="main", installation="mm", holds_positions=True)
    assert ledger.positions is not None
    ledger.positions.apply_all([PositionReport(symbol=BTC, quantity=Decimal(position), entry_price=Decimal(100), leverage=Decimal(1))])
    return ledger


def live(ledger: AccountLedger, one: OrderRequest) -> None:
    ledger.record_intent(one, now=0.0)
    ledger.record_sent(one.client_order_id, sent_at_milliseconds=0, expires_at_milliseconds=None)


def pulled(ledger: AccountLedger, standing: Standing) -> list[str]:
    return [order.client_order_id[-1] for order in orders_to_pull(ledger, lambda owner, symbol: standing)]


def test_of_assets_every_sell_reduces_and_no_buy_does() -> None:
    ledger = AccountLedger(account="main", installation="mm")
    assert reduces(request(1, Side.SELL), ledger)
    assert not reduces(request(1, Side.BUY), ledger)


@pytest.mark.parametrize("state", [TradingState.PAUSED, TradingState.HALTED])
def test_nothing_is_placed_while_paused_or_halted_and_the_reason_says_whose_state_it_is(state: TradingState) -> None:
    ledger = AccountLedger(account="main", installation="mm")
    refused = standing_refusal(request(1, Side.SELL), Standing(state, "cycle:btc", "lunch"), ledger)
    assert refused == f"cycle:btc is {state.value}: lunch"


def test_everything_is_placed_while_it_runs() -> None:
    assert standing_refusal(request(1, Side.BUY), FREE, AccountLedger(account="main", installation="mm")) is None


@pytest.mark.parametrize(
    ("position", "side", "quantity", "may"),
    [
        ("2", Side.SELL, "2", True),
        ("2", Side.SELL, "3", False),  # it would turn the position round
        ("2", Side.BUY, "1", False),
        ("-2", Side.BUY, "2", True),
        ("-2", Side.SELL, "1", False),
        ("0", Side.SELL, "1", False),
        ("0", Side.BUY, "1", False),
    ],
)
def test_order_for_a_contract_reduces_if_it_is_no_larger_than_the_position_against_it(
    position: str, side: Side, quantity: str, may: bool
) -> None:
    assert reduces(request(1, side, quantity), contracts(position)) is may


def test_order_that_the_exchange_itself_cuts_down_to_the_position_always_reduces() -> None:
    assert reduces(request(1, Side.SELL, 5, reduce_only=True), contracts(0))


def test_order_reduces_only_with_what_else_may_still_fill_on_its_side() -> None:
    ledger = contracts(3)
    live(ledger, request(1, Side.SELL, 2))
    ledger.record_input("mm-btc-000000001", OrderInput.ANSWER_LOST, now=1.0)
    assert reduces(request(2, Side.SELL, 1), ledger)
    assert not reduces(request(2, Side.SELL, 2), ledger), "the unknown order may have taken two"


def test_order_in_the_ledger_does_not_stand_in_its_own_way() -> None:
    ledger = contracts(3)
    live(ledger, request(1, Side.SELL, 3))
    assert reduces(request(1, Side.SELL, 3), ledger)


def test_buys_of_assets_are_pulled_in_reduce_only_and_everything_when_paused() -> None:
    ledger = AccountLedger(account="main", installation="mm")
    live(ledger, request(1, Side.BUY))
    live(ledger, request(2, Side.SELL))
    assert pulled(ledger, FREE) == []
    assert pulled(ledger, REDUCING) == ["1"]
    assert pulled(ledger, Standing(TradingState.PAUSED, "global", "lunch")) == ["1", "2"]


def test_order_whose_end_was_asked_for_is_not_pulled_again() -> None:
    ledger = AccountLedger(account="main", installation="mm")
    live(ledger, request(1, Side.BUY))
    ledger.record_input("mm-btc-000000001", OrderInput.CANCEL_ASKED, now=1.0)
    assert pulled(ledger, REDUCING) == []


def test_of_orders_that_together_would_turn_a_position_round_the_oldest_stay() -> None:
    ledger = contracts(3)
    for number in (1, 2, 3):
        live(ledger, request(number, Side.SELL, number))
    live(ledger, request(4, Side.SELL, 9, reduce_only=True))
    assert pulled(ledger, REDUCING) == ["3"]


sides = st.sampled_from(list(Side))
wanted = st.lists(st.tuples(sides, st.integers(1, 6), st.booleans()), max_size=6)


@given(position=st.integers(-6, 6), before=wanted, after=wanted)
def test_no_order_of_fills_makes_a_position_larger_or_turns_it_round_while_it_is_reduce_only(
    position: int, before: list[tuple[Side, int, bool]], after: list[tuple[Side, int, bool]]
) -> None:
    ledger = contracts(position)
    for number, (side, quantity, reduce_only) in enumerate(before):
        live(ledger, request(number, side, quantity, reduce_only=reduce_only))
    for order in orders_to_pull(ledger, lambda owner, symbol: REDUCING):
        ledger.record_input(order.client_order_id, OrderInput.SAID_FORGOTTEN, now=1.0)
    for number, (side, quantity, reduce_only) in enumerate(after, start=len(before)):
        one = request(number, side, quantity, reduce_only=reduce_only)
        if standing_refusal(one, REDUCING, ledger) is None:
            live(ledger, one)
    free = [order.request for order in ledger.live_orders() if not order.request.reduce_only]
    bought = sum(int(one.quantity or 0) for one in free if one.side is Side.BUY)
    sold = sum(int(one.quantity or 0) for one in free if one.side is Side.SELL)
    # All of one side may fill and nothing of the other; of the reducing side at most the position.
    assert bought <= max(0, -position)
    assert sold <= max(0, position)
