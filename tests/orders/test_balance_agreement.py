"""Balances against all fills: what is a difference, when it is named, and what is not one."""

from __future__ import annotations

from decimal import Decimal

import pytest

from market.exact import EXACT
from orders.agreement import BALANCES_LAG_SECONDS, AssetBaseline, BalanceAgreement, SettledLook
from orders.events import BalanceBaselined, BalanceDiffers

ZERO = Decimal(0)
ENOUGH = BALANCES_LAG_SECONDS
Found = list[BalanceBaselined | BalanceDiffers]


class Account:
    """An account that is looked at: BTC alone, in units."""

    def __init__(self, known: AssetBaseline | None = None) -> None:
        self.agreement = BalanceAgreement("main", known={} if known is None else {"BTC": known})
        self.now = 0.0
        self.filled = ZERO
        self.rounding = ZERO
        self.traded = False

    def look(self, total: str, *, after: float = 0.0) -> Found:
        self.now += after
        seen = SettledLook(
            assets=frozenset({"BTC"}),
            traded=frozenset({"BTC"} if self.traded else ()),
            totals={"BTC": Decimal(total)},
            fill_changes={"BTC": self.filled},
            roundings={"BTC": self.rounding},
        )
        return self.agreement.look(seen, now=self.now, now_milliseconds=round(self.now * 1000))

    def fill(self, quantity: str) -> None:
        self.filled = EXACT.add(self.filled, Decimal(quantity))
        self.traded = True


def named(found: Found) -> list[tuple[Decimal, Decimal, Decimal]]:
    return [(event.expected, event.actual, event.difference) for event in found if isinstance(event, BalanceDiffers)]


def test_first_look_at_an_asset_that_was_not_traded_is_its_baseline() -> None:
    account = Account()
    assert account.look("5") == [BalanceBaselined("main", "BTC", Decimal(5), ZERO)]
    assert account.look("5", after=60) == []


def test_fills_explain_every_change_to_the_last_digit() -> None:
    account = Account()
    account.look("5")
    account.fill("0.123456789012345678901234567890123456789")
    assert account.look("5.123456789012345678901234567890123456789", after=60) == []
    assert not account.agreement.in_doubt()


def test_difference_is_named_once_when_two_looks_a_lag_apart_say_the_same() -> None:
    account = Account()
    account.look("5")
    assert account.look("5.25", after=30) == []
    assert account.agreement.in_doubt() == {"BTC": Decimal("0.25")}
    assert account.look("5.25", after=ENOUGH - 0.1) == []
    differs, baselined = account.look("5.25", after=0.1)
    assert differs == BalanceDiffers(
        account="main",
        asset="BTC",
        expected=Decimal(5),
        actual=Decimal("5.25"),
        difference=Decimal("0.25"),
        since_milliseconds=30_000,
    )
    assert baselined == BalanceBaselined("main", "BTC", Decimal("5.25"), Decimal("0.25"))
    assert account.agreement.in_doubt() == {}
    assert account.look("5.25", after=60) == []


def test_differences_are_the_same_whatever_is_traded_between_the_looks() -> None:
    account = Account()
    account.look("5")
    account.fill("1")
    account.look("7", after=30)
    account.fill("-3")
    assert named(account.look("4", after=ENOUGH)) == [(Decimal(3), Decimal(4), Decimal(1))]


def test_balance_that_lags_behind_its_fill_is_no_difference() -> None:
    account = Account()
    account.look("5")
    account.fill("1")
    assert account.look("5", after=1) == []
    assert account.look("6", after=ENOUGH - 1) == []
    assert account.look("6", after=60) == []


def test_looks_that_differ_by_something_else_each_time_name_nothing() -> None:
    account = Account()
    account.look("5")
    for total in ("6", "7", "6", "7"):
        assert account.look(total, after=ENOUGH - 1) == []


def test_look_that_agrees_in_between_begins_the_wait_anew() -> None:
    account = Account()
    account.look("5")
    account.look("6", after=1)
    account.look("5", after=ENOUGH - 1)
    assert account.look("6", after=1) == []
    assert named(account.look("6", after=ENOUGH)) == [(Decimal(5), Decimal(6), Decimal(1))]


def test_named_differences_add_up_for_whoever_compares_over_a_while() -> None:
    account = Account()
    account.look("5")
    for total in ("6", "5.5"):
        account.look(total, after=1)
        account.look(total, after=ENOUGH)
    assert account.agreement.unexplained() == {"BTC": Decimal("0.5")}


def test_baseline_of_an_earlier_run_is_what_the_first_look_is_compared_with() -> None:
    account = Account(AssetBaseline(constant=Decimal(5), unexplained=Decimal(2)))
    account.fill("1")  # of the earlier run, or found in the exchange's list
    assert account.look("6") == []
    assert account.look("4") == []
    assert account.agreement.in_doubt() == {"BTC": Decimal(-2)}
    assert named(account.look("4", after=ENOUGH)) == [(Decimal(6), Decimal(4), Decimal(-2))]
    assert account.agreement.unexplained() == {}, "2 more, and 2 less again"


def test_baseline_of_an_asset_that_was_just_traded_must_last() -> None:
    account = Account()
    account.fill("-0.1")
    assert account.look("5") == [], "a fee that is not in the balance yet, perhaps"
    assert account.look("4.9", after=1) == []
    assert account.agreement.in_doubt() == {}, "there is nothing to compare with"
    assert account.look("4.9", after=ENOUGH) == [BalanceBaselined("main", "BTC", Decimal(5), ZERO)]


def test_rounding_of_what_was_traded_is_allowed_and_forgotten() -> None:
    account = Account()
    account.look("5")
    account.fill("1")
    account.rounding += Decimal("0.001")
    assert account.look("6.001", after=1) == [BalanceBaselined("main", "BTC", Decimal("5.001"), ZERO)]
    assert account.look("6.002", after=1) == [], "nothing was traded since, so that nothing was rounded"
    assert named(account.look("6.002", after=ENOUGH)) == [(Decimal("6.001"), Decimal("6.002"), Decimal("0.001"))]


@pytest.mark.parametrize(("traded", "is_named"), [("0", True), ("0.001", False)])
def test_rounding_of_what_was_traded_after_an_earlier_run_last_looked_is_allowed(traded: str, is_named: bool) -> None:
    account = Account(AssetBaseline(constant=Decimal(5), rounding=-Decimal(traded)))
    account.look("5.001")
    assert bool(named(account.look("5.001", after=ENOUGH))) is is_named
