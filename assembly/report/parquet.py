"""The tables as Parquet files, by pyarrow, which only the environment of `--parquet` has (`bin/mm-report`).

An amount is a decimal of as many digits as its column needs; where no 38 suffice it is its text.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

from actors.journal.figures import JournalFigures
from assembly.report.analysis import Choice
from assembly.report.export import Kind, Table, Values
from assembly.report.files import replacing

pyarrow: Any = import_module("pyarrow")  # it has no types of its own
parquet: Any = import_module("pyarrow.parquet")

ROWS_AT_A_TIME = 50_000
DIGITS_MAX = 38  # of a decimal128
DECIMALS_MIN = 18  # an order may have more of them when it is read for the second time than for the first


def write_parquet(table: Table, figures: JournalFigures, choice: Choice, folder: Path) -> int:
    """Write a table's file into `folder`; returns how many rows it has.

    Raises:
        FileNotWritten: it cannot be written.
        JournalBroken: the journal cannot be read.
    """
    schema = pyarrow.schema([(column.name, kind) for column, kind in zip(table.columns, _kinds(table, figures, choice), strict=True)])
    count = 0
    with replacing(folder / f"{table.name}.parquet") as path, parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        rows = table.rows(figures, choice)
        while batch := list(islice(rows, ROWS_AT_A_TIME)):
            columns = [_array(kind, [row[number] for row in batch]) for number, kind in enumerate(schema.types)]
            writer.write_table(pyarrow.Table.from_arrays(columns, schema=schema))
            count += len(batch)
    return count


def _array(kind: Any, values: list[Any]) -> Any:
    if pyarrow.types.is_decimal(kind):
        values = [None if value is None else Decimal(value) for value in values]
    elif pyarrow.types.is_floating(kind):
        values = [None if value is None else float(value) for value in values]
    elif pyarrow.types.is_boolean(kind):
        values = [None if value is None else bool(value) for value in values]
    elif pyarrow.types.is_string(kind):
        values = [None if value is None else str(value) for value in values]
    return pyarrow.array(values, type=kind)


def _kinds(table: Table, figures: JournalFigures, choice: Choice) -> list[Any]:
    """The types of the columns, amounts looked through for what they need."""
    plain = {
        Kind.NUMBER: pyarrow.int64(),
        Kind.TEXT: pyarrow.string(),
        Kind.TIME: pyarrow.timestamp("ms", tz="UTC"),
        Kind.FLAG: pyarrow.bool_(),
        Kind.SHARE: pyarrow.float64(),
    }
    amounts = {number: (1, 0) for number, column in enumerate(table.columns) if column.kind is Kind.AMOUNT}
    if amounts:
        _look_through(table.rows(figures, choice), amounts)
    return [plain[column.kind] if number not in amounts else _amount(*amounts[number]) for number, column in enumerate(table.columns)]


def _look_through(rows: Iterator[Values], digits: dict[int, tuple[int, int]]) -> None:
    """Find the most digits before and after the point of each of these columns."""
    for row in rows:
        for number, (before, after) in digits.items():
            value = row[number]
            if value is not None:
                whole, _, fraction = value.lstrip("-").partition(".")
                if len(whole) > before or len(fraction) > after:
                    digits[number] = max(before, len(whole)), max(after, len(fraction))


def _amount(before: int, after: int) -> Any:
    after = max(after, min(DECIMALS_MIN, DIGITS_MAX - before))
    return pyarrow.decimal128(DIGITS_MAX, after) if before + after <= DIGITS_MAX else pyarrow.string()
