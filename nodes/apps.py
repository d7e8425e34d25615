from __future__ import annotations

from django.apps import AppConfig


class NodesConfig(AppConfig):
    """What exists: server groups, physical servers, their adapters and containers."""

    default_auto_field = "django.db.models.BigAutoField"
    name = "nodes"
    verbose_name = "Inventory"

    def ready(self) -> None:
        """Begin to record what people change in the inventory."""
        from nodes import watched  # noqa: F401
