"""The pages that belong to no app: the state of the panel itself, and the door to the admin."""

from __future__ import annotations

import sys

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import get_template
from django.urls import reverse
from django.views.decorators.http import require_safe

from vnetpanel import health
from vnetpanel.htmx import polled, wants_fragment

VERSION = "0.1.0"


def version(request: HttpRequest) -> dict[str, str]:
    """Context of every template: the panel's version, for the foot of the page."""
    return {"panel_version": VERSION}


@require_safe
@polled
def panel_health(request: HttpRequest) -> HttpResponse:
    """What works and what does not, with reasons; for people who have logged in."""
    template = "health.html#parts" if wants_fragment(request) else "health.html"
    return render(request, template, {"findings": health.findings()})


def server_error(request: HttpRequest) -> HttpResponse:
    """What a page answers that failed. A database that has no room left is said, with what to do."""
    code = 507 if is_disk_full(sys.exc_info()[1]) else 500
    # Without the request: who is logged in may be what cannot be read.
    return HttpResponse(get_template(f"{code}.html").render(), status=code)


def is_disk_full(error: BaseException | None) -> bool:
    """Whether the database could not write because its disk is full."""
    if not isinstance(error, DatabaseError):
        return False
    # SQLite says it in words, PostgreSQL by a code (53100, disk_full).
    code = getattr(error.__cause__, "sqlstate", "")
    return code == "53100" or "disk is full" in str(error) or "disk I/O error" in str(error)


@login_not_required
def admin_login(request: HttpRequest) -> HttpResponse:
    """In place of the admin's own login page, so that there is one login and whatever guards it."""
    if request.user.is_authenticated:
        raise PermissionDenied
    return redirect_to_login(request.GET.get("next") or reverse("admin:index"))


@login_not_required
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """For monitors, without login: 200 "ok" or 503 "not ok", and never why (`manage.py health` says why)."""
    ok = health.is_healthy()
    return HttpResponse(
        "ok\n" if ok else "not ok\n", status=200 if ok else 503, content_type="text/plain; charset=utf-8"
    )
