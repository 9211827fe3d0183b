"""The bills of accounts: every change of a balance with what it was for."""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from market.events import Side
from market.symbol import Symbol
from simulated.engine.events import OF_ACCOUNTS, BalanceChanged, BalanceReason, EngineEvent, FundingPaid, TradeMade
from simulated.engine.order import ZERO, Trade, TradeParty
from simulated.numbers import plain
from simulated.okx.encoding import Json
from simulated.okx.fields import Fields, limit_of, whole_number
from simulated.okx.swap_encoding import margin_mode
from simulated.venue import text_of

if TYPE_CHECKING:
    from simulated.okx.swap import OkxSwapVenue

_BILLS_MAX = 20_000
_FIRST_ID = 623_950_854_533_513_219
_IDS_PER_TRADE = 1_000_000  # so many other bills may come between one trade and the next
# Types and subtypes as "Get bill types" lists them.
_TRADE, _LIQUIDATION, _FUNDING = "2", "5", "8"
_TRADED = {(_TRADE, Side.BUY): "1", (_TRADE, Side.SELL): "2", (_LIQUIDATION, Side.BUY): "106", (_LIQUIDATION, Side.SELL): "107"}
_PAID, _RECEIVED = "173", "174"
_OTHERS = {
    BalanceReason.DEPOSITED: ("1", "11"),
    BalanceReason.WITHDRAWN: ("1", "12"),
    BalanceReason.INSURANCE: ("10", "108"),
}


class _Bill(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    type: str
    subtype: str
    asset: str
    balance: Decimal
    change: Decimal
    at_milliseconds: int
    symbol: Symbol | None = None
    mode: str = ""
    size: str = ""
    price: str = ""
    pnl: Decimal = ZERO
    fee: Decimal = ZERO
    trade: Json = {}


class Bills:
    """Keeps the latest bills of every account."""

    def __init__(self, venue: OkxSwapVenue) -> None:
        self._venue = venue
        self._bills: dict[str, deque[_Bill]] = {name: deque(maxlen=_BILLS_MAX) for name in venue.account_settings}
        self._last_id = _FIRST_ID
        venue.engine.subscribe(self._notice, OF_ACCOUNTS)

    def id_of(self, trade: Trade, party: TradeParty) -> int:
        """The bill of one party's side of a trade. Ids grow from trade to trade, and so does what lies between."""
        return _FIRST_ID + trade.id * _IDS_PER_TRADE + (party is trade.maker)

    def listed(self, account: str, fields: Fields) -> list[Json]:
        """Newest first, filtered and paged as asked. Raises: OkxError: a parameter is wrong."""
        kind, subtype, asset, mode = (text_of(fields, name) for name in ("type", "subType", "ccy", "mgnMode"))
        instrument = text_of(fields, "instId")
        symbol = None if instrument is None else self._venue.symbol(instrument)
        begin, end = whole_number(fields, "begin", 0), whole_number(fields, "end", 1 << 60)
        after, before = whole_number(fields, "after", 1 << 63), whole_number(fields, "before", 0)
        if text_of(fields, "instType") not in (None, self._venue.instrument_type):
            return []
        found = [
            self._encode(bill)
            for bill in reversed(self._bills[account])
            if kind in (None, bill.type)
            and subtype in (None, bill.subtype)
            and asset in (None, bill.asset)
            and mode in (None, bill.mode)
            and symbol in (None, bill.symbol)
            and before < bill.id < after
            and begin <= bill.at_milliseconds <= end
        ]
        return found[: limit_of(fields)]

    def _notice(self, event: EngineEvent) -> None:
        if isinstance(event, TradeMade):
            for party in (event.trade.taker, event.trade.maker):
                if party.account in self._bills:
                    self._add_trade(event.trade, party)
        elif isinstance(event, FundingPaid) and event.account in self._bills:
            self._add_funding(event)
        elif isinstance(event, BalanceChanged) and event.reason in _OTHERS and event.account in self._bills:
            kind, subtype = _OTHERS[event.reason]
            change = event.available_change + event.locked_change
            self._add(
                event.account,
                _Bill(
                    id=self._next_id(),
                    type=kind,
                    subtype=subtype,
                    asset=event.asset,
                    balance=self._cash(event.account, event.asset),
                    change=change,
                    at_milliseconds=event.at_milliseconds,
                    symbol=event.symbol,
                ),
            )

    def _add_trade(self, trade: Trade, party: TradeParty) -> None:
        venue, listing = self._venue, self._venue.listings[trade.symbol]
        order = venue.engine.orders.get(party.order_id)
        kind = _LIQUIDATION if order is not None and order.is_liquidation else _TRADE
        self._last_id = self.id_of(trade, party)
        self._add(
            party.account,
            _Bill(
                id=self._last_id,
                type=kind,
                subtype=_TRADED[(kind, Side(venue.side_of(trade, party)))],
                asset=party.fee_asset,
                balance=self._cash(party.account, party.fee_asset),
                change=party.realised_pnl - party.fee,
                at_milliseconds=trade.at_milliseconds,
                symbol=trade.symbol,
                mode=self._mode(party.account, trade.symbol),
                size=listing.size(trade.quantity),
                price=plain(trade.price),
                pnl=party.realised_pnl,
                fee=-party.fee,
                trade={
                    "ordId": str(party.order_id),
                    "clOrdId": party.client_id,
                    "tag": "" if order is None or order.is_liquidation else order.tag,
                    "tradeId": venue.trade_id(trade, party),
                    "execType": "T" if party is trade.taker else "M",
                    "fillTime": str(trade.at_milliseconds),
                },
            ),
        )

    def _add_funding(self, event: FundingPaid) -> None:
        """From the balance. The real exchange takes that of an isolated position from its margin, and `balChg` is 0."""
        venue = self._venue
        position = venue.engine.position(event.account, event.symbol)
        self._add(
            event.account,
            _Bill(
                id=self._next_id(),
                type=_FUNDING,
                subtype=_PAID if event.amount < 0 else _RECEIVED,
                asset=event.asset,
                balance=self._cash(event.account, event.asset),
                change=event.amount,
                at_milliseconds=event.at_milliseconds,
                symbol=event.symbol,
                mode=margin_mode(position.is_cross),
                size=venue.listings[event.symbol].size(abs(position.quantity)),
                price=plain(venue.engine.mark_price(event.symbol)),
                pnl=event.amount,
            ),
        )

    def _add(self, account: str, bill: _Bill) -> None:
        self._bills[account].append(bill)

    def _next_id(self) -> int:
        self._last_id += 2  # the next to it may be the maker's of the same trade
        return self._last_id

    def _cash(self, account: str, asset: str) -> Decimal:
        wallet = self._venue.engine.accounts[account].balance(asset).total
        return self._venue.sums(account, asset, wallet=wallet).cash

    def _mode(self, account: str, symbol: Symbol) -> str:
        return margin_mode(self._venue.engine.position(account, symbol).is_cross)

    def _encode(self, bill: _Bill) -> Json:
        return {
            "billId": str(bill.id),
            "type": bill.type,
            "subType": bill.subtype,
            "ccy": bill.asset,
            "bal": plain(bill.balance),
            "balChg": plain(bill.change),
            "posBal": "0",
            "posBalChg": "0",
            "instType": "" if bill.symbol is None else self._venue.instrument_type,
            "instId": "" if bill.symbol is None else self._venue.wire(bill.symbol),
            "mgnMode": bill.mode,
            "sz": bill.size,
            "px": bill.price,
            "pnl": plain(bill.pnl),
            "fee": plain(bill.fee),
            "interest": "0",
            "ordId": "",
            "clOrdId": "",
            "tag": "",
            "tradeId": "",
            "execType": "",
            "fillTime": "",
            "from": "",
            "to": "",
            "notes": "",
            **bill.trade,
            "ts": str(bill.at_milliseconds),
        }
