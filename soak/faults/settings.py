"""What an operator does to the settings while the program runs: changes that are fine, and changes that must be refused as a whole."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any, cast

import msgspec
from msgspec.structs import replace

from actors.accounts.limits import OnDailyLoss
from assembly.registry import STRATEGIES
from assembly.reloading.desk import Outcome
from assembly.reloading.difference import flat
from assembly.runtime import Runtime
from assembly.settings import AccountSettings, CycleSettings, Settings
from assembly.settings_loading import Table
from assembly.strategies import StrategyKind
from network.causes import current_cause
from soak.faults.strike import Group, Kind, Strike, Undo, for_a_while
from soak.strategies import PRICES_AT_FIRST
from soak.worlds.place import Place
from soak.worlds.settings_file import WorldSettingsFile, in_toml, text_of
from soak.worlds.world import World

BY = "the plan"
SECONDS_UNTIL_SEEN = 3.0  # of a file, which has to stand still for a look
WAYS = ("file", "reload", "reload", "set")
# An order that sells what was bought may be worth more by then, and a quantity may be this much larger.
ORDER_LIMIT_FACTORS = (Decimal(1), Decimal("1.5"), Decimal(3))
POSITION_LIMIT_FACTORS = (Decimal("0.9"), Decimal(1), Decimal(3))
QUANTITY_FACTORS = (Decimal("1.2"), Decimal("1.4"))
LOSSES_MAX = (Decimal("0.2"), Decimal(1), Decimal(5), Decimal(100))
HOLDINGS_IN_ORDERS = (Decimal("0.5"), Decimal("1.5"), Decimal(4), Decimal(20))
NEEDING_RESTART = ("runtime.log_files_kept", "dead_mans_switch_seconds", "runtime.seed")


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """Other values by key; `ruin` spoils the text that they stand in.

    `is_fine`: it must be taken over, and otherwise refused; None where only the strategy knows.
    """

    values: dict[str, Any]
    is_fine: bool | None = True
    ruin: Callable[[str], str] = str


def edited(file: WorldSettingsFile, edit: Edit) -> str:
    """The file as it was at first, but for the edit."""
    table = file.table_at_first()
    for key, value in edit.values.items():
        *path, last = key.split(".")
        inner = table
        for part in path:
            inner = cast("Table", inner.setdefault(part, {}))
        inner[last] = value
    return edit.ruin(text_of(table))


def _draw_edit(rng: random.Random, settings: Settings, place: Place, account: str) -> Edit:
    draw = rng.choice(DRAWS)
    return draw(rng, settings.cycles[place.cycle], settings.accounts[account], place.cycle, account)


def _parameters(rng: random.Random, cycle: CycleSettings, account: AccountSettings, name: str, account_name: str) -> Edit:
    """A number of the strategy's is another one: whether that is fine only the strategy knows."""
    numbers = {
        field: value
        for field in cast("msgspec.Struct", cycle.parameters).__struct_fields__
        if isinstance(value := getattr(cycle.parameters, field), int | float | Decimal) and not isinstance(value, bool)
    }
    if not numbers:
        return _cycle(rng, cycle, account, name, account_name)
    field = rng.choice(sorted(numbers))
    step, number = rng.choice((1, 2)), numbers[field]
    value = number * (1 + Decimal(step) / 4) if isinstance(number, Decimal) else number + step
    return Edit(values={f"cycles.{name}.parameters.{field}": value}, is_fine=True if cycle.strategy == "sell_on_top" else None)


def _cycle(rng: random.Random, cycle: CycleSettings, account: AccountSettings, name: str, account_name: str) -> Edit:
    return Edit(
        values={
            f"cycles.{name}.quantity": cycle.quantity * rng.choice(QUANTITY_FACTORS),
            f"cycles.{name}.tick_seconds": rng.choice((0.2, 0.7, 3.0)),
        }
    )


def _limits(rng: random.Random, cycle: CycleSettings, account: AccountSettings, name: str, account_name: str) -> Edit:
    path, limits = f"accounts.{account_name}.limits", account.limits
    assert limits.max_order_notional is not None
    assert limits.max_position_notional is not None
    drawn = {
        f"{path}.max_order_notional": limits.max_order_notional * rng.choice(ORDER_LIMIT_FACTORS),
        f"{path}.max_position_notional": limits.max_position_notional * rng.choice(POSITION_LIMIT_FACTORS),
        f"{path}.max_open_orders": rng.choice((1, 3, 20)),
        f"{path}.max_orders_per_second": rng.choice((1, 2, 5)),
        "limits.max_open_orders": rng.choice((1, 2, 100)),
        "limits.max_orders_per_second": rng.choice((1, 3)),
    }
    return Edit(values={key: drawn[key] for key in sorted(rng.sample(sorted(drawn), k=rng.choice((1, 2, 4))))})


def _others(rng: random.Random, cycle: CycleSettings, account: AccountSettings, name: str, account_name: str) -> Edit:
    """What is neither a cycle's nor a limit of orders, so that nothing but these keys themselves need change: no loss is so large, no
    order so far off, and nobody else orders through the account.
    """
    path = f"accounts.{account_name}"
    drawn: dict[str, Any] = {
        "runtime.log_level": rng.choice(("DEBUG", "WARNING")),
        "runtime.stop_deadline_seconds": 9.0,
        "limits.max_daily_loss": Decimal(2_000_000),
        f"{path}.limits.max_daily_loss": Decimal(1_000_000),
        f"{path}.limits.max_price_deviation": rng.choice((Decimal("0.04"), Decimal("0.5"))),
        f"{path}.foreign_orders": "halt",
        f"exchanges.{account.exchange}.book_max_age_seconds": rng.choice((3.0, 4.0)),
    }
    if cycle.cycles:
        drawn[f"cycles.{name}.cycles"] = cycle.cycles + rng.choice((1, 3))
    if cycle.limits.drawdown_max is not None:
        drawn[f"cycles.{name}.limits.drawdown_max"] = cycle.limits.drawdown_max * 2
    return Edit(values={key: drawn[key] for key in sorted(rng.sample(sorted(drawn), k=rng.choice((1, 2, 4))))})


def _losses(rng: random.Random, cycle: CycleSettings, account: AccountSettings, name: str, account_name: str) -> Edit:
    """Less than has been lost already, or may soon be, and more; with one state after it or the other."""
    of_cycle, of_account = f"cycles.{name}.limits", f"accounts.{account_name}.limits"
    states = [action.value for action in OnDailyLoss]
    drawn: dict[str, Any] = {
        f"{of_cycle}.drawdown_max": rng.choice(LOSSES_MAX),
        f"{of_cycle}.on_drawdown": rng.choice(states),
        f"{of_account}.max_daily_loss": rng.choice(LOSSES_MAX),
        f"{of_account}.on_daily_loss": rng.choice(states),
        "limits.max_daily_loss": rng.choice(LOSSES_MAX),
        "limits.on_daily_loss": rng.choice(states),
    }
    return Edit(values={key: drawn[key] for key in sorted(rng.sample(sorted(drawn), k=rng.choice((1, 2, 4))))})


def _holdings(rng: random.Random, cycle: CycleSettings, account: AccountSettings, name: str, account_name: str) -> Edit:
    """How much a strategy may hold is another amount: less than it holds, or more than it may want. Only those that quote keep to it."""
    keys = sorted(f"cycles.{name}.limits.{key}" for key in ("net_buy_max", "net_sell_max", "inventory_max"))
    order_base = cycle.quantity / PRICES_AT_FIRST[cycle.symbol.base]
    drawn = {key: round(order_base * rng.choice(HOLDINGS_IN_ORDERS), 6) for key in keys}
    if STRATEGIES[cycle.strategy].kind is not StrategyKind.QUOTING:
        return _losses(rng, cycle, account, name, account_name)
    return Edit(values={key: drawn[key] for key in sorted(rng.sample(keys, k=rng.choice((1, 2, 3))))})


def _reactions(rng: random.Random, cycle: CycleSettings, account: AccountSettings, name: str, account_name: str) -> Edit:
    """What wakes a strategy that quotes; and what is done about what is not ours, which nobody makes us see here."""
    drawn: dict[str, Any] = {
        f"accounts.{account_name}.unexplained_balances": rng.choice(("report", "halt")),
        f"exchanges.{account.exchange}.taker_fee_fraction": 0.0005,
    }
    if STRATEGIES[cycle.strategy].kind is StrategyKind.QUOTING:
        drawn |= {
            f"cycles.{name}.react_to_move_fraction": rng.choice((Decimal(0), Decimal("0.00005"), Decimal("0.002"))),
            f"cycles.{name}.react_to_fills": rng.choice((False, True)),
        }
    return Edit(values={key: drawn[key] for key in sorted(rng.sample(sorted(drawn), k=rng.choice((1, 2))))})


def _run(rng: random.Random, cycle: CycleSettings, account: AccountSettings, name: str, account_name: str) -> Edit:
    """For how long it runs, counted from its start, and what a stop does: less than has passed stops it now."""
    drawn: dict[str, Any] = {
        "runtime.run_for_seconds": rng.choice((2.0, 30.0, 1_000_000.0)),
        "runtime.flatten_on_stop": rng.choice((False, True)),
    }
    return Edit(values={key: drawn[key] for key in sorted(rng.sample(sorted(drawn), k=rng.choice((1, 2))))})


def _all_at_once(rng: random.Random, cycle: CycleSettings, account: AccountSettings, name: str, account_name: str) -> Edit:
    drawn = [draw(rng, cycle, account, name, account_name) for draw in (_parameters, _cycle, _limits)]
    return Edit(values={key: value for edit in drawn for key, value in edit.values.items()}, is_fine=drawn[0].is_fine)


def _wrong(rng: random.Random, cycle: CycleSettings, account: AccountSettings, name: str, account_name: str) -> Edit:
    """Half written, misspelt, or against a rule: with a change that by itself would be fine."""
    fine = _limits(rng, cycle, account, name, account_name).values
    share = rng.uniform(0.05, 0.9)
    return rng.choice(
        (
            Edit(values=fine, is_fine=False, ruin=lambda text: text[: int(share * len(text))] + "= ["),
            Edit(values={**fine, f"cycles.{name}.quantitty": 3}, is_fine=False),
            Edit(values={**fine, f"cycles.{name}.quantity": cycle.quantity * 10_000}, is_fine=False),
            Edit(values={**fine, f"cycles.{name}.tick_seconds": -1}, is_fine=False),
        )
    )


def _needs_restart(rng: random.Random, cycle: CycleSettings, account: AccountSettings, name: str, account_name: str) -> Edit:
    fine = _all_at_once(rng, cycle, account, name, account_name).values
    log_files_kept, switch_seconds, seed = NEEDING_RESTART
    key, value = rng.choice(((log_files_kept, 7), (f"accounts.{account_name}.{switch_seconds}", 60), (seed, 7)))
    return Edit(values={**fine, key: value}, is_fine=False)


DRAWS = (
    *(_parameters, _parameters, _cycle, _limits, _limits, _others, _others, _all_at_once, _wrong, _needs_restart, _needs_restart),
    *(_losses, _losses, _holdings, _holdings, _reactions, _run),
)


def _reload_settings(rng: random.Random) -> Strike:
    seed, way = rng.getrandbits(32), rng.choice(WAYS)

    def begin(world: World, place: Place) -> Undo | None:
        file, runtime = world.settings_file, world.runtime
        if file is None or runtime is None or runtime.settings_desk is None or file.text != file.at_first:
            return None  # one hand at a time
        if way != "file" and not world.is_running:
            return None  # a file can be edited between two runs, too, and the next one begins with it
        desk = runtime.settings_desk
        if way != "file" and began_otherwise(file, desk.settings):
            return None  # nothing of this file can be taken over, however fine
        edit = _draw_edit(random.Random(seed), file.settings(file.table()), place, place.venue(world).account)
        if way == "set":
            for key, value in edit.values.items():
                _judge(world, runtime, desk.set(key, in_toml(value), by=BY), edit if len(edit.values) == 1 else replace(edit, is_fine=None))
            return partial(_give_back, world, edit)
        file.write(edited(file, edit))
        if way == "reload":
            world.nursery.start_soon(_reload, world, runtime, edit)
        return partial(_write_back, world)

    seconds = for_a_while(rng) + (SECONDS_UNTIL_SEEN if way == "file" else 0.0)
    return Strike(text=f"{way} {seed}", begin=begin, seconds=seconds)


def began_otherwise(file: WorldSettingsFile, running: Settings) -> bool:
    """Whether a run was begun with an edit that needs a restart, made between two runs, and the file has been written back since."""
    at_first, now = flat(file.settings(file.table())), flat(running)
    return any(at_first.get(key) != now.get(key) for key in at_first.keys() | now.keys() if key.endswith(NEEDING_RESTART))


async def _reload(world: World, runtime: Runtime, edit: Edit) -> None:
    if runtime.settings_desk is not None:
        _judge(world, runtime, await runtime.settings_desk.reload(by=BY), edit)


def _judge(world: World, runtime: Runtime, outcome: Outcome, edit: Edit) -> None:
    """What is fine is taken over, and nothing else is; but for a program that stops."""
    world.note(f"settings: {outcome.message}")
    current_cause().had_effect()
    if edit.is_fine not in (None, outcome.done) and not runtime.is_stopping and runtime is world.runtime:
        world.settings_misjudged.append(
            f"settings with {edit.values} were {'taken over' if outcome.done else 'refused'}: {outcome.message}"
        )


def _write_back(world: World) -> None:
    """The file is as it was at first; a program that runs sees that by itself."""
    if world.settings_file is not None:
        world.settings_file.write(world.settings_file.at_first)


def _give_back(world: World, edit: Edit) -> None:
    """Set every key to what the file says, the last one first: by the same way back."""
    file, runtime = world.settings_file, world.runtime
    if file is None or runtime is None or runtime.settings_desk is None or not world.is_running:
        return
    for key in reversed(edit.values):
        runtime.settings_desk.set(key, file.written(key), by=BY)


RELOAD = Kind(name="reload_settings", group=Group.OPERATOR, draw=_reload_settings)
