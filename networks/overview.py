"""What the lists and the details of virtual networks show: rows and the user's draft in one view."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Case, Count, Exists, F, Min, OuterRef, QuerySet, Subquery, Value, When
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


def activity(user: AnyUser) -> Activity:
    """One query, however many networks. `is_told`: whether the user may see the Change."""
    told = Change.objects.visible_to(user).filter(pk=OuterRef("pk"))
    changing: dict[str, Change] = {}
    for change in Change.objects.filter(UNDECIDED).only("pk", "edits").annotate(is_told=Exists(told)):
        for network in touched_networks(change):
            changing[network] = change
    return Activity(changing)


# Looked up for each member by itself: by a join PostgreSQL would walk all interfaces for each network.
CONTAINER, HOME = (
    Subquery(ContainerInterface.objects.filter(pk=OuterRef("interface")).order_by().values(column)[:1])
    for column in ("container", "container__server")
)


def with_counts(networks: QuerySet[VirtualNetwork], user: AnyUser) -> QuerySet[VirtualNetwork]:
    """The networks with counts and with where they are, all in the page's own query.

    `assigned_count`, `drift_count`, `judgement`, and words on the first servers that the user may see and
    that it is assigned on: `on_1` to `on_3` ("server1: eth0"). They can be sorted by `containers_sorted` and
    `servers_sorted`, which `add_members` counts for those of a page.
    """
    # By joins: asked whether a server is among those to be seen, SQLite tries them all for each network.
    seen = with_role(user, Role.VIEWER, "server__group__path")
    assigned = Assignment.objects.filter(seen, network=OuterRef("pk")).order_by("server__name")
    said = assigned.values(
        said=Concat("server__name", Value(": "), Coalesce("adapter__name", Value("local")))
    )
    assignments = Assignment.objects.filter(network=OuterRef("pk"))
    members = Member.objects.filter(network=OuterRef("pk"))
    assigned_there = Assignment.objects.filter(network=OuterRef("network"), server=OuterRef("home"))
    by_members = members.alias(home=HOME).filter(~Exists(assigned_there))
    return (
        networks.select_related("judgement")
        .annotate(
            assigned_count=_number(assignments, Count("pk")),
            drift_count=Coalesce(Subquery(_drifts(Drift.objects.open())), 0),
            on_1=Subquery(said[:1]),
            on_2=Subquery(said[1:2]),
            on_3=Subquery(said[2:3]),
        )
        .alias(
            containers_sorted=_number(members, Count(CONTAINER, distinct=True)),
            servers_sorted=F("assigned_count") + _number(by_members, Count(HOME, distinct=True)),
        )
    )


def add_members(networks: Sequence[Any], user: AnyUser) -> None:
    """What members tell of each network of `with_counts`, in one query.

    `members_count`: its containers; `servers_count`: the servers where it is, by assignments or members;
    `on_members`: the first server that the user may see where it has members only, "" for none; `names_all`:
    whether the list names all those servers. Asked for each network by itself, PostgreSQL walks all
    interfaces for each.
    """
    assigned_there = Assignment.objects.filter(
        network=OuterRef("network"), server=OuterRef("interface__container__server")
    )
    by_members, home = ~Exists(assigned_there), "interface__container__server"
    seen = with_role(user, Role.VIEWER, f"{home}__group__path")
    members = Member.objects.filter(network__in=[network.pk for network in networks])
    found = (
        members.order_by()
        .values("network")
        .annotate(
            containers=Count("interface__container", distinct=True),
            servers=Count(home, distinct=True, filter=by_members),
            least=Min(f"{home}__name", filter=by_members & seen),
        )
    )
    told = {
        network: rest for network, *rest in found.values_list("network", "containers", "servers", "least")
    }
    for network in networks:
        network.members_count, servers, least = told.get(network.pk, (0, 0, None))
        network.servers_count = network.assigned_count + servers
        network.on_members = least or ""
        named = [name for name in (network.on_1, network.on_2, network.on_3, least) if name]
        network.names_all = len(named) == network.servers_count


def on_server(networks: QuerySet[VirtualNetwork], server_id: int) -> QuerySet[VirtualNetwork]:
    """The networks with what they are on one server: `adapter_name`, `assigned` in words, `members_here`."""
    here = Assignment.objects.filter(network=OuterRef("pk"), server_id=server_id).order_by()
    # Not by a join: PostgreSQL would walk all interfaces for each network.
    interfaces = ContainerInterface.objects.filter(container__server_id=server_id).values("pk")
    members = Member.objects.filter(network=OuterRef("pk"), interface__in=interfaces)
    return networks.annotate(
        adapter_name=Subquery(here.values("adapter__name")[:1]),
        assigned=Case(
            When(adapter_name__isnull=False, then=F("adapter_name")),
            When(Exists(here) | Exists(members), then=Value("local")),
            default=Value("not defined here"),
        ),
        members_here=_number(members, Count(CONTAINER, distinct=True)),
        drift_count=Coalesce(Subquery(_drifts(Drift.objects.open().filter(server_id=server_id))), 0),
    )


def _drifts(rows: QuerySet[Drift]) -> QuerySet[Any, Any]:
    """How many properties of a network differ from desired."""
    here = rows.filter(network=OuterRef("pk")).order_by().values("network")
    return here.annotate(n=Count("pk")).values("n")


def _number(rows: QuerySet[Any], count: Count) -> Coalesce:
    """How many of a network's rows, or of what they are of."""
    return Coalesce(Subquery(rows.order_by().values("network").annotate(n=count).values("n")), 0)


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
