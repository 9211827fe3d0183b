"""What changes of assets are worth, along the markets traded."""

from __future__ import annotations

from decimal import Decimal

from market.symbol import Symbol
from orders.losses import worth

BTC_USDT, BTC_USDC, ETH_BTC = Symbol("BTC", "USDT"), Symbol("BTC", "USDC"), Symbol("ETH", "BTC")
DOGE_EUR = Symbol("DOGE", "EUR")
NO_MIDDLES: dict[Symbol, Decimal] = {}
MIDDLES = {BTC_USDT: Decimal(100), BTC_USDC: Decimal(50), ETH_BTC: Decimal("0.1"), DOGE_EUR: Decimal(2)}


def changes(**amounts: str) -> dict[str, Decimal]:
    return {asset: Decimal(amount) for asset, amount in amounts.items()}


def test_what_was_bought_is_worth_the_middle_and_what_was_paid_is_gone() -> None:
    assert worth(changes(BTC="2", USDT="-210"), [BTC_USDT], MIDDLES.get) == {"USDT": -10}


def test_nothing_has_no_worth_and_needs_no_price() -> None:
    assert worth({}, [BTC_USDT], NO_MIDDLES.get) == {"USDT": 0}
    assert worth(changes(BTC="0", USDT="5"), [BTC_USDT], NO_MIDDLES.get) == {"USDT": 5}


def test_price_that_counts_and_was_never_known_leaves_the_whole_without_value() -> None:
    assert worth(changes(BTC="1"), [BTC_USDT, DOGE_EUR], {DOGE_EUR: Decimal(2)}.get) is None


def test_markets_that_share_no_asset_are_valued_apart() -> None:
    assert worth(changes(BTC="1", EUR="-3", DOGE="1"), [BTC_USDT, DOGE_EUR], MIDDLES.get) == {"USDT": 100, "EUR": -1}


def test_base_of_two_quotes_counts_once_in_the_first() -> None:
    assert worth(changes(BTC="1", USDC="-50"), [BTC_USDT, BTC_USDC], MIDDLES.get) == {"USDT": 0}


def test_asset_that_is_quote_and_base_is_valued_in_the_quote_that_is_no_base() -> None:
    assert worth(changes(ETH="1", BTC="-0.2"), [ETH_BTC, BTC_USDT], MIDDLES.get) == {"USDT": -10}


def test_fee_in_an_asset_that_is_not_traded_has_no_value() -> None:
    assert worth(changes(GT="-7", USDT="1"), [BTC_USDT], MIDDLES.get) == {"USDT": 1}
