"""What the lists and the details of virtual networks show: rows and the user's draft in one view."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from networks.domain.state import CreateNetwork, Edit, InterfaceKey
from networks.models import Assignment, Change, Drift, Member, VirtualNetwork
from networks.services.changes import UNDECIDED, touched_networks


@dataclass(frozen=True, slots=True)
class Activity:
    """Changes under way, by the networks that they touch: read once for a page."""

    changing: dict[str, Change] = field(default_factory=dict)


def activity() -> Activity:
    """One query, however many networks."""
    changing = {}
    for change in Change.objects.filter(state__in=UNDECIDED).only("pk", "edits"):
        for network in touched_networks(change):
            changing[network] = change
    return Activity(changing)


def with_counts(networks: QuerySet[VirtualNetwork]) -> QuerySet[VirtualNetwork]:
    """The networks with `members_count` and `servers_count`, counted in the page's own query."""
    return networks.annotate(
        members_count=Coalesce(Subquery(_count(Member, "network")), 0),
        servers_count=Coalesce(Subquery(_count(Assignment, "network")), 0),
        drift_count=Coalesce(Subquery(_drifts(Drift.objects.open())), 0),
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
