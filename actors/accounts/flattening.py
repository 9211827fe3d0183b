"""Flattening: what a cycle bought and has not sold is sold at market, at a stop that asks for it or when a person does.

Of contracts it is the position that the cycle's fills have made, long or short, and the order may only make it smaller.

Only the cycle's own fills count: what the account held before is never touched. It comes after closing, when no order of
the cycle is live, so that the quantity is certain; and it is the one placement that passes behind a closed gate and a state, because
it is the stop itself, or the person, that wants it. What another has sold of it is not there any more: then what there is goes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial

import trio

from actors.accounts.bookkeeper import Bookkeeper
from actors.accounts.codec import ProtocolError
from actors.accounts.events import AccountTrouble
from actors.accounts.gate import GateClosed
from actors.accounts.resolution import fetch_missing_fills, resolve
from actors.accounts.session import AccountSession
from market.events import Side
from market.instrument import Instrument
from market.symbol import Symbol
from network.errors import NetworkError, RequestNotSent
from orders.commands import FLATTEN, TOO_LITTLE, Flattened, FlattenOwner
from orders.errors import ErrorKind, ExchangeError
from orders.ledger import AccountLedger
from orders.life_cycle import OrderInput, OrderState
from orders.order import ZERO, Order
from orders.recording import NotRecorded
from orders.request import OrderRequest, OrderType, TimeInForce

PAUSE_SECONDS = 0.25
EXPIRY_MILLISECONDS = 3_000
ATTEMPTS_MAX = 3
"""What a thin market has not taken in as many orders is left, and said."""
UNTAKEN_PAUSE_SECONDS = 1.0  # for somebody to come who wants it
NOT_THERE = "the account has no more of it: another has sold of what was held"


async def flatten(
    *,
    session: AccountSession,
    bookkeeper: Bookkeeper,
    owner: str,
    rules: Mapping[Symbol, Instrument],
    next_id: Callable[[], str],
) -> None:
    """Sell what `owner` still holds from this run's fills, and wait for the exchange's word about it.

    Less than the smallest tradable quantity is left. What the exchange refuses, what could not be written down before, and what the
    market does not take in `ATTEMPTS_MAX` orders, is reported and left. The caller sets the deadline; cancelled, the ledger says
    what is not known yet.
    """
    for symbol in tuple(bookkeeper.ledger.holdings(owner)):
        there_is: Decimal | None = None
        for _ in range(ATTEMPTS_MAX):
            held = bookkeeper.ledger.holdings(owner).get(symbol, ZERO)
            wanted = held if there_is is None else min(held, there_is)
            request = _request(wanted, symbol, owner=owner, session=session, rules=rules, client_order_id=next_id)
            if request is None:
                break
            is_not_there = await _sell(request, session, bookkeeper)
            if is_not_there and there_is is None:
                there_is = await _what_there_is(symbol.base, session, bookkeeper)
                continue
            order = bookkeeper.ledger.order(request.client_order_id)
            if order is None or order.state not in (OrderState.EXPIRED, OrderState.CANCELLED):
                break
            there_is = None if there_is is None else there_is - order.filled_quantity
            if not order.filled_quantity:
                await trio.sleep(UNTAKEN_PAUSE_SECONDS)


async def flatten_owner(
    command: FlattenOwner,
    *,
    session: AccountSession,
    bookkeeper: Bookkeeper,
    rules: Mapping[Symbol, Instrument],
    middle: Callable[[Symbol], Decimal | None],
) -> Flattened:
    """Sell what a command says, attempt after attempt as long as something of it trades, and wait for the exchange's word about each.

    As `flatten`. `middle` tells prices, by which it is seen what is worth less than the exchange takes.
    """
    ledger, symbol = bookkeeper.ledger, command.symbol
    before = held = _held(command, ledger)
    quote_quantity, why_left, there_is = ZERO, "", None
    for client_order_id in command.client_order_ids:
        if symbol not in rules:
            why_left = f"the exchange's rules for {symbol} are not known yet" if held else ""
            break
        wanted = held if there_is is None else min(held, there_is)
        request = _request(
            wanted,
            symbol,
            owner=command.owner,
            session=session,
            rules=rules,
            client_order_id=partial(str, client_order_id),
            tag=command.tag,
        )
        price = middle(symbol)
        if request is None or (price is not None and (request.quantity or ZERO) * price < rules[symbol].notional_min):
            is_left = held > 0 or (held and session.codec.capabilities.positions)
            why_left = "" if not is_left else TOO_LITTLE if wanted == held else NOT_THERE
            break
        is_not_there = await _sell(request, session, bookkeeper)
        order = ledger.order(client_order_id)
        held = _held(command, ledger)
        if order is None or not order.filled_quantity:
            why_left = (order.reason if order is not None else "") or "nobody took it"
            if is_not_there and there_is is None:
                there_is = await _what_there_is(symbol.base, session, bookkeeper)
                continue
            break
        quote_quantity += order.filled_quote
        if there_is is not None:
            there_is -= order.filled_quantity
        why_left = "" if not held else "the market took no more" if there_is is None else NOT_THERE
    return Flattened(
        owner=command.owner,
        symbol=symbol,
        side=None if before == held else Side.SELL if before > held else Side.BUY,
        quantity=abs(before - held),
        quote_quantity=quote_quantity,
        left=held,
        why_left=why_left,
    )


def _held(command: FlattenOwner, ledger: AccountLedger) -> Decimal:
    if command.since_start:
        return ledger.holdings(command.owner).get(command.symbol, ZERO)
    return ledger.tally(command.owner, command.symbol).inventory


def _request(
    held: Decimal,
    symbol: Symbol,
    *,
    owner: str,
    session: AccountSession,
    rules: Mapping[Symbol, Instrument],
    client_order_id: Callable[[], str],
    tag: str = FLATTEN,
) -> OrderRequest | None:
    """What brings a holding to nothing; None if it is less than can be traded, or nobody knows what that is."""
    instrument = rules.get(symbol)
    # Of an asset only what was bought is sold; a position may also be short, and then it is bought back.
    may_be_short = session.codec.capabilities.positions
    quantity = instrument.round_quantity_down(abs(held) if may_be_short else held) if instrument is not None else ZERO
    if instrument is None or quantity <= 0 or quantity < instrument.quantity_min:
        return None
    return OrderRequest(
        client_order_id=client_order_id(),
        owner=owner,
        symbol=symbol,
        side=Side.SELL if held > 0 else Side.BUY,
        type=OrderType.MARKET,
        time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
        quantity=quantity,
        reduce_only=may_be_short,
        tag=tag,
    )


async def _sell(request: OrderRequest, session: AccountSession, bookkeeper: Bookkeeper) -> bool:
    """Place it and wait for its end. Whether there is less of the asset than that, by the exchange's word."""
    is_not_there = False
    ledger, client_order_id = bookkeeper.ledger, request.client_order_id
    bookkeeper.publish(ledger.record_intent(request, now=trio.current_time()))

    def leaving() -> int | None:
        order = ledger.order(client_order_id)
        if order is None or order.is_terminal:
            raise GateClosed("it was given up before it was sent")
        sent_at = session.exchange_time_milliseconds()
        expires_at = sent_at + EXPIRY_MILLISECONDS if session.codec.capabilities.order_expiry else None
        ledger.record_sent(client_order_id, sent_at_milliseconds=sent_at, expires_at_milliseconds=expires_at, now=trio.current_time())
        return expires_at

    try:
        # As every placement: one that the journal does not know is nobody's to the run after a kill, which would hold what this has sold.
        await bookkeeper.recorder.written()
        bookkeeper.take(await session.place(request, leaving=leaving))
    except GateClosed:
        return False  # it has ended
    except (NotRecorded, RequestNotSent) as error:
        bookkeeper.happened(client_order_id, OrderInput.NEVER_SENT, f"not sent: {error}")
    except ExchangeError as error:
        happened = OrderInput.ANSWER_LOST if error.fate_is_unknown else OrderInput.SAID_REJECTED
        is_not_there = error.kind is ErrorKind.INSUFFICIENT_BALANCE and not session.codec.capabilities.positions
        bookkeeper.happened(client_order_id, happened, str(error))
    except (NetworkError, ProtocolError) as error:
        bookkeeper.happened(client_order_id, OrderInput.ANSWER_LOST, str(error))
    finally:
        order = ledger.order(client_order_id)
        if order is not None and not order.sent and order.state is OrderState.PENDING_NEW:  # after a stop nobody else ends it
            bookkeeper.happened(client_order_id, OrderInput.NEVER_SENT, "stopped before it was sent")
    await _wait_for_its_end(client_order_id, session, bookkeeper)
    return is_not_there


async def _what_there_is(asset: str, session: AccountSession, bookkeeper: Bookkeeper) -> Decimal:
    """How much of it is available, by the exchange's word now; nothing if it does not say."""
    try:
        balances = await session.balances()
    except (NetworkError, ExchangeError, ProtocolError) as error:
        bookkeeper.report(AccountTrouble(bookkeeper.account, f"flattening, how much {asset} there is", str(error)))
        return ZERO
    bookkeeper.take_all(balances)
    return sum((balance.available for balance in balances if balance.asset == asset), ZERO)


async def _wait_for_its_end(client_order_id: str, session: AccountSession, bookkeeper: Bookkeeper) -> None:
    while (order := _unsettled(client_order_id, bookkeeper)) is not None:
        try:
            ask = fetch_missing_fills if order.is_terminal else resolve
            bookkeeper.publish(await ask(order, session=session, ledger=bookkeeper.ledger))
        except (NetworkError, ExchangeError, ProtocolError) as error:
            bookkeeper.report(AccountTrouble(bookkeeper.account, f"flattening, order {client_order_id}", str(error)))
        if _unsettled(client_order_id, bookkeeper) is not None:
            await trio.sleep(PAUSE_SECONDS)


def _unsettled(client_order_id: str, bookkeeper: Bookkeeper) -> Order | None:
    order = bookkeeper.ledger.order(client_order_id)
    return None if order is None or order.is_settled else order
