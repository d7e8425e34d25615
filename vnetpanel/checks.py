"""System checks of the wiring (`manage.py check`)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Warning, register

from vnetpanel import env


@register()
def known_variables(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """A misspelt variable would be ignored in silence; here it is named."""
    unknown = sorted(name for name in os.environ if name.startswith("VNETPANEL_") and name not in env.KNOWN)
    return [
        Warning(f"The environment sets {name}, which the panel does not read.", id="vnetpanel.W001")
        for name in unknown
    ]
