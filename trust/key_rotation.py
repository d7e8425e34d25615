"""Every encrypted column of every model: which rows a key fits, and encrypting them anew with the newest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from django.apps import apps
from django.db import connection, models

from vnetpanel.crypto import EncryptedTextField, Token, fernet, load_keys


@dataclass(frozen=True, slots=True)
class Sealed:
    """One encrypted value: in which row and column, and the token itself."""

    row: Any
    column: EncryptedTextField
    token: str = field(repr=False)

    def __str__(self) -> str:
        meta = self.row._meta
        return f"{meta.verbose_name} {self.row.pk} ({self.row}): {self.column.verbose_name}"


@dataclass(slots=True)
class Rotated:
    """What a rotation did, as numbers, and what no key fits."""

    done: int = 0
    were_new: int = 0
    unreadable: list[Sealed] = field(default_factory=list)


def encrypted_columns() -> Iterator[tuple[type[models.Model], EncryptedTextField]]:
    """All of them, whichever app they are in."""
    for model in apps.get_models():
        for column in model._meta.concrete_fields:
            if isinstance(column, EncryptedTextField):
                yield model, column


def sealed_values() -> Iterator[Sealed]:
    """Every encrypted value that is not empty."""
    for model, column in encrypted_columns():
        for row in model._base_manager.order_by("pk").iterator(chunk_size=200):
            token = row.__dict__.get(column.attname)
            if isinstance(token, Token):
                yield Sealed(row, column, str(token))


def unreadable() -> list[Sealed]:
    """Values that none of the panel's keys decrypts."""
    cipher = fernet()
    return [one for one in sealed_values() if not _fits(cipher, one.token)]


def rotate() -> Rotated:
    """Encrypt every value with the newest key. May be ended at any moment and begun again.

    A value that somebody changes meanwhile is left alone: it is written with the newest key anyway.
    """
    newest, cipher, result = Fernet(load_keys()[0]), fernet(), Rotated()
    for one in sealed_values():
        if _fits(newest, one.token):
            result.were_new += 1
        elif not _fits(cipher, one.token):
            result.unreadable.append(one)
        elif _replace(one, cipher.rotate(one.token.encode()).decode("ascii")):
            result.done += 1
    return result


def _fits(cipher: Any, token: str) -> bool:
    try:
        cipher.decrypt(token.encode())
    except InvalidToken:
        return False
    return True


def _replace(one: Sealed, token: str) -> bool:
    """Compare and swap, past the field, which would encrypt again."""
    meta, quoted = one.row._meta, connection.ops.quote_name
    assert one.column.column  # noqa: S101  a concrete field has one
    table, column, key = quoted(meta.db_table), quoted(one.column.column), quoted(meta.pk.column)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET {column} = %s WHERE {key} = %s AND {column} = %s",  # noqa: S608  names of ours
            [token, meta.pk.get_db_prep_value(one.row.pk, connection), one.token],
        )
        return bool(cursor.rowcount == 1)
