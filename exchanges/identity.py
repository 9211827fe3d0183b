"""What every domain knows of an exchange: its name and its spelling of symbols."""

from __future__ import annotations

from market.symbol import KNOWN_QUOTES, Symbol, SymbolError


class ExchangeIdentity:
    """An exchange's name and symbol spelling: base, separator, quote, suffix. Look-ups are cached in both directions.

    `separator` may be empty (``BTCUSDT``); the quote is then recognised by `KNOWN_QUOTES`, or exactly once the
    symbol has been spelled by `to_wire`.
    """

    def __init__(self, name: str, *, separator: str, suffix: str = "") -> None:
        self.name = name
        self.separator = separator
        self.suffix = suffix
        self._wire_by_symbol: dict[Symbol, str] = {}
        self._symbol_by_wire: dict[str, Symbol] = {}

    def __repr__(self) -> str:
        return f"<exchange {self.name}>"

    def to_wire(self, symbol: Symbol) -> str:
        """The exchange's spelling of `symbol`."""
        wire = self._wire_by_symbol.get(symbol)
        if wire is None:
            wire = f"{symbol.base}{self.separator}{symbol.quote}{self.suffix}"
            self._wire_by_symbol[symbol] = wire
            self._symbol_by_wire[wire] = symbol
        return wire

    def from_wire(self, wire: str) -> Symbol:
        """The symbol that the exchange spells `wire`.

        Raises:
            SymbolError: `wire` is not a spelling of this exchange.
        """
        symbol = self._symbol_by_wire.get(wire)
        if symbol is None:
            symbol = self._parse(wire)
            self._symbol_by_wire[wire] = symbol
            self._wire_by_symbol[symbol] = wire
        return symbol

    def _parse(self, wire: str) -> Symbol:
        name = wire.removesuffix(self.suffix)
        if self.suffix and name == wire:
            raise SymbolError(f"{wire!r} is not a symbol of {self.name}")
        if self.separator:
            base, separator, quote = name.partition(self.separator)
            if separator and base and quote:
                return Symbol(base, quote)
        else:
            for quote in KNOWN_QUOTES:
                if name.endswith(quote) and len(name) > len(quote):
                    return Symbol(name.removesuffix(quote), quote)
        raise SymbolError(f"{wire!r} is not a symbol of {self.name}")
