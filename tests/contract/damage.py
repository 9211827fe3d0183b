"""Damages messages, reproducibly: what arrives when a wire, a proxy or an exchange has a bad day, and worse than that."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

Message = str | bytes

# What stands where a value was. Numbers that are none, that are too large, that look like something else; and nesting.
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 0.1, -0.0, 1e308, 10**18, -(10**18), 2**63, 2**64, 10**30, [], {}, [[]], [None], {"": None},
    [[[[[[]]]]]], ["1"], ["1", "2"], "", " ", "0", "-1", "1", "0.1", "1e999", "-1e999", "1e-999", "NaN", "nan", "Infinity", "-inf",
    "sNaN", "0x10", "1_000", "\u0967\u0968", "9" * 5000, "0." + "0" * 5000 + "1", "BTC_USDT", "BTC-USDT", "BTCUSDT", "_", "-", "\x00",
    "open", "live", "filled", "update", "subscribe", "buy",
)  # fmt: skip
DEEP = "@deep@"  # stands for lists within lists until it is text: json could not write them


class Mutator:
    """Draws damaged messages. One `rng`, one order of calls, one series of messages."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def damaged(self, corpus: Sequence[Message]) -> Message:
        """One of `corpus` with something wrong in it, or plain noise."""
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
        """One value somewhere inside replaced, removed, doubled or, if it is a number, moved a little."""
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
        if rng.random() < 0.3:
            return self._moved(value)
        return rng.choice(ODD_VALUES)

    def _moved(self, value: Any) -> Any:
        """Another number that could have stood there: what no decoder can see."""
        rng = self._rng
        step = rng.choice((-1000, -2, -1, 1, 2, 1000))
        if isinstance(value, bool):
            return not value
        if isinstance(value, int | float):
            return value + step
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 100:
            return str(int(value) + step)
        if isinstance(value, str) and any(one in "0123456789" for one in value):
            place = rng.choice([place for place, one in enumerate(value) if one in "0123456789"])
            return f"{value[:place]}{rng.randrange(10)}{value[place + 1 :]}"
        return rng.choice(ODD_VALUES)

    def _scratch(self, raw: bytearray, corpus: Sequence[Message]) -> None:
        rng = self._rng
        at = rng.randrange(len(raw) + 1)
        match rng.randrange(9):
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
            case 6:
                del raw[at:]
            case _:  # a digit of a number, which no decoder can see
                digits = [place for place, one in enumerate(raw[:2_000]) if one in b"0123456789"]
                if digits:
                    raw[rng.choice(digits)] = rng.choice(b"0123456789")
