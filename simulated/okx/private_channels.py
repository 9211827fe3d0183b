"""Private websocket channels: orders with their fills, and balances, pushed the moment they change, with bad days on request."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import trio

from market.symbol import Symbol
from simulated.engine.events import BalanceChanged, BalanceReason, EngineEvent, OrderChange, OrderChanged, TradeMade
from simulated.engine.order import FinishReason
from simulated.faults import Faults
from simulated.okx import messages
from simulated.okx.encoding import Json
from simulated.okx.errors import OkxError
from simulated.okx.public_channels import no_such_channel
from simulated.okx.venue import OkxVenue
from simulated.private_delivery import Parcel, PrivateDelivery
from simulated.session import Session
from simulated.settings import AccountSettings

CHANNELS = ("orders", "account", "balance_and_position")
_ACCOUNT_PUSH_SECONDS = 5.0
_STREAM_ONLY: Json = {"amendResult": "", "amendSource": "", "reqId": "", "code": "0", "msg": ""}


class _Subscription(msgspec.Struct, frozen=True):
    """One argument of an account's subscription; `symbol` is None for all instruments."""

    account: AccountSettings
    arg: dict[str, Any]
    symbol: Symbol | None
    is_regular: bool


class PrivateChannels:
    """Encodes what happens to an account for each of its subscriptions."""

    def __init__(self, venue: OkxVenue, faults: Faults, rng: random.Random) -> None:
        self._venue = venue
        self._subscriptions: dict[Session, dict[str, _Subscription]] = {}
        self._delivery = PrivateDelivery(faults, rng)
        self._fills: dict[int, Json] = {}  # by order: the fill that its next change tells of
        venue.engine.subscribe(self._notice)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Be home to what is delayed, and push balances regularly to those who did not decline, until cancelled."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self._delivery.run)
            task_status.started()
            while True:
                await trio.sleep(_ACCOUNT_PUSH_SECONDS)
                for session, subscriptions in self._subscriptions.items():
                    for subscription in subscriptions.values():
                        if subscription.is_regular:
                            self._push_balances(session, subscription)

    def add(self, session: Session) -> None:
        self._subscriptions[session] = {}

    def discard(self, session: Session) -> None:
        self._subscriptions.pop(session, None)

    def announce_shutdown(self) -> None:
        """Every client, subscribed to anything or not, learns that its connection will soon be closed."""
        for session in self._subscriptions:
            text = "The connection will soon be closed for a service upgrade. Please reconnect."
            session.push(messages.notice("64008", text, session.client_id))

    def subscribe(self, session: Session, arg: dict[str, Any]) -> int:
        """Subscribe the account of `session`. How many connections of it have this channel now. Raises: OkxError."""
        account = session.account
        if account is None:
            raise OkxError("60011", "Please log in")
        channel = arg.get("channel")
        instrument = arg.get("instId")
        if instrument is not None and instrument not in self._venue.symbols:
            raise no_such_channel(arg)
        if channel == "orders" and arg.get("instType") not in ("SPOT", "ANY", "MARGIN", "SWAP", "FUTURES", "OPTION"):
            raise no_such_channel(arg)
        symbol = None if instrument is None else self._venue.symbols[str(instrument)]
        declined = '"updateInterval":"0"' in str(arg.get("extraParams", "")).replace(" ", "")
        subscription = _Subscription(account, arg, symbol, is_regular=channel == "account" and not declined)
        self._subscriptions[session][_key(arg)] = subscription
        return sum(
            any(one.arg["channel"] == channel and one.account is account for one in subscriptions.values())
            for subscriptions in self._subscriptions.values()
        )

    def joined(self, session: Session, arg: dict[str, Any]) -> None:
        """After the acknowledgement: balances begin with a snapshot, orders do not."""
        subscription = self._subscriptions[session][_key(arg)]
        if arg["channel"] == "account":
            self._push_balances(session, subscription)
        elif arg["channel"] == "balance_and_position":
            data = [self._balance_data(one) for one in self._venue.balances(subscription.account.name)]
            session.push(messages.push(self._arg(subscription), [self._balance_and_position("snapshot", data)]))

    def unsubscribe(self, session: Session, arg: dict[str, Any]) -> None:
        self._subscriptions[session].pop(_key(arg), None)

    def _push_balances(self, session: Session, subscription: _Subscription) -> None:
        account = subscription.account.name
        data = [self._venue.account(account, self._venue.balances(account), self._venue.now())]
        session.push(messages.push(self._arg(subscription), data, eventType="snapshot", curPage=1, lastPage=True))

    def _arg(self, subscription: _Subscription) -> dict[str, Any]:
        return {**subscription.arg, "uid": str(subscription.account.user_id)}

    # -- events -----------------------------------------------------------------------------------------------------

    def _notice(self, event: EngineEvent) -> None:
        if isinstance(event, TradeMade):
            for party in (event.trade.taker, event.trade.maker):
                if party.account in self._venue.account_settings:
                    self._fills[party.order_id] = self._venue.encode_fill(event.trade, party)
        elif isinstance(event, OrderChanged):
            self._tell_order(event)
        elif isinstance(event, BalanceChanged):
            self._tell_balance(event)

    def _tell_order(self, event: OrderChanged) -> None:
        order = event.order
        fill = self._fills.pop(order.id, None)
        no_fill = self._venue.encode_no_fill()
        full = {**self._venue.encode_order(order), **_STREAM_ONLY, **(fill or no_fill), "lastPx": "", "notionalUsd": ""}
        if event.change is OrderChange.FINISHED and order.finish is not FinishReason.FILLED and fill is not None:
            # The fill and the end are two messages.
            self._tell_orders(order.account, order.symbol, {**full, "state": "partially_filled", "cancelSource": ""})
            full |= no_fill
        elif event.change is OrderChange.UPDATED and fill is None:
            full |= {"amendResult": "0", "reqId": order.note}
        self._tell_orders(order.account, order.symbol, full)

    def _tell_orders(self, account: str, symbol: Symbol, data: Json) -> None:
        self._tell(account, "orders", symbol, [data])

    def _tell_balance(self, event: BalanceChanged) -> None:
        at = event.at_milliseconds
        detail = self._venue.balance(event.account, event.asset, available=event.available, locked=event.locked, at_milliseconds=at)
        more = {"eventType": "event_update", "curPage": 1, "lastPage": True}
        self._tell(event.account, "account", None, [self._venue.account(event.account, [detail], at)], **more)
        if event.reason is not BalanceReason.ORDER_PUT:
            reason = "filled" if event.reason is BalanceReason.ORDER_MATCHED else "transferred"
            self._tell(event.account, "balance_and_position", None, [self._balance_and_position(reason, [self._balance_data(detail)])])

    def _balance_data(self, detail: Json) -> Json:
        return {name: detail[name] for name in ("ccy", "cashBal", "uTime")}

    def _balance_and_position(self, reason: str, balances: list[Json]) -> Json:
        return {"pTime": str(self._venue.now()), "eventType": reason, "balData": balances, "posData": [], "trades": []}

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


def _key(arg: dict[str, Any]) -> str:
    return msgspec.json.encode({name: arg[name] for name in sorted(arg)}).decode()
