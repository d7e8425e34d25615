"""The pages that belong to no app: the first page and the health check."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from vnetpanel import health


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The first page behind the login."""
    return render(request, "home.html")


@login_not_required
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """For monitors, without login: 200 "ok" or 503 "not ok", and never why (`manage.py health` says why)."""
    ok = health.is_healthy()
    return HttpResponse("ok\n" if ok else "not ok\n", status=200 if ok else 503, content_type="text/plain")
