"""Preparing a server: from where the panel comes, and the login that is lent for one connection."""

from __future__ import annotations

from typing import Any

from django import forms

from nodes.forms.write_only import WriteOnlyTextarea
from nodes.models import PhysicalServer
from nodes.services.once import OneTimeLogin

_PLAIN = {"autocomplete": "off", "spellcheck": "false"}


class AddressesForm(forms.Form):
    """From where the panel's key may be used."""

    addresses = forms.CharField(
        max_length=300,
        label="Address of the panel",
        help_text="As the server sees it. Several addresses or networks with commas between them.",
        widget=forms.TextInput(attrs=_PLAIN),
    )


class DropForm(forms.Form):
    """Whether the panel then forgets the login used so far; asked where no other server uses it."""

    drop_old = forms.BooleanField(required=False, initial=True)

    def __init__(self, *args: Any, server: PhysicalServer, drops: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if drops:
            label = f"Then remove the stored login {server.credential}: no other server uses it"
            self.fields["drop_old"].label = label
        else:
            del self.fields["drop_old"]


class UseForm(DropForm):
    """The server was prepared by hand: try it, and use it."""


class LentLoginForm(DropForm):
    """An administrator's login, used once and kept nowhere; or the one that the panel has, if it may."""

    STORED, PASSWORD, KEY = "existing", "password", "key"

    login = forms.ChoiceField(widget=forms.RadioSelect, label="Log in with")
    username = forms.CharField(
        max_length=32, required=False, initial="root", label="User name",
        widget=forms.TextInput(attrs=_PLAIN),
        help_text="Root, or somebody who may run everything with sudo without a password.",
    )  # fmt: skip
    password = forms.CharField(
        required=False, strip=False, max_length=500,
        help_text="Used once, now, and not stored.",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )  # fmt: skip
    private_key = forms.CharField(
        required=False, max_length=20_000,
        widget=WriteOnlyTextarea(attrs={"rows": 4, "class": "mono", **_PLAIN}),
        help_text="OpenSSH or PEM form. Used once, now, and not stored.",
    )  # fmt: skip
    passphrase = forms.CharField(
        required=False, strip=False, max_length=500,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )  # fmt: skip

    def __init__(self, *args: Any, server: PhysicalServer, drops: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, server=server, drops=drops, **kwargs)
        ways = [(self.PASSWORD, "A password, used once"), (self.KEY, "A private key, used once")]
        if server.credential is not None and not server.by_gate:
            ways.insert(0, (self.STORED, f"The login that the panel has now ({server.credential})"))
        self.fields["login"].choices = ways  # type: ignore[attr-defined]
        self.fields["login"].initial = ways[0][0]

    def clean(self) -> dict[str, Any]:
        """What the chosen way needs must be there."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        needed = {self.PASSWORD: "password", self.KEY: "private_key"}.get(data.get("login", ""))
        if needed and not data.get(needed):
            self.add_error(needed, "This is needed for the way to log in that you chose.")
        if needed and not data.get("username") and "username" not in self.errors:
            self.add_error("username", "Enter the user name to log in with.")
        return data

    def lent(self) -> OneTimeLogin | None:
        """The login as typed in; None: the stored one."""
        data = self.cleaned_data
        if data["login"] == self.STORED:
            return None
        by_key = data["login"] == self.KEY
        return OneTimeLogin(
            data["username"],
            password="" if by_key else data["password"],
            private_key=data["private_key"] if by_key else "",
            passphrase=data["passphrase"] if by_key else "",
            sudo=data["username"] != "root",
        )
