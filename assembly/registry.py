"""The exchanges and strategies that there are: one entry each."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from actors.accounts.codec import AccountCodec
from actors.accounts.gateio.futures import GateioFuturesAccountCodec
from actors.accounts.gateio.spot import GateioSpotAccountCodec
from actors.accounts.mexc.spot import MexcSpotAccountCodec
from actors.accounts.okx.spot import OkxSpotAccountCodec
from actors.accounts.okx.swap import OkxSwapAccountCodec
from actors.cycle.quoting.strategies.avellaneda_stoikov import AvellanedaStoikov, AvellanedaStoikovParameters
from actors.cycle.quoting.strategies.simple import Quoting, QuotingParameters
from actors.cycle.rounds.sell_on_top import SellOnTop, SellOnTopParameters
from actors.feeds.codec import FeedCodec
from actors.feeds.gateio.futures import GateioFuturesFeedCodec
from actors.feeds.gateio.spot import GateioSpotFeedCodec
from actors.feeds.mexc.spot import MexcSpotFeedCodec
from actors.feeds.okx.spot import OkxSpotFeedCodec
from actors.feeds.okx.swap import OkxSwapFeedCodec
from assembly.settings import KnownExchange
from assembly.strategies import StrategyEntry, StrategyKind
from exchanges.gateio_futures import GATEIO_FUTURES
from exchanges.gateio_spot import GATEIO_SPOT
from exchanges.identity import ExchangeIdentity
from exchanges.mexc_spot import MEXC_SPOT
from exchanges.okx_spot import OKX_SPOT
from exchanges.okx_swap import OKX_SWAP
from network.rate_limit import RateLimit


class ExchangeEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Our side of an exchange; each of its accounts has a codec of its own. Its simulated side is in `simulated.registry`.

    `testnet_headers` go with every request to its testnet, signed or not. `counted_as` is who counts the requests, where that
    exchange counts those to several of ours together: they share one rate budget, and its bans. `wallet` names the money of a key
    where several of ours trade with the same.
    """

    identity: ExchangeIdentity
    feed_codec: Callable[[], FeedCodec]
    account_codec: Callable[[], AccountCodec]
    credential_prefix: str
    has_testnet: bool = True
    testnet_headers: tuple[tuple[str, str], ...] = ()
    counted_as: str | None = None
    wallet: str | None = None

    @property
    def rate_limits(self) -> dict[str, RateLimit]:
        """Of public and private requests, by group."""
        return dict(self.feed_codec().rate_limits) | dict(self.account_codec().rate_limits)

    @property
    def known(self) -> KnownExchange:
        """What the settings' checks need of it."""
        codec = self.account_codec()
        return KnownExchange(
            credential_prefix=self.credential_prefix,
            needs_passphrase=codec.needs_passphrase,
            has_contracts=codec.capabilities.positions,
            has_testnet=self.has_testnet,
            wallet=self.wallet,
        )


EXCHANGES: dict[str, ExchangeEntry] = {
    entry.identity.name: entry
    for entry in (
        ExchangeEntry(
            identity=GATEIO_SPOT,
            feed_codec=GateioSpotFeedCodec,
            account_codec=GateioSpotAccountCodec,
            credential_prefix="GATEIO",
        ),
        ExchangeEntry(
            identity=GATEIO_FUTURES,
            feed_codec=GateioFuturesFeedCodec,
            account_codec=GateioFuturesAccountCodec,
            credential_prefix="GATEIO",
        ),
        ExchangeEntry(
            identity=OKX_SPOT,
            feed_codec=OkxSpotFeedCodec,
            account_codec=OkxSpotAccountCodec,
            credential_prefix="OKX",
            testnet_headers=(("x-simulated-trading", "1"),),
            counted_as="okx",
            wallet="OKX's trading account",  # one for all products, in every account mode
        ),
        ExchangeEntry(
            identity=OKX_SWAP,
            feed_codec=OkxSwapFeedCodec,
            account_codec=OkxSwapAccountCodec,
            credential_prefix="OKX",
            testnet_headers=(("x-simulated-trading", "1"),),
            counted_as="okx",
            wallet="OKX's trading account",  # one for all products, in every account mode
        ),
        ExchangeEntry(
            identity=MEXC_SPOT,
            feed_codec=MexcSpotFeedCodec,
            account_codec=MexcSpotAccountCodec,
            credential_prefix="MEXC",
            has_testnet=False,
        ),
    )
}

STRATEGIES: dict[str, StrategyEntry] = {
    "sell_on_top": StrategyEntry(parameters=SellOnTopParameters, make=SellOnTop),
    "quoting": StrategyEntry(parameters=QuotingParameters, make=Quoting, kind=StrategyKind.QUOTING),
    "avellaneda_stoikov": StrategyEntry(parameters=AvellanedaStoikovParameters, make=AvellanedaStoikov, kind=StrategyKind.QUOTING),
}
