"""System checks of what is stored (`manage.py check --database default`, and at every `migrate`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import DatabaseError

from trust.key_rotation import unreadable

SHOWN = 20


@register(Tags.database)
def readable_secrets(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Names the rows whose secrets no key decrypts, so that they are known before a server is needed."""
    if not databases or "default" not in databases:
        return []
    try:
        found = unreadable()
    except DatabaseError:  # no tables yet
        return []
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    names = "; ".join(str(one) for one in found[:SHOWN])
    if not found:
        return []
    return [
        Warning(
            f"Stored secrets that no key decrypts: {names}{more}.",
            hint="Add the key that made them to VNETPANEL_KEYS or var/keys, or enter the secrets again.",
            id="trust.W001",
        )
    ]
