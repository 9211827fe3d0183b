"""The journal's tables, by version. `docs/journal.md` explains every column.

Amounts are TEXT, the decimals as they were meant, in plain notation; times are whole milliseconds since the epoch, UTC, by
the program's wall clock, but for those named after the exchange. A version is reached from the one before it by the
statements of its migration, in one transaction. A migration that was released is never changed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

APPLICATION_ID = 0x4D4D4A4C  # "MMJL": what tells our files from other programs' databases
SQLITE_VERSION_MIN = (3, 24, 0)  # the first with ON CONFLICT … DO UPDATE
PAGE_BYTES = 1024  # a record touches five pages of five tables and indexes: small ones are a third of the writing (bench/journal.py)

_FIRST: tuple[str, ...] = (
    """
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        installation TEXT NOT NULL,
        version TEXT NOT NULL,
        began_at INTEGER NOT NULL,
        ended_at INTEGER,
        ended_how TEXT,
        checkpoints INTEGER NOT NULL DEFAULT 0
    )
    """,
    """
    CREATE TABLE run_accounts (
        run INTEGER NOT NULL REFERENCES runs (id),
        account TEXT NOT NULL,
        exchange TEXT NOT NULL,
        PRIMARY KEY (run, account)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE orders (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL REFERENCES runs (id),
        exchange TEXT NOT NULL,
        account TEXT NOT NULL,
        client_order_id TEXT NOT NULL,
        owner TEXT NOT NULL,
        tag TEXT NOT NULL,
        symbol TEXT NOT NULL,
        side TEXT NOT NULL,
        type TEXT NOT NULL,
        time_in_force TEXT NOT NULL,
        quantity TEXT,
        quote_quantity TEXT,
        price TEXT,
        reduce_only INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        sent INTEGER NOT NULL,
        sent_at INTEGER,
        expires_at INTEGER,
        transport TEXT,
        exchange_order_id TEXT,
        state TEXT NOT NULL,
        filled_quantity TEXT NOT NULL,
        filled_quote TEXT NOT NULL,
        is_settled INTEGER NOT NULL,
        reason TEXT NOT NULL,
        refused_for_now INTEGER NOT NULL,
        end_is_concluded INTEGER NOT NULL,
        cancel_wanted INTEGER NOT NULL,
        amended INTEGER NOT NULL,
        said_at INTEGER,
        changed_at INTEGER NOT NULL,
        ended_at INTEGER,
        UNIQUE (exchange, account, client_order_id)
    )
    """,
    "CREATE INDEX orders_not_settled ON orders (exchange, account) WHERE is_settled = 0",
    """
    CREATE TABLE order_events (
        id INTEGER PRIMARY KEY,
        order_id INTEGER NOT NULL REFERENCES orders (id),
        at INTEGER NOT NULL,
        event TEXT NOT NULL,
        state TEXT NOT NULL,
        price TEXT,
        quantity TEXT,
        filled_quantity TEXT NOT NULL,
        trade_id TEXT,
        reason TEXT
    )
    """,
    "CREATE INDEX order_events_of_order ON order_events (order_id)",
    """
    CREATE TABLE fills (
        id INTEGER PRIMARY KEY,
        exchange TEXT NOT NULL,
        account TEXT NOT NULL,
        symbol TEXT NOT NULL,
        exchange_order_id TEXT NOT NULL,
        trade_id TEXT NOT NULL,
        order_id INTEGER REFERENCES orders (id),
        client_order_id TEXT,
        side TEXT NOT NULL,
        price TEXT NOT NULL,
        quantity TEXT NOT NULL,
        fee TEXT NOT NULL,
        fee_asset TEXT NOT NULL,
        maker INTEGER NOT NULL,
        exchange_time INTEGER,
        at INTEGER NOT NULL,
        UNIQUE (exchange, account, symbol, exchange_order_id, trade_id)
    )
    """,
    "CREATE INDEX fills_of_order ON fills (order_id) WHERE order_id IS NOT NULL",
    "CREATE INDEX fills_by_time ON fills (exchange, account, symbol, exchange_time)",
    """
    CREATE TABLE funding (
        id INTEGER PRIMARY KEY,
        exchange TEXT NOT NULL,
        account TEXT NOT NULL,
        symbol TEXT NOT NULL,
        payment_id TEXT NOT NULL,
        amount TEXT NOT NULL,
        asset TEXT NOT NULL,
        exchange_time INTEGER,
        at INTEGER NOT NULL,
        UNIQUE (exchange, account, symbol, payment_id)
    )
    """,
    """
    CREATE TABLE earlier_changes (
        exchange TEXT NOT NULL,
        account TEXT NOT NULL,
        asset TEXT NOT NULL,
        amount TEXT NOT NULL,
        PRIMARY KEY (exchange, account, asset)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE earlier_changes_until (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        fills_id INTEGER NOT NULL,
        funding_id INTEGER NOT NULL
    )
    """,
    "INSERT INTO earlier_changes_until (one, fills_id, funding_id) VALUES (1, 0, 0)",
    """
    CREATE TABLE balances (
        exchange TEXT NOT NULL,
        account TEXT NOT NULL,
        asset TEXT NOT NULL,
        total TEXT NOT NULL,
        available TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (exchange, account, asset)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE positions (
        exchange TEXT NOT NULL,
        account TEXT NOT NULL,
        symbol TEXT NOT NULL,
        quantity TEXT NOT NULL,
        entry_price TEXT,
        mark_price TEXT,
        liquidation_price TEXT,
        leverage TEXT,
        margin_mode TEXT,
        unrealised_pnl TEXT,
        exchange_time INTEGER,
        at INTEGER NOT NULL,
        PRIMARY KEY (exchange, account, symbol)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE rounds (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL REFERENCES runs (id),
        exchange TEXT NOT NULL,
        account TEXT NOT NULL,
        cycle TEXT NOT NULL,
        number INTEGER NOT NULL,
        symbol TEXT NOT NULL,
        began_at INTEGER NOT NULL,
        ended_at INTEGER,
        agrees INTEGER,
        rounds_completed INTEGER,
        carried_quantity TEXT,
        orders_before INTEGER,
        captured TEXT,
        bought_quantity TEXT,
        bought_quote TEXT,
        sold_quantity TEXT,
        sold_quote TEXT,
        left_over_quantity TEXT,
        profit_quote TEXT,
        rounding TEXT,
        UNIQUE (exchange, account, cycle, number, began_at)
    )
    """,
    """
    CREATE TABLE round_balances (
        round_id INTEGER NOT NULL REFERENCES rounds (id),
        asset TEXT NOT NULL,
        before TEXT NOT NULL,
        after TEXT NOT NULL,
        expected_change TEXT NOT NULL,
        actual_change TEXT NOT NULL,
        fee TEXT NOT NULL,
        PRIMARY KEY (round_id, asset)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE states (
        scope TEXT PRIMARY KEY,
        state TEXT NOT NULL,
        reason TEXT NOT NULL,
        at INTEGER NOT NULL
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE holds (
        scope TEXT PRIMARY KEY,
        until INTEGER NOT NULL,
        reason TEXT NOT NULL,
        at INTEGER NOT NULL
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE events (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL REFERENCES runs (id),
        at INTEGER NOT NULL,
        actor TEXT NOT NULL,
        name TEXT NOT NULL,
        fields TEXT NOT NULL
    )
    """,
)

_LOSS_BASELINES: tuple[str, ...] = (
    """
    CREATE TABLE loss_baselines (
        scope TEXT NOT NULL,
        exchange TEXT NOT NULL,
        account TEXT NOT NULL,
        asset TEXT NOT NULL,
        day TEXT NOT NULL,
        amount TEXT NOT NULL,
        is_struck INTEGER NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (scope, exchange, account, asset)
    ) WITHOUT ROWID
    """,
)

_BALANCE_BASELINES: tuple[str, ...] = (
    """
    CREATE TABLE balance_baselines (
        exchange TEXT NOT NULL,
        account TEXT NOT NULL,
        asset TEXT NOT NULL,
        constant TEXT NOT NULL,
        unexplained TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (exchange, account, asset)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE countings (
        exchange TEXT NOT NULL,
        account TEXT NOT NULL,
        symbol TEXT NOT NULL,
        since INTEGER NOT NULL,
        PRIMARY KEY (exchange, account, symbol)
    ) WITHOUT ROWID
    """,
)

_TALLIES: tuple[str, ...] = (
    """
    CREATE TABLE earlier_tallies (
        exchange TEXT NOT NULL,
        account TEXT NOT NULL,
        installation TEXT NOT NULL,
        owner TEXT NOT NULL,
        symbol TEXT NOT NULL,
        tally TEXT NOT NULL,
        PRIMARY KEY (exchange, account, installation, owner, symbol)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE earlier_tallies_until (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        fills_id INTEGER NOT NULL
    )
    """,
    # What is in the journal already is added up, once, by the next start.
    "INSERT INTO earlier_tallies_until (one, fills_id) VALUES (1, 0)",
    """
    CREATE TABLE fills_told_late (
        fill_id INTEGER PRIMARY KEY REFERENCES fills (id)
    )
    """,
)

_PRICES: tuple[str, ...] = (
    # A row of prices is written every second: it names its market by a number, and lies beside the others of that market.
    """
    CREATE TABLE markets (
        id INTEGER PRIMARY KEY,
        exchange TEXT NOT NULL,
        symbol TEXT NOT NULL,
        UNIQUE (exchange, symbol)
    )
    """,
    """
    CREATE TABLE prices (
        market INTEGER NOT NULL REFERENCES markets (id),
        at INTEGER NOT NULL,
        bid TEXT,
        ask TEXT,
        PRIMARY KEY (market, at)
    ) WITHOUT ROWID
    """,
    "ALTER TABLE orders ADD COLUMN acknowledged_us INTEGER",
)

Migration = Sequence[str]
MIGRATIONS: tuple[Migration, ...] = (_FIRST, _LOSS_BASELINES, _BALANCE_BASELINES, _TALLIES, _PRICES)
"""The migration at index n leads from version n to n + 1; a new file begins at version 0."""
SCHEMA_VERSION = len(MIGRATIONS)


def version_of(connection: sqlite3.Connection) -> int:
    """The version of an open journal; 0 of an empty file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def is_ours(connection: sqlite3.Connection) -> bool:
    """Whether the open database is a journal, or empty."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if application == APPLICATION_ID:
        return True
    return application == 0 and version_of(connection) == 0 and not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]


def migrate(connection: sqlite3.Connection, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring an open journal to the newest version, all in one transaction: if anything fails, the file is as it was.

    The version is written even where nothing has to be done, so that a file that cannot be written is found out now.
    `connection` commits by itself outside of transactions. Raises `sqlite3.Error`.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        for migration in migrations[version_of(connection) :]:
            for statement in migration:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
