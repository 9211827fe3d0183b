"""The whole program at a simulated exchange, over a private stream in which frames come damaged.

A private frame has no number that would betray a forged one: what is read as a report is the exchange's word, and nothing can tell it
from that. So only such frames are sent here as the codec refuses, or reads as saying nothing: before real ones, in their place, and
on their own in between. What they must not do:

- change the ledger: what it holds when the refusal is told is what it held when the frame came;
- make it believe anything: at every moment each fill in it is a trade of the exchange's, with its numbers; no order in it is filled
  further, or has ended, unless it has at the exchange; each balance and each position is one that the account really had;
- keep it from the truth: what real frames would have said in their place is learned, the rounds are completed and reconcile to the
  last digit, and at the end the ledger is the exchange's.
"""

from __future__ import annotations

import random
import sys
from collections import Counter, deque
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import trio
import trio_websocket
from damage import Message, Mutator
from decoders import wrapped_codecs

from actors.accounts.codec import AccountCodec, ProtocolError
from actors.accounts.events import AccountTrouble
from assembly.presenter.report import ExitStatus
from market.events import BookChanged
from market.symbol import Symbol
from orders.reconciliation import CycleReconciled
from simulated.engine.events import BalanceChanged, EngineEvent

sys.path.insert(0, str(Path(__file__).parent.parent / "scenarios"))
from private_line import PRIVATE_ADDRESS, PRIVATE_HOST
from world import HOST, PORT, World, run_world

ROUNDS = 2
DAMAGE_SECONDS = 60.0  # then the line is well, and everything must come to a good end
RECOVERY_SECONDS_MAX = 600.0
RECENT_FRAMES = 50
TRIES_MAX = 30
VIOLATIONS_KEPT = 5
PAUSE_SECONDS = 0.5


class Meddler:
    """Draws frames that the codec refuses, or that say nothing, while `is_on`."""

    def __init__(self, rng: random.Random) -> None:
        self.is_on = True
        self.codec: AccountCodec | None = None  # the program's own, once there is one: it knows what frames are about
        self._rng = rng
        self._mutator = Mutator(rng)
        self._recent: deque[Message] = deque(maxlen=RECENT_FRAMES)

    def frames(self, frame: Message) -> list[Message]:
        """What arrives when the exchange has sent `frame`."""
        self._recent.append(frame)
        damaged = self.damaged((frame,)) if self.is_on and self._rng.random() < 0.4 else None
        if damaged is None:
            return [frame]
        return [damaged] if self._rng.random() < 0.3 else [damaged, frame]

    def damaged(self, corpus: tuple[Message, ...] = ()) -> Message | None:
        """A frame out of those given, or of the recent ones; None where none could be drawn."""
        for _ in range(TRIES_MAX):
            message = self._mutator.damaged(corpus or self._recent)
            if self._says_nothing(message):
                return message
        return None

    def calm_seconds(self) -> float:
        """For how long a new connection is left alone: some must live to see more than their subscriptions."""
        return self._rng.choice((0.0, 1.0, 1.0))

    def pause_seconds(self) -> float:
        return self._rng.expovariate(1 / PAUSE_SECONDS)

    def _says_nothing(self, message: Message) -> bool:
        if self.codec is None:
            return False
        try:
            _ = message.encode() if isinstance(message, str) else message  # what is no text at all cannot be sent
            return not self.codec.decode_frame(message)
        except ProtocolError:
            return True
        except UnicodeEncodeError:
            return False


class DamagedLine:
    """A host of its own for the private stream: passes every websocket on to the world's exchange, through a meddler."""

    def __init__(self, world: World, meddler: Meddler) -> None:
        self._world = world
        self._meddler = meddler

    async def open(self) -> str:
        """Serve for as long as the world lasts; gives the private stream's URL there."""
        self._world.network.add_host(PRIVATE_HOST, PRIVATE_ADDRESS)

        async def serve(*, task_status: trio.TaskStatus[Any]) -> None:
            await trio_websocket.serve_websocket(self._pass_on, PRIVATE_ADDRESS, PORT, ssl_context=None, task_status=task_status)

        await self._world.nursery.start(serve)
        url = self._world.settings().exchanges[self._world.exchange_name].private_websocket_url
        assert url is not None
        return url.replace(f"//{HOST}:", f"//{PRIVATE_HOST}:")

    async def _pass_on(self, request: trio_websocket.WebSocketRequest) -> None:
        try:
            async with trio_websocket.open_websocket(HOST, PORT, request.path, use_ssl=False) as exchange:
                client = await request.accept()
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._upwards, client, exchange, nursery.cancel_scope)
                    nursery.start_soon(self._downwards, exchange, client, nursery.cancel_scope)
                    nursery.start_soon(self._in_between, client)
        except* (trio_websocket.ConnectionClosed, trio_websocket.HandshakeError, OSError):
            pass  # either side is gone, and so is the line

    async def _upwards(
        self, client: trio_websocket.WebSocketConnection, exchange: trio_websocket.WebSocketConnection, line: trio.CancelScope
    ) -> None:
        try:
            while True:
                await exchange.send_message(await client.get_message())
        except trio_websocket.ConnectionClosed:
            line.cancel()

    async def _downwards(
        self, exchange: trio_websocket.WebSocketConnection, client: trio_websocket.WebSocketConnection, line: trio.CancelScope
    ) -> None:
        calm_until = trio.current_time() + self._meddler.calm_seconds()
        try:
            while True:
                frame = await exchange.get_message()
                for one in self._meddler.frames(frame) if trio.current_time() >= calm_until else (frame,):
                    await client.send_message(one)
        except trio_websocket.ConnectionClosed:
            line.cancel()

    async def _in_between(self, client: trio_websocket.WebSocketConnection) -> None:
        """A damaged frame now and then, however quiet the exchange is."""
        while True:
            await trio.sleep(self._meddler.pause_seconds())
            frame = self._meddler.damaged() if self._meddler.is_on else None
            if frame is not None:
                await client.send_message(frame)


class WatchedCodec:
    """An account codec that tells of each frame what came of it: whether it was refused, and how many reports it held."""

    def __init__(self, codec: AccountCodec, told: list[LedgerWitness]) -> None:
        self.unwatched = codec
        self._told = told

    def __getattr__(self, name: str) -> Any:
        return getattr(self.unwatched, name)

    def decode_frame(self, frame: Message) -> Any:
        try:
            reports = self.unwatched.decode_frame(frame)
        except ProtocolError:
            for witness in self._told:
                witness.refused()
            raise
        for witness in self._told:
            witness.read(len(reports))
        return reports


class LedgerWitness:
    """Holds the program's ledger against the exchange's engine, whenever the program tells of anything."""

    def __init__(self, world: World) -> None:
        self.counts: Counter[str] = Counter()
        self.violations: list[str] = []
        self._world = world
        self._before: object = None
        self._trades: dict[tuple[str, int], tuple[Decimal, Decimal, Decimal]] = {}
        self._trades_seen = 0
        self._totals: set[tuple[str, Decimal]] = set()
        self._held: set[tuple[Symbol, Decimal]] = set()
        world.exchange.engine.subscribe(self._see_exchange)
        world.observers.append(self._see)
        for asset, (available, locked) in world.exchange.balances().items():
            self._totals.add((asset, available + locked))

    # The frames

    def read(self, reports: int) -> None:
        self.counts["read" if reports else "silent"] += 1

    def refused(self) -> None:
        self.counts["refused"] += 1
        self._before = self._picture()

    def _picture(self) -> object:
        """All that the ledger holds."""
        ledger = self._world.account.ledger
        positions = None if ledger.positions is None else (ledger.positions.reports(), ledger.positions.accounts())
        return list(ledger.orders()), ledger.balances(), ledger.fill_changes(), positions

    # What the exchange has

    def _see_exchange(self, event: EngineEvent) -> None:
        if isinstance(event, BalanceChanged) and event.account == "main":
            self._totals.add((event.asset, event.available + event.locked))
        if self._world.codec.capabilities.positions:
            for symbol, position in self._world.exchange.positions().items():
                self._held.add((symbol, position.quantity))

    # What the program believes

    def _see(self, event: object) -> None:
        if isinstance(event, BookChanged):
            return
        if isinstance(event, AccountTrouble) and event.doing == "reading the private stream":
            self.counts["refusals told"] += 1
            if self._picture() != self._before:
                self._say(f"a refused frame has changed the ledger: {event.reason}")
        self.check()

    def check(self) -> None:
        """Raises nothing: what is wrong is in `violations`."""
        self.counts["looks"] += 1
        world, ledger = self._world, self._world.account.ledger
        for trade in world.exchange.trades()[self._trades_seen :]:
            self._trades_seen += 1
            for party in (trade.taker, trade.maker):
                self._trades[str(trade.id), party.order_id] = (trade.quantity, trade.price, party.fee)
        for order in ledger.orders():
            theirs = world.exchange.order_by_client_id(world.codec.wire_client_order_id(order.client_order_id))
            for fill in order.fills:
                real = theirs and self._trades.get((fill.trade_id, theirs.id))
                if real != (fill.quantity, fill.price, fill.fee):
                    self._say(f"{order.client_order_id} has {fill}; the exchange's trade: {real}")
            if theirs is None:
                if order.exchange_order_id is not None:
                    self._say(f"{order.client_order_id} is known by an id that the exchange has never given: {order}")
            elif order.filled_quantity > theirs.filled_quantity:
                self._say(f"{order.client_order_id} is filled {order.filled_quantity} here, {theirs.filled_quantity} at the exchange")
            elif order.is_terminal and theirs.finish is None:
                self._say(f"{order.client_order_id} is {order.state.value} here and open at the exchange")
        for asset, balance in ledger.balances().items():
            if balance.total and (asset, balance.total) not in self._totals:
                self._say(f"a balance of {balance.total} {asset} that the account never had")
        for symbol, position in ledger.positions.reports().items() if ledger.positions is not None else ():
            if position.quantity and (symbol, position.quantity) not in self._held:
                self._say(f"a position of {position.quantity} {symbol} that the account never had")

    def check_end(self) -> None:
        """Rounds reconciled, and the ledger the exchange's."""
        self.check()
        agreed = [event.agrees for event in self._world.seen(CycleReconciled)]
        if agreed != [True] * ROUNDS:
            self._say(f"rounds that agreed: {agreed}")
        ledger = self._world.account.ledger
        for asset, (available, locked) in self._world.exchange.balances().items():
            balance = ledger.balance(asset)
            if balance is not None and balance.total != available + locked:
                self._say(f"{balance.total} {asset} here at the end, {available + locked} at the exchange")

    def _say(self, text: str) -> None:
        self.counts["violations"] += 1
        if len(self.violations) < VIOLATIONS_KEPT:
            self.violations.append(f"at {trio.current_time():.3f} s: {text}")


class Outcome(msgspec.Struct, kw_only=True):
    """What came of one run."""

    name: str
    seed: int
    counts: Counter[str]
    violations: list[str]


def run_damaged_account(name: str, *, seed: int) -> Outcome:
    """Let the program trade a few rounds on the exchange called `name`. What was wrong is in the outcome's `violations`."""
    told: list[LedgerWitness] = []

    async def story(world: World) -> None:
        meddler = Meddler(random.Random(f"{seed}:damage"))
        url = await DamagedLine(world, meddler).open()
        await world.start(cycles=ROUNDS, private_websocket_url=url)
        watched = world.account.codec
        assert isinstance(watched, WatchedCodec)
        meddler.codec = watched.unwatched
        told.append(LedgerWitness(world))
        with trio.move_on_after(DAMAGE_SECONDS):
            await world.wait_ended()
        meddler.is_on = False
        await world.end(within_seconds=RECOVERY_SECONDS_MAX, status=ExitStatus.CLEAN)
        told[0].check_end()

    with wrapped_codecs(name, feed=lambda codec: codec, account=lambda codec: WatchedCodec(codec, told)):
        run_world(story, seed=seed, exchange_name=name)
    return Outcome(name=name, seed=seed, counts=told[0].counts, violations=told[0].violations)
