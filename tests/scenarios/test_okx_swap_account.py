"""Every question and order operation of OKX swap's account codec, put to the simulated exchange over its wire, and its stream."""

from __future__ import annotations

from decimal import Decimal

import pytest
import trio
from account_session import as_order, market, place, request, with_session
from msgspec.structs import replace
from world import BTC_USDT, World

from actors.accounts.codec import Amendment, OrderReceived, PositionMode
from actors.accounts.session import AccountSession
from actors.accounts.stream import open_private_stream
from market.events import Side
from market.symbol import Symbol
from orders.errors import ErrorKind, ExchangeError
from orders.order import Order
from orders.reports import BalanceReport, FillReport, MarginMode, OrderReport, PositionReport, PrivateReport, ReportedStatus

NAME = "okx_swap"


def test_orders_are_placed_amended_queried_and_cancelled() -> None:
    async def story(world: World, session: AccountSession) -> None:
        asked = request(1)
        received = await place(session, asked)
        assert (received.status, received.client_order_id) == (ReportedStatus.OPEN, "test-1")
        order = as_order(asked, received)
        assert await session.amend(order, price=Decimal(58_900), quantity=Decimal("0.001")) is None, "it was received"
        amended = await session.query_order(Order(request=asked, sent=True))
        assert amended == await session.query_order(order)
        assert (amended.price, amended.quantity, amended.side) == (58_900, Decimal("0.001"), Side.BUY)
        assert [found.client_order_id for found in await session.open_orders()] == ["test-1"]
        assert await session.cancel(order) is None
        ended = await session.query_order(order)
        assert (ended.status, ended.filled_quantity) == (ReportedStatus.CANCELLED, 0)
        since = session.exchange_time_milliseconds() - 60_000
        assert [found.client_order_id for found in await session.finished_orders(BTC_USDT, since_milliseconds=since)] == ["test-1"]
        with pytest.raises(ExchangeError) as raised:
            await session.cancel(order)
        assert raised.value.kind is ErrorKind.ALREADY_CLOSED

    with_session(NAME, story)


def test_batches_place_amend_and_cancel_and_refuse_per_order() -> None:
    async def story(world: World, session: AccountSession) -> None:
        asked = [request(1), request(2, price=Decimal(58_000)), request(3, quantity=Decimal(5_000))]
        expiry = session.exchange_time_milliseconds() + 3_000
        first, second, refused = await session.place_batch(asked, leaving=lambda: (asked, expiry))
        assert isinstance(first, OrderReceived)
        assert isinstance(second, OrderReceived)
        assert isinstance(refused, tuple)
        assert (refused[0], refused[1].kind) == ("test-3", ErrorKind.INSUFFICIENT_BALANCE)
        orders = [Order(request=asked[0], exchange_order_id=first.exchange_order_id, sent=True), Order(request=asked[1], sent=True)]
        amended = await session.amend_batch([Amendment(order=order, price=Decimal(57_000)) for order in orders])
        assert [answer.client_order_id for answer in amended if isinstance(answer, OrderReceived)] == ["test-1", "test-2"]
        assert {found.price for found in await session.open_orders(BTC_USDT)} == {57_000}
        gone = replace(orders[0], exchange_order_id="1")
        cancelled = await session.cancel_batch([*orders, gone])
        assert [answer[1].kind for answer in cancelled if isinstance(answer, tuple)] == [ErrorKind.ALREADY_CLOSED]
        assert await session.open_orders(BTC_USDT) == []

    with_session(NAME, story)


def test_fills_balances_and_position_agree_after_a_round_trip() -> None:
    async def story(world: World, session: AccountSession) -> None:
        assert await session.position_mode() is PositionMode.ONE_WAY
        before = {balance.asset: balance for balance in await session.balances()}["USDT"]
        bought = await place(session, market(1, Side.BUY, "0.0300"))
        (position,) = await session.positions()
        assert (position.symbol, position.quantity, position.margin_mode) == (BTC_USDT, Decimal("0.03"), MarginMode.CROSS)
        assert position.mark_price is not None
        held = {balance.asset: balance for balance in await session.balances()}["USDT"]
        assert held.available < before.available, "a position needs margin"
        sold = await place(session, market(2, Side.SELL, "0.0300", reduce_only=True))
        assert [one for one in await session.positions() if one.quantity] == []
        fills = [fill for report in (bought, sold) for fill in await session.fills(BTC_USDT, exchange_order_id=report.exchange_order_id)]
        assert sum(fill.quantity for fill in fills) == Decimal("0.06")
        received = sum(fill.quantity * fill.price * (1 if fill.side is Side.SELL else -1) - fill.fee for fill in fills)
        after = {balance.asset: balance for balance in await session.balances()}["USDT"]
        assert after.total - before.total == received
        with pytest.raises(ExchangeError) as raised:
            await place(session, request(3, reduce_only=True))
        assert raised.value.kind is ErrorKind.INVALID_PARAMETERS

    with_session(NAME, story)


def test_leverage_margin_mode_and_funding_reach_the_position() -> None:
    async def story(world: World, session: AccountSession) -> None:
        positions = session.codec.positions
        assert positions is not None
        for margin_mode, leverage in ((MarginMode.ISOLATED, Decimal(5)), (MarginMode.CROSS, Decimal(20))):
            positions.margin_mode = margin_mode
            (before, *_) = await session.balances()
            await session.set_leverage(BTC_USDT, leverage)
            bought = await place(session, market(int(leverage), Side.BUY, "0.01"))
            (position,) = await session.positions()
            assert (position.margin_mode, position.leverage) == (margin_mode, leverage)
            (fill,) = await session.fills(BTC_USDT, exchange_order_id=bought.exchange_order_id)
            (after, *_) = await session.balances()
            assert after.total == before.total - fill.fee, "margin that was set aside is still ours"
            await place(session, market(int(leverage) + 1, Side.SELL, "0.01", reduce_only=True))
        with pytest.raises(ExchangeError) as raised:
            await session.set_leverage(BTC_USDT, positions.leverage_max(BTC_USDT) + 1)
        assert raised.value.kind is ErrorKind.INVALID_PARAMETERS
        await place(session, market(30, Side.BUY, "0.01"))
        since = session.exchange_time_milliseconds() - 1_000
        (before, *_) = await session.balances()
        world.exchange.pay_funding(BTC_USDT, Decimal("0.001"))
        (payment,) = await session.funding(since_milliseconds=since)
        (after, *_) = await session.balances()
        assert (payment.symbol, payment.asset, payment.amount) == (BTC_USDT, "USDT", after.total - before.total)
        assert payment.amount < 0, "whoever is long pays"

    with_session(NAME, story)


def test_liquidation_is_a_fill_of_nobodys_order_with_a_negative_id() -> None:
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
        theirs = [fill for fill in fills if fill.exchange_order_id != bought.exchange_order_id]
        assert {(fill.client_order_id, fill.side, fill.trade_id[0]) for fill in theirs} == {(None, Side.SELL, "-")}
        assert sum(fill.quantity for fill in theirs) == Decimal("0.01")

    with_session(NAME, story)


def test_stream_tells_what_rest_tells_of_orders_fills_balances_and_positions() -> None:
    async def story(world: World, session: AccountSession) -> None:
        settings = world.settings()
        codec, reports = session.codec, list[PrivateReport]()
        url = settings.exchanges[NAME].private_websocket_url
        assert url is not None
        async with open_private_stream(url, session=session, credential=settings.credentials["main"]) as (stream, early):
            reports += early
            assert codec.order_entry is not None
            assert codec.order_entry.carries(BTC_USDT)
            assert not codec.order_entry.carries(Symbol("NO", "SUCH"))
            await place(session, market(1, Side.BUY, "0.0300"))
            with trio.move_on_after(7):  # the regular pushes come every five seconds
                while True:
                    reports += await stream.receive()
        (order,) = [one for one in reports if isinstance(one, OrderReport) and one.status is ReportedStatus.FILLED]
        assert (order.client_order_id, order.filled_quantity) == ("test-1", Decimal("0.03"))
        pushed = {one.trade_id: one for one in reports if isinstance(one, FillReport)}
        assert pushed == {fill.trade_id: fill for fill in await session.fills(BTC_USDT)}
        told = [one for one in reports if isinstance(one, PositionReport)]
        assert told[0].quantity == Decimal("0.03")
        assert any(one.leverage is None for one in told), "the channel that is first says less"
        (position,) = await session.positions()
        assert replace(told[-1], mark_price=None, unrealised_pnl=None, liquidation_price=None) == replace(
            position, mark_price=None, unrealised_pnl=None, liquidation_price=None
        )
        balances = [one for one in reports if isinstance(one, BalanceReport) and one.asset == "USDT"]
        (balance,) = [one for one in await session.balances() if one.asset == "USDT"]
        assert balances[-1].total == balance.total

    with_session(NAME, story)
