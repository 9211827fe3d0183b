"""One simulated exchange of a world: where it is, what speaks its protocol, and which of the program's accounts trades there."""

from __future__ import annotations

import random
from decimal import Decimal

import trio

from actors.accounts.credential import Credential
from assembly.registry import EXCHANGES
from assembly.settings import ExchangeSettings
from market.clock import WallClock
from market.events import Side
from market.symbol import Symbol
from orders.identity import owner_of
from simulated.control import VenueControl
from simulated.engine.events import EngineEvent, TradeMade
from simulated.engine.order import Order, Trade, TradeParty
from simulated.exchange import SimulatedExchange
from simulated.registry import make_exchange
from simulated.settings import SimulationSettings

PORT = 80
INSTALLATION_PREFIX = "mm-"


class Venue:
    """`account` is the program's name for its account here. A host of its own, so that it can be cut off alone."""

    def __init__(self, name: str, *, account: str, host: str, address: str) -> None:
        self.name = name
        self.account = account
        self.host = host
        self.address = address
        self.codec = EXCHANGES[name].account_codec()
        self.private_url: str | None = None
        """Where the private stream is, if that has a host of its own."""
        self._server: SimulatedExchange | None = None
        self._holdings: dict[tuple[str, Symbol], Decimal] = {}
        self._wire_prefix = self.codec.wire_client_order_id(INSTALLATION_PREFIX)

    async def open(self, nursery: trio.Nursery, settings: SimulationSettings, *, clock: WallClock, rng: random.Random) -> None:
        """Serve for as long as the nursery lasts."""
        self._server = make_exchange(self.name, settings, clock=clock, rng=rng)
        self.control.engine.subscribe(self._count_trade, [TradeMade])
        await nursery.start(self._server.run, self.address, PORT)

    @property
    def server(self) -> SimulatedExchange:
        assert self._server is not None
        return self._server

    @property
    def control(self) -> VenueControl:
        """What is behind the wire: facts and faults."""
        return self.server.control

    @property
    def trades_contracts(self) -> bool:
        return self.codec.capabilities.positions

    def settings(self, *, private_websocket_url: str | None = None) -> ExchangeSettings:
        """How the program reaches it."""
        private = private_websocket_url or self.private_url or self.server.private_websocket_url(self.host, PORT)
        return ExchangeSettings(
            rest_url=self.server.rest_url(self.host, PORT),
            websocket_url=self.server.websocket_url(self.host, PORT),
            private_websocket_url=private,
        )

    def credential(self, *, wrong_secret: bool = False) -> Credential:
        account = self.server.credential
        secret = "a-wrong-secret" if wrong_secret else account.api_secret
        return Credential(key=account.api_key, secret=secret, passphrase=account.api_passphrase)

    # Our orders, in the exchange's own words

    def is_ours(self, wire_client_order_id: str) -> bool:
        return wire_client_order_id.startswith(self._wire_prefix)

    def client_order_id(self, wire_client_order_id: str) -> str:
        """Our id of an order of ours."""
        separator = self._wire_prefix[-1]  # not every exchange takes a hyphen
        return INSTALLATION_PREFIX + wire_client_order_id.removeprefix(self._wire_prefix).replace(separator, "-")

    def owner(self, wire_client_order_id: str) -> str:
        """Whose order of ours it is."""
        return owner_of(self.client_order_id(wire_client_order_id))

    def open_orders(self) -> list[Order]:
        """Orders of ours that are open there, whatever the program thinks."""
        return [order for order in self.control.open_orders() if self.is_ours(order.client_id)]

    def parties(self, trade: Trade) -> list[TradeParty]:
        """The sides of a trade that are ours."""
        return [party for party in (trade.taker, trade.maker) if self.is_ours(party.client_id)]

    def holdings(self, owner: str, symbol: Symbol) -> Decimal:
        """What an owner has bought and not sold, after fees."""
        return self._holdings.get((owner, symbol), Decimal(0))

    def _count_trade(self, event: EngineEvent) -> None:
        assert isinstance(event, TradeMade)
        trade = event.trade
        for party, side in ((trade.taker, trade.taker_side), (trade.maker, trade.taker_side.opposite)):
            if self.is_ours(party.client_id):
                fee = party.fee if party.fee_asset == trade.symbol.base else Decimal(0)
                key = (self.owner(party.client_id), trade.symbol)
                self._holdings[key] = self._holdings.get(key, Decimal(0)) + (trade.quantity if side is Side.BUY else -trade.quantity) - fee

    def totals(self) -> dict[str, Decimal]:
        """What the account holds, by asset."""
        return {asset: available + locked for asset, (available, locked) in self.control.balances().items()}

    def real_fills(self, order_id: int) -> list[tuple[str, Decimal, Decimal, Decimal]]:
        """Trade id, quantity, price and fee of every trade of an order, sorted."""
        return sorted(
            (str(trade.id), trade.quantity, trade.price, party.fee)
            for trade in self.control.trades()
            for party in (trade.taker, trade.maker)
            if party.order_id == order_id
        )
