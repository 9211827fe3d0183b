"""Where other settings are taken over, all of them or none, in one step between any two others of the program.

Theory of operation. What runs is always what a whole table comes to: that of the file as it was taken over last, with what mm-ctl has
set laid over it, decoded and checked by what a start uses. A key that the file has changed since counts as the file says; one that
only mm-ctl has set stays as it was set. Settings that differ from the running ones in a key that needs a restart (`keys`) are refused
as a whole. Nothing waits between the decision and its taking effect, so that no order is checked by half of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Protocol, cast

import msgspec
import tomli
import trio

from actors.cycle.terms import CycleTerms
from assembly.cycle_parts import CycleParts, strategy_of
from assembly.decoding import SettingsError, nearest
from assembly.presenter.report import Notice
from assembly.reloading.difference import NONE, Difference, differences, flat, in_words
from assembly.reloading.events import SettingChanged, SettingsRefused
from assembly.reloading.keys import Applied, applied
from assembly.reloading.source import SettingsSource
from assembly.settings import Settings, live_permissions
from assembly.settings_loading import FileRead, Stamp, Table
from assembly.strategies import StrategyKind
from supervision.errors import one_line

KEYS_TOLD_MAX = 20


class Changeable(Protocol):
    """What runs by the settings (`assembly.tree.Tree`)."""

    @property
    def cycles(self) -> Mapping[str, CycleParts]: ...

    def terms_of(self, settings: Settings) -> Mapping[str, CycleTerms[object]]: ...

    def change(self, settings: Settings, terms: Mapping[str, CycleTerms[object]]) -> None: ...


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a request, in lines for a person. `done` False: nothing was changed."""

    done: bool
    message: str
    changes: tuple[SettingChanged, ...] = ()


class SettingsDesk:
    """One run's. `began_with` is the file as this run was started with, which came to `settings`.

    `on_change` is called with other settings right after `runs` goes by them, before any event tells of it.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        source: SettingsSource,
        began_with: FileRead,
        runs: Changeable,
        on_change: Callable[[Settings], None],
        is_stopping: Callable[[], bool],
        report: Callable[[object], None],
    ) -> None:
        self.settings = settings
        """Those that run."""
        self._source = source
        self._stamp = began_with.stamp
        self._digest = began_with.digest
        self._table: Table = began_with.table or {}
        self._set: dict[str, object] = {}  # by mm-ctl, as it stands in a file
        self._refused: tuple[bytes, str] | None = None  # told already of this content
        self._runs = runs
        self._on_change = on_change
        self._is_stopping = is_stopping
        self._report = report
        self._reading = trio.Lock()

    @property
    def stamp(self) -> Stamp | None:
        """The file's, as it was read last, whatever came of it."""
        return self._stamp

    async def reload(self, *, by: str, is_repeated: bool = False) -> Outcome:
        """Read the file again and take it over. Who `is_repeated` hears of the same content once. Cancelled: nothing was changed."""
        async with self._reading:
            read = await self._source.read()
            return self._take(read, by, is_repeated=is_repeated)

    def set(self, key: str, text: str, *, by: str) -> Outcome:
        """Give one key another value, until the file changes it, or this run ends. It is written as in the file, where quotes may be left
        out; `none` is as if it did not stand there."""
        known = flat(self.settings)
        if key not in known:
            return self._refuse(f'there is no setting "{key}".{nearest(key, known)}', by)
        said = {**self._set, key: _value(text)}
        try:
            settings = self._come_to(self._table, said)
        except SettingsError as error:
            return self._refuse(str(error), by)
        outcome = self._apply(settings, by)
        if not outcome.done:
            return outcome
        self._set = said
        value, in_file = in_words(flat(settings).get(key)), self._of_file(key)
        if in_file == value:
            del self._set[key]
        if not outcome.changes:
            return msgspec.structs.replace(outcome, message=f"{key} is {value} already.")
        if in_file == value:
            return outcome
        lasts = f"This run only: {self._source.name} says {in_file}, and a restart goes by that."
        return msgspec.structs.replace(outcome, message=f"{outcome.message}\n{lasts}")

    def set_by_hand(self) -> dict[str, tuple[str, str]]:
        """What differs from the file, because mm-ctl has set it: each key's value, and what the file comes to."""
        running = flat(self.settings)
        return {key: (in_words(running.get(key)), self._of_file(key)) for key in self._set}

    def _of_file(self, key: str) -> str:
        """What the file, as it was taken over last, comes to without what was set."""
        try:
            return in_words(flat(self._come_to(self._table, {})).get(key))
        except SettingsError:  # it was whole only with what was set
            return "something else"

    # Deciding

    def _take(self, read: FileRead, by: str, *, is_repeated: bool) -> Outcome:
        self._stamp = read.stamp
        if read.table is None:
            return self._refuse(read.problem, by, content=read.digest if is_repeated else None)
        said = {key: value for key, value in self._set.items() if _at(read.table, key) == _at(self._table, key)}
        try:
            settings = self._come_to(read.table, said)
        except SettingsError as error:
            return self._refuse(str(error), by, content=read.digest if is_repeated else None)
        outcome = self._apply(settings, by, content=read.digest if is_repeated else None)
        if not outcome.done:
            return outcome
        is_new, self._digest = read.digest != self._digest, read.digest
        self._table, self._set, self._refused = read.table, said, None
        if not outcome.changes and (is_new or not is_repeated):
            self._report(Notice(f"{by}: {outcome.message}"))
        left = [
            f"Still {value}, as set by mm-ctl: {key} (the file says {in_file})." for key, (value, in_file) in self.set_by_hand().items()
        ]
        return msgspec.structs.replace(outcome, message="\n".join([outcome.message, *left]))

    def _come_to(self, table: Table, said: Mapping[str, object]) -> Settings:
        for key, value in said.items():
            table = _with(table, key.split("."), value)
        return self._source.settings(table, winning=said.keys())

    def _apply(self, settings: Settings, by: str, *, content: bytes | None = None) -> Outcome:
        """Go by these settings; refused if any difference needs a restart, or the run is ending."""
        if self._is_stopping():
            return self._refuse("the program is stopping", by, content=content)
        found = differences(self.settings, settings)
        fixed = [difference for difference in found if difference.note or applied(difference.key).needs_restart]
        if fixed:
            besides = f" Nothing else of it was taken over either: {_named(_besides(found, fixed))}." if len(fixed) < len(found) else ""
            return self._refuse(f"needs a restart: {_named(fixed)}.{besides}", by, content=content)
        if not found:
            return Outcome(done=True, message=f"Nothing in {self._source.name} differs from what runs.")
        try:
            terms = self._runs.terms_of(settings)
        except Exception as error:  # noqa: BLE001  of a strategy of somebody's own, whose parameters it may refuse in any way
            return self._refuse(f"a strategy cannot be made: {one_line(error)}", by, content=content)
        over = [name for name in settings.cycles if _concerns(found, name) and _is_over(self._runs.cycles.get(name))]
        before, self.settings = self.settings, settings
        self._runs.change(settings, terms)
        self._on_change(settings)
        changes = tuple(_changed(difference, by, settings) for difference in found)
        for change in changes:
            self._report(change)
        for line in live_permissions(settings):
            if line not in live_permissions(before):
                self._report(Notice(line))
        lines = [f"{change.key}: {change.before} -> {change.after}, {change.applies}" for change in changes]
        lines += [f"The rounds of cycle {name} are done: nothing changes for it in this run." for name in over]
        return Outcome(done=True, message="\n".join(lines), changes=changes)

    def _refuse(self, reason: str, by: str, *, content: bytes | None = None) -> Outcome:
        """Nothing changes. Of one `content` it is told once."""
        if content is None or self._refused != (content, reason):
            self._report(SettingsRefused(by=by, reason=reason))
        self._refused = None if content is None else (content, reason)
        return Outcome(done=False, message=f"Refused, and nothing was changed: {reason}")


def _changed(difference: Difference, by: str, settings: Settings) -> SettingChanged:
    holds = applied(difference.key)
    if holds is Applied.FROM_NEXT_ROUND and strategy_of(settings, difference.key.split(".")[1]).kind is StrategyKind.QUOTING:
        holds = Applied.FROM_NEXT_DECISION
    return SettingChanged(
        key=difference.key,
        before=in_words(difference.before),
        after=in_words(difference.after),
        by=by,
        applies=holds.value,
    )


def _named(found: Iterable[Difference]) -> str:
    names = [str(difference) for difference in found]
    more = f" and {len(names) - KEYS_TOLD_MAX} more" if len(names) > KEYS_TOLD_MAX else ""
    return f"{', '.join(names[:KEYS_TOLD_MAX])}{more}"


def _besides(found: Iterable[Difference], fixed: Iterable[Difference]) -> list[Difference]:
    keys = {difference.key for difference in fixed}
    return [difference for difference in found if difference.key not in keys]


def _concerns(found: Iterable[Difference], cycle: str) -> bool:
    return any(difference.key.startswith(f"cycles.{cycle}.") for difference in found)


def _is_over(cycle: CycleParts | None) -> bool:
    """Whether a cycle has done all its rounds, by what it has gone by so far."""
    return cycle is not None and 0 < cycle.terms.rounds_max <= cycle.memory.rounds_completed


# Tables


ABSENT = object()


def _value(text: str) -> object:
    """What stands behind the equals sign in a file; what cannot stand there is a text without its quotes, or stands for nothing."""
    if text == NONE:
        return ABSENT
    try:
        return tomli.loads(f"value = {text}", parse_float=Decimal)["value"]
    except (tomli.TOMLDecodeError, ValueError, RecursionError):
        return text


def _at(table: Table, key: str) -> object:
    """What stands at a key; None if nothing does."""
    first, *rest = key.split(".", 1)
    inner = table.get(first)
    if not rest:
        return inner
    return _at(cast("Table", inner), rest[0]) if isinstance(inner, dict) else None


def _with(table: Table, path: list[str], value: object) -> Table:
    """The table with another value there; the tables on the way are made where they are missing."""
    first, *rest = path
    if not rest:
        return {key: item for key, item in table.items() if key != first} if value is ABSENT else {**table, first: value}
    inner = table.get(first, {})
    if not isinstance(inner, dict):
        raise SettingsError(f"{first} is no table")
    return {**table, first: _with(cast("Table", inner), rest, value)}
