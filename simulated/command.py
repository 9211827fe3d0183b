"""`mm-sim`: serve one simulated exchange by itself.

Exit status: 0 stopped by a signal, 2 bad usage (an unknown exchange or market, a bad file, a port in use).
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tomllib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec
import trio

from market.clock import SystemWallClock
from market.symbol import SymbolError, parse_symbol
from simulated.exchange import SimulatedExchange
from simulated.recording import Recording, RecordingError, load_recording
from simulated.registry import NAMES, make_exchange
from simulated.settings import DEFAULT_MARKETS, MarketSettings, SimulationSettings


class UsageError(Exception):
    """What was asked for cannot be done; the message says what to change."""


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM. Returns the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        recording = _recording(arguments)
        settings = _settings(arguments, recording)
        trio.run(partial(_serve, arguments, settings, recording))
    except UsageError as error:
        sys.stderr.write(f"mm-sim: {error}\n")
        return 2
    return 0


async def _serve(arguments: argparse.Namespace, settings: SimulationSettings, recording: Recording | None) -> None:
    exchange = make_exchange(
        arguments.exchange, settings, clock=SystemWallClock(), rng=random.Random(settings.seed), recording=recording
    )  # fmt: skip
    failure: OSError | None = None
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            try:
                port = await nursery.start(exchange.run, arguments.host, arguments.port)
            except* OSError as group:
                failure = _first(group)
            else:
                _announce(exchange, arguments.host, port, as_json=arguments.json)
                async for _ in signals:
                    break
                nursery.cancel_scope.cancel()
    if failure is not None:
        raise UsageError(f"cannot listen on {arguments.host} port {arguments.port}: {failure.strerror or failure}")


def _announce(exchange: SimulatedExchange, host: str, port: int, *, as_json: bool) -> None:
    """Say where the exchange is and how to get in. The key is made up and opens nothing else, so it may be shown."""
    public = exchange.websocket_url(host, port)
    facts = {
        "exchange": exchange.name,
        "rest_url": exchange.rest_url(host, port),
        "websocket_url": public,
        **({"private_websocket_url": private} if (private := exchange.private_websocket_url(host, port)) != public else {}),
        "state_url": f"http://{host}:{port}/sim/state",
        "api_key": exchange.credential.api_key,
        "api_secret": exchange.credential.api_secret,
        **({"api_passphrase": exchange.credential.api_passphrase} if exchange.uses_passphrase else {}),
        "ccxt": exchange.client_hint(host, port),
    }
    if as_json:
        sys.stdout.write(msgspec.json.encode({"event": "serving", "port": port, **facts}).decode() + "\n")
    else:
        width = max(len(name) for name in facts)
        lines = [f"  {name.replace('_', ' '):<{width}}  {value}" for name, value in facts.items()]
        sys.stdout.write("serving (Ctrl-C stops):\n" + "\n".join(lines) + "\n")
    sys.stdout.flush()


def _recording(arguments: argparse.Namespace) -> Recording | None:
    if arguments.replay is None:
        return None
    symbols = _symbols(arguments)
    try:
        return load_recording(Path(arguments.replay), parse_symbol(symbols[0]) if symbols else None)
    except RecordingError as error:
        raise UsageError(str(error)) from error


def _settings(arguments: argparse.Namespace, recording: Recording | None) -> SimulationSettings:
    settings = _settings_of_file(Path(arguments.config)) if arguments.config else SimulationSettings()
    if arguments.seed is not None:
        settings = msgspec.structs.replace(settings, seed=arguments.seed)
    if recording is not None:
        settings = msgspec.structs.replace(settings, markets=recording.markets(), replay_speed=arguments.replay_speed)
    symbols = _symbols(arguments)
    if symbols:
        known = {market.symbol: market for market in (*DEFAULT_MARKETS, *settings.markets)}
        settings = msgspec.structs.replace(settings, markets=tuple(known.get(name) or _unknown_market(name) for name in symbols))
    for market in settings.markets:
        try:
            market.parsed_symbol  # noqa: B018 - reading it checks it
        except SymbolError as error:
            raise UsageError(str(error)) from error
    return settings


def _symbols(arguments: argparse.Namespace) -> list[str]:
    try:
        symbols = [parse_symbol(text) for text in (arguments.symbols or "").split(",") if text.strip()]
    except SymbolError as error:
        raise UsageError(str(error)) from error
    return [f"{symbol.base}_{symbol.quote}" for symbol in symbols]


def _unknown_market(name: str) -> MarketSettings:
    raise UsageError(f"{name} has no settings here: describe it under [[markets]] in a file given with --config")


def _settings_of_file(path: Path) -> SimulationSettings:
    try:
        return msgspec.convert(tomllib.loads(path.read_text()), SimulationSettings)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise UsageError(f"{path}: {error}") from error


def _first(group: BaseExceptionGroup[OSError]) -> OSError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, OSError)  # noqa: S101 - `except*` has filtered
    return error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mm-sim",
        description="Serve a simulated exchange: its real REST and websocket protocol, a matching engine and a lively market. "
        "Prints its URLs, a test credential and how to point ccxt at it.",
        epilog="GET /sim/state on the same port shows open orders, balances and trade counts of every account, without "
        "a key; with ?history_of=ACCOUNT all orders and trades of one as well.",
    )
    parser.add_argument("--exchange", choices=NAMES, default=NAMES[0], help="the exchange to simulate (default: %(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8101, help="the port to listen on; 0 takes any free one (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="the seed of everything random; the same seed gives the same market (default: 1)")
    parser.add_argument("--symbols", metavar="A,B", help="only these markets, as BTC_USDT,ETH_USDT; with a plain series, its market")
    parser.add_argument("--config", metavar="FILE", help="TOML with settings: accounts, fees, balances, markets, rates, spreads")
    parser.add_argument("--replay", metavar="FILE", help="publish a recorded market: a capture (.jsonl), or trades (.csv, .json); .gz too")
    parser.add_argument("--replay-speed", type=_positive, default=1.0, metavar="X", help="so many times as fast as recorded (default: 1)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines for people")
    return parser


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError("must be above 0")
    return value


if __name__ == "__main__":
    sys.exit(main())
