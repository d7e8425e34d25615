"""One's own account: password, second factor, recovery codes."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import views as auth_views
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from trust import proof, throttle, two_factor
from trust.forms import TOO_MANY, CodeForm, NewPasswordForm
from trust.models import Entry, RecoveryCode, TwoFactor
from trust.proof import recently_proved
from trust.views.login import READ_WRITE
from vnetpanel.crypto import decrypt, encrypt

SETTING_UP = "new_second_factor"
LOGINS = ("login", "login.failed", "logout", "recovery_code.used", "proof.failed")


def _user(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise PermissionDenied("Log in first.")
    return request.user


@require_safe
def account(request: HttpRequest) -> HttpResponse:
    """What protects the account, and where it was used lately."""
    user = _user(request)
    factor = TwoFactor.objects.filter(user=user).first()
    context = {
        "factor": factor,
        "codes_left": RecoveryCode.objects.filter(two_factor=factor).count() if factor else 0,
        "is_required": settings.TWO_FACTOR == "required",
        "logins": Entry.objects.filter(actor_key=user.pk, action__in=LOGINS)[:10],
    }
    return render(request, "trust/account.html", context)


class PasswordChange(auth_views.PasswordChangeView):
    """A new password, after the old one; other sessions of the user end."""

    form_class = NewPasswordForm
    template_name = "trust/password.html"
    success_url = reverse_lazy("account")

    def form_valid(self, form: Any) -> HttpResponse:
        """Say so on the page that follows."""
        messages.success(self.request, "Your password is changed. Your other sessions have ended.")
        return super().form_valid(form)


@never_cache
@recently_proved
@READ_WRITE
def set_up(request: HttpRequest) -> HttpResponse:
    """Show the secret as a QR code and as text; a first code switches the second factor on."""
    user = _user(request)
    if two_factor.is_on(user):
        return redirect("account")
    if SETTING_UP not in request.session:
        # The session is stored in the database, which must give no secret away.
        request.session[SETTING_UP] = encrypt(two_factor.new_secret())
    secret = decrypt(request.session[SETTING_UP])
    form = CodeForm(request.POST or None)
    form.fields["code"].help_text = "Six digits, as the app shows them now."
    if request.method == "POST" and form.is_valid():
        counted = throttle.of_user("code", user.pk)
        if throttle.is_locked(counted):
            form.add_error("code", TOO_MANY)
        elif codes := two_factor.confirm(user, secret, form.cleaned_data["code"]):
            request.session[proof.TWO_FACTOR] = True
            del request.session[SETTING_UP]
            # Not only with the answer: another page of this session that asks meanwhile would end it.
            request.session.save()
            return render(request, "trust/recovery_codes.html", {"codes": codes, "is_new": True})
        else:
            throttle.failed(counted)
            form.add_error("code", "That is not the app's code of now. Are the clocks of both right?")
    context = {
        "form": form,
        "secret": " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        "qr": two_factor.qr_code(two_factor.address_for_app(user, secret)),
        "is_required": settings.TWO_FACTOR == "required",
    }
    return render(request, "trust/two_factor.html", context)


@require_POST
@partial(recently_proved, back_to="account")
def switch_off(request: HttpRequest) -> HttpResponse:
    """Log in with the password alone from now on; refused where the panel requires two factors."""
    if settings.TWO_FACTOR == "required":
        raise PermissionDenied("This panel requires a second factor. An administrator can reset yours.")
    two_factor.switch_off(_user(request))
    request.session.pop(proof.TWO_FACTOR, None)
    messages.success(request, "The second factor is off. Your password alone lets you in.")
    return redirect("account")


@never_cache
@require_POST
@partial(recently_proved, back_to="account")
def recovery_codes(request: HttpRequest) -> HttpResponse:
    """New recovery codes in place of the old ones."""
    user = _user(request)
    if not two_factor.is_on(user):
        return redirect("two_factor")
    codes = two_factor.new_recovery_codes(user)
    return render(request, "trust/recovery_codes.html", {"codes": codes})
