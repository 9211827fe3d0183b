"""Feeds damaged real messages and noise to every codec's decoders, to feeds and to accounts, for as long as asked.

Usage: bench/fuzz_codecs.py [--seconds 300] [--seed N] [--exchange NAME]... [--only decoders|books|ledgers]

Three things in turn, each for its share of the time (halves for the decoders, a third for the books):

decoders  Whatever arrives, a decoder gives typed values or its `ProtocolError`, and nothing else: no other exception, no
          number that is none, no message that takes long (tests/contract/decoders.py).
books     The real feed actor at the simulated exchange, damaged frames among the real ones: no book that it publishes is
          wrong (tests/contract/damaged_feed.py says what that means).
ledgers   The whole program at the simulated exchange, over a private stream with frames that are refused: the ledger is
          never wrong, and every round reconciles (tests/contract/damaged_account.py).

What is damaged comes from the whole program run in simulation, from the samples beside the tests, and from captures of
real markets where they are (MM_SHARED_DATA, or shared/data beside the clone). The same seed makes the same damage in the
same order. Ends with status 1 if anything was wrong; the input, or the seed of the run, is printed.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from decimal import localcontext

from harness import ROOT, print_machine, print_table

sys.path.insert(0, str(ROOT / "tests" / "contract"))
from damage import Mutator
from damaged_account import run_damaged_account
from damaged_feed import AS_TRADED, PATIENT, run_damaged_feed
from decoders import Target, targets

from assembly.registry import EXCHANGES
from market.exact import PRECISE

SHARES = {"decoders": 0.5, "books": 0.3, "ledgers": 0.2}
BATCH = 100
BOOK_SECONDS = 60.0  # of virtual time, and as long again at most to recover
# Many damaged frames and endless patience; few, and the patience that the program trades with.
BOOK_RUNS = tuple((refused_only, *how) for refused_only in (True, False) for how in ((PATIENT, 0.1), (AS_TRADED, 5.0)))
FAILURES_SHOWN = 10


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--exchange", choices=sorted(EXCHANGES), action="append")
    parser.add_argument("--only", choices=SHARES, action="append")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().getrandbits(32)
    names = arguments.exchange or sorted(EXCHANGES)
    chosen = arguments.only or list(SHARES)
    print_machine()
    print(f"seed {seed}", flush=True)
    failures = 0
    for part, run in (("decoders", fuzz_decoders), ("books", fuzz_books), ("ledgers", fuzz_ledgers)):
        if part in chosen:
            failures += run(names, arguments.seconds * SHARES[part] / sum(SHARES[one] for one in chosen), seed)
    return 1 if failures else 0


def fuzz_decoders(names: list[str], seconds: float, seed: int) -> int:
    by_exchange = {name: targets(name, seed) for name in names}
    for name, found in by_exchange.items():
        print(f"{name}: {len(found)} decoders, {sum(len(target.corpus) for target in found)} messages to damage", flush=True)
    mutators = {name: Mutator(random.Random(f"{seed}:{name}")) for name in by_exchange}
    began_at = time.monotonic()
    with localcontext(PRECISE):  # as the program runs
        while time.monotonic() - began_at < seconds:
            for name, found in by_exchange.items():
                for target in found:
                    for _ in range(BATCH):
                        target.feed(mutators[name].damaged(target.corpus))
    return report_decoders(by_exchange, time.monotonic() - began_at, seed)


def report_decoders(by_exchange: dict[str, list[Target]], seconds: float, seed: int) -> int:
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
    return failures


def fuzz_books(names: list[str], seconds: float, seed: int) -> int:
    counts = {name: Counter[str]() for name in names}
    failures: list[str] = []
    began_at, number = time.monotonic(), 0
    while time.monotonic() - began_at < seconds:
        for name in names:
            refused_only, settings, pause_seconds = BOOK_RUNS[number % len(BOOK_RUNS)]
            options = {"seed": seed + number, "refused_only": refused_only, "seconds": BOOK_SECONDS, "pause_seconds": pause_seconds}
            with_checksums = number // len(BOOK_RUNS) % 2 == 1
            try:
                outcome = run_damaged_feed(name, settings=settings, book_checksums=with_checksums, **options)
            except Exception as error:  # noqa: BLE001 - whatever the feed dies of is what this looks for
                failures.append(f"{name}, {options}: {in_one_text(error)}")
                continue
            counts[name] += outcome.counts
            failures += [f"{name}, {options}: {text}" for text in outcome.violations]
        number += 1
    return report_runs("books", counts, failures, number, time.monotonic() - began_at, seed)


def fuzz_ledgers(names: list[str], seconds: float, seed: int) -> int:
    counts = {name: Counter[str]() for name in names}
    failures: list[str] = []
    began_at, number = time.monotonic(), 0
    while time.monotonic() - began_at < seconds:
        for name in names:
            try:
                outcome = run_damaged_account(name, seed=seed + number)
            except Exception as error:  # noqa: BLE001 - as is what the program dies of
                failures.append(f"{name}, seed {seed + number}: {in_one_text(error)}")
                continue
            counts[name] += outcome.counts
            failures += [f"{name}, seed {seed + number}: {text}" for text in outcome.violations]
        number += 1
    return report_runs("ledgers", counts, failures, number, time.monotonic() - began_at, seed)


def in_one_text(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(in_one_text(one) for one in error.exceptions)
    return f"{type(error).__name__}: {error}"


def report_runs(what: str, counts: dict[str, Counter[str]], failures: list[str], runs: int, seconds: float, seed: int) -> int:
    kinds = list(dict.fromkeys(kind for found in counts.values() for kind in sorted(found)))
    print()
    print_table([what, *kinds], [[name, *(f"{found[kind]:,}" for kind in kinds)] for name, found in counts.items()])
    refused = sum(found["refused"] for found in counts.values())
    print(f"\n{runs} runs of each in {seconds:.0f} s, {refused:,} frames refused, {len(failures)} things wrong, first seed {seed}")
    for text in failures[:FAILURES_SHOWN]:
        print(f"\n{text}")
    return len(failures)


if __name__ == "__main__":
    sys.exit(main())
