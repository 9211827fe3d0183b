"""Private websocket channels: orders, fills and balances."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from market.symbol import Symbol
from simulated.engine.events import BalanceChanged, EngineEvent, OrderChanged, TradeMade
from simulated.faults import Faults
from simulated.gateio import messages
from simulated.gateio.errors import GateError
from simulated.gateio.private_channels import PrivateChannels
from simulated.gateio.product import SPOT
from simulated.gateio_spot import encoding
from simulated.gateio_spot.venue import GateSpotVenue
from simulated.private_delivery import Parcel
from simulated.settings import AccountSettings

_Encode = Callable[[bool], Any]


class SpotPrivateChannels(PrivateChannels):
    """Encodes what happens to an account for each of its subscribers."""

    channels = ("spot.orders", "spot.orders_v2", "spot.usertrades", "spot.usertrades_v2", "spot.balances")

    def __init__(self, venue: GateSpotVenue, faults: Faults, rng: random.Random) -> None:
        super().__init__(SPOT, venue, faults, rng)

    def symbols_of(self, channel: str, payload: list[str], account: AccountSettings) -> set[Symbol] | None:
        if channel == "spot.balances" or "!all" in payload:
            return None
        if not payload:
            raise GateError("INVALID_PARAM_VALUE", "payload must name currency pairs or !all")
        unknown = [pair for pair in payload if pair not in self._venue.symbols]
        if unknown:
            raise GateError("INVALID_CURRENCY_PAIR", f"unknown currency pair {unknown[0]}")
        return {self._venue.symbols[pair] for pair in payload}

    def notice(self, event: EngineEvent, now_milliseconds: int) -> None:
        if isinstance(event, OrderChanged):
            settings = self._venue.account_settings[event.order.account]

            def encode_order(with_fees: bool) -> Any:
                return encoding.order_push(event.order, event.change, settings, with_fees=with_fees)

            self._tell(settings.name, event.order.symbol, "spot.orders", encode_order, now_milliseconds)
        elif isinstance(event, TradeMade):
            trade = event.trade
            for party in (trade.taker, trade.maker):
                settings = self._venue.account_settings.get(party.account)
                if settings is not None:

                    def encode_trade(with_fees: bool, party: Any = party, settings: Any = settings) -> Any:
                        return encoding.my_trade_push(trade, party, settings, with_fees=with_fees)

                    self._tell(settings.name, trade.symbol, "spot.usertrades", encode_trade, now_milliseconds)
        elif isinstance(event, BalanceChanged):
            settings = self._venue.account_settings[event.account]
            self._tell(settings.name, None, "spot.balances", lambda _: encoding.balance_push(event, settings), now_milliseconds)

    def _tell(self, account: str, symbol: Symbol | None, channel: str, encode: _Encode, now: int) -> None:
        parcels: list[Parcel] = []
        for name, with_fees in ((channel, True), (f"{channel}_v2", False)):
            sessions = self.recipients(name, account, symbol)
            if sessions:
                text = messages.update(name, [encode(with_fees)], now)
                parcels += [(session, text) for session in sessions]
        self.deliver(parcels)
