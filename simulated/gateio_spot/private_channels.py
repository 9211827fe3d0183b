"""Private websocket channels: orders, fills and balances, pushed the moment they change, with bad days on request."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from market.symbol import Symbol
from simulated.engine.events import BalanceChanged, EngineEvent, OrderChanged, TradeMade
from simulated.faults import Faults
from simulated.gateio_spot import encoding, messages
from simulated.gateio_spot.venue import GateVenue
from simulated.private_delivery import Parcel, PrivateDelivery
from simulated.session import Session

CHANNELS = ("spot.orders", "spot.orders_v2", "spot.usertrades", "spot.usertrades_v2", "spot.balances")
_Encode = Callable[[bool], Any]


class PrivateChannels:
    """Encodes what happens to an account for each of its subscribers."""

    def __init__(self, venue: GateVenue, faults: Faults, rng: random.Random) -> None:
        self._venue = venue
        self._sessions: dict[Session, None] = {}
        self._delivery = PrivateDelivery(faults, rng)
        self.run = self._delivery.run
        venue.engine.subscribe(self._notice)

    def add(self, session: Session) -> None:
        self._sessions[session] = None

    def discard(self, session: Session) -> None:
        self._sessions.pop(session, None)

    def announce_shutdown(self) -> None:
        """Every client, subscribed to anything or not, learns that its connection will soon be closed."""
        notice = {"type": "upgrade", "msg": "The connection will soon be closed for a service upgrade. Please reconnect."}
        for session in self._sessions:
            session.push(messages.update("spot.system", notice, self._venue.now()))

    def _notice(self, event: EngineEvent) -> None:
        if not self._sessions:
            return
        now = self._venue.now()
        if isinstance(event, OrderChanged):
            settings = self._venue.account_settings[event.order.account]

            def encode_order(with_fees: bool) -> Any:
                return encoding.order_push(event.order, event.change, settings, with_fees=with_fees)

            self._tell(settings.name, event.order.symbol, "spot.orders", encode_order, now)
        elif isinstance(event, TradeMade):
            trade = event.trade
            for party in (trade.taker, trade.maker):
                settings = self._venue.account_settings.get(party.account)
                if settings is not None:

                    def encode_trade(with_fees: bool, party: Any = party, settings: Any = settings) -> Any:
                        return encoding.my_trade_push(trade, party, settings, with_fees=with_fees)

                    self._tell(settings.name, trade.symbol, "spot.usertrades", encode_trade, now)
        elif isinstance(event, BalanceChanged):
            settings = self._venue.account_settings[event.account]
            self._tell(settings.name, None, "spot.balances", lambda _: encoding.balance_push(event, settings), now)

    def _tell(self, account: str, symbol: Symbol | None, channel: str, encode: _Encode, now: int) -> None:
        recipients: list[Parcel] = []
        for name, with_fees in ((channel, True), (f"{channel}_v2", False)):
            sessions = [session for session in self._sessions if _wants(session, name, account, symbol)]
            if sessions:
                text = messages.update(name, [encode(with_fees)], now)
                recipients += [(session, text) for session in sessions]
        if recipients:
            self._delivery.deliver(recipients)


def _wants(session: Session, channel: str, account: str, symbol: Symbol | None) -> bool:
    subscription = session.private.get(channel)
    if subscription is None or subscription.account.name != account:
        return False
    return symbol is None or subscription.symbols is None or symbol in subscription.symbols
