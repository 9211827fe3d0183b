"""What the feed of every registered exchange must tell of its markets, held against the simulated exchange's own record.

Each test names the rows of the requirements that it is about.
"""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest
import trio
from damaged_feed import Truth
from feed_at import SYMBOLS, FeedWorld, run_feed_world

from actors.feeds.settings import FeedSettings
from assembly.registry import EXCHANGES
from market.events import BookChanged, InstrumentListed, MarketEvent, TickerChanged, TradeHappened
from simulated.engine.events import EngineEvent, TradeMade
from simulated.engine.order import Trade
from simulated.settings import SimulationSettings

every_exchange = pytest.mark.parametrize("name", sorted(EXCHANGES))
SECONDS = 20.0
EDGE_SECONDS = 1.0  # what happens so near to the beginning or the end may have been told or not


class Collected:
    """Everything that a feed tells, with its time."""

    def __init__(self) -> None:
        self.events: list[tuple[float, MarketEvent]] = []

    def send_nowait(self, event: MarketEvent) -> None:
        self.events.append((trio.current_time(), event))


def traded(trade: Trade | TradeHappened) -> tuple[object, ...]:
    """What identifies a trade on either side of the wire. Quantities are in base units; floats of products differ in their last bit."""
    side = trade.side if isinstance(trade, TradeHappened) else trade.taker_side
    return trade.symbol, side, float(trade.price), f"{float(trade.quantity):.9g}"


@every_exchange
def test_trades_tickers_and_books_are_what_happens_at_the_exchange(name: str) -> None:
    """D2, X1-X7"""
    collected, made = Collected(), list[tuple[float, Trade]]()

    async def story(world: FeedWorld, nursery: trio.Nursery) -> Truth:
        truth = Truth(world.exchange.control)

        def note(event: EngineEvent) -> None:
            if isinstance(event, TradeMade):
                made.append((trio.current_time(), event.trade))

        world.exchange.control.engine.subscribe(note)
        codec = EXCHANGES[name].feed_codec()
        await nursery.start(partial(world.follow, "collected", codec, collected, settings=FeedSettings()))
        await trio.sleep(SECONDS)
        return truth

    truth = run_feed_world(name, story, seed=5, simulation=SimulationSettings(seed=5))
    ended_at = max(time for time, _ in collected.events)
    ready_at = next(time for time, event in collected.events if isinstance(event, BookChanged))

    listed = {event.instrument.symbol for _, event in collected.events if isinstance(event, InstrumentListed)}
    assert listed == set(SYMBOLS)
    books = [event for _, event in collected.events if isinstance(event, BookChanged)]
    assert len(books) > 50
    assert all(truth.is_at(event.symbol, event.sequence, event.bids, event.asks) for event in books)

    told = [event for _, event in collected.events if isinstance(event, TradeHappened)]
    assert not Counter(map(traded, told)) - Counter(traded(trade) for _, trade in made), "every trade told was made, and told once"
    due = [trade for time, trade in made if ready_at + EDGE_SECONDS < time < ended_at - EDGE_SECONDS]
    assert len(due) > 5
    assert not Counter(map(traded, due)) - Counter(map(traded, told)), "every trade made was told"
    assert len({(event.symbol, event.trade_id) for event in told}) == len(told)

    tickers = [(time, event) for time, event in collected.events if isinstance(event, TickerChanged)]
    for time, ticker in tickers:
        assert ticker.best_bid is None or ticker.best_ask is None or ticker.best_bid < ticker.best_ask
        before = [trade for made_at, trade in made if trade.symbol == ticker.symbol and made_at < time - EDGE_SECONDS]
        recent = [trade for made_at, trade in made if trade.symbol == ticker.symbol and abs(made_at - time) <= EDGE_SECONDS]
        assert not before or ticker.last in {float(trade.price) for trade in (before[-1], *recent)}, "the last price is that of a trade"
