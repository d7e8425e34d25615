"""System checks of the wiring (`manage.py check`)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
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


@register()
def https_is_spoken_in_front(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """`manage.py up` speaks plain HTTP: every page would lead to itself unless a proxy's word is believed."""
    if settings.HTTPS and not settings.BEHIND_PROXY:
        text = "VNETPANEL_HTTPS is on and VNETPANEL_BEHIND_PROXY is off: every page redirects to itself."
        return [Warning(text, hint="docs/operations.md, “HTTPS in front”", id="vnetpanel.W002")]
    return []
