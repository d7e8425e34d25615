"""Physical servers and the last look at each."""

from __future__ import annotations

from typing import Any, get_args

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import redirect
from django.utils import timezone

from nodes.admin.adapters import EnteredAdapterForm, bases
from nodes.admin.by_role import ByRole
from nodes.admin.named import Named
from nodes.admin.observed import ObservedInline
from nodes.choices import ServerOS, ServerState
from nodes.facts import Dialect
from nodes.models import Adapter, HostKey, Look, PhysicalServer
from nodes.services import ServiceError, request_looks
from nodes.services.errors import refused_if_in_use
from nodes.services.host_keys import read_host_key_soon
from trust.proved_admin import ProvedAdmin
from vnetpanel.long_list import LongListAdmin
from vnetpanel.touched_admin import TouchedAdmin, TouchedInline

OBSERVED = (
    "state", "state_reason", "state_since", "looked_at", "seen_at", "hostname", "kernel", "distribution",
    "vzctl_dialect", "vzctl_version", "boot_id", "management_link", "management_address", "filters_tags",
    "containers_count", "running_count", "adapters_count", "findings_count", "created_at",
)  # fmt: skip


class HostKeyInline(ObservedInline):
    """The server's host keys; approved and refused in their own list."""

    model = HostKey
    fields = ("key_type", "sha256", "state", "seen_at", "decided_at", "decided_by")
    readonly_fields = fields


class EnteredAdapterInline(Named, TouchedInline):
    """Adapters of a Windows server, entered by hand."""

    model = Adapter
    form = EnteredAdapterForm
    fk_name = "server"
    extra = 1
    fields = ("name", "kind", "base", "vlan_id", "segment", "mac", "addresses_text")
    verbose_name_plural = "network adapters (entered by hand)"

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "base":
            pk = request.resolver_match.kwargs.get("object_id") if request.resolver_match else None
            kwargs["queryset"] = bases(server=pk)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


class DialectFilter(admin.SimpleListFilter):
    """vzctl's dialects as they are known: Django would ask all servers for theirs."""

    title = "vzctl dialect"
    parameter_name = "vzctl_dialect"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [*((name, name) for name in get_args(Dialect)), ("unknown", "Unknown")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        if chosen is None:
            return queryset
        return queryset.filter(vzctl_dialect="" if chosen == "unknown" else chosen)


@admin.register(PhysicalServer)
class PhysicalServerAdmin(Named, ByRole, TouchedAdmin, LongListAdmin, ProvedAdmin):
    """Physical servers: what people decide is entered, what looks found is shown."""

    list_display = (
        "name", "group", "os", "state", "state_reason_short", "address", "vzctl_dialect", "running",
        "adapters_count", "findings_count", "seen_at", "is_enabled",
    )  # fmt: skip
    list_filter = ("state", "os", DialectFilter, "is_enabled", "legacy_ssh", "use_sudo", "group")
    list_select_related = ("group",)
    search_fields = ("name", "address", "hostname", "description")
    autocomplete_fields = ("group", "credential")
    readonly_fields = OBSERVED
    actions = ("look_now", "read_host_keys")
    list_per_page = 50
    fieldsets = (
        (None, {"fields": ("name", "description", "group", "os", "is_enabled")}),
        ("Connection", {"fields": ("address", "port", "credential", "use_sudo", "legacy_ssh")}),
        ("As last observed", {"fields": OBSERVED}),
    )

    def get_inlines(self, request: HttpRequest, obj: PhysicalServer | None) -> Any:
        if obj is None:
            return ()
        return (HostKeyInline,) if obj.is_managed else (EnteredAdapterInline,)

    def get_readonly_fields(self, request: HttpRequest, obj: PhysicalServer | None = None) -> Any:
        """Observed rows and rows entered by hand must not mix: the operating system is chosen once."""
        return OBSERVED if obj is None else (*OBSERVED, "os")

    def save_model(self, request: HttpRequest, obj: PhysicalServer, form: Any, change: bool) -> None:
        if not change:
            obj.state = ServerState.NEW if obj.is_managed else ServerState.INVENTORY_ONLY
            obj.state_since = timezone.now()
        super().save_model(request, obj, form, change)
        if not change and obj.is_managed:
            read_host_key_soon([obj.pk])

    def delete_model(self, request: HttpRequest, obj: PhysicalServer) -> None:
        with refused_if_in_use(f"The physical server {obj}"):
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """One by one, so that a refusal names the server."""
        for server in queryset:
            self.delete_model(request, server)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        """What Django does not foresee, a Change that is under way there, is said on the server's page."""
        try:
            return super().delete_view(request, object_id, extra_context)
        except ServiceError as error:
            self.message_user(request, error.message, messages.ERROR)
            return redirect("admin:nodes_physicalserver_change", object_id)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """The same for the action that removes several: all of them or none, nor their lines in the log."""
        if request.method != "POST":
            return super().changelist_view(request, extra_context)
        try:
            with transaction.atomic():
                return super().changelist_view(request, extra_context)
        except ServiceError as error:
            self.message_user(request, error.message, messages.ERROR)
            return redirect(request.get_full_path())

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What was seen on a server goes with it, although none of it can be deleted by itself."""
        deleted, counts, needed, protected = super().get_deleted_objects(objs, request)
        parts = {
            related.related_model._meta.verbose_name
            for related in PhysicalServer._meta.related_objects
            if related.related_model._meta.app_label == "nodes"
        } | {"container interface"}
        return deleted, counts, needed - parts, protected

    @admin.display(description="Reason")
    def state_reason_short(self, server: PhysicalServer) -> str:
        return server.state_reason[:80]

    @admin.display(description="Containers running", ordering="containers_count")
    def running(self, server: PhysicalServer) -> str:
        return f"{server.running_count} of {server.containers_count}"

    @admin.action(description="Look at the selected servers now", permissions=["change"])
    def look_now(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        number = request_looks(request.user, queryset)  # type: ignore[arg-type]
        self.message_user(request, f"{number} servers will be looked at.", messages.SUCCESS)

    @admin.action(description="Read the host keys again, without logging in", permissions=["change"])
    def read_host_keys(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        servers = PhysicalServer.objects.administered_by(request.user).filter(
            pk__in=queryset, os=ServerOS.LINUX
        )
        read_host_key_soon(list(servers.values_list("pk", flat=True)))
        self.message_user(request, "Host keys are being read; they appear in the list of host keys.")


@admin.register(Look)
class LookAdmin(LongListAdmin):
    """What the last look at each server brought, as it is stored."""

    list_display = ("server", "at", "duration_ms", "connect_ms", "number_of_findings")
    list_select_related = ("server",)
    search_fields = ("server__name",)
    fields = ("server", "at", "duration_ms", "connect_ms", "findings", "facts")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Without the facts: a list of fifty servers would read fifty times some hundred kilobytes."""
        return super().get_queryset(request).defer("facts")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Look | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Look | None = None) -> bool:
        return False

    @admin.display(description="Findings")
    def number_of_findings(self, look: Look) -> int:
        return len(look.findings)
