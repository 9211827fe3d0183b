"""What must be known of OKX's instruments to write and read orders: what their sizes mean, and their names on the websocket.

Reference: https://www.okx.com/docs-v5/en/ "Get instruments".
"""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

import msgspec

from actors.accounts.codec import Catalogue, PreparedRequest, ProtocolError
from actors.accounts.okx import wire
from exchanges.identity import ExchangeIdentity
from market.contract_size import ContractSize
from market.events import Side
from market.exact import exact_product
from market.symbol import Symbol, SymbolError

INSTRUMENTS_GROUP = "public_instruments"


class OkxInstruments(Catalogue, Protocol):
    """A market's instruments, as its codec uses them."""

    def symbol(self, instrument: str) -> Symbol | None:
        """What is called so there; None for what is not traded by us, and whose orders and positions are left out.

        Raises:
            ValueError, ProtocolError: there is no such thing, as far as we know.
        """
        ...

    def code(self, symbol: Symbol) -> int | None:
        """The instrument's name in the websocket's order operations, where it is known."""
        ...

    def forget_codes(self) -> None:
        """They are not what the websocket calls instruments."""
        ...

    def size(self, symbol: Symbol, quantity: Decimal) -> Decimal:
        """A quantity of ours in the unit of the wire.

        Raises:
            ValueError: it is not on a whole step.
            ProtocolError: `symbol` is not known.
        """
        ...

    def quantity(self, symbol: Symbol, size: Decimal) -> Decimal:
        """A size of the wire in base units. Raises: ProtocolError: `symbol` is not known."""
        ...

    def fee_asset(self, symbol: Symbol, side: Side) -> str:
        """What the fee of a trade on our `side` is charged in, where the exchange does not say."""
        ...


class _Listed:
    """The part of both catalogues that is about asking, and about websocket codes."""

    def __init__(self, identity: ExchangeIdentity, instrument_type: str) -> None:
        self._identity = identity
        self._instrument_type = instrument_type
        self._is_complete = False
        self._codes: dict[Symbol, int] = {}

    @property
    def is_complete(self) -> bool:
        return self._is_complete

    def request(self) -> PreparedRequest:
        query = f"instType={self._instrument_type}"
        return PreparedRequest(method="GET", path="/api/v5/public/instruments", query=query, group=INSTRUMENTS_GROUP, is_public=True)

    def code(self, symbol: Symbol) -> int | None:
        return self._codes.get(symbol)

    def forget_codes(self) -> None:
        self._codes = {}

    def _listings(self, body: bytes) -> dict[str, wire.Listing]:
        """By name; placeholders without one are left out."""
        with wire.reading("a list of instruments", body):
            return {listing.inst_id: listing for listing in wire.data_of(wire.LISTINGS, body) if listing.inst_id}

    def _take_codes(self, listings: dict[str, wire.Listing]) -> None:
        codes: dict[Symbol, int] = {}
        for instrument, listing in listings.items():
            code = _code(listing.inst_id_code)
            if code is None:
                continue
            try:
                codes[self._identity.from_wire(instrument)] = code
            except SymbolError:
                continue
        self._codes = codes
        self._is_complete = True


class OkxSpotCatalogue(_Listed):
    """Spot: sizes are base units, and every instrument can be read. What it learns are websocket codes alone.

    A listing that has none, or none that can be read, is no obstacle: orders of that symbol go over REST.
    """

    def learn(self, request: PreparedRequest, body: bytes) -> None:
        self._take_codes(self._listings(body))

    def symbol(self, instrument: str) -> Symbol | None:
        return self._identity.from_wire(instrument)

    def size(self, symbol: Symbol, quantity: Decimal) -> Decimal:
        return quantity

    def quantity(self, symbol: Symbol, size: Decimal) -> Decimal:
        return size

    def fee_asset(self, symbol: Symbol, side: Side) -> str:
        return symbol.base if side is Side.BUY else symbol.quote


class _Contract(msgspec.Struct, frozen=True):
    size: ContractSize
    leverage_max: Decimal | None


class OkxSwapCatalogue(_Listed):
    """Swaps: sizes are contracts. Those that are linear and settled in their quote asset are traded, the others left out."""

    def __init__(self, identity: ExchangeIdentity, instrument_type: str) -> None:
        super().__init__(identity, instrument_type)
        self._contracts: dict[Symbol, _Contract] = {}
        self._left_out: frozenset[str] = frozenset()

    def learn(self, request: PreparedRequest, body: bytes) -> None:
        contracts: dict[Symbol, _Contract] = {}
        left_out: set[str] = set()
        listings = self._listings(body)
        for instrument, listing in listings.items():
            symbol = self._traded(listing)
            if symbol is None:
                left_out.add(instrument)
                continue
            try:
                contracts[symbol] = _contract(listing)
            except (ValueError, ArithmeticError):
                continue  # a placeholder of what is not open yet, which cannot have orders
        self._contracts, self._left_out = contracts, frozenset(left_out)
        self._take_codes(listings)

    def symbol(self, instrument: str) -> Symbol | None:
        if instrument in self._left_out:
            return None
        symbol = self._identity.from_wire(instrument)
        self._contract(symbol)
        return symbol

    def size(self, symbol: Symbol, quantity: Decimal) -> Decimal:
        return self._contract(symbol).size.to_contracts(quantity)

    def quantity(self, symbol: Symbol, size: Decimal) -> Decimal:
        return self._contract(symbol).size.to_base_units(size)

    def fee_asset(self, symbol: Symbol, side: Side) -> str:
        return symbol.quote

    def leverage_max(self, symbol: Symbol) -> Decimal:
        """
        Raises:
            KeyError: no such contract, or it does not say.
        """
        leverage_max = self._contracts[symbol].leverage_max
        if leverage_max is None:
            raise KeyError(symbol)
        return leverage_max

    def _traded(self, listing: wire.Listing) -> Symbol | None:
        try:
            symbol = self._identity.from_wire(listing.inst_id)
        except SymbolError:
            return None
        # A placeholder may have any of these empty: then nobody knows yet, and it cannot have orders.
        told = ((listing.ct_type, "linear"), (listing.settle_ccy, symbol.quote), (listing.ct_val_ccy, symbol.base))
        return symbol if all(text in ("", wanted) for text, wanted in told) else None

    def _contract(self, symbol: Symbol) -> _Contract:
        contract = self._contracts.get(symbol)
        if contract is None:
            self._is_complete = False  # listed since: it is to be learned anew
            raise ProtocolError(f"{symbol} is not among the contracts that OKX has listed")
        return contract


def _contract(listing: wire.Listing) -> _Contract:
    """Raises: ValueError, ArithmeticError: a number that must be there is missing or impossible."""
    size = exact_product(wire.positive(listing.ct_val), wire.positive(listing.ct_mult))
    return _Contract(ContractSize(size, wire.positive(listing.lot_sz)), wire.positive(listing.lever) or None)


def _code(told: object) -> int | None:
    """An integer that is no flag."""
    return told if isinstance(told, int) and not isinstance(told, bool) and told >= 0 else None
