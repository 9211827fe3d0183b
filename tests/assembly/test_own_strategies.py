"""A strategy of one's own: found beside the settings file, read anew with it, and what is told of everything that can be wrong with it."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path

import pytest
from settings_files import KNOWN, STRATEGIES, WHOLE, load

from assembly import registry
from assembly.cycle_parts import cycle_terms, strategy_of
from assembly.decoding import SettingsError
from assembly.settings import Overrides
from assembly.settings_loading import load_settings
from assembly.strategies import StrategyKind

OWN = WHOLE.replace('strategy = "sell_on_top"', 'strategy = "here.grid:Grid"') + "[cycles.btc.parameters]\nlines = 3\n"
GRID = """
import msgspec
from here.spacing import SPACING

class GridParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    lines: int = 5

class Grid:
    Parameters = GridParameters
    history_seconds = 0.0

    def __init__(self, parameters):
        if parameters.lines > 100:
            raise ValueError("more lines than anybody needs")
        self.lines = parameters.lines
        self.spacing = SPACING

    def decide(self, view):
        raise NotImplementedError
"""


def write(folder: Path, name: str, text: str) -> None:
    path = folder / "here" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """A folder with a strategy in it."""
    write(tmp_path, "grid.py", GRID)
    write(tmp_path, "spacing.py", "SPACING = 7\n")
    return tmp_path


def message(folder: Path, text: str = OWN, **changed: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load(folder, text, changed=changed)
    found = str(caught.value)
    assert "\n" not in found
    return found.removeprefix(f"{folder / 'config.toml'}: ")


# Found


def test_class_is_found_beside_the_settings_file_with_what_it_imports_and_made_from_its_parameters(beside: Path) -> None:
    settings = load(beside, OWN)
    strategy = cycle_terms(settings, "btc").strategy.strategy
    assert (strategy.lines, strategy.spacing) == (3, 7)
    assert strategy_of(settings, "btc").kind is StrategyKind.QUOTING
    assert settings.cycles["btc"].cycles == 0, "until it is stopped"


def test_nobody_else_sees_the_folder_whether_the_strategy_loads_or_not(beside: Path) -> None:
    before = list(sys.path)
    load(beside, OWN)
    assert sys.path == before
    write(beside, "grid.py", "1 / 0")
    message(beside)
    assert sys.path == before


def test_module_is_read_anew_with_the_settings(beside: Path) -> None:
    load(beside, OWN)
    write(beside, "spacing.py", "SPACING = 70\n")
    assert cycle_terms(load(beside, OWN), "btc").strategy.strategy.spacing == 70


def test_program_s_own_modules_stay_as_they_are_where_the_settings_lie_beside_them(beside: Path) -> None:
    before = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in ("assembly", "market", "actors")}
    folder = Path(__file__).parents[2]
    load_settings(folder / "config.toml", environment={}, known_exchanges=KNOWN, strategies=STRATEGIES)
    load(beside, OWN)
    assert all(sys.modules[name] is module for name, module in before.items())


def test_two_cycles_share_one_class(beside: Path) -> None:
    second = OWN[OWN.index("[cycles.btc]") :].replace("cycles.btc", "cycles.eth").replace("lines = 3", "lines = 4")
    settings = load(beside, OWN + second)
    first, other = (cycle_terms(settings, name).strategy for name in ("btc", "eth"))
    assert type(first) is type(other)
    assert (first.strategy.lines, other.strategy.lines) == (3, 4)


def test_module_needs_no_package(tmp_path: Path) -> None:
    (tmp_path / "grid_of_mine.py").write_text(GRID.replace("from here.spacing import SPACING", "SPACING = 1"))
    settings = load(tmp_path, OWN.replace("here.grid:Grid", "grid_of_mine:Grid"))
    assert cycle_terms(settings, "btc").strategy.strategy.lines == 3


# Not found


def test_missing_module_is_told_with_the_place_where_it_is_looked_for(tmp_path: Path) -> None:
    place = tmp_path / "here" / "grid.py"
    assert message(tmp_path) == (
        f"cycles.btc.strategy: there is no {place}; a strategy's module is looked for in the settings file's folder"
    )


def test_name_without_a_class_is_told_how_to_write_it(beside: Path) -> None:
    found = message(beside, OWN.replace("here.grid:Grid", "here.grid"))
    assert found == 'cycles.btc.strategy is "here.grid"; expected a module and a class in it, as "my_strategies.grid:Grid"'


def test_missing_class_is_told_with_those_that_there_are(beside: Path) -> None:
    found = message(beside, OWN.replace("grid:Grid", "grid:Gird"))
    assert found.endswith('has no class Gird. Did you mean "Grid"? There is: GridParameters, Grid.')


def test_name_that_the_program_has_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "market").mkdir()
    (tmp_path / "market" / "grid.py").write_text(GRID)
    found = message(tmp_path, OWN.replace("here.grid:Grid", "market.grid:Grid"))
    assert found == "cycles.btc.strategy: the name market is taken by another module of the program; give the strategy's another name"


# Not usable


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("x = 1\n1 / 0\n", "importing here.grid failed: ZeroDivisionError: division by zero, line 2 of "),
        ("def decide(:\n", "importing here.grid failed: SyntaxError: "),
        ("import absent_module\n", "importing here.grid failed: ModuleNotFoundError: No module named 'absent_module', line 1"),
        (GRID.replace("    Parameters = GridParameters\n", ""), "here.grid:Grid has no Parameters: give the class an attribute of that"),
        (GRID.replace("def decide", "def decides"), "here.grid:Grid has no decide; docs/writing_a_strategy.md"),
        (GRID.replace("    history_seconds = 0.0\n", ""), "here.grid:Grid has no history_seconds; docs/"),
    ],
)  # fmt: skip
def test_module_that_cannot_be_used_is_told_why(beside: Path, broken: str, told: str) -> None:
    write(beside, "grid.py", broken)
    found = message(beside)
    assert found.startswith(f"cycles.btc.strategy: {told}")


def test_line_of_an_error_is_that_of_the_user_s_own_file(beside: Path) -> None:
    write(beside, "spacing.py", "\n\nSPACING = int('seven')\n")
    assert message(beside).endswith(f", line 3 of {beside / 'here' / 'spacing.py'}")


def test_parameters_are_checked_as_those_of_any_strategy(beside: Path) -> None:
    found = message(beside, OWN.replace("lines = 3", "line = 3"))
    assert found == 'cycles.btc.parameters.line is not a known key. Did you mean "lines"? The keys of [cycles.btc.parameters] are: lines.'


def test_class_that_does_not_take_its_parameters_is_told(beside: Path) -> None:
    found = message(beside, OWN.replace("lines = 3", "lines = 300"))
    assert found == ("cycles.btc.parameters: here.grid:Grid cannot be made from its parameters: ValueError: more lines than anybody needs")


# The keys of quoting cycles

QUOTING = WHOLE.replace('strategy = "sell_on_top"', 'strategy = "quoting"')


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (WHOLE + "react_to_fills = false\n", "cycles.btc.react_to_fills is for quoting strategies, and sell_on_top trades in rounds"),
        (WHOLE + "limits = { inventory_max = 1 }\n", "cycles.btc.limits.inventory_max is for quoting strategies, and"),
        (QUOTING + "cycles = 3\n", "cycles.btc.cycles counts rounds, and quoting has none: it quotes until it is stopped; leave it out"),
        (QUOTING + "tick_seconds = 0.001\n", "cycles.btc.tick_seconds is 0.001; expected 0.01 or more"),
        (QUOTING + "react_to_move_fraction = 5\n", "cycles.btc.react_to_move_fraction is 5; expected a fraction below 1: 0.0005 is 0.05 %"),
        (QUOTING + "react_to_move_fraction = -1\n", "cycles.btc.react_to_move_fraction is -1; expected a number of 0 or more"),
        (QUOTING + 'reference_exchange = "okx_spot"\n', 'cycles.btc.reference_exchange is "okx_spot", but there is no [exchanges'),
        (QUOTING + 'reference_exchange = "gateio_spot"\n', "cycles.btc: the reference is BTC/USDT on gateio_spot, the cycle's own market;"),
        (QUOTING + 'reference_symbol = "DOGE_USDT"\n', "cycles.btc.reference_symbol is DOGE/USDT, which the simulated gateio_spot does"),
    ],
)  # fmt: skip
def test_keys_that_do_not_go_with_the_strategy_are_told(tmp_path: Path, text: str, told: str) -> None:
    assert message(tmp_path, text).startswith(told)


def test_reference_market_may_be_on_an_exchange_without_an_account_or_another_one_of_the_same(tmp_path: Path) -> None:
    elsewhere = QUOTING + 'reference_exchange = "okx_spot"\n[exchanges.okx_spot]\nmode = "simulated"\n'
    assert [str(part) for part in load(tmp_path, elsewhere).reference_of("btc") or ()] == ["okx_spot", "BTC/USDT"]
    here = QUOTING + 'reference_symbol = "ETH_USDT"\n'
    assert [str(part) for part in load(tmp_path, here).reference_of("btc") or ()] == ["gateio_spot", "ETH/USDT"]
    assert load(tmp_path, QUOTING).reference_of("btc") is None


def test_embedded_exchange_that_only_shows_its_books_can_be_served(tmp_path: Path) -> None:
    settings = load(tmp_path, QUOTING + 'reference_exchange = "okx_spot"\n[exchanges.okx_spot]\nmode = "simulated"\n')
    assert [len(exchange.simulation.accounts) for exchange in settings.exchanges.values()] == [1, 1]


def test_terms_have_what_the_cycle_s_keys_say(tmp_path: Path) -> None:
    text = QUOTING + "tick_seconds = 0.1\nreact_to_move_fraction = 0\nreact_to_fills = false\nlimits = { net_buy_max = 2 }\n"
    settings = load(tmp_path, text)
    assert (settings.cycles["btc"].react_to_move_fraction, settings.cycles["btc"].react_to_fills) == (Decimal(0), False)
    assert settings.cycles["btc"].limits.net_buy_max == 2


def test_strategy_that_goes_by_a_reference_price_is_refused_without_a_reference_market(tmp_path: Path) -> None:
    text = WHOLE.replace('strategy = "sell_on_top"', 'strategy = "quoting"')
    by_reference = text + '[cycles.btc.parameters]\nprice_source = "reference_mid"\n'
    path = tmp_path / "config.toml"
    path.write_text(by_reference, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"cycles\.btc\.reference_exchange and cycles\.btc\.reference_symbol are missing, and cycles"):
        load_settings(path, overrides=Overrides(), environment={}, known_exchanges=KNOWN, strategies=registry.STRATEGIES)
    path.write_text(by_reference.replace("quantity = 100", 'quantity = 100\nreference_symbol = "ETH_USDT"'), encoding="utf-8")
    load_settings(path, overrides=Overrides(), environment={}, known_exchanges=KNOWN, strategies=registry.STRATEGIES)
