from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges.gateio_spot import GATEIO_SPOT
from exchanges.identity import ExchangeIdentity
from exchanges.mexc_spot import MEXC_SPOT
from exchanges.okx_spot import OKX_SPOT
from market.symbol import KNOWN_QUOTES, Symbol, SymbolError

assets = st.from_regex(r"[A-Z0-9]{1,20}", fullmatch=True)
symbols = st.builds(Symbol, assets, assets)
separators = st.sampled_from(["_", "-", "/", ""])


@given(symbols, separators)
def test_symbol_spelled_for_the_wire_comes_back(symbol, separator) -> None:
    exchange = ExchangeIdentity("some_spot", separator=separator)
    wire = exchange.to_wire(symbol)
    assert wire == f"{symbol.base}{separator}{symbol.quote}"
    assert exchange.from_wire(wire) == symbol
    assert exchange.to_wire(symbol) is wire


@given(symbols, st.sampled_from(["_", "-", "/"]))
def test_spelling_never_seen_before_is_read_by_its_separator(symbol, separator) -> None:
    exchange = ExchangeIdentity("some_spot", separator=separator)
    wire = f"{symbol.base}{separator}{symbol.quote}"
    assert exchange.from_wire(wire) == symbol
    assert exchange.to_wire(symbol) == wire


@given(assets, st.sampled_from(KNOWN_QUOTES))
def test_joined_spelling_never_seen_before_is_read_by_its_quote_and_keeps_its_letters(base, quote) -> None:
    exchange = ExchangeIdentity("some_spot", separator="")
    symbol = exchange.from_wire(f"{base}{quote}")
    assert symbol.quote in KNOWN_QUOTES
    assert exchange.to_wire(symbol) == f"{base}{quote}"


def test_joined_spelling_is_read_as_it_was_spelled_where_the_quote_alone_would_mislead() -> None:
    exchange = ExchangeIdentity("some_spot", separator="")
    odd = Symbol("ABCB", "USD")
    assert exchange.from_wire(exchange.to_wire(odd)) == odd
    assert ExchangeIdentity("some_spot", separator="").from_wire("ABCBUSD") == Symbol("ABC", "BUSD")


UNSEPARATED = [("_", wire) for wire in ("", "_", "BTC_", "_USDT", "BTCUSDT", "BTC-USDT")]
OF_NO_KNOWN_QUOTE = [("", wire) for wire in ("", "USDT", "BTC", "BTCUSDX")]


@pytest.mark.parametrize(("separator", "wire"), UNSEPARATED + OF_NO_KNOWN_QUOTE)
def test_spelling_that_is_none_of_the_exchange_is_refused_by_name(separator, wire) -> None:
    with pytest.raises(SymbolError, match="is not a symbol of some_spot"):
        ExchangeIdentity("some_spot", separator=separator).from_wire(wire)


@pytest.mark.parametrize("wire", ["币安人生_USDT", "wstETH_USDT", "BTC_USDT_X"])
def test_odd_asset_of_an_exchange_is_carried_through_unchanged(wire) -> None:
    # A stranger's order in such a market must not make the list of open orders unreadable.
    exchange = ExchangeIdentity("some_spot", separator="_")
    assert exchange.to_wire(exchange.from_wire(wire)) == wire


def test_gateio_spells_with_an_underscore() -> None:
    assert GATEIO_SPOT.to_wire(Symbol("BTC", "USDT")) == "BTC_USDT"
    assert GATEIO_SPOT.from_wire("ETH_BTC") == Symbol("ETH", "BTC")
    assert (GATEIO_SPOT.name, repr(GATEIO_SPOT)) == ("gateio_spot", "<exchange gateio_spot>")


def test_mexc_writes_symbols_without_a_separator() -> None:
    assert MEXC_SPOT.to_wire(Symbol("BTC", "USDT")) == "BTCUSDT"
    assert MEXC_SPOT.from_wire("ETHUSDC") == Symbol("ETH", "USDC")


def test_okx_spells_with_a_hyphen() -> None:
    assert OKX_SPOT.to_wire(Symbol("BTC", "USDT")) == "BTC-USDT"
    assert OKX_SPOT.from_wire("ETH-BTC") == Symbol("ETH", "BTC")
    assert (OKX_SPOT.name, repr(OKX_SPOT)) == ("okx_spot", "<exchange okx_spot>")
