"""Private websocket channels: orders, fills and balances, pushed the moment they change, with bad days on request."""

from __future__ import annotations

import random
from decimal import Decimal

from simulated.engine.events import OF_ACCOUNTS, BalanceChanged, EngineEvent, OrderChange, OrderChanged, TradeMade
from simulated.faults import Faults
from simulated.mexc_spot import pushes
from simulated.mexc_spot.venue import MexcVenue
from simulated.private_delivery import PrivateDelivery
from simulated.session import Session

CHANNELS = (pushes.PRIVATE_ORDERS, pushes.PRIVATE_DEALS, pushes.PRIVATE_ACCOUNT)


class PrivateChannels:
    """Encodes what happens to an account for each of its subscribers."""

    def __init__(self, venue: MexcVenue, faults: Faults, rng: random.Random) -> None:
        self._venue = venue
        self._sessions: dict[Session, None] = {}
        self._last_deals: dict[int, Decimal] = {}  # by the engine's order id, while the order is open
        self._delivery = PrivateDelivery(faults, rng)
        self.run = self._delivery.run
        venue.engine.subscribe(self._notice, OF_ACCOUNTS)

    def add(self, session: Session) -> None:
        self._sessions[session] = None

    def discard(self, session: Session) -> None:
        self._sessions.pop(session, None)

    def _notice(self, event: EngineEvent) -> None:
        now = self._venue.now()
        if isinstance(event, TradeMade):
            trade = event.trade
            for party in (trade.taker, trade.maker):
                if party.account in self._venue.account_settings:
                    self._last_deals[party.order_id] = trade.quantity
                    self._tell(party.account, pushes.PRIVATE_DEALS, pushes.private_deal(trade, party, now))
        elif isinstance(event, OrderChanged):
            order = event.order
            last_deal_quantity = self._last_deals.get(order.id)
            if event.change is OrderChange.FINISHED:
                self._last_deals.pop(order.id, None)
            self._tell(order.account, pushes.PRIVATE_ORDERS, pushes.private_order(order, last_deal_quantity, now))
        elif isinstance(event, BalanceChanged):
            self._tell(event.account, pushes.PRIVATE_ACCOUNT, pushes.private_balance(event, now))

    def _tell(self, account: str, channel: str, push: bytes) -> None:
        sessions = [
            session
            for session in self._sessions
            if (subscription := session.private.get(channel)) is not None and subscription.account.name == account
        ]
        if sessions:
            self._delivery.deliver([(session, push) for session in sessions])
