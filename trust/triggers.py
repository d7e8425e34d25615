"""Triggers by which the database itself refuses to change or remove a line of the audit trail."""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper

REFUSAL = "the audit trail is append-only"
SQLITE = {
    f"trust_entry_no_{verb}": f"CREATE TRIGGER trust_entry_no_{verb} BEFORE {verb.upper()} ON trust_entry "
    f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
    for verb in ("update", "delete")
}
POSTGRESQL = f"""
CREATE OR REPLACE FUNCTION trust_entry_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$;
CREATE TRIGGER trust_entry_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON trust_entry
FOR EACH STATEMENT EXECUTE FUNCTION trust_entry_refuse();
"""


def install(connection: BaseDatabaseWrapper) -> None:
    """Put the triggers on the table; on other databases than these two there are none."""
    statements = {"sqlite": list(SQLITE.values()), "postgresql": [POSTGRESQL]}
    _run(connection, statements.get(connection.vendor, []))


def remove(connection: BaseDatabaseWrapper) -> None:
    """Take the triggers off, for going back to before this app and for emptying test databases."""
    statements = {
        "sqlite": [f"DROP TRIGGER IF EXISTS {name}" for name in SQLITE],
        "postgresql": [
            "DROP TRIGGER IF EXISTS trust_entry_no_change ON trust_entry",
            "DROP FUNCTION IF EXISTS trust_entry_refuse()",
        ],
    }
    _run(connection, statements.get(connection.vendor, []))


def _run(connection: BaseDatabaseWrapper, statements: list[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
