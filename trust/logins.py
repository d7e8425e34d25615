"""What happens around a login: the trail, and the session's clock of idleness and proof."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest

from trust.audit import record
from trust.proof import begin


@receiver(user_logged_in, weak=False)
def came_in(sender: Any, request: HttpRequest, user: Any, **kwargs: Any) -> None:
    """A password (and a code, where one is asked for) was right."""
    begin(request)
    record("login", f"{user.get_username()} logged in.", actor=user)


@receiver(user_logged_out, weak=False)
def went_out(sender: Any, request: HttpRequest, user: Any, **kwargs: Any) -> None:
    """Logged out by hand or by the idle time-out."""
    if user is not None:
        record("logout", f"{user.get_username()} logged out.", actor=user)
