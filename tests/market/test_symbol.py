from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from market.symbol import KNOWN_QUOTES, Symbol, SymbolError, parse_symbol

assets = st.from_regex(r"[A-Z0-9]{1,20}", fullmatch=True)
separators = st.sampled_from("/_-")
quotes = st.sampled_from(KNOWN_QUOTES)


def cased(text: str, lower: list[bool]) -> str:
    """`text` with some letters made lower case."""
    return "".join(letter.lower() if lowered else letter for letter, lowered in zip(text, lower, strict=True))


@pytest.mark.parametrize("text", ["BTC/USDT", "BTC_USDT", "BTC-USDT", "BTCUSDT", "btcusdt", "Btc-Usdt", "  btc_usdt\n"])
def test_symbol_is_read_in_every_spelling(text) -> None:
    assert parse_symbol(text) == Symbol("BTC", "USDT")


@given(assets, assets, separators, st.data())
def test_separated_spelling_is_read_exactly_in_any_case(base, quote, separator, data) -> None:
    text = f"{base}{separator}{quote}"
    lower = data.draw(st.lists(st.booleans(), min_size=len(text), max_size=len(text)))
    assert parse_symbol(cased(text, lower)) == Symbol(base, quote)


@given(assets, assets)
def test_printed_symbol_is_read_back(base, quote) -> None:
    symbol = Symbol(base, quote)
    assert parse_symbol(str(symbol)) == symbol


@given(assets, quotes)
def test_joined_spelling_is_split_before_a_known_quote(base, quote) -> None:
    assume(not any(f"{base}{quote}".endswith(longer) for longer in KNOWN_QUOTES if len(longer) > len(quote)))
    assert parse_symbol(f"{base}{quote}") == Symbol(base, quote)


@given(assets, quotes)
def test_joined_spelling_loses_no_letter(base, quote) -> None:
    symbol = parse_symbol(f"{base}{quote}")
    assert f"{symbol.base}{symbol.quote}" == f"{base}{quote}"
    assert symbol.quote in KNOWN_QUOTES


def test_no_known_quote_hides_a_longer_one() -> None:
    for earlier, quote in enumerate(KNOWN_QUOTES):
        assert not any(later.endswith(quote) for later in KNOWN_QUOTES[earlier + 1 :])


NO_SYMBOLS = ["", " ", "BTC", "USDT", "/", "BTC/", "/USDT", "BTC//USDT", "BTC_USDT_SWAP", "BTC/USDT-SWAP"]
ODD_CHARACTERS = ["BTC USDT", "BTC.USDT", "BTC/US$", "ÄTH/USDT"]


@pytest.mark.parametrize("text", NO_SYMBOLS + ODD_CHARACTERS)
def test_text_that_names_no_market_is_refused_with_the_spellings(text) -> None:
    with pytest.raises(SymbolError, match="BTC_USDT, BTC/USDT, BTC-USDT or BTCUSDT"):
        parse_symbol(text)


@given(st.text(max_size=30))
def test_any_text_is_a_symbol_of_proper_assets_or_refused(text) -> None:
    try:
        symbol = parse_symbol(text)
    except SymbolError:
        return
    assert parse_symbol(str(symbol)) == symbol


def test_symbols_can_be_keys_and_are_ordered_by_name() -> None:
    assert {Symbol("BTC", "USDT"): 1}[Symbol("BTC", "USDT")] == 1
    assert sorted([Symbol("ETH", "BTC"), Symbol("BTC", "USDT"), Symbol("BTC", "EUR")]) == [
        Symbol("BTC", "EUR"),
        Symbol("BTC", "USDT"),
        Symbol("ETH", "BTC"),
    ]
