"""Private websocket channels: orders with their fills, balances and positions, pushed when they change, with bad days on request."""

from __future__ import annotations

import random
from decimal import Decimal
from itertools import pairwise
from typing import Any

import msgspec
import trio

from market.symbol import Symbol
from network.causes import current_cause
from simulated.engine.events import (
    OF_ACCOUNTS,
    BalanceChanged,
    EngineEvent,
    OrderChange,
    OrderChanged,
    PositionChanged,
    PositionReason,
    TradeMade,
)
from simulated.engine.order import FinishReason
from simulated.faults import Faults
from simulated.numbers import plain
from simulated.okx import messages
from simulated.okx.encoding import Json
from simulated.okx.errors import OkxError
from simulated.okx.public_channels import no_such_channel
from simulated.okx.venue import OkxVenue
from simulated.private_delivery import Parcel, PrivateDelivery
from simulated.session import Session
from simulated.settings import AccountSettings

CHANNELS = ("orders", "account", "balance_and_position", "positions")
_TYPED_CHANNELS = ("orders", "positions")
_INSTRUMENT_TYPES = ("SPOT", "ANY", "MARGIN", "SWAP", "FUTURES", "OPTION")
# "Positions channel": a client chooses one of the first three, or declines; the last is for those who say nothing.
_REGULAR_SECONDS = (2.0, 3.0, 4.0, 5.0)
_REGULAR_CHANNELS = ("account", "positions")
_POSITIONS_SECONDS = 0.05  # "Positions channel": events within about 50 ms are told together
_STREAM_ONLY: Json = {"amendResult": "", "amendSource": "", "reqId": "", "code": "0", "msg": ""}
_POSITION_EVENTS = {
    PositionReason.TRADED: "filled",
    PositionReason.LIQUIDATED: "liquidation",
    PositionReason.FUNDING: "funding_fee",
    PositionReason.LEVERAGE_CHANGED: "set_leverage",
}


class _Subscription(msgspec.Struct, frozen=True):
    """One argument of an account's subscription; `symbol` is None for all instruments, `regular_seconds` for events alone."""

    account: AccountSettings
    arg: dict[str, Any]
    symbol: Symbol | None
    regular_seconds: float | None


class PrivateChannels:
    """Encodes what happens to an account for each of its subscriptions."""

    def __init__(self, venue: OkxVenue, faults: Faults, rng: random.Random) -> None:
        self._venue = venue
        self._subscriptions: dict[Session, dict[str, _Subscription]] = {}
        self._delivery = PrivateDelivery(faults, rng)
        self._fills: dict[int, list[Json]] = {}  # by order: the fills that its next change tells of
        self._changed_positions: dict[str, dict[Symbol, None]] = {}
        self._position_changed = trio.Event()
        venue.engine.subscribe(self._notice, OF_ACCOUNTS)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Be home to what is delayed or gathered, and push regularly to those who did not decline, until cancelled."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self._delivery.run)
            nursery.start_soon(self._tell_positions)
            for seconds in _REGULAR_SECONDS:
                nursery.start_soon(self._push_regularly, seconds)
            task_status.started()

    async def _push_regularly(self, seconds: float) -> None:
        while True:
            await trio.sleep(seconds)
            for session, subscriptions in self._subscriptions.items():
                for subscription in subscriptions.values():
                    if subscription.regular_seconds == seconds:
                        self._push_snapshot(session, subscription)

    def add(self, session: Session) -> None:
        self._subscriptions[session] = {}

    def discard(self, session: Session) -> None:
        self._subscriptions.pop(session, None)

    def announce_shutdown(self) -> None:
        """Every client, subscribed to anything or not, learns that its connection will soon be closed."""
        for session in self._subscriptions:
            text = "The connection will soon be closed for a service upgrade. Please reconnect."
            session.push(messages.notice("64008", text, session.client_id))
            current_cause().had_effect()

    def subscribe(self, session: Session, arg: dict[str, Any]) -> int:
        """Subscribe the account of `session`. How many connections of it have this channel now. Raises: OkxError."""
        account = session.account
        if account is None:
            raise OkxError("60011", "Please log in")
        channel = arg.get("channel")
        if channel in _TYPED_CHANNELS and arg.get("instType") not in _INSTRUMENT_TYPES:
            raise no_such_channel(arg)
        symbol = self._subject(arg)
        seconds = _regular_seconds(arg) if channel in _REGULAR_CHANNELS else None
        self._subscriptions[session][_key(arg)] = _Subscription(account, arg, symbol, seconds)
        return sum(
            any(one.arg["channel"] == channel and one.account is account for one in subscriptions.values())
            for subscriptions in self._subscriptions.values()
        )

    def _subject(self, arg: dict[str, Any]) -> Symbol | None:
        """The instrument that a subscription is about; None for all. Raises: OkxError: there is no such one."""
        instrument, family = arg.get("instId"), arg.get("instFamily")
        if not instrument and not family:
            return None
        for name, symbol in self._venue.symbols.items():
            if name == instrument or (not instrument and f"{symbol.base}-{symbol.quote}" == family):
                return symbol
        raise no_such_channel(arg)

    def joined(self, session: Session, arg: dict[str, Any]) -> None:
        """After the acknowledgement: balances and positions begin with a snapshot, orders do not."""
        subscription = self._subscriptions[session][_key(arg)]
        if arg["channel"] in _REGULAR_CHANNELS:
            self._push_snapshot(session, subscription)
        elif arg["channel"] == "balance_and_position":
            account = subscription.account.name
            balances = [_balance_data(one) for one in self._venue.balances(account)]
            snapshot = self._balance_and_position("snapshot", balances, self._venue.encode_position_changes(account))
            session.push(messages.push(self._arg(subscription), [snapshot]))

    def unsubscribe(self, session: Session, arg: dict[str, Any]) -> None:
        self._subscriptions[session].pop(_key(arg), None)

    def _push_snapshot(self, session: Session, subscription: _Subscription) -> None:
        account, now = subscription.account.name, self._venue.now()
        if subscription.arg["channel"] == "account":
            data = [self._venue.account(account, self._venue.balances(account), now)]
        else:
            names = {self._venue.wire(symbol) for symbol in self._venue.listings if self._is_about(subscription, symbol)}
            data = [one for one in self._positions(account, None, now) if one["instId"] in names]
        session.push(messages.push(self._arg(subscription), data, eventType="snapshot", curPage=1, lastPage=True))

    def _arg(self, subscription: _Subscription) -> dict[str, Any]:
        return {**subscription.arg, "uid": str(subscription.account.user_id)}

    # -- events -----------------------------------------------------------------------------------------------------

    def _notice(self, event: EngineEvent) -> None:
        if isinstance(event, TradeMade):
            for party in (event.trade.taker, event.trade.maker):
                if party.account in self._venue.account_settings:
                    self._fills.setdefault(party.order_id, []).append(self._venue.encode_fill(event.trade, party))
        elif isinstance(event, OrderChanged):
            self._tell_order(event)
        elif isinstance(event, BalanceChanged):
            self._tell_balance(event)
        elif isinstance(event, PositionChanged):
            self._tell_position(event)

    def _tell_order(self, event: OrderChanged) -> None:
        order, no_fill = event.order, self._venue.encode_no_fill()
        fills = self._fills.pop(order.id, [])
        fill = fills[-1] if fills else None
        full = {**self._venue.encode_order(order), **_STREAM_ONLY, **(fill or no_fill), "lastPx": "", "notionalUsd": ""}
        for earlier in _earlier(full, fills):
            self._tell_orders(order.account, order.symbol, earlier)
        if event.change is OrderChange.FINISHED and order.finish is not FinishReason.FILLED and fill is not None:
            # The fill and the end are two messages.
            self._tell_orders(order.account, order.symbol, {**full, "state": "partially_filled", "cancelSource": ""})
            full |= no_fill
        elif event.change is not OrderChange.PUT and fill is None:
            full |= self._amendment(order.id)
        self._tell_orders(order.account, order.symbol, full)

    def _amendment(self, order_id: int) -> Json:
        """What the first push after an amendment says of it."""
        request_id = self._venue.amendments.pop(order_id, None)
        return {} if request_id is None else {"amendResult": "0", "reqId": request_id}

    def _tell_orders(self, account: str, symbol: Symbol, data: Json) -> None:
        self._tell(account, "orders", symbol, [data])

    def _tell_balance(self, event: BalanceChanged) -> None:
        if event.reason in self._venue.balance_reasons_of_positions:
            return  # what has happened is not yet all told: the change of the position, which follows, tells of the balance, too
        at = event.at_milliseconds
        detail = self._venue.balance(event.account, event.asset, available=event.available, locked=event.locked, at_milliseconds=at)
        self._tell_account(event.account, detail, at)
        reason = self._venue.balance_events.get(event.reason)
        if reason is not None:
            self._tell(event.account, "balance_and_position", None, [self._balance_and_position(reason, [_balance_data(detail)], [])])

    def _tell_account(self, account: str, detail: Json, at_milliseconds: int) -> None:
        more = {"eventType": "event_update", "curPage": 1, "lastPage": True}
        self._tell(account, "account", None, [self._venue.account(account, [detail], at_milliseconds)], **more)

    def _tell_position(self, event: PositionChanged) -> None:
        account, symbol, at = event.account, event.position.symbol, event.at_milliseconds
        wallet = self._venue.engine.accounts[account].balance(symbol.quote)
        detail = self._venue.balance(account, symbol.quote, available=wallet.available, locked=wallet.locked, at_milliseconds=at)
        self._tell_account(account, detail, at)
        changes = self._venue.encode_position_changes(account, [symbol])
        push = self._balance_and_position(_POSITION_EVENTS[event.reason], [_balance_data(detail)], changes)
        if event.reason in (PositionReason.TRADED, PositionReason.LIQUIDATED):
            push["trades"] = [{"instId": one["instId"], "tradeId": one["tradeId"]} for one in changes]
        self._tell(account, "balance_and_position", None, [push])
        self._changed_positions.setdefault(account, {})[symbol] = None
        self._position_changed.set()

    async def _tell_positions(self) -> None:
        """Tell of positions that have changed, each once however often it has."""
        while True:
            await self._position_changed.wait()
            await trio.sleep(_POSITIONS_SECONDS)
            self._position_changed = trio.Event()
            changed, self._changed_positions = self._changed_positions, {}
            for account, symbols in changed.items():
                now = self._venue.now()
                for symbol in symbols:
                    data = self._positions(account, [symbol], now)
                    self._tell(account, "positions", symbol, data, eventType="event_update")

    def _positions(self, account: str, symbols: list[Symbol] | None, now: int) -> list[Json]:
        return [{**one, "pTime": str(now)} for one in self._venue.encode_positions(account, symbols)]

    def _balance_and_position(self, reason: str, balances: list[Json], positions: list[Json]) -> Json:
        return {"pTime": str(self._venue.now()), "eventType": reason, "balData": balances, "posData": positions, "trades": []}

    def _tell(self, account: str, channel: str, symbol: Symbol | None, data: list[Json], **more: Any) -> None:
        parcels: list[Parcel] = [
            (session, messages.push(self._arg(one), data, **more))
            for session, subscriptions in self._subscriptions.items()
            for one in subscriptions.values()
            if one.arg["channel"] == channel and one.account.name == account and self._is_about(one, symbol)
        ]
        if parcels:
            self._delivery.deliver(parcels)

    def _is_about(self, subscription: _Subscription, symbol: Symbol | None) -> bool:
        return subscription.symbol in (None, symbol) and subscription.arg.get("instType", "ANY") in (self._venue.instrument_type, "ANY")


def _earlier(full: Json, fills: list[Json]) -> list[Json]:
    """A message tells of one fill. Where a change comes after several, those before the last get messages of their own."""
    filled, told = Decimal(full["accFillSz"]), list[Json]()
    for fill, next_fill in reversed([*pairwise(fills)]):
        filled -= Decimal(next_fill["fillSz"])
        told.append({**full, **fill, "accFillSz": plain(filled), "state": "partially_filled", "cancelSource": ""})
    return told[::-1]


def _balance_data(detail: Json) -> Json:
    return {name: detail[name] for name in ("ccy", "cashBal", "uTime")}


def _regular_seconds(arg: dict[str, Any]) -> float | None:
    """How often a client wants to be told though nothing happens: of `updateInterval`, 0 declines and the unknown means 5 s."""
    text = str(arg.get("extraParams", "")).replace(" ", "").replace("\n", "")
    if '"updateInterval":"0"' in text:
        return None
    chosen = [seconds for seconds in _REGULAR_SECONDS if f'"updateInterval":"{int(seconds * 1000)}"' in text]
    return chosen[0] if chosen and arg["channel"] == "positions" else _REGULAR_SECONDS[-1]


def _key(arg: dict[str, Any]) -> str:
    return msgspec.json.encode({name: arg[name] for name in sorted(arg)}).decode()
