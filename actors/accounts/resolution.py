"""Finding out what became of an order whose fate is not clear.

Theory of operation. The exchange is asked about this very order: by its id, or by its client order id, then in its list
of finished orders and of open orders (some exchanges find an order by client id only while it is open). Whatever any of
them says is the answer. Only when none of them knows the order, and the time is past at which the exchange could still
have accepted it, it is concluded that it never was accepted; until then it stays as it is. An early "not found" is
therefore never the end of an order, not even of one that the exchange has acknowledged: its lists may lag behind its
matching engine. The time is the exchange's own, asked for anew: our idea of its clock may be what is wrong. Whatever was
heard of the order while the lists were asked for is newer than they are, and then nothing is concluded from them.
"""

from __future__ import annotations

import trio

from actors.accounts.session import AccountSession
from orders.errors import ErrorKind, ExchangeError
from orders.events import LedgerEvent
from orders.ledger import AccountLedger
from orders.life_cycle import OrderInput
from orders.order import Order

# How long past an order's own expiry, or past the sending of one without, its absence is not yet believed: the exchange's
# lists may lag behind its matching engine.
ABSENCE_GRACE_MILLISECONDS = 1_000
ABSENCE_GRACE_WITHOUT_EXPIRY_MILLISECONDS = 30_000
# An order that has not left may be waiting to: for the journal, or for a place in the rate limits. Of an earlier run none does.
UNSENT_PATIENCE_SECONDS = 30.0
# Finished orders are searched from a little before the sending, for clocks that disagree.
SEARCH_MARGIN_MILLISECONDS = 60_000
# And from so far back if nobody knows when it was sent.
SEARCH_FAR_BACK_MILLISECONDS = 86_400_000


async def resolve(order: Order, *, session: AccountSession, ledger: AccountLedger) -> list[LedgerEvent]:
    """Ask the exchange about `order` and take its answer into the ledger.

    Returns the events to publish; an empty list if the order stays as it was. Raises what `AccountSession` raises.
    Cancelled: the ledger is as it was.
    """
    order = ledger.order(order.client_order_id) or order  # whoever asks may have waited since: it may have been sent by now
    if not order.sent and trio.current_time() - order.created_at < UNSENT_PATIENCE_SECONDS:
        return []  # whoever is about to send it, or ends without, says so himself
    if not order.sent:
        return ledger.record_input(order.client_order_id, OrderInput.NEVER_SENT, now=trio.current_time(), reason="never left this machine")
    try:
        return ledger.apply_order_report(await session.query_order(order), now=trio.current_time())
    except ExchangeError as error:
        if error.kind is not ErrorKind.ORDER_NOT_FOUND and error.kind is not ErrorKind.ALREADY_CLOSED:
            raise
    await session.measure_clock_offset()
    asked_at_milliseconds = session.exchange_time_milliseconds()
    if order.sent_at_milliseconds > asked_at_milliseconds + SEARCH_MARGIN_MILLISECONDS:
        order = _with_doubted_times(order, ledger, asked_at_milliseconds)
    symbol = order.request.symbol
    since = order.sent_at_milliseconds - SEARCH_MARGIN_MILLISECONDS
    for reports in (
        await session.open_orders(symbol),
        await session.finished_orders(symbol, since_milliseconds=since),
    ):
        for report in reports:
            if report.client_order_id == order.client_order_id:
                return ledger.apply_order_report(report, now=trio.current_time())
    if asked_at_milliseconds <= absence_believed_at_milliseconds(order) or ledger.order(order.client_order_id) != order:
        return []
    if order.exchange_order_id is not None:
        return await _conclude_ended(order, session, ledger)
    return ledger.record_input(
        order.client_order_id,
        OrderInput.SAID_NEVER_ACCEPTED,
        now=trio.current_time(),
        reason="the exchange never accepted it",
        for_now=True,
    )


def _with_doubted_times(order: Order, ledger: AccountLedger, now_milliseconds: int) -> Order:
    """Of an order that left while our clock was far ahead: before now, and who knows when. Its own expiry is as far ahead, and would have
    its fate unknown for as long; it is given as long as where there is none.
    """
    return ledger.doubt_sending(
        order.client_order_id,
        sent_at_milliseconds=now_milliseconds - SEARCH_FAR_BACK_MILLISECONDS,
        expires_at_milliseconds=now_milliseconds + ABSENCE_GRACE_WITHOUT_EXPIRY_MILLISECONDS - ABSENCE_GRACE_MILLISECONDS,
    )


async def _conclude_ended(order: Order, session: AccountSession, ledger: AccountLedger) -> list[LedgerEvent]:
    """The exchange had this order and lists it nowhere now: it ended, and its fills tell how.

    Exchanges forget a cancelled order without fills after a while (Gate.io does), so this is what a long outage meets.
    """
    fills = await session.fills(order.request.symbol, exchange_order_id=order.exchange_order_id)
    was_heard_of_meanwhile = ledger.order(order.client_order_id) != order
    events = [event for fill in fills for event in ledger.apply_fill(fill, now=trio.current_time())]
    known = ledger.order(order.client_order_id)
    if known is not None and not known.is_terminal and not was_heard_of_meanwhile:
        events += ledger.record_input(
            order.client_order_id,
            OrderInput.SAID_FORGOTTEN,
            now=trio.current_time(),
            reason="the exchange no longer lists it; it ended while we did not hear",
        )
    return events


def absence_believed_at_milliseconds(order: Order) -> int:
    """The exchange's time after which no list knowing an order means that there is none."""
    if order.expires_at_milliseconds is not None:
        return order.expires_at_milliseconds + ABSENCE_GRACE_MILLISECONDS
    return order.sent_at_milliseconds + ABSENCE_GRACE_WITHOUT_EXPIRY_MILLISECONDS


async def fetch_missing_fills(order: Order, *, session: AccountSession, ledger: AccountLedger) -> list[LedgerEvent]:
    """Ask for the trades of an order whose known fills do not account for its filled quantity."""
    if order.exchange_order_id is None:
        return []
    events: list[LedgerEvent] = []
    for fill in await session.fills(order.request.symbol, exchange_order_id=order.exchange_order_id):
        events.extend(ledger.apply_fill(fill, now=trio.current_time()))
    return events
