"""Logins, whose secrets are written and never shown, and host keys."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest

from nodes.admin.by_role import ByRole
from nodes.admin.named import Named
from nodes.choices import HostKeyState
from nodes.forms.write_only import WriteOnlyTextarea
from nodes.models import Credential, DedicatedLogin, HostKey, PhysicalServer
from nodes.services import ServiceError, approve_host_key, refuse_host_key
from nodes.services.credentials import Secrets, set_secrets
from nodes.ssh.hostkey import KEY_TYPES
from trust.proved_admin import ProvedAdmin
from vnetpanel.crypto import is_set
from vnetpanel.long_list import LongListAdmin
from vnetpanel.touched_admin import TouchedAdmin

KEEP = "Leave empty to keep what is stored."
WRITTEN = {
    "new_private_key": ("private_key", "passphrase", "public_key"),
    "new_passphrase": ("passphrase",),
    "new_password": ("password",),
}
"""Columns that what is typed into a field is stored in."""


class CredentialForm(forms.ModelForm):
    """A login. What is typed into the secret fields is stored; they are always shown empty."""

    new_private_key = forms.CharField(
        label="Private key",
        required=False,
        strip=False,
        widget=WriteOnlyTextarea(attrs={"rows": 6, "autocomplete": "off", "spellcheck": "false"}),
        help_text=f"OpenSSH or PEM text. {KEEP}",
    )
    new_passphrase = forms.CharField(
        label="Passphrase",
        required=False,
        strip=False,
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"}),
        help_text=f"Of the private key, if it has one. {KEEP}",
    )
    new_password = forms.CharField(
        label="Password",
        required=False,
        strip=False,
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"}),
        help_text=KEEP,
    )

    class Meta:
        model = Credential
        fields = ("name", "username", "group")

    def clean(self) -> dict[str, Any]:
        """Put the secrets into the instance before the model checks that it has one."""
        cleaned = super().clean() or {}
        secrets = Secrets(
            private_key=cleaned.get("new_private_key") or "",
            passphrase=cleaned.get("new_passphrase") or "",
            password=cleaned.get("new_password") or "",
        )
        try:
            set_secrets(self.instance, secrets)
        except ServiceError as error:
            self.add_error(f"new_{error.field}" if error.field else None, error.message)
        return cleaned


@admin.register(Credential)
class CredentialAdmin(Named, ByRole, TouchedAdmin, ProvedAdmin):
    """Logins."""

    form = CredentialForm
    list_display = ("name", "username", "group", "kind", "servers", "changed_at")
    list_select_related = ("group",)
    list_filter = ("group",)
    search_fields = ("name", "username")
    autocomplete_fields = ("group",)
    fields = (
        "name", "username", "group", "kind",
        "new_private_key", "new_passphrase", "new_password", "public_key", "changed_at",
    )  # fmt: skip
    readonly_fields = ("kind", "public_key", "changed_at")
    show_facets = admin.ShowFacets.NEVER

    def columns_touched(self, form: CredentialForm) -> list[str]:
        columns = {*super().columns_touched(form)}
        columns |= {column for name in form.changed_data for column in WRITTEN.get(name, ())}
        return [*columns, "changed_at"] if columns else []

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        servers = PhysicalServer.objects.filter(credential=OuterRef("pk")).order_by().values("credential")
        return (
            super()
            .get_queryset(request)
            .annotate(number_of_servers=Coalesce(Subquery(servers.annotate(n=Count("pk")).values("n")), 0))
        )

    @admin.display(description="Stored")
    def kind(self, credential: Credential) -> str:
        stored = [
            word
            for word, column in (("private key", "private_key"), ("password", "password"))
            if is_set(credential, column)
        ]
        return " and ".join(stored) or "nothing yet"

    @admin.display(description="Used by servers", ordering="number_of_servers")
    def servers(self, credential: Any) -> int:
        return int(credential.number_of_servers)


class _OfServer(ByRole):
    def group_of(self, row: Any) -> Any:
        return row.server.group


@admin.register(DedicatedLogin)
class DedicatedLoginAdmin(_OfServer, LongListAdmin, ProvedAdmin):
    """Keys of the panel's own users: made, used and taken back on the page "Prepare server"."""

    list_display = ("server", "credential", "panel_addresses", "made_at", "installed_at")
    list_select_related = ("server", "credential")
    search_fields = ("server__name", "panel_addresses")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class KeyTypeFilter(admin.SimpleListFilter):
    """The types that the panel reads: Django would ask all keys for theirs."""

    title = "key type"
    parameter_name = "key_type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in KEY_TYPES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(key_type=self.value()) if self.value() else queryset


@admin.register(HostKey)
class HostKeyAdmin(_OfServer, LongListAdmin, ProvedAdmin):
    """Host keys: offered ones are approved or refused here, nothing else is changed."""

    list_display = ("server", "key_type", "sha256", "state", "seen_at", "decided_at", "decided_by")
    list_select_related = ("server", "decided_by")
    list_filter = ("state", KeyTypeFilter)
    search_fields = ("server__name", "sha256")
    actions = ("approve", "refuse")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: HostKey | None = None) -> bool:
        """The list's actions need it; the page of one key is for reading."""
        return obj is None and super().has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: HostKey | None = None) -> bool:
        allowed = super().has_delete_permission(request, obj)
        return allowed and (obj is None or obj.state != HostKeyState.PINNED)

    @admin.action(description="Approve the selected host keys", permissions=["change"])
    def approve(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._decide(request, queryset, approve_host_key, "approved")

    @admin.action(description="Refuse the selected host keys", permissions=["change"])
    def refuse(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._decide(request, queryset, refuse_host_key, "refused")

    def _decide(self, request: HttpRequest, keys: QuerySet[Any], decide: Any, word: str) -> None:
        for key in keys.select_related("server__group"):
            try:
                decide(request.user, key)
            except ServiceError as error:
                self.message_user(request, f"{key.server}: {error.message}", messages.ERROR)
            else:
                self.message_user(request, f"{key.server}: {key} {word}.", messages.SUCCESS)
