"""The funds desk: when balances are asked for, and how often."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from scripted_account import BTC, Books, ScriptedSession

from actors.accounts.events import AccountTrouble
from actors.accounts.funds_desk import PAUSE_SECONDS, FundsDesk
from network.errors import NetworkError


@pytest.mark.parametrize("failures", [0, 2])
async def test_balances_in_doubt_are_asked_for_at_once_and_again_until_there_is_an_answer(autojump_clock, failures: int) -> None:
    books, exchange = Books(), ScriptedSession()
    exchange.failures["balances"] = [NetworkError("broken")] * failures
    desk = FundsDesk(session=exchange.session, bookkeeper=books.bookkeeper, symbols=(BTC,))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.watch)
        await trio.sleep(60)
        assert not exchange.times("balances"), "nobody doubts"
        desk.doubt()
        await trio.sleep(60)
        nursery.cancel_scope.cancel()
    assert exchange.times("balances") == pytest.approx([60 + PAUSE_SECONDS * number for number in range(failures + 1)])
    assert len(books.seen(AccountTrouble)) == failures
    assert set(books.ledger.balances()) == {"BTC", "USDT"}, "what the exchange does not list, there is nothing of"


async def test_doubts_that_come_all_the_time_are_asked_about_with_pauses(autojump_clock) -> None:
    books, exchange = Books(), ScriptedSession()
    desk = FundsDesk(session=exchange.session, bookkeeper=books.bookkeeper, symbols=(BTC,))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.watch)
        for _ in range(195):
            desk.doubt()
            await trio.sleep(0.1)
        nursery.cancel_scope.cancel()
    assert exchange.times("balances") == pytest.approx([0.0, PAUSE_SECONDS, 2 * PAUSE_SECONDS, 3 * PAUSE_SECONDS])
