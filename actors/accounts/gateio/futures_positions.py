"""Positions, leverage and funding of Gate.io futures: requests, the shapes of what is told, and what it says.

References are to headings of https://www.gate.com/docs/developers/apiv4/ (REST) and
https://www.gate.com/docs/developers/futures/ws/en/ (websocket). Only the single mode is traded: one position per contract.
"""

from __future__ import annotations

from decimal import Decimal
from urllib.parse import urlencode

import msgspec

from actors.accounts.codec import PositionMode, Positions, PreparedRequest
from actors.accounts.gateio.futures_catalogue import ACCOUNT_REQUEST, PATH, SIZE_HEADER, GateioFuturesCatalogue
from actors.accounts.gateio.futures_wire import from_seconds
from actors.accounts.gateio.wire import Number, milliseconds, reading
from actors.accounts.reading import finite
from exchanges.gateio_futures import GATEIO_FUTURES
from market.instrument import format_decimal
from market.symbol import Symbol
from orders.reports import FundingReport, MarginMode, PositionReport

PER_PAGE = 100  # "Query futures account change history"
FUNDING = "fund"  # "Query futures account change history", `type`
SINGLE = "single"  # "Position", `mode`; the others are dual_long and dual_short

_MODES = {  # "Get futures account", `position_mode`
    "single": PositionMode.ONE_WAY,
    "dual": PositionMode.HEDGE,
    "dual_plus": PositionMode.HEDGE,
    "split": PositionMode.HEDGE,
}


class _Mode(msgspec.Struct):
    """`in_dual_mode` is what older servers say instead."""

    position_mode: str = ""
    in_dual_mode: bool | None = None


class _Position(msgspec.Struct):
    """As REST and the stream describe it; only REST tells what depends on the market. `size` is in contracts.

    `leverage` is 0 where the margin is crossed, and `cross_leverage_limit` counts then; `lever` and `pos_margin_mode` say the
    same in newer words.
    """

    contract: str
    size: Decimal
    mode: str = SINGLE
    leverage: Decimal | None = None
    cross_leverage_limit: Decimal | None = None
    lever: Decimal | None = None
    pos_margin_mode: str = ""
    entry_price: Decimal | None = None
    mark_price: Decimal | None = None
    liq_price: Decimal | None = None
    unrealised_pnl: Decimal | None = None
    time_ms: Number | None = None  # of the stream


class _Change(msgspec.Struct):
    """A line of the account book; older ones name no contract."""

    time: Number
    change: Decimal
    type: str
    contract: str = ""
    id: str | int = ""


_MODE = msgspec.json.Decoder(_Mode)
_POSITIONS = msgspec.json.Decoder(list[_Position])
_CHANGES = msgspec.json.Decoder(list[_Change])


class GateioFuturesPositions(Positions):
    """Whatever the margin mode of a position is: a contract has one position, and setting the leverage changes its mode."""

    def __init__(self, contracts: GateioFuturesCatalogue) -> None:
        self.margin_mode = MarginMode.CROSS
        self._contracts = contracts

    def query_mode(self) -> PreparedRequest:
        return ACCOUNT_REQUEST

    def decode_mode(self, body: bytes) -> PositionMode:
        with reading("an account", body):
            told = _MODE.decode(body)
            if told.position_mode in _MODES:
                return _MODES[told.position_mode]
            if told.position_mode or told.in_dual_mode is None:
                raise ValueError(f"no position mode {told.position_mode!r} is known")
            return PositionMode.HEDGE if told.in_dual_mode else PositionMode.ONE_WAY

    def query_positions(self) -> PreparedRequest:
        """ "Get user position list"."""
        return _get("/positions", "holding=true")

    def decode_positions(self, body: bytes) -> list[PositionReport]:
        with reading("positions", body):
            return self._reports(_POSITIONS.decode(body))

    def pushed(self, result: msgspec.Raw) -> list[PositionReport]:
        """Websocket, "Positions API". Within `reading`: any of its errors."""
        return self._reports(_POSITIONS.decode(result))

    def leverage_max(self, symbol: Symbol) -> Decimal:
        return self._contracts.leverage_max(symbol)

    def set_leverage(self, symbol: Symbol, leverage: Decimal) -> PreparedRequest:
        """ "Update position leverage": the parameters are a query's, and there is no body."""
        wanted = format_decimal(leverage)
        is_cross = self.margin_mode is MarginMode.CROSS
        query = urlencode({"leverage": "0", "cross_leverage_limit": wanted} if is_cross else {"leverage": wanted})
        path = f"{PATH}/positions/{GATEIO_FUTURES.to_wire(symbol)}/leverage"
        return PreparedRequest(method="POST", path=path, query=query, headers=(SIZE_HEADER,), group="private")

    def query_funding(self, *, since_milliseconds: int, until_milliseconds: int) -> PreparedRequest:
        """The first page, newest first ("Query futures account change history")."""
        period = {"from": since_milliseconds // 1000, "to": until_milliseconds // 1000}
        return _get("/account_book", urlencode({"type": FUNDING} | period | {"limit": PER_PAGE, "offset": 0}))

    def decode_funding(self, body: bytes) -> list[FundingReport]:
        with reading("an account book", body):
            return [_funding(change) for change in _CHANGES.decode(body) if change.type == FUNDING and change.contract]

    def _reports(self, positions: list[_Position]) -> list[PositionReport]:
        return [self._report(position) for position in positions if position.mode == SINGLE or position.size]

    def _report(self, position: _Position) -> PositionReport:
        symbol = GATEIO_FUTURES.from_wire(position.contract)
        if position.mode != SINGLE:
            raise ValueError(f"a {position.mode} position of hedge mode in {symbol}")
        quantity = self._contracts.size(symbol).to_base_units(finite(position.size))
        return PositionReport(
            symbol=symbol,
            quantity=quantity,
            entry_price=_above_zero(position.entry_price) if quantity else None,
            mark_price=_above_zero(position.mark_price),
            liquidation_price=_above_zero(position.liq_price) if quantity else None,
            leverage=_above_zero(position.lever) or _above_zero(position.leverage) or _above_zero(position.cross_leverage_limit),
            margin_mode=_margin_mode(position),
            unrealised_pnl=None if position.unrealised_pnl is None else finite(position.unrealised_pnl),
            # What REST tells is of now, whenever it last changed; its time has no more than seconds.
            exchange_time_milliseconds=milliseconds(position.time_ms),
        )


def _margin_mode(position: _Position) -> MarginMode | None:
    if position.pos_margin_mode:
        return MarginMode(position.pos_margin_mode)
    if position.leverage is None:
        return None
    return MarginMode.ISOLATED if position.leverage else MarginMode.CROSS


def _funding(change: _Change) -> FundingReport:
    symbol = GATEIO_FUTURES.from_wire(change.contract)
    return FundingReport(
        payment_id=str(change.id or change.time),
        symbol=symbol,
        amount=finite(change.change),
        asset=symbol.quote,
        exchange_time_milliseconds=from_seconds(change.time),
    )


def _above_zero(value: Decimal | None) -> Decimal | None:
    """A price or a leverage; None where there is none: a liquidation price that no market can reach may be 0."""
    return None if value is None or finite(value) <= 0 else value


def _get(path: str, query: str) -> PreparedRequest:
    return PreparedRequest(method="GET", path=f"{PATH}{path}", query=query, headers=(SIZE_HEADER,), group="private")
