"""Sizes in contracts, signed, as a client wants to have them written; and numbers that are no text on Gate.io's wire."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal

import msgspec

from market.instrument import Instrument
from simulated.numbers import plain

Size = str | int


class SizeStyle(msgspec.Struct, frozen=True):
    """Decimal text for whoever asked for it by `X-Gate-Size-Decimal`, whole numbers for everybody else: 1.7 becomes 1."""

    is_decimal: bool

    def write(self, instrument: Instrument, quantity: Decimal) -> Size:
        """`quantity` base units (negative: sold, or short) in contracts."""
        contracts = contracts_of(instrument, quantity)
        return plain(contracts) if self.is_decimal else int(contracts.to_integral_value(ROUND_DOWN))


def contracts_of(instrument: Instrument, quantity: Decimal) -> Decimal:
    """Exact, as long as `quantity` is on a step."""
    return quantity / contract_size_of(instrument)


def quantity_of(instrument: Instrument, contracts: Decimal) -> Decimal:
    """Base units."""
    return contracts * contract_size_of(instrument)


def contract_size_of(instrument: Instrument) -> Decimal:
    size = instrument.contract_size
    assert size is not None, f"{instrument.symbol} is no contract"  # noqa: S101 - a venue of contracts has no others
    return size


def number(value: Decimal) -> msgspec.Raw:
    """A JSON number with every digit that `value` has."""
    return msgspec.Raw(plain(value).encode())


def seconds(milliseconds: int) -> msgspec.Raw:
    """A moment as REST writes it: seconds with three decimals."""
    return msgspec.Raw(f"{milliseconds // 1000}.{milliseconds % 1000:03d}".encode())
