"""The journal's versions, and the page that documents them."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import pytest

from actors.journal import schema
from actors.journal.records import ORDER_EVENTS
from orders.life_cycle import OrderState
from orders.request import OrderType, TimeInForce
from orders.states import TradingState

PAGE = (Path(__file__).parents[2] / "docs" / "journal.md").read_text(encoding="utf-8")
SECOND = ("ALTER TABLE runs ADD COLUMN mood TEXT", "UPDATE runs SET mood = 'calm'")


@pytest.fixture
def connection() -> Generator[sqlite3.Connection]:
    """An empty database."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        yield opened


def tables(connection: sqlite3.Connection) -> dict[str, list[tuple[str, bool]]]:
    """Columns by table: name, and whether it may be NULL. Keys of tables without row ids may not, whatever is written."""
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid")]
    return {
        name: [(row[1], not row[3] and not row[5]) for row in connection.execute("SELECT * FROM pragma_table_info(?)", (name,))]
        for name in names
    }


def schema_text(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    return connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()


# Versions


def test_new_file_gets_every_migration_and_says_what_it_is(connection) -> None:
    schema.migrate(connection)
    assert schema.version_of(connection) == schema.SCHEMA_VERSION == len(schema.MIGRATIONS)
    assert connection.execute("PRAGMA application_id").fetchone() == (schema.APPLICATION_ID,)
    assert schema.is_ours(connection)


def test_migrating_again_changes_nothing(connection) -> None:
    schema.migrate(connection)
    before = schema_text(connection)
    schema.migrate(connection)
    assert schema_text(connection) == before


def test_older_journal_is_brought_up_with_what_is_in_it(connection) -> None:
    schema.migrate(connection, schema.MIGRATIONS[:1])
    connection.execute("INSERT INTO runs (installation, version, began_at) VALUES ('mm', '0.1.0', 5)")
    schema.migrate(connection, (*schema.MIGRATIONS[:1], SECOND))
    assert schema.version_of(connection) == 2
    assert connection.execute("SELECT installation, began_at, mood FROM runs").fetchall() == [("mm", 5, "calm")]


@pytest.mark.parametrize("start", [0, 1], ids=["of a new file", "of an older journal"])
def test_migration_that_fails_leaves_everything_as_it_was(connection, start: int) -> None:
    schema.migrate(connection, schema.MIGRATIONS[:start])
    before = schema_text(connection)
    with pytest.raises(sqlite3.OperationalError):
        schema.migrate(connection, (*schema.MIGRATIONS[:1], SECOND, ("CREATE TABLE late (x)", "THIS IS NO SQL")))
    assert (schema.version_of(connection), schema_text(connection)) == (start, before)
    assert not connection.in_transaction


@pytest.mark.parametrize("version", range(1, schema.SCHEMA_VERSION))
def test_journal_of_every_earlier_version_becomes_what_a_new_one_is(connection, version: int) -> None:
    schema.migrate(connection, schema.MIGRATIONS[:version])
    schema.migrate(connection)
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as new:
        schema.migrate(new)
        assert schema_text(connection) == schema_text(new)


def test_other_programs_databases_are_not_ours(connection) -> None:
    assert schema.is_ours(connection), "an empty one may become ours"
    connection.execute("CREATE TABLE theirs (x)")
    assert not schema.is_ours(connection)
    connection.execute("DROP TABLE theirs")
    connection.execute("PRAGMA application_id = 7")
    assert not schema.is_ours(connection)


# The page


def documented() -> dict[str, list[tuple[str, bool]]]:
    sections = re.split(r"^### ", PAGE[PAGE.index("## Tables") :], flags=re.MULTILINE)[1:]
    return {
        section.split("\n", 1)[0]: [(name, bool(mark)) for name, mark in re.findall(r"^\| `(\w+)(\?)?` \|", section, re.MULTILINE)]
        for section in sections
    }


def test_page_has_exactly_the_tables_and_columns_in_their_order(connection) -> None:
    schema.migrate(connection)
    assert documented() == tables(connection)


def test_page_names_the_version_and_every_word_of_the_columns_that_have_few() -> None:
    assert f"Version {schema.SCHEMA_VERSION} (`PRAGMA user_version`)" in PAGE
    assert f"0x{schema.APPLICATION_ID:X}" in PAGE
    words = [*ORDER_EVENTS.values(), *(each.value for kind in (OrderType, TimeInForce, TradingState) for each in kind)]
    assert [word for word in words if f"`{word}`" not in PAGE] == []
    design = (Path(__file__).parents[2] / "docs" / "design.md").read_text(encoding="utf-8")
    assert "## An order's life" in design
    assert [state.value for state in OrderState if f"`{state.value}`" not in design] == []


def test_amounts_are_texts_and_times_are_whole_numbers(connection) -> None:
    schema.migrate(connection)
    kinds = {
        (table, row[1]): row[2]
        for table in tables(connection)
        for row in connection.execute("SELECT * FROM pragma_table_info(?)", (table,))
    }
    amounts = {
        name for _, name in kinds if re.search(r"price|quantity|quote|fee$|amount|total$|available|leverage|pnl|rounding|change$", name)
    }
    assert {kinds[key] for key in kinds if key[1] in amounts} == {"TEXT"}
    times = {key for key in kinds if key[1] == "at" or key[1].endswith("_at") or key[1] in ("until", "exchange_time")}
    assert {kinds[key] for key in times} == {"INTEGER"}
