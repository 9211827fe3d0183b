from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.exact import EXACT, exact_product, exact_sum
from market.instrument import Instrument, decimal_from_book, format_decimal
from market.symbol import Symbol

# Powers of ten, as Gate.io has them, and the odd ticks of others.
steps = st.integers(-12, 2).map(lambda exponent: Decimal(1).scaleb(exponent)) | st.sampled_from(
    [Decimal("0.05"), Decimal("0.25"), Decimal("2.5"), Decimal("0.00003"), Decimal(3)]
)
values = st.builds(lambda digits, places: EXACT.scaleb(Decimal(digits), -places), st.integers(-(10**40), 10**40), st.integers(0, 25))


def instrument(step: Decimal) -> Instrument:
    return Instrument(
        exchange="some_spot",
        symbol=Symbol("BTC", "USDT"),
        price_tick=step,
        quantity_step=step,
        quantity_min=step,
        notional_min=Decimal(1),
    )


def is_on(value: Decimal, step: Decimal) -> bool:
    return EXACT.remainder(value, step) == 0


@given(values, steps)
def test_rounded_down_is_the_greatest_on_a_step_at_or_below(value, step) -> None:
    rules = instrument(step)
    for rounded in (rules.round_price_down(value), rules.round_quantity_down(value)):
        assert is_on(rounded, step)
        assert 0 <= EXACT.subtract(value, rounded) < step


@given(values, steps)
def test_rounded_up_is_the_least_on_a_step_at_or_above(value, step) -> None:
    rules = instrument(step)
    for rounded in (rules.round_price_up(value), rules.round_quantity_up(value)):
        assert is_on(rounded, step)
        assert 0 <= EXACT.subtract(rounded, value) < step


@given(values, steps)
def test_rounding_again_changes_nothing(value, step) -> None:
    rules = instrument(step)
    for rounded in (rules.round_price_down(value), rules.round_price_up(value)):
        assert rules.round_price_down(rounded) == rules.round_price_up(rounded) == rounded


@given(values, values, steps)
def test_rounding_keeps_the_order_of_values(one, other, step) -> None:
    rules = instrument(step)
    low, high = sorted([one, other])
    assert rules.round_price_down(low) <= rules.round_price_down(high)
    assert rules.round_price_up(low) <= rules.round_price_up(high)


@given(values, st.integers(0, 12))
def test_rounded_value_prints_with_the_steps_own_decimals(value, places) -> None:
    step = Decimal(1).scaleb(-places)
    for rounded in (instrument(step).round_price_down(value), instrument(step).round_price_up(value)):
        text = format_decimal(rounded)
        whole, _, decimals = text.removeprefix("-").partition(".")
        assert whole.isdigit()
        assert len(decimals) == places
        assert Decimal(text) == rounded


def test_value_just_below_a_step_is_not_lifted_over_it() -> None:
    almost = Decimal("0.9999999999999999999999999999999999999")
    assert instrument(Decimal("0.1")).round_price_down(almost) == Decimal("0.9")
    assert instrument(Decimal("0.1")).round_price_up(Decimal("1.0000000000000000000000000000000000001")) == Decimal("1.1")


def test_value_with_many_digits_before_the_point_is_rounded_too() -> None:
    assert instrument(Decimal("1e-12")).round_quantity_down(Decimal("123456789012345678901234567890.5")) == Decimal(
        "123456789012345678901234567890.500000000000"
    )


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value="-1e30", max_value="1e30"))
def test_number_prints_without_exponent_and_means_the_same(value) -> None:
    text = format_decimal(value)
    assert set(text) <= set("-0123456789.")
    assert Decimal(text) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [("1E+2", "100"), ("0E-8", "0.00000000"), ("1E-8", "0.00000001"), ("100.50", "100.50"), ("-2.5E-3", "-0.0025")],
)
def test_number_prints_plainly(value, text) -> None:
    assert format_decimal(Decimal(value)) == text


@given(st.integers(1, 10**15 - 1), st.integers(-20, 20))
def test_number_of_15_digits_survives_the_books_float(digits, exponent) -> None:
    exact = Decimal(digits).scaleb(exponent)
    assert decimal_from_book(float(str(exact))) == exact


@given(st.integers(0, 10**15 - 1), st.integers(0, 12))
def test_price_that_went_through_the_book_stays_on_its_tick(ticks, places) -> None:
    tick = Decimal(1).scaleb(-places)
    price = decimal_from_book(float(Decimal(ticks) * tick))
    assert instrument(tick).round_price_down(price) == instrument(tick).round_price_up(price) == price


decimals = st.decimals(allow_nan=False, allow_infinity=False, min_value="-1e40", max_value="1e40", places=30)


@given(st.lists(decimals, max_size=6), decimals, decimals)
def test_exact_arithmetic_equals_that_of_whole_numbers(terms, left, right) -> None:
    def scaled(value: Decimal) -> int:
        return int(EXACT.scaleb(value, 30))

    assert scaled(exact_sum(terms)) == sum(scaled(term) for term in terms)
    assert int(EXACT.scaleb(exact_product(left, right), 60)) == scaled(left) * scaled(right)


def test_exact_arithmetic_raises_rather_than_rounds() -> None:
    with pytest.raises(ArithmeticError):
        exact_sum([Decimal("1e300"), Decimal("1e-300")])
    with pytest.raises(ArithmeticError):
        exact_product(Decimal(10**300 + 1), Decimal(10**300 + 1))


@given(values, steps)
def test_rounding_never_moves_a_value_that_is_on_a_step(value, step) -> None:
    on_step = EXACT.multiply(EXACT.to_integral_value(value), step)
    assert instrument(step).round_price_down(on_step) == instrument(step).round_price_up(on_step) == on_step
