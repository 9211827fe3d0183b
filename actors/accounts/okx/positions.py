"""Positions, leverage and funding of OKX's contracts: requests, the shapes of what is told, and what it says.

References are to headings of https://www.okx.com/docs-v5/en/. Only net mode is traded: a position is one signed number.
"""

from __future__ import annotations

from decimal import Decimal
from urllib.parse import urlencode

import msgspec

from actors.accounts.codec import PositionMode, Positions, PreparedRequest
from actors.accounts.okx import wire
from actors.accounts.okx.catalogue import OkxSwapCatalogue
from actors.accounts.okx.codec import PER_PAGE, configuration_request
from exchanges.identity import ExchangeIdentity
from market.instrument import format_decimal
from market.symbol import Symbol
from network.rate_limit import RateLimit
from orders.reports import FundingReport, MarginMode, PositionReport

# "Get positions" 10 in 2 s, "Set leverage" 20 in 2 s, "Get bills details (last 7 days)" 5 in 1 s, each per user; a tenth is left.
POSITIONS_GROUP = "positions"
LEVERAGE_GROUP = "leverage"
BILLS_GROUP = "bills"
POSITION_LIMITS = {
    POSITIONS_GROUP: RateLimit(capacity=9, period_seconds=2.0),
    LEVERAGE_GROUP: RateLimit(capacity=18, period_seconds=2.0),
    BILLS_GROUP: RateLimit(capacity=4, period_seconds=1.0),
}
FUNDING_BILL = "8"  # "Get bills details", `type`
FUNDING_SUBTYPES = ("173", "174")  # "Get bills details", `subType`: expense and income; the sign stands with the amount

_MODES = {"net_mode": PositionMode.ONE_WAY, "long_short_mode": PositionMode.HEDGE}  # "Get account configuration", `posMode`


class _Mode(msgspec.Struct, rename="camel"):
    pos_mode: str


class _Position(msgspec.Struct, rename="camel"):
    """As REST and two channels describe it, of which balance_and_position says less. `pos` is in contracts."""

    inst_id: str
    pos: str
    mgn_mode: MarginMode
    inst_type: str = ""
    pos_side: str = "net"
    avg_px: str = ""
    mark_px: str = ""
    liq_px: str = ""
    lever: str = ""
    upl: str = ""
    u_time: str = ""


class _BalanceAndPosition(msgspec.Struct, rename="camel"):
    pos_data: list[_Position] = []


class _Bill(msgspec.Struct, rename="camel"):
    bill_id: str
    inst_id: str
    sub_type: str
    ccy: str
    pnl: str = ""
    bal_chg: str = ""
    ts: str = ""


_MODE_ANSWERS = msgspec.json.Decoder(list[_Mode])
_POSITIONS = msgspec.json.Decoder(list[_Position])
_BALANCES_AND_POSITIONS = msgspec.json.Decoder(list[_BalanceAndPosition])
_BILLS = msgspec.json.Decoder(list[_Bill])


class OkxPositions(Positions):
    """A position in the other margin mode is another position, which no order of ours can change: it is left out."""

    def __init__(self, identity: ExchangeIdentity, instrument_type: str, instruments: OkxSwapCatalogue) -> None:
        self.margin_mode = MarginMode.CROSS
        self._identity = identity
        self._instrument_type = instrument_type
        self._instruments = instruments

    def query_mode(self) -> PreparedRequest:
        return configuration_request()

    def decode_mode(self, body: bytes) -> PositionMode:
        with wire.reading("an account's configuration", body):
            mode = wire.only(wire.data_of(_MODE_ANSWERS, body)).pos_mode
            if mode not in _MODES:
                raise ValueError(f"no position mode {mode!r} is known")
            return _MODES[mode]

    def query_positions(self) -> PreparedRequest:
        query = f"instType={self._instrument_type}"
        return PreparedRequest(method="GET", path="/api/v5/account/positions", query=query, group=POSITIONS_GROUP)

    def decode_positions(self, body: bytes) -> list[PositionReport]:
        with wire.reading("positions", body):
            return self._reports(wire.data_of(_POSITIONS, body))

    def pushed_positions(self, data: msgspec.Raw) -> list[PositionReport]:
        """Of the positions channel. Within `wire.reading`: any of its errors."""
        return self._reports(_POSITIONS.decode(data))

    def pushed_balances_and_positions(self, data: msgspec.Raw) -> list[PositionReport]:
        """Of the balance_and_position channel, as `pushed_positions`."""
        return [report for one in _BALANCES_AND_POSITIONS.decode(data) for report in self._reports(one.pos_data)]

    def leverage_max(self, symbol: Symbol) -> Decimal:
        return self._instruments.leverage_max(symbol)

    def set_leverage(self, symbol: Symbol, leverage: Decimal) -> PreparedRequest:
        """ "Set leverage": in net mode one for both sides, also of isolated positions."""
        fields = {"instId": self._identity.to_wire(symbol), "lever": format_decimal(leverage), "mgnMode": self.margin_mode.value}
        return PreparedRequest(method="POST", path="/api/v5/account/set-leverage", body=msgspec.json.encode(fields), group=LEVERAGE_GROUP)

    def query_funding(self, *, since_milliseconds: int, until_milliseconds: int) -> PreparedRequest:
        """The first page, newest first. OKX looks back seven days."""
        asked: dict[str, str | int] = {"instType": self._instrument_type, "type": FUNDING_BILL}
        period = {"begin": since_milliseconds, "end": until_milliseconds}
        query = urlencode(asked | period | {"limit": PER_PAGE})
        return PreparedRequest(method="GET", path="/api/v5/account/bills", query=query, group=BILLS_GROUP)

    def decode_funding(self, body: bytes) -> list[FundingReport]:
        with wire.reading("bills", body):
            reports: list[FundingReport] = []
            for bill in wire.data_of(_BILLS, body):
                symbol = self._instruments.symbol(bill.inst_id) if bill.sub_type in FUNDING_SUBTYPES else None
                if symbol is not None:
                    reports.append(
                        FundingReport(
                            payment_id=bill.bill_id,
                            symbol=symbol,
                            # "Funding Fee expense": the payment is `pnl`; `balChg` is 0 where an isolated margin bore it
                            amount=wire.signed(bill.pnl or bill.bal_chg),
                            asset=bill.ccy,
                            exchange_time_milliseconds=wire.milliseconds(bill.ts),
                        )
                    )
            return reports

    def _reports(self, positions: list[_Position]) -> list[PositionReport]:
        reports: list[PositionReport] = []
        for position in positions:
            if position.inst_type not in ("", self._instrument_type) or position.mgn_mode is not self.margin_mode:
                continue
            symbol = self._instruments.symbol(position.inst_id)
            if symbol is not None:
                reports.append(self._report(position, symbol))
        return reports

    def _report(self, position: _Position, symbol: Symbol) -> PositionReport:
        if position.pos_side != "net":
            raise ValueError(f"a {position.pos_side} position of hedge mode in {symbol}")
        quantity = self._instruments.quantity(symbol, wire.signed(position.pos))
        return PositionReport(
            symbol=symbol,
            quantity=quantity,
            entry_price=_above_zero(position.avg_px) if quantity else None,
            mark_price=_above_zero(position.mark_px),
            liquidation_price=_above_zero(position.liq_px) if quantity else None,
            leverage=_above_zero(position.lever),
            margin_mode=position.mgn_mode,
            unrealised_pnl=wire.signed(position.upl) if position.upl else None,
            exchange_time_milliseconds=wire.milliseconds(position.u_time),
        )


def _above_zero(text: str) -> Decimal | None:
    """A price or a leverage; None where there is none: a liquidation price that no market can reach may be 0 or less."""
    number = wire.signed(text)
    return number if number > 0 else None
