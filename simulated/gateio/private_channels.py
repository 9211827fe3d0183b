"""Private websocket channels: what happens to an account, pushed the moment it happens, with bad days on request."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod

from market.symbol import Symbol
from network.causes import current_cause
from simulated.engine.events import OF_ACCOUNTS, EngineEvent
from simulated.faults import Faults
from simulated.gateio import messages
from simulated.gateio.product import Product
from simulated.gateio.session import GateSession
from simulated.private_delivery import Parcel, PrivateDelivery
from simulated.settings import AccountSettings
from simulated.venue import Venue


class PrivateChannels(ABC):
    """Who hears of what; subclasses say what the channels are and turn events into pushes."""

    channels: tuple[str, ...]

    def __init__(self, product: Product, venue: Venue, faults: Faults, rng: random.Random) -> None:
        self._product = product
        self._venue = venue
        self._sessions: dict[GateSession, None] = {}
        self._delivery = PrivateDelivery(faults, rng)
        self.run = self._delivery.run
        venue.engine.subscribe(self.heard, OF_ACCOUNTS)

    @abstractmethod
    def symbols_of(self, channel: str, payload: list[str], account: AccountSettings) -> set[Symbol] | None:
        """The markets that a subscription's payload means; None for all of them. Raises: GateError: it means nothing."""

    @abstractmethod
    def notice(self, event: EngineEvent, now_milliseconds: int) -> None:
        """Something happened while somebody is connected; cheap, because it happens often."""

    def add(self, session: GateSession) -> None:
        self._sessions[session] = None

    def discard(self, session: GateSession) -> None:
        self._sessions.pop(session, None)

    def announce_shutdown(self) -> None:
        """Every client, subscribed to anything or not, learns that its connection will soon be closed."""
        notice = {"type": "upgrade", "msg": "The connection will soon be closed for a service upgrade. Please reconnect."}
        for session in self._sessions:
            session.push(messages.update(f"{self._product.name}.system", notice, self._venue.now()))
            current_cause().had_effect()

    def recipients(self, channel: str, account: str, symbol: Symbol | None) -> list[GateSession]:
        """Whoever is subscribed to `channel` of the account, for this market (None: it is about none)."""
        return [session for session in self._sessions if _wants(session, channel, account, symbol)]

    def deliver(self, parcels: list[Parcel]) -> None:
        """Hand one event to all who are to hear of it."""
        if parcels:
            self._delivery.deliver(parcels)

    def heard(self, event: EngineEvent) -> None:
        """Something happened, whether or not anybody is connected."""
        if self._sessions:
            self.notice(event, self._venue.now())


def _wants(session: GateSession, channel: str, account: str, symbol: Symbol | None) -> bool:
    subscription = session.private.get(channel)
    if subscription is None or subscription.account.name != account:
        return False
    return symbol is None or subscription.symbols is None or symbol in subscription.symbols
