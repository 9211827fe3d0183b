"""Flattening: at a stop that asks for it, what a cycle of this run bought and has not sold is sold at market.

Of contracts it is the position that the cycle's fills have made, long or short, and the order may only make it smaller.

Only the run's own fills count: what the account held before is never touched. It comes after closing, when no order of
ours is live, so that the quantity is certain; and it is the one placement that passes behind a closed gate, because it is
the stop itself that wants it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import trio

from actors.accounts.bookkeeper import Bookkeeper
from actors.accounts.codec import ProtocolError
from actors.accounts.events import AccountTrouble
from actors.accounts.resolution import fetch_missing_fills, resolve
from actors.accounts.session import AccountSession
from market.events import Side
from market.instrument import Instrument
from market.symbol import Symbol
from network.errors import NetworkError, RequestNotSent
from orders.errors import ExchangeError
from orders.life_cycle import OrderInput
from orders.order import ZERO
from orders.request import OrderRequest, OrderType, TimeInForce

PAUSE_SECONDS = 0.25
EXPIRY_MILLISECONDS = 3_000


async def flatten(
    *,
    session: AccountSession,
    bookkeeper: Bookkeeper,
    owner: str,
    rules: Mapping[Symbol, Instrument],
    next_id: Callable[[], str],
) -> None:
    """Sell what `owner` still holds from this run's fills, and wait for the exchange's word about it.

    Less than the smallest tradable quantity is left. What the exchange refuses is reported and left. The caller sets the
    deadline; cancelled, the ledger says what is not known yet.
    """
    for symbol, held in bookkeeper.ledger.holdings(owner).items():
        instrument = rules.get(symbol)
        # Of an asset only what was bought is sold; a position may also be short, and then it is bought back.
        may_be_short = session.codec.capabilities.positions
        quantity = instrument.round_quantity_down(abs(held) if may_be_short else held) if instrument is not None else ZERO
        if instrument is None or quantity <= 0 or quantity < instrument.quantity_min:
            continue
        request = OrderRequest(
            client_order_id=next_id(),
            owner=owner,
            symbol=symbol,
            side=Side.SELL if held > 0 else Side.BUY,
            type=OrderType.MARKET,
            time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
            quantity=quantity,
            reduce_only=may_be_short,
            tag="flatten",
        )
        await _sell(request, session, bookkeeper)
        await _wait_for_its_end(request.client_order_id, session, bookkeeper)


async def _sell(request: OrderRequest, session: AccountSession, bookkeeper: Bookkeeper) -> None:
    ledger, client_order_id = bookkeeper.ledger, request.client_order_id
    bookkeeper.publish(ledger.record_intent(request, now=trio.current_time()))

    def leaving() -> int | None:
        sent_at = session.exchange_time_milliseconds()
        expires_at = sent_at + EXPIRY_MILLISECONDS if session.codec.capabilities.order_expiry else None
        ledger.record_sent(client_order_id, sent_at_milliseconds=sent_at, expires_at_milliseconds=expires_at)
        return expires_at

    try:
        bookkeeper.take(await session.place(request, leaving=leaving))
    except RequestNotSent as error:
        bookkeeper.happened(client_order_id, OrderInput.NEVER_SENT, f"not sent: {error}")
    except ExchangeError as error:
        happened = OrderInput.ANSWER_LOST if error.fate_is_unknown else OrderInput.SAID_REJECTED
        bookkeeper.happened(client_order_id, happened, str(error))
    except (NetworkError, ProtocolError) as error:
        bookkeeper.happened(client_order_id, OrderInput.ANSWER_LOST, str(error))


async def _wait_for_its_end(client_order_id: str, session: AccountSession, bookkeeper: Bookkeeper) -> None:
    while True:
        order = bookkeeper.ledger.order(client_order_id)
        if order is None or order.is_settled:
            return
        try:
            ask = fetch_missing_fills if order.is_terminal else resolve
            bookkeeper.publish(await ask(order, session=session, ledger=bookkeeper.ledger))
        except (NetworkError, ExchangeError, ProtocolError) as error:
            bookkeeper.report(AccountTrouble(bookkeeper.account, f"flattening, order {client_order_id}", str(error)))
        await trio.sleep(PAUSE_SECONDS)
