"""Pieces of names and addresses by their trigrams on SQLite: tables of FTS5 that triggers keep true.

Such a table holds where each three characters are, not the rows themselves: 17 MB for a thousand servers
with fifty containers of two interfaces each. Django makes a table anew to change a column of it, and SQLite
drops its triggers with it without a word; a column that a trigger names cannot be dropped. Therefore they
are taken away before migrations, and looked through and made again after every `migrate`
(nodes/apps.py).

Source: SQLite's documentation of FTS5, "The Trigram Tokenizer" and "External Content Tables".
"""

from __future__ import annotations

import structlog
from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

log = structlog.get_logger(__name__)

COLUMNS = {
    "nodes_physicalserver": ("name", "address", "hostname"),
    "nodes_adapter": ("name", "mac", "addresses_text"),
    "nodes_container": ("container_ctid", "name", "hostname", "host_routed_text"),
    "nodes_containerinterface": ("ifname", "host_ifname", "mac", "addresses_text"),
}
"""Of each table the columns in which a piece is looked for: nodes/lookups.py, nodes/admin/searching.py."""

SHORTEST = 3
"""Characters of a text that has a trigram."""

MANY = 500
"""A text that more rows have is mostly found quickly by reading them in order, too."""


def holders(text: str) -> dict[str, list[int]]:
    """For each table the keys of all its rows that can have the text; at most `MANY`, one query.

    A table without an entry has more of them, or it is not known (another database, a text of one or two
    characters, an SQLite without trigrams): there the rows must be read. Whether a row has the text is still
    to be asked: FTS5 takes more letters for the same than the search does.
    """
    if connection.vendor != "sqlite" or len(text) < SHORTEST:
        return {}
    phrase = '"' + text.replace('"', '""') + '"'
    parts = (
        f"SELECT * FROM (SELECT '{table}', rowid FROM {table}_trigrams "
        f"WHERE {table}_trigrams MATCH %s LIMIT {MANY + 1})"
        for table in COLUMNS
    )
    found: dict[str, list[int]] = {table: [] for table in COLUMNS}
    try:
        with connection.cursor() as cursor:
            cursor.execute(" UNION ALL ".join(parts), [phrase] * len(COLUMNS))
            for table, key in cursor.fetchall():
                found[table].append(key)
    except OperationalError:
        # There are none; `install` has said so.
        return {}
    except DatabaseError as error:
        log.warning("trigram_tables_are_damaged", reason=str(error), hint="run manage.py migrate")
        return {}
    return {table: keys for table, keys in found.items() if len(keys) <= MANY}


def install(connection: BaseDatabaseWrapper) -> None:
    """Make and fill the tables that are missing or not whole; none where SQLite has no trigrams."""
    if connection.vendor != "sqlite":
        return
    there = _there(connection)
    for table, columns in COLUMNS.items():
        statements = _statements(table, columns)
        made = all(there.get(name) == sql for name, sql in statements.items())
        if table not in there or (made and _is_whole(connection, table)):
            continue
        _drop(connection, table)
        try:
            with transaction.atomic(connection.alias), connection.cursor() as cursor:
                for sql in statements.values():
                    cursor.execute(sql)
                cursor.execute(f"INSERT INTO {table}_trigrams({table}_trigrams) VALUES ('rebuild')")
        except DatabaseError as error:
            # The search finds the same without, only later.
            log.warning("no_trigram_table", table=table, reason=str(error))


def remove(connection: BaseDatabaseWrapper) -> None:
    """Drop the tables and their triggers."""
    if connection.vendor == "sqlite":
        for table in COLUMNS:
            _drop(connection, table)


def _is_whole(connection: BaseDatabaseWrapper, table: str) -> bool:
    """What stands in the table of trigrams is what stands in the other."""
    try:
        with transaction.atomic(connection.alias), connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {table}_trigrams({table}_trigrams, rank) VALUES ('integrity-check', 1)"
            )
    except DatabaseError:
        return False
    return True


def _drop(connection: BaseDatabaseWrapper, table: str) -> None:
    """The triggers first and by themselves: an SQLite that cannot use the table cannot drop it either.

    With them it could not even write to the inventory.
    """
    with transaction.atomic(connection.alias), connection.cursor() as cursor:
        for verb in ("insert", "delete", "update"):
            cursor.execute(f"DROP TRIGGER IF EXISTS {table}_trigrams_{verb}")
    try:
        with transaction.atomic(connection.alias), connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS {table}_trigrams")
    except DatabaseError as error:
        log.warning("trigram_table_left", table=table, reason=str(error))


def _there(connection: BaseDatabaseWrapper) -> dict[str, str]:
    """What this module could make or needs, by name, as SQLite keeps it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE name LIKE 'nodes\\_%%' ESCAPE '\\'", [])
        return dict(cursor.fetchall())


def _statements(table: str, columns: tuple[str, ...]) -> dict[str, str]:
    """What makes the table of a table and its triggers, by name; word for word what SQLite keeps of it."""
    own = f"{table}_trigrams"
    names, old, new = (", ".join(f"{of}{column}" for column in columns) for of in ("", "old.", "new."))
    changed = " OR ".join(f"old.{column} IS NOT new.{column}" for column in columns)
    add = f"INSERT INTO {own}(rowid, {names}) VALUES (new.id, {new});"
    take = f"INSERT INTO {own}({own}, rowid, {names}) VALUES ('delete', old.id, {old});"
    return {
        own: f"CREATE VIRTUAL TABLE {own} USING fts5({names}, content='{table}', content_rowid='id', "
        "tokenize='trigram')",
        f"{own}_insert": f"CREATE TRIGGER {own}_insert AFTER INSERT ON {table} BEGIN {add} END",
        f"{own}_delete": f"CREATE TRIGGER {own}_delete AFTER DELETE ON {table} BEGIN {take} END",
        f"{own}_update": f"CREATE TRIGGER {own}_update AFTER UPDATE OF id, {names} ON {table} "
        f"WHEN old.id IS NOT new.id OR {changed} BEGIN {take} {add} END",
    }
