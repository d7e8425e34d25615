"""Pieces of names and addresses by their trigrams, on PostgreSQL: indexes. (SQLite: nodes/trigram_tables.py)

The search gives the same without. What the indexes serve is what Django makes of `icontains` for PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Iterator

import structlog
from django.db import DatabaseError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

log = structlog.get_logger(__name__)

COLUMNS = {
    "nodes_adapter": ("mac", "addresses_text"),
    "nodes_container": ("name", "hostname", "host_routed_text"),
    "nodes_containerinterface": ("mac", "addresses_text"),
}


def install(connection: BaseDatabaseWrapper) -> None:
    """Make the indexes that are missing; none where the extension is not there and may not be created."""
    if connection.vendor != "postgresql":
        return
    try:
        with transaction.atomic(connection.alias), connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            for name, table, column in _indexes():
                cursor.execute(
                    f"CREATE INDEX IF NOT EXISTS {name} ON {table} "
                    f"USING gin (UPPER({column}::text) gin_trgm_ops)"
                )
    except DatabaseError as error:
        # The search finds the same without, only later; docs/operations.md says how they are made afterwards.
        log.warning("no_trigram_indexes", reason=str(error).strip())


def remove(connection: BaseDatabaseWrapper) -> None:
    """Drop the indexes; the extension may be somebody else's."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        for name, _, _ in _indexes():
            cursor.execute(f"DROP INDEX IF EXISTS {name}")


def _indexes() -> Iterator[tuple[str, str, str]]:
    """(name, table, column) of each."""
    for table, columns in COLUMNS.items():
        for column in columns:
            yield f"{table}_{column}_trigrams", table, column
