"""Every question and order operation of Gate.io futures' account codec, put to the simulated exchange over its wire."""

from __future__ import annotations

from decimal import Decimal

import pytest
import trio
from account_session import as_order, market, place, request, with_session
from msgspec.structs import replace
from world import BTC_USDT, World

from actors.accounts.codec import Amendment, PositionMode
from actors.accounts.session import AccountSession
from market.events import Side
from orders.errors import ErrorKind, ExchangeError
from orders.order import Order
from orders.reports import MarginMode, OrderReport, ReportedStatus

NAME = "gateio_futures"


def test_orders_are_placed_amended_queried_and_cancelled() -> None:
    async def story(world: World, session: AccountSession) -> None:
        asked = request(1)
        report = await place(session, asked)
        assert (report.status, report.client_order_id, report.quantity, report.filled_quantity) == (
            ReportedStatus.OPEN,
            "test-1",
            Decimal("0.0025"),
            0,
        )
        order = as_order(asked, report)
        changed = await session.amend(order, price=Decimal(58_900), quantity=Decimal("0.001"))
        assert changed is not None
        assert (changed.price, changed.quantity, changed.side) == (58_900, Decimal("0.001"), Side.BUY)
        assert await session.query_order(Order(request=asked, sent=True)) == await session.query_order(order)
        assert [found.client_order_id for found in await session.open_orders()] == ["test-1"]
        ended = await session.cancel(order)
        assert ended is not None
        assert (ended.status, ended.filled_quantity) == (ReportedStatus.CANCELLED, 0)
        since = session.exchange_time_milliseconds() - 60_000
        assert [found.client_order_id for found in await session.finished_orders(BTC_USDT, since_milliseconds=since)] == ["test-1"]
        with pytest.raises(ExchangeError) as raised:
            await session.cancel(order)
        assert raised.value.kind in (ErrorKind.ALREADY_CLOSED, ErrorKind.ORDER_NOT_FOUND)

    with_session(NAME, story)


def test_batches_place_amend_and_cancel_and_refuse_per_order() -> None:
    async def story(world: World, session: AccountSession) -> None:
        asked = [request(1), request(2, price=Decimal(58_000)), request(3, quantity=Decimal(50))]
        expiry = session.exchange_time_milliseconds() + 3_000
        answers = await session.place_batch(asked, leaving=lambda: (asked, expiry))
        first, second = answers[:2]
        assert isinstance(first, OrderReport)
        assert isinstance(second, OrderReport)
        assert isinstance(answers[2], tuple)
        assert answers[2][1].kind in (ErrorKind.INSUFFICIENT_BALANCE, ErrorKind.INVALID_PARAMETERS)
        orders = [as_order(asked[0], first), as_order(asked[1], second)]
        amended = await session.amend_batch([Amendment(order=order, price=Decimal(57_000)) for order in orders])
        assert [answer.price for answer in amended if isinstance(answer, OrderReport)] == [57_000, 57_000]
        gone = replace(orders[0], exchange_order_id="1")
        cancelled = await session.cancel_batch([*orders, gone])
        assert [answer[1].kind for answer in cancelled if isinstance(answer, tuple)] == [ErrorKind.ORDER_NOT_FOUND]
        assert await session.open_orders(BTC_USDT) == []

    with_session(NAME, story)


def test_fills_balances_and_position_agree_after_a_round_trip() -> None:
    async def story(world: World, session: AccountSession) -> None:
        assert await session.position_mode() is PositionMode.ONE_WAY
        (before,) = await session.balances()
        bought = await place(session, market(1, Side.BUY, "0.0300"))
        assert bought.status is ReportedStatus.FILLED
        (position,) = await session.positions()
        assert (position.symbol, position.quantity, position.margin_mode) == (BTC_USDT, Decimal("0.03"), MarginMode.CROSS)
        assert position.mark_price is not None
        sold = await place(session, market(2, Side.SELL, "0.0300", reduce_only=True))
        assert sold.status is ReportedStatus.FILLED
        assert [held for held in await session.positions() if held.quantity] == []
        fills = [fill for report in (bought, sold) for fill in await session.fills(BTC_USDT, exchange_order_id=report.exchange_order_id)]
        assert sum(fill.quantity for fill in fills) == Decimal("0.06")
        received = sum(fill.quantity * fill.price * (1 if fill.side is Side.SELL else -1) - fill.fee for fill in fills)
        (after,) = await session.balances()
        assert after.total - before.total == received
        since = session.exchange_time_milliseconds() - 60_000
        assert {fill.trade_id for fill in await session.fills(BTC_USDT, since_milliseconds=since)} == {fill.trade_id for fill in fills}
        with pytest.raises(ExchangeError):
            await place(session, request(3, reduce_only=True))

    with_session(NAME, story)


def test_leverage_and_funding_reach_the_position() -> None:
    async def story(world: World, session: AccountSession) -> None:
        positions = session.codec.positions
        assert positions is not None
        for margin_mode, leverage in ((MarginMode.ISOLATED, Decimal(5)), (MarginMode.CROSS, Decimal(20))):
            positions.margin_mode = margin_mode
            await session.set_leverage(BTC_USDT, leverage)
            await place(session, market(int(leverage), Side.BUY, "0.01"))
            (position,) = await session.positions()
            assert (position.margin_mode, position.leverage) == (margin_mode, leverage)
            await place(session, market(int(leverage) + 1, Side.SELL, "0.01", reduce_only=True))
        with pytest.raises(ExchangeError) as raised:
            await session.set_leverage(BTC_USDT, positions.leverage_max(BTC_USDT) + 1)
        assert raised.value.kind is ErrorKind.INVALID_PARAMETERS
        await place(session, market(30, Side.BUY, "0.01"))
        since = session.exchange_time_milliseconds() - 1_000
        (before,) = await session.balances()
        world.exchange.pay_funding(BTC_USDT, Decimal("0.001"))
        (payment,) = await session.funding(since_milliseconds=since)
        (after,) = await session.balances()
        assert (payment.symbol, payment.asset, payment.amount) == (BTC_USDT, "USDT", after.total - before.total)
        assert payment.amount < 0, "whoever is long pays"

    with_session(NAME, story)


def test_liquidation_is_a_fill_of_nobodys_order() -> None:
    async def story(world: World, session: AccountSession) -> None:
        positions = session.codec.positions
        assert positions is not None
        positions.margin_mode = MarginMode.ISOLATED
        await session.set_leverage(BTC_USDT, Decimal(50))
        bought = await place(session, market(1, Side.BUY, "0.01"))
        world.exchange.set_mark_price(BTC_USDT, Decimal(55_000))
        await trio.sleep(1)
        assert [held for held in await session.positions() if held.quantity] == []
        fills = await session.fills(BTC_USDT)
        ours = [fill for fill in fills if fill.exchange_order_id == bought.exchange_order_id]
        theirs = [fill for fill in fills if fill.exchange_order_id != bought.exchange_order_id]
        assert {fill.client_order_id for fill in ours} == {"test-1"}
        assert {(fill.client_order_id, fill.side) for fill in theirs} == {(None, Side.SELL)}
        assert sum(fill.quantity for fill in theirs) == Decimal("0.01")

    with_session(NAME, story)
