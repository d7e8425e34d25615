"""What every request passes: whose lines it writes into the audit trail, and whether its session is good."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme

from trust import proof
from trust.audit import request_now
from trust.models import TwoFactor


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
    """Ends idle and old sessions, and those that gave no code although their user has a second factor.

    Where one is required, takes users who have none to its set-up. What a session was asked for is kept by no
    browser, unless the view says otherwise.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.session.accessed and not response.has_header("Cache-Control"):
            # Kept, it would be shown to whoever presses "Back" when its reader has logged out.
            response["Cache-Control"] = "private, no-store"
        return response

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        """Only where a login is asked for: looking at the user reads the session."""
        if not getattr(view, "login_required", True) or not request.user.is_authenticated:
            return None
        factor = getattr(request.user, "two_factor", None)
        if why := proof.why_over(request) or _why_no_code(request, factor):
            logout(request)
            messages.info(request, why)
            # The user is nobody now: the next middleware asks for a login.
            return None
        asked_by_page = bool(getattr(request, "htmx", False)) and request.method == "GET"
        proof.note_use(request, by_person=not asked_by_page)
        if settings.TWO_FACTOR == "required" and factor is None:
            match = request.resolver_match
            if match is None or match.view_name not in ("two_factor", "prove", "logout"):
                return redirect("two_factor")
        return None


def _why_no_code(request: HttpRequest, factor: TwoFactor | None) -> str:
    """A sentence if the session is from before the user's second factor was switched on; else ""."""
    if factor is None or request.session.get(proof.TWO_FACTOR):
        return ""
    return "You were logged out: your second factor is on. Log in with a code."


class LoginFirstMiddleware(LoginRequiredMiddleware):
    """Asks for a login. Who has sent a form comes back to its page: its own address may take no GET."""

    def handle_no_permission(
        self, request: HttpRequest, view_func: Callable[..., Any]
    ) -> HttpResponseRedirect:
        if request.method in ("GET", "HEAD"):
            return super().handle_no_permission(request, view_func)
        messages.info(request, "Nothing was stored. Log in, then do it once more.")
        return redirect_to_login(_page_of_form(request), self.get_login_url(view_func))


def _page_of_form(request: HttpRequest) -> str:
    """The page that a form was sent from, as the browser says; the first page if it says none of ours."""
    page = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(page, {request.get_host()}, require_https=request.is_secure()):
        return resolve_url(settings.LOGIN_REDIRECT_URL)
    return urlunsplit(urlsplit(page)._replace(scheme="", netloc=""))
