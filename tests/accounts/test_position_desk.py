"""What an account does about positions besides orders: prepared before the first order, compared, closed, and paid funding for."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import cast

import pytest
import trio

from actors.accounts.bookkeeper import Bookkeeper
from actors.accounts.codec import PositionMode
from actors.accounts.events import LeverageSet
from actors.accounts.position_desk import FUNDING_OVERLAP_MILLISECONDS, AccountNotTradable, PositionDesk
from actors.accounts.session import AccountSession
from market.events import Side
from market.symbol import Symbol
from orders.commands import ClosePosition
from orders.errors import ErrorKind, ExchangeError
from orders.events import FundingPaid
from orders.ledger import AccountLedger
from orders.recording import NoRecorder
from orders.reports import BalanceReport, FillReport, FundingReport, PositionReport

BTC = Symbol("BTC", "USDT")
ETH = Symbol("ETH", "USDT")
HOUR_MILLISECONDS = 3_600_000
NOW_MILLISECONDS = 100 * HOUR_MILLISECONDS


class ScriptedPositions:
    """What the exchange says of positions, as a test fills it. `asked_since` holds from when on payments were asked for."""

    def __init__(self) -> None:
        self.mode = PositionMode.ONE_WAY
        self.held: list[PositionReport] = []
        self.payments: list[FundingReport] = []
        self.refusal: ExchangeError | None = None
        self.leverages: list[tuple[Symbol, Decimal]] = []
        self.asked_since: list[int] = []
        limits = SimpleNamespace(leverage_max={BTC: Decimal(20), ETH: Decimal(10)}.__getitem__)
        self.codec = SimpleNamespace(identity=SimpleNamespace(name="scripted"), positions=limits)

    def exchange_time_milliseconds(self) -> int:
        return NOW_MILLISECONDS + round(trio.current_time() * 1000)

    async def position_mode(self) -> PositionMode:
        return self.mode

    async def set_leverage(self, symbol: Symbol, leverage: Decimal) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.leverages.append((symbol, leverage))

    async def positions(self) -> list[PositionReport]:
        return list(self.held)

    async def funding(self, *, since_milliseconds: int) -> list[FundingReport]:
        await trio.lowlevel.checkpoint()
        self.asked_since.append(since_milliseconds)
        return [payment for payment in self.payments if payment.exchange_time_milliseconds >= since_milliseconds]


class Desk:
    """A desk at a scripted exchange, with a real ledger; `told` is everything that was told."""

    def __init__(self, *, leverage: str | None = None) -> None:
        self.told: list[object] = []
        self.exchange = ScriptedPositions()
        self.ledger = AccountLedger(account="main", installation="mm", holds_positions=True)
        self.desk = PositionDesk(
            session=cast("AccountSession", self.exchange),
            bookkeeper=Bookkeeper(ledger=self.ledger, inboxes={}, recorder=NoRecorder(), report=self.told.append),
            symbols=(BTC, ETH),
            leverage=None if leverage is None else Decimal(leverage),
        )

    def buy(self, quantity: str, price: str) -> None:
        fill = FillReport(
            trade_id=quantity,
            exchange_order_id="7",
            client_order_id=None,
            symbol=BTC,
            side=Side.BUY,
            price=Decimal(price),
            quantity=Decimal(quantity),
            fee=Decimal(0),
            fee_asset="USDT",
            maker=False,
        )
        self.ledger.apply_fill(fill, now=trio.current_time())


def held(quantity: str, *, symbol: Symbol = BTC) -> PositionReport:
    return PositionReport(symbol=symbol, quantity=Decimal(quantity), entry_price=Decimal(100))


def payment(payment_id: str, at_milliseconds: int) -> FundingReport:
    return FundingReport(
        payment_id=payment_id, symbol=BTC, amount=Decimal("-0.1"), asset="USDT", exchange_time_milliseconds=at_milliseconds
    )  # fmt: skip


def close(symbol: Symbol = BTC) -> ClosePosition:
    return ClosePosition(client_order_id="mm-btc-1", owner="btc", symbol=symbol, expires_at=5.0)


# Before the first order


async def test_leverage_is_set_of_every_symbol_and_known_at_once(autojump_clock: object) -> None:
    at = Desk(leverage="10")
    await at.desk.prepare()
    assert at.exchange.leverages == [(BTC, 10), (ETH, 10)]
    assert at.desk.leverages() == {BTC: 10, ETH: 10}
    assert [event for event in at.told if isinstance(event, LeverageSet)] == [
        LeverageSet("main", BTC, Decimal(10)),
        LeverageSet("main", ETH, Decimal(10)),
    ]


async def test_leverage_of_one_contract_s_maximum_is_set_and_one_above_another_s_is_said_before_it_is_asked_for(
    autojump_clock: object,
) -> None:
    at = Desk(leverage="20")
    with pytest.raises(AccountNotTradable, match=r"leverage is 20, and ETH/USDT at scripted allows 10 at most"):
        await at.desk.prepare()
    assert at.exchange.leverages == [(BTC, 20)]


async def test_account_in_hedge_mode_is_not_tradable(autojump_clock: object) -> None:
    at = Desk(leverage="10")
    at.exchange.mode = PositionMode.HEDGE
    with pytest.raises(AccountNotTradable, match="hedge mode"):
        await at.desk.prepare()
    assert at.exchange.leverages == []


@pytest.mark.parametrize(
    ("kind", "http_status", "raised"),
    [
        (ErrorKind.INVALID_PARAMETERS, 400, AccountNotTradable),
        (ErrorKind.INSUFFICIENT_BALANCE, 400, AccountNotTradable),
        (ErrorKind.RATE_LIMITED, 429, ExchangeError),
        (ErrorKind.MAINTENANCE, 503, ExchangeError),
        (ErrorKind.UNKNOWN, 500, ExchangeError),
        (ErrorKind.AUTHENTICATION, 401, ExchangeError),
    ],
)
async def test_only_a_refusal_that_will_not_pass_makes_the_account_untradable(
    autojump_clock: object, kind: ErrorKind, http_status: int, raised: type[Exception]
) -> None:
    at = Desk(leverage="10")
    at.exchange.refusal = ExchangeError(kind, code="X", message="scripted", http_status=http_status)
    with pytest.raises(raised):
        await at.desk.prepare()
    assert at.desk.leverages() == {BTC: 1, ETH: 1}, "what was not accepted is not counted on"


# Funding


async def test_payments_are_asked_for_from_before_the_last_question_because_one_may_be_listed_late(autojump_clock: object) -> None:
    at = Desk()
    await at.desk.fetch_funding()
    asked_at = at.exchange.exchange_time_milliseconds()
    await trio.sleep(7_200)
    await at.desk.fetch_funding()
    await at.desk.fetch_funding()
    assert FUNDING_OVERLAP_MILLISECONDS >= HOUR_MILLISECONDS
    assert at.exchange.asked_since == [
        asked_at,  # what was paid before the first run began is none of it
        asked_at,
        asked_at + 7_200_000 - FUNDING_OVERLAP_MILLISECONDS,
    ]


async def test_payment_that_is_listed_late_is_counted_and_counted_once(autojump_clock: object) -> None:
    at = Desk()
    at.exchange.payments = [payment("1", NOW_MILLISECONDS)]
    await at.desk.compare()
    await trio.sleep(60)
    at.exchange.payments.append(payment("2", NOW_MILLISECONDS + 1))
    await at.desk.compare()
    await at.desk.compare()
    assert [event.funding.payment_id for event in at.told if isinstance(event, FundingPaid)] == ["1", "2"]
    assert at.ledger.fill_changes() == {"USDT": Decimal("-0.2")}


# What the totals are


async def test_totals_are_the_wallet_less_what_is_open_has_cost_and_the_position(autojump_clock: object) -> None:
    at = Desk()
    at.exchange.held = [held("-2")]
    await at.desk.compare()
    balances = [BalanceReport(asset="USDT", total=Decimal(1_000), available=Decimal(900))]
    assert await at.desk.settled_totals(balances) == {"BTC": -2, "USDT": 1_200}, "a short position has brought its price"


@pytest.mark.parametrize("at_the_exchange", [[], [held("2")], [held("1"), held("1", symbol=ETH)]])
async def test_there_are_no_totals_while_the_exchange_s_positions_are_not_ours(
    autojump_clock: object, at_the_exchange: list[PositionReport]
) -> None:
    at = Desk()
    await at.desk.compare()
    at.buy("1", "100")
    at.exchange.held = at_the_exchange
    assert await at.desk.settled_totals([]) is None
    at.exchange.held = [held("1")]
    assert await at.desk.settled_totals([]) == {"BTC": 1, "USDT": -100}


# Closing


@pytest.mark.parametrize(("quantity", "side"), [("0.5", Side.SELL), ("-0.5", Side.BUY)])
async def test_position_is_closed_by_a_reduce_only_market_order_of_its_size(autojump_clock: object, quantity: str, side: Side) -> None:
    at = Desk()
    at.exchange.held = [held("3", symbol=ETH), held(quantity)]
    command = await at.desk.closing_order(close())
    assert command is not None
    request = command.request
    assert (request.symbol, request.side, request.quantity, request.reduce_only) == (BTC, side, Decimal("0.5"), True)
    assert (request.price, command.expires_at) == (None, 5.0)


async def test_there_is_nothing_to_close_without_a_position(autojump_clock: object) -> None:
    at = Desk()
    at.exchange.held = [held("3", symbol=ETH), held("0")]
    assert await at.desk.closing_order(close()) is None
