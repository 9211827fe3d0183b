"""The simulated exchanges by name: one line each. A server is imported only when it is asked for."""

from __future__ import annotations

import importlib
import random
from typing import cast

from market.clock import WallClock
from simulated.exchange import SimulatedExchange
from simulated.recording import Recording
from simulated.settings import SimulationSettings

_SERVERS: dict[str, tuple[str, str]] = {
    "gateio_spot": ("simulated.gateio_spot.server", "SimulatedGateioSpot"),
    "gateio_futures": ("simulated.gateio_futures.server", "SimulatedGateioFutures"),
    "okx_spot": ("simulated.okx.server", "SimulatedOkxSpot"),
    "okx_swap": ("simulated.okx.server", "SimulatedOkxSwap"),
    "mexc_spot": ("simulated.mexc_spot.server", "SimulatedMexcSpot"),
}
NAMES = tuple(_SERVERS)


def make_exchange(
    name: str, settings: SimulationSettings, *, clock: WallClock, rng: random.Random, recording: Recording | None = None
) -> SimulatedExchange:
    """The simulated exchange called `name`; its market is moved by `recording` where one is given.

    Raises:
        KeyError: no such exchange is simulated.
    """
    module_name, class_name = _SERVERS[name]
    server = getattr(importlib.import_module(module_name), class_name)
    return cast(SimulatedExchange, server(settings, clock=clock, rng=rng, recording=recording))
