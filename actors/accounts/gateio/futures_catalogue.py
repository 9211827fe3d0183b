"""What must be known to write and read orders of Gate.io futures: what contracts are worth, and the account's user id.

References are to headings of https://www.gate.com/docs/developers/apiv4/ .
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from actors.accounts.codec import Catalogue, PreparedRequest, ProtocolError
from actors.accounts.gateio.wire import reading
from actors.accounts.reading import amount
from exchanges.gateio_futures import GATEIO_FUTURES
from market.contract_size import ContractSize
from market.symbol import Symbol, SymbolError

PATH = "/api/v4/futures/usdt"
# "Announcement on the USDT perpetual contract order quantity field type changes", 2025-12: sizes are decimal strings then,
# and without it they are cut to whole contracts.
SIZE_HEADER = ("X-Gate-Size-Decimal", "1")
LINEAR = "direct"  # "Contract", `type`: the other kind is "inverse"


class _Contract(msgspec.Struct):
    """Sizes are numbers of contracts."""

    name: str
    type: str
    quanto_multiplier: Decimal
    order_size_min: Decimal
    leverage_max: Decimal | None = None


class _User(msgspec.Struct):
    user: int | str


class _Known(msgspec.Struct, frozen=True):
    size: ContractSize
    leverage_max: Decimal | None


_CONTRACTS = msgspec.json.Decoder(list[_Contract])
_USER = msgspec.json.Decoder(_User)

_CONTRACTS_REQUEST = PreparedRequest(method="GET", path=f"{PATH}/contracts", headers=(SIZE_HEADER,), group="public", is_public=True)
# "Get futures account". Private subscriptions name the user (websocket, "Orders subscription", `user id`, required).
ACCOUNT_REQUEST = PreparedRequest(method="GET", path=f"{PATH}/accounts", headers=(SIZE_HEADER,), group="private")


class GateioFuturesCatalogue(Catalogue):
    """Contracts settled in USDT, whether they may be traded now or not, and one account's user id, which never changes."""

    def __init__(self) -> None:
        self._contracts: dict[Symbol, _Known] = {}
        self._is_listed = False
        self._user_id = ""

    @property
    def is_complete(self) -> bool:
        return self._is_listed and bool(self._user_id)

    def request(self) -> PreparedRequest:
        return ACCOUNT_REQUEST if self._is_listed and not self._user_id else _CONTRACTS_REQUEST

    def learn(self, request: PreparedRequest, body: bytes) -> None:
        if request.path == ACCOUNT_REQUEST.path:
            with reading("an account", body):
                user_id = str(_USER.decode(body).user)
                if not user_id.isalnum():
                    raise ValueError(f"{user_id!r} is no user id")
                self._user_id = user_id
            return
        with reading("a list of contracts", body):
            self._contracts = dict(known for contract in _CONTRACTS.decode(body) if (known := _known(contract)) is not None)
            self._is_listed = True

    @property
    def user_id(self) -> str:
        """
        Raises:
            ProtocolError: it has not been told yet.
        """
        if not self._user_id:
            raise ProtocolError("Gate.io has not told the account's user id yet")
        return self._user_id

    def size(self, symbol: Symbol) -> ContractSize:
        """
        Raises:
            ProtocolError: it is none of the contracts that were listed; they are to be learned anew then.
        """
        known = self._contracts.get(symbol)
        if known is None:
            self._is_listed = False
            raise ProtocolError(f"{symbol} is not among the contracts that Gate.io has listed")
        return known.size

    def leverage_max(self, symbol: Symbol) -> Decimal:
        """
        Raises:
            KeyError: no such contract, or it does not say.
        """
        leverage_max = self._contracts[symbol].leverage_max
        if not leverage_max:
            raise KeyError(symbol)
        return leverage_max


def _known(contract: _Contract) -> tuple[Symbol, _Known] | None:
    """None for what can have no orders: another kind of contract, a placeholder of one that is not open yet."""
    if contract.type != LINEAR:
        return None
    try:
        # As the public side reads it: where parts of a contract may be ordered, only a smallest order below one tells how small.
        step = min(amount(contract.order_size_min), Decimal(1)) or Decimal(1)
        size = ContractSize(amount(contract.quanto_multiplier), step)
        leverage_max = None if contract.leverage_max is None else amount(contract.leverage_max)
        return GATEIO_FUTURES.from_wire(contract.name), _Known(size, leverage_max)
    except (ValueError, ArithmeticError, SymbolError):
        return None
