"""Network adapters, bridges and the wires."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest

from nodes.admin.named import Named
from nodes.admin.observed import ObservedAdmin, PresenceFilter
from nodes.choices import AdapterKind, Origin, ServerOS
from nodes.models import Adapter, Bridge, PhysicalSegment, PhysicalServer
from vnetpanel.touched_admin import TouchedAdmin


@admin.register(PhysicalSegment)
class PhysicalSegmentAdmin(Named, TouchedAdmin):
    """The wires that adapters of several servers share."""

    list_display = ("name", "is_default", "adapters", "description")
    search_fields = ("name", "description")
    show_facets = admin.ShowFacets.NEVER

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        adapters = Adapter.objects.filter(segment=OuterRef("pk"), gone_at=None).order_by().values("segment")
        return (
            super()
            .get_queryset(request)
            .annotate(number_of_adapters=Coalesce(Subquery(adapters.annotate(n=Count("pk")).values("n")), 0))
        )

    @admin.display(description="NICs and bonds", ordering="number_of_adapters")
    def adapters(self, segment: Any) -> int:
        return int(segment.number_of_adapters)


def bases(**there: Any) -> QuerySet[Any]:
    """What a VLAN adapter can be on."""
    adapters = Adapter.objects.filter(gone_at=None, **there).exclude(kind=AdapterKind.VLAN)
    return adapters.select_related("server")


class EnteredAdapterForm(forms.ModelForm):
    """An adapter of a Windows server, which nobody but a person can know."""

    class Meta:
        model = Adapter
        fields = (
            "server", "name", "kind", "base", "vlan_id", "segment", "mac", "mtu", "is_up", "addresses_text",
        )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is None:
            # Before the model checks its rules, which hold for what is entered.
            self.instance.origin = Origin.ENTERED


@admin.register(Adapter)
class AdapterAdmin(Named, TouchedAdmin, ObservedAdmin):
    """Linux: as observed, only the physical segment is entered. Windows: all entered here."""

    form = EnteredAdapterForm
    # Of the server's key: by its name, each page would sort all adapters.
    ordering = ("server_id", "name")
    list_display = (
        "name", "server", "kind", "vlan_id", "base_name", "wire_name", "bridge_name", "addresses_text",
        "mac", "is_up", "is_management", "owner", "origin", "gone_at",
    )  # fmt: skip
    list_filter = (PresenceFilter, "kind", "origin", "is_management", "server__os", "segment")
    search_fields = ("name", "server__name", "mac", "addresses_text")
    entered = (
        "server", "name", "kind", "base", "vlan_id", "segment", "mac", "mtu", "is_up", "addresses_text",
    )  # fmt: skip

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "server":
            kwargs["queryset"] = PhysicalServer.objects.filter(os=ServerOS.WINDOWS)
        if db_field.name == "base":
            kwargs["queryset"] = bases(server__os=ServerOS.WINDOWS)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("server", "base__segment", "segment", "bridge")

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return admin.ModelAdmin.has_add_permission(self, request)

    def has_delete_permission(self, request: HttpRequest, obj: Adapter | None = None) -> bool:
        if obj is not None and obj.origin == Origin.ENTERED:
            return admin.ModelAdmin.has_delete_permission(self, request, obj)
        return super().has_delete_permission(request, obj)

    def get_fields(self, request: HttpRequest, obj: Adapter | None = None) -> Any:
        if obj is None or not obj.server.is_managed:
            return self.entered
        return [field.name for field in Adapter._meta.fields if field.name != "id"]

    def get_readonly_fields(self, request: HttpRequest, obj: Adapter | None = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        if not obj.server.is_managed:
            return ("server",)
        # A VLAN adapter is on its base's wire; only of one that stands on a bridge nobody else could tell.
        editable = () if obj.base_id else ("segment",)
        return tuple(f.name for f in Adapter._meta.fields if f.name not in ("id", *editable))

    @admin.display(description="Base", ordering="base__name")
    def base_name(self, adapter: Adapter) -> str:
        return adapter.base.name if adapter.base else ""

    @admin.display(description="Physical segment")
    def wire_name(self, adapter: Adapter) -> str:
        return adapter.wire.name if adapter.wire else "unknown"

    @admin.display(description="Bridge", ordering="bridge__name")
    def bridge_name(self, adapter: Adapter) -> str:
        return adapter.bridge.name if adapter.bridge else ""


@admin.register(Bridge)
class BridgeAdmin(ObservedAdmin):
    """Bridges as the last look saw them."""

    ordering = ("server_id", "name")
    list_display = (
        "name", "server", "addresses_text", "mac", "mtu", "is_up", "vlan_filtering", "origin", "gone_at",
    )  # fmt: skip
    list_filter = (PresenceFilter, "origin", "is_up", "vlan_filtering")
    list_select_related = ("server",)
    search_fields = ("name", "server__name", "addresses_text", "mac")
