"""What the lists and the details of virtual networks show: rows and the user's draft in one view."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Exists, Min, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, Concat

from networks.domain.state import CreateNetwork, Edit, InterfaceKey
from networks.models import Assignment, Change, Drift, Member, VirtualNetwork
from networks.services.queueing import UNDECIDED, touched_networks
from nodes.models import PhysicalServer
from nodes.querysets import AnyUser


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
    user may see: `on_1` to `on_3` of assigned ones ("server1: eth0"), `on_members` of one with members only.
    """
    seen = PhysicalServer.objects.visible_to(user).values("pk")
    assigned = Assignment.objects.filter(network=OuterRef("pk"), server__in=seen).order_by("server__name")
    said = assigned.values(
        said=Concat("server__name", Value(": "), Coalesce("adapter__name", Value("local")))
    )
    elsewhere = Assignment.objects.filter(
        network=OuterRef("network"), server=OuterRef("interface__container__server")
    )
    local = Member.objects.filter(network=OuterRef("pk"), interface__container__server__in=seen)
    # The least, not the first in order: for that PostgreSQL walks servers by name, each with all members.
    by_members = (
        local.exclude(Exists(elsewhere))
        .order_by()
        .values("network")
        .annotate(said=Concat(Min("interface__container__server__name"), Value(": local")))
        .values("said")
    )
    return networks.select_related("judgement").annotate(
        members_count=Coalesce(Subquery(_count(Member, "network")), 0),
        servers_count=Coalesce(Subquery(_count(Assignment, "network")), 0),
        drift_count=Coalesce(Subquery(_drifts(Drift.objects.open())), 0),
        on_1=Subquery(said[:1]),
        on_2=Subquery(said[1:2]),
        on_3=Subquery(said[2:3]),
        on_members=Subquery(by_members),
    )


def on_server(networks: QuerySet[VirtualNetwork], server_id: int) -> QuerySet[VirtualNetwork]:
    """The networks with what they are on one server: `assignment_id`, `adapter_name`, `members_here`."""
    here = Assignment.objects.filter(network=OuterRef("pk"), server_id=server_id)
    members = Member.objects.filter(network=OuterRef("pk"), interface__container__server_id=server_id)
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


def container_label(key: InterfaceKey) -> str:
    """ "102 eth0"."""
    return f"{key.ctid} {key.ifname}"
