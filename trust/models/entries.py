"""The audit trail: rows that are only ever added, each bound to the one before by its digest."""

from __future__ import annotations

from typing import Any, NoReturn

from django.db import models


class AppendOnly(Exception):
    """Somebody tried to change or remove a line of the audit trail."""

    def __init__(self) -> None:
        super().__init__("The audit trail is append-only: its lines are neither changed nor removed.")


class EntryQuerySet(models.QuerySet["Entry"]):
    """Lines of the trail; what would change or remove some raises AppendOnly."""

    def update(self, **kwargs: Any) -> NoReturn:
        raise AppendOnly

    def delete(self) -> NoReturn:
        raise AppendOnly

    def bulk_update(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly

    def bulk_create(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Lines are written one by one by `trust.audit.record`, which binds each to the one before."""
        raise AppendOnly


class Entry(models.Model):
    """One line of the audit trail: who did what, when, from where, on which servers, and how it ended.

    Names are stored as they were, without foreign keys: a line outlives whom and what it names. Triggers in
    the database refuse UPDATE and DELETE as well (trust/triggers.py); a migration that rebuilds this table
    must put them back.
    """

    number = models.PositiveBigIntegerField(primary_key=True, help_text="1, 2, 3 … without a gap.")
    at = models.DateTimeField(db_index=True)
    actor = models.CharField(
        max_length=150, blank=True, default="", db_index=True, help_text="User name; empty: the panel itself."
    )
    actor_key = models.BigIntegerField(null=True, blank=True, help_text="The user's primary key then.")
    address = models.CharField(
        "from", max_length=45, blank=True, default="", help_text="The browser's address."
    )
    action = models.CharField(max_length=60, db_index=True, help_text="Such as change.applied.")
    text = models.TextField(help_text="What was done, in one sentence.")
    servers = models.TextField(blank=True, default="", help_text="One server a line: its key, then its name.")
    plan = models.TextField(blank=True, default="", help_text="What was to run on them, digests included.")
    result = models.TextField(blank=True, default="")
    previous = models.CharField(max_length=64, help_text="Digest of the line before; 64 zeros for the first.")
    digest = models.CharField(max_length=64, help_text="SHA-256 over all other columns (trust/chain.py).")

    objects = EntryQuerySet.as_manager()

    class Meta:
        ordering = ("-number",)
        indexes = (models.Index(fields=("actor_key", "number"), name="trust_entry_own_lines"),)
        verbose_name = "audit line"
        verbose_name_plural = "audit trail"
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.number} {self.action}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert the line; one that is stored already is refused."""
        if not self._state.adding:
            raise AppendOnly
        kwargs["force_insert"] = True
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly

    @property
    def server_names(self) -> list[str]:
        return [line.split(" ", 1)[-1] for line in self.servers.splitlines()]
