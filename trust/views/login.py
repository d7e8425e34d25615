"""Logging in: name and password, then the code of the second factor where the user has one."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth import views as auth_views
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from trust import proof, throttle, two_factor
from trust.audit import record
from trust.forms import TOO_MANY, CodeForm, LoginForm, ProofForm

HALF = "half_logged_in"
HALF_S = 300
"""Seconds that a right password waits for its code."""
READ_WRITE = require_http_methods(["GET", "HEAD", "POST"])


@method_decorator(sensitive_post_parameters(), name="dispatch")
class Login(auth_views.LoginView):
    """The first step; it logs in only users without a second factor."""

    authentication_form = LoginForm
    redirect_authenticated_user = True

    def form_valid(self, form: Any) -> HttpResponse:
        """In, or on to the code."""
        user = form.get_user()
        if not two_factor.is_on(user):
            return super().form_valid(form)
        self.request.session.cycle_key()
        self.request.session[HALF] = {
            "user": user.pk,
            "backend": user.backend,
            "at": int(time.time()),
            "next": self.get_success_url(),
        }
        return HttpResponseRedirect(reverse("login_code"))


@login_not_required
@never_cache
@sensitive_post_parameters()
@READ_WRITE
def code(request: HttpRequest) -> HttpResponse:
    """The second step: a code of the app, or a recovery code."""
    half = request.session.get(HALF) or {}
    user = User.objects.filter(pk=half.get("user", 0), is_active=True).first()
    if user is None or not 0 <= time.time() - half["at"] <= HALF_S:
        request.session.pop(HALF, None)
        return redirect(settings.LOGIN_URL)
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        counted = throttle.of_user("code", user.pk)
        if throttle.is_locked(counted):
            form.add_error("code", TOO_MANY)
        elif two_factor.check(user, form.cleaned_data["code"]):
            throttle.succeeded(counted)
            del request.session[HALF]
            login(request, user, backend=half["backend"])
            request.session[proof.TWO_FACTOR] = True
            return HttpResponseRedirect(half["next"])
        else:
            locked = throttle.failed(counted)
            more = " Further codes are refused for 15 minutes." if locked else ""
            record("login.failed", f"A wrong code for {user.get_username()}.{more}", actor="")
            form.add_error("code", "That code is not right, or was used already. Enter the newest one.")
    return render(request, "trust/code.html", {"form": form})


@never_cache
@sensitive_post_parameters()
@READ_WRITE
def prove(request: HttpRequest) -> HttpResponse:
    """The password again, before something that a stranger at an unlocked screen must not do."""
    back = request.POST.get("next") or request.GET.get("next") or ""
    if not url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure()):
        back = resolve_url(settings.LOGIN_REDIRECT_URL)
    # Not redirect(): that takes what has no slash for the name of a route.
    assert isinstance(request.user, User)  # noqa: S101  a login is required
    form = ProofForm(request.POST or None, user=request.user)
    if form.is_valid():
        proof.prove(request)
        return HttpResponseRedirect(back)
    if request.method != "POST" and proof.is_proved(request):
        return HttpResponseRedirect(back)
    return render(
        request, "trust/prove.html", {"form": form, "next": back, "minutes": settings.PROOF_MINUTES}
    )
