from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate, pre_migrate


class NodesConfig(AppConfig):
    """What exists: server groups, physical servers, their adapters and containers."""

    default_auto_field = "django.db.models.BigAutoField"
    name = "nodes"
    verbose_name = "Inventory"

    def ready(self) -> None:
        """Begin to record what people change in the inventory, and to look after its trigrams."""
        from nodes import watched  # noqa: F401

        pre_migrate.connect(_without_trigrams, sender=self)
        post_migrate.connect(_with_trigrams, sender=self)


def _without_trigrams(using: str, plan: Sequence[Any] = (), **_: Any) -> None:
    """Before any table is made anew: to rename one SQLite reads all triggers, also those it cannot use."""
    from nodes import trigram_tables

    if plan:
        trigram_tables.remove(connections[using])


def _with_trigrams(using: str, **_: Any) -> None:
    """After every `migrate`, also one that had nothing to do: the one before may have been killed."""
    from nodes import trigram_tables

    trigram_tables.install(connections[using])
