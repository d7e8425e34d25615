"""How long ago a person has shown that it is she: idleness of the session, and the password asked for again.

The session holds when its user logged in (`began`), was last seen (`seen`) and last gave her password
(`proved`), and whether a second factor was used (`two_factor`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

import structlog
from django.conf import settings
from django.contrib import messages
from django.contrib.sessions.backends.base import UpdateError
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode

log = structlog.get_logger(__name__)

BEGAN, SEEN, PROVED, TWO_FACTOR = "began", "seen", "proved", "two_factor"
SEEN_EVERY_S = 60
"""The session is written at most this often for being used."""


def begin(request: HttpRequest) -> None:
    """A login: seen and proved just now."""
    request.session[BEGAN] = request.session[SEEN] = request.session[PROVED] = int(time.time())


def prove(request: HttpRequest) -> None:
    """The password was given again."""
    request.session[PROVED] = int(time.time())


def is_proved(request: HttpRequest) -> bool:
    """Whether the password was given within the last VNETPANEL_PROOF_MINUTES."""
    age = time.time() - int(request.session.get(PROVED, 0))
    return 0 <= age <= settings.PROOF_MINUTES * 60


def why_over(request: HttpRequest) -> str:
    """A sentence if the session was unused for VNETPANEL_IDLE_MINUTES or its login is too old; else "".

    Django's own expiry alone would begin anew with every write of the session. One that says nothing is new.
    """
    now = time.time()
    if now - int(request.session.get(SEEN, now)) > settings.IDLE_MINUTES * 60:
        return f"You were logged out after {settings.IDLE_MINUTES} minutes without use."
    if now - int(request.session.get(BEGAN, now)) > settings.SESSION_COOKIE_AGE:
        return f"You were logged out: a login lasts {settings.SESSION_COOKIE_AGE // 3600} hours."
    return ""


def note_use(request: HttpRequest, *, by_person: bool) -> None:
    """Move the idle clock. What a page asks for by itself (polls) is no sign of a person."""
    now = int(time.time())
    # One from before an update says nothing of when it began.
    is_new = not {BEGAN, SEEN} <= request.session.keys()
    if is_new or (by_person and now - int(request.session[SEEN]) >= SEEN_EVERY_S):
        request.session.setdefault(BEGAN, now)
        request.session[SEEN] = now
        _keep_clock(request)


def _keep_clock(request: HttpRequest) -> None:
    """Store the clock at once: a full disk keeps nobody from reading pages."""
    try:
        request.session.save()
    except UpdateError:
        return  # ended meanwhile: Django's own middleware says so
    except OperationalError as error:
        log.warning("session_not_stored", error=str(error))
    request.session.modified = False


def ask(request: HttpRequest, back_to: str = "") -> HttpResponse:
    """To the page that asks for the password again, and from there back: to this address or to `back_to`."""
    if request.method not in ("GET", "HEAD"):
        messages.info(request, "Nothing was stored. Confirm that it is you, then do it once more.")
    return redirect(f"{reverse('prove')}?{urlencode({'next': back_to or request.get_full_path()})}")


def recently_proved(
    view: Callable[..., HttpResponseBase], back_to: str = ""
) -> Callable[..., HttpResponseBase]:
    """Let a view be used only shortly after the password was given; ask for it otherwise.

    A view that takes no GET says with `back_to` which page, of the same arguments, holds its form.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated and not is_proved(request):
            return ask(request, reverse(back_to, kwargs=kwargs) if back_to else "")
        return view(request, *args, **kwargs)

    return guarded
