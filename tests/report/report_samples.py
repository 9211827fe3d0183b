"""Journals for the tests of reports: a small one of which every figure is worked out by hand, and how one is read."""

from __future__ import annotations

from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

from actors.journal.entries import EventTold, PriceSampled
from actors.journal.figures import JournalFigures
from actors.journal.reading import JournalReader
from actors.journal.store import JournalStore
from assembly.report.analysis import Analysis, Choice, analyse
from market.events import Side
from market.exact import PRECISE
from orders.events import OrderEnded, OrderFilled, OrderPlaced, OrderSubmitted
from orders.life_cycle import OrderState
from tests.journal.journal_samples import BTC, TIME, fill, filled, intent, open_store, placed, write

SECOND = 1_000


def price(at: float, bid: str | None, ask: str | None, store: JournalStore, *, exchange: str = "gateio_spot") -> None:
    """Best prices of BTC/USDT, so many seconds after the beginning."""
    sampled = PriceSampled(
        exchange=exchange, symbol=BTC, bid=None if bid is None else Decimal(bid), ask=None if ask is None else Decimal(ask)
    )
    write(store, sampled, at=TIME + round(at * SECOND))


def told(store: JournalStore, at: float, name: str, **fields: object) -> None:
    write(store, EventTold(name, fields), at=TIME + round(at * SECOND))


def trade(
    store: JournalStore,
    number: int,
    *,
    begun: float,
    placed_at: float,
    traded: float,
    ended: float | None = None,
    sent_at: float = 0.0,
    **what: Any,
) -> None:
    """An order that is filled once: `what` is side, price, quantity (of the order), traded_quantity, fee, fee_asset, maker."""
    side, at_price, quantity = what["side"], Decimal(what["price"]), Decimal(what["quantity"])
    asked: dict[str, Any] = {"request": intent(number, side=side, price=at_price, quantity=quantity).request}
    its_fill = fill(
        number,
        trade_id=f"t{number}",
        quantity=what.get("traded_quantity", what["quantity"]),
        side=side,
        price=at_price,
        fee=Decimal(what["fee"]),
        fee_asset=what.get("fee_asset", "USDT"),
        maker=what.get("maker", True),
        exchange_time_milliseconds=TIME + round(traded * SECOND) - 3,
    )
    is_whole = its_fill.quantity == quantity
    state = OrderState.FILLED if is_whole else OrderState.PARTIALLY_FILLED
    order = filled(number, its_fill, state=state, **asked)
    write(store, OrderSubmitted("main", intent(number, side=side, price=at_price, quantity=quantity)), at=TIME + round(begun * SECOND))
    put = placed(number, sent_at=sent_at, changed_at=sent_at + 0.012345, **asked)
    write(store, OrderPlaced("main", put), at=TIME + round(placed_at * SECOND))
    events: list[object] = [OrderFilled("main", order, its_fill)]
    if is_whole:
        events.append(OrderEnded("main", order))
    write(store, *events, at=TIME + round(traded * SECOND))
    if not is_whole and ended is not None:
        cancelled = filled(number, its_fill, state=OrderState.CANCELLED, **asked)
        write(store, OrderEnded("main", cancelled), at=TIME + round(ended * SECOND))


def small_journal(path: Path) -> None:
    """95 seconds: bought 2 at 99.5, sold 1 at 103, bought 1 of 5 at 104; the book is lost from the 20th to the 50th second."""
    with open_store(path) as store:
        price(0, "99", "101", store)
        price(10, "99", "101", store)
        trade(store, 1, begun=4.99, placed_at=5, traded=10, sent_at=1.0, side=Side.BUY, price="99.5", quantity="2", fee="0.1")
        price(11, "100", "102", store)
        price(15.4, "98", "100", store)
        price(20, None, None, store)
        price(50, "101", "103", store)
        trade(store, 2, begun=49.97, placed_at=50, traded=60, side=Side.SELL, price="103", quantity="1", fee="0.2", maker=False)
        price(60, "101", "103", store)
        price(89, "103", "105", store)
        bought: dict[str, Any] = {
            "side": Side.BUY,
            "price": "104",
            "quantity": "5",
            "traded_quantity": "1",
            "fee": "0.001",
            "fee_asset": "BTC",
        }
        trade(store, 3, begun=54.96, placed_at=55, traded=94, ended=95, **bought)
        store.end_run(at_milliseconds=TIME + 95 * SECOND, how="clean: 95 s are over")


def analysed(path: Path, **choice: Any) -> Analysis:
    with localcontext(PRECISE), JournalReader(path) as reader:
        return analyse(JournalFigures(reader), Choice(**choice), path=path.name)
