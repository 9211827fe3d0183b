"""The exchanges and strategies that there are: one entry each."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import msgspec

from actors.accounts.codec import AccountCodec
from actors.accounts.gateio_spot import GateioSpotAccountCodec
from actors.cycle.controller import Controller
from actors.cycle.sell_on_top import SellOnTop, SellOnTopParameters
from actors.feeds.codec import FeedCodec
from actors.feeds.gateio_spot import GateioSpotFeedCodec
from assembly.settings import KnownExchange
from exchanges.gateio_spot import GATEIO_SPOT
from exchanges.identity import ExchangeIdentity
from market.clock import WallClock
from simulated.exchange import SimulatedExchange
from simulated.settings import SimulationSettings

MakeSimulated = Callable[[SimulationSettings, WallClock, random.Random], SimulatedExchange]


class ExchangeEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that makes an exchange. Codecs are stateless; `simulate` is called only where one is embedded."""

    identity: ExchangeIdentity
    feed_codec: Callable[[], FeedCodec]
    account_codec: Callable[[], AccountCodec]
    simulate: MakeSimulated
    credential_prefix: str

    @property
    def known(self) -> KnownExchange:
        """What the settings' checks need of it."""
        return KnownExchange(credential_prefix=self.credential_prefix, needs_passphrase=self.account_codec().needs_passphrase)


class StrategyEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A strategy: its parameters' struct, and its controller made from them."""

    parameters: type[msgspec.Struct]
    make: Callable[[Any], Controller]


def _simulate_gateio_spot(settings: SimulationSettings, wall_clock: WallClock, rng: random.Random) -> SimulatedExchange:
    from simulated.gateio_spot.server import SimulatedGateioSpot  # a web server: not loaded unless one is embedded

    return SimulatedGateioSpot(settings, clock=wall_clock, rng=rng)


EXCHANGES: dict[str, ExchangeEntry] = {
    entry.identity.name: entry
    for entry in (
        ExchangeEntry(
            identity=GATEIO_SPOT,
            feed_codec=GateioSpotFeedCodec,
            account_codec=GateioSpotAccountCodec,
            simulate=_simulate_gateio_spot,
            credential_prefix="GATEIO",
        ),
    )
}

STRATEGIES: dict[str, StrategyEntry] = {
    "sell_on_top": StrategyEntry(parameters=SellOnTopParameters, make=SellOnTop),
}
