"""Rows of the inventory as the domain's `Inventory`: what rules and plans know of servers."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from django.db.models import QuerySet, Value

from networks.domain.inventory import (
    AdapterView,
    BridgeView,
    ContainerView,
    InterfaceView,
    Inventory,
    RouteView,
    RoutingView,
    ServerView,
    boot_view,
)
from networks.domain.state import Desired, InterfaceKey
from nodes.choices import Origin, Role
from nodes.models import Adapter, Bridge, Container, ContainerInterface, PhysicalServer
from nodes.querysets import AnyUser, has_role, named_on


def inventory(
    server_ids: Collection[int],
    user: AnyUser | None = None,
    *,
    named: Collection[int] = (),
    about: Collection[Desired] | None = None,
    names_bridges: bool = False,
) -> Inventory:
    """Those servers with all that is on them, as last observed. A fixed number of queries.

    Of the servers in `named` only the name is known. With `about`, of all containers only those are read that
    rules ask about for these states: with an interface in a network, named by the states, or joining some
    inside. Servers that `user` may not see are counted but not named in problems. With `names_bridges`
    bridges of all servers are known by name: whoever gives a new bridge its name asks for them.
    """
    everywhere = {*server_ids, *named}
    servers = PhysicalServer.objects.filter(pk__in=everywhere).only(*SERVER_COLUMNS)
    hidden: frozenset[int] = frozenset()
    if user is not None:
        servers = servers.select_related("group")
        hidden = frozenset(everywhere - {row.pk for row in servers if has_role(user, Role.VIEWER, row.group)})
    containers = Container.objects.filter(server_id__in=server_ids)
    if about is not None:
        # Without the servers: SQLite would look up each key once for each of them.
        containers = Container.objects.filter(pk__in=_asked_about(containers, about))
    bridges = tuple(_bridges(server_ids))
    return Inventory(
        servers=tuple(server_view(row) for row in servers),
        adapters=tuple(_adapters(server_ids)),
        containers=tuple(_containers(containers)),
        interfaces=tuple(_interfaces(containers)),
        bridges=_names_of_bridges() if names_bridges else frozenset((b.server, b.name) for b in bridges),
        hidden=hidden,
        bridge_views=bridges,
    )


def _asked_about(containers: QuerySet[Container], states: Collection[Desired]) -> set[int]:
    """Keys of the containers that rules ask about. One query of three parts, each by an index of its own."""
    named = {key for state in states for key in state.containers_named}
    members = containers.filter(interfaces__membership__isnull=False)
    like = containers.filter(named_on(named))
    first, *others = (
        rows.order_by()
        .annotate(only_if_named=Value(only))
        .values_list("pk", "server_id", "ctid", "only_if_named")
        for rows, only in ((members, False), (containers.exclude(joined=[]), False), (like, True))
    )
    found = first.union(*others, all=True)
    return {pk for pk, server, ctid, only in found if not only or (server, ctid) in named}


def servers_named(*states: Desired) -> frozenset[int]:
    """Servers that these states say anything about."""
    return frozenset(
        server
        for state in states
        for server in (
            *(a.server for a in state.assignments),
            *(m.interface.server for m in state.members),
            *(v.server for v in state.vlans),
            *state.errand_servers,
        )
    )


SERVER_COLUMNS = ("name", "group_id", "os", "vzctl_dialect", "routing", "boot", "filters_tags")
"""What `server_view` reads."""


def server_view(row: PhysicalServer) -> ServerView:
    """The server alone, without what is on it."""
    return ServerView(
        id=row.pk,
        name=row.name,
        group_id=row.group_id,
        os="windows" if row.os == "windows" else "linux",
        dialect="7" if row.vzctl_dialect == "7" else "4" if row.vzctl_dialect == "4" else None,
        routing=_routing(row.routing),
        boot=boot_view(row.boot),
        filters_tags=row.filters_tags,
    )


def _routing(stored: Any) -> RoutingView | None:
    """What nodes/sync_values.py stored, as a view."""
    if not stored:
        return None
    return RoutingView(
        frozenset(stored["forwards"]),
        tuple(RouteView(*route) for route in stored["routes"]),
        tuple((address, dev) for address, dev in stored["proxies"]),
    )


def _names_of_bridges() -> frozenset[tuple[int, str]]:
    return frozenset(Bridge.objects.filter(gone_at=None).order_by().values_list("server_id", "name"))


def _bridges(server_ids: Collection[int]) -> Iterable[BridgeView]:
    for row in Bridge.objects.filter(server_id__in=server_ids, gone_at=None):
        yield BridgeView(
            row.server_id,
            row.name,
            tuple(row.addresses),
            tuple(row.foreign_ports),
            row.answers,
            row.vlan_filtering,
        )


def _adapters(server_ids: Collection[int]) -> Iterable[AdapterView]:
    # Plain columns: five objects for each adapter of each server would take most of the time.
    rows = Adapter.objects.filter(server_id__in=server_ids).values_list(
        "server_id",
        "name",
        "kind",
        "vlan_id",
        "base__name",
        "base__segment",
        "base__segment__name",
        "segment",
        "segment__name",
        "bond_mode",
        "bond__name",
        "gone_at",
        "bridge__name",
        "addresses_text",
        "origin",
        "is_up",
        "has_carrier",
        named=True,
    )
    for row in rows:
        on_base = row.base__name is not None
        yield AdapterView(
            server=row.server_id,
            name=row.name,
            kind=row.kind,
            base=row.base__name or "",
            vid=row.vlan_id,
            segment=row.base__segment if on_base else row.segment,
            segment_name=(row.base__segment__name if on_base else row.segment__name) or "",
            bond_mode=row.bond_mode,
            bond=row.bond__name or "",
            gone=row.gone_at is not None,
            bridge=row.bridge__name or "",
            addresses=tuple(row.addresses_text.split()),
            up=None if row.origin == Origin.ENTERED else row.is_up,
            carrier=row.has_carrier,
        )


def _containers(containers: QuerySet[Any]) -> Iterable[ContainerView]:
    # Plain columns: reading whole objects takes three times as long.
    rows = containers.filter(gone_at=None).values_list(
        "server_id", "ctid", "name", "hostname", "status", "joined", "host_routed_text", "routing", named=True
    )
    for row in rows:
        yield ContainerView(
            row.server_id,
            row.ctid,
            row.name or row.hostname,
            row.status,
            tuple(tuple(group) for group in row.joined),
            tuple(row.host_routed_text.split()),
            _routing(row.routing),
            tuple(row.routing.get("off", ())) if row.routing else (),
        )


def _interfaces(containers: QuerySet[Any]) -> Iterable[InterfaceView]:
    rows = ContainerInterface.objects.filter(container__in=containers).values_list(
        "container__server_id",
        "container__ctid",
        "container__name",
        "container__hostname",
        "container__status",
        "container__gone_at",
        "ifname",
        "mode",
        "mac",
        "addresses_text",
        "addresses_known",
        "host_ifname",
        "configured_bridge",
        "bridge__name",
        "gone_at",
        named=True,
    )
    for row in rows:
        yield InterfaceView(
            key=InterfaceKey(row.container__server_id, row.container__ctid, row.ifname),
            mode="bridged" if row.mode == "bridged" else "host-routed",
            mac=row.mac,
            addresses=tuple(row.addresses_text.split()),
            addresses_known=row.addresses_known,
            container_name=row.container__name or row.container__hostname,
            container_status=row.container__status,
            host_ifname=row.host_ifname,
            configured_bridge=row.configured_bridge,
            bridge=row.bridge__name or "",
            gone=row.gone_at is not None or row.container__gone_at is not None,
        )
