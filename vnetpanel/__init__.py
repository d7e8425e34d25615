"""The project package: wiring only. What exists is in `nodes`, what should be is in `networks`."""

from __future__ import annotations

from vnetpanel.celery import app as celery_app

__all__ = ["celery_app"]
