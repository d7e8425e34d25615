"""Containers and their interfaces, as the last look saw them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from nodes.admin.observed import ObservedAdmin, ObservedInline, PresenceFilter
from nodes.admin.searching import TrigramSearch
from nodes.models import Container, ContainerInterface


class InterfaceInline(ObservedInline):
    """The interfaces of a container."""

    model = ContainerInterface
    fields = (
        "ifname", "mode", "mac", "addresses_text", "host_ifname", "bridge", "configured_bridge", "is_saved",
        "gone_at",
    )  # fmt: skip
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("container", "bridge__server")


@admin.register(Container)
class ContainerAdmin(TrigramSearch, ObservedAdmin):
    """Containers: server by server in the order these were added, and by CTID.

    Not sorted by columns: but for this order, each page would sort all containers there are.
    """

    ordering = ("server_id", "ctid")
    sortable_by = ()
    list_display = ("ctid", "name", "server", "status", "host_routed_text", "hostname", "problem", "gone_at")
    list_filter = (PresenceFilter, "status", ("problem", admin.EmptyFieldListFilter))
    list_select_related = ("server",)
    searched_parent = "server"
    search_fields = ("ctid", "name", "hostname", "server__name", "host_routed_text")
    inlines = (InterfaceInline,)


@admin.register(ContainerInterface)
class ContainerInterfaceAdmin(TrigramSearch, ObservedAdmin):
    """Container interfaces: container by container; not sorted by columns, for the same reason."""

    ordering = ("container_id", "ifname")
    sortable_by = ()
    list_display = (
        "ifname", "container", "server", "mode", "mac", "addresses_text", "host_ifname", "bridge_name",
        "configured_bridge", "is_saved", "gone_at",
    )  # fmt: skip
    list_filter = (PresenceFilter, "mode", "is_saved", "addresses_known")
    list_select_related = ("container__server", "bridge")
    searched_parent = "container"
    search_fields = ("ifname", "mac", "addresses_text", "host_ifname", "container__ctid", "container__name")

    @admin.display(description="Physical server")
    def server(self, interface: ContainerInterface) -> str:
        return interface.container.server.name

    @admin.display(description="Bridge")
    def bridge_name(self, interface: ContainerInterface) -> str:
        return interface.bridge.name if interface.bridge else ""
