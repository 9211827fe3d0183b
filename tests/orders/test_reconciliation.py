"""A reconciliation agrees exactly or not at all."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from market.symbol import Symbol
from orders.reconciliation import CycleReconciled

ZERO = Decimal(0)
AMOUNTS = st.dictionaries(
    st.sampled_from(["BTC", "USDT", "GT"]), st.decimals(min_value=-1000, max_value=1000, places=12, allow_nan=False), max_size=3
)


def reconciled(expected: dict[str, Decimal], actual: dict[str, Decimal], fees: dict[str, Decimal] | None = None) -> CycleReconciled:
    return CycleReconciled(
        account="main",
        cycle="btc",
        number=1,
        symbol=Symbol("BTC", "USDT"),
        bought_quantity=ZERO,
        bought_quote=ZERO,
        sold_quantity=ZERO,
        sold_quote=ZERO,
        fees=fees or {},
        balances_before={},
        balances_after={},
        expected_changes=expected,
        actual_changes=actual,
        left_over_quantity=ZERO,
        profit_quote=ZERO,
        started_at_milliseconds=0,
        ended_at_milliseconds=1,
    )


def test_changes_that_are_equal_agree_whatever_their_number_of_zeros() -> None:
    assert reconciled({"BTC": Decimal("0.10")}, {"BTC": Decimal("0.1")}).agrees


@pytest.mark.parametrize("digit", ["0.000000000001", "-0.000000000001"])
def test_difference_in_the_last_digit_does_not_agree(digit: str) -> None:
    found = reconciled({"BTC": Decimal(1)}, {"BTC": Decimal(1) + Decimal(digit)})
    assert not found.agrees
    assert found.differences() == {"BTC": Decimal(digit), "USDT": ZERO}


def test_asset_named_on_one_side_only_counts_as_unchanged_on_the_other() -> None:
    assert reconciled({"GT": ZERO}, {}).agrees
    assert not reconciled({}, {"GT": Decimal("-0.1")}).agrees
    assert not reconciled({"GT": Decimal("-0.1")}, {}).agrees


def test_assets_are_base_quote_and_then_the_others_by_name() -> None:
    assert reconciled({"ZZ": ZERO, "USDT": ZERO}, {"GT": ZERO}, {"AA": ZERO}).assets == ("BTC", "USDT", "AA", "GT", "ZZ")


@given(AMOUNTS, AMOUNTS)
def test_agreement_is_equality_of_what_is_not_zero(expected: dict[str, Decimal], actual: dict[str, Decimal]) -> None:
    def changed(amounts: dict[str, Decimal]) -> dict[str, Decimal]:
        return {asset: amount for asset, amount in amounts.items() if amount}

    assert reconciled(expected, actual).agrees is (changed(expected) == changed(actual))
    assert reconciled(expected, expected).agrees


def test_difference_that_was_named_meanwhile_is_no_disagreement() -> None:
    moved = reconciled({"BTC": Decimal(1)}, {"BTC": Decimal("1.25")})
    assert not moved.agrees
    named = replace(moved, unexplained={"BTC": Decimal("0.25")})
    assert named.agrees
    assert not replace(moved, unexplained={"BTC": Decimal("0.2")}).agrees
