"""Private websocket channels: orders, fills, positions, wallets and what was liquidated."""

from __future__ import annotations

import random
from collections.abc import Callable

from market.symbol import Symbol
from simulated.engine.events import BalanceChanged, EngineEvent, Liquidated, OrderChanged, PositionChanged, TradeMade
from simulated.engine.position import Position
from simulated.faults import Faults
from simulated.gateio import messages
from simulated.gateio.errors import GateError
from simulated.gateio.order_fields import Json
from simulated.gateio.private_channels import PrivateChannels
from simulated.gateio.product import FUTURES
from simulated.gateio_futures import account_encoding, encoding
from simulated.gateio_futures.sizes import SizeStyle
from simulated.gateio_futures.venue import GateFuturesVenue
from simulated.private_delivery import Parcel
from simulated.settings import AccountSettings

_Encode = Callable[[SizeStyle], Json]
_NEVER_PUSHED = ("futures.auto_deleverages", "futures.reduce_risk_limits", "futures.autoorders")  # nothing of the kind happens here


class FuturesPrivateChannels(PrivateChannels):
    """Encodes what happens to an account for each of its subscribers, in the style of sizes that they want."""

    channels = (
        "futures.orders",
        "futures.usertrades",
        "futures.positions",
        "futures.balances",
        "futures.liquidates",
        "futures.position_closes",
        *_NEVER_PUSHED,
    )

    def __init__(self, venue: GateFuturesVenue, faults: Faults, rng: random.Random) -> None:
        super().__init__(FUTURES, venue, faults, rng)
        self._futures = venue
        self._positions: dict[tuple[str, Symbol], Position] = {}
        self._open_before: dict[tuple[str, Symbol], Position] = {}

    def symbols_of(self, channel: str, payload: list[str], account: AccountSettings) -> set[Symbol] | None:
        """A payload is the user's id, then contracts or !all. Of positions, the id is a mere placeholder (documentation)."""
        if not payload or (channel != "futures.positions" and payload[0] != str(account.user_id)):
            raise GateError("INVALID_PARAM_VALUE", "payload must begin with the user id")
        contracts = payload[1:]
        if channel == "futures.balances" or "!all" in contracts:
            return None
        if not contracts:
            raise GateError("INVALID_PARAM_VALUE", "payload must name contracts or !all")
        unknown = [contract for contract in contracts if contract not in self._venue.symbols]
        if unknown:
            raise GateError("CONTRACT_NOT_FOUND", f"unknown contract {unknown[0]}")
        return {self._venue.symbols[contract] for contract in contracts}

    def notice(self, event: EngineEvent, now_milliseconds: int) -> None:
        if isinstance(event, OrderChanged):
            self._tell_order(event, now_milliseconds)
        elif isinstance(event, TradeMade):
            self._tell_fills(event, now_milliseconds)
        elif isinstance(event, PositionChanged):
            self._tell_position(event, now_milliseconds)
        elif isinstance(event, BalanceChanged):
            self._tell_balance(event, now_milliseconds)
        elif isinstance(event, Liquidated):
            self._tell_liquidation(event, now_milliseconds)

    def heard(self, event: EngineEvent) -> None:
        super().heard(event)
        if isinstance(event, PositionChanged):
            # The position as it is now and as it was, so that what happens next can be told from them.
            key = (event.account, event.position.symbol)
            before = self._positions.get(key)
            if before is not None and before.is_open:
                self._open_before[key] = before
            self._positions[key] = event.position

    def _tell_order(self, event: OrderChanged, now: int) -> None:
        order, venue = event.order, self._futures
        settings, instrument = venue.account_settings[order.account], venue.instrument(order.symbol)
        position = venue.engine.position(order.account, order.symbol)
        update_id = venue.update_id(order)
        self._tell(
            "futures.orders",
            order.account,
            order.symbol,
            lambda style: encoding.order_push(event, position, instrument, settings, style, update_id=update_id),
            now,
        )

    def _tell_fills(self, event: TradeMade, now: int) -> None:
        trade = event.trade
        instrument = self._futures.instrument(trade.symbol)
        for party in (trade.taker, trade.maker):
            if party.account in self._futures.account_settings:
                self._tell(
                    "futures.usertrades",
                    party.account,
                    trade.symbol,
                    lambda style, party=party: encoding.my_trade_push(trade, party, instrument, style),
                    now,
                )

    def _tell_position(self, event: PositionChanged, now: int) -> None:
        position, venue = event.position, self._futures
        settings = venue.account_settings[event.account]
        self._tell(
            "futures.positions",
            event.account,
            position.symbol,
            lambda style: account_encoding.position_push(venue, position, settings, style),
            now,
        )
        before = self._positions.get((event.account, position.symbol))
        if before is not None and before.is_open and position.side is not before.side:
            closed = account_encoding.position_close_push(position, before.quantity > 0, settings, event.at_milliseconds)
            self._tell("futures.position_closes", event.account, position.symbol, lambda _: closed, now)

    def _tell_balance(self, event: BalanceChanged, now: int) -> None:
        entry = self._futures.last_entry
        if entry is not None:
            pushed = account_encoding.balance_push(entry, self._futures.account_settings[event.account])
            self._tell("futures.balances", event.account, None, lambda _: pushed, now)

    def _tell_liquidation(self, event: Liquidated, now: int) -> None:
        settings, before = self._futures.account_settings[event.account], self._open_before.get((event.account, event.symbol))
        self._tell(
            "futures.liquidates",
            event.account,
            event.symbol,
            lambda style: account_encoding.liquidate_push(self._futures, event, before, settings, style),
            now,
        )

    def _tell(self, channel: str, account: str, symbol: Symbol | None, encode: _Encode, now: int) -> None:
        texts: dict[bool, str] = {}
        parcels: list[Parcel] = []
        for session in self.recipients(channel, account, symbol):
            is_decimal = session.wants_decimal_sizes
            if is_decimal not in texts:
                texts[is_decimal] = messages.update(channel, [encode(SizeStyle(is_decimal=is_decimal))], now)
            parcels.append((session, texts[is_decimal]))
        self.deliver(parcels)
