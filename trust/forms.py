"""The forms of logging in and of proving again who one is."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError

from trust import throttle
from trust.audit import address_of, record

TOO_MANY = "Too many failed attempts. Wait 15 minutes, then try again."


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
    more = " Further attempts are refused for 15 minutes." if locked else ""
    record("login.failed", f"A login as {who} failed.{more}", actor="")


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
        password = str(self.cleaned_data["password"])
        counted = throttle.of_user("proof", self.user.pk)
        if throttle.is_locked(counted):
            raise ValidationError(TOO_MANY)
        if not self.user.check_password(password):
            throttle.failed(counted)
            raise ValidationError("That is not your password.")
        throttle.succeeded(counted)
        return password
