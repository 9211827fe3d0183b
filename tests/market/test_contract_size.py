from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from market.contract_size import ContractSize

SIZES = ["0.0001", "0.01", "1", "10", "11", "0.00000003", "10000000", "1E+6", "0.7"]
base_units = st.sampled_from([Decimal(size) for size in SIZES])
whole_contracts = st.integers(0, 10**12)


@given(base_units, whole_contracts)
def test_contracts_become_base_units_and_the_same_contracts_again(size: Decimal, contracts: int) -> None:
    quantity = ContractSize(size).to_base_units(Decimal(contracts))
    assert quantity == contracts * size
    assert ContractSize(size).to_contracts(quantity) == contracts


@given(base_units, st.decimals(min_value=0, max_value="1e12", places=9))
def test_parts_of_a_contract_become_base_units_and_the_same_parts_again(size: Decimal, contracts: Decimal) -> None:
    contract_size = ContractSize(size, step=Decimal("1e-9"))
    assert contract_size.to_contracts(contract_size.to_base_units(contracts)) == contracts


@given(base_units, whole_contracts, st.decimals(min_value="1e-9", max_value="0.999999999", places=9))
def test_quantity_between_two_contracts_is_refused(size: Decimal, contracts: int, beyond: Decimal) -> None:
    contract_size = ContractSize(size)
    with pytest.raises(ValueError, match="not a whole number of steps"):
        contract_size.to_contracts(contract_size.to_base_units(contracts + beyond))


def test_whole_contracts_are_written_without_decimals() -> None:
    assert format(ContractSize(Decimal("0.0001")).to_contracts(Decimal("0.0300")), "f") == "300"
    assert format(ContractSize(Decimal("0.01"), Decimal("0.1")).to_contracts(Decimal("0.025")), "f") == "2.5"


def test_step_may_be_a_part_of_a_contract() -> None:
    halves = ContractSize(Decimal("0.01"), step=Decimal("0.5"))
    assert halves.to_contracts(Decimal("0.005")) == Decimal("0.5")
    with pytest.raises(ValueError, match="not a whole number of steps"):
        halves.to_contracts(Decimal("0.003"))


@given(base_units, st.integers(0, 10**15) | st.decimals(min_value=0, max_value="1e9", places=6))
@example(Decimal("0.0001"), 3)  # 3 * 0.0001 is not the float 0.0003
@example(Decimal("0.01"), Decimal("5116.8"))
@example(Decimal("0.7"), 2**53 - 1)
def test_quantity_of_a_book_is_the_float_next_to_the_exact_one(size: Decimal, contracts: Decimal | int) -> None:
    pushed = float(contracts)  # as the frame is decoded
    exact = Decimal(contracts) * size if Decimal(repr(pushed)) == contracts else Decimal(repr(pushed)) * size
    assert ContractSize(size).book_quantity(pushed) == float(exact)


@given(base_units, st.sampled_from(["0.01", "0.1", "0.5", "0.001", "1e-9", "1e-30", "10"]), st.integers(0, 10**15), st.integers(0, 9))
@example(Decimal("0.01"), "0.01", 1_234_567_899, 2)
@example(Decimal("0.01"), "0.01", 999_999_999_999_999, 6)
@example(Decimal("0.008"), "0.01", 893_554_091_297_561, 1)  # so many parts that a float tells two of them by the same number
@example(Decimal("0.064267252993"), "0.01", 581_299_831, 1)  # the product is no exact float
def test_quantity_of_a_book_in_parts_of_a_contract_is_the_float_next_to_the_exact_one(
    size: Decimal, step: str, digits: int, places: int
) -> None:
    contracts = Decimal(digits).scaleb(-places)
    pushed = float(contracts)
    assert ContractSize(size, Decimal(step)).book_quantity(pushed) == float(Decimal(repr(pushed)) * size)


@pytest.mark.parametrize("size", ["0", "-0.0001", "NaN", "Infinity"])
def test_contract_that_is_worth_nothing_is_refused(size: str) -> None:
    with pytest.raises(ValueError, match="a contract of"):
        ContractSize(Decimal(size))
    with pytest.raises(ValueError, match="in steps of"):
        ContractSize(Decimal(1), step=Decimal(size))
