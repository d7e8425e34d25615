"""The panel's clock before it was set back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import time_machine
from django.utils import timezone


def ahead(**by: float) -> Any:
    """The clock is so much ahead inside the block, and is set back at its end: `ahead(hours=1)`."""
    return time_machine.travel(timezone.now() + timedelta(**by), tick=True)
