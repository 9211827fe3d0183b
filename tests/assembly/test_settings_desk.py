"""Other settings for a run: what is taken over, all of it or nothing, what is refused in which words, and what wins over what."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest
import trio
from settings_files import WHOLE

from actors.accounts.policies import ForeignOrders
from actors.cycle.rounds.sell_on_top import SellOnTop
from actors.cycle.terms import TermsChanged
from assembly.presenter.report import Notice
from assembly.registry import EXCHANGES, STRATEGIES
from assembly.reloading.difference import flat
from assembly.reloading.events import SettingChanged, SettingsRefused
from assembly.reloading.source import DiskSource
from assembly.reloading.watch import LOOK_SECONDS, watch_settings
from assembly.runtime import Runtime
from assembly.settings import Overrides, Settings
from assembly.settings_loading import FileRead, SettingsFile, table_of
from market.clock import VirtualWallClock
from supervision.child import ChildContext

QUANTITY = "cycles.btc.quantity"
OFFSET = "cycles.btc.parameters.price_offset_ticks"
LIMIT = "accounts.main.limits.max_order_notional"


class DiskAtOnce(DiskSource):
    """A disk that answers without a thread, for tests in virtual time."""

    def __init__(self, file: SettingsFile) -> None:
        super().__init__(file)
        self._at_once = file

    async def stamp(self) -> tuple[int, int, int] | None:
        await trio.lowlevel.checkpoint()
        return self._at_once.stamp()

    async def read(self) -> FileRead:
        await trio.lowlevel.checkpoint()
        return self._at_once.read()


class Run:
    """A run that was started with a file. Nothing of it moves: what it would go by next can be looked at."""

    def __init__(
        self, folder: Path, text: str = WHOLE, *, overrides: Overrides | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        self.path = folder / "config.toml"
        self.text = text
        self.path.write_text(text, encoding="utf-8")
        file = SettingsFile(
            self.path,
            overrides=overrides or Overrides(),
            environment=environment or {},
            known_exchanges={name: entry.known for name, entry in EXCHANGES.items()},
            strategies=STRATEGIES,
        )
        read = file.read()
        self.events: list[object] = []
        self.source = DiskAtOnce(file)
        self.runtime = Runtime(
            file.settings(table_of(read)),
            wall_clock=VirtualWallClock(),
            seed=1,
            report=self.events.append,
            source=self.source,
            read=read,
        )
        assert self.runtime.settings_desk is not None
        self.desk = self.runtime.settings_desk
        self.tree = self.runtime.tree

    def write(self, changed: Mapping[str, str], *, add: str = "") -> None:
        """The file as it was at the start, but for this."""
        text = self.text
        for old, new in changed.items():
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        self.path.write_text(text + add, encoding="utf-8")

    def value(self, key: str) -> object:
        return flat(self.desk.settings)[key]

    @property
    def told(self) -> list[str]:
        """What was said of settings."""
        said: list[str] = []
        for event in self.events:
            match event:
                case SettingChanged():
                    said.append(f"{event.key} {event.before} -> {event.after} by {event.by}")
                case SettingsRefused():
                    said.append(f"refused by {event.by}: {event.reason}")
                case Notice():
                    said.append(event.text)
                case _:
                    pass
        return said


@pytest.fixture
async def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


# The file


async def test_quantity_of_a_cycle_without_rounds_holds_from_its_next_decision_on(tmp_path: Path) -> None:
    run = Run(tmp_path, WHOLE.replace("sell_on_top", "quoting"))
    assert run.desk.set(QUANTITY, "50", by="mm-ctl").message.startswith(f"{QUANTITY}: 100 -> 50, from the cycle's next decision on\n")


async def test_changed_keys_are_taken_over_together_and_told_each_with_both_values_and_who_asked(run: Run) -> None:
    run.write(
        {
            "quantity = 100": "quantity = 80.50\n[cycles.btc.parameters]\nprice_offset_ticks = 3",
            "max_order_notional = 200": "max_order_notional = 90",
        }
    )
    outcome = await run.desk.reload(by="SIGHUP")
    assert outcome.done
    assert run.told == [
        f"{LIMIT} 200 -> 90 by SIGHUP",
        f"{QUANTITY} 100 -> 80.50 by SIGHUP",
        f"{OFFSET} 1 -> 3 by SIGHUP",
    ]
    assert outcome.message.splitlines() == [
        f"{LIMIT}: 200 -> 90, from the next order on",
        f"{QUANTITY}: 100 -> 80.50, from the cycle's next round on",
        f"{OFFSET}: 1 -> 3, from the cycle's next decision on",
    ]


async def test_what_runs_goes_by_them_in_the_same_step(run: Run) -> None:
    run.write(
        {
            "quantity = 100": "quantity = 80\ncycles = 7\ntick_seconds = 0.5\nparameters = { price_offset_ticks = 3 }",
            'mode = "simulated"': 'mode = "simulated"\nbook_max_age_seconds = 2',
            'exchange = "gateio_spot"': 'exchange = "gateio_spot"\nforeign_orders = "halt"',
        }
    )
    assert (await run.desk.reload(by="mm-ctl")).done
    cycle, account, exchange = run.tree.cycles["btc"], run.tree.accounts["main"], run.tree.exchanges["gateio_spot"]
    terms = cycle.terms
    assert (terms.quote_quantity, terms.rounds_max, terms.tick_seconds, terms.book_age_seconds_max) == (Decimal(80), 7, 0.5, 2.0)
    assert isinstance(terms.strategy, SellOnTop)
    told = cycle.inbox.receive_nowait()
    assert isinstance(told, TermsChanged)
    assert told.terms is terms
    assert account.policies.foreign_orders is ForeignOrders.HALT
    assert exchange.feed_settings.max_age_seconds == 2.0
    assert exchange.settings.book_max_age_seconds == 2.0


@pytest.mark.parametrize(
    ("changed", "add", "named"),
    [
        ({'installation = "mm"': 'installation = "mn"'}, "", "runtime.installation"),
        (
            {'mode = "simulated"': 'mode = "simulated"\n[exchanges.gateio_spot.simulation]\nseed = 9'},
            "",
            "exchanges.gateio_spot.simulation.seed",
        ),
        ({'symbol = "BTC_USDT"': 'symbol = "ETH_USDT"'}, "", "cycles.btc.symbol"),
        (
            {'exchange = "gateio_spot"': 'exchange = "gateio_spot"\ndead_mans_switch_seconds = 0'},
            "",
            "accounts.main.dead_mans_switch_seconds",
        ),
        (
            {},
            '[cycles.eth]\nstrategy = "sell_on_top"\naccount = "main"\nsymbol = "ETH_USDT"\nquantity = 10',
            "cycles.eth (is new)",
        ),
        ({}, "[exchanges.okx_spot]", "exchanges.okx_spot (is new)"),
        ({"[cycles.btc]": "[cycles.coin]"}, "", "cycles.coin (is new), cycles.btc (is gone)"),
    ],
)
async def test_key_that_needs_a_restart_has_the_whole_file_refused_by_its_name(
    run: Run, changed: dict[str, str], add: str, named: str
) -> None:
    before = run.desk.settings
    run.write({**changed, "max_position_notional = 500": "max_position_notional = 400"}, add=add)
    outcome = await run.desk.reload(by="SIGHUP")
    besides = " Nothing else of it was taken over either: accounts.main.limits.max_position_notional."
    assert run.told == [f"refused by SIGHUP: needs a restart: {named}.{besides}"]
    assert (outcome.done, outcome.changes) == (False, ())
    assert run.desk.settings is before
    assert run.tree.cycles["btc"].inbox.statistics().pending == 0


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"quantity = 100": "quantity = "}, ":19:12: Invalid value in this line: quantity ="),
        ({"quantity = 100": "quantity = 201"}, ": cycles.btc.quantity is 201, more than accounts.main.limits.max_order_notional = 200"),
        ({"quantity = 100": "quantity = 100\nquantitty = 3"}, ": cycles.btc.quantitty is not a known key."),
        (
            {"quantity = 100": "quantity = 100\nparameters = { price_offset_ticks = -1 }"},
            ": cycles.btc.parameters.price_offset_ticks is -1; expected 0 or more",
        ),
    ],
)
async def test_file_that_could_not_be_started_with_is_refused_with_what_a_start_would_say(
    run: Run, changed: dict[str, str], reason: str
) -> None:
    before = run.desk.settings
    run.write(changed)
    assert not (await run.desk.reload(by="SIGHUP")).done
    assert run.told[0].startswith(f"refused by SIGHUP: {run.path}{reason}")
    assert len(run.told) == 1
    assert run.desk.settings is before


async def test_file_that_is_gone_is_refused_and_what_runs_stays(run: Run) -> None:
    run.path.unlink()
    assert not (await run.desk.reload(by="SIGHUP")).done
    assert run.told == [f"refused by SIGHUP: {run.path}: there is no such file; the first argument is the path of the settings file"]


async def test_command_line_and_environment_win_over_the_file_as_at_a_start(tmp_path: Path) -> None:
    run = Run(tmp_path, overrides=Overrides(quantity=Decimal(60), cycles=2), environment={"LOG_LEVEL": "error"})
    run.write(
        {"quantity = 100": "quantity = 80\ncycles = 9\ntick_seconds = 3", 'installation = "mm"': 'installation = "mm"\nlog_level = "DEBUG"'}
    )
    await run.desk.reload(by="SIGHUP")
    assert run.told == ["cycles.btc.tick_seconds 1 -> 3 by SIGHUP"]


async def test_stopping_program_takes_nothing_over(run: Run) -> None:
    run.runtime.request_stop("it is late")
    assert run.desk.set(QUANTITY, "50", by="mm-ctl").message == "Refused, and nothing was changed: the program is stopping"


async def test_strategy_that_cannot_be_made_is_a_refusal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(settings: Settings) -> None:
        raise LookupError("no such curve")

    monkeypatch.setattr(run.tree, "terms_of", fail)
    assert "a strategy cannot be made: LookupError: no such curve" in run.desk.set(OFFSET, "3", by="mm-ctl").message
    assert run.value(OFFSET) == 1


# What mm-ctl sets


async def test_set_changes_what_runs_and_says_what_the_file_says(run: Run) -> None:
    outcome = run.desk.set(QUANTITY, "150.5", by="mm-ctl")
    assert outcome.message.splitlines() == [
        f"{QUANTITY}: 100 -> 150.5, from the cycle's next round on",
        f"This run only: {run.path} says 100, and a restart goes by that.",
    ]
    assert (run.value(QUANTITY), run.told) == (Decimal("150.5"), [f"{QUANTITY} 100 -> 150.5 by mm-ctl"])
    assert run.desk.set_by_hand() == {QUANTITY: ("150.5", "100")}
    assert run.desk.set(QUANTITY, "150.5", by="mm-ctl").message == f"{QUANTITY} is 150.5 already."
    run.desk.set(QUANTITY, "100", by="mm-ctl")
    assert run.desk.set_by_hand() == {}


@pytest.mark.parametrize(
    ("key", "text", "reason"),
    [
        ("cycles.btc.quantitty", "3", 'there is no setting "cycles.btc.quantitty". Did you mean "cycles.btc.quantity"?'),
        (QUANTITY, "300", "cycles.btc.quantity is 300, more than accounts.main.limits.max_order_notional = 200"),
        (QUANTITY, "many", 'cycles.btc.quantity is "many"; expected a number above 0'),
        (OFFSET, "-1", "cycles.btc.parameters.price_offset_ticks is -1; expected 0 or more"),
        ("cycles.btc.symbol", "ETH_USDT", "needs a restart: cycles.btc.symbol."),
        ("limits.max_open_orders", "1.5", "limits.max_open_orders is a number with a fraction; expected a whole number of 1 or more"),
    ],
)
async def test_set_is_checked_as_the_file_is(run: Run, key: str, text: str, reason: str) -> None:
    outcome = run.desk.set(key, text, by="mm-ctl")
    assert not outcome.done
    assert reason in outcome.message
    assert len(run.told) == 1
    assert run.desk.set_by_hand() == {}


async def test_texts_need_no_quotes_and_a_table_is_made_where_the_file_has_none(run: Run) -> None:
    assert run.desk.set("runtime.log_level", "debug", by="mm-ctl").done
    assert run.desk.set("limits.on_breach", '"halt"', by="mm-ctl").done
    assert run.desk.set(OFFSET, "4", by="mm-ctl").done
    assert [change.partition(" by")[0] for change in run.told] == [
        "runtime.log_level INFO -> DEBUG",
        "limits.on_breach refuse -> halt",
        f"{OFFSET} 1 -> 4",
    ]


async def test_none_takes_away_what_the_file_says_and_gives_back_what_it_does_not_say(run: Run) -> None:
    assert run.desk.set(LIMIT, "none", by="mm-ctl").done
    assert run.value(LIMIT) is None
    assert run.desk.set_by_hand() == {LIMIT: ("none", "200")}
    assert run.desk.set("limits.max_open_orders", "5", by="mm-ctl").done
    assert run.desk.set("limits.max_open_orders", "none", by="mm-ctl").done
    assert run.desk.set_by_hand() == {LIMIT: ("none", "200")}
    refused = run.desk.set("cycles.btc.quantity", "none", by="mm-ctl")
    assert "cycles.btc.quantity is missing; expected a number above 0" in refused.message


async def test_set_wins_over_command_line_and_environment(tmp_path: Path) -> None:
    run = Run(tmp_path, overrides=Overrides(quantity=Decimal(60), run_for_seconds=9.0), environment={"LOG_LEVEL": "error"})
    for key, text, value in ((QUANTITY, "70", Decimal(70)), ("runtime.run_for_seconds", "99", 99.0), ("runtime.log_level", "INFO", "INFO")):
        assert run.desk.set(key, text, by="mm-ctl").done
        assert run.value(key) == value


async def test_file_that_changes_elsewhere_leaves_what_was_set_and_says_so(run: Run) -> None:
    run.desk.set(QUANTITY, "150", by="mm-ctl")
    run.write({"max_position_notional = 500": "max_position_notional = 400"})
    outcome = await run.desk.reload(by="SIGHUP")
    assert run.value(QUANTITY) == 150
    assert outcome.message.splitlines()[-1] == f"Still 150, as set by mm-ctl: {QUANTITY} (the file says 100)."


async def test_file_that_changes_a_key_that_was_set_wins(run: Run) -> None:
    run.desk.set(QUANTITY, "150", by="mm-ctl")
    run.write({"quantity = 100": "quantity = 120"})
    await run.desk.reload(by="SIGHUP")
    assert run.value(QUANTITY) == 120
    assert run.desk.set_by_hand() == {}


async def test_file_that_does_not_go_together_with_what_was_set_is_refused(run: Run) -> None:
    run.desk.set(QUANTITY, "150", by="mm-ctl")
    run.write({"max_order_notional = 200": "max_order_notional = 120"})
    assert not (await run.desk.reload(by="SIGHUP")).done
    assert (run.value(QUANTITY), run.value(LIMIT)) == (150, 200)
    run.desk.set(QUANTITY, "110", by="mm-ctl")
    assert (await run.desk.reload(by="SIGHUP")).done
    assert (run.value(QUANTITY), run.value(LIMIT)) == (110, 120)


async def test_refused_file_is_not_what_later_changes_are_made_to(run: Run) -> None:
    run.write({"max_order_notional = 200": "max_order_notional = 120", 'installation = "mm"': 'installation = "mn"'})
    assert not (await run.desk.reload(by="SIGHUP")).done
    assert run.desk.set(OFFSET, "2", by="mm-ctl").done
    assert (run.value(LIMIT), run.value("runtime.installation")) == (200, "mm")


async def test_cycle_whose_rounds_are_done_is_said_to_hear_nothing_of_it(run: Run) -> None:
    run.tree.cycles["btc"].memory.rounds_completed = 1
    assert run.desk.set("cycles.btc.cycles", "5", by="mm-ctl").message.splitlines()[1] == (
        "The rounds of cycle btc are done: nothing changes for it in this run."
    )


# The look at the file


@asynccontextmanager
async def watched(run: Run) -> AsyncGenerator[Callable[[float], object]]:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch_settings, run.desk, run.source, ChildContext("root/controls/settings"))
        await trio.sleep(LOOK_SECONDS / 2)
        yield trio.sleep
        nursery.cancel_scope.cancel()


async def test_file_is_taken_over_once_it_has_stood_still_for_a_look(run: Run, autojump_clock: object) -> None:
    async with watched(run):
        for number in range(5):
            run.write({"quantity = 100": f"quantity = {100 + number}"}, add="#" * number)
            await trio.sleep(LOOK_SECONDS)
            assert run.told == [], "it is still being written"
        await trio.sleep(2 * LOOK_SECONDS)
        assert run.told == [f"{QUANTITY} 100 -> 104 by the file"]


async def test_broken_file_is_told_once_for_each_content_however_often_it_is_saved(run: Run, autojump_clock: object) -> None:
    async with watched(run):
        for add in ("[", "[", "[["):
            run.write({}, add=add)
            await trio.sleep(3 * LOOK_SECONDS)
            run.path.touch()
            await trio.sleep(10 * LOOK_SECONDS)
        assert len(run.told) == 2
        run.write({})
        await trio.sleep(3 * LOOK_SECONDS)
        assert len(run.told) == 2, "it is as it was"


async def test_file_that_is_replaced_by_another_of_the_same_size_and_age_is_seen(run: Run, autojump_clock: object) -> None:
    async with watched(run):
        age = run.path.stat()
        other = run.path.with_name("config.new")
        other.write_text(run.text.replace("quantity = 100", "quantity = 101"))
        os.utime(other, ns=(age.st_atime_ns, age.st_mtime_ns))
        other.replace(run.path)
        await trio.sleep(3 * LOOK_SECONDS)
        assert run.told == [f"{QUANTITY} 100 -> 101 by the file"]


async def test_file_that_others_have_had_read_is_not_read_again(run: Run, autojump_clock: object) -> None:
    async with watched(run):
        run.write({"quantity = 100": "quantity = 120"})
        await run.desk.reload(by="SIGHUP")
        await trio.sleep(5 * LOOK_SECONDS)
        assert run.told == [f"{QUANTITY} 100 -> 120 by SIGHUP"]


async def test_comment_is_said_to_change_nothing(run: Run, autojump_clock: object) -> None:
    async with watched(run):
        run.write({}, add="# a word to whoever comes after me\n")
        await trio.sleep(3 * LOOK_SECONDS)
        assert run.told == [f"the file: Nothing in {run.path} differs from what runs."]
