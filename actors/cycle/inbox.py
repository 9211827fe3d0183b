"""A cycle's inbox: everything it learns, the newest per key."""

from __future__ import annotations

from collections.abc import Hashable
from zlib import crc32

from actors.cycle.terms import TermsChanged
from market.events import BookChanged, BookLost, InstrumentListed, MarketEvent, TradeHappened
from orders.events import AccountLost, AccountReady, BalanceChanged, OrderChanged, PositionChanged, PositionCounted
from orders.states import StandingChanged
from orders.tally import TallyChanged

CycleInput = (
    MarketEvent
    | OrderChanged
    | TallyChanged
    | BalanceChanged
    | PositionChanged
    | PositionCounted
    | StandingChanged
    | AccountReady
    | AccountLost
    | TermsChanged
)


TRADES_PENDING_MAX = 4096


def inbox_key(item: CycleInput) -> Hashable:
    """What `item` is about: a newer item about the same thing replaces it.

    A book and its loss share a key, and so do an account's readiness and its loss: the last word counts. Trades are facts of which
    each counts: as many as there are numbers for may be pending, and only a cycle that reads nothing for long misses some.
    """
    match item:
        case BookChanged() | BookLost():
            return ("book", item.exchange, item.symbol)
        case InstrumentListed():
            return ("instrument", item.instrument.exchange, item.instrument.symbol)
        case OrderChanged():
            return ("order", item.account, item.order.client_order_id)
        case TallyChanged():
            return ("tally", item.account, item.symbol)
        case BalanceChanged():
            return ("balance", item.account, item.asset)
        case PositionChanged():
            return ("position", item.account, item.position.symbol)
        case PositionCounted():
            return ("position counted", item.account, item.symbol)
        case StandingChanged():
            return ("standing", item.account, item.symbol)
        case AccountReady() | AccountLost():
            return ("account", item.account)
        case TermsChanged():
            return ("terms",)
        case TradeHappened():
            return ("trade", item.exchange, item.symbol, crc32(item.trade_id.encode()) % TRADES_PENDING_MAX)
        case _:
            return (type(item), item.exchange, item.symbol)
