"""Tables of virtual networks and Changes."""

from __future__ import annotations

import django_tables2 as tables

from networks.adapters_page import AdapterShown
from networks.models import Change, Drift, VirtualNetwork
from nodes.tables import MarkupColumn, WordsColumn


class NetworkTable(tables.Table):
    """Virtual networks of a group or of all: the manual's columns, and what is going on."""

    name = MarkupColumn(template_name="networks/cells/name.html")
    description = WordsColumn()
    servers_count = MarkupColumn(
        verbose_name="Physical servers",
        order_by=("servers_sorted",),
        template_name="networks/cells/servers.html",
    )
    members_count = tables.Column(
        verbose_name="Containers", order_by=("containers_sorted",), attrs={"td": {"class": "num"}}
    )
    state = MarkupColumn(verbose_name="State", orderable=False, template_name="networks/cells/state.html")
    problems = MarkupColumn(
        verbose_name="Problems",
        accessor="judgement",
        order_by=("-judgement__refused", "-judgement__warned"),
        empty_values=(),
        template_name="networks/cells/problems.html",
    )

    class Meta:
        model = VirtualNetwork
        fields = ("name", "description", "servers_count", "members_count", "state", "problems")
        attrs = {"class": "table table-vcenter card-table"}
        empty_text = "No virtual networks yet."

    def value_name(self, record: VirtualNetwork) -> str:
        """The bare name, for CSV: drafts and Changes under way are the page's, not the list's."""
        return record.name

    def value_state(self, record: VirtualNetwork) -> str:
        return "in place" if record.bridge else "not used yet"

    def value_problems(self, record: VirtualNetwork) -> str:
        return record.judgement.said if hasattr(record, "judgement") else ""


class ServerNetworkTable(tables.Table):
    """Virtual networks as one physical server has them."""

    name = MarkupColumn(template_name="networks/cells/name_on_server.html")
    description = WordsColumn()
    assigned = MarkupColumn(
        verbose_name="Assigned to",
        order_by=("assigned", "name"),
        template_name="networks/cells/assigned.html",
    )
    members_here = tables.Column(verbose_name="Containers here", attrs={"td": {"class": "num"}})
    state = MarkupColumn(
        verbose_name="State", orderable=False, empty_values=(), template_name="networks/cells/state.html"
    )
    actions = MarkupColumn(
        verbose_name="",
        orderable=False,
        empty_values=(),
        exclude_from_export=True,
        template_name="networks/cells/configure.html",
    )

    class Meta:
        model = VirtualNetwork
        fields = ("name", "description", "assigned", "members_here", "state", "actions")
        attrs = {"class": "table table-vcenter card-table"}
        empty_text = "No virtual networks yet."

    value_name = NetworkTable.value_name
    value_state = NetworkTable.value_state


class AdapterTable(tables.Table):
    """Network adapters of one server: rows of networks.adapters_page."""

    name = MarkupColumn(template_name="networks/cells/adapter_name.html")
    kind = MarkupColumn(template_name="networks/cells/adapter_kind.html", order_by=("kind_label", "name"))
    state = MarkupColumn(template_name="networks/cells/adapter_state.html")
    mac = tables.Column(verbose_name="MAC address", attrs={"td": {"class": "mono nowrap"}})
    addresses = MarkupColumn(template_name="networks/cells/adapter_addresses.html")
    segment = tables.Column(verbose_name="Physical segment")
    network = MarkupColumn(
        verbose_name="Virtual Network",
        accessor="held__network",
        template_name="networks/cells/adapter_network.html",
        empty_values=(),
    )
    vlan_id = tables.Column(verbose_name="VLAN id", default="", attrs={"td": {"class": "num"}})
    base = tables.Column(default="")
    mtu = tables.Column(verbose_name="MTU", default="", attrs={"td": {"class": "num"}})
    actions = MarkupColumn(
        verbose_name="",
        orderable=False,
        empty_values=(),
        exclude_from_export=True,
        template_name="networks/cells/adapter_actions.html",
        attrs={"td": {"class": "row-actions"}},
    )

    class Meta:
        attrs = {"class": "table table-vcenter card-table", "id": "adapters"}

    def value_name(self, record: AdapterShown) -> str:
        return record.name

    def value_network(self, record: AdapterShown) -> str:
        return record.held.network if record.held.mark != "removed" else ""


class ChangeTable(tables.Table):
    """Changes, newest first."""

    summary = MarkupColumn(verbose_name="Change", template_name="networks/cells/change.html", orderable=False)
    author = tables.Column(default="", order_by=("author__username",))
    created_at = tables.DateTimeColumn(verbose_name="When", format="Y-m-d H:i")
    state = MarkupColumn(template_name="networks/cells/change_state.html")
    servers_count = tables.Column(verbose_name="Servers", orderable=False, attrs={"td": {"class": "num"}})
    revision_id = MarkupColumn(
        verbose_name="Revision", template_name="networks/cells/revision.html", attrs={"td": {"class": "num"}}
    )

    class Meta:
        model = Change
        fields = ("summary", "state", "author", "created_at", "servers_count", "revision_id")
        attrs = {"class": "table table-vcenter card-table"}
        empty_text = "Nothing has been changed yet."


class NetworkThenTable(tables.Table):
    """Virtual networks as a revision has them; `number` is put on it by the view."""

    name = MarkupColumn(template_name="networks/cells/then_name.html")
    description = WordsColumn()
    servers_count = tables.Column(verbose_name="Physical servers", attrs={"td": {"class": "num"}})
    members_count = tables.Column(verbose_name="Containers", attrs={"td": {"class": "num"}})

    class Meta:
        attrs = {"class": "table table-vcenter card-table"}

    def value_name(self, record: dict[str, str]) -> str:
        return record["name"]


class ServerNetworkThenTable(tables.Table):
    """Virtual networks as one physical server had them; `number` is put on it by the view."""

    name = MarkupColumn(template_name="networks/cells/then_name.html")
    description = WordsColumn()
    assigned = tables.Column(verbose_name="Assigned to")
    members_here = tables.Column(verbose_name="Containers here", attrs={"td": {"class": "num"}})

    class Meta:
        attrs = {"class": "table table-vcenter card-table"}

    value_name = NetworkThenTable.value_name


class DriftTable(tables.Table):
    """What differs from desired, newest first; the ticks choose what to repair or adopt."""

    thing = MarkupColumn(
        verbose_name="What differs",
        template_name="networks/cells/drift_thing.html",
        order_by=("ctid", "name", "link"),
    )
    property_name = tables.Column(verbose_name="Property")
    desired = tables.Column(verbose_name="Desired", attrs={"td": {"class": "cell-text"}})
    observed = tables.Column(verbose_name="Found", attrs={"td": {"class": "cell-text"}})
    server = MarkupColumn(
        template_name="networks/cells/drift_server.html", order_by=("server__name",), accessor="server"
    )
    network = MarkupColumn(
        verbose_name="Virtual network",
        template_name="networks/cells/drift_network.html",
        order_by=("network__name",),
        empty_values=(),
    )
    first_seen_at = MarkupColumn(verbose_name="Since", template_name="networks/cells/drift_since.html")
    adopt = MarkupColumn(
        verbose_name="Can be adopted",
        template_name="networks/cells/drift_adopt.html",
        orderable=False,
    )

    class Meta:
        model = Drift
        fields = (
            "thing", "property_name", "desired", "observed", "server", "network", "first_seen_at", "adopt",
        )  # fmt: skip
        attrs = {"class": "table table-vcenter card-table"}
        empty_text = "Nothing differs."
