"""What every request passes: whose lines it writes into the audit trail, and whether its session is good."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from trust import proof
from trust.audit import request_now


class AuditContextMiddleware:
    """Tells `trust.audit.record` which request is being answered."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        token = request_now.set(request)
        try:
            return self.get_response(request)
        finally:
            request_now.reset(token)


class SessionGuardMiddleware:
    """Ends idle and old sessions; takes users without a second factor to its set-up where it is required."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        """Only where a login is asked for: looking at the user reads the session."""
        if not getattr(view, "login_required", True) or not request.user.is_authenticated:
            return None
        if why := proof.why_over(request):
            logout(request)
            messages.info(request, why)
            # The user is nobody now: the next middleware asks for a login.
            return None
        asked_by_page = bool(getattr(request, "htmx", False)) and request.method == "GET"
        proof.note_use(request, by_person=not asked_by_page)
        if settings.TWO_FACTOR == "required" and not request.session.get(proof.TWO_FACTOR):
            match = request.resolver_match
            if match is None or match.view_name not in ("two_factor", "prove", "logout"):
                return redirect("two_factor")
        return None
