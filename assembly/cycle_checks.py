"""Checks of `[cycles.NAME]`: which keys go with which kind of strategy, and what they refer to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec.structs import replace

from assembly.decoding import SettingsError, decode, nearest
from assembly.own_strategies import forget_own_modules, is_own, load_own_strategy, make_own_strategy
from assembly.settings import CycleSettings, Settings
from assembly.strategies import StrategyEntry, StrategyKind

_CYCLE_NAME = re.compile(r"[a-z0-9]{1,10}")
QUOTING_TICK_SECONDS_MIN = 0.01
_QUOTING_KEYS = ("reference_exchange", "reference_symbol", "react_to_move_fraction", "react_to_fills")
_QUOTING_LIMITS = ("net_buy_max", "net_sell_max", "inventory_max")


def check_known(path: str, name: str, known: Iterable[str], what: str) -> None:
    names = list(known)
    if name not in names:
        raise SettingsError(f'{path}: "{name}" is not a known {what}.{nearest(name, names)} Known: {", ".join(names) or "none"}.')


def check_reference(path: str, name: str, section: str, names: Iterable[str]) -> None:
    known = list(names)
    if name not in known:
        there = ", ".join(f"[{section}.{each}]" for each in known) or "none"
        raise SettingsError(f'{path} is "{name}", but there is no [{section}.{name}].{nearest(name, known)} There is: {there}.')


def find_strategies(cycles: Mapping[str, CycleSettings], known: Mapping[str, StrategyEntry], folder: Path) -> dict[str, StrategyEntry]:
    """The strategy of each cycle, by the name that the file has for it; one of the user's own is loaded from `folder`."""
    found: dict[str, StrategyEntry] = {}
    forget_own_modules()
    for name, cycle in cycles.items():
        path = f"cycles.{name}.strategy"
        if is_own(cycle.strategy):
            found[cycle.strategy] = found.get(cycle.strategy) or load_own_strategy(cycle.strategy, folder, path)
        else:
            check_known(path, cycle.strategy, known, "strategy")
            found[cycle.strategy] = known[cycle.strategy]
    return found


def check_cycle(name: str, cycle: CycleSettings, accounts: Iterable[str], entry: StrategyEntry) -> CycleSettings:
    """The cycle with its strategy's own parameters; a quoting one has no rounds."""
    path = f"cycles.{name}"
    if not _CYCLE_NAME.fullmatch(name):
        raise SettingsError(f"{path}: a cycle's name is 1 to 10 lower case letters or digits, because it becomes part of every order id")
    check_reference(f"{path}.account", cycle.account, "accounts", accounts)
    cycle = replace(cycle, parameters=decode(cycle.parameters, entry.parameters, f"{path}.parameters"))
    if is_own(cycle.strategy):
        make_own_strategy(cycle.strategy, entry, cycle.parameters, f"{path}.parameters")
    if entry.kind is StrategyKind.ROUNDS:
        said = [key for key in _QUOTING_KEYS if getattr(cycle, key) is not None]
        said += [f"limits.{key}" for key in _QUOTING_LIMITS if getattr(cycle.limits, key) is not None]
        if said:
            raise SettingsError(f"{path}.{said[0]} is for quoting strategies, and {cycle.strategy} trades in rounds: leave it out")
        return cycle
    if cycle.cycles not in (0, 1):  # until stopped, and the default
        raise SettingsError(f"{path}.cycles counts rounds, and {cycle.strategy} has none: it quotes until it is stopped; leave it out")
    if cycle.tick_seconds < QUOTING_TICK_SECONDS_MIN:
        raise SettingsError(f"{path}.tick_seconds is {cycle.tick_seconds:g}; expected {QUOTING_TICK_SECONDS_MIN:g} or more")
    fraction = cycle.react_to_move_fraction
    if fraction is not None and fraction >= 1:
        raise SettingsError(f"{path}.react_to_move_fraction is {fraction}; expected a fraction below 1: 0.0005 is 0.05 %, 0 is never")
    return replace(cycle, cycles=0)


def check_rounds_wanted(cycles: Mapping[str, CycleSettings], strategies: Mapping[str, StrategyEntry], wanted: int | None) -> None:
    """`--cycles` says how many rounds each cycle has, so each must have some."""
    if wanted is None:
        return
    for name, cycle in cycles.items():
        if strategies[cycle.strategy].kind is StrategyKind.QUOTING:
            raise SettingsError(f"--cycles counts rounds, and cycles.{name} has none: {cycle.strategy} quotes until it is stopped")


def check_reference_market(name: str, settings: Settings) -> None:
    """The market that a quoting strategy is shown besides its own is another one, on an exchange that is in the file and lists it.

    A strategy whose parameters have a true `needs_reference` is shown one.
    """
    path, cycle, found = f"cycles.{name}", settings.cycles[name], settings.reference_of(name)
    if found is None:
        if getattr(cycle.parameters, "needs_reference", False):
            raise SettingsError(
                f"{path}.reference_exchange and {path}.reference_symbol are missing, and {path}.parameters go by "
                "the price of such a market; expected at least one of them"
            )
        return
    exchange, symbol = found
    check_reference(f"{path}.reference_exchange", exchange, "exchanges", settings.exchanges)
    if found == (settings.exchange_of(name), cycle.symbol):
        raise SettingsError(f"{path}: the reference is {symbol} on {exchange}, the cycle's own market; name another, or leave it out")
    check_listed(f"{path}.reference_symbol", settings, exchange, str(symbol))


def check_listed(path: str, settings: Settings, exchange_name: str, symbol: str) -> None:
    """An embedded exchange lists what its settings say, and nothing else."""
    exchange = settings.exchanges[exchange_name]
    if exchange.is_embedded:
        listed = [str(market.parsed_symbol) for market in exchange.simulation.markets]
        if symbol not in listed:
            raise SettingsError(
                f"{path} is {symbol}, which the simulated {exchange_name} does not list.{nearest(symbol, listed)} "
                f"It lists: {', '.join(listed)}; add [[exchanges.{exchange_name}.simulation.markets]] for more."
            )
