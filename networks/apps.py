from __future__ import annotations

from django.apps import AppConfig


class NetworksConfig(AppConfig):
    """What should be: virtual networks, their assignments and members, and making it so."""

    default_auto_field = "django.db.models.BigAutoField"
    name = "networks"
    verbose_name = "Virtual networks"

    def ready(self) -> None:
        """Connect what keeps servers of a Change from being removed, and what compares looks."""
        from networks import signals  # noqa: F401
