"""Flattening at a person's word: how much is sold, in how many attempts, and what the answer says."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio

from actors.accounts.bookkeeper import Bookkeeper
from actors.accounts.flattening import NOT_THERE, flatten_owner
from actors.accounts.session import AccountSession
from actors.channels.reply import Reply
from market.events import Side
from market.instrument import Instrument
from market.symbol import Symbol
from orders.commands import TOO_LITTLE, Flattened, FlattenOwner
from orders.earlier import CountedEarlier
from orders.errors import ErrorKind, ExchangeError
from orders.ledger import AccountLedger
from orders.recording import NoRecorder
from orders.reports import BalanceReport, FillReport, OrderReport, ReportedStatus
from orders.request import OrderRequest, OrderType, TimeInForce
from orders.tally import Tally

BTC = Symbol("BTC", "USDT")
RULES = Instrument(
    exchange="scripted",
    symbol=BTC,
    price_tick=Decimal("0.1"),
    quantity_step=Decimal("0.01"),
    quantity_min=Decimal("0.02"),
    notional_min=Decimal(5),
)
IDS = ("mm-btc-a", "mm-btc-b", "mm-btc-c")
ZERO = Decimal(0)


def fill(client_order_id: str, side: Side, quantity: Decimal) -> FillReport:
    return FillReport(
        trade_id=client_order_id,
        exchange_order_id=client_order_id,
        client_order_id=client_order_id,
        symbol=BTC,
        side=side,
        price=Decimal(100),
        quantity=quantity,
        fee=ZERO,
        fee_asset="USDT",
        maker=False,
    )


class ThinMarket:
    """Takes at most so much of each order at once, and cancels the rest; refuses what it is told to."""

    def __init__(self, *, depth: str = "1000", available: str = "1000", positions: bool = False, refuse: Exception | None = None) -> None:
        self.codec = SimpleNamespace(capabilities=SimpleNamespace(positions=positions, order_expiry=False))
        self.depth = Decimal(depth)
        self.available = Decimal(available)
        self.refuse = refuse
        self.placed: list[OrderRequest] = []
        self.taken: dict[str, Decimal] = {}

    def exchange_time_milliseconds(self) -> int:
        return 1_000_000

    async def place(self, request: OrderRequest, *, leaving: Callable[[], int | None]) -> OrderReport:
        leaving()
        await trio.lowlevel.checkpoint()
        self.placed.append(request)
        if self.refuse is not None:
            raise self.refuse
        quantity = request.quantity or ZERO
        if quantity > self.available:
            raise ExchangeError(ErrorKind.INSUFFICIENT_BALANCE, code="30004", message="not enough BTC", http_status=400)
        taken = self.taken[request.client_order_id] = min(quantity, self.depth)
        return OrderReport(
            exchange_order_id=request.client_order_id,
            client_order_id=request.client_order_id,
            symbol=BTC,
            side=request.side,
            status=ReportedStatus.FILLED if taken == quantity else ReportedStatus.CANCELLED,
            filled_quantity=taken,
            filled_quote=taken * 100,
        )

    async def balances(self) -> list[BalanceReport]:
        await trio.lowlevel.checkpoint()
        return [BalanceReport(asset="BTC", total=self.available, available=self.available)]

    async def fills(self, symbol: Symbol, *, exchange_order_id: str | None = None) -> list[FillReport]:
        await trio.lowlevel.checkpoint()
        return [
            fill(request.client_order_id, request.side, self.taken[request.client_order_id])
            for request in self.placed
            if request.client_order_id == exchange_order_id and self.taken[request.client_order_id]
        ]


def ledger_after(side: Side, quantity: str, *, positions: bool = False, tally: Tally | None = None) -> AccountLedger:
    ledger = AccountLedger(account="main", installation="mm", holds_positions=positions)
    if tally is not None:
        ledger.restore([], counted=CountedEarlier(tallies={("btc", BTC): tally}))
    request = OrderRequest(
        client_order_id="mm-btc-1",
        owner="btc",
        symbol=BTC,
        side=side,
        type=OrderType.MARKET,
        time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
        quantity=Decimal(quantity),
    )
    ledger.record_intent(request, now=0.0)
    ledger.apply_fill(fill("mm-btc-1", side, Decimal(quantity)), now=0.0)
    return ledger


async def flattened(market: ThinMarket, ledger: AccountLedger, *, rules: bool = True, price: int = 100, **changes: Any) -> Flattened:
    fields = {
        "owner": "btc",
        "symbol": BTC,
        "client_order_ids": IDS,
        "since_start": False,
        "expires_at": 0.0,
        "answer": Reply[Flattened](),
    }
    return await flatten_owner(
        FlattenOwner(**(fields | changes)),
        session=cast("AccountSession", market),
        bookkeeper=Bookkeeper(ledger=ledger, inboxes={}, recorder=NoRecorder(), report=lambda event: None),
        rules={BTC: RULES} if rules else {},
        middle=lambda symbol: Decimal(price),
    )


@pytest.mark.parametrize("positions", [False, True])
async def test_what_is_held_is_sold_and_what_is_less_than_a_step_is_left(autojump_clock: object, positions: bool) -> None:
    market = ThinMarket(positions=positions)
    answer = await flattened(market, ledger_after(Side.BUY, "0.509", positions=positions))
    assert answer == Flattened(
        owner="btc",
        symbol=BTC,
        side=Side.SELL,
        quantity=Decimal("0.50"),
        quote_quantity=Decimal(50),
        left=Decimal("0.009"),
        why_left=TOO_LITTLE,
    )
    assert answer.is_flat
    assert [(request.quantity, request.reduce_only, request.tag) for request in market.placed] == [(Decimal("0.50"), positions, "flatten")]


async def test_short_position_is_bought_back(autojump_clock: object) -> None:
    market = ThinMarket(positions=True)
    answer = await flattened(market, ledger_after(Side.SELL, "0.5", positions=True))
    assert (answer.side, answer.quantity, answer.left, answer.why_left) == (Side.BUY, Decimal("0.50"), 0, "")
    assert market.placed[0].reduce_only


async def test_what_was_sold_of_an_asset_is_not_bought_back_and_nothing_is_left_to_do(autojump_clock: object) -> None:
    market = ThinMarket()
    answer = await flattened(market, ledger_after(Side.SELL, "0.5"))
    assert (answer.side, answer.quantity, answer.left, answer.is_flat) == (None, 0, Decimal("-0.5"), True)
    assert market.placed == []


async def test_market_that_takes_little_at_a_time_is_asked_again_as_often_as_there_are_ids(autojump_clock: object) -> None:
    market = ThinMarket(depth="0.2")
    answer = await flattened(market, ledger_after(Side.BUY, "0.7"))
    assert [request.quantity for request in market.placed] == [Decimal("0.70"), Decimal("0.50"), Decimal("0.30")]
    assert (answer.quantity, answer.quote_quantity, answer.left) == (Decimal("0.6"), 60, Decimal("0.1"))
    assert answer.why_left == "the market took no more"
    assert not answer.is_flat


async def test_what_the_exchange_refuses_is_left_with_its_reason_and_not_tried_again(autojump_clock: object) -> None:
    refusal = ExchangeError(ErrorKind.INVALID_PARAMETERS, code="51000", message="no such thing", http_status=400)
    market = ThinMarket(refuse=refusal)
    answer = await flattened(market, ledger_after(Side.BUY, "0.5"))
    assert len(market.placed) == 1
    assert (answer.quantity, answer.left) == (0, Decimal("0.5"))
    assert "no such thing" in answer.why_left


async def test_what_another_has_sold_of_it_is_left_and_the_rest_is_sold(autojump_clock: object) -> None:
    market = ThinMarket(available="0.409")
    answer = await flattened(market, ledger_after(Side.BUY, "0.5"))
    assert [request.quantity for request in market.placed] == [Decimal("0.50"), Decimal("0.40")]
    assert (answer.quantity, answer.left, answer.why_left, answer.is_flat) == (Decimal("0.4"), Decimal("0.1"), NOT_THERE, False)


async def test_of_what_is_not_there_at_all_nothing_is_tried_again(autojump_clock: object) -> None:
    market = ThinMarket(available="0.001")
    answer = await flattened(market, ledger_after(Side.BUY, "0.5"))
    assert (len(market.placed), answer.left, answer.why_left, answer.is_flat) == (1, Decimal("0.5"), NOT_THERE, False)


async def test_market_that_takes_nothing_is_not_asked_again(autojump_clock: object) -> None:
    market = ThinMarket(depth="0")
    answer = await flattened(market, ledger_after(Side.BUY, "0.5"))
    assert (len(market.placed), answer.left, answer.why_left) == (1, Decimal("0.5"), "nobody took it")


async def test_what_is_worth_less_than_the_exchange_takes_is_left(autojump_clock: object) -> None:
    market = ThinMarket()
    answer = await flattened(market, ledger_after(Side.BUY, "0.5"), price=9)
    assert (market.placed, answer.left, answer.why_left) == ([], Decimal("0.5"), TOO_LITTLE)


async def test_nothing_is_sold_before_the_rules_are_known(autojump_clock: object) -> None:
    answer = await flattened(ThinMarket(), ledger_after(Side.BUY, "0.5"), rules=False)
    assert (answer.is_flat, answer.why_left) == (False, "the exchange's rules for BTC/USDT are not known yet")


@pytest.mark.parametrize(("since_start", "sold"), [(True, "0.50"), (False, "2.50")])
async def test_what_earlier_runs_left_is_sold_only_if_the_whole_journal_is_meant(
    autojump_clock: object, since_start: bool, sold: str
) -> None:
    earlier = Tally().after_fill(fill("mm-btc-0", Side.BUY, Decimal(2)))
    market = ThinMarket()
    await flattened(market, ledger_after(Side.BUY, "0.5", tally=earlier), since_start=since_start)
    assert [request.quantity for request in market.placed] == [Decimal(sold)]
