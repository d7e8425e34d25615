"""Entries of the worker that belong to no one app."""

from __future__ import annotations

from celery import shared_task

from vnetpanel.clock import bring_back


@shared_task(name="vnetpanel.bring_times_back")
def bring_times_back() -> None:
    """Let nothing wait for times from before the clock was set back."""
    bring_back()
