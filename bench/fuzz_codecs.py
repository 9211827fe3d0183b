"""Feeds every codec's decoders with damaged real messages and noise, for as long as asked.

Usage: bench/fuzz_codecs.py [--seconds 300] [--seed N] [--exchange NAME]

Whatever arrives, a decoder gives typed values or its `ProtocolError`, and nothing else: no other exception, no price or
quantity in a book that is no number, no message that takes long. What is damaged comes from the whole program run in
simulation (every frame and every answer that it decoded, whatever the exchange), from the samples beside the tests, and
from captures of real markets where they are (MM_SHARED_DATA, or shared/data beside the clone). The same seed makes the
same damage in the same order. Ends with status 1 if anything else came out; the input is printed.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import json
import math
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

from harness import ROOT, print_machine, print_table

sys.path.insert(0, str(ROOT / "tests" / "scenarios"))
from world import BTC_USDT, World, run_world

from actors.accounts.codec import PreparedRequest
from actors.accounts.codec import ProtocolError as AccountProtocolError
from actors.feeds.codec import BookDeltaDecoded, BookSnapshotDecoded, RequestRefused
from actors.feeds.codec import ProtocolError as FeedProtocolError
from assembly.doctor.program import examine
from assembly.registry import EXCHANGES, ExchangeEntry
from market.events import Side
from market.exact import PRECISE
from network.http import HttpResponse
from orders.request import OrderRequest, OrderType, TimeInForce

SLOW_SECONDS = 0.25
FAILURES_KEPT = 10
BATCH = 100
SAMPLES_KEPT = 400
REQUEST = OrderRequest(
    client_order_id="mm-btc-tlpwu8001",
    owner="btc",
    symbol=BTC_USDT,
    side=Side.BUY,
    type=OrderType.MARKET,
    time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
    quote_quantity=Decimal(100),
)
Message = str | bytes

# What stands where a value was. Numbers that are none, that are too large, that look like something else; and nesting.
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 0.1, -0.0, 1e308, 10**18, -(10**18), 2**63, 2**64, 10**30, [], {}, [[]], [None], {"": None},
    [[[[[[]]]]]], ["1"], ["1", "2"], "", " ", "0", "-1", "1", "0.1", "1e999", "-1e999", "1e-999", "NaN", "nan", "Infinity", "-inf",
    "sNaN", "0x10", "1_000", "\u0967\u0968", "9" * 5000, "0." + "0" * 5000 + "1", "BTC_USDT", "BTC-USDT", "BTCUSDT", "_", "-", "\x00",
    "open", "live", "filled", "update", "subscribe", "buy",
)  # fmt: skip


DEEP = "@deep@"  # stands for lists within lists until it is text: json could not write them


class Recorder:
    """A codec, or a part of one, that keeps what it is given to decode, by method."""

    def __init__(self, codec: Any, seen: dict[str, list[Message]], part: str = "") -> None:
        self._codec = codec
        self._seen = seen
        self._part = part

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._codec, name)
        if name in ("stream_keys", "key_inquiry"):
            return None if value is None else Recorder(value, self._seen, name)
        if not name.startswith("decode"):
            return value

        def decode(*arguments: Any, **named: Any) -> Any:
            kept = self._seen.setdefault(self._part or name, [])
            if len(kept) < SAMPLES_KEPT:
                kept.extend(one for one in arguments if isinstance(one, str | bytes))
            return value(*arguments, **named)

        return decode


def recorded(name: str, seed: int) -> tuple[dict[str, list[Message]], dict[str, list[Message]]]:
    """What the feed's and the account's codec decode in a run of the whole program, with a refused key and a look of the doctor's."""
    entry = EXCHANGES[name]
    public: dict[str, list[Message]] = {}
    private: dict[str, list[Message]] = {}
    EXCHANGES[name] = ExchangeEntry(
        **{
            **{field: getattr(entry, field) for field in entry.__struct_fields__},
            "feed_codec": lambda: Recorder(entry.feed_codec(), public),
            "account_codec": lambda: Recorder(entry.account_codec(), private),
        }
    )

    async def story(world: World) -> None:
        await examine(world.settings(), wall_clock=world.wall_clock)
        await world.start(cycles=3)
        await world.ended(within_seconds=600)
        await world.start(cycles=0, run_for_seconds=20)
        await world.ended(within_seconds=600)
        await world.start(wrong_secret=True)
        await world.ended(within_seconds=600)

    try:
        run_world(story, seed=seed, exchange_name=name)
    finally:
        EXCHANGES[name] = entry
    return public, private


def sampled(name: str) -> tuple[list[Message], list[Message]]:
    """Frames and bodies from the tests' samples and from captures, of either side."""
    frames: list[Message] = []
    bodies: list[Message] = []
    tests = ROOT / "tests"
    for path in sorted([*tests.glob(f"feeds/samples/{name}_*"), *tests.glob(f"accounts/samples/{name}/*")]):
        if path.suffix == ".jsonl":
            frames += [line for line in path.read_text().splitlines() if line]
        else:
            bodies.append(path.read_bytes())
    captures = Path(os.environ.get("MM_SHARED_DATA") or ROOT.parent / "shared" / "data")
    for path in sorted(captures.glob("*/*.jsonl*")) if captures.exists() else ():
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


class Mutator:
    """Damages messages, reproducibly."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def damaged(self, corpus: list[Message]) -> Message:
        rng = self._rng
        if not corpus or rng.random() < 0.03:
            noise = rng.randbytes(rng.randrange(200))
            return noise if rng.random() < 0.5 else noise.decode("latin-1")
        message = rng.choice(corpus)
        if rng.random() < 0.6:
            try:
                value = json.loads(message)
            except (ValueError, RecursionError):
                pass
            else:
                for _ in range(rng.choice((1, 1, 1, 2, 4))):
                    value = self._bent(value)
                depth = rng.choice((50, 900, 5_000, 100_000))
                text = json.dumps(value, ensure_ascii=rng.random() < 0.5).replace(f'"{DEEP}"', "[" * depth + "]" * depth)
                return text if isinstance(message, str) else text.encode(errors="replace")
        raw = bytearray(message.encode(errors="replace") if isinstance(message, str) else message)
        for _ in range(rng.choice((1, 1, 2, 5, 20))):
            self._scratch(raw, corpus)
        if rng.random() < 0.02:  # the other kind of frame
            return bytes(raw) if isinstance(message, str) else raw.decode(errors="replace")
        return raw.decode(errors="replace") if isinstance(message, str) else bytes(raw)

    def _bent(self, value: Any) -> Any:
        """One value somewhere inside replaced, removed or doubled."""
        rng = self._rng
        if isinstance(value, dict) and value and rng.random() < 0.9:
            key = rng.choice(list(value))
            if rng.random() < 0.1:
                return {other: found for other, found in value.items() if other != key}
            return value | {key: self._bent(value[key])}
        if isinstance(value, list) and value and rng.random() < 0.9:
            index = rng.randrange(min(len(value), 50))
            if rng.random() < 0.1:
                return value[:index] + value[index + 1 :]
            if rng.random() < 0.1:
                return value[: index + 1] + value[index:]
            return [*value[:index], self._bent(value[index]), *value[index + 1 :]]
        if rng.random() < 0.002:
            return DEEP
        return rng.choice(ODD_VALUES)

    def _scratch(self, raw: bytearray, corpus: list[Message]) -> None:
        rng = self._rng
        at = rng.randrange(len(raw) + 1)
        match rng.randrange(7):
            case 0 if at < len(raw):
                raw[at] ^= 1 << rng.randrange(8)
            case 1 if at < len(raw):
                raw[at] = rng.randrange(256)
            case 2:
                del raw[at : at + rng.randrange(1, 20)]
            case 3:
                raw[at:at] = rng.randbytes(rng.randrange(1, 10))
            case 4:
                raw[at:at] = raw[at : at + rng.randrange(1, 40)]
            case 5:
                other = rng.choice(corpus)
                other_raw = other.encode(errors="replace") if isinstance(other, str) else other
                raw[at:] = other_raw[rng.randrange(len(other_raw) + 1) :]
            case _:
                del raw[at:]


class Target:
    """One decoder of one exchange: what it is fed with, and what came of it."""

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
        given: Message = message if self.frames or isinstance(message, bytes) else message.encode(errors="replace")
        began_at = time.perf_counter()
        try:
            self._check(self.decode(given))
            self.outcomes["read"] += 1
        except self.allowed as error:
            self.outcomes[type(error).__name__] += 1
        except Exception as error:  # noqa: BLE001 - whatever else comes out is what this looks for
            self._fail(f"{type(error).__name__}: {error}"[:200], given)
        took_seconds = time.perf_counter() - began_at
        self.seconds += took_seconds
        self.slowest_seconds = max(self.slowest_seconds, took_seconds)
        if took_seconds > SLOW_SECONDS:
            self._fail(f"took {took_seconds:.2f} s", given)

    def _check(self, decoded: object) -> None:
        for one in decoded if isinstance(decoded, list | tuple) else (decoded,):
            if isinstance(one, BookDeltaDecoded | BookSnapshotDecoded):
                for price, quantity in (*one.bids, *one.asks):
                    if not (math.isfinite(price) and math.isfinite(quantity) and price > 0 and quantity >= 0):
                        raise AssertionError(f"a level of {price} and {quantity}")

    def _fail(self, what: str, message: Message) -> None:
        self.outcomes[what.partition(":")[0]] += 1
        if len(self.failures) < FAILURES_KEPT:
            self.failures.append((what, message))


def targets(name: str, seed: int) -> list[Target]:
    """Every decoder of an exchange with its corpus: what it really had to decode, and the samples."""
    entry = EXCHANGES[name]
    feed, account = entry.feed_codec(), entry.account_codec()
    public, private = recorded(name, seed)
    frames, bodies = sampled(name)
    all_bodies = [
        *bodies,
        *(message for kind in (public, private) for method, kept in kind.items() if method != "decode_frame" for message in kept[:20]),
    ]
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
        Target("feed decode_instruments", feed.decode_instruments, of("decode_instruments", public), fed, frames=False),
        Target("feed decode_snapshot", lambda body: feed.decode_snapshot(BTC_USDT, body), of("decode_snapshot", public), fed, frames=False),
        Target("feed check_response", lambda body: feed.check_response(response(body)), all_bodies, (RequestRefused,), frames=False),
        Target("account decode_frame", account.decode_frame, [*private.get("decode_frame", []), *frames], kept, frames=True),
        Target("account error", lambda body: account.error(response(body)), all_bodies, (), frames=False),
        Target("account penalty", lambda body: account.penalty_seconds(response(body), now_milliseconds=1), all_bodies, (), frames=False),
        Target(
            "account decode_placed", lambda body: account.decode_placed(REQUEST, body), of("decode_placed", private), kept, frames=False
        ),
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
    for what, inquiry in (("key_inquiry", account.key_inquiry), ("stream_keys", account.stream_keys)):
        if inquiry is not None:
            made.append(Target(f"account {what}", inquiry.decode, of(what, private), kept, frames=False))
    return made


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--exchange", choices=sorted(EXCHANGES), action="append")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().getrandbits(32)
    print_machine()
    print(f"seed {seed}", flush=True)
    by_exchange = {name: targets(name, seed) for name in arguments.exchange or sorted(EXCHANGES)}
    for name, found in by_exchange.items():
        print(f"{name}: {len(found)} decoders, {sum(len(target.corpus) for target in found)} messages to damage", flush=True)
    mutators = {name: Mutator(random.Random(f"{seed}:{name}")) for name in by_exchange}
    began_at = time.monotonic()
    with localcontext(PRECISE):  # as the program runs
        while time.monotonic() - began_at < arguments.seconds:
            for name, found in by_exchange.items():
                for target in found:
                    for _ in range(BATCH):
                        target.feed(mutators[name].damaged(target.corpus))
    seconds = time.monotonic() - began_at
    return report(by_exchange, seconds, seed)


def report(by_exchange: dict[str, list[Target]], seconds: float, seed: int) -> int:
    rows: list[list[str]] = []
    failures = 0
    for name, found in by_exchange.items():
        for target in found:
            count = sum(target.outcomes.values())
            refused = sum(target.outcomes[kind.__name__] for kind in target.allowed)
            others = count - refused - target.outcomes["read"]
            failures += others
            rate = f"{count / target.seconds:,.0f}" if target.seconds else "-"
            figures = [
                f"{count:,}",
                f"{target.outcomes['read']:,}",
                f"{refused:,}",
                f"{others:,}",
                rate,
                f"{target.slowest_seconds * 1000:.1f}",
            ]
            rows.append([f"{name} {target.name}", *figures])
    print()
    print_table(["decoder", "messages", "read", "ProtocolError", "other", "per second", "slowest ms"], rows)
    total = sum(sum(target.outcomes.values()) for found in by_exchange.values() for target in found)
    print(
        f"\n{total:,} messages in {seconds:.0f} s ({total / seconds:,.0f} a second, making them included), "
        f"{failures} other outcomes, seed {seed}"
    )
    for name, found in by_exchange.items():
        for target in found:
            for what, message in target.failures:
                print(f"\n{name} {target.name}: {what}\n  {message[:1000]!r}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
