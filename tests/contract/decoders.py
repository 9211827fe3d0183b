"""Every decoder of every exchange, what it really has to decode, and what it may make of anything else.

What is decoded in earnest comes from the whole program run in simulation (every frame and every answer, whatever the
exchange), from the samples beside the tests, and from captures of real markets where they are (MM_SHARED_DATA, or
shared/data beside the clone).
"""

from __future__ import annotations

import base64
import gzip
import json
import math
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from damage import Message
from learned import learn_codecs
from msgspec.structs import replace

from actors.accounts.codec import PreparedRequest
from actors.accounts.codec import ProtocolError as AccountProtocolError
from actors.feeds.codec import BookDeltaDecoded, BookSnapshotDecoded, RequestRefused
from actors.feeds.codec import ProtocolError as FeedProtocolError
from assembly.doctor.program import examine
from assembly.registry import EXCHANGES
from market.events import Side
from network.http import HttpResponse
from orders.request import OrderRequest, OrderType, TimeInForce

sys.path.insert(0, str(Path(__file__).parent.parent / "scenarios"))
from world import BTC_USDT, World, run_world

ROOT = Path(__file__).resolve().parent.parent.parent
SLOW_SECONDS = 0.25
FAILURES_KEPT = 10
SAMPLES_KEPT = 400
PARTS = ("catalogue", "key_inquiry", "order_entry", "positions", "stream_keys")


class Recorder:
    """A codec, or a part of one, that keeps what it is given to read, by method."""

    def __init__(self, codec: Any, seen: dict[str, list[Message]], part: str = "") -> None:
        vars(self).update(_codec=codec, _seen=seen, _part=part)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._codec, name, value)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._codec, name)
        if name in PARTS:
            return None if value is None else Recorder(value, self._seen, f"{name}.")
        if not name.startswith(("decode", "learn")):
            return value

        def read(*arguments: Any, **named: Any) -> Any:
            kept = self._seen.setdefault(f"{self._part}{name}", [])
            if len(kept) < SAMPLES_KEPT:
                kept.extend(one for one in arguments if isinstance(one, str | bytes))
            return value(*arguments, **named)

        return read


@contextmanager
def wrapped_codecs(name: str, *, feed: Callable[[Any], Any], account: Callable[[Any], Any]) -> Generator[None]:
    """Whoever makes codecs of the exchange called `name` gets them wrapped."""
    entry = EXCHANGES[name]
    EXCHANGES[name] = replace(
        entry, feed_codec=lambda: feed(entry.feed_codec()), account_codec=lambda: account(entry.account_codec())
    )  # fmt: skip
    try:
        yield
    finally:
        EXCHANGES[name] = entry


Messages = dict[str, list[Message]]
"""By the method that reads them."""


def recorded(name: str, seed: int) -> tuple[Messages, Messages]:
    """What the feed's and the account's codec decode in a run of the whole program, with a refused key and a look of the doctor's."""
    public: Messages = {}
    private: Messages = {}

    async def story(world: World) -> None:
        await examine(world.settings(), wall_clock=world.wall_clock)
        await world.start(cycles=3)
        await world.ended(within_seconds=600)
        await world.start(cycles=0, run_for_seconds=20)
        await world.ended(within_seconds=600)
        await world.start(wrong_secret=True)
        await world.ended(within_seconds=600)

    with wrapped_codecs(name, feed=lambda codec: Recorder(codec, public), account=lambda codec: Recorder(codec, private)):
        run_world(story, seed=seed, exchange_name=name)
    return public, private


def sampled(name: str, *, with_captures: bool) -> tuple[list[Message], list[Message]]:
    """Frames and bodies from the tests' samples, and from captures where they are, of either side."""
    frames: list[Message] = []
    bodies: list[Message] = []
    tests = ROOT / "tests"
    for path in sorted([*tests.glob(f"feeds/samples/{name}_*"), *tests.glob(f"accounts/samples/{name}/*")]):
        if path.suffix == ".jsonl":
            frames += [line for line in path.read_text().splitlines() if line]
        else:
            bodies.append(path.read_bytes())
    captures = Path(os.environ.get("MM_SHARED_DATA") or ROOT.parent / "shared" / "data")
    for path in sorted(captures.glob("*/*.jsonl*")) if with_captures else ():
        if name.startswith(path.parent.name):
            for frame, is_body in captured(path):
                (bodies if is_body else frames).append(frame)
    return frames, bodies


def captured(path: Path) -> Iterator[tuple[Message, bool]]:
    data = path.read_bytes()
    for number, line in enumerate((gzip.decompress(data) if path.suffix == ".gz" else data).decode().splitlines()):
        item = json.loads(line) if line.strip() else None
        if not isinstance(item, dict) or number > 2_000:
            continue
        if "b64" in item:
            yield base64.b64decode(item["b64"]), False
        elif "raw" in item:
            yield (item["raw"].encode(), True) if item.get("k") == "http" else (item["raw"], False)
        else:
            yield line, False


class Target:
    """One decoder of one exchange: what it is fed with, and what came of it.

    Whatever it is fed with, it gives typed values or its own error, and nothing else: no other exception, no number that is
    none, no price or quantity that cannot be in a book, and nothing that takes long.
    """

    def __init__(
        self, name: str, decode: Callable[[Any], object], corpus: list[Message], allowed: tuple[type[Exception], ...], *, frames: bool
    ) -> None:
        self.name = name
        self.decode = decode
        self.corpus = corpus
        self.allowed = allowed
        self.frames = frames
        self.outcomes: Counter[str] = Counter()
        self.seconds = 0.0
        self.slowest_seconds = 0.0
        self.failures: list[tuple[str, Message]] = []

    def feed(self, message: Message) -> None:
        given: Message = message if self.frames else _bytes(message)
        began_at = time.thread_time()  # its own work: the machine may have other things to do
        try:
            self._check(self.decode(given))
            self.outcomes["read"] += 1
        except self.allowed as error:
            self.outcomes[type(error).__name__] += 1
        except Exception as error:  # noqa: BLE001 - whatever else comes out is what this looks for
            self._fail(f"{type(error).__name__}: {error}"[:200], given)
        took_seconds = time.thread_time() - began_at
        self.seconds += took_seconds
        self.slowest_seconds = max(self.slowest_seconds, took_seconds)
        if took_seconds > SLOW_SECONDS and self._is_slow_again(given):
            self._fail(f"took {took_seconds:.2f} s", given)

    def _is_slow_again(self, given: Message) -> bool:
        """Whether it was the message: the collector walks a test process's whole heap on the time of whoever it comes upon."""
        began_at = time.thread_time()
        with suppress(*self.allowed):
            self.decode(given)
        return time.thread_time() - began_at > SLOW_SECONDS

    def _check(self, decoded: object) -> None:
        for one in decoded if isinstance(decoded, list | tuple) else (decoded,):
            if isinstance(one, msgspec.Struct):
                for field, value in msgspec.structs.asdict(one).items():
                    if isinstance(value, float | Decimal) and not _is_finite(value):
                        raise AssertionError(f"{field} is {value} in {one}")
            if isinstance(one, BookDeltaDecoded | BookSnapshotDecoded):
                for price, quantity in (*one.bids, *one.asks):
                    if not (math.isfinite(price) and math.isfinite(quantity) and price > 0 and quantity >= 0):
                        raise AssertionError(f"a level of {price} and {quantity}")

    def _fail(self, what: str, message: Message) -> None:
        self.outcomes[what.partition(":")[0]] += 1
        if len(self.failures) < FAILURES_KEPT:
            self.failures.append((what, message))


def targets(name: str, seed: int, *, with_captures: bool = True) -> list[Target]:
    """Every decoder of an exchange with its corpus: what it really had to decode, and the samples."""
    entry = EXCHANGES[name]
    feed, account = learn_codecs(name)
    learning_feed, learning_account = entry.feed_codec(), entry.account_codec()  # what they learn from damaged messages stays theirs
    public, private = recorded(name, seed)
    frames, bodies = sampled(name, with_captures=with_captures)
    all_bodies = [
        *bodies,
        *(message for kind in (public, private) for method, kept in kind.items() if method != "decode_frame" for message in kept[:20]),
    ]
    by_quote = account.capabilities.market_buy_by_quote
    bought = OrderRequest(
        client_order_id="mm-btc-tlpwu8001",
        owner="btc",
        symbol=BTC_USDT,
        side=Side.BUY,
        type=OrderType.MARKET,
        time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
        quantity=None if by_quote else Decimal("0.01"),
        quote_quantity=Decimal(100) if by_quote else None,
    )
    fed = (FeedProtocolError,)
    kept = (AccountProtocolError,)

    def response(body: bytes) -> HttpResponse:
        return HttpResponse(
            status=(200, 400, 401, 404, 429, 500, 503)[len(body) % 7], headers={"x-gate-ratelimit-reset-timestamp": "1"}, body=body
        )

    def of(method: str, seen: dict[str, list[Message]]) -> list[Message]:
        own = seen.get(method, [])
        return [*own, *own, *own, *all_bodies] if own else all_bodies

    made = [
        Target(
            "feed decode_frame", lambda frame: feed.decode_frame(frame, 1.0), [*public.get("decode_frame", []), *frames], fed, frames=True
        ),
        Target("feed decode_instruments", learning_feed.decode_instruments, of("decode_instruments", public), fed, frames=False),
        Target("feed decode_snapshot", lambda body: feed.decode_snapshot(BTC_USDT, body), of("decode_snapshot", public), fed, frames=False),
        Target("feed check_response", lambda body: feed.check_response(response(body)), all_bodies, (RequestRefused,), frames=False),
        Target("account decode_frame", account.decode_frame, [*private.get("decode_frame", []), *frames], kept, frames=True),
        Target("account error", lambda body: account.error(response(body)), all_bodies, (), frames=False),
        Target("account penalty", lambda body: account.penalty_seconds(response(body), now_milliseconds=1), all_bodies, (), frames=False),
        Target("account decode_placed", lambda body: account.decode_placed(bought, body), of("decode_placed", private), kept, frames=False),
    ]
    for method in ("server_time", "changed", "order", "batch", "orders", "fills", "balances"):
        decode = getattr(account, f"decode_{method}")
        made.append(Target(f"account decode_{method}", decode, of(f"decode_{method}", private), kept, frames=False))
    asked: list[PreparedRequest] = [
        account.query_open_orders(),
        account.query_open_orders(BTC_USDT),
        account.query_finished_orders(BTC_USDT, since_milliseconds=1),
        account.query_fills(BTC_USDT),
    ]
    for number, prepared in enumerate(asked):
        corpus = of("decode_fills" if number == 3 else "decode_orders", private)
        made.append(
            Target(f"account next_page {number + 1}", lambda body, of=prepared: account.next_page(of, body), corpus, kept, frames=False)
        )
    parts: list[tuple[str, Callable[[bytes], object]]] = []
    if account.key_inquiry is not None:
        parts.append(("key_inquiry.decode", account.key_inquiry.decode))
    if account.stream_keys is not None:
        parts += [("stream_keys.decode", account.stream_keys.decode), ("stream_keys.decode_valid", account.stream_keys.decode_valid)]
    if (catalogue := learning_account.catalogue) is not None:
        parts.append(("catalogue.learn", lambda body: catalogue.learn(catalogue.request(), body)))
    if account.positions is not None:
        asked_of_positions = (account.positions.decode_mode, account.positions.decode_positions, account.positions.decode_funding)
        parts += [(f"positions.{decode.__name__}", decode) for decode in asked_of_positions]
    made += [Target(f"account {part}", decode, of(part, private), kept, frames=False) for part, decode in parts]
    return made


def _is_finite(value: float | Decimal) -> bool:
    return value.is_finite() if isinstance(value, Decimal) else math.isfinite(value)


def _bytes(message: Message) -> bytes:
    return message if isinstance(message, bytes) else message.encode(errors="replace")
