"""What one contract is worth in base units, and the exact way from contracts to base units and back."""

from __future__ import annotations

from decimal import Decimal

from market.exact import EXACT
from market.instrument import decimal_from_book

# Whole numbers up to here are exact as floats, and so is a product of two that stays below.
_EXACT_AS_FLOAT = 2.0**53
# A float tells the decimal that was written for it where that has fewer digits than this number.
_TOLD_BY_FLOAT = 10**15
_DECIMALS_MAX = 15
ONE_CONTRACT = Decimal(1)


class ContractSize:
    """`base_units` is the worth of one contract; `step` the smallest part of one that may be ordered."""

    def __init__(self, base_units: Decimal, step: Decimal = ONE_CONTRACT) -> None:
        """
        Raises:
            ValueError: a contract or a step that is worth nothing.
        """
        if not (base_units.is_finite() and base_units > 0 and step.is_finite() and step > 0):
            raise ValueError(f"a contract of {base_units} in steps of {step}")
        self.base_units = base_units
        self.step = step
        # What is pushed is counted in parts of a contract, as small as the step has decimals.
        self._parts = 10.0 ** min(_DECIMALS_MAX, max(0, -int(step.as_tuple().exponent)))
        numerator, denominator = base_units.as_integer_ratio()
        self._numerator, self._denominator = float(numerator), denominator * self._parts

    def to_base_units(self, contracts: Decimal) -> Decimal:
        """Never rounds."""
        return EXACT.multiply(contracts, self.base_units)

    def to_contracts(self, quantity: Decimal) -> Decimal:
        """The contracts that make `quantity` base units; a whole number is written without decimals.

        Raises:
            ValueError: it is not a whole number of steps.
        """
        step = EXACT.multiply(self.step, self.base_units)
        steps, beyond = EXACT.divmod(quantity, step)
        if beyond:
            raise ValueError(f"{quantity} is not a whole number of steps of {step}")
        return EXACT.multiply(steps, self.step)

    def book_quantity(self, contracts: float) -> float:
        """A book's quantity in base units: the float next to the exact decimal, as if the exchange had written that."""
        parts = round(contracts * self._parts)
        product = parts * self._numerator
        # The quotient of two exact floats is the float next to it: no decimals are needed for nearly all that is pushed.
        if (
            parts / self._parts == contracts
            and parts < _TOLD_BY_FLOAT
            and product <= _EXACT_AS_FLOAT
            and self._denominator <= _EXACT_AS_FLOAT
        ):
            return product / self._denominator
        return float(EXACT.multiply(decimal_from_book(contracts), self.base_units))
