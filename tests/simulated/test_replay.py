from __future__ import annotations

import hashlib
import json
import os
import random
from decimal import Decimal
from pathlib import Path

import pytest

from market.events import Side
from market.symbol import Symbol, parse_symbol
from simulated.engine.account import Account
from simulated.engine.invariants import check_invariants
from simulated.engine.matching import MatchingEngine
from simulated.engine.order import NewOrder, Order, Trade
from simulated.house import open_house
from simulated.recording import Recording, RecordingError, load_recording
from simulated.replay import Replay
from simulated.venue import instrument_of

SAMPLES = Path(__file__).parent / "samples"
SHARED = Path(os.environ.get("MM_SHARED_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
CAPTURE = SHARED / "gateio_spot" / "cf_gateio_20210422.jsonl.gz"
SERIES = SHARED / "series" / "binance_spot_XRPETH_aggtrades_20191011_13.json.gz"
AAA = Symbol("AAA", "USDT")


def shared(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"recorded data is not on this machine: {path.name} (set MM_SHARED_DATA)")
    return path


class ReplayWorld:
    """A recording replayed into an engine, with one client account that trades along."""

    def __init__(self, recording: Recording, speed: float = 1.0) -> None:
        self.engine = MatchingEngine([instrument_of(market, "gateio_spot") for market in recording.markets()])
        open_house(self.engine, 0)
        self.engine.open_account(Account("client"))
        for asset in ("AAA", "USDT"):
            self.engine.deposit("client", asset, Decimal(1000), 0)
        self.public: list[Trade] = []
        self.engine.subscribe(lambda event: self.public.append(event.trade) if hasattr(event, "trade") else None)
        self.replay = Replay(recording, self.engine, recording.markets(), random.Random(1), speed=speed)
        self.replay.warm_up(0)
        self.seconds = 0.0

    def run(self, until_seconds: float = float("inf")) -> None:
        while (delay := self.replay.delay_seconds(round(self.seconds * 1000))) is not None:
            if self.seconds + delay > until_seconds:
                self.seconds = until_seconds
                return
            self.seconds += delay
            self.replay.step(round(self.seconds * 1000))

    def limit(self, symbol: Symbol, side: Side, price: str, quantity: str) -> Order:
        new = NewOrder(account="client", symbol=symbol, side=side, price=Decimal(price), quantity=Decimal(quantity))
        return self.engine.place(new, round(self.seconds * 1000))

    def book(self, symbol: Symbol) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        bids, asks = (self.engine.books[symbol].side(side).levels() for side in (Side.BUY, Side.SELL))
        return [(plain(p), plain(q)) for p, q in bids], [(plain(p), plain(q)) for p, q in asks]


def plain(number: Decimal) -> str:
    return format(number.normalize(), "f")


def test_captured_snapshot_and_updates_rebuild_the_recorded_book_in_its_own_time() -> None:
    world = ReplayWorld(load_recording(SAMPLES / "gateio_capture.jsonl"))
    assert world.book(AAA) == ([("10.01", "4"), ("10", "6.25")], [("10.02", "5"), ("10.03", "7.5")])
    world.run(0.55)
    assert len(world.public) == 1
    assert world.book(AAA) == ([("10.01", "4"), ("10", "6.25")], [("10.02", "5"), ("10.03", "7.5")])
    world.run(0.7)
    assert world.book(AAA) == ([("10.01", "2.5"), ("10", "6.25")], [("10.03", "7.5")])
    world.run()
    assert world.book(AAA) == ([("10.02", "1"), ("10.01", "2.5")], [("10.03", "7.5"), ("10.04", "3")])
    assert world.seconds == pytest.approx(1.6, abs=0.01)
    check_invariants(world.engine)


def test_captured_trade_reaches_the_tape_and_fills_an_order_of_ours_at_its_price() -> None:
    world = ReplayWorld(load_recording(SAMPLES / "gateio_capture.jsonl"))
    order = world.limit(AAA, Side.BUY, "10.01", "1")
    world.run(0.55)
    assert {trade.taker_side for trade in world.public} == {Side.SELL}
    assert sum(trade.quantity for trade in world.public) == Decimal("1.5")
    assert order.filled_quantity == 1


def test_trade_series_moves_the_price_and_prints_every_trade() -> None:
    world = ReplayWorld(load_recording(SAMPLES / "trades.csv", AAA))
    world.run()
    assert [(str(trade.price), str(trade.quantity), trade.taker_side.value) for trade in world.public] == [
        ("100.5", "2", "buy"),
        ("100.4", "1.5", "sell"),
        ("99.9", "3", "sell"),
        ("100.1", "0.5", "buy"),
    ]
    book = world.engine.books[AAA]
    assert book.bids.best is not None
    assert book.asks.best is not None
    assert book.bids.best < Decimal("100.1") < book.asks.best
    assert world.seconds == pytest.approx(4)
    check_invariants(world.engine)


def test_order_in_the_way_of_a_trade_series_is_filled_by_it() -> None:
    world = ReplayWorld(load_recording(SAMPLES / "trades.csv", AAA))
    world.run(1.5)
    order = world.limit(AAA, Side.BUY, "100", "2")
    world.run()
    assert not order.is_open


def test_speed_compresses_the_time_of_a_recording() -> None:
    world = ReplayWorld(load_recording(SAMPLES / "trades.csv", AAA), speed=4)
    world.run()
    assert world.seconds == pytest.approx(1)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.txt", "", "none of"),
        ("x.csv", "ms,side\n1,buy\n", "price"),
        ("x.json", "[[1,2]]", "not a recording"),
        ("x.jsonl", "{}", "not a recording"),
        ("x.csv", "ms,side,price,amount\n", "empty"),
        ("x.csv", "ms,side,price,amount\n1,buy,-3,1\n", "no price"),
    ],
)
def test_file_that_is_no_recording_is_refused_with_the_reason(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(RecordingError, match=message):
        load_recording(tmp_path / name, AAA)


def test_series_without_a_market_is_refused() -> None:
    with pytest.raises(RecordingError, match="name its market"):
        load_recording(SAMPLES / "trades.csv")


def test_real_capture_ends_in_the_expected_books() -> None:
    recording = load_recording(shared(CAPTURE))
    expected = json.loads((SHARED / "expected_books.json").read_text())["gateio_spot/cf_gateio_20210422"]
    world = ReplayWorld(recording)
    world.run()
    compared = 0
    for pair, facts in expected.items():
        bids, asks = world.book(parse_symbol(pair))
        for checkpoint in facts.get("checkpoints", [])[-1:]:
            text = "#".join("|".join(f"{price}:{quantity}" for price, quantity in side[:10]) for side in (bids, asks))
            assert hashlib.sha256(text.encode()).hexdigest()[:16] == checkpoint["top10"], pair
            assert [bids[0][0], asks[0][0]] == [plain(Decimal(best)) for best in checkpoint["best"]]
            compared += 1
    assert compared >= 6
    check_invariants(world.engine)


def test_real_trade_series_prints_the_recorded_prices() -> None:
    recording = load_recording(shared(SERIES), parse_symbol("XRP_ETH"))
    steps = recording.steps[:400]
    world = ReplayWorld(Recording(steps, has_books=False), speed=1000)
    world.run()
    assert [(trade.price, trade.quantity) for trade in world.public] == [(step.price, step.quantity) for step in steps]  # type: ignore[union-attr]
    check_invariants(world.engine)
