"""Adding and editing physical servers."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.db import transaction

from nodes import services
from nodes.choices import Role, ServerOS
from nodes.forms.staying import StayingChoiceField
from nodes.forms.write_only import WriteOnlyTextarea
from nodes.models import Credential, PhysicalServer, ServerGroup
from nodes.querysets import AnyUser, has_role
from nodes.services.credentials import Secrets, free_name
from nodes.validators import validate_host, validate_visible_name
from vnetpanel.touched import TouchedForm

_PLAIN = {"autocomplete": "off", "spellcheck": "false"}


class ServerForm(TouchedForm):
    """What people decide about a server."""

    name = forms.CharField(
        max_length=100, validators=[validate_visible_name], widget=forms.TextInput(attrs=_PLAIN)
    )
    group = forms.ModelChoiceField(ServerGroup.objects.none(), label="Server group")
    address = forms.CharField(
        max_length=255,
        validators=[validate_host],
        help_text="IP address or host name.",
        widget=forms.TextInput(attrs=_PLAIN),
    )
    port = forms.IntegerField(min_value=1, max_value=65535, initial=22, label="SSH port")
    description = forms.CharField(max_length=500, required=False)
    credential = StayingChoiceField(
        Credential.objects.none(), required=False, label="Login", empty_label="None"
    )
    use_sudo = forms.BooleanField(
        required=False,
        label="Use sudo",
        help_text="Log in as an ordinary user and run commands under sudo without a password.",
    )
    legacy_ssh = forms.BooleanField(
        required=False,
        label="Legacy SSH",
        help_text="Allow the SHA-1 algorithms that OpenVZ 6 servers need. Leave off for anything newer.",
    )
    is_enabled = forms.BooleanField(required=False, initial=True, label="Look at it every minute")

    def __init__(
        self, *args: Any, user: AnyUser, server: PhysicalServer | None = None, **kwargs: Any
    ) -> None:
        if server is not None:
            kwargs["initial"] = {name: getattr(server, name) for name in self.base_fields}
        super().__init__(*args, **kwargs)
        groups = ServerGroup.objects.administered_by(user).order_by("path")
        self.fields["group"].queryset = groups  # type: ignore[attr-defined]
        login = cast(StayingChoiceField, self.fields["credential"])
        login.queryset = Credential.objects.visible_to(user)
        if server is not None and server.credential is not None:
            is_known = has_role(user, Role.ADMIN, server.credential.group)
            login.call(server.credential, str(server.credential) if is_known else "The login that it has")
        if server is not None:
            self.compare_with_shown()


class AddServerForm(ServerForm):
    """A new server, with a login that exists or is made on the way."""

    KEY, PASSWORD, NEW_KEY, EXISTING, NONE = "key", "password", "new_key", "existing", "none"
    SECRETS = {KEY: ("private_key", "passphrase"), PASSWORD: ("password",)}

    os = forms.ChoiceField(choices=ServerOS.choices, label="Operating system", initial=ServerOS.LINUX)
    login = forms.ChoiceField(
        choices=[
            (EXISTING, "A login that is stored"),
            (NEW_KEY, "A key that the panel makes (put on the server by you, or with a password used once)"),
            (KEY, "Paste a private key"),
            (PASSWORD, "A password"),
        ],
        widget=forms.RadioSelect,
        initial=NEW_KEY,
        required=False,
        label="Log in with",
    )
    username = forms.CharField(
        max_length=32, required=False, initial="root", label="User name", widget=forms.TextInput(attrs=_PLAIN)
    )
    private_key = forms.CharField(
        required=False,
        widget=WriteOnlyTextarea(attrs={"rows": 4, "class": "mono", **_PLAIN}),
        help_text="OpenSSH or PEM form. Stored encrypted and never shown again.",
    )
    passphrase = forms.CharField(
        required=False, strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )
    password = forms.CharField(
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Stored encrypted and never shown again.",
    )

    field_order = (
        "name",
        "group",
        "os",
        "address",
        "port",
        "login",
        "credential",
        "username",
        "private_key",
        "passphrase",
        "password",
        "use_sudo",
        "legacy_ssh",
        "description",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["is_enabled"]

    def clean(self) -> dict[str, Any]:
        """What the chosen way to log in needs must be there."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if data.get("os") == ServerOS.WINDOWS:
            # Inventory only: whatever the login's fields say, nobody logs in.
            data["login"] = self.NONE
        needs = {self.EXISTING: "credential", self.KEY: "private_key", self.PASSWORD: "password"}
        needed = needs.get(data.get("login", ""))
        if needed and not data.get(needed):
            self.add_error(needed, "This is needed for the way to log in that you chose.")
        if data.get("os") == ServerOS.LINUX and not data.get("login") and "login" not in self.errors:
            self.add_error("login", "A Linux server is reached by SSH: choose how to log in.")
        if data.get("login") in (self.KEY, self.PASSWORD, self.NEW_KEY) and not data.get("username"):
            self.add_error("username", "Enter the user name to log in with.")
        return data

    def ask_for_secrets_again(self) -> None:
        """Say it at those that were given: the form comes back without them."""
        for name in self.SECRETS.get(self.data.get("login", ""), ()):
            if self.data.get(name) and name not in self.errors:
                self.add_error(name, "This is never shown again: enter it once more.")

    def store(self, user: AnyUser) -> PhysicalServer:
        """The server with its login, both or neither. Raises ServiceError."""
        data = self.cleaned_data
        with transaction.atomic():
            return services.add_server(
                user,
                name=data["name"],
                group=data["group"],
                address=data["address"],
                os=data["os"],
                port=data["port"],
                credential=self._credential(user),
                use_sudo=data["use_sudo"],
                legacy_ssh=data["legacy_ssh"],
                description=data["description"],
            )

    def _credential(self, user: AnyUser) -> Credential | None:
        data = self.cleaned_data
        name = free_name(f"{data['username']} on {data['name']}"[:90])
        if data["login"] == self.EXISTING:
            return data["credential"]
        if data["login"] == self.NEW_KEY:
            return services.create_key_credential(
                user, name=name, username=data["username"], group=data["group"]
            )
        if data["login"] == self.NONE:
            return None
        secrets = Secrets(
            private_key=data["private_key"] if data["login"] == self.KEY else "",
            passphrase=data["passphrase"] if data["login"] == self.KEY else "",
            password=data["password"] if data["login"] == self.PASSWORD else "",
        )
        return services.create_credential(
            user, name=name, username=data["username"], secrets=secrets, group=data["group"]
        )


class OneTimePasswordForm(forms.Form):
    """A password that puts the panel's key on a server and is stored nowhere."""

    password = forms.CharField(
        strip=False,
        max_length=500,
        label="Or let the panel do it, with a password",
        help_text="Used once, now, and not stored.",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
