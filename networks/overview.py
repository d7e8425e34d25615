"""What the lists and the details of virtual networks show: rows and the user's draft in one view."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Exists, Min, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, Concat

from networks.domain.state import CreateNetwork, DeleteNetwork, DescribeNetwork, Edit, InterfaceKey
from networks.models import Assignment, Change, Drift, Member, VirtualNetwork
from networks.services.queueing import UNDECIDED, touched_networks
from nodes.choices import Role
from nodes.models import ContainerInterface
from nodes.querysets import AnyUser, with_role


@dataclass(frozen=True, slots=True)
class Activity:
    """Changes under way, by the networks that they touch: read once for a page."""

    changing: dict[str, Change] = field(default_factory=dict)


def activity() -> Activity:
    """One query, however many networks."""
    changing = {}
    for change in Change.objects.filter(UNDECIDED).only("pk", "edits"):
        for network in touched_networks(change):
            changing[network] = change
    return Activity(changing)


def with_counts(networks: QuerySet[VirtualNetwork], user: AnyUser) -> QuerySet[VirtualNetwork]:
    """The networks with counts and with where they are, all in the page's own query.

    `members_count`, `servers_count`, `drift_count`, `judgement`, and words on the first servers that the
    user may see and that it is assigned on: `on_1` to `on_3` ("server1: eth0").
    """
    # By joins: asked whether a server is among those to be seen, SQLite tries them all for each network.
    seen = with_role(user, Role.VIEWER, "server__group__path")
    assigned = Assignment.objects.filter(seen, network=OuterRef("pk")).order_by("server__name")
    said = assigned.values(
        said=Concat("server__name", Value(": "), Coalesce("adapter__name", Value("local")))
    )
    return networks.select_related("judgement").annotate(
        members_count=Coalesce(Subquery(_count(Member, "network")), 0),
        servers_count=Coalesce(Subquery(_count(Assignment, "network")), 0),
        drift_count=Coalesce(Subquery(_drifts(Drift.objects.open())), 0),
        on_1=Subquery(said[:1]),
        on_2=Subquery(said[1:2]),
        on_3=Subquery(said[2:3]),
    )


def add_local(networks: Sequence[Any], user: AnyUser) -> None:
    """`on_members` of each: the first server that the user may see where it has members only; "" for none.

    One query. Asked for each network by itself, PostgreSQL walks all interfaces for each.
    """
    assigned_there = Assignment.objects.filter(
        network=OuterRef("network"), server=OuterRef("interface__container__server")
    )
    members = Member.objects.filter(
        with_role(user, Role.VIEWER, "interface__container__server__group__path"),
        ~Exists(assigned_there),
        network__in=[network.pk for network in networks],
    )
    least = members.order_by().values("network").annotate(least=Min("interface__container__server__name"))
    found = dict(least.values_list("network", "least"))
    for network in networks:
        network.on_members = found.get(network.pk, "")


def on_server(networks: QuerySet[VirtualNetwork], server_id: int) -> QuerySet[VirtualNetwork]:
    """The networks with what they are on one server: `assignment_id`, `adapter_name`, `members_here`."""
    here = Assignment.objects.filter(network=OuterRef("pk"), server_id=server_id).order_by()
    # Not by a join: PostgreSQL would walk all interfaces for each network.
    interfaces = ContainerInterface.objects.filter(container__server_id=server_id).values("pk")
    members = Member.objects.filter(network=OuterRef("pk"), interface__in=interfaces)
    return networks.annotate(
        assignment_id=Subquery(here.values("pk")[:1]),
        adapter_name=Subquery(here.values("adapter__name")[:1]),
        members_here=Coalesce(
            Subquery(members.order_by().values("network").annotate(n=Count("pk")).values("n")), 0
        ),
        drift_count=Coalesce(Subquery(_drifts(Drift.objects.open().filter(server_id=server_id))), 0),
    )


def _drifts(rows: QuerySet[Drift]) -> QuerySet[Any, Any]:
    """How many properties of a network differ from desired."""
    here = rows.filter(network=OuterRef("pk")).order_by().values("network")
    return here.annotate(n=Count("pk")).values("n")


def _count(model: type[Assignment] | type[Member], column: str) -> QuerySet[Assignment] | QuerySet[Member]:
    rows = model.objects.filter(**{column: OuterRef("pk")}).order_by().values(column)
    return rows.annotate(n=Count("pk")).values("n")


def touched_by(edits: Iterable[Edit]) -> frozenset[str]:
    """Ids of networks that pending edits touch: marked in the lists."""
    return frozenset(getattr(e, "network", "") or getattr(e, "id", "") for e in edits) - {""}


def created_by(edits: Iterable[Edit]) -> list[CreateNetwork]:
    """Networks that exist in the draft only."""
    return [edit for edit in edits if isinstance(edit, CreateNetwork)]


def drafted_names(edits: Iterable[Edit]) -> dict[str, str]:
    """What the edits call networks that they make or rename, by id; "" for those that they delete."""
    names: dict[str, str] = {}
    for edit in edits:
        match edit:
            case CreateNetwork(id=network, name=name) | DescribeNetwork(id=network, name=name):
                names[network] = name
            case DeleteNetwork(id=network):
                names[network] = ""
    return names


def container_label(key: InterfaceKey) -> str:
    """ "102 eth0"."""
    return f"{key.ctid} {key.ifname}"
