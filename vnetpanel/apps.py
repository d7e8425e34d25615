from __future__ import annotations

from django.apps import AppConfig


class PanelConfig(AppConfig):
    """The wiring: commands, checks and template tags that belong to no one app."""

    name = "vnetpanel"
    verbose_name = "Panel"

    def ready(self) -> None:
        """Register the system checks."""
        from vnetpanel import checks  # noqa: F401
