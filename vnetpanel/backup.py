"""The database as one file that SQLite and PostgreSQL both write and read, without the keys of its secrets.

A gzip file of JSON lines: a header that names the migrations and the last key given out of each model, then
for each model its columns and a line for each row, then the number of rows, by which a file that was cut off
is known. Encrypted columns are written as the tokens that the database holds, so a backup alone gives no
password away.
"""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any
from uuid import UUID

from django.apps import apps
from django.core.exceptions import ValidationError
from django.core.management.color import no_style
from django.db import DatabaseError, connection, models, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from vnetpanel.crypto import EncryptedTextField, Token

FORMAT = "vnetpanel-backup 1"
LEFT_OUT = frozenset({"sessions.session", "trust.failedlogin", "nodes.look"})
"""Worth nothing later: who was logged in, who mistyped, what the next look at each server brings again."""
BATCH = 200


class BackupError(Exception):
    """It cannot be written or read; the text says why, and what to do."""


def write(path: Path) -> int:
    """Write the whole database to a new file (mode 0600); the number of rows.

    What is written is the state of one moment, while the panel goes on working.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            with gzip.GzipFile(filename="", fileobj=file, mode="wb") as packed, _one_moment():
                rows = _write_lines(packed)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    except OSError as error:
        raise BackupError(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        draft.unlink(missing_ok=True)
    return rows


def read(path: Path) -> int:
    """Put a backup into this database, which must be migrated and empty; the number of rows.

    All or nothing. Raises BackupError.
    """
    try:
        _check_sum(path)
        with gzip.open(path, "rt", encoding="utf-8") as file, transaction.atomic():
            header = _parsed(file.readline())
            _check_header(header)
            _empty()
            rows = _read_lines(file)
            connection.check_constraints()
            # Backups of before hold none, and panels of before pass over them: the format is the same.
            _reset_sequences(header.get("counters", {}))
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise BackupError(f"{path} is not a whole backup: {error}. Nothing was changed.") from error
    except (ValidationError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise BackupError(f"{path} holds what no panel writes: {error!r}. Nothing was changed.") from error
    except DatabaseError as error:
        raise BackupError(f"{path} does not fit into this database: {error}. Nothing was changed.") from error
    return rows


def kept_models() -> list[type[models.Model]]:
    """All models whose rows are kept, relation tables included."""
    return [
        model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy and model._meta.label_lower not in LEFT_OUT
    ]


@contextmanager
def _one_moment() -> Iterator[None]:
    """Everything read inside is of one moment, and nobody has to wait for it."""
    if connection.vendor == "postgresql":
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield
        return
    if connection.in_atomic_block:  # a test's own transaction
        yield
        return
    # Not atomic(), which takes SQLite's write lock at its start.
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        try:
            yield
        finally:
            cursor.execute("ROLLBACK")


def _write_lines(file: gzip.GzipFile) -> int:
    def line(value: Any) -> None:
        file.write(json.dumps(value, separators=(",", ":"), default=_plain).encode() + b"\n")

    header = {"format": FORMAT, "made_at": timezone.now().isoformat(), "migrations": _migrations()}
    line(header | {"counters": _counters()})
    total = 0
    for model in kept_models():
        names = [field.attname for field in model._meta.concrete_fields]
        line({"model": model._meta.label_lower, "columns": names})
        for row in model._base_manager.order_by("pk").values_list(*names).iterator(chunk_size=BATCH):
            line(list(row))
            total += 1
    line({"end": total})
    return total


def _plain(value: Any) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"a backup cannot hold a {type(value).__name__}")


def _migrations() -> list[list[str]]:
    return sorted([app, name] for app, name in MigrationRecorder(connection).applied_migrations())


def _check_sum(path: Path) -> None:
    """Before any row: what is damaged may read like rows, which the database would then be blamed for."""
    with gzip.open(path) as file:
        while file.read(1 << 20):
            pass


def _parsed(line: str) -> Any:
    if not line.endswith("\n"):
        raise ValueError("it ends in the middle of a line")
    return json.loads(line)


def _check_header(header: Any) -> None:
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ValueError(f"it does not begin with {FORMAT!r}")
    theirs, ours = ({tuple(pair) for pair in one} for one in (header["migrations"], _migrations()))
    if theirs != ours:
        odd = ", ".join(f"{app}.{name}" for app, name in sorted(theirs ^ ours)[:5])
        raise BackupError(
            f"The backup was made by another version of the panel (migrations differ: {odd}). Restore it "
            "with that version, then update. Nothing was changed."
        )


def _empty() -> None:
    """Rows that migrations make (permissions, the default segment) give way to those of the backup."""
    from django.contrib.auth.models import User

    if User.objects.exists():
        raise BackupError(
            "This database is in use: it has users. Restore into a new one (another VNETPANEL_VAR or "
            "DATABASE_URL) after `manage.py migrate`. Nothing was changed."
        )
    with connection.cursor() as cursor:
        for model in kept_models():
            if model._base_manager.exists():
                cursor.execute(f"DELETE FROM {connection.ops.quote_name(model._meta.db_table)}")  # noqa: S608


def _read_lines(file: IO[str]) -> int:
    known = {model._meta.label_lower: model for model in kept_models()}
    total, fields, model = 0, [], None
    batch: list[SimpleNamespace] = []
    for text in file:
        value = _parsed(text)
        if isinstance(value, list) and model is not None and len(value) == len(fields):
            batch.append(_row(fields, value))
            total += 1
            if len(batch) < BATCH:
                continue
        if batch and model is not None:
            _insert(model, fields, batch)
            batch = []
        if isinstance(value, list):
            continue
        if "end" in value:
            if value["end"] != total:
                raise ValueError(f"it holds {total} rows, not {value['end']}")
            # Also because gzip compares its checksum only when it is asked for more than there is.
            if file.readline():
                raise ValueError("it goes on after its end")
            return total
        model = known[value["model"]]
        fields = [model._meta.get_field(name) for name in _names(model, value["columns"])]
    raise ValueError("its end is missing")


def _names(model: type[models.Model], attributes: Iterable[str]) -> list[str]:
    by_attribute = {field.attname: field.name for field in model._meta.concrete_fields}
    return [by_attribute[name] for name in attributes]


def _row(fields: list[Any], values: list[Any]) -> SimpleNamespace:
    return SimpleNamespace(
        **{field.attname: _value(field, value) for field, value in zip(fields, values, strict=True)}
    )


def _value(field: Any, value: Any) -> Any:
    if isinstance(field, EncryptedTextField) and value:
        return Token(value)
    if isinstance(field, models.JSONField) or value is None:
        return value
    target = field
    while isinstance(target, models.ForeignKey):
        target = target.target_field
    return target.to_python(value)


def _insert(model: type[models.Model], fields: list[Any], rows: list[SimpleNamespace]) -> None:
    """As they are: no `save`, no signal, no column that sets itself to now."""
    queryset: Any = models.QuerySet(model)
    size = connection.ops.bulk_batch_size(fields, rows)
    left = iter(rows)
    while part := list(islice(left, size)):
        queryset._insert(part, fields=fields, using=connection.alias, raw=True)


def _reset_sequences(counters: dict[str, int]) -> None:
    """Keys go on after the highest one here, and after every one that the backup says was given out."""
    statements = connection.ops.sequence_reset_sql(no_style(), kept_models())
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        fields = _counted()
        for label, key in counters.items():
            if key > _last_key(cursor, fields[label]):
                _go_on_after(cursor, fields[label], key)


def _counters() -> dict[str, int]:
    """The last key given out of each model. Its row may be gone, while revisions and the audit trail name it:
    whoever came to have it anew would be shown another one's past."""
    with connection.cursor() as cursor:
        return {label: _last_key(cursor, field) for label, field in _counted().items()}


def _counted() -> dict[str, Any]:
    """By model the column whose keys the database counts."""
    return {
        model._meta.label_lower: field
        for model in kept_models()
        if (field := model._meta.auto_field) is not None
    }


def _last_key(cursor: Any, field: Any) -> int:
    table = field.model._meta.db_table
    if connection.vendor == "postgresql":
        cursor.execute(
            "SELECT max(last_value) FROM pg_sequences "
            "WHERE format('%%I.%%I', schemaname, sequencename) = pg_get_serial_sequence(%s, %s)",
            [connection.ops.quote_name(table), field.column],
        )
    else:
        cursor.execute("SELECT max(seq) FROM sqlite_sequence WHERE name = %s", [table])
    return cursor.fetchone()[0] or 0


def _go_on_after(cursor: Any, field: Any, key: int) -> None:
    table = field.model._meta.db_table
    if connection.vendor == "postgresql":
        names = [connection.ops.quote_name(table), field.column]
        cursor.execute("SELECT setval(pg_get_serial_sequence(%s, %s), %s)", [*names, key])
    else:
        cursor.execute("DELETE FROM sqlite_sequence WHERE name = %s", [table])
        cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [table, key])
