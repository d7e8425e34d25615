from __future__ import annotations

from django.apps import AppConfig


class TrustConfig(AppConfig):
    """Logins, second factors and the audit trail."""

    default_auto_field = "django.db.models.BigAutoField"
    name = "trust"
    verbose_name = "Trust"

    def ready(self) -> None:
        """Begin to record logins and what is changed about users."""
        from trust import checks, logins, watched_users  # noqa: F401
