"""Tables of servers and containers."""

from __future__ import annotations

from html import unescape
from typing import Any

import django_tables2 as tables
from django.utils.text import Truncator

from nodes.models import Container, PhysicalServer

CSS = {"class": "table table-vcenter card-table"}


class MarkupColumn(tables.TemplateColumn):
    """Cells made by a template; a CSV file gets their text, names as they are, not as HTML writes them."""

    def value(self, **kwargs: Any) -> str:
        """The cell's text without tags and entities."""
        return unescape(str(super().value(**kwargs)))


class WordsColumn(tables.Column):
    """Words of people: a page shows the first of them, a CSV file has all."""

    MOST = 140

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(attrs={"td": {"class": "cell-text"}}, default="", **kwargs)

    def render(self, value: Any) -> str:
        """The words, cut where they are many; the page of the thing has all."""
        return str(Truncator(value).chars(self.MOST))

    def value(self, **kwargs: Any) -> Any:
        """All words."""
        return kwargs["value"]


class ServerTable(tables.Table):
    """Physical servers."""

    name = MarkupColumn(template_name="nodes/cells/server.html")
    state = MarkupColumn(template_name="nodes/cells/state.html")
    group = tables.Column(order_by=("group__name",), attrs={"td": {"class": "cell-name"}})
    address = tables.Column(attrs={"td": {"class": "mono"}})
    containers_count = MarkupColumn(
        "{{ record.running_count }} of {{ record.containers_count }}",
        verbose_name="Containers running",
        attrs={"td": {"class": "num"}},
    )
    adapters_count = tables.Column(verbose_name="Adapters", attrs={"td": {"class": "num"}})
    drift_count = MarkupColumn(verbose_name="Drift", template_name="nodes/cells/drift.html")
    vzctl_version = tables.Column(verbose_name="vzctl", default="")
    seen_at = MarkupColumn(template_name="nodes/cells/seen.html", verbose_name="Last seen")

    class Meta:
        model = PhysicalServer
        fields = (
            "name",
            "state",
            "group",
            "address",
            "containers_count",
            "adapters_count",
            "drift_count",
            "vzctl_version",
            "seen_at",
        )
        attrs = CSS
        order_by = "name"


class ContainerTable(tables.Table):
    """Containers; `interfaces_shown` is put on the page's rows by the view, in one query."""

    ctid = MarkupColumn(template_name="nodes/cells/container.html", verbose_name="CTID")
    name = MarkupColumn("{{ record.name|default:record.hostname }}")
    status = MarkupColumn(template_name="nodes/cells/status.html")
    server = MarkupColumn(template_name="nodes/cells/container_server.html", order_by=("server__name",))
    interfaces = MarkupColumn(
        template_name="nodes/cells/interfaces.html", orderable=False, verbose_name="Interfaces"
    )
    addresses = MarkupColumn(
        template_name="nodes/cells/addresses.html", orderable=False, verbose_name="Addresses"
    )
    networks = MarkupColumn(
        template_name="nodes/cells/networks.html", orderable=False, verbose_name="Virtual networks"
    )

    class Meta:
        model = Container
        fields = ("ctid", "name", "status", "server", "interfaces", "addresses", "networks")
        attrs = CSS
        order_by = "ctid"
