"""Tables of servers and containers."""

from __future__ import annotations

from typing import Any

import django_tables2 as tables

from nodes.models import Container, PhysicalServer

CSS = {"class": "table table-vcenter card-table"}


class ServerTable(tables.Table):
    """Physical servers."""

    name = tables.TemplateColumn(template_name="nodes/cells/server.html")
    state = tables.TemplateColumn(template_name="nodes/cells/state.html")
    group = tables.Column(order_by=("group__name",))
    address = tables.Column(attrs={"td": {"class": "mono"}})
    containers_count = tables.TemplateColumn(
        "{{ record.running_count }} of {{ record.containers_count }}",
        verbose_name="Containers running",
        attrs={"td": {"class": "num"}},
    )
    adapters_count = tables.Column(verbose_name="Adapters", attrs={"td": {"class": "num"}})
    vzctl_version = tables.Column(verbose_name="vzctl", default="")
    seen_at = tables.TemplateColumn(template_name="nodes/cells/seen.html", verbose_name="Last seen")

    class Meta:
        model = PhysicalServer
        fields = (
            "name",
            "state",
            "group",
            "address",
            "containers_count",
            "adapters_count",
            "vzctl_version",
            "seen_at",
        )
        attrs = CSS
        order_by = "name"


class ContainerTable(tables.Table):
    """Containers; `interfaces_shown` is put on the page's rows by the view, in one query."""

    ctid = tables.TemplateColumn(template_name="nodes/cells/container.html", verbose_name="CTID")
    name = tables.TemplateColumn("{{ record.name|default:record.hostname }}")
    status = tables.TemplateColumn(template_name="nodes/cells/status.html")
    server = tables.TemplateColumn(
        template_name="nodes/cells/container_server.html", order_by=("server__name",)
    )
    interfaces = tables.TemplateColumn(
        template_name="nodes/cells/interfaces.html", orderable=False, verbose_name="Interfaces"
    )
    addresses = tables.TemplateColumn(
        template_name="nodes/cells/addresses.html", orderable=False, verbose_name="Addresses"
    )
    networks = tables.TemplateColumn(
        template_name="nodes/cells/networks.html", orderable=False, verbose_name="Virtual networks"
    )

    class Meta:
        model = Container
        fields = ("ctid", "name", "status", "server", "interfaces", "addresses", "networks")
        attrs = CSS
        order_by = "ctid"

    def before_render(self, request: Any) -> None:
        """On a server's own page the server need not be said."""
        if getattr(self, "hide_server", False):
            self.columns.hide("server")
