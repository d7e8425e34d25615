"""The forms of logging in and of proving again who one is."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.views.decorators.debug import sensitive_variables

from trust import throttle
from trust.audit import address_of, record

TOO_MANY = "Too many failed attempts. Wait 15 minutes, then try again."
LOCKED = " Further attempts are refused for 15 minutes."


class LoginForm(AuthenticationForm):
    """Name and password; who fails too often is not asked any more."""

    def clean(self) -> dict[str, Any]:
        """Try the password unless too many failed before."""
        name = self.cleaned_data.get("username")
        if not name or not self.cleaned_data.get("password"):
            return super().clean()
        address = address_of(self.request) if self.request is not None else ""
        counted = throttle.of_login(name, address)
        if throttle.is_locked(counted):
            raise ValidationError(TOO_MANY, code="throttled")
        try:
            cleaned = super().clean()
        except ValidationError:
            _note_failure(name, throttle.failed(counted))
            raise
        throttle.succeeded(counted)
        return cleaned


def _note_failure(name: str, locked: bool) -> None:
    # A password typed into the wrong field must not be kept: only names that exist are written down.
    user = User.objects.filter(username=name).first()
    who = user.get_username() if user else "an unknown user name"
    record("login.failed", f"A login as {who} failed.{LOCKED if locked else ''}", actor="")


class CodeForm(forms.Form):
    """The code of the authenticator app, or a recovery code."""

    code = forms.CharField(
        max_length=40,
        label="Code",
        help_text="Six digits from your authenticator app, or one of your recovery codes.",
        widget=forms.TextInput(
            attrs={
                "autocomplete": "one-time-code",
                "autofocus": True,
                "autocapitalize": "none",
                "spellcheck": "false",
            }
        ),
    )


class ProofForm(forms.Form):
    """The password of the user who is logged in."""

    password = forms.CharField(
        strip=False,
        label="Your password",
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_password(self) -> str:
        """Right, and not tried too often."""
        return _right_password(self.user, str(self.cleaned_data["password"]))


class NewPasswordForm(PasswordChangeForm):
    """A new password after the old one, which is a proof like any other."""

    def clean_old_password(self) -> str:
        """Right, and not tried too often."""
        return _right_password(self.user, str(self.cleaned_data["old_password"]))


@sensitive_variables("password")
def _right_password(user: User, password: str) -> str:
    """The password if it is the user's. All forms that ask for it again count failures together."""
    counted = throttle.of_user("proof", user.pk)
    if throttle.is_locked(counted):
        raise ValidationError(TOO_MANY)
    if not user.check_password(password):
        more = LOCKED if throttle.failed(counted) else ""
        record("proof.failed", f"{user.get_username()} did not give the right password again.{more}")
        raise ValidationError("That is not your password.")
    throttle.succeeded(counted)
    return password
