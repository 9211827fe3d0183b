"""What the trades of each owner add up to, read from the journal: a folded sum, and the fills that are newer than it.

The order of adding is that of writing. A fill that passed for a stranger's when the sum was folded, and was told as an owner's
later, is behind the fold by its row and not in it: `fills_told_late` names such.
"""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from typing import Any, cast

import msgspec

from actors.journal.rows import fill_from_row, symbol_of, text
from market.symbol import Symbol
from orders.tally import Tally


class TallyPlace(msgspec.Struct, frozen=True):
    """Whose trades, in what and where."""

    exchange: str
    account: str
    installation: str
    owner: str
    symbol: Symbol


_FILLS = """
SELECT fills.*, orders.client_order_id AS order_client_id, orders.owner AS owner FROM fills JOIN orders ON orders.id = fills.order_id
"""


def read_tallies(connection: sqlite3.Connection) -> dict[TallyPlace, Tally]:
    """All of them."""
    tallies = {
        TallyPlace(row["exchange"], row["account"], row["installation"], row["owner"], symbol_of(row["symbol"])): _tally(row["tally"])
        for row in connection.execute("SELECT * FROM earlier_tallies")
    }
    newer = f"""
    SELECT * FROM ({_FILLS} WHERE fills.id > (SELECT fills_id FROM earlier_tallies_until))
    UNION ALL SELECT * FROM ({_FILLS} WHERE fills.id IN (SELECT fill_id FROM fills_told_late)) ORDER BY id
    """  # noqa: S608 - constants of ours
    for row in connection.execute(newer):
        installation = row["order_client_id"].partition("-")[0]
        place = TallyPlace(row["exchange"], row["account"], installation, row["owner"], symbol_of(row["symbol"]))
        tallies[place] = tallies.get(place, Tally()).after_fill(fill_from_row(row))
    return tallies


def fold_tallies(connection: sqlite3.Connection) -> None:
    """Keep what `read_tallies` adds up to, so that the next time only what is newer has to be added."""
    for place, tally in read_tallies(connection).items():
        connection.execute(
            "INSERT OR REPLACE INTO earlier_tallies (exchange, account, installation, owner, symbol, tally) VALUES (?, ?, ?, ?, ?, ?)",
            (place.exchange, place.account, place.installation, place.owner, str(place.symbol), _tally_text(tally)),
        )
    connection.execute("UPDATE earlier_tallies_until SET fills_id = (SELECT coalesce(max(id), 0) FROM fills)")
    connection.execute("DELETE FROM fills_told_late")


def _tally_text(tally: Tally) -> str:
    """JSON, with decimals as texts in plain notation."""
    return msgspec.json.encode(_in_plain_notation(msgspec.to_builtins(tally, builtin_types=(Decimal,)))).decode()


def _tally(written: str) -> Tally:
    return msgspec.json.decode(written, type=Tally)


def _in_plain_notation(value: Any) -> Any:
    match value:
        case Decimal():
            return text(value)
        case dict():
            fields = cast("dict[str, Any]", value)
            return {name: _in_plain_notation(field) for name, field in fields.items()}
        case _:
            return value
