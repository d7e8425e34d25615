"""System checks of the wiring (`manage.py check`)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Warning, register

from vnetpanel import env

#: Read by the lab and the benchmark, not by the settings.
READ_ELSEWHERE = {"VNETPANEL_LAB_STATE"}


@register()
def known_variables(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """A misspelt variable would be ignored in silence; here it is named."""
    known = env.KNOWN | READ_ELSEWHERE | {"VNETPANEL_KEYS", "VNETPANEL_KEYS_FILE"}
    unknown = sorted(name for name in os.environ if name.startswith("VNETPANEL_") and name not in known)
    return [
        Warning(f"The environment sets {name}, which the panel does not read.", id="vnetpanel.W001")
        for name in unknown
    ]
